"""``kinjo build``: videos in, a parallel corpus out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kinjo.cli.common import Json, give

app = typer.Typer(
    no_args_is_help=True, help="From videos to a corpus: clips, poses, virtual sensors, words.", rich_markup_mode=None
)

Cluster = Annotated[
    str,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Build on a Ray cluster (host:port; auto; local: this machine) whose nodes all see the videos and OUT.",
    ),
]


@app.command("videos")
def videos(
    places: Annotated[list[Path], typer.Argument(help="Video files, or folders with some.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the build; the same command goes on there.")],
    licence: Annotated[str, typer.Option(help="Of videos that do not tell theirs.")] = "",
    text_base: Annotated[Path | None, typer.Option(help="JSON list of exercises with name and instructions.")] = None,
    endpoint: Annotated[str, typer.Option(help="An OpenAI-compatible server, up to /v1, for descriptions.")] = "",
    endpoint_model: Annotated[str, typer.Option(help="The model's name there.")] = "",
    estimator: Annotated[
        str,
        typer.Option(help="mediapipe, an RTMPose .onnx (path or address), or files: NAME.poses.json beside NAME.mp4."),
    ] = "mediapipe",
    model_sha256: Annotated[str, typer.Option(help="Checksum of that model; needed for an address.")] = "",
    height: Annotated[float, typer.Option(help="Metres: how tall the people are.")] = 1.7,
    least_pose: Annotated[float, typer.Option(help="Share of a clip's frames that have to show a person.")] = 0.3,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; empty: one a core.")] = None,
    ray: Cluster = "",
    as_json: Json = False,
) -> None:
    """Cut videos at their chapters, find the person, simulate sensors, and keep a corpus with a report."""
    import os

    from kinjo.builder import run, words
    from kinjo.builder.stages import Settings

    settings = Settings(estimator=estimator, model_sha256=model_sha256, height_m=height, least_pose=least_pose)
    server = words.Endpoint(endpoint, endpoint_model, os.environ.get("OPENAI_API_KEY", "")) if endpoint else None
    built = run.build(
        places, out, settings, licence=licence, base=text_base, endpoint=server, workers=workers, progress=not as_json,
        ray=ray,
    )  # fmt: skip
    plain: dict[str, Any] = {
        "kept": len(built.kept), "refused": built.refused, "notes": built.notes,
        "corpus": None if built.corpus is None else str(built.corpus), "report": str(out / "report.html"),
    }  # fmt: skip
    lines = [f"{len(built.kept)} clips kept, {len(built.refused)} refused: {out / 'report.html'}"]
    lines += [f"  refused {name}: {why}" for name, why in built.refused.items()]
    if built.corpus is not None:
        lines.append(
            f"corpus: {built.corpus}; kinjo pretrain recipes/mujo-built.toml --corpus {built.corpus} --text -o run"
        )
    give(plain, as_json, "\n".join(lines))


@app.command("features")
def features(
    out: Annotated[Path, typer.Argument(help="The folder of a build.")],
    vision: Annotated[str, typer.Option(help="Image or video model of transformers: a folder or hub name.")],
    text: Annotated[str, typer.Option(help="minilm, clip:NAME or a sentence-transformers model.")] = "minilm",
    rate: Annotated[float, typer.Option(help="Frames a second.")] = 4.0,
    as_json: Json = False,
) -> None:
    """Keep frozen features of frames and sentences beside each clip of a build (features.npz)."""
    from kinjo.builder import features as made

    ids = made.make(out, vision, text, rate_hz=rate, progress=not as_json)
    give({"clips": ids}, as_json, f"features of {len(ids)} clips: {out / 'clips'}/<clip>/features.npz")


@app.command("fimad")
def fimad(
    ids: Annotated[Path, typer.Option(help="Folder with FiMAD's youtube_links.txt and train_val_split.json.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the build; the same command goes on there.")],
    text_base: Annotated[Path | None, typer.Option(help="JSON list of exercises with name and instructions.")] = None,
    cookies: Annotated[Path | None, typer.Option(help="A cookie file, where the site asks for a login.")] = None,
    most: Annotated[int, typer.Option(min=0, help="Only so many videos; 0: all.")] = 0,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; empty: one a core.")] = None,
    ray: Cluster = "",
    as_json: Json = False,
) -> None:
    """Fetch the videos of FiMAD's official lists, build them, and write its split of the clips that still exist."""
    from kinjo import corpus
    from kinjo.builder import download, run
    from kinjo.builder import fimad as official
    from kinjo.builder.stages import write_json

    wanted, split = official.lists(ids)
    some = list(wanted.values())[: most or None]
    fetched = download.fetch(some, out / "videos", cookies=cookies, progress=not as_json)
    lost = {one.link: one.reason for one in fetched if one.path is None}
    there = [one.path for one in fetched if one.path is not None]
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "lost.json", lost)
    if not there:
        raise ValueError(f"none of {len(some)} videos could be fetched: {next(iter(lost.values()), '')}")
    built = run.build(there, out / "build", base=text_base, workers=workers, progress=not as_json, ray=ray)
    kept, share = official.held(split, list(built.kept))
    path = out / "split.json"
    corpus.Split("fimad", kept, {}, {}).save(path)
    plain: dict[str, Any] = {
        "fetched": len(there), "lost": lost, "kept": len(built.kept), "share_of_fimad": share, "split": str(path)
    }  # fmt: skip
    give(plain, as_json, f"{len(there)} of {len(some)} videos, {share:.1%} of FiMAD's clips: {built.corpus}, {path}")


@app.command("poses")
def poses(
    out: Annotated[Path, typer.Argument(help="The folder of a build.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for a NAME.poses.json of each video.")],
    as_json: Json = False,
) -> None:
    """Write the poses that a build found, for builds with --estimator files: no estimator runs again."""
    from kinjo.builder import pose_export

    made = pose_export.export(out, to)
    text = "".join(f"\n  {name}: {clips} clips" for name, clips in made.items())
    give({"folder": str(to), "clips": made}, as_json, f"{len(made)} files in {to}{text}")


@app.command("verify")
def verify(
    out: Annotated[Path, typer.Argument(help="The folder of a build.")],
    places: Annotated[list[Path], typer.Argument(help="Where the videos lie now.")],
    as_json: Json = False,
) -> None:
    """Whether the videos of a build are still there and unchanged: how far it has rotted."""
    from kinjo.builder import report

    found = report.verify(out, places)
    text = f"{found['rot']:.1%} of {found['clips']} clips have lost their video"
    text += "".join(f"\n  {kind}: {name}" for kind in ("changed", "gone") for name in found[kind])
    give(found, as_json, text)
