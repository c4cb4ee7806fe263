"""Fuzz the dataset readers: damage small synthetic files in hundreds of ways; nothing may pass silently.

For every damaged copy the reader runs twice, strictly and with ``skip_bad``, and every value is read. Allowed ends:

* ``error``     a ``DatasetError``, or a ``ContractError`` of ``checks.check``,
* ``skipped``   what is yielded is as in the undamaged files, and the report says what is not,
* ``identical`` every recording, contract and value is as in the undamaged files (a flipped bit in a time stamp).

``crash`` (any other exception) and ``silent`` (other values without a word) count against the bar
``fuzz.readers.silent`` = 0.

Left out, because no reader could notice: damage that gives another valid file where the format has neither checksum
nor redundancy (a digit or whole last rows of an unpacked csv, a number within an unpacked, uncompressed .mat, in a
csv a swap that involves attitude.yaw or rotationRate.z, or of two axes of userAcceleration).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import _official_layouts as layouts
from _damage import AFTER, INSIDE, Damage, DamageFile
from kinjo.checks import check
from kinjo.datasets import DatasetError, load
from kinjo.recording import ContractError, Recording


@dataclass(frozen=True)
class Case:
    """One way to damage one data set: in the files before they are packed, or in one packed or loose file after."""

    kind: str
    dataset: str
    zipped: bool
    inside: Damage | None = None
    after: DamageFile | None = None


def cases(repeats: int) -> Iterator[Case]:
    """All cases, ``repeats`` of each kind and layout; kinds that only a zip has twice as often."""
    for dataset, kinds in INSIDE.items():
        for kind, damage in kinds.items():
            for i in range(repeats):
                yield Case(kind, dataset, zipped=i % 2 == 0 and dataset != "basic_motions", inside=damage)
    for kind, change in AFTER.items():
        for _ in range(repeats):
            for dataset in ("utd_mhad", "motionsense"):
                yield Case(kind, dataset, zipped=True, after=change)


Content = tuple[Recording, dict[str, np.ndarray]]


def read(name: str, root: Path, *, skip_bad: bool, report: list[str]) -> dict[str, Content]:
    """Every recording by id, with all its values; errors pass through. A stream that cannot be read is reported."""
    content = {}
    for recording in load(name, root, only=layouts.IDS[name], skip_bad=skip_bad, report=report):
        values = {}
        for stream in recording.streams.values():
            try:
                values[stream.name] = stream.values()
            except DatasetError as error:
                if not skip_bad:
                    raise
                report.append(str(error))
        if not report:
            check(recording)
        content[recording.id] = (recording, values)
    return content


def same(given: Content, wanted: Content) -> bool:
    """Whether streams that ``given`` has hold what they hold in ``wanted``, with equal contracts and segments."""
    (a, values), (b, reference) = given, wanted
    return a.segments == b.segments and a.subject == b.subject and all(
        name in reference
        and a.streams[name].contract == b.streams[name].contract
        and np.array_equal(value, reference[name])
        for name, value in values.items()
    )  # fmt: skip


def outcome(name: str, root: Path, reference: dict[str, Content], *, skip_bad: bool) -> tuple[str, str]:
    """How one read of damaged files ended: ``(outcome, what was said)``."""
    report: list[str] = []
    try:
        content = read(name, root, skip_bad=skip_bad, report=report)
    except (DatasetError, ContractError) as error:
        return "error", str(error)
    except Exception as error:  # that is what is looked for
        return "crash", f"{type(error).__name__}: {error}"
    if not all(same(content[i], reference[i]) for i in content):
        return "silent", "other values"
    whole = content.keys() == reference.keys() and all(content[i][1].keys() == reference[i][1].keys() for i in content)
    if whole:
        return "identical", ""
    return ("skipped", "; ".join(report)) if report else ("silent", "less, without a word")


def run(repeats: int = 8, seed: int = 0) -> list[dict[str, str]]:
    """Damage, read and judge: one row per case with its kind, layout and outcome, strict and with ``skip_bad``."""
    trees = {name: make() for name, make in layouts.TREES.items()}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        references = {}
        for name, tree in trees.items():
            layouts.write(Path(folder) / name, name, tree, zipped=False)
            references[name] = read(name, Path(folder) / name, skip_bad=False, report=[])
        for number, case in enumerate(cases(repeats)):
            rng = np.random.default_rng([seed, number])
            tree = {archive: dict(files) for archive, files in trees[case.dataset].items()}
            if case.inside:
                case.inside(tree, rng)
            with tempfile.TemporaryDirectory(dir=folder) as root:
                home = layouts.write(Path(root), case.dataset, tree, zipped=case.zipped)
                if case.after:
                    path = home / f"{rng.choice(sorted(tree))}.zip"
                    path.write_bytes(case.after(path.read_bytes(), rng))
                row = {"kind": case.kind, "dataset": case.dataset, "layout": "zip" if case.zipped else "folder"}
                for mode, skip_bad in (("strict", False), ("skip_bad", True)):
                    row[mode], row[f"{mode}_said"] = outcome(
                        case.dataset, Path(root), references[case.dataset], skip_bad=skip_bad
                    )
                rows.append(row)
    return rows


def print_table(rows: list[dict[str, str]]) -> None:
    """Outcomes by data set and kind, on standard output."""
    ends = ("error", "skipped", "identical", "crash", "silent")
    print(f"{'data set: damage':42}{'cases':>6}" + "".join(f"{end:>10}" for end in ends))
    for group in sorted({(row["dataset"], row["kind"]) for row in rows}):
        chosen = [row for row in rows if (row["dataset"], row["kind"]) == group]
        counts = Counter(row[mode] for row in chosen for mode in ("strict", "skip_bad"))
        print(f"{': '.join(group):42}{len(chosen):6}" + "".join(f"{counts[end]:10}" for end in ends))
    for row in rows:
        for mode in ("strict", "skip_bad"):
            if row[mode] in ("crash", "silent"):
                print(f"{row[mode]}: {row['dataset']} {row['layout']} {row['kind']} ({mode}): {row[f'{mode}_said']}")


def main(arguments: list[str] | None = None) -> int:
    """Run all cases, print the table, write the figure; exit status 1 where anything crashed or passed silently."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=8, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fuzz_readers.json")
    parser.add_argument("--data", type=Path, help="not used: real data is never read here")
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    rows = run(given.repeats, given.seed)
    print_table(rows)
    counts = Counter(row[mode] for row in rows for mode in ("strict", "skip_bad"))
    bad = sum("crash" in (r["strict"], r["skip_bad"]) or "silent" in (r["strict"], r["skip_bad"]) for r in rows)
    print(f"{len(rows)} damaged data sets, {bad} crashed or silent, {time.perf_counter() - started:.0f} s")
    from kinjo.evaluate.report import row, write_rows

    protocol = (
        f"{len(rows)} damaged synthetic data sets of the official layouts (utd_mhad, motionsense, basic_motions), read "
        "strictly and with skip_bad; counted: those with another exception than DatasetError or ContractError, or with "
        f"other values without a word; damage that no reader can notice is left out (listed in the file). Outcomes: "
        f"{', '.join(f'{n} {end}' for end, n in sorted(counts.items()))}"
    )
    command = "make bench-fuzz-readers"
    write_rows(given.out, [row("fuzz.readers.silent", bad, "count", command=command, protocol=protocol, seeds=1)])
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
