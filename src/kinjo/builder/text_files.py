"""Small text files that come with a video, in whatever encoding, and times as people write them."""

from __future__ import annotations

import re
import unicodedata
from math import isfinite, nan
from pathlib import Path

from kinjo.builder.errors import BuildError

LARGEST = 1 << 24
"""Bytes (16 MiB) of one file: a day of subtitles. More is no text of a video."""

_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2}(?:[.,]\d{1,9})?)")
_SECONDS = re.compile(r"([+-]?\d{1,12}(?:[.,]\d{1,12})?(?:e[+-]?\d{1,3})?)\s*(?:s|secs?|seconds?)?", re.IGNORECASE)


def read_text(path: Path) -> str:
    """The text of a file: UTF-8 or UTF-16 with or without a mark, else Windows' Latin-1.

    Raises ``BuildError`` where there is no file, or one that cannot be read, is over ``LARGEST`` or is no text.
    """
    try:
        if not path.is_file():
            raise BuildError(f"{path}: no such file. Correct the path.")
        size = path.stat().st_size
        if size > LARGEST:
            raise BuildError(f"{path}: {size} bytes, expected at most {LARGEST}. Is it the text of a video?")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, BuildError):
            raise
        raise BuildError(f"{path}: cannot be read ({error}). Check its rights, or copy it again.") from error
    text = _decoded(data)
    if "\0" in text:
        raise BuildError(f"{path}: binary data, expected text. Is it of another format?")
    return text


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    head = data[:400]
    if len(head) >= 4 and max(head[::2].count(0), head[1::2].count(0)) > len(head) // 5:
        return data.decode("utf-16-be" if head[::2].count(0) > head[1::2].count(0) else "utf-16-le", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def one_line(text: str) -> str:
    """``text`` on one line and whole, without control characters, marks of direction and halves of characters.

    Only the joiners of emoji and of Indic scripts stay of all that is invisible.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (" " if c.isspace() else c for c in text if c.isspace() or c in "\u200c\u200d" or _shown(c))
    return " ".join("".join(kept).split())


def _shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co")


def seconds_of(value: object) -> float:
    """Seconds from a number, or from ``"12.5"``, ``"12,5 s"``, ``"2:05"`` or ``"01:02:03.5"``; NaN for all else.

    Infinite numbers are handed on as they are.
    """
    if isinstance(value, bool):
        return nan
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return nan
    if not isinstance(value, str) or len(value) > 100:
        return nan
    text = value.strip()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
        return 3600.0 * int(hours or 0) + 60.0 * int(minutes) + float(seconds.replace(",", "."))
    if plain := _SECONDS.fullmatch(text):
        found = float(plain[1].replace(",", "."))
        return found if isfinite(found) else nan
    return nan
