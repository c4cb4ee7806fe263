"""Do two processes have the gradients of one? Both tasks of Mu-MAE, nothing and much missing; CPU, gloo, fp32.

Two processes, started as torchrun starts them, take half of a batch each; one process takes the whole. The masks are
the same: they are drawn for the whole batch and shared out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

import _ddp
from _tools import write
from kinjo.train import make_fabric


def main() -> None:
    """Write ``ddp.max_gradient_error``, the same with streams missing, and what the search for unused weights costs."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for end in _ddp.run(folder, ["gradients", "cost"])[0]:
            if end.code:
                raise RuntimeError(f"a process ended with {end.code}:\n{end.said}")
        two = {case: _ddp.load(folder, "-".join(case)) for case in _ddp.CASES}
        ratios = _ddp.load(folder, "cost")[0]["ratios"]
    alone = make_fabric("fp32", "cpu")
    errors: dict[tuple[str, str], float] = {}
    largest = 0.0
    for case, results in two.items():
        one, _ = _ddp.gradients(alone, *case)
        largest = max(largest, *(x.abs().max().item() for x in one.values()))
        errors[case] = max(_ddp.largest_difference(one, _ddp.without_losses(result)) for result in results)
    task = "Mu-MAE of mumae.tiny, two sensors, pose and video; largest difference of any gradient, both tasks"
    for data, id in (("present", "ddp.max_gradient_error"), ("missing", "ddp.max_gradient_error.missing")):
        what = "nothing missing" if data == "present" else "the halves lack different streams, one has no video"
        by_task = {stage: errors[stage, data] for stage in ("pretrain", "finetune")}
        write(
            "ddp_gradients", id, max(by_task.values()), "absolute", largest_gradient=largest, by_task=by_task,
            protocol=f"{task}; two gloo processes of {_ddp.ROWS // 2} rows against one of {_ddp.ROWS}, fp32, the same "
            f"masks; {what}",
        )  # fmt: skip
    write(
        "ddp_gradients", "ddp.unused_search_cost", ratios.median().item(), "x",
        least=ratios.min().item(), most=ratios.max().item(),
        protocol="time of a pre-training step with find_unused_parameters over one without, parameters that earn no "
        f"gradient frozen on both sides; two processes, one thread each; median of {len(ratios)} pairs",
    )  # fmt: skip


if __name__ == "__main__":
    main()
