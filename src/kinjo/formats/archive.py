"""The files of an app's export: in its zip, in a folder of the same layout, or one alone. Nothing is ever unpacked.

Zips come from strangers: names that leave the folder, a file twice, passwords, more entries or bytes than an export can
have, all are a ``FormatError``, before any memory is taken for them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kinjo.formats.errors import FormatError

LARGEST = 1 << 30
"""Bytes (1 GiB) of one table of an export: more than a day of 100 Hz."""
MOST_ENTRIES = 100_000
DIRECTORY = 1 << 24
"""Bytes (16 MiB) of a zip's directory."""
UNPACKED = 1 << 26
MOST_RATIO = 200
"""A file of more than ``UNPACKED`` bytes (64 MiB) that was packed to less than this share of them holds no numbers."""
JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")

_AGAIN = "Export it again, or copy it again."


@dataclass(frozen=True)
class Export:
    """Files under ``path``: ``names`` relative to it, with ``/``, sorted; ``fetch(name, most)`` gives bytes of one."""

    path: Path
    names: tuple[str, ...]
    fetch: Callable[[str, int | None], bytes]

    def read(self, name: str) -> bytes:
        """All bytes of a file."""
        return self.fetch(name, None)

    def head(self, name: str, most: int) -> bytes:
        """The first bytes of a file, at most ``most``."""
        return self.fetch(name, most)

    def named(self, file: str, folder: str = "") -> str | None:
        """The name of the only ``file`` (in ``folder``, if one is given), small and capital letters alike; or ``None``.

        ``FormatError`` where there are several.
        """
        found = [n for n in self.names if PurePosixPath(n).name.lower() == file.lower()]
        found = [n for n in found if not folder or PurePosixPath(n).parent.name.lower() == folder]
        if len(found) > 1:
            hint = "Give each recording alone."
            raise FormatError(self.path.name, "", f"one {file}", f"{found[0]} and {found[1]}", hint)
        return found[0] if found else None


def open_export(path: Path) -> Export:
    """The files of the zip, of the folder (and those in it), or the one file at ``path``; else ``FormatError``."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise FormatError(path.name, "", "a zip, a folder or a file", "none", "Correct the path.")
    if is_zip(path):
        return _zip(path)
    return Export(path, (path.name,), lambda name, most: _bytes(path.with_name(name), most))


def is_zip(path: Path) -> bool:
    """Whether the file at ``path`` starts as a zip does."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError as error:
        raise FormatError(path.name, "", "a readable file", str(error), "Check its rights.") from error


def _bytes(path: Path, most: int | None = None) -> bytes:
    try:
        if most is not None:
            with path.open("rb") as stream:
                return stream.read(most)
        size = path.stat().st_size
        if size > LARGEST:
            raise FormatError(path.name, "", f"at most {LARGEST} bytes", f"{size}", "Export a shorter recording.")
        return path.read_bytes()
    except OSError as error:
        raise FormatError(path.name, "", "a readable file", str(error), _AGAIN) from error


def _folder(path: Path) -> Export:
    names: list[str] = []
    try:
        for one in path.iterdir():
            inside = one.iterdir() if one.is_dir() else (one,)
            names += [found.relative_to(path).as_posix() for found in inside if found.is_file()]
            if len(names) > MOST_ENTRIES:
                given = f"more than {MOST_ENTRIES}"
                raise FormatError(path.name, "", "the files of an export", given, "Point to the export's own folder.")
    except OSError as error:
        raise FormatError(path.name, "", "a readable folder", str(error), "Check its rights.") from error
    return Export(path, _clean(names), lambda name, most: _bytes(path / name, most))


def _zip(path: Path) -> Export:
    _look_at_end(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except Exception as error:  # a damaged directory of a zip raises six kinds of exceptions
        raise FormatError(path.name, "", "a zip archive", f"{type(error).__name__}: {error}", _AGAIN) from error
    names = [entry.filename for entry in entries if not entry.is_dir()]
    for name in names:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name.split("/")[0]:
            hint = "It was made to harm, or by a broken program."
            raise FormatError(path.name, "", "names within the archive", repr(name[:100]), hint)
    seen: set[str] = set()
    twice = next((name for name in names if name in seen or seen.add(name)), None)
    if twice is not None:
        raise FormatError(path.name, "", "every file once", f"{twice[:100]!r} more than once", _AGAIN)
    kept = _clean(names)
    if kept and all(name.lower().endswith((".zip", ".7z", ".rar", ".gz")) for name in kept):
        raise FormatError(path.name, "", "tables", f"the archive {kept[0][:100]!r} in it", "Unpack the outer archive.")
    return Export(path, kept, lambda name, most: _member(path, name, most))


def _look_at_end(path: Path) -> None:
    """Refuse a zip whose directory is larger than an export's, before it is read into memory."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - (1 << 16) - 22 - 20))
            tail = stream.read()
    except OSError as error:
        raise FormatError(path.name, "", "a readable file", str(error), _AGAIN) from error
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise FormatError(path.name, "", "a whole zip archive", "one that is cut off", _AGAIN)
    if b"PK\x06\x07" in tail:
        raise FormatError(path.name, "", "a zip of less than 4 GiB", "a zip64", "Unpack it, and give the folder.")
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory > DIRECTORY or entries > MOST_ENTRIES:
        given = f"{entries} in a directory of {directory} bytes"
        raise FormatError(path.name, "", f"at most {MOST_ENTRIES} files", given, "Is it an export?")


def _member(path: Path, name: str, most: int | None = None) -> bytes:
    where = name[:100]
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(name)
            if entry.flag_bits & 1:
                raise FormatError(path.name, where, "a file without a password", "an encrypted one", "Unpack it first.")
            if most is not None:
                with archive.open(entry) as stream:
                    return stream.read(most)
            if entry.file_size > LARGEST:
                given = f"{entry.file_size}"
                raise FormatError(path.name, where, f"at most {LARGEST} bytes", given, "Export a shorter recording.")
            if entry.file_size > max(UNPACKED, MOST_RATIO * entry.compress_size):
                given = f"{entry.file_size} bytes in {entry.compress_size}"
                raise FormatError(
                    path.name, where, f"files packed to 1/{MOST_RATIO} at least", given, "Is it an export?"
                )
            with archive.open(entry) as stream:
                return stream.read(entry.file_size + 1)
    except FormatError:
        raise
    except Exception as error:  # zlib, struct, unknown compression, checksum, ...
        raise FormatError(
            path.name, where, "a file that unpacks", f"{type(error).__name__}: {error}", _AGAIN
        ) from error


def _clean(names: list[str]) -> tuple[str, ...]:
    """``names``, sorted, without what operating systems leave behind (``__MACOSX``, ``.DS_Store``, ``._name``)."""
    parts = ((name, PurePosixPath(name).parts) for name in sorted(names))
    return tuple(n for n, p in parts if p and not any(x in JUNK for x in p) and not p[-1].startswith("._"))
