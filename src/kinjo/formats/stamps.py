"""Time stamps of a table: text to nanoseconds, and what the steps of a column of numbers show.

Text is a date and a time of day, ISO 8601 or near it (``2018-11-21T16:29:25.123Z``, ``2018/11/21 16:29:25,123``,
``20181121_16:29:25``, ``21.11.2018 16:29:25``, with or without a zone), or a time of day alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.formats.errors import FormatError, short
from kinjo.formats.facts import TIME_UNITS, ClockGuess, Fact

RATES_HZ = (2.0, 1000.0)
"""A sensor's rate lies between these, where no name tells the unit of its times. Their ratio is below 1000."""
TOLD_RATES_HZ = (0.2, 10_000.0)
"""And where one does."""
LAST_S = 4.1e9
"""A date in the year 2099, in seconds since 1970."""
REPEATED = 0.2
"""More repeated stamps than this share: the clock is coarser than the sampling."""
NONE = int(np.iinfo(np.int64).min)
"""A stamp that is empty."""

_STEPS = (
    (r"^\s+|\s+$", ""),
    (r"^(\d{2})\.(\d{2})\.(\d{4})[ T,_]+", r"\3-\2-\1 "),
    (r"^(\d{4})[-/._]?(\d{2})[-/._]?(\d{2})[ T_]\s*", r"\1-\2-\3 "),
    (r"^(\d{1,2}:\d{2}:\d{2})", r"1970-01-01 \1"),
    (r" (\d:\d{2}:\d{2})", r" 0\1"),
    (r",(\d+)", r".\1"),
    (r"(\.\d{9})\d+", r"\1"),
    (r"\s*(UTC|GMT)$", "Z"),
)


def nanoseconds(file: str, where: str, values: Any) -> NDArray[np.int64]:
    """Stamps of text (an array of strings, or NumPy's datetimes) as nanoseconds; ``NONE`` where empty.

    ``FormatError`` for what is no date or time of day.
    """
    import pyarrow as pa
    from pyarrow import compute as pc

    if isinstance(values, np.ndarray):
        values = values.astype("datetime64[ns]") if values.dtype.kind == "M" else values.astype(str).tolist()
        values = pa.array(values)
        if pa.types.is_timestamp(values.type):
            return values.cast(pa.int64()).fill_null(NONE).to_numpy(zero_copy_only=False)
    plain = (
        values if pa.types.is_string(values.type) or pa.types.is_timestamp(values.type) else _text(file, where, values)
    )
    for attempt in range(2):
        for zone in (None, "UTC"):
            try:
                whole = plain.cast(pa.timestamp("ns", zone)).cast(pa.int64())
                return np.asarray(whole.fill_null(NONE).to_numpy(zero_copy_only=False), np.int64)
            except pa.ArrowException:
                continue
        if attempt == 0 and pa.types.is_string(plain.type):
            for pattern, put in _STEPS:
                plain = pc.replace_substring_regex(plain, pattern, put)  # type: ignore[attr-defined]
    example = next((str(v) for v in values.to_pylist() if v is not None), "")
    hint = "Write them as 2018-11-21 16:29:25.123, or all as numbers."
    raise FormatError(file, where, "time stamps that are dates with a time", f"such as {short(example)}", hint)


def _text(file: str, where: str, values: Any) -> Any:
    import pyarrow as pa

    try:
        return values.cast(pa.string())
    except pa.ArrowException as error:
        raise FormatError(file, where, "time stamps", str(values.type), "Write them as text or numbers.") from error


def spread(clock: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """A clock (n,) that is coarser than the sampling, its rows spread evenly over each of its steps, and a note.

    Others come back as they are, with ''. Rows with no stamp stay so.
    """
    finite = np.flatnonzero(np.isfinite(clock))
    stamps = clock[finite]
    steps = np.diff(stamps)
    repeated = int((steps == 0).sum())
    if len(stamps) < 3 or repeated <= REPEATED * len(stamps) or not (steps > 0).any():
        return clock, ""
    starts = np.flatnonzero(np.r_[True, steps != 0])
    counts = np.diff(np.r_[starts, len(stamps)])
    usual = float(np.median(steps[steps > 0]))
    width = np.diff(np.r_[stamps[starts], stamps[starts[-1]] + usual])
    width = np.where((width > 0) & (width <= 1.5 * usual), width, usual)
    # the first and the last stamp may be cut: their rows keep the usual pace
    pace = np.minimum(width / counts, usual / np.median(counts)) if len(counts) > 2 else width / counts
    pace[1:-1] = (width / counts)[1:-1]
    inside = np.arange(len(stamps)) - np.repeat(starts, counts)
    late = np.where(np.arange(len(counts)) == 0, width - pace * counts, 0.0)
    out = clock.copy()
    out[finite] = stamps + inside * np.repeat(pace, counts) + np.repeat(late, counts)
    return out, f"{repeated} of {len(stamps)} time stamps are repeated: the rows are spread evenly over each step"


def pace(clock: NDArray[np.float64]) -> float:
    """Samples per unit of a clock (n,), pauses left out; NaN where it does not go forward."""
    steps = np.diff(clock[np.isfinite(clock)])
    forward = steps[steps > 0]
    if len(forward) == 0:
        return float("nan")
    usual = float(np.median(forward))
    running = forward[(forward > 0.5 * usual) & (forward < 1.5 * usual)]
    return float(len(running) / running.sum()) if 2 * len(running) > len(forward) else 1.0 / usual


def measured(column: int, name: str, told: str | None, clock: NDArray[np.float64], origin: float) -> ClockGuess:
    """What a clock (n,) since ``origin`` shows, without its units unless ``told``."""
    units = Fact(told, "told", "by the names") if told else Fact()
    steps = np.diff(clock[np.isfinite(clock)])
    per_unit = pace(clock)
    if not np.isfinite(per_unit):
        return ClockGuess(column, name, units, origin)
    periods = steps * per_unit
    low, high = np.percentile(periods, (10, 90))
    return ClockGuess(
        column, name, units, origin, float(high - low) / 2, int((periods > 1.5).sum()), float(periods.max()),
        int((steps < 0).sum()), int((steps == 0).sum()),
    )  # fmt: skip


def units_of(clock: ClockGuess, per_unit: float) -> Fact:
    """The unit of the stamps, told or by the one in which ``per_unit`` is the rate of a sensor."""
    if clock.units.how == "told":
        low, high = TOLD_RATES_HZ
        rate = per_unit / TIME_UNITS[clock.units.value]
        if not np.isfinite(rate) or low <= rate <= high:
            return clock.units
        return Fact(why=f"told {clock.units.value}, but that would be {rate:.3g} Hz")
    if not np.isfinite(per_unit):
        return Fact(why="the stamps do not go forward")
    if per_unit == 1.0 and clock.jitter == 0.0 and float(clock.origin).is_integer():
        return Fact(why="it counts rows")
    low, high = RATES_HZ
    fitting = [unit for unit in ("s", "ms", "us", "ns") if low <= per_unit / TIME_UNITS[unit] <= high]
    if not fitting or abs(clock.origin) * TIME_UNITS[fitting[0]] > LAST_S:
        return Fact(why=f"steps of {1 / per_unit:.3g} fit no unit")
    return Fact(
        fitting[0], "guessed", f"its steps of {1 / per_unit:.6g} are {per_unit / TIME_UNITS[fitting[0]]:.4g} Hz"
    )
