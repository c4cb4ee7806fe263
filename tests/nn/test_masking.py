"""Masks: how many, which, at the same moments, and from the given generator alone."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from kinjo.nn import masking
from kinjo.nn.tokens import hidden_count


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 8), st.integers(1, 64), st.floats(0, 0.98), st.integers(0, 2**31))
def test_random_masks_hide_the_published_number(batch: int, n: int, ratio: float, seed: int) -> None:
    mask = masking.random_mask(batch, n, ratio, generator(seed))
    assert mask.shape == (batch, n)
    assert (mask.sum(1) == hidden_count(n, ratio)).all()
    assert torch.equal(mask, masking.random_mask(batch, n, ratio, generator(seed)))


def test_random_masks_are_uniform() -> None:
    share = masking.random_mask(20_000, 8, 0.5, generator()).float().mean(0)
    assert (share - 0.5).abs().max() < 0.02


def test_a_tube_hides_a_place_in_all_slots() -> None:
    mask = masking.tube_mask(4, 8, 25, 0.9, generator()).view(4, 8, 25)
    assert (mask == mask[:, :1]).all()
    assert (mask[:, 0].sum(1) == 22).all()
    assert not torch.equal(mask[0], mask[1])


def test_synchronised_masks_hide_the_same_moments_everywhere() -> None:
    masks = masking.synchronised_masks(6, 16, {"acc": 1, "gyro": 1, "pose": 5}, 0.75, generator())
    assert torch.equal(masks["acc"], masks["gyro"])
    assert torch.equal(masks["pose"].view(6, 16, 5), masks["acc"][:, :, None].expand(-1, -1, 5))
    assert (masks["acc"].sum(1) == 12).all()
