"""Verbs of movement: virtual IMU from motion files, the simulated gym, clocks that agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinjo.cli.common import Json, give, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinjo.recording import Recording

CANNOT_TELL = 3
"""Exit code of ``kinjo sync`` where no clock could be told."""

Units = Annotated[str, typer.Option(help="m, cm, mm, in, cmu (CMU's AMC) or metres per unit; empty: found out.")]
Up = Annotated[str, typer.Option(help="The file's vertical axis: y, z, -y, ...; empty: found out.")]
FrameRate = Annotated[float | None, typer.Option(help="Frames per second, where the file does not say.")]
Skeleton = Annotated[Path | None, typer.Option(help="The .asf of an .amc; empty: the one beside it.")]


def simulate(
    file: Annotated[
        Path, typer.Argument(metavar="MOTION", help="Movement: .bvh, .amc, .c3d, .csv or .txt of markers, SMPL's .npz.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The table of readings, .parquet or .csv.")],
    placement: Annotated[list[str], typer.Option(help="Where a sensor sits; give it again for more.")],
    rate: Annotated[float, typer.Option(help="Readings per second.")] = 50.0,
    device: Annotated[str, typer.Option(help="ideal, phone, watch or research: its faults.")] = "ideal",
    cutoff: Annotated[float | None, typer.Option(help="Hz where smoothing halves; empty: by the data.")] = None,
    units: Units = "",
    up: Up = "",
    frame_rate: FrameRate = None,
    skeleton: Skeleton = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the body and the readings, .png or .svg.")] = None,
    seed: Annotated[int, typer.Option(help="Of the device's faults.")] = 0,
    as_json: Json = False,
) -> None:
    """Simulate an accelerometer and a gyroscope on a moving body: specific force in m/s^2, turning in rad/s."""
    import numpy as np

    from kinjo.formats import read_motion
    from kinjo.formats.tables import write_table
    from kinjo.sensors import DEVICES
    from kinjo.simulate import virtual_imus

    if device not in DEVICES:
        raise ValueError(f"device '{device}': name one of {', '.join(DEVICES)}")
    notes: list[str] = []
    motion = read_motion(
        file, skeleton_file=skeleton, units=units or None, up=up or None, rate_hz=frame_rate, notes=notes
    )
    for note in notes:
        say(f"{file.name}: {note}")
    models = dict.fromkeys(placement, DEVICES[device])
    imus = virtual_imus(motion, models, rate, cutoff_hz=cutoff, rng=np.random.default_rng(seed))
    write_table({name: stream for imu in imus.values() for name, stream in imu.streams().items()}, out)
    if plot is not None:
        from kinjo.evaluate.pictures_motion import plot_imus

        plot_imus(motion, imus, plot, title=f"{file.name}: virtual IMU")
    samples = len(next(iter(imus.values())).acc)
    result = {
        "table": str(out),
        "placements": list(imus),
        "samples": samples,
        "seconds": motion.seconds,
        "notes": notes,
    }
    give(result, as_json, f"{samples} readings at {rate:g} Hz of {', '.join(imus)}: {out}")


def sync(
    wearable: Annotated[Path, typer.Argument(help="Its table (kinjo simulate), or a corpus: then each recording.")],
    reference: Annotated[Path | None, typer.Argument(help="Movement or video of the same person.")] = None,
    placement: Annotated[str, typer.Option(help="Where the wearable sits; empty: its only place.")] = "",
    against: Annotated[str, typer.Option(help="Name of the reference's stream; empty: pose, or else video.")] = "",
    recording: Annotated[list[str] | None, typer.Option(help="Corpus: ids; none: all of them.")] = None,
    max_offset: Annotated[float, typer.Option(help="Seconds.")] = 5.0,
    max_drift: Annotated[float, typer.Option(help="Parts per million.")] = 300.0,
    near: Annotated[float, typer.Option(help="How exact the offset has to be to be told, seconds.")] = 0.06,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The wearable's table, on the other clock.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw what was compared, .png or .svg.")] = None,
    units: Units = "",
    up: Up = "",
    frame_rate: FrameRate = None,
    as_json: Json = False,
) -> None:
    """Find offset and drift between a wearable and a pose or video. Says so, and exits with 3, where it cannot tell."""
    from kinjo.corpus import Corpus
    from kinjo.energy import energies
    from kinjo.formats.tables import read_table, write_table
    from kinjo.recording import Recording
    from kinjo.sync import sync as align

    limits: dict[str, Any] = {"max_offset_s": max_offset, "max_drift_ppm": max_drift, "near_s": near}
    where: dict[str, Any] = {"placement": placement or None, "against": against or None}
    if wearable.is_dir():
        if reference is not None or out is not None or plot is not None:
            raise ValueError(
                f"{wearable} is a corpus, whose recordings hold both sides: give no reference, -o or --plot"
            )
        store = Corpus.open(wearable)
        pairs = [(id, store.recording(id), None) for id in (recording or store.recordings)]
    elif reference is None:
        raise ValueError("name the movement or the video to hold the wearable against, or give a corpus")
    else:
        seen = _seen(reference, units, up, frame_rate)
        pairs = [(wearable.name, Recording(wearable.name, read_table(wearable)), seen)]
    found = {id: align(own, other, **where, **limits) for id, own, other in pairs}
    if reference is not None:
        _, own, other = pairs[0]
        alignment = found[wearable.name]
        if plot is not None and other is not None:
            from kinjo.evaluate.pictures_motion import plot_alignment

            felt, views = energies(own, other, **where)
            plot_alignment(alignment, felt, list(views.values())[alignment.view], plot)
        if out is not None and alignment.told:
            write_table(alignment.apply(own).streams, out)
    facts = ("offset_s", "drift_ppm", "confidence", "uncertainty_s", "told", "reason", "placement")
    rows = {id: {name: getattr(a, name) for name in facts} for id, a in found.items()}
    give({"alignments": rows}, as_json, "\n".join(_told(id, row) for id, row in rows.items()))
    if not any(a.told for a in found.values()):
        raise typer.Exit(CANNOT_TELL)


def _told(id: str, row: dict[str, Any]) -> str:
    if not row["told"]:
        return f"{id}: cannot tell: {row['reason']}"
    return (
        f"{id}: reference = wearable {row['offset_s']:+.3f} s, drift {row['drift_ppm']:+.0f} ppm "
        f"(± {row['uncertainty_s']:.3f} s, confidence {row['confidence']:.2f})"
    )


def _seen(path: Path, units: str, up: str, frame_rate: float | None) -> Recording:
    """A recording of what was seen of the person: a movement, or a video."""
    from kinjo.formats import SUFFIXES, read_motion
    from kinjo.recording import Recording

    if path.suffix.lower() in SUFFIXES:
        notes: list[str] = []
        motion = read_motion(path, units=units or None, up=up or None, rate_hz=frame_rate, notes=notes)
        for note in notes:
            say(f"{path.name}: {note}")
        return motion.recording(path.name)
    from kinjo.formats.rgb import Decoder, rgb_stream

    return Recording(path.name, {"video": rgb_stream("video", path, Decoder())})


def gym(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the new corpus.")],
    people: Annotated[int, typer.Option(min=1, help="How many people.")] = 20,
    sessions: Annotated[int, typer.Option(min=1, help="Recordings of each.")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of a recording.")] = 120.0,
    movement: Annotated[list[str] | None, typer.Option(help="What they do; none: everything. Give it again.")] = None,
    placement: Annotated[list[str] | None, typer.Option(help="Where sensors sit; none: wrists, right pocket.")] = None,
    device: Annotated[str, typer.Option(help="ideal, phone, watch or research: the sensors' faults.")] = "ideal",
    video: Annotated[str, typer.Option(help="rgb, depth, both; empty: no video.")] = "",
    size: Annotated[int, typer.Option(min=8, help="Short side of video, pixels.")] = 64,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Simulate people who exercise: pose, sensors, words, video, in a corpus. Interrupted, the same command goes on."""
    from kinjo import corpus
    from kinjo.datasets import gym as simulated
    from kinjo.sensors import DEVICES

    if device not in DEVICES:
        raise ValueError(f"device '{device}': name one of {', '.join(DEVICES)}")
    kinds = {"": (), "rgb": ("rgb",), "depth": ("depth",), "both": ("rgb", "depth")}
    if video not in kinds:
        raise ValueError(f"video '{video}': name one of {', '.join(kind for kind in kinds if kind)}")
    places = tuple(placement or simulated.PLACEMENTS)
    camera = simulated.Camera.around(35.0, height=size, width=round(size * 4 / 3), distance_m=4.0) if video else None

    def made() -> Iterator[Recording]:
        for person in range(people):
            for session in range(sessions):
                yield simulated.record(
                    (seed * 1_000_003 + person) * 1_000 + session, seconds=seconds, names=movement or None,
                    person=seed * 1_000_003 + person, placements=places, sensors=dict.fromkeys(places, DEVICES[device]),
                    video=camera, kinds=kinds[video],
                )  # fmt: skip

    facts = f"{people}x{sessions}x{seconds:g}s, {'+'.join(movement or ())}, {'+'.join(places)}, {device}, {video}"
    store = corpus.write(
        made(), out, video=corpus.VideoSize(size), origin=f"gym {seed}: {facts}", total=people * sessions
    )
    counted = sum(len(entry.segments) for entry in store.entries)
    result = {"corpus": str(out), "recordings": len(store), "segments": counted}
    give(result, as_json, f"{len(store)} recordings, {counted} labelled segments in {out}")
