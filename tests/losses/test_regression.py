"""Losses on signals: closed forms, symmetry, finite differences, and samples that are not there."""

import importlib
from pathlib import Path
from typing import Literal

import pytest
import torch

from kinjo.losses.masked import masked_mse
from kinjo.losses.regression import signal_loss

FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")
Kind = Literal["squared", "smooth"]


@pytest.mark.parametrize("name", ["signal.squared", "signal.smooth", "masked_mse"])
def test_values_of_loops_and_gradients_of_their_finite_differences(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    slow = importlib.import_module("losses_error")
    found = [slow.errors(slow.draw(name, seed), seed) for seed in range(12)]
    assert max(map(max, found)) <= 1e-5


@pytest.mark.parametrize(("kind", "off", "expected"), [
    ("squared", 3.0, 9.0), ("squared", 0.5, 0.25), ("smooth", 3.0, 2.5), ("smooth", 0.5, 0.125),
])  # fmt: skip
def test_closed_form_from_either_side(kind: Kind, off: float, expected: float) -> None:
    p, t = torch.full((2, 4, 3), off), torch.zeros(2, 4, 3)
    assert signal_loss(p, t, kind=kind).item() == pytest.approx(expected)
    assert signal_loss(t, p, kind=kind).item() == pytest.approx(expected)


def test_squared_is_the_loss_of_masked_tokens() -> None:
    p, t, missing = torch.randn(3, 5, 2), torch.randn(3, 5, 2), torch.rand(3, 5) < 0.5
    torch.testing.assert_close(signal_loss(p, t, missing), masked_mse(p, t, missing))


@pytest.mark.parametrize("kind", ["squared", "smooth"])
def test_missing_samples_count_nothing(kind: Kind) -> None:
    generator = torch.Generator().manual_seed(0)
    p, t = torch.randn(2, 6, 3, generator=generator).requires_grad_(), torch.randn(2, 6, 3, generator=generator)
    missing = torch.zeros(2, 6, dtype=torch.bool)
    missing[:, 4:] = True
    loss = signal_loss(p, t, missing, kind)
    torch.testing.assert_close(loss, signal_loss(p[:, :4], t[:, :4], None, kind))
    loss.backward()
    assert p.grad is not None
    assert p.grad[missing].abs().max() == 0
    nothing = signal_loss(p, t, torch.ones_like(missing), kind)
    p.grad = None
    nothing.backward()
    assert nothing.item() == 0
    assert p.grad is not None
    assert p.grad.abs().max() == 0


@pytest.mark.parametrize("kind", ["squared", "smooth"])
def test_autocast_changes_nothing(kind: Kind) -> None:
    p, t = torch.randn(2, 6, 3).bfloat16(), torch.randn(2, 6, 3)
    expected = signal_loss(p.float(), t, None, kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(signal_loss(p, t, None, kind), expected)
