"""Recording, Stream and Segment: the data model, the contract of a stream; the checks are in checks.py.

Everything captured of one person on one clock is a ``Recording``. Its streams are lazy: a stream knows its
length and how to read a slice, so a video or a 24 h signal is never held whole. Every stream carries a
``Contract``; ``checks.check`` holds the data against it and either raises a ``ContractError`` that names the
stream, the field, what was expected and what was given, or, where the caller asks, repairs and reports.

A mask is a bool array and ``True`` means *missing*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinjo.body import PLACEMENTS
from kinjo.signal import UNITS

Modality = Literal["video", "pose", "imu", "text"]
QUANTITIES: dict[str, tuple[str, ...]] = {
    "imu": ("acc", "gyro", "mag", "orientation"),
    "pose": ("position",),
    "video": ("rgb", "depth"),
}
"""modality -> what its streams may measure. Text is carried by segments, not by a sampled stream."""

CHUNK = 1 << 16
"""Samples read at a time when a whole stream has to be looked at."""


class ContractError(ValueError):
    """A stream does not hold what its contract says. Names the stream, the field, expected and given."""

    def __init__(self, stream: str, field: str, expected: str, given: str, hint: str = "") -> None:
        self.stream, self.field, self.expected, self.given, self.hint = stream, field, expected, given, hint
        super().__init__(
            f"stream '{stream}': {field}: expected {expected}, given {given}" + (f". {hint}" if hint else "")
        )


@dataclass(frozen=True)
class Contract:
    """What the numbers of a stream mean. It travels with the stream, the checkpoint and the exported model.

    ``axes`` names the last axis of a sample: ``("x", "y", "z")`` of the sensor or the camera frame.
    ``gravity`` says whether an accelerometer's numbers contain gravity (``None`` for all other quantities).
    ``skeleton`` names the joint order of a pose (see ``body.SKELETONS``).
    """

    modality: Modality
    quantity: str
    units: str
    rate_hz: float
    axes: tuple[str, ...] = ("x", "y", "z")
    placement: str | None = None
    gravity: bool | None = None
    skeleton: str | None = None

    def check(self, stream: str) -> None:
        """Raise ``ContractError`` where the contract contradicts itself or uses a word that kinjo does not know."""
        quantities = QUANTITIES.get(self.modality)
        if quantities is None:
            raise ContractError(stream, "modality", f"one of {', '.join(QUANTITIES)}", repr(self.modality))
        if self.quantity not in quantities:
            raise ContractError(stream, "quantity", f"one of {', '.join(quantities)}", repr(self.quantity))
        if self.units not in UNITS[self.quantity]:
            raise ContractError(stream, "units", f"one of {', '.join(UNITS[self.quantity])}", repr(self.units))
        if not (np.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ContractError(stream, "rate_hz", "a positive number of samples per second", repr(self.rate_hz))
        if self.modality == "imu" and self.placement not in PLACEMENTS:
            hint = "Use 'unknown' where nobody knows, or name the placement in the import call."
            raise ContractError(stream, "placement", f"one of {', '.join(PLACEMENTS)}", repr(self.placement), hint)
        if self.quantity == "acc" and self.gravity is None:
            raise ContractError(stream, "gravity", "True or False for an accelerometer", "None")
        if self.modality == "pose" and not self.skeleton:
            raise ContractError(stream, "skeleton", "the name of a skeleton", repr(self.skeleton))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, for manifests, checkpoints and exported models."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Contract:
        """The inverse of ``to_dict``. Unknown keys are an error: the file is newer than this kinjo."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"contract has unknown fields {sorted(unknown)}: written by a newer kinjo? Upgrade kinjo.")
        return cls(**{**values, "axes": tuple(values["axes"])})


Read = Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True)
class Stream:
    """One sampled signal with its contract, read lazily.

    ``read(start, stop)`` gives samples ``(stop - start, *sample shape)``: imu ``(n, axes)`` float,
    pose ``(n, joints, axes)`` float, video ``(n, height, width)`` for depth or ``(n, height, width, 3)`` for rgb.
    ``times`` are seconds on the recording's clock, or ``None`` for a uniform clock
    ``start_s + i / contract.rate_hz``. ``missing`` is ``(length,)`` bool, or ``None`` for nothing missing.
    Both may be memory-mapped.
    """

    name: str
    contract: Contract
    length: int
    read: Read
    start_s: float = 0.0
    times: NDArray[np.float64] | None = None
    missing: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        contract: Contract,
        values: NDArray[Any],
        *,
        start_s: float = 0.0,
        times: NDArray[np.float64] | None = None,
        missing: NDArray[np.bool_] | None = None,
    ) -> Stream:
        """A stream over an array (in memory or memory-mapped) of shape ``(length, *sample shape)``."""
        return cls(name, contract, len(values), lambda a, b: values[a:b], start_s, times, missing)

    def values(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Samples ``[start, stop)``; indices are clipped to the stream."""
        return self.read(*self._clipped(start, stop))

    def _clipped(self, start: int, stop: int | None) -> tuple[int, int]:
        start = min(max(start, 0), self.length)
        return start, self.length if stop is None else max(min(stop, self.length), start)

    def clock(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Times in seconds of samples ``[start, stop)``, clipped as in ``values``."""
        start, stop = self._clipped(start, stop)
        if self.times is not None:
            return np.asarray(self.times[start:stop], np.float64)
        return self.start_s + np.arange(start, stop, dtype=np.float64) / self.contract.rate_hz

    def mask(self, start: int = 0, stop: int | None = None) -> NDArray[np.bool_]:
        """``True`` where samples ``[start, stop)`` are missing, clipped as in ``values``."""
        start, stop = self._clipped(start, stop)
        return np.zeros(stop - start, bool) if self.missing is None else np.asarray(self.missing[start:stop])

    @property
    def end_s(self) -> float:
        """End of the last sample's period, seconds. An empty stream ends where it starts."""
        if self.length == 0:
            return self.start_s
        last = self.start_s + (self.length - 1) / self.contract.rate_hz if self.times is None else self.times[-1]
        return float(last) + 1.0 / self.contract.rate_hz

    def index_at(self, time_s: float) -> int:
        """Index of the first sample at or after ``time_s`` (``length`` past the end)."""
        if self.times is not None:
            return int(np.searchsorted(self.times, time_s - 1e-9))
        index = np.ceil((time_s - self.start_s) * self.contract.rate_hz - 1e-6)
        return int(np.clip(index, 0, self.length))

    def between(self, start_s: float, end_s: float) -> tuple[int, int]:
        """Sample indices ``[start, stop)`` of the span ``[start_s, end_s)``."""
        return self.index_at(start_s), self.index_at(end_s)


@dataclass(frozen=True)
class Segment:
    """A labelled span ``[start_s, end_s)`` of a recording; may carry a description in words.

    ``repetitions`` counts what was done over and over; ``None`` where nobody counted or nothing repeats.
    """

    start_s: float
    end_s: float
    label: str
    description: str = ""
    repetitions: int | None = None

    def __post_init__(self) -> None:
        if self.repetitions is not None and self.repetitions < 0:
            raise ValueError(f"segment '{self.label}': repetitions must be 0 or more, given {self.repetitions}")
        if not (np.isfinite(self.start_s) and np.isfinite(self.end_s) and self.start_s < self.end_s):
            raise ValueError(f"segment '{self.label}': start_s {self.start_s} must be before end_s {self.end_s}")


def labelled_runs(labels: NDArray[Any], rate_hz: float, names: Mapping[int, str]) -> tuple[Segment, ...]:
    """A segment for each run of one number of ``labels`` (n,), one a sample, that has a name; the others are idle."""
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    return tuple(
        Segment(start / rate_hz, stop / rate_hz, names[number])
        for start, stop in pairwise(edges)
        if stop > start and (number := int(labels[start])) in names
    )


@dataclass(frozen=True)
class Recording:
    """Everything captured of one person on one clock.

    ``source`` names where it came from (dataset and file); ``twin`` is shared by recordings of the same moment
    (several cameras of one performance), so that splits and audits keep them together.
    """

    id: str
    streams: dict[str, Stream] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    subject: str = "unknown"
    source: str = ""
    twin: str = ""
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds from 0 to the end of the longest stream."""
        return max((s.end_s for s in self.streams.values()), default=0.0)

    def between(self, start_s: float | None = None, end_s: float | None = None) -> Recording:
        """The part ``[start_s, end_s)`` of all streams (``None``: from the beginning, to the end), its clock as before.

        Segments are cut, and lose their count where they are. ``ValueError`` where nothing is left.
        """
        low, high = -np.inf if start_s is None else start_s, np.inf if end_s is None else end_s
        parts = {name: _part(stream, *stream.between(low, high)) for name, stream in self.streams.items()}
        if not any(part.length for part in parts.values()):
            raise ValueError(f"recording '{self.id}' of {self.duration_s:.1f} s has nothing from {low:g} to {high:g} s")
        inside = [s for s in self.segments if s.start_s < high and s.end_s > low]
        cut = (
            s if low <= s.start_s and s.end_s <= high
            else replace(s, start_s=max(s.start_s, low), end_s=min(s.end_s, high), repetitions=None)
            for s in inside
        )  # fmt: skip
        return replace(self, streams=parts, segments=tuple(cut))

    def with_stream(self, stream: Stream) -> Recording:
        """The same recording with ``stream`` added or replaced, by name."""
        return replace(self, streams={**self.streams, stream.name: stream})


def _part(stream: Stream, start: int, stop: int) -> Stream:
    """Samples ``[start, stop)`` of a stream, as lazy as it is."""
    return replace(
        stream, length=stop - start, read=lambda a, b: stream.read(start + a, start + b),
        start_s=stream.start_s + start / stream.contract.rate_hz,
        times=None if stream.times is None else stream.times[start:stop],
        missing=None if stream.missing is None else stream.missing[start:stop],
    )  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One fault of a stream that ``check`` found, and, if it was mended, how."""

    stream: str
    field: str
    expected: str
    given: str
    repair: str = ""

    def __str__(self) -> str:
        tail = f" -> {self.repair}" if self.repair else ""
        return f"{self.stream}: {self.field}: expected {self.expected}, given {self.given}{tail}"


def chunks(stream: Stream, size: int = CHUNK) -> Iterator[tuple[int, NDArray[Any]]]:
    """``(start index, samples)`` over the whole stream, ``size`` samples at a time."""
    if stream.contract.modality == "video":
        size = min(size, 64)
    for start in range(0, stream.length, size):
        yield start, stream.values(start, start + size)
