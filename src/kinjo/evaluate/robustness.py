"""What a model loses when it is given less, or worse, than it was trained with.

Perturbations are pure functions of a prepared batch (``batches.plain`` of ``Windows.tensors``: values near 1, missing
ones 0 and said in ``<key>.missing``); the batch that comes in is left as it is. Sensor sizes are in units of
``encoders.imu.TYPICAL``: noise of 0.1 is 0.98 m/s^2 on an accelerometer and 0.3 rad/s on a gyroscope.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from kinjo import signal
from kinjo.body import PLACEMENTS
from kinjo.encoders import Input, SensorInput
from kinjo.evaluate.intervals import Interval, interval
from kinjo.evaluate.metrics import count, macro_f1, resampled_f1
from kinjo.nn import augment

Batch = Mapping[str, Tensor]
Inputs = Mapping[str, Input]


def drop_sensors(batch: Batch, inputs: Inputs, keys: Iterable[str]) -> dict[str, Tensor]:
    """The inputs ``keys`` missing in every window, whatever their modality."""
    out = dict(batch)
    for key in _chosen(batch, inputs, keys):
        out[key] = torch.zeros_like(batch[key])
        out[f"{key}.missing"] = torch.ones(batch[key].shape[:2], dtype=torch.bool, device=batch[key].device)
    return out


def drop_modality(batch: Batch, inputs: Inputs, modality: str) -> dict[str, Tensor]:
    """All inputs of a modality missing; ``text`` has no sentence (-1)."""
    if modality == "text" and "text" in batch:
        return {**batch, "text": torch.full_like(batch["text"], -1)}
    keys = [key for key, spec in inputs.items() if spec.modality == modality]
    if not keys:
        known = dict.fromkeys(spec.modality for spec in inputs.values())
        raise ValueError(f"no input of modality '{modality}'; there are: {', '.join(known)}")
    return drop_sensors(batch, inputs, [key for key in keys if key in batch])


def only(batch: Batch, inputs: Inputs, modalities: Collection[str]) -> dict[str, Tensor]:
    """All modalities but these missing."""
    out = dict(batch)
    for modality in dict.fromkeys(spec.modality for spec in inputs.values()):
        if modality not in modalities:
            out = drop_modality(out, inputs, modality)
    return out if "text" in modalities or "text" not in out else drop_modality(out, inputs, "text")


def noise(
    batch: Batch, inputs: Inputs, sigma: float, generator: torch.Generator, keys: Iterable[str] | None = None
) -> dict[str, Tensor]:
    """White noise of deviation ``sigma`` on the inputs ``keys`` (None: all sensors)."""
    out = dict(batch)
    for key in _chosen(batch, inputs, keys):
        drawn = torch.randn(batch[key].shape, generator=generator).to(batch[key])
        out[key] = _blank(batch, key, batch[key] + sigma * drawn)
    return out


def slower_rate(batch: Batch, inputs: Inputs, factor: float, keys: Iterable[str] | None = None) -> dict[str, Tensor]:
    """What sensors that are ``factor`` times slower would have given, brought back to the model's rate.

    Both ways by ``signal.resample_to``, anti-aliased, as windows of a slower sensor are read. Gaps are bridged in a
    straight line before and stay missing.
    """
    if factor < 1:
        raise ValueError(f"factor: how many times slower, 1 or more, given {factor}")
    out = dict(batch)
    for key in _chosen(batch, inputs, keys):
        x, gone = batch[key], _missing(batch, key).cpu().numpy()
        values = x.cpu().numpy()
        if gone.any():
            values = np.stack([signal.fill_missing(v, m) for v, m in zip(values, gone, strict=True)])
        along = np.moveaxis(values, 1, 0)  # (samples, batch, ...)
        slow = signal.resample_to(along, max(1, round(len(along) / factor)))
        back = np.moveaxis(signal.resample_to(slow, len(along)), 0, 1)
        out[key] = _blank(batch, key, torch.from_numpy(np.ascontiguousarray(back)).to(x))
    return out


def rotated(
    batch: Batch, inputs: Inputs, degrees: float, generator: torch.Generator, keys: Iterable[str] | None = None
) -> dict[str, Tensor]:
    """Sensors mounted otherwise: each window turned about a random axis by an angle uniform in +-``degrees``.

    One rotation for all that is worn in one placement. Orientations are no vectors and stay; ``ValueError`` for a
    sensor that is scaled per clip, where axes have sizes of their own.
    """
    out, turns = dict(batch), dict[str, Tensor]()
    for key in _chosen(batch, inputs, keys):
        spec = inputs[key]
        if not isinstance(spec, SensorInput) or spec.axes != 3 or spec.scaling == "clip":
            raise ValueError(f"input '{key}' is no sensor of three axes in units: it cannot be rotated")
        if spec.placement not in turns:
            turns[spec.placement] = augment.random_rotations(len(batch[key]), float(degrees), generator)
        if spec.quantity != "orientation":
            out[key] = augment.rotate(batch[key], turns[spec.placement])
    return out


def gaps(
    batch: Batch, inputs: Inputs, share: float, generator: torch.Generator, keys: Iterable[str] | None = None
) -> dict[str, Tensor]:
    """One gap of a ``share`` of the window in each of the inputs ``keys`` (None: all sensors), each at its place."""
    if not 0 <= share <= 1:
        raise ValueError(f"share: which part of the window is missing, 0 to 1, given {share}")
    out = dict(batch)
    for key in _chosen(batch, inputs, keys):
        rows, samples = batch[key].shape[:2]
        length = round(share * samples)
        first = torch.randint(0, samples - length + 1, (rows, 1), generator=generator)
        place = torch.arange(samples)
        hole = (place >= first) & (place < first + length)
        out[f"{key}.missing"] = _missing(batch, key) | hole.to(batch[key].device)
        out[key] = _blank(out, key, batch[key])
    return out


def other_limb(inputs: Inputs, placement: str, *, of: str | None = None) -> dict[str, Input]:
    """Inputs that read the sensors of ``placement`` in place of those of ``of``, under the same keys.

    ``of`` None: the one placement that all sensors have. For ``batches.Windows`` of a corpus that holds both; the
    model goes on to believe that it reads ``of``.
    """
    worn = {spec.placement for spec in inputs.values() if isinstance(spec, SensorInput)}
    if placement not in PLACEMENTS:
        raise ValueError(f"unknown placement '{placement}'; known: {', '.join(PLACEMENTS)}")
    if (len(worn) != 1) if of is None else (of not in worn):
        raise ValueError(f"of: one of the placements of the sensors ({', '.join(sorted(worn))}), given {of}")
    return {
        key: replace(spec, placement=placement)
        if isinstance(spec, SensorInput) and of in (None, spec.placement)
        else spec
        for key, spec in inputs.items()
    }


def subsets(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every non-empty subset, small ones first, modalities in the order given."""
    return [subset for size in range(1, len(modalities) + 1) for subset in combinations(modalities, size)]


def _chosen(batch: Batch, inputs: Inputs, keys: Iterable[str] | None) -> list[str]:
    """``keys``, checked; None: the sensors of the batch."""
    if keys is None:
        return [key for key, spec in inputs.items() if isinstance(spec, SensorInput) and key in batch]
    chosen = [keys] if isinstance(keys, str) else list(keys)
    unknown = [key for key in chosen if key not in inputs or key not in batch]
    if unknown:
        raise ValueError(f"no input {', '.join(unknown)} in this batch; there are: {', '.join(inputs)}")
    return chosen


def _missing(batch: Batch, key: str) -> Tensor:
    gone = batch.get(f"{key}.missing")
    return torch.zeros(batch[key].shape[:2], dtype=torch.bool, device=batch[key].device) if gone is None else gone


def _blank(batch: Batch, key: str, x: Tensor) -> Tensor:
    """``x`` with 0 where the input ``key`` is missing."""
    gone = _missing(batch, key)
    return x.masked_fill(gone.view(*gone.shape, *([1] * (x.dim() - 2))), 0.0)


@dataclass(frozen=True)
class Perturbation:
    """What is done to batches: ``change(batch, generator)``. ``name`` and ``level`` are what the table says of it."""

    name: str
    level: str
    change: Callable[[Batch, torch.Generator], Batch]


@dataclass(frozen=True)
class Measured:
    """One perturbation: accuracy, macro-F1 with its interval, and ``loss``: macro-F1 of clean windows minus this one.

    Intervals are 95 % of a bootstrap over subjects, that of the loss paired with the clean windows.
    """

    perturbation: str
    level: str
    accuracy: float
    macro_f1: float
    ci95: Interval
    loss: float
    loss_ci95: Interval


@dataclass(frozen=True)
class Grid:
    """Clean windows first, then each perturbation."""

    rows: tuple[Measured, ...]
    windows: int
    subjects: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"windows": self.windows, "subjects": self.subjects, "rows": [asdict(row) for row in self.rows]}

    def to_markdown(self, digits: int = 3) -> str:
        """One row a perturbation."""
        out = ["| perturbation | level | accuracy | macro-F1 | 95 % | loss | 95 % |", "|---|---|---|---|---|---|---|"]
        for row in self.rows:
            f1 = " | ".join(f"{x:.{digits}f}" for x in (row.accuracy, row.macro_f1))
            low, high, loss, least, most = (f"{x:.{digits}f}" for x in (*row.ci95, row.loss, *row.loss_ci95))
            out.append(f"| {row.perturbation} | {row.level} | {f1} | {low} to {high} | {loss} | {least} to {most} |")
        return "\n".join(out) + "\n"


CLEAN = ("clean", "")


def standard(
    inputs: Inputs,
    *,
    sigmas: Sequence[float] = (0.1, 0.3, 1.0),
    factors: Sequence[float] = (2, 4, 8),
    degrees: Sequence[float] = (15, 45, 180),
    shares: Sequence[float] = (0.1, 0.3, 0.5),
) -> list[Perturbation]:
    """Every subset of the modalities alone, every sensor dropped, and noise, rate, rotation and gaps of all sensors."""
    modalities = list(dict.fromkeys(spec.modality for spec in inputs.values()))
    sensors = [key for key, spec in inputs.items() if isinstance(spec, SensorInput)]
    out = [
        Perturbation("only", " + ".join(some), lambda b, _, some=some: only(b, inputs, some))
        for some in subsets(modalities)[:-1]
    ]
    if len(sensors) > 1:
        out += [Perturbation("without", key, lambda b, _, key=key: drop_sensors(b, inputs, [key])) for key in sensors]
    if not sensors:
        return out
    levels: list[tuple[str, str, Sequence[float], Callable[..., Batch]]] = [
        ("noise", "{:g}", sigmas, noise), ("gaps", "{:.0%}", shares, gaps)
    ]  # fmt: skip
    if all(spec.axes == 3 and spec.scaling != "clip" for spec in inputs.values() if isinstance(spec, SensorInput)):
        levels.append(("rotated", "up to {:g} degrees", degrees, rotated))
    out += [
        Perturbation(name, told.format(x), lambda b, g, x=x, change=change: change(b, inputs, x, g))
        for name, told, values, change in levels
        for x in values
    ]
    return out + [Perturbation("rate", f"1/{x:g}", lambda b, _, x=x: slower_rate(b, inputs, x)) for x in factors]


def evaluate(
    predict: Callable[[Batch], Tensor | NDArray[Any]],
    batches: Iterable[Batch],
    perturbations: Sequence[Perturbation],
    truth: ArrayLike,
    subjects: ArrayLike,
    *,
    elsewhere: Mapping[str, Iterable[Batch]] | None = None,
    seed: int = 0,
    bootstrap: int = 2000,
) -> Grid:
    """What ``predict(batch)`` (b, classes) makes of clean and of perturbed batches, against ``truth`` and ``subjects``.

    ``truth`` (n,) holds columns of the scores, in the order of the batches, which are read once. ``elsewhere`` holds
    batches of the same windows read otherwise, by name: of another placement (``other_limb``), say. Each perturbation
    draws from a generator of its own, so that no other changes it.
    """
    answers, people = np.asarray(truth, np.intp), np.unique(np.asarray(subjects), return_inverse=True)[1]
    names = [(p.name, p.level) for p in perturbations] + [("other limb", name) for name in elsewhere or {}]
    if len({CLEAN, *names}) != len(names) + 1:
        raise ValueError("two perturbations have the same name and level")
    found: dict[tuple[str, str], list[NDArray[Any]]] = {name: [] for name in (CLEAN, *names)}
    generators = [_generator(seed, p) for p in perturbations]
    for batch in batches:
        found[CLEAN].append(np.asarray(predict(batch)))
        for p, generator in zip(perturbations, generators, strict=True):
            found[p.name, p.level].append(np.asarray(predict(p.change(batch, generator))))
    for name, others in (elsewhere or {}).items():
        found["other limb", name] = [np.asarray(predict(batch)) for batch in others]
    counts, rows, base = {}, [], np.zeros(bootstrap)
    for name, parts in found.items():
        scores = np.concatenate(parts) if parts else np.zeros((0, 1))
        if len(scores) != len(answers) or len(people) != len(answers) or not np.isfinite(scores).all():
            raise ValueError(
                f"{' '.join(name).strip()}: truth and subjects are of {len(answers)} and {len(people)} windows; scores "
                f"are (windows, classes), finite: given {scores.shape}"
            )
        counts[name] = count(answers, scores, people)
        drawn = resampled_f1([counts[name]], np.random.default_rng(seed), bootstrap)
        base = drawn if name == CLEAN else base
        whole, clean = counts[name].sum(0), counts[CLEAN].sum(0)
        value, loss = float(macro_f1(whole)), float(macro_f1(clean) - macro_f1(whole))
        accuracy = float(np.trace(whole) / len(answers))
        rows.append(Measured(*name, accuracy, value, interval(drawn), loss, interval(base - drawn)))
    return Grid(tuple(rows), len(answers), int(people.max()) + 1)


def _generator(seed: int, perturbation: Perturbation) -> torch.Generator:
    name = f"{seed} {perturbation.name} {perturbation.level}"
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))
