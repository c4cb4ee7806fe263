"""Video as a model reads it: tubelets, colours by ImageNet, and depth in a square around the person."""

import pytest
import torch

from kinjo.encoders import VideoInput
from kinjo.encoders.video import IMAGENET_MEAN, IMAGENET_STD, focus_depth

H, W = 120, 160


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def person(
    row: float = 60, column: float = 80, metres: float = 2.0, scale: float = 1.0, frames: int = 3
) -> torch.Tensor:
    """A bowed slab with an arm that rises, ``(1, frames, H, W, 1)`` metres; nothing is read beside it."""
    y, x = torch.meshgrid(torch.arange(H) + 0.5 - row, torch.arange(W) + 0.5 - column, indexing="ij")
    y, x = y / scale, x / scale
    clip = torch.zeros(frames, H, W)
    for k in range(frames):
        body = (y.abs() < 40) & (x.abs() < 12)
        arm = ((y + 30 - 10 * k).abs() < 4) & (x >= 0) & (x < 30)
        clip[k] = torch.where(body | arm, metres + 0.2 * (x / 30) - 0.1 * (y / 40), 0.0)
    return clip[None, ..., None]


# ------------------------------------------------------------------------------------------------ tokens
@pytest.mark.parametrize(("quantity", "channels"), [("rgb", 3), ("depth", 1)])
def test_patches_come_back(quantity: str, channels: int):
    spec = VideoInput(quantity, frames=4, size=16, tubelet=(2, 8, 4))  # type: ignore[arg-type]
    x = torch.randn(2, 4, 16, 16, channels, generator=seeded())
    patches = spec.patchify(x)
    assert patches.shape == (2, spec.tokens, spec.values) == (2, 2 * 2 * 4, 64 * channels)
    assert (spec.slots, spec.places) == (2, 8)
    assert torch.equal(patches[0, 8 + 4 + 1], x[0, 2:4, 8:16, 4:8].flatten())  # slot 1, row 1, column 1
    assert torch.equal(spec.unpatchify(patches), x)
    assert spec.signal(x).shape == (2, spec.samples, 16, 16, spec.channels)


def test_sides_must_divide():
    with pytest.raises(ValueError, match="does not divide into tubelets"):
        VideoInput("depth", frames=4, size=20, tubelet=(2, 8, 8)).patchify(torch.zeros(1, 4, 20, 20, 1))


# ------------------------------------------------------------------------------------------------ colour
def test_colours_are_those_of_imagenet():
    spec = VideoInput("rgb", frames=2, size=8, tubelet=(2, 8, 8))
    mean, deviation = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    frames = torch.empty(2, 2, 8, 8, 3)
    frames[0] = 255 * mean
    frames[1] = 255 * (mean + 2 * deviation)
    out = spec.prepare(frames)
    torch.testing.assert_close(out[0], torch.zeros(2, 8, 8, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[1], torch.full((2, 8, 8, 3), 2.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(16, 24), (24, 16), (5, 9)])
def test_the_centre_square_is_kept(height: int, width: int):
    spec = VideoInput("rgb", frames=2, size=8, tubelet=(2, 8, 8))
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    frames = torch.rand(1, 2, height, width, 3, generator=seeded()) * 255
    square = frames[:, :, top : top + side, left : left + side]
    assert torch.equal(spec.prepare(frames), spec.prepare(square))
    if side == 16:  # halved: the mean of four pixels
        pixels = square.view(1, 2, 8, 2, 8, 2, 3).mean((3, 5))
        expected = (pixels / 255 - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)
        torch.testing.assert_close(spec.prepare(frames), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("quantity", ["rgb", "depth"])
def test_missing_frames_are_zero_and_change_nothing_else(quantity: str):
    spec = VideoInput(quantity, frames=3, size=16, tubelet=(1, 8, 8))  # type: ignore[arg-type]
    x = person() if quantity == "depth" else torch.rand(1, 3, H, W, 3, generator=seeded()) * 255
    missing = torch.tensor([[False, False, True]])
    empty, wild = x.clone(), x.clone()
    empty[:, 2], wild[:, 2] = 0.0, 200.0
    out = spec.prepare(wild, missing)
    assert bool((out[:, 2] == 0).all())
    assert torch.equal(out[:, :2], spec.prepare(empty)[:, :2])
    assert not torch.equal(out[:, :2], spec.prepare(wild)[:, :2]) or quantity == "rgb"


# ------------------------------------------------------------------------------------------------ depth
def test_depth_is_nearness_to_the_body():
    out = focus_depth(person(), 64)
    assert out.shape == (1, 3, 64, 64, 1)
    assert -1 <= out.min() <= out.max() <= 0.9
    assert out[0, :, 0].max() == -1.0  # the margin above is background
    body = out[0, 0, :, :, 0][20:44, 22:31]
    assert body.abs().max() < 0.25  # metres around the body's own distance
    higher, lower = out[0, 0, 20, 24, 0], out[0, 0, 44, 24, 0]
    assert lower > higher  # the clip leans: feet are nearer


def test_a_clip_without_a_reading_is_background():
    assert torch.equal(focus_depth(torch.zeros(2, 3, 30, 40, 1), 16), torch.full((2, 3, 16, 16, 1), -1.0))


def test_a_single_reading_is_enough():
    x = torch.zeros(1, 3, 30, 40, 1)
    x[0, 1, 29, 0] = 2.5
    out = focus_depth(x, 16)
    assert bool((out[0, [0, 2]] == -1).all())
    assert out[0, 1].max() == pytest.approx(0.0, abs=0.1)  # itself the body's distance
    assert out[0, 1, 0, 0] < -0.5


@pytest.mark.parametrize(("row", "column"), [(45, 80), (60, 120), (75, 20), (60.0, 140)])
def test_where_the_person_stands_does_not_matter(row: float, column: float):
    """To the very edge of the picture."""
    here, there = focus_depth(person(), 64), focus_depth(person(row, min(column, W - 31)), 64)
    assert (here - there).abs().max() < 1e-3


@pytest.mark.parametrize(("metres", "scale"), [(2.5, 0.8), (4.0, 0.5), (1.5, 1.3)])
def test_how_far_the_person_stands_hardly_matters(metres: float, scale: float):
    here, there = focus_depth(person(), 32), focus_depth(person(metres=metres, scale=scale), 32)
    assert (here - there).abs().mean() < 0.03  # edges fall on other pixels
    assert ((here - there).abs() < 0.05).float().mean() > 0.9


def test_the_square_does_not_move_with_the_arm():
    """One square per window: what stands still in the room stands still in the window."""
    out = focus_depth(person(), 64)[0, :, :, :, 0]
    trunk = out[:, 34:60, 20:30]
    assert torch.equal(trunk[0], trunk[1])
    assert not torch.equal(out[0], out[1])


def test_clips_of_a_batch_do_not_touch():
    both = torch.cat([person(), person(75, 30, 3.0)])
    assert torch.equal(focus_depth(both, 32)[:1], focus_depth(person(), 32))


def test_prepare_of_depth_is_the_focus():
    spec = VideoInput("depth", frames=3, size=16, tubelet=(1, 8, 8))
    assert torch.equal(spec.prepare(person()), focus_depth(person(), 16))
