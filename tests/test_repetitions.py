"""Repetitions of made movements of known number; any number, tempo, direction and drift."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinjo.body import CANONICAL
from kinjo.repetitions import Rhythm, body_repetitions, period, repetitions, rhythm_of, rhythm_seen, smoothed

RATE = 50.0


def movement(count: int, seconds: float, channels: int = 3, seed: int = 0, uneven: float = 0.0) -> NDArray[np.float64]:
    """``count`` times from rest to the far end and back, along a random direction, with noise."""
    rng = np.random.default_rng(seed)
    each = seconds * (1 + uneven * rng.uniform(-1, 1, count))
    phase = np.concatenate([np.linspace(k, k + 1, round(RATE * s), endpoint=False) for k, s in enumerate(each)])
    along = 0.5 - 0.5 * np.cos(2 * np.pi * phase) + 0.2 * np.sin(4 * np.pi * phase)
    x = along[:, None] * rng.standard_normal(channels)
    return x + 0.03 * rng.standard_normal(x.shape)


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 25), st.floats(0.8, 5.0), st.integers(1, 6), st.integers(0, 1000), st.floats(0.0, 0.15))
def test_every_repetition_counts_once(count: int, seconds: float, channels: int, seed: int, uneven: float):
    x = movement(count, seconds, channels, seed, uneven)
    found = repetitions(x, RATE)
    assert found.count == count
    assert len(found.peaks_s) == count
    assert (np.diff(found.peaks_s) > 0.3 * seconds).all()
    assert found.period_s == pytest.approx(seconds, rel=0.25)


@pytest.mark.parametrize("count", [1, 2])
def test_few_count_as_ways_there_and_back(count: int):
    assert repetitions(movement(count, 2.0), RATE).count == count


def test_a_way_back_counts_when_it_has_arrived():
    x = movement(1, 3.0)
    assert repetitions(x[:80], RATE).count == 0
    assert repetitions(x[:120], RATE).count == 0
    assert repetitions(x, RATE).count == 1
    assert repetitions(np.concatenate([x, x[:70]]), RATE).count == 1


def test_smaller_repetitions_count_too():
    x = movement(12, 2.0) * np.linspace(1.0, 0.4, 1200)[:, None]
    assert repetitions(x + np.linspace(0, 3, 1200)[:, None], RATE).count == 12


@pytest.mark.parametrize(
    "x",
    [np.zeros((500, 3)), np.ones((3, 2)), np.zeros((0, 3)), np.full((100, 2), np.nan), np.full((400, 1), 9.81)],
)
def test_rest_and_nothing_are_no_repetitions(x: NDArray[np.float64]):
    assert repetitions(x, RATE).count == 0


def test_gaps_and_what_is_not_a_number_are_bridged():
    x, gone = movement(8, 2.0), np.zeros(800, bool)
    gone[[5, 100, 101, 102, 420, 799]] = True
    damaged = np.where(gone[:, None], np.nan, x)
    assert repetitions(damaged, RATE).count == 8
    assert repetitions(np.where(gone[:, None], 1e9, x), RATE, missing=gone).count == 8


def test_less_than_the_least_is_no_movement():
    x = 0.01 * movement(8, 2.0)
    assert repetitions(x, RATE).count == 8
    assert repetitions(x, RATE, least=0.5).count == 0


def body(count: int) -> NDArray[np.float64]:
    """A walking room with a body whose hands go up and down; metres."""
    n = len(movement(count, 2.0))
    out = np.zeros((n, len(CANONICAL.joints), 3)) + np.linspace(0, 9, n)[:, None, None]
    hand = CANONICAL.joints.index("left_wrist")
    out[:, hand, 1] += 0.5 * (1 - np.cos(2 * np.pi * np.arange(n) / (2.0 * RATE)))
    return out


def test_a_body_is_counted_about_its_hips():
    x, gone = body(6), np.zeros((600, 17), bool)
    assert body_repetitions(x, RATE).count == 6
    gone[50:55] = True
    gone[:, CANONICAL.joints.index("left_ankle")] = True
    assert body_repetitions(np.where(gone[..., None], np.nan, x), RATE, missing=gone).count == 6
    assert body_repetitions(x, RATE, missing=np.ones((600, 17), bool)).count == 0
    assert body_repetitions(0.05 * x, RATE).count == 0


def test_smoothing_keeps_lines_and_length():
    x = np.linspace(0, 1, 40)[:, None]
    assert smoothed(x, 3.0).shape == x.shape
    np.testing.assert_allclose(smoothed(x, 3.0)[12:-12], x[12:-12], atol=1e-12)
    np.testing.assert_allclose(smoothed(np.ones((5, 2)), 50.0), np.ones((5, 2)))
    assert smoothed(x, 0.0) is x


def test_noise_has_no_period():
    assert period(smoothed(np.random.default_rng(1).standard_normal((400, 2)), 0.5), 10.0) is None


def in_turn(count: int, seconds: float, seed: int) -> NDArray[np.float64]:
    """One side and then the other: a sensor goes one way and then the other way."""
    x = movement(count, seconds, seed=seed)
    side = (-1.0) ** (np.arange(len(x)) / RATE / seconds).astype(int)
    return x * side[:, None]


def twice_alike(count: int, seconds: float, seed: int) -> NDArray[np.float64]:
    """There and back feel alike."""
    return movement(2 * count, seconds / 2, seed=seed)


WAYS = {1.0: movement, 2.0: in_turn, 0.5: twice_alike}


@pytest.mark.parametrize("per_period", WAYS)
@settings(deadline=None, max_examples=20)
@given(st.integers(4, 15), st.floats(0.8, 1.25), st.integers(0, 1000))
def test_a_rhythm_tells_what_the_signal_does_not(per_period: float, count: int, tempo: float, seed: int):
    x = WAYS[per_period](count, 2.0 * tempo, seed=seed)
    found = repetitions(x, RATE, rhythm=Rhythm(2.0, per_period=per_period))
    assert abs(found.count - count) <= 1
    assert found.period_s == pytest.approx(2.0 * tempo, rel=0.1)


@pytest.mark.parametrize("per_period", WAYS)
def test_a_rhythm_is_learnt_from_counted_sets(per_period: float):
    rng = np.random.default_rng(0)
    sets = [
        (WAYS[per_period](n, float(seconds), seed=seed), RATE, n)
        for seed, (n, seconds) in enumerate(zip(range(4, 14), np.exp(rng.normal(np.log(2.5), 0.15, 10)), strict=True))
    ]
    found = rhythm_of(sets)
    assert found is not None
    assert found.per_period == per_period
    assert found.seconds == pytest.approx(2.5, rel=0.15)
    assert 0.1 < found.spread < 0.25
    alone = rhythm_of(sets[5:6])  # one set tells it too; how much people differ is then believed
    assert alone is not None
    assert (alone.per_period, alone.spread) == (per_period, pytest.approx(0.2165, abs=1e-3))


def test_what_cannot_be_counted_has_no_rhythm():
    rng = np.random.default_rng(0)
    noise = [(rng.standard_normal((500, 3)), RATE, int(rng.integers(1, 40))) for _ in range(20)]
    assert rhythm_of(noise) is None
    assert rhythm_of([]) is None
    assert rhythm_of([(movement(5, 2.0), RATE, 0)]) is None
    seen = rhythm_seen(movement(8, 2.0), RATE)
    assert seen is not None
    assert (seen.per_period, seen.seconds) == (1.0, pytest.approx(2.0))
    assert rhythm_seen(movement(1, 2.0), RATE) is None
    assert rhythm_seen(np.zeros((500, 3)), RATE) is None
    for wrong in ((0.0,), (2.0, -1.0), (2.0, 0.2, np.nan)):
        with pytest.raises(ValueError, match="three positive numbers"):
            Rhythm(*wrong)


def test_few_repetitions_of_a_known_rhythm_are_counted():
    assert repetitions(movement(1, 3.0), RATE, rhythm=Rhythm(3.0)).count <= 2
    assert repetitions(np.zeros((300, 2)), RATE, rhythm=Rhythm(3.0)).count == 0
    assert repetitions(np.zeros((5, 2)), RATE, rhythm=Rhythm(3.0)).count == 0
