"""Labels that people give: laid over what was recognised, kept in SQLite with every step, so that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from kinjo.studio.database import Database, keep_last
from kinjo.timeline import UNKNOWN, Span, Timeline

STEPS = 200
"""How many steps back ``undo`` can go, for each recording."""
_STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS labels "
    "(serial INTEGER PRIMARY KEY AUTOINCREMENT, recording TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_recording ON labels (recording, serial)",
)
Spans = tuple[Span, ...]


class Labels:
    """The labels of recordings, by key; may share the file of the profiles. Any thread may ask."""

    def __init__(self, file: Path | None) -> None:
        self._db = Database(file, "labels", _STATEMENTS)
        self.close = self._db.close

    def of(self, recording: str, start: Sequence[Span] = ()) -> Spans:
        """The labels now; ``start`` where nobody has changed any."""
        with self._db.asked() as db:
            row = db.execute(
                "SELECT body FROM labels WHERE recording = ? ORDER BY serial DESC LIMIT 1", (recording,)
            ).fetchone()
        return tuple(start) if row is None else tuple(Span(*one) for one in json.loads(row[0]))

    def keep(self, recording: str, spans: Sequence[Span]) -> None:
        """New labels of a recording; on the disk when this returns."""
        with self._db.changed() as db:
            db.execute("INSERT INTO labels (recording, body) VALUES (?, ?)", (recording, json.dumps(spans)))
            keep_last(db, "labels", "recording", recording, STEPS)

    def undo(self, recording: str) -> bool:
        """Back to the labels before; whether there were any."""
        with self._db.changed() as db:
            done = db.execute(
                "DELETE FROM labels WHERE serial = (SELECT MAX(serial) FROM labels WHERE recording = ?)", (recording,)
            )
        return done.rowcount > 0


# ------------------------------------------------------------------------------------------------ spans
def cut(spans: Iterable[Span], start_s: float, end_s: float) -> list[Span]:
    """What is left of spans outside ``[start_s, end_s)``; those that are cut lose their count."""
    left: list[Span] = []
    for span in spans:
        if span.end_s <= start_s or span.start_s >= end_s:
            left.append(span)
            continue
        if span.start_s < start_s:
            left.append(span._replace(end_s=start_s, repetitions=None))
        if span.end_s > end_s:
            left.append(span._replace(start_s=end_s, repetitions=None))
    return left


def laid(spans: Iterable[Span], new: Span) -> Spans:
    """With ``new`` over what was there. ``ValueError`` for a span without length or name."""
    if not new.start_s < new.end_s:
        raise ValueError("a label needs a span: drag over one, or mark where it begins and ends")
    if not new.label.strip():
        raise ValueError("a label needs a name")
    return tuple(sorted([*cut(spans, new.start_s, new.end_s), new._replace(label=new.label.strip())]))


def all_laid(spans: Iterable[Span]) -> Spans:
    """One over the other, in their order."""
    out: Spans = ()
    for span in spans:
        out = laid(out, span)
    return out


def over(found: Iterable[Span], said: Iterable[Span]) -> Spans:
    """What was recognised, and over it what people said: the corrected whole."""
    rest = list(found)
    for span in said:
        rest = cut(rest, span.start_s, span.end_s)
    return tuple(sorted([*rest, *said]))


def as_timeline(spans: Sequence[Span], recording: str) -> Timeline:
    """To be written: CSV and JSON are those of every timeline."""
    names = tuple(sorted({span.label for span in spans} - {UNKNOWN}))
    return Timeline(tuple(spans), names, recording, "kinjo studio")


def unsure(found: Iterable[Span], said: Sequence[Span]) -> list[Span]:
    """What was recognised and nobody has said anything about, the least sure first: the most useful to look at next.

    Of an unknown span its confidence is that it is unknown. Spans of which half is said already are left out.
    """
    open_ = [span for span in found if _covered(span, said) < 0.5]
    return sorted(open_, key=lambda span: (round(span.confidence, 3), span.start_s))


def _covered(span: Span, said: Sequence[Span]) -> float:
    shared = sum(max(0.0, min(span.end_s, s.end_s) - max(span.start_s, s.start_s)) for s in said)
    return shared / (span.end_s - span.start_s)
