"""BasicMotions: 80 recordings of a smartwatch, 10 s at 10 Hz, four activities. It comes with the aeon package.

Neither units nor the handling of gravity are documented. Measured on the data: a standing wrist has a mean
acceleration of 0.03 to 0.32 and samples up to 29.4, so that gravity was removed and the unit is m/s² (3 g = 29.4);
the gyroscope's largest sample is 34.87, which is the 2000 deg/s range of watches in rad/s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import Card, DatasetError, Split, only_known, say, wanted_modalities
from kinjo.recording import Contract, Recording, Segment, Stream

RATE_HZ = 10.0
CLASSES = ("standing", "walking", "running", "badminton")
SHAPE = (40, 6, 100)
"""Recordings, channels, samples of each part."""
LARGEST_ACC, LARGEST_GYRO = 40.0, 35.0
IDS: dict[str, tuple[str, ...]] = {part: tuple(f"{part}_{i:02d}" for i in range(40)) for part in ("train", "test")}
"""Part of the official split -> ids, numbered in the order of its file."""

CARD = Card(
    name="basic_motions",
    title="BasicMotions (UEA archive)",
    citation="A. Bagnall et al.: The UEA multivariate time series classification archive, 2018. arXiv:1811.00075; "
    "data of a student project, University of East Anglia, 2016.",
    licence="no licence text of the data; shipped inside aeon (BSD-3-Clause)",
    url="https://www.timeseriesclassification.com/description.php?Dataset=BasicMotions",
    how_to_get="pip install aeon==1.6.0 (the data is inside), or put BasicMotions_TRAIN.ts and BasicMotions_TEST.ts "
    "into a folder BasicMotions.",
    classes=CLASSES,
    subjects=("unknown",),
    placements=("wrist",),
    modalities=("imu",),
    trainable=False,
    splits={
        "official": Split(
            "recording",
            IDS,
            "The archive's: 40 + 40, 10 per class. Which of the four students made which recording is unknown, so "
            "that the same students are in both parts.",
        )
    },
    defects=(
        "Subjects are unknown: no split by subject is possible.",
        "Units and gravity are not documented; by their values m/s² without gravity, and rad/s.",
        "The side of the wrist is not documented: placement 'wrist'.",
        "11 % of the samples repeat the one before in all six channels: the watch was read faster than it measured.",
        "10 Hz with no sign of an anti-aliasing filter.",
    ),
)


def find(root: Path) -> Path | None:
    """The folder with the two .ts files: under ``root`` if they are there, else inside aeon; ``None`` without both."""
    for folder in (root, root / "BasicMotions"):
        if any((folder / f"BasicMotions_{part.upper()}.ts").is_file() for part in IDS):
            return folder
    spec = find_spec("aeon")  # does not import it
    if spec is None or spec.origin is None:
        return None
    bundled = Path(spec.origin).parent / "datasets" / "data" / "BasicMotions"
    return bundled if bundled.is_dir() else None


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per series, id ``train_00`` or ``test_00``, subject unknown, one segment over its 10 s.

    Streams at 10 Hz, placement ``wrist``: ``wrist.acc`` (100, 3) m/s² without gravity, ``wrist.gyro`` (100, 3) rad/s.
    ``only``: ids to read. Raises ``DatasetError`` naming the file that is absent or not as it should be; with
    ``skip_bad`` a bad file, or a series with bad values, is skipped with a line in ``report``.
    """
    folder = find(root)
    if folder is None:
        raise DatasetError(str(root), "BasicMotions", "none", CARD.how_to_get)
    wanted_modalities(str(folder), modalities, CARD.modalities)
    expected = only_known(str(folder), only, IDS["train"] + IDS["test"])
    return _read_all(folder, expected, skip_bad, report)


def _read_all(folder: Path, expected: tuple[str, ...], skip_bad: bool, report: list[str] | None) -> Iterator[Recording]:
    for part, ids in IDS.items():
        wanted = [i for i in ids if i in expected]
        path = folder / f"BasicMotions_{part.upper()}.ts"
        try:
            series, labels = _load(path) if wanted else (np.zeros(0), [])
        except DatasetError as error:
            if not skip_bad:
                raise
            say(report, f"{len(wanted)} recordings skipped: {error}")
            continue
        for recording in wanted:
            row = ids.index(recording)
            try:
                yield _recording(recording, series[row], labels[row], f"{path}: series {row}")
            except DatasetError as error:
                if not skip_bad:
                    raise
                say(report, f"{recording}: skipped: {error}")


def _load(path: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Series (40, 6, 100) and labels of one part."""
    try:
        from aeon.datasets import load_from_ts_file
    except ImportError as error:
        raise DatasetError(str(path), "the package aeon to read it", f"{error}", CARD.how_to_get) from error
    hint = "Get the official file again, or remove it: aeon brings its own."
    try:
        series, labels = load_from_ts_file(str(path))[:2]
        series = np.asarray(series, np.float64)
        given = [str(label).lower() for label in labels]
    except Exception as error:  # a bad file makes aeon raise whatever the line at fault leads to
        raise DatasetError(
            str(path), "a series file that aeon reads", f"{type(error).__name__}: {error}", hint
        ) from error
    if series.shape != SHAPE or len(given) != SHAPE[0]:
        raise DatasetError(str(path), f"{SHAPE} numbers", f"{series.shape} and {len(given)} labels", hint)
    counts = {label: given.count(label) for label in sorted(set(given))}
    if counts != dict.fromkeys(sorted(CLASSES), 10):
        raise DatasetError(str(path), f"10 series of each of {', '.join(CLASSES)}", f"{counts}", hint)
    return series, given


def _recording(recording: str, series: NDArray[np.float64], label: str, where: str) -> Recording:
    hint = "Get the official file again."
    if not np.isfinite(series).all():
        raise DatasetError(where, "finite numbers", f"{int((~np.isfinite(series)).sum())} NaN or infinite", hint)
    acc, gyro = np.ascontiguousarray(series[:3].T), np.ascontiguousarray(series[3:].T)
    for what, values, largest in (("acc", acc, LARGEST_ACC), ("gyro", gyro, LARGEST_GYRO)):
        if np.abs(values).max() > largest:
            raise DatasetError(where, f"{what} within ±{largest:g}", f"{np.abs(values).max():g}", hint)
    streams = (
        Stream.of("wrist.acc", Contract("imu", "acc", "m/s^2", RATE_HZ, placement="wrist", gravity=False), acc),
        Stream.of("wrist.gyro", Contract("imu", "gyro", "rad/s", RATE_HZ, placement="wrist"), gyro),
    )
    segment = Segment(0.0, acc.shape[0] / RATE_HZ, label)
    source = f"{CARD.name}:{recording}"
    return Recording(recording, {s.name: s for s in streams}, (segment,), "unknown", source)
