"""Indices of corpora and vectors of queries, by a joint space: what ``search`` compares."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinjo import corpus
from kinjo.batches import Windows, slots, worn
from kinjo.corpus import Corpus, Slot, VideoSize, sliding_windows
from kinjo.encoders import Input, VideoInput
from kinjo.joint import embed_text
from kinjo.learn import given
from kinjo.live import LEAST_PRESENT, matched
from kinjo.methods import mujo
from kinjo.recipe import Recipe
from kinjo.recording import Recording
from kinjo.search import Index, Moment, Query, mean_vector

FORMAT = 1
"""Of the files of an index."""
PART, BATCH = 4096, 64
"""Windows in a file, and read at once."""
HELD_BYTES = 1 << 30
"""An index up to this size is held in memory; a larger one stays in mapped files, which is slower."""
Told = Callable[[int, int], None]
"""Told how much is done, of how much; what it raises stops the work."""


@dataclass(frozen=True)
class Finder:
    """A joint space with the windows that it reads: makes indices of corpora and vectors of queries.

    ``slots``: the streams that it learnt, video among them. ``stretched``: windows end where their recording does, as
    the segments that it learnt from did. ``id`` tells the weights, ``words`` whether it learnt any.
    """

    space: mujo.MuJo
    slots: tuple[Slot, ...]
    length_s: float
    hop_s: float
    stretched: bool
    id: str
    words: bool = True

    @classmethod
    def of(cls, space: mujo.MuJo, recipe: Recipe, header: Mapping[str, Any], id: str) -> Finder:
        """Of a checkpoint's model, recipe and header."""
        contracts = header.get("contracts", {})
        asked, length, hop = reads(recipe, contracts)
        stretched = recipe.windows.length_s <= 0
        return cls(space, asked, length, hop, stretched, id, bool(header.get("text", True)))

    @property
    def inputs(self) -> dict[str, Input]:
        """Those of the model that it learnt."""
        return {slot.key: self.space.config.inputs[slot.key] for slot in self.slots}

    def search(self, query: Query, where: Corpus | Index, k: int = 10, **how: Any) -> list[Moment]:
        """The ``k`` moments of a corpus or an index nearest to a query; ``how``: keywords of ``Index.search``.

        A moment's own recording does not answer it, unless ``own`` is asked for.
        """
        index = where if isinstance(where, Index) else self.index(where)
        vector = index.vector(query) if isinstance(query, Moment) else self.vector(query)
        return index.search(vector, k, without=query if isinstance(query, Moment) else None, **how)

    def vector(
        self, query: str | Recording | tuple[Recording, tuple[float, float]] | NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        """A query in the joint space, (d,): of a recording the mean over its windows and modalities.

        ``ContractError`` for a recording without a stream that the model reads, ``ValueError`` for one that is too
        short, and for words where the model learnt none.
        """
        if isinstance(query, str):
            if not self.words:
                raise ValueError(
                    "this model learnt no words: ask with a recording, or pre-train a joint space with --text"
                )
            if not query.strip():
                raise ValueError("an empty sentence finds nothing: say what to look for")
            return embed_text(self.space, [query])[0]
        if isinstance(query, tuple):
            return self.vector(query[0].between(*query[1]))
        return self._of_recording(query) if isinstance(query, Recording) else np.asarray(query, np.float32)

    def _of_recording(self, recording: Recording) -> NDArray[np.float32]:
        """By way of a corpus of one recording, so that a query is read as what is to be found."""
        names = matched(self.slots, {name: s.contract for name, s in recording.streams.items()})
        kept = replace(recording, streams={name: recording.streams[name] for name in set(names.values())}, segments=())
        sides = [spec.size for spec in self.inputs.values() if isinstance(spec, VideoInput)]
        with TemporaryDirectory() as folder:
            size = VideoSize(2 * max(sides)) if sides else None
            store = corpus.write([kept], folder, video=size, progress=False)
            long = store.entries[0].end_s - store.entries[0].begin_s >= self.length_s - 1e-6
            windows = self._windows(store, 1.0 if long else LEAST_PRESENT)  # of what is long enough whole ones alone
            return mean_vector(self._embedded(windows, np.arange(len(windows))), f"'{recording.id}'")

    # -------------------------------------------------------------------------------------------- an index
    def index(self, store: Corpus, folder: Path | str | None = None, *, progress: bool | Told = False) -> Index:
        """The vectors of a corpus: those that are kept in ``folder`` (None: ``search`` in the corpus), else computed.

        ``progress``: a bar on stderr, or what is told how many windows are done, of how many. Interrupted, the same
        call goes on. What was kept of another corpus or model is not used. ``ValueError`` where
        the corpus has no recordings, or nothing that the model reads.
        """
        if not len(store):
            raise ValueError(f"{store.root}: an empty corpus, there is nothing to find")
        if not any(slot.fits(s.contract) for entry in store.entries for s in entry.streams for slot in self.slots):
            wanted = ", ".join(f"{s.quantity} at {s.placement or 'any place'}" for s in self.slots)
            has = sorted({f"{s.contract.quantity} at {s.contract.placement or 'no place'}"
                          for entry in store.entries for s in entry.streams})  # fmt: skip
            raise ValueError(f"{store.root}: has none of what the model reads ({wanted}), but {', '.join(has)}")
        windows = self._windows(store, LEAST_PRESENT)
        home = (store.root / "search" if folder is None else Path(folder)) / self.id
        facts = {
            "format": FORMAT, "model": self.id, "corpus": store.digest, "windows": len(windows), "part": PART,
            "length_s": self.length_s, "hop_s": self.hop_s, "stretched": self.stretched,
            "slots": [asdict(slot) for slot in self.slots],
        }  # fmt: skip
        _claim(home, json.dumps(facts, sort_keys=True))
        blocks = self._blocks(windows, home, progress)
        if not blocks:
            raise ValueError(f"{store.root}: no window has half of the samples that the model reads")
        return Index(store, windows.index, blocks)

    def _windows(self, store: Corpus, least: float) -> Windows:
        """All windows of a corpus, not read yet; ``least``: see ``sliding_windows``."""
        index = sliding_windows(store, store.recordings, self.length_s, self.hop_s, least=least)
        if self.stretched:
            ends = np.array([entry.end_s for entry in store.entries])
            index = replace(index, end_s=np.minimum(index.end_s, ends[index.recording]))
        inputs = worn(store, self.inputs)
        return Windows(store, index, inputs, 0, asked=[slot for slot in self.slots if slot.key in inputs])

    def _blocks(
        self, windows: Windows, home: Path, progress: bool | Told
    ) -> dict[str, list[NDArray[np.floating[Any]]]]:
        """modality -> blocks, read from ``home``, where what is not there yet is computed and kept."""
        modalities = list(dict.fromkeys(slot.modality for slot in self.slots))
        size = self.space.config.joint_dim
        blocks: dict[str, list[NDArray[np.floating[Any]]]] = {m: [] for m in modalities}
        with _bar(len(windows), progress) as at:
            for number, start in enumerate(range(0, len(windows), PART)):
                rows = np.arange(start, min(start + PART, len(windows)))
                paths = {m: home / f"{m}-{number:05}.npy" for m in modalities}
                if any(_mapped(path, (len(rows), size)) is None for path in paths.values()):
                    for m, x in self._embedded(windows, rows, at).items():
                        _keep(paths[m], x.astype(np.float16))
                at(int(rows[-1]) + 1)
                for m, path in paths.items():
                    if (block := _mapped(path, (len(rows), size))) is None:
                        raise OSError(f"{path}: cannot be read again. Is the disk full?")
                    blocks[m].append(block)
        if 4 * size * len(windows) * len(modalities) <= HELD_BYTES:
            blocks = {m: [np.asarray(b, np.float32) for b in some] for m, some in blocks.items()}
        return {m: some for m, some in blocks.items() if any(block.any() for block in some)}

    @torch.inference_mode()
    def _embedded(
        self, windows: Windows, rows: NDArray[np.intp], at: Callable[[int], None] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """modality -> (rows, d), zero where less than half of a window's samples are there (of a short recording:
        half of what there can be).
        """
        out = {slot.modality: np.zeros((len(rows), self.space.config.joint_dim), np.float32) for slot in self.slots}
        w = windows.index
        lasts = np.array([e.end_s - e.begin_s for e in windows.corpus.entries])[w.recording[rows]]
        least = LEAST_PRESENT * np.minimum(lasts / (w.end_s[rows] - w.start_s[rows]), 1.0) - 1e-6
        for k, batch in enumerate(given(self.space, windows, rows, BATCH, None)):
            span = slice(k * BATCH, k * BATCH + BATCH)
            for modality, z in self.space.embed(batch).items():
                keys = [slot.key for slot in self.slots if slot.modality == modality and slot.key in batch]
                share = torch.stack([1.0 - batch[f"{key}.missing"].float().mean(1) for key in keys]).amax(0)
                out[modality][span] = np.where((share.cpu().numpy() >= least[span])[:, None], z.cpu().numpy(), 0.0)
            if at is not None:
                at(int(rows[min(span.stop, len(rows)) - 1]) + 1)
        return out


def reads(recipe: Recipe, contracts: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[Slot, ...], float, float]:
    """What a checkpoint reads: the streams that it learnt, with the gravity and the skeleton that it knows; the length
    and the hop of windows, as in training, by half overlapping where training cut segments.
    """
    wanted = []
    for slot in slots(recipe.inputs):
        known = contracts.get(slot.key, {})
        if known and not known.get("seconds", True):
            continue  # training had no such stream
        gravity, skeleton = known.get("gravity", []), known.get("skeleton", [])
        wanted.append(
            replace(slot, gravity=gravity[0] if len(gravity) == 1 else None,
                    skeleton=skeleton[0] if len(skeleton) == 1 else None)
        )  # fmt: skip
    length, hop = recipe.windows.length_s, recipe.windows.hop_s
    if length <= 0:
        seconds = [c["seconds"] for c in contracts.values() if c.get("seconds")]
        length = float(np.mean(seconds)) if seconds else 5.0
        hop = length / 2
    return tuple(wanted), length, hop


# ------------------------------------------------------------------------------------------------ kept on disk
def _claim(home: Path, facts: str) -> None:
    """Make the folder ready: what it keeps of another model, corpus or version goes."""
    told = home / "index.json"
    try:
        if told.is_file() and told.read_text(encoding="utf-8") == facts:
            return
        home.mkdir(parents=True, exist_ok=True)
        for old in (told, *home.glob("*.npy")):
            old.unlink(missing_ok=True)
        temporary = told.with_name(f".{told.name}.{os.getpid()}.tmp")
        temporary.write_text(facts, encoding="utf-8")
        os.replace(temporary, told)
    except OSError as error:
        raise OSError(f"{home}: an index cannot be kept here, name another folder ({error})") from error


def _keep(path: Path, values: NDArray[np.float16]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _mapped(path: Path, shape: tuple[int, int]) -> NDArray[np.float16] | None:
    """A kept block, mapped; ``None`` where there is none, or one that is damaged or of another size."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float16 else None


@contextmanager
def _bar(total: int, shown: bool | Told) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, moved by how many windows are done."""
    if not isinstance(shown, bool):
        yield lambda done: shown(done, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        task = bar.add_task("index of windows", total=total)
        yield lambda done: bar.update(task, completed=done)
