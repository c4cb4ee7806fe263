"""Tables of a sensor with a time stamp in every row: the text, its clock, and the way to a uniform rate.

Time stamps are read by these rules, and by no others:

* **text**: a date and a time of day, ``20181121_16:29:25.123``, ``2018-11-21 16:29:25.123`` or ``2018/11/21T16:29:25``;
  a fraction of 0 to 9 digits; no time zone (only differences matter);
* **numbers**: seconds, or thousandths, millionths or billionths of one: the only one of the four in which the median
  step between rows is that of a sensor (``STEPS_S``). No unit fits, or the time is past the year 2100: an error.

A mask is a bool array and ``True`` means *missing*.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import DatasetError
from kinjo.signal import regularize

TIME_NAMES = ("", "t", "ts", "time", "timestamp", "time_stamp", "time stamp")
"""Names, in small letters, that a header may give to the time stamps."""
STEPS_S = (1 / 400, 1 / 5)
"""A sensor's median step lies between these. Their ratio is far below 1000, so two units never fit at once."""
LAST_S = 4.1e9
"""A date in the year 2099, in seconds since 1970."""
LATE_S = 0.5
"""A row may come this much too late in a file; a clock that goes back further has started again."""
MAX_GAP_S = 0.2
"""A longer pause between samples is marked as missing; over a shorter one a straight line is drawn."""
RATE_TOLERANCE = 0.2
"""How far the measured rate may lie from the nominal one before the measured one is used."""
REPEATED = 0.2
"""More repeated time stamps than this share: the clock is coarser than the sampling."""

_DATE = r"^\s*(\d{4})[-/]?(\d{2})[-/]?(\d{2})[_T ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?\s*$"


@dataclass(frozen=True)
class Timed:
    """Rows of a file: ``seconds`` (n,) since any origin, in the file's order, ``values`` (n, axes), NaN where absent.

    ``notes`` say what was not taken over as it stood.
    """

    seconds: NDArray[np.float64]
    values: NDArray[np.float64]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Uniform:
    """The samples ``values`` (n, axes) at ``start_s + k / rate_hz`` and which of them are ``missing`` (n,)."""

    values: NDArray[np.float64]
    start_s: float
    rate_hz: float
    missing: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def parse(data: bytes, file: str, names: Sequence[Sequence[str]], hint: str) -> Timed | None:
    """The rows of a csv of a time stamp and as many numbers as each of ``names`` has; ``None`` with fewer than two.

    Without a header the columns are taken in that order. With one they are found by name: one of ``TIME_NAMES`` and
    all of one of ``names`` (in small letters). Cells that are empty or ``nan`` become NaN. A whole last row without a
    line end may be cut within its last number: it is left out, and a note says so. Raises ``DatasetError`` naming
    ``file`` for everything else; ``hint`` says where to get it anew.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(file, "a csv in UTF-8", f"{error}", hint) from error
    columns, group, body = _header(text, file, names, hint)
    notes: tuple[str, ...] = ()
    if body and not body.endswith("\n"):
        body, last = body[: body.rfind("\n") + 1], body[body.rfind("\n") + 1 :].split(",")
        if len(last) != len(columns) or not all(_is_number(cell) for cell in last[1:]):
            raise DatasetError(file, "a last line that is whole", "a file that is cut off", hint)
        notes = ("the last line does not end and may be cut: left out",)
    if not body.strip():
        return None
    time, *rest = _columns(body, columns, ("time", *group), file, hint)
    if len(time) < 2:
        return None
    return Timed(_seconds(time, file), np.stack(rest, axis=1).astype(np.float64), notes)


def _header(text: str, file: str, names: Sequence[Sequence[str]], hint: str) -> tuple[list[str], Sequence[str], str]:
    """The file's columns in its order, those of ``names`` that it has, and the text after the header, if any."""
    first, _, rest = text.partition("\n")
    cells = [cell.strip().strip('"').strip().lower() for cell in first.split(",")]
    width = len(names[0]) + 1
    if not text.strip():
        return ["time", *names[0]], names[0], ""
    if len(cells) != width:
        raise DatasetError(file, f"{width} columns: time, {', '.join(names[0])}", f"{len(cells)} columns", hint)
    if all(_is_number(cell) for cell in cells[1:]):
        return ["time", *names[0]], names[0], text
    columns = ["time" if cell in TIME_NAMES else cell for cell in cells]
    group = next((group for group in names if sorted(columns) == sorted(["time", *group])), None)
    if group is None:
        wanted = " or ".join(", ".join(["time", *group]) for group in names)
        raise DatasetError(file, f"the columns {wanted}", ", ".join(cells), hint)
    return columns, group, rest


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip() or "nan")
    except ValueError:
        return False
    return "_" not in cell  # Python reads 1_000, a csv does not


def _columns(body: str, columns: list[str], order: Sequence[str], file: str, hint: str) -> list[NDArray[np.generic]]:
    """The columns ``order`` of ``body``, whose columns are ``columns``: time stamps as text, others as float64."""
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.string() if name == "time" else pa.float64() for name in columns}
    try:
        table = csv.read_csv(
            io.BytesIO(body.encode()),
            read_options=csv.ReadOptions(use_threads=False, column_names=columns),
            convert_options=csv.ConvertOptions(column_types=types),
        )
    except pa.ArrowException as error:
        raise DatasetError(file, "a table of a time stamp and numbers", f"{error}", hint) from error
    return [table.column(name).to_numpy() for name in order]


def _seconds(stamps: NDArray[np.generic], file: str) -> NDArray[np.float64]:
    """Seconds of the time stamps (n,) of text, by the rules on top of this module."""
    import pyarrow as pa
    from pyarrow import compute as pc

    text = pa.array(stamps, pa.string())
    try:
        numbers = np.asarray(text.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowInvalid:
        numbers = None
    if numbers is None:
        try:
            iso = pc.replace_substring_regex(text, _DATE, r"\1-\2-\3 \4\5")  # type: ignore[attr-defined]
            whole = iso.cast(pa.timestamp("ns"))
        except pa.ArrowInvalid as error:
            example = next((str(s) for s in stamps.tolist() if not re.match(_DATE, str(s))), str(stamps[0]))
            hint = "Write them as 2018-11-21 16:29:25.123, or all as numbers."
            raise DatasetError(file, "time stamps that are dates with a time", repr(example), hint) from error
        return np.asarray(whole.cast(pa.int64()).to_numpy(zero_copy_only=False), np.float64) * 1e-9
    if not np.isfinite(numbers).all():
        raise DatasetError(file, "a time stamp in every row", "some absent or not finite", "Take these rows out.")
    return numbers * _unit(numbers, file)


def _unit(numbers: NDArray[np.float64], file: str) -> float:
    """Seconds of one unit of numeric time stamps, or ``DatasetError``."""
    steps = np.diff(numbers)
    forward = steps[steps > 0]
    step = float(np.median(forward)) if len(forward) else 0.0
    fitting = [unit for unit in (1.0, 1e-3, 1e-6, 1e-9) if STEPS_S[0] <= step * unit <= STEPS_S[1]]
    hint = "Write time stamps as seconds or milliseconds, or as dates such as 2018-11-21 16:29:25.123."
    if not fitting:
        given = f"steps of {step:g} in the median"
        raise DatasetError(file, "time stamps in s, ms, us or ns of a sensor of 5 to 400 Hz", given, hint)
    if abs(float(numbers[0])) * fitting[0] > LAST_S:
        raise DatasetError(file, "time stamps before the year 2100", f"{numbers[0]:.0f}: a date in digits?", hint)
    return fitting[0]


def uniform(table: Timed, file: str, rate_hz: float, *, longest_s: float, hint: str, circle: bool = False) -> Uniform:
    """The rows on a uniform clock, by ``signal.regularize``, at ``rate_hz`` if that is about the rate they have.

    Rows that come up to ``LATE_S`` too late are put where they belong, and of equal time stamps the first is kept;
    where more than ``REPEATED`` of them are equal, the rows are spread evenly from the first to the last. A rate that
    is further than ``RATE_TOLERANCE`` from ``rate_hz`` is used as it was measured. Pauses of more than ``MAX_GAP_S``
    and rows with NaN are missing. Each of these is a note. ``circle``: values are degrees, turned on over 360.
    Raises ``DatasetError`` for a clock that starts again, for more than ``longest_s`` and where half is missing.
    """
    times, values, notes = ordered(table.seconds, table.values, file, hint)
    span = float(times[-1] - times[0])
    steps = np.diff(times)
    pauses = steps > MAX_GAP_S
    running = span - float(steps[pauses].sum())
    rate = float((~pauses).sum()) / running if running > 0 else 0.0
    if span > longest_s or not 1 / STEPS_S[1] <= rate <= 1 / STEPS_S[0]:
        given = f"{len(times)} samples over {span:.3g} s with {int(pauses.sum())} pauses"
        expected = f"a clip of at most {longest_s:g} s at {1 / STEPS_S[1]:g} to {1 / STEPS_S[0]:g} Hz"
        raise DatasetError(file, expected, given, hint)
    if abs(rate / rate_hz - 1) > RATE_TOLERANCE:
        notes.append(f"sampled at {rate:.4g} Hz, not at the nominal {rate_hz:g} Hz")
    else:
        rate = rate_hz
    if circle:
        values = _unwound(values)
    even, start, missing = regularize(values, times, rate, max_gap_s=MAX_GAP_S)
    if missing.mean() > 0.5:
        raise DatasetError(file, "samples for half of the clip at least", f"{missing.mean():.0%} missing", hint)
    whole = np.isfinite(table.values).all(axis=1)
    if circle:
        low = np.where(table.values[whole].min(axis=0) >= 0, 0.0, -180.0)
        even = (even - low) % 360.0 + low
    bad = int((~whole).sum())
    if bad:
        notes.append(f"{bad} of {len(table.values)} rows are not finite: marked as missing")
    if pauses.any():
        notes.append(f"{int(pauses.sum())} pauses of up to {float(steps.max()):.3g} s: marked as missing")
    return Uniform(even, start, rate, missing, (*table.notes, *notes))


def ordered(
    seconds: NDArray[np.float64], values: NDArray[np.float64], file: str, hint: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Times that increase, the values at them, and notes on what had to be done."""
    notes: list[str] = []
    back = float((np.maximum.accumulate(seconds) - seconds).max())
    if back > LATE_S:
        raise DatasetError(file, "time stamps that go forward", f"a clock that goes back by {back:.3g} s", hint)
    if back > 0:
        notes.append(f"rows up to {back * 1e3:.0f} ms out of order: sorted by time")
    order = np.argsort(seconds, kind="stable")
    seconds, values = seconds[order], values[order]
    first = np.r_[True, np.diff(seconds) > 0]
    repeated = len(seconds) - int(first.sum())
    if repeated > REPEATED * len(seconds) and seconds[-1] > seconds[0]:
        notes.append(f"{repeated} of {len(seconds)} time stamps are repeated: the rows are spread evenly over the clip")
        return np.linspace(seconds[0], seconds[-1], len(seconds)), values, notes
    if repeated:
        notes.append(f"{repeated} time stamps are repeated: the first row of each is kept")
    return seconds[first], values[first], notes


def _unwound(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles (n, axes) without their jumps at the end of the circle, so that a line between two samples makes sense."""
    out = degrees.copy()
    whole = np.isfinite(degrees).all(axis=1)
    out[whole] = np.unwrap(degrees[whole], axis=0, period=360.0)
    return out
