"""Contrast: loops, finite differences, closed forms, symmetries, what is missing, precision, and two processes."""

import importlib
import math
import sys
from itertools import permutations
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kinjo.losses.contrastive import info_nce, one_of, pairwise, soft_targets, supervised, supervised_over

SCALE = torch.tensor(8.0)
FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")


@pytest.fixture(scope="module")
def slow() -> ModuleType:
    """The benchmark that has every loss as a loop."""
    sys.path.insert(0, FOLDER)
    try:
        return importlib.import_module("losses_error")
    finally:
        sys.path.remove(FOLDER)


@pytest.fixture(scope="module")
def two(slow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Errors of two processes against one, for every loss."""
    return slow.two_processes(tmp_path_factory.mktemp("two"))


def units(rows: int, dim: int = 6, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.mark.parametrize("name", ["info_nce", "info_nce.soft", "supervised", "supervised.pooled"])
def test_values_of_loops_and_gradients_of_their_finite_differences(slow: ModuleType, name: str) -> None:
    worst = [max(side) for side in zip(*(slow.errors(slow.draw(name, s), s) for s in range(12)), strict=True)]
    assert max(worst) <= 1e-5
    assert max(slow.draw(name, s).loss(slow.draw(name, s).inputs).item() for s in range(12)) > 0.5  # not all nothing


def test_soft_targets_of_loops(slow: ModuleType) -> None:
    assert max(slow.targets_error(seed) for seed in range(30)) <= 1e-6


@pytest.mark.parametrize("data", ["present", "missing"])
@pytest.mark.parametrize("job", ["hard", "labels", "synonyms", "both", "supervised", "pooled", "squared"])
def test_two_processes_have_loss_and_gradients_of_one(two: dict[str, float], job: str, data: str) -> None:
    assert two[f"{job}.{data}"] <= 1e-5


def test_closed_forms() -> None:
    n, s = 5, 3.0
    orthogonal = torch.eye(n)
    assert info_nce(orthogonal, orthogonal, torch.tensor(s)).item() == pytest.approx(
        math.log(1 + (n - 1) / math.exp(s))
    )
    alike = torch.ones(n, 1)
    assert info_nce(alike, alike, torch.tensor(s)).item() == pytest.approx(math.log(n))
    assert supervised(alike, torch.zeros(n, dtype=torch.int64), torch.tensor(s)).item() == pytest.approx(
        math.log(n - 1)
    )
    two_classes = orthogonal[[0, 0, 1, 1]]
    found = supervised(two_classes, torch.tensor([0, 0, 1, 1]), torch.tensor(s)).item()
    assert found == pytest.approx(math.log(1 + 2 / math.exp(s)))


def test_sides_and_rows_may_be_swapped() -> None:
    a, b, labels = units(7), units(7, seed=1), torch.tensor([0, 1, 0, 2, -1, 1, 0])
    missing, order = torch.arange(7) == 3, torch.tensor([4, 2, 6, 0, 1, 3, 5])
    targets = soft_targets(labels)
    found = info_nce(a, b, SCALE, missing, targets)
    torch.testing.assert_close(info_nce(b, a, SCALE, missing, targets), found)
    again = info_nce(a[order], b[order], SCALE, missing[order], targets[order][:, order])
    torch.testing.assert_close(again, found)
    torch.testing.assert_close(
        supervised(a[order], labels[order], SCALE, missing[order]), supervised(a, labels, SCALE, missing)
    )
    pools = [
        supervised_over({m: {"imu": a, "pose": b}[m] for m in names}, labels, SCALE, {"imu": missing, "pose": ~missing})
        for names in permutations(("imu", "pose"))
    ]
    torch.testing.assert_close(pools[0], pools[1])


def test_what_is_missing_is_as_if_it_were_not_there() -> None:
    a, b, labels = units(8), units(8, seed=1), torch.tensor([0, 0, 1, 1, 2, -1, 0, 1])
    missing = torch.tensor([False, True, False, False, True, False, False, False])
    targets, kept = soft_targets(labels), ~missing
    torch.testing.assert_close(
        info_nce(a, b, SCALE, missing, targets), info_nce(a[kept], b[kept], SCALE, None, targets[kept][:, kept])
    )
    torch.testing.assert_close(supervised(a, labels, SCALE, missing), supervised(a[kept], labels[kept], SCALE))
    known = labels >= 0
    torch.testing.assert_close(supervised(a, labels, SCALE), supervised(a[known], labels[known], SCALE))
    pool = supervised_over({"imu": a, "pose": b}, labels, SCALE, {"imu": missing, "pose": ~missing})
    rows = torch.cat([a[kept], b[missing]])
    torch.testing.assert_close(pool, supervised(rows, torch.cat([labels[kept], labels[missing]]), SCALE))


def test_missing_rows_have_no_gradient() -> None:
    a, b = units(6).requires_grad_(), units(6, seed=1).requires_grad_()
    missing = torch.tensor([False, False, True, False, True, False])
    info_nce(a, b, SCALE, missing, soft_targets(torch.tensor([0, 0, 0, 1, 1, 1]))).backward()
    for x in (a, b):
        assert x.grad is not None
        assert x.grad[missing].abs().max() == 0
        assert x.grad[~missing].abs().amin(0).min() > 0


@pytest.mark.parametrize("present", [0, 1])
def test_fewer_than_two_rows_teach_nothing_but_keep_the_graph(present: int) -> None:
    a, b = units(4).requires_grad_(), units(4, seed=1).requires_grad_()
    scale = torch.tensor(100.0, requires_grad=True)
    missing = torch.arange(4) >= present
    loss = info_nce(a, b, scale, missing)
    loss = loss + supervised(a, torch.zeros(4, dtype=torch.int64), scale, missing)
    loss.backward()
    assert loss.item() == 0
    for x in (a, b, scale):
        assert x.grad is not None
        assert x.grad.abs().max() == 0


def test_one_row_alone_with_its_class_is_a_negative_only() -> None:
    z, labels = units(3), torch.tensor([0, 0, 1])
    found = supervised(z, labels, SCALE)
    logits = (SCALE * z @ z.T).double()
    each = [torch.logsumexp(logits[i, [1 - i, 2]], 0) - logits[i, 1 - i] for i in (0, 1)]
    assert found.item() == pytest.approx(sum(e.item() for e in each) / 2, rel=1e-5)


def test_pairs_count_the_rows_that_have_both() -> None:
    z = {m: units(6, seed=i) for i, m in enumerate(("imu", "pose", "text"))}
    gone = {m: torch.arange(6) == i for i, m in enumerate(z)}
    found = pairwise(z, gone, SCALE)
    assert list(found) == ["contrast_imu_pose", "contrast_imu_text", "contrast_pose_text"]
    both = ~(gone["imu"] | gone["text"])
    torch.testing.assert_close(found["contrast_imu_text"], info_nce(z["imu"][both], z["text"][both], SCALE))


def test_soft_targets_know_labels_and_synonyms() -> None:
    labels = torch.tensor([2, -1, 2, -1])
    assert soft_targets(labels).tolist() == [[0.5, 0, 0.5, 0], [0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]]
    similarity = torch.eye(4)
    similarity[0, 1] = similarity[1, 0] = 0.75
    similarity[2, 3] = similarity[3, 2] = 0.4  # under the threshold
    expected = torch.tensor([[1, 0.75, 1, 0], [0.75, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])
    found = soft_targets(labels, similarity, threshold=0.5)
    torch.testing.assert_close(found, expected / expected.sum(1, keepdim=True))
    torch.testing.assert_close(found.sum(1), torch.ones(4))
    with pytest.raises(ValueError, match="labels, similarities or both"):
        soft_targets()


def test_the_same_twice_is_no_negative_of_itself() -> None:
    z, labels = torch.eye(4)[[0, 0, 1, 1]], torch.tensor([5, 5, 7, 7])
    sharp = torch.tensor(60.0)
    assert info_nce(z, z, sharp).item() == pytest.approx(math.log(2), rel=1e-5)
    moved = z.clone().requires_grad_()
    info_nce(moved, z, sharp, None, soft_targets(labels)).backward()
    assert moved.grad is not None
    assert moved.grad.abs().max() < 1e-6  # it already stands where it should


def test_targets_need_not_sum_to_one() -> None:
    a, b, targets = units(5), units(5, seed=1), soft_targets(torch.tensor([0, 1, 0, 1, 1]))
    torch.testing.assert_close(info_nce(a, b, SCALE, None, 7 * targets), info_nce(a, b, SCALE, None, targets))


@pytest.mark.parametrize("entered", [torch.float32, torch.bfloat16])
def test_autocast_changes_nothing(entered: torch.dtype) -> None:
    a, b, labels = units(9).to(entered), units(9, seed=1).to(entered), torch.arange(9) % 3
    gone = {"imu": torch.arange(9) == 2, "pose": torch.arange(9) == 5}

    def losses(a: Tensor, b: Tensor) -> Tensor:
        z = {"imu": a, "pose": b}
        pair = pairwise(z, gone, SCALE, soft_targets(labels))["contrast_imu_pose"]
        return torch.stack([pair, supervised(a, labels, SCALE), supervised_over(z, labels, SCALE, gone)])

    expected = losses(a.float(), b.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = losses(a, b)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


# ------------------------------------------------------------------------------------------------ one of many sentences
def test_one_of_is_a_loop_over_rows_and_known_classes():
    z, said, label = units(5), units(4, seed=1), torch.tensor([0, 2, 2, 0, 3])
    known = torch.tensor([True, False, True, True])
    each = []
    for row, own in zip(z, label.tolist(), strict=True):
        weights = {k: math.exp(float(SCALE * row @ said[k])) for k in range(4) if known[k]}
        each.append(-math.log(weights[own] / sum(weights.values())))
    assert float(one_of(z, said, label, known, SCALE)) == pytest.approx(sum(each) / 5, rel=1e-5)


def test_one_of_does_not_see_classes_that_are_not_known_or_their_order():
    z, said, label = units(5), units(4, seed=1), torch.tensor([0, 2, 2, 0, 3])
    known = torch.tensor([True, False, True, True])
    usual = one_of(z, said, label, known, SCALE)
    other = said.clone()
    other[1] = units(1, seed=9)[0]
    assert torch.equal(one_of(z, other, label, known, SCALE), usual)
    order = torch.tensor([3, 1, 0, 2])  # the class k is at place order[k]
    moved, there = torch.empty_like(said), torch.empty_like(known)
    moved[order], there[order] = said, known
    torch.testing.assert_close(one_of(z, moved, order[label], there, SCALE), usual)


def test_gradients_of_one_of_by_finite_differences():
    z, said = units(3).double().requires_grad_(), units(4, seed=1).double().requires_grad_()
    known, label = torch.tensor([True, True, False, True]), torch.tensor([0, 3, 1])
    scale = torch.tensor(2.0, dtype=torch.float64)

    def loss(a: Tensor, b: Tensor) -> Tensor:
        return one_of(a, b, label, known, scale)

    assert torch.autograd.gradcheck(loss, (z, said), eps=1e-2, atol=1e-2)  # it computes in fp32
