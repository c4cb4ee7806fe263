"""Video and poses as a page draws them: strips of small JPEG frames, and joints on a plane."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.recording import Stream

TALLEST = 240
"""Pixels of a frame that is shown; smaller ones are sent as they are."""
MOST = 32
"""Frames of one strip."""
FAR_MM = 6000.0
POSE_HZ = 30.0
"""Poses that are drawn a second, at most."""


def strip(stream: Stream, first: int, count: int) -> bytes:
    """Frames ``[first, first + count)`` side by side as one JPEG."""
    frames = np.asarray(stream.values(first, first + min(count, MOST)))
    pictures = [_small(_grey(frame) if frame.ndim == 2 else frame) for frame in frames]
    return jpeg(np.concatenate(pictures, 1))


def picked(stream: Stream, numbers: Iterable[int]) -> bytes:
    """Single frames, by number, side by side as one JPEG, half as high."""
    pictures = []
    for number in numbers:
        frame = np.asarray(stream.values(int(number), int(number) + 1))[0]
        small = _small(_grey(frame) if frame.ndim == 2 else frame)
        pictures.append(small[::2, ::2] if small.shape[0] > TALLEST // 2 else small)
    return jpeg(np.concatenate(pictures, 1))


def shape(stream: Stream) -> tuple[int, int]:
    """Height and width of a frame as it is sent."""
    height, width = _small(_grey(f) if (f := np.asarray(stream.values(0, 1))[0]).ndim == 2 else f).shape[:2]
    return height, width


def _grey(depth: NDArray[Any]) -> NDArray[np.uint8]:
    """Near is bright, what was not measured is black."""
    values = np.asarray(depth, np.float32)
    near = 255.0 * (1.0 - np.clip(values / FAR_MM, 0.0, 0.9))
    return np.repeat(np.where(values > 0, near, 0.0)[..., None], 3, 2).astype(np.uint8)


def _small(frame: NDArray[Any]) -> NDArray[np.uint8]:
    step = max(1, -(-frame.shape[0] // TALLEST))
    return np.ascontiguousarray(frame[::step, ::step][: frame.shape[0] // 2 * 2])


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture (height, width, 3)."""
    import av

    height, width = picture.shape[0] + picture.shape[0] % 2, picture.shape[1] + picture.shape[1] % 2
    even = np.pad(picture, ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0)), "edge")
    out = io.BytesIO()
    with av.open(out, "w", format="mjpeg") as container:
        track = container.add_stream("mjpeg", rate=1, options={"qmin": "2", "qmax": "4"})
        track.width, track.height, track.pix_fmt = width, height, "yuvj420p"
        track.codec_context.thread_count = 1
        container.mux(track.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24")))
        container.mux(track.encode(None))
    return out.getvalue()


def flat(stream: Stream, start: int, stop: int, turn: tuple[float, float] | None = None) -> NDArray[np.float32]:
    """Joints (frames, joints, 2) as seen from the front, y down; NaN where they are missing. At most ``POSE_HZ``.

    ``turn``: what ``front`` gives, where it is known already.
    """
    step = max(1, round(stream.contract.rate_hz / POSE_HZ))
    poses = np.asarray(stream.values(start, stop), np.float32)[::step]
    on = poses[..., :2].copy()
    if stream.contract.units != "px":
        east, south = front(stream) if turn is None else turn
        on[..., 1] *= -1
        if poses.shape[-1] == 3:
            on[..., 0] = poses[..., 0] * east + poses[..., 2] * south
    return np.where(stream.mask(start, stop)[::step, None, None], np.float32("nan"), on)


def front(stream: Stream) -> tuple[float, float]:
    """The direction (x, z) from the right to the left of the person, who may turn: its mean over some frames."""
    known = SKELETONS.get(stream.contract.skeleton or "")
    if known is None or not {"left_hip", "right_hip"} <= set(known.joints) or not stream.length:
        return 1.0, 0.0
    some = range(0, stream.length, max(1, stream.length // 100))
    poses = np.concatenate([np.asarray(stream.values(i, i + 1), np.float64)[~stream.mask(i, i + 1)] for i in some])
    wide = poses[:, known.index("left_hip")] - poses[:, known.index("right_hip")]
    if not len(wide) or wide.shape[1] < 3:
        return 1.0, 0.0
    east, south = np.nanmean(wide[:, 0]), np.nanmean(wide[:, 2])
    size = float(np.hypot(east, south))
    return (float(east) / size, float(south) / size) if size > 0.02 else (1.0, 0.0)


def bones(stream: Stream) -> list[tuple[int, int]]:
    """Pairs of joints that are joined; none of a skeleton that kinjo does not know."""
    known = SKELETONS.get(stream.contract.skeleton or "")
    return list(known.bones) if known else []


def box(stream: Stream) -> tuple[float, float, float, float]:
    """What the joints keep within, over a few hundred frames: left, top, right, bottom."""
    count = max(1, stream.length // 300)
    turn = front(stream)
    some = np.concatenate([flat(stream, i, i + 1, turn) for i in range(0, stream.length, count)]).reshape(-1, 2)
    some = some[np.isfinite(some).all(1)]
    if not len(some):
        return 0.0, 0.0, 1.0, 1.0
    (left, top), (right, bottom) = some.min(0).tolist(), some.max(0).tolist()
    return left, top, max(right, left + 1e-3), max(bottom, top + 1e-3)
