"""Subtitles: SRT and WebVTT as people and platforms write them, to what is said when.

Times are seconds. Wanted are the words, so tags, positions and styles are dropped, and what an automatic caption
repeats from the line above is said once.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kinjo.builder.errors import BuildError
from kinjo.builder.text_files import one_line, read_text, seconds_of

MOST = 200_000
"""Captions of one file. More is a broken or hostile file."""
ROLLS_S = 0.5
"""A line that comes again within this after it went is the same line, still shown."""

_TIME = r"((?:\d{1,3}:)?\d{1,3}:\d{1,2}(?:[.,]\d{1,6})?)"
_SPAN = re.compile(rf"\s*{_TIME}\s*-{{1,2}}>\s*{_TIME}(?![\d:])")
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")


@dataclass(frozen=True)
class Caption:
    """What is said from ``start_s`` to ``end_s``, on one line."""

    start_s: float
    end_s: float
    text: str


def from_file(path: Path) -> list[Caption]:
    """The captions of an SRT or WebVTT file, by their start. ``BuildError`` where none can be read."""
    found = parsed(read_text(path))
    if not found:
        raise BuildError(f"{path}: no caption can be read. Expected SRT or WebVTT: '00:00:01,000 --> 00:00:02,000'.")
    if len(found) > MOST:
        raise BuildError(f"{path}: {len(found)} captions, expected at most {MOST}. Is it of one video?")
    return found


def parsed(text: str) -> list[Caption]:
    """The captions in ``text``, by their start; whatever is none is passed over. Never raises."""
    cues = sorted(_cues(text.lstrip("\ufeff")), key=lambda cue: cue[0])
    found: list[Caption] = []
    shown: list[str] = []
    until = 0.0
    for start, end, lines in cues:
        again = _again(shown, lines) if start <= until + ROLLS_S else 0
        if again == len(lines):
            found[-1] = replace(found[-1], end_s=max(found[-1].end_s, end))
        else:
            found.append(Caption(start, end, " ".join(lines[again:])))
        shown, until = lines, end
    return found


def said(captions: Sequence[Caption], start_s: float, end_s: float) -> str:
    """The text of the captions whose middle lies in the span, or that cover all of it, joined by spaces."""
    return " ".join(
        caption.text
        for caption in captions
        if start_s <= (caption.start_s + caption.end_s) / 2 < end_s
        or (caption.start_s <= start_s < end_s <= caption.end_s)
    )


def _cues(text: str) -> list[tuple[float, float, list[str]]]:
    """Start, end and lines of each cue that has a length and words."""
    lines = re.sub(r"(?<!\r)\r+\n|\r", "\n", text).split("\n")
    spans = [_SPAN.match(line[:200]) for line in lines]
    cues = []
    for k, span in enumerate(spans):
        if span is None:
            continue
        start, end = seconds_of(span[1]), seconds_of(span[2])
        words = list(filter(None, map(_words, _body(lines, spans, k + 1))))
        if end > start and words:
            cues.append((start, end, words))
    return cues


def _body(lines: Sequence[str], spans: Sequence[re.Match[str] | None], k: int) -> list[str]:
    """The lines of a cue from ``k`` on: to an empty one or the next times, without that one's number."""
    body: list[str] = []
    while k < len(lines) and lines[k] and spans[k] is None:
        body.append(lines[k])
        k += 1
    numbered = k < len(lines) and spans[k] is not None and body and body[-1].strip().isdecimal()
    return body[:-1] if numbered else body


def _words(line: str) -> str:
    return one_line(html.unescape(_TAG.sub("", line)))


def _again(shown: Sequence[str], lines: Sequence[str]) -> int:
    """How many of the first ``lines`` are the last of those ``shown`` just before."""
    most = min(len(shown), len(lines), 10)
    return next((k for k in range(most, 0, -1) if list(shown[-k:]) == list(lines[:k])), 0)
