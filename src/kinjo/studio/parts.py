"""Pieces that all pages are made of: headings and buttons that are readable in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

DROP = """
<div class="row no-wrap items-center q-pa-sm q-gutter-sm">
  <q-btn type="button" icon="add" flat dense round aria-label="Choose a file" @click="props.pickFiles" />
  <span style="display: none"><q-uploader-add-trigger /></span>
  <span>Drop a file here, or press +</span>
  <q-spinner v-if="props.isUploading" aria-label="It is being sent" />
</div>"""
"""The header of what files are dropped on: Quasar's own has no names that are read out."""


def heading(text: str) -> None:
    """Of a card."""
    with ui.element("h2"):
        ui.html(text, sanitize=False, tag="span")


def button(text: str, on_click: Callable[..., Any], *, kind: str = "main") -> ui.button:
    """``kind``: main (filled), other (outlined) or flat."""
    return ui.button(text, on_click=on_click, color=None).props("no-caps unelevated").classes(f"kj-btn kj-{kind}")


def icon(name: str, said: str, on_click: Callable[..., Any]) -> ui.button:
    """A small button without words; ``said`` is what it does."""
    said = plain(said)
    made = ui.button(icon=name, on_click=on_click, color=None).classes("kj-btn kj-flat")
    return made.props(f'flat dense round aria-label="{said}" title="{said}"')


def plain(name: str) -> str:
    """For an attribute: props are parsed by quotes."""
    return name.replace('"', "").replace("'", "").replace("\\", "").replace("\n", " ")


def clock(seconds: float) -> str:
    """Of a recording: 1:05.0."""
    hours, rest = divmod(max(seconds, 0.0), 3600)
    minutes, left = divmod(rest, 60)
    return f"{int(hours)}:{int(minutes):02d}:{left:04.1f}" if hours >= 1 else f"{int(minutes)}:{left:04.1f}"
