"""MyoGym: 30 gym exercises by 10 trainers, with a Myo armband on the right forearm.

Reads ``MyoGym.mat``. The file was not at hand here; four public readers of it agree on what is in it, and only that
is read, tested on small files of that form:

* ``raw_data`` (n, 17 or more): 0 time of the EMG, 1-8 EMG, 9 time of the accelerometer, 10-12 acceleration in g,
  13 time of the gyroscope, 14-16 rotation in deg/s. EMG is not read: kinjo knows no such quantity.
* ``raw_data_labels`` (n, 2): exercise 1 to 30, or 99 (0 is taken too) where there is none; trainer 1 to 10.

**Clock.** Packets of the armband were written as they came: their time stamps jump and about one row in six repeats
an earlier one. Rows whose times, acceleration and rotation are all equal to an earlier row's are left out, as these
readers do, and the others are 1 / 50 s apart. Idle time gives no segment: windows there are NULL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets import mat5
from kinjo.datasets.card import Card, DatasetError, only_known, read_each, say, wanted_modalities
from kinjo.datasets.files import LARGEST
from kinjo.recording import Contract, Recording, Stream, labelled_runs

RATE_HZ = 50.0
FILE = "MyoGym.mat"
EXERCISES: dict[int, str] = dict(
    enumerate(
        (
            "seated cable rows", "one-arm dumbbell row", "wide-grip pulldown behind the neck", "bent over barbell row",
            "reverse grip bent-over row", "wide-grip front pulldown", "bench press", "incline dumbbell flyes",
            "incline dumbbell press", "dumbbell flyes", "pushups", "leverage chest press",
            "close-grip barbell bench press", "bar skullcrusher", "triceps pushdown", "bench dip",
            "overhead triceps extension", "tricep dumbbell kickback", "spider curl", "dumbbell alternate bicep curl",
            "incline hammer curl", "concentration curl", "cable curl", "hammer curl", "upright barbell row",
            "side lateral raise", "front dumbbell raise", "seated dumbbell shoulder press", "car drivers",
            "lying rear delt raise",
        ),
        start=1,
    )
)  # fmt: skip
"""Number of the exercise -> label."""
IDLE = (0, 99)
"""Numbers for "no exercise"."""
TRAINERS = tuple(range(1, 11))
WIDTH, USED = 17, slice(9, 17)
"""Columns that ``raw_data`` has at least, and those that are read."""
LARGEST_ACC_G, LARGEST_GYRO_DPS = 16.001, 2048.001
"""Range of the armband: 16-bit numbers by 2048 and by 16."""
NEEDED = (
    "Needed are raw_data (n, 17): time, EMG 1-8, time, acceleration x y z in g, time, rotation x y z in deg/s, and "
    "raw_data_labels (n, 2): exercise 0 to 30 or 99, trainer 1 to 10."
)

CARD = Card(
    name="myogym",
    title="MyoGym",
    citation="H. Koskimäki, P. Siirtola, J. Röning: MyoGym: Introducing an Open Gym Data Set for Activity Recognition "
    "Collected Using Myo Armband. UbiComp/ISWC 2017 Adjunct.",
    licence="unknown; no licence text seen",
    url="https://doi.org/10.1145/3123024.3124400",
    how_to_get="Get MyoGym.mat from the authors (their page was http://www.oulu.fi/bisg/node/40364) into a folder "
    "MyoGym.",
    classes=tuple(EXERCISES.values()),
    subjects=tuple(f"trainer{t}" for t in TRAINERS),
    placements=("right_forearm",),
    modalities=("imu",),
    trainable=False,
    defects=(
        "This reader was tested on files that a test makes, not on the real one, whose form is known from others' "
        "programs that read it.",
        "There is no official split; usual are leave one trainer out and folds by trainer.",
        "About one row in six repeats an earlier one, time stamps and all: such rows are left out.",
        "Time stamps are of arrival, in packets, of unknown unit: they are not used, and 50 Hz is nominal.",
        "Units are not documented: g and deg/s go by the size of numbers that others printed.",
        "Which sign gravity has was not seen: acceleration is given as it is in the file.",
        "Ids are known only once the file is read: one for each stretch of rows of one trainer.",
        "The EMG is not read.",
    ),
)


@dataclass(frozen=True)
class Table:
    """``values`` (n, 8): time and x, y, z of acceleration in g, time and x, y, z of rotation in deg/s; ``exercise``
    and ``trainer`` (n,) whole numbers."""

    values: NDArray[np.float64]
    exercise: NDArray[np.int64]
    trainer: NDArray[np.int64]


def find(root: Path) -> Path | None:
    """The folder under ``root`` (or ``root`` itself) with ``MyoGym.mat``; ``None`` without one."""
    for folder in (root, root / "MyoGym", root / "myogym"):
        if (folder / FILE).is_file():
            return folder
    return None


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per stretch of rows of one trainer, id ``trainer3_run1``, subject ``trainer3``.

    Streams at 50 Hz: ``right_forearm.acc`` (n, 3) g with gravity, ``right_forearm.gyro`` (n, 3) deg/s. A segment for
    each run of one exercise. The file is read as a whole, at once.

    ``only``: ids to read. Raises ``DatasetError`` naming the file where it is absent or not as it should be. With
    ``skip_bad`` a bad stretch (or file) is skipped, with a line in ``report`` (a warning without one).
    """
    folder = find(root)
    if folder is None:
        raise DatasetError(str(root), f"MyoGym ({FILE})", "none", CARD.how_to_get)
    wanted_modalities(str(folder), modalities, CARD.modalities)
    where = str(folder / FILE)
    try:
        whole = table(_bytes(folder / FILE), where)
    except DatasetError as error:
        if not skip_bad:
            raise
        say(report, f"skipped: {error}")
        return iter(())
    runs = _runs(whole.trainer)
    gone = sorted(set(TRAINERS) - set(whole.trainer.tolist()))
    if gone and only is None:
        hint = "Get the file again, or pass skip_bad=True, or only= the ids that it has."
        fault = DatasetError(where, "the trainers 1 to 10", f"none of {gone}", hint)
        if not skip_bad:
            raise fault
        say(report, f"skipped: {fault}")

    def read(recording: str) -> Recording:
        rows = runs[recording]
        return _recording(recording, whole.values[rows], whole.exercise[rows], where)

    return read_each(only_known(where, only, tuple(runs)), read, skip_bad, report)


def _runs(trainer: NDArray[np.int64]) -> dict[str, slice]:
    """Id -> rows of each stretch of one trainer, in the order of the file."""
    edges = [0, *(np.flatnonzero(np.diff(trainer)) + 1).tolist(), len(trainer)]
    seen: Counter[int] = Counter()
    runs: dict[str, slice] = {}
    for start, stop in pairwise(edges):
        number = int(trainer[start])
        seen[number] += 1
        runs[f"trainer{number}_run{seen[number]}"] = slice(start, stop)
    return runs


def _recording(recording: str, values: NDArray[np.float64], exercise: NDArray[np.int64], where: str) -> Recording:
    _check(values, f"{where}, {recording}")
    first = np.sort(np.unique(values, axis=0, return_index=True)[1])
    notes = ("the time stamps are not used: 50 Hz is nominal",)
    if len(first) < len(values):
        notes += (f"{len(values) - len(first)} of {len(values)} rows repeat an earlier one and are left out",)
    values, exercise = values[first], exercise[first]
    back = int((np.diff(values[:, 0]) < 0).sum())
    if back:
        notes += (f"the accelerometer's time stamps go back {back} times",)
    acc = Contract("imu", "acc", "g", RATE_HZ, placement="right_forearm", gravity=True)
    gyro = Contract("imu", "gyro", "deg/s", RATE_HZ, placement="right_forearm")
    streams = {
        "right_forearm.acc": Stream.of("right_forearm.acc", acc, np.ascontiguousarray(values[:, 1:4])),
        "right_forearm.gyro": Stream.of("right_forearm.gyro", gyro, np.ascontiguousarray(values[:, 5:8])),
    }
    segments = labelled_runs(exercise, RATE_HZ, EXERCISES)
    return Recording(
        recording, streams, segments, recording.partition("_")[0], f"{CARD.name}:{recording}", "", notes
    )  # fmt: skip


def _check(values: NDArray[np.float64], where: str) -> None:
    """Finite numbers in their units, or ``DatasetError``."""
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        hint = "Get the file again, or pass skip_bad=True to leave these rows out."
        raise DatasetError(where, "finite numbers", f"{bad} NaN or infinite", hint)
    for what, part, largest in (("acc", values[:, 1:4], LARGEST_ACC_G), ("gyro", values[:, 5:8], LARGEST_GYRO_DPS)):
        most = float(np.abs(part).max())
        if most > largest:
            raise DatasetError(where, f"{what} within ±{largest:.0f}", f"{most:g}", NEEDED)
    level = float(np.median(np.linalg.norm(values[:, 1:4], axis=1)))
    if not 0.5 < level < 2.0:
        raise DatasetError(where, "a median acceleration of about 1 g", f"{level:.3g}", NEEDED)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise DatasetError(str(path), f"less than {LARGEST} bytes", f"{path.stat().st_size}", "Get it again.")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(str(path), "a readable file", f"{error}", "Check its rights, or copy it again.") from error


def table(data: bytes, file: str) -> Table:
    """What is read of the bytes of ``file``, or ``DatasetError`` that says what was seen and what is needed."""
    if b"MATLAB 7.3" in data[:128] or b"\x89HDF\r\n" in data[:1024]:
        hint = "Load it in MATLAB and save it again: save('MyoGym.mat', 'raw_data', 'raw_data_labels', '-v7')."
        raise DatasetError(file, "a MATLAB 5 file", "MATLAB 7.3 (HDF5)", hint)
    labels = _matrix(data, "raw_data_labels", file)  # first: on the way to it the large one is unpacked and dropped
    values = _matrix(data, "raw_data", file)
    if values.shape[1] < WIDTH or labels.shape[1] != 2 or len(values) != len(labels) or len(values) < 2:
        given = f"raw_data {values.shape}, raw_data_labels {labels.shape}"
        raise DatasetError(file, "as many rows, 17 and 2 columns", given, NEEDED)
    if values.dtype.kind != "f":
        raise DatasetError(file, "raw_data of numbers with fractions", f"whole numbers ({values.dtype.name})", NEEDED)
    for at, (what, known) in enumerate((("exercise", (*IDLE, *EXERCISES)), ("trainer", TRAINERS))):
        odd = np.unique(labels[:, at][~np.isin(labels[:, at], known)])
        if odd.size:
            given = ", ".join(f"{x:g}" for x in odd[:5].tolist()) + ", ..." * (odd.size > 5)
            raise DatasetError(file, f"the {what} in column {at} of raw_data_labels", f"{given} in it", NEEDED)
    whole = labels.astype(np.int64)
    return Table(values[:, USED].astype(np.float64, order="C"), whole[:, 0], whole[:, 1])


def _matrix(data: bytes, variable: str, file: str) -> NDArray[np.generic]:
    """A matrix of two axes in the type in which it is stored."""
    try:
        values = mat5.matrix(data, variable, file)[1]
    except DatasetError as error:
        raise DatasetError(file, error.expected, error.given, f"{error.hint} {NEEDED}") from error
    if values.ndim != 2:
        raise DatasetError(file, f"{variable} of two axes", f"{values.shape}", NEEDED)
    return values
