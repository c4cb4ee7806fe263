"""Two processes against one: gradients of both tasks of Mu-MAE, and a training that is killed. CPU, gloo, fp32.

``run`` does jobs in processes of their own, set up as by ``torchrun``; ``gradients`` works in any process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.methods import mumae, oneshot
from kinjo.train import Schedule, fit, make_fabric, step_generator

ROWS, CLASSES = 8, 3
INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8),
    "gyro": SensorInput("gyro", samples=32, slots=8),
    "pose": PoseInput(frames=16, joints=4, slots=8),
    "rgb": VideoInput("rgb", frames=4, size=16, tubelet=(2, 4, 4)),
}
CASES = [(stage, data) for data in ("present", "missing") for stage in ("pretrain", "finetune")]
SCHEDULE = Schedule(steps=12, batch_size=4, lr=1e-3, warmup_steps=2, save_every_s=0.0, precision="fp32")
KILLED_AT = 7
LOSS = "loss:"
LONGEST_S = 300


@dataclass(frozen=True)
class End:
    """Exit code of a process (minus the signal that killed it), and what it said."""

    code: int
    said: str


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def windows(data: str) -> dict[str, Tensor]:
    """The whole batch. Where ``missing``, the halves lack different things; the second has no video at all."""
    generator = seeded(1)
    batch: dict[str, Tensor] = {"label": torch.arange(ROWS) % CLASSES}
    for key, spec in INPUTS.items():
        batch[key] = spec.unpatchify(torch.randn(ROWS, spec.tokens, spec.values, generator=generator))
        batch[f"{key}.missing"] = torch.zeros(ROWS, spec.samples, dtype=torch.bool)
    if data == "missing":
        for key, rows in {"acc": slice(0, 3), "pose": slice(1, 2), "rgb": slice(ROWS // 2, ROWS)}.items():
            batch[f"{key}.missing"][rows] = True
        batch["gyro.missing"][2, :20] = True
        batch["gyro.missing"][5] = True
        for key in INPUTS:
            gone = batch[f"{key}.missing"]
            batch[key][gone] = 0.0
    return batch


def make_task(stage: str) -> nn.Module:
    model = mumae.MuMAE(mumae.tiny(INPUTS), seeded())
    if stage == "pretrain":
        return mumae.Pretrain(model)
    return oneshot.Finetune(oneshot.OneShot(model, oneshot.OneShotConfig(), seeded(2)), CLASSES, seeded(2))


def gradients(fabric: Fabric, stage: str, data: str) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Gradients and losses of this process's share of the batch, masks drawn for the whole batch and shared out."""
    share = ROWS // fabric.world_size
    mine = slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)
    task = make_task(stage)
    for model in task.modules():
        if isinstance(model, mumae.MuMAE):
            shared = {key: mask[mine] for key, mask in model.draw_masks(ROWS, seeded(3)).items()}
            model.draw_masks = lambda batch, generator, shared=shared: shared
    wrapped = fabric.setup_module(task)
    losses = wrapped({key: x[mine] for key, x in windows(data).items()}, seeded())
    fabric.backward(torch.stack(list(losses.values())).sum())
    found = {name: p.grad.clone() for name, p in task.named_parameters() if p.grad is not None}
    return found, {name: loss.item() for name, loss in losses.items()}


def largest_difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Of all entries. Raises ``ValueError`` unless the same parameters have gradients."""
    if one.keys() != other.keys():
        raise ValueError(f"gradients on one side alone: {sorted(one.keys() ^ other.keys())}")
    return max((x - other[name]).abs().max().item() for name, x in one.items())


def without_losses(result: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradients alone of what a process has left (see ``do_gradients``)."""
    return {name: x for name, x in result.items() if not name.startswith(LOSS)}


def training_draw(generator: torch.Generator) -> dict[str, Tensor]:
    """Half a batch of the damaged windows, the same streams in all, with noise."""
    pick = torch.randint(0, ROWS, (SCHEDULE.batch_size,), generator=generator)
    return {
        key: x[pick] + 0.1 * torch.randn(x[pick].shape, generator=generator) if x.is_floating_point() else x[pick]
        for key, x in windows("missing").items()
    }


# ------------------------------------------------------------------------------------------------ processes
def run(folder: Path, *rounds: Sequence[str], processes: int = 2) -> list[list[End]]:
    """Round after round, ``processes`` new processes that do its jobs in turn and write into ``folder``.

    Returns how each ended. One interpreter imports everything once and forks them: importing costs more than the work.
    """
    command = [sys.executable, str(Path(__file__).resolve()), str(folder), str(processes), json.dumps(rounds)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, check=True, env=environment)
    return [[End(**end) for end in one] for one in json.loads((folder / "ends.json").read_text())]


def fork(jobs: Sequence[str], folder: Path, rank: int, processes: int, port: int, log: Path) -> int:
    """A process that does ``jobs`` as process ``rank``, in the environment that torchrun makes; its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    signal.alarm(LONGEST_S)  # none is left waiting for one that is gone
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.environ |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
            "TORCHELASTIC_RUN_ID": "kinjo",
        }  # fmt: skip
        work(folder, jobs)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def load(folder: Path, what: str, processes: int = 2) -> list[dict[str, Tensor]]:
    """What each process has left under a name."""
    return [load_file(folder / f"{what}.{rank}.safetensors") for rank in range(processes)]


def do_gradients(fabric: Fabric, folder: Path) -> None:
    for stage, data in CASES:
        found, losses = gradients(fabric, stage, data)
        mean = fabric.all_reduce(torch.tensor(list(losses.values())), reduce_op="mean")
        losses_of_all = {f"{LOSS}{name}": value for name, value in zip(losses, mean, strict=True)}
        save_file(found | losses_of_all, folder / f"{stage}-{data}.{fabric.global_rank}.safetensors")


def do_fit(fabric: Fabric, folder: Path, name: str, *, kill: bool = False, share: bool = True) -> None:
    """A training of ``SCHEDULE.steps`` steps; with ``kill`` the last process dies in the middle of it."""
    task, steps = make_task("pretrain"), 0

    def draw(generator: torch.Generator) -> dict[str, Tensor]:
        nonlocal steps
        steps += 1
        if kill and steps == KILLED_AT and fabric.global_rank == fabric.world_size - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return training_draw(generator)

    out = folder / name if share else folder / f"{name}.{fabric.global_rank}"
    fit(task, draw, SCHEDULE, out, seed=4, fabric=fabric, progress=False)
    state = {key: value.contiguous() for key, value in task.state_dict().items()}
    save_file(state | {"steps": torch.tensor(steps)}, folder / f"{name}.{fabric.global_rank}.safetensors")


def do_nan(fabric: Fabric, folder: Path) -> None:
    """A number that is not finite in one process alone has to stop all of them, at once and with the reason."""

    def draw(generator: torch.Generator) -> dict[str, Tensor]:
        batch = training_draw(generator)
        return batch if fabric.is_global_zero else batch | {"acc": torch.full_like(batch["acc"], torch.nan)}

    try:
        fit(make_task("pretrain"), draw, SCHEDULE, folder / "nan", seed=4, fabric=fabric, progress=False)
    except FloatingPointError as error:
        (folder / f"nan.{fabric.global_rank}").write_text(str(error))


def do_cost(fabric: Fabric, folder: Path, steps: int = 60, pairs: int = 9) -> None:
    """What the search for unused parameters costs: ratio of the times of a pre-training step, in ``pairs`` of turns."""
    task, batch = make_task("pretrain"), windows("present")
    torch.stack(list(task(batch, seeded()).values())).sum().backward()
    for p in task.parameters():  # without the search DDP refuses the others
        p.requires_grad_(p.grad is not None)
        p.grad = None
    ratios = []
    for _ in range(pairs):
        spent = {}
        for search in (True, False):
            model = DistributedDataParallel(task, find_unused_parameters=search)
            begun = 0.0
            for step in range(-5, steps):
                if step == 0:
                    fabric.barrier()
                    begun = time.perf_counter()
                task.zero_grad()
                losses = model(batch, step_generator(0, max(step, 0)))
                torch.stack(list(losses.values())).sum().backward()
            spent[search] = time.perf_counter() - begun
        ratios.append(spent[True] / spent[False])
    save_file({"ratios": torch.tensor(ratios).sort().values}, folder / f"cost.{fabric.global_rank}.safetensors")


def work(folder: Path, jobs: Sequence[str]) -> None:
    """Do ``jobs`` as one of the processes."""
    torch.set_num_threads(1)
    fabric = make_fabric("fp32", "cpu")
    fabric.launch()
    if fabric.world_size < 2 or torch.distributed.get_backend() != "gloo":
        raise RuntimeError("these jobs are for several processes on gloo")
    for job in jobs:
        if job == "gradients":
            do_gradients(fabric, folder)
        elif job in ("cost", "nan"):
            (do_cost if job == "cost" else do_nan)(fabric, folder)
        elif job == "apart":
            do_fit(fabric, folder, job, share=False)
        else:
            do_fit(fabric, folder, job.removeprefix("kill:"), kill=job.startswith("kill:"))
    torch.distributed.destroy_process_group()


def main() -> None:
    """Fork the processes of every round, one round after the other, and note how they end."""
    folder, processes, rounds = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    ends: list[list[dict[str, object]]] = []
    for number, jobs in enumerate(rounds):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        logs = [folder / f"log.{number}.{rank}" for rank in range(processes)]
        pids = [fork(jobs, folder, rank, processes, port, log) for rank, log in enumerate(logs)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        ends.append([asdict(End(code, log.read_text())) for code, log in zip(codes, logs, strict=True)])
    (folder / "ends.json").write_text(json.dumps(ends))


if __name__ == "__main__":
    main()
