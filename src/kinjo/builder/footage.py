"""Video files as they come: what is in them, frames of a span on an even clock, and clips written small.

Times are seconds from the first frame's time stamp. Phones turn the picture by a tag: frames come upright.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.builder.errors import BuildError

Picture = NDArray[np.uint8]
"""(height, width, 3), red, green, blue."""

LONGEST_S = 24 * 3600.0
"""A file that says it is longer is damaged, or no recording of one person."""
LARGEST_SIDE = 8192
AGAIN = "Play it in a video player; if that fails too, get the file again."
CRF, GOP = 23, 30
"""Quality of H.264 (23 is x264's own choice), and frames from one key frame to the next."""


@dataclass(frozen=True)
class Facts:
    """Of a video file: ``height`` and ``width`` upright, ``rate_hz`` on average, ``duration_s``, and what tags say."""

    duration_s: float
    rate_hz: float
    height: int
    width: int
    codec: str
    rotation: int
    tags: dict[str, str]


def probe(path: Path) -> Facts:
    """What is in a video file, its first frame decoded. ``BuildError`` for what is no video that can be read."""
    with _opened(path) as container:
        track = container.streams.video[0]
        try:
            frame = next(container.decode(track), None)
        except _faults() as error:
            raise BuildError(f"{path}: no frame can be decoded ({error}). {AGAIN}") from error
        if frame is None:
            raise BuildError(f"{path}: holds no frame. {AGAIN}")
        seconds = _seconds(container, track)
        rate = float(track.average_rate or track.guessed_rate or 0) or 30.0
        height, width = frame.height, frame.width
        turned = round(frame.rotation / 90) % 4
        tags = {str(k): str(v)[:500] for k, v in dict(container.metadata).items()}
        codec = str(track.codec_context.name)
    if not 0 < seconds <= LONGEST_S:
        raise BuildError(f"{path}: says that it lasts {seconds:g} s, which cannot be. {AGAIN}")
    if max(height, width) > LARGEST_SIDE or min(height, width) < 16:
        raise BuildError(f"{path}: a picture of {width} x {height} pixels, expected 16 to {LARGEST_SIDE}.")
    if turned % 2:
        height, width = width, height
    return Facts(seconds, min(rate, 250.0), height, width, codec, 90 * turned, tags)


def clip_rate(rate_hz: float, most_hz: float) -> float:
    """The rate at which a clip is kept: the video's own, or a whole part of it where that is above ``most_hz``."""
    return rate_hz / max(1, int(np.ceil(rate_hz / most_hz - 1e-3)))


def frames(path: Path, start_s: float, end_s: float, rate_hz: float, short_side: int) -> Iterator[Picture]:
    """Pictures at ``start_s + k / rate_hz`` up to ``end_s``: of each moment the one that a player shows then.

    The short side is at most ``short_side`` pixels, both sides even. Variable frame rates come out even. A file that
    ends or breaks early gives fewer pictures, and no error: compare with ``expected``.
    """
    from av.video.reformatter import VideoReformatter

    wanted, done, shown, last = expected(start_s, end_s, rate_hz), 0, None, start_s
    scale = VideoReformatter()
    for time, frame in _decoded(path, start_s):
        ready = done
        while ready < wanted and start_s + ready / rate_hz < time - 0.25 / rate_hz:
            ready += 1
        if ready > done:
            picture = _upright(scale, shown if shown is not None else frame, short_side)
            for _ in range(done, ready):
                yield picture
            done = ready
        if done >= wanted:
            return
        shown = frame
        last = time
    if shown is not None and done < wanted:
        picture, until = _upright(scale, shown, short_side), last + 0.75 / rate_hz
        while done < wanted and start_s + done / rate_hz < until:
            yield picture
            done += 1


def expected(start_s: float, end_s: float, rate_hz: float) -> int:
    """How many pictures ``frames`` gives of a whole file."""
    return max(0, int(np.ceil((end_s - start_s) * rate_hz - 1e-6)))


def encode(pictures: Iterable[Picture], path: Path, rate_hz: float) -> int:
    """Write a clip (H.264, MP4) in one step; the same pictures give the same bytes. Returns how many there were.

    ``BuildError`` where there is none, or the disk is full.
    """
    import av

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        options = {"fflags": "+bitexact", "movflags": "+faststart"}
        with av.open(str(temporary), "w", format="mp4", options=options) as container:
            track: Any = None
            for picture in pictures:
                if track is None:
                    rate = Fraction(rate_hz).limit_denominator(1001)
                    track = container.add_stream("libx264", rate=rate)
                    track.height, track.width = picture.shape[:2]
                    track.pix_fmt, track.codec_context.thread_count = "yuv420p", 1
                    track.options = {"crf": str(CRF), "preset": "veryfast", "g": str(GOP), "bf": "0"}
                for packet in track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                    container.mux(packet)
                count += 1
            if track is None:
                raise BuildError(f"{path}: no picture to write")
            for packet in track.encode(None):
                container.mux(packet)
        os.replace(temporary, path)
    except (*_faults(), OSError) as error:
        raise BuildError(f"{path}: cannot be written ({error}). Is the disk full?") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return count


def _upright(scale: Any, frame: Any, short_side: int) -> Picture:
    share = min(1.0, short_side / min(frame.height, frame.width))
    height, width = (max(2, 2 * round(side * share / 2)) for side in (frame.height, frame.width))
    picture = scale.reformat(frame, width=width, height=height, format="rgb24", threads=1).to_ndarray()
    turned = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turned)) if turned else picture


def _decoded(path: Path, start_s: float) -> Iterator[tuple[float, Any]]:
    """Time and frame from the key frame before ``start_s`` on; packets that do not decode are passed over."""
    with _opened(path) as container:
        track = container.streams.video[0]
        track.thread_type = "AUTO"
        first = float((track.start_time or 0) * track.time_base)
        if start_s > 1.0:
            with suppress(*_faults()):
                container.seek(int((first + start_s) / track.time_base), stream=track)
        known = -np.inf
        packets = container.demux(track)
        while True:
            try:
                packet = next(packets, None)
            except _faults():
                return
            if packet is None:
                return
            try:
                decoded = packet.decode()
            except _faults():
                continue
            for frame in decoded:
                if frame.pts is not None and (time := float(frame.pts * track.time_base) - first) > known:
                    known = time
                    yield time, frame


def _seconds(container: Any, track: Any) -> float:
    """As the track says, or the container, or counted."""
    if track.duration:
        return float(track.duration * track.time_base)
    if container.duration:
        return float(container.duration) / 1e6
    rate = float(track.average_rate or 0)
    return track.frames / rate if rate and track.frames else 0.0


def _opened(path: Path) -> Any:
    import av

    if not path.is_file():
        raise BuildError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise BuildError(f"{path}: an empty file. {AGAIN}")
    try:
        container = av.open(str(path))
    except (*_faults(), OSError, ValueError) as error:
        raise BuildError(f"{path}: not a video that can be read ({error}). {AGAIN}") from error
    if not container.streams.video:
        container.close()
        raise BuildError(f"{path}: holds no video track. {AGAIN}")
    return container


def _faults() -> tuple[type[Exception], ...]:
    from av.error import FFmpegError

    return (FFmpegError,)
