"""Verbs that take a recognizer to a device: export it as ONNX, measure what it costs there, and run it on a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kinjo.cli.common import Json, give
from kinjo.cli.own import ModelFile, Profile, opened


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that 'kinjo learn' wrote.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The model to write, .onnx.")],
    int8: Annotated[bool, typer.Option(help="Weights of matrices as int8, if --corpus is answered as well.")] = False,
    corpus: Annotated[Path | None, typer.Option("--corpus", help="A labelled corpus of other people, for --int8.")]
    = None,
    max_drop: Annotated[float, typer.Option(min=0.0, max=1.0, help="Accuracy that int8 may lose.")] = 0.01,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write a recognizer as one ONNX file that needs no PyTorch: kinjo.runtime.load reads it."""
    from kinjo import export as exported

    if out.suffix != ".onnx":
        raise ValueError(f"{out}: an exported model ends in .onnx")
    if int8 and corpus is None:
        raise ValueError("--int8 needs --corpus: labelled recordings that it was not trained on, to compare answers")
    result: dict[str, object] = {"model": str(out)}
    if not int8:
        model = exported.export(checkpoint, out)
    else:
        from tempfile import TemporaryDirectory

        from kinjo.corpus import Corpus

        assert corpus is not None
        with TemporaryDirectory() as folder:
            whole = Path(folder) / "fp32.onnx"
            model = exported.export(checkpoint, whole)
            store = Corpus.open(corpus)
            result |= exported.quantize(whole, out, checkpoint, store, store.recordings, max_drop=max_drop)
    result |= {"classes": list(model.labels), "bytes": out.stat().st_size}
    lost = f", {result['drop']:.3f} of the accuracy lost by int8" if "drop" in result else ""
    give(result, as_json, f"{len(model.labels)} activities, {out.stat().st_size / 1e6:.1f} MB{lost}: {out}")


def profile(
    model: Annotated[
        Path | None, typer.Argument(help="What 'kinjo export' or 'kinjo learn' wrote; empty: kinjo-base.")
    ] = None,
    windows: Annotated[int, typer.Option(min=20, help="Windows to time, one by one.")] = 500,
    as_json: Json = False,
) -> None:
    """Size, parameters, operations, latency of single windows on one thread, and memory."""
    from kinjo.profiling import profile as measured
    from kinjo.runtime import shipped

    found = measured(model or shipped(".onnx"), windows=windows)
    give(found, as_json, "\n".join(f"{name:>14}  {value}" for name, value in found.items()))


def stream(
    model: ModelFile = None,
    profile: Profile = None,
    late: Annotated[float, typer.Option(min=0.0, help="Seconds by which samples may come after newer ones.")] = 0.5,
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for a stream that lags behind others.")] = 1.0,
) -> None:
    """Recognise while samples come: JSON lines on stdin, events as JSON lines on stdout (see kinjo.stream)."""
    import json
    import os
    import sys

    from kinjo.stream import events, read_lines

    try:
        for event in events(opened(model, profile), read_lines(sys.stdin), late_s=late, wait_s=wait):
            print(json.dumps(event), flush=True)
    except BrokenPipeError:  # whoever read the events has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
