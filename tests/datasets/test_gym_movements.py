"""The gym's movements: curves through key poses, gaits, and that every movement looks and moves as it should."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.datasets.gym import curves, gait
from kinjo.datasets.gym.movements import MOVEMENTS, NAMES
from kinjo.datasets.gym.person import Person
from kinjo.datasets.gym.pose import body
from kinjo.datasets.gym.score import Score
from kinjo.datasets.gym.session import Session, Task, single
from kinjo.datasets.gym.words import FAULTS, LABEL_WORDS, describe
from kinjo.motion import J
from kinjo.signal import GRAVITY
from kinjo.simulate import virtual_imu

MM_FIT = (
    "squat", "push-up", "shoulder press", "lunge", "dumbbell row", "sit-up", "triceps extension", "biceps curl",
    "lateral raise", "jumping jack",
)  # fmt: skip
DAILY = (
    "walking", "running", "walking upstairs", "walking downstairs", "sitting", "standing", "lying", "jumping",
)  # fmt: skip
MILD = Person(variation=0.3, fatigue=0.05)


@cache
def done(label: str, fault: str = "", seed: int = 1) -> Session:
    """Four repetitions, or 6 s, of one movement at 100 Hz."""
    faults = (fault,) if fault else ()
    return single(MILD, Task(label, 4, 6.0, faults), np.random.default_rng(seed), rate_hz=100.0)


def joint(session: Session, name: str) -> np.ndarray:
    """Where it is ``(frames, 3)``."""
    return np.asarray(session.motion.positions[:, J[name]])


def turns(height: np.ndarray) -> int:
    """How often a signal goes down through its middle, with hysteresis."""
    low, high = np.quantile(height, [0.02, 0.98])
    state, count = True, 0
    for value in (height - low) / (high - low):
        if state and value < 0.3:
            state, count = False, count + 1
        elif not state and value > 0.7:
            state = True
    return count


@given(st.integers(0, 10_000), st.floats(0, curves.SINUSOIDAL))
def test_a_curve_meets_its_knots_and_does_not_overshoot(seed: int, swing: float) -> None:
    rng = np.random.default_rng(seed)
    knots = np.cumsum(rng.uniform(0.1, 1.0, 8))
    values = np.repeat(rng.normal(size=(4, 3)), 2, axis=0) if seed % 2 else rng.normal(size=(8, 3))
    assert np.allclose(curves.curve(knots, knots, values, swing), values)
    for k in range(7):
        inside = curves.curve(np.linspace(knots[k], knots[k + 1], 50), knots, values, swing)
        low, high = np.minimum(values[k], values[k + 1]), np.maximum(values[k], values[k + 1])
        slack = 0.08 * (high - low) + 1e-12
        assert (inside > low - slack).all()
        assert (inside < high + slack).all()


def test_a_curve_has_no_kinks() -> None:
    rng = np.random.default_rng(0)
    knots, values = np.arange(6.0), rng.normal(size=(6, 2))
    near = 1e-4
    for knot in knots[1:-1]:
        at = curves.curve(knot + near * np.arange(-3.0, 4.0), knots, values, 1.0)
        slope, bend = np.diff(at, axis=0) / near, np.diff(at, 2, axis=0) / near**2
        assert np.ptp(slope, axis=0).max() < 0.02
        assert np.ptp(bend, axis=0).max() < 0.2


def test_swinging_to_and_fro_is_a_sinusoid() -> None:
    t = np.linspace(1, 5, 200)
    knots = np.arange(7.0)
    out = curves.curve(t, knots, np.cos(np.pi * knots)[:, None], curves.SINUSOIDAL)[:, 0]
    assert np.abs(out - np.cos(np.pi * t)).max() < 0.02


def test_in_flight_it_falls_freely() -> None:
    knots, values = np.array([0.0, 0.5, 0.9, 1.5]), np.array([[0.9], [0.95], [0.93], [0.9]])
    t = np.linspace(0.5, 0.9, 41)
    out = curves.curve(t, knots, values, 0.0, [curves.Flight(1, 0)])[:, 0]
    assert np.allclose(np.diff(out, 2) / 0.01**2, -GRAVITY, atol=1e-6)
    around = curves.curve(0.5 + np.array([-1e-5, 0, 1e-5]), knots, values, 0.0, [curves.Flight(1, 0)])[:, 0]
    assert np.diff(around)[0] == pytest.approx(np.diff(around)[1], rel=1e-3)  # it takes off with the flight's speed


def test_there_are_enough_and_all_have_words() -> None:
    assert set(MM_FIT) | set(DAILY) <= set(NAMES)
    assert len(NAMES) >= 28
    for movement in MOVEMENTS.values():
        assert movement.label in LABEL_WORDS
        assert describe(movement.label, np.random.default_rng(0))
        assert {fault.name for fault in movement.faults} <= set(FAULTS)
        assert len(movement.faults) >= (0 if movement.kind == "daily" else 2), movement.label


@pytest.mark.parametrize("label", NAMES)
def test_it_moves_as_a_body_can(label: str) -> None:
    session = done(label)
    joints, rate = session.motion.positions, session.motion.rate_hz
    assert np.isfinite(joints).all()
    if "stairs" not in label:
        assert joints[..., 1].min() > -0.04  # nothing is below the floor
        assert joints[..., 1].min(1).max() < 0.35  # and something is near it, but in a jump
    wrists = joints[:, [J["left_wrist"], J["right_wrist"]]]
    speed = np.linalg.norm(np.diff(wrists, axis=0), axis=-1) * rate
    force = np.linalg.norm(np.diff(wrists, 2, axis=0), axis=-1) * rate**2
    assert speed.max() < 8.0
    assert np.quantile(force, 0.97) < 60.0
    assert force.max() < 130.0
    (span,) = session.spans
    assert span.repetitions == (4 if MOVEMENTS[label].counted else None)
    assert span.start_s == 0.0
    assert span.end_s == pytest.approx(session.motion.seconds, abs=0.03)


@pytest.mark.parametrize(
    ("label", "moving", "axis"),
    [
        ("squat", "pelvis", 1), ("push-up", "neck", 1), ("biceps curl", "right_wrist", 1), ("sit-up", "neck", 1),
        ("jumping", "right_foot", 1), ("sit to stand", "pelvis", 1), ("deadlift", "head", 1), ("lunge", "pelvis", 1),
    ],
)  # fmt: skip
def test_repetitions_are_as_many_as_are_counted(label: str, moving: str, axis: int) -> None:
    signal = joint(done(label, seed=2), moving)[:, axis]
    assert turns(signal) == 4 or turns(-signal) == 4


def test_squat() -> None:
    session = done("squat")
    pelvis = joint(session, "pelvis")[:, 1]
    assert pelvis.min() < 0.68 * pelvis.max()
    for side in ("left", "right"):
        ankle = joint(session, f"{side}_ankle")
        assert np.ptp(ankle, axis=0).max() < 0.02  # feet stay
        assert (joint(session, f"{side}_knee")[pelvis.argmin()] - ankle[pelvis.argmin()])[1] > 0.2


def test_push_up_is_on_hands_and_toes() -> None:
    session = done("push-up")
    for name in ("left_wrist", "right_wrist", "left_foot", "right_foot"):
        assert joint(session, name)[:, 1].max() < 0.08, name
        assert np.ptp(joint(session, name), axis=0).max() < 0.04, name
    assert np.ptp(joint(session, "neck")[:, 1]) > 0.2
    assert joint(session, "pelvis")[:, 1].max() < 0.6
    back = joint(session, "neck") - joint(session, "pelvis")
    legs = joint(session, "pelvis") - (joint(session, "left_ankle") + joint(session, "right_ankle")) / 2
    straight = (back * legs).sum(-1) / np.linalg.norm(back, axis=-1) / np.linalg.norm(legs, axis=-1)
    assert straight.min() > 0.96


def test_sit_up_is_on_the_back() -> None:
    session = done("sit-up")
    assert np.ptp(joint(session, "pelvis"), axis=0).max() < 0.02
    assert joint(session, "pelvis")[0, 1] < 0.2
    neck = joint(session, "neck")[:, 1]
    assert neck.min() < 0.25
    assert neck.max() > 0.5
    assert done("sit-up").motion.rotations is not None


def test_faults_show() -> None:
    whole, half = (joint(done("squat", fault), "pelvis")[:, 1] for fault in ("", "half range"))
    assert np.ptp(half) < 0.65 * np.ptp(whole)
    deep = joint(done("squat"), "pelvis")[:, 1].argmin()
    apart = [
        np.linalg.norm(joint(done("squat", fault), "left_knee")[deep] - joint(done("squat", fault), "right_knee")[deep])
        for fault in ("", "knees inwards")
    ]
    assert apart[1] < 0.8 * apart[0]
    assert done("squat", "too fast").motion.seconds < 0.75 * done("squat").motion.seconds
    left, right = (np.ptp(joint(done("lateral raise", "uneven sides"), f"{s}_wrist")[:, 1]) for s in ("left", "right"))
    assert left < 0.8 * right


def test_fatigue_slows_and_shortens() -> None:
    tired = Person(variation=0.0, fatigue=0.3)
    session = single(tired, Task("squat", 10, 0.0), np.random.default_rng(5), rate_hz=100.0)
    bounds = np.array(session.spans[0].bounds)
    assert len(bounds) == 11
    assert np.diff(bounds)[7:].mean() > np.diff(bounds)[:3].mean()
    pelvis = joint(session, "pelvis")[:, 1]
    depths = [pelvis[int(a * 100) : int(b * 100)].min() for a, b in pairwise(bounds)]
    assert depths[9] > depths[0] + 0.02


@pytest.mark.parametrize(("label", "share"), [("jumping", 0.10), ("running", 0.15), ("jumping jack", 0.2)])
def test_there_is_flight(label: str, share: float) -> None:
    force = np.linalg.norm(virtual_imu(done(label).motion, "waist", 100.0, cutoff_hz=30.0).acc, axis=-1)
    assert (force < 1.5).mean() > share
    assert np.linalg.norm(virtual_imu(done("walking").motion, "waist", 100.0).acc, axis=-1).min() > 4.0


@pytest.mark.parametrize("name", list(gait.GAITS))
def test_feet_do_not_slide_when_they_carry(name: str) -> None:
    person, rng = Person.random(np.random.default_rng(2)), np.random.default_rng(0)
    flat = not gait.GAITS[name].rise
    walk = gait.lay(person, rng, name, gait.Place(0.3, 0.0, -0.2, 40.0), seconds=8.0, bend=0.2 * flat)
    times = np.arange(0, walk.seconds, 0.01)
    joints, _ = body(person, gait.poses(person, walk, times))
    toes = joints[:, [J["left_foot"], J["right_foot"]]]
    speed = np.linalg.norm(np.diff(toes, axis=0), axis=-1) * 100
    # one foot stands still nearly all the time, but in running, and a foot on the floor does
    assert (speed < 0.25).any(1).mean() > (0.45 if name == "run" else 0.85)
    if flat:
        assert np.median(speed[toes[1:, :, 1] < 0.03]) < 0.3
    way = float(np.linalg.norm(joints[-1, 0] - joints[0, 0]))
    assert 2.0 < way < 25.0
    assert np.hypot(walk.end.x - joints[-1, 0, 0], walk.end.z - joints[-1, 0, 2]) < 0.1
    assert np.abs(np.diff(joints[:, 0], 2, axis=0)).max() * 1e4 < 45.0


def test_stairs_go_up_and_down() -> None:
    for label, sign in (("walking upstairs", 1), ("walking downstairs", -1)):
        session = done(label)
        rise = (joint(session, "pelvis")[-1, 1] - joint(session, "pelvis")[0, 1]) * sign
        assert rise > 0.8
        assert session.floor[-1] * sign == pytest.approx(rise, abs=0.1)


def test_the_way_there_and_back_is_smooth() -> None:
    for label in ("push-up", "lying", "sitting", "inline lunge", "walking"):
        person = Person.random(np.random.default_rng(9))
        score = Score(person, np.random.default_rng(3))
        score.perform(MOVEMENTS[label], repetitions=2, seconds=4.0)
        score.stand()
        joints = score.play(100.0).positions
        middle = joints[:, [J["pelvis"], J["neck"], J["head"], J["left_wrist"], J["right_wrist"]]]
        assert np.linalg.norm(np.diff(middle, 2, axis=0), axis=-1).max() * 1e4 < 60.0, label
        assert joints[-1, J["head"], 1] > 0.85 * person.height_m
        assert joints[..., 1].min() > -0.08, label
