"""CMU motion capture: what people do, as joints and turning segments at 120 Hz, in two kinds of files.

* ``01/01_01.amc`` with its skeleton ``01/01.asf`` beside it, as the database gives them;
* ``train/walking/walking_1.txt``, as a paper on the prediction of motion gave nine of the actions (C. Li et al.,
  Convolutional Sequence to Sequence Model for Human Dynamics, CVPR 2018): 117 numbers a frame, the place of the root
  and the rotation vectors of 38 joints, the first frame a rest pose.

``motions`` gives them as ``Motion``, with the rotations of the segments, from which ``simulate.virtual_imu`` makes the
sensors at any placement; ``recordings`` gives the joints.

**The text files.** Their vectors are those of the inverse rotations of the bones, from the rest pose of the database's
skeletons: ``train_walking_1`` is trial 02_01, and all of its bones turn as in its AMC to within 0.01 degrees, but for
the root, 0.4 degrees off in the median and 0.8 at most. The files have no bone lengths, as have AMCs without an ASF
(``mocap6``: subjects 13 and 14). Both get the skeleton of ``LENDER``, whose axes are those of all skeletons here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import Card, DatasetError, only_known, say, wanted_modalities
from kinjo.formats.amc import Skeleton, chain_of, find_asf, read_amc, read_asf
from kinjo.formats.errors import FormatError, Said
from kinjo.formats.placed import motion_of
from kinjo.motion import Motion
from kinjo.recording import Recording, Segment

Floats = NDArray[np.float64]

RATE_HZ = 120.0
LENDER = "02/02.asf"
"""The skeleton of files that have none."""
ACTIONS: dict[str, str] = {
    "walking": "walking", "walking_extra": "walking", "running": "running", "jumping": "jumping",
    "soccer": "playing soccer", "basketball": "playing basketball",
    "basketball_signal": "giving basketball signals", "directing_traffic": "directing traffic",
    "washwindow": "washing a window",
}  # fmt: skip
"""Folder of the text files -> label."""
TRIALS: dict[str, str] = {
    "01_01": "jumping", **{f"01_{n:02}": "climbing on a playground" for n in range(2, 15)}, "02_01": "walking",
    "02_02": "walking", "02_03": "running", "02_04": "jumping", "02_05": "punching",
    "02_06": "scooping up from the floor", "02_07": "sword fighting", "02_08": "sword fighting",
    "02_09": "sword fighting", "02_10": "washing oneself", "03_01": "walking on uneven ground",
    "03_02": "walking on uneven ground", "03_03": "hopping on uneven ground", "03_04": "hopping on uneven ground",
}  # fmt: skip
"""Trial -> label, by the database's own descriptions; others have none, as those that mix exercises (13_29, 14_14)."""
TWINS = {"train_walking_1": "02_01", "02_01": "02_01"}
"""Recordings of the same movement."""
NODES: tuple[str, ...] = (
    "root", "lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes", "", "rhipjoint", "rfemur", "rtibia", "rfoot", "rtoes",
    "", "lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head", "", "lclavicle", "lhumerus", "lradius",
    "lwrist", "lhand", "lfingers", "", "lthumb", "", "rclavicle", "rhumerus", "rradius", "rwrist", "rhand", "rfingers",
    "", "rthumb", "",
)  # fmt: skip
"""The bone that each rotation vector of a text file turns; empty: an end, which turns nothing."""
LARGEST_TURN, FARTHEST = 2 * np.pi, 1000.0
"""Radians, and the database's units (56 mm): more is no rotation vector, and no place in the laboratory."""

CARD = Card(
    name="cmu",
    title="CMU motion capture",
    citation="CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.",
    licence="free for all uses; not to be sold as data",
    url="http://mocap.cs.cmu.edu",
    how_to_get="Download trials with their .asf from http://mocap.cs.cmu.edu into a folder cmu: cmu/02/02_01.amc, ...",
    classes=tuple(dict.fromkeys((*ACTIONS.values(), *TRIALS.values()))),
    subjects=("01", "02", "03", "13", "14", "unknown"),
    placements=(),
    modalities=("pose",),
    trainable=True,
    defects=(
        "Text files and trials without a skeleton get the bones of subject 02: limbs of others are up to 10 % too long "
        "or too short, and feet float above or sink into the ground by as much.",
        "The subjects of the text files are not told: 'unknown', though some of them are one person.",
        "train_walking_1 is trial 02_01; both have the same twin.",
        "Labels are of whole trials: what leads to the movement and away from it is in them.",
        "Subjects 13 and 14 mix exercises (jumping jacks, side twists, squats, ...) in one trial: no label.",
        "120 Hz is what the database says; some of its trials are said to be at 60 Hz.",
        "Hands, fingers and toes are poorly captured; clavicles do not move.",
    ),
)
_AGAIN = "Get the file again, or pass skip_bad=True to leave it out."
_AMC = re.compile(r"(\d\d)_\d\d\.amc")
_TEXT = re.compile(rf"(train|test)/({'|'.join(ACTIONS)})/(\w+)\.txt")


@dataclass(frozen=True)
class _Found:
    """The files of the movements by id, and the skeleton for those that have none."""

    files: dict[str, Path]
    lender: Path | None


def find(root: Path) -> Path | None:
    """The folder under ``root`` (or ``root`` itself) below which movements lie, else ``None``."""
    for folder in (root / "cmu", root / "CMU"):
        if folder.is_dir() and _look(folder).files:
            return folder
    near = (*root.glob("[0-9][0-9]/*.amc"), *root.glob("subjects/[0-9][0-9]/*.amc"), *root.glob("data/CMU/asfamc"))
    return root if near else None


def _look(folder: Path) -> _Found:
    files: dict[str, Path] = {}
    skeletons = [path for path in folder.rglob("*.asf") if path.as_posix().endswith(f"/{LENDER}")]
    for path in sorted(folder.rglob("*")):
        if _AMC.fullmatch(path.name):
            files.setdefault(path.stem, path)
        elif match := _TEXT.fullmatch("/".join(path.parts[-3:])):
            files.setdefault(f"{match[1]}_{match[3]}", path)
    return _Found(files, skeletons[0] if skeletons else None)


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per trial, ids ``02_01`` and ``train_walking_1``, one segment over all of it where it has a label.

    One stream: ``pose`` (n, 17, 3) in m, y up, of the canonical skeleton, at 120 Hz. See ``motions``, which raises,
    skips and reports alike.
    """
    wanted_modalities(str(root), modalities, CARD.modalities)
    for name, label, motion in motions(root, only=only, skip_bad=skip_bad, report=report):
        subject = name[:2] if _AMC.fullmatch(f"{name}.amc") else "unknown"
        notes = ("the bones are those of subject 02",) * (subject not in ("01", "02", "03"))
        segments = (Segment(0.0, motion.seconds, label),) if label else ()
        yield motion.recording(
            name, segments=segments, subject=subject, source=f"{CARD.name}:{name}", twin=TWINS.get(name, ""),
            notes=notes,
        )  # fmt: skip


def motions(
    root: Path, *, only: Collection[str] | None = None, skip_bad: bool = False, report: list[str] | None = None
) -> Iterator[tuple[str, str, Motion]]:
    """(id, label, movement) of each trial, by id, for ``simulate.virtual_imu``; an empty label where none is known.

    ``only``: ids to read. Trials without a skeleton are left out where there is no ``LENDER``, with a line in
    ``report`` (a warning without one). Raises ``DatasetError`` naming the first file that is not as it should be. With
    ``skip_bad`` such a file is skipped, with a line in ``report``.
    """
    folder = find(root)
    if folder is None:
        raise DatasetError(str(root), "CMU motion capture (cmu/02/02_01.amc)", "none", CARD.how_to_get)
    found = _look(folder)
    return _read_all(only_known(str(folder), only, tuple(sorted(found.files))), found, skip_bad, report)


def _read_all(
    ids: tuple[str, ...], found: _Found, skip_bad: bool, report: list[str] | None
) -> Iterator[tuple[str, str, Motion]]:
    without = []
    for name in ids:
        path = found.files[name]
        try:
            skeleton = _skeleton(path, found)
            if skeleton is None:
                without.append(name)
                continue
            motion = _amc(path, skeleton) if path.suffix == ".amc" else text_motion(path, read_asf(skeleton))
        except (DatasetError, FormatError) as error:
            fault = DatasetError(str(path), error.expected, error.given, error.hint or _AGAIN)
            if not skip_bad:
                raise fault from error
            say(report, f"{name}: skipped: {fault}")
            continue
        label = TRIALS.get(name, "") if path.suffix == ".amc" else ACTIONS[path.parent.name]
        yield name, label, motion
    if without:
        say(report, f"left out: {len(without)} movements such as {without[0]}: no skeleton {LENDER} for them")


def _skeleton(path: Path, found: _Found) -> Path | None:
    """The .asf of a movement; that of ``LENDER`` where it has none of its own."""
    if path.suffix == ".amc":
        try:
            return find_asf(path)
        except FormatError:
            pass
    return found.lender


def _amc(path: Path, skeleton: Path) -> Motion:
    return read_amc(path, Said(rate_hz=RATE_HZ), skeleton)


def text_motion(path: Path, skeleton: Skeleton) -> Motion:
    """The movement in a file of rotation vectors, on the bones of ``skeleton``, without its first frame of rest."""
    from scipy.spatial.transform import Rotation

    values = _table(path)
    chain, index = chain_of(skeleton)
    vectors = values[1:, 3:].reshape(-1, len(NODES), 3)
    turning = {bone or "an end": node for node, bone in enumerate(NODES) if vectors[:, node].any()}
    lacking = sorted(set(turning) - set(index))
    if lacking:
        raise DatasetError(str(path), "turns of bones of the skeleton", f"turns of {', '.join(lacking)}", _AGAIN)
    turns = {index[bone]: Rotation.from_rotvec(-vectors[:, node]).as_matrix() for bone, node in turning.items()}
    return motion_of(path.name, chain, turns, {0: values[1:, :3]}, RATE_HZ, Said(), skeleton.units)


def _table(path: Path) -> Floats:
    """The numbers (n, 117) of a text file, or ``DatasetError``."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [line.split(",") for line in lines if line.strip()]
        width = 3 * (len(NODES) + 1)
        short = next((i for i, row in enumerate(rows, 1) if len(row) != width), None)
        if short is not None:
            given = f"{len(rows[short - 1])} in line {short}"
            raise DatasetError(str(path), f"{width} numbers a line", given, _AGAIN)
        values = np.array(rows, np.float64) if rows else np.zeros((0, width))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(str(path), "lines of numbers with commas between them", f"{error}"[:200], _AGAIN) from error
    if len(values) < 3:
        raise DatasetError(str(path), "a frame of rest and two of movement at least", f"{len(values)}", _AGAIN)
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise DatasetError(str(path), "finite numbers", f"{bad} NaN or infinite", _AGAIN)
    if np.abs(values[:, 3:]).max() > LARGEST_TURN or np.abs(values[:, :3]).max() > FARTHEST:
        given = f"{np.abs(values[:, 3:]).max():.3g} and {np.abs(values[:, :3]).max():.3g}"
        raise DatasetError(str(path), "rotation vectors within a turn, places in the laboratory", given, _AGAIN)
    return values
