"""Find moments in a corpus: a sentence, a recording or another moment asks, windows of every modality answer.

    model = Recognizer.load("model.safetensors")
    for moment in model.search("somebody squats slowly", "gym-corpus"):
        print(moment.recording, moment.start_s, moment.score)

Every window has a vector of the joint space for each modality that it holds. So words find a video without sensors,
and what a watch measured finds a video. The vectors are computed once for a model and a corpus (``finder``) and kept on
disk. A window's score is made of its modalities' cosines with the query: half their mean, half the highest. All windows
are compared, nothing is approximated. Windows that answer alike and touch are one moment: ten answers are ten different
moments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.corpus import Corpus, WindowIndex
from kinjo.recording import Recording, Segment

CHUNK = 16384
"""Windows compared at once, where they lie in a file."""
SHARE = 0.7
"""A moment grows over the windows beside its best one that have at least this share of its score."""
TOUCH_S = 1e-6
"""Spans that are no further apart touch."""


@dataclass(frozen=True)
class Moment:
    """``[start_s, end_s)`` of a recording. ``score``: of its best window, 1 at most; ``modality``: which of that window
    is nearest to the query; ``label`` and ``description``: of the segment that shares most with it, "" if none does.
    """

    recording: str
    start_s: float
    end_s: float
    score: float = 0.0
    modality: str = ""
    label: str = ""
    description: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


Query = str | Recording | tuple[Recording, tuple[float, float]] | Moment | NDArray[np.floating[Any]]
"""A sentence, a recording, a part of one (from, to in seconds), a moment of the corpus, or a vector (d,)."""


# ------------------------------------------------------------------------------------------------ ranking
def peaks(
    scores: ArrayLike, windows: WindowIndex, k: int, *, least: float = -np.inf, share: float = SHARE
) -> list[tuple[int, int, int]]:
    """Up to ``k`` moments as (best, first, last) window, by the score of the best, highest first.

    A moment holds the windows beside its best that have ``share`` of its score or more; those that overlap or touch it
    are out. ``scores`` (n,): minus infinity where a window may not answer. Moments below ``least`` are left out.
    """
    left, out = np.array(scores, np.float64), []
    start, end, of = windows.start_s, windows.end_s, windows.recording
    edges = np.flatnonzero(np.r_[True, (of[1:] != of[:-1]) | (start[1:] > end[:-1] + TOUCH_S), True])
    while len(out) < k and len(left):
        best = int(left.argmax())
        if not (top := left[best]) > -np.inf or top < least:
            break
        at = int(np.searchsorted(edges, best, "right"))
        low, high = int(edges[at - 1]), int(edges[at])
        weak = np.flatnonzero(left[low:high] < (share * top if top > 0 else top)) + low
        before, after = weak[weak < best], weak[weak > best]
        first, last = int(before[-1]) + 1 if len(before) else low, int(after[0]) - 1 if len(after) else high - 1
        near = (start[low:high] <= end[last] + TOUCH_S) & (end[low:high] >= start[first] - TOUCH_S)
        left[low:high][near] = -np.inf
        out.append((best, first, last))
    return out


@dataclass(frozen=True)
class Index:
    """The windows of a corpus with their vectors: modality -> blocks (rows, d), together a row for each window.

    Rows have unit length, or are zero where a window lacks the modality. Windows of a recording lie together, in the
    order of time.
    """

    corpus: Corpus
    windows: WindowIndex
    vectors: Mapping[str, Sequence[NDArray[np.floating[Any]]]]

    def __len__(self) -> int:
        return len(self.windows)

    @cached_property
    def present(self) -> dict[str, NDArray[np.bool_]]:
        """modality -> (windows,) whether a window has it."""
        return {m: np.concatenate([block.any(1) for block in blocks]) for m, blocks in self.vectors.items()}

    def scores(
        self, query: ArrayLike, modality: str | Collection[str] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
        """Of every window (n,): half the mean, half the highest of the cosines of a vector (d,) with ``modality`` (one,
        several, None: all), and which of them is nearest. Minus infinity where a window has none of them.

        Plain cosines, so that a modality that knows little says little; scaled to one spread it would shout as loud.
        """
        asked = list(self.vectors) if modality is None else [modality] if isinstance(modality, str) else list(modality)
        unknown = [m for m in asked if m not in self.vectors]
        if unknown or not asked:
            what = unknown[0] if unknown else "any modality"
            has = ", ".join(self.vectors) or "nothing"
            raise ValueError(f"{self.corpus.root}: no window with {what} that this model reads; they have {has}")
        q = np.array(query, np.float32)
        size = next(iter(self.vectors.values()))[0].shape[1]
        if q.shape != (size,) or not (np.isfinite(q).all() and q.any()):
            raise ValueError(f"a query is a vector of {size} finite numbers that are not all 0, given {q.shape}")
        q /= np.float32(np.linalg.norm(q))
        total, number = np.zeros(len(self), np.float32), np.zeros(len(self), np.float32)
        highest, nearest = np.full(len(self), -np.inf, np.float32), np.zeros(len(self), np.int8)
        for i, m in enumerate(asked):
            cosines = np.concatenate([_times(block, q) for block in self.vectors[m]])
            total += cosines  # rows of zeros add nothing
            number += self.present[m]
            cosines[~self.present[m]] = -np.inf
            nearest[cosines > highest] = i
            np.maximum(highest, cosines, out=highest)
        score = np.asarray((total / np.maximum(number, 1) + highest) / 2, np.float32)
        return score, np.array(asked)[nearest]

    def search(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        modality: str | Collection[str] | None = None,
        recordings: Collection[str] | None = None,
        subjects: Collection[str] | None = None,
        min_score: float | None = None,
        without: Moment | None = None,
        own: bool = False,
    ) -> list[Moment]:
        """The ``k`` moments nearest to a vector (d,), best first; fewer where there are no more.

        Only windows of ``recordings`` and ``subjects`` answer (None: all), by ``modality``. ``without``: a moment that
        asked, whose recording does not answer; with ``own`` the rest of it does. ``ValueError`` and ``CorpusError``
        for a modality, a subject or a recording that is not there.
        """
        if k < 1:
            raise ValueError(f"k is how many moments are wanted, at least 1, given {k}")
        scores, nearest = self.scores(query, modality)
        scores[~self._asked(recordings, subjects)] = -np.inf
        if without is not None:
            mine = self.windows.recording == self.corpus.number(without.recording)
            if own:
                mine &= (self.windows.start_s < without.end_s) & (self.windows.end_s > without.start_s)
            scores[mine] = -np.inf
        found = peaks(scores, self.windows, k, least=-np.inf if min_score is None else min_score)
        return [self._moment(*rows, float(scores[rows[0]]), str(nearest[rows[0]])) for rows in found]

    def vector(self, moment: Moment) -> NDArray[np.float32]:
        """The mean over the windows whose middle lies in a moment (the nearest window, if none does), unit length."""
        w = self.windows
        mine = np.flatnonzero(w.recording == self.corpus.number(moment.recording))
        middle = (w.start_s[mine] + w.end_s[mine]) / 2
        rows = mine[(middle >= moment.start_s) & (middle < moment.end_s)]
        if not len(rows):
            rows = mine[[np.abs(middle - (moment.start_s + moment.end_s) / 2).argmin()]]
        return mean_vector(
            {m: self.rows(m, rows) for m in self.vectors}, f"'{moment.recording}' at {moment.start_s:.1f} s"
        )

    def rows(self, modality: str, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Vectors of some windows, (rows, d); ``rows`` ascend."""
        blocks = self.vectors[modality]
        edges = np.cumsum([0, *(len(b) for b in blocks)])
        return np.concatenate(
            [np.asarray(b[rows[(rows >= e) & (rows < f)] - e], np.float32)
             for b, (e, f) in zip(blocks, pairwise(edges.tolist()), strict=True)]
        )  # fmt: skip

    def _asked(self, recordings: Collection[str] | None, subjects: Collection[str] | None) -> NDArray[np.bool_]:
        """(windows,) which may answer."""
        allowed = np.ones(len(self.corpus), bool)
        if recordings is not None:
            wanted = [recordings] if isinstance(recordings, str) else list(recordings)
            allowed[:] = False
            allowed[[self.corpus.number(id) for id in wanted]] = True
        if subjects is not None:
            wanted = [subjects] if isinstance(subjects, str) else list(subjects)
            who = self.corpus.table.subjects.astype(str)
            if unknown := sorted(set(wanted) - set(who.tolist())):
                raise ValueError(f"{self.corpus.root}: no recording of subject '{unknown[0]}'")
            allowed &= np.isin(who, wanted)
        return allowed[self.windows.recording]

    def _moment(self, best: int, first: int, last: int, score: float, modality: str) -> Moment:
        entry = self.corpus.entries[int(self.windows.recording[best])]
        start, end = _span(self.windows, best, first, last)
        end = min(end, entry.end_s)

        def shared(segment: Segment) -> float:
            return min(segment.end_s, end) - max(segment.start_s, start)

        segment = max((s for s in entry.segments if shared(s) > 0), key=shared, default=None)
        label, description = ("", "") if segment is None else (segment.label, segment.description)
        return Moment(entry.id, start, end, score, modality, label, description)


def _span(w: WindowIndex, best: int, first: int, last: int) -> tuple[float, float]:
    """Seconds of a moment: its best window, and of those beside it what is nearer to their middles than to others'.

    A window in which something begins shows it in its second half: whole ones would say too much.
    """
    start, end = w.start_s[first], w.end_s[last]

    def between(i: int) -> float:
        """Half way from the middle of a window to that of the next."""
        return (w.start_s[i] + w.end_s[i] + w.start_s[i + 1] + w.end_s[i + 1]) / 4

    if first > 0 and w.recording[first - 1] == w.recording[first]:
        start = max(start, between(first - 1))
    if last + 1 < len(w) and w.recording[last + 1] == w.recording[last]:
        end = min(end, between(last))
    return float(min(start, w.start_s[best])), float(max(end, w.end_s[best]))


def _times(block: NDArray[np.floating[Any]], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of rows with a vector, a chunk at a time where they have to be converted."""
    if block.dtype == np.float32:
        return np.asarray(block @ query, np.float32)
    out = np.empty(len(block), np.float32)
    for i in range(0, len(block), CHUNK):
        out[i : i + CHUNK] = np.asarray(block[i : i + CHUNK], np.float32) @ query
    return out


def mean_vector(vectors: Mapping[str, NDArray[np.float32]], what: str) -> NDArray[np.float32]:
    """Of all rows that are not missing, over all modalities, at unit length; ``ValueError`` where there is none."""
    total = np.sum([x.sum(0) for x in vectors.values()], axis=0, dtype=np.float32)
    if not total.any():
        raise ValueError(f"{what}: too short, or lacks the samples that the model reads: name a longer part")
    return np.asarray(total / np.float32(np.linalg.norm(total)))
