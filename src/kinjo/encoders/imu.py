"""Wearable sensors: windows of one sensor (three axes, say) to tokens along time, and any number to one encoding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinjo.nn.context import Context, Encoded, Entered, Recurrent, pooled
from kinjo.nn.places import Places
from kinjo.nn.stem import ConvStem
from kinjo.nn.tokens import Layout, patchify_sensor, sincos, unpatchify_sensor

TYPICAL: dict[str, float] = {"acc": 9.80665, "gyro": 3.0, "mag": 50.0, "orientation": 1.0}
"""quantity -> its usual size in canonical units; inputs are divided by it, so that all are near 1."""

Missing = Bool[Tensor, "batch samples"] | None
"""``True``: missing. ``None``: nothing is."""


Reads = Literal["values", "motion"]


def missing_slots(missing: Bool[Tensor, "batch samples"], slots: int) -> Bool[Tensor, "batch slots"]:
    """The time slots of which more than half of the samples are missing."""
    return missing.view(len(missing), slots, -1).float().mean(2) > 0.5


def missing_of(batch: Mapping[str, Tensor], key: str, spec: object) -> Bool[Tensor, "batch tokens"]:
    """Of the input ``key`` of a batch: the tokens of which more than half of the samples are missing."""
    gone = batch.get(f"{key}.missing")
    if gone is None:
        gone = torch.zeros(batch[key].shape[:2], dtype=torch.bool, device=batch[key].device)
    return spec.missing_tokens(gone)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class SensorInput:
    """One sensor: ``samples`` of ``axes`` numbers in ``slots`` tokens (128 x 3 in 16, as Mu-MAE publishes).

    ``placement`` empty takes the sensor wherever it sits. ``scaling`` ``clip`` is min-max per clip and axis, as
    published: gravity and amplitude are lost. ``reads`` ``motion`` lets a convolutional stem see differences alone.
    """

    quantity: str
    samples: int = 128
    axes: int = 3
    slots: int = 16
    placement: str = ""
    layout: Layout = "contiguous"
    scaling: Literal["units", "clip"] = "units"
    reads: Reads = "values"
    modality: Literal["imu"] = "imu"

    places: int = 1
    """Tokens per time slot."""

    @property
    def motion(self) -> float:
        """What differences along time are multiplied by to be near 1; 0 where values are read."""
        return 4.0 if self.reads == "motion" else 0.0

    @property
    def channels(self) -> int:
        return self.axes

    @property
    def tokens(self) -> int:
        return self.slots

    @property
    def values(self) -> int:
        """Numbers in one token."""
        return self.samples // self.slots * self.axes

    def prepare(
        self, x: Float[Tensor, "batch samples axes"], missing: Missing = None
    ) -> Float[Tensor, "batch samples axes"]:
        """Canonical units (m/s^2, rad/s, ...) to numbers near 1; what is missing is 0."""
        x = x / TYPICAL[self.quantity]
        if self.scaling == "clip":
            gone = torch.zeros_like(x, dtype=torch.bool) if missing is None else missing[:, :, None].expand_as(x)
            low = x.masked_fill(gone, math.inf).amin(1, keepdim=True)
            high = x.masked_fill(gone, -math.inf).amax(1, keepdim=True)
            x = (x - low) / (high - low).clamp(min=1e-6)  # a constant axis is 0, where the released code divides by 0
        return x if missing is None else x.masked_fill(missing[:, :, None], 0.0)

    def missing_tokens(self, missing: Bool[Tensor, "batch samples"]) -> Bool[Tensor, "batch tokens"]:
        """The tokens of which more than half of the samples are missing."""
        if self.layout == "strided":
            return missing.view(len(missing), -1, self.slots).float().mean(1) > 0.5
        return missing_slots(missing, self.slots)

    def signal(self, x: Float[Tensor, "batch samples axes"]) -> Float[Tensor, "batch samples channels"]:
        """As the convolutional stem reads it."""
        return x

    def patchify(self, x: Float[Tensor, "batch samples axes"]) -> Float[Tensor, "batch tokens values"]:
        return patchify_sensor(x, self.slots, self.layout)

    def unpatchify(self, x: Float[Tensor, "batch tokens values"]) -> Float[Tensor, "batch samples axes"]:
        return unpatchify_sensor(x, self.axes, self.layout)


class ImuEncoder(nn.Module):
    """Any number of sensors at any placements. What sits in one placement (accelerometer, gyroscope) is one unit.

    Stems are shared by quantity over all placements; a unit's tokens are the mean over those of its sensors that are
    there, and the vector of its placement. ``context`` is a transformer or a recurrence (IMU2CLIP's kind).
    """

    def __init__(
        self, inputs: Mapping[str, SensorInput], places: Places, context: Context | Recurrent, dim: int
    ) -> None:
        super().__init__()
        first = next(iter(inputs.values()))
        for key, spec in inputs.items():
            if (spec.samples, spec.slots) != (first.samples, first.slots) or spec.layout != "contiguous":
                raise ValueError(
                    f"input '{key}': all sensors of a joint space need the same samples and slots, contiguous: given "
                    f"{spec.samples} and {spec.slots} ({spec.layout}), another has {first.samples} and {first.slots}"
                )
        self.inputs, self.context, self.slots = dict(inputs), context, first.slots
        self.shared = (places,)  # in a tuple: its weights belong to the model, which has them once
        self.units: dict[str, list[str]] = {}
        for key, spec in inputs.items():
            self.units.setdefault(spec.placement, []).append(key)
        stems: dict[str, nn.Module] = {}
        for spec in inputs.values():
            made = ConvStem(spec.samples, spec.channels, spec.slots, dim, spec.motion)
            before = stems.setdefault(spec.quantity, made)
            assert isinstance(before, ConvStem)
            if (before.channels, before.motion) != (spec.channels, spec.motion):
                raise ValueError(f"inputs of quantity '{spec.quantity}' must have the same axes and read alike")
        self.stems = nn.ModuleDict(stems)
        self.register_buffer("position", sincos(self.slots, dim).repeat(len(self.units), 1), persistent=False)

    @property
    def spans(self) -> dict[str, slice]:
        """key -> which of the tokens are its own: those of its unit."""
        n = self.slots
        return {key: slice(u * n, (u + 1) * n) for u, keys in enumerate(self.units.values()) for key in keys}

    def there(self, batch: Mapping[str, Tensor]) -> list[str]:
        """The units that ``enter`` reads of a batch."""
        every = isinstance(self.context, Recurrent)
        return [unit for unit, keys in self.units.items() if every or any(key in batch for key in keys)]

    def enter(
        self, batch: Mapping[str, Tensor], hidden: Bool[Tensor, "batch tokens"] | None = None, *, placed: bool = True
    ) -> Entered:
        """Tokens before the context, nothing of ``hidden`` ones read. ``placed`` False: placements as if never seen.

        Units of which the batch has no sensor are left out (``hidden`` counts the tokens of the others), but where a
        recurrence reads them.
        """
        there = [(unit, self.units[unit]) for unit in self.there(batch)]
        rows, like = len(next(iter(batch.values()))), self.shared[0].joints
        total = like.new_zeros(rows, len(there), self.slots, like.shape[1])
        count = like.new_zeros(rows, len(there), self.slots)
        for quantity, stem in self.stems.items():
            at = [(u, key) for u, (_, keys) in enumerate(there) for key in keys if self._gives(batch, key, quantity)]
            if not at:
                continue
            where = torch.tensor([u for u, _ in at], device=like.device)
            specs = [self.inputs[key] for _, key in at]
            x = torch.stack([spec.signal(batch[key]) for spec, (_, key) in zip(specs, at, strict=True)], 1)
            gone = torch.stack([missing_of(batch, key, spec) for spec, (_, key) in zip(specs, at, strict=True)], 1)
            veil = gone if hidden is None else gone | hidden.unflatten(1, (-1, self.slots))[:, where]
            tokens = stem(x.flatten(0, 1), veil.flatten(0, 1)).unflatten(0, veil.shape[:2])  # (b, sensors, slots, d)
            total = total.index_add(1, where, tokens.float() * (~gone)[..., None])
            count = count.index_add(1, where, (~gone).to(count.dtype))
        places = torch.stack([self.shared[0].placement(placement, known=placed) for placement, _ in there])
        return self.entered(total, count, places)

    def entered(
        self,
        total: Float[Tensor, "batch units slots dim"],
        count: Float[Tensor, "batch units slots"],
        places: Float[Tensor, "units dim"],
    ) -> Entered:
        """Sums over the sensors of each unit, and how many of them are there, to tokens of all units."""
        mean = total / count.clamp(min=1)[..., None] + places[:, None]
        position = self.get_buffer("position")[: self.slots].repeat(places.shape[0], 1)
        return Entered(mean.flatten(1, 2), (count == 0).flatten(1, 2), position)

    def in_order(self, batch: Mapping[str, Tensor], parts: int) -> Float[Tensor, "batch parts size"]:
        """The embedding of each of ``parts`` equal spans of a window, read in the context of all of it: what a whole
        action is in order, where one embedding says what it is of. ``ValueError`` where slots do not divide so.
        """
        if not isinstance(self.context, Context) or self.slots % parts:
            raise ValueError(f"a transformer's {self.slots} slots are read in parts that divide them: given {parts}")
        entered = self.enter(batch)
        encoded = self.context(entered)
        spans = [
            x.unflatten(1, (-1, parts, self.slots // parts)).transpose(1, 2).flatten(0, 1).flatten(1, 2)
            for x in (entered.tokens, encoded.tokens, entered.missing)
        ]  # (batch * parts, units * slots / parts, ...)
        return pooled((spans[0], spans[2]), (spans[1], spans[2])).unflatten(0, (-1, parts))

    def levels(self, batch: Mapping[str, Tensor]) -> Float[Tensor, "batch numbers"]:
        """What is seen of a window at every depth: each sensor's signal and tokens, each unit's tokens as they enter
        and after every block, by their mean, spread, highest and lowest along time; and the embedding.

        A linear classifier on all depths finds what the last one has given up (Head2Toe, Evci et al. 2022). Its length
        depends on the sensors of the batch. ``ValueError`` for a recurrence, which has no depths.
        """
        if not isinstance(self.context, Context):
            raise ValueError("levels are of a transformer: this encoder has a recurrence")
        keys = [key for key in self.inputs if key in batch]
        each = [
            self.stems[(s := self.inputs[key]).quantity](s.signal(batch[key]), missing_of(batch, key, s))
            for key in keys
        ]
        entered, encoder = self.enter(batch), self.context.encoder
        gone = entered.missing
        unseen = gone if bool(gone.any()) else None
        x = entered.tokens + entered.position.to(entered.tokens)
        depths = [entered.tokens, *(x := block(x, unseen) for block in encoder.blocks)]
        units = [depth.unflatten(1, (-1, self.slots)).transpose(0, 1) for depth in depths]
        tokens = torch.cat([torch.stack(each), *units]).float()  # (parts, batch, slots, dim)
        signals = torch.stack([batch[key] for key in keys])
        told = [f.transpose(0, 1).flatten(1) for x in (signals, tokens) for f in _along(x)]
        return torch.cat([*told, pooled((entered.tokens, gone), (encoder.norm(x), gone))], 1)

    def _gives(self, batch: Mapping[str, Tensor], key: str, quantity: str) -> bool:
        return key in batch and self.inputs[key].quantity == quantity

    def forward(self, batch: Mapping[str, Tensor], *, placed: bool = True) -> Encoded:
        return self.context(self.enter(batch, placed=placed))


def _along(x: Float[Tensor, "parts batch time numbers"]) -> tuple[Float[Tensor, "parts batch numbers"], ...]:
    """Mean, spread, highest and lowest along time."""
    return x.mean(2), x.std(2), x.amax(2), x.amin(2)
