"""Colour video files as lazy streams: opened for their clock, decoded only when they are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.formats.errors import DatasetError
from kinjo.recording import Contract, Stream

RATES_HZ = (1.0, 250.0)
"""Frames per second that a camera can have."""

AHEAD = 64
"""Frames that are decoded and passed over before jumping to a key frame is worth it."""


class Decoder:
    """Keeps the file that was read last open, so that reading on decodes no frame twice.

    One is shared by many streams: however many clips there are, one file is open. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._container: Any = None
        self._scale: Any = None
        self._frames: Iterator[tuple[int, Any]] = iter(())
        self._next = 0

    def read(
        self, path: Path, pts: NDArray[np.int64], given: tuple[int, int], size: tuple[int, int], start: int, stop: int
    ) -> NDArray[Any]:
        """Frames ``[start, stop)`` as uint8 (n, *size, 3). ``pts``: the file's own time of each frame, ``given`` its
        height and width.
        """
        out = np.empty((max(stop - start, 0), *size, 3), np.uint8)
        if len(out) == 0:
            return out
        with self._lock:
            done = False
            try:
                if path != self._path or not 0 <= start - self._next <= AHEAD:
                    self._open(path, pts, start, seek=start > AHEAD)
                filled = self._fill(out, given, start)
                if not filled and start > AHEAD:  # a jump may land behind the frame: go through the file then
                    self._open(path, pts, start, seek=False)
                    filled = self._fill(out, given, start)
                done = filled == len(out) and stop < len(pts)
            except (*_faults(), OSError, ValueError) as error:
                raise DatasetError(str(path), "frames that decode", f"{error}", AGAIN) from error
            finally:
                if not done:
                    self.close()
        if filled != len(out):
            raise DatasetError(str(path), f"{len(pts)} frames", f"{filled} of {start}..{stop - 1} decode", AGAIN)
        return out

    def _fill(self, out: NDArray[Any], given: tuple[int, int], start: int) -> int:
        """Put the frames from ``start`` on into ``out``; gives how many there were."""
        filled = 0
        for index, frame in self._frames:
            self._next = index + 1
            if index >= start:
                if index != start + filled or (frame.height, frame.width) != given:
                    break
                height, width = out.shape[1:3]
                small = self._scale.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1)
                out[filled] = small.to_ndarray()
                filled += 1
                if filled == len(out):
                    break
        return filled

    def _open(self, path: Path, pts: NDArray[np.int64], start: int, *, seek: bool) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self.close()
        self._container = av.open(str(path))
        self._scale = VideoReformatter()
        if seek:
            self._container.seek(int(pts[start]), stream=self._container.streams.video[0])
        self._path, self._next, self._frames = path, start, self._indexed(pts)

    def _indexed(self, pts: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
        for frame in self._container.decode(video=0):
            if frame.pts is not None:
                yield int(np.searchsorted(pts, frame.pts)), frame

    def close(self) -> None:
        """Close the file that is open, if one is."""
        if self._container is not None:
            self._container.close()
        self._path, self._container, self._frames, self._next = None, None, iter(()), 0


AGAIN = "The file is damaged or cut off: get it again, or pass skip_bad=True."


def _faults() -> tuple[type[Exception], ...]:
    from av.error import FFmpegError

    return (FFmpegError,)


def rgb_stream(
    name: str, path: Path, decoder: Decoder, *, whole: bool = False, size: tuple[int, int] | None = None
) -> Stream:
    """The video ``path`` as a stream of frames (n, height, width, 3) uint8 that begins at 0 s.

    The file's packets are counted here, without decoding, which shows a file that is cut off. Frames that are evenly
    spaced get a uniform clock at their own rate, others their own times. Raises ``DatasetError`` naming the file;
    damage within a frame shows as one when it is read, or, with ``whole``, here: every frame is decoded then. Frames
    come at the file's own size, or, made small as they are decoded, at ``size`` (height, width).
    """
    import av

    try:
        with av.open(str(path)) as container:
            track = container.streams.video[0]
            base, told, given = track.time_base, track.frames, (track.height, track.width)
            packets = [(p.pts, p.is_discard) for p in container.demux(track) if p.pts is not None and p.size]
            stamps = [stamp for stamp, discard in packets if not discard]  # an edit list may cut some off
        if whole:
            with av.open(str(path)) as container:
                decoded = sum(1 for _ in container.decode(video=0))
        else:
            decoded = len(set(stamps))
    except (*_faults(), OSError, ValueError, IndexError, AttributeError) as error:
        said = f"{error}" if not isinstance(error, IndexError) else "a file without video"
        said = "a codec that PyAV does not know" if isinstance(error, AttributeError) else said
        raise DatasetError(str(path), "a video file", said, AGAIN) from error
    pts = np.unique(np.array(stamps, np.int64))
    if base is None or len(pts) < 2 or len(packets) < told or min(given) < 1:
        raise DatasetError(str(path), f"{max(told, 2)} frames", f"{len(packets)}", AGAIN)
    if decoded != len(pts):
        raise DatasetError(str(path), f"{len(pts)} frames that decode", f"{decoded}", AGAIN)
    times = (pts - pts[0]).astype(np.float64) * float(base)
    steps = np.diff(times)
    rate = float(1.0 / np.median(steps))
    even = bool(np.abs(times - np.arange(len(pts)) * times[-1] / (len(pts) - 1)).max() < 0.5 / rate)
    if even:
        rate = float((len(pts) - 1) / times[-1])
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise DatasetError(str(path), f"{RATES_HZ[0]:g} to {RATES_HZ[1]:g} frames per second", f"{rate:.4g}", AGAIN)

    wanted = given if size is None else size

    def read(start: int, stop: int) -> NDArray[Any]:
        return decoder.read(path, pts, given, wanted, start, stop)

    contract = Contract("video", "rgb", "uint8", rate, axes=())
    return Stream(name, contract, len(pts), read, times=None if even else times)
