"""Contexts: one embedding of a window, which nothing missing changes, and zero where there is nothing."""

import pytest
import torch
from torch import Tensor

from kinjo.nn.context import Context, Entered, Recurrent
from kinjo.nn.tokens import sincos
from kinjo.nn.transformer import initialise

DIM, TOKENS, ROWS = 16, 6, 4
Kind = type[Context] | type[Recurrent]
both = pytest.mark.parametrize("kind", [Context, Recurrent])


def made(kind: Kind) -> Context | Recurrent:
    module = Context(DIM, 1, 2, 0.5) if kind is Context else Recurrent(DIM)
    initialise(module, torch.Generator().manual_seed(0))
    return module


def entered(missing: Tensor | None = None, seed: int = 0) -> Entered:
    x = torch.randn(ROWS, TOKENS, DIM, generator=torch.Generator().manual_seed(seed))
    gone = torch.zeros(ROWS, TOKENS, dtype=torch.bool) if missing is None else missing
    return Entered(x, gone, sincos(TOKENS, DIM))


def some() -> Tensor:
    """Row 1 lacks two tokens, row 3 all."""
    gone = torch.zeros(ROWS, TOKENS, dtype=torch.bool)
    gone[1, 2:4] = gone[3] = True
    return gone


@both
def test_the_embedding_is_of_known_length(kind: Kind):
    net = made(kind)
    out = net(entered(some()))
    assert out.tokens.shape == (ROWS, TOKENS, DIM)
    assert out.embedding.shape == (ROWS, net.size)
    parts = out.embedding.view(ROWS, -1, DIM).norm(dim=2)
    torch.testing.assert_close(parts[:3], torch.ones_like(parts[:3]))
    assert not out.embedding[3].any()
    assert torch.equal(out.missing, some())


def test_three_vectors_side_by_side():
    """Mean and largest of what enters, and the mean of what comes out."""
    net, given = made(Context), entered()
    out = net(given)
    mean, peak, context = out.embedding.view(ROWS, 3, DIM).unbind(1)
    torch.testing.assert_close(mean, torch.nn.functional.normalize(given.tokens.mean(1), dim=1))
    torch.testing.assert_close(peak, torch.nn.functional.normalize(given.tokens.amax(1), dim=1))
    torch.testing.assert_close(context, torch.nn.functional.normalize(out.tokens.mean(1), dim=1))


def test_another_local_view_stands_for_the_tokens_in_mean_and_peak_alone():
    net, given = made(Context), entered()
    frames, gone = (
        torch.randn(ROWS, 3, DIM, generator=torch.Generator().manual_seed(2)),
        torch.zeros(ROWS, 3, dtype=torch.bool),
    )
    gone[2] = True
    one, two = net(given), net(Entered(given.tokens, given.missing, given.position, (frames, gone)))
    assert torch.equal(one.embedding[:, 2 * DIM :], two.embedding[:, 2 * DIM :])
    assert (one.embedding[:, : 2 * DIM] - two.embedding[:, : 2 * DIM]).abs().amax(1).min() > 0.01
    assert not two.embedding[2, : 2 * DIM].any()


@both
def test_missing_tokens_change_nothing(kind: Kind):
    net, given = made(kind), entered(some())
    wild = given.tokens.masked_fill(some()[:, :, None], 1e3)
    one, two = net(given), net(Entered(wild, given.missing, given.position))
    assert torch.equal(one.embedding, two.embedding)
    there = ~some()
    assert torch.equal(one.tokens[there], two.tokens[there])


@both
def test_rows_do_not_touch(kind: Kind):
    net, given = made(kind), entered(some())
    whole = net(given).embedding
    for row in range(ROWS):
        one = Entered(given.tokens[row : row + 1], given.missing[row : row + 1], given.position)
        torch.testing.assert_close(net(one).embedding[0], whole[row], atol=1e-5, rtol=1e-4)


@both
def test_the_order_of_tokens_counts(kind: Kind):
    net, given = made(kind), entered()
    back = Entered(given.tokens.flip(1), given.missing, given.position)
    assert (net(given).embedding - net(back).embedding).abs().amax(1).min() > 1e-3


@both
def test_gradients_are_finite_and_none_comes_from_what_is_missing(kind: Kind):
    net, given = made(kind), entered(some())
    x = given.tokens.clone().requires_grad_()
    out = net(Entered(x, given.missing, given.position))
    (out.embedding * torch.randn(out.embedding.shape, generator=torch.Generator().manual_seed(5))).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert not x.grad[some()].any()
    assert x.grad[~some()].abs().sum(1).min() > 0
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@both
def test_half_precision_embeds_in_full(kind: Kind):
    net, given = made(kind), entered(some())
    with torch.autocast("cpu", torch.bfloat16):
        out = net(given)
    assert out.embedding.dtype == torch.float32
    assert torch.isfinite(out.embedding).all()
    torch.testing.assert_close(out.embedding, net(given).embedding, atol=0.05, rtol=0)
