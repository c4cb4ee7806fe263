"""A phone for tests: motion of the simulated gym, as the events of a browser."""

from typing import Any

import numpy as np

from kinjo.datasets import gym
from kinjo.sensors import WATCH

RATE = 50.0


def motion(name: str = "squat", seconds: float = 20.0, person: int = 3) -> list[list[float]]:
    """Rows of acceleration (m/s^2, with gravity) and rotation (deg/s) at 50 Hz, as ``devicemotion`` gives them."""
    one = gym.record(
        person, seconds=seconds + 10, names=(name,), placements=("right_wrist",), sensors={"right_wrist": WATCH}
    )
    part = next((s for s in one.segments if s.label == name), one.segments[0])
    clock = part.start_s + np.arange(int(min(seconds, part.end_s - part.start_s) * RATE)) / RATE
    columns = []
    for quantity, scale in (("acc", 1.0), ("gyro", 180 / np.pi)):
        stream = one.streams[f"right_wrist.{quantity}"]
        values = np.array(stream.values(), np.float64) * scale
        columns += [np.interp(clock, stream.clock(), values[:, k]) for k in range(3)]
    return np.round(np.stack(columns, 1), 4).tolist()


MOVE = """rows => {
  if (window.shaker) clearInterval(window.shaker);
  let k = 0, due = performance.now();
  window.shaker = setInterval(() => {
    for (; due <= performance.now(); due += 20, k += 1) {
      const [x, y, z, alpha, beta, gamma] = rows[k % rows.length];
      window.dispatchEvent(new DeviceMotionEvent('devicemotion', {
        accelerationIncludingGravity: {x, y, z}, rotationRate: {alpha, beta, gamma}, interval: 20}));
    }
  }, 20);
}"""


def move(page: Any, rows: list[list[float]]) -> None:
    """Have a page feel a movement over and over, from now on."""
    page.evaluate(MOVE, rows)


def keep_still(page: Any) -> None:
    """No motion any more."""
    page.evaluate("clearInterval(window.shaker)")
