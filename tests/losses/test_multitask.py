"""Several objectives: weights, learnt uncertainties, gradient surgery, schedules."""

import importlib
import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from kinjo.losses.multitask import ScheduleOf, Uncertainty, active, pcgrad, pcgrad_backward, weighted

FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")
NAMES = ("contrast", "classify", "reconstruct", "regress")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark that has every loss as a loop."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("losses_error")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_weights_are_of_a_name_or_of_its_objective() -> None:
    losses = {n: torch.tensor(2.0) for n in ("contrast_imu_pose", "contrast_imu_text", "classify_imu", "masked_acc")}
    found = weighted(losses, {"contrast": 0.5, "contrast_imu_text": 3.0, "classify": 0.0})
    assert {name: x.item() for name, x in found.items()} == {
        "contrast_imu_pose": 1.0, "contrast_imu_text": 6.0, "classify_imu": 0.0, "masked_acc": 2.0,
    }  # fmt: skip


def test_uncertainty_of_a_loop_and_its_finite_differences(slow: ModuleType) -> None:
    assert max(max(slow.errors(slow.draw("uncertainty", seed), seed)) for seed in range(12)) <= 1e-5


def test_learnt_uncertainty_ends_where_the_closed_form_has_it() -> None:
    """0.5 exp(-s) L + 0.5 s is least at s = log L."""
    weigh = Uncertainty(["a", "b"])
    losses = {"a_x": torch.tensor(4.0), "a_y": torch.tensor(2.0), "b": torch.tensor(0.3)}
    optimizer = torch.optim.SGD(weigh.parameters(), lr=0.5)
    for _ in range(300):
        optimizer.zero_grad()
        sum(weigh(losses).values(), torch.tensor(0.0)).backward()
        optimizer.step()
    found = {name: p.item() for name, p in weigh.log_variance.items()}
    assert found == pytest.approx({"a": math.log(6.0), "b": math.log(0.3)}, abs=1e-3)


def test_an_objective_that_a_batch_lacks_adds_nothing() -> None:
    weigh = Uncertainty(["contrast", "masked"])
    with torch.no_grad():
        weigh.log_variance["masked"].fill_(5.0)
    found = weigh({"contrast_imu_pose": torch.tensor(3.0)})
    assert {name: x.item() for name, x in found.items()} == {"contrast_imu_pose": 1.5}
    sum(found.values(), torch.tensor(0.0)).backward()
    assert weigh.log_variance["masked"].grad is None
    empty = weigh({"contrast_imu_pose": torch.tensor(3.0), "contrast_pose_text": torch.tensor(0.0)})
    assert sum(empty.values(), torch.tensor(0.0)).item() == 1.5
    with torch.no_grad():
        weigh.log_variance["contrast"].fill_(2.0)
    both = weigh({"contrast_imu_pose": torch.tensor(3.0), "contrast_pose_text": torch.tensor(0.0)})
    assert sum(both.values(), torch.tensor(0.0)).item() == pytest.approx(0.5 * math.exp(-2.0) * 3.0 + 0.5 * 2.0)
    assert weigh({"masked_acc": torch.tensor(0.0)})["masked_acc"].item() == 0.0
    with pytest.raises(ValueError, match="no uncertainty for regress; there are: contrast, masked"):
        weigh({"regress_acc": torch.tensor(1.0)})


def test_surgery_of_a_loop(slow: ModuleType) -> None:
    assert max(map(slow.pcgrad_error, range(40))) <= 1e-5


def test_surgery_without_conflict_is_the_sum() -> None:
    g = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]])
    assert torch.equal(pcgrad(g, seeded()), g.sum(0))
    assert torch.equal(pcgrad(torch.eye(4), seeded()), torch.ones(4))
    assert torch.equal(pcgrad(g[:1], seeded()), g[0])
    with_nothing = torch.cat([g, torch.zeros(1, 3)])
    assert torch.equal(pcgrad(with_nothing, seeded()), g.sum(0))


def test_surgery_of_two_in_conflict_leaves_what_is_square_to_the_other() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(
        pcgrad(torch.stack([a, b]), seeded()), torch.tensor([0.5, 0.5]) + torch.tensor([0.0, 1.0])
    )
    opposite = pcgrad(torch.stack([a, -a]), seeded())
    assert opposite.abs().max() == 0


def test_surgery_is_drawn_by_the_generator_alone() -> None:
    g = torch.randn(5, 3, generator=seeded(2))
    torch.manual_seed(1)
    first = pcgrad(g, seeded(4))
    torch.manual_seed(2)
    assert torch.equal(pcgrad(g, seeded(4)), first)
    drawn = {tuple(pcgrad(g, seeded(s)).tolist()) for s in range(20)}
    assert len(drawn) > 1  # the order matters, and it varies


def losses_of(shared: Tensor, first: Tensor, second: Tensor) -> dict[str, Tensor]:
    return {
        "a": (shared * torch.tensor([1.0, 0.0])).sum() + (first**2).sum(),
        "b": (shared * torch.tensor([-1.0, 1.0])).sum() + (2 * second).sum(),
    }


def test_surgery_of_losses_fills_gradients() -> None:
    shared, first, second, unreached = (nn.Parameter(torch.ones(2)) for _ in range(4))
    parameters = [shared, first, second, unreached]
    pcgrad_backward(losses_of(shared, first, second), parameters, seeded())
    rows = torch.tensor([[1.0, 0, 2, 2, 0, 0], [-1, 1, 0, 0, 2, 2]])
    expected = pcgrad(rows, seeded())
    assert unreached.grad is None
    found = torch.cat([p.grad for p in parameters[:3] if p.grad is not None])
    torch.testing.assert_close(found, expected)
    assert not torch.equal(expected, rows.sum(0))  # there was a conflict


def test_surgery_adds_to_gradients_and_skips_what_has_none() -> None:
    shared, first, second = (nn.Parameter(torch.ones(2)) for _ in range(3))
    parameters = [shared, first, second]
    pcgrad_backward(losses_of(shared, first, second), parameters, seeded())
    once = [p.grad.clone() for p in parameters if p.grad is not None]
    with_constant = {**losses_of(shared, first, second), "c": torch.tensor(1.0)}
    pcgrad_backward(with_constant, parameters, seeded())
    for p, before in zip(parameters, once, strict=True):
        torch.testing.assert_close(p.grad, 2 * before)
    lone = nn.Parameter(torch.ones(1))
    pcgrad_backward({"c": torch.tensor(1.0)}, [lone], seeded())
    assert lone.grad is None


def test_without_conflict_surgery_is_the_backward_pass_of_the_sum() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(4, 3), torch.rand(8, 4)
    parameters = list(model.parameters())
    losses = {name: scale * model(x).square().sum() for name, scale in (("a", 0.1), ("b", 0.7))}
    torch.stack(list(losses.values())).sum().backward(retain_graph=True)
    expected = [p.grad.clone() for p in parameters if p.grad is not None]
    model.zero_grad()
    pcgrad_backward(losses, parameters, seeded())
    for p, g in zip(parameters, expected, strict=True):
        torch.testing.assert_close(p.grad, g)


def test_joint_trains_all_and_staged_its_lead_first() -> None:
    assert [active("joint", NAMES, step, 10) for step in (0, 3, 9)] == [set(NAMES)] * 3
    staged = [active("staged", NAMES, step, 10, stage_share=0.3) for step in range(10)]
    assert staged == [{"contrast"}] * 3 + [set(NAMES)] * 7


def test_alternating_gives_every_objective_its_turn() -> None:
    turns = [active("alternating", NAMES, step, 100) for step in range(12)]
    assert turns[::2] == [{"contrast"}] * 6
    assert turns[1::2] == [{"classify"}, {"reconstruct"}, {"regress"}] * 2


def test_names_belong_to_objectives_by_what_they_begin_with() -> None:
    names = ("contrast_imu_pose", "contrast_imu_text", "classify_imu", "classify_pose", "views_imu")
    turn = [active("alternating", names, step, 100, lead=("contrast", "views")) for step in (0, 1)]
    assert turn == [{"contrast_imu_pose", "contrast_imu_text", "views_imu"}, {"classify_imu", "classify_pose"}]


@pytest.mark.parametrize("schedule", ["joint", "alternating", "staged"])
@pytest.mark.parametrize("names", [("contrast",), ("classify", "masked")])
def test_one_kind_alone_trains_in_every_step(schedule: ScheduleOf, names: tuple[str, ...]) -> None:
    assert all(active(schedule, names, step, 4) == set(names) for step in range(4))
