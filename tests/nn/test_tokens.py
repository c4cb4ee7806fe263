"""Patches and their inverses, positions, and the split into visible and hidden."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinjo.nn import tokens


def test_a_sensor_token_holds_contiguous_samples() -> None:
    x = torch.arange(24.0).view(1, 8, 3)
    patches = tokens.patchify_sensor(x, 4)
    assert patches[0, 1].tolist() == [6, 7, 8, 9, 10, 11]  # samples 2 and 3, three axes each
    assert torch.equal(tokens.unpatchify_sensor(patches, 3), x)


def test_a_strided_token_holds_every_nth_sample() -> None:
    x = torch.randn(2, 12, 3, generator=torch.Generator().manual_seed(0))
    patches = tokens.patchify_sensor(x, 4, "strided")
    for token in range(4):
        assert torch.equal(patches[1, token].view(3, 3), x[1, token::4])  # samples t, t + 4, t + 8
    assert torch.equal(tokens.unpatchify_sensor(patches, 3, "strided"), x)
    assert not torch.equal(patches, tokens.patchify_sensor(x, 4))
    with pytest.raises(ValueError, match="do not divide"):
        tokens.patchify_sensor(x, 5, "strided")


def test_a_pose_token_holds_one_part_in_one_slot() -> None:
    x = torch.randn(2, 8, 6, 3)
    patches = tokens.patchify_pose(x, 4, 2)
    assert patches.shape == (2, 8, 18)
    assert torch.equal(patches[1, 5].view(2, 3, 3), x[1, 4:6, 3:6])  # slot 2, part 1
    assert torch.equal(tokens.unpatchify_pose(patches, 4, 2, 6, 3), x)


def test_a_video_token_is_a_tubelet() -> None:
    x = torch.randn(2, 4, 6, 8, 3)
    patches = tokens.patchify_video(x, (2, 3, 4))
    assert patches.shape == (2, 8, 72)
    assert torch.equal(patches[0, 7].view(2, 3, 4, 3), x[0, 2:4, 3:6, 4:8])
    assert torch.equal(tokens.unpatchify_video(patches, (4, 6, 8, 3), (2, 3, 4)), x)


@pytest.mark.parametrize(
    "cut",
    [
        lambda: tokens.patchify_sensor(torch.zeros(1, 10, 3), 4),
        lambda: tokens.patchify_pose(torch.zeros(1, 8, 5, 3), 4, 2),
        lambda: tokens.patchify_video(torch.zeros(1, 3, 4, 4, 1), (2, 2, 2)),
    ],
)
def test_what_does_not_divide_is_an_error(cut) -> None:
    with pytest.raises(ValueError, match="divide"):
        cut()


def test_positions_are_distinct_and_bounded() -> None:
    table = tokens.sincos(50, 12)
    assert table.abs().max() <= 1
    assert torch.cdist(table, table).fill_diagonal_(1).min() > 0.1
    torch.testing.assert_close(
        table[3, :2], torch.tensor([3.0]).sin().new_tensor([0.14112, -0.98999]), atol=1e-4, rtol=0
    )


def test_normalised_tokens_have_no_mean_and_unit_variance() -> None:
    out = tokens.normalise_tokens(5 + 3 * torch.randn(2, 4, 50))
    torch.testing.assert_close(out.mean(-1), torch.zeros(2, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(-1), torch.ones(2, 4), atol=1e-4, rtol=0)


def test_channels_are_normalised_by_themselves() -> None:
    """Pixels of three channels, interleaved, of which one is far away and one wide."""
    x = torch.randn(2, 3, 8 * 3, generator=torch.Generator().manual_seed(0))
    x = (x.view(2, 3, 8, 3) * torch.tensor([1.0, 50.0, 0.1]) + torch.tensor([0.0, 9.0, -300.0])).flatten(2)
    got = tokens.normalise_tokens(x, channels=3).view(2, 3, 8, 3)
    for row, token, channel in torch.cartesian_prod(*map(torch.arange, (2, 3, 3))).tolist():
        one = x.view(2, 3, 8, 3)[row, token, :, channel]
        expected = (one - one.mean()) / (one.var() + 1e-6).sqrt()
        torch.testing.assert_close(got[row, token, :, channel], expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(got.flatten(2), tokens.normalise_tokens(x), atol=0.1)
    assert torch.isfinite(tokens.normalise_tokens(torch.ones(1, 1, 3), channels=3)).all()  # one value per channel


@given(st.integers(1, 4), st.integers(1, 40), st.floats(0, 0.99), st.integers(0, 2**31))
def test_visible_and_hidden_part_the_tokens(batch: int, n: int, ratio: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    count = tokens.hidden_count(n, ratio)
    hidden = torch.rand(batch, n, generator=generator).argsort(1).argsort(1) < count
    visible, masked = tokens.split_hidden(hidden)
    assert visible.shape == (batch, n - count)
    assert masked.shape == (batch, count)
    assert torch.equal(torch.cat([visible, masked], 1).sort(1).values, torch.arange(n).expand(batch, n))
    assert hidden.gather(1, masked).all()
    assert not hidden.gather(1, visible).any()
    x = torch.randn(batch, n, 2, generator=generator)
    assert torch.equal(tokens.gather_tokens(x, visible), torch.stack([r[i] for r, i in zip(x, visible, strict=True)]))


def test_rows_that_hide_different_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="same number"):
        tokens.split_hidden(torch.tensor([[True, False], [False, False]]))


def test_hidden_count_rounds_down_as_published_and_leaves_one() -> None:
    assert tokens.hidden_count(16, 0.9) == 14
    assert tokens.hidden_count(196, 0.9) == 176
    assert tokens.hidden_count(2, 0.99) == 1
    with pytest.raises(ValueError, match="ratio"):
        tokens.hidden_count(4, 1.0)
