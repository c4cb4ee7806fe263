"""What most users hold: ``Recognizer`` reads recordings of any kind, and is taught by an example or a sentence.

    model = Recognizer.load("model.safetensors")
    model.recognize("walk.csv", placement="right_wrist").plot("walk.png")
    model.teach("squat", Path("squats.csv"), placement="right_wrist")
    model.teach("wave", "the raised right hand goes from side to side")

``runtime.Model``, which it is, recognises, is taught and streams without PyTorch; here are its embeddings, the reading
of files, and what a corpus teaches (``learn``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from kinjo import joint
from kinjo.batches import Windows, cut, slots
from kinjo.classes import JOINT, Classes, calibrated, learnt, worded
from kinjo.corpus import Corpus
from kinjo.datasets.sentences import sentences
from kinjo.encoders import Input, SensorInput, VideoInput
from kinjo.excerpt import Slot
from kinjo.formats.recordings import read_recording
from kinjo.joint import embed_text
from kinjo.learn import given
from kinjo.live import Batch, Plan, Smoothing
from kinjo.methods import mujo
from kinjo.nn import checkpoint
from kinjo.recipe import Recipe
from kinjo.recording import Recording
from kinjo.runtime import Embed, Model
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

    @classmethod
    def load(cls, path: Path | str) -> Recognizer:
        """The recognizer in a checkpoint that ``save`` wrote. ``CheckpointError`` for a joint space without classes."""
        model, recipe, header = _opened(path := Path(path))
        told = header.get("recognise")
        if told is None:
            raise checkpoint.CheckpointError(
                f"{path}: a joint space without classes: learn them from a labelled corpus"
            )
        return _made(model, recipe, header, Classes.from_dict(told["classes"]), Smoothing(**told["smoothing"]))

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

    def teach(self, name: str, examples: Recorded | Sequence[Recorded] = (), **told: Any) -> int:
        """As ``runtime.Model.teach``: a ``str`` is a sentence, a ``Path`` is a file."""
        some = [examples] if isinstance(examples, str | Path | Recording | Mapping) else list(examples)
        return super().teach(name, [one if isinstance(one, str) else as_recording(one, **told) for one in some])


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
    length, hop = recipe.windows.length_s, recipe.windows.hop_s
    if length <= 0:
        seconds = [c["seconds"] for c in contracts.values() if c.get("seconds")]
        length = float(np.mean(seconds)) if seconds else 5.0
        hop = length / 2
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
def learn(path: Path, store: Corpus, train: Iterable[str], validation: Iterable[str]) -> Recognizer:
    """A model that knows the labels of a corpus: classes from the recordings ``train``, by the joint space in ``path``.

    Nothing is trained. How sure an answer is, what is unknown, and how scores become spans are chosen on the
    recordings ``validation``, of other people. ``ValueError`` where these lack two labels or windows.
    """
    model, recipe, header = _opened(path)
    x, labels = _vectors(model, recipe, store, train)
    y, others = _vectors(model, recipe, store, chosen := list(validation))
    if not len(labels) or not len(others):
        raise ValueError("no windows to learn classes from: recordings of training and of validation are needed")
    classes = calibrated(worded(learnt(x, labels), _sentences(model, store, set(labels))), y, others)
    made = _made(model, recipe, header, classes, Smoothing())
    made.smoothing = _smoothing(made, [store.recording(id) for id in chosen])
    return made


def _vectors(
    model: mujo.MuJo, recipe: Recipe, store: Corpus, ids: Iterable[str]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.str_]]:
    """Vectors in each space and labels of the windows of recordings; windows that lack everything are left out."""
    inputs = {key: spec for key, spec in recipe.inputs.items() if not isinstance(spec, VideoInput)}
    windows = Windows(store, cut(store, ids, recipe), inputs)
    with torch.inference_mode():
        parts = [vectors(model, batch) for batch in given(model, windows, None, 256, None)]
    if not parts:
        return {}, np.zeros(0, str)
    found = {space: torch.cat([part[space] for part in parts]).cpu().numpy() for space in parts[0]}
    there = np.isfinite(found[JOINT]).all(1)
    return {space: x[there] for space, x in found.items()}, windows.index.label_names.astype(str)[there]


def _sentences(model: mujo.MuJo, store: Corpus, labels: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """What is said of each label, in the joint space; empty where the model has learnt no words."""
    datasets = [s for s in dict.fromkeys(str(s).split(":")[0] for s in store.table.sources) if s]
    said = {name: [s for d in datasets for s in sentences(d, name)] for name in labels if name}
    whole = embed_text(model, [s for group in said.values() for s in group]) if any(said.values()) else None
    out, at = {}, 0
    for name, group in said.items():
        if whole is not None and group:
            out[name] = whole[at : at + len(group)]
            at += len(group)
    return out


def _smoothing(model: Model, recordings: Iterable[Any]) -> Smoothing:
    """Of ``SMOOTHINGS`` the one whose spans match those of the recordings best."""
    pairs = []
    for recording in recordings:
        truth = Timeline.from_segments([s for s in recording.segments if s.label])
        pairs.append((model.recognize(recording), truth))

    def f1(how: Smoothing) -> float:
        counts = np.sum([found.rethreshold(**asdict(how)).matches(truth) for found, truth in pairs], axis=0)
        return float(2 * counts[0] / max(1, counts[1] + counts[2]))

    return max(SMOOTHINGS, key=f1)


# ------------------------------------------------------------------------------------------------ files
def save(model: Model, joint_space: Path, out: Path) -> None:
    """The joint space and what ``model`` knows on top of it in one checkpoint, ``out``."""
    tensors, header = checkpoint.load(_file(joint_space))
    told = {"classes": model.classes.to_dict(), "smoothing": asdict(model.smoothing)}
    checkpoint.save(out, tensors, header | {"recognise": told})


def _made(
    model: mujo.MuJo, recipe: Recipe, header: Mapping[str, Any], classes: Classes, smoothing: Smoothing
) -> Recognizer:
    def say(said: Sequence[str]) -> NDArray[np.float32]:
        return embed_text(model, said)

    plan, id = plan_of(recipe, header.get("contracts", {})), fingerprint(model.state_dict())
    return Recognizer(plan, embedder(model), classes, smoothing, id, say, space=model, recipe=recipe)


def _opened(path: Path) -> tuple[mujo.MuJo, Recipe, dict[str, Any]]:
    model, recipe, header = joint.load(path)
    if not isinstance(model, mujo.MuJo):
        raise checkpoint.CheckpointError(
            f"{path}: a fine-tuned classifier, which cannot be taught: name the joint space that 'kinjo pretrain' wrote"
        )
    return model, recipe, header


def _file(path: Path) -> Path:
    return path / "model.safetensors" if path.is_dir() else path
