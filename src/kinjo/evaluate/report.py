"""Result rows: every figure that is shown anywhere is a row of a JSON list, written by the command that measured it."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from kinjo import __version__

Row = dict[str, Any]

_ORDER = (
    *("id", "value", "unit", "ci95", "seeds", "baseline", "protocol", "trained_on"),
    *("command", "commit", "date", "kinjo", "machine"),
)
_NEEDED = ("id", "value", "unit", "command", "commit", "date")
_PATH = re.compile(r"(?<![\w.:/])~?/[\w.-]+/[\w.-]|(?<!\w)[A-Za-z]:\\\w|(?<![\w.:/])/(?:home|root|tmp|work)\b")
_DIGITS = 6


def row(
    id: str,
    value: float,
    unit: str,
    *,
    command: str,
    protocol: str = "",
    trained_on: str = "nothing",
    ci95: Sequence[float] | None = None,
    seeds: int | None = None,
    baseline: Mapping[str, float] | None = None,
    machine: str | None = None,
    **more: Any,
) -> Row:
    """One result: ``value`` in ``unit`` (``"fraction"``, ``"x"``, ``"episodes/s"``), and what is needed to trust it.

    ``ci95`` is (low, high), ``seeds`` their number, ``baseline`` figures of others from the same run, ``command`` what
    rebuilds the row, ``machine`` for speeds (see ``describe_machine``). ``more`` holds further JSON values. Commit,
    date (UTC) and kinjo's version are filled in. Raises ``ValueError`` for a number that is not finite, an interval
    that is upside down, or a path of this machine.
    """
    out: Row = {"id": id, "value": value, "unit": unit}
    if ci95 is not None:
        out["ci95"] = list(ci95)
    if seeds is not None:
        out["seeds"] = seeds
    if baseline is not None:
        out["baseline"] = dict(baseline)
    out |= {"protocol": protocol, "trained_on": trained_on, "command": command, "commit": commit()}
    out |= {"date": datetime.now(UTC).date().isoformat(), "kinjo": __version__}
    if machine is not None:
        out["machine"] = machine
    return _checked(out | more)


def keep(path: Path, values: Any) -> None:
    """Write plain JSON types to ``path`` in one step; numbers with five digits."""
    text = json.dumps(json.loads(json.dumps(values), parse_float=lambda x: round(float(x), 5)), indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Merge ``rows`` by id into the JSON list at ``path`` (made where absent): same id replaced, others kept.

    The file is replaced in one step, sorted by id, formatted alike every time. Raises ``ValueError`` for a bad row, an
    id given twice, or a file that is not a list of rows.
    """
    fresh = [_checked(r) for r in rows]
    _unique(fresh, "the rows to write")
    known = {r["id"]: r for r in (_read(path) if path.exists() else [])} | {r["id"]: r for r in fresh}
    text = json.dumps([known[i] for i in sorted(known)], indent=2, ensure_ascii=False, allow_nan=False)
    # short lists of numbers on one line
    text = re.sub(r"\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+){0,7})\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_rows(folder: Path) -> list[Row]:
    """All rows of all ``*.json`` in ``folder``, sorted by id. Raises ``ValueError`` where two files hold one id."""
    rows = [r for path in sorted(folder.glob("*.json")) for r in _read(path)]
    _unique(rows, f"the files of {folder.name}")
    return sorted(rows, key=lambda r: r["id"])


def markdown_table(rows: Sequence[Row], digits: int = 3) -> str:
    """A table for README and docs: figure, value with its interval, baselines, and what must be said beside it."""
    lines = ["| id | value | baselines | seeds | protocol | trained on |", "|---|---|---|---|---|---|"]
    for r in rows:
        value = _number(r["value"], digits) + ("" if r["unit"] in ("fraction", "") else f" {r['unit']}")
        if r.get("ci95"):
            value += f" [{', '.join(_number(v, digits) for v in r['ci95'])}]"
        others = ", ".join(f"{name} {_number(v, digits)}" for name, v in r.get("baseline", {}).items())
        cells = [f"`{r['id']}`", value, others, r.get("seeds", ""), r.get("protocol", ""), r.get("trained_on", "")]
        lines.append("| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"


def _number(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@cache
def commit() -> str:
    """``git describe`` of the checkout this kinjo runs from, ``-dirty`` with changes outside benchmarks/results.

    ``"unknown"`` where kinjo is installed, or git or a commit is missing. Asked once per process, so the rows of one
    run agree.
    """
    package = Path(__file__).resolve().parents[1]

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(package), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        top = Path(git("rev-parse", "--show-toplevel")).resolve()
        if top / "src" / "kinjo" != package:  # installed into some other repository
            return "unknown"
        name = git("describe", "--always")
        changed = git("status", "--porcelain", "--", f"{top}", f":(exclude){top / 'benchmarks' / 'results'}")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name}-dirty" if changed else name


def describe_machine(threads: int | None = None) -> str:
    """Processor, cores and, if given, threads used: what a speed must be read with."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
        name = found[1].strip() if found else name
    used = "" if threads is None else f", {threads} thread{'' if threads == 1 else 's'} used"
    return f"{name}, {os.cpu_count()} cores{used}, {platform.system()}, Python {platform.python_version()}"


def _checked(given: Row) -> Row:
    """The row in the usual order, numbers rounded; raises ``ValueError`` where it breaks a rule."""
    lacking = [key for key in _NEEDED if given.get(key) in (None, "")]
    if lacking:
        raise ValueError(f"row {given.get('id', '?')!r} lacks {', '.join(lacking)}: build it with report.row(...)")
    out = {key: _plain(given[key], f"{given['id']}: {key}") for key in _ORDER if key in given}
    out |= {key: _plain(given[key], f"{given['id']}: {key}") for key in sorted(set(given) - set(_ORDER))}
    if isinstance(out["value"], bool) or not isinstance(out["value"], int | float):
        raise ValueError(f"{out['id']}: value is one number, given {out['value']!r}")
    if "ci95" in out and (len(out["ci95"]) != 2 or out["ci95"][0] > out["ci95"][1]):
        raise ValueError(f"{out['id']}: ci95 is [low, high], given {out['ci95']}")
    return out


def _plain(value: Any, where: str) -> Any:
    """JSON types only; numbers finite and to six significant digits; no path of this machine."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, where) for v in value]
    if hasattr(value, "item") and not isinstance(value, str):  # a NumPy or torch scalar
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: {value} is not a finite number; a figure that failed is not a row")
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, str):
        if _PATH.search(value):
            raise ValueError(f"{where}: {value!r} names a path of this machine; give it relative to the project")
        return value
    if value is None or isinstance(value, bool | int):
        return value
    raise ValueError(f"{where}: {type(value).__name__} has no place in a JSON row")


def _read(path: Path) -> list[Row]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path.name} is not JSON ({error}): mend or remove it, then run its benchmark again"
        ) from error
    if not isinstance(rows, list) or not all(isinstance(r, dict) and "id" in r for r in rows):
        raise ValueError(
            f"{path.name} is not a list of rows with an id: mend or remove it, then run its benchmark again"
        )
    _unique(rows, path.name)
    return rows


def _unique(rows: Sequence[Row], where: str) -> None:
    ids = [r["id"] for r in rows]
    double = sorted({i for i in ids if ids.count(i) > 1})
    if double:
        raise ValueError(f"{where}: more than one row for {', '.join(double)}; an id has one row")
