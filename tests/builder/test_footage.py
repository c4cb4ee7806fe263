"""Footage: the right picture at every moment, whatever the clock; damage is told, or shorter, never something else."""

from pathlib import Path

import _videos
import numpy as np
import pytest

from kinjo.builder import footage
from kinjo.builder.errors import BuildError


def shown(path: Path, start: float, end: float, rate: float = 25.0) -> list[int]:
    return [_videos.number(p) for p in footage.frames(path, start, end, rate, 480)]


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _videos.write(tmp_path_factory.mktemp("footage") / "even.mp4")


def test_facts(even: Path):
    facts = footage.probe(even)
    assert (facts.height, facts.width, facts.codec, facts.rotation) == (48, 64, "h264", 0)
    assert facts.rate_hz == pytest.approx(25.0)
    assert facts.duration_s == pytest.approx(2.0)


def test_a_span_begins_and_ends_where_it_is_said(even: Path):
    assert shown(even, 0.0, 2.0) == list(range(50))
    assert shown(even, 0.6, 1.0) == list(range(15, 25))
    assert shown(even, 1.6, 9.0) == list(range(40, 50))  # what is not there is not shown
    assert shown(even, 0.0, 2.0, 12.5) == list(range(0, 50, 2))
    assert footage.expected(0.6, 1.0, 25.0) == 10


def test_uneven_clocks_come_out_even(tmp_path: Path):
    times = [*range(10), *range(20, 60)]  # nothing for 0.4 s
    path = _videos.write(tmp_path / "uneven.mp4", 50, pts=times)
    found = shown(path, 0.0, 2.4)
    assert len(found) == 60
    assert found[:10] == list(range(10))
    assert found[10:20] == [9] * 10
    assert found[20:] == list(range(10, 50))


def test_rates_of_clips():
    assert footage.clip_rate(29.97, 30.0) == 29.97
    assert footage.clip_rate(30.0, 30.0) == 30.0
    assert footage.clip_rate(60.0, 30.0) == 30.0
    assert footage.clip_rate(50.0, 30.0) == 25.0
    assert footage.clip_rate(120.0, 30.0) == 30.0


def test_small_and_even_sides(tmp_path: Path):
    path = _videos.write(tmp_path / "big.mp4", 3, size=(180, 322))
    (first, *_) = footage.frames(path, 0.0, 1.0, 25.0, 60)
    assert first.shape == (60, 108, 3)
    (first, *_) = footage.frames(path, 0.0, 1.0, 25.0, 480)
    assert first.shape == (180, 322, 3)


def test_a_clip_is_what_was_shown_and_the_same_bytes(even: Path, tmp_path: Path):
    for name in ("a.mp4", "b.mp4"):
        assert footage.encode(footage.shown(even, 0.4, 1.4, 25.0, 480), tmp_path / name, 25.0) == 25
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    found = shown(tmp_path / "a.mp4", 0.0, 1.0)
    np.testing.assert_allclose(found, range(10, 35), atol=1)  # greys a little off, as H.264 has it
    assert {p.name for p in tmp_path.iterdir()} == {"a.mp4", "b.mp4"}
    with pytest.raises(BuildError, match="no picture"):
        footage.encode(iter(()), tmp_path / "c.mp4", 25.0)
    assert not (tmp_path / "c.mp4").exists()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.97])
def test_a_file_that_is_cut_off(even: Path, tmp_path: Path, share: float):
    """The index of an mp4 lies at its end: cut off before it cannot be opened. Matroska goes as far as it goes."""
    data = {"mp4": even.read_bytes(), "mkv": _videos.write(tmp_path / "whole.mkv", 50).read_bytes()}
    for ending, whole in data.items():
        path = tmp_path / f"cut.{ending}"
        path.write_bytes(whole[: int(share * len(whole))])
        try:
            found = shown(path, 0.0, 2.0)
        except BuildError:
            continue
        assert found[:-10] == list(range(len(found)))[:-10]  # the last ones, up to a key frame, may be half there
        assert len(found) <= 50
    if share < 0.9:
        with pytest.raises(BuildError, match="get the file again"):
            footage.probe(tmp_path / "cut.mp4")


def test_what_is_no_video(tmp_path: Path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("squats are fun\n" * 100)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    for name, said in (
        ("empty.mp4", "an empty file"),
        ("text.mp4", "video"),
        ("noise.mp4", "video"),
        ("gone.mp4", "no such"),
    ):
        with pytest.raises(BuildError, match=said):
            footage.probe(tmp_path / name)
