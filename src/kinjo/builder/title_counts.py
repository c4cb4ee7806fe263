"""Numbers in a chapter's title: which one it is, how long, how often. Each is taken out of the words."""

from __future__ import annotations

import re

LONGEST_S = 6 * 3600.0
"""Longer times are none of an exercise."""

_COUNT = "one|two|three|four|five|six|seven|eight|nine|ten"
_COUNTED = re.compile(
    r"\b(?:exercises?|moves?|rounds?|sets?|stations?|circuits?|parts?|days?|weeks?|levels?|phase|blocks?|tabata|interval"
    r"|übung|runde|satz|teil|tag|ejercicio|ronda|serie|parte|vuelta|día|dia|exercice|tour|série|partie|jour|exercício"
    rf"|rodada|esercizio|giro|giorno)\s*(?:#|no\.?|nr\.?|n°)?\s*(?:\d{{1,3}}|(?:{_COUNT})\b)(?!\d|:\d|\s*x\s*\d|\w)"
    r"(?:\s*(?:/|of|von|de|di|sur)\s*\d{1,3}\b)?"
    r"|\b\d{1,2}(?:st|nd|rd|th)\s+(?:exercise|move|round|set|station|circuit)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[\s\-:.,|>*~(\[]*(?:\d{1,3}|[a-e]\d?)\s*(?:[.):\]|]+(?=\s|[^\W\d]|$)|-+(?=\s))", re.IGNORECASE)
_SECONDS = r"(?:(?:seconds?|secs?|sekunden?|sek|segundos?|segs?|secondes?|second[oi]|s)\b|''|\")\.?"
_MINUTES = r"(?:(?:minutes?|minuten|minutos?|minut[oi]|mins?)\b\.?|'(?!['\w]))"
_VALUE = r"(?<![\w.,:/'])(?:\d{1,4}\s?-\s?)?(\d{1,6}(?:[.,]\d{1,2})?)\s?-?\s?"
_CLOCK = re.compile(
    r"(?<![\d:.])(?:(\d):)?(\d{1,2}):([0-5]\d)(?![\d:])(?:\s?(?:mins?|minutes?|s|secs?)\b)?", re.IGNORECASE
)
_BOTH = re.compile(
    rf"(?<![\w.,:/'])(\d{{1,3}})\s?(?:{_MINUTES}|'|m\b)\s?(?:and|und|y|et|e)?\s?(\d{{1,2}})\s?{_SECONDS}", re.IGNORECASE
)
_ONE = re.compile(rf"{_VALUE}(?:({_SECONDS})|{_MINUTES})(?:\s?(?:on|off)\b)?", re.IGNORECASE)
_SETS_OF_TIME = re.compile(rf"(?<!\w)\d{{1,2}}\s?x\s?(?=\d{{1,4}}\s?(?:{_SECONDS}|{_MINUTES}))", re.IGNORECASE)
_REPS = (
    r"(?:reps?|repetitions?|repeats|times|wiederholungen|wdh|mal|repetici(?:ón|ones)|repes|repetiç(?:ão|ões)|répétitions?"
    r"|fois|vezes|veces|ripetizioni|volte)\b\.?"
)
_OFTEN = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<!\w)\d{{1,2}}\s?x\s?(\d{{1,4}})(?:\s?-\s?\d{{1,4}})?(?!\w)(?:\s?{_REPS})?",
        rf"(?<!\w)\d{{1,2}}\s?(?:sets?|sätze|series|séries|serie)\s?(?:x|of|à|a|de|da)\s?(\d{{1,4}})\b(?:\s?{_REPS})?",
        rf"(?<!\w)(\d{{1,4}})(?:\s?-\s?\d{{1,4}})?\s?{_REPS}",
        r"(?<!\w)x\s?(\d{1,4})(?!\w)",
        r"(?<!\w)(\d{1,4})\s?x(?!\w)",
    )
)


def without_numbering(text: str) -> str:
    """``text`` without ``1.``, ``Exercise 4:``, ``Round 2 of 3 -`` and the like."""
    text = _COUNTED.sub(" ", text)
    number = _NUMBER.match(text)
    return text[number.end() :] if number else text


def without_times(text: str) -> tuple[str, float | None]:
    """``text`` without lengths of time, and the first of them in seconds: a clock's, minutes and seconds, or one."""
    text = _SETS_OF_TIME.sub(" ", text)
    found = [3600.0 * int(m[1] or 0) + 60.0 * int(m[2]) + int(m[3]) for m in _CLOCK.finditer(text)]
    text = _CLOCK.sub(" ", text)
    found += [60.0 * int(match[1]) + int(match[2]) for match in _BOTH.finditer(text)]
    text = _BOTH.sub(" ", text)
    found += [float(match[1].replace(",", ".")) * (1 if match[2] else 60) for match in _ONE.finditer(text)]
    return _ONE.sub(" ", text), next((seconds for seconds in found if 0 < seconds <= LONGEST_S), None)


def without_counts(text: str) -> tuple[str, int | None]:
    """``text`` without ``x10``, ``3x12``, ``10 reps`` and the like, and how many repetitions that are (of a set)."""
    found: list[int] = []
    for pattern in _OFTEN:
        found += [int(match[1]) for match in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return text, next((count for count in found if count > 0), None)
