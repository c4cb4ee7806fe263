"""Rhythms: learnt from counted sets of some people, they count those of others; what a model reads decides."""

from dataclasses import replace

import numpy as np
import pytest

from kinjo import rhythms
from kinjo.datasets import gym
from kinjo.excerpt import Slot
from kinjo.live import Plan
from kinjo.recording import Contract, Recording, Segment, Stream
from kinjo.repetitions import Rhythm, repetitions
from kinjo.sensors import WATCH

PLAN = Plan(tuple(Slot(q, "imu", q, 96, placement="right_wrist") for q in ("acc", "gyro")), 4.0, 1.0)
NAMES = ("Russian twist", "sit to stand", "squat", "walking", "straight leg raise")


def session(person: int) -> Recording:
    made = gym.record(person, seconds=200.0, names=NAMES, placements=("right_wrist",), sensors={"right_wrist": WATCH})
    return replace(made, streams={name: s for name, s in made.streams.items() if s.contract.modality == "imu"})


@pytest.fixture(scope="module")
def learnt() -> dict[str, Rhythm]:
    return rhythms.learn_rhythms((session(p) for p in range(12)), PLAN)


def test_other_people_are_counted(learnt: dict[str, Rhythm]):
    assert {name: learnt[name].per_period for name in NAMES[:3]} == {
        "Russian twist": 2.0, "sit to stand": 0.5, "squat": 1.0,
    }  # fmt: skip
    assert "walking" not in learnt
    right = []
    for person in range(100, 106):
        recording = session(person)
        for s in recording.segments:
            if s.repetitions and s.label in NAMES[:3]:
                found = repetitions(*rhythms.stretch(recording, PLAN, s.start_s, s.end_s), rhythm=learnt[s.label])
                right.append(abs(found.count - s.repetitions) <= 1)
    assert len(right) > 10
    assert np.mean(right) > 0.9


def test_recordings_of_other_sensors_teach_nothing():
    pose = replace(gym.record(1, seconds=30.0, names=("squat",), placements=()), id="pose")
    assert rhythms.learn_rhythms([pose], PLAN) == {}


def watch(seconds: float, period_s: float = 2.0, units: str = "m/s^2", axes: str = "xyz") -> Recording:
    """Something even, from 3 s on; half of the turning is lost where it is short."""
    t = np.arange(round(seconds * 50)) / 50
    x = np.stack([np.sin(2 * np.pi * t / period_s), np.cos(2 * np.pi * t / period_s), 0 * t + 1], 1).astype(np.float32)
    x = x[:, ["xyz".index(a) for a in axes]] * (9.80665 if units == "m/s^2" else 1.0)
    contract = Contract("imu", "acc", units, 50.0, axes=tuple(axes), placement="right_wrist", gravity=True)
    acc = Stream.of("a", contract, x.astype(np.float32), start_s=3.0)
    gyro = Contract("imu", "gyro", "rad/s", 50.0, placement="right_wrist")
    lost = Stream.of("g", gyro, np.zeros((len(t), 3), np.float32), start_s=3.0, missing=t < 0.6 * seconds)
    return Recording("watch", {"a": acc, "g": lost}, (Segment(3.0, 3.0 + seconds, "stir"),))


def test_a_stretch_is_as_the_model_reads_it():
    plain, rate = rhythms.stretch(watch(20.0), PLAN, 5.0, 15.0)
    assert rate == 24.0
    assert plain.shape == (240, 3)  # what is mostly lost is left out
    t = 2.0 + (np.arange(240) + 0.5) / 24 - 0.01
    np.testing.assert_allclose(plain[:, 0], np.sin(np.pi * t), atol=0.02)
    other, _ = rhythms.stretch(watch(20.0, units="g", axes="zxy"), PLAN, 5.0, 15.0)
    np.testing.assert_allclose(other, plain, atol=1e-5)


def test_an_example_teaches_its_rhythm():
    told = rhythms.taught_rhythm([watch(20.0), watch(16.0)], PLAN, [10, 8])
    assert told is not None
    assert (told.seconds, told.per_period) == (pytest.approx(2.0), 1.0)
    double = rhythms.taught_rhythm([watch(20.0)], PLAN, [20])
    assert double is not None
    assert (double.seconds, double.per_period) == (pytest.approx(1.0), 2.0)
    seen = rhythms.taught_rhythm([watch(20.0)], PLAN, None)
    assert seen is not None
    assert seen.seconds == pytest.approx(2.0, rel=0.1)
    assert rhythms.taught_rhythm([watch(20.0)], PLAN, [0]) is None
    assert rhythms.taught_rhythm([watch(20.0, period_s=1e6)], PLAN, None) is None
    for counts in ([3, 4], [-1]):
        with pytest.raises(ValueError, match="each needs its number"):
            rhythms.taught_rhythm([watch(20.0)], PLAN, counts)


def test_rhythms_are_kept_as_plain_values():
    some = {"a": Rhythm(2.0, 0.2, 0.5), "b": Rhythm(1.0)}
    assert rhythms.from_dict(rhythms.to_dict(some)) == some
    for wrong in ({"a": {"seconds": -1}}, {"a": {"pace": 1}}, {"a": 3}, 3, {"a": {"seconds": "fast"}}):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            rhythms.from_dict(wrong)
