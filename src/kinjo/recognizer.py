"""What most users hold: ``Recognizer`` reads recordings of any kind, and is taught by an example or a sentence.

    model = Recognizer.load("model.safetensors")
    model.recognize("walk.csv", placement="right_wrist").plot("walk.png")
    model.teach("squat", Path("squats.csv"), placement="right_wrist")
    model.teach("wave", "the raised right hand goes from side to side")
    model.search("somebody squats slowly", "gym-corpus")

``runtime.Model``, which it is, recognises, is taught and streams without PyTorch; here are its embeddings, the reading
of files, and what a corpus teaches (``learn``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from kinjo import joint, rhythms
from kinjo.batches import Windows, cut, slots, worn
from kinjo.classes import JOINT, NULL, Classes, calibrated, learnt, worded
from kinjo.corpus import Corpus
from kinjo.datasets.sentences import sentences
from kinjo.encoders import Input, SensorInput, VideoInput
from kinjo.excerpt import Slot
from kinjo.finder import Finder, Told, reads
from kinjo.formats.recordings import read_recording
from kinjo.idle import divided
from kinjo.joint import embed_text
from kinjo.learn import given
from kinjo.live import Batch, Plan, Smoothing
from kinjo.methods import mujo
from kinjo.methods.mujo import missing_samples
from kinjo.nn import checkpoint
from kinjo.recipe import Recipe
from kinjo.recording import Recording
from kinjo.runtime import Embed, Model, shipped
from kinjo.search import Index, Moment, Query
from kinjo.timeline import Timeline

Recorded = Recording | Path | str | Mapping[str, Any]
"""A recording, a file, or columns by name."""
SMOOTHINGS = tuple(
    Smoothing(enter, max(enter - 0.15, 0.05), lasting, smooth)
    for enter, lasting, smooth in product((0.3, 0.4, 0.5, 0.6), (0.0, 2.0, 4.0), (0.0, 3.0, 5.0))
)
"""Of which the one with the best events on validation recordings is taken."""


@dataclass
class Recognizer(Model):
    """A ``runtime.Model`` on PyTorch: takes files and arrays where that takes recordings; finds moments in corpora.

    Made by ``Recognizer.load`` or ``learn``. Where a recording is asked for, a path of a file or folder does (see
    ``formats.recordings``), and columns by name, as of a table or a data frame; what the file does not say is told by
    keywords (``placement``, ``rate_hz``, ``units``, ...), or asked for by an error.
    """

    space: mujo.MuJo | None = None
    recipe: Recipe | None = None
    finder: Finder | None = None

    @classmethod
    def load(cls, path: Path | str | None = None) -> Recognizer:
        """The recognizer in a checkpoint that ``save`` wrote; without a path kinjo-base, which ships (``ModelError``
        where it does not). ``CheckpointError`` for a joint space without classes.
        """
        model, recipe, header = _opened(path := shipped(".safetensors") if path is None else Path(path))
        told = header.get("recognise")
        if told is None:
            raise checkpoint.CheckpointError(
                f"{path}: a joint space without classes: learn them from a labelled corpus"
            )
        made = _made(model, recipe, header, Classes.from_dict(told["classes"]), Smoothing(**told["smoothing"]))
        made.rhythms = rhythms.from_dict(told.get("rhythms", {}))
        return made

    def recognize(self, recording: Recorded, **told: Any) -> Timeline:
        """What is done in a recording over time. ``FormatError`` for a file of which more has to be told,
        ``ContractError`` where it has no stream that the model reads.
        """
        return super().recognize(as_recording(recording, **told))

    def embed_recording(
        self, recording: Recorded, **told: Any
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Times (windows, 2) in seconds and vectors (windows, d) in each space of all windows of a recording."""
        return super().embed_recording(as_recording(recording, **told))

    def teach(
        self,
        name: str,
        examples: Recorded | Sequence[Recorded] = (),
        *,
        repetitions: int | Sequence[int] | None = None,
        **told: Any,
    ) -> int:
        """As ``runtime.Model.teach``: a ``str`` is a sentence, a ``Path`` is a file."""
        some = [examples] if isinstance(examples, str | Path | Recording | Mapping) else list(examples)
        read = [one if isinstance(one, str) else as_recording(one, **told) for one in some]
        return super().teach(name, read, repetitions=repetitions)

    def search(
        self,
        query: Query | Path | Mapping[str, Any] | tuple[Recorded, tuple[float, float]],
        where: Corpus | Index | Path | str,
        k: int = 10,
        *,
        modality: str | Collection[str] | None = None,
        recordings: Collection[str] | None = None,
        subjects: Collection[str] | None = None,
        min_score: float | None = None,
        own: bool = False,
        **told: Any,
    ) -> list[Moment]:
        """The ``k`` moments of a corpus that are nearest to a query, best first: see ``search.Index.search``.

        A ``str`` is a sentence. A recording, file or columns (with (from, to) in seconds, a part of it) finds what is
        like it, a ``Moment`` what is like it in other recordings (``own``: in its own too). ``where``: a corpus, its
        folder, or what ``index`` gave, which makes many queries quick.
        """
        index = where if isinstance(where, Index) else self.index(where)
        asked: Any = query
        if isinstance(query, tuple):
            asked = (as_recording(query[0], **told), query[1])
        elif isinstance(query, Path | Mapping | Recording):
            asked = as_recording(query, **told)
        elif told:
            raise ValueError(f"{', '.join(told)}: only a file (a Path) or columns are told of, not {query!r:.60}")
        how = {"modality": modality, "recordings": recordings, "subjects": subjects, "min_score": min_score}
        return self._finder().search(asked, index, k, own=own, **how)

    def index(
        self, where: Corpus | Path | str, folder: Path | str | None = None, *, progress: bool | Told = False
    ) -> Index:
        """All windows of a corpus in the joint space, to be searched; kept in it, or in ``folder``; see ``Finder``."""
        store = where if isinstance(where, Corpus) else Corpus.open(where)
        return self._finder().index(store, folder, progress=progress)

    def _finder(self) -> Finder:
        if self.finder is None:
            raise ValueError("this model has no joint space to search in: load it from a checkpoint")
        return self.finder


def as_recording(what: Recorded, **told: Any) -> Recording:
    """A recording as it is, the one in a file or folder, or that of columns by name: arrays (samples,) as of a table.

    ``told``: what the file or the columns do not say, keywords of ``formats.recordings.read_recording``.
    """
    if isinstance(what, Recording):
        if told:
            raise ValueError(f"{', '.join(told)}: a recording says it itself, only files and columns are told of")
        return what
    if isinstance(what, str | Path):
        return read_recording(what, **told)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "columns.npz"
        np.savez(file, **{str(name): np.asarray(column) for name, column in what.items()})  # pyright: ignore[reportArgumentType]
        return read_recording(file, **told)


def plan_of(recipe: Recipe, contracts: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The windows that a checkpoint reads: as long as in training, by half overlapping where training cut segments."""
    wanted: list[Slot] = []
    for slot in slots(recipe.inputs):
        if slot.modality == "video":
            continue
        gravity = contracts.get(slot.key, {}).get("gravity", [])
        wanted.append(replace(slot, gravity=gravity[0] if len(gravity) == 1 else None))
    _, length, hop = reads(recipe, contracts)
    return Plan(tuple(wanted), length, hop)


def embedder(model: mujo.MuJo) -> Embed:
    """Batches of windows to vectors in the joint space and in that of each modality's own embeddings."""
    inputs: dict[str, Input] = {k: s for k, s in model.config.inputs.items() if not isinstance(s, VideoInput)}
    device = next(model.parameters()).device

    @torch.inference_mode()
    def embed(batch: Batch) -> dict[str, NDArray[np.float32]]:
        given: dict[str, torch.Tensor] = {}
        for key, spec in inputs.items():
            if key in batch:
                gone = torch.from_numpy(np.ascontiguousarray(batch[f"{key}.missing"]))
                x = torch.from_numpy(np.ascontiguousarray(batch[key], np.float32))
                given[key], given[f"{key}.missing"] = spec.prepare(x, gone).to(device), gone.to(device)
        return {space: x.cpu().numpy() for space, x in vectors(model, given).items()}

    return embed


def vectors(model: mujo.MuJo, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Prepared windows in all spaces: ``joint``, of unit length, the mean over the modalities that a window has, and
    each modality's embedding; rows of NaN where a window lacks it.
    """
    encoded = model.encode(batch)
    gone = {m: e.missing.all(1) for m, e in encoded.items()}
    sums = torch.stack([model.joint(m, e.embedding, gone[m]) for m, e in encoded.items()]).sum(0)
    nothing = torch.stack(list(gone.values())).all(0)
    out = {JOINT: F.normalize(sums, dim=1).masked_fill(nothing[:, None], torch.nan)}
    return out | {m: e.embedding.float().masked_fill(gone[m][:, None], torch.nan) for m, e in encoded.items()}


def costs_of(model: mujo.MuJo) -> dict[str, int]:
    """``parameters``, and ``macs``: multiplications of one window with all its sensors and poses."""
    from torch.utils.flop_counter import FlopCounterMode

    batch: dict[str, torch.Tensor] = {}
    for key, spec in model.config.inputs.items():
        if not isinstance(spec, VideoInput):
            shape = (1, spec.samples, 3) if isinstance(spec, SensorInput) else (1, spec.samples, spec.joints, spec.axes)
            batch[key], batch[f"{key}.missing"] = torch.zeros(shape), torch.zeros(1, spec.samples, dtype=torch.bool)
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        vectors(model, batch)
    return {"parameters": sum(p.numel() for p in model.parameters()), "macs": counter.get_total_flops() // 2}


def fingerprint(tensors: Mapping[str, torch.Tensor]) -> str:
    """Tells these weights from any others."""
    made = hashlib.sha256()
    for name in sorted(tensors):
        made.update(name.encode() + tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return made.hexdigest()[:16]


# ------------------------------------------------------------------------------------------------ from a corpus
def learn(
    path: Path, store: Corpus, train: Iterable[str], validation: Iterable[str],
    *, others: Sequence[tuple[Corpus, Iterable[str]]] = (),
) -> Recognizer:  # fmt: skip
    """A model that knows the labels of a corpus: classes from the recordings ``train``, by the joint space in ``path``.

    Nothing is trained. How sure an answer is, what is unknown, and how scores become spans are chosen on the
    recordings ``validation``, of other people. ``others``: labelled recordings of movements that nobody will ask for,
    made-up ones say; they tell how movements differ, so that one example tells more. ``ValueError`` where train or
    validation lack two labels or windows.
    """
    return learn_all(path, [(store, list(train), list(validation))], others=others)


def learn_all(
    path: Path, parts: Sequence[tuple[Corpus, Sequence[str], Sequence[str]]],
    *, others: Sequence[tuple[Corpus, Iterable[str]]] = (), same: Mapping[str, str] | None = None,
    spans: int | None = None, subsets: bool = False,
) -> Recognizer:  # fmt: skip
    """As ``learn``, of several corpora, each with its recordings for training and for validation.

    ``same``: labels that are called otherwise in another corpus. ``spans``: so many parts, from the first, are
    recordings in which one activity follows another; how scores become spans, and rhythms, are learnt from these.
    ``subsets``: of each window some of the sensors are read, drawn at random, for users who wear one or two of them.
    """
    (model, recipe, header), same = _opened(path), dict(same or {})
    classes = _learnt(model, recipe, header, parts, others, same, subsets)
    made = _made(model, recipe, header, classes, Smoothing())
    validation = (store.recording(id) for store, _, ids in parts[:spans] for id in ids)
    rng = np.random.default_rng(1)
    made.smoothing = chosen_smoothing(made, (_some_worn(r, rng) if subsets else r for r in validation), same)
    counted = (store.recording(id) for store, ids, _ in parts[:spans] for id in ids)
    made.rhythms = rhythms.learn_rhythms(counted, made.plan)
    return made


def learn_classes(
    path: Path, parts: Sequence[tuple[Corpus, Sequence[str], Sequence[str]]],
    *, others: Sequence[tuple[Corpus, Iterable[str]]] = (), same: Mapping[str, str] | None = None,
    subsets: bool = False,
) -> Classes:  # fmt: skip
    """The classes alone of what ``learn_all`` gives: how movements are compared, and those that are known."""
    return _learnt(*_opened(path), parts, others, dict(same or {}), subsets)


def _learnt(
    model: mujo.MuJo, recipe: Recipe, header: Mapping[str, Any],
    parts: Sequence[tuple[Corpus, Sequence[str], Sequence[str]]], others: Sequence[tuple[Corpus, Iterable[str]]],
    same: Mapping[str, str], subsets: bool,
) -> Classes:  # fmt: skip
    rng = np.random.default_rng(0) if subsets else None
    x, labels = _joined([_vectors(model, recipe, store, train, rng) for store, train, _ in parts], same)
    y, chosen_labels = _joined([_vectors(model, recipe, store, chosen, rng) for store, _, chosen in parts], same)
    if not len(labels) or not len(chosen_labels):
        raise ValueError("no windows to learn classes from: recordings of training and of validation are needed")
    strange, names = _joined([(x, labels), *(_named(_vectors(model, recipe, *other, rng)) for other in others)], {})
    strange = {space: strange[space] for space in x}
    every = divided(learnt(strange, names), strange, names)
    if header.get("text", True):
        every = worded(every, _sentences(model, [given[0] for given in (*parts, *others)], set(names), same))
    return calibrated(every.only(set(labels)), y, chosen_labels)


Labelled = tuple[dict[str, NDArray[np.float32]], NDArray[np.str_]]
"""Windows: vectors in each space (n, d), labels (n,)."""


def _joined(parts: Sequence[Labelled], same: Mapping[str, str]) -> Labelled:
    """Windows of several corpora, labels by their common names; NaN in spaces of modalities that one of them lacks."""
    sizes = {space: v.shape[1] for x, _ in parts for space, v in x.items()}
    vectors = {
        space: np.concatenate([x.get(space, np.full((len(n), size), np.nan, np.float32)) for x, n in parts])
        for space, size in sizes.items()
    }
    return vectors, np.array([same.get(name, name) for _, labels in parts for name in labels.tolist()], str)


def _named(windows: Labelled) -> Labelled:
    """Those that have a label."""
    there = windows[1] != NULL
    return {space: v[there] for space, v in windows[0].items()}, windows[1][there]


def _vectors(
    model: mujo.MuJo, recipe: Recipe, store: Corpus, ids: Iterable[str], subsets: np.random.Generator | None = None
) -> Labelled:
    """Vectors in each space and labels of the windows of recordings; windows that lack everything are left out.
    ``subsets``: each window is read by some of its sensors, one at least, drawn at random.
    """
    inputs = {key: spec for key, spec in recipe.inputs.items() if not isinstance(spec, VideoInput)}
    windows = Windows(store, cut(store, ids, recipe), worn(store, inputs))
    with torch.inference_mode():
        parts = [
            vectors(model, batch if subsets is None else _some_places(batch, windows.inputs, subsets))
            for batch in given(model, windows, None, 256, None)
        ]
    if not parts:
        return {}, np.zeros(0, str)
    found = {space: torch.cat([part[space] for part in parts]).cpu().numpy() for space in parts[0]}
    there = np.isfinite(found[JOINT]).all(1)
    return {space: x[there] for space, x in found.items()}, windows.index.label_names.astype(str)[there]


def _some_worn(recording: Recording, rng: np.random.Generator) -> Recording:
    """With the streams of one to all of its places."""
    places = sorted({str(s.contract.placement) for s in recording.streams.values()})
    kept = set(rng.permutation(places)[: rng.integers(1, len(places) + 1)])
    return replace(recording, streams={n: s for n, s in recording.streams.items() if s.contract.placement in kept})


def _some_places(
    batch: Mapping[str, torch.Tensor], inputs: Mapping[str, Input], rng: np.random.Generator
) -> dict[str, torch.Tensor]:
    """A batch of which each window keeps one to all of the places that it has samples of."""
    of = {key: str(getattr(spec, "placement", "")) for key, spec in inputs.items() if key in batch}
    lost = {key: missing_samples(batch, key) for key in of}
    places, out = sorted(set(of.values())), dict(batch)
    there = np.stack([
        np.any([(~lost[key]).any(1).cpu().numpy() for key in of if of[key] == place], axis=0) for place in places
    ], 1)  # fmt: skip
    order = np.where(there, rng.random(there.shape), 2.0).argsort(1).argsort(1)  # what is not there comes last
    kept = torch.from_numpy(order < rng.integers(1, np.maximum(there.sum(1), 1) + 1)[:, None])
    for key, place in of.items():
        out[f"{key}.missing"] = lost[key] | ~kept[:, places.index(place), None].to(lost[key].device)
    return out


def _sentences(
    model: mujo.MuJo, stores: Sequence[Corpus], labels: Collection[str], same: Mapping[str, str]
) -> dict[str, NDArray[np.float32]]:
    """What is said of each label, in the joint space; empty where the model has learnt no words."""
    said: dict[str, list[str]] = {}
    for store in stores:
        datasets = [s for s in dict.fromkeys(str(s).split(":")[0] for s in store.table.sources) if s]
        told = sorted({name for names in store.table.labels for name in names if same.get(name, name) in labels})
        for name, dataset in product(told, datasets):
            said.setdefault(same.get(name, name), []).extend(sentences(dataset, name))
    whole = embed_text(model, [s for group in said.values() for s in group]) if any(said.values()) else None
    out, at = {}, 0
    for name, group in said.items():
        if whole is not None and group:
            out[name] = whole[at : at + len(group)]
            at += len(group)
    return out


def chosen_smoothing(model: Model, recordings: Iterable[Recording], same: Mapping[str, str]) -> Smoothing:
    """Of ``SMOOTHINGS`` the one whose spans match those of the recordings best."""
    pairs = []
    for recording in recordings:
        named = [replace(s, label=same.get(s.label, s.label)) for s in recording.segments if s.label]
        truth = Timeline.from_segments(named)
        pairs.append((model.recognize(recording), truth))

    def f1(how: Smoothing) -> float:
        counts = np.sum([found.rethreshold(**asdict(how)).matches(truth) for found, truth in pairs], axis=0)
        return float(2 * counts[0] / max(1, counts[1] + counts[2]))

    return max(SMOOTHINGS, key=f1)


# ------------------------------------------------------------------------------------------------ files
def save(model: Model, joint_space: Path, out: Path) -> None:
    """The joint space and what ``model`` knows on top of it in one checkpoint, ``out``."""
    tensors, header = checkpoint.load(_file(joint_space))
    told = {
        "classes": model.classes.to_dict(),
        "smoothing": asdict(model.smoothing),
        "rhythms": rhythms.to_dict(model.rhythms),
    }
    checkpoint.save(out, tensors, header | {"recognise": told})


def _made(
    model: mujo.MuJo, recipe: Recipe, header: Mapping[str, Any], classes: Classes, smoothing: Smoothing
) -> Recognizer:
    def say(said: Sequence[str]) -> NDArray[np.float32]:
        return embed_text(model, said)

    plan, id = plan_of(recipe, header.get("contracts", {})), fingerprint(model.state_dict())
    finder = Finder.of(model, recipe, header, id)
    return Recognizer(plan, embedder(model), classes, smoothing, id, say, space=model, recipe=recipe, finder=finder)


def finder(path: Path) -> Finder:
    """What searches by a joint space, with classes or without; ``CheckpointError`` for any other file."""
    model, recipe, header = _opened(path)
    return Finder.of(model, recipe, header, fingerprint(model.state_dict()))


def _opened(path: Path) -> tuple[mujo.MuJo, Recipe, dict[str, Any]]:
    model, recipe, header = joint.load(path)
    if not isinstance(model, mujo.MuJo):
        raise checkpoint.CheckpointError(
            f"{path}: a fine-tuned classifier, which cannot be taught: name the joint space that 'kinjo pretrain' wrote"
        )
    return model, recipe, header


def _file(path: Path) -> Path:
    return path / "model.safetensors" if path.is_dir() else path
