"""Two processes (gloo, CPU) train as one: gradients, who writes, a death in the middle, an error in one of them."""

import importlib
import json
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from kinjo.nn.processes import mean_count
from kinjo.train import fit, make_fabric

BENCHMARKS = str(Path(__file__).resolve().parents[1] / "benchmarks")


@pytest.fixture(scope="module")
def ddp() -> ModuleType:
    """The work of the two processes; the benchmark has the same."""
    sys.path.insert(0, BENCHMARKS)
    try:
        return importlib.import_module("_ddp")
    finally:
        sys.path.remove(BENCHMARKS)


@pytest.fixture(scope="module")
def done(ddp: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left: gradients, trainings, and one in which the second was killed and both resumed."""
    folder = tmp_path_factory.mktemp("ddp")
    (first, second), resumed = ddp.run(folder, ["gradients", "nan", "apart", "whole", "kill:cut"], ["cut"])
    assert second.code == -signal.SIGKILL, second.said  # by itself, in its last job
    assert first.code == 1
    assert "closed by peer" in first.said or "reset by peer" in first.said, first.said
    assert [end.code for end in resumed] == [0, 0], [end.said for end in resumed]
    return folder


@pytest.mark.parametrize("data", ["present", "missing"])
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_two_processes_have_the_gradients_of_one(ddp: ModuleType, done: Path, stage: str, data: str) -> None:
    """Also where the halves lack different things: the mean is over all that is there, not of two means."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    one, losses = ddp.gradients(make_fabric("fp32", "cpu"), stage, data)
    torch.set_num_threads(threads)
    assert max(x.abs().max().item() for x in one.values()) > 0.1  # there is something to compare
    for two in ddp.load(done, f"{stage}-{data}"):
        assert ddp.largest_difference(one, ddp.without_losses(two)) <= 1e-5
        mean = {name.removeprefix(ddp.LOSS): x.item() for name, x in two.items() if name.startswith(ddp.LOSS)}
        assert mean == pytest.approx(losses, abs=1e-5)


def test_all_processes_end_with_the_same_weights_and_the_first_writes(ddp: ModuleType, done: Path) -> None:
    first, second = ddp.load(done, "apart")
    assert first.keys() == second.keys()
    assert all(torch.equal(x, second[name]) for name, x in first.items())
    before = ddp.make_task("pretrain").state_dict()
    assert sum(not torch.equal(x, first[name]) for name, x in before.items()) > 100
    assert sorted(p.name for p in (done / "apart.0").iterdir()) == ["last.safetensors", "metrics.jsonl"]
    assert not (done / "apart.1").exists()  # where the second would have written
    lines = [json.loads(line) for line in (done / "apart.0" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, ddp.SCHEDULE.steps]


def test_processes_killed_and_started_again_end_with_the_same_bits(ddp: ModuleType, done: Path) -> None:
    whole, cut = (ddp.load(done, name) for name in ("whole", "cut"))
    for a, b in zip(whole, cut, strict=True):
        assert (a.pop("steps"), b.pop("steps")) == (ddp.SCHEDULE.steps, ddp.SCHEDULE.steps - ddp.KILLED_AT + 1)
        assert a.keys() == b.keys()
        assert all(torch.equal(x, b[name]) for name, x in a.items())
    logs = [(done / name / "metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_each_process_draws_rows_of_its_own(ddp: ModuleType, done: Path, tmp_path: Path) -> None:
    task = ddp.make_task("pretrain")
    fit(task, ddp.training_draw, ddp.SCHEDULE, tmp_path, seed=4, fabric=make_fabric("fp32", "cpu"), progress=False)
    (both, _), alone = ddp.load(done, "whole"), task.state_dict()
    name = "model.mask_token"
    assert (both[name] - alone[name]).abs().max() > 1e-4  # twice the same rows would have its gradients


def test_a_state_of_two_processes_is_not_taken_up_by_one(ddp: ModuleType, done: Path) -> None:
    with pytest.raises(ValueError, match="another run: its processes differs"):
        fit(ddp.make_task("pretrain"), ddp.training_draw, ddp.SCHEDULE, done / "whole", seed=4, progress=False)


def test_what_is_not_finite_in_one_stops_all(done: Path) -> None:
    for rank in (0, 1):
        said = (done / f"nan.{rank}").read_text()
        assert "'masked_acc': nan" in said
        assert "not finite" in said
    assert not (done / "nan" / "last.safetensors").exists()


def test_alone_a_count_is_itself_and_never_zero() -> None:
    assert [mean_count(torch.tensor(x)).item() for x in (0.0, 1.0, 7.0)] == [1.0, 1.0, 7.0]
