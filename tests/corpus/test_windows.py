from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo import corpus, signal
from kinjo.corpus import NULL, Corpus, CorpusError, Slot, WindowIndex, shard, writer
from kinjo.recording import Contract, Recording, Segment, Stream

Make = Callable[..., Recording]
ACC, POSE = Slot("acc", "imu", "acc", 100), Slot("pose", "pose", "position", 60)


def spans(*rows: tuple[int, float, float]) -> WindowIndex:
    recording, start, end = zip(*rows, strict=True)
    return WindowIndex(np.array(recording), np.array(start, float), np.array(end, float), np.zeros(len(rows), int))


def one(opened: Corpus, start: float, end: float, slot: Slot) -> tuple[np.ndarray, np.ndarray]:
    values, missing = corpus.read(opened, spans((0, start, end)), slice(None), [slot])
    return values[slot.key][0], missing[slot.key][0]


def test_segment_and_sliding_windows(tmp_path: Path, made: Make) -> None:
    segments = (Segment(0.0, 2.0, "walk"), Segment(2.5, 4.0, "run"), Segment(2.6, 2.9, "jump"))
    opened = corpus.write([replace(made("a"), segments=segments), made("b", 9.9, label="")], tmp_path)
    by_segment = corpus.segment_windows(opened, ["b", "a"])
    assert by_segment.labels == (NULL, "jump", "run", "walk")
    assert by_segment.recording.tolist() == [0, 0, 0]
    assert by_segment.label_names.tolist() == ["walk", "run", "jump"]
    assert by_segment.end_s.tolist() == [2.0, 4.0, 2.9]
    sliding = corpus.sliding_windows(opened, ["a", "b"], 1.0, 0.5)
    assert (sliding.recording == 0).sum() == 7
    assert sliding.label_names[:7].tolist() == ["walk", "walk", "walk", NULL, "run", "run", "run"]
    assert (sliding.recording == 1).sum() == 18
    assert set(sliding.label_names[7:]) == {NULL}
    assert sliding.labels == by_segment.labels
    chosen = sliding.take(sliding.label > 0)
    assert len(chosen) == 6
    nested = corpus.sliding_windows(opened, ["a"], 0.2, 0.05)
    assert "jump" in nested.label_names
    assert len(corpus.sliding_windows(opened, ["a"], 4.001, 1.0)) == 0
    assert len(corpus.sliding_windows(opened, ["a"], 4.0, 1.0)) == 1
    beyond = corpus.sliding_windows(opened, ["a"], 1.0, 0.5, least=0.5)
    assert (beyond.start_s[-1], beyond.end_s[-1]) == (3.5, 4.5)  # half of the last lies within
    assert corpus.sliding_windows(opened, ["a"], 99.0, 1.0, least=0.5).end_s.tolist() == [99.0]  # one at least
    assert len(corpus.segment_windows(opened, ["b"])) == 0
    last = corpus.sliding_windows(
        opened, ["a"], 1, 1, label_rule=lambda segments, start, end: [s.label for s in segments] + ["x"]
    )
    assert last.label_names.tolist() == ["walk", "run", "jump", "x"]
    with pytest.raises(ValueError, match="must be positive"):
        corpus.sliding_windows(opened, ["a"], 1.0, 0.0)
    with pytest.raises(CorpusError, match="no recording 'nobody'"):
        corpus.segment_windows(opened, ["nobody"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 100)), min_size=1, max_size=12), st.integers(1, 100))
def test_read_is_a_slice_where_rates_agree(tmp_path_factory: pytest.TempPathFactory, made: Make,
                                           picks: list[tuple[int, int]], n: int) -> None:  # fmt: skip
    root = tmp_path_factory.getbasetemp() / "slices"
    given = [made(f"r{k}", seed=k) for k in range(3)]
    opened = corpus.write(given, root)
    index = spans(*[(r, first / 50, (first + n) / 50) for r, first in picks])
    rows = np.arange(len(picks))[::-1]
    values, missing = corpus.read(opened, index, rows, [replace(ACC, samples=n)])
    assert values["acc"].shape == (len(picks), n, 3)
    assert values["acc"].dtype == np.float32
    assert not missing["acc"].any()
    for row, (r, first) in zip(values["acc"], picks[::-1], strict=True):
        np.testing.assert_array_equal(row, given[r].streams["acc"].values(first, first + n))


@settings(max_examples=40, deadline=None)
@given(st.floats(-3, 6), st.floats(0.02, 7), st.integers(1, 90), st.booleans())
def test_read_is_resampling_and_masks_by_hand(tmp_path_factory: pytest.TempPathFactory, made: Make,
                                              start: float, length: float, n: int, holes: bool) -> None:  # fmt: skip
    root = tmp_path_factory.getbasetemp() / f"by-hand-{holes}"
    acc = made("a").streams["acc"]
    hidden = (np.arange(200) // 20) % 3 == 1 if holes else None
    recording = Recording("a", {"acc": replace(acc, missing=hidden)})
    opened = corpus.write([recording], root)
    values, missing = one(opened, start, start + length, replace(ACC, samples=n))
    first, last = (int(np.ceil(t * 50 - 1e-6)) for t in (start, start + length))
    inside = [k for k in range(first, last) if 0 <= k < 200]
    if not inside or (holes and hidden is not None and hidden[inside].all()):
        assert missing.all()
        assert not values.any()
        return
    native = np.asarray(acc.values())
    lost = np.ones(last - first, bool)
    lost[[k - first for k in inside]] = False if hidden is None else hidden[inside]
    good = [k for k in inside if hidden is None or not hidden[k]]
    clip = np.stack([np.interp(range(first, last), good, native[good, c]) for c in range(3)], 1).astype(np.float32)
    if not lost.any():
        np.testing.assert_array_equal(clip, native[first:last])
    expected = clip if n == last - first else signal.resample_to(clip, n)
    for k in range(n):
        low, high = k * (last - first) / n, (k + 1) * (last - first) / n
        share = sum(max(0.0, min(high, j + 1) - max(low, j)) for j in range(last - first) if lost[j]) / (high - low)
        if abs(share - 0.5) > 1e-6:
            assert missing[k] == (share > 0.5)
    np.testing.assert_allclose(values[~missing], expected[~missing], atol=2e-5)
    assert not values[missing].any()


def test_absent_streams_are_missing_and_placements_are_matched(tmp_path: Path, made: Make) -> None:
    wrist = made("a").streams["acc"]
    thigh = Stream.of("thigh", replace(wrist.contract, placement="left_thigh"), wrist.values() + 9)
    none = Recording("b", {"pose": made("a").streams["pose"]})
    opened = corpus.write([made("a").with_stream(thigh), none, Recording("c", {"thigh": thigh})], tmp_path)
    index = spans((0, 0, 2), (1, 0, 2), (2, 0, 2))
    slots = [
        ACC,
        replace(ACC, key="thigh", placement="left_thigh"),
        replace(ACC, key="no_gravity", gravity=False),
        POSE,
        replace(POSE, key="coco", skeleton="coco"),
        Slot("gyro", "imu", "gyro", 10),
        Slot("depth", "video", "depth", 4, size=(6, 8)),
        Slot("rgb", "video", "rgb", 4, size=(6, 8)),
    ]
    values, missing = corpus.read(opened, index, [0, 1, 2], slots)
    first = wrist.values(0, 100)
    np.testing.assert_array_equal(values["acc"], [first, first * 0, first + 9])
    np.testing.assert_array_equal(values["thigh"], [first + 9, first * 0, first + 9])
    assert missing["acc"].all(1).tolist() == missing["thigh"].all(1).tolist() == [False, True, False]
    for key, shape in (
        ("no_gravity", (3, 100, 3)),
        ("gyro", (3, 10, 3)),
        ("depth", (3, 4, 6, 8)),
        ("rgb", (3, 4, 6, 8, 3)),
    ):
        assert values[key].shape == shape
        assert missing[key].all()
        assert not values[key].any()
    assert missing["pose"].all(1).tolist() == [False, False, True]
    assert missing["coco"].all()


def test_a_window_of_a_long_stream_holds_the_window_alone(
    tmp_path: Path, made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PIECE", 150)
    monkeypatch.setattr(shard, "PIECE", 150)
    opened = corpus.write([made("a")], tmp_path)
    assert len(opened.entries[0].streams[0].rows) == 4
    monkeypatch.setattr(Corpus, "view", lambda *_: pytest.fail("the whole stream was asked for"))
    values, missing = one(opened, 0.5, 2.5, ACC)
    np.testing.assert_array_equal(values, made("a").streams["acc"].values(25, 125))
    assert not missing.any()


def test_units_are_converted(tmp_path: Path, made: Make) -> None:
    acc = made("a").streams["acc"]
    in_g = replace(acc, contract=replace(acc.contract, units="g"))
    opened = corpus.write([Recording("a", {"acc": acc}), Recording("b", {"acc": in_g})], tmp_path)
    index = spans((0, 0, 2), (1, 0, 2))
    values, _ = corpus.read(opened, index, [1, 0], [ACC])
    np.testing.assert_allclose(values["acc"][0], acc.values(0, 100) * 9.80665, rtol=1e-6)
    np.testing.assert_array_equal(values["acc"][1], acc.values(0, 100))
    values, _ = corpus.read(opened, index, [1], [replace(ACC, units="g")])
    np.testing.assert_array_equal(values["acc"][0], acc.values(0, 100))


def test_numbers_that_are_not_finite_do_not_spread(tmp_path: Path, made: Make) -> None:
    acc = made("a").streams["acc"]
    values = np.array(acc.values())
    values[10, 1] = np.nan
    values[50:60] = np.inf
    opened = corpus.write([Recording("a", {"acc": Stream.of("acc", acc.contract, values)})], tmp_path)
    native, missing = one(opened, 0, 2, ACC)
    assert np.flatnonzero(missing).tolist() == list(range(50, 60))
    assert native[10, 1] == pytest.approx((values[9, 1] + values[11, 1]) / 2)
    halved, missing = one(opened, 0, 2, replace(ACC, samples=50))
    assert np.isfinite(halved).all()
    assert np.flatnonzero(missing).tolist() == list(range(25, 30))


def test_uneven_times_go_to_a_grid_and_gaps_are_missing(tmp_path: Path, made: Make) -> None:
    rng = np.random.default_rng(0)
    times = np.arange(200) / 50 + rng.uniform(-0.004, 0.004, 200)
    times = np.concatenate([times[:80], times[100:]])  # 0.4 s without samples
    values = np.stack([times, -times, times * 2], 1)
    stream = Stream.of("acc", made("a").streams["acc"].contract, values, times=times)
    opened = corpus.write([Recording("a", {"acc": stream})], tmp_path)
    read, missing = one(opened, 1.0, 3.0, ACC)
    grid = 1.0 + np.arange(100) / 50
    np.testing.assert_allclose(read[~missing, 0], grid[~missing], atol=1e-4)
    lost = np.flatnonzero(missing)
    assert 17 <= len(lost) <= 20
    assert grid[lost].min() >= 1.59
    assert grid[lost].max() <= 2.01
    _, missing = one(opened, 9.0, 10.0, ACC)
    assert missing.all()


def test_video_takes_the_nearest_frames(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    frames = np.zeros((90, 8, 12), np.uint16) + 1000 + np.arange(90, dtype=np.uint16)[:, None, None]
    depth = Stream.of("depth", replace(contracts["depth"], units="mm"), frames, missing=np.arange(90) == 45)
    timed = Stream.of("depth", contracts["depth"], frames / 1000, times=np.arange(90) / 15 + 0.5)
    opened = corpus.write([Recording("a", {"depth": depth}), Recording("b", {"depth": timed})], tmp_path)
    index = spans((0, 0, 3), (0, 1, 2), (0, 2, 4), (1, 0.5, 6.5), (1, 0, 1))
    slot = Slot("depth", "video", "depth", 6)
    values, missing = corpus.read(opened, index, np.arange(5), [slot])
    assert values["depth"].shape == (5, 6, 8, 12)
    got = np.rint(values["depth"][:, :, 0, 0] * 1000).astype(int) - 1000
    assert got[0].tolist() == [7, 22, 37, 52, 67, 82]
    assert got[1].tolist() == [32, 37, 42, 47, 52, 57]
    assert got[2].tolist() == [65, 75, 85, -1000, -1000, -1000]
    assert missing["depth"][2].tolist() == [False] * 3 + [True] * 3
    assert got[3].tolist() == [7, 22, 37, 52, 67, 82]
    assert missing["depth"][4].tolist() == [True] * 3 + [False] * 3
    all_of_it, missing = one(opened, 0, 3, replace(slot, samples=90))
    np.testing.assert_array_equal(np.flatnonzero(missing), [45])
    np.testing.assert_allclose(np.delete(all_of_it, 45, 0), np.delete(frames, 45, 0) / 1000, atol=1e-6)
    sized, _ = one(opened, 0, 3, replace(slot, size=(4, 4), units="mm"))
    assert sized.shape == (6, 4, 4)
    assert sized[1, 0, 0] == pytest.approx(1022)


def test_shapes_that_differ_are_an_error_with_a_way_out(tmp_path: Path, made: Make) -> None:
    pose = made("a").streams["pose"]
    coco = Stream.of("pose", replace(pose.contract, skeleton="coco"), np.zeros((90, 17, 3)))
    opened = corpus.write([made("a"), Recording("b", {"pose": coco})], tmp_path)
    index = spans((0, 0, 2), (1, 0, 2))
    with pytest.raises(CorpusError, match=r"slot 'pose': streams of shapes .*Slot\.skeleton"):
        corpus.read(opened, index, [0, 1], [POSE])
    assert corpus.read(opened, index, [1], [POSE])[0]["pose"].shape == (1, 60, 17, 3)
    values, missing = corpus.read(opened, index, [0, 1], [replace(POSE, skeleton="coco")])
    assert values["pose"].shape == (2, 60, 17, 3)
    assert missing["pose"].all(1).tolist() == [True, False]


def test_no_rows(tmp_path: Path, made: Make) -> None:
    opened = corpus.write([made("a")], tmp_path)
    values, missing = corpus.read(opened, spans((0, 0, 2)), np.array([], int), [ACC])
    assert values["acc"].shape == (0, 100, 3)
    assert missing["acc"].shape == (0, 100)
