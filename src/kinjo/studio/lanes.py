"""The timeline as an element of a page: what the browser draws is in ``web``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui.element import Element

from kinjo.timeline import Span


class Lanes(Element, component="web/lanes.js", esm={"kinjo-draw": "web/draw"}):
    """Streams, labels and what was recognised, on one axis of time.

    Events: ``drawn`` (the first picture), ``choose`` (span, and what was picked), ``shift`` (from_s, to_s), ``name``
    (how), ``next``, ``remove``, ``undo``.
    """

    def __init__(self, recording: str, begin: tuple[float, float, bool] | None = None) -> None:
        """``begin``: a span to look at first, in seconds, and whether it is played."""
        super().__init__()
        self._props["recording"] = recording
        self._props["begin"] = begin and list(begin)
        self.show((), (), "not yet")

    def show(self, said: Sequence[Span], found: Sequence[Span], why: str = "") -> None:
        """New spans; ``why``: what is written where nothing was recognised."""
        rows: dict[str, Any] = {
            name: [[round(s.start_s, 6), round(s.end_s, 6), *s[2:]] for s in spans]
            for name, spans in (("said", said), ("found", found))
        }
        self._props["spans"] = {**rows, "why": why}
        self.update()

    async def now(self) -> float:
        """Where the playhead stands, in seconds."""
        return float(await self.run_method("now"))

    def goto(self, span: Span, lane: str) -> None:
        """Look at a span and pick it."""
        self.run_method("goto", round(span.start_s, 6), round(span.end_s, 6), lane)
