"""Forward and backward of an IMU + text pair: 5 s at 50 Hz, about a million parameters, two threads."""

from __future__ import annotations

import statistics
import time

import torch

from _tools import write
from kinjo.encoders import SensorInput
from kinjo.evaluate import report
from kinjo.methods import mujo
from kinjo.train import make_fabric

BATCH, STEPS, REPEATS = 128, 12, 5


def main() -> None:
    torch.set_num_threads(2)
    inputs = {q: SensorInput(q, samples=250, slots=25) for q in ("acc", "gyro")}
    generator = torch.Generator().manual_seed(0)
    model = mujo.MuJo(mujo.Config(inputs, dim=128, depth=2, joint_dim=256), generator)
    bank = mujo.Sentences(model, [f"a person does exercise number {k}" for k in range(32)])
    task = mujo.Pretrain(model, mujo.Objective({"contrast": 1.0}), generator, sentences=bank)
    fabric = make_fabric("bf16")
    task = fabric.setup_module(task)
    rates = []
    for _ in range(REPEATS + 1):
        batch = {q: torch.randn(BATCH, 250, 3) for q in inputs}
        batch["text"] = torch.randint(0, 32, (BATCH,), generator=generator)
        start = time.perf_counter()
        for _ in range(STEPS):
            task.zero_grad(set_to_none=True)
            fabric.backward(torch.stack(list(task(batch, generator).values())).sum())
        rates.append(BATCH * STEPS / (time.perf_counter() - start))
    parameters = sum(p.numel() for p in model.parameters())
    write(
        "mujo_train_speed", "train.imu_text.windows_per_s", round(statistics.median(rates[1:]), 1), "windows/s",
        protocol=f"accelerometer + gyroscope, 250 samples, and a sentence's vector; contrast, batch {BATCH}, forward "
        f"and backward, bf16, two threads; median of {REPEATS} after one unmeasured",
        parameters=parameters, spread=[round(min(rates[1:]), 1), round(max(rates[1:]), 1)],
    )  # fmt: skip
    print(parameters, report.describe_machine())


if __name__ == "__main__":
    main()
