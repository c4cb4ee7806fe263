"""Simulated recordings that the benchmarks of the joint space pre-train on, kept in ``.bench``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from _tools import ROOT
from kinjo import corpus
from kinjo.datasets import gym
from kinjo.recording import Recording
from kinjo.sensors import PHONE_IN_POCKET


def pocket(clips: int = 1440, people: int = 400) -> corpus.Corpus:
    """Clips of all movements of the gym: pose, and a phone in the left or the right pocket, with a phone's faults."""

    def made() -> Iterator[Recording]:
        each = [
            gym.clips(
                clips // 2, seed, placements=(side,), sensors={side: PHONE_IN_POCKET}, seconds=(8.0, 12.0),
                repetitions=(3, 6), people=people,
            )
            for seed, side in ((10, "left_pocket"), (11, "right_pocket"))
        ]  # fmt: skip
        return chain(*each)

    origin = f"gym, {clips} clips of {people} people, a phone in either pocket, seeds 10 and 11"
    return corpus.kept(ROOT / ".bench" / "gym-pocket", origin, made)
