"""A corpus on disk, read lazily: numbers memory-mapped from Arrow shards, video decoded on demand.

The folder, all of it readable by other tools::

    corpus.json         format number, kinjo version, counts, settings, size and sha256 of every file
    recordings.jsonl    one line per recording: id, subject, source, twin, notes, segments, streams
    shards/00000.arrow  Arrow IPC files, uncompressed; one row per stream (a very long stream takes several rows)
    video/ab/*.mkv      one codec file per video stream at training size

``values`` of a shard row is the stream flattened in C order: reshape it to ``(n, *shape)``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.corpus import video
from kinjo.corpus.errors import CorpusError
from kinjo.corpus.shard import FORMAT
from kinjo.corpus.video import REWRITE
from kinjo.recording import Contract, Recording, Segment, Stream

MANIFEST, RECORDINGS, JOURNAL = "corpus.json", "recordings.jsonl", "journal.jsonl"


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """Where one stream of a recording lies. ``rows``: (batch, row, samples) in ``shard``, in order of time."""

    name: str
    contract: Contract
    length: int
    shape: tuple[int, ...]
    start_s: float
    end_s: float
    finite: bool
    timed: bool
    masked: bool
    shard: str
    rows: tuple[tuple[int, int, int], ...]
    video: str


@dataclass(frozen=True, slots=True)
class RecordingEntry:
    """One recording as the corpus lists it; ``begin_s`` and ``end_s`` bound its streams."""

    id: str
    subject: str
    source: str
    twin: str
    notes: tuple[str, ...]
    segments: tuple[Segment, ...]
    streams: tuple[StreamEntry, ...]
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Table:
    """One row per recording, in the order of the corpus. ``labels``: the distinct labels of each, sorted."""

    ids: NDArray[np.object_]
    subjects: NDArray[np.object_]
    sources: NDArray[np.object_]
    twins: NDArray[np.object_]
    labels: tuple[tuple[str, ...], ...]


class _Shards:
    """Memory-mapped Arrow shards, opened when first asked for."""

    def __init__(self, root: Path, sizes: Mapping[str, int]) -> None:
        self._root, self._sizes = root, sizes
        self._readers: dict[str, Any] = {}

    def row(self, shard: str, batch: int, row: int) -> dict[str, NDArray[Any] | None]:
        """The flat ``values``, ``times`` and ``missing`` of one row: views of the mapped file, nothing is copied."""
        import pyarrow as pa

        try:
            table = self._reader(shard).get_batch(batch)
            return {name: _flat(table.column(name), row) for name in ("values", "times", "missing")}
        except (pa.ArrowException, KeyError, IndexError, ValueError, TypeError) as error:
            raise CorpusError(f"{self._root / shard}: batch {batch} cannot be read ({error}). {REWRITE}") from error

    def _reader(self, shard: str) -> Any:
        import pyarrow as pa

        if shard not in self._readers:
            path = inside(self._root, shard)
            check_size(path, shard, self._sizes.get(shard))
            try:
                self._readers[shard] = pa.ipc.open_file(pa.memory_map(str(path)))
            except (pa.ArrowException, OSError) as error:
                raise CorpusError(f"{path}: not a readable Arrow file ({error}). {REWRITE}") from error
        return self._readers[shard]


def _flat(column: Any, row: int) -> NDArray[Any] | None:
    import pyarrow as pa

    if not column[row].is_valid:
        return None
    start, stop = column.offsets[row].as_py(), column.offsets[row + 1].as_py()
    values = column.values
    if values.null_count or not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise ValueError(f"values are numbers, and none is null: given {values.type}, {values.null_count} null")
    if stop <= start:
        return np.zeros(0, values.type.to_pandas_dtype())
    # not by Array.to_numpy, which imports pandas where it is installed: a second
    whole = np.frombuffer(values.buffers()[1], values.type.to_pandas_dtype())
    return whole[values.offset + start : values.offset + stop]


def inside(root: Path, name: str) -> Path:
    """``root / name``, where ``name`` is a plain relative path; anything else in a manifest is refused."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise CorpusError(f"{root}: the corpus names a file outside its folder, {name!r}: do not trust it.")
    return root / path


def check_size(path: Path, name: str, expected: int | None) -> None:
    """Raise ``CorpusError`` where a file of the corpus is absent or has another size than the manifest says."""
    if not path.is_file():
        raise CorpusError(f"{path}: missing from the corpus. {REWRITE}")
    size = path.stat().st_size
    if expected is None:
        raise CorpusError(f"{path}: {name} is not in {MANIFEST}. {REWRITE}")
    if size != expected:
        raise CorpusError(f"{path}: {size} bytes, but {MANIFEST} says {expected}: truncated or altered. {REWRITE}")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Corpus:
    """Recordings on disk, ready for training. Made by ``corpus.write`` or ``Corpus.open``; can be pickled."""

    def __init__(self, root: Path, manifest: Mapping[str, Any], entries: Iterable[RecordingEntry]) -> None:
        self.root, self.manifest, self.entries = root, manifest, tuple(entries)
        self._number = {entry.id: number for number, entry in enumerate(self.entries)}
        files: Mapping[str, Any] = manifest["files"]
        self._shards = _Shards(root, {name: facts["bytes"] for name, facts in files.items()})
        self.plans: dict[Any, Any] = {}  # of kinjo.corpus.windows: slot -> where its streams lie

    @classmethod
    def open(cls, root: str | Path) -> Corpus:
        """Open a corpus that ``corpus.write`` made. Reads the lists alone; shards are mapped when first used.

        Raises ``CorpusError`` where the folder is no corpus, is unfinished, has an unknown format number,
        or where the list of recordings or a shard is not of the size that the manifest says.
        """
        root = Path(root)
        manifest = read_manifest(root)
        if (root / JOURNAL).exists():
            raise CorpusError(f"{root}: writing was interrupted. Run the same corpus.write call again to finish it.")
        files = manifest["files"]
        for name, facts in files.items():
            if not name.startswith("video/"):
                check_size(inside(root, name), name, facts["bytes"])
        if file_sha256(root / RECORDINGS) != files[RECORDINGS]["sha256"]:
            raise CorpusError(f"{root / RECORDINGS}: altered, its sha256 is not that of {MANIFEST}. {REWRITE}")
        with (root / RECORDINGS).open(encoding="utf-8") as lines:
            contracts: dict[str, Contract] = {}
            return cls(root, manifest, [entry_of(json.loads(line), contracts) for line in lines])

    def __reduce__(self) -> tuple[Any, ...]:
        return Corpus.open, (self.root,)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def digest(self) -> str:
        """Of the manifest, which holds the hashes of all other files: corpora of one digest hold the same."""
        return hashlib.sha256((self.root / MANIFEST).read_bytes()).hexdigest()[:12]

    @property
    def recordings(self) -> list[str]:
        """Ids of all recordings, in the order in which they were written."""
        return [entry.id for entry in self.entries]

    def number(self, id: str) -> int:
        """Position of a recording in ``entries``; ``CorpusError`` where there is none of that id."""
        if id not in self._number:
            raise CorpusError(f"{self.root}: no recording '{id}' among {len(self)}. Corpus.recordings lists the ids.")
        return self._number[id]

    def recording(self, id: str) -> Recording:
        """The recording with lazy streams: numbers are views of the mapped shard, video is decoded when read."""
        entry = self.entries[self.number(id)]
        streams = {stream.name: self.stream(stream) for stream in entry.streams}
        return Recording(entry.id, streams, entry.segments, entry.subject, entry.source, entry.twin, entry.notes)

    def stream(self, entry: StreamEntry) -> Stream:
        """The lazy stream of an entry. Depth comes as uint16 millimetres, rgb as uint8, all else as float32."""
        times = _joined(self._column(entry, "times")) if entry.timed else None
        missing = _joined(self._column(entry, "missing")) if entry.masked else None
        read = self._video_reader(entry) if entry.contract.modality == "video" else self._number_reader(entry)
        mask = None if missing is None else missing.view(np.bool_)
        return Stream(entry.name, entry.contract, entry.length, read, entry.start_s, times, mask)

    def view(self, entry: StreamEntry) -> NDArray[np.float32]:
        """A whole imu or pose stream ``(length, *shape)``, float32: a view of the map (a copy past one shard row)."""
        return _joined(self._column(entry, "values")).reshape(entry.length, *entry.shape)

    def _column(self, entry: StreamEntry, column: str) -> list[NDArray[Any]]:
        pieces: list[NDArray[Any]] = []
        for batch, row, samples in entry.rows:
            flat = self._shards.row(entry.shard, batch, row)[column]
            expected = samples * int(np.prod(entry.shape)) if column == "values" else samples
            if flat is None or len(flat) != expected:
                raise CorpusError(f"{self.root / entry.shard}: stream '{entry.name}' has no {column}. {REWRITE}")
            pieces.append(flat)
        return pieces

    def _number_reader(self, entry: StreamEntry) -> Any:
        pieces: list[NDArray[Any]] = []
        edges = np.cumsum([0, *(samples for _, _, samples in entry.rows)])

        def read(start: int, stop: int) -> NDArray[Any]:
            if not pieces:
                shape = entry.shape
                pieces[:] = [flat.reshape(-1, *shape) for flat in self._column(entry, "values")]  # whole: for threads
            if len(pieces) == 1:
                return pieces[0][start:stop]
            parts = [p[max(start - e, 0) : max(stop - e, 0)] for p, e in zip(pieces, edges[:-1], strict=True)]
            return np.concatenate(parts) if parts else np.empty((0, *entry.shape), np.float32)

        return read

    def _video_reader(self, entry: StreamEntry) -> Any:
        def read(start: int, stop: int) -> NDArray[Any]:
            if not entry.video:
                return np.empty((0, *entry.shape), np.uint8)
            return video.decode(inside(self.root, entry.video), entry.contract, start, stop, entry.shape)

        return read

    @property
    def table(self) -> Table:
        """Ids, subjects, sources, twins and labels of all recordings as plain arrays."""
        columns = [
            np.array([getattr(entry, name) for entry in self.entries], object)
            for name in ("id", "subject", "source", "twin")
        ]
        labels = tuple(tuple(sorted({s.label for s in entry.segments if s.label})) for entry in self.entries)
        return Table(*columns, labels=labels)

    def verify(self) -> int:
        """Check size and sha256 of every file; gives how many. ``CorpusError`` names the first that is bad."""
        for name, facts in self.manifest["files"].items():
            path = inside(self.root, name)
            check_size(path, name, facts["bytes"])
            if file_sha256(path) != facts["sha256"]:
                raise CorpusError(f"{path}: altered, its sha256 is not that of {MANIFEST}. {REWRITE}")
        return len(self.manifest["files"])


def _joined(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def read_manifest(root: Path) -> dict[str, Any]:
    """``corpus.json`` of a folder, its format number checked."""
    path = root / MANIFEST
    if not path.is_file():
        if (root / JOURNAL).is_file():
            raise CorpusError(f"{root}: writing was interrupted. Run the same corpus.write call again to finish it.")
        raise CorpusError(f"{root}: no {MANIFEST} here, so this is not a corpus. Make one with corpus.write.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        number = manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path}: not a manifest of a corpus ({error!r}). {REWRITE}") from error
    check_format(path, number)
    return manifest


def check_format(path: Path, number: Any) -> None:
    """Raise ``CorpusError`` where a corpus was written in a format that this kinjo does not read."""
    if number != FORMAT:
        raise CorpusError(
            f"{path}: format {number!r}, this kinjo reads format {FORMAT}. Upgrade kinjo, or write the corpus again."
        )


def entry_of(line: Mapping[str, Any], contracts: dict[str, Contract]) -> RecordingEntry:
    """A line of ``recordings.jsonl`` as an entry; ``contracts`` lets equal contracts be one object."""
    streams: list[StreamEntry] = []
    for given in line["streams"]:
        key = json.dumps(given["contract"], sort_keys=True)
        if key not in contracts:
            contracts[key] = Contract.from_dict(given["contract"])
        rows = tuple((int(b), int(r), int(n)) for b, r, n in given["rows"])
        values = {
            **given,
            "contract": contracts[key],
            "shape": tuple(given["shape"]),
            "rows": rows,
            "shard": line["shard"],
        }
        streams.append(StreamEntry(**values))
    segments = tuple(Segment(**segment) for segment in line["segments"])
    plain = {name: line[name] for name in ("id", "subject", "source", "twin", "begin_s", "end_s")}
    return RecordingEntry(**plain, notes=tuple(line["notes"]), segments=segments, streams=tuple(streams))
