"""MotionSense: 360 recordings of six daily activities by 24 subjects, with a phone in the front trouser pocket.

Reads ``A_DeviceMotion_data.zip`` as it is published, or the folder of that name, and ``data_subjects_info.csv``.

**Sign.** iOS reports acceleration with the sign of gravity: a phone that lies face up reads about -1 g on z, where
an Android phone and most sensors read +1 g. ``pocket.acc`` is turned to what kinjo's ``acc`` means everywhere, specific
force: ``-(gravity + userAcceleration)``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import Card, DatasetError, Split, only_known, read_each, say, wanted_modalities
from kinjo.datasets.files import absent, index, open_files
from kinjo.recording import Contract, Recording, Segment, Stream

RATE_HZ = 50.0
ACTIVITIES = {
    "dws": "downstairs", "ups": "upstairs", "wlk": "walking", "jog": "jogging", "sit": "sitting", "std": "standing",
}  # fmt: skip
"""Code in the folder names -> label."""
TRIALS = {"dws": (1, 2, 11), "ups": (3, 4, 12), "wlk": (7, 8, 15), "jog": (9, 16), "sit": (5, 13), "std": (6, 14)}
"""Activity -> its trials: 1 to 9 are long (2 to 3 minutes), 11 to 16 short (30 s to a minute)."""
IDS: tuple[str, ...] = tuple(
    f"{code}_{trial}_sub_{subject}" for code, trials in TRIALS.items() for trial in trials for subject in range(1, 25)
)
"""Ids of the 360 recordings: activity, trial, subject."""
COLUMNS = {
    "attitude": ("attitude.roll", "attitude.pitch", "attitude.yaw"),
    "gravity": ("gravity.x", "gravity.y", "gravity.z"),
    "rotation": ("rotationRate.x", "rotationRate.y", "rotationRate.z"),
    "user": ("userAcceleration.x", "userAcceleration.y", "userAcceleration.z"),
}
"""Column names in the files; the column before them has no name and counts samples from 0."""
LARGEST_USER_G, LARGEST_GYRO = 16.0, 40.0
"""More than any phone of that time measures: 16 g, 2000 deg/s = 34.9 rad/s."""
_TWINS = {"sit_13_sub_1": "sit_5_sub_1", "sit_5_sub_1": "sit_5_sub_1"}


def _long(recording: str) -> bool:
    return int(recording.split("_")[1]) < 10


CARD = Card(
    name="motionsense",
    title="MotionSense, device motion",
    citation="M. Malekzadeh, R. G. Clegg, A. Cavallaro, H. Haddadi: Mobile Sensor Data Anonymization. IoTDI 2019.",
    licence="MIT",
    url="https://github.com/mmalekzadeh/motion-sense",
    how_to_get="Download data/A_DeviceMotion_data.zip and data/data_subjects_info.csv into a folder MotionSense.",
    classes=tuple(ACTIVITIES.values()),
    subjects=tuple(f"sub_{s}" for s in range(1, 25)),
    placements=("pocket",),
    modalities=("imu",),
    trainable=True,
    splits={
        "trial": Split(
            "trial",
            {
                "train": tuple(i for i in IDS if _long(i) and i != "sit_5_sub_1"),
                "test": tuple(i for i in IDS if not _long(i)),
            },
            "The authors': long trials train, short trials test. Subjects are in both. sit_5_sub_1 is in neither: it "
            "is the same file as sit_13_sub_1.",
        )
    },
    defects=(
        "sit_5/sub_1 and sit_13/sub_1 are the same file; both recordings have the same twin.",
        "The side of the pocket is not documented: placement 'pocket'.",
        "Acceleration has iOS's sign in the files, opposite to Android and most sensors: the reader turns it.",
        "Attitude is relative to an arbitrary heading in every recording.",
        "Samples have no time stamps; 50 Hz is nominal, and the rotation rate agrees with it.",
    ),
)


@dataclass(frozen=True)
class Subject:
    """Who was measured: name as in recordings, weight in kg, height in cm, age in years, ``female`` or ``male``."""

    name: str
    weight_kg: float
    height_cm: float
    age: float
    gender: str


def find(root: Path) -> Path | None:
    """The folder under ``root`` (or ``root`` itself) with the official zip or its folder; ``None`` without one."""
    for folder in (root, root / "MotionSense", root / "motionsense", root / "motion-sense" / "data"):
        if (folder / "A_DeviceMotion_data.zip").is_file() or (folder / "A_DeviceMotion_data").is_dir():
            return folder
    return None


def subjects(root: Path) -> dict[str, Subject]:
    """name (``sub_1``) -> ``Subject``, from ``data_subjects_info.csv``. ``DatasetError`` where it is absent or bad."""
    path = (find(root) or root) / "data_subjects_info.csv"
    fields = ("code", "weight", "height", "age", "gender")
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig")), strict=True))
        table = [{name: float(row[name]) for name in fields} for row in rows]
    except OSError as error:
        raise DatasetError(str(path), "the table of subjects", f"{error}", CARD.how_to_get) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        given = f"{type(error).__name__}: {error}"
        raise DatasetError(str(path), f"numbers in the columns {fields}", given, CARD.how_to_get) from error
    if sorted(row["code"] for row in table) != list(range(1, 25)):
        raise DatasetError(str(path), "the subjects 1 to 24, each once", f"{len(table)} rows", CARD.how_to_get)
    return {
        f"sub_{row['code']:.0f}": Subject(
            f"sub_{row['code']:.0f}", row["weight"], row["height"], row["age"], "male" if row["gender"] else "female"
        )
        for row in table
    }


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per file, id ``wlk_7_sub_3``, subject ``sub_3``, one segment over all of it.

    Streams at 50 Hz, placement ``pocket``: ``pocket.acc`` (n, 3) g with gravity, ``pocket.gyro`` (n, 3) rad/s,
    ``pocket.attitude`` (n, 3) roll, pitch, yaw in rad. Columns are found by name, in any order.

    ``only``: ids to read. Raises ``DatasetError`` naming the first file that is absent or not as it should be: the
    sample counter has to be consecutive, gravity has to fit the attitude, and the rotation rate has to turn gravity.
    With ``skip_bad`` such a file is skipped, with a line in ``report`` (a warning without one).
    """
    folder = find(root)
    if folder is None:
        raise DatasetError(str(root), "MotionSense (A_DeviceMotion_data.zip)", "none", CARD.how_to_get)
    wanted_modalities(str(folder), modalities, CARD.modalities)
    expected = only_known(str(folder), only, IDS)
    path = folder / "A_DeviceMotion_data.zip"
    files = open_files(path if path.is_file() else folder / "A_DeviceMotion_data")
    found, faults = index(files, _known, ".csv")
    gone = absent(files, found, expected, lambda i: "{}_{}/{}_{}.csv".format(*i.split("_")))
    if gone:
        given = f"{len(gone)} of {len(expected)} files absent: {gone[0]}" + (", ..." if len(gone) > 1 else "")
        hint = "Get the archive again, or pass skip_bad=True, or only= the ids that you have."
        faults.append(DatasetError(str(files.path), "a file for every recording", given, hint))
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"skipped: {fault}")

    def read(recording: str) -> Recording:
        return _recording(recording, table(files.read(found[recording]), f"{files.path}/{found[recording]}"))

    return read_each([i for i in expected if i in found], read, skip_bad, report)


def _known(name: str) -> str | None:
    """Id of the recording that the file is, or ``None``."""
    match = re.fullmatch(r"([a-z]{3}_\d+)/(sub_\d+)\.csv", "/".join(PurePosixPath(name).parts[-2:]))
    recording = f"{match[1]}_{match[2]}" if match else ""
    return recording if recording in _KNOWN else None


_KNOWN = frozenset(IDS)


def _recording(recording: str, columns: dict[str, NDArray[np.float64]]) -> Recording:
    code, _, _, number = recording.split("_")
    streams = (
        Stream.of(
            "pocket.acc",
            Contract("imu", "acc", "g", RATE_HZ, placement="pocket", gravity=True),
            -(columns["gravity"] + columns["user"]),
        ),
        Stream.of("pocket.gyro", Contract("imu", "gyro", "rad/s", RATE_HZ, placement="pocket"), columns["rotation"]),
        Stream.of(
            "pocket.attitude",
            Contract("imu", "orientation", "rad", RATE_HZ, axes=("roll", "pitch", "yaw"), placement="pocket"),
            columns["attitude"],
        ),
    )
    segment = Segment(0.0, streams[0].length / RATE_HZ, ACTIVITIES[code])
    notes = ("the sign of acceleration is turned: iOS's is that of gravity",)
    if recording in _TWINS:
        notes += ("sit_5_sub_1 and sit_13_sub_1 are the same file",)
    return Recording(
        recording, {s.name: s for s in streams}, (segment,), f"sub_{number}", f"{CARD.name}:{recording}",
        _TWINS.get(recording, ""), notes,
    )  # fmt: skip


def table(data: bytes, file: str) -> dict[str, NDArray[np.float64]]:
    """attitude, gravity, rotation, user -> (n, 3) float64, from the bytes of ``file``, or ``DatasetError``."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    again = "Get the file again from the official archive."
    if not data.endswith(b"\n"):
        raise DatasetError(file, "a last line that ends", "a file that is cut off" if data else "an empty file", again)
    names = data[: data.index(b"\n")].decode("utf-8-sig", "replace").strip("\r").replace('"', "").split(",")
    wanted = ["", *(name for group in COLUMNS.values() for name in group)]
    wrong = [name or "(sample counter)" for name in wanted if names.count(name) != 1]
    if wrong:
        raise DatasetError(file, "every official column once, by name", f"not so: {', '.join(wrong)}", again)
    try:
        read = arrow_csv.read_csv(
            pa.py_buffer(data),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(wanted, pa.float64())),
        )
        columns = {name: read.column(name).to_numpy() for name in wanted}
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise DatasetError(file, "a table of numbers", f"{error}", again) from error
    counter = columns.pop("")
    if len(counter) < 2:
        raise DatasetError(file, "samples", f"{len(counter)} of them", again)
    groups = {group: np.stack([columns[name] for name in of], axis=1) for group, of in COLUMNS.items()}
    _check(file, counter, groups)
    return groups


def _check(file: str, counter: NDArray[np.float64], groups: dict[str, NDArray[np.float64]]) -> None:
    """Hold the columns against each other: they are redundant, and a swap shows as a ``DatasetError``."""
    again = "Get the file again from the official archive."
    for name, values in groups.items():
        bad = values.size - int(np.isfinite(values).sum())
        if bad:
            raise DatasetError(file, "finite numbers", f"{bad} absent, NaN or infinite in {COLUMNS[name]}", again)
    jumps = np.flatnonzero(counter != np.arange(len(counter)))
    if jumps.size:
        given = f"{counter[jumps[0]]:g} in data row {jumps[0]}"
        raise DatasetError(file, "a sample counter 0, 1, 2, ... in the first column", given, again)
    roll, pitch, _ = groups["attitude"].T
    down = np.stack([np.cos(pitch) * np.sin(roll), -np.sin(pitch), -np.cos(pitch) * np.cos(roll)], axis=1)
    gap = float(np.abs(down - groups["gravity"]).max())
    if gap > 0.02:  # 0.008 at most in the official files
        raise DatasetError(file, "gravity that fits the attitude", f"a difference of {gap:.3g} g", "Check the columns.")
    for name, largest, unit in (("user", LARGEST_USER_G, "g"), ("rotation", LARGEST_GYRO, "rad/s")):
        given = float(np.abs(groups[name]).max())
        if given > largest:
            raise DatasetError(file, f"{COLUMNS[name][0]} ... within ±{largest:g} {unit}", f"{given:g}", again)
    _check_rotation(file, groups["gravity"], groups["rotation"])


def _check_rotation(file: str, gravity: NDArray[np.float64], rotation: NDArray[np.float64]) -> None:
    """Gravity in the phone's axes turns as the rotation rate says, if units, axes and the 50 Hz are right."""
    if len(gravity) < 50:
        return
    turned = (gravity[2:] - gravity[:-2]) * (RATE_HZ / 2)
    told = np.cross(gravity[1:-1], rotation[1:-1])
    size = float(np.sqrt((turned**2).mean()))
    if size < 0.3:  # a phone at rest: only noise to compare
        return
    rest = float(np.sqrt(((turned - told) ** 2).mean())) / size  # 0.06 to 0.43 in the official files
    scale = float((turned * told).sum() / max((told**2).sum(), 1e-12))  # 0.77 to 0.99
    if rest > 0.6 or not 0.65 < scale < 1.3:
        given = f"gravity turns {scale:.2g} times as fast, with a rest of {rest:.0%}"
        raise DatasetError(file, "a rotation rate in rad/s at 50 Hz that turns gravity", given, "Check the columns.")
