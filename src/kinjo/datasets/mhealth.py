"""MHEALTH: 12 activities by 10 subjects, with sensors on the chest, the left ankle and the right forearm.

Reads ``mHealth_subject1.log`` ... ``mHealth_subject10.log`` in the zip as it is published (``mhealth+dataset.zip``,
``MHEALTHDATASET.zip``) or in a folder ``MHEALTHDATASET``. A file has no header and 24 columns with tabs between them.

The data was not at hand here: what is read is what its readme says of the files, tested on small files of that form.
**Not read**: the two leads of the ECG, as kinjo knows no such quantity, and the magnetometers, as their unit is said to
be "local" and kinjo's are absolute. Label 0, between activities, gives no segment: windows there are NULL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import Card, DatasetError, only_known, read_each, say, wanted_modalities
from kinjo.datasets.files import absent, index, open_files
from kinjo.recording import Contract, Recording, Stream, labelled_runs

RATE_HZ = 50.0
ACTIVITIES: dict[int, str] = {
    1: "standing still", 2: "sitting and relaxing", 3: "lying down", 4: "walking", 5: "climbing stairs",
    6: "waist bends forward", 7: "frontal elevation of arms", 8: "knees bending", 9: "cycling", 10: "jogging",
    11: "running", 12: "jump front and back",
}  # fmt: skip
"""Number in the last column -> label; 0 is none of them. The readme calls 8 "knees bending (crouching)"."""
IDS: tuple[str, ...] = tuple(f"subject{s}" for s in range(1, 11))
"""Ids of the 10 recordings, one a subject."""
WIDTH = 24
"""Columns of a file; the last one is the label."""
COLUMNS: dict[str, tuple[str, str, int]] = {
    "chest.acc": ("chest", "acc", 0),
    "left_ankle.acc": ("left_ankle", "acc", 5),
    "left_ankle.gyro": ("left_ankle", "gyro", 8),
    "right_forearm.acc": ("right_forearm", "acc", 14),
    "right_forearm.gyro": ("right_forearm", "gyro", 17),
}
"""Stream -> placement, quantity and the first of its three columns, counted from 0."""
LARGEST_ACC, LARGEST_GYRO_DPS = 20 * 9.80665, 2001.0
"""More than such sensors measure: 20 g, 2000 deg/s."""
MEDIAN_ACC = (6.0, 15.0)
"""m/s^2: where the median of \\|acceleration\\| over minutes of daily life lies, about 9.8."""
ARCHIVES = ("MHEALTHDATASET.zip", "mhealth+dataset.zip", "mhealth_dataset.zip", "MHEALTHDATASET")

CARD = Card(
    name="mhealth",
    title="MHEALTH",
    citation="O. Banos, R. Garcia, J. A. Holgado-Terriza, M. Damas, H. Pomares, I. Rojas, A. Saez, C. Villalonga: "
    "mHealthDroid: A Novel Framework for Agile Development of Mobile Health Applications. IWAAL 2014.",
    licence="CC BY 4.0",
    url="https://archive.ics.uci.edu/dataset/319/mhealth+dataset",
    how_to_get="Download the zip from https://archive.ics.uci.edu/dataset/319/mhealth+dataset into a folder MHEALTH.",
    classes=tuple(ACTIVITIES.values()),
    subjects=IDS,
    placements=("chest", "left_ankle", "right_forearm"),
    modalities=("imu",),
    trainable=False,  # the licence would allow it: the set is kept for blind tests
    defects=(
        "This reader was tested on files that a test makes, not on the real ones.",
        "There is no official split; usual are leave one subject out and folds by subject.",
        "The gyroscopes are said to be in deg/s, which is doubtful: the few numbers that others print lie within about "
        "±2, too small for a limb that moves. They are given as deg/s, unchanged; small numbers are no error.",
        "The magnetometers are in a 'local' unit and not read; nor is the ECG.",
        "The readme says 'right wrist' in its text and 'right-lower-arm' in its columns: placement 'right_forearm'.",
        "Samples have no time stamps: 50 Hz is nominal.",
        "The log files have no checksum: a file that lost whole last lines looks complete.",
    ),
)


def find(root: Path) -> Path | None:
    """The folder under ``root`` (or ``root`` itself) with the zip, its folder or the log files, else ``None``."""
    for folder in (root, root / "MHEALTH", root / "mhealth"):
        if any((folder / name).exists() for name in ARCHIVES) or any(folder.glob("mHealth_subject*.log")):
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
    """One recording per subject, id and subject ``subject1``; a segment for each run of one label but 0.

    Streams at 50 Hz: ``chest.acc``, ``left_ankle.acc``, ``right_forearm.acc`` (n, 3) m/s^2 with gravity,
    ``left_ankle.gyro``, ``right_forearm.gyro`` (n, 3) deg/s as the readme says (doubtful, see ``CARD.defects``).

    ``only``: ids to read. Raises ``DatasetError`` naming the first file that is absent or not as it should be. With
    ``skip_bad`` such a file is skipped, with a line in ``report`` (a warning without one).
    """
    folder = find(root)
    if folder is None:
        raise DatasetError(str(root), "MHEALTH (MHEALTHDATASET.zip)", "none", CARD.how_to_get)
    wanted_modalities(str(folder), modalities, CARD.modalities)
    expected = only_known(str(folder), only, IDS)
    files = open_files(next((folder / name for name in ARCHIVES if (folder / name).exists()), folder))
    found, faults = index(files, _known, ".log")
    gone = absent(files, found, expected, lambda i: f"mHealth_{i}.log")
    if gone:
        given = f"{len(gone)} of {len(expected)} files absent: {gone[0]}" + (", ..." if len(gone) > 1 else "")
        hint = "Get the zip again, or pass skip_bad=True, or only= the ids that you have."
        faults.append(DatasetError(str(files.path), "a file for every subject", given, hint))
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"skipped: {fault}")

    def read(recording: str) -> Recording:
        return _recording(recording, table(files.read(found[recording]), f"{files.path}/{found[recording]}"))

    return read_each([i for i in expected if i in found], read, skip_bad, report)


def _known(name: str) -> str | None:
    """Id of the recording that the file is, or ``None``."""
    match = re.fullmatch(r"mHealth_(subject([1-9]|10))\.log", PurePosixPath(name).name)
    return match[1] if match else None


def _recording(recording: str, values: NDArray[np.float64]) -> Recording:
    streams: dict[str, Stream] = {}
    for name, (placement, quantity, at) in COLUMNS.items():
        gravity, units = (True, "m/s^2") if quantity == "acc" else (None, "deg/s")
        contract = Contract("imu", quantity, units, RATE_HZ, placement=placement, gravity=gravity)
        streams[name] = Stream.of(name, contract, np.ascontiguousarray(values[:, at : at + 3]))
    segments = labelled_runs(values[:, -1], RATE_HZ, ACTIVITIES)
    notes = ("the unit of the gyroscopes, deg/s, is doubtful",)
    return Recording(recording, streams, segments, recording, f"{CARD.name}:{recording}", "", notes)


def table(data: bytes, file: str) -> NDArray[np.float64]:
    """The numbers (n, 24) of a log file, from the bytes of ``file``, or ``DatasetError``."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    again = "Get the file again from the official zip."
    if not data.strip():
        raise DatasetError(file, "samples", "an empty file", again)
    cells = data.partition(b"\n")[0].count(b"\t") + 1
    if cells != WIDTH:
        given = f"{cells} in the first line"
        raise DatasetError(file, f"{WIDTH} columns with tabs between them, and no header", given, again)
    names = [str(i) for i in range(WIDTH)]
    try:
        read = arrow_csv.read_csv(
            pa.py_buffer(data),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
        values = np.stack([read.column(name).to_numpy() for name in names], axis=1)
    except (pa.ArrowException, ValueError, KeyError) as error:
        hint = f"{again} A last line of fewer columns is a file that is cut off."
        raise DatasetError(file, f"a table of {WIDTH} columns of numbers", f"{error}", hint) from error
    _check(file, values)
    if not data.endswith((b"\n", b"\r")) and not np.array_equal(values[-2:-1, -1], values[-1:, -1]):
        # of a label 12 that is cut off, 1 is left: only the line before tells
        raise DatasetError(file, "a last line that ends", "a file that is cut off", again)
    return values


def _check(file: str, values: NDArray[np.float64]) -> None:
    """Labels, finite numbers and units of what is read, or ``DatasetError``."""
    again = "Get the file again from the official zip."
    labels = values[:, -1]
    odd = np.flatnonzero(~np.isin(labels, (0, *ACTIVITIES)))
    if odd.size:
        given = f"{labels[odd[0]]:g} in line {odd[0] + 1}" + f", {odd.size} such lines" * (odd.size > 1)
        raise DatasetError(file, f"labels 0 to {max(ACTIVITIES)} in column {WIDTH}", given, again)
    for name, (_, quantity, at) in COLUMNS.items():
        part = values[:, at : at + 3]
        bad = part.size - int(np.isfinite(part).sum())
        if bad:
            hint = f"{again} Or pass skip_bad=True to leave it out."
            raise DatasetError(file, f"finite numbers in {name}", f"{bad} absent, NaN or infinite", hint)
        largest, unit = (LARGEST_ACC, "m/s^2") if quantity == "acc" else (LARGEST_GYRO_DPS, "deg/s")
        most = float(np.abs(part).max())
        hint = f"Columns or units were changed: {name} must be columns {at + 1} to {at + 3}, in {unit}."
        if most > largest:
            raise DatasetError(file, f"{name} within ±{largest:.0f} {unit}", f"{most:g}", hint)
        if quantity == "acc":
            level = float(np.median(np.linalg.norm(part, axis=1)))
            if not MEDIAN_ACC[0] < level < MEDIAN_ACC[1]:
                hint += " Multiply numbers in g by 9.80665." * (0.5 < level < 2.0)
                raise DatasetError(file, f"{name} with a median of about 9.8 m/s^2", f"{level:.3g}", hint)
