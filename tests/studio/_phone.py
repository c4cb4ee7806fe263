"""A phone for tests: motion of the simulated gym, as the events of a browser."""

from typing import Any

import numpy as np
from _browser import Visit

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


class Phone:
    """A Live page (``desk``), and the page of its phone in the same browser."""

    def __init__(self, chrome: Any, url: str, *, script: str = "", **how: Any) -> None:
        self._open(Visit(chrome, f"{url}/", **how), script)

    @classmethod
    def beside(cls, visit: Visit) -> "Phone":
        """In somebody's browser."""
        one = cls.__new__(cls)
        one._open(visit, "")
        return one

    def _open(self, visit: Visit, script: str) -> None:
        self.desk = visit
        visit.page.goto(f"{visit.url}live")
        visit.page.wait_for_url("**/live/*")
        visit.page.locator(".kj-label").wait_for()
        self.page = visit.context.new_page()
        self.page.set_default_timeout(30_000)
        self.asked, self.faults = visit.asked, visit.faults
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        if script:
            self.page.add_init_script(script)
        self.page.goto(f"{visit.url}phone/{visit.page.url.rpartition('/')[2]}")
        self.page.locator("#place option").first.wait_for(state="attached")

    def start(self, rows: list[list[float]]) -> None:
        """Press Start, and have it feel a movement."""
        self.page.get_by_role("button", name="Start").click()
        move(self.page, rows)

    def shows(self, label: str) -> None:
        """Wait until both screens show it."""
        for page, where in ((self.page, "#label"), (self.desk.page, ".kj-label")):
            page.wait_for_function(
                "([where, label]) => document.querySelector(where).textContent === label", arg=[where, label]
            )

    def answers(self) -> None:
        """Wait until both screens show something."""
        for page, where in ((self.page, "#label"), (self.desk.page, ".kj-label")):
            page.wait_for_function("where => document.querySelector(where).textContent.length > 1", arg=where)

    def close(self) -> None:
        """Both."""
        self.desk.context.close()
