"""The verb that finds moments in a corpus by a sentence, a file, or a moment of the corpus itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinjo.cli.common import (
    Columns,
    Convention,
    Corpus,
    Gravity,
    Json,
    Placement,
    Rate,
    TimeUnits,
    Units,
    give,
    options_told,
    read,
)
from kinjo.cli.joint import Plot

if TYPE_CHECKING:
    from kinjo.corpus import Corpus as Store
    from kinjo.search import Moment, Query


def search(
    query: Annotated[str, typer.Argument(help="A sentence; or a file; or the id of a recording of the corpus.")],
    corpus: Corpus,
    model: Annotated[
        Path | None, typer.Option("--model", help="Of 'kinjo pretrain' or 'kinjo learn'; empty: kinjo-base.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many moments.")] = 10,
    start: Annotated[
        float | None, typer.Option("--from", help="Ask with a part of the recording: its seconds.")
    ] = None,
    end: Annotated[float | None, typer.Option("--to", help="Where that part ends; empty: at the end.")] = None,
    modality: Annotated[list[str] | None, typer.Option(help="Only what imu, pose or video shows answers.")] = None,
    recording: Annotated[list[str] | None, typer.Option(help="Only this recording answers; may be said again.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Only this subject answers; may be said again.")] = None,
    least: Annotated[float | None, typer.Option("--min-score", help="Only moments of at least this score.")] = None,
    index: Annotated[Path | None, typer.Option(help="Folder that keeps the index; empty: in the corpus.")] = None,
    placement: Placement = None,
    rate: Rate = None,
    units: Units = None,
    gravity: Gravity = None,
    time_units: TimeUnits = None,
    columns: Columns = None,
    convention: Convention = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find moments in a corpus: a sentence finds videos, poses and sensors, and so does a recording."""
    from kinjo.corpus import Corpus as Store
    from kinjo.recognizer import finder
    from kinjo.runtime import shipped

    model = model or shipped(".safetensors")
    if model.suffix == ".onnx":
        raise ValueError(f"{model}: an exported model reads sensors alone: name the checkpoint that it was made of")
    store = Store.open(corpus)
    told = options_told(placement, rate, units, gravity, time_units, columns, convention)
    asked = _asked(query, store, start, end, told, quiet=as_json)
    known = finder(model)
    found = known.search(
        asked, known.index(store, index, progress=not as_json), k, modality=modality, recordings=recording,
        subjects=subject, min_score=least,
    )  # fmt: skip
    if plot is not None and found:
        from kinjo.evaluate.pictures_motion import plot_moments

        plot_moments([(store.recording(m.recording), m.start_s, m.end_s, _title(m)) for m in found], plot, title=query)
    if as_json or not found:
        result = {"query": query, "moments": [m.to_dict() for m in found]}
        give(result, as_json, "nothing: no window may answer, or none has the least score")
    else:
        _show(found)


def _asked(
    query: str, store: Store, start: float | None, end: float | None, told: dict[str, Any], *, quiet: bool
) -> Query:
    """A file where there is one, a recording of the corpus where one has that id, else a sentence."""
    from kinjo.search import Moment

    if os.path.exists(query):  # which a long sentence is no error to
        return read(Path(query), told, quiet=quiet).between(start, end)
    if query in store.recordings:
        entry = store.entries[store.number(query)]
        begin, stop = (entry.begin_s if start is None else start), (entry.end_s if end is None else end)
        if not max(begin, entry.begin_s) < min(stop, entry.end_s):
            raise ValueError(
                f"recording '{query}' has nothing from {begin:g} to {stop:g} s: it ends at {entry.end_s:g}"
            )
        return Moment(query, begin, stop)
    named = " " not in query.strip() and ("/" in query or Path(query).suffix)  # as no sentence is
    if named or told or start is not None or end is not None:
        raise ValueError(f"{query}: no such file, and no recording of the corpus: a sentence needs no other words")
    return query


def _title(moment: Moment) -> str:
    label = f"{moment.label}: " if moment.label else ""
    where = f"{moment.recording}, {moment.start_s:.1f} to {moment.end_s:.1f} s"
    return f"{label}{where} (by {moment.modality}, {moment.score:.2f})"


def _show(found: list[Moment]) -> None:
    """A table, as wide as it has to be: a pipe has no width."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE)
    for name, side in (("", "right"), ("score", "right"), ("recording", "left"), ("from s", "right"),
                       ("to s", "right"), ("by", "left"), ("label", "left")):  # fmt: skip
        table.add_column(name, justify=side, no_wrap=True)  # pyright: ignore[reportArgumentType]
    for rank, m in enumerate(found, 1):
        table.add_row(
            str(rank), f"{m.score:.3f}", m.recording, f"{m.start_s:.1f}", f"{m.end_s:.1f}", m.modality, m.label
        )
    console = Console(markup=False, highlight=False)
    console.print(table, width=None if console.is_terminal else 200)
