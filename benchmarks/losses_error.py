"""Are the losses right? Against loops in Python's own floats, finite differences of them, and two processes.

The loops here know nothing of tensors, masks or softmax: they visit the rows that are there, one by one. Run with
words (``FOLDER RANK``) it is one of the two processes.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from kinjo.losses import contrastive, multitask
from kinjo.losses.masked import masked_mse
from kinjo.nn.processes import gathered

Table = Sequence[Sequence[float]]
ROUNDS, ENTRIES, STEP = 60, 12, 1e-6
"""Random cases of each loss; entries of each input that are moved; by how much, to both sides."""
SCALES = (1.0, 100.0)
"""Of logits: 100 is the most that ``methods.mujo`` lets a learnt scale reach."""
WIDE, BAR, MILD = range(1000, 2500), 1e-5, 20.0
"""Seeds of the wider probe of contrast, what it counts as too much, and a scale up to which it looks by itself."""
LONGEST_S = 120


# ------------------------------------------------------------------------------------------------ loops
def minus_log_softmax(logits: Mapping[int, float], at: int) -> float:
    """-log of the share of ``at``."""
    top = max(logits.values())
    return top - logits[at] + math.log(math.fsum(math.exp(x - top) for x in logits.values()))


def dot(x: Sequence[float], y: Sequence[float]) -> float:
    return math.fsum(p * q for p, q in zip(x, y, strict=True))


def loop_info_nce(a: Table, b: Table, scale: float, missing: Sequence[bool], targets: Table | None = None) -> float:
    there = [i for i, gone in enumerate(missing) if not gone]
    if len(there) < 2:
        return 0.0
    total = 0.0
    for asks, answers in ((a, b), (b, a)):
        for i in there:
            logits = {j: scale * dot(asks[i], answers[j]) for j in there}
            right = {j: float(i == j) if targets is None else targets[i][j] for j in there}
            whole = math.fsum(right.values())
            total += math.fsum(w / whole * minus_log_softmax(logits, j) for j, w in right.items() if w)
    return total / 2 / len(there)


def loop_supervised(z: Table, labels: Sequence[int], scale: float, missing: Sequence[bool]) -> float:
    there = [i for i, gone in enumerate(missing) if not gone and labels[i] >= 0]
    each = []
    for i in there:
        logits = {j: scale * dot(z[i], z[j]) for j in there if j != i}
        alike = [j for j in logits if labels[j] == labels[i]]
        if alike:
            each.append(math.fsum(minus_log_softmax(logits, j) for j in alike) / len(alike))
    return math.fsum(each) / len(each) if each else 0.0


def loop_masked(p: Sequence[Table], t: Sequence[Table], missing: Sequence[Sequence[bool]]) -> float:
    each = []
    for row, gone in enumerate(missing):
        for at in (n for n, lost in enumerate(gone) if not lost):
            errors = [(x - y) ** 2 for x, y in zip(p[row][at], t[row][at], strict=True)]
            each.append(math.fsum(errors) / len(errors))
    return math.fsum(each) / len(each) if each else 0.0


def loop_soft_targets(labels: Sequence[int] | None, similarity: Table | None, rows: int, threshold: float) -> Table:
    out = []
    for i in range(rows):
        row = [0.0] * rows
        for j in range(rows):
            if similarity is not None and similarity[i][j] >= threshold:
                row[j] = min(similarity[i][j], 1.0)
            if i == j or (labels is not None and labels[i] == labels[j] >= 0):
                row[j] = 1.0
        out.append([x / math.fsum(row) for x in row])
    return out


def loop_pcgrad(gradients: Table, generator: torch.Generator) -> list[float]:
    out = [0.0] * len(gradients[0])
    for i, gradient in enumerate(gradients):
        own = list(gradient)
        for j in torch.randperm(len(gradients), generator=generator).tolist():
            against = dot(own, gradients[j])
            if j != i and against < 0:
                share = against / dot(gradients[j], gradients[j])
                own = [x - share * y for x, y in zip(own, gradients[j], strict=True)]
        out = [x + y for x, y in zip(out, own, strict=True)]
    return out


# ------------------------------------------------------------------------------------------------ random cases
@dataclass(frozen=True)
class Case:
    """A loss of ``inputs`` (fp32 tensors), and the same as a loop over plain lists."""

    inputs: dict[str, Tensor]
    loss: Callable[[Mapping[str, Tensor]], Tensor]
    loop: Callable[[Mapping[str, Any]], float]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def units(rows: int, dim: int, generator: torch.Generator) -> Tensor:
    return F.normalize(torch.randn(rows, dim, generator=generator), dim=1)


def some(rows: tuple[int, ...], share: float, generator: torch.Generator) -> Tensor:
    return torch.rand(rows, generator=generator) < share


def case_info_nce(rng: random.Random, g: torch.Generator, scale: float, soft: bool) -> Case:
    n, d = rng.randint(1, 12), rng.randint(2, 16)
    missing = some((n,), rng.choice((0.0, 0.3, 0.7)), g)
    targets = contrastive.soft_targets(torch.randint(-1, 3, (n,), generator=g)) if soft else None
    kept, table = missing.tolist(), None if targets is None else targets.double().tolist()
    return Case(
        {"a": units(n, d, g), "b": units(n, d, g), "scale": torch.tensor(scale)},
        lambda x: contrastive.info_nce(x["a"], x["b"], x["scale"], missing, targets),
        lambda x: loop_info_nce(x["a"], x["b"], x["scale"], kept, table),
    )


def case_supervised(rng: random.Random, g: torch.Generator, scale: float, pooled: bool) -> Case:
    n, d, names = rng.randint(1, 8), rng.randint(2, 16), ("imu", "pose", "video") if pooled else ("imu",)
    labels = torch.randint(-1, 3, (n,), generator=g)
    missing = {m: some((n,), rng.choice((0.0, 0.3, 0.7)), g) for m in names}
    classes, gone = labels.tolist() * len(names), [x for m in names for x in missing[m].tolist()]

    def loss(x: Mapping[str, Tensor]) -> Tensor:
        if pooled:
            return contrastive.supervised_over({m: x[m] for m in names}, labels, x["scale"], missing)
        return contrastive.supervised(x["imu"], labels, x["scale"], missing["imu"])

    def loop(x: Mapping[str, Any]) -> float:
        return loop_supervised([row for m in names for row in x[m]], classes, x["scale"], gone)

    return Case({m: units(n, d, g) for m in names} | {"scale": torch.tensor(scale)}, loss, loop)


def case_masked(rng: random.Random, g: torch.Generator) -> Case:
    n, samples, axes = rng.randint(1, 4), rng.randint(1, 9), rng.randint(1, 6)
    missing = some((n, samples), rng.choice((0.0, 0.3, 1.0)), g)
    kept = missing.tolist()
    return Case(
        {name: 2 * torch.randn(n, samples, axes, generator=g) for name in "pt"},
        lambda x: masked_mse(x["p"], x["t"], missing),
        lambda x: loop_masked(x["p"], x["t"], kept),
    )


def case_uncertainty(rng: random.Random, g: torch.Generator) -> Case:
    names = [n for n in ("contrast_imu_pose", "contrast_imu_video", "classify_imu", "masked_acc") if rng.random() < 0.7]
    names = names or ["regress_acc"]
    objectives = sorted({multitask.objective(n) for n in names})

    def loss(x: Mapping[str, Tensor]) -> Tensor:
        weigh = multitask.Uncertainty(objectives)
        at = {f"log_variance.{o}": x[o] for o in objectives}
        found = torch.func.functional_call(weigh, at, ({n: x[n] for n in names},))
        return torch.stack(list(found.values())).sum()

    def loop(x: Mapping[str, Any]) -> float:
        losses = math.fsum(0.5 * math.exp(-x[multitask.objective(n)]) * x[n] for n in names)
        return losses + math.fsum(0.5 * x[o] for o in objectives)

    values = {n: torch.rand((), generator=g) * 3 for n in names}
    return Case(values | {o: torch.randn((), generator=g) for o in objectives}, loss, loop)


def sharpness(rng: random.Random) -> float:
    """A scale of logits, even in its logarithm."""
    return math.exp(rng.uniform(*map(math.log, SCALES)))


def draw(name: str, seed: int) -> Case:
    """A random case of a loss of ``NAMES``: shapes, labels, what is missing and how sharp."""
    rng, g = random.Random(seed), seeded(seed)
    scale = sharpness(rng)
    kind = name.partition(".")[2]
    if name.startswith("info_nce"):
        return case_info_nce(rng, g, scale, kind == "soft")
    if name.startswith("supervised"):
        return case_supervised(rng, g, scale, kind == "pooled")
    return case_uncertainty(rng, g) if name == "uncertainty" else case_masked(rng, g)


NAMES = (
    "info_nce", "info_nce.soft", "supervised", "supervised.pooled", "masked_mse", "uncertainty",
)  # fmt: skip


def off(found: float, true: float) -> float:
    """The difference; in parts of the true one where that is above 1."""
    return abs(found - true) / max(1.0, abs(true))


def errors(case: Case, seed: int) -> tuple[float, float]:
    """Of the value against the loop, and of the gradients against finite differences of the loop."""
    given = {key: x.clone().requires_grad_() for key, x in case.inputs.items()}
    loss = case.loss(given)
    loss.backward()
    exact = {key: x.double() for key, x in case.inputs.items()}
    value = off(loss.item(), case.loop({key: x.tolist() for key, x in exact.items()}))
    rng, worst = random.Random(seed), 0.0
    for key, x in exact.items():
        gradient = given[key].grad
        for at in rng.sample(range(x.numel()), min(ENTRIES, x.numel())):
            sides = []
            for step in (STEP, -STEP):
                moved = x.clone()
                moved.view(-1)[at] += step
                sides.append(case.loop({k: (moved if k == key else y).tolist() for k, y in exact.items()}))
            found = 0.0 if gradient is None else gradient.view(-1)[at].item()
            worst = max(worst, off(found, (sides[0] - sides[1]) / (2 * STEP)))
    return value, worst


def pcgrad_error(seed: int) -> float:
    """Of gradient surgery on random gradients, one of them perhaps zero."""
    g = seeded(seed)
    gradients = torch.randn(1 + seed % 5, 7, generator=g)
    gradients[0] *= seed % 3
    true = loop_pcgrad(gradients.double().tolist(), seeded(seed + 1))
    found = multitask.pcgrad(gradients, seeded(seed + 1)).tolist()
    return max(off(x, y) for x, y in zip(found, true, strict=True))


def targets_error(seed: int) -> float:
    """Of soft targets, of labels, similarities or both."""
    g, n = seeded(seed), 1 + seed % 9
    labels = torch.randint(-1, 3, (n,), generator=g) if seed % 3 else None
    similarity = 2.4 * torch.rand(n, n, generator=g) - 1.2 if seed % 3 != 1 else None
    table = None if similarity is None else similarity.double().tolist()
    true = loop_soft_targets(None if labels is None else labels.tolist(), table, n, 0.5)
    found = contrastive.soft_targets(labels, similarity, 0.5)
    return (found.double() - torch.tensor(true, dtype=torch.float64)).abs().max().item()


def wide_probe() -> dict[str, float]:
    """Many more cases of contrast: the headline's are few, and fp32 rounds logits of a sharp scale by as much."""
    found = [
        (max(errors(draw(name, seed), seed)), sharpness(random.Random(seed))) for name in NAMES[:4] for seed in WIDE
    ]
    return {
        "cases": len(found),
        "largest": max(error for error, _ in found),
        "over_bar": sum(error > BAR for error, _ in found),
        f"largest_to_scale_{MILD:g}": max(error for error, scale in found if scale <= MILD),
    }


# ------------------------------------------------------------------------------------------------ two processes
ROWS = 12
MODALITIES = ("imu", "pose", "video")
JOBS = ("hard", "labels", "synonyms", "both", "supervised", "pooled", "squared")
DATA = ("present", "missing")


class Toy(nn.Module):
    """A layer for each modality, a scale, and one loss at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({m: nn.Linear(6, 5) for m in MODALITIES})
        g = seeded(0)
        for p in self.layers.parameters():
            nn.init.normal_(p, generator=g)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, batch: Mapping[str, Tensor], job: str) -> Tensor:
        z = {m: F.normalize(layer(batch[m]), dim=1) for m, layer in self.layers.items()}
        gone = {m: batch[f"{m}.missing"] for m in MODALITIES}
        scale, label = self.log_scale.exp(), batch["label"]
        if job == "supervised":
            return contrastive.supervised(z["imu"], label, scale, gone["imu"])
        if job == "pooled":
            return contrastive.supervised_over(z, label, scale, gone)
        if job == "squared":
            pairs = combinations(MODALITIES, 2)
            each = [masked_mse(z[a][:, :, None], z[b][:, :, None], batch["samples.missing"]) for a, b in pairs]
            return torch.stack(each).sum()
        alike = batch["words"] @ gathered(batch["words"]).T if job in ("synonyms", "both") else None
        targets = None
        if job != "hard":
            targets = contrastive.soft_targets(label if job in ("labels", "both") else None, alike, 0.3)
        return torch.stack(list(contrastive.pairwise(z, gone, scale, targets).values())).sum()


def whole_batch(data: str) -> dict[str, Tensor]:
    """Where ``missing``: the halves lack different rows, the second has no video at all, some labels are unknown."""
    g, half = seeded(1), ROWS // 2
    batch = {m: torch.randn(ROWS, 6, generator=g) for m in MODALITIES}
    batch |= {f"{m}.missing": torch.zeros(ROWS, dtype=torch.bool) for m in MODALITIES}
    batch |= {"label": torch.arange(ROWS) % 4, "words": units(ROWS, 3, g)}
    batch["samples.missing"] = torch.zeros(ROWS, 5, dtype=torch.bool)
    if data == "missing":
        batch["imu.missing"][[0, 1, half]] = True
        batch["pose.missing"][[2, half + 1]] = True
        batch["video.missing"][half:] = True
        batch["label"][[3, half + 2]] = -1
        batch["samples.missing"][1:4, 2:] = True
    return batch


def gradients(model: nn.Module, batch: Mapping[str, Tensor], job: str) -> dict[str, Tensor]:
    """Of every weight that the loss of ``job`` reaches, and ``loss`` itself."""
    model.zero_grad()
    loss = model(batch, job)
    loss.backward()
    found = {name.removeprefix("module."): p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: x.clone() for name, x in found.items()} | {"loss": loss.detach().clone()}


def work(folder: Path, rank: int) -> None:
    """One of the two processes: half of the rows, gradients averaged by DDP."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)
    model = DistributedDataParallel(Toy(), find_unused_parameters=True)
    mine = slice(rank * ROWS // 2, (rank + 1) * ROWS // 2)
    for data in DATA:
        batch = {key: x[mine] for key, x in whole_batch(data).items()}
        for job in JOBS:
            found = gradients(model, batch, job)
            distributed.all_reduce(found["loss"])
            found["loss"] /= 2
            save_file(found, folder / f"{job}.{data}.{rank}.safetensors")
    distributed.barrier()
    os._exit(0)  # all is written; once in many runs gloo's threads abort while the interpreter is torn down


def two_processes(folder: Path) -> dict[str, float]:
    """``job.data`` -> largest error of loss and gradients in either of two processes, against one with all rows."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(Path(__file__).resolve()), str(folder)]
    with (folder / "said.0").open("w") as first, (folder / "said.1").open("w") as second:
        ends = enumerate((first, second))
        both = [subprocess.Popen([*command, str(rank)], env=environment, stderr=said) for rank, said in ends]
        try:
            codes = [one.wait(LONGEST_S) for one in both]
        finally:
            for one in both:
                one.kill()
                one.wait()
    if any(codes):
        said = "\n".join((folder / f"said.{rank}").read_text() for rank in (0, 1))
        raise RuntimeError(f"the processes ended with {codes}:\n{said}")
    return {f"{job}.{data}": against_one(folder, job, data) for data in DATA for job in JOBS}


def against_one(folder: Path, job: str, data: str) -> float:
    """Largest error of what both processes left. Raises ``ValueError`` unless they reach the weights that one does."""
    one, worst = gradients(Toy(), whole_batch(data), job), 0.0
    for rank in (0, 1):
        two = load_file(folder / f"{job}.{data}.{rank}.safetensors")
        if not one.keys() <= two.keys() or any(two[k].abs().max() > 0 for k in two.keys() - one.keys()):
            raise ValueError(f"{job}, {data}: gradients on one side alone: {sorted(one.keys() ^ two.keys())}")
        for key, true in one.items():
            pairs = zip(two[key].flatten().tolist(), true.flatten().tolist(), strict=True)
            worst = max(worst, *(off(x, y) for x, y in pairs))
    return worst


def main() -> None:
    """Write ``losses.max_error``."""
    torch.set_num_threads(1)
    from _tools import write

    found: dict[str, float] = {}
    for name in NAMES:
        pairs = [errors(draw(name, seed), seed) for seed in range(ROUNDS)]
        found[f"{name} value"], found[f"{name} gradient"] = (max(side) for side in zip(*pairs, strict=True))
    found["pcgrad"] = max(map(pcgrad_error, range(ROUNDS)))
    found["soft_targets"] = max(map(targets_error, range(ROUNDS)))
    with tempfile.TemporaryDirectory() as folder:
        found["two processes"] = max(two_processes(Path(folder)).values())
    write(
        "losses_error", "losses.max_error", max(found.values()), "absolute, of values above 1 relative", largest=found,
        wide=wide_probe(),
        protocol=f"fp32 against loops in float64 (values) and their central differences (gradients, step {STEP}, up to "
        f"{ENTRIES} entries an input), {ROUNDS} random cases of each loss, scale {SCALES[0]:g} to {SCALES[1]:g}, rows "
        f"and samples missing; two gloo processes of {ROWS // 2} rows under DDP against one of {ROWS}",
    )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
