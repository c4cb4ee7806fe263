"""Video of a corpus: one codec file per stream at training size, written and read a few frames at a time.

Depth is kept without loss (FFV1, ``gray16le``, millimetres); rgb as H.264 ``yuv420p`` with a key frame every
``GOP`` frames and no B-frames, so that a window in the middle of a file costs at most ``GOP`` extra frames.
Both codecs run on one thread and write no dates: the same frames give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.corpus.errors import CorpusError
from kinjo.recording import Contract, Stream
from kinjo.signal import UNITS

GOP = 12
"""Frames from one key frame to the next."""

_CHUNK_BYTES = 32 << 20
_MAX_MM = 65535


@dataclass(frozen=True)
class VideoSize:
    """The size at which a corpus keeps video: the short side in pixels (``None``: as it comes), aspect kept.

    Video is never enlarged; height and width are made even, because ``yuv420p`` needs that.
    ``crf`` is the quality of H.264 (0 is lossless, 18 cannot be told from the source by eye); depth is always lossless.
    """

    short_side: int | None = 64
    crf: int = 18

    def __post_init__(self) -> None:
        if self.short_side is not None and self.short_side < 2:
            raise ValueError(f"short_side must be at least 2 pixels, given {self.short_side}")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"crf must be 0..51, given {self.crf}")

    def of(self, height: int, width: int) -> tuple[int, int]:
        """``(height, width)`` in pixels at which a video of ``height x width`` is kept."""
        scale = 1.0 if self.short_side is None else min(1.0, self.short_side / min(height, width))
        return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))


@lru_cache(maxsize=64)
def _area_weights(given: int, wanted: int) -> NDArray[np.float32]:
    """``(wanted, given)``: share of each given pixel in each wanted one; rows sum to 1."""
    edges = np.linspace(0.0, given, wanted + 1)
    pixels = np.arange(given)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(overlap, 0.0, None) * (wanted / given)).astype(np.float32)


def resize(frames: NDArray[Any], size: tuple[int, int], *, holes: bool = False) -> NDArray[np.float32]:
    """Frames ``(n, h, w)`` or ``(n, h, w, 3)`` by area average to ``size`` = (height, width), float32.

    With ``holes`` a zero is no reading: it has no part in the average, and a pixel less than half of which was
    read stays zero. (The average of a reading and "no reading" would be a surface that is not there.)
    """
    height, width = size
    if frames.shape[1:3] == (height, width):
        return np.asarray(frames, np.float32)
    rows, columns = _area_weights(frames.shape[1], height), _area_weights(frames.shape[2], width).T
    if holes:  # a person fills a fifth of a frame: what no frame has read adds nothing, and is most of the work
        read = np.asarray(frames.any(axis=(0, *range(3, frames.ndim))))
        down, across = _extent(np.logical_or.reduce(read, 1)), _extent(np.logical_or.reduce(read, 0))
        frames, rows, columns = frames[:, down, across], rows[:, down], columns[across]
    planes = np.moveaxis(np.asarray(frames, np.float32), -1, 1) if frames.ndim == 4 else frames.astype(np.float32)
    mean = rows @ planes @ columns
    if holes:
        covered = rows @ (planes > 0).astype(np.float32) @ columns
        mean = np.where(covered >= 0.5, mean / np.maximum(covered, 1e-6), 0.0)
    return np.asarray(np.moveaxis(mean, 1, -1) if frames.ndim == 4 else mean, np.float32)


def _extent(used: NDArray[np.bool_]) -> slice:
    """From the first ``True`` to the last; empty where there is none."""
    at = np.flatnonzero(used)
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)


def stored_contract(contract: Contract) -> Contract:
    """The contract of a video stream once it is in a corpus: depth is kept in millimetres."""
    return replace(contract, units="mm") if contract.quantity == "depth" else contract


def coded_rate(rate_hz: float) -> Fraction:
    """The frame rate written into the file; times that matter are in the contract, this one only numbers frames.

    Matroska counts in milliseconds, so rates are held under 250 Hz to keep neighbouring frames apart.
    """
    return Fraction(min(max(rate_hz, 1.0), 250.0)).limit_denominator(1001)


def _frames(stream: Stream, frame_bytes: int) -> Iterator[NDArray[Any]]:
    """The stream a few frames at a time: at most ``_CHUNK_BYTES``, at most 64 frames."""
    step = int(np.clip(_CHUNK_BYTES // max(frame_bytes, 1), 1, 64))
    for start in range(0, stream.length, step):
        wanted = min(step, stream.length - start)
        frames = np.asarray(stream.values(start, start + step))
        if len(frames) != wanted:
            raise CorpusError(
                f"stream '{stream.name}': says {stream.length} frames, but gave {len(frames)} of the {wanted} "
                f"from frame {start} on. The source file may be damaged: decode it again or leave it out."
            )
        yield frames


def _check_frames(stream: Stream, frames: NDArray[Any]) -> None:
    depth = stream.contract.quantity == "depth"
    good = frames.ndim == 3 if depth else frames.ndim == 4 and frames.shape[-1] == 3 and frames.dtype == np.uint8
    if not good:
        wanted = "(n, height, width)" if depth else "(n, height, width, 3) uint8"
        raise CorpusError(f"stream '{stream.name}': frames must be {wanted}, given {frames.shape} {frames.dtype}")


def _millimetres(stream: Stream, frames: NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint16]:
    factor = UNITS["depth"][stream.contract.units] / UNITS["depth"]["mm"]
    metric = frames if factor == 1.0 else frames * factor
    if metric.dtype.kind != "u":  # some cameras say "too far" with infinity, and "too near" with a negative number
        metric = np.where((metric > 0) & np.isfinite(metric), metric, 0)
    small = resize(metric, size, holes=True)
    return np.clip(np.rint(small), 0, _MAX_MM).astype(np.uint16)


def encode(stream: Stream, size: VideoSize, path: Path) -> tuple[int, ...]:
    """Write a video stream to ``path`` (Matroska); gives the sample shape that it is kept with.

    The file is complete and on the disk when this returns. Frames go through a few at a time.
    """
    import av
    from av.video.reformatter import VideoReformatter

    depth, scale = stream.contract.quantity == "depth", VideoReformatter()
    first = np.asarray(stream.values(0, 1))
    _check_frames(stream, first)
    height, width = size.of(*first.shape[1:3])
    rate = coded_rate(stream.contract.rate_hz)
    options = {"g": str(GOP)} if depth else {"g": str(GOP), "bf": "0", "crf": str(size.crf), "preset": "fast"}
    with av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        # The two codecs are named in full: PyAV types its streams by that literal.
        track = container.add_stream("ffv1" if depth else "libx264", rate=rate, options=options)
        track.height, track.width, track.pix_fmt = height, width, "gray16le" if depth else "yuv420p"
        track.codec_context.thread_count = 1
        index = 0
        for frames in _frames(stream, first.nbytes):
            _check_frames(stream, frames)
            pictures = _millimetres(stream, frames, (height, width)) if depth else frames
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "gray16le" if depth else "rgb24")
                if not depth:
                    frame = scale.reformat(frame, width, height, "yuv420p", interpolation="AREA", threads=1)
                frame.pts, frame.time_base = index, 1 / rate
                container.mux(track.encode(frame))
                index += 1
        container.mux(track.encode(None))
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return (height, width) if depth else (height, width, 3)


def decode(path: Path, contract: Contract, start: int, stop: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Frames ``[start, stop)`` of a file that ``encode`` wrote: ``(n, h, w)`` uint16 mm, or ``(n, h, w, 3)`` uint8."""
    depth = contract.quantity == "depth"
    out = np.empty((max(stop - start, 0), *shape), np.uint16 if depth else np.uint8)
    if len(out) == 0:
        return out
    import av
    from av.error import FFmpegError

    rate = coded_rate(contract.rate_hz)
    filled = 0
    try:
        with av.open(str(path)) as container:
            for index, frame in _from(container, start, rate):
                if index >= stop:
                    break
                out[index - start] = frame.to_ndarray() if depth else frame.to_ndarray(format="rgb24")
                filled += 1
    except (FFmpegError, OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read as video ({error}). {REWRITE}") from error
    if filled != len(out):
        raise CorpusError(f"{path}: holds {filled} of the frames {start}..{stop - 1}: truncated. {REWRITE}")
    return out


def _from(container: Any, start: int, rate: Fraction) -> Iterator[tuple[int, Any]]:
    """``(index, frame)`` from ``start`` on, beginning at the key frame before it."""
    track = container.streams.video[0]
    track.thread_type = "NONE"
    if start >= GOP:
        container.seek(int(Fraction(start) / rate / track.time_base), stream=track)
    for frame in container.decode(track):
        index = round(frame.pts * track.time_base * rate)
        if index >= start:
            yield index, frame


REWRITE = "Copy the corpus again from where it came, or write it again with corpus.write(..., resume=False)."
