"""What is searched: the corpora of the data folder, and its files together; and their indices, which are kept."""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinjo.formats import sidecar
from kinjo.recording import ContractError, Recording
from kinjo.studio import files, opened
from kinjo.studio.hub import Hub
from kinjo.studio.jobs import Job, Told
from kinjo.studio.opened import Opened
from kinjo.studio.problems import Refused, refusal_of

FILES = "*"
"""The name of the source of all files; no folder is called so."""
NOTHING = "nothing"
"""Of ``Refused``: there is no recording in a source."""
LARGEST = 256_000_000
"""Bytes of a file that is searched."""


@dataclass(frozen=True)
class Source:
    """A corpus of the data folder by its path in it, or ``FILES``. ``key`` changes where what it holds does."""

    name: str
    title: str
    key: Hashable
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """A source that can be searched; ``unread``: files that could not be read, and why."""

    source: Source
    index: Any
    unread: tuple[str, ...] = ()


def light(ready: Ready) -> Ready:
    """Without the vectors, which are large: to be held for long."""
    return replace(ready, index=replace(ready.index, vectors={}))


def sources(root: Path | None) -> list[Source]:
    """All that the data folder holds, by name."""
    corpora, names = opened.listed(root)
    if root is None:
        return []
    out = [Source(c, root.resolve().name if c == "." else c, _stamp(root / c / "corpus.json")) for c in corpora]
    names = [name for name in names if (told := _stamp(root / name)) is not None and told[2] <= LARGEST]
    if names:
        stamps = tuple((_stamp(root / n), _stamp(sidecar.sidecar_of(root / n))) for n in names)
        out.append(Source(FILES, "files", stamps, tuple(names)))
    return out


def _stamp(path: Path) -> tuple[str, int, int] | None:
    """Changes where a file does; None where there is none."""
    try:
        told = path.stat()
    except OSError:
        return None
    return path.as_posix(), told.st_mtime_ns, told.st_size


def needed(hub: Hub) -> Any:
    """What searches, of the model. ``Refused`` where it cannot."""
    finder = getattr(hub.base, "finder", None)
    if finder is None:
        detail = "this model cannot search: it is exported, or has no joint space"
        raise Refused(409, "no_search", detail, "Serve the checkpoint that it was made of.")
    return finder


# ------------------------------------------------------------------------------------------------ indices
def indexed(hub: Hub, source: Source) -> Job[Ready]:
    """The index of a source, as a job."""
    return hub.indices.ask((source.name, source.key), lambda at: _made(hub, source, at))


def indexed_corpus(hub: Hub, given: str) -> Job[Ready]:
    """The same of a corpus that a request names. ``Refused`` where there is none in the data folder."""
    folder = files.inside(hub.settings.data, given)
    name = folder.relative_to(Path(hub.settings.data or ".").resolve()).as_posix()
    return indexed(hub, Source(name, name, _stamp(Path(hub.settings.data or ".") / name / "corpus.json")))


def _made(hub: Hub, source: Source, at: Told) -> Ready:
    from kinjo.corpus import Corpus

    finder, root = needed(hub), hub.settings.data
    if source.name == FILES:
        folder = hub.scratch("files")
        unread = _write(finder, root, source.files, folder, at)
        return Ready(source, finder.index(Corpus.open(folder / "corpus"), folder / "index", progress=at), unread)
    folder = files.inside(root, source.name)
    kept = None if os.access(folder, os.W_OK) else hub.scratch("index")
    return Ready(source, finder.index(Corpus.open(folder), kept, progress=at))


def _write(finder: Any, root: Path | None, names: tuple[str, ...], folder: Path, at: Told) -> tuple[str, ...]:
    """The files as a corpus of what the model reads of them; those that cannot be read, and why."""
    from kinjo import corpus

    kept: list[Recording] = []
    unread: list[str] = []
    for number, name in enumerate(names):
        at(number, len(names))
        try:
            one = opened.of_file(files.inside(root, name), name, "", {}).recording
            mine = {n: s for n, s in one.streams.items() if s.length and _fits(finder, s)}
            if not mine:
                raise ContractError(name, "streams", "those that the model reads", ", ".join(one.streams), "")
            kept.append(replace(one, id=name, streams=mine))
        except Exception as error:
            told = refusal_of(error)
            if name.endswith(".json") and told is not None and told.error == "format":
                continue  # results, say: no recording
            unread.append(f"{name}: {told.detail if told else type(error).__name__}")
    if not kept:
        if not unread:
            raise Refused(422, NOTHING, "no file is a recording")
        raise Refused(422, "files", f"no file can be searched: {'; '.join(unread)[:300]}", "Open them one by one.")
    corpus.write(kept, folder / "corpus", video=None, progress=False)
    return tuple(unread)


def _fits(finder: Any, stream: Any) -> bool:
    return stream.contract.modality != "video" and any(slot.fits(stream.contract) for slot in finder.slots)


# ------------------------------------------------------------------------------------------------ to be opened
def open_(hub: Hub, ready: Ready, id: str) -> Opened:
    """A recording of a source, to be looked at: all of it, whatever the model reads."""
    root = hub.settings.data
    if ready.source.name == FILES:
        return opened.of_file(files.inside(root, id), id, f"file:{id}", {})
    return opened.of_corpus(root, ready.source.name, id)
