"""Frozen features of the clips of a build: vectors of frames from an image model, and of sentences from a text model.

out/clips/<id>/features.npz: ``video (n, dim)`` at ``times_s (n,)`` of the clip, ``text (sentences, dim)`` in the order
of the manifest's column ``sentences``; ``features.json``: the models and the key of what they were made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from kinjo.builder import footage, stages
from kinjo.builder.errors import BuildError

if TYPE_CHECKING:
    from kinjo.encoders.frozen import VisionEncoder
    from kinjo.encoders.text import TextEncoder

SHORT_SIDE = 256
AT_ONCE = 64
"""Frames that go through the model at a time."""


def make(out: Path, vision: str, text: str = "minilm", *, rate_hz: float = 4.0, progress: bool = True) -> list[str]:
    """Features of every kept clip of the build ``out``; what is there is not made again. Returns the clips' ids.

    ``vision``: a folder or hub name of an image or video model of transformers; ``text``: as in ``encoders.text.load``;
    ``rate_hz``: frames a second. ``BuildError`` where ``out`` is no build, ``ValueError`` where a model cannot be had.
    """
    from kinjo.encoders import frozen, kept
    from kinjo.encoders.text import load

    rows = _kept(out)
    if not 0 < rate_hz <= 250:
        raise BuildError(f"rate_hz: expected a number above 0, at most 250, given {rate_hz:g}")
    seer, reader = frozen.load_vision(vision), load(text)
    own = [kept.weights(seer), kept.weights(reader), vision, text, rate_hz]
    shown = track(rows, "features", console=Console(stderr=True), disable=not progress)
    for row in shown:
        folder = out / "clips" / row["id"]
        cut = json.loads((folder / "cut.json").read_text(encoding="utf-8"))
        key = hashlib.sha256(json.dumps([cut["key"], row["sentences"], *own]).encode()).hexdigest()
        stages.done(folder / "features.json", key, lambda f=folder, r=row: _one(f, r, seer, reader, rate_hz))
    return [row["id"] for row in rows]


def _kept(out: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    path = out / "manifest.parquet"
    if not path.is_file():
        raise BuildError(f"{out}: holds no manifest.parquet: 'kinjo build videos' writes one")
    try:
        rows = pq.read_table(path, columns=["id", "status", "sentences"]).to_pylist()
    except (OSError, ValueError) as error:
        raise BuildError(f"{path}: cannot be read ({error}). Build again.") from error
    return [row for row in rows if row["status"] == "kept"]


def _one(folder: Path, row: dict[str, Any], seer: VisionEncoder, reader: TextEncoder, rate_hz: float) -> dict[str, Any]:
    """``features.npz`` of a clip."""
    video = np.concatenate(list(_video(folder / "clip.mp4", seer, rate_hz)))
    text = reader.encode(list(row["sentences"]))
    times = (np.arange(len(video)) / rate_hz).astype(np.float32)
    stages.write_arrays(folder / "features.npz", video=video, times_s=times, text=text)
    return {"vision": seer.name, "text": reader.name, "rate_hz": rate_hz, "frames": len(video), "dim": seer.dim}


def _video(path: Path, seer: VisionEncoder, rate_hz: float) -> Iterator[NDArray[np.float32]]:
    """Features some frames at a time; the last clip of a video model is filled with its last frame."""
    import torch

    end = footage.probe(path).duration_s
    some: list[footage.Picture] = []
    size = max(AT_ONCE // seer.clip, 1) * seer.clip

    def seen() -> NDArray[np.float32]:
        fill = [some[-1]] * (-len(some) % seer.clip)
        with torch.inference_mode():
            return seer(torch.from_numpy(np.stack([*some, *fill]))[None])[0, : len(some)].numpy()

    for picture in footage.frames(path, 0.0, end, rate_hz, SHORT_SIDE):
        some.append(picture)
        if len(some) == size:
            yield seen()
            some.clear()
    if some:
        yield seen()
