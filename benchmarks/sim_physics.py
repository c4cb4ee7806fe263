"""Virtual IMU against closed forms: how far off, what must not change and does not, and how fast.

Errors are the largest over all samples of a recording, its ends included, over the largest reading (at least one g or
1 rad/s). Noise-free joints of a rigid body, no smoothing asked for.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import _bodies as bodies  # pyright: ignore[reportMissingImports]
from _tools import RESULTS
from kinjo.evaluate import report
from kinjo.motion import Floats, Motion
from kinjo.sensors import WATCH, random_rotation
from kinjo.signal import GRAVITY
from kinjo.simulate import SITES, virtual_imu

OUT, RATE = 100.0, 50.0
RATES, SECONDS = (60.0, 120.0), 6.0
TRIALS, REPEATS = 60, 7


def errors(rate_hz: float) -> dict[str, float]:
    """Case -> error of the worse of accelerometer and gyroscope, from joints alone and with rotations."""
    found: dict[str, float] = {}
    for make in bodies.CASES:
        case = make()
        for rotations in (False, True):
            imu = virtual_imu(case.motion(rate_hz, SECONDS, rotations), case.placement, OUT)
            times = np.arange(len(imu.acc)) / OUT
            worst = max(_off(imu.acc, case.acc(times), GRAVITY), _off(imu.gyro, case.gyro(times), 1.0))
            found[case.name] = max(found.get(case.name, 0.0), worst)
    return found


def _off(given: Floats, true: Floats, least: float) -> float:
    peak = max(float(np.linalg.norm(true, axis=-1).max()), least)
    return float(np.linalg.norm(given - true, axis=-1).max()) / peak


def person(rng: np.random.Generator, seconds: float = 5.0, rate_hz: float = 30.0) -> Motion:
    """A body whose joints all move at once, smoothly and at random, about as fast as people do; with jitter."""
    n = round(seconds * rate_hz)
    t = np.arange(n) / rate_hz
    joints = np.repeat(bodies.UPRIGHT[None], n, 0)
    for hz in (0.4, 0.9, 1.7):
        phase, size = rng.uniform(0, 2 * np.pi, (17, 3)), rng.normal(0, 0.06, (17, 3))
        joints = joints + size * np.sin(2 * np.pi * hz * t[:, None, None] + phase)
    return Motion(joints + rng.normal(0, 0.003, joints.shape), rate_hz)


def invariance(trials: int = TRIALS) -> dict[str, float]:
    """The largest difference where there must be none, over the largest reading; over random movements and places."""
    rng, placements = np.random.default_rng(0), list(SITES)
    worst = {"world turned about gravity": 0.0, "sensor turned": 0.0, "time reversed": 0.0, "mirrored": 0.0}
    for trial in range(trials):
        motion, place = person(rng), placements[trial % len(placements)]
        imu = virtual_imu(motion, place, RATE)
        angle = np.array([rng.uniform(0, 2 * np.pi)])
        about = Motion(motion.positions @ bodies.about(1, angle)[0].T + rng.normal(size=3) * [1, 0, 1], motion.rate_hz)
        turned = virtual_imu(about, place, RATE)
        mounting = random_rotation(rng, 180.0)
        mounted = virtual_imu(motion, place, RATE, mounting=mounting)
        # a grid of output times that is the same backwards: the frames' own
        forth = virtual_imu(motion, place, motion.rate_hz)
        back = virtual_imu(Motion(motion.positions[::-1].copy(), motion.rate_hz), place, motion.rate_hz)
        image = imu.mirrored()
        other = virtual_imu(motion.mirrored(), image.placement, RATE)
        pairs = {
            "world turned about gravity": (turned.acc, imu.acc, turned.gyro, imu.gyro),
            "sensor turned": (mounted.acc, imu.acc @ mounting, mounted.gyro, imu.gyro @ mounting),
            "time reversed": (back.acc[::-1], forth.acc, -back.gyro[::-1], forth.gyro),
            "mirrored": (other.acc, image.acc, other.gyro, image.gyro),
        }
        for name, (acc, true_acc, gyro, true_gyro) in pairs.items():
            if name == "mirrored" and place in ("wrist", "pocket"):
                continue  # of no known side: simulated on the right one
            worst[name] = max(worst[name], _off(acc, true_acc, GRAVITY), _off(gyro, true_gyro, 1.0))
    return worst


def realtime(seconds: float, device: bool = False) -> list[float]:
    """Times real time of one placement, 50 Hz from 30 frames a second, one core, several repeats."""
    motion, rng = person(np.random.default_rng(1), seconds), np.random.default_rng(2)
    out = []
    for _ in range(REPEATS + 1):
        count = max(1, round(60 / seconds))
        start = time.perf_counter()
        for _ in range(count):
            virtual_imu(motion, "right_wrist", RATE, model=WATCH if device else None, rng=rng if device else None)
        out.append(count * seconds / (time.perf_counter() - start))
    return out[1:]  # the first imports SciPy


def draw() -> None:
    """The pendulum: true and virtual readings."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    case = bodies.pendulum()
    imu = virtual_imu(case.motion(30.0, 4.0, False), case.placement, RATE)
    fine, times = np.arange(0, 3.96, 0.005), np.arange(len(imu.acc)) / RATE
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for k, (values, truth, what) in enumerate((
        (imu.acc, case.acc(fine), "specific force, m/s²"), (imu.gyro, case.gyro(fine), "turning, rad/s"),
    )):  # fmt: skip
        panel = figure.add_subplot(1, 2, 1 + k)
        for axis, colour in enumerate(("#b5483a", "#3f7f4c", "#1f5a8a")):
            panel.plot(fine, truth[:, axis], color=colour, linewidth=1, label=f"{'xyz'[axis]}, closed form")
            panel.plot(times[::4], values[::4, axis], "o", color=colour, markersize=3)
        panel.set_xlabel("seconds")
        panel.set_title(what, fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle("A wrist on a pendulum: virtual IMU (dots) from joints at 30 frames a second", fontsize=11)
    figure.savefig(RESULTS / "sim_physics.png", dpi=110)


def main() -> None:
    """Write the rows ``sim.physics_error``, ``sim.invariance_error``, ``sim.realtime_factor`` and the picture."""
    common: dict[str, Any] = {"command": "make bench-sim-physics", "machine": report.describe_machine()}
    by_rate = {rate: errors(rate) for rate in (30.0, *RATES)}
    worst = {name: max(by_rate[rate][name] for rate in RATES) for name in by_rate[RATES[0]]}
    protocol = "rigid bodies, joints at 60 and 120 Hz, with and without rotations, ends included; over the peak"
    physics = report.row(
        "sim.physics_error", max(worst.values()), "fraction", protocol=protocol, **common,
        by_case=worst, at_30_hz=by_rate[30.0],
    )  # fmt: skip
    differences = invariance()
    protocol = f"{TRIALS} random jittery movements, all placements; over the peak"
    same = report.row(
        "sim.invariance_error",
        max(differences.values()),
        "fraction",
        protocol=protocol,
        **common,
        by_change=differences,
    )
    with threadpool_limits(1):  # per core
        minute, clip, device = realtime(60.0), realtime(4.0), realtime(60.0, device=True)
    protocol = f"one placement, one core, 50 Hz from 30 frames a second, 60 s; median of {REPEATS} repeats"
    speed = report.row(
        "sim.realtime_factor", float(np.median(minute)), "times real time", protocol=protocol, **common,
        repeats=[min(minute), max(minute)], clips_of_4_s=float(np.median(clip)), with_watch=float(np.median(device)),
    )  # fmt: skip
    report.write_rows(RESULTS / "sim_physics.json", [physics, same, speed])
    draw()
    for row in (physics, same, speed):
        print(f"{row['id']} = {row['value']:.3g} {row['unit']}")


if __name__ == "__main__":
    main()
