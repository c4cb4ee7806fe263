"""The smoothing spline: what it must reproduce, what it must remove, and where others' solvers give up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.spline import choose_cutoff, fit

Array = np.ndarray


def sine(hz: float, rate: float, n: int, phase: float = 0.3) -> Array:
    return np.sin(2 * np.pi * hz * np.arange(n) / rate + phase)[:, None]


def amplitude(values: Array, hz: float, times: Array) -> float:
    """Of the part of ``values (n, 1)`` that is a sinusoid of ``hz``."""
    basis = np.stack([np.sin(2 * np.pi * hz * times), np.cos(2 * np.pi * hz * times), np.ones_like(times)], 1)
    found = np.linalg.lstsq(basis, values[:, 0], rcond=None)[0]
    return float(np.hypot(found[0], found[1]))


@given(
    st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    st.sampled_from([5.0, 30.0, 60.0, 120.0, 480.0, 2000.0]),
    st.floats(-3, 0.5),
    st.integers(8, 400),
)
def test_cubics_are_reproduced_whatever_the_smoothing(shape: list[float], rate: float, strength: float, n: int) -> None:
    length = (n - 1) / rate
    cubic = np.polynomial.Polynomial(shape, domain=[0, length], window=[-1, 1])
    curve = fit(np.asarray(cubic(np.arange(n) / rate), np.float64)[:, None], rate, 10**strength * rate)
    times = np.linspace(-0.5 / rate, length + 0.5 / rate, 57)
    for derivative in range(3):
        true = cubic.deriv(derivative)(times) if derivative else cubic(times)
        error = np.abs(curve(times, derivative)[:, 0] - true) / rate**derivative
        assert error.max() < (1e-4, 5e-5, 5e-5)[derivative]  # of 12 at most; per sample, not per second


@pytest.mark.parametrize(
    ("cutoff", "rate"), [(10.0, 30.0), (2.0, 30.0), (6.0, 60.0), (1.5, 120.0), (1.5, 480.0), (1.0, 2000.0)]
)
def test_half_of_the_amplitude_is_left_at_the_cutoff(cutoff: float, rate: float) -> None:
    n = round(24 / cutoff * rate)
    times = np.arange(n) / rate
    inner = slice(n // 4, -n // 4)
    for hz, least, most in ((cutoff, 0.49, 0.51), (cutoff / 2, 0.99, 1.0001), (cutoff * 1.45, 0.0, 0.06)):
        left = amplitude(fit(sine(hz, rate, n), rate, cutoff)(times)[inner], hz, times[inner])
        assert least <= left <= most


@pytest.mark.parametrize("rate", [30.0, 120.0, 480.0])
def test_what_stands_still_stands_still_anywhere(rate: float) -> None:
    for place in (0.0, 1.5, -300.0):
        curve = fit(np.full((200, 1), place), rate, rate / 2)
        assert np.abs(curve(np.linspace(0, 199 / rate, 99), 2)).max() < 1e-6 * max(1.0, abs(place))


def test_at_the_nyquist_frequency_nothing_is_smoothed() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    for cutoff in (15.0, 40.0):
        np.testing.assert_allclose(fit(values, 30.0, cutoff)(np.arange(50) / 30.0), values, atol=1e-5)


@pytest.mark.parametrize(("rate", "cutoff"), [(30.0, 8.0), (480.0, 2.0)])
def test_derivatives_are_those_of_the_values(rate: float, cutoff: float) -> None:
    n = round(3 * rate)
    curve = fit(np.random.default_rng(1).normal(size=(n, 3)).cumsum(0), rate, cutoff)
    times, step = np.linspace(0.01, 2.9, 200), 1e-4
    for derivative in (0, 1, 2, 3):
        slope = (curve(times + step, derivative) - curve(times - step, derivative)) / (2 * step)
        true = curve(times, derivative + 1)
        np.testing.assert_allclose(slope, true, atol=2e-3 * np.abs(true).max())


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.6), st.integers(1, 12))
def test_samples_of_no_weight_do_not_matter(seed: int, cutoff: float, gap: int) -> None:
    rng = np.random.default_rng(seed)
    values, start = rng.normal(size=(60, 2)).cumsum(0), int(rng.integers(0, 60 - gap))
    weights = np.ones(60)
    weights[start : start + gap] = 0
    other = values.copy()
    other[start : start + gap] = np.nan
    times = np.linspace(0, 1.9, 90)
    first, second = (fit(given, 30, 30 * cutoff, weights)(times) for given in (values, other))
    np.testing.assert_array_equal(first, second)


def test_a_short_gap_is_bridged_as_the_movement_goes_on() -> None:
    times, weights = np.arange(180) / 60.0, np.ones(180)
    weights[70:85] = 0  # a quarter of a second
    found = fit(sine(1.0, 60, 180), 60, 30.0, weights)(times, 2)
    true = -((2 * np.pi) ** 2) * sine(1.0, 60, 180)
    assert np.abs(found - true).max() < 0.03 * np.abs(true).max()


@pytest.mark.parametrize("gap", [(0, 200), (40, 300), (100, 400), (5, 395)])
@pytest.mark.parametrize("cutoff", [1.5, 10.0, 60.0])
def test_long_gaps_at_any_place_stay_tame_and_leave_the_known_alone(gap: tuple[int, int], cutoff: float) -> None:
    rate, n = 120.0, 400
    values, weights = 1.0 + sine(0.5, rate, n), np.ones(n)
    weights[slice(*gap)] = 0
    curve = fit(values, rate, cutoff, weights)(np.arange(n) / rate)
    known = weights > 0
    assert np.abs(curve[known] - values[known]).max() < (0.1 if cutoff < 2 else 1e-3)
    assert np.abs(curve).max() < 100


def test_a_gap_at_an_end_is_as_if_the_clip_ended_there() -> None:
    rng = np.random.default_rng(3)
    values, weights = rng.normal(0, 0.01, (150, 1)) + sine(1, 60, 150), np.ones(150)
    weights[:40] = 0
    times = np.arange(40, 150) / 60.0
    cut = fit(values[40:], 60.0, 6.0)(times - 40 / 60, 2)
    np.testing.assert_allclose(fit(values, 60.0, 6.0, weights)(times, 2), cut, atol=2e-3 * np.abs(cut).max())


@given(st.integers(0, 2**32 - 1), st.sampled_from([5.0, 60.0, 480.0, 2000.0]), st.floats(-5, 1), st.booleans())
def test_there_is_always_a_curve(seed: int, rate: float, strength: float, wide: bool) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 300))
    start, gap = rng.integers(0, n), rng.integers(0, n - 6)
    weights = np.ones(n)
    weights[start : start + gap] = 0
    weights[:4] = 1
    cutoff = 10**strength * rate * (10 ** rng.uniform(-1, 1, n) if wide else np.ones(n))
    curve = fit(rng.normal(size=(n, 2)), rate, cutoff, weights)
    assert np.isfinite(curve(np.linspace(0, (n - 1) / rate, 99), 2)).all()


def test_weights_below_one_count_less() -> None:
    values, weights = np.zeros((60, 1)), np.ones(60)
    values[30] = 1.0
    heights = []
    for weight in (1.0, 0.3, 0.01):
        weights[30] = weight
        heights.append(float(fit(values, 30.0, 5.0, weights)(np.array([1.0]))[0, 0]))
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] < 0.05 * heights[0]


@pytest.mark.parametrize("rate", [30.0, 480.0])
def test_a_cutoff_for_each_sample(rate: float) -> None:
    n = round(8 * rate)
    values, times = sine(3.0, rate, n), np.arange(n) / rate
    np.testing.assert_array_equal(fit(values, rate, 6.0).coefficients, fit(values, rate, np.full(n, 6.0)).coefficients)
    curve = fit(values, rate, np.where(times < 4, 1.5, 6.0))(times)
    slow, fast = (times > 1) & (times < 3), (times > 5) & (times < 7)
    assert amplitude(curve[slow], 3.0, times[slow]) < 0.05
    assert amplitude(curve[fast], 3.0, times[fast]) > 0.95


@pytest.mark.parametrize("rate", [30.0, 120.0, 480.0])
def test_the_chosen_cutoff_falls_with_noise(rate: float) -> None:
    rng, n = np.random.default_rng(4), round(6 * rate)
    move = np.concatenate([sine(1.0, rate, n), 0.05 * sine(4.0, rate, n)], 1)
    noise = rng.normal(size=move.shape)
    candidates = np.geomspace(1.5, 0.45 * rate, 12)
    chosen = [choose_cutoff(move + size * noise, rate, candidates) for size in (1e-4, 1e-2, 0.3)]
    assert chosen[0] >= chosen[1] > chosen[2]
    assert chosen[1] > 1.5
    assert chosen[2] < 4


def test_the_chosen_cutoff_does_not_look_at_samples_of_no_weight() -> None:
    rng, candidates = np.random.default_rng(5), np.geomspace(1.5, 13, 12)
    values, weights = sine(1, 30, 120) + rng.normal(0, 0.01, (120, 1)), np.ones(120)
    weights[50:60] = 0
    other = values.copy()
    other[50:60] = np.nan
    assert choose_cutoff(values, 30.0, candidates, weights) == choose_cutoff(other, 30.0, candidates, weights)


def test_what_cannot_be_fitted_says_so() -> None:
    values = sine(1, 30, 30)
    with pytest.raises(ValueError, match="3 of 30"):
        fit(values, 30.0, 5.0, np.arange(30) < 3)
    with pytest.raises(ValueError, match="cutoff_hz"):
        fit(values, 30.0, 0.0)
    with pytest.raises(ValueError, match="cutoff_hz"):
        fit(values, 30.0, np.full(30, np.nan))
    values[3] = np.inf
    with pytest.raises(ValueError, match="weight 0"):
        fit(values, 30.0, 5.0)
    assert np.isfinite(fit(values, 30.0, 5.0, np.arange(30) != 3).coefficients).all()
