"""Recipes: a small TOML file that fully describes a training run. Unknown words are errors, never ignored."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.methods import mujo, mumae
from kinjo.methods.oneshot import OneShotConfig
from kinjo.recording import QUANTITIES
from kinjo.train import Schedule

INPUTS: dict[str, type[Input]] = {"imu": SensorInput, "pose": PoseInput, "video": VideoInput}
METHODS: dict[str, Any] = {"mumae": mumae.Config, "mujo": mujo.Config}


@dataclass(frozen=True)
class Augment:
    """How windows are varied in training; 0 switches a part off. One draw serves all streams of a window."""

    rotation_deg: float = 60.0
    """Sensors mounted otherwise: one rotation for the accelerometer and gyroscope of a placement."""
    half_turns: bool = False
    """Sensors worn any way round, upside down or back to front as a phone in a pocket: half turns about their axes."""
    axes: float = 0.0
    """The share of windows in which strapped units have their axes in any order (right angles). Not in pockets, where a
    phone's long side lies along the thigh."""
    any_way: float = 0.0
    """The share of windows whose sensors are turned any way, whatever the rest says."""
    linear: float = 0.0
    """The share of windows in which accelerometers lack gravity, as many devices give it: their mean is taken away."""
    turn_deg: float = 20.0
    """Bodies (poses) seen from another side, about the vertical."""
    warp: float = 0.6
    """Tempo that varies within the window by up to this share."""
    crop: float = 0.15
    """Up to this share cut off at either end."""
    vigour: float = 0.0
    """Movement that is stronger or weaker about a sensor's mean, by a factor of up to e to this power, either way."""
    sharpness: float = 0.0
    """The same of what is faster than about 3 Hz in 5 s of 96 samples: soft and hard shoes, pockets, filters."""
    scale: float = 0.1
    noise: float = 0.02
    shift: float = 0.06
    """Video frames moved and zoomed by up to this share."""
    mixup: float = 0.0
    """Labelled windows mixed in pairs when MuJo is fine-tuned, by shares from Beta(mixup, mixup)."""
    places: int = 0
    """Of sensors in several places at most so many are read in a batch, how many and which is drawn; 0: all."""
    one_quantity: float = 0.0
    """The share of batches in which accelerometers alone are read, or gyroscopes alone."""


LATER = (
    ("augment", "axes", 0.0),
    ("augment", "any_way", 0.0),
    ("augment", "linear", 0.0),
    ("augment", "vigour", 0.0),
    ("augment", "sharpness", 0.0),
    ("augment", "places", 0),
    ("augment", "one_quantity", 0.0),
    ("model", "placed", True),
    ("objective", "within", False),
)
"""Words of which the default is not told: trainings that were begun before there were these go on."""


def _told(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a recipe without the words of ``LATER`` that are at their default."""
    return {name: value for name, value in values.items() if (part, name, value) not in LATER}


@dataclass(frozen=True)
class Cut:
    """How recordings are cut: windows of ``length_s`` every ``hop_s`` seconds; 0 takes whole labelled segments."""

    length_s: float = 0.0
    hop_s: float = 0.0

    def __post_init__(self) -> None:
        if self.length_s < 0 or self.hop_s < 0 or (self.length_s > 0) != (self.hop_s > 0):
            raise ValueError("length_s and hop_s are both positive (sliding windows) or both 0 (whole segments)")


@dataclass(frozen=True)
class Recipe:
    """What is read, the sizes of the model, and both stages of training."""

    name: str
    inputs: Mapping[str, Input]
    model: mumae.Config | mujo.Config
    pretrain: Schedule = field(default_factory=Schedule)
    finetune: Schedule = field(default_factory=Schedule)
    oneshot: OneShotConfig = field(default_factory=OneShotConfig)
    """Of Mu-MAE's second stage."""
    objective: mujo.Objective = field(default_factory=mujo.Objective)
    """Of MuJo's pre-training."""
    augment: Augment = field(default_factory=Augment)
    windows: Cut = field(default_factory=Cut)
    method: Literal["mumae", "mujo"] = "mumae"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``Recipe.from_dict`` is the inverse. Kept in every checkpoint."""
        out = asdict(self)
        out["model"].pop("inputs")
        return out | {part: _told(part, out[part]) for part in ("augment", "model", "objective")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "recipe") -> Recipe:
        """Build from plain types. Raises ``ValueError`` that names what is unknown or wrong, and what is allowed."""
        _only(cls, values, where)
        method = values.get("method", "mumae")
        if method not in METHODS:
            raise ValueError(f"{where}: method must be {' or '.join(METHODS)}, given {method!r}")
        other = {"mumae": "objective", "mujo": "oneshot"}[method]
        usual = asdict(cls.__dataclass_fields__[other].default_factory())  # type: ignore[operator]
        if values.get(other, {}) not in ({}, usual, _told(other, usual)):
            raise ValueError(f"{where}: [{other}] is not for method = '{method}'")
        if method == "mumae" and _table(values.get("augment", {}), f"{where}: [augment]").get("mixup"):
            raise ValueError(f"{where}: [augment] mixup is for method = 'mujo'")
        for needed in ("name", "inputs"):
            if not values.get(needed):
                raise ValueError(f"{where}: '{needed}' is missing")
        given = _table(values["inputs"], f"{where}: [inputs]")
        inputs = {key: _input(key, spec, where) for key, spec in _spread(given, where).items()}
        return cls(
            name=str(values["name"]),
            inputs=inputs,
            method=method,
            model=_build(METHODS[method], values.get("model", {}), f"{where}: [model]", inputs=inputs),
            pretrain=_build(Schedule, values.get("pretrain", {}), f"{where}: [pretrain]"),
            finetune=_build(Schedule, values.get("finetune", {}), f"{where}: [finetune]"),
            oneshot=_build(OneShotConfig, values.get("oneshot", {}), f"{where}: [oneshot]"),
            objective=_build(mujo.Objective, values.get("objective", {}), f"{where}: [objective]"),
            augment=_build(Augment, values.get("augment", {}), f"{where}: [augment]"),
            windows=_build(Cut, values.get("windows", {}), f"{where}: [windows]"),
        )

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a TOML recipe."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"{path}: no such recipe. The project's recipes are in its folder recipes/.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: not valid TOML: {error}") from error
        return cls.from_dict(values, str(path))


def _table(values: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: must be a table, given {values!r}")
    return values


def _only(cls: Any, values: Any, where: str, *more: str) -> Mapping[str, Any]:
    """``values`` as a table of which every word is a field of ``cls``; the fields ``more`` are not for recipes."""
    known = [f.name for f in fields(cls) if f.name not in more]
    unknown = sorted(set(_table(values, where)) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    return values


def _build(cls: Any, values: Any, where: str, **more: Any) -> Any:
    """``cls`` from a table, every value of its default's kind; ``more`` are fields that do not come from the table."""
    given, hints = _only(cls, values, where, *more), get_type_hints(cls)
    for f in fields(cls):
        if f.name not in given:
            if f.name not in more and f.default is MISSING and f.default_factory is MISSING:
                raise ValueError(f"{where}: '{f.name}' is missing")
        elif get_origin(hints[f.name]) is Literal:
            if given[f.name] not in get_args(hints[f.name]):
                allowed = " or ".join(get_args(hints[f.name]))
                raise ValueError(f"{where}: {f.name} must be {allowed}, given {given[f.name]!r}")
        elif get_origin(hints[f.name]) is Mapping:
            if not all(type(x) in (int, float) for x in _table(given[f.name], f"{where}: {f.name}").values()):
                raise ValueError(f"{where}: {f.name} must be numbers, given {given[f.name]!r}")
        elif f.default is not MISSING and not _alike(f.default, given[f.name]):
            raise ValueError(f"{where}: {f.name} must be like {f.default!r}, given {given[f.name]!r}")
    exact = {f.name: _exact(f.default, given[f.name]) for f in fields(cls) if f.name in given}
    try:
        return cls(**exact, **more)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _alike(example: Any, value: Any) -> bool:
    """Whether ``value`` is of the kind of ``example``: a whole number may stand for a fraction, a list for a tuple.

    An empty tuple stands for whole numbers, however many.
    """
    if example == ():
        return isinstance(value, list | tuple) and all(type(v) is int for v in value)
    if isinstance(example, tuple):
        same = isinstance(value, list | tuple) and len(value) == len(example)
        return same and all(_alike(e, v) for e, v in zip(example, value, strict=True))
    return type(value) is type(example) or (type(example) is float and type(value) is int)


def _exact(example: Any, value: Any) -> Any:
    """``value`` as a recipe in Python would have it: lists as tuples, and whole numbers for fractions as fractions."""
    if isinstance(value, list | tuple):
        return tuple(map(_exact, example, value)) if isinstance(example, tuple) and example else tuple(value)
    return float(value) if type(example) is float else value


def _spread(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Inputs with a list of placements, of quantities or both, as one input for each, ``<placement>_<quantity>``."""
    out: dict[str, Any] = {}
    for name, values in given.items():
        spec = _table(values, f"{where}: [inputs.{name}]")
        listed = [word for word in ("placement", "quantity") if isinstance(spec.get(word), list | tuple)]
        for word in listed:
            each = spec[word]
            if not each or len(set(map(str, each))) < len(each) or not all(isinstance(x, str) and x for x in each):
                raise ValueError(f"{where}: [inputs.{name}]: {word} must be names, each once, given {each!r}")
        if listed and not (spec.get("placement") and spec.get("quantity")):
            raise ValueError(f"{where}: [inputs.{name}]: a list of {listed[0]} needs placement and quantity")
        pairs = [(p, q) for p in _each(spec.get("placement")) for q in _each(spec.get("quantity"))]
        made = {f"{p}_{q}": {**spec, "placement": p, "quantity": q} for p, q in pairs} if listed else {name: values}
        if double := sorted(set(made) & set(out)):
            raise ValueError(f"{where}: [inputs.{name}]: there is an input '{double[0]}' already")
        out |= made
    return out


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _input(key: str, values: Any, where: str) -> Input:
    where = f"{where}: [inputs.{key}]"
    modality = _table(values, where).get("modality")
    if modality not in INPUTS:
        raise ValueError(f"{where}: modality must be one of {', '.join(INPUTS)}, given {modality!r}")
    quantity = values.get("quantity")
    if quantity is not None and quantity not in QUANTITIES[modality]:
        raise ValueError(f"{where}: quantity must be one of {', '.join(QUANTITIES[modality])}, given {quantity!r}")
    return _build(INPUTS[modality], values, where)
