"""Signals as pictures: what a view shows is what is there, however long the signal and however short the span."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinjo.recording import Contract, Stream
from kinjo.studio.pyramid import BLOCK, FACTOR, Pyramid, edges_of, samples, spans

ACC = Contract("imu", "acc", "m/s^2", 100.0, placement="right_wrist", gravity=True)


def stream_of(length: int, seed: int, *, holes: bool = False, timed: bool = False) -> Stream:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 3, (length, 3)).astype(np.float32)
    times = np.cumsum(rng.uniform(0.001, 0.03, length)) if timed else None
    return Stream.of("acc", ACC, values, times=times, missing=rng.random(length) < 0.3 if holes else None)


def naive(stream: Stream, low: int, high: int) -> np.ndarray:
    part = samples(stream, low, high)
    out = np.full((part.shape[1], 2), np.nan, np.float32)
    for channel, column in enumerate(part.T):
        there = column[np.isfinite(column)]
        if len(there):
            out[channel] = there.min(), there.max()
    return out


@given(
    st.integers(1, 20_000), st.integers(0, 99), st.integers(1, 60), st.booleans(), st.booleans(),
    st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
def test_a_bin_shows_its_samples_and_none_far_from_it(length, seed, bins, holes, timed, a, b):
    stream = stream_of(length, seed, holes=holes, timed=timed)
    first, last = float(stream.clock(0, 1)[0]), stream.end_s
    low, high = sorted((first + a * (last - first), first + b * (last - first)))
    edges = edges_of(stream, low, high + 1e-3, bins)
    assert (np.diff(edges) >= 0).all()
    found = Pyramid.of(stream).bins(edges)
    assert found.shape == (bins, 3, 2)
    longest = max(float(np.median(np.diff(edges))), 1.0)
    for k in range(bins):
        least, most = naive(stream, int(edges[k]), int(edges[k + 1])).T
        around = naive(stream, max(0, int(edges[k] - longest)), min(length, int(edges[k + 1] + longest)))
        there = np.isfinite(least)
        assert (found[k, there, 0] <= least[there]).all()
        assert (found[k, there, 1] >= most[there]).all()
        seen = np.isfinite(found[k, :, 0])
        assert (found[k, seen, 0] >= around[seen, 0]).all()
        assert (found[k, seen, 1] <= around[seen, 1]).all()


@given(st.integers(1, 3000), st.integers(0, 99), st.integers(1, 40))
def test_short_bins_are_exact(length, seed, bins):
    stream = stream_of(length, seed, holes=True)
    edges = np.sort(np.random.default_rng(seed).integers(0, length + 1, bins + 1))
    if np.median(np.diff(edges)) >= BLOCK:
        return
    found = Pyramid.of(stream).bins(edges)
    for k in range(bins):
        np.testing.assert_array_equal(found[k], naive(stream, int(edges[k]), int(edges[k + 1])))


@given(st.integers(1, 50_000), st.integers(0, 9))
def test_every_level_holds_the_extremes_of_all(length, seed):
    stream = stream_of(length, seed)
    pyramid, whole = Pyramid.of(stream), naive(stream, 0, length)
    for level, pairs in enumerate(pyramid.levels):
        assert len(pairs) == -(-length // (BLOCK * FACTOR**level))
        np.testing.assert_array_equal(pairs[..., 0].min(0), whole[:, 0])
        np.testing.assert_array_equal(pairs[..., 1].max(0), whole[:, 1])
    assert len(pyramid.levels[-1]) <= FACTOR


def test_a_view_of_a_long_signal_reads_little():
    read = []
    values = np.zeros((1 << 20, 1), np.float32)

    def counted(start: int, stop: int) -> np.ndarray:
        read.append(stop - start)
        return values[start:stop]

    pyramid = Pyramid.of(Stream("acc", ACC, len(values), counted))
    assert sum(read) == len(values)
    read.clear()
    pyramid.bins(edges_of(pyramid.stream, 0.0, 10_000.0, 1000))
    assert sum(read) == 0
    pyramid.bins(edges_of(pyramid.stream, 0.0, 100.0, 1000))
    assert sum(read) == 10_000


def test_where_nothing_is_nothing_is_shown():
    empty = Pyramid.of(Stream.of("acc", ACC, np.zeros((0, 3), np.float32)))
    assert len(empty.levels[0]) == 0
    none = np.array([0, 5, 9])
    assert np.isnan(spans(np.zeros((0, 3, 2), np.float32), none, none + 1)).all()
    gap = stream_of(10, 0)
    assert np.isnan(Pyramid.of(gap).bins(edges_of(gap, 50.0, 60.0, 4))).all()
