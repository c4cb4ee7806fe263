"""Video files as they come: what is in them, frames of a span on an even clock, and clips written small.

Times are seconds from the first frame's time stamp. Phones turn the picture by a tag: frames come upright.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.builder import files
from kinjo.builder.errors import BuildError

Picture = NDArray[np.uint8]
Frame = Any  # av.VideoFrame
"""(height, width, 3), red, green, blue."""

LONGEST_S = 24 * 3600.0
"""A file that says it is longer is damaged, or no recording of one person."""
LARGEST_SIDE = 8192
LEAST_HZ = 5.0
"""Fewer pictures a second show no movement: a slide show, a time lapse, or a clock that is wrong."""
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegvideo,mpegts,asf,flv,live_flv,ogg"
"""Containers that hold their pictures themselves (FFmpeg's names). A playlist would lead FFmpeg to other files."""
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
    with opened(path) as container:
        track = _pictures(container, path)
        try:
            frame = next(container.decode(track), None)
        except _faults() as error:
            raise BuildError(f"{path}: no frame can be decoded ({_said(error)}). {AGAIN}") from error
        if frame is None:
            raise BuildError(f"{path}: holds no frame. {AGAIN}")
        seconds = _seconds(container, track)
        rate = float(track.average_rate or track.guessed_rate or 0) or 30.0
        height, width = frame.height, frame.width
        lies, _, down = _turn(frame)
        tags = {str(k): str(v)[:500] for k, v in dict(container.metadata).items()}
        codec = str(track.codec_context.name)
    if not 0 < seconds <= LONGEST_S:
        raise BuildError(f"{path}: says that it lasts {seconds:g} s, which cannot be. {AGAIN}")
    if max(height, width) > LARGEST_SIDE or min(height, width) < 16:
        raise BuildError(f"{path}: a picture of {width} x {height} pixels, expected 16 to {LARGEST_SIDE}.")
    if rate < LEAST_HZ:
        raise BuildError(f"{path}: {rate:.2g} pictures a second, expected at least {LEAST_HZ:g}.")
    if lies:
        height, width = width, height
    rotation = (90 if down else 270) if lies else 180 * down
    return Facts(seconds, min(rate, 250.0), height, width, codec, rotation, tags)


def clip_rate(rate_hz: float, most_hz: float) -> float:
    """The rate at which a clip is kept: the video's own, or a whole part of it where that is above ``most_hz``."""
    return rate_hz / max(1, int(np.ceil(rate_hz / most_hz - 1e-3)))


def frames(path: Path, start_s: float, end_s: float, rate_hz: float, short_side: int) -> Iterator[Picture]:
    """What ``shown`` gives, as arrays."""
    from av.video.reformatter import VideoReformatter

    scale, last, picture = VideoReformatter(), None, np.empty((0, 0, 3), np.uint8)
    for frame in shown(path, start_s, end_s, rate_hz, short_side):
        if frame is not last:
            last = frame
            picture = np.asarray(scale.reformat(frame, format="rgb24", threads=1).to_ndarray(), np.uint8)
        yield picture


def shown(path: Path, start_s: float, end_s: float, rate_hz: float, short_side: int) -> Iterator[Frame]:
    """Frames at ``start_s + k / rate_hz`` up to ``end_s``: of each moment the one that a player shows then.

    The short side is at most ``short_side`` pixels, both sides even, all of the first one's size. Variable frame rates
    come out even: a frame that lasts comes again. A file that ends or breaks early gives fewer, and no error: compare
    with ``expected``.
    """
    from av.video.reformatter import VideoReformatter

    wanted, done, before, last = expected(start_s, end_s, rate_hz), 0, None, start_s
    scale, size = VideoReformatter(), None
    for time, frame in _decoded(path, start_s):
        ready = done
        while ready < wanted and start_s + ready / rate_hz < time - 0.25 / rate_hz:
            ready += 1
        if ready > done:
            one = _upright(scale, before if before is not None else frame, short_side, size)
            size = (one.height, one.width)
            for _ in range(done, ready):
                yield one
            done = ready
        if done >= wanted:
            return
        before = frame
        last = time
    if before is not None and done < wanted:
        one, until = _upright(scale, before, short_side, size), last + 0.75 / rate_hz
        while done < wanted and start_s + done / rate_hz < until:
            yield one
            done += 1


def expected(start_s: float, end_s: float, rate_hz: float) -> int:
    """How many frames ``shown`` gives of a whole file."""
    return max(0, int(np.ceil((end_s - start_s) * rate_hz - 1e-6)))


def encode(frames: Iterable[Frame], path: Path, rate_hz: float) -> int:
    """Write a clip (H.264, MP4) in one step; the same frames give the same bytes. Returns how many there were.

    ``BuildError`` where there is none, or the disk is full.
    """
    import av
    from av.video.frame import PictureType

    count, rate = 0, Fraction(rate_hz).limit_denominator(1001)
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    try:
        with (
            files.replaced(path) as temporary,
            av.open(str(temporary), "w", format="mp4", options=options) as container,
        ):
            track: Any = None
            for frame in frames:
                if track is None:
                    track = container.add_stream("libx264", rate=rate)
                    track.height, track.width = frame.height, frame.width
                    track.pix_fmt, track.codec_context.thread_count = "yuv420p", 1
                    track.options = {"crf": str(CRF), "preset": "veryfast", "g": str(GOP), "bf": "0"}
                frame.pts, frame.time_base, frame.pict_type = count, 1 / rate, PictureType.NONE
                container.mux(track.encode(frame))
                count += 1
            if track is None:
                raise BuildError(f"{path}: no picture to write")
            container.mux(track.encode(None))
    except (*_faults(), OSError) as error:
        raise BuildError(f"{path}: cannot be written ({error}). Is the disk full?") from error
    return count


def _upright(scale: Any, frame: Frame, short_side: int, size: tuple[int, int] | None) -> Frame:
    """A frame as it is to be seen, of ``size`` (height, width) where that is given."""
    import av

    lies, right, down = _turn(frame)
    if size is None:
        share = min(1.0, short_side / min(frame.height, frame.width))
        height, width = (max(2, 2 * round(side * share / 2)) for side in (frame.height, frame.width))
    else:
        height, width = size[::-1] if lies else size
    turned = lies or right or down
    small = scale.reformat(frame, width=width, height=height, format="rgb24" if turned else "yuv420p", threads=1)
    if not turned:
        return small
    picture = small.to_ndarray()
    picture = picture.swapaxes(0, 1) if lies else picture
    picture = picture[:: -1 if down else 1, :: -1 if right else 1]
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")


def _turn(frame: Any) -> tuple[bool, bool, bool]:
    """How a frame's display matrix turns it: rows for columns, then left for right, then up for down.

    Of phones and mirrored selfies; a matrix that does something else is taken for the nearest of the eight.
    """
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return False, False, False
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    lies = abs(b) + abs(c) > abs(a) + abs(d)
    return (True, c < 0, b < 0) if lies else (False, a < 0, d < 0)


def _decoded(path: Path, start_s: float) -> Iterator[tuple[float, Any]]:
    """Time and frame from the key frame before ``start_s`` on; packets that do not decode are passed over."""
    with opened(path) as container:
        track = _pictures(container, path)
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


def opened(path: Path) -> Any:
    """A video file's container, opened for reading: of ``FORMATS`` alone, so that no other file and no address is
    opened because a file says so. ``BuildError`` for what is none.
    """
    import av

    try:
        if not path.is_file():
            raise BuildError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise BuildError(f"{path}: an empty file. {AGAIN}")
        # without "file:" a name such as "concat:a.mp4|b.mp4" would be an address
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        return av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (*_faults(), OSError, ValueError) as error:
        raise BuildError(f"{path}: not a video of a format that is read ({_said(error)}). {AGAIN}") from error


def _pictures(container: Any, path: Path) -> Any:
    """The first track of moving pictures: not the cover of a song."""
    from av.stream import Disposition

    tracks = [t for t in container.streams.video if not t.disposition & Disposition.attached_pic]
    if not tracks:
        raise BuildError(f"{path}: holds no video track. {AGAIN}")
    if tracks[0].codec_context is None:
        raise BuildError(f"{path}: its pictures are of a codec that is not known. Convert it to H.264.")
    return tracks[0]


def _said(error: Exception) -> str:
    """What went wrong, without the path, which is said before."""
    return str(getattr(error, "strerror", None) or error)


def _faults() -> tuple[type[Exception], ...]:
    from av.error import FFmpegError

    return (FFmpegError,)
