"""Tables of wearable sensors as people write them, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Writing:
    """How a table is written. ``times``: as seconds times ``factor`` from ``start``, or ``iso``, or none."""

    names: Sequence[str]
    delimiter: str = ","
    decimal: str = "."
    newline: str = "\n"
    encoding: str = "utf-8"
    preamble: Sequence[str] = ()
    quoted: bool = False


def lines(columns: Sequence[Sequence[str]], writing: Writing) -> bytes:
    """The file of columns of cells."""

    def cell(word: str) -> str:
        return f'"{word}"' if writing.quoted else word

    rows = [writing.delimiter.join(map(cell, row)) for row in [list(writing.names), *zip(*columns, strict=True)]]
    return "".join(row + writing.newline for row in [*writing.preamble, *rows]).encode(writing.encoding)


def numbers(values: Floats, decimal: str = ".", places: int = 4) -> list[str]:
    """Cells of numbers; NaN is empty."""
    return ["" if np.isnan(v) else f"{v:.{places}f}".replace(".", decimal) for v in values.tolist()]


def motion(n: int, seed: int = 0, gravity: float = 9.81) -> tuple[Floats, Floats]:
    """Acceleration with gravity on z, and a turning rate, both ``(n, 3)``, rounded as a file rounds them."""
    rng = np.random.default_rng(seed)
    acc = np.array([0, 0, gravity]) + 0.1 * gravity * rng.normal(size=(n, 3))
    return np.round(acc, 4), np.round(rng.normal(size=(n, 3)), 4)


def table(path: Path, header: str, *columns: Floats, stamps: Sequence[str] | None = None) -> Path:
    """A plain csv: stamps (default: seconds at 50 Hz), then the columns of each array."""
    held = [column for array in columns for column in np.atleast_2d(array.T)]
    first = [f"{k / 50:.2f}" for k in range(len(held[0]))] if stamps is None else list(stamps)
    path.write_bytes(lines([first, *map(numbers, held)], Writing(header.split(","))))
    return path
