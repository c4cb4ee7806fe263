"""What verbs share: options that mean the same everywhere, files that people have, and where results and words go."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kinjo.recording import Recording

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line of stdout.")]
Data = Annotated[Path | None, typer.Option(envvar="KINJO_DATA", help="Folder that holds the data sets.")]
Corpus = Annotated[Path, typer.Option("--corpus", help="A corpus that 'kinjo import' wrote.")]

Placement = Annotated[list[str] | None, typer.Option(help="Where the sensor was (or SENSOR=PLACE); 'unknown' is one.")]
Rate = Annotated[float | None, typer.Option(help="Samples per second, where the file has no times.")]
Units = Annotated[list[str] | None, typer.Option(help="acc=g, gyro=deg/s, ... where the file does not say.")]
Gravity = Annotated[str | None, typer.Option(help="true or false: whether gravity is in the accelerometer's numbers.")]
TimeUnits = Annotated[str | None, typer.Option(help="s, ms, us or ns of the time column.")]
Columns = Annotated[str | None, typer.Option(help="Names of the columns, by commas, or THEIRS=acc_x,...")]
Convention = Annotated[str | None, typer.Option(help="ios or android, of an export of Sensor Logger.")]


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr)


def give(result: dict[str, Any], as_json: bool, text: str) -> None:
    """The result on stdout: for programs as one JSON line, for people as text."""
    print(json.dumps(result, ensure_ascii=False) if as_json else text)


def options_told(
    placement: list[str] | None, rate: float | None, units: list[str] | None, gravity: str | None,
    time_units: str | None, columns: str | None, convention: str | None,
) -> dict[str, Any]:  # fmt: skip
    """What the options say of a file, as keywords of its reader; what was not said is left out."""
    truth = {"true": True, "yes": True, "false": False, "no": False}
    if gravity is not None and gravity.lower() not in truth:
        raise ValueError(f"--gravity is true or false, given {gravity!r}")
    given = {
        "placement": _pairs(placement), "rate_hz": rate, "units": _pairs(units), "time_units": time_units,
        "gravity": None if gravity is None else truth[gravity.lower()], "convention": convention,
        "columns": None if columns is None else _pairs(columns.split(","), alone=True),
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def _pairs(words: list[str] | None, *, alone: bool = False) -> Any:
    """``KEY=VALUE`` words as a dict; a single word without ``=`` as it is, several as a list where they may be."""
    if not words:
        return None
    if all("=" in word for word in words):
        return dict(word.split("=", 1) for word in words)
    if alone:
        return words
    if len(words) > 1:
        raise ValueError(f"{', '.join(words)}: say NAME=VALUE for each, or one for all")
    return words[0]


def read(file: Path, told: dict[str, Any], *, quiet: bool) -> Recording:
    """The recording in a file, by what the options said of it; what was guessed is told, unless ``quiet``."""
    from kinjo.formats.recordings import read_recording

    notes: list[str] = []
    recording = read_recording(file, notes=notes, **told)
    for note in [] if quiet else notes:
        say(f"{file.name}: {note}")
    return recording
