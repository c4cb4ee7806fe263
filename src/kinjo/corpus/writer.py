"""``corpus.write``: recordings into a corpus, one at a time, so that a run that is killed goes on where it was.

The open shard is ``NNNNN.arrow.part``: Arrow batches go to it as recordings end, and after each the journal
gets a line with the checksum of these batches. What has a line and matches it is kept when the call is made
again; what has none never happened. A full shard is flushed to the disk, then renamed. ``corpus.json`` comes
last, and with it the journal goes. Parts are written again on resuming, so the bytes do not tell of the kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import kinjo
from kinjo.corpus import video as codec
from kinjo.corpus.errors import CorpusError
from kinjo.corpus.shard import FORMAT, PIECE, Part, salvage
from kinjo.corpus.store import (
    JOURNAL,
    MANIFEST,
    RECORDINGS,
    Corpus,
    check_format,
    check_size,
    file_sha256,
    read_manifest,
)
from kinjo.corpus.video import VideoSize
from kinjo.recording import Recording, Stream


def write(
    recordings: Iterable[Recording],
    root: str | Path,
    *,
    video: VideoSize | None = VideoSize(),  # noqa: B008 - frozen
    shard_mb: float = 64,
    resume: bool = True,
    progress: bool | None = None,
    total: int | None = None,
    origin: str = "",
) -> Corpus:
    """Keep ``recordings`` in the folder ``root`` and open the corpus.

    ``video`` is the size at which video is kept; ``None`` leaves video out. A shard is closed once it holds
    ``shard_mb`` MiB. With ``resume`` recordings that are already in the corpus are skipped by id (an interrupted
    run goes on; more recordings may be added to a finished corpus); without it a corpus in ``root`` is replaced.
    ``progress`` shows a bar on stderr (``None``: where stderr is a terminal) with ``total`` recordings.
    ``origin`` says how the recordings are made (which data set, modalities, repairs); a corpus begun with another
    one is not resumed, since recordings already in it are skipped by id alone.
    Numbers are kept as float32, depth as millimetres, rgb as H.264; memory is that of one piece of one stream.

    Raises ``CorpusError`` where ``root`` holds something else, where an id comes twice, where settings differ from
    those of the corpus being resumed, and where a stream's times or mask do not fit its samples; ``ContractError``
    where its contract contradicts itself.
    """
    root = Path(root)
    settings = {"video": None if video is None else asdict(video), "shard_mb": shard_mb, "origin": origin}
    _claim(root, resume)
    with locked(root), _bar(progress, total) as advance:
        log = _load_log(root, settings)
        out = _Writer(root, video, int(shard_mb * (1 << 20)), log)
        seen: set[str] = set()
        try:
            for recording in recordings:
                if recording.id in seen:
                    raise CorpusError(f"two recordings have the id '{recording.id}': make ids unique, then run again.")
                seen.add(recording.id)
                if recording.id not in out.done:
                    out.add(recording)
                advance()
            out.finish()
        finally:
            out.close()
    return Corpus.open(root)


def kept(root: str | Path, origin: str, made: Callable[[], Iterable[Recording]], **how: Any) -> Corpus:
    """The corpus in ``root`` if it is finished and of this ``origin``: ``made`` is not called. Else what ``write``
    makes of ``made()``, going on where it was stopped; ``how``: its keywords.
    """
    with suppress(CorpusError):
        store = Corpus.open(root)
        if store.manifest["settings"]["origin"] == origin:
            return store
    return write(made(), root, origin=origin, **how)


@dataclass
class _Log:
    """What the journal says: recordings in order, files with their facts, and batch checksums of the open shard."""

    settings: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    sums: dict[str, list[int]] = field(default_factory=dict)
    live: bool = False

    @property
    def closed(self) -> list[str]:
        return [name for name in self.files if name.startswith("shards/")]


def _claim(root: Path, resume: bool) -> None:
    """Make ``root`` ready: a new folder, an empty one, or a corpus; without ``resume`` a corpus there is removed."""
    if root.exists() and not root.is_dir():
        raise CorpusError(f"{root}: is a file. Name a folder for the corpus.")
    root.mkdir(parents=True, exist_ok=True)
    inhabited = any(entry.name != ".lock" for entry in root.iterdir())
    if inhabited and not any((root / name).is_file() for name in (MANIFEST, JOURNAL, JOURNAL + ".tmp")):
        raise CorpusError(f"{root}: not empty, and not a corpus. Name a new or an empty folder.")
    if not resume:
        with locked(root):
            for name in ("shards", "video"):
                shutil.rmtree(root / name, ignore_errors=True)
            for name in (MANIFEST, RECORDINGS, JOURNAL):
                (root / name).unlink(missing_ok=True)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """One process writes into ``root`` at a time, where the system has file locks. The lock dies with its process."""
    with (root / ".lock").open("w") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CorpusError(f"{root}: another process is writing here. Wait for it to end.") from error
        yield


@contextmanager
def _bar(progress: bool | None, total: int | None) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = console.is_terminal if progress is None else progress
    with Progress(*columns, console=console, disable=not shown) as bar:
        task = bar.add_task("writing recordings", total=total)
        yield lambda: bar.advance(task)


def _load_log(root: Path, settings: dict[str, Any]) -> _Log:
    """The state of ``root``: from the journal while there is one, else from the finished corpus."""
    log = _Log(settings)
    journal = root / JOURNAL
    if journal.is_file():
        log.live = True
        _read_journal(journal, log)
    elif (root / MANIFEST).is_file():
        manifest = read_manifest(root)
        log.settings, log.files = manifest["settings"], dict(manifest["files"])
        log.files.pop(RECORDINGS)
        with (root / RECORDINGS).open(encoding="utf-8") as lines:
            log.lines = [json.loads(line) for line in lines]
    if log.settings["video"] != settings["video"]:
        raise CorpusError(
            f"{root}: was begun with video={log.settings['video']}, now video={settings['video']} is asked for. "
            "Use the same size, another folder, or resume=False to write it anew."
        )
    begun = log.settings.get("origin", "")
    if begun != settings["origin"]:
        raise CorpusError(
            f"{root}: was begun with {begun or 'no origin'}, now {settings['origin'] or 'no origin'} is asked for. "
            "Its recordings would be skipped by id: name another folder, or give the same options."
        )
    log.settings = {**log.settings, "shard_mb": settings["shard_mb"]}
    for name in log.closed:
        check_size(root / name, name, log.files[name]["bytes"])
    return log


def _read_journal(path: Path, log: _Log) -> None:
    """Fill ``log``; a last line that was cut off by a kill is left out."""
    with path.open("rb") as file:
        for number, raw in enumerate(file):
            try:
                event = json.loads(raw)
            except ValueError:
                if raw.endswith(b"\n"):
                    raise CorpusError(f"{path}: line {number + 1} is damaged. Write again with resume=False.") from None
                return
            if "format" in event:
                check_format(path, event["format"])
                log.settings = event["settings"]
            elif "recording" in event:
                log.lines.append(event["recording"])
                log.files.update(event["files"])
                log.sums[event["recording"]["id"]] = event["sums"]
            else:
                log.files[event["shard"]] = event["facts"]
    if not path.stat().st_size:
        raise CorpusError(f"{path}: empty. Write again with resume=False.")


class _Writer:
    """Appends recordings to the open shard, keeps the journal, and finishes the corpus."""

    def __init__(self, root: Path, video: VideoSize | None, shard_bytes: int, log: _Log) -> None:
        self.root, self.video, self.shard_bytes, self.log = root, video, shard_bytes, log
        self.part: Part | None = None
        self._journal: Any = None
        if log.live:
            self._recover()
        self.done = {line["id"] for line in log.lines}

    def _name(self) -> str:
        return f"shards/{len(self.log.closed):05d}.arrow"

    def _recover(self) -> None:
        """Keep what the journal and the shards agree on: write the open shard again up to there, and the journal."""
        (self.root / "shards").mkdir(exist_ok=True)
        for path in sorted((self.root / "shards").glob("*.arrow")):  # renamed, but killed before the journal knew
            if (name := f"shards/{path.name}") not in self.log.files:
                self.log.files[name] = _facts(path)
        closed = set(self.log.closed)
        kept = [line for line in self.log.lines if line["shard"] in closed]
        waiting = [line for line in self.log.lines if line["shard"] not in closed]
        path = self.root / (self._name() + ".part")
        spare = path.with_suffix(".recover")
        if path.exists() and not spare.exists():
            os.replace(path, spare)
        if spare.exists():
            self.part = Part(path)
            kept += salvage(spare, self.part, [(line, self.log.sums[line["id"]]) for line in waiting])
            spare.unlink()
        ids = {line["id"] for line in kept}
        dropped = {v for line in self.log.lines if line["id"] not in ids for v in _videos_of(line)}
        self.log.lines = kept
        self.log.files = {name: facts for name, facts in self.log.files.items() if name not in dropped}
        self._begin_journal()

    def _begin_journal(self) -> None:
        """Write the journal anew from the log, whole or not at all, and go on appending to it."""
        journal = self.root / JOURNAL
        temporary = journal.with_suffix(".jsonl.tmp")
        shards, videos = set(self.log.closed), self.log.files
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(_json({"format": FORMAT, "settings": self.log.settings}))
            for name in sorted(shards):
                file.write(_json({"shard": name, "facts": self.log.files[name]}))
            for line in self.log.lines:
                files = {name: videos[name] for name in _videos_of(line)}
                file.write(_json({"recording": line, "files": files, "sums": self.log.sums.get(line["id"], [])}))
            _sync(file)
        os.replace(temporary, journal)
        self._journal = journal.open("a", encoding="utf-8", newline="\n")

    def add(self, recording: Recording) -> None:
        """Write one recording: its video files, its rows, its line in the journal; in this order."""
        if self._journal is None:
            self._begin_journal()
        if self.part is not None and self.part.bytes >= self.shard_bytes:
            self._close_shard()  # before, not after: a part found on resuming may be full
        if self.part is None:
            (self.root / "shards").mkdir(exist_ok=True)
            self.part = Part(self.root / (self._name() + ".part"))
        _check_names(recording)
        _check_clocks(recording)
        files: dict[str, dict[str, Any]] = {}
        first, streams = len(self.part.sums), []
        for stream in recording.streams.values():
            stream.contract.check(stream.name)
            if stream.contract.modality == "video":
                if self.video is not None:
                    streams.append(self._add_video(recording.id, stream, files))
            else:
                streams.append(self._add_numbers(recording.id, stream))
        self.part.flush()
        line = {**_line(recording, streams), "shard": self._name()}
        sums = self.part.sums[first:]
        self._append({"recording": line, "files": files, "sums": sums})
        self.log.lines.append(line)
        self.log.files.update(files)
        self.log.sums[recording.id] = sums
        self.done.add(recording.id)

    def _add_numbers(self, id: str, stream: Stream) -> dict[str, Any]:
        assert self.part is not None
        rows: list[tuple[int, int, int]] = []
        finite, masked = True, False
        shape = np.shape(stream.values(0, min(stream.length, 1)))[1:]
        step = max(1, PIECE // max(1, int(np.prod(shape))))
        for start in range(0, stream.length, step):
            stop = min(start + step, stream.length)
            values = np.ascontiguousarray(stream.values(start, stop), np.float32)
            if values.shape != (stop - start, *shape):
                raise CorpusError(
                    f"recording '{id}', stream '{stream.name}': samples {start}..{stop - 1} should be "
                    f"{(stop - start, *shape)}, the source gave {values.shape}. Mend the source or leave it out."
                )
            finite = finite and bool(np.isfinite(values).all())
            missing = None if stream.missing is None else stream.mask(start, stop)
            masked = missing is not None
            times = None if stream.times is None else stream.clock(start, stop)
            batch, row = self.part.add(id, stream, values, times, missing)
            rows.append((batch, row, stop - start))
        return self._stream_line(stream, rows, shape, finite=finite, masked=masked)

    def _add_video(self, id: str, stream: Stream, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
        assert self.part is not None
        assert self.video is not None
        name = ""
        if not stream.length:
            shape = np.shape(stream.values(0, 0))[1:]
        else:
            name = video_name(id, stream.name)
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".mkv.tmp")
            try:
                shape = codec.encode(stream, self.video, temporary)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            os.replace(temporary, path)
            files[name] = _facts(path)
        kept = Stream(stream.name, codec.stored_contract(stream.contract), stream.length, stream.read,
                      stream.start_s, stream.times, stream.missing)  # fmt: skip
        times = None if stream.times is None else stream.clock()
        missing = None if stream.missing is None else stream.mask()
        batch, row = self.part.add(id, kept, None, times, missing, shape=shape, video=name)
        rows = [(batch, row, stream.length)]
        return self._stream_line(kept, rows, shape, finite=True, masked=missing is not None, video=name)

    @staticmethod
    def _stream_line(stream: Stream, rows: list[tuple[int, int, int]], shape: tuple[int, ...], *,
                     finite: bool, masked: bool, video: str = "") -> dict[str, Any]:  # fmt: skip
        timed = stream.times is not None and stream.length > 0
        start = float(stream.times[0]) if stream.times is not None and timed else stream.start_s
        return {
            "name": stream.name, "contract": stream.contract.to_dict(), "length": stream.length,
            "shape": list(shape), "start_s": start, "end_s": stream.end_s, "finite": finite, "timed": timed,
            "masked": masked, "rows": rows, "video": video,
        }  # fmt: skip

    def _close_shard(self) -> None:
        if self.part is None:
            return
        name, path = self._name(), self.part.path
        self.part.close()
        self.part = None
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        facts = _facts(path)
        os.replace(path, self.root / name)
        self._append({"shard": name, "facts": facts})
        self.log.files[name] = facts

    def _append(self, event: dict[str, Any]) -> None:
        self._journal.write(_json(event))
        self._journal.flush()

    def finish(self) -> None:
        """Close the last shard and write the lists. Nothing is touched where nothing was added."""
        if self._journal is None and (self.root / MANIFEST).is_file():
            return
        if self._journal is None:
            self._begin_journal()
        self._close_shard()
        self._replace(RECORDINGS, "".join(_json(line) for line in self.log.lines))
        streams = [stream for line in self.log.lines for stream in line["streams"]]
        counts = {
            "recordings": len(self.log.lines), "streams": len(streams),
            "videos": sum(bool(s["video"]) for s in streams),
            "samples": sum(s["length"] for s in streams), "shards": len(self.log.closed),
        }  # fmt: skip
        files = dict(sorted({**self.log.files, RECORDINGS: _facts(self.root / RECORDINGS)}.items()))
        manifest = {"format": FORMAT, "kinjo": kinjo.__version__, "counts": counts,
                    "settings": self.log.settings, "files": files}  # fmt: skip
        self._replace(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        self.close()
        (self.root / JOURNAL).unlink()

    def _replace(self, name: str, text: str) -> None:
        temporary = self.root / (name + ".tmp")
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            _sync(file)
        os.replace(temporary, self.root / name)

    def close(self) -> None:
        """Let go of the files; an open shard stays as it is, for the next call."""
        if self.part is not None:
            self.part.abandon()
            self.part = None
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def video_name(id: str, stream: str) -> str:
    """Path of a video file inside a corpus: safe on every file system, whatever the id holds, and unique."""
    digest = hashlib.sha256(f"{id}\0{stream}".encode("utf-8", "surrogatepass")).hexdigest()
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{id[:60]}.{stream[:20]}".replace(".", "-"))
    return f"video/{digest[:2]}/{plain}.{digest[:12]}.mkv"


def _line(recording: Recording, streams: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": recording.id, "subject": recording.subject, "source": recording.source, "twin": recording.twin,
        "notes": list(recording.notes), "segments": [asdict(segment) for segment in recording.segments],
        "begin_s": min((s["start_s"] for s in streams if s["length"]), default=0.0),
        "end_s": max((s["end_s"] for s in streams), default=0.0), "streams": streams,
    }  # fmt: skip


def _check_names(recording: Recording) -> None:
    """Ids and stream names are written as UTF-8 and must not be empty."""
    for word in (recording.id, *recording.streams):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise CorpusError(f"recording {recording.id!a}: {word!a} is not valid Unicode. Rename it.") from error
        if not word:
            raise CorpusError(f"recording {recording.id!r}: an empty id or stream name. Give it a name.")
    for name, stream in recording.streams.items():
        if name != stream.name:
            raise CorpusError(f"recording '{recording.id}': stream '{stream.name}' is kept under the name '{name}'.")


def _check_clocks(recording: Recording) -> None:
    """One increasing time and one flag per sample: what is written otherwise could not be read back."""
    for name, stream in recording.streams.items():
        times, missing, wanted = stream.times, stream.missing, (stream.length,)
        rises = times is None or (np.shape(times) == wanted and np.isfinite(times).all() and (np.diff(times) > 0).all())
        if not rises:
            fault = f"times must be {stream.length} finite, increasing seconds"
        elif missing is not None and not (np.shape(missing) == wanted and np.asarray(missing).dtype == np.bool_):
            fault = f"missing must be {stream.length} bools"
        elif not np.isfinite(stream.start_s):
            fault = f"start_s must be a finite time, given {stream.start_s}"
        else:
            continue
        hint = "Mend the source, or run kinjo.checks.check(..., repair=True) first."
        raise CorpusError(f"recording '{recording.id}', stream '{name}': {fault}. {hint}")


def _videos_of(line: dict[str, Any]) -> list[str]:
    return [stream["video"] for stream in line["streams"] if stream["video"]]


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _json(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
