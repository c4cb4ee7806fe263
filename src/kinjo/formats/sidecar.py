"""What was confirmed about a table, kept beside it in ``<file>.kinjo.json``: with it, nothing is guessed again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kinjo.formats.column_names import Roles
from kinjo.formats.columns import Source
from kinjo.formats.errors import FormatError, short
from kinjo.formats.facts import TIME_UNITS, Fact, Guess, StreamGuess
from kinjo.formats.tables import beside
from kinjo.recording import Contract

FORMAT = 1
LARGEST = 1 << 22


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of ``path`` lies: ``walk.csv`` -> ``walk.csv.kinjo.json``."""
    return path.with_name(path.name + ".kinjo.json")


def save_sidecar(guess: Guess, path: Path | str) -> Path:
    """Keep what ``guess`` says of the file ``path`` beside it, atomically; where it was written.

    ``FormatError`` where something is not known yet: ``confirm`` it first.
    """
    path = Path(path)
    if guess.missing:
        raise FormatError(path.name, "", "a guess that is whole", f"no {', '.join(guess.missing)}", guess.ask())
    clock = guess.clock
    note = {
        "format": FORMAT,
        "columns": list(guess.columns),
        "time": None if clock.column is None else {"column": clock.column, "units": clock.units.value},
        "label": guess.label,
        "subject": guess.subject,
        "streams": [
            {
                "name": stream.name, "columns": list(stream.columns), "scale": stream.scale,
                "contract": stream.contract.to_dict(),
            }
            for stream in guess.streams
        ],
    }  # fmt: skip
    place = sidecar_of(path)
    temporary = place.with_name(place.name + ".tmp")
    temporary.write_text(json.dumps(note, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, place)
    return place


def read(path: Path, source: Source) -> Roles | None:
    """What the sidecar of a table tells, or kinjo's own metadata (``tables.write_table``); ``None`` without either.

    ``FormatError`` for a sidecar that is damaged or of a file with other columns.
    """
    place = sidecar_of(path)
    if place.is_file():
        return _roles(place, _facts(place, place.read_bytes()[: LARGEST + 1]), source)
    own = beside(path)
    told = source.told or (own.read_bytes()[: LARGEST + 1] if own.is_file() and source.kind != "Parquet" else b"")
    if not told or "time_s" not in source.names:
        return None
    facts = _facts(own, told)
    try:
        contracts = {str(name): Contract.from_dict(given) for name, given in facts["streams"].items()}
        streams = [
            _stream(name, tuple(source.names.index(f"{name}.{axis}") for axis in contract.axes), 1.0, contract, source)
            for name, contract in contracts.items()
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(own, error) from error
    return Roles(tuple(streams), ((source.names.index("time_s"), "s"),))


def _facts(place: Path, content: bytes) -> dict[str, Any]:
    try:
        if len(content) > LARGEST:
            raise ValueError("too large")
        facts = json.loads(content)
        if facts["format"] != FORMAT:
            hint = "Upgrade kinjo, or write it again."
            raise FormatError(place.name, "", f"format {FORMAT}", short(str(facts["format"])), hint)
        return facts
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise _damaged(place, error) from error


def _damaged(place: Path, error: Exception) -> FormatError:
    given = f"{type(error).__name__}: {short(str(error), 200)}"
    return FormatError(place.name, "", "what kinjo wrote", given, "Delete it and confirm the guess again.")


def _roles(place: Path, facts: dict[str, Any], source: Source) -> Roles:
    try:
        names, time, label, subject = (facts[key] for key in ("columns", "time", "label", "subject"))
        if list(names) != list(source.names):
            hint = "Delete the sidecar, or name it after its own file."
            raise FormatError(place.name, "columns", short(str(names), 200), short(str(list(source.names)), 200), hint)
        streams = []
        for held in facts["streams"]:
            contract = Contract.from_dict(held["contract"])
            contract.check(str(held["name"]))
            columns = tuple(_number(k, source) for k in held["columns"])
            if len(columns) != len(contract.axes):
                raise ValueError(f"{len(columns)} columns for {len(contract.axes)} axes")
            if not 1e-12 < abs(float(held["scale"])) < 1e12:
                raise ValueError(f"scale {held['scale']}")
            streams.append(_stream(str(held["name"]), columns, float(held["scale"]), contract, source))
        if len({stream.told_name for stream in streams}) != len(streams):
            raise ValueError("two streams of one name")
        times = () if time is None else ((_number(time["column"], source), str(time["units"])),)
        if times and times[0][1] not in TIME_UNITS:
            raise ValueError(f"time in {times[0][1]}")
        single = [None if k is None else _number(k, source) for k in (label, subject)]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        raise _damaged(place, error) from error
    return Roles(tuple(streams), times, single[0], single[1], (f"contracts from {place.name}",))


def _number(k: Any, source: Source) -> int:
    if not (isinstance(k, int) and 0 <= k < len(source.names)):
        raise ValueError(f"no column {k!r}")
    return k


def _stream(name: str, columns: tuple[int, ...], scale: float, contract: Contract, source: Source) -> StreamGuess:
    contract.check(name)
    if contract.modality != "imu":
        raise ValueError(f"a table of wearables has no {contract.modality}")

    def told(value: Any) -> Fact:
        return Fact(value, "told", "by its sidecar")

    return StreamGuess(
        name.rpartition(".")[0], contract.quantity, columns, tuple(source.names[k] for k in columns), contract.axes,
        told(contract.units), told(contract.gravity) if contract.gravity is not None else Fact(),
        told(contract.placement), told(contract.rate_hz), scale, told_name=name,
    )  # fmt: skip
