"""Verbs for recordings that people have: look into a file, recognise what is done, teach and forget activities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinjo.cli.common import (
    Columns,
    Convention,
    Gravity,
    Json,
    Placement,
    Rate,
    TimeUnits,
    Units,
    give,
    options_told,
    read,
    say,
)

if TYPE_CHECKING:
    from kinjo.recording import Recording
    from kinjo.runtime import Model
    from kinjo.timeline import Timeline

File = Annotated[Path, typer.Argument(help="CSV, TSV, Parquet, NPY, a phone's or watch's export, .cwa, BVH, poses.")]
ModelFile = Annotated[
    Path | None, typer.Option("--model", help="What 'kinjo learn' or 'kinjo export' wrote; empty: kinjo-base.")
]
Profile = Annotated[Path | None, typer.Option(help="Activities that 'kinjo teach' keeps.")]
WRITERS = {".csv": "to_csv", ".json": "to_json", ".parquet": "to_parquet"}


def inspect(
    file: File,
    placement: Placement = None,
    rate: Rate = None,
    units: Units = None,
    gravity: Gravity = None,
    time_units: TimeUnits = None,
    columns: Columns = None,
    convention: Convention = None,
    keep: Annotated[bool, typer.Option(help="Keep what was guessed and told beside the file, so that it is read so.")]
    = False,
    plot: Annotated[Path | None, typer.Option(help="Draw all streams, .png, .svg or .pdf.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Say what is in a file: streams with units, rates and placements, gaps, and what was guessed."""
    from kinjo.formats.recordings import KINDS, kind_of

    kind = kind_of(file)
    told = options_told(placement, rate, units, gravity, time_units, columns, convention)
    if kind == "table":
        from kinjo.formats.guess import confirm, guess
        from kinjo.formats.sidecar import save_sidecar

        found = confirm(guess(file, columns=told.pop("columns", None)), **told)
        say(str(found))
        if keep:
            say(f"kept: {save_sidecar(found, file)}")
        if found.missing:
            give({"file": str(file), "kind": kind, "missing": list(found.missing)}, as_json, "not all is known yet")
            return
    elif keep:
        raise ValueError("--keep is for tables: other files say what they hold")
    recording = read(file, options_told(placement, rate, units, gravity, time_units, columns, convention), quiet=True)
    streams = [_facts(recording, name) for name in recording.streams]
    lines = [f"{file.name}: {KINDS[kind]}, {recording.duration_s:.1f} s"]
    lines += [
        f"  {s['name']}: {s['quantity']} in {s['units']} at {s['placement'] or 'no place'}, {s['rate_hz']:g} Hz, "
        f"{s['samples']} samples, {s['missing']:.1%} missing, {s['gaps']} gaps"
        for s in streams
    ]
    if plot is not None:
        from kinjo.evaluate.pictures_motion import plot_streams

        plot_streams(recording, plot)
        lines.append(f"  picture: {plot}")
    result = {"file": str(file), "kind": kind, "seconds": recording.duration_s, "streams": streams}
    give(result | {"notes": list(recording.notes)}, as_json, "\n".join([*lines, *(f"  {n}" for n in recording.notes)]))


def learn(
    space: Annotated[Path, typer.Argument(help="A joint space: 'kinjo pretrain' with a recipe of method 'mujo'.")],
    corpus: Annotated[Path, typer.Option("--corpus", help="A labelled corpus.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The checkpoint to write, .safetensors.")],
    held: Annotated[float, typer.Option(min=0.05, max=0.9, help="Share of the people to choose thresholds on.")] = 0.25,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Give a joint space the classes of a labelled corpus, calibrated on people held out; nothing is trained."""
    from kinjo import recognizer
    from kinjo.corpus import Corpus, by_subject

    store = Corpus.open(corpus)
    split = by_subject(store, {"train": 1.0 - held, "validation": held}, seed=seed)
    model = recognizer.learn(space, store, split["train"], split["validation"])
    recognizer.save(model, space, out)
    give({"model": str(out), "classes": list(model.labels)}, as_json, f"{len(model.labels)} activities: {out}")


def recognize(
    file: File,
    model: ModelFile = None,
    profile: Profile = None,
    placement: Placement = None,
    rate: Rate = None,
    units: Units = None,
    gravity: Gravity = None,
    time_units: TimeUnits = None,
    columns: Columns = None,
    convention: Convention = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The timeline, .csv, .json or .parquet.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it, .png, .svg or .pdf.")] = None,
    as_json: Json = False,
) -> None:
    """Recognise what is done in a recording over time."""
    if out is not None and out.suffix not in WRITERS:
        raise ValueError(f"{out}: a timeline is written as {', '.join(WRITERS)}: choose one of these endings")
    known = opened(model, profile)
    told = options_told(placement, rate, units, gravity, time_units, columns, convention)
    found = known.recognize(read(file, told, quiet=as_json))
    if out is not None:
        getattr(found, WRITERS[out.suffix])(out)
    if plot is not None:
        found.plot(plot, title=file.name)
    spans = [span._asdict() for span in found]
    give({"file": str(file), "spans": spans}, as_json, _table(found))


def teach(
    name: Annotated[str, typer.Argument(help="What the activity is called.")],
    profile: Annotated[Path, typer.Option(help="The file that keeps what was taught; made where there is none.")],
    model: ModelFile = None,
    files: Annotated[list[Path] | None, typer.Argument(help="Recordings that show it.")] = None,
    words: Annotated[
        list[str] | None, typer.Option(help="A sentence that says what it is; several say it in several ways.")
    ] = None,
    start: Annotated[float | None, typer.Option("--from", help="Seconds where it begins; empty: at the start.")] = None,
    end: Annotated[float | None, typer.Option("--to", help="Seconds where it ends; empty: at the end.")] = None,
    placement: Placement = None,
    rate: Rate = None,
    units: Units = None,
    gravity: Gravity = None,
    time_units: TimeUnits = None,
    columns: Columns = None,
    convention: Convention = None,
    repetitions: Annotated[
        list[int] | None, typer.Option(min=0, help="How often a recording shows it, once for each; 0: do not count it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Teach an activity by examples, or by words: at once, without training. Undone by 'kinjo forget'."""
    if not files and not words:
        raise ValueError(f"'{name}': name a recording that shows it, or say what it is with --words")
    known = opened(model, profile if profile.exists() else None)
    told = options_told(placement, rate, units, gravity, time_units, columns, convention)
    examples = [read(file, told, quiet=as_json).between(start, end) for file in files or []]
    windows = known.teach(name, [*examples, *(words or [])], repetitions=repetitions or None)
    known.save_profile(profile)
    counted = name in known.rhythms
    counts = ((len(examples), "example"), (len(words or []), "sentence"))
    by = ", ".join(f"{n} {what}{'s' * (n > 1)}" for n, what in counts if n)
    give(
        {"profile": str(profile), "windows": windows, "classes": list(known.labels), "counted": counted}, as_json,
        f"'{name}' taught by {by}, {windows} windows{', counted' if counted else ''}: {profile}",
    )  # fmt: skip


def forget(
    name: Annotated[str, typer.Argument(help="What the activity is called.")],
    profile: Annotated[Path, typer.Option(help="The file that keeps what was taught; made where there is none.")],
    model: ModelFile = None,
    as_json: Json = False,
) -> None:
    """Forget an activity, taught or learnt, in a profile."""
    known = opened(model, profile if profile.exists() else None)
    try:
        known.forget(name)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None
    known.save_profile(profile)
    give({"profile": str(profile), "classes": list(known.labels)}, as_json, f"'{name}' forgotten: {profile}")


# ------------------------------------------------------------------------------------------------ shared
def opened(path: Path | None, profile: Path | None) -> Model:
    """The model in a checkpoint or an exported file, or kinjo-base, with what a profile knows."""
    from kinjo.models import open_model

    model = open_model(path)
    if profile is not None:
        model.load_profile(profile)
    return model


def _facts(recording: Recording, name: str) -> dict[str, Any]:
    """What a stream is, in plain types."""
    from kinjo.signal import find_gaps

    stream = recording.streams[name]
    contract = stream.contract
    gaps = 0 if stream.times is None else len(find_gaps(stream.times, contract.rate_hz))
    return {
        "name": name, "quantity": contract.quantity, "units": contract.units, "placement": contract.placement,
        "gravity": contract.gravity, "rate_hz": contract.rate_hz, "samples": stream.length,
        "missing": float(stream.mask().mean()) if stream.length else 0.0, "gaps": gaps,
    }  # fmt: skip


def _table(found: Timeline) -> str:
    if not len(found):
        return "nothing: no window of the recording has enough samples"
    names = [s.label if s.repetitions is None else f"{s.label} x{s.repetitions}" for s in found]
    width = max(map(len, [*names, "activity"]))
    lines = [
        f"{s.start_s:10.2f} {s.end_s:10.2f}  {name:<{width}}  {s.confidence:.2f}"
        for s, name in zip(found, names, strict=True)
    ]
    return "\n".join([f"{'from s':>10} {'to s':>10}  {'activity':<{width}}  confidence", *lines])
