"""signal.py: units, gaps, uneven clocks, the resampler (against sines, straight lines and soxr), windows."""

from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.signal import (
    UNITS,
    Resampler,
    canonical_unit,
    convert,
    fill_missing,
    find_gaps,
    regularize,
    resample,
    resample_missing,
    resample_to,
    resampled_length,
    window_starts,
    windows,
)

RATES = st.sampled_from([10.0, 20.0, 25.0, 30.0, 49.873, 50.0, 52.7, 100.0, 104.0, 200.0])


def _sine(frequency: float, rate: float, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def _amplitude(values: np.ndarray) -> float:
    middle = values[len(values) // 4 : 3 * len(values) // 4]
    return float(np.sqrt(2 * np.mean(middle.astype(np.float64) ** 2)))


# ---- units


@given(st.sampled_from([(q, a, b) for q in UNITS for a in UNITS[q] for b in UNITS[q]]), st.floats(-1e3, 1e3))
def test_units_round_trip(case: tuple[str, str, str], value: float) -> None:
    quantity, a, b = case
    values = np.array([[value, -value, 1.0]])
    if a != b and {a, b} & {"quaternion", "px"}:
        with pytest.raises(ValueError, match="cannot be converted"):
            convert(values, quantity, a, b)
    else:
        np.testing.assert_allclose(
            convert(convert(values, quantity, a, b), quantity, b, a), values, rtol=1e-12, atol=1e-300
        )


def test_convert_knows_its_factors_and_dtypes() -> None:
    assert convert(np.array([2.0]), "acc", "g", "m/s^2")[0] == pytest.approx(19.6133)
    assert convert(np.array([180.0]), "gyro", "deg/s", "rad/s")[0] == pytest.approx(np.pi)
    assert convert(np.array([1500], np.uint16), "depth", "mm", "m").dtype == np.float32
    assert convert(np.array([1.5], np.float32), "position", "m", "mm").dtype == np.float32
    assert convert(np.array([1.5]), "position", "m", "mm").dtype == np.float64


def test_convert_copies_nothing_where_nothing_changes() -> None:
    values = np.arange(6, dtype=np.uint16)
    assert convert(values, "depth", "mm", "mm") is values


@pytest.mark.parametrize(
    ("quantity", "a", "b", "word"), [("speed", "m", "m", "acc"), ("acc", "lb", "g", "lb"), ("acc", "g", "rad", "rad")]
)
def test_convert_names_the_unknown_word(quantity: str, a: str, b: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        convert(np.zeros(3), quantity, a, b)


def test_canonical_unit_is_the_one_with_factor_one() -> None:
    assert [canonical_unit(q) for q in ("acc", "gyro", "position")] == ["m/s^2", "rad/s", "m"]


# ---- gaps and uneven clocks


def test_find_gaps() -> None:
    times = np.array([0.0, 0.02, 0.04, 0.10, 0.12, 0.20])
    np.testing.assert_array_equal(find_gaps(times, 50.0), [[2, 3], [4, 5]])
    assert find_gaps(times, 50.0, tolerance=2.5).tolist() == [[4, 5]]
    assert find_gaps(np.arange(100) / 50.0, 50.0).shape == (0, 2)
    assert find_gaps(np.array([0.0, np.nan, 0.04]), 50.0).tolist() == [[0, 1], [1, 2]]


def test_fill_missing_bridges_in_a_straight_line_and_holds_at_the_ends() -> None:
    values = np.array([np.nan, 1.0, np.nan, np.nan, 4.0, np.inf])
    filled = fill_missing(values, ~np.isfinite(values))
    np.testing.assert_allclose(filled, [1, 1, 2, 3, 4, 4])
    assert fill_missing(values, np.zeros(6, bool)) is values
    assert fill_missing(values, np.ones(6, bool)).tolist() == [0.0] * 6
    assert fill_missing(np.array([[1], [0], [4]], np.uint8), np.array([False, True, False])).tolist() == [[1], [2], [4]]


def _clock(data: Any, n: int, rate: float) -> np.ndarray:
    jitter = data.draw(st.lists(st.floats(-0.3, 0.3), min_size=n, max_size=n))
    return 5.0 + (np.arange(n) + np.array(jitter)) / rate


@given(st.data(), st.integers(2, 60), RATES)
def test_regularize_keeps_a_straight_line(data: Any, n: int, rate: float) -> None:
    times = _clock(data, n, rate)
    line = np.stack([times, -3 * times + 1], axis=1)
    values, start_s, missing = regularize(line, times, rate)
    grid = start_s + np.arange(len(values)) / rate
    assert start_s == times[0]
    assert times[-1] - 1 / rate < grid[-1] <= times[-1] + 1e-6
    assert not missing.any()
    np.testing.assert_allclose(values, np.stack([grid, -3 * grid + 1], axis=1), atol=1e-5)


@given(st.data(), st.integers(2, 60), RATES, st.floats(0.2, 3.0))
def test_regularize_loses_no_missing_sample(data: Any, n: int, rate: float, factor: float) -> None:
    times = _clock(data, n, rate)
    missing = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    values, start_s, mask = regularize(np.where(missing, np.nan, 1.0), times, rate * factor)
    grid = start_s + np.arange(len(values)) / (rate * factor)
    for time in times[missing]:
        assert mask[np.argmin(np.abs(grid - time))]
    np.testing.assert_allclose(values, 1.0 if not missing.all() else 0.0)
    # What is not masked lies between two valid neighbours.
    neighbours = np.clip(np.searchsorted(times, grid - 1e-9), 1, n - 1)
    clean = ~missing[neighbours] & ~missing[neighbours - 1]
    assert not mask[
        clean & (np.abs(grid[:, None] - times[missing][None]).min(1, initial=9) > 1 / (rate * factor))
    ].any()


def test_regularize_masks_inside_a_long_gap_and_bridges_a_short_one() -> None:
    times = np.r_[np.arange(0, 50), np.arange(60, 100), np.arange(150, 200)] / 50.0  # 0.22 s and 1.02 s without samples
    values, _, missing = regularize(times, times, 50.0)
    np.testing.assert_allclose(values, np.arange(200) / 50.0, atol=1e-6)
    assert np.flatnonzero(missing).tolist() == list(range(100, 150))
    assert not regularize(np.arange(4.0), np.arange(4.0), 1.0)[2].any()  # slow, but without gaps


def test_regularize_says_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="increase"):
        regularize(np.zeros(3), np.array([0.0, 2.0, 1.0]), 1.0)
    with pytest.raises(ValueError, match="one time per sample"):
        regularize(np.zeros(3), np.zeros(2), 1.0)
    with pytest.raises(ValueError, match="0 samples"):
        regularize(np.zeros((0, 3)), np.zeros(0), 1.0)


# ---- resampling


@settings(max_examples=60)
@given(RATES, RATES, st.floats(0.02, 0.85))
def test_a_sine_below_the_lower_nyquist_survives(rate_in: float, rate_out: float, share: float) -> None:
    frequency = share * min(rate_in, rate_out) / 2
    out = resample(_sine(frequency, rate_in, 40.0), rate_in, rate_out)
    wanted = _sine(frequency, rate_out, 41.0)[: len(out)]
    middle = slice(len(out) // 4, 3 * len(out) // 4)
    np.testing.assert_allclose(out[middle], wanted[middle], atol=0.02)


@settings(max_examples=60)
@given(RATES, RATES, st.floats(1.15, 4.0))
def test_a_sine_above_the_output_nyquist_is_removed(rate_in: float, rate_out: float, share: float) -> None:
    frequency = share * rate_out / 2
    if frequency < 0.98 * rate_in / 2:
        assert _amplitude(resample(_sine(frequency, rate_in, 40.0), rate_in, rate_out)) < 0.02


@pytest.mark.parametrize(("rate_in", "rate_out"), [(100.0, 50.0), (50.0, 100.0), (30.0, 50.0), (52.7, 50.0)])
def test_agrees_with_soxr(rate_in: float, rate_out: float) -> None:
    rng = np.random.default_rng(0)
    frequencies = rng.uniform(0.1, 0.3, 12) * min(rate_in, rate_out)
    phases = rng.uniform(0, 2 * np.pi, (12, 3))
    time = np.arange(int(60 * rate_in)) / rate_in
    values = np.sin(2 * np.pi * frequencies * time[:, None, None] + phases.T[None]).sum(2).astype(np.float32)
    ours, theirs = resample(values, rate_in, rate_out), soxr.resample(values, rate_in, rate_out, quality="VHQ")
    assert len(ours) == len(theirs)
    middle = slice(len(ours) // 4, 3 * len(ours) // 4)
    np.testing.assert_allclose(ours[middle], theirs[middle], atol=0.02)  # of signals that reach 10


@given(RATES, RATES, st.integers(1, 80), st.floats(-50, 50), st.floats(-1, 1))
def test_constants_and_straight_lines_pass_exactly_up_to_the_ends(
    rate_in: float, rate_out: float, n: int, level: float, slope: float
) -> None:
    out = resample(level + slope * np.arange(n), rate_in, rate_out)
    wanted = level + slope * np.arange(len(out)) * rate_in / rate_out * (n > 1)
    assert len(out) == resampled_length(n, rate_in, rate_out)
    np.testing.assert_allclose(out, wanted, atol=2e-4)


@given(st.data(), RATES, RATES, st.integers(0, 400))
def test_any_chunking_of_a_stream_equals_the_whole(data: Any, rate_in: float, rate_out: float, n: int) -> None:
    values = np.random.default_rng(n).normal(size=(n, 2, 3)).astype(np.float32)
    whole = resample(values, rate_in, rate_out)
    stream, out, at = Resampler(rate_in, rate_out), [], 0
    while at < n:
        size = data.draw(st.integers(0, 120))
        out.append(stream.push(values[at : at + size]))
        at += size
        # The delay is bounded: what is older than the latency is out.
        taken = min(at, n)
        due = ((taken - 1) / rate_in - stream.latency_s) * rate_out
        assert sum(map(len, out)) >= due - 1e-6 or taken < 1.5 * stream.latency_s * rate_in
    out.append(stream.finish())
    joined = np.concatenate([part for part in out if part.ndim == 3] or [whole[:0]])
    assert joined.shape == whole.shape == (resampled_length(n, rate_in, rate_out), 2, 3)
    np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_a_stream_lags_by_its_latency_and_holds_little() -> None:
    stream = Resampler(100.0, 50.0)
    given_out = [len(stream.push(np.zeros((1, 3)))) for _ in range(2000)]
    lag = np.arange(1, 2001) / 100.0 - np.cumsum(given_out) / 50.0
    assert stream.latency_s == pytest.approx(0.24)
    assert lag[100:].max() <= stream.latency_s + 1 / 50.0
    assert stream._buffer is not None
    assert len(stream._buffer) < 100


def test_equal_rates_change_nothing_and_wait_for_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    stream = Resampler(50.0, 50.0)
    np.testing.assert_array_equal(stream.push(values), values)
    assert stream.latency_s == 0.0
    assert stream.finish().shape == (0, 3)


def test_resample_keeps_trailing_shapes_and_gives_float32() -> None:
    assert resample(np.zeros((100, 4, 5, 2)), 100.0, 30.0).shape == (30, 4, 5, 2)
    assert resample(np.zeros((100, 0)), 100.0, 30.0).shape == (30, 0)
    assert resample(np.arange(100), 100.0, 30.0).dtype == np.float32
    assert resample(np.zeros((0, 3)), 100.0, 30.0).shape == (0, 3)


@given(st.data(), RATES, RATES, st.integers(1, 120))
def test_resample_loses_no_missing_sample(data: Any, rate_in: float, rate_out: float, n: int) -> None:
    missing = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    values, mask = resample(np.where(missing, np.nan, 1.0), rate_in, rate_out, missing=np.zeros(n, bool))
    np.testing.assert_array_equal(mask, resample_missing(missing, rate_in, rate_out))
    np.testing.assert_allclose(values, 0.0 if missing.all() else 1.0, atol=1e-5)
    out_times, in_times = np.arange(len(mask)) / rate_out, np.arange(n) / rate_in
    distance = np.abs(out_times[:, None] - in_times[None])
    for i in np.flatnonzero(missing):
        assert mask[np.argmin(distance[:, i])]
    near = np.logical_and(distance < 1 / min(rate_in, rate_out) - 1e-6, missing)
    assert mask[near.any(1)].all()
    far = ~np.logical_and(distance < 1.5 / min(rate_in, rate_out) + 1e-6, missing).any(1)
    assert not mask[far][:-1].any()


def test_a_missing_sample_does_not_ring_into_its_neighbours() -> None:
    values, missing = np.full((200, 3), 9.81), np.zeros(200, bool)
    values[90:100], missing[90:100] = -1e6, True
    out, mask = resample(values, 100.0, 50.0, missing=missing)
    np.testing.assert_allclose(out, 9.81, atol=1e-4)
    assert np.flatnonzero(mask).tolist() == list(range(45, 51))  # 50 lies 10 ms from the last of them


def test_resampling_refuses_what_it_would_smear() -> None:
    with pytest.raises(ValueError, match="missing=mask"):
        resample(np.array([1.0, np.nan, 2.0]), 100.0, 50.0)
    with pytest.raises(ValueError, match="rates must be positive"):
        Resampler(0.0, 50.0)
    stream = Resampler(100.0, 50.0)
    stream.finish()
    with pytest.raises(ValueError, match="finished"):
        stream.push(np.zeros(3))


# ---- whole clips


@given(st.integers(2, 400), st.integers(1, 200), st.floats(-5, 5), st.floats(-0.05, 0.05))
def test_resample_to_is_time_centred(m: int, n: int, level: float, slope: float) -> None:
    line = level + slope * np.arange(m)
    out = resample_to(np.stack([line, -line], 1), n)
    wanted = level + slope * ((np.arange(n) + 0.5) / n * m - 0.5)  # at normalised time (k + 0.5) / n
    assert out.shape == (n, 2)
    np.testing.assert_allclose(out[:, 0], wanted, atol=2e-4)
    np.testing.assert_array_equal(out[:, 0], -out[:, 1])


@settings(max_examples=40)
@given(st.integers(40, 900), st.integers(40, 200), st.floats(0.05, 0.85), st.floats(1.15, 3.0))
def test_resample_to_keeps_and_removes_sines(m: int, n: int, low: float, high: float) -> None:
    time_in, time_out = (np.arange(m) + 0.5) / m, (np.arange(n) + 0.5) / n
    middle = slice(n // 3, 2 * n // 3)
    cycles = low * min(m, n) / 2
    out = resample_to(np.sin(2 * np.pi * cycles * time_in), n)
    if n // 3 > 13 * max(n / m, 1):  # away from what the ends let in
        np.testing.assert_allclose(out[middle], np.sin(2 * np.pi * cycles * time_out)[middle], atol=0.02)
        if high * n < 0.98 * m:
            assert np.abs(resample_to(np.sin(np.pi * high * n * time_in), n)[middle]).max() < 0.02


def test_resample_to_of_short_long_and_equal_clips() -> None:
    assert resample_to(np.full((1, 3), 2.0), 4).tolist() == [[2.0] * 3] * 4
    values = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    same = resample_to(values, 50)
    np.testing.assert_array_equal(same, values)
    assert same is not values
    assert resample_to(np.zeros((100_000, 2, 2)), 64).shape == (64, 2, 2)
    with pytest.raises(ValueError, match="0"):
        resample_to(np.zeros((0, 3)), 10)


def test_resample_to_has_one_answer_for_short_and_long_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(180, 6)).astype(np.float32)
    dense = resample_to(values, 128)
    monkeypatch.setattr("kinjo.signal.DENSE", 0)
    np.testing.assert_allclose(resample_to(values, 128), dense, atol=1e-5)


# ---- windows


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 20))
def test_windows_are_views_of_the_right_samples(n: int, length: int, hop: int) -> None:
    values = np.arange(n * 2).reshape(n, 2)
    starts, view = window_starts(n, length, hop), windows(values, length, hop)
    assert view.shape == (len(starts), length, 2)
    for start, window in zip(starts, view, strict=True):
        np.testing.assert_array_equal(window, values[start : start + length])
    assert len(starts) == len([s for s in range(0, n, hop) if s + length <= n])
    assert len(starts) == 0 or np.shares_memory(view, values)


def test_windows_need_a_length_and_a_hop() -> None:
    with pytest.raises(ValueError, match="hop"):
        windows(np.zeros(10), 4, 0)
