"""Poses that somebody has already, in place of an estimator: ``squats.poses.json`` beside ``squats.mp4``.

The file is of any form of ``formats.pose_json``. Its times are of the video, so that a clip takes its span.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.builder import footage, person
from kinjo.builder.errors import BuildError
from kinjo.builder.estimators import Seen
from kinjo.builder.sources import Clip, Source, digest
from kinjo.formats import FormatError, pose_json
from kinjo.formats.pose_json import Poses

ENDING = ".poses.json"
SLACK = 2
"""Frames by which a count may be off: programs differ in how they end a video."""
LEAST_TOLD = 0.9
"""Where a file tells of frames with somebody in them alone: share of the video's length that it has to reach."""
LEAST_RATE = 0.5
"""Poses for each picture of a clip: with fewer, movement is lost between them."""
ASPECT = 0.02
"""Relative difference from the video's width to height: more is another picture, or one on its side."""


def beside(video: Path) -> Path:
    """Where the poses of a video are looked for."""
    return video.with_name(video.stem + ENDING)


def checksum(clip: Clip) -> str:
    """SHA-256 of the file of poses of a clip's video; "" where there is none."""
    path = beside(clip.source.path)
    try:
        return digest(path) if path.is_file() else ""
    except OSError as error:
        raise BuildError(f"{path.name}: cannot be read ({error.strerror}): correct its rights") from error


def seen(clip: Clip, cut: dict[str, Any], sha256: str) -> Seen:
    """One person at the moments of a clip's longest shot, in the clip's pixels, of the file with ``sha256``.

    ``cut``: the facts of that stage. ``BuildError`` where there is no file, where it is damaged, or where it cannot be
    of this video: another checksum, length, number of frames or shape of the picture.
    """
    path = beside(clip.source.path)
    if not sha256:
        raise BuildError(f"no {path.name} beside the video: write its poses there, or choose an estimator")
    poses = _of_video(path, sha256, clip.source)
    own = pose_json.clock(poses)
    times = clip.start_s + np.arange(cut["shot_start"], cut["shot_stop"]) / cut["rate_hz"]
    step = float(np.median(np.diff(own))) if len(own) > 1 else 1 / cut["rate_hz"]
    if 1 / step < LEAST_RATE * cut["rate_hz"] * 0.99:
        raise BuildError(
            f"{path.name}: {1 / step:.1f} poses a second for {cut['rate_hz']:.1f} pictures, expected at least half as "
            f"many: estimate every frame"
        )
    some = np.flatnonzero((own >= times[0] - 1.5 * step) & (own <= times[-1] + 1.5 * step))
    if not len(some):
        raise BuildError(f"{path.name}: no pose between {times[0]:.1f} and {times[-1]:.1f} s")
    part = _in_pixels(poses, some, path.name, clip.source.facts, (cut["height"], cut["width"]))
    found = pose_json.at(_alone(part), times)
    return Seen(found.skeleton, found.image, found.confidence, found.world)


@lru_cache(maxsize=1)
def _read(path: Path, sha256: str) -> Poses:
    """The poses in the file with ``sha256``. Kept, as the next clip is mostly of the same video."""
    try:
        return pose_json.read(path)
    except FormatError as error:
        raise BuildError(str(error)) from error


def _of_video(path: Path, sha256: str, source: Source) -> Poses:
    """The poses in a file, with times of the video's clock."""
    poses = _read(path, sha256)
    if poses.video_sha256 and poses.video_sha256 != source.sha256:
        raise BuildError(
            f"{path.name}: poses of another video (SHA-256 {poses.video_sha256[:12]}...): if it is the same, only "
            "encoded again, take video_sha256 out of the file"
        )
    if poses.times_s is None:
        poses = _counted(poses, path.name, source)
    own = pose_json.clock(poses)
    length, slack = source.facts.duration_s, max(0.1, 3 / source.facts.rate_hz)
    if own[0] < -slack or own[-1] > length + slack:
        raise BuildError(
            f"{path.name}: poses from {own[0]:.2f} to {own[-1]:.2f} s of a video of {length:.2f} s: is it of another "
            "video, or do its times not begin with it?"
        )
    return poses


def _counted(poses: Poses, name: str, source: Source) -> Poses:
    """Poses of frames without times: those of the video's frames, where they are as many; else by the file's rate."""
    frames = frame_times(source.path, source.sha256)
    last, count, step = int(poses.frames[-1]), len(frames), 1
    if len(poses.frames) > 1:
        step = int(np.median(np.diff(poses.frames)))
    ends = count - 1 - last
    if -SLACK <= ends <= (SLACK + step - 1 if poses.complete else (1 - LEAST_TOLD) * count + SLACK):
        more = frames[-1] + (1 + np.arange(max(0, -ends))) / source.facts.rate_hz
        return replace(poses, times_s=np.concatenate([frames, more])[poses.frames])
    length = source.facts.duration_s
    if poses.rate_hz is None or not poses.complete:
        raise BuildError(
            f"{name}: {last + 1} frames, the video has {count}: is it of another video, or of every few frames? "
            "Estimate every frame, or write times (time_s, timestamp_ms)"
        )
    told = (last + step) / poses.rate_hz
    if abs(told - length) > max(0.1, 3 / poses.rate_hz):
        raise BuildError(
            f"{name}: {last + 1} frames at {poses.rate_hz:g} Hz are {told:.2f} s, the video has {count} in "
            f"{length:.2f} s: is it of another video? Correct the rate, or write times (time_s, timestamp_ms)"
        )
    return poses


@lru_cache(maxsize=1)
def frame_times(path: Path, sha256: str) -> NDArray[np.float64]:
    """When a player shows the frames of a video, seconds from the first: also of a phone, whose rate is not even.

    Nothing is decoded; ``sha256`` tells the video from an older one of that name. ``BuildError`` where the file cannot
    be read.
    """
    from av.error import FFmpegError
    from av.stream import Disposition

    with footage.opened(path) as container:
        track = next((t for t in container.streams.video if not t.disposition & Disposition.attached_pic), None)
        if track is None:
            raise BuildError(f"{path}: holds no video track. {footage.AGAIN}")
        rate = float(track.average_rate or track.guessed_rate or 30)
        stamps: list[int | None] = []
        with suppress(FFmpegError):  # cut off: what is there counts
            stamps.extend(p.pts for p in container.demux(track) if p.size and not p.is_discard)
        if not stamps:
            raise BuildError(f"{path}: holds no frame. {footage.AGAIN}")
        known = np.array([stamp for stamp in stamps if stamp is not None], np.float64)
        if len(known) < len(stamps) or len(np.unique(known)) < len(known):
            return np.arange(len(stamps)) / rate
        first = float((track.start_time or 0) * track.time_base)
        return np.sort(known) * float(track.time_base) - first


def _in_pixels(poses: Poses, rows: NDArray[np.intp], name: str, facts: footage.Facts, size: tuple[int, int]) -> Poses:
    """Some rows, in pixels of pictures of ``size`` (height, width)."""
    image = poses.image[rows]
    whole = poses.size or (facts.height, facts.width)
    if abs(whole[1] / whole[0] / (facts.width / facts.height) - 1) > ASPECT:
        raise BuildError(
            f"{name}: poses in pictures of {whole[1]} x {whole[0]}, the video is {facts.width} x {facts.height} when "
            "it stands upright: estimate them in the upright, whole picture"
        )
    if poses.units == "px":
        known = image[poses.confidence[rows] >= person.SURE]
        middle = np.nanmedian(known, axis=0) if np.isfinite(known).all(-1).any() else np.zeros(2)
        if (middle < 0).any() or (middle > whole[::-1]).any():
            raise BuildError(
                f"{name}: joints about {middle[0]:.0f}, {middle[1]:.0f}, outside the picture of {whole[1]} x "
                f"{whole[0]}: are they of another size? Write width and height"
            )
    if poses.units == "normalised" or whole != size:
        per = np.array([1.0, 1.0] if poses.units == "normalised" else whole[::-1])
        image = (image.astype(np.float64) / per * size[::-1]).astype(np.float32)
    times = pose_json.clock(poses)[rows]
    world = None if poses.world is None else poses.world[rows]
    return replace(
        poses, image=image, confidence=poses.confidence[rows], world=world, units="px", frames=poses.frames[rows],
        times_s=times, size=size,
    )  # fmt: skip


def _alone(poses: Poses) -> Poses:
    """The main person of several, followed over the file's own frames."""
    if poses.image.shape[1] == 1:
        return poses
    who = person.main_person(Seen(poses.skeleton, poses.image, poses.confidence, poses.world))
    if who is None:
        world = None if poses.world is None else poses.world[:, :1]
        return replace(poses, image=poses.image[:, :1], confidence=poses.confidence[:, :1], world=world)
    image, sure = who.image.astype(np.float32), who.confidence.astype(np.float32)
    world = None if who.world is None else who.world.astype(np.float32)[:, None]
    return replace(poses, image=image[:, None], confidence=sure[:, None], world=world)
