"""The leakage audit: whatever two parts of a split have in common, found in the lists and in the numbers themselves.

Content is compared bit by bit without regard to ids, names, rates or offsets: every run of ``RUN`` samples gets a
rolling hash, and of every few neighbours the smallest is kept (winnowing), so that any shared run of
``RUN + thin - 1`` samples meets itself, wherever it begins. Runs that hardly change (a sensor at rest) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from re import fullmatch
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinjo.corpus.splits import Split
from kinjo.corpus.store import Corpus, RecordingEntry, StreamEntry

Kind = Literal["recording", "subject", "interval", "twin", "content"]

RUN = 32
"""Samples in a run whose content is compared: 0.64 s at 50 Hz, about 1 s of pose."""

_LEAST, _THIN, _COPIES, _BUDGET = 8, 8, 16, 8 << 20
_ODD = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))


@dataclass(frozen=True)
class Overlap:
    """Something that two parts share. ``a`` and ``b`` name recordings (for ``subject`` the subject, twice).

    ``seconds`` is how long the shared span is, where that has a meaning. ``declared``: the split shares it on purpose.
    """

    kind: Kind
    part_a: str
    part_b: str
    a: str
    b: str
    detail: str
    seconds: float = 0.0
    declared: bool = False


def audit(corpus: Corpus, split: Split) -> list[Overlap]:
    """Every overlap between the parts of ``split``, leaks first. An empty list, or declared ones alone, is clean.

    Kinds: ``recording`` (one id in two parts), ``subject``, ``twin`` (one moment seen twice), ``interval`` (the same
    source at overlapping times; a source ``file#t=10,20`` is read as seconds 10 to 20 of ``file``) and ``content``
    (bit-identical imu or pose samples, or the same video file). Reads all numbers of the split once.
    Raises ``CorpusError`` where the split names recordings that the corpus does not have.
    """
    parts = {part: [corpus.number(id) for id in ids] for part, ids in split.parts.items()}
    found: list[Overlap] = []
    for a, b in combinations(parts, 2):
        one, two = ([corpus.entries[k] for k in parts[part]] for part in (a, b))
        found += _same_ids(a, b, one, two)
        found += _same_subjects(a, b, one, two)
        found += _same_twins(a, b, one, two)
        found += _same_intervals(a, b, one, two)
    found += _same_video(corpus, parts)
    found += _same_numbers(corpus, parts)
    shared = set(split.shared)
    marked = [Overlap(**{**asdict(o), "declared": o.kind in shared}) for o in found]
    return sorted(marked, key=lambda o: (o.declared, o.kind, o.part_a, o.part_b, o.a, o.b, o.detail))


def leaks(overlaps: Sequence[Overlap]) -> list[Overlap]:
    """The overlaps that the split did not declare."""
    return [overlap for overlap in overlaps if not overlap.declared]


def to_json(overlaps: Sequence[Overlap]) -> str:
    """The report for machines: counts and every overlap."""
    rows = [asdict(overlap) for overlap in overlaps]
    return json.dumps({"leaks": len(leaks(overlaps)), "overlaps": rows}, indent=1, ensure_ascii=False) + "\n"


def to_text(overlaps: Sequence[Overlap], *, limit: int = 20) -> str:
    """The report for people: one line per overlap, ``limit`` lines at most, and the verdict."""
    bad = leaks(overlaps)
    verdict = f"{len(bad)} leaks, {len(overlaps) - len(bad)} declared overlaps" if overlaps else "no overlap"
    lines = [
        f"{'declared' if o.declared else 'LEAK':<9}{o.kind:<10}{o.part_a} | {o.part_b}: "
        + (o.a if o.a == o.b else f"{o.a} | {o.b}")
        + (f" ({o.detail}{f', {o.seconds:.1f} s' if o.seconds else ''})")
        for o in overlaps[:limit]
    ]
    if len(overlaps) > limit:
        lines.append(f"... and {len(overlaps) - limit} more")
    return "\n".join([*lines, verdict])


Entries = Sequence[RecordingEntry]
Hashes = NDArray[np.uint64]
_Job = tuple[str, int, StreamEntry]  # part, number of the recording, stream


def _same_ids(a: str, b: str, one: Entries, two: Entries) -> Iterator[Overlap]:
    for id in sorted({e.id for e in one} & {e.id for e in two}):
        yield Overlap("recording", a, b, id, id, "the same recording in both parts")


def _same_subjects(a: str, b: str, one: Entries, two: Entries) -> Iterator[Overlap]:
    for subject in sorted({e.subject for e in one} & {e.subject for e in two}):
        count = [sum(e.subject == subject for e in part) for part in (one, two)]
        told = "nobody knows who: cannot be told apart" if subject == "unknown" else "the same subject"
        yield Overlap("subject", a, b, subject, subject, f"{told}, {count[0]} and {count[1]} recordings")


def _same_twins(a: str, b: str, one: Entries, two: Entries) -> Iterator[Overlap]:
    groups: dict[str, list[RecordingEntry]] = {}
    for entry in two:
        if entry.twin:
            groups.setdefault(entry.twin, []).append(entry)
    for entry in one:
        for other in groups.get(entry.twin, []):
            if other.id != entry.id:
                yield Overlap("twin", a, b, entry.id, other.id, f"both saw the moment '{entry.twin}'")


def _span(entry: RecordingEntry) -> tuple[str, float, float]:
    """(source, begin, end): the span of the source that a recording covers, in seconds of the source."""
    cut = fullmatch(r"(.*)#t=([0-9.]+)(?:,([0-9.]+))?", entry.source)
    if not cut:
        return entry.source, entry.begin_s, entry.end_s
    begin = float(cut[2])
    return cut[1], begin, float(cut[3]) if cut[3] else begin + entry.end_s


def _same_intervals(a: str, b: str, one: Entries, two: Entries) -> Iterator[Overlap]:
    sources: dict[str, list[tuple[float, float, RecordingEntry]]] = {}
    for entry in two:
        source, begin, end = _span(entry)
        if source:
            sources.setdefault(source, []).append((begin, end, entry))
    for entry in one:
        source, begin, end = _span(entry)
        for other_begin, other_end, other in sources.get(source, []):
            shared = min(end, other_end) - max(begin, other_begin)
            if shared > 1e-6 and other.id != entry.id:
                yield Overlap(
                    "interval", a, b, entry.id, other.id, f"overlapping times of '{source}'", round(shared, 3)
                )


def _same_video(corpus: Corpus, parts: dict[str, list[int]]) -> Iterator[Overlap]:
    """Video files that are equal to the byte."""
    owners: dict[str, list[tuple[str, RecordingEntry]]] = {}
    for part, numbers in parts.items():
        for entry in (corpus.entries[k] for k in numbers):
            for stream in entry.streams:
                if stream.video:
                    digest = corpus.manifest["files"][stream.video]["sha256"]
                    owners.setdefault(digest, []).append((part, entry))
    for group in owners.values():
        for (a, one), (b, two) in combinations(group, 2):
            if a != b and one.id != two.id:
                yield Overlap("content", a, b, one.id, two.id, "the same video file")


def _same_numbers(corpus: Corpus, parts: dict[str, list[int]]) -> Iterator[Overlap]:
    """Runs of imu and pose samples that are equal to the bit, joined to one overlap per pair of streams."""
    jobs = [
        (part, number, entry)
        for part, numbers in parts.items()
        for number in numbers
        for entry in corpus.entries[number].streams
        if entry.contract.modality in ("imu", "pose")
    ]
    thin = _THIN
    while sum(entry.length for _, _, entry in jobs) // thin > _BUDGET:
        thin *= 2
    hashes, owner, at = _table(corpus, jobs, thin)
    if len(hashes) == 0:
        return
    order = np.argsort(hashes, kind="stable")
    hashes, owner, at = hashes[order], owner[order], at[order]
    part = np.array([list(parts).index(name) for name, _, _ in jobs])[owner]
    edges = np.concatenate([[0], np.flatnonzero(hashes[1:] != hashes[:-1]) + 1, [len(hashes)]])
    low, high = np.minimum.reduceat(part, edges[:-1]), np.maximum.reduceat(part, edges[:-1])
    pairs: dict[tuple[int, int], list[int]] = {}
    for group in np.flatnonzero(low != high):
        rows = slice(edges[group], edges[group + 1])
        places = dict(zip(owner[rows][::-1].tolist(), at[rows][::-1].tolist(), strict=True))
        for x, y in combinations(_few(jobs, sorted(places)), 2):
            if jobs[x][0] != jobs[y][0] and jobs[x][1] != jobs[y][1]:
                pairs.setdefault((x, y), []).append(places[x])
    for (x, y), starts in pairs.items():
        yield _content(corpus, jobs[x], jobs[y], max(starts) - min(starts) + RUN)


def _few(jobs: Sequence[_Job], chosen: Sequence[int]) -> list[int]:
    """At most ``_COPIES`` streams of each part: a run that is everywhere is reported, but not as every pair."""
    counts: dict[str, int] = {}
    kept: list[int] = []
    for job in chosen:
        counts[jobs[job][0]] = counts.get(jobs[job][0], 0) + 1
        if counts[jobs[job][0]] <= _COPIES:
            kept.append(job)
    return kept


def _content(corpus: Corpus, x: _Job, y: _Job, samples: int) -> Overlap:
    (a, one, stream), (b, two, other) = x, y
    seconds = round(min(samples, stream.length) / stream.contract.rate_hz, 3)
    detail = f"identical samples in {stream.name} and {other.name}"
    return Overlap("content", a, b, corpus.entries[one].id, corpus.entries[two].id, detail, seconds)


def _table(corpus: Corpus, jobs: Sequence[_Job], thin: int) -> tuple[Hashes, NDArray[np.int64], NDArray[np.int64]]:
    """(hash, index of the job, first sample) of every kept run of every stream."""
    hashes, owners, places = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    step = 1 << 16
    for job, (_, _, entry) in enumerate(jobs):
        read = corpus.stream(entry).read
        for start in range(0, max(entry.length - RUN + 1, 1), step):
            kept, at = fingerprints(read(start, min(start + step + RUN + thin - 2, entry.length)), thin)
            hashes.append(kept)
            owners.append(np.full(len(kept), job, np.int64))
            places.append(at + start)
    return np.concatenate(hashes), np.concatenate(owners), np.concatenate(places)


def fingerprints(values: NDArray[np.float32], thin: int = _THIN) -> tuple[Hashes, NDArray[np.int64]]:
    """Hashes of runs of ``RUN`` samples of ``(n, ...)`` float32, thinned out, and the sample at which each begins.

    Equal runs give equal hashes wherever they stand. Runs in which fewer than half of the steps change are left out.
    A stream shorter than ``RUN`` is one run; under ``_LEAST`` samples nothing is compared.
    """
    flat = np.ascontiguousarray(values, np.float32).reshape(len(values), -1)
    length = min(RUN, len(flat))
    if length < _LEAST or flat.shape[1] == 0:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    sample = _mixed(flat.view(np.uint32))
    power = np.cumprod(np.full(len(flat), _ODD, np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(sample * power)])
    back = np.cumprod(np.full(len(flat) - length + 1, _INVERSE, np.uint64))
    run = _scramble((sums[length:] - sums[:-length]) * back)
    moved = np.concatenate([[0], np.cumsum(sample[1:] != sample[:-1])])
    lively = 2 * (moved[length - 1 :] - moved[: len(moved) - length + 1]) >= length - 1
    run = np.where(lively, run, np.uint64(0xFFFFFFFFFFFFFFFF))
    if len(run) > thin:
        lowest = np.lib.stride_tricks.sliding_window_view(run, thin).argmin(1) + np.arange(len(run) - thin + 1)
    else:
        lowest = np.array([run.argmin()])
    at = np.unique(lowest)
    at = at[lively[at]]
    return run[at], at


def _mixed(bits: NDArray[np.uint32]) -> Hashes:
    """One 64-bit hash per row of bits."""
    total = np.zeros(len(bits), np.uint64)
    for column in range(bits.shape[1]):
        total = _scramble(total ^ (bits[:, column].astype(np.uint64) + _ODD))
    return total


def _scramble(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return values ^ (values >> np.uint64(29))
