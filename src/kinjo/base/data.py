"""The corpora that kinjo-base learns from: simulated people, movements without a name, CMU's motions, real sensors.

Everything is kept under one folder; what is finished is opened, nobody moves for it again. Sensors of simulated people
sit in one of ``GROUPS`` of four places, so that every place is met beside others and a batch stays small.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kinjo import corpus, datasets
from kinjo.body import PLACEMENTS
from kinjo.corpus import Corpus
from kinjo.datasets import cmu, gym
from kinjo.datasets.gym.made_up import GENERATION
from kinjo.recording import Recording, Segment, Stream
from kinjo.sensors import PHONE_IN_POCKET, RESEARCH_IMU, WATCH, SensorModel
from kinjo.simulate import virtual_imu

GROUPS: tuple[tuple[str, ...], ...] = (
    ("wrist", "pocket", "chest", "right_ankle"), ("left_wrist", "right_pocket", "waist", "left_ear"),
    ("right_wrist", "left_pocket", "head", "left_foot"), ("right_wrist", "right_thigh", "back", "unknown"),
    ("right_forearm", "right_ear", "left_thigh", "left_shin"), ("left_forearm", "left_hand", "neck", "right_foot"),
    ("right_hand", "left_upper_arm", "left_ankle", "pocket"), ("right_upper_arm", "right_shin", "left_wrist", "wrist"),
)  # fmt: skip
"""Places that are worn together. Wrists and pockets come often, as they do in life."""
REAL = ("motionsense", "wisdm", "umafall", "ucipt")
"""Data sets that ship models: see their cards' licences."""
VIRTUAL = ("gym", "made_up", "cmu")
NAMED = ("gym", "cmu", *REAL)
"""Sets whose labels are words."""
RATE_HZ = 50.0
LONG = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""From ``kinjo.simulate``'s axes, ``y`` along the limb, to those of watches and most strapped units (Xsens, SensorTag),
whose long side is ``x``: ``values @ LONG``. A phone in a pocket lies any way round."""
SOMEWHERE = tuple(name for name in PLACEMENTS if name not in ("wrist", "pocket", "unknown"))
FIRST = {"gym": 10_000, "made_up": 50_000}
"""The first person of each; the benchmarks' people are others."""


@dataclass(frozen=True)
class Size:
    """How much is simulated: ``people`` of the gym and ``sessions`` of made-up movements for each group of places, both
    of ``seconds``; ``copies`` of each motion of CMU, sensors elsewhere in each.
    """

    people: int = 60
    sessions: int = 120
    made_up: int = 1200
    at_once: int = 8
    copies: int = 4
    seconds: float = 180.0
    groups: int = len(GROUPS)


SMALL = Size(people=4, sessions=2, made_up=12, copies=1, seconds=40.0, groups=2)
"""For tests."""


def build(
    out: Path, data: Path | None, size: Size | None = None, *, only: Sequence[str] = (), progress: bool | None = None
) -> dict[str, Corpus]:
    """name -> corpus of ``VIRTUAL`` and ``REAL`` sets under ``out``, read from ``data``; ``only``: some of them.

    Simulated sets come as one corpus for each group of places, ``gym-0`` and so on. Sets that are not under ``data``
    are left out, but where ``only`` names them: a ``DatasetError`` tells how to get them.
    """
    size, root, found = size or Size(), data or Path(), dict[str, Corpus]()
    for name in VIRTUAL[:2]:
        for group in range(size.groups) if not only or name in only else ():
            told = {k: v for k, v in asdict(size).items() if k not in ("copies", "groups")}
            key, made = f"{name}-{group}", partial(_gym if name == "gym" else _made_up, size, group)
            origin = f"{key} {told}, x along limbs" + (f", generation {GENERATION}" if name == "made_up" else "")
            found[key] = corpus.kept(out / key, origin, made, progress=progress)
    for name in ("cmu", *REAL):
        if (only and name not in only) or (not only and (data is None or datasets.DATASETS[name].find(data) is None)):
            continue
        origin = f"cmu, {size.copies} copies, {size.groups} groups, x along limbs" if name == "cmu" else f"{name}, IMU"
        read = partial(_cmu, root, size) if name == "cmu" else partial(_real, name, root)
        found[name] = corpus.kept(out / name, origin, read, progress=progress)
    return found


def set_of(name: str) -> str:
    """The set of a corpus of ``build``: ``gym-3`` is of ``gym``."""
    return name.partition("-")[0]


def device(place: str) -> SensorModel:
    """What is worn there: a watch, a phone any way round, or a strapped unit."""
    if place.endswith(("wrist", "hand")):
        return WATCH
    return PHONE_IN_POCKET if place.endswith("pocket") or place == "unknown" else RESEARCH_IMU


def sites(group: Sequence[str], rng: np.random.Generator) -> dict[str, str]:
    """name of a place -> where the sensor really sits: of unknown sides either, of ``unknown`` anywhere else."""
    left, taken = bool(rng.random() < 0.5), {place for place in group if place in SOMEWHERE}
    out: dict[str, str] = {}
    for place in group:
        if place in ("wrist", "pocket"):
            sides = [f"left_{place}", f"right_{place}"] if left else [f"right_{place}", f"left_{place}"]
            site = next(side for side in sides if side not in taken)
        elif place == "unknown":
            site = str(rng.choice([s for s in SOMEWHERE if s not in taken]))
        else:
            site = place
        taken.add(site)
        out[place] = site
    return out


def _placed(streams: dict[str, Stream], named: dict[str, str]) -> dict[str, Stream]:
    """Sensors under the names of their places as the data says them, poses left out; ``named``: see ``sites``."""
    out = {}
    for place, site in named.items():
        for quantity in ("acc", "gyro"):
            out[f"{place}.{quantity}"] = worn(streams[f"{site}.{quantity}"], place)
    return out


def worn(stream: Stream, place: str) -> Stream:
    """A sensor under the name of its place, with the axes of what is worn there."""
    values, contract = stream.values(), replace(stream.contract, placement=place)
    values = values if device(place) is PHONE_IN_POCKET else (values @ LONG).astype(values.dtype)
    return Stream.of(
        f"{place}.{contract.quantity}", contract, values, start_s=stream.start_s, times=stream.times,
        missing=stream.missing,
    )  # fmt: skip


def _session(person: int, names: Sequence[str] | None, seconds: float, group: int) -> Recording:
    """Somebody in the gym with the sensors of a group."""
    named = sites(GROUPS[group], np.random.default_rng([11, person]))
    models = {site: device(place) for place, site in named.items()}
    made = gym.record(
        person, seconds=seconds, names=names, placements=list(named.values()), imu_rate_hz=RATE_HZ, sensors=models
    )
    return replace(made, streams=_placed(dict(made.streams), named))


def _gym(size: Size, group: int) -> Iterator[Recording]:
    first = FIRST["gym"] + 1000 * group
    return (_session(first + p, None, size.seconds, group) for p in range(size.people))


def _made_up(size: Size, group: int) -> Iterator[Recording]:
    for number in range(size.sessions):
        person = FIRST["made_up"] + 1000 * group + number
        drawn = np.random.default_rng([7, person]).choice(size.made_up, size.at_once, replace=False)
        yield _session(person, [f"made-up {i}" for i in drawn], size.seconds, group)


def _cmu(root: Path, size: Size) -> Iterator[Recording]:
    """Every motion of CMU ``copies`` times, with the sensors of another group each time."""
    said: list[str] = []
    for number, (id, label, motion) in enumerate(cmu.motions(root, skip_bad=True, report=said)):
        for copy in range(size.copies):
            rng = np.random.default_rng([13, number, copy])
            streams: dict[str, Stream] = {}
            for place, site in sites(GROUPS[(number + copy * 3) % size.groups], rng).items():
                try:
                    imu = virtual_imu(motion, site, RATE_HZ, model=device(place), rng=rng)
                except ValueError as error:  # half a second of motion, or nobody to wear it
                    said.append(f"{id}, a sensor at {site}: left out: {error}")
                    continue
                worn = imu if device(place) is PHONE_IN_POCKET else imu.turned(LONG)
                streams |= replace(worn, placement=place).streams()
            if streams:
                segments = (Segment(0.0, min(motion.seconds, max(s.end_s for s in streams.values())), label),)
                who = id[:2] if id[:2].isdigit() else "unknown"
                yield Recording(
                    f"{id}_{copy}", streams, segments if label else (), who, f"cmu:{id}", cmu.TWINS.get(id, id)
                )
    _tell("cmu", said)


def _real(name: str, root: Path) -> Iterator[Recording]:
    """Accelerometers and gyroscopes of a data set."""
    said: list[str] = []
    for one in datasets.load(name, root, modalities=("imu",), skip_bad=True, report=said):
        kept_streams = {n: s for n, s in one.streams.items() if s.contract.quantity in ("acc", "gyro")}
        if kept_streams:
            yield replace(one, streams=kept_streams)
    _tell(name, said)


def _tell(name: str, said: Sequence[str]) -> None:
    """What was left out of a set, on stderr."""
    for line in said:
        print(f"{name}: {line}", file=sys.stderr)


def facts(stores: dict[str, Corpus]) -> dict[str, dict[str, Any]]:
    """What provenance tells of the corpora: digest, recordings, licence."""
    out: dict[str, dict[str, Any]] = {}
    for name, store in stores.items():
        card = datasets.DATASETS["gym" if set_of(name) in ("gym", "made_up") else name].CARD
        out[name] = {"digest": store.digest, "recordings": len(store), "licence": card.licence, "source": card.title}
    return out
