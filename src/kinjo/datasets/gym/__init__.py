"""The simulated gym: random people who exercise, seen by a camera, measured by sensors, told in words. Endless, seeded.

    from kinjo.datasets import gym

    recording = gym.record(0, seconds=120)          # pose, three sensors, segments with repetitions and descriptions
    for clip in gym.clips(names=["squat", "lunge"]): ...   # one movement each, for as long as you like

As a dataset it is ``PEOPLE`` people, ``SESSIONS`` recordings each. Movement is made from key poses (``movements``) by
a body (``person``, ``pose``); sensors come from ``kinjo.simulate``. What it is not: measured. A number that was made on
it says that code works, not how well people are recognised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from kinjo.datasets.card import Card, Split, only_known, wanted_modalities
from kinjo.datasets.gym.movements import MOVEMENTS, NAMES
from kinjo.datasets.gym.person import Person, forward
from kinjo.datasets.gym.record import PLACEMENTS, clips, record, someone
from kinjo.datasets.gym.render import Camera
from kinjo.datasets.gym.session import Session, Task, perform, plan
from kinjo.recording import Recording

PEOPLE, SESSIONS, SECONDS = 20, 3, 120.0
"""The dataset: so many people, recordings of each, and their length in seconds."""
IDS: tuple[str, ...] = tuple(f"p{person:02d}_r{session}" for person in range(PEOPLE) for session in range(SESSIONS))
"""Ids of the recordings: person, recording."""
CAMERA = Camera.around(35.0, height=64, width=64, distance_m=4.0)
"""What films the dataset."""
_PARTS = {"train": range(12), "validation": range(12, 16), "test": range(16, 20)}

CARD = Card(
    name="gym",
    title="The simulated gym",
    citation="kinjo, kinjo.datasets.gym.",
    licence="Apache-2.0",
    url="",
    how_to_get="It comes with kinjo: nothing to get.",
    classes=NAMES,
    subjects=tuple(f"person {person:04d}" for person in range(PEOPLE)),
    placements=PLACEMENTS,
    modalities=("pose", "imu", "video"),
    trainable=True,
    splits={
        "people": Split(
            "subject",
            {part: tuple(i for i in IDS if int(i[1:3]) in people) for part, people in _PARTS.items()},
            "12 people train, 4 validate, 4 test.",
        )
    },
    defects=(
        "Simulated: people differ in body, tempo, range and habits, but nobody was measured.",
        "Joints move along smooth key poses; contacts have no impacts, and sensors read none.",
        "Trunk and feet are rigid, shoulder blades do not move; weights in the hands change nothing.",
    ),
)


def find(root: Path) -> Path | None:
    """The package's own folder: it is always there, wherever ``root`` is."""
    return Path(__file__).parent


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """The recordings of ``IDS`` (``only``: some), id ``p00_r0``, subject ``person 0000``; see ``record``.

    ``modalities`` of ``pose``, ``imu``, ``video``; video is rendered when it is read, 64 x 64 at 15 Hz. ``root``,
    ``skip_bad`` and ``report`` change nothing: there are no files. ``DatasetError`` for unknown ids or modalities.
    """
    chosen, ids = wanted_modalities("gym", modalities, CARD.modalities), only_known("gym", only, IDS)
    return _made(ids, chosen)


def _made(ids: tuple[str, ...], modalities: tuple[str, ...]) -> Iterator[Recording]:
    from dataclasses import replace

    for id in ids:
        person, session = int(id[1:3]), int(id[-1])
        made = record(
            1000 * (person + 1) + session, person=person, seconds=SECONDS,
            placements=PLACEMENTS if "imu" in modalities else (), video=CAMERA if "video" in modalities else None,
        )  # fmt: skip
        kept = {name: s for name, s in made.streams.items() if s.contract.modality in modalities}
        yield replace(made, id=id, streams=kept)


__all__ = [
    "CARD", "IDS", "MOVEMENTS", "NAMES", "PLACEMENTS", "Camera", "Person", "Session", "Task", "clips",
    "find", "forward", "perform", "plan", "record", "recordings", "someone",
]  # fmt: skip
