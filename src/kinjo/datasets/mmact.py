"""MMAct: 33 activities of daily life by 20 subjects, seen by four cameras, with a phone and a smartwatch.

The data is given on request and was not at hand here: what is read is what the authors' page and the public readers of
others say of the files, tested on small files of that form. Two layouts are known, and both are read:

* as published: ``acc_phone_clip/subject1/scene2/session3/walking.csv``, videos ``subject1/cam4/scene2/...mp4``;
* as the one-shot code keeps it: ``acc_phone_clip/walking/subject1_scene2_session3_walking.csv``, videos
  ``subject1_cam4_scene2_session3_walking.mp4`` in any folder.

**One recording is one sequence**: what one person did once, with the phone, the watch and up to four videos on one
clock. The one-shot code counts a *clip* per camera instead, 22,292 + 11,678 of 5,681 + 2,987 sequences, whose clips
have the same sensor files; ``views`` gives such clips, which share a ``twin``. A window of a sequence takes the first
camera that it has.

**Clock.** Sensor files have time stamps (see ``timed_csv``); 0 s is the first of them. Rates are nominal: the samples
are brought to a uniform 100 or 50 Hz, on lines between neighbours. Videos have none: they begin at 0 s, as clips and
sensor files were cut by the same marks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from kinjo.datasets import timed_csv
from kinjo.datasets.card import Card, DatasetError, Split, only_known, say, wanted_modalities
from kinjo.datasets.files import Files, index, open_files
from kinjo.formats.rgb import Decoder, rgb_stream
from kinjo.recording import Contract, Recording, Segment, Stream

_TRAIN = (
    "closing", "crouching", "drinking", "entering", "fall", "jumping", "loitering", "looking_around", "opening",
    "picking_up", "pocket_in", "pocket_out", "pushing", "running", "sitting", "sitting_down", "standing",
    "standing_up", "talking", "talking_on_phone", "throwing", "using_pc", "using_phone",
)  # fmt: skip
_TEST = (
    "carrying", "checking_time", "exiting", "kicking", "pointing", "pulling", "setting_down", "transferring_object",
    "walking", "waving_hand",
)  # fmt: skip
_OTHERS = ("carrying_heavy", "carrying_light")
_LABELS = {name: name.replace("_", " ") for name in (*sorted((*_TRAIN, *_TEST)), *_OTHERS)}

ONESHOT: dict[str, tuple[str, ...]] = {
    "train": tuple(_LABELS[name] for name in _TRAIN),
    "test": tuple(_LABELS[name] for name in _TEST),
}
"""Mu-MAE's split by class, 23 + 10 labels. Subjects are in both parts; there are no validation classes."""

SUBJECTS = tuple(f"subject{s}" for s in range(1, 21))
CROSS_SUBJECT: dict[str, tuple[str, ...]] = {"train": SUBJECTS[:16], "test": SUBJECTS[16:]}
"""The usual split by subject: 1-16 train, 17-20 test. (CMC-CMKM: train 1-12, validation 13-15, test 17-20.)"""
CROSS_SCENE: dict[str, tuple[str, ...]] = {"train": ("scene1", "scene3", "scene4"), "test": ("scene2",)}
"""The usual split by scene: scene 2 is the test."""

LONGEST_S = 600.0
"""No trimmed clip of a few seconds lasts that long: a clock that jumped."""
LARGEST_GYRO = 40.0
"""More than any phone of that time measures: 2000 deg/s = 34.9 rad/s."""
_AGAIN = "Get the file again, or pass skip_bad=True to leave it out."


@dataclass(frozen=True)
class Sensor:
    """One kind of sensor files: the folder (or zip) they are in, their stream, and its contract."""

    folder: str
    stream: str
    contract: Contract


SENSORS: tuple[Sensor, ...] = (
    Sensor("acc_phone_clip", "phone.acc", Contract("imu", "acc", "m/s^2", 100.0, placement="pocket", gravity=True)),
    Sensor("acc_watch_clip", "watch.acc", Contract("imu", "acc", "m/s^2", 100.0, placement="wrist", gravity=True)),
    Sensor("gyro_clip", "phone.gyro", Contract("imu", "gyro", "rad/s", 50.0, placement="pocket")),
    Sensor(
        "orientation_clip",
        "phone.orientation",
        Contract("imu", "orientation", "deg", 50.0, axes=("azimuth", "pitch", "roll"), placement="pocket"),
    ),
)

CARD = Card(
    name="mmact",
    title="MMAct",
    citation="Q. Kong, Z. Wu, Z. Deng, M. Klinkigt, B. Tong, T. Murakami: MMAct: A Large-Scale Dataset for Cross Modal "
    "Human Action Understanding. ICCV 2019.",
    licence="for research, on request to the authors; no licence text seen",
    url="https://mmact19.github.io/2019/",
    how_to_get="Ask for access at https://mmact19.github.io/2019/, then unpack acc_phone_clip, acc_watch_clip, "
    "gyro_clip, orientation_clip and the trimmed videos into a folder MMAct.",
    classes=tuple(_LABELS[name] for name in _LABELS if name not in _OTHERS),
    subjects=SUBJECTS,
    placements=("pocket", "wrist"),
    modalities=("imu", "video"),
    trainable=False,
    defects=(
        "This reader was tested on files that a test makes, not on the real ones.",
        "The classes are the 33 of Mu-MAE's code, by alphabet. Files of carrying_heavy and carrying_light exist too, "
        "close to 'carrying': they are left out, with a count, unless named in only=.",
        "The paper counts 37 classes; with those two the file names have 35, as using_phone and talking_on_phone at "
        "a desk (scene 3) have the names of those on foot.",
        "Ids are known only once the files are seen: mmact.split makes the usual splits of them.",
        "Not every sequence has all sensors and cameras; some sensor files are empty.",
        "Units are not documented: acceleration is told by its size, the gyroscope is taken as Android's rad/s, "
        "orientation as degrees.",
        "The side of the pocket and of the watch are not documented: placements 'pocket' and 'wrist'.",
        "How the videos' clocks lie to the sensors' is not documented: they are taken to begin together.",
        "Azimuth is taken from north and jumps by 360 degrees.",
    ),
)

_FLAT = r"subject([1-9]|1\d|20){cam}_scene([1-4])_session([1-9]\d?)_(\w+?) *"
_DEEP = r"subject([1-9]|1\d|20){cam}/scene([1-4])/session([1-9]\d?)/(\w+?) *"
_FORMS = tuple(re.compile(form.format(cam=""), re.IGNORECASE) for form in (_FLAT, _DEEP))
_VIDEO_FORMS = tuple(
    re.compile(form.format(cam=cam), re.IGNORECASE) for form, cam in ((_FLAT, "_cam([1-4])"), (_DEEP, "/cam([1-4])"))
)


def find(root: Path) -> Path | None:
    """The folder under ``root`` (or ``root`` itself) in or right below which the sensor folders lie, else ``None``."""
    for folder in (root / "MMAct", root / "mmact", root):
        if any(_place(folder, sensor.folder) for sensor in SENSORS):
            return folder
    return None


def _place(home: Path, name: str) -> Path | None:
    """The folder or zip ``name`` in ``home`` or in a folder of it that is called after sensors or trimming."""
    below = sorted(p for p in home.glob("*") if p.is_dir() and re.search("sensor|trimmed", p.name, re.IGNORECASE))
    for folder in (home, *below):
        if (folder / name).is_dir():
            return folder / name
        if (folder / f"{name}.zip").is_file():
            return folder / f"{name}.zip"
    return None


def split(ids: Iterable[str], kind: Literal["oneshot", "subject", "scene"]) -> Split:
    """The usual split of the recordings ``ids`` (of sequences or ``views``); those of other classes are in no part.

    ``oneshot``: by class, ``ONESHOT``; ``subject``: ``CROSS_SUBJECT``; ``scene``: ``CROSS_SCENE``.
    Raises ``ValueError`` for another kind.
    """
    kinds = {"oneshot": (ONESHOT, "class"), "subject": (CROSS_SUBJECT, "subject"), "scene": (CROSS_SCENE, "scene")}
    if kind not in kinds:
        raise ValueError(f"MMAct has no split '{kind}': use one of {', '.join(kinds)}")
    of, unit = kinds[kind]
    parts: dict[str, list[str]] = {part: [] for part in of}
    for recording in ids:
        subject, scene, _, activity = recording.partition("#")[0].split("_", 3)
        label = _LABELS[activity]
        value = {"class": label, "subject": subject, "scene": scene}[unit]
        for part, values in of.items():
            if value in values and activity not in _OTHERS:
                parts[part].append(recording)
    notes = {
        "class": "Mu-MAE's: 23 classes train, 10 test. Subjects, scenes and sessions are in both parts.",
        "subject": "Usual: subjects 1-16 train, 17-20 test.",
        "scene": "Usual: scene 2 tests. Subjects are in both parts.",
    }
    return Split(unit, {part: tuple(members) for part, members in parts.items()}, notes[unit])


def views(recording: Recording) -> Iterator[Recording]:
    """A recording for each camera of a sequence, with all of its sensors: a clip of the one-shot code.

    Ids end in ``#cam1`` ...; the sequence's id is their ``twin``, so that no split may part them. A sequence without
    video gives nothing.
    """
    sensors = {name: s for name, s in recording.streams.items() if s.contract.modality != "video"}
    for name, stream in recording.streams.items():
        if stream.contract.modality == "video":
            yield replace(
                recording,
                id=f"{recording.id}#{name.partition('.')[0]}",
                streams={**sensors, name: stream},
                twin=recording.id,
            )


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per sequence, by subject, scene, session, activity; id ``subject1_scene2_session3_walking``.

    Streams: ``phone.acc`` and ``watch.acc`` (n, 3) m/s^2 (or g, if that is their size) with gravity at 100 Hz,
    ``phone.gyro`` (n, 3) rad/s and ``phone.orientation`` (n, 3) azimuth, pitch, roll in degrees at 50 Hz, and
    ``cam1.rgb`` to ``cam4.rgb`` (n, height, width, 3) uint8, decoded when read. One segment over all of it, with the
    activity in words. What was mended (late rows, pauses, another rate, NaN) is in ``notes`` and counted at the end.

    ``modalities``: of ``imu``, ``video``; ``None`` for both. ``only``: ids to read; they may be of ``carrying_heavy``
    and ``carrying_light``, which are left out else. A sequence may lack sensors or cameras: counted in ``report``
    (a warning without one), as are empty files. Raises ``DatasetError`` naming the first file that is not as it should
    be, a file name that is unknown or there twice, a sensor folder that is absent, and videos where there are none.
    With ``skip_bad`` that file is left out, with a line in ``report``; each video is then decoded once before it is
    given, as damage within it shows only so.
    """
    home = find(root)
    if home is None:
        raise DatasetError(str(root), "MMAct (acc_phone_clip, acc_watch_clip, ...)", "none", CARD.how_to_get)
    wanted = wanted_modalities(str(home), modalities, CARD.modalities)
    tracks: dict[str, _Track] = {}
    faults: list[DatasetError] = []
    if "imu" in wanted:
        for sensor in SENSORS:
            tracks[sensor.stream] = _sensor_files(home, sensor, faults)
    if "video" in wanted:
        tracks |= _video_files(home, faults)
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"left out: {fault}")
    found = tuple(sorted({i for track in tracks.values() for i in track.found}, key=_order))
    if not found:
        raise DatasetError(str(home), "clips of MMAct", "none", CARD.how_to_get)
    others = Counter(i.split("_", 3)[3] for i in found if i.split("_", 3)[3] in _OTHERS)
    chosen = only_known(str(home), only, found) if only is not None else tuple(i for i in found if not _is_other(i))
    if others and only is None:
        told = ", ".join(f"{n} of {name}" for name, n in sorted(others.items()))
        say(report, f"left out: sequences that are not of the 33 classes: {told}. Name their ids in only= to read them")
    return _read_all(chosen, tracks, skip_bad, report)


@dataclass(frozen=True)
class _Track:
    """The files of one stream: recording id -> file name; ``sensor`` is ``None`` for a camera."""

    files: Files
    found: dict[str, str]
    sensor: Sensor | None


def _sensor_files(home: Path, sensor: Sensor, faults: list[DatasetError]) -> _Track:
    path = _place(home, sensor.folder)
    if path is None:
        hint = f"{CARD.how_to_get} Or pass skip_bad=True to do without {sensor.stream}."
        faults.append(DatasetError(str(home), f"a folder {sensor.folder}", "none", hint))
        return _Track(Files(home, (), lambda name: b""), {}, sensor)
    files = open_files(path)
    found, bad = index(files, _sequence, ".csv")
    faults.extend(bad)
    return _Track(files, found, sensor)


def _video_files(home: Path, faults: list[DatasetError]) -> dict[str, _Track]:
    """The files of each camera. All .mp4 under ``home`` have to be clips of MMAct."""
    files = open_files(home)
    found, bad = index(files, _view, ".mp4")
    faults.extend(bad)
    if not found:
        hint = f"{CARD.how_to_get} Or pass modalities=('imu',)."
        faults.append(DatasetError(str(home), "videos subject1_cam1_scene1_session1_walking.mp4, ...", "none", hint))
    cameras: dict[str, dict[str, str]] = {f"cam{c}.rgb": {} for c in range(1, 5)}
    for view, name in found.items():
        recording, _, camera = view.partition("#")
        cameras[f"{camera}.rgb"][recording] = name
    return {stream: _Track(files, of, None) for stream, of in cameras.items()}


def _sequence(name: str) -> str | None:
    """Id of the sequence whose sensor file this is, or ``None``."""
    flat, deep = _stems(name, ".csv")
    if match := _FORMS[0].fullmatch(flat):
        parent = PurePosixPath(name).parent.name.strip().lower()
        return _id(*match.groups()) if parent == match[4].lower() else None
    match = _FORMS[1].fullmatch(deep)
    return _id(*match.groups()) if match else None


def _view(name: str) -> str | None:
    """``id#cam1`` of the clip that a video is, or ``None``."""
    flat, deep = _stems(name, ".mp4")
    match = _VIDEO_FORMS[0].fullmatch(flat) or _VIDEO_FORMS[1].fullmatch(deep)
    if match is None:
        return None
    subject, camera, scene, session, activity = match.groups()
    recording = _id(subject, scene, session, activity)
    return recording and f"{recording}#cam{camera}"


def _stems(name: str, suffix: str) -> tuple[str, str]:
    """The file's name and its last folders and name, without ``suffix``; empty where it has another."""
    if not name.lower().endswith(suffix):
        return "", ""
    parts = PurePosixPath(name[: -len(suffix)]).parts
    return parts[-1] if parts else "", "/".join(parts[-5 if suffix == ".mp4" else -4 :])


def _id(subject: str, scene: str, session: str, activity: str) -> str | None:
    known = activity.lower()
    return f"subject{subject}_scene{scene}_session{session}_{known}" if known in _LABELS else None


def _order(recording: str) -> tuple[int, int, int, str]:
    subject, scene, session, activity = recording.split("_", 3)
    return int(subject[7:]), int(scene[5:]), int(session[7:]), activity


def _is_other(recording: str) -> bool:
    return recording.split("_", 3)[3] in _OTHERS


def _read_all(
    ids: tuple[str, ...], tracks: dict[str, _Track], skip_bad: bool, report: list[str] | None
) -> Iterator[Recording]:
    """Read the sequences one by one; what is not there is counted before the first, what was mended after the last."""
    for stream, track in tracks.items():
        gone = [i for i in ids if i not in track.found]
        if gone and (track.found or track.sensor is None):  # an absent sensor folder was told
            say(report, f"{stream}: no file for {len(gone)} of {len(ids)} sequences, such as {gone[0]}")
    decoder, mended = Decoder(), 0
    for recording in ids:
        streams: dict[str, Stream] = {}
        notes: list[str] = []
        for name, track in tracks.items():
            if recording not in track.found:
                notes.append(f"{name}: no file")
                continue
            where = f"{track.files.path}/{track.found[recording]}"
            try:
                if track.sensor is None:
                    streams[name], told = rgb_stream(name, Path(where), decoder, whole=skip_bad), ()
                else:
                    streams[name], told = _sensor(
                        track.sensor, track.files.read(track.found[recording]), where, streams
                    )
            except _EmptyError as error:
                say(report, f"{recording}: {name} left out: {error}")
                notes.append(f"{name}: left out, its file is empty")
                continue
            except DatasetError as error:
                if not skip_bad:
                    raise
                say(report, f"{recording}: {name} left out: {error}")
                notes.append(f"{name}: left out, its file is bad")
                continue
            notes += [f"{name}: {note}" for note in told]
            mended += bool(told)
        if streams:
            yield _recording(recording, streams, tuple(notes))
        else:
            say(report, f"{recording}: skipped, nothing of it is left")
    if mended:
        say(report, f"{mended} streams were mended: Recording.notes says how")


class _EmptyError(DatasetError):
    """A file without samples. The published set has such files: they are told, never an error."""


def _recording(recording: str, streams: dict[str, Stream], notes: tuple[str, ...]) -> Recording:
    """The sequence, with its sensors' clocks counted from the first of their samples."""
    sensors = {name: s for name, s in streams.items() if s.contract.modality == "imu"}
    origin = min((s.start_s for s in sensors.values()), default=0.0)
    shifted = {**streams, **{name: replace(s, start_s=s.start_s - origin) for name, s in sensors.items()}}
    subject, _, _, activity = recording.split("_", 3)
    whole = Recording(recording, shifted, (), subject, f"{CARD.name}:{recording}", notes=notes)
    return replace(whole, segments=(Segment(0.0, whole.duration_s, _LABELS[activity]),))


def _sensor(sensor: Sensor, data: bytes, where: str, others: dict[str, Stream]) -> tuple[Stream, tuple[str, ...]]:
    """The stream of the file ``where`` on its own clock, and what was mended. ``_EmptyError`` without samples."""
    contract, circle = sensor.contract, sensor.contract.quantity == "orientation"
    names = (("x", "y", "z"), contract.axes) if circle else (("x", "y", "z"),)
    table = timed_csv.parse(data, where, names, _AGAIN)
    if table is None:
        raise _EmptyError(where, "samples", "an empty file", _AGAIN)
    even = timed_csv.uniform(table, where, contract.rate_hz, longest_s=LONGEST_S, hint=_AGAIN, circle=circle)
    units = _units(contract, table.values[np.isfinite(table.values).all(axis=1)], where)
    stream = Stream.of(
        sensor.stream,
        replace(contract, units=units, rate_hz=even.rate_hz),
        even.values,
        start_s=even.start_s,
        missing=even.missing if even.missing.any() else None,
    )
    for other in others.values():  # sensors come before cameras
        if stream.start_s > other.end_s or other.start_s > stream.end_s:
            given = f"{stream.start_s - other.start_s:+.6g} s from its first"
            hint = "The clocks of the devices differ, or a file is of another clip. Pass skip_bad=True to leave it out."
            raise DatasetError(where, f"time stamps that overlap those of {other.name}", given, hint)
    return stream, even.notes if units == contract.units else (*even.notes, f"in {units}, by its size")


def _units(contract: Contract, values: np.ndarray, where: str) -> str:
    """The unit that the finite rows ``values`` (n, 3) of a file are in, told by their size, or ``DatasetError``."""
    size = np.linalg.norm(values, axis=1)
    largest = float(np.abs(values).max())
    if contract.quantity == "acc":
        level, steady = float(np.median(size)), float(np.linalg.norm(np.median(values, axis=0)))
        if 4 <= level <= 30 and largest < 400:
            return "m/s^2"
        if 0.7 <= level <= 2 and steady >= 0.5 and largest < 40:  # steady: gravity stays, a shaken hand averages out
            return "g"
        given = f"a median |a| of {level:.3g}, single values up to {largest:.3g}"
        hint = "Gravity was removed or units were changed: get the raw files, or pass skip_bad=True."
        raise DatasetError(where, "acceleration with gravity, of about 9.8 m/s^2 or 1 g", given, hint)
    if contract.quantity == "gyro":
        if largest > LARGEST_GYRO:
            hint = "If they are in deg/s, convert them to rad/s, or pass skip_bad=True."
            raise DatasetError(where, f"turning rates within ±{LARGEST_GYRO:g} rad/s", f"{largest:.3g}", hint)
        return contract.units
    if not 2 * np.pi < largest <= 360.5:
        hint = "If they are in radians, convert them to degrees, or pass skip_bad=True."
        raise DatasetError(where, "angles in degrees, up to 360", f"values up to {largest:.3g}", hint)
    return contract.units
