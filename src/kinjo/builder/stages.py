"""One clip through all stages that need its pictures: cut, pose, movement with virtual sensors, a strip to look at.

Each stage is a function of the one before and of ``Settings``. What it makes lies in the clip's folder; its JSON is
written last and holds the key of all that it was made from, so that what is there with the right key is done, and
everything else is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.builder import estimators, files, footage, person, pose_files, shots, strip
from kinjo.builder.errors import BuildError
from kinjo.builder.sources import Clip
from kinjo.motion import Motion
from kinjo.repetitions import body_repetitions
from kinjo.simulate import SITES, virtual_imu

VERSION = 1
"""Of what the stages make: raised where the same settings give other bytes."""
LEAST_FRAMES = 0.9
"""Share of a span's frames that have to decode."""
FILES = "files"
"""The estimator's name where there is none: poses lie beside the videos."""


@dataclass(frozen=True)
class Settings:
    """How clips are made. ``estimator``: ``mediapipe``, ``files`` (``<video>.poses.json`` beside each), or the path or
    address of an RTMPose ONNX file with its ``model_sha256``. ``least_pose``: share of the frames of a clip in which
    the person has to be seen."""

    rate_hz: float = 30.0
    short_side: int = 480
    shortest_s: float = 1.0
    longest_s: float = 600.0
    estimator: str = "mediapipe"
    model_sha256: str = ""
    least_pose: float = 0.3
    height_m: float = person.HEIGHT_M
    field_deg: float = person.FIELD_DEG
    imu_rate_hz: float = 50.0
    placements: tuple[str, ...] = tuple(SITES)

    def __post_init__(self) -> None:
        wrong = sorted(set(self.placements) - set(SITES))
        if wrong:
            raise BuildError(f"no sensor can lie at {', '.join(wrong)}; known: {', '.join(SITES)}")
        for name in ("rate_hz", "short_side", "shortest_s", "longest_s", "height_m", "field_deg", "imu_rate_hz"):
            if not 0 < getattr(self, name) < 1e5:
                raise BuildError(f"{name}: expected a number above 0, given {getattr(self, name)}")


@dataclass(frozen=True)
class Outcome:
    """``status``: kept or refused, ``reason`` of a refusal, and what the manifest tells of a clip."""

    id: str
    status: str
    reason: str
    facts: dict[str, Any]


def build(clip: Clip, folder: Path, settings: Settings) -> Outcome:
    """All stages of one clip; what is done is not done again. Never raises for what a video holds."""
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {}
    try:
        for stage in (cut, pose, sensors, seen):
            facts |= stage(clip, folder, settings)
    except BuildError as error:
        return Outcome(clip.id, "refused", str(error).replace(f"{folder}/", ""), facts)
    return Outcome(clip.id, "kept", "", facts)


# ------------------------------------------------------------------------------------------------ stages
def cut(clip: Clip, folder: Path, settings: Settings) -> dict[str, Any]:
    """``clip.mp4``: the span, upright, small, at an even rate; and its longest shot."""
    rate = footage.clip_rate(clip.source.facts.rate_hz, settings.rate_hz)
    key = _key("cut", clip.source.sha256, clip.start_s, clip.end_s, rate, settings.short_side)

    def make() -> dict[str, Any]:
        from av.video.reformatter import VideoReformatter

        wanted, count = footage.expected(clip.start_s, clip.end_s, rate), 0
        # one array: small ones among the frames, which come and go, would break the heap into pieces (10 GiB in a clip
        # of nine minutes)
        small = np.empty((wanted, shots.SIDE, shots.SIDE, 3), np.uint8)

        def frames() -> Iterator[footage.Frame]:
            scale = VideoReformatter()
            shown = footage.shown(clip.source.path, clip.start_s, clip.end_s, rate, settings.short_side)
            for k, frame in enumerate(shown):
                small[k] = shots.thumbnail(frame, scale)
                size[:] = frame.height, frame.width
                yield frame

        size = [0, 0]
        try:
            count = footage.encode(frames(), folder / "clip.mp4", rate)
        except BuildError:
            if any(size):
                raise
        if count < LEAST_FRAMES * wanted:
            raise BuildError(f"{count} of {wanted} frames decode: the video is damaged or cut off there")
        found = shots.cuts(small[:count])
        first, last = shots.longest(found, count)
        sizes = {"frames": count, "rate_hz": rate, "height": size[0], "width": size[1]}
        return {**sizes, "shots": len(found) + 1, "shot_start": first, "shot_stop": last}

    facts = done(folder / "cut.json", key, make)
    seconds = (facts["shot_stop"] - facts["shot_start"]) / facts["rate_hz"]
    if seconds < settings.shortest_s:
        raise BuildError(
            f"{facts['shots']} shots in {clip.end_s - clip.start_s:.1f} s, the longest of {seconds:.1f} s, expected "
            f"{settings.shortest_s:g}"
        )
    return facts


def pose(clip: Clip, folder: Path, settings: Settings) -> dict[str, Any]:
    """``pose.npz``: the main person of the longest shot, in pixels and, where the estimator can, in metres."""
    made = json.loads((folder / "cut.json").read_text())
    beside = pose_files.checksum(clip) if settings.estimator == FILES else settings.model_sha256
    key = pose_key(made["key"], settings.estimator, beside)

    def make() -> dict[str, Any]:
        rate, first, last = made["rate_hz"], made["shot_start"], made["shot_stop"]
        span = (first / rate, last / rate)
        if settings.estimator == FILES:
            seen = pose_files.seen(clip, made, beside)
        else:
            seen = estimator(settings.estimator, settings.model_sha256)(
                footage.frames(folder / "clip.mp4", *span, rate, settings.short_side)
            )
        who = person.main_person(seen)
        if who is None:
            return {"pose": 0.0, "pose_full": 0.0, "skeleton": seen.skeleton}
        more = {} if who.world is None else {"world": who.world.astype(np.float32)}
        image, sure = who.image.astype(np.float32), who.confidence.astype(np.float32)
        write_arrays(folder / "pose.npz", image=image, confidence=sure, there=who.there, full=who.full, **more)
        return {"pose": _share(who.there), "pose_full": _share(who.full), "skeleton": seen.skeleton}

    facts = done(folder / "pose.json", key, make)
    if facts["pose"] < settings.least_pose:
        raise BuildError(f"a person in {facts['pose']:.0%} of the frames, expected {settings.least_pose:.0%}")
    return facts


def sensors(clip: Clip, folder: Path, settings: Settings) -> dict[str, Any]:
    """``motion.npz``: the canonical joints in the room, what virtual sensors on them read, and how often a
    movement comes again; nothing of that from a 2-D pose."""
    made, seen = (json.loads((folder / name).read_text()) for name in ("cut.json", "pose.json"))
    key = _key("sensors", seen["key"], settings.height_m, settings.field_deg, settings.imu_rate_hz, settings.placements)

    def make() -> dict[str, Any]:
        with np.load(folder / "pose.npz") as kept:
            if "world" not in kept:
                return {"placements": [], "imu_rate_hz": settings.imu_rate_hz}
            who = person.Person(
                seen["skeleton"], kept["image"].astype(np.float64), kept["confidence"].astype(np.float64),
                kept["world"].astype(np.float64), kept["there"], kept["full"],
            )  # fmt: skip
        size = (made["height"], made["width"])
        moved = person.motion(who, made["rate_hz"], size, height_m=settings.height_m, field_deg=settings.field_deg)
        out: dict[str, NDArray[Any]] = {}
        for placement in settings.placements:
            with suppress(ValueError):  # joints that are never seen carry no sensor
                imu = virtual_imu(moved, placement, settings.imu_rate_hz)
                gone = np.zeros(len(imu.acc), bool) if imu.missing is None else imu.missing
                out |= {f"{placement}.acc": imu.acc, f"{placement}.gyro": imu.gyro, f"{placement}.missing": gone}
        missing = np.zeros(moved.positions.shape[:2], bool) if moved.missing is None else moved.missing
        single = {name: x if x.dtype == bool else x.astype(np.float32) for name, x in out.items()}
        write_arrays(folder / "motion.npz", positions=moved.positions.astype(np.float32), missing=missing, **single)
        made_at = sorted(name.removesuffix(".acc") for name in out if name.endswith(".acc"))
        count = body_repetitions(moved.positions, moved.rate_hz, missing=moved.missing).count
        return {"placements": made_at, "imu_rate_hz": settings.imu_rate_hz, "repetitions_seen": count}

    return done(folder / "motion.json", key, make)


def seen(clip: Clip, folder: Path, settings: Settings) -> dict[str, Any]:
    """``strip.png``: frames with the skeleton, and what sensors read."""
    cut, pose, moved = (json.loads((folder / f"{name}.json").read_text()) for name in ("cut", "pose", "motion"))

    def make() -> dict[str, Any]:
        with np.load(folder / "pose.npz") as kept:
            image = kept["image"]
        found = motion_of(folder)
        readings = {} if found is None else found[1]
        where = (folder / "clip.mp4", folder / "strip.png")
        strip.draw(*where, cut, pose["skeleton"], image, readings, moved["imu_rate_hz"])
        return {}

    done(folder / "strip.json", _key("strip", moved["key"]), make)
    return {}


# ------------------------------------------------------------------------------------------------ shared
@cache
def estimator(name: str, sha256: str) -> estimators.Estimator:
    """``mediapipe``, or RTMPose from a path or an address."""
    if name == "mediapipe":
        return estimators.mediapipe
    return estimators.rtmpose(estimators.fetched(name, sha256, Path.home() / ".cache" / "kinjo" / "models"))


def motion_of(folder: Path) -> tuple[Motion, dict[str, NDArray[Any]]] | None:
    """The movement of a clip that is done, and its virtual sensors by name; ``None`` of a 2-D pose."""
    if not json.loads((folder / "motion.json").read_text())["placements"]:
        return None
    rate = json.loads((folder / "cut.json").read_text())["rate_hz"]
    with np.load(folder / "motion.npz") as kept:
        out = {name: kept[name] for name in kept.files}
    return Motion(out.pop("positions"), rate, missing=out.pop("missing")), out


def pose_key(cut_key: str, estimator: str, sha256: str) -> str:
    """Of what the pose stage makes of a cut: with the model's checksum, or that of the file of poses."""
    return _key("pose", cut_key, estimator, sha256)


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps([VERSION, *parts]).encode()).hexdigest()


def _share(there: NDArray[np.bool_]) -> float:
    return round(float(there.mean()), 4) if len(there) else 0.0


def done(path: Path, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The facts in ``path`` if they are of ``key``, else made and written there in one step. A refusal is kept too."""
    facts: Any = None
    with suppress(OSError, ValueError):
        facts = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(facts, dict) or facts.get("key") != key:
        try:
            facts = {"key": key, **make()}
        except BuildError as error:
            facts = {"key": key, "refused": str(error)}
        write_json(path, facts)
    if facts.get("refused"):
        raise BuildError(facts["refused"])
    return facts


def write_json(path: Path, values: Any) -> None:
    """In one step, so that a file is whole or not there."""
    with files.replaced(path) as temporary:
        temporary.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """As ``write_json``."""
    with files.replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
