"""Recordings that pages have open, and what may be opened: files and corpora of the data folder, and files sent."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from kinjo.recording import Recording, Stream
from kinjo.studio import files
from kinjo.studio.problems import Refused
from kinjo.studio.pyramid import Pyramid

if TYPE_CHECKING:
    from kinjo.formats.guess import Gathered

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi")
CORPUS = "corpus.json"
"""A folder with this file is a corpus."""
MOST_OPEN = 8
MOST_LISTED, DEEPEST = 500, 5
"""Files of the data folder that are listed, and how deep."""
SECTION = 1 << 22


@dataclass
class Opened:
    """A recording that somebody looks at. ``id`` names it in addresses, ``key`` is what its labels are kept under."""

    key: str
    title: str
    recording: Recording
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pyramids: dict[str, Pyramid] = field(default_factory=dict)

    def pyramid(self, name: str) -> Pyramid:
        """Of a stream, made when it is first asked for."""
        with self._lock:
            if name not in self._pyramids:
                self._pyramids[name] = Pyramid.of(self.recording.streams[name])
            return self._pyramids[name]

    def of(self, modality: str) -> list[Stream]:
        """The streams of a modality that have samples."""
        return [s for s in self.recording.streams.values() if s.contract.modality == modality and s.length]

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Where the first stream begins and the last ends, in seconds."""
        some = [s for s in self.recording.streams.values() if s.length]
        return min((float(s.clock(0, 1)[0]) for s in some), default=0.0), max((s.end_s for s in some), default=0.0)


class Shelf:
    """What is open, the latest ``MOST_OPEN``; files that were sent are removed with their recording."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, opened: Opened) -> Opened:
        """Have it found by its id."""
        with self._lock:
            self._open[opened.id] = opened
            gone = [self._open.popitem(last=False)[1] for _ in range(len(self._open) - MOST_OPEN)]
        for one in gone:
            _dropped(one)
        return opened

    def get(self, id: str) -> Opened:
        """An open recording. ``Refused`` for one that is closed."""
        with self._lock:
            if id not in self._open:
                raise Refused(404, "closed", "this recording is not open any more", "Open it again.")
            self._open.move_to_end(id)
            return self._open[id]

    def close(self) -> None:
        """Let go of all."""
        with self._lock:
            gone, self._open = list(self._open.values()), OrderedDict()
        for one in gone:
            _dropped(one)


def _dropped(opened: Opened) -> None:
    if opened.folder is not None:
        shutil.rmtree(opened.folder, ignore_errors=True)


# ------------------------------------------------------------------------------------------------ what there is
def walked(root: Path | None) -> Iterator[tuple[Path, list[str]]]:
    """The folders of the data folder, as paths in it, each with the names of its files in order; neither what is hidden
    nor what is in a corpus, of which the folder itself comes.
    """
    for folder, names, there in os.walk(root) if root is not None else ():
        at = Path(folder).relative_to(root or "")
        deeper = len(at.parts) < DEEPEST and CORPUS not in there
        names[:] = sorted(n for n in names if not n.startswith(".")) if deeper else []
        yield at, sorted(n for n in there if not n.startswith("."))


def listed(root: Path | None) -> tuple[list[str], list[str]]:
    """Corpora and files of the data folder, as paths in it, by name; the first ``MOST_LISTED``."""
    corpora: list[str] = []
    found: list[str] = []
    for at, there in walked(root):
        if CORPUS in there:
            corpora.append(at.as_posix())
            continue
        found += [(at / name).as_posix() for name in there if readable(name)]
        if len(found) >= MOST_LISTED:
            break
    return corpora, found[:MOST_LISTED]


def readable(name: str) -> bool:
    """Whether a file's name says that it may hold a recording."""
    path = PurePosixPath(name)
    sidecar = name.endswith(".kinjo.json")
    return not name.startswith(".") and not sidecar and path.suffix.lower() in (*files.SUFFIXES, *VIDEOS)


def of_corpus(root: Path | None, corpus: str, id: str) -> Opened:
    """A recording of a corpus of the data folder."""
    from kinjo.corpus import Corpus

    recording = Corpus.open(files.inside(root, corpus)).recording(id)
    return Opened(f"corpus:{corpus}#{id}", id, recording, recording.notes)


def ids_of(root: Path | None, corpus: str) -> list[str]:
    """The recordings of a corpus."""
    from kinjo.corpus import Corpus

    return Corpus.open(files.inside(root, corpus)).recordings


def of_file(
    path: Path, title: str, key: str, told: Mapping[str, Any], folder: Path | None = None,
    gathered: Gathered | None = None,
) -> Opened:  # fmt: skip
    """The recording in a file, by what is told of it. ``gathered``: a table that was read already; it is used up."""
    from kinjo.formats.recordings import read_recording
    from kinjo.formats.wearable import read_wearable

    notes: list[str] = []
    if gathered is None:
        recording = read_recording(path, notes=notes, **told)
    else:
        recording = read_wearable(path, notes=notes, gathered=gathered, **told)
    return Opened(key, title, recording, tuple(dict.fromkeys(notes)), folder)


def kept(name: str) -> Path:
    """A new folder, and in it the path for a file that is sent under this name."""
    plain = files.plain_name(name, (*files.SUFFIXES, *VIDEOS))
    return Path(mkdtemp(prefix="kinjo-")) / plain


def content_key(path: Path) -> str:
    """What the labels of a file that was sent are kept under: its content, whatever its name."""
    told = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(SECTION):
            told.update(piece)
    return f"sent:{told.hexdigest()[:32]}"
