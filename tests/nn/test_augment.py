"""Augmentations: what they keep, what they do at zero, and that the generator alone decides."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kinjo.nn import augment


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def angles(rotation: Tensor) -> Tensor:
    """Degrees by which each matrix turns."""
    trace = rotation.diagonal(dim1=1, dim2=2).sum(1)
    return torch.rad2deg(((trace - 1) / 2).clamp(-1, 1).acos())


@pytest.mark.parametrize("make", [augment.random_rotations, augment.turns])
def test_rotations_are_rotations(make: Callable[[int, float, torch.Generator], Tensor]):
    r = make(500, 60.0, seeded())
    torch.testing.assert_close(r @ r.transpose(1, 2), torch.eye(3).expand(500, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(r), torch.ones(500))
    turned = angles(r)
    assert 55 < turned.max() < 60.01
    assert turned.min() < 5
    torch.testing.assert_close(make(3, 0.0, seeded()), torch.eye(3).repeat(3, 1, 1))


def test_rotation_axes_lie_all_around():
    r = augment.random_rotations(4000, 180.0, seeded())
    axis = torch.stack([r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]], 1)
    axis = axis / axis.norm(dim=1, keepdim=True)
    assert axis.mean(0).abs().max() < 0.05
    torch.testing.assert_close(axis.T @ axis / 4000, torch.eye(3) / 3, atol=0.03, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turn_keeps_its_axis(axis: int):
    r = augment.turns(50, 90.0, seeded(), axis)
    own = torch.eye(3)[axis]
    torch.testing.assert_close(r @ own, own.expand(50, 3))
    assert (r @ torch.eye(3)[(axis + 1) % 3] - torch.eye(3)[(axis + 1) % 3]).norm(dim=1).max() > 1


@pytest.mark.parametrize("shape", [(4, 20, 3), (4, 10, 6, 3)])
def test_rotate_turns_every_vector_by_its_windows_matrix(shape: tuple[int, ...]):
    x, r = torch.randn(shape, generator=seeded()), augment.random_rotations(4, 90.0, seeded(1))
    y = augment.rotate(x, r)
    torch.testing.assert_close(y.norm(dim=-1), x.norm(dim=-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(y[2, 7].reshape(-1, 3)[-1], r[2] @ x[2, 7].reshape(-1, 3)[-1])
    assert (y - x).abs().max() > 0.1


@given(seed=st.integers(0, 1000))
def test_upright_brings_gravity_onto_the_third_axis_however_a_sensor_was_mounted(seed: int):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 30, 3, generator=g) + 4 * torch.nn.functional.normalize(torch.randn(4, 1, 3, generator=g), dim=2)
    missing = torch.rand(4, 30, generator=g) < 0.2
    x = x.masked_fill(missing[..., None], torch.nan)
    mounted = augment.random_rotations(4, 180.0, g)
    level = augment.upright(augment.rotate(x, mounted), missing)
    torch.testing.assert_close(level @ level.transpose(1, 2), torch.eye(3).expand(4, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(level), torch.ones(4), atol=1e-5, rtol=0)
    mean = augment.mean_of(augment.rotate(augment.rotate(x, mounted), level), missing)[:, 0]
    torch.testing.assert_close(mean[:, :2], torch.zeros(4, 2), atol=1e-4, rtol=0)
    assert (mean[:, 2] > 0).all()


def test_upright_where_gravity_points_the_other_way_and_where_nothing_is():
    x = torch.zeros(3, 5, 3)
    x[0, :, 2], x[1, :, 2] = -9.8, 9.8
    missing = torch.zeros(3, 5, dtype=torch.bool)
    missing[2] = True
    over, same, nothing = augment.upright(x, missing)
    torch.testing.assert_close(over, torch.diag(torch.tensor([1.0, -1.0, -1.0])))
    torch.testing.assert_close(same, torch.eye(3))
    torch.testing.assert_close(nothing, torch.eye(3))


@given(
    st.integers(0, 2**31), st.floats(0, 2), st.floats(0, 0.45), st.integers(2, 12), st.integers(2, 100)
)  # fmt: skip
def test_time_maps_go_forward_within_the_window(seed: int, warp: float, crop: float, knots: int, points: int):
    time = augment.random_time(3, seeded(seed), warp, crop, knots, points)
    assert time.shape == (3, points)
    assert bool((time.diff(dim=1) > 0).all())
    assert 0 <= time.min() < time.max() <= 1


def test_a_warp_changes_tempo_and_a_crop_the_ends():
    even = (torch.arange(64) + 0.5) / 64
    torch.testing.assert_close(augment.random_time(2, seeded(), 0.0, 0.0), even.expand(2, 64))
    warped = augment.random_time(200, seeded(), 0.6, 0.0)
    tempo = warped.diff(dim=1) * 64
    assert tempo.min() < 0.6
    assert tempo.max() > 1.4
    cropped = augment.random_time(200, seeded(), 0.0, 0.2)
    assert 0.15 < cropped[:, 0].max() < 0.21
    assert 0.79 < cropped[:, -1].min() < 0.85


@pytest.mark.parametrize("samples", [1, 8, 64, 100, 128, 200])
@pytest.mark.parametrize("nearest", [False, True])
def test_retime_along_an_even_clock_changes_nothing(samples: int, nearest: bool):
    time = augment.random_time(2, seeded(), 0.0, 0.0)
    x = torch.randn(2, samples, 2, 3, generator=seeded(1))
    out = augment.retime(x, time, samples, nearest=nearest)
    # at a place a hundred samples in, the clock of a float is right to 1e-5 of a sample
    tolerance = 0.0 if nearest else 1e-6 * samples
    assert (out - x).abs().max() <= tolerance


@pytest.mark.parametrize(("given", "wanted"), [(50, 128), (128, 50), (64, 64), (30, 7)])
def test_retime_reads_a_line_where_the_clock_says(given: int, wanted: int):
    time = augment.random_time(5, seeded(3), 0.5, 0.1)
    place = (torch.arange(given) + 0.5) / given
    read = augment.retime(place.expand(5, given)[:, :, None], time, wanted)[:, :, 0]
    assert bool((read.diff(dim=1) >= -1e-6).all())
    told = torch.arange(64)
    for k in range(0, wanted, 5):  # the clock itself, at the moment of output sample k
        at = (k + 0.5) / wanted * 64 - 0.5
        low = min(max(int(at // 1), 0), 62)
        truth = time[:, told[low]] + (at - low) * (time[:, low + 1] - time[:, low])
        torch.testing.assert_close(read[:, k], truth.clamp(place[0], place[-1]), atol=1e-5, rtol=0)


def test_nearest_picks_frames_that_exist():
    frames = torch.randn(4, 16, 3, 3, 1, generator=seeded())
    time = augment.random_time(4, seeded(1), 0.8, 0.1)
    picked = augment.retime(frames, time, 8, nearest=True)
    mixed = augment.retime(frames, time, 8)
    for row in range(4):
        same = (picked[row][:, None] == frames[row][None]).flatten(2).all(2)  # (8, 16)
        assert bool(same.any(1).all())
        order = same.float().argmax(1)
        assert bool((order.diff() >= 0).all())
    assert not torch.equal(picked, mixed)


def test_jitter_has_the_size_that_is_asked_for():
    x = torch.ones(2000, 4, 5)
    assert torch.equal(augment.jitter(x, 0.0, 0.0, seeded()), x)
    noisy = augment.jitter(x, 0.1, 0.0, seeded()) - x
    assert noisy.std() == pytest.approx(0.1, rel=0.03)
    assert noisy.mean().abs() < 0.01
    scaled = augment.jitter(x, 0.0, 0.2, seeded())
    assert bool((scaled == scaled[:, :1, :1]).all())  # one amplitude per window
    assert scaled[:, 0, 0].std() == pytest.approx(0.2, rel=0.1)


def test_images_that_move_by_nothing_stay():
    x = torch.randn(2, 3, 8, 8, 2, generator=seeded())
    torch.testing.assert_close(augment.shift_images(x, 0.0, seeded()), x, atol=1e-5, rtol=0)


def test_all_frames_of_a_window_move_alike_and_edges_repeat():
    x = torch.randn(6, 1, 16, 16, 1, generator=seeded()).repeat(1, 4, 1, 1, 1)
    moved = augment.shift_images(x, 0.2, seeded(1))
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved))
    assert (moved - x).abs().flatten(1).amax(1).min() > 0.1
    flat = torch.full((2, 3, 8, 8, 1), 0.7)
    torch.testing.assert_close(augment.shift_images(flat, 0.3, seeded()), flat)


def test_an_image_moves_by_at_most_the_share():
    x = torch.zeros(300, 1, 41, 41, 1)
    x[:, :, 20, 20] = 1.0
    moved = augment.shift_images(x, 0.1, seeded())[:, 0, :, :, 0]
    weight = moved / moved.sum((1, 2), keepdim=True)
    rows, columns = (weight.sum(d) @ torch.arange(41.0) - 20 for d in (2, 1))
    assert 2.5 < rows.abs().max() < 4.1 * 1.15
    assert 2.5 < columns.abs().max() < 4.1 * 1.15


CALLS: dict[str, Callable[[torch.Generator], Tensor]] = {
    "random_rotations": lambda g: augment.random_rotations(3, 40.0, g),
    "turns": lambda g: augment.turns(3, 40.0, g),
    "random_time": lambda g: augment.random_time(3, g, 0.5, 0.1),
    "jitter": lambda g: augment.jitter(torch.ones(3, 4, 2), 0.1, 0.1, g),
    "shift_images": lambda g: augment.shift_images(torch.arange(3 * 64.0).view(3, 1, 8, 8, 1), 0.1, g),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_generator_alone_decides(name: str):
    torch.manual_seed(0)
    first = CALLS[name](seeded(5))
    torch.manual_seed(1)
    assert torch.equal(first, CALLS[name](seeded(5)))
    assert not torch.equal(first, CALLS[name](seeded(6)))
