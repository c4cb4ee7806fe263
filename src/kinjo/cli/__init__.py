"""The command line: each verb is a typed function of the library, with its words on top.

Nothing heavy is imported until a verb runs. ``--json`` prints one object on the last line of stdout; all else that
is for people goes to stderr. A user's mistake ends with exit code 1 and a message, no traceback unless ``--debug``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import kinjo
from kinjo.cli import build, find, motion, own, serve, ship, studio
from kinjo.cli import joint as joint_space
from kinjo.cli.common import Corpus, Data, Json, give, say

app = typer.Typer(
    name="kinjo",
    help=kinjo.__doc__,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich's help costs 0.3 s at every start
    pretty_exceptions_enable=False,
)
evaluate_app = typer.Typer(
    help="Run a protocol on a recipe or a checkpoint.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(evaluate_app, name="evaluate")
reproduce_app = typer.Typer(help="Set a paper's claims beside ours.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(reproduce_app, name="reproduce")
app.add_typer(build.app, name="build")

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kinjo {kinjo.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option(help="Show a traceback on errors.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    if debug:
        os.environ["KINJO_DEBUG"] = "1"


@app.command()
def datasets(data: Data = None, as_json: Json = False) -> None:
    """List the data sets that kinjo reads, what is found of them, and how to get what is not."""
    from kinjo.datasets import status

    rows = [
        {
            "name": card.name, "title": card.title, "found": str(found) if found else None,
            "licence": card.licence, "classes": len(card.classes), "modalities": list(card.modalities),
            "how_to_get": card.how_to_get,
        }
        for card, found in status(data or Path("data"))
    ]  # fmt: skip
    lines = []
    for row in rows:
        lines.append(f"{row['name']:<14} {row['title']}: {row['classes']} classes, {', '.join(row['modalities'])}")
        lines.append(f"{'':<14} licence: {row['licence']}")
        lines.append(f"{'':<14} " + (f"found: {row['found']}" if row["found"] else f"not found. {row['how_to_get']}"))
    give({"datasets": rows}, as_json, "\n".join(lines))


@app.command("import")
def import_(
    dataset: Annotated[str, typer.Argument(help="A name that 'kinjo datasets' lists.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the new corpus.")],
    data: Data = None,
    modalities: Annotated[str, typer.Option(help="Comma-separated; empty for all: imu, pose, video.")] = "",
    video_size: Annotated[int, typer.Option(help="Short side of kept video, pixels.")] = 64,
    skip_bad: Annotated[bool, typer.Option(help="Leave out what cannot be read, and count it.")] = False,
    repair: Annotated[bool, typer.Option(help="Mend faulty streams where possible, and say so.")] = False,
    as_json: Json = False,
) -> None:
    """Read a data set into a corpus. Interrupted, the same command goes on."""
    from kinjo import corpus
    from kinjo.checks import check
    from kinjo.datasets import load
    from kinjo.recording import ContractError, Recording

    name = dataset.replace("-", "_")
    chosen = tuple(m.strip() for m in modalities.split(",") if m.strip()) or None
    bad: list[str] = []

    def checked() -> Any:
        for recording in load(name, data or Path("data"), modalities=chosen, skip_bad=skip_bad, report=bad):
            try:
                numbers = {key: s for key, s in recording.streams.items() if s.contract.modality != "video"}
                mended, findings = check(Recording(recording.id, numbers), repair=repair)
            except ContractError as error:
                if not skip_bad:
                    raise ValueError(f"{recording.source}: {error}") from error
                bad.append(f"{recording.source}: {error}")
                continue
            bad.extend(f"{recording.source}: {finding}" for finding in findings)
            for stream in mended.streams.values():
                recording = recording.with_stream(stream)
            yield recording

    origin = f"{name}, modalities {'+'.join(chosen or ()) or 'all'}" + (", repaired" if repair else "")
    kept = corpus.write(checked(), out, video=corpus.VideoSize(video_size), origin=origin)
    for line in bad:
        say(line)
    result = {"corpus": str(out), "recordings": len(kept), "reported": len(bad)}
    give(result, as_json, f"{len(kept)} recordings in {out}" + (f", {len(bad)} faults reported" if bad else ""))


@app.command()
def pretrain(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/mumae-utd.toml.")],
    corpora: Annotated[list[Path], typer.Option("--corpus", help="A corpus; a joint space takes several.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run; holds its resume point too.")],
    split: Annotated[Path | None, typer.Option(help="A split; without it all recordings train.")] = None,
    part: Annotated[str, typer.Option(help="The part of the split that trains.")] = "train",
    steps: Annotated[int | None, typer.Option(help="Instead of the recipe's number of steps.")] = None,
    init: Annotated[Path | None, typer.Option(help="A checkpoint to start from, of other data say.")] = None,
    text: Annotated[bool, typer.Option(help="MuJo: what is done is told in sentences (made from the labels).")] = False,
    labels: Annotated[bool, typer.Option(help="MuJo: labels are classes, for classify and supervised.")] = False,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Learn from recordings without classes. Interrupted, the same command goes on, bit for bit."""
    from dataclasses import replace

    import numpy as np

    from kinjo import corpus as store
    from kinjo import joint, learn
    from kinjo.batches import Windows, cut
    from kinjo.recipe import Recipe

    plan = Recipe.load(recipe)
    if steps is not None:
        plan = replace(plan, pretrain=replace(plan.pretrain, steps=steps))
    if len(corpora) > 1 and (split is not None or plan.method != "mujo"):
        raise ValueError("several corpora are for method = 'mujo', and without a split (which is of one corpus)")
    opened = [store.Corpus.open(path) for path in corpora]
    ids = [store.Split.load(split)[part] if split else c.recordings for c in opened]
    windows = [Windows(c, cut(c, some, plan), plan.inputs) for c, some in zip(opened, ids, strict=True)]
    names, number = " + ".join(path.name for path in corpora), sum(map(len, windows))
    facts = {"corpus": names, "recordings": sum(map(len, ids)), "split": split.name if split else "", "part": part}
    if plan.method == "mujo":
        sources = [joint.Source(w, np.arange(len(w)), float(len(w)), text=text, labels=labels) for w in windows]
        joint.pretrain(plan, sources, out, seed=seed, init=init, provenance={**facts, "text": text, "labels": labels})
    else:
        learn.pretrain(plan, windows[0], np.arange(number), out, seed=seed, init=init, provenance=facts)
    path = str(out / "model.safetensors")
    give({"checkpoint": path, "windows": number}, as_json, f"{number} windows learnt: {path}")


@evaluate_app.command()
def fewshot(
    model: Annotated[Path, typer.Argument(help="A checkpoint (.safetensors), or a recipe (.toml) to train by.")],
    corpus: Corpus,
    work: Annotated[Path, typer.Option(help="Recipe: folder for its trainings, which go on from there.")] = Path(
        "runs"
    ),
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Recipe: write rows (.json), a picture beside.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Recipe: trainings per fold; a test needs three.")] = 3,
    validation: Annotated[bool, typer.Option(help="Recipe: the validation classes, to choose by.")] = False,
    development: Annotated[bool, typer.Option(help="Recipe: five-way on classes held out of training.")] = False,
    init: Annotated[Path | None, typer.Option(help="Recipe: a checkpoint that pre-training starts from.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Recipe: processes that share the trainings.")] = 1,
    baselines: Annotated[bool, typer.Option(help="Recipe: run MiniRocket beside.")] = True,
    split: Annotated[Path | None, typer.Option(help="Checkpoint: a split of the corpus (JSON).")] = None,
    part: Annotated[str, typer.Option(help="Checkpoint: the part of the split to test on.")] = "test",
    way: Annotated[int, typer.Option(help="Checkpoint: classes in an episode.")] = 5,
    shot: Annotated[int, typer.Option(help="Checkpoint: examples of each.")] = 1,
    queries: Annotated[int, typer.Option(help="Checkpoint: questions of each.")] = 15,
    exclude: Annotated[str, typer.Option(help="Checkpoint: what examples and queries never share.")] = "subject",
    episodes: int = 10_000,
    as_json: Json = False,
) -> None:
    """Recognise classes from one example each.

    A recipe is trained and tested by the strict protocol of UTD-MHAD: classes never seen in training, support and
    query from different subjects. A checkpoint is tested as it is, on the labelled recordings of any corpus.
    """
    if model.suffix == ".toml":
        classes = "development" if development else "validation" if validation else "test"
        if classes != "test" and out is not None:
            raise ValueError("--validation and --development are to choose by, not to report: leave out --out")
        how: dict[str, Any] = {"init": init, "workers": workers, "with_baselines": baselines}
        described, rows = _strict(model, corpus, work, out, seeds=range(seeds), episodes=episodes, part=classes, **how)
    else:
        described, rows = _checkpoint(model, corpus, split, part, (way, shot, queries, episodes), exclude)
    lines = [f"{name:<28} {value:.3f}  [{low:.3f}, {high:.3f}]" for name, (value, (low, high)) in rows.items()]
    plain = {name: {"accuracy": value, "ci95": list(ci)} for name, (value, ci) in rows.items()}
    give({"protocol": described, "results": plain}, as_json, "\n".join([described, *lines]))


Rows = dict[str, tuple[float, tuple[float, float]]]
"""name -> accuracy and its interval."""


def _strict(model: Path, corpus: Path, work: Path, out: Path | None, **how: Any) -> tuple[str, Rows]:
    """A recipe by the strict protocol: its words, and the results."""
    from kinjo.corpus import Corpus as Store
    from kinjo.evaluate import strict
    from kinjo.recipe import Recipe

    results = strict.evaluate(Recipe.load(model), Store.open(corpus), work, **how)
    if out is not None:
        strict.write(results, out, command=f"kinjo evaluate fewshot {model.name} --corpus {corpus.name}")
    described = next(iter(results.values())).protocol.describe()
    return described, {name: (r.value, r.ci95) for name, r in results.items()}


def _checkpoint(
    model: Path, corpus: Path, split: Path | None, part: str, sizes: tuple[int, int, int, int], exclude: str
) -> tuple[str, Rows]:
    """A checkpoint as it is: the protocol's words, and the results. ``sizes``: way, shot, queries, episodes."""
    from kinjo.corpus import Corpus as Store
    from kinjo.corpus import Split
    from kinjo.evaluate import checkpoints
    from kinjo.evaluate.fewshot import Protocol

    support = "one_subject" if exclude == "subject" else "any"
    protocol = Protocol(*sizes, support=support, exclude=exclude)  # type: ignore[arg-type]
    ids = Split.load(split)[part] if split else None
    results = checkpoints.evaluate(model, Store.open(corpus), protocol, ids)
    return protocol.describe(), {name: (r.accuracy, r.ci95) for name, r in results.items()}


@app.command()
def reconstruct(
    checkpoint: Annotated[Path, typer.Argument(help="The model.safetensors of a pretraining.")],
    corpus: Corpus,
    out: Annotated[Path, typer.Option("-o", "--out", help="The picture (.png, .svg or .pdf).")],
    windows: Annotated[int, typer.Option(min=1, help="How many to draw, of different labels.")] = 4,
    split: Annotated[Path | None, typer.Option(help="A split of the corpus; without it all recordings.")] = None,
    part: Annotated[str, typer.Option(help="The part of the split to measure on.")] = "test",
    seed: Annotated[int, typer.Option(help="Of the masks.")] = 0,
    as_json: Json = False,
) -> None:
    """Draw what a masked autoencoder rebuilds, and measure it: hidden against visible, beside trivial predictions."""
    from dataclasses import asdict

    from kinjo.corpus import Corpus as Store
    from kinjo.corpus import Split
    from kinjo.evaluate import reconstruction

    ids = Split.load(split)[part] if split else None
    losses = reconstruction.evaluate(checkpoint, Store.open(corpus), out, ids, windows=windows, seed=seed)
    result = {key: {**asdict(x), "explained": x.explained} for key, x in losses.items()}
    give({"picture": str(out), "streams": result}, as_json, f"{reconstruction.to_text(losses)}\npicture: {out}")


@app.command()
def audit(
    corpus: Annotated[Path, typer.Argument(help="A corpus.")],
    split: Annotated[Path, typer.Argument(help="A split of it (JSON).")],
    as_json: Json = False,
) -> None:
    """Prove that the parts of a split share nothing. Exit code 1 where they do."""
    from kinjo import corpus as store

    found = store.audit(store.Corpus.open(corpus), store.Split.load(split))
    give(json.loads(store.to_json(found)), as_json, store.to_text(found))
    if store.leaks(found):
        raise typer.Exit(1)


@reproduce_app.command("mumae")
def reproduce_mumae(
    data: Data = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the table and for what is trained.")] = Path(
        "reproduce"
    ),
    recipe: Annotated[Path | None, typer.Option(help="For MMAct; empty: the project's mumae-mmact.")] = None,
    results: Annotated[Path | None, typer.Option(help="Folder of our rows; empty: the project's.")] = None,
    tests: Annotated[int, typer.Option(min=1, help="MMAct: tests while fine-tuning; released: about 80.")] = 80,
    episodes: Annotated[int, typer.Option(min=1, help="MMAct: episodes of each test.")] = 10_000,
    as_json: Json = False,
) -> None:
    """Mu-MAE's claims beside what we measured; with MMAct under DATA, the paper's own split is run.

    That takes a GPU and days at the published size; interrupted, the same command goes on.
    """
    from kinjo import reproduce
    from kinjo.recipe import Recipe

    where = results or reproduce.RESULTS
    plan = Recipe.load(recipe or reproduce.RECIPE)
    found, text = reproduce.mumae(data or Path("data"), out, plan, results=where, tests=tests, episodes=episodes)
    give(found, as_json, text)


@reproduce_app.command("mujo")
def reproduce_mujo(
    data: Data = None,
    results: Annotated[Path | None, typer.Option(help="Folder of our rows; empty: the project's.")] = None,
    as_json: Json = False,
) -> None:
    """MuJo's claims beside what we measured, and how to run its own data sets where DATA holds them."""
    from kinjo import reproduce

    found, text = reproduce.mujo(data or Path("data"), results=results or reproduce.RESULTS)
    give(found, as_json, text)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="Folder that holds UTD-MHAD: video, pose and IMU instead.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the picture and the model.")] = Path("demo"),
    as_json: Json = False,
) -> None:
    """Recognise activities from one example each, and by words alone: a real watch, then the simulated gym; leave a
    recognizer of a watch and files to try it on.

    With DATA, video, pose and IMU are real.
    """
    from kinjo import demo as shown
    from kinjo.demo_base import base
    from kinjo.demo_watch import watch

    own = [base, shown.basic_motions, shown.gym, shown.words, watch]
    results = [part(out) for part in own] if data is None else [shown.utd_mhad(data, out)]
    give({"results": [r.to_dict() for r in results]}, as_json, "\n\n".join(r.to_text() for r in results))


app.command()(joint_space.finetune)
for name, protocol in {
    "finetune": joint_space.evaluate_finetune, "zeroshot": joint_space.zeroshot, "retrieval": joint_space.retrieval,
    "robustness": joint_space.robustness, "unseen": joint_space.unseen,
}.items():  # fmt: skip
    evaluate_app.command(name)(protocol)

for verb in (
    own.inspect,
    own.learn,
    own.recognize,
    own.teach,
    own.forget,
    find.search,
    ship.export,
    ship.profile,
    ship.stream,
    serve.serve,
    studio.studio,
    motion.simulate,
    motion.gym,
    motion.sync,
):
    app.command()(verb)


def main() -> None:
    """Entry point: known errors become one line on stderr and exit code 1."""
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = STOPPED
    except Exception as error:
        if hasattr(error, "show"):  # words that Typer does not know; where it keeps their class changes
            error.show()  # type: ignore[attr-defined]
            sys.exit(1)
        if os.environ.get("KINJO_DEBUG"):
            raise
        if isinstance(error, ImportError) and error.name:
            say(f"error: {error.name} is not installed. Install what this verb needs: pip install 'kinjo[all]'")
        elif isinstance(error, ValueError | OSError | RuntimeError | ArithmeticError):
            say(f"error: {error}")
        else:
            say(f"error: {type(error).__name__}: {error}. This is a fault of kinjo: kinjo --debug ... shows where.")
        sys.exit(1)
    if code == STOPPED:
        say("stopped; the same command goes on from where it was")
    sys.exit(code if isinstance(code, int) else 0)
