"""Shots: jumps of the picture are found, motion, fades and flashes are none."""

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st

from kinjo.builder.shots import cuts, longest, thumbnail


def scene(seed: int, frames: int) -> np.ndarray:
    """A still background, a bright patch that moves over it, and noise."""
    rng = np.random.default_rng(seed)
    ground = rng.uniform(0, 1, (24, 24, 3)).astype(np.float32)
    out = np.repeat(ground[None], frames, 0) + 0.01 * rng.normal(size=(frames, 24, 24, 3)).astype(np.float32)
    for k in range(frames):
        at = (k // 2) % 18
        out[k, at : at + 6, 9:13] = 0.9
    return out


def grey(film: np.ndarray) -> np.ndarray:
    """As thumbnails are: 0 to 255."""
    return (film.clip(0, 1) * 255).astype(np.uint8)


@given(st.integers(0, 1000), st.lists(st.integers(8, 40), min_size=1, max_size=5))
def test_every_jump_and_nothing_else(seed: int, lengths: list[int]):
    film = np.concatenate([scene(100 * seed + i, n) for i, n in enumerate(lengths)])
    assert cuts(grey(film)) == np.cumsum(lengths)[:-1].tolist()


def test_a_flash_and_a_fade_are_no_cuts():
    film = scene(0, 60)
    film[30] = 1.0
    assert cuts(grey(film)) == []
    fade = scene(1, 60) * np.linspace(1, 0, 60)[:, None, None, None].astype(np.float32)
    assert cuts(grey(fade)) == []


def test_thumbnails_are_means():
    scale = VideoReformatter()
    picture = np.random.default_rng(0).integers(0, 255, (240, 480, 3)).astype(np.uint8)
    wanted = picture.reshape(24, 10, 24, 20, 3).mean((1, 3))
    np.testing.assert_allclose(thumbnail(av.VideoFrame.from_ndarray(picture, "rgb24"), scale), wanted, atol=5)
    white = thumbnail(av.VideoFrame.from_ndarray(np.full((50, 70, 3), 255, np.uint8), "rgb24"), scale)
    assert white.shape == (24, 24, 3)
    assert white.min() > 252


def test_the_longest_shot():
    assert longest([], 7) == (0, 7)
    assert longest([3], 7) == (3, 7)
    assert longest([4, 8], 12) == (0, 4)
    assert cuts(np.zeros((2, 24, 24, 3), np.uint8)) == []
