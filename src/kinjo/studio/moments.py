"""Moments as an element of a page: what the browser draws is in ``web``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui.element import Element


class Moments(Element, component="web/moments.js", esm={"kinjo-draw": "web/draw"}):
    """A list of what ``finding.shown`` gives; each links to its place in the timeline, with a picture that plays."""

    def __init__(self, *, small: bool = False) -> None:
        super().__init__()
        self._props["small"] = small
        self.show(())

    def show(self, moments: Sequence[dict[str, Any]]) -> None:
        """Others."""
        self._props["moments"] = list(moments)
        self.update()
