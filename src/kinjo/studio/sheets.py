"""Results that kinjo's commands wrote, as one kind of row: files of rows, and what ``kinjo evaluate`` writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinjo.studio import files, judging
from kinjo.studio.judging import Judged
from kinjo.studio.opened import CORPUS, walked

LARGEST = 8_000_000
"""Bytes of a file of results."""
MOST_FILES, MOST_ROWS = 300, 5000
NEEDED = "a list of rows with id and value, or what 'kinjo evaluate --json' and '--out' write"
Row = dict[str, Any]


@dataclass(frozen=True)
class Sheet:
    """A file of results. A row has id and value; where they are known unit, ci95, baseline, seeds, protocol,
    trained_on. ``judged``: confusions by the id of their row.
    """

    name: str
    rows: tuple[Row, ...]
    judged: Mapping[str, Judged]


def found(root: Path | None) -> list[str]:
    """The files of results in the data folder, by name; corpora are not looked into."""
    out: list[str] = []
    for at, there in walked(root):
        if CORPUS not in there:
            some = [(at / n).as_posix() for n in there if n.endswith(".json")]
            out += [name for name in some if _is_one(root, name)]
        if len(out) >= MOST_FILES:
            break
    return out[:MOST_FILES]


def _is_one(root: Path | None, name: str) -> bool:
    try:
        return bool(of_file(root, name).rows)
    except Exception:
        return False


def of_file(root: Path | None, name: str) -> Sheet:
    """A file of the data folder. ``Refused``, or ``ValueError`` for one that holds no results."""
    path = files.inside(root, name)
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError(f"{name}: results are files of up to {LARGEST // 1_000_000} MB")
    return sheet(name, path.read_bytes())


def sheet(name: str, content: bytes) -> Sheet:
    """The results in a file. ``ValueError`` where there are none."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: results are {NEEDED}") from error
    rows = _rows(told)
    if not rows:
        raise ValueError(f"{name} holds no results: they are {NEEDED}")
    judged: dict[str, Judged] = {}
    for row in rows:
        if isinstance(row.get("confusion"), Mapping):
            judged[row["id"]] = judging.of_dict(row["confusion"])
    return Sheet(name, tuple(rows[:MOST_ROWS]), judged)


def _rows(told: Any) -> list[Row]:
    """In whichever form they are."""
    if isinstance(told, list):
        return [row for one in told if (row := _row(one)) is not None]
    if not isinstance(told, Mapping):
        return []
    if isinstance(told.get("lines"), list):  # finetune, zeroshot
        people = f"{told.get('windows', '?')} windows of {told.get('subjects', '?')} people"
        lines = [one for one in told["lines"] if isinstance(one, Mapping)]
        return _named(lines, ("input", "budget", "arm"), "macro_f1", people)
    if isinstance(told.get("rows"), list):  # robustness
        people = f"{told.get('windows', '?')} windows of {told.get('subjects', '?')} people"
        lines = [one for one in told["rows"] if isinstance(one, Mapping)]
        return _named(lines, ("perturbation", "level"), "macro_f1", people)
    if isinstance(told.get("left_out"), list):  # unseen
        return [row | {"id": f"{k + 1}: {row['id']}"} for k, one in enumerate(told["left_out"]) for row in _rows(one)]
    if isinstance(told.get("results"), Mapping):  # fewshot
        lines = [{**one, "name": name} for name, one in told["results"].items() if isinstance(one, Mapping)]
        return _named(lines, ("name",), "accuracy", str(told.get("protocol", "")))
    pairs = [(n, one) for n, one in told.items() if isinstance(one, Mapping) and "recall" in one]  # retrieval
    out = [_row({"id": f"{n} R@{k}", "value": v, "protocol": f"{one.get('queries', '?')} queries"})
           for n, one in pairs if isinstance(one["recall"], Mapping) for k, v in one["recall"].items()]  # fmt: skip
    return [row for row in out if row is not None]


def _named(lines: Sequence[Mapping[str, Any]], names: tuple[str, ...], value: str, protocol: str) -> list[Row]:
    out = []
    for one in lines:
        id = ", ".join(str(one[n]) for n in names if one.get(n) not in (None, ""))
        row = _row({**one, "id": id, "value": one.get(value), "unit": "fraction", "protocol": f"{value}; {protocol}"})
        if row is not None:
            out.append(row)
    return out


def _row(given: Any) -> Row | None:
    """One that can be shown; None for anything else."""
    if not isinstance(given, Mapping) or not isinstance(given.get("id"), str) or not _number(given.get("value")):
        return None
    row: Row = {"id": given["id"][:200], "value": float(given["value"]), "unit": str(given.get("unit", ""))[:60]}
    ci, base = given.get("ci95"), given.get("baseline")
    if isinstance(ci, list | tuple) and len(ci) == 2 and all(map(_number, ci)):
        row["ci95"] = [float(ci[0]), float(ci[1])]
    if isinstance(base, Mapping):
        row["baseline"] = {str(n)[:60]: float(v) for n, v in list(base.items())[:12] if _number(v)}
    for name in ("protocol", "trained_on", "seeds", "commit", "date", "command"):
        if given.get(name) not in (None, ""):
            row[name] = str(given[name])[:600]
    if isinstance(given.get("confusion"), Mapping):
        row["confusion"] = given["confusion"]
    return row


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Beside:
    """A row in two files. ``why``: what to know before the difference is believed."""

    id: str
    first: Row
    second: Row
    difference: float
    ci95: tuple[float, float] | None
    why: str


def beside(first: Sheet, second: Sheet) -> list[Beside]:
    """The rows that both have, by id; the difference has an interval where both judged the same recordings."""
    others, out = {row["id"]: row for row in second.rows}, []
    for a in first.rows:
        b = others.get(a["id"])
        if b is None:
            continue
        ci, why = None, "not paired: two runs, no interval of the difference"
        if a["id"] in first.judged and a["id"] in second.judged:
            both = judging.compared(first.judged[a["id"]], second.judged[a["id"]])
            line = next((one for one in both.lines if one[0] == "mean F1"), None)
            if both.paired and line is not None and line[4] is not None:
                ci, why = line[4], "paired: the same recordings, bootstrap over people"
        for name, said in (("unit", "units"), ("protocol", "protocols"), ("trained_on", "training data")):
            if a.get(name, "") != b.get(name, ""):
                why = f"{why}; {said} differ"
        out.append(Beside(a["id"], a, b, a["value"] - b["value"], ci, why))
    return out


def table(rows: tuple[Row, ...]) -> list[Row]:
    """For a page: without confusions."""
    return [{name: value for name, value in row.items() if name != "confusion"} for row in rows]
