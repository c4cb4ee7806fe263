"""WISDM-51: 18 activities of three minutes by 51 subjects, with a watch on the dominant hand and a phone in the pocket.

Reads ``raw/phone/accel/data_1600_accel_phone.txt`` and so on from ``wisdm-dataset.zip`` or its folder: lines
``subject,activity,time in ns,x,y,z;`` in m/s^2 and rad/s. Any file may be absent. The features in ``arff_files`` are
not read.

**Clock.** Stamps count from the start of a device, so phone and watch have clocks of their own: each gives a recording
of its own. Both began together but for some tenths of a second, which is no synchrony; the two recordings of an
activity are twins. Accelerometer and gyroscope of a device share its clock. 0 s is the first sample of either.

**Rate.** 20 Hz (25 Hz in a device of the subjects 1607 and 1637). For seconds or minutes of some activities another
program made the sensors run at 50 or 100 Hz: of these spans, too, samples at 20 Hz are given, in lines between the
readings; nothing is low-passed, as nothing was in the rest.

**Swapped.** What the files of 1637 to 1640 call phone was on the wrist: it eats, types and writes as the watches of all
others do, and has a watch's rate. The reader swaps them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import Card, DatasetError, only_known, say, wanted_modalities
from kinjo.datasets.files import Files, index, open_files
from kinjo.datasets.timed_csv import ordered
from kinjo.recording import Contract, Recording, Segment, Stream
from kinjo.signal import regularize

Floats = NDArray[np.float64]

ACTIVITIES: dict[str, str] = {
    "A": "walking", "B": "jogging", "C": "walking on stairs", "D": "sitting", "E": "standing", "F": "typing",
    "G": "brushing teeth", "H": "eating soup", "I": "eating chips", "J": "eating pasta", "K": "drinking from a cup",
    "L": "eating a sandwich", "M": "kicking a soccer ball", "O": "playing catch with a tennis ball",
    "P": "dribbling a basketball", "Q": "writing", "R": "clapping", "S": "folding clothes",
}  # fmt: skip
"""Letter in the files -> label. There is no N."""
SUBJECTS = tuple(str(s) for s in range(1600, 1651))
DEVICES = {"watch": "wrist", "phone": "pocket"}
"""Device -> placement."""
SENSORS: dict[str, tuple[str, str, float]] = {"accel": ("acc", "m/s^2", 100.0), "gyro": ("gyro", "rad/s", 40.0)}
"""Sensor in the file names -> quantity, unit, and more than such sensors measure."""
SWAPPED = ("1637", "1638", "1639", "1640")
"""Subjects whose files call the watch phone, and the phone watch."""
IDS: tuple[str, ...] = tuple(f"{s}_{d}_{a}" for s in SUBJECTS for d in DEVICES for a in ACTIVITIES)
"""Ids of the recordings: subject, device, activity."""
RATE_HZ, FAST_HZ = 20.0, 25.0
FAST_STEPS_S = (0.035, 0.045)
"""A median step within these is that of ``FAST_HZ``."""
MOST_HZ, LEAST_HZ = 120.0, 5.0
"""Rates between which a device measures, in the mean of an activity without its pauses."""
MAX_GAP_S = 0.2
"""A longer pause between samples is missing; over a shorter one a straight line is drawn."""
LONGEST_S = 600.0
"""No activity is so long; they last three minutes."""
MEDIAN_ACC = (6.0, 15.0)
"""m/s^2: where the median of \\|acceleration\\| lies, about 9.8."""

CARD = Card(
    name="wisdm",
    title="WISDM-51",
    citation="G. M. Weiss, K. Yoneda, T. Hayajneh: Smartphone and Smartwatch-Based Biometrics Using Activities of "
    "Daily Living. IEEE Access 7, 2019.",
    licence="CC BY 4.0",
    url="https://archive.ics.uci.edu/dataset/507",
    how_to_get="Download the zip from https://archive.ics.uci.edu/dataset/507 and unpack wisdm-dataset.zip in it.",
    classes=tuple(ACTIVITIES.values()),
    subjects=SUBJECTS,
    placements=tuple(DEVICES.values()),
    modalities=("imu",),
    trainable=True,
    defects=(
        "The watch was on the dominant hand, the phone in a pocket; their sides are not told: placements 'wrist' and "
        "'pocket'.",
        "The files of the subjects 1637 to 1640 call the watch phone and the phone watch: the reader swaps them. It is "
        "found in the data, not told: that 'phone' eats, types and writes, and has the watches' rate.",
        "Phone and watch have clocks of their own, which began together only to some tenths of a second: their "
        "recordings of an activity are separate, and twins.",
        "The accelerometers end at 20 m/s^2, 2 g: jogging, clapping and dribbling are cut off.",
        "Gravity is 9.1 to 10.4 m/s^2 in the phones, 9.5 to 10 m/s^2 in the watches: not calibrated.",
        "In some activities a device samples at 50 or 100 Hz for a while: thinned to 20 Hz as if it had not.",
        "Subject 1649 kicks in 351 s with pauses of up to 57 s, for which the watch lay still.",
        "The letter C, stairs, is up and down in turn.",
        "A few subjects lack one or two activities. 57 of the 204 files were not at hand, 1629's and 29 of the phones' "
        "accelerometers among them: nothing is known of these.",
        "The files have no checksum: one that lost whole last lines looks complete, but for activities that it lacks.",
        "The activities are cut at their ends: what is labelled is all of a recording, standing around included.",
    ),
)
_AGAIN = "Get the file again from the official zip, or pass skip_bad=True to leave it out."
_NAME = re.compile(r"(phone|watch)/(accel|gyro)/data_(16[0-4]\d|1650)_(accel|gyro)_(phone|watch)\.txt")


@dataclass(frozen=True)
class Rows:
    """What a sensor measured in one activity: ``seconds`` (n,) of its device's clock, and ``values`` (n, 3)."""

    seconds: Floats
    values: Floats


def find(root: Path) -> Path | None:
    """The folder with ``raw``, or the zip of it, under ``root`` or ``root`` itself, else ``None``."""
    for folder in (root / "wisdm-dataset", root / "WISDM", root / "wisdm", root / "WISDM" / "wisdm-dataset", root):
        if any((folder / "raw" / d / s).is_dir() for d in DEVICES for s in SENSORS):
            return folder
        if (folder / "wisdm-dataset.zip").is_file():
            return folder / "wisdm-dataset.zip"
    return None


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per subject, device and activity, id ``1600_watch_A``, subject ``1600``, one segment over it all.

    Streams at 20 Hz (25 Hz for two devices): ``wrist.acc`` (n, 3) m/s^2 with gravity and ``wrist.gyro`` (n, 3) rad/s of
    a watch, ``pocket.acc`` and ``pocket.gyro`` of a phone, one of the two where a file is absent. Pauses are missing.
    Phone and watch in one activity have the same ``twin``.

    ``only``: ids to read. Files and activities that are absent are counted, and the seconds that are missing, with
    lines in ``report`` (a warning without one). Raises ``DatasetError`` naming the first file that is not as it should
    be. With ``skip_bad`` such a file is left out, with a line in ``report``.
    """
    path = find(root)
    if path is None:
        raise DatasetError(str(root), "WISDM-51 (wisdm-dataset)", "none", CARD.how_to_get)
    wanted_modalities(str(path), modalities, CARD.modalities)
    chosen = only_known(str(path), only, IDS)
    files = open_files(path)
    inside = tuple(name for name in files.names if "raw" in PurePosixPath(name).parts[:-1])
    found, faults = index(replace(files, names=inside), _known, ".txt")
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"left out: {fault}")
    expected = list(dict.fromkeys(f"{i[:-2]}_{sensor}" for i in chosen for sensor in SENSORS))
    gone = [name for name in expected if name not in found]
    if len(gone) == len(expected):
        raise DatasetError(str(path), "files of the subjects and devices that are wanted", "none", CARD.how_to_get)
    if gone:
        say(report, f"{files.path}: {len(gone)} of {len(expected)} files are not there, such as that of {gone[0]}")
    return _read_all(chosen, files, found, skip_bad, report)


def _known(name: str) -> str | None:
    """``1600_watch_accel`` of a raw file, by what it holds and not by what it calls it, or ``None``."""
    match = _NAME.fullmatch("/".join(PurePosixPath(name).parts[-3:]))
    if match is None or match[1] != match[5] or match[2] != match[4]:
        return None
    swapped = {"phone": "watch", "watch": "phone"}[match[1]] if match[3] in SWAPPED else match[1]
    return f"{match[3]}_{swapped}_{match[2]}"


def _read_all(
    ids: tuple[str, ...], files: Files, found: dict[str, str], skip_bad: bool, report: list[str] | None
) -> Iterator[Recording]:
    wanted: dict[str, list[str]] = {}
    for recording in ids:
        wanted.setdefault(recording[:-2], []).append(recording[-1])
    without: list[str] = []
    given_s = missing_s = 0.0
    for device, letters in wanted.items():
        tables: dict[str, dict[str, Rows]] = {}
        for sensor in (s for s in SENSORS if f"{device}_{s}" in found):
            name = found[f"{device}_{sensor}"]
            try:
                tables[sensor] = bouts(files.read(name), f"{files.path}/{name}", device[:4], sensor)
            except DatasetError as error:
                if not skip_bad:
                    raise
                say(report, f"{device}: {SENSORS[sensor][0]} left out: {error}")
        for letter in letters:
            parts = {sensor: table[letter] for sensor, table in tables.items() if letter in table}
            if not parts:
                without += [f"{device}_{letter}"] * bool(tables)
                continue
            try:
                recording = _recording(device, letter, parts, files.path)
            except DatasetError as error:
                if not skip_bad:
                    raise
                say(report, f"{device}_{letter}: skipped: {error}")
                continue
            for stream in recording.streams.values():
                given_s += stream.length / stream.contract.rate_hz
                missing_s += float(stream.mask().sum()) / stream.contract.rate_hz
            yield recording
    if without:
        say(report, f"no such activity in the files: {', '.join(without)}")
    if missing_s:
        say(report, f"{missing_s:.0f} s of {given_s:.0f} s, summed over streams, are pauses: missing")


def bouts(data: bytes, file: str, subject: str, sensor: str) -> dict[str, Rows]:
    """Letter of the activity -> its rows, from the bytes of ``file``, or ``DatasetError`` naming it."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    body = data.rstrip()
    if not body.endswith(b";"):
        given = "a file that is cut off" if body else "an empty file"
        raise DatasetError(file, "a last line that ends in ;", given, _AGAIN)
    names = ["subject", "letter", "time", "x", "y", "z", "end"]
    types = {"subject": pa.string(), "letter": pa.string(), "time": pa.int64(), "end": pa.string()}
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(body.replace(b";", b",") + b"\n"),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=arrow_csv.ParseOptions(quote_char=False),
            convert_options=arrow_csv.ConvertOptions(column_types={**dict.fromkeys("xyz", pa.float64()), **types}),
        )
        letters = np.asarray(table.column("letter").to_pylist(), np.str_)
        stamps = table.column("time").to_numpy()
        values = np.stack([table.column(axis).to_numpy() for axis in "xyz"], axis=1)
        named = set(table.column("subject").to_pylist())
        ends = set(table.column("end").to_pylist())
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise DatasetError(file, "lines subject,activity,ns,x,y,z;", f"{error}", _AGAIN) from error
    if named != {subject} or not ends <= {"", None}:
        given = f"the subjects {', '.join(sorted(map(str, named))[:3])}, {len(ends)} endings"
        raise DatasetError(file, f"lines of subject {subject} that end in ;", given, _AGAIN)
    if stamps.dtype.kind != "i":
        raise DatasetError(file, "a time stamp in every line", "lines without one", _AGAIN)
    _check(file, letters, values, sensor)
    edges = [0, *(np.flatnonzero(letters[1:] != letters[:-1]) + 1).tolist(), len(letters)]
    found: dict[str, Rows] = {}
    for start, stop in pairwise(edges):
        letter = str(letters[start])
        if letter in found:
            given = f"{letter} again in line {start + 1}"
            raise DatasetError(file, "each activity once, in one piece", given, _AGAIN)
        found[letter] = Rows(stamps[start:stop] / 1e9, values[start:stop])
    return found


def _check(file: str, letters: NDArray[np.str_], values: Floats, sensor: str) -> None:
    """Letters, finite numbers and units, or ``DatasetError``."""
    odd = np.flatnonzero(~np.isin(letters, list(ACTIVITIES)))
    if odd.size:
        given = f"'{letters[odd[0]]}' in line {odd[0] + 1}" + f", {odd.size} such lines" * (odd.size > 1)
        raise DatasetError(file, f"an activity among {', '.join(ACTIVITIES)}", given, _AGAIN)
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise DatasetError(file, "finite numbers", f"{bad} absent, NaN or infinite", _AGAIN)
    quantity, units, largest = SENSORS[sensor]
    most, level = float(np.abs(values).max()), float(np.median(np.linalg.norm(values, axis=1)))
    if most > largest or (quantity == "acc" and not MEDIAN_ACC[0] <= level <= MEDIAN_ACC[1]):
        expected = f"{quantity} in {units} within ±{largest:g}" + ", with gravity" * (quantity == "acc")
        raise DatasetError(file, expected, f"up to {most:.3g}, {level:.3g} in the median", "The unit differs.")


def _recording(device: str, letter: str, parts: dict[str, Rows], path: Path) -> Recording:
    subject, kind = device.split("_")
    streams: list[Stream] = []
    notes = [f"the file calls this device {'phone' if kind == 'watch' else 'watch'}"] * (subject in SWAPPED)
    for sensor, rows in parts.items():
        stream, told = _stream(DEVICES[kind], sensor, rows, f"{path}: {device}_{sensor}, activity {letter}")
        streams.append(stream)
        notes += [f"{stream.name}: {note}" for note in told]
    origin = min(s.start_s for s in streams)
    if max(s.start_s for s in streams) > min(s.end_s for s in streams):
        given = f"{max(s.start_s for s in streams) - origin:.6g} s between them"
        raise DatasetError(f"{path}: {device}", f"one clock of both sensors in {letter}", given, _AGAIN)
    shifted = {s.name: replace(s, start_s=s.start_s - origin) for s in streams}
    name = f"{device}_{letter}"
    whole = Recording(
        name, shifted, (), subject, f"{CARD.name}:{name}", twin=f"{subject}_{letter}", notes=tuple(notes)
    )  # fmt: skip
    return replace(whole, segments=(Segment(0.0, whole.duration_s, ACTIVITIES[letter]),))


def _stream(place: str, sensor: str, rows: Rows, where: str) -> tuple[Stream, list[str]]:
    """The stream of an activity at a uniform rate, by ``signal.regularize``, and notes."""
    seconds, values, notes = ordered(rows.seconds, rows.values, where, _AGAIN)
    steps = np.diff(seconds)
    running = float(steps[steps <= MAX_GAP_S].sum())
    measured = float((steps <= MAX_GAP_S).sum()) / running if running > 0 else 0.0
    if not LEAST_HZ <= measured <= MOST_HZ or seconds[-1] - seconds[0] > LONGEST_S:
        given = f"{len(seconds)} samples at {measured:.3g} Hz over {np.ptp(seconds):.3g} s"
        raise DatasetError(where, f"at most {LONGEST_S:g} s at {LEAST_HZ:g} to {MOST_HZ:g} Hz", given, _AGAIN)
    rate = FAST_HZ if FAST_STEPS_S[0] < float(np.median(steps)) < FAST_STEPS_S[1] else RATE_HZ
    if measured > 1.1 * rate:
        notes.append(f"sampled at {measured:.3g} Hz in the mean: given at {rate:g} Hz")
    even, start, missing = regularize(values, seconds, rate, max_gap_s=MAX_GAP_S)
    if missing.any():
        notes.append(f"{missing.sum() / rate:.1f} s missing, pauses of up to {steps.max():.3g} s")
    quantity, units, _ = SENSORS[sensor]
    contract = Contract("imu", quantity, units, rate, placement=place, gravity=True if quantity == "acc" else None)
    hidden = missing if missing.any() else None
    return Stream.of(f"{place}.{quantity}", contract, even, start_s=start, missing=hidden), notes
