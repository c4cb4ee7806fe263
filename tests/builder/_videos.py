"""Small videos made by the tests: each picture's brightness tells its number."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np


def picture(k: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Grey of 4 * k, modulo 240."""
    return np.full((height, width, 3), 8 + 4 * (k % 56), np.uint8)


def number(shown: np.ndarray) -> int:
    """Which ``picture`` it is, whatever the codec did to it."""
    return round((float(shown.mean()) - 8) / 4)


def write(
    path: Path, frames: int = 50, rate: int = 25, *, pts: list[int] | None = None, size: tuple[int, int] = (48, 64),
    chapters: Any = (), show: Any = picture,
) -> Path:  # fmt: skip
    """An H.264 file of ``frames`` pictures at ``rate``; ``pts`` in 1 / ``rate`` s where they are not even."""
    import av

    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("libx264", rate=rate)
        track.height, track.width, track.pix_fmt = *size, "yuv420p"
        track.options = {"crf": "10", "g": "10"}
        track.codec_context.time_base = Fraction(1, rate)
        if chapters:
            container.set_chapters(
                [
                    {
                        "id": i,
                        "start": int(a * 1000),
                        "end": int(b * 1000),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": name},
                    }
                    for i, (a, b, name) in enumerate(chapters)
                ]
            )
        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(show(k, *size)), "rgb24")
            frame.pts = k if pts is None else pts[k]
            frame.time_base = Fraction(1, rate)
            for packet in track.encode(frame):
                container.mux(packet)
        for packet in track.encode(None):
            container.mux(packet)
    return path
