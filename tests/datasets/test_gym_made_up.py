"""Movements made up from a number: always the same, of any kind, by bodies that stay within limits and on the floor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.datasets import gym
from kinjo.datasets.gym.made_up import LIMITS, POSTURES, SPEED_DEG, made_up, number_of
from kinjo.datasets.gym.movements import movement
from kinjo.motion import J

SOME = [made_up(number) for number in range(300)]


def test_a_number_is_a_movement():
    made_up.cache_clear()
    assert made_up(17) == SOME[17] != SOME[18]
    assert movement("made-up 17") == SOME[17]
    assert movement("squat").label == "squat"


@pytest.mark.parametrize("label", ["made-up", "made-up ", "made-up x", "made-up -1", "squat", "made-up 1.5", ""])
def test_other_labels_have_no_number(label: str):
    assert number_of(label) is None


def test_they_are_of_every_kind():
    assert {m.posture for m in SOME} == set(POSTURES)
    assert {m.sides for m in SOME} == {"both", "one", "alternate"}
    assert {len(m.keys) for m in SOME} >= {1, 2, 3, 4}
    assert any(key.flies for m in SOME for key in m.keys)
    assert 0.1 < np.mean([len(m.variants) > 1 for m in SOME]) < 0.9
    lengths = np.array([m.seconds for m in SOME]).mean(1)
    assert np.percentile(lengths, 5) < 1.6
    assert np.percentile(lengths, 95) > 3.0


def test_joints_keep_to_their_limits_and_speeds():
    for m in SOME:
        for key in m.keys:
            for name, value in key.pose.items():
                plain = name.removeprefix("right_")
                if plain in LIMITS and plain not in ("tilt", "abduct"):
                    low, high = LIMITS[plain]
                    assert low - 1e-9 <= value <= high + 2.0, (m.label, name, value)
        ats = [0.0, *(key.at for key in m.keys), 1.0]
        assert (np.diff(ats) > 0.05).all()
        for (a, one), (b, other) in zip(
            zip(ats[1:], m.keys, strict=False), zip(ats[2:], m.keys[1:], strict=False), strict=False
        ):
            for name in set(one.pose) & set(other.pose) & {"shoulder", "elbow", "rotate"}:
                assert abs(other.pose[name] - one.pose[name]) <= SPEED_DEG * (b - a) * m.seconds[0] + 1e-6


@settings(max_examples=12, deadline=None)
@given(number=st.integers(0, 100_000))
def test_a_person_can_do_it(number: int):
    clip = next(gym.clips(1, number, names=[f"made-up {number}"], repetitions=(2, 2), placements=("right_wrist",)))
    pose = clip.streams["pose"].values()
    assert np.isfinite(pose).all()
    legs = [J[f"{side}_{joint}"] for side in ("left", "right") for joint in ("hip", "knee", "ankle")]
    assert pose[:, legs, 1].min() > -0.1, "no leg goes through the floor"
    assert np.abs(pose[:, J["pelvis"], 1]).max() < 1.6, "nobody flies away"
    acc = clip.streams["right_wrist.acc"].values()
    assert np.linalg.norm(acc, axis=1).max() < 150.0
    assert clip.segments[0].repetitions == 2
    assert clip.segments[0].description == "", "nobody has words for it"


def test_sessions_mix_them_with_those_that_have_names():
    made = gym.record(5, seconds=60, names=("squat", "made-up 12", "made-up 3"), placements=())
    assert {s.label for s in made.segments} <= {"squat", "made-up 12", "made-up 3"}
    assert len(made.segments) >= 2
    with pytest.raises(ValueError, match="no movement made-up x"):
        gym.record(5, seconds=60, names=("made-up x",))
