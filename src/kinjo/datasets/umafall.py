"""UMAFall: 746 trials of 15 s by 19 subjects: 12 daily activities and 3 falls, a phone in the pocket and four tags.

Reads ``UMAFall_Subject_01_ADL_Walking_1_2017-04-14_23-25-52.csv`` and so on, as published in ``UMAFall_Dataset.zip`` or
in its folder. Above the rows of a file stand the subject's facts and a table of the sensors.

**Clock.** All rows are stamped by the phone, in ms, when they arrive. Its own accelerometer is sampled evenly at 200 Hz
and handed over in batches, so its samples lie on a straight line through the stamps. The tags (SensorTag, 20 Hz) send
over the air: late by some 20 ms, now and then lost, and then the last reading is repeated. A reading that repeats all
three numbers of the one before is left out; the others lie where they arrived, brought to 20 Hz. 0 s is the first
sample of the trial.

**Scale.** In some trials a tag's accelerometer reads a quarter of what it should until it is told its range, some
seconds after the start (CHEST and ANKLE above all; gravity is 0.25 g there). Those seconds are missing in its stream.

**Axes.** The tags' accelerometers are turned by half a turn about y against their gyroscopes: gravity turns as the
gyroscope says only with x and z reversed, for all places. The reader reverses them.

**Sides.** Neither the wrist's nor the ankle's is told. The wrist is ``wrist``. Each step gives a jolt, a stronger one
on its own side: in walking, jogging and on stairs the ankle's jolts come with the stronger ones of the phone, in the
right pocket, for most subjects, and half a stride apart for those of ``LEFT_ANKLES``: theirs is taken for the left one.

**Not read**: the magnetometers. They are not calibrated: 90 to 200 uT in the median, where the Earth has about 45.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import Card, DatasetError, only_known, say, wanted_modalities
from kinjo.datasets.files import Files, index, open_files
from kinjo.datasets.motionsense import Subject
from kinjo.recording import Contract, Recording, Segment, Stream
from kinjo.signal import regularize

Floats = NDArray[np.float64]

ACTIVITIES: dict[str, str] = {
    "Walking": "walking", "Jogging": "jogging", "Bending": "bending down", "Hopping": "hopping",
    "GoUpstairs": "walking upstairs", "GoDownstairs": "walking downstairs",
    "LyingDown_OnABed": "lying down on a bed and getting up",
    "Sitting_GettingUpOnAChair": "sitting down on a chair and getting up", "Aplausing": "applauding",
    "HandsUp": "raising both hands", "MakingACall": "making a phone call", "OpeningDoor": "opening a door",
    "forwardFall": "falling forwards", "backwardFall": "falling backwards", "lateralFall": "falling sideways",
}  # fmt: skip
"""Name in the files -> label."""
TRIALS = 746
"""Files of the published set."""
PLACES: dict[str, str] = {
    "RIGHTPOCKET": "right_pocket", "CHEST": "chest", "WAIST": "waist", "WRIST": "wrist", "ANKLE": "right_ankle",
}  # fmt: skip
"""Position in the files -> placement; the ankle is the left one for ``LEFT_ANKLES``."""
LEFT_ANKLES = ("Subject_02", "Subject_03", "Subject_06", "Subject_14", "Subject_18")
"""Subjects whose ankle moves with the leg that has no phone; found in the data, not told."""
PHONE_HZ, TAG_HZ = 200.0, 20.0
TAG_AXES = np.array([-1.0, 1.0, -1.0])
"""What turns the axes of a tag's accelerometer into those of its gyroscope."""
PHONE_RATES_HZ = (190.0, 215.0)
"""What the phones' rate may come to by the stamps: 198 to 204 were measured."""
EARLY_S = 0.5
"""Samples of the phone from longer before the start than this were left in its buffer: they are left out."""
MAX_GAP_S = 0.2
"""A longer pause between readings of a tag is missing; over a shorter one a straight line is drawn."""
LONGEST_S = 60.0
"""No trial is so long; they last 15 s."""
LARGEST_G, LARGEST_DPS = 17.0, 300.0
"""More than the sensors measure: 16 g, 250 deg/s."""
LOW_G = 0.5
"""Gravity of less than this, while the subject waits for the start: a quarter of the scale."""
START = 10
"""Readings of a tag at the start, half a second, that tell its scale."""

CARD = Card(
    name="umafall",
    title="UMAFall",
    citation="E. Casilari, J. A. Santoyo-Ramon, J. M. Cano-Garcia: UMAFall: A Multisensor Dataset for the Research on "
    "Automatic Fall Detection. Procedia Computer Science 110, 2017.",
    licence="CC BY 4.0",
    url="https://doi.org/10.6084/m9.figshare.4214283",
    how_to_get="Download UMAFall_Dataset.zip from https://doi.org/10.6084/m9.figshare.4214283 and unpack it, or not.",
    classes=tuple(ACTIVITIES.values()),
    subjects=tuple(f"Subject_{s:02}" for s in range(1, 20)),
    placements=(*PLACES.values(), "left_ankle"),
    modalities=("imu",),
    trainable=True,
    defects=(
        "The side of the wrist is not told: placement 'wrist'. Nor is that of the ankle: left for five subjects and "
        "right for the others by the rhythm of their steps, which is not clear for Subject_15.",
        "The one segment of a trial is all of its 15 s: a fall takes about two of them, between standing and lying.",
        "Files of Subject_13 went through a spreadsheet that took decimal points out of numbers of 1 and more (20 "
        "trials): left out, and told.",
        "In 180 of 2,691 streams a tag's accelerometer reads a quarter of the true value in the first seconds, in some "
        "throughout: missing, or, where that is more than half, left out.",
        "The x and z axes of the tags' accelerometers are reversed against those of their gyroscopes: the reader turns "
        "the accelerometers. That they then show specific force, as the chip does, is assumed.",
        "The tags' accelerometers end at 8 g, in some trials at 2 g, the gyroscopes at 256 deg/s, the phones' "
        "accelerometers at 2, 4 or 16 g: fast movements and falls are cut off.",
        "Tags are stamped when they arrive, late by 20 ms in the mean of their scatter, and up to a third of their "
        "readings repeat the one before.",
        "The waist is absent in 109 trials of 746, the ankle in 103, the chest in one.",
        "Gravity is 0.95 to 1.05 g in the phones, 0.87 to 1.14 g in the tags: not calibrated.",
        "Age, height and weight differ by a little from day to day for some subjects: the most frequent are given.",
        "The subjects are not equally represented: 189 trials are of Subject_18.",
        "The files have no checksum: one that lost whole last lines looks complete, but for the sensors that it lacks.",
    ),
)
_AGAIN = "Get the file again from the official zip, or pass skip_bad=True to leave the trial out."
_NAME = re.compile(
    rf"UMAFall_(Subject_(?:0[1-9]|1\d)_(?:ADL|Fall)_({'|'.join(ACTIVITIES)})_\d+_\d{{4}}-\d\d-\d\d_\d\d-\d\d-\d\d)\.csv"
)
_FACTS = r"Age|Height\(cm\)|Weight\(Kg\)|Gender|Name|Description of the movement"
_FACT = re.compile(rf"^% *({_FACTS}): *([^;\r\n]*?)[ ;\r]*$", re.MULTILINE)
_SENSOR = re.compile(r"^% ?(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}; *(\d+); *(\w+);", re.MULTILINE)
_REWRITTEN = re.compile(rb"\d\.\d{3}\.\d")
"""A number with two points: thousands as a spreadsheet writes them."""


class _RewrittenError(DatasetError):
    """A file that a spreadsheet spoilt. The published set has 20 such files: they are told, never an error."""


@dataclass(frozen=True)
class Trial:
    """A file: the subject's ``facts`` by their names in it, position -> its sensor's number, and the rows (n, 7).

    A row: ms, number of the sample, x, y, z, quantity (0 acceleration in g, 1 turning rate in deg/s, 2 magnetic
    field), sensor.
    """

    facts: dict[str, str]
    sensors: dict[str, int]
    rows: Floats


def find(root: Path) -> Path | None:
    """The folder or zip of the trials under ``root``, or ``root`` itself, else ``None``."""
    for path in (root / "UMAFall_Dataset", root / "UMAFall", root / "umafall", root):
        if path.is_dir() and any(path.glob("UMAFall_Subject_*.csv")):
            return path
        if (path / "UMAFall_Dataset.zip").is_file():
            return path / "UMAFall_Dataset.zip"
    return None


def subjects(root: Path) -> dict[str, Subject]:
    """name (``Subject_01``) -> ``Subject``, from the heads of the files; the most frequent fact where they differ."""
    files, found, _ = _open(root)
    told: dict[str, dict[str, Counter[str]]] = {}
    for recording, name in found.items():
        where = f"{files.path}/{name}"
        for fact, value in _head(files.read(name)[:4096].decode("utf-8", "replace"), where)[0].items():
            told.setdefault(recording[:10], {}).setdefault(fact, Counter())[value] += 1
    people = {}
    for name, facts in sorted(told.items()):
        often = {fact: values.most_common(1)[0][0] for fact, values in facts.items()}
        try:
            weight, height, age = (float(often[fact]) for fact in ("Weight(Kg)", "Height(cm)", "Age"))
        except (KeyError, ValueError) as error:
            raise DatasetError(name, "age, height and weight in numbers", f"{often}", _AGAIN) from error
        people[name] = Subject(name, weight, height, age, "male" if often.get("Gender") == "M" else "female")
    return people


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per trial, id ``Subject_01_ADL_Walking_1_2017-04-14_23-25-52``, one segment over all of it.

    Streams, as far as the trial has them: ``right_pocket.acc`` (n, 3) g with gravity at 200 Hz; ``chest.acc`` (n, 3) g
    with gravity and ``chest.gyro`` (n, 3) deg/s at 20 Hz, and the same of ``waist``, ``wrist`` and ``right_ankle`` or
    ``left_ankle``.

    ``only``: ids to read. Files that a spreadsheet spoilt are left out, and files that are not there are counted, both
    with a line in ``report`` (a warning without one). Raises ``DatasetError`` naming the first file that is not as it
    should be; with ``skip_bad`` such a file is skipped, with a line in ``report``.
    """
    files, found, faults = _open(root)
    wanted_modalities(str(files.path), modalities, CARD.modalities)
    chosen = only_known(str(files.path), only, tuple(found))
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"skipped: {fault}")
    if only is None and len(found) < TRIALS:
        say(report, f"{files.path}: {len(found)} of {TRIALS} trials are there")
    return _read_all(chosen, files, found, skip_bad, report)


def _open(root: Path) -> tuple[Files, dict[str, str], list[DatasetError]]:
    path = find(root)
    if path is None:
        raise DatasetError(str(root), "UMAFall (UMAFall_Dataset)", "none", CARD.how_to_get)
    files = open_files(path)
    if path == root:  # other data sets may lie beside
        files = replace(files, names=tuple(n for n in files.names if n.startswith("UMAFall_")))
    return (files, *index(files, _known, ".csv"))


def _known(name: str) -> str | None:
    """Id of the recording that the file is, or ``None``."""
    match = _NAME.fullmatch(PurePosixPath(name).name)
    return match[1] if match else None


def _read_all(
    ids: tuple[str, ...], files: Files, found: dict[str, str], skip_bad: bool, report: list[str] | None
) -> Iterator[Recording]:
    spoilt = []
    for recording in ids:
        where = f"{files.path}/{found[recording]}"
        try:
            yield _recording(recording, trial(files.read(found[recording]), where), where)
        except _RewrittenError:
            spoilt.append(recording)
        except DatasetError as error:
            if not skip_bad:
                raise
            say(report, f"{recording}: skipped: {error}")
    if spoilt:
        why = "a spreadsheet took the decimal points out of their numbers"
        say(report, f"left out: {len(spoilt)} trials such as {spoilt[0]}: {why}")


def trial(data: bytes, file: str) -> Trial:
    """What stands in a file, or ``DatasetError`` naming ``file``."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if not data.endswith(b"\n"):
        raise DatasetError(file, "a last line that ends", "a file that is cut off" if data else "an empty file", _AGAIN)
    if _REWRITTEN.search(data):
        raise _RewrittenError(file, "numbers with one decimal point", "thousands apart, decimal points gone", _AGAIN)
    start = data.rfind(b"\n%") + 1
    start = data.find(b"\n", start) + 1
    facts, sensors = _head(data[:start].decode("utf-8", "replace"), file)
    names = [str(i) for i in range(7)]
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(data[start:]),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter=";", quote_char=False),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
        rows = np.stack([table.column(name).to_numpy() for name in names], axis=1)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise DatasetError(file, "rows of seven numbers with ; between them", f"{error}", _AGAIN) from error
    _check(file, rows, sensors)
    return Trial(facts, sensors, rows)


def _head(text: str, file: str) -> tuple[dict[str, str], dict[str, int]]:
    """The subject's facts, and position -> number of its sensor."""
    facts = dict(_FACT.findall(text))
    sensors = {position: int(number) for number, position in _SENSOR.findall(text)}
    unknown = sorted(set(sensors) - set(PLACES))
    if not sensors or unknown or len(set(sensors.values())) < len(sensors):
        given = f"{', '.join(f'{p} {n}' for p, n in sensors.items())}" or "none"
        raise DatasetError(file, f"a table of sensors at {', '.join(PLACES)}, each once", given, _AGAIN)
    return facts, sensors


def _check(file: str, rows: Floats, sensors: dict[str, int]) -> None:
    bad = rows.size - int(np.isfinite(rows).sum())
    if bad:
        raise DatasetError(file, "finite numbers", f"{bad} absent, NaN or infinite", _AGAIN)
    odd = ~np.isin(rows[:, 5], (0, 1, 2)) | ~np.isin(rows[:, 6], list(sensors.values()))
    if odd.any():
        given = f"quantity {rows[odd][0, 5]:g} of sensor {rows[odd][0, 6]:g}"
        raise DatasetError(file, "quantities 0 to 2 of the sensors of the table", given, _AGAIN)
    last = float(rows[:, 0].max()) / 1000
    if not 0 <= rows[:, 0].min() <= last * 1000 <= LONGEST_S * 1000:
        raise DatasetError(file, f"stamps from 0 to {LONGEST_S:g} s, in ms", f"up to {last:g} s", _AGAIN)
    for quantity, largest, unit in ((0, LARGEST_G, "g"), (1, LARGEST_DPS, "deg/s")):
        most = float(np.abs(rows[rows[:, 5] == quantity, 2:5]).max(initial=0.0))
        if most > largest:
            raise DatasetError(file, f"numbers within ±{largest:g} {unit}", f"{most:g}", "Columns or units differ.")


def _recording(recording: str, read: Trial, where: str) -> Recording:
    match = _NAME.fullmatch(f"UMAFall_{recording}.csv")
    assert match
    name = match[2]
    for fact, said in (("Name", recording[:10]), ("Description of the movement", name)):
        if read.facts.get(fact) != said:
            raise DatasetError(where, f"{fact}: {said}, as in the file's name", f"{read.facts.get(fact)!r}", _AGAIN)
    streams: list[Stream] = []
    notes: list[str] = []
    for position, number in sorted(read.sensors.items(), key=lambda item: item[1]):
        left = position == "ANKLE" and recording[:10] in LEFT_ANKLES
        place = "left_ankle" if left else PLACES[position]
        for code, quantity in ((0, "acc"), (1, "gyro")):
            rows = read.rows[(read.rows[:, 6] == number) & (read.rows[:, 5] == code)]
            if position == "RIGHTPOCKET" and quantity == "gyro":  # the phones' gyroscope was not recorded
                continue
            stream, told = _stream(place, quantity, rows, where)
            notes += [f"{place}.{quantity}: {note}" for note in told]
            streams += [stream] if stream else []
    if not streams:
        raise DatasetError(where, "samples", "none that could be used", _AGAIN)
    origin = min(stream.start_s for stream in streams)
    shifted = {s.name: replace(s, start_s=s.start_s - origin) for s in streams}
    whole = Recording(recording, shifted, (), recording[:10], f"{CARD.name}:{recording}", notes=tuple(notes))
    return replace(whole, segments=(Segment(0.0, whole.duration_s, ACTIVITIES[name]),))


def _stream(place: str, quantity: str, rows: Floats, where: str) -> tuple[Stream | None, list[str]]:
    """The stream of a sensor's rows, and what was mended; ``None`` where too little is left."""
    name, notes = f"{place}.{quantity}", list[str]()
    if len(rows) < 2 * START:
        return None, [f"{len(rows)} readings: left out"]
    if (np.diff(rows[:, 0]) < 0).any():
        raise DatasetError(where, f"stamps of {name} that go forward", "stamps that go back", _AGAIN)
    phone, acc = place == PLACES["RIGHTPOCKET"], quantity == "acc"
    values, times, hidden = rows[:, 2:5], rows[:, 0] / 1000, np.zeros(len(rows), bool)
    if phone:
        times = _phone_clock(times, where)
        kept = times >= -EARLY_S
        notes += [f"{(~kept).sum()} samples of before the start: left out"] * bool((~kept).any())
    else:
        if acc:
            hidden, values = low_scale(values), values * TAG_AXES
            notes += [f"a quarter of the scale up to {times[i]:.1f} s: missing" for i in np.flatnonzero(hidden)[-1:]]
        kept = np.r_[True, (np.diff(values, axis=0) != 0).any(axis=1) & (np.diff(times) > 0)]
        notes += [f"{(~kept).sum()} of {len(kept)} readings repeat the one before: left out"] * bool((~kept).any())
    values, times, hidden = values[kept], times[kept], hidden[kept]
    if hidden.mean() > 0.5 or len(times) < START:
        return None, [*notes, "more than half is missing: left out"]
    if acc:
        level = float(np.median(np.linalg.norm(values[~hidden], axis=1)))
        if not 0.2 <= level <= 3.0:
            raise DatasetError(where, f"{name} in g, with a median of about 1", f"{level:.3g}", "The unit differs.")
    rate = PHONE_HZ if phone else TAG_HZ
    even, start, missing = regularize(values, times, rate, missing=hidden, max_gap_s=MAX_GAP_S)
    if missing.mean() > 0.5:
        return None, [*notes, "more than half is missing: left out"]
    notes += [f"{missing.mean():.1%} missing"] * bool(missing.any())
    units, gravity = ("g", True) if acc else ("deg/s", None)
    contract = Contract("imu", quantity, units, rate, placement=place, gravity=gravity)
    return Stream.of(name, contract, even, start_s=start, missing=missing if missing.any() else None), notes


def _phone_clock(stamps: Floats, where: str) -> Floats:
    """Times (n,) of evenly spaced samples that were handed over in batches, at ``stamps`` (n,) or before."""
    half = len(stamps) // 2
    period = float(np.median(stamps[half:] - stamps[: len(stamps) - half])) / half
    if not PHONE_RATES_HZ[0] <= 1 / max(period, 1e-9) <= PHONE_RATES_HZ[1]:
        expected = f"a phone of {PHONE_RATES_HZ[0]:g} to {PHONE_RATES_HZ[1]:g} Hz"
        raise DatasetError(where, expected, f"{1 / max(period, 1e-9):.4g} Hz", _AGAIN)
    steps = np.arange(len(stamps), dtype=np.float64) * period
    return float(np.percentile(stamps - steps, 10)) + steps


def low_scale(values: Floats) -> NDArray[np.bool_]:
    """``True`` for the readings ``values`` (n, 3) g of the start that show a quarter of gravity.

    They are looked for only where the first ``START`` do. The change is where the sum of log2(\\|a\\| / 0.5 g),
    negative before and positive after, is lowest; two readings more are taken, as the change may fall between.
    """
    size = np.linalg.norm(values, axis=1)
    hidden = np.zeros(len(size), bool)
    if np.median(size[:START]) < LOW_G:
        hidden[: int(np.cumsum(np.log2(np.clip(size, 0.05, None) / LOW_G)).argmin()) + 3] = True
    return hidden
