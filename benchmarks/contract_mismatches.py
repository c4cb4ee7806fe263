"""The same movement declared in other units, axes and rates: windows whose answer changes. Undeclared: it has to ask.

The demo's watch in the simulated gym, people never seen. Worst case over the ways to declare.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from _tools import RESULTS, ROOT
from kinjo import signal
from kinjo.datasets import gym
from kinjo.demo_watch import learn_watch, session
from kinjo.evaluate import report
from kinjo.formats.errors import FormatError
from kinjo.recognizer import Recognizer
from kinjo.recording import Recording

WORK = ROOT / ".bench" / "contract"
PEOPLE = range(800, 812)
AXES = "xyz"
Table = dict[str, Any]


def table(
    recording: Recording, rate: float = 50.0, acc: str = "m/s^2", gyro: str = "rad/s", order: str = AXES
) -> Table:
    """Columns of a watch, declared by their names."""
    scale = {"m/s^2": 1.0, "g": 1 / 9.80665, "rad/s": 1.0, "deg/s": 180 / np.pi}
    columns: Table = {}
    for quantity, units in (("acc", acc), ("gyro", gyro)):
        values = np.asarray(recording.streams[f"right_wrist.{quantity}"].values(), np.float64)
        if rate != 50.0:
            values = signal.resample_to(values, round(len(values) * rate / 50.0))
        columns.setdefault("time_s", np.arange(len(values)) / rate)
        for axis in order:
            columns[f"{quantity}_{axis} ({units})"] = values[:, AXES.index(axis)] * scale[units]
    return columns


DECLARED: dict[str, Callable[[Recording], Table]] = {
    "g": lambda r: table(r, acc="g"),
    "degrees": lambda r: table(r, gyro="deg/s"),
    "axes z, x, y": lambda r: table(r, order="zxy"),
    "100 Hz": lambda r: table(r, rate=100.0),
    "all of them": lambda r: table(r, 100.0, "g", "deg/s", "zxy"),
}


def plain(columns: Table, scale: float = 1.0) -> Table:
    """Without units in the names."""
    return {name.partition(" ")[0]: x * (1.0 if name == "time_s" else scale) for name, x in columns.items()}


UNDECLARED: dict[str, Callable[[Recording], tuple[Table, dict[str, Any]]]] = {
    "no placement": lambda r: (table(r), {}),
    "no times and no rate": lambda r: (
        {n: x for n, x in table(r).items() if n != "time_s"}, {"placement": "right_wrist"}
    ),
    "accelerations of half their size": lambda r: (plain(table(r), 0.5), {"placement": "right_wrist"}),
}  # fmt: skip


def answers(model: Recognizer, file: Path) -> tuple[Any, Any]:
    """Start of each window, and its likeliest answer."""
    times, vectors = model.embed_recording(file, placement="right_wrist")
    p = model.classes.probabilities(vectors)
    return times[:, 0], np.where(1 - p.sum(1) > p.max(1), -1, p.argmax(1))


def write(columns: Table, path: Path) -> Path:
    np.savetxt(path, np.column_stack(list(columns.values())), "%.7g", ",", header=",".join(columns), comments="")
    return path


def main() -> None:
    """Count, report."""
    model = Recognizer.load(learn_watch(WORK, progress=False))
    changed = {name: [0, 0] for name in DECLARED}
    silent = dict.fromkeys(UNDECLARED, 0)
    for person in PEOPLE:
        recording = session(person, gym.NAMES, 120.0)
        whole = {
            n: type(s).of(n, s.contract, signal.fill_missing(np.array(s.values()), s.mask()), start_s=s.start_s)
            for n, s in recording.streams.items()
        }
        recording = Recording(recording.id, whole)
        start, wanted = answers(model, write(table(recording), WORK / "plain.csv"))
        for name, made in DECLARED.items():
            when, found = answers(model, write(made(recording), WORK / "other.csv"))
            n = min(len(start), len(when))
            np.testing.assert_allclose(when[:n], start[:n], atol=0.02)
            changed[name][0] += int((found[:n] != wanted[:n]).sum()) + abs(len(start) - len(when))
            changed[name][1] += len(start)
        for name, asks in UNDECLARED.items():
            columns, told = asks(recording)
            try:
                model.recognize(write(columns, WORK / "other.csv"), **told)
                silent[name] += 1
            except FormatError:
                pass
    shares = {name: wrong / total for name, (wrong, total) in changed.items()}
    print(shares, silent)
    row = report.row(
        "contract.mismatches", max([*shares.values(), *(n / len(PEOPLE) for n in silent.values())]), "fraction",
        command="make bench-contract-mismatches", trained_on="the simulated gym", seeds=1,
        protocol=f"share of windows whose likeliest answer changes, worst way to declare; {len(PEOPLE)} sessions of "
        "120 s of people never seen; undeclared: share of files answered without asking",
        changed=shares, silent=silent,
    )  # fmt: skip
    report.write_rows(RESULTS / "contract_mismatches.json", [row])


if __name__ == "__main__":
    main()
