"""Wearable streams as one table, Parquet or CSV, with their contract beside the numbers.

Columns are ``time_s``, then ``<stream>.<axis>`` for each stream. Parquet carries the contracts in its metadata under
the key ``kinjo``; CSV in a file of the same name plus ``.json``. A missing sample is empty in all its columns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinjo.formats.errors import FormatError
from kinjo.recording import Contract, Stream

KEY = b"kinjo"
FORMAT = 1


def write_table(streams: Mapping[str, Stream], path: Path) -> None:
    """Write streams of one clock (equal rate, start and length) to ``path``, ``.parquet`` or ``.csv``; atomic."""
    if path.suffix not in (".parquet", ".csv"):
        raise ValueError(f"{path}: a table is written as .parquet or .csv: choose one of these endings")
    if not streams:
        raise ValueError("no streams to write")
    first = next(iter(streams.values()))
    if any(not np.array_equal(s.clock(), first.clock()) for s in streams.values()):
        raise ValueError("streams of one table need one clock: write one table for each rate")
    import pyarrow as pa

    columns: dict[str, Any] = {"time_s": first.clock()}
    for name, stream in streams.items():
        values, gone = np.asarray(stream.values(), np.float32), stream.mask()
        if values.ndim != 2 or values.shape[1] != len(stream.contract.axes):
            raise ValueError(f"stream '{name}': a table holds (samples, axes), given {values.shape}")
        for k, axis in enumerate(stream.contract.axes):
            columns[f"{name}.{axis}"] = pa.array(values[:, k], mask=gone)
    note = {"format": FORMAT, "streams": {name: stream.contract.to_dict() for name, stream in streams.items()}}
    table = pa.table(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table.replace_schema_metadata({KEY: json.dumps(note).encode()}), temporary)
    else:
        from pyarrow import csv

        csv.write_csv(table, temporary)
        sidecar = beside(path).with_name(beside(path).name + ".tmp")
        sidecar.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        os.replace(sidecar, beside(path))
    os.replace(temporary, path)


def read_table(path: Path) -> dict[str, Stream]:
    """The streams that ``write_table`` wrote. ``FormatError`` for anything else, with what to do."""
    import pyarrow as pa

    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.read_table(path)
            note = (table.schema.metadata or {}).get(KEY, b"")
        else:
            from pyarrow import csv

            table = csv.read_csv(path)
            note = beside(path).read_bytes() if beside(path).is_file() else b""
    except (pa.ArrowException, OSError) as error:
        raise FormatError(path.name, "", "a table in Parquet or CSV", f"{type(error).__name__}: {error}") from error
    if not note:
        where = "its metadata" if path.suffix == ".parquet" else beside(path).name
        raise FormatError(path.name, "", f"contracts of its streams in {where}", "none", "Write it with write_table.")
    try:
        facts = json.loads(note)
        if facts["format"] != FORMAT:
            hint = "Upgrade kinjo, or write it again."
            raise FormatError(path.name, "", f"format {FORMAT}", str(facts["format"]), hint)
        contracts = {str(name): Contract.from_dict(given) for name, given in facts["streams"].items()}
        return _streams(path, table, contracts)
    except (KeyError, TypeError, AttributeError, ValueError, pa.ArrowException) as error:
        if isinstance(error, FormatError):
            raise
        given = f"{type(error).__name__}: {error}"
        raise FormatError(path.name, "", "streams as kinjo writes them", given) from error


def beside(path: Path) -> Path:
    """Where the contracts of a CSV lie."""
    return path.with_name(path.name + ".json")


def _streams(path: Path, table: Any, contracts: Mapping[str, Contract]) -> dict[str, Stream]:
    clock = np.asarray(table["time_s"].to_numpy(), np.float64)
    if len(clock) == 0 or not np.isfinite(clock).all() or (np.diff(clock) <= 0).any():
        hint = "Sort the rows, or write the table again."
        raise FormatError(path.name, "column time_s", "times that increase", "others", hint)
    out = {}
    for name, contract in contracts.items():
        contract.check(name)
        columns = [table[f"{name}.{axis}"].to_numpy(zero_copy_only=False) for axis in contract.axes]
        values = np.stack([np.asarray(column, np.float32) for column in columns], 1)
        missing = np.asarray(~np.isfinite(values).all(1))
        values[missing] = 0.0
        even = clock[0] + np.arange(len(clock)) / contract.rate_hz
        uniform = np.allclose(clock, even, rtol=0.0, atol=0.01 / contract.rate_hz)
        out[name] = Stream.of(
            name, contract, values, start_s=float(clock[0]), times=None if uniform else clock,
            missing=missing if missing.any() else None,
        )  # fmt: skip
    return out
