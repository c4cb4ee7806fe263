"""The stems: shapes, and that nothing of what is hidden gets through."""

import pytest
import torch

from kinjo.nn.stem import ConvStem, FrameStem
from kinjo.nn.transformer import initialise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def conv(samples: int = 32, slots: int = 8) -> ConvStem:
    stem = ConvStem(samples, 3, slots, 16)
    initialise(stem, seeded())
    return stem


def frames() -> FrameStem:
    """Four frames of 16 x 16 in two slots and 2 x 2 places."""
    stem = FrameStem(4, 16, 2, 2, 8, 16)
    initialise(stem, seeded())
    return stem


@pytest.mark.parametrize(("samples", "slots"), [(32, 8), (128, 16), (100, 20), (20, 20), (64, 1), (45, 9)])
def test_one_token_per_slot(samples: int, slots: int):
    assert conv(samples, slots)(torch.randn(2, samples, 3, generator=seeded())).shape == (2, slots, 16)


def test_samples_must_divide_into_slots():
    with pytest.raises(ValueError, match="30 samples do not divide into 8 slots"):
        ConvStem(30, 3, 8, 16)


def test_hidden_samples_do_not_leak():
    stem, x = conv(), torch.randn(3, 32, 3, generator=seeded(1))
    hidden = torch.rand(3, 8, generator=seeded(2)) < 0.5
    other = torch.where(hidden.repeat_interleave(4, 1)[:, :, None], 1e3 * torch.randn(x.shape, generator=seeded(3)), x)
    assert torch.equal(stem(x, hidden), stem(other, hidden))
    assert not torch.allclose(stem(x), stem(other))  # it is the mask that keeps them out
    assert not torch.allclose(stem(x, hidden), stem(x))


def test_nothing_hidden_is_the_same_as_no_mask():
    stem, x = conv(), torch.randn(2, 32, 3, generator=seeded(1))
    assert torch.equal(stem(x, torch.zeros(2, 8, dtype=torch.bool)), stem(x))


def test_a_slot_is_told_by_its_samples():
    """A knock within one slot shows most in that slot's token, or in the one beside it."""
    stem, x = conv(128, 16), 0.1 * torch.randn(1, 128, 3, generator=seeded(1))
    for slot in (0, 7, 15):
        knocked = x.clone()
        knocked[:, 8 * slot + 4] += 1.0
        change = (stem(knocked) - stem(x)).norm(dim=2)[0]
        assert abs(int(change.argmax()) - slot) <= 1


def test_a_frame_stem_gives_tokens_and_a_summary():
    stem, x = frames(), torch.randn(3, 4, 16, 16, 2, generator=seeded(1))
    assert stem(x).shape == (3, 8, 16)
    assert stem.summary(stem.maps(x)).shape == (3, 2, 16)


def test_tokens_of_a_frame_stem_are_time_major():
    stem, x = frames(), torch.randn(1, 4, 16, 16, 2, generator=seeded(1))
    for slot in range(2):
        for row in range(2):
            for column in range(2):
                changed = x.clone()
                changed[:, 2 * slot : 2 * slot + 2, 8 * row + 3 : 8 * row + 5, 8 * column + 3 : 8 * column + 5] += 5.0
                change = (stem(changed) - stem(x)).norm(dim=2)[0]
                assert int(change.argmax()) == slot * 4 + row * 2 + column


def test_hidden_places_do_not_leak():
    stem, x = frames(), torch.randn(2, 4, 16, 16, 2, generator=seeded(1))
    hidden = torch.rand(2, 8, generator=seeded(2)) < 0.5
    places = hidden.view(2, 2, 2, 2).repeat_interleave(2, 1).repeat_interleave(8, 2).repeat_interleave(8, 3)[..., None]
    other = torch.where(places, 1e3 * torch.randn(x.shape, generator=seeded(3)), x)
    assert torch.equal(stem(x, hidden), stem(other, hidden))
    assert not torch.allclose(stem(x), stem(other))
    assert torch.equal(stem(x, torch.zeros_like(hidden)), stem(x))


def test_frames_of_other_slots_do_not_reach_a_token():
    stem, x = frames(), torch.randn(1, 4, 16, 16, 2, generator=seeded(1))
    other = x.clone()
    other[:, 2:] = 7.0
    assert torch.equal(stem(x)[:, :4], stem(other)[:, :4])
    assert not torch.allclose(stem(x)[:, 4:], stem(other)[:, 4:])
