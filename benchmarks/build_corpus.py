"""The builder on real videos: is every clip accounted for, is the person found, are repetitions right, what is learnt?

The 20 videos of the data folder and a fitness video of 10 minutes that is put together from them, with chapters in its
container, go through one ``kinjo build videos``. Then the built corpus trains MuJo by the commands of the README alone:
sentences look for clips of daily movements whose activities no training has seen, in three folds of four.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from _tools import KINJO, RESULTS, ROOT, data_root
from kinjo.builder import footage, stages
from kinjo.corpus import Corpus, Split
from kinjo.evaluate import report
from kinjo.repetitions import body_repetitions

WORK = ROOT / ".bench" / "build"
COMMAND = "make bench-build-corpus"
MINUTES, RATE, SIZE = 10, 30, (360, 640)
REST_S = 12.0
FOLDS, SEEDS = 3, 3


def main() -> None:
    """All rows."""
    folder = data_root() / "videos"
    daily, exercise = (sorted((folder / name).glob("*.mp4")) for name in ("cc-by-daily", "exercise"))
    if not daily or not exercise:
        sys.exit(f"no videos under {folder}: name the folder of the data sets with KINJO_DATA (make: DATA=folder)")
    WORK.mkdir(parents=True, exist_ok=True)
    video = WORK / "fitness-video.mp4"
    chapters = assembled([*daily, *exercise], video)
    built = WORK / "built"
    shutil.rmtree(built, ignore_errors=True)
    line = ["build", "videos", str(folder), str(video), "-o", str(built), "--workers", "2", "--json"]
    subprocess.run([*KINJO, *line], check=True, stdout=subprocess.DEVNULL)
    rows = {row["id"]: row for row in pq.read_table(built / "manifest.parquet").to_pylist()}
    stems = {stem(path): path for path in (*daily, *exercise)}
    wanted = [f"{s}___0" for s in stems] + [f"fitness-video___{k}" for k in range(chapters)]
    lost = [id for id in wanted if not accounted(rows.get(id))]
    found = share(rows, [f"{stem(p)}___0" for p in daily])
    common: dict[str, Any] = {"command": COMMAND, "machine": report.describe_machine()}
    made = [
        report.row(
            "build.clips_unaccounted", len(lost) / len(wanted), "fraction", clips=len(wanted), lost=lost,
            kept=sum(r["status"] == "kept" for r in rows.values()),
            protocol=f"{len(stems)} real videos and one of {MINUTES} minutes with {chapters} chapters, one command: "
            "clips neither kept nor refused with a reason", **common,
        ),
        report.row(
            "build.pose_found", found["pose"], "fraction", full=found["pose_full"],
            protocol="daily clips: share of all frames with a person's shoulders and hips", **common,
        ),
        report.row(
            "build.pose_found_full", found["pose_full"], "fraction",
            protocol="daily clips: share of all frames with shoulders, hips, knees and ankles", **common,
        ),
        repetitions(exercise, built, common),
        zeroshot(built, [f"{stem(p)}___0" for p in daily], rows, common),
    ]  # fmt: skip
    report.write_rows(RESULTS / "build_corpus.json", made)
    for row in made:
        print(row["id"], row["value"])


def stem(path: Path) -> str:
    """The id of a video, as the builder makes it."""
    from kinjo.builder.sources import ids_of

    return ids_of([path])[0]


def accounted(row: dict[str, Any] | None) -> bool:
    """Kept, or refused with a reason."""
    return row is not None and (row["status"] == "kept" or (row["status"] == "refused" and bool(row["reason"])))


def share(rows: dict[str, dict[str, Any]], ids: list[str]) -> dict[str, float]:
    """Of all frames of the clips, those with a person, whole or in part; a clip that was not cut is one frame."""
    frames = sum(rows[i]["frames"] or 1 for i in ids)
    span = {i: (rows[i]["shot_stop"] or 0) - (rows[i]["shot_start"] or 0) for i in ids}
    return {name: sum(span[i] * (rows[i][name] or 0.0) for i in ids) / frames for name in ("pose", "pose_full")}


# ------------------------------------------------------------------------------------------------ the long video
def assembled(videos: list[Path], out: Path) -> int:
    """Ten minutes of the videos in turn, each a chapter, rests between; the number of chapters."""
    plan = out.with_suffix(".json")
    if out.is_file() and plan.is_file():
        return int(json.loads(plan.read_text())["chapters"])
    marks = list(_marks(videos))
    temporary = out.with_name(f".{out.name}")
    import av

    with av.open(str(temporary), "w", format="mp4") as container:
        track: Any = container.add_stream("libx264", rate=RATE)
        track.height, track.width, track.pix_fmt = *SIZE, "yuv420p"
        track.options = {"preset": "veryfast", "crf": "23"}
        container.set_chapters(list(_chapters(marks)))
        for start, end, source in marks:
            for picture in _shown(source, round(end * RATE) - round(start * RATE)):
                for packet in track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                    container.mux(packet)
        for packet in track.encode(None):
            container.mux(packet)
    temporary.replace(out)
    stages.write_json(plan, {"chapters": len(marks)})
    return len(marks)


def _marks(videos: list[Path]) -> Iterator[tuple[float, float, Path | None]]:
    """Start, end and source of each part (None: a rest), until ``MINUTES`` are full."""
    at, k = 0.0, 0
    while at < 60.0 * MINUTES:
        video = videos[k % len(videos)] if k else None
        length = min(footage.probe(video).duration_s if video else REST_S, 60.0 * MINUTES - at)
        yield at, at + length, video
        at += length
        k += 1
        if video and k % 5 == 0:
            yield at, at + REST_S, None
            at += REST_S


def _chapters(parts: list[tuple[float, float, Path | None]]) -> Iterator[Any]:
    for i, (start, end, video) in enumerate(parts):
        title = "Rest" if i else "Intro"
        if video is not None:
            title = f"{i}. {video.stem.split('_', 1)[-1].replace('_', ' ').upper()}"
        base = Fraction(1, 1000)
        span = {"start": round(1000 * start), "end": round(1000 * end), "time_base": base}
        yield {"id": i, **span, "metadata": {"title": title}}


def _shown(video: Path | None, count: int) -> Iterator[np.ndarray[Any, Any]]:
    """``count`` pictures of a video, cut or padded to ``SIZE``; grey of a rest."""
    blank = np.full((*SIZE, 3), 96, np.uint8)
    given = iter(()) if video is None else footage.frames(video, 0.0, count / RATE, RATE, SIZE[0])
    last = blank
    for _ in range(count):
        picture = next(given, None)
        if picture is not None:
            side = max(0, picture.shape[1] - SIZE[1]) // 2
            part = picture[: SIZE[0], side : side + SIZE[1]]
            left = (SIZE[1] - part.shape[1]) // 2
            last = blank.copy()
            last[: part.shape[0], left : left + part.shape[1]] = part
        yield last


# ------------------------------------------------------------------------------------------------ what is in it
def repetitions(videos: list[Path], built: Path, common: dict[str, Any]) -> dict[str, Any]:
    """``build.reps_exact``: counted from the pose against the marks of the label files."""
    counted, marked = {}, {}
    for video in videos:
        table = np.genfromtxt(video.with_suffix(".csv"), delimiter=",", skip_header=1)
        marked[video.stem] = int((table[:, -1] > 0.5).sum())
        made = stages.motion_of(built / "clips" / f"{stem(video)}___0")
        assert made is not None
        counted[video.stem] = body_repetitions(made[0].positions, made[0].rate_hz, missing=made[0].missing).count
    right = float(np.mean([counted[name] == marked[name] for name in counted]))
    constant = max(float(np.mean([m == k for m in marked.values()])) for k in range(3))
    return report.row(
        "build.reps_exact", right, "fraction", counted=counted, marked=marked, baseline={"constant": constant},
        protocol="8 squat and push-up clips: repetitions from the pose equal to the marks (a mark is a frame, the clip "
        "is cut anywhere); that a last way back must have arrived was decided when these clips had been seen", **common,
    )  # fmt: skip


def zeroshot(built: Path, daily: list[str], rows: dict[str, dict[str, Any]], common: dict[str, Any]) -> dict[str, Any]:
    """``build.zeroshot``: sentences find clips of activities that were never seen, by the CLI alone."""
    corpus = Corpus.open(built / "corpus")
    daily = [d for d in daily if rows[d]["status"] == "kept"]
    single = [r for r in corpus.recordings if not r.startswith("fitness-video")]  # it repeats the clips
    recall: dict[str, list[float]] = {}
    chance = []
    for fold in range(FOLDS):
        test = daily[fold::FOLDS]
        unseen = {rows[t]["label"] for t in test}
        train = [r for r in single if r not in test and rows[r]["label"] not in unseen]
        split = WORK / f"split-{fold}.json"
        Split("daily", {"train": tuple(train), "test": tuple(test)}, {}, {}).save(split)
        chance.append(1 / len(unseen))
        for seed in range(SEEDS):
            run, out = WORK / f"run-{fold}-{seed}", WORK / f"found-{fold}-{seed}.json"
            shutil.rmtree(run, ignore_errors=True)  # of an older corpus
            where = ["--corpus", str(corpus.root), "--split", str(split)]
            recipe = str(ROOT / "recipes" / "mujo-built.toml")
            line = ["pretrain", recipe, *where, "--part", "train", "--text", "-o", str(run), "--seed", str(seed)]
            subprocess.run([*KINJO, *line], check=True)
            told = ["evaluate", "retrieval", str(run / "model.safetensors"), *where, "-o", str(out)]
            subprocess.run([*KINJO, *told], check=True, stdout=subprocess.DEVNULL)
            for name, one in json.loads(out.read_text()).items():
                if name.startswith("text_"):
                    recall.setdefault(name, []).append(one["recall"]["1"])
    each = {name: round(float(np.mean(v)), 4) for name, v in recall.items()}
    return report.row(
        "build.zeroshot", float(np.mean(list(each.values()))), "fraction", by_modality=each, seeds=SEEDS,
        baseline={"chance": float(np.mean(chance))},
        protocol=f"daily clips in {FOLDS} folds: sentences of activities that no training saw find their windows, R@1, "
        "mean of the modalities; trained on the other clips by kinjo pretrain recipes/mujo-built.toml",
        trained_on="the other daily and exercise clips of the data folder", **common,
    )  # fmt: skip


if __name__ == "__main__":
    main()
