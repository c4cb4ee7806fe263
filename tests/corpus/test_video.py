from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo import corpus
from kinjo.corpus import Corpus, CorpusError, VideoSize, video
from kinjo.recording import Contract, Recording, Stream


def moving(n: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth rgb frames; the green channel tells the number of the frame."""
    rng = np.random.default_rng(seed)
    frames = np.empty((n, height, width, 3), np.uint8)
    frames[..., 0] = np.linspace(0, 255, width)
    frames[..., 1] = (np.arange(n) * 2 % 250)[:, None, None]
    frames[..., 2] = rng.integers(60, 200)
    return frames


def lazy(name: str, contract: Contract, frames: np.ndarray, most: list[int] | None = None) -> Stream:
    def read(start: int, stop: int) -> np.ndarray:
        if most is not None:
            most.append(stop - start)
        return frames[start:stop]

    return Stream(name, contract, len(frames), read)


def test_depth_is_kept_to_the_millimetre(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    rng = np.random.default_rng(0)
    millimetres = rng.integers(0, 65536, (40, 48, 64)).astype(np.uint16)
    stream = lazy("depth", replace(contracts["depth"], units="mm"), millimetres)
    metres = lazy("metres", contracts["depth"], millimetres.astype(np.float32) / 1000)
    opened = corpus.write([Recording("a", {"depth": stream, "metres": metres})], tmp_path)
    for kept in opened.recording("a").streams.values():
        assert kept.contract.units == "mm"
        np.testing.assert_array_equal(kept.values(), millimetres)
        for start, stop in ((0, 1), (11, 14), (12, 12), (25, 40), (39, 99)):
            np.testing.assert_array_equal(kept.values(start, stop), millimetres[start:stop])
    assert opened.verify() == 4


def test_depth_that_is_no_distance_is_no_reading(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    metres = np.full((2, 8, 8), 2.0, np.float32)
    metres[:, 0, :5] = np.inf, -np.inf, np.nan, -1.0, 0.0
    opened = corpus.write([Recording("a", {"d": lazy("d", contracts["depth"], metres)})], tmp_path, video=VideoSize(4))
    values = opened.recording("a").streams["d"].values()
    assert values.shape == (2, 4, 4)
    np.testing.assert_array_equal(values, 2000)


@pytest.mark.parametrize("rate", [7.3, 25.0, 29.97, 30.0, 120.0, 400.0])
def test_any_frame_is_found_at_any_rate(tmp_path: Path, contracts: dict[str, Contract], rate: float) -> None:
    numbers = np.zeros((150, 4, 4), np.uint16) + np.arange(150, dtype=np.uint16)[:, None, None] + 1
    contract = replace(contracts["depth"], units="mm", rate_hz=rate)
    video.encode(lazy("d", contract, numbers), VideoSize(), tmp_path / "d.mkv")
    for start in range(0, 149, 7):
        frames = video.decode(tmp_path / "d.mkv", contract, start, start + 3, (4, 4))
        assert frames[:, 0, 0].tolist() == [k + 1 for k in range(start, start + 3)][: len(frames)]


def test_rgb_is_close_and_frames_keep_their_number(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    frames, most = moving(100, 96, 128), list[int]()
    opened = corpus.write([Recording("a", {"rgb": lazy("rgb", contracts["rgb"], frames, most)})], tmp_path)
    assert max(most) <= 64
    kept = opened.recording("a").streams["rgb"]
    values = kept.values()
    assert values.shape == (100, 64, 86, 3)
    assert values.dtype == np.uint8
    small = video.resize(frames, (64, 86))
    assert np.abs(values - small).mean() < 3
    np.testing.assert_array_equal(kept.values(50, 60), values[50:60])
    np.testing.assert_allclose(values[..., 1].mean((1, 2)), frames[..., 1].mean((1, 2)), atol=3)


def test_the_same_frames_give_the_same_file(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    for name in ("one", "two"):
        streams = {"rgb": lazy("rgb", contracts["rgb"], moving(30, 64, 64))}
        corpus.write([Recording("a", streams)], tmp_path / name)
    one, two = (Corpus.open(tmp_path / name).manifest for name in ("one", "two"))
    assert one == two


def test_video_is_written_a_few_frames_at_a_time(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    most: list[int] = []
    frame = np.zeros((1, 1200, 2000), np.float32)

    def read(start: int, stop: int) -> np.ndarray:
        most.append(stop - start)
        return np.repeat(frame, stop - start, 0)

    video.encode(Stream("d", contracts["depth"], 9, read), VideoSize(16), tmp_path / "d.mkv")
    assert max(most) * frame.nbytes <= 32 << 20
    assert sum(most) == 10  # one frame twice, to look at its shape


def test_no_video_and_empty_video(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    recording = Recording("a", {"rgb": lazy("rgb", contracts["rgb"], moving(0, 8, 8))})
    kept = corpus.write([recording], tmp_path / "empty").recording("a").streams["rgb"]
    assert kept.length == 0
    assert kept.values().shape == (0, 8, 8, 3)
    assert corpus.write([recording], tmp_path / "none", video=None).recording("a").streams == {}


def test_uneven_times_and_missing_frames_come_back(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    times, missing = np.array([0.0, 0.1, 0.5, 0.51]), np.array([False, True, False, False])
    stream = replace(lazy("rgb", contracts["rgb"], moving(4, 8, 8)), times=times, missing=missing)
    kept = corpus.write([Recording("a", {"rgb": stream})], tmp_path).recording("a").streams["rgb"]
    np.testing.assert_array_equal(kept.clock(), times)
    np.testing.assert_array_equal(kept.mask(), missing)


def test_damaged_video_is_named(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    opened = corpus.write([Recording("a", {"rgb": lazy("rgb", contracts["rgb"], moving(60, 16, 16))})], tmp_path)
    file = next(tmp_path.glob("video/*/*.mkv"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorpusError, match=r"\.mkv: .*truncated"):
        opened.verify()
    with pytest.raises(CorpusError, match=r"\.mkv: "):
        opened.recording("a").streams["rgb"].values()
    file.write_bytes(b"\0" * len(whole))
    with pytest.raises(CorpusError, match=r"\.mkv: cannot be read"):
        opened.recording("a").streams["rgb"].values(3, 4)
    file.unlink()
    with pytest.raises(CorpusError, match=r"\.mkv"):
        opened.recording("a").streams["rgb"].values(3, 4)


def test_frames_of_the_wrong_kind_are_refused(
    tmp_path: Path, contracts: dict[str, Contract], made: Callable[..., Recording]
) -> None:
    for contract, frames in ((contracts["rgb"], np.zeros((2, 8, 8))), (contracts["depth"], moving(2, 8, 8))):
        with pytest.raises(CorpusError, match="frames must be"):
            video.encode(lazy("v", contract, frames), VideoSize(), tmp_path / "v.mkv")
    short = replace(lazy("v", contracts["rgb"], moving(5, 8, 8)), length=9)
    with pytest.raises(CorpusError, match="says 9 frames"):
        corpus.write([made("a").with_stream(short)], tmp_path / "c")
    assert not list(tmp_path.glob("c/video/*/*.tmp"))


@given(st.integers(1, 4000), st.integers(1, 4000), st.one_of(st.none(), st.integers(2, 512)))
def test_sizes_are_even_and_never_larger(height: int, width: int, short: int | None) -> None:
    h, w = VideoSize(short).of(height, width)
    assert h % 2 == w % 2 == 0
    assert h <= max(height + 1, 2)
    assert w <= max(width + 1, 2)
    if short is not None and min(height, width) > short:
        assert abs(min(h, w) - short) <= 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_area_average_keeps_the_mean_and_ignores_holes(h: int, w: int, hh: int, ww: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.uniform(1, 9, (2, h, w)).astype(np.float32)
    np.testing.assert_allclose(video.resize(frames, (hh, ww)).mean((1, 2)), frames.mean((1, 2)), rtol=1e-4)
    holed = np.where(rng.random(frames.shape) < 0.4, 0, 5.0).astype(np.float32)
    small = video.resize(holed, (hh, ww), holes=True)
    assert np.all((np.abs(small - 5) < 1e-3) | (small == 0))


@given(st.data(), st.integers(1, 9), st.integers(1, 9))
def test_empty_ground_changes_nothing(data: st.DataObject, hh: int, ww: int) -> None:
    body = np.random.default_rng(0).integers(0, 3000, (2, 7, 5)).astype(np.uint16)
    top, left = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
    frames = np.zeros((2, 27, 25), np.uint16)
    frames[:, top : top + 7, left : left + 5] = body
    sums, read = (video.resize(given, (hh, ww)) for given in (frames, (frames > 0).astype(np.uint16)))
    sure = np.abs(read - 0.5) > 1e-3
    expected = np.where(read >= 0.5, sums / np.maximum(read, 1e-6), 0.0)
    small = video.resize(frames, (hh, ww), holes=True)
    np.testing.assert_allclose(small[sure], expected[sure], rtol=1e-4)
    assert not video.resize(np.zeros((2, 27, 25)), (hh, ww), holes=True).any()


def test_area_average_by_hand() -> None:
    frame = np.array([[[1, 3, 0, 0], [5, 7, 0, 8]]])
    np.testing.assert_allclose(video.resize(frame, (1, 2)), [[[4, 2]]])
    np.testing.assert_allclose(video.resize(frame, (1, 2), holes=True), [[[4, 0]]])
    np.testing.assert_allclose(video.resize(frame[..., None].repeat(3, -1), (2, 1))[0, :, 0, 1], [1, 5])
