"""A model that recognises, learns and streams with NumPy alone, whatever computes its embeddings.

``Model`` joins what every form of a model shares: the windows that it reads (``live.Plan``), a function from a batch of
them to embeddings (PyTorch in ``recognizer``, ONNX Runtime here), the classes in their space (``classes``) and how
scores become spans.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import rhythms
from kinjo.body import PLACEMENTS
from kinjo.classes import Classes
from kinjo.excerpt import Slot
from kinjo.live import Batch, Live, Plan, Smoothing, Windows, recognize
from kinjo.recording import Contract, Recording
from kinjo.repetitions import Rhythm
from kinjo.timeline import Timeline

Embed = Callable[[Batch], Mapping[str, NDArray[np.float32]]]
"""A batch of windows (see ``live``) to vectors (windows, d) in several spaces (see ``classes``): ``joint``, and the
embedding of each modality that the model reads. Rows are NaN where a window lacks it."""
Say = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to vectors (n, d) of the joint space. ``ValueError`` for what it does not understand."""
Example = Recording | str
"""Something that teaches an activity: a recording of it, or a sentence."""
FORMAT = 2
"""Of the profile file."""
ONNX_FORMAT = 1
"""Of the metadata in an exported model."""
WEIGHTS, BASE = Path(__file__).with_name("weights"), "kinjo-base"
"""Where the package keeps kinjo-base, the model that ships: ``.safetensors``, ``.onnx``, and what they were made of."""
LEAST_SHARE = 0.5
"""An example has to fill this share of a window."""


class ProfileError(ValueError):
    """A profile is damaged, newer than this kinjo, or of another model. Says what to do."""


class ModelError(ValueError):
    """A file is no exported model of kinjo's, damaged, or newer than this kinjo. Says what to do."""


@dataclass
class Model:
    """``id`` tells the weights: a profile taught to another model means nothing to this one."""

    plan: Plan
    embed: Embed
    classes: Classes
    smoothing: Smoothing = field(default_factory=Smoothing)
    id: str = ""
    say: Say | None = None
    costs: Mapping[str, int] = field(default_factory=dict)
    """Of an exported model: ``parameters``, and ``macs`` (multiplications) of one window."""
    rhythms: dict[str, Rhythm] = field(default_factory=dict)
    """Activity -> how it repeats, of those that are counted."""
    _before: list[tuple[Classes, dict[str, Rhythm]]] = field(default_factory=list)

    # -------------------------------------------------------------------------------------------- recognise
    @property
    def labels(self) -> tuple[str, ...]:
        """The activities that it knows now."""
        return self.classes.named

    def score(self, batch: Batch) -> NDArray[np.float64]:
        """Probabilities of the ``labels`` (windows, labels); the rest to 1 is unknown."""
        return self.classes.probabilities(self.embed(batch))

    def recognize(self, recording: Recording) -> Timeline:
        """What is done in a recording over time. ``ContractError`` where it has no stream that the model reads."""
        if not self.labels:
            raise ValueError("this model knows no activity yet: teach it one")
        return recognize(recording, self.plan, self.score, self.labels, self.smoothing, self.rhythms)

    def live(self, contracts: Mapping[str, Contract], *, late_s: float = 0.0, wait_s: float = 1.0) -> Live:
        """Recognition while samples of streams with these ``contracts`` come: see ``live.Live``."""
        if not self.labels:
            raise ValueError("this model knows no activity yet: teach it one")
        how = self.smoothing
        return Live(self.plan, contracts, self.score, self.labels, how, late_s, wait_s, rhythms=self.rhythms)

    def embed_recording(self, recording: Recording) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Times (windows, 2) in seconds and vectors (windows, d) in each space of all windows of a recording."""
        contracts = {name: stream.contract for name, stream in recording.streams.items()}
        times: list[NDArray[np.float64]] = []
        vectors: list[Mapping[str, NDArray[np.float32]]] = []
        windows = Windows(self.plan, contracts, wait_s=np.inf)

        def take(some: Any) -> None:
            for when, batch in some:
                times.append(when)
                vectors.append(self.embed(batch))

        for name in dict.fromkeys(windows.streams.values()):
            stream = recording.streams[name]
            values = np.array(stream.values(), np.float32)
            values[stream.mask()] = np.nan
            clock = None if stream.times is None else stream.clock()
            take(windows.push(name, values, clock, start_s=stream.start_s))
            take(windows.end(name))
        take(windows.finish())
        if not times:
            return np.zeros((0, 2)), {}
        return np.concatenate(times), {space: np.concatenate([v[space] for v in vectors]) for space in vectors[0]}

    # -------------------------------------------------------------------------------------------- learn and forget
    def teach(
        self,
        name: str,
        examples: Example | Sequence[Example] = (),
        *,
        repetitions: int | Sequence[int] | None = None,
    ) -> int:
        """Know an activity by examples: recordings that show it from beginning to end, or sentences that say what it
        is; without any, by its name. Returns the number of windows that recordings gave.

        Nothing is trained. An activity of that name gets more examples. ``repetitions``: how often each recording
        shows it; with these, what is recognised is counted more surely than by what the signal tells of itself; 0: it
        is not to be counted. ``ValueError`` for a recording that is too short, and where the model does not understand
        the words.
        """
        some = [examples] if isinstance(examples, Recording | str) else list(examples) or [name]
        classes, windows = self.classes, 0
        for one in some:
            if isinstance(one, str):
                if self.say is None:
                    raise ValueError("this model understands no words: teach it by a recording")
                classes = classes.told(name, self.say([one]))
                continue
            times, vectors = self.embed_recording(one)
            if not len(times):
                least = LEAST_SHARE * self.plan.length_s
                long = max((s.end_s - s.start_s for s in one.streams.values()), default=0.0)
                raise ValueError(
                    f"example '{one.id}' of {long:.1f} s is too short or lacks samples: "
                    f"at least {least:.1f} s of '{name}' are needed, {self.plan.length_s:.0f} s and more are better"
                )
            classes, windows = classes.taught(name, vectors), windows + len(times)
        self._change(classes, self._rhythms(name, [one for one in some if isinstance(one, Recording)], repetitions))
        return windows

    def _rhythms(
        self, name: str, examples: Sequence[Recording], repetitions: int | Sequence[int] | None
    ) -> dict[str, Rhythm]:
        """With what ``examples`` tell of how ``name`` repeats; of what is known already, counts alone change it."""
        if repetitions is None and (name in self.labels or not examples):
            return self.rhythms
        counts = [repetitions] * len(examples) if isinstance(repetitions, int) else repetitions
        found = rhythms.taught_rhythm(examples, self.plan, counts)
        others = {label: rhythm for label, rhythm in self.rhythms.items() if label != name}
        return others if found is None else {**others, name: found}

    def forget(self, name: str) -> None:
        """Know an activity no more. ``KeyError`` for one that is not known."""
        others = {label: rhythm for label, rhythm in self.rhythms.items() if label != name}
        self._change(self.classes.without(name), others)

    def undo(self) -> bool:
        """Take back the last ``teach`` or ``forget``; whether there was one."""
        if not self._before:
            return False
        self.classes, self.rhythms = self._before.pop()
        return True

    def _change(self, classes: Classes, counted: dict[str, Rhythm]) -> None:
        self._before.append((self.classes, self.rhythms))
        self.classes, self.rhythms = classes, counted

    # -------------------------------------------------------------------------------------------- profiles
    def save_profile(self, path: Path | str) -> None:
        """What it knows now, in a small JSON file; atomic."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(self.profile()), encoding="utf-8")
        os.replace(temporary, path)

    def profile(self) -> dict[str, Any]:
        """What it knows now, in plain JSON types."""
        return {
            "format": FORMAT, "model": self.id, **self.classes.profile(), "rhythms": rhythms.to_dict(self.rhythms)
        }  # fmt: skip

    def load_profile(self, path: Path | str) -> None:
        """Know what a profile knows, and nothing else. ``ProfileError`` for one of another model or kinjo. One that
        was written before activities were counted leaves the rhythms of what it knows as they are.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ProfileError(f"{path}: no such profile: 'kinjo teach' writes one") from None
        except (OSError, ValueError) as error:
            raise ProfileError(f"{path}: no profile of kinjo's ({error}): teach it again") from error
        self.know(text, str(path))

    def know(self, profile: str, where: str = "profile") -> None:
        """As ``load_profile``, of the JSON text of ``profile``; ``where`` it is from, for errors."""
        try:
            told = json.loads(profile)
            if told["format"] != FORMAT:
                raise ProfileError(
                    f"{where}: profile format {told['format']}, this kinjo reads {FORMAT}: upgrade kinjo"
                )
            if told["model"] != self.id:
                raise ProfileError(
                    f"{where}: taught to model {told['model'] or '(none)'}, this is {self.id or '(none)'}: "
                    "use that model, or teach this one anew"
                )
            classes = self.classes.of_profile(told)
            known = rhythms.from_dict(told["rhythms"]) if "rhythms" in told else self.rhythms
        except ProfileError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProfileError(f"{where}: no profile of kinjo's ({error}): teach it again") from error
        self._change(classes, {label: rhythm for label, rhythm in known.items() if label in classes.named})


# ------------------------------------------------------------------------------------------------ exported models
def shipped(suffix: str) -> Path:
    """The file of kinjo-base with this suffix. ``ModelError`` where this kinjo came without it."""
    path = WEIGHTS / f"{BASE}{suffix}"
    if not path.is_file():
        raise ModelError(
            f"this kinjo came without kinjo-base ({path.name}): name a model, or make it: make base DATA=folder SHIP=1"
        )
    return path


def load(path: Path | str | None = None, *, threads: int = 1) -> Model:
    """The model that ``kinjo export`` wrote, by ONNX Runtime with ``threads``; without a path kinjo-base, which ships.
    ``ModelError`` for any other file.
    """
    path = shipped(".onnx") if path is None else path
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise ImportError(
            "exported models need ONNX Runtime: pip install 'kinjo[runtime]'", name="onnxruntime"
        ) from error
    path, options = Path(path), ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not path.is_file():
        raise ModelError(f"{path}: no such model: 'kinjo export' writes one")
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        raw = session.get_modelmeta().custom_metadata_map.get("kinjo")
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise ModelError(f"{path}: no ONNX model, or cut short: copy or export it again") from error
    if raw is None:
        raise ModelError(f"{path}: an ONNX model, but not one of kinjo's: 'kinjo export' writes them")
    try:
        told = json.loads(raw)
        if told["format"] != ONNX_FORMAT:
            raise ModelError(
                f"{path}: format {told['format']}, this kinjo reads {ONNX_FORMAT}: upgrade kinjo, or export anew"
            )
        plan = told["plan"]
        slots = tuple(Slot(**{**slot, "size": None}) for slot in plan["slots"])
        vectors = np.frombuffer(base64.b64decode(told["vectors"]), "<f2").astype(np.float32)
        words = dict(zip(told["words"], vectors.reshape(len(told["words"]), -1), strict=True)) if told["words"] else {}
        places = [(one["key"], one["quantity"], one["placement"]) for one in told["inputs"]]
        return Model(
            Plan(slots, float(plan["length_s"]), float(plan["hop_s"])), _embedder(session, places),
            Classes.from_dict(told["classes"]), Smoothing(**told["smoothing"]), str(told["id"]), _sayer(words),
            {name: int(number) for name, number in told["costs"].items()}, rhythms.from_dict(told.get("rhythms", {})),
        )  # fmt: skip
    except ModelError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: its metadata are damaged ({type(error).__name__}: {error}): export it again"
        ) from error


def _embedder(session: Any, inputs: Sequence[tuple[str, str, str]]) -> Embed:
    """Runs a graph (see ``export``) on the places that a batch has; ``inputs``: key, quantity and place of each."""
    quantities = sorted({quantity for _, quantity, _ in inputs})
    keys = {(quantity, place): key for key, quantity, place in inputs}
    every = list(dict.fromkeys(place for _, _, place in inputs))

    def embed(batch: Batch) -> dict[str, NDArray[np.float32]]:
        there = [p for p in every if any(keys.get((q, p), "") in batch for q in quantities)]
        if not there:
            raise ValueError(f"none of the model's sensors: {', '.join(key for key, _, _ in inputs)}")
        one = next(batch[key] for key in keys.values() if key in batch)
        feed: dict[str, NDArray[Any]] = {"placement": np.array([PLACEMENTS.index(p or "unknown") for p in there])}
        gone = np.ones(one.shape[:1], bool)
        for q in quantities:
            x = np.zeros((len(one), len(there), *one.shape[1:]), np.float32)
            missing = np.ones(x.shape[:3], bool)
            for i, place in enumerate(there):
                key = keys.get((q, place), "")
                if key in batch:
                    x[:, i], missing[:, i] = batch[key], batch[f"{key}.missing"]
            feed[q], feed[f"{q}_missing"] = x, missing
            gone &= missing.all((1, 2))
        imu, joint = session.run(["imu", "joint"], feed)
        imu[gone], joint[gone] = np.nan, np.nan
        return {"joint": joint, "imu": imu}

    return embed


def _sayer(words: Mapping[str, NDArray[np.float32]]) -> Say:
    """Labels that the file knows; sentences need the text model."""

    def say(said: Sequence[str]) -> NDArray[np.float32]:
        plain = [" ".join(s.casefold().replace("_", " ").replace("-", " ").split()) for s in said]
        unknown = [s for s, p in zip(said, plain, strict=True) if p not in words]
        if unknown:
            raise ValueError(
                f"'{unknown[0]}' is none of the {len(words)} labels that this exported model knows: "
                "teach it by a recording, or in words with the checkpoint that it was made of"
            )
        return np.stack([words[p] for p in plain])

    return say
