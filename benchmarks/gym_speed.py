"""How fast the simulated gym is: seconds of recording per second of one core, from seed to arrays in memory."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is loaded

import time
from collections.abc import Callable

import numpy as np

from _tools import write
from kinjo.datasets import gym
from kinjo.recording import Recording
from kinjo.sensors import PHONE_IN_POCKET, WATCH

REPEATS, SECONDS, CLIPS = 15, 120.0, 36
SENSORS = {"left_wrist": WATCH, "right_wrist": WATCH, "right_pocket": PHONE_IN_POCKET}


MAKERS: dict[str, Callable[[int], list[Recording]]] = {
    "ideal sensors": lambda seed: [gym.record(seed, seconds=SECONDS)],
    "sensor models": lambda seed: [gym.record(seed, seconds=SECONDS, sensors=SENSORS)],
    "clips of one movement": lambda seed: list(gym.clips(CLIPS, seed)),
}


def factors() -> dict[str, list[tuple[float, float]]]:
    """Seconds made per second of the core and of the clock, of every repeat; the makers take turns."""
    out: dict[str, list[tuple[float, float]]] = {name: [] for name in MAKERS}
    for seed in range(REPEATS + 1):
        for name, make in MAKERS.items():
            core, clock = time.process_time(), time.perf_counter()
            made = make(seed)
            core, clock = time.process_time() - core, time.perf_counter() - clock
            if seed:  # the first warms up
                seconds = sum(recording.duration_s for recording in made)
                out[name].append((seconds / core, seconds / clock))
    return out


def main() -> None:
    """Write the row ``sim.realtime_factor_gym``, with sensor models and with clips beside it."""
    found = {name: np.array(values) for name, values in factors().items()}
    core, clock = found["ideal sensors"].T
    write(
        "gym_speed", "sim.realtime_factor_gym", round(float(np.median(clock)), 1), "x real time",
        spread=[round(float(clock.min()), 1), round(float(clock.max()), 1)],
        beside={
            "by the CPU seconds of the process": round(float(np.median(core)), 1),
            **{name: round(float(np.median(found[name][:, 1])), 1) for name in list(MAKERS)[1:]},
        },
        protocol=f"recordings of {SECONDS:.0f} s, all movements, pose at 30 Hz and 3 IMUs at 50 Hz (ideal sensors), no "
        f"video, by the clock, one thread; median of {REPEATS} seeds, each once; beside it: by CPU seconds, with "
        f"sensor models, and {CLIPS} clips per seed",
    )  # fmt: skip


if __name__ == "__main__":
    main()
