"""Sessions of the gym as Recordings: pose, virtual IMU, video that is rendered when it is read, words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count as endless
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.gym.made_up import number_of
from kinjo.datasets.gym.movements import movement
from kinjo.datasets.gym.person import Person
from kinjo.datasets.gym.render import Camera, following, frames
from kinjo.datasets.gym.scene import Scene
from kinjo.datasets.gym.score import Span
from kinjo.datasets.gym.session import FAULTY, INNER_HZ, Session, Task, known, perform, plan, single
from kinjo.datasets.gym.words import describe
from kinjo.motion import J, Motion
from kinjo.recording import Contract, Recording, Segment, Stream
from kinjo.sensors import SensorModel
from kinjo.simulate import virtual_imu

Floats = NDArray[np.floating[Any]]
Kind = Literal["rgb", "depth"]

PLACEMENTS = ("left_wrist", "right_wrist", "right_pocket")
"""Where sensors sit if nothing else is said."""
CUTOFF_HZ = 15.0
"""Smoothing of the virtual IMU: what the movement has above it are the kinks of stretched limbs."""
SETTLING_S = 2.5
"""How long before and after someone sits the stool is there."""
_PERSON, _DEED, _SENSOR, _ROOM, _WORDS = range(5)  # streams of random numbers


def someone(seed: int) -> Person:
    """The person of that number; the same for all recordings."""
    return Person.random(np.random.default_rng([seed, _PERSON]))


@dataclass(frozen=True)
class _Capture:
    """What is captured of a session; the arguments of ``record``."""

    placements: Sequence[str]
    pose_rate_hz: float
    imu_rate_hz: float
    sensors: Mapping[str, SensorModel | None] | None
    video: Camera | None
    video_rate_hz: float
    kinds: Sequence[Kind]

    def __post_init__(self) -> None:
        for name in ("pose_rate_hz", "imu_rate_hz", "video_rate_hz"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name}: expected a positive number per second, given {getattr(self, name)}")
        lost = sorted(set(self.sensors or {}) - set(self.placements))
        if lost:
            raise ValueError(f"sensors name {', '.join(lost)}, where no sensor sits: add them to placements")

    @property
    def inner_hz(self) -> float:
        """A multiple of the pose stream's rate at which fast movement is still smooth."""
        return self.pose_rate_hz * float(np.ceil(INNER_HZ / self.pose_rate_hz - 1e-9))


def record(
    seed: int,
    *,
    seconds: float = 120.0,
    names: Collection[str] | None = None,
    person: int | None = None,
    placements: Sequence[str] = PLACEMENTS,
    pose_rate_hz: float = 30.0,
    imu_rate_hz: float = 50.0,
    sensors: Mapping[str, SensorModel | None] | None = None,
    video: Camera | None = None,
    video_rate_hz: float = 15.0,
    kinds: Sequence[Kind] = ("rgb", "depth"),
) -> Recording:
    """A recording of ``seconds`` of someone who does movements ``names`` (all: ``None``) in random order.

    The same arguments give the same recording, bit for bit. ``person`` is the seed of who it is (``seed``), so that
    recordings can share a subject. Streams: ``pose`` (canonical joints, m, y up), ``<placement>.acc`` and ``.gyro`` for
    each of ``placements`` (none: no IMU), with the faults of ``sensors`` where given, and with a ``video`` camera
    ``video.<kind>``, rendered when read. The camera stands relative to where the person is at the start, and is carried
    along. Segments are whole sets and bouts, at the bounds of their repetitions; the rest of the time is NULL.
    """
    if not seconds >= 5.0:
        raise ValueError(f"seconds: a recording of the gym takes 5 s or more, given {seconds}")
    capture = _Capture(placements, pose_rate_hz, imu_rate_hz, sensors, video, video_rate_hz, kinds)
    who = seed if person is None else person
    rng = np.random.default_rng([seed, who, _DEED])
    tasks = plan(rng, seconds, names)
    session = perform(someone(who), tasks, rng, seconds=seconds, rate_hz=capture.inner_hz)
    return _recording(session, capture, f"gym_{seed}" if who == seed else f"gym_{who}_{seed}", seed, who)


def clips(
    n: int | None = None,
    seed: int = 0,
    *,
    names: Collection[str] | None = None,
    people: int = 1000,
    repetitions: tuple[int, int] = (3, 6),
    seconds: tuple[float, float] = (4.0, 8.0),
    placements: Sequence[str] = PLACEMENTS,
    pose_rate_hz: float = 30.0,
    imu_rate_hz: float = 50.0,
    sensors: Mapping[str, SensorModel | None] | None = None,
    video: Camera | None = None,
    video_rate_hz: float = 15.0,
    kinds: Sequence[Kind] = ("rgb", "depth"),
) -> Iterator[Recording]:
    """``n`` short recordings (``None``: endless), of one movement each, from its first repetition to its last.

    The labels of ``names`` take turns in random order; each clip is done by one of ``people``, ``repetitions`` (from,
    to) times or for ``seconds`` (from, to). Everything else as in ``record``. The clips of a seed are always the same.
    """
    capture = _Capture(placements, pose_rate_hz, imu_rate_hz, sensors, video, video_rate_hz, kinds)
    return _clips(n, seed, known(names), people, repetitions, seconds, capture)


def _clips(
    n: int | None, seed: int, labels: tuple[str, ...], people: int, repetitions: tuple[int, int],
    seconds: tuple[float, float], capture: _Capture,
) -> Iterator[Recording]:  # fmt: skip
    deck: list[str] = []
    for k in endless() if n is None else range(n):
        rng = np.random.default_rng([seed, k, _DEED])
        if k % len(labels) == 0:
            deck = [labels[i] for i in rng.permutation(len(labels))]
        what, who = movement(deck[k % len(labels)]), int(rng.integers(people))
        faults = tuple(fault.name for fault in what.faults if rng.random() < FAULTY / len(what.faults))
        times, length = int(rng.integers(repetitions[0], repetitions[1] + 1)), float(rng.uniform(*seconds))
        task = Task(what.label, times, length, faults)
        session = single(someone(who), task, rng, rate_hz=capture.inner_hz)
        yield _recording(session, capture, f"gym_{seed}_clip_{k}", seed * 1_000_003 + k, who)


def _recording(session: Session, capture: _Capture, id: str, seed: int, who: int) -> Recording:
    motion, rate = session.motion, capture.pose_rate_hz
    length = (motion.positions.shape[0] - 1) / motion.rate_hz
    pose = Motion(motion.positions[:: round(motion.rate_hz / rate)][: round(length * rate)], rate)
    streams: dict[str, Stream] = {"pose": pose.stream()}
    rng = np.random.default_rng([seed, who, _SENSOR])
    for placement in capture.placements:
        model = None if capture.sensors is None else capture.sensors.get(placement)
        imu = virtual_imu(motion, placement, capture.imu_rate_hz, cutoff_hz=CUTOFF_HZ, model=model, rng=rng)
        kept = round(length * capture.imu_rate_hz)
        missing = None if imu.missing is None else imu.missing[:kept]
        streams |= replace(imu, acc=imu.acc[:kept], gyro=imu.gyro[:kept], missing=missing).streams()
    if capture.video is not None:
        streams |= _film(session, np.random.default_rng([seed, who, _ROOM]), capture, capture.video)
    end, words = max(stream.end_s for stream in streams.values()), np.random.default_rng([seed, who, _WORDS])
    segments = tuple(_segment(span, words, end) for span in session.spans)
    return Recording(id, streams, segments, f"person {who:04d}", f"gym:{seed}")


def _segment(span: Span, rng: np.random.Generator, end_s: float) -> Segment:
    if number_of(span.label) is not None:  # nobody has words for it
        return Segment(span.start_s, min(span.end_s, end_s), span.label, "", span.repetitions)
    said = describe(span.label, rng, repetitions=span.repetitions, faults=span.faults, tempo=span.tempo, side=span.side)
    return Segment(span.start_s, min(span.end_s, end_s), span.label, said, span.repetitions)


def _drawn_floor(session: Session, rate_hz: float, at: NDArray[np.intp]) -> NDArray[Any]:
    """Height ``(len(at),)`` of the floor that is drawn: no stairs are, so on them it keeps below the lower foot."""
    floor = session.floor[at]
    if np.ptp(session.floor) == 0:
        return floor
    ankles = session.motion.positions[at][:, [J["left_ankle"], J["right_ankle"]], 1].min(1)
    sunk = np.maximum(floor + session.person.lengths["ankle"] - ankles, 0.0)
    half = max(1, round(0.3 * rate_hz))
    deepest = np.lib.stride_tricks.sliding_window_view(np.pad(sunk, 2 * half, "edge"), 2 * half + 1).max(1)
    return floor - np.convolve(deepest, np.full(2 * half + 1, 1 / (2 * half + 1)), "valid")


def _film(session: Session, rng: np.random.Generator, capture: _Capture, camera: Camera) -> dict[str, Stream]:
    """Streams ``video.<kind>``: nothing is rendered before it is read."""
    motion, rate = session.motion, capture.video_rate_hz
    times = np.arange(round((len(motion.positions) - 1) / motion.rate_hz * rate)) / rate
    at = np.minimum(np.round(times * motion.rate_hz).astype(int), len(motion.positions) - 1)
    spot = motion.positions[0, 0] * [1.0, 0.0, 1.0]
    level = np.stack([0 * times, _drawn_floor(session, rate, at), 0 * times], -1)
    positions = motion.positions[at] - spot - level[:, None]
    rotations = None if motion.rotations is None else motion.rotations[at].astype(np.float32)
    scene, cameras = Scene.random(rng, positions), following(camera, positions, rate)
    props = _props(session, scene, times, positions[:, 0])

    def reader(kind: Kind) -> Callable[[int, int], NDArray[Any]]:
        def read(first: int, last: int) -> NDArray[Any]:
            shape = (last - first, camera.height, camera.width, 3)[: 4 if kind == "rgb" else 3]
            out = np.empty(shape, np.uint8 if kind == "rgb" else np.uint16)
            for (held, room), group in groupby(range(first, last), lambda k: props[k]):
                run = list(group)
                a, b = run[0], run[-1] + 1
                turned = None if rotations is None else rotations[a:b]
                out[a - first : b - first] = frames(
                    session.person, positions[a:b], turned, cameras[a:b], kind=kind, scene=room, dumbbells=held
                )
            return out

        return read

    units: dict[Kind, str] = {"rgb": "uint8", "depth": "mm"}
    return {
        f"video.{kind}": Stream(
            f"video.{kind}", Contract("video", kind, units[kind], rate, axes=()), len(times), reader(kind)
        )
        for kind in capture.kinds
    }


def _props(session: Session, scene: Scene, times: Floats, pelvis: Floats) -> list[tuple[bool, Scene]]:
    """For each picture: whether there are dumbbells in the hands, and the room, with a stool for those who sit."""
    props = [(False, scene)] * len(times)
    for span in session.spans:
        seated, held = span.posture == "chair", movement(span.label).dumbbells
        start, first, last = np.searchsorted(times, [
            span.start_s, span.start_s - SETTLING_S * seated, span.end_s + SETTLING_S * seated])  # fmt: skip
        room = scene
        if seated and start < len(times):
            x, y, z = pelvis[start].tolist()
            room = replace(scene, stools=((x, y - session.person.girths["pelvis"], z),))
        props[first:last] = [(held, room)] * int(last - first)
    return props
