"""Colour video as a lazy stream: clocks, jumps, and files that are none."""

import io
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from kinjo.checks import check_stream
from kinjo.formats.errors import DatasetError
from kinjo.formats.rgb import Decoder, rgb_stream


def at(times: list[int]) -> bytes:
    """Grey frames at the given hundredths of a second; frame k at 20 + 8 k."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=25, options={"crf": "10"})
        track.height, track.width, track.pix_fmt, track.time_base = 32, 48, "yuv420p", Fraction(1, 100)
        track.codec_context.time_base = Fraction(1, 100)
        for k, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 20 + 8 * k, np.uint8), "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return out.getvalue()


def sound() -> bytes:
    """A file with a sound track alone."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        track = container.add_stream("aac", rate=16000)
        track.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return out.getvalue()


def grey(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1).mean(axis=1)


def test_frames_at_times_of_their_own(tmp_path: Path):
    path = tmp_path / "a.mp4"
    times = [0, 4, 8, 12, 40, 44, 48, 60, 64]
    path.write_bytes(at(times))
    stream = rgb_stream("cam1.rgb", path, Decoder(), whole=True)
    assert stream.times is not None
    np.testing.assert_allclose(stream.times, np.array(times) / 100, atol=1e-6)
    assert stream.contract.rate_hz == pytest.approx(25.0)
    np.testing.assert_allclose(grey(stream.values()), 20 + 8 * np.arange(9), atol=3)
    assert check_stream(stream)[1] == []


def test_an_even_clock(tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_bytes(at(list(range(0, 60, 4))))
    stream = rgb_stream("cam1.rgb", path, Decoder())
    assert (stream.times, stream.length, stream.start_s) == (None, 15, 0.0)
    assert stream.contract.rate_hz == pytest.approx(25.0)


def test_reading_on_opens_a_file_once(tmp_path: Path, layouts: ModuleType, monkeypatch: pytest.MonkeyPatch):
    decoder, opened = Decoder(), []
    original = Decoder._open
    monkeypatch.setattr(
        Decoder, "_open", lambda self, path, *a, **k: (opened.append(path.name), original(self, path, *a, **k))[1]
    )
    streams = []
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(layouts.mp4(np.random.default_rng(len(name)), 40))
        streams.append(rgb_stream("cam1.rgb", tmp_path / name, decoder))
    pieces = np.concatenate([streams[0].values(k, k + 5) for k in range(0, 40, 5)])
    assert opened == ["a.mp4"]
    assert np.array_equal(pieces, streams[0].values())
    streams[1].values(0, 3)
    streams[0].values(0, 3)
    assert opened == ["a.mp4", "a.mp4", "b.mp4", "a.mp4"]


@pytest.mark.parametrize("data", [b"", b"no video", sound(), at([0])], ids=["empty", "text", "sound", "one frame"])
def test_files_that_are_no_video(tmp_path: Path, data: bytes):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"a\.mp4.*get it again"):
        rgb_stream("cam1.rgb", path, Decoder())


def test_a_file_that_goes_away(tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_bytes(at(list(range(0, 60, 4))))
    stream = rgb_stream("cam1.rgb", path, Decoder())
    path.unlink()
    with pytest.raises(DatasetError, match=r"a\.mp4"):
        stream.values()
