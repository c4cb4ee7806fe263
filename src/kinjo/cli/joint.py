"""The verbs of a joint space: ``finetune``, and its protocols below ``evaluate``."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from kinjo.cli.common import Corpus, Json, give, say

Model = Annotated[Path, typer.Argument(help="A joint space's checkpoint (.safetensors).")]
SplitOf = Annotated[Path | None, typer.Option(help="A split of the corpus (JSON); without it all recordings.")]
PartOf = Annotated[str, typer.Option(help="The part of the split.")]


def _drawable(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise typer.BadParameter(f"{path}: pictures end in .png, .svg or .pdf")
    return path


Plot = Annotated[Path | None, typer.Option(help="Draw it here (.png, .svg, .pdf).", callback=_drawable)]
OutOf = Annotated[Path | None, typer.Option("-o", "--out", help="Write the result here too (.json).")]


def _ids(split: Path | None, part: str) -> Any:
    from kinjo.corpus import Split

    return Split.load(split)[part] if split else None


def _opened(corpus: Path) -> Any:
    from kinjo.corpus import Corpus as Store

    return Store.open(corpus)


def _given(plain: dict[str, Any], text: str, out: Path | None, as_json: bool) -> None:
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f".{out.name}.tmp")
        temporary.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, out)
    give(plain, as_json, text)


def finetune(
    recipe: Annotated[Path, typer.Argument(help="A recipe of method 'mujo'.")],
    corpus: Corpus,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run; holds its resume point too.")],
    init: Annotated[Path | None, typer.Option(help="A checkpoint to start from; without it from scratch.")] = None,
    split: SplitOf = None,
    part: PartOf = "train",
    frozen: Annotated[bool, typer.Option(help="Train the classifier alone.")] = False,
    null: Annotated[bool, typer.Option(help="Idle time (NULL) is a class too.")] = False,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Teach a joint space the classes of a labelled corpus. Interrupted, the same command goes on."""
    import numpy as np

    from kinjo import joint
    from kinjo.batches import Windows, cut
    from kinjo.corpus import NULL
    from kinjo.recipe import Recipe

    plan, opened = Recipe.load(recipe), _opened(corpus)
    model = joint.new_model(plan, seed)
    index = cut(opened, _ids(split, part) if split else opened.recordings, plan)
    windows = Windows(opened, index, plan.inputs)
    labels = np.asarray(index.label_names, str)
    rows = np.arange(len(labels)) if null else np.flatnonzero(labels != NULL)
    facts: dict[str, Any] = {"corpus": opened.root.name, "recordings": len(set(index.recording[rows].tolist()))}
    facts |= {"split": str(split) if split else "", "part": part if split else "", "frozen": frozen, "null": null}
    if init is not None:
        init = init / "model.safetensors" if init.is_dir() else init
        taken = joint.initialise_from(model, init)
        say(f"{len(taken)} of {len(model.state_dict())} weights taken from {init.name}")
        digest = hashlib.sha256(init.read_bytes()).hexdigest()
        facts |= {"init": init.name, "init_sha256": digest, "init_taken": len(taken)}
    joint.finetune(plan, model, windows, rows, labels[rows], out, seed=seed, frozen=frozen, provenance=facts)
    path, classes = str(out / "model.safetensors"), len(set(labels[rows].tolist()))
    give(
        {"checkpoint": path, "windows": len(rows), "classes": classes}, as_json,
        f"{classes} classes learnt from {len(rows)} windows: {path}",
    )  # fmt: skip


def evaluate_finetune(
    recipe: Annotated[Path, typer.Argument(help="A recipe of method 'mujo'.")],
    corpus: Corpus,
    init: Annotated[Path | None, typer.Option(help="A pre-trained checkpoint; scratch runs beside it.")] = None,
    problem: Annotated[
        str, typer.Option(help="by_user: folds by subject; utd_mhad: odd to even subjects.")
    ] = "by_user",
    budgets: Annotated[str, typer.Option(help="all, clips:N, windows:SHARE, recordings:SHARE, recording:N.")] = "all",
    folds: Annotated[str, typer.Option(help="Only these, by name; empty: all.")] = "",
    seeds: Annotated[int, typer.Option(min=1)] = 1,
    frozen: Annotated[bool, typer.Option(help="Beside: the encoders frozen, the classifier alone trained.")] = False,
    baselines: Annotated[bool, typer.Option(help="Beside: MiniRocket on the same labels.")] = True,
    development: Annotated[bool, typer.Option(help="Choose within training subjects; test ones stay unseen.")] = False,
    work: Annotated[Path, typer.Option(help="Folder of the trainings, which go on from there.")] = Path("runs"),
    workers: Annotated[int, typer.Option(min=0, help="Processes of one thread each.")] = 1,
    plot: Plot = None,
    out: OutOf = None,
    as_json: Json = False,
) -> None:
    """Few labels and many: from scratch, pre-trained, frozen and MiniRocket on the same subsets, by subject."""
    from kinjo.evaluate import study
    from kinjo.recipe import Recipe

    found = study.finetuning(
        Recipe.load(recipe), corpus, init=init, problem=problem, budgets=budgets.split(","),
        folds=[f for f in folds.split(",") if f], seeds=range(seeds), frozen=frozen, baselines=baselines,
        development=development, work=work, workers=workers,
    )  # fmt: skip
    if plot is not None:
        from kinjo.evaluate import pictures_joint

        pictures_joint.label_efficiency(found, plot)
    _given(found.to_dict(), found.to_markdown(), out, as_json)


def zeroshot(
    model: Model,
    corpus: Corpus,
    split: SplitOf = None,
    part: PartOf = "test",
    null: Annotated[bool, typer.Option(help="Idle time (NULL) is a class too.")] = False,
    known: Annotated[
        Path | None, typer.Option(help="Corpus that the model learnt from: sentences near to all of it count less.")
    ] = None,
    out: OutOf = None,
    as_json: Json = False,
) -> None:
    """Name what happens by words alone: nearest sentences in the joint space, by every modality and all together."""
    from kinjo.evaluate import protocols

    near = None if known is None else _opened(known)
    found = protocols.zero_shot(model, _opened(corpus), _ids(split, part), null=null, known=near, progress=not as_json)
    _given(found.to_dict(), found.to_markdown(), out, as_json)


def retrieval(
    model: Model,
    corpus: Corpus,
    split: SplitOf = None,
    part: PartOf = "test",
    plot: Plot = None,
    out: OutOf = None,
    as_json: Json = False,
) -> None:
    """Any modality asks, any other answers: R@1, R@5, R@10 and mAP by class; the query's own clip does not count."""
    from kinjo.evaluate import protocols

    found = protocols.retrieval(model, _opened(corpus), _ids(split, part), progress=not as_json)
    if plot is not None:
        from kinjo.evaluate import pictures_joint

        recall = {(a, b): r.recall[1] for name, r in found.items() for a, _, b in [name.partition("_")]}
        pictures_joint.retrieval_map(recall, plot, title=corpus.name)
    lines = ["query_gallery          R@1    R@5    R@10   mAP    queries"]
    for name, r in found.items():
        numbers = "  ".join(f"{x:.3f}" for x in (*r.recall.values(), r.mean_average_precision))
        lines.append(f"{name:<22} {numbers}  {r.queries}")
    _given({name: r.to_dict() for name, r in found.items()}, "\n".join(lines), out, as_json)


def robustness(
    model: Annotated[Path, typer.Argument(help="A fine-tuned checkpoint (.safetensors).")],
    corpus: Corpus,
    split: SplitOf = None,
    part: PartOf = "test",
    plot: Plot = None,
    out: OutOf = None,
    as_json: Json = False,
) -> None:
    """What is lost with modalities or sensors missing, noise, slower rates, gaps, sensors mounted otherwise."""
    from kinjo.evaluate import protocols

    found = protocols.robust(model, _opened(corpus), _ids(split, part), progress=not as_json)
    if plot is not None:
        from kinjo.evaluate import pictures_joint

        pictures_joint.robustness(found, plot, title=corpus.name)
    _given(found.to_dict(), found.to_markdown(), out, as_json)


def unseen(
    recipe: Annotated[Path, typer.Argument(help="A recipe of method 'mujo'.")],
    corpora: Annotated[list[Path], typer.Option("--corpus", help="A corpus; name two or more.")],
    work: Annotated[Path, typer.Option(help="Folder of the trainings, which go on from there.")] = Path("runs"),
    seed: int = 0,
    out: OutOf = None,
    as_json: Json = False,
) -> None:
    """Leave each data set out once: a joint space of all others names its windows by words alone."""
    from kinjo.evaluate import protocols
    from kinjo.recipe import Recipe

    tables = protocols.unseen(Recipe.load(recipe), [_opened(c) for c in corpora], work, seed=seed)
    plain = {"left_out": [t.to_dict() for t in tables]}
    _given(plain, "\n".join(t.to_markdown() for t in tables), out, as_json)
