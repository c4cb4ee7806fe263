"""The blocks against a naive reference, missing keys, and explicit random state."""

import pytest
import torch

from kinjo.nn.transformer import Attention, Transformer, initialise


def naive_attention(layer: Attention, x: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    """One row, one head, one query at a time."""
    b, n, d = x.shape
    size = d // layer.heads
    q, k, v = layer.qkv(x).split(d, dim=2)
    out = torch.zeros(b, n, d)
    for row in range(b):
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)
            for i in range(n):
                score = torch.stack([q[row, i, part] @ k[row, j, part] / size**0.5 for j in range(n)])
                weight = score.masked_fill(missing[row], -torch.inf).softmax(0)
                out[row, i, part] = sum(weight[j] * v[row, j, part] for j in range(n))
    return layer.out(out)


def test_attention_equals_the_naive_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = Attention(8, 2)
    initialise(layer, generator)
    x = torch.randn(2, 5, 8, generator=generator)
    missing = torch.tensor([[False, False, True, False, True], [False] * 5])
    torch.testing.assert_close(layer(x, missing), naive_attention(layer, x, missing), atol=1e-5, rtol=1e-4)


def test_what_is_missing_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    model = Transformer(16, 2, 4)
    initialise(model, generator)
    x = torch.randn(3, 6, 16, generator=generator)
    missing = torch.zeros(3, 6, dtype=torch.bool)
    missing[:, 4:] = True
    other = x.clone()
    other[:, 4:] = 1e3
    torch.testing.assert_close(model(x, missing)[:, :4], model(other, missing)[:, :4])
    assert not torch.allclose(model(x)[:, :4], model(other)[:, :4])


def test_initialise_uses_its_generator_alone() -> None:
    weights = []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        model = Transformer(16, 1, 2)
        initialise(model, torch.Generator().manual_seed(7))
        weights.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(*weights)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        Attention(10, 4)
