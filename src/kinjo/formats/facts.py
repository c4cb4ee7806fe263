"""What is known of a table of wearable sensors, and how it is known: ``Fact``, ``StreamGuess``, ``Guess``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from kinjo.recording import Contract
from kinjo.signal import UNITS

How = Literal["told", "guessed", "unknown"]
TIME_UNITS: dict[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "text": 1.0}
"""Unit of time stamps -> seconds. ``text``: dates or times of day, which are read as seconds."""


@dataclass(frozen=True)
class Fact:
    """A value and how it is known: ``told`` (by a name, a sidecar, the caller), ``guessed`` from values, ``unknown``.

    ``why`` says who told it, what it was guessed from, or why it cannot be.
    """

    value: Any = None
    how: How = "unknown"
    why: str = ""

    def __bool__(self) -> bool:
        return self.how != "unknown"

    def __str__(self) -> str:
        reason = f": {self.why}" if self.why else ""
        return f"{self.value} ({self.how}{reason})" if self else f"unknown{f' ({self.why})' if self.why else ''}"


@dataclass(frozen=True)
class StreamGuess:
    """One sensor in a table. ``columns`` are the file's columns (from 0) of ``axes``, ``names`` what it calls them.

    ``sensor`` is what the names say besides quantity and axis (``left_wrist``, ``imu1``; may be empty), ``scale`` what
    the numbers are multiplied with to be in ``units``. Of the values, as they stand in the file: ``rows`` that are not
    empty, ``level`` the median size of the mean over a second or two (gravity, if it is there), ``middle`` the median
    size and ``top`` its 99th percentile; ``per_unit`` samples in a unit of time. ``told_name``: by a sidecar.
    """

    sensor: str
    quantity: str
    columns: tuple[int, ...]
    names: tuple[str, ...]
    axes: tuple[str, ...] = ("x", "y", "z")
    units: Fact = Fact()
    gravity: Fact = Fact()
    placement: Fact = Fact()
    rate_hz: Fact = Fact()
    scale: float = 1.0
    rows: int = 0
    level: float = float("nan")
    middle: float = float("nan")
    top: float = float("nan")
    per_unit: float = float("nan")
    told_name: str = ""

    @property
    def name(self) -> str:
        """The stream's name: ``left_wrist.acc``."""
        place = self.placement.value if self.placement else self.sensor
        return self.told_name or (f"{place}.{self.quantity}" if place else self.quantity)

    @property
    def contract(self) -> Contract:
        """The contract as far as it is known; ``ContractError`` where it is not whole."""
        contract = Contract(
            "imu", self.quantity, str(self.units.value), float(self.rate_hz.value or float("nan")), self.axes,
            self.placement.value, self.gravity.value if self.quantity == "acc" else None,
        )  # fmt: skip
        contract.check(self.name)
        return contract


@dataclass(frozen=True)
class ClockGuess:
    """The time column (``None``: there is none) and what its stamps show, steps in sample periods.

    ``jitter`` is the spread of the steps (half of the 10 to 90 % range), ``gaps`` counts steps over 1.5 periods,
    ``longest`` is the longest, ``back`` and ``repeated`` count steps below and equal to zero.
    ``origin`` is the first stamp, in the file's units.
    """

    column: int | None = None
    name: str = ""
    units: Fact = Fact()
    origin: float = 0.0
    jitter: float = 0.0
    gaps: int = 0
    longest: float = 1.0
    back: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Guess:
    """What a table of wearable sensors holds, as far as its names, its sidecar and its values tell. ``str`` prints it.

    ``columns`` are all names in the file; ``label`` and ``subject`` the numbers of these columns, where they are there;
    ``unused`` the columns that nothing is made of; ``notes`` what was not taken as it stands.
    """

    file: str
    kind: str
    columns: tuple[str, ...]
    rows: int
    clock: ClockGuess
    streams: tuple[StreamGuess, ...]
    label: int | None = None
    subject: int | None = None
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def missing(self) -> tuple[str, ...]:
        """What has to be told before the file can be read: ``units of acc``, ``placement of gyro``, ``rate``, ..."""
        clock = self.clock
        out = [] if clock.column is None or clock.units else ["time units"]
        if not out and any(not stream.rate_hz for stream in self.streams):
            out.append("rate")
        for stream in self.streams:
            wanted = [("units", stream.units), ("placement", stream.placement)]
            wanted += [("gravity", stream.gravity)] if stream.quantity == "acc" else []
            out += [f"{name} of {stream.name}" for name, fact in wanted if not fact]
        return tuple(out)

    @property
    def guesses(self) -> tuple[str, ...]:
        """One line for each thing that was guessed from values."""
        facts = [("time units", self.clock.units)]
        for stream in self.streams:
            given = {"units": stream.units, "gravity": stream.gravity, "placement": stream.placement}
            facts += [(f"{name} of {stream.name}", fact) for name, fact in (given | {"rate": stream.rate_hz}).items()]
        return tuple(f"{name}: {fact}" for name, fact in facts if fact.how == "guessed")

    def ask(self) -> str:
        """How to tell what is missing: keywords of ``read_wearable``, options of the command, and how to keep it."""
        wanted: dict[str, dict[str, str]] = {}
        several = len({stream.sensor for stream in self.streams if not stream.placement}) > 1
        for what in self.missing:
            name, _, of = what.partition(" of ")
            stream = next((s for s in self.streams if s.name == of), None)
            keyword, key, value = _example(name, stream, several)
            wanted.setdefault(keyword, {})[key] = value
        said, typed = [], []
        for keyword, values in wanted.items():
            option = {"rate_hz": "--rate"}.get(keyword, "--" + keyword.replace("_", "-"))
            if len(values) > 1 or keyword == "units":
                said.append(f"{keyword}={values}")
                typed += [f"{option} {key}={value}" for key, value in values.items()]
            else:
                value = next(iter(values.values()))
                said.append(f"{keyword}={value}" if keyword in ("rate_hz", "gravity") else f"{keyword}='{value}'")
                typed.append(f"{option} {value}")
        code = ", ".join(said).replace("'True'", "True")
        return (
            f"Say what is true, instead of these examples: read_wearable(path, {code}), or {' '.join(typed)}. "
            "save_sidecar(confirm(guess(path), ...), path) keeps the answer beside the file."
        )

    def __str__(self) -> str:
        clock = self.clock
        lines = [f"{self.file}: {self.kind}, {self.rows} rows"]
        if clock.column is None:
            lines.append("  no time column")
        else:
            jitter = f"jitter {clock.jitter:.0%} of a period, {clock.gaps} gaps, longest {clock.longest:.1f} periods"
            turns = f", {clock.back} steps back, {clock.repeated} repeated"
            lines.append(f"  time '{clock.name}' in {clock.units}; {jitter}{turns}")
        for stream in self.streams:
            lines.append(
                f"  {stream.name}: columns {', '.join(repr(name) for name in stream.names)}, {stream.rows} rows"
            )
            lines.append(f"    units {stream.units}; placement {stream.placement}")
            lines += [f"    gravity in it: {stream.gravity}"] if stream.quantity == "acc" else []
            lines.append(f"    rate in Hz: {stream.rate_hz}")
        lines += [f"  labels: '{self.columns[self.label]}'"] if self.label is not None else []
        lines += [f"  not used: {', '.join(self.unused)}"] if self.unused else []
        lines += [f"  {note}" for note in self.notes]
        lines += [f"  to be told: {', '.join(self.missing)}. {self.ask()}"] if self.missing else []
        return "\n".join(lines)


def _example(name: str, stream: StreamGuess | None, several: bool) -> tuple[str, str, str]:
    """Keyword, key and an example of a value for one thing that is missing. ``several`` sensors have no placement."""
    if stream is None:
        return ("rate_hz", "", "50") if name == "rate" else ("time_units", "", "ms")
    if name == "units":
        return "units", stream.name, list(UNITS[stream.quantity])[-1]
    if name == "gravity":
        return "gravity", stream.name, "True"
    return "placement", stream.name if several else "", "left_wrist"
