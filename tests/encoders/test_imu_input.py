"""Sensors as a model reads them: units, tokens, and what is missing."""

import pytest
import torch

from kinjo.encoders import SensorInput
from kinjo.signal import GRAVITY

SPEC = SensorInput("acc", samples=32, slots=8)


def windows(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 32, 3, generator=torch.Generator().manual_seed(seed))


def test_patches_come_back():
    x = windows()
    patches = SPEC.patchify(x)
    assert patches.shape == (3, SPEC.tokens, SPEC.values) == (3, 8, 12)
    assert torch.equal(patches[1, 2], x[1, 8:12].flatten())  # slot 2 holds samples 8 to 11
    assert torch.equal(SPEC.unpatchify(patches), x)
    assert SPEC.signal(x).shape == (3, SPEC.samples, SPEC.channels)


@pytest.mark.parametrize(("quantity", "usual"), [("acc", GRAVITY), ("gyro", 3.0), ("mag", 50.0), ("orientation", 1.0)])
def test_usual_sizes_become_one(quantity: str, usual: float):
    spec = SensorInput(quantity, samples=32, slots=8)
    torch.testing.assert_close(spec.prepare(torch.full((1, 32, 3), usual)), torch.ones(1, 32, 3))
    x = windows()
    torch.testing.assert_close(spec.prepare(x) * usual, x)


def test_what_is_missing_is_zero_and_changes_nothing_else():
    x, missing = windows(), torch.zeros(3, 32, dtype=torch.bool)
    missing[0, 5:9] = missing[2] = True
    out = SPEC.prepare(torch.where(missing[:, :, None], 1e6, x), missing)
    assert bool((out[missing] == 0).all())
    assert torch.equal(out[~missing], SPEC.prepare(x)[~missing])


def test_samples_must_divide_into_slots():
    with pytest.raises(ValueError, match="30 samples do not divide"):
        SensorInput("acc", samples=30, slots=8).patchify(torch.zeros(1, 30, 3))


def test_strided_patches_come_back():
    spec, x = SensorInput("acc", samples=32, slots=8, layout="strided"), windows()
    patches = spec.patchify(x)
    assert torch.equal(patches[1, 2], x[1, [2, 10, 18, 26]].flatten())
    assert torch.equal(spec.unpatchify(patches), x)


def test_a_clip_scaled_by_itself_is_between_0_and_1():
    """Whatever its units, amplitude and gravity; every axis of every clip by its own smallest and largest value."""
    spec, x = SensorInput("acc", samples=32, slots=8, scaling="clip"), windows()
    out = spec.prepare(x)
    torch.testing.assert_close(out.amin(1), torch.zeros(3, 3))
    torch.testing.assert_close(out.amax(1), torch.ones(3, 3))
    torch.testing.assert_close(out[1, :, 2], (x[1, :, 2] - x[1, :, 2].min()) / (x[1, :, 2].max() - x[1, :, 2].min()))
    torch.testing.assert_close(spec.prepare(40 * x + 9.8), out, atol=1e-4, rtol=0)
    still = x.clone()
    still[0, :, 1] = 9.8  # an axis that does not move
    constant = spec.prepare(still)
    assert torch.isfinite(constant).all()
    assert not constant[0, :, 1].any()
    assert torch.equal(constant[1:], out[1:])


def test_missing_samples_do_not_stretch_the_scale_of_a_clip():
    spec, x = SensorInput("acc", samples=32, slots=8, scaling="clip"), windows()
    missing = torch.zeros(3, 32, dtype=torch.bool)
    missing[0, 5:9] = missing[2] = True
    out = spec.prepare(torch.where(missing[:, :, None], 1e6, x), missing)
    assert torch.equal(out, spec.prepare(torch.where(missing[:, :, None], -1e6, x), missing))
    assert torch.isfinite(out).all()
    assert not out[missing].any()
    there = out[0][~missing[0]]
    torch.testing.assert_close((there.amin(0), there.amax(0)), (torch.zeros(3), torch.ones(3)))
    assert torch.equal(out[1], spec.prepare(x)[1])
