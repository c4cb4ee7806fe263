"""Recipes: a small TOML file that fully describes a training run. Unknown words are errors, never ignored."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.methods import mumae
from kinjo.train import Schedule

INPUTS: dict[str, type[Input]] = {"imu": SensorInput, "pose": PoseInput, "video": VideoInput}


@dataclass(frozen=True)
class Augment:
    """How windows are varied in training; 0 switches a part off. One draw serves all streams of a window."""

    rotation_deg: float = 60.0
    """Sensors mounted otherwise: one rotation for the accelerometer and gyroscope of a placement."""
    turn_deg: float = 45.0
    """Bodies (poses) seen from another side, about the vertical."""
    warp: float = 0.6
    """Tempo that varies within the window by up to this share."""
    crop: float = 0.1
    """Up to this share cut off at either end."""
    scale: float = 0.1
    noise: float = 0.02
    shift: float = 0.06
    """Video frames moved and zoomed by up to this share."""


@dataclass(frozen=True)
class Recipe:
    """What is read, the sizes of the model, and both stages of training."""

    name: str
    inputs: Mapping[str, Input]
    model: mumae.Config
    pretrain: Schedule = field(default_factory=Schedule)
    finetune: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    keep: Mapping[str, float] = field(default_factory=dict)
    """Share of a modality's tokens that fine-tuning sees, drawn anew each step (1 where not named)."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``Recipe.from_dict`` is the inverse. Kept in every checkpoint."""
        out = asdict(self)
        out["model"].pop("inputs")
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "recipe") -> Recipe:
        """Build from plain types. Raises ``ValueError`` that names the unknown word and the allowed ones."""
        _only(cls, values, where)
        for needed in ("name", "inputs"):
            if needed not in values:
                raise ValueError(f"{where}: '{needed}' is missing")
        inputs = {key: _input(key, spec, where) for key, spec in values["inputs"].items()}
        model = dict(values.get("model", {}))
        return cls(
            name=values["name"],
            inputs=inputs,
            model=mumae.Config(inputs=inputs, **_only(mumae.Config, model, f"{where}: [model]")),
            pretrain=_build(Schedule, values.get("pretrain", {}), f"{where}: [pretrain]"),
            finetune=_build(Schedule, values.get("finetune", {}), f"{where}: [finetune]"),
            augment=_build(Augment, values.get("augment", {}), f"{where}: [augment]"),
            keep=dict(values.get("keep", {})),
        )

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a TOML recipe."""
        try:
            values = tomllib.loads(path.read_text())
        except FileNotFoundError:
            raise ValueError(f"{path}: no such recipe. The project's recipes are in its folder recipes/.") from None
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path}: not valid TOML: {error}") from error
        return cls.from_dict(values, str(path))


def _only(cls: Any, values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    known = [f.name for f in fields(cls)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    return values


def _build(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in _only(cls, values, where).items()}
    return cls(**frozen)


def _input(key: str, values: Mapping[str, Any], where: str) -> Input:
    modality = values.get("modality")
    if modality not in INPUTS:
        raise ValueError(f"{where}: [inputs.{key}] modality must be one of {', '.join(INPUTS)}, given {modality!r}")
    return _build(INPUTS[modality], values, f"{where}: [inputs.{key}]")
