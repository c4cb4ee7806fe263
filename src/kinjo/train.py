"""The one training loop: any task that turns a batch into named losses, on Lightning Fabric.

All randomness of step ``k`` comes from one generator seeded by ``(seed, k, rank)``, so the loop has no hidden
random state: killed at any moment and started again, it goes on from the last checkpoint and ends, on CPU and with
the same number of threads, with bit-identical weights.

Started by ``torchrun --nproc_per_node=...`` the processes train together (DDP): each draws its own batches, and the
gradients are those of one process with all of the rows (losses that leave missing things out count them together,
``nn.processes``).
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from kinjo.nn import checkpoint

BatchOf = Callable[[torch.Generator], Mapping[str, Tensor]]
"""Draws one batch with the given generator."""


@dataclass(frozen=True)
class Schedule:
    """How long and how hard to train."""

    steps: int = 1000
    batch_size: int = 64
    lr: float = 1e-3
    min_lr: float = 1e-5
    warmup_steps: int = 50
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    accumulate: int = 1
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """``sgd`` is plain: no momentum, no decay, as Mu-MAE's one-shot stage was released."""
    precision: str = "bf16"
    save_every_s: float = 30.0

    def __post_init__(self) -> None:
        if self.precision not in ("bf16", "fp32"):
            raise ValueError(f"precision must be bf16 or fp32, given {self.precision!r}")
        if self.steps < 0 or self.batch_size < 1 or self.accumulate < 1:
            raise ValueError("steps must be at least 0, batch_size and accumulate at least 1")

    def lr_at(self, step: int) -> float:
        """Linear warm-up from 0, then cosine to ``min_lr``."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.min_lr + 0.5 * (self.lr - self.min_lr) * (1 + math.cos(math.pi * min(done, 1.0)))


def step_generator(seed: int, step: int, rank: int = 0) -> torch.Generator:
    """The generator of one step: a function of ``(seed, step, rank)`` alone."""
    mixed = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB) % (1 << 63)
    return torch.Generator().manual_seed(mixed ^ (mixed >> 31))


def make_optimizer(task: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """AdamW, where matrices decay and biases, norms and tokens do not; or plain SGD."""
    named = [p for p in task.parameters() if p.requires_grad]
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(named, lr=schedule.lr)
    groups = [
        {"params": [p for p in named if p.dim() >= 2 and p.shape[0] > 1], "weight_decay": schedule.weight_decay},
        {"params": [p for p in named if p.dim() < 2 or p.shape[0] == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.lr, betas=schedule.betas)


def make_fabric(precision: str = "bf16", accelerator: str = "auto") -> Fabric:
    """One device of this machine; or, started by ``torchrun``, DDP over all of its processes.

    Tasks leave parameters without gradient (what masked autoencoding does not train, fine-tuning may), so DDP looks
    for them in every step: the alternative is an error. ``benchmarks/ddp_gradients.py`` measures what it costs.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would announce the precision every time
    kind: Any = "bf16-mixed" if precision == "bf16" else "32-true"
    if not (torch.distributed.is_available() and torch.distributed.is_torchelastic_launched()):
        return Fabric(accelerator=accelerator, devices=1, precision=kind)
    here, all_of_them = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    strategy = DDPStrategy(find_unused_parameters=True)
    nodes = all_of_them // here
    return Fabric(accelerator=accelerator, devices=here, num_nodes=nodes, strategy=strategy, precision=kind)


def fit(
    task: nn.Module,
    draw: BatchOf,
    schedule: Schedule,
    out: Path,
    *,
    seed: int,
    meta: Mapping[str, Any] | None = None,
    fabric: Fabric | None = None,
    progress: bool = True,
    title: str = "train",
    until: int | None = None,
) -> int:
    """Train ``task`` in place to the end of the schedule; ``task(batch, generator)`` returns named losses.

    A task may have ``at(step, steps)``, called before every step (objectives that take turns), and ``gradients``, which
    is then called as ``gradients(losses, generator, backward)`` to add to ``.grad`` in place of the sum's backward pass
    (one process, one batch a step; ``backward`` is Fabric's).

    Writes to the folder ``out``: ``last.safetensors`` (weights, optimiser, step; the resume point) and
    ``metrics.jsonl`` (a line of losses every ten steps). If ``out`` holds the state of the same run it goes on
    from there; of another run (other ``meta``, schedule, seed or number of processes) is an error.

    With ``until`` it pauses after that many steps of the schedule, state saved; called again it goes on, and ends
    with the same bits as without the pause. Returns the number of steps that ``task`` has taken: more than
    ``until`` where ``out`` was already past it.

    Several processes (``make_fabric``) each draw ``batch_size`` rows of their own, and end with the same weights;
    the first alone writes. ``out`` must be a folder that all of them see.
    """
    if until is not None and until < 0:
        raise ValueError(f"until is a number of steps, at least 0, given {until}")
    stop = schedule.steps if until is None else min(until, schedule.steps)
    fabric = fabric or make_fabric(schedule.precision)
    fabric.launch()
    if getattr(task, "gradients", None) is not None and (fabric.world_size > 1 or schedule.accumulate > 1):
        raise ValueError("gradient surgery needs one process and accumulate = 1: take weighting = 'fixed' here")
    optimizer = make_optimizer(task, schedule)
    facts = {"schedule": asdict(schedule), "seed": seed, "processes": fabric.world_size}
    run = json.loads(json.dumps({**(meta or {}), **facts}))
    model, optimizer = fabric.setup(task, optimizer)
    first = _resume(out, task, optimizer, run)  # after setup: moments go to where the weights are
    _agree(fabric, first, out)
    model.train()
    told = getattr(task, "at", None)
    saved = time.monotonic()
    with (
        _bar(title, schedule.steps, first, progress and fabric.is_global_zero) as advance,
        _log(out, first, fabric.is_global_zero) as log,
    ):
        for step in range(first, stop):
            for group in optimizer.param_groups:
                group["lr"] = schedule.lr_at(step)
            if told is not None:
                told(step, schedule.steps)
            losses = _step(fabric, model, optimizer, draw, schedule, step_generator(seed, step, fabric.global_rank))
            total = sum(losses.values())
            done = step + 1
            if log and (done % 10 == 0 or done == schedule.steps):
                log.write(json.dumps({"step": done, "lr": schedule.lr_at(step), "loss": total, **losses}) + "\n")
                log.flush()
            if fabric.is_global_zero and time.monotonic() - saved > schedule.save_every_s:
                _save(out, task, optimizer, done, run)
                saved = time.monotonic()
            advance(f"loss {total:.3f}")
    if fabric.is_global_zero and first <= stop:
        _save(out, task, optimizer, stop, run)
    fabric.barrier()  # nobody reads what the first has not yet written
    task.eval()
    return max(first, stop)


def _step(
    fabric: Fabric, model: Any, optimizer: Any, draw: BatchOf, schedule: Schedule, generator: torch.Generator
) -> dict[str, float]:
    """One optimiser step over ``accumulate`` batches; returns the mean losses, over all processes too."""
    optimizer.zero_grad(set_to_none=True)
    report: dict[str, float] = {}
    for part in range(schedule.accumulate):
        with fabric.no_backward_sync(model, enabled=part + 1 < schedule.accumulate):
            losses = model(fabric.to_device(draw(generator)), generator)
            each = torch.stack(list(losses.values()))
            shown: Any = each.detach()
            if fabric.world_size > 1:  # before the check, so that all stop where one has to
                shown = fabric.all_reduce(shown.clone(), reduce_op="mean")
            values = dict(zip(losses, shown.tolist(), strict=True))
            if not all(map(math.isfinite, values.values())):
                raise FloatingPointError(f"losses {values} are not finite: lower lr, or look for NaN in the data")
            if (gradients := getattr(model, "gradients", None)) is None:
                fabric.backward(each.sum() / schedule.accumulate)
            else:
                gradients(losses, generator, fabric.backward)
        for name, value in values.items():
            report[name] = report.get(name, 0.0) + value / schedule.accumulate
    if schedule.clip > 0:
        fabric.clip_gradients(model, optimizer, max_norm=schedule.clip)
    optimizer.step()
    return report


def _agree(fabric: Fabric, first: int, out: Path) -> None:
    """``ValueError`` in every process unless all go on from the same step."""
    if fabric.world_size > 1:
        steps: Any = fabric.all_reduce(torch.tensor([first, -first]), reduce_op="max")
        most, least = steps.tolist()
        if most != -least:
            raise ValueError(
                f"the processes find different states in {out} (steps {-least} and {most}): name a folder they share"
            )


# ------------------------------------------------------------------------------------------------ state on disk
def _save(out: Path, task: nn.Module, optimizer: Any, step: int, run: Mapping[str, Any]) -> None:
    state = {f"model.{k}": v for k, v in task.state_dict().items()}
    for i, moments in optimizer.state_dict()["state"].items():
        state |= {f"optim.{i}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    checkpoint.save(out / "last.safetensors", state, {**run, "step": step})


def _resume(out: Path, task: nn.Module, optimizer: Any, run: dict[str, Any]) -> int:
    """Put the state in ``out`` into task and optimiser; the step to go on from (0 where there is none)."""
    path = out / "last.safetensors"
    if not path.exists():
        return 0
    state, header = checkpoint.load(path)
    for name, given in run.items():
        if {"processes": 1, **header}.get(name) != given:
            raise ValueError(
                f"{out} holds another run: its {name} differs from the one given. Choose another folder or delete it."
            )
    task.load_state_dict({k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")})
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.startswith("optim."):
            _, i, key = name.split(".", 2)
            moments.setdefault(int(i), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return int(header["step"])


class _log:
    """``metrics.jsonl`` opened for appending, lines past the resume point dropped first; other ranks get ``None``."""

    def __init__(self, out: Path, first: int, first_rank: bool) -> None:
        self.file = None
        if not first_rank:
            self.path = None
            return
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / "metrics.jsonl"
        if self.path.exists():
            kept = []
            for line in self.path.read_text().splitlines():
                try:
                    kept += [line] if json.loads(line)["step"] <= first else []
                except (json.JSONDecodeError, KeyError):
                    continue  # the line that a kill cut short
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text("".join(line + "\n" for line in kept))
            os.replace(temporary, self.path)

    def __enter__(self) -> Any:
        self.file = self.path.open("a") if self.path else None
        return self.file

    def __exit__(self, *_: object) -> None:
        if self.file:
            self.file.close()


class _bar:
    """A rich progress bar on stderr, or nothing."""

    def __init__(self, title: str, total: int, done: int, show: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self.progress = Progress(*columns, console=Console(stderr=True), disable=not show)
        self.task = self.progress.add_task("", total=total, completed=done)

    def __enter__(self) -> Callable[[str], None]:
        self.progress.start()
        return lambda text: self.progress.update(self.task, advance=1, description=text)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
