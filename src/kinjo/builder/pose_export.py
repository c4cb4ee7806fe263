"""The poses that a build found, as files beside which another build needs no estimator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kinjo.body import SKELETONS
from kinjo.builder import stages
from kinjo.builder.errors import BuildError
from kinjo.builder.pose_files import beside
from kinjo.formats import pose_json
from kinjo.formats.pose_json import Poses


def export(out: Path, to: Path) -> dict[str, int]:
    """Write ``<video>.poses.json`` into ``to`` for each video of the build in ``out``; clips of each by file name.

    Times are the videos'. Put the files beside the videos and build with ``estimator="files"``: same clips give the
    same poses and sensors. Clips of which too few frames showed a person are in them too. ``BuildError`` where
    ``out`` is no finished build, where two videos have one name, and where other files of these names are there.
    """
    rows, settings = _manifest(out)
    videos: dict[str, list[dict[str, Any]]] = {}
    shas: dict[str, str] = {}
    for row in rows:
        clip = _clip(out / "clips" / row["id"], row, settings)
        if clip is None:
            continue
        name = beside(Path(Path(row["file"]).name)).name
        if shas.setdefault(name, row["sha256"]) != row["sha256"]:
            raise BuildError(f"{out}: two of its videos would have {name}: build them apart, or rename one")
        videos.setdefault(name, []).append(clip)
    if not videos:
        raise BuildError(f"{out}: none of its clips has poses: see {out / 'report.html'} for why they were refused")
    made = {name: _joined(sorted(clips, key=lambda c: c["times"][0]), shas[name]) for name, clips in videos.items()}
    to.mkdir(parents=True, exist_ok=True)
    there = [name for name in made if (to / name).exists() and not _same(to / name, made[name])]
    if there:
        raise BuildError(f"{to}: holds another {there[0]}: name another folder, or move it away")
    for name, poses in made.items():
        pose_json.write(poses, to / name)
    return {name: len(clips) for name, clips in videos.items()}


def _manifest(out: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the clips that were cut, and the settings of the build."""
    import pyarrow.parquet as pq

    path = out / "manifest.parquet"
    if not path.is_file():
        raise BuildError(f"{out}: holds no manifest.parquet: 'kinjo build' writes one")
    try:
        table = pq.read_table(path, columns=["id", "status", "file", "sha256", "start_s"])
        settings = json.loads((table.schema.metadata or {})[b"settings"])
    except (OSError, ValueError, KeyError) as error:  # PyArrow's errors are of these too
        raise BuildError(f"{path.name}: cannot be read ({error}). Build again, or correct the rights.") from error
    return [row for row in table.to_pylist() if row["sha256"]], settings


def _clip(folder: Path, row: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any] | None:
    """Times and poses of a clip, ``None`` where it has none, or of another cut or estimator than the last build's."""
    try:
        cut, pose = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("cut.json", "pose.json"))
        if "refused" in cut or "refused" in pose or (settings["estimator"] == stages.FILES and row["status"] != "kept"):
            return None
        key = stages.pose_key(cut["key"], settings["estimator"], settings["model_sha256"])
        if settings["estimator"] != stages.FILES and pose["key"] != key:
            raise FileNotFoundError
        times = row["start_s"] + np.arange(cut["shot_start"], cut["shot_stop"]) / cut["rate_hz"]
        facts = {"times": times, "skeleton": pose["skeleton"], "size": (cut["height"], cut["width"])}
        if not pose["pose"]:
            return facts
        with np.load(folder / "pose.npz") as kept:
            return facts | {name: kept[name] for name in ("image", "confidence", "world") if name in kept}
    except FileNotFoundError:
        if row["status"] == "kept":
            raise BuildError(
                f"{folder.name}: its poses are gone, or of other settings: run the same build again"
            ) from None
        return None
    except (OSError, ValueError, KeyError) as error:
        raise BuildError(f"{folder.name}: cannot be read ({error}): run the same build again") from error


def _joined(clips: list[dict[str, Any]], sha256: str) -> Poses:
    """The clips of one video, in the order of their times, as one."""
    skeleton, size = clips[0]["skeleton"], clips[0]["size"]
    if any(clip["skeleton"] != skeleton for clip in clips):
        raise BuildError("clips of one video have poses of several estimators: run the same build again")
    joints = len(SKELETONS[skeleton].joints)
    deep = any("world" in clip for clip in clips)
    parts: dict[str, list[Any]] = {"image": [], "confidence": [], "world": []}
    for clip in clips:
        frames = len(clip["times"])
        nobody = np.full((frames, joints, 3), np.nan, np.float32)
        given = clip.get("image", nobody[..., :2])
        if len(given) != frames:
            raise BuildError(f"{frames} frames and {len(given)} poses of a clip: run the same build again")
        parts["image"].append(given if clip["size"] == size else given / clip["size"][::-1] * size[::-1])
        parts["confidence"].append(clip.get("confidence", np.zeros((frames, joints), np.float32)))
        parts["world"].append(clip.get("world", nobody))
    image, sure, world = (np.concatenate(part)[:, None].astype(np.float32) for part in parts.values())
    times = np.concatenate([clip["times"] for clip in clips])
    keep = np.concatenate([[True], np.diff(times) > pose_json.SAME_S])
    image, sure, solid = image[keep], sure[keep], world[keep] if deep else None
    return Poses(skeleton, image, sure, solid, "px", np.arange(keep.sum()), True, times[keep], None, size, sha256)


def _same(path: Path, poses: Poses) -> bool:
    """Whether a file holds these poses already."""
    try:
        there = pose_json.read(path)
    except ValueError:
        return False
    parts = [(there.image, poses.image), (there.times_s, poses.times_s), (there.confidence, poses.confidence)]
    return all(a is not None and b is not None and np.array_equal(a, b, equal_nan=True) for a, b in parts)
