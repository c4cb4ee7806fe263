"""C3D: markers of a capture lab, in binary. The bytes are read by ``py-c3d``; what they say is checked here.

Units come from POINT:UNITS, the up axis from POINT:Y_SCREEN where it is stated. A residual below zero, three zeros or
NaN is a gap.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.formats.errors import MOST_FRAMES, FormatError, Said, read_bytes
from kinjo.formats.markers import motion_of_markers
from kinjo.formats.placing import UNITS, UPS
from kinjo.motion import Motion

Floats = NDArray[np.floating[Any]]

_ALLOWED = ("No analog data found", "No point data found", "no pointer available", "missing parameter")
"""What py-c3d warns of that harms nobody here: what is needed is checked below."""


def read_c3d(path: Path, said: Said | None = None) -> Motion:
    """The movement in a C3D file. Needs the package ``c3d``. Raises ``FormatError``; see ``formats.read_motion``."""
    said = said or Said()
    file = path.name
    data = read_bytes(path)
    if len(data) < 1024 or data[1] != 0x50:
        raise FormatError(file, "byte 2", "0x50, which marks C3D", f"{data[1:2].hex() or 'nothing'}", "Is it C3D?")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels, places, rate, units, up = _read(file, data)
    serious = [str(w.message) for w in caught if not str(w.message).strip().startswith(_ALLOWED)]
    if serious:
        raise FormatError(file, "", "a whole C3D file", " ".join(serious[0].split()), "Copy or export it again.")
    rate = said.rate_hz if said.rate_hz is not None else rate
    return motion_of_markers(file, labels, places, rate, said, units, up)


def _read(file: str, data: bytes) -> tuple[list[str], Floats, float, str | None, str | None]:
    """``(labels, places (frames, markers, 3), rate, units, up)``."""
    try:
        import c3d
    except ModuleNotFoundError as error:
        raise FormatError(file, "", "the package c3d, which reads C3D", "none", "pip install c3d") from error
    again = "The file is damaged: copy or export it again."
    try:
        reader = c3d.Reader(io.BytesIO(data))
        labels = [label.rpartition(":")[2].strip().upper() for label in reader.point_labels]
        _sizes(file, reader, labels, len(data))
        rate, units, screen = reader.point_rate, _text(reader, "POINT:UNITS"), _text(reader, "POINT:Y_SCREEN")
        points = np.stack([points for _, points, _ in reader.read_frames()])
    except FormatError:
        raise
    except Exception as error:  # the library has no error of its own
        raise FormatError(file, "", "C3D", f"{type(error).__name__}: {error}", again) from error
    if len(points) != reader.frame_count:
        raise FormatError(file, "frames", f"{reader.frame_count}", f"{len(points)}", again)
    places = points[:, : len(labels), :3].astype(np.float64)
    gap = (points[:, : len(labels), 3] < 0) | (places == 0).all(-1) | ~np.isfinite(places).all(-1)
    places[gap] = np.nan
    named = [i for i, label in enumerate(labels) if label]
    if units and units.lower() not in UNITS:
        raise FormatError(file, "POINT:UNITS", f"one of {', '.join(UNITS)}", repr(units), "Say units=.")
    up = screen.lower().removeprefix("+") if screen else None
    up = up if up in UPS else None
    return [labels[i] for i in named], places[:, named], float(rate), units.lower() if units else None, up


def _text(reader: Any, name: str) -> str | None:
    parameter = reader.get(name)
    return None if parameter is None else parameter.string_value.strip(" \0") or None


def _sizes(file: str, reader: Any, labels: list[str], size: int) -> None:
    """Raise ``FormatError`` where header, parameters and the length of the file contradict one another."""
    points, frames = int(reader.point_used), int(reader.frame_count)
    header = reader._header
    again = "The file is damaged: copy or export it again."
    if points < 1 or not 1 <= frames <= MOST_FRAMES or len(labels) < 1:
        raise FormatError(file, "header", f"markers, and 1 to {MOST_FRAMES} frames", f"{points}, {frames}", again)
    analog = int(reader.analog_used) * int(reader.analog_per_frame)
    twice = [
        (header.point_count, points), (header.frame_rate, reader.point_rate),
        (header.scale_factor, reader.point_scale), (header.analog_count, analog),
    ]  # fmt: skip
    if any(a != b for a, b in twice):
        said = "markers, rate, scale and analog samples"
        raise FormatError(file, "header and parameters", f"the same {said}", f"{twice}", again)
    word = 4 if reader.point_scale < 0 else 2
    due = frames * word * (4 * points + analog)
    rest = size - 512 * (int(header.data_block) - 1)
    if header.data_block < 2 or not due <= rest < due + max(1024, due // frames):
        raise FormatError(file, "data", f"{due} bytes for {frames} frames of {points} markers", f"{rest} bytes", again)
    known = [label for label in labels if label]
    if len(set(known)) < len(known):
        twice = next(label for label in known if known.count(label) > 1)
        raise FormatError(file, "POINT:LABELS", "another label for each marker", f"'{twice}' twice", "Rename one.")
