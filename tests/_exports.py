"""Exports of phone and watch apps, written as the apps' documentation describes them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

EPOCH = 1_698_501_144.25
"""Seconds since 1970: 2023-10-28T13:52:24.25Z."""
UP = np.array([0.0, 0.0, 9.80665])
"""Specific force of a device that lies face up, m/s^2."""


def readings(n: int = 200, rate: float = 100.0, seed: int = 0, jitter: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """``(seconds (n,), values (n, 3))`` of a random sensor."""
    rng = np.random.default_rng(seed)
    return (np.arange(n) + jitter * rng.uniform(-1, 1, n)) / rate, rng.normal(size=(n, 3))


def sensor_logger_csv(seconds: np.ndarray, columns: Mapping[str, np.ndarray], epoch: float = EPOCH) -> str:
    """A table of Sensor Logger: time in ns, seconds_elapsed, and ``columns`` in their order."""
    ns = [int(epoch * 1000) * 10**6 + round(s * 1e9) for s in seconds.tolist()]
    rows = zip(ns, seconds.tolist(), *(column.tolist() for column in columns.values()), strict=True)
    return (
        "\n".join([",".join(("time", "seconds_elapsed", *columns)), *(",".join(map(str, row)) for row in rows)]) + "\n"
    )


def zyx(values: np.ndarray) -> dict[str, np.ndarray]:
    return {"z": values[:, 2], "y": values[:, 1], "x": values[:, 0]}


def metadata(platform: str = "android", standardisation: str | None = "false") -> str:
    names, values = ["version", "device name", "platform"], ["3", "Phone", platform]
    if standardisation is not None:
        names, values = [*names, "standardisation"], [*values, standardisation]
    return ",".join(names) + "\n" + ",".join(values) + "\n"


def sensor_logger_json(tables: Mapping[str, str]) -> str:
    """The JSON export of the same tables: a list of records of strings."""
    records = []
    for file, text in tables.items():
        names, *rows = [line.split(",") for line in text.strip().split("\n")]
        records += [{"sensor": Path(file).stem, **dict(zip(names, row, strict=True))} for row in rows]
    return json.dumps(records)


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """A zip of ``files``."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def phyphox_csv(
    seconds: np.ndarray, values: np.ndarray, name: str, units: str, *, delimiter: str = ",", decimal: str = ".",
    time: str = "Time (s)",
) -> str:  # fmt: skip
    """A table of phyphox: quoted names, ten digits, exponents without padding."""

    def word(value: float) -> str:
        mantissa, exponent = f"{value:.9E}".split("E")
        return f"{mantissa}E{int(exponent)}".replace(".", decimal)

    head = delimiter.join(f'"{cell}"' for cell in (time, *(f"{name} {axis} ({units})" for axis in "xyz")))
    rows = [delimiter.join(map(word, (s, *row))) for s, row in zip(seconds.tolist(), values.tolist(), strict=True)]
    return "\n".join([head, *rows]) + "\n"


def phyphox_times(*events: tuple[str, float, float]) -> str:
    """meta/time.csv of ``(event, experiment time, system time)``."""
    rows = [f'"{event}",{at:.9E},{moment:.3f},"text"' for event, at, moment in events]
    return "\n".join(['"event","experiment time","system time","system time text"', *rows]) + "\n"


def sensor_log_csv(columns: Mapping[str, list[str] | np.ndarray]) -> str:
    """A table of SensorLog."""
    held = [[str(value) for value in (c.tolist() if isinstance(c, np.ndarray) else c)] for c in columns.values()]
    return "\n".join([",".join(columns), *(",".join(row) for row in zip(*held, strict=True))]) + "\n"


def axes(base: str, unit: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{base}{axis}({unit})": values[:, k] for k, axis in enumerate("XYZ")}
