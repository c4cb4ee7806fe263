"""The errors of the readers of files and of data sets, what a caller may say about a file, and how a file is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

LARGEST = 1 << 28
"""Bytes (256 MiB) of one file: hours of motion. More is a broken or hostile file."""

MOST_JOINTS = 1024
MOST_FRAMES = 2_000_000


class FormatError(ValueError):
    """A file of motion is not what it should be. Names the file, the place, expected, given, and what to do."""

    def __init__(self, file: str, where: str, expected: str, given: str, hint: str = "") -> None:
        self.file, self.where, self.expected, self.given, self.hint = file, where, expected, given, hint
        place = f"{file}: {where}" if where else file
        super().__init__(f"{place}: expected {expected}, given {given}" + (f". {hint}" if hint else ""))


class DatasetError(ValueError):
    """A dataset's file is not what it should be. Names the file, what was expected, what was given, what to do."""

    def __init__(self, file: str, expected: str, given: str, hint: str = "") -> None:
        self.file, self.expected, self.given, self.hint = file, expected, given, hint
        super().__init__(f"{file}: expected {expected}, given {given}" + (f". {hint}" if hint else ""))


@dataclass(frozen=True)
class Said:
    """What the caller says of a file, where the file itself does not; ``None``: to be found. See ``read_motion``."""

    units: str | float | None = None
    up: str | None = None
    joints: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    rate_hz: float | None = None
    left_handed: bool = False
    notes: list[str] | None = None

    def note(self, line: str) -> None:
        """Add what was guessed to ``notes``, where the caller wants to know."""
        if self.notes is not None:
            self.notes.append(line)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of at most ``LARGEST``; ``FormatError`` where there is none, or where it is empty."""
    file = path.name
    if not path.is_file():
        raise FormatError(file, "", "a file", "none" if not path.exists() else "a folder", "Correct the path.")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise FormatError(file, "", f"at most {LARGEST} bytes", f"{size}", "Cut it into takes.")
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(file, "", "a readable file", str(error), "Check its rights, or copy it again.") from error
    if not data.strip():
        raise FormatError(file, "", "motion", "an empty file", "Copy or export it again.")
    return data


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, or Latin-1 (names only differ by that). ``FormatError`` for binary data."""
    data = read_bytes(path)
    allowed = (9, 10, 12, 13, 26)
    odd = next((i for i, byte in enumerate(data[: 1 << 16]) if byte < 32 and byte not in allowed), None)
    if odd is None and b"\0" in data:
        odd = data.index(b"\0")
    if odd is not None:
        raise FormatError(path.name, f"byte {odd}", "text", f"a byte {data[odd]:#04x}", "Is it of another format?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def numbers(file: str, where: str, words: list[str], count: int) -> list[float]:
    """``words`` as ``count`` finite numbers, else ``FormatError``. Python's ``1_0`` is no number of a file."""
    try:
        found = [float(word) for word in words if "_" not in word]
    except ValueError:
        found = []
    if len(found) != count or len(words) != count or not all(map(isfinite, found)):
        raise FormatError(file, where, f"{count} finite numbers", short(" ".join(words)))
    return found


def short(text: str, most: int = 60) -> str:
    """``text`` in quotes, cut to ``most`` characters, for an error."""
    return repr(text if len(text) <= most else text[:most] + "...")
