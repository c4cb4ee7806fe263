"""Masked MSE: naive loop, closed form, symmetry, finite differences, and what is missing."""

import importlib
from pathlib import Path

import pytest
import torch

from kinjo.losses.masked import masked_mse

FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")


def test_against_a_naive_loop_with_missing_tokens() -> None:
    generator = torch.Generator().manual_seed(0)
    p, t = torch.randn(3, 4, 5, generator=generator), torch.randn(3, 4, 5, generator=generator)
    missing = torch.rand(3, 4, generator=generator) < 0.4
    total, count = 0.0, 0
    for b in range(3):
        for n in range(4):
            if not missing[b, n]:
                total += sum((p[b, n, v] - t[b, n, v]).item() ** 2 for v in range(5)) / 5
                count += 1
    assert abs(masked_mse(p, t, missing).item() - total / count) < 1e-6


def test_closed_form_and_symmetry() -> None:
    p, t = torch.full((2, 3, 4), 2.0), torch.zeros(2, 3, 4)
    assert masked_mse(p, t).item() == 4.0
    assert masked_mse(t, p).item() == 4.0
    order = torch.tensor([2, 0, 1])
    q = torch.randn(2, 3, 4)
    torch.testing.assert_close(masked_mse(q[:, order], t[:, order]), masked_mse(q, t))


def test_gradient_by_finite_differences() -> None:
    p = torch.randn(2, 3, 4, dtype=torch.float32, requires_grad=True)
    t, missing = torch.randn(2, 3, 4), torch.tensor([[True, False, False], [False, False, True]])
    masked_mse(p, t, missing).backward()
    step = 1e-2
    for at in [(0, 0, 1), (0, 1, 2), (1, 1, 3)]:
        bump = torch.zeros_like(p)
        bump[at] = step
        slope = (masked_mse(p + bump, t, missing) - masked_mse(p - bump, t, missing)) / (2 * step)
        assert p.grad is not None
        assert abs(slope.item() - p.grad[at].item()) < 1e-4


def test_all_missing_teaches_nothing() -> None:
    p = torch.randn(2, 3, 4, requires_grad=True)
    loss = masked_mse(p, torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert p.grad is not None
    assert p.grad.abs().sum() == 0


def test_values_of_loops_and_gradients_of_their_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    slow = importlib.import_module("losses_error")
    found = [slow.errors(slow.draw("masked_mse", seed), seed) for seed in range(12)]
    assert max(map(max, found)) <= 1e-5


def test_missing_samples_count_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    p, t = torch.randn(2, 6, 3, generator=generator).requires_grad_(), torch.randn(2, 6, 3, generator=generator)
    missing = torch.zeros(2, 6, dtype=torch.bool)
    missing[:, 4:] = True
    loss = masked_mse(p, t, missing)
    torch.testing.assert_close(loss, masked_mse(p[:, :4], t[:, :4]))
    loss.backward()
    assert p.grad is not None
    assert p.grad[missing].abs().max() == 0
    nothing = masked_mse(p, t, torch.ones_like(missing))
    p.grad = None
    nothing.backward()
    assert nothing.item() == 0
    assert p.grad is not None
    assert p.grad.abs().max() == 0


def test_autocast_changes_nothing() -> None:
    p, t = torch.randn(2, 6, 3).bfloat16(), torch.randn(2, 6, 3)
    expected = masked_mse(p.float(), t)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(masked_mse(p, t), expected)
