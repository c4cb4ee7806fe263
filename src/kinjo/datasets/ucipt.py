"""UCI Physical Therapy Exercises: eight exercises by five subjects, with five inertial units on legs and chest or arms.

Reads ``s1/e1/u1/test.txt``, ``s1/e1/u1/template_session.txt`` and ``s1/e1/template_times.txt`` and so on from the zip
as it is published or from its folder: ``time index;acc_x;...;mag_z`` at 25 Hz, acceleration in m/s^2, turning rate in
rad/s. A template session holds some executions of each of three types, of which ``template_times`` marks one each. A
test has no marks: it holds a set of ten of each type, it seems, the second from about 102 s on and the third from about
162 s, and pauses of 20 to 60 s behind the first two. Still spans get no label.

**Where the units sit** and what is done is not in the files; it was found in them. Lying on the back, on the side and
face down, gravity shows the sides of thighs and shanks, the magnetic field that the units of one leg face away from
those of the other, and the rotations which unit moves on which: in e1 to e5 ``u1`` is on the left shank, ``u5`` on the
left thigh, ``u2`` and ``u3`` on the right shank and thigh, which move, and ``u4`` on the chest. In e6 to e8 ``u2`` and
``u3`` are on forearm and upper arm of the arm that moves and ``u1`` and ``u5`` on those of the other. That it is the
right arm is likely, no more: ``u4`` sits on a slope on its side, a shoulder it seems, and points to the right.

**Not read**: the magnetometers, whose unit is not the field's but that of a calibration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import Card, DatasetError, only_known, read_each, say, wanted_modalities
from kinjo.datasets.files import Files, absent, index, open_files
from kinjo.recording import Contract, Recording, Segment, Stream

Floats = NDArray[np.float64]

RATE_HZ = 25.0
EXERCISES: dict[str, str] = {
    "e1": "stretching the knee while sitting", "e2": "leaning forwards while sitting",
    "e3": "straight leg raise lying on the back", "e4": "leg raise lying on the side",
    "e5": "leg raise lying face down", "e6": "bending the elbow", "e7": "raising the straight arm",
    "e8": "stretching the elbow lying face down",
}  # fmt: skip
"""Exercise in the folder names -> label."""
LEG = {"u1": "left_shin", "u2": "right_shin", "u3": "right_thigh", "u4": "chest", "u5": "left_thigh"}
ARM = {
    "u1": "left_forearm", "u2": "right_forearm", "u3": "right_upper_arm", "u4": "unknown", "u5": "left_upper_arm",
}  # fmt: skip
"""Unit -> placement in e1 to e5 and in e6 to e8."""
EXECUTIONS = {1: "as prescribed", 2: "too fast", 3: "with too small an amplitude"}
"""Type of execution in ``template_times`` -> words behind the label in its description."""
SESSIONS = {"template": "template_session", "test": "test"}
IDS: tuple[str, ...] = tuple(f"s{s}_{e}_{session}" for s in range(1, 6) for e in EXERCISES for session in SESSIONS)
"""Ids of the 80 recordings: subject, exercise, session."""
HEAD = "time index;acc_x;acc_y;acc_z;gyr_x;gyr_y;gyr_z;mag_x;mag_y;mag_z"
STILL_S, AROUND_S, STILL = 8.0, 6.0, 0.25
"""A span is still where the unit that turns most does not, for so many seconds: the liveliest tenth of its readings
within ``AROUND_S`` begins under this share of what it does in the median."""
LARGEST_ACC, LARGEST_GYRO = 200.0, 40.0
"""m/s^2 and rad/s: more than the units measure; 85 and 11 are the most in the files."""
MEDIAN_ACC = (6.0, 15.0)
"""m/s^2: where the median of \\|acceleration\\| lies, about 9.8."""

CARD = Card(
    name="ucipt",
    title="Physical Therapy Exercises",
    citation="A. Yurtman, B. Barshan: Automated evaluation of physical therapy exercises using multi-template dynamic "
    "time warping on wearable sensor signals. Computer Methods and Programs in Biomedicine 117(2), 2014.",
    licence="CC BY 4.0",
    url="https://archive.ics.uci.edu/dataset/730",
    how_to_get="Download the zip from https://archive.ics.uci.edu/dataset/730 into a folder ucipt, and unpack it.",
    classes=tuple(EXERCISES.values()),
    subjects=tuple(f"s{s}" for s in range(1, 6)),
    placements=tuple(dict.fromkeys((*LEG.values(), *ARM.values()))),
    modalities=("imu",),
    trainable=True,
    defects=(
        "Where the units sit and what the exercises are is not in the files: it was found in them. Legs, their sides "
        "and the chest are certain by gravity and the magnetic field; that the right arm moves in e6 to e8 is likely.",
        "u4 in e6 to e8 sits on a shoulder, it seems: placement 'unknown'.",
        "e7 raises the arm sideways for some subjects and forwards for others; e8 may be another exercise than its "
        "label says, which fits the rotation between forearm and upper arm best.",
        "The segments of a test are what lies between still spans of more than 8 s. In 36 of the 40 they are the three "
        "sets; in the others somebody moved in a pause or paused in a set. Short pauses are in them.",
        "u3 was not calibrated for the subjects s2 and s3: at rest it reads 7.9 to 10.3 m/s^2.",
        "Units were put on anew for each subject, and turned by up to 30 degrees from one to the next.",
        "Samples have no time stamps: 25 Hz is nominal.",
        "There are five subjects only.",
    ),
)
_AGAIN = "Get the file again from the official zip, or pass skip_bad=True to leave the recording out."
_NAME = re.compile(r"(?:.*/)?(s[1-5]/e[1-8]/(?:u[1-5]/(?:test|template_session)|template_times))\.txt")


def find(root: Path) -> Path | None:
    """The folder or zip with ``s1/e1``, under ``root`` or ``root`` itself, else ``None``."""
    for folder in (root / "ucipt", root / "UCI-PT", root):
        for inside in (folder, folder / "data" / "raw"):
            if any(inside.glob("s[1-5]/e[1-8]/u[1-5]")):
                return inside
        for zipped in ("physical+therapy+exercises+dataset.zip", "physical_therapy_exercises_dataset.zip"):
            if (folder / zipped).is_file():
                return folder / zipped
    return None


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """Two recordings per subject and exercise, ids ``s1_e1_template`` and ``s1_e1_test``, subject ``s1``.

    What lies between still spans is a segment; in a test it is described by the type of the set where there are three
    of them. In a template session the three executions that are marked are segments of their own, each described by
    its type, with one repetition. Streams at 25 Hz: ``right_shin.acc`` (n, 3) m/s^2 with gravity, ``right_shin.gyro``
    (n, 3) rad/s and so on of the five placements of ``LEG`` (e1 to e5) or ``ARM``.

    ``only``: ids to read. Raises ``DatasetError`` naming the first file that is absent or not as it should be. With
    ``skip_bad`` its recording is skipped, with a line in ``report`` (a warning without one).
    """
    path = find(root)
    if path is None:
        raise DatasetError(str(root), "Physical Therapy Exercises (s1/e1/u1/test.txt)", "none", CARD.how_to_get)
    wanted_modalities(str(path), modalities, CARD.modalities)
    chosen = only_known(str(path), only, IDS)
    files = open_files(path)
    found, faults = index(files, _known, "template_session.txt")
    needed = {recording: _parts(recording) for recording in chosen}
    gone = absent(files, found, [p for parts in needed.values() for p in parts], lambda part: f"{part}.txt")
    if gone:
        given = f"{len(gone)} files absent: {gone[0]}" + (", ..." if len(gone) > 1 else "")
        hint = "Get the zip again, or pass skip_bad=True, or only= the ids that you have."
        faults.append(DatasetError(str(files.path), "five units and the times of every recording", given, hint))
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"skipped: {fault}")
    whole = [recording for recording, parts in needed.items() if all(part in found for part in parts)]
    return read_each(whole, lambda recording: _recording(recording, files, found), skip_bad, report)


def _parts(recording: str) -> list[str]:
    """The files of a recording, as ``_known`` calls them: those of its units in order, then the times if it has any."""
    subject, exercise, session = recording.split("_")
    marks = [f"{subject}/{exercise}/template_times"] * (session == "template")
    return [f"{subject}/{exercise}/{unit}/{SESSIONS[session]}" for unit in LEG] + marks


def _known(name: str) -> str | None:
    """``s1/e1/u1/test`` or ``s1/e1/template_times`` of a file of the set, or ``None``."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def _recording(recording: str, files: Files, found: dict[str, str]) -> Recording:
    subject, exercise, session = recording.split("_")
    places = LEG if exercise <= "e5" else ARM
    parts = _parts(recording)
    streams: dict[str, Stream] = {}
    lengths: dict[str, int] = {}
    for unit, part in zip(places, parts, strict=False):
        where = f"{files.path}/{found[part]}"
        values = table(files.read(found[part]), where)
        lengths[where] = len(values)
        for quantity, units, at, gravity in (("acc", "m/s^2", 0, True), ("gyro", "rad/s", 3, None)):
            name = f"{places[unit]}.{quantity}"
            contract = Contract("imu", quantity, units, RATE_HZ, placement=places[unit], gravity=gravity)
            streams[name] = Stream.of(name, contract, np.ascontiguousarray(values[:, at : at + 3]))
    count = max(lengths.values())
    short = min(lengths, key=lambda where: lengths[where])
    if lengths[short] != count:
        raise DatasetError(short, f"{count} samples, as in the other units' files", f"{lengths[short]}", _AGAIN)
    sets = lively([s.values() for s in streams.values() if s.contract.quantity == "gyro"])
    spans = [(k if len(sets) == 3 and session == "test" else 0, start, stop) for k, (start, stop) in enumerate(sets, 1)]
    if session == "template":
        for mark in times(files.read(found[parts[-1]]), f"{files.path}/{found[parts[-1]]}", count):
            spans = [*(part for span in spans for part in _without(span, mark)), mark]
    label, once = EXERCISES[exercise], session == "template"
    segments = tuple(
        Segment(
            a / RATE_HZ,
            b / RATE_HZ,
            label,
            f"{label}, {EXECUTIONS[kind]}" if kind else "",
            1 if once and kind else None,
        )
        for kind, a, b in sorted(spans, key=lambda span: span[1])
    )
    notes = ("the placements were found in the data, they are not told",)
    return Recording(recording, streams, segments, subject, f"{CARD.name}:{recording}", notes=notes)


def _without(span: tuple[int, float, float], mark: tuple[int, float, float]) -> list[tuple[int, float, float]]:
    """The parts of ``span`` before and behind ``mark``, of a second at least; all of it where they do not meet."""
    kind, start, stop = span
    if stop <= mark[1] or mark[2] <= start:
        return [span]
    return [(kind, a, b) for a, b in ((start, mark[1]), (mark[2], stop)) if b - a >= RATE_HZ]


def lively(turning: list[Floats]) -> list[tuple[float, float]]:
    """The spans (start, stop), in samples, between still ones, of the rates of turning (n, 3) of a test's units."""
    rate = max((np.linalg.norm(values, axis=1) for values in turning), key=lambda size: float(size.mean()))
    half = round(AROUND_S * RATE_HZ / 2)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rate, half, "edge"), 2 * half + 1)
    peak = np.percentile(around[:: int(RATE_HZ) // 5], 90, axis=1)  # five times a second
    edges = np.flatnonzero(np.diff(np.r_[False, peak < STILL * np.median(peak), False]))
    still = [(a, b) for a, b in edges.reshape(-1, 2) * RATE_HZ / 5 if b - a > STILL_S * RATE_HZ]
    starts, stops = [0.0, *(b for _, b in still)], [*(a for a, _ in still), float(len(rate))]
    return [(float(a), float(b)) for a, b in zip(starts, stops, strict=True) if b - a >= RATE_HZ]


def table(data: bytes, file: str) -> Floats:
    """Acceleration, turning rate and magnetic field (n, 9) of a unit's file, or ``DatasetError`` naming it."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    head, _, body = data.partition(b"\n")
    if head.strip(b" \r\n").decode("utf-8-sig", "replace") != HEAD:
        raise DatasetError(file, f"the columns {HEAD}", head[:80].decode("utf-8", "replace") or "none", _AGAIN)
    names = HEAD.split(";")
    if not body.endswith(b"\n"):
        raise DatasetError(file, "a last line that ends", "a file that is cut off" if body else "no samples", _AGAIN)
    try:
        read = arrow_csv.read_csv(
            pa.py_buffer(body),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=arrow_csv.ParseOptions(delimiter=";", quote_char=False),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
        values = np.stack([read.column(name).to_numpy() for name in names], axis=1)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise DatasetError(file, "rows of ten numbers", f"{error}", _AGAIN) from error
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise DatasetError(file, "finite numbers", f"{bad} absent, NaN or infinite", _AGAIN)
    jumps = np.flatnonzero(values[:, 0] != np.arange(1, len(values) + 1))
    if jumps.size:
        given = f"{values[jumps[0], 0]:g} in row {jumps[0] + 1}"
        raise DatasetError(file, "a time index 1, 2, 3, ...", given, _AGAIN)
    for what, at, largest, unit in (("acc", 1, LARGEST_ACC, "m/s^2"), ("gyr", 4, LARGEST_GYRO, "rad/s")):
        most = float(np.abs(values[:, at : at + 3]).max())
        if most > largest:
            raise DatasetError(file, f"{what} within ±{largest:g} {unit}", f"{most:g}", "Columns or units differ.")
    level = float(np.median(np.linalg.norm(values[:, 1:4], axis=1)))
    if not MEDIAN_ACC[0] <= level <= MEDIAN_ACC[1]:
        raise DatasetError(file, "acc with a median of about 9.8 m/s^2", f"{level:.3g}", "Columns or units differ.")
    return values[:, 1:]


def times(data: bytes, file: str, samples: int) -> list[tuple[int, float, float]]:
    """The executions of a template session of ``samples``: (type, start, stop), samples counted from 0, by start."""
    lines = data.decode("utf-8-sig", "replace").split("\n")
    rows = [line.strip().split(";") for line in lines[1:] if line.strip()]
    if lines[0].strip() != "execution type;start;end":
        raise DatasetError(file, "the columns execution type;start;end", lines[0][:80], _AGAIN)
    try:
        marks = sorted(((int(kind), float(a) - 1, float(b)) for kind, a, b in rows), key=lambda mark: mark[1])
    except ValueError as error:
        raise DatasetError(file, "rows of a type and two numbers", f"{error}", _AGAIN) from error
    edges = [edge for _, a, b in marks for edge in (a, b)]
    if sorted(kind for kind, _, _ in marks) != [1, 2, 3] or not all(np.isfinite(edges)):
        raise DatasetError(file, "one execution of each of the types 1, 2, 3", f"{len(rows)} rows", _AGAIN)
    if edges != sorted(set(edges)) or edges[0] < 0 or edges[-1] > samples:
        given = f"from {edges[0] + 1:g} to {edges[-1]:g}"
        raise DatasetError(file, f"executions one after the other within {samples} samples", given, _AGAIN)
    return marks
