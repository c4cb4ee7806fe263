"""The files of a dataset, in its official zip or in a folder of the same layout. Nothing is ever unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kinjo.datasets.card import DatasetError

LARGEST = 1 << 28
"""Bytes (256 MiB) that one file of the datasets here never reaches; more is a broken or hostile file."""

JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Files:
    """Read-only files under ``path``: names relative to it, with ``/``, sorted; ``read(name)`` gives the bytes.

    ``read`` raises ``DatasetError`` naming the file. It may be called from several threads.
    """

    path: Path
    names: tuple[str, ...]
    read: Callable[[str], bytes]


def open_files(path: Path) -> Files:
    """The files of a zip (opened once, checksums verified at every read) or of a folder; else ``DatasetError``."""
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() != ".zip":
        raise DatasetError(str(path), "a zip or a folder", "another file", "Point to the official zip or its folder.")
    return _zip(path)


def _folder(path: Path) -> Files:
    names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())

    def read(name: str) -> bytes:
        file = path / name
        try:
            if file.stat().st_size > LARGEST:
                raise DatasetError(str(file), f"less than {LARGEST} bytes", f"{file.stat().st_size}", "Download again.")
            return file.read_bytes()
        except OSError as error:
            raise DatasetError(
                str(file), "a readable file", f"{error}", "Check its rights, or copy it again."
            ) from error

    return Files(path, _clean(names), read)


def _zip(path: Path) -> Files:
    again = "The download is incomplete or damaged: get the official zip again."
    try:
        archive = zipfile.ZipFile(path)
        names = archive.namelist()
    except Exception as error:  # a damaged directory of a zip raises six kinds of exceptions
        raise DatasetError(str(path), "a zip archive", f"{type(error).__name__}: {error}", again) from error
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise DatasetError(str(path), "every file once", f"'{repeated[0]}' more than once", again)

    def read(name: str) -> bytes:
        where = f"{path}/{name}"
        try:
            if archive.getinfo(name).file_size > LARGEST:
                raise ValueError(f"{archive.getinfo(name).file_size} bytes")
            return archive.read(name)
        except Exception as error:  # zlib, struct, encryption, unknown compression, checksum, ...
            raise DatasetError(where, "a file that unpacks", f"{type(error).__name__}: {error}", again) from error

    return Files(path, _clean(sorted(name for name in names if not name.endswith("/"))), read)


def _clean(names: list[str]) -> tuple[str, ...]:
    """``names`` without what operating systems leave behind (``__MACOSX``, ``.DS_Store``, ``._name``)."""
    parts = ((name, PurePosixPath(name).parts) for name in names)
    return tuple(n for n, p in parts if p and not any(x in JUNK for x in p) and not p[-1].startswith("._"))


def index(files: Files, known: Callable[[str], str | None], suffix: str) -> tuple[dict[str, str], list[DatasetError]]:
    """recording id -> file name, by ``known(name)``, and an error for each data file that is unknown or there twice.

    Files with another ``suffix`` that ``known`` does not know (a readme) are passed over.
    """
    found: dict[str, str] = {}
    faults: list[DatasetError] = []
    for name in files.names:
        recording = known(name)
        where = f"{files.path}/{name}"
        if recording is None and name.lower().endswith(suffix):
            faults.append(DatasetError(where, "a file name of this dataset", "another name", "Move the file away."))
        elif recording in found:
            faults.append(DatasetError(where, "one file per recording", f"also {found[recording]}", "Keep one."))
        elif recording is not None:
            found[recording] = name
    return found, faults


def absent(files: Files, found: Collection[str], expected: Collection[str], name_of: Callable[[str], str]) -> list[str]:
    """Names of the expected files that are not there."""
    return [f"{files.path}/{name_of(recording)}" for recording in expected if recording not in found]
