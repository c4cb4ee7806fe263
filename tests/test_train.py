"""The loop: schedule, what it writes, and exact resume after kill -9."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kinjo.nn import checkpoint
from kinjo.train import Schedule, fit, make_optimizer, step_generator

SCHEDULE = Schedule(steps=60, batch_size=8, lr=0.1, warmup_steps=5, save_every_s=0.0, precision="fp32")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums depend on the number of threads, and other packages (aeon) change it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Line(nn.Module):
    """Learn ``y = x @ w`` from noisy draws, with a BatchNorm so that buffers matter too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(4), nn.Linear(4, 1)
        for p in self.parameters():
            nn.init.constant_(p, 0.5)

    def forward(self, batch: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
        noise = 0.1 * torch.randn(len(batch["x"]), 1, generator=generator)
        return {"mse": (self.linear(self.norm(batch["x"])) - batch["y"] + noise).square().mean()}


def draw(generator: torch.Generator) -> dict[str, torch.Tensor]:
    x = torch.randn(8, 4, generator=generator)
    return {"x": x, "y": x.sum(1, keepdim=True)}


def weights(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(out / "last.safetensors")[0]


def test_it_learns_and_logs(tmp_path: Path) -> None:
    task = Line()
    fit(task, draw, SCHEDULE, tmp_path, seed=0, progress=False)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30, 40, 50, 60]
    assert lines[-1]["mse"] < 0.5 * lines[0]["mse"]
    assert checkpoint.load(tmp_path / "last.safetensors")[1]["step"] == 60
    assert not task.training


def test_a_run_cut_short_goes_on_bit_identically(tmp_path: Path) -> None:
    fit(Line(), draw, SCHEDULE, tmp_path / "whole", seed=3, progress=False)
    calls = 0

    def failing(generator: torch.Generator) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls == 23:
            raise KeyboardInterrupt
        return draw(generator)

    with pytest.raises(KeyboardInterrupt):
        fit(Line(), failing, SCHEDULE, tmp_path / "cut", seed=3, progress=False)
    assert checkpoint.load(tmp_path / "cut" / "last.safetensors")[1]["step"] == 22
    calls = 100
    fit(Line(), failing, SCHEDULE, tmp_path / "cut", seed=3, progress=False)
    assert calls == 100 + 60 - 22  # it went on, and did not start again
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[k], cut[k]) for k in whole)
    same = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert same[0] == same[1]


def test_a_run_with_pauses_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Between two calls the caller evaluates, in any mode and with any use of the weights."""
    lazy, out = Schedule(**{**SCHEDULE.__dict__, "save_every_s": 1e9}), tmp_path / "parts"
    assert fit(Line(), draw, lazy, tmp_path / "whole", seed=3, progress=False) == 60
    task = Line()
    reached = []
    for until in (7, 7, 30, 44, None):
        reached.append(fit(task, draw, lazy, out, seed=3, progress=False, until=until))
        assert checkpoint.load(out / "last.safetensors")[1]["step"] == reached[-1]
        assert not task.training
        state = {k: v.clone() for k, v in task.state_dict().items()}
        task.train()
        task(draw(step_generator(9, 9)), step_generator(9, 9))  # moves the BatchNorm's averages
        assert not all(torch.equal(v, state[k]) for k, v in task.state_dict().items())
    assert reached == [7, 7, 30, 44, 60]
    whole, parts = weights(tmp_path / "whole"), weights(out)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    assert (tmp_path / "whole" / "metrics.jsonl").read_text() == (out / "metrics.jsonl").read_text()


def test_a_pause_that_lies_behind_changes_nothing(tmp_path: Path) -> None:
    """A caller that was stopped asks for its first pause again: it is told how far the weights are."""
    fit(Line(), draw, SCHEDULE, tmp_path, seed=3, progress=False, until=30)
    before, log = weights(tmp_path), (tmp_path / "metrics.jsonl").read_text()
    task = Line()
    assert fit(task, draw, SCHEDULE, tmp_path, seed=3, progress=False, until=10) == 30
    after = weights(tmp_path)
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert all(torch.equal(v, before[f"model.{k}"]) for k, v in task.state_dict().items())
    assert (tmp_path / "metrics.jsonl").read_text() == log
    assert fit(task, draw, SCHEDULE, tmp_path, seed=3, progress=False, until=1000) == 60
    with pytest.raises(ValueError, match="until"):
        fit(task, draw, SCHEDULE, tmp_path, seed=3, progress=False, until=-1)


SCRIPT = """
import sys, time, pathlib, torch
sys.path.insert(0, sys.argv[2])
from tests.test_train import Line, SCHEDULE, draw
from kinjo.train import fit
torch.set_num_threads(1)
def slow(generator):
    time.sleep(0.03)
    return draw(generator)
fit(Line(), slow, SCHEDULE, pathlib.Path(sys.argv[1]), seed=3, progress=False)
"""


def test_kill_minus_nine_at_any_moment(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[1])
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), root]
    for wait in (0.1, 0.3):
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        state = tmp_path / "killed" / "last.safetensors"
        deadline = time.monotonic() + 60
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert 0 < checkpoint.load(state)[1]["step"] < SCHEDULE.steps
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    fit(Line(), draw, SCHEDULE, tmp_path / "whole", seed=3, progress=False)
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[k], killed[k]) for k in whole)
    assert (tmp_path / "whole" / "metrics.jsonl").read_text() == (tmp_path / "killed" / "metrics.jsonl").read_text()


def test_another_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    fit(Line(), draw, SCHEDULE, tmp_path, seed=0, meta={"windows": "a"}, progress=False)
    with pytest.raises(ValueError, match="another run: its windows differs"):
        fit(Line(), draw, SCHEDULE, tmp_path, seed=0, meta={"windows": "b"}, progress=False)
    with pytest.raises(ValueError, match="another run"):
        fit(Line(), draw, SCHEDULE, tmp_path, seed=1, progress=False)


def test_losses_that_are_not_finite_stop_the_run(tmp_path: Path) -> None:
    def broken(generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"x": torch.full((8, 4), torch.nan), "y": torch.zeros(8, 1)}

    with pytest.raises(FloatingPointError, match="not finite"):
        fit(Line(), broken, SCHEDULE, tmp_path, seed=0, progress=False)


def test_accumulated_steps_equal_one_large_batch(tmp_path: Path) -> None:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    halves = [x[:8], x[8:]]

    class Plain(Line):
        def forward(self, batch, generator):
            return {"mse": (self.linear(batch["x"]) - batch["y"]).square().mean()}

    turn = iter(halves * 10)

    def half(generator: torch.Generator) -> dict[str, torch.Tensor]:
        part = next(turn)
        return {"x": part, "y": part.sum(1, keepdim=True)}

    def both(generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"x": x, "y": x.sum(1, keepdim=True)}

    one, two = Plain(), Plain()
    short = Schedule(steps=5, lr=1e-2, warmup_steps=1, precision="fp32")
    fit(one, both, short, tmp_path / "one", seed=0, progress=False)
    fit(two, half, Schedule(**{**short.__dict__, "accumulate": 2}), tmp_path / "two", seed=0, progress=False)
    torch.testing.assert_close(one.linear.weight, two.linear.weight, atol=1e-6, rtol=1e-5)


def test_schedule_warms_up_then_falls_to_the_floor() -> None:
    schedule = Schedule(steps=100, lr=1.0, min_lr=0.1, warmup_steps=10)
    rates = [schedule.lr_at(i) for i in range(101)]
    assert rates[0] == 0.1
    assert rates[9] == 1.0
    assert rates[100] == pytest.approx(0.1)
    assert all(a >= b for a, b in pairwise(rates[10:]))
    with pytest.raises(ValueError, match="precision"):
        Schedule(precision="fp16")


def test_decay_spares_biases_and_norms() -> None:
    groups = make_optimizer(Line(), Schedule(weight_decay=0.3)).param_groups
    assert [g["weight_decay"] for g in groups] == [0.3, 0.0]
    assert all(p.dim() < 2 or p.shape[0] == 1 for p in groups[1]["params"])


def test_step_generators_differ_by_seed_step_and_rank() -> None:
    draws = {
        torch.rand(1, generator=step_generator(*key)).item() for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    }
    assert len(draws) == 4


# ------------------------------------------------------------------------------------------------ plain SGD
SGD = Schedule(**{**SCHEDULE.__dict__, "optimizer": "sgd", "clip": 0.0, "weight_decay": 0.5})


def test_sgd_moves_by_rate_times_gradient(tmp_path: Path) -> None:
    """No momentum and no decay: every step by itself, as released."""
    task, twin = Line(), Line()
    fit(task, draw, SGD, tmp_path, seed=0, progress=False, until=3)
    for step in range(3):
        twin.zero_grad()
        generator = step_generator(0, step)
        twin(draw(generator), generator)["mse"].backward()
        with torch.no_grad():
            for p in twin.parameters():
                assert p.grad is not None
                p -= SGD.lr_at(step) * p.grad
    for name, p in task.named_parameters():
        torch.testing.assert_close(p, dict(twin.named_parameters())[name], msg=name)
    (group,) = make_optimizer(task, SGD).param_groups
    assert (group["momentum"], group["weight_decay"]) == (0, 0)


def test_sgd_goes_on_bit_identically(tmp_path: Path) -> None:
    fit(Line(), draw, SGD, tmp_path / "whole", seed=3, progress=False)
    for until in (11, 40, None):
        fit(Line(), draw, SGD, tmp_path / "parts", seed=3, progress=False, until=until)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    with pytest.raises(ValueError, match="another run: its schedule differs"):
        fit(Line(), draw, SCHEDULE, tmp_path / "parts", seed=3, progress=False)


def test_weights_that_are_frozen_are_not_moved(tmp_path: Path) -> None:
    for schedule in (SCHEDULE, SGD):
        task = Line()
        task.norm.requires_grad_(False)
        fit(task, draw, schedule, tmp_path / schedule.optimizer, seed=0, progress=False, until=3)
        assert bool((task.norm.weight == 0.5).all())
        assert not bool((task.linear.weight == 0.5).any())


# ------------------------------------------------------------------------------------------------ tasks with hooks
class Hooked(Line):
    """Is told the step, and steps along half of its gradient by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, int]] = []

    def at(self, step: int, steps: int) -> None:
        self.told.append((step, steps))

    def gradients(self, losses: dict[str, torch.Tensor], generator: torch.Generator, backward: Any) -> None:
        torch.rand((), generator=generator)
        backward(0.5 * losses["mse"])


class Halved(Line):
    def forward(self, batch: dict[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"mse": 0.5 * super().forward(batch, generator)["mse"]}


def test_a_task_is_told_the_step_and_may_make_its_own_gradients(tmp_path: Path) -> None:
    schedule = Schedule(**{**SCHEDULE.__dict__, "optimizer": "sgd", "steps": 12})
    hooked, halved = Hooked(), Halved()
    fit(hooked, draw, schedule, tmp_path / "hooked", seed=3, progress=False, until=5)
    fit(hooked, draw, schedule, tmp_path / "hooked", seed=3, progress=False)
    fit(halved, draw, schedule, tmp_path / "halved", seed=3, progress=False)
    assert hooked.told == [(step, 12) for step in range(12)]
    given = halved.state_dict()
    assert all(torch.equal(x, given[n]) for n, x in hooked.state_dict().items())


def test_gradient_surgery_over_several_batches_is_refused(tmp_path: Path) -> None:
    schedule = Schedule(**{**SCHEDULE.__dict__, "accumulate": 2})
    with pytest.raises(ValueError, match="one process and accumulate = 1: take weighting = 'fixed'"):
        fit(Hooked(), draw, schedule, tmp_path, seed=3, progress=False)
