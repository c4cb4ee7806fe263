"""The contract of a file as questions: what is told, what is guessed, and what nobody knows yet, to be confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinjo.body import PLACEMENTS
from kinjo.formats.facts import TIME_UNITS, Fact, Guess, StreamGuess
from kinjo.formats.recordings import kind_of
from kinjo.signal import UNITS
from kinjo.studio.problems import Refused, refusal_of

if TYPE_CHECKING:
    from kinjo.formats.guess import Gathered

YES_NO = {"yes": True, "no": False}
HOW = {"told": "the file says so", "guessed": "guessed", "unknown": "please say"}


@dataclass(frozen=True)
class Question:
    """One thing about a file. ``field``: a keyword of ``read_recording``; ``of``: a stream or sensor, '' for all;
    ``choices``: what it may be, empty for a number.
    """

    field: str
    of: str
    title: str
    value: str
    known: str
    choices: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it has to be answered."""
        return self.value == ""


def questions(path: Path) -> tuple[list[Question], Gathered | None]:
    """What is to be confirmed of a file, nothing for those that say everything themselves; and a table as it was read,
    for ``opened.of_file``.
    """
    if kind_of(path) == "table":
        from kinjo.formats.guess import gather

        gathered = gather(path)
        return of_guess(gathered.guess), gathered
    from kinjo.formats.recordings import read_recording

    try:
        read_recording(path)
    except Exception as error:
        refused = refusal_of(error)
        if refused is None or refused.error != "question":
            raise
        return [_plain(field) for field in refused.fields], None
    return [], None


def _plain(field: str) -> Question:
    choices = {"placement": PLACEMENTS, "gravity": tuple(YES_NO), "time_units": tuple(TIME_UNITS)}.get(field, ())
    return Question(field, "", field.replace("_", " "), "", HOW["unknown"], choices)


def of_guess(guess: Guess) -> list[Question]:
    """Of a table: its clock, and units, rate, placement and gravity of each sensor."""
    out: list[Question] = []
    if guess.clock.column is not None:
        units = tuple(unit for unit in TIME_UNITS if unit != "text" or guess.clock.units.value == "text")
        out.append(_question("time_units", "", f"unit of time '{guess.clock.name}'", guess.clock.units, units))
    rates = {str(stream.rate_hz.value): stream.rate_hz for stream in guess.streams}
    if len(rates) == 1:
        out.append(_question("rate_hz", "", "samples per second", next(iter(rates.values())), ()))
    sensors: dict[str, StreamGuess] = {}
    for stream in guess.streams:
        sensors.setdefault(stream.sensor, stream)
    for sensor, stream in sensors.items():
        title = f"where {sensor or 'the sensor'} was worn"
        out.append(_question("placement", sensor if len(sensors) > 1 else "", title, stream.placement, PLACEMENTS))
    for stream in guess.streams:
        title, units = f"units of {stream.name}", tuple(UNITS[stream.quantity])
        out.append(_question("units", stream.name, title, stream.units, units))
        if stream.quantity == "acc":
            title = f"gravity is in {stream.name}"
            out.append(_question("gravity", stream.name, title, stream.gravity, tuple(YES_NO)))
    return out


def _question(field: str, of: str, title: str, fact: Fact, choices: tuple[str, ...]) -> Question:
    value = fact.value
    if isinstance(value, bool):
        value = "yes" if value else "no"
    elif isinstance(value, float):
        value = f"{value:g}"
    known = HOW[fact.how] + (f": {fact.why}" if fact.why and fact.how != "told" else "")
    return Question(field, of, title, str(value) if fact else "", known, choices)


def told(asked: list[Question], answers: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """The answers, keyed by field and of, as keywords of ``read_recording``; only what differs from what is known.
    ``Refused`` for one that is missing or no number.
    """
    out: dict[str, Any] = {}
    for question in asked:
        given = (answers.get((question.field, question.of)) or "").strip()
        if not given:
            raise Refused(422, "question", f"{question.title}: not said yet", "Choose what is true.")
        if given == question.value:
            continue
        value: Any = YES_NO[given] if question.field == "gravity" else given
        if question.field == "rate_hz":
            value = _number(question.title, given)
        if question.of:
            out.setdefault(question.field, {})[question.of] = value
        else:
            out[question.field] = value
    return out


def _number(title: str, given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise Refused(422, "question", f"{title}: '{given[:40]}' is no number", "Say it as 50 or 100.") from None
