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
