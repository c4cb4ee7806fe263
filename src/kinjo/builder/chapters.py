"""Chapters of a video: from the container, a platform's metadata, time codes in a description, or a file beside it.

The readers hand on what they find, also what cannot be used; ``mended`` says what is kept and why the rest is not, so
that no chapter is lost without a word. Times are seconds from the video's first frame; an end that is not said is NaN.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any

from kinjo.builder import footage
from kinjo.builder.errors import BuildError
from kinjo.builder.text_files import one_line, read_text, seconds_of

SHORTEST_S = 0.5
"""A shorter chapter shows no activity."""
MOST = 10_000
"""Chapters of one video. More is a broken or hostile file."""
NEAR_S = 10.0
"""A single time code in a description is a chapter only if it starts before this."""
DESCRIPTION = 1 << 20
"""Characters of a description that are read."""

_NO_TIME = -(2**63)
"""What FFmpeg says where it knows no time."""
_START = re.compile(r"(start|begin|from|t0|time|timestamp|timecode|offset)(time|at|timestamp|s|secs?|seconds?|ms)?")
_END = re.compile(r"(end|stop|to|until|t1|finish)(time|at|timestamp|s|secs?|seconds?|ms)?")
_LENGTH = re.compile(r"(duration|length)(s|secs?|seconds?|ms)?")
_TITLE = re.compile(r"(chapter|activity|exercise)?(title|name|label|text|chapter|activity|exercise|description)")

_TIME = r"(?:\d{1,2}:)?\d{1,3}:[0-5]\d(?:[.,]\d{1,3})?(?!:?\d)"
_LEADING = re.compile(
    rf"[\s\-\u2013—*•>#|~▶►]*(?:\d{{1,3}}\s?[.)]\s+)?[(\[]?({_TIME})(?:\s*(?:-|\u2013|—|to|bis)\s*({_TIME}))?[)\]]?"
    r"(?!\s*(?:am|pm|uhr|h)\b)[\s\-\u2013—:|>=~.•→,]*",
    re.IGNORECASE,
)
_TRAILING = re.compile(rf"(?:^|[\s\-\u2013—:|@(\[])[(\[]?({_TIME})[)\]]?$")
_PROSE = re.compile(r"\b(at|by|from|until|till|since|before|after|um|ab|bis|las|à|às|alle|dalle)$", re.IGNORECASE)


@dataclass(frozen=True)
class Chapter:
    """A span of a video in seconds and its title; ``end_s`` is NaN where it is not said; ``note``: what was mended."""

    start_s: float
    end_s: float
    title: str
    note: str = ""


def from_container(path: Path) -> list[Chapter]:
    """The chapters that a video file carries, on the clock of its first picture. ``BuildError`` for what is none."""
    from av.error import FFmpegError

    try:
        with footage.opened(path) as container:
            found = container.chapters()
            track = container.streams.video[0] if container.streams.video else None
            begin = 0.0
            if track is not None and track.start_time is not None and track.time_base is not None:
                begin = float(track.start_time * track.time_base)
    except (FFmpegError, OSError, ValueError) as error:
        raise BuildError(f"{path}: not a video that can be read ({error}). Get the file again.") from error
    _few(len(found), str(path))
    return [_of_container(chapter, begin) for chapter in found]


def _of_container(chapter: Any, begin: float) -> Chapter:
    base = float(chapter["time_base"] or nan)
    start, end = (nan if chapter[key] == _NO_TIME else chapter[key] * base for key in ("start", "end"))
    # the first picture may be shown a little after the file's zero, where the first chapter starts
    start = max(0.0, start - begin) if start >= 0 else start
    titles = [str(v) for k, v in chapter["metadata"].items() if str(k).lower() == "title"]
    return Chapter(start, end - begin, one_line(titles[0]) if titles else "")


def from_info(info: Mapping[str, Any], file: str = "info.json") -> list[Chapter]:
    """The chapters of yt-dlp's info.json. None are no error; ``BuildError`` naming ``file`` where they are no list."""
    found = info.get("chapters")
    if found is None:
        return []
    if not isinstance(found, list):
        raise BuildError(f"{file}: 'chapters' is no list. Write {{'chapters': [{{'start_time': 0, 'title': '…'}}]}}.")
    _few(len(found), file)
    return [_entry(entry) for entry in found]


def from_sidecar(path: Path) -> list[Chapter]:
    """Chapters of a JSON list, of ``{"chapters": [...]}``, or of a CSV with a header, in seconds or time codes.

    Names of columns: start (also begin, from, start_time, start_ms, ...), end (or duration) and title (also name,
    label, exercise, ...). Raises ``BuildError`` naming the file, what is wrong and what to do.
    """
    text = read_text(path).strip()
    if path.suffix.lower() != ".json" and not text.startswith(("[", "{")):
        return _of_csv(text, path)
    try:
        found = json.loads(text)
    except RecursionError:
        raise BuildError(f"{path}: nested too deeply. Write a JSON list of start, end and title.") from None
    except ValueError as error:
        raise BuildError(f"{path}: no JSON ({str(error)[:200]}). Correct it, or name a CSV *.csv.") from error
    if isinstance(found, list):
        found = {"chapters": found}
    if not isinstance(found, dict) or "chapters" not in found:
        raise BuildError(f"{path}: expected a JSON list, or an object with 'chapters'. Each has start, end and title.")
    return from_info(found, str(path))


def from_description(text: str, duration_s: float) -> list[Chapter]:
    """Chapters from time codes at the start or the end of a description's lines, each up to the next.

    There are none unless the codes rise, the first lies in the video, and there are at least two, or one at the start
    of its line that is near 0: a time in prose is no chapter.
    """
    lines = [line.strip() for line in text[:DESCRIPTION].splitlines()]
    found = [code for line in lines if line and (code := _leading(line) or _trailing(line))]
    if not _rise(found):
        found = [code for line in lines if line and (code := _leading(line))]
    if not found or len(found) > MOST or not _rise(found) or not found[0].start_s < duration_s:
        return []
    if len(found) == 1 and (found[0].start_s > NEAR_S or not any(_leading(line) for line in lines if line)):
        return []
    ends = [*(code.start_s for code in found[1:]), duration_s if duration_s > found[-1].start_s else nan]
    return [replace(code, end_s=end) if isnan(code.end_s) else code for code, end in zip(found, ends, strict=True)]


def mended(chapters: Sequence[Chapter], duration_s: float) -> tuple[list[Chapter], list[tuple[Chapter, str]]]:
    """What is kept, in order, and what is not with the reason in words: together every one of ``chapters``.

    An end that is missing is the next start, or the video's end; an end after either is cut there, as ``note`` says.
    Those kept lie in the video, last at least ``SHORTEST_S`` and do not overlap. Raises ``BuildError`` where
    ``duration_s`` is no length of a video.
    """
    if not (isfinite(duration_s) and duration_s > 0):
        raise BuildError(f"a video of {duration_s} s has no chapters. Get the file again.")
    rejected = [(chapter, reason) for chapter in chapters if (reason := _fault(chapter, duration_s))]
    usable = sorted((c for c in chapters if not _fault(c, duration_s)), key=lambda chapter: chapter.start_s)
    kept = []
    for k, chapter in enumerate(usable):
        following = usable[k + 1].start_s if k + 1 < len(usable) else None
        fitted = _fitted(chapter, following, duration_s)
        if fitted.end_s - fitted.start_s >= SHORTEST_S:
            kept.append(fitted)
        else:
            lasts = fitted.end_s - fitted.start_s
            rejected.append((chapter, f"lasts {lasts:.2f} s, under {SHORTEST_S:g} s: {fitted.note}"))
    return kept, rejected


def _fault(chapter: Chapter, duration_s: float) -> str:
    """Why a chapter cannot be used whatever the others are, or nothing."""
    start, end = chapter.start_s, chapter.end_s
    if not isfinite(start):
        return "its start is no time"
    if isinstance(end, float) and not isfinite(end) and not isnan(end):
        return "its end is infinite"
    if start < 0 or end < 0:
        return f"a time before the video: {start:.2f} to {end:.2f} s"
    if start >= duration_s:
        return f"outside the video: starts at {start:.2f} s of {duration_s:.2f} s"
    if end < start:
        return f"ends before it starts: {start:.2f} to {end:.2f} s"
    if end - start < SHORTEST_S:
        return f"lasts {end - start:.2f} s, under {SHORTEST_S:g} s"
    return ""


def _fitted(chapter: Chapter, following: float | None, duration_s: float) -> Chapter:
    """With an end that is in the video and not after the ``following`` chapter's start."""
    limit, place = (duration_s, "the end of the video") if following is None else (following, "the next start")
    if isnan(chapter.end_s):
        return replace(chapter, end_s=limit, note=f"no end was given: {place} is taken")
    if chapter.end_s <= limit:
        return chapter
    return replace(chapter, end_s=limit, note=f"cut from {chapter.end_s:.2f} s at {place}, {limit:.2f} s")


def _leading(line: str) -> Chapter | None:
    code = _LEADING.match(line)
    if code is None:
        return None
    end = seconds_of(code[2]) if code[2] else nan
    return Chapter(seconds_of(code[1]), end, one_line(line[code.end() :]))


def _trailing(line: str) -> Chapter | None:
    code = _TRAILING.search(line, max(0, len(line) - 24))
    if code is None:
        return None
    title = re.sub(r"^(?:[-\u2013—*•>\s]+|\d{1,3}\s?[.)]\s+)+", "", line[: code.start()].rstrip(" \t-\u2013—:|@(["))
    return None if not title or _PROSE.search(title[-20:]) else Chapter(seconds_of(code[1]), nan, one_line(title))


def _rise(codes: Sequence[Chapter]) -> bool:
    return all(a.start_s < b.start_s for a, b in pairwise(codes))


def _entry(entry: object) -> Chapter:
    """A chapter of an object, whatever its fields are called; what is no object has no start, and is rejected later."""
    if not isinstance(entry, Mapping):
        return Chapter(nan, nan, one_line(entry) if isinstance(entry, str) else "")
    fields = [(re.sub(r"[^a-z0-9]", "", str(key).lower()), value) for key, value in entry.items()]
    start, end, length = (_timed(fields, names) for names in (_START, _END, _LENGTH))
    titles = [v for k, v in fields if _TITLE.fullmatch(k) and isinstance(v, str | int | float)]
    title = one_line(_said(titles[0])) if titles else ""
    return Chapter(start, start + length if isnan(end) else end, title)


def _said(value: str | int | float) -> str:
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python prints
        return ""


def _timed(fields: Sequence[tuple[str, object]], names: re.Pattern[str]) -> float:
    for name, value in fields:
        if names.fullmatch(name):
            return seconds_of(value) / (1000 if name.endswith("ms") else 1)
    return nan


def _of_csv(text: str, path: Path) -> list[Chapter]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t|", key=header.count)
    try:
        rows = _rows(text, delimiter)
        names = [cell.strip().lower() for cell in next(rows, [])]
        bare = [re.sub(r"[^a-z0-9]", "", name) for name in names]
        if not all(any(kind.fullmatch(name) for name in bare) for kind in (_START, _TITLE)):
            given = one_line(", ".join(names))[:200]
            raise BuildError(f"{path}: the header has no start and no title ({given}). Write start,end,title there.")
        found = []
        for row in rows:
            _few(len(found) + 1, str(path))
            found.append(_entry(dict(zip(names, row, strict=False))))
    except csv.Error as error:
        raise BuildError(f"{path}: no CSV ({error}). Export it again, with the header start,end,title.") from error
    return found


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return (row for row in csv.reader((line + "\n" for line in lines), delimiter=delimiter) if any(map(str.strip, row)))


def _few(count: int, file: str) -> None:
    if count > MOST:
        raise BuildError(f"{file}: {count} chapters or more, expected at most {MOST}. Cut the file.")
