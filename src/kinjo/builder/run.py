"""The whole pipeline: videos in a folder to a corpus, by processes here or a cluster; killed, the same command goes on.

out/clips/<id>/     what each stage made of a clip (stages.py)
out/corpus/         the corpus of the kept clips
out/manifest.parquet, out/report.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kinjo import corpus
from kinjo.builder import cluster, files, pool, report, stages
from kinjo.builder.errors import BuildError
from kinjo.builder.sources import Clip, Refused, clips, videos
from kinjo.builder.stages import Outcome, Settings
from kinjo.builder.subtitles import said as spoken
from kinjo.builder.words import Endpoint, Words, described
from kinjo.corpus.writer import locked
from kinjo.formats.rgb import Decoder, rgb_stream
from kinjo.recording import Contract, Recording, Segment, Stream

MOST_SPOKEN = 2000
"""Characters of a clip's subtitles that the manifest keeps."""


@dataclass(frozen=True)
class Built:
    """What came of it: every clip and file once, in the order of the videos."""

    kept: tuple[str, ...]
    refused: dict[str, str]
    notes: tuple[str, ...]
    corpus: Path | None
    rows: list[dict[str, Any]] = field(repr=False)


def build(
    places: Iterable[Path],
    out: Path,
    settings: Settings | None = None,
    *,
    licence: str = "",
    base: Path | None = None,
    endpoint: Endpoint | None = None,
    workers: int | None = None,
    progress: bool = True,
    ray: str = "",
) -> Built:
    """Build a corpus of the videos among ``places`` in the folder ``out``.

    ``licence`` is of videos that do not tell; ``base`` is a text base; ``workers`` processes (``None``: one a core;
    0: in this one, where a crash of a decoder ends all), or tasks on the Ray cluster at the address ``ray`` (``local``:
    one of this machine), whose nodes have to see the videos and ``out`` under the same paths. Nothing is written
    outside ``out``. ``BuildError`` where there is no video, or ``out`` holds something else; ``CorpusError`` while
    another process builds there.
    """
    settings = settings or Settings()
    out.mkdir(parents=True, exist_ok=True)
    _claim(out)
    with locked(out):
        files.sweep(out, files.LEFT_S if ray else 0.0)
        planned, refused, notes = clips(
            videos(places), licence=licence, shortest_s=settings.shortest_s, longest_s=settings.longest_s
        )
        notes = list(notes)
        told = dict(zip((c.id for c in planned), _words(planned, base, endpoint, notes), strict=True))
        if ray:
            outcomes = cluster.outcomes(planned, out / "clips", settings, workers, progress, address=ray)
        else:
            outcomes = pool.outcomes(planned, out / "clips", settings, workers, progress)
        rows = [_row(clip, outcomes[clip.id], told[clip.id]) for clip in planned] + [_refused(r) for r in refused]
        rows.sort(key=lambda row: [(c.isdigit() and (0, int(c), "")) or (1, 0, c) for c in row["id"].split("___")])
        kept = [clip for clip in planned if outcomes[clip.id].status == "kept"]
        where = _corpus(kept, told, out, rows, progress) if kept else None
        report.manifest(rows, settings, out / "manifest.parquet")
        report.page(rows, out, notes)
        reasons = {row["id"]: row["reason"] for row in rows if row["status"] == "refused"}
        return Built(tuple(clip.id for clip in kept), reasons, tuple(notes), where, rows)


def _claim(out: Path) -> None:
    mark = out / "build.json"
    if not mark.is_file() and any(p.name not in ("videos",) and not p.name.startswith(".") for p in out.iterdir()):
        raise BuildError(f"{out}: holds other files: name an empty folder, or one that this command made")
    stages.write_json(mark, {"kinjo_build": stages.VERSION})


def _words(planned: Sequence[Clip], base: Path | None, endpoint: Endpoint | None, notes: list[str]) -> list[Words]:
    return described([clip.title for clip in planned], base=base, endpoint=endpoint, notes=notes) if planned else []


# ------------------------------------------------------------------------------------------------ results
def _row(clip: Clip, outcome: Outcome, said: Words) -> dict[str, Any]:
    source = clip.source
    return {
        "id": clip.id, "status": outcome.status, "reason": outcome.reason, "video": source.id, "file": source.path.name,
        "sha256": source.sha256, "start_s": clip.start_s, "end_s": clip.end_s, "title": clip.title,
        "video_title": source.title, "url": source.url, "licence": source.licence or "not told",
        "author": source.author,
        "spoken": spoken(source.captions, clip.start_s, clip.end_s)[:MOST_SPOKEN], **asdict(said),
        **{k: v for k, v in outcome.facts.items() if k != "key"},
    }  # fmt: skip


def _refused(one: Refused) -> dict[str, Any]:
    return {
        "id": one.id, "status": "refused", "reason": one.reason, "video": one.id.split("___")[0], "file": one.source,
        "start_s": one.start_s, "end_s": one.end_s, "title": one.title,
    }  # fmt: skip


def _corpus(
    kept: Sequence[Clip], told: dict[str, Words], out: Path, rows: Sequence[dict[str, Any]], progress: bool
) -> Path:
    """The kept clips as a corpus; one of other clips, settings or words is replaced."""
    made = [[row["id"], row.get("description", ""), row.get("label", "")] for row in rows if row["status"] == "kept"]
    keys = [json.loads((out / "clips" / c.id / "motion.json").read_text())["key"] for c in kept]
    origin = f"kinjo build: {corpus_key([made, keys])}"
    where, decoder = out / "corpus", Decoder()
    recordings = (recording(c, out / "clips" / c.id, told[c.id], decoder) for c in kept)
    resume = _origin(where) == origin
    corpus.write(recordings, where, resume=resume, origin=origin, progress=progress, total=len(kept))
    decoder.close()
    return where


def corpus_key(values: Any) -> str:
    """A digest of JSON types."""
    import hashlib

    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def _origin(where: Path) -> str:
    """Of the corpus in ``where``, finished or not; "" where none is."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((where / "corpus.json").read_text())["settings"]["origin"])
    return ""


def recording(clip: Clip, folder: Path, said: Words, decoder: Decoder) -> Recording:
    """A kept clip: ``video``, ``pose`` (metres in the room, or pixels of a 2-D pose), ``<placement>.acc``, ``.gyro``.

    All streams begin at 0 s, the start of the clip; outside its longest shot pose and sensors are not there.
    """
    cut = json.loads((folder / "cut.json").read_text())
    first = cut["shot_start"] / cut["rate_hz"]
    size = corpus.VideoSize().of(cut["height"], cut["width"])  # as it is kept: nothing larger is decoded to arrays
    streams: list[Stream] = [rgb_stream("video", folder / "clip.mp4", decoder, size=size)]
    found = stages.motion_of(folder)
    if found is None:
        with np.load(folder / "pose.npz") as kept:
            image, there = kept["image"], kept["there"]
        skeleton = json.loads((folder / "pose.json").read_text())["skeleton"]
        contract = Contract("pose", "position", "px", cut["rate_hz"], axes=("x", "y"), skeleton=skeleton)
        gone = ~there | ~np.isfinite(image).all((1, 2))
        streams.append(Stream.of("pose", contract, np.nan_to_num(image), start_s=first, missing=gone))
    else:
        moved, values = found
        streams.append(moved.stream("pose", start_s=first))
        rate = json.loads((folder / "motion.json").read_text())["imu_rate_hz"]
        for name in sorted(n.removesuffix(".acc") for n in values if n.endswith(".acc")):
            missing = values[f"{name}.missing"]
            acc = Contract("imu", "acc", "m/s^2", rate, placement=name, gravity=True)
            gyro = Contract("imu", "gyro", "rad/s", rate, placement=name)
            streams += [
                Stream.of(f"{name}.{q}", contract, values[f"{name}.{q}"], start_s=first, missing=missing)
                for q, contract in (("acc", acc), ("gyro", gyro))
            ]
    length = cut["frames"] / cut["rate_hz"]
    segment = Segment(0.0, length, said.label, said.description, said.repetitions)
    return Recording(
        clip.id, {s.name: s for s in streams}, (segment,), f"person of {clip.source.id}",
        f"build:{clip.source.id}", clip.source.id,
    )  # fmt: skip
