"""Files of motion from capture systems and animation programs, read as ``Motion``.

| suffix | what | needs |
|---|---|---|
| .bvh | Biovision Hierarchy | |
| .amc | Acclaim, with its skeleton (.asf) | ``rate_hz=``: the file has none |
| .c3d | markers of a capture lab (Plug-in Gait names) | the package ``c3d`` |
| .csv, .txt | a table of markers (Vicon export, UI-PRMD) | ``rate_hz=`` where the file has none |
| .npz | SMPL poses as AMASS has them | |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kinjo.formats.amc import read_amc
from kinjo.formats.bvh import read_bvh
from kinjo.formats.c3d import read_c3d
from kinjo.formats.errors import FormatError, Said
from kinjo.formats.markers import PLUG_IN_GAIT, read_markers
from kinjo.formats.smpl import read_smpl
from kinjo.motion import Motion

__all__ = ["PLUG_IN_GAIT", "SUFFIXES", "FormatError", "read_motion"]

SUFFIXES: tuple[str, ...] = (".bvh", ".amc", ".c3d", ".csv", ".txt", ".npz")
"""What ``read_motion`` reads."""


def read_motion(
    path: Path | str,
    *,
    skeleton_file: Path | str | None = None,
    units: str | float | None = None,
    up: str | None = None,
    joints: Mapping[str, str | tuple[str, ...]] | None = None,
    rate_hz: float | None = None,
    left_handed: bool = False,
    notes: list[str] | None = None,
) -> Motion:
    """The movement in a file, by its suffix: canonical joints in metres, y up; rotations from BVH, AMC and SMPL.

    ``skeleton_file``: the .asf of an .amc (default: beside it). ``units`` ('m', 'cm', 'mm', 'in', 'cmu', or metres per
    unit) and ``up`` ('y', 'z', 'x', '-y', ...) are what the file states, or else guessed: units so that the body has
    human size, up from how it stands. ``joints``: canonical joint -> the file's joint or marker (or several: their
    mean), where names are not known. ``rate_hz``: frames per second, before the file's own. ``left_handed``: the
    file's axes are (Unity). ``notes`` receives a line for every guess.

    Raises ``FormatError`` for a file that is damaged, contradicts itself or cannot be understood; it names the file,
    the line or frame, what was expected and given, and what to do.
    """
    path = Path(path)
    said = Said(units, up, dict(joints or {}), rate_hz, left_handed, notes)
    suffix = path.suffix.lower()
    if suffix == ".bvh":
        return read_bvh(path, said)
    if suffix == ".amc":
        return read_amc(path, said, None if skeleton_file is None else Path(skeleton_file))
    if suffix == ".c3d":
        return read_c3d(path, said)
    if suffix in (".csv", ".txt"):
        return read_markers(path, said)
    if suffix == ".npz":
        return read_smpl(path, said)
    raise FormatError(path.name, "suffix", f"one of {', '.join(SUFFIXES)}", repr(suffix), "Rename or convert the file.")
