"""Hostile inputs of ``kinjo build``, for tests and for ``fuzz_build``: files that are damaged, odd, or want out.

A maker writes into a ``Place``: a folder of videos with another one beside it that must stay as it is. All videos are
made here, of moving grey pictures.
"""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FORMATS = {"mp4": "mp4", "mkv": "matroska", "avi": "avi", "ts": "mpegts", "flv": "flv"}
SCRIPT = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'><b>&amp;'
LONG = "squats and " * 910
TURNS = {
    "90": (0, 1, -1, 0), "180": (-1, 0, 0, -1), "270": (0, -1, 1, 0), "mirrored": (-1, 0, 0, 1),
    "flipped": (1, 0, 0, -1), "mirrored 90": (0, 1, 1, 0), "mirrored 270": (0, -1, -1, 0),
}  # fmt: skip
"""a, b, c, d of a display matrix: where x and y of a stored picture go."""


@dataclass(frozen=True)
class Place:
    """``videos`` are built from; ``beside`` holds ``secret.mp4`` and ``secret.txt``, which nobody may open or change;
    ``port`` of this machine is listened to."""

    videos: Path
    beside: Path
    port: int
    rng: np.random.Generator

    def put(self, name: str | bytes, data: bytes | str) -> Path:
        """A file among the videos, where the file system takes its name."""
        path = self.videos / os.fsdecode(name)
        with suppress(OSError):
            path.write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
        return path


@dataclass(frozen=True)
class Case:
    """``chapters``: how many rows the manifest must have of ``bad.mp4``; ``kept``: whether clips of it must be, or must
    not be, kept; ``estimator``: one, two, nobody or mediapipe; ``places``: what is built, relative to the folder."""

    kind: str
    name: str
    make: Callable[[Place], Any]
    chapters: int | None = None
    kept: bool | None = None
    estimator: str = "one"
    places: tuple[str, ...] = field(default=())


def picture(k: int, height: int, width: int, shade: int = 90) -> np.ndarray:
    """Grey with a slow wave from left to right, brighter in its upper left quarter."""
    row = shade + 12 * np.sin((np.arange(width) / width + k / 50) * 2 * np.pi)
    grey = np.tile(row, (height, 1))
    grey[: height // 2, : width // 2] += 60
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


@cache
def video(
    ending: str = "mp4", *, shade: int = 90, frames: int = 30, rate: int = 25, size: tuple[int, int] = (48, 64),
    pts: tuple[int, ...] = (), chapters: tuple[tuple[float, float, str], ...] = (), title: str = "",
    codec: str = "libx264", layout: str = "yuv420p", shift: int = 0, sound: bool = False,
) -> bytes:  # fmt: skip
    """A small video; the index of an mp4 comes first. ``pts`` in 1 / ``rate`` s, all moved by ``shift`` when muxed."""
    import av

    options = {"movflags": "+faststart", "avoid_negative_ts": "disabled"} if ending == "mp4" else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video"
        with av.open(str(path), "w", format=FORMATS[ending], options=options) as container:
            if title:
                container.metadata["title"] = title
            if chapters:
                base = Fraction(1, 1000)
                spans: list[Any] = [
                    {"id": k, "time_base": base, "start": int(a * 1000), "end": int(b * 1000), "metadata": {"title": t}}
                    for k, (a, b, t) in enumerate(chapters)
                ]
                container.set_chapters(spans)
            tone = container.add_stream("aac", rate=16000) if sound else None
            track: Any = container.add_stream(codec, rate=rate)
            track.height, track.width, track.pix_fmt = *size, layout
            track.codec_context.time_base, track.codec_context.thread_count = Fraction(1, rate), 1
            if codec == "libx264":
                track.options = {"preset": "ultrafast", "g": "10", "crf": "20"}
            if tone is not None:
                _sound(container, tone)
            for k in [*range(frames), None]:
                shown = None
                if k is not None:
                    shown = av.VideoFrame.from_ndarray(picture(k, *size, shade), "rgb24")
                    shown.pts, shown.time_base = pts[k] if pts else k, Fraction(1, rate)
                for packet in track.encode(shown):
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    container.mux(packet)
        return path.read_bytes()


def _sound(container: Any, track: Any) -> None:
    import av

    tone = (8000 * np.sin(np.arange(16000) / 7)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
    frame.sample_rate = 16000
    for packet in [*track.encode(frame), *track.encode(None)]:
        container.mux(packet)


@cache
def audio(ending: str = "mp4") -> bytes:
    """Sound alone."""
    import av

    buffer = io.BytesIO()
    if ending == "wav":
        with wave.open(buffer, "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes(bytes(32000))
        return buffer.getvalue()
    with av.open(buffer, "w", format=FORMATS[ending]) as container:
        _sound(container, container.add_stream("aac", rate=16000))
    return buffer.getvalue()


def image(codec: str) -> bytes:
    """A picture file: ``png`` or ``mjpeg``."""
    import av

    track: Any = av.CodecContext.create(codec, "w")
    track.width, track.height, track.time_base = 64, 48, Fraction(1, 25)
    track.pix_fmt = "rgb24" if codec == "png" else "yuvj420p"
    frame = av.VideoFrame.from_ndarray(picture(0, 48, 64), "rgb24").reformat(format=track.pix_fmt)
    return b"".join(bytes(p) for p in [*track.encode(frame), *track.encode(None)])


def turned(data: bytes, matrix: Sequence[int]) -> bytes:
    """An mp4 with another display matrix (``TURNS``)."""
    a, b, c, d = (x << 16 for x in matrix)
    return patched(data, b"tkhd", 44, struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))


def patched(data: bytes, box: bytes, offset: int, new: bytes) -> bytes:
    """With ``new`` at ``offset`` after the first ``box``'s name."""
    at = data.index(box) + offset
    return data[:at] + new + data[at + len(new) :]


def flipped(data: bytes, rng: np.random.Generator, count: int, within: tuple[float, float] = (0.0, 1.0)) -> bytes:
    """With ``count`` random bytes changed, at places ``within`` these shares of the file."""
    out = bytearray(data)
    low, high = (int(share * len(data)) for share in within)
    for at in rng.integers(low, max(high, low + 1), count).tolist():
        out[at] = int(rng.integers(256))
    return bytes(out)


# ------------------------------------------------------------------------------------------------ the cases
def cases(repeats: int = 6) -> Iterator[Case]:
    """All of them; ``repeats`` of those that are drawn by chance."""
    for kind in (damaged, formats, playlists, pictures_, clocks, people, chapters_, subtitles, infos, names, links):
        yield from kind(repeats)


def damaged(repeats: int) -> Iterator[Case]:
    """Cut off, with wrong bytes, empty; numbers in the index that cannot be."""
    for ending in ("mp4", "mkv", "avi", "ts"):
        data = video(ending, shade=100)
        for k in range(repeats):
            share = (k + 0.5) / repeats

            def cut(place: Place, data: bytes = data, ending: str = ending, share: float = share) -> None:
                place.put(f"bad.{ending}", data[: int((share + place.rng.uniform(-0.05, 0.05)) * len(data))])

            def hit(place: Place, data: bytes = data, ending: str = ending, k: int = k) -> None:
                place.put(f"bad.{ending}", flipped(data, place.rng, (1, 5, 40)[k % 3]))

            def head(place: Place, data: bytes = data, ending: str = ending, k: int = k) -> None:
                place.put(f"bad.{ending}", flipped(data, place.rng, (2, 8, 30)[k % 3], (0.0, 0.25)))

            yield Case("truncated", f"{ending} at {share:.0%}", cut)
            yield Case("damaged", f"{ending} bytes", hit)
            yield Case("damaged", f"{ending} head", head)
    yield Case("zero length", "empty", lambda p: p.put("bad.mp4", b""), 1, kept=False)
    yield Case("zero length", "one byte", lambda p: p.put("bad.mp4", b"\0"), 1, kept=False)
    yield Case("zero length", "head alone", lambda p: p.put("bad.mp4", video()[:40]), 1, kept=False)
    big = struct.pack(">I", 2**32 - 2)
    for name, box, offset, new in (
        ("long", b"mdhd", 20, big), ("no length", b"mdhd", 20, bytes(4)), ("no clock", b"mdhd", 16, bytes(4)),
        ("fast clock", b"mdhd", 16, big), ("wide", b"avc1", 28, b"\xff\xff\xff\xff"), ("no codec", b"avc1", 0, b"zzzz"),
        ("many frames", b"stsz", 12, big), ("no extradata", b"avcC", 0, b"none"), ("far", b"stco", 12, big),
        ("other codec", b"avc1", 0, b"av01"), ("long frames", b"stts", 16, big), ("matrix", b"tkhd", 44, b"\x7f" * 36),
        ("matrix of zeros", b"tkhd", 44, bytes(36)),
    ):  # fmt: skip

        def patch(place: Place, box: bytes = box, offset: int = offset, new: bytes = new) -> None:
            place.put("bad.mp4", patched(video(shade=101), box, offset, new))

        yield Case("wrong numbers", name, patch)


def formats(repeats: int) -> Iterator[Case]:
    """What has a video's ending and is none."""
    rng = np.random.default_rng(1)
    files = {
        "text": b"squats are fun\n" * 50, "html": f"<html>{SCRIPT}".encode(), "json": b"[" * 5000,
        "png": image("png"), "jpeg": image("mjpeg"), "noise": rng.bytes(20000), "zeros": bytes(20000),
        "zip": b"PK\x03\x04" + rng.bytes(500), "elf": b"\x7fELF\x02\x01\x01" + bytes(500), "wav": audio("wav"),
        "sound": audio(), "sound in mkv": audio("mkv"), "gif": b"GIF89a" + rng.bytes(200), "srt": b"1\n00:00:01,0",
        "ass": b"[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:09.00,a,b,0,0,0,,hi\n",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "metadata": b";FFMETADATA1\ntitle=x\n[CHAPTER]\nSTART=0\nEND=9\n", "raw": b"YUV4MPEG2 W64 H48 F25:1\nFRAME\n",
    }  # fmt: skip
    for name, data in files.items():
        yield Case("wrong ending", name, lambda p, data=data: p.put("bad.mp4", data), 1, kept=False)
    for given, told in (("mkv", "mp4"), ("mp4", "avi"), ("ts", "wmv"), ("avi", "mkv"), ("flv", "mov")):
        data = video(given, shade=103)
        yield Case("wrong ending", f"{given} as {told}", lambda p, d=data, t=told: p.put(f"bad.{t}", d), kept=True)
    yield Case("wrong ending", "sound first", lambda p: p.put("bad.mp4", video(sound=True, shade=104)), 1, kept=True)


def playlists(repeats: int) -> Iterator[Case]:
    """Lists that lead FFmpeg to other files, or to the network; names that are protocols."""
    wrong = ("/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:{port}/x.ts", "../beside/secret.mp4", "secret.mp4",
             "{beside}/secret.mp4", "tcp://127.0.0.1:{port}", "crypto:../beside/secret.txt")  # fmt: skip
    lists = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2,\n{to}\n#EXT-X-ENDLIST\n",
        "master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{to}\n",
        "ffconcat": "ffconcat version 1.0\nfile '{to}'\n",
        "dash": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' "
        "mediaPresentationDuration='PT2S'><Period><AdaptationSet mimeType='video/mp4'><Representation id='1'>"
        "<BaseURL>{to}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\na=x:{to}\n",
        "asx": "[Reference]\nRef1={to}\n", "rtsp": "rtsptextRTSP://127.0.0.1:{port}/{to}",
    }  # fmt: skip
    for kind, text in lists.items():
        for to in wrong if kind in ("hls", "ffconcat") else wrong[2:4]:

            def lead(place: Place, text: str = text, to: str = to, ending: str = "mp4") -> None:
                target = to.format(port=place.port, beside=place.beside)
                os.link(place.beside / "secret.mp4", place.videos / "secret.mp4.hidden")
                if to == "secret.mp4":
                    target = "secret.mp4.hidden"
                place.put(f"bad.{ending}", text.format(to=target, port=place.port))

            yield Case("playlist", f"{kind} to {to}", lead, 1, kept=False)
            if kind in ("hls", "ffconcat"):
                ts = lambda p, lead=lead: lead(p, ending="ts")  # noqa: E731
                yield Case("playlist", f"{kind}.ts to {to}", ts, kept=False)
    m3u8 = lambda p: p.put("bad.m3u8", lists["hls"].format(to=f"http://127.0.0.1:{p.port}/x.ts"))  # noqa: E731
    yield Case("playlist", "an m3u8 given by name", m3u8, places=("good.mp4", "bad.m3u8"), kept=False)
    for name in ("pipe:0.mp4", "http:x.mp4", "concat:good.mp4|good.mp4", "tcp:127.0.0.1.mp4",
                 "subfile,,start,0,end,9,,:a",
                 "data:text.mp4", "file:good.mp4", "async:good.mp4", "img%03d.mp4", "-i.mp4",
                 "cache:good.mp4"):  # fmt: skip
        put = lambda p, name=name: p.put(name, video(shade=105))  # noqa: E731
        yield Case("playlist", f"a file named {name}", put, places=("good.mp4", name), kept=True)


def pictures_(repeats: int) -> Iterator[Case]:
    """Turned, mirrored, of odd, extreme and changing sizes, covers of sound, two tracks, 4K."""
    for name, matrix in TURNS.items():
        yield Case("rotated", name, lambda p, m=matrix: p.put("bad.mp4", turned(video(shade=106), m)), 1, kept=True)
    for size in ((17, 33), (49, 65), (16, 600), (600, 16), (127, 81)):
        odd = lambda p, s=size: p.put("bad.mp4", video(shade=107, size=s, layout="yuv444p"))  # noqa: E731
        yield Case("odd size", f"{size[1]} x {size[0]}", odd, 1, kept=True)
    yield Case("odd size", "4 x 4", lambda p: p.put("bad.mp4", video(size=(4, 4))), 1, kept=False)
    both = lambda p: p.put("bad.ts", video("ts", shade=108) + video("ts", shade=108, size=(96, 64)))  # noqa: E731
    yield Case("odd size", "another size in the middle", both)
    wide = lambda p: p.put("bad.mp4", video(shade=109, frames=20, rate=15, size=(2160, 3840)))  # noqa: E731
    yield Case("4K", "3840 x 2160", wide, 1, kept=True)
    high = lambda p: p.put("bad.mp4", turned(video(shade=109, frames=20, rate=15, size=(2160, 3840)), TURNS["90"]))  # noqa: E731
    yield Case("4K", "3840 x 2160, turned", high, 1, kept=True)
    for codec, layout, ending in (("mjpeg", "yuvj420p", "avi"), ("mpeg4", "yuv420p", "mp4"), ("libx264", "gray", "mkv"),
                                  ("ffv1", "gray16le", "mkv"), ("libx264", "yuv420p10le", "mp4"),
                                  ("ffv1", "bgra", "mkv")):  # fmt: skip

        def other(place: Place, codec: str = codec, layout: str = layout, ending: str = ending) -> None:
            place.put(f"bad.{ending}", video(ending, shade=110, codec=codec, layout=layout))

        yield Case("codec", f"{codec} {layout} in {ending}", other, kept=True)


def clocks(repeats: int) -> Iterator[Case]:
    """Frame rates that vary, jump, go backwards or cannot be."""
    for k in range(repeats):

        def uneven(place: Place, k: int = k) -> None:
            steps = place.rng.integers(1, (2, 4, 10, 30, 60, 200)[k % 6], 30)
            place.put("bad.mkv" if k % 2 else "bad.mp4", video("mkv" if k % 2 else "mp4", shade=111, pts=_sum(steps)))

        yield Case("variable rate", f"steps {k}", uneven)
    jump = (*range(15), *range(2000, 2015))
    far = (*range(15), *range(10**8, 10**8 + 15))
    bursts = tuple(x for k in range(6) for x in range(40 * k, 40 * k + 5))
    for name, more in {
        "jump": {"pts": jump}, "far jump": {"pts": far}, "bursts": {"pts": bursts}, "negative": {"shift": -20},
        "late": {"shift": 500}, "negative far": {"shift": -5000}, "late far": {"shift": 10**7},
    }.items():  # fmt: skip
        for ending in ("mp4", "mkv"):

            def moved(place: Place, ending: str = ending, more: dict[str, Any] = more) -> None:
                with suppress(OSError):
                    place.put(f"bad.{ending}", video(ending, shade=112, **more))

            yield Case("variable rate", f"{name} {ending}", moved)
    for rate, frames in ((1, 5), (2, 8), (5, 20), (240, 300), (1000, 1100)):
        slow = lambda p, r=rate, n=frames: p.put("bad.mp4", video(shade=113, rate=r, frames=n))  # noqa: E731
        yield Case("variable rate", f"{rate} Hz", slow, 1)
    yield Case("variable rate", "one frame", lambda p: p.put("bad.mp4", video(shade=114, frames=1)), 1)
    split = lambda p: p.put("bad.ts", video("ts", shade=115) * 3)  # noqa: E731
    yield Case("variable rate", "the clock starts again", split)


def _sum(steps: np.ndarray) -> tuple[int, ...]:
    return tuple(np.cumsum(steps).tolist())


def people(repeats: int) -> Iterator[Case]:
    """Nobody, two, and who is no body: all joints in one place, jumping, half known."""
    plain = lambda p: p.put("bad.mp4", video(shade=116))  # noqa: E731
    yield Case("no person", "nobody is seen", plain, 1, kept=False, estimator="nobody")
    yield Case("two persons", "who swap places", plain, 1, kept=True, estimator="two")
    for estimator in ("point", "jumping", "halves", "unknown", "near", "flat", "huge"):
        yield Case("no body", estimator, plain, 1, estimator=estimator)
    yield Case("no person", "MediaPipe, waves", plain, 1, kept=False, estimator="mediapipe")
    black = lambda p: p.put("bad.mp4", video(shade=12, size=(16, 300), layout="yuv444p"))  # noqa: E731
    yield Case("no person", "MediaPipe, a dark strip", black, 1, kept=False, estimator="mediapipe")


# ------------------------------------------------------------------------------------------------ beside a video
def _beside(ending: str, text: str | bytes, **more: Any) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        place.put("bad.mp4", video(shade=117, frames=75, **more))
        place.put(f"bad{ending}", text)

    return make


def chapters_(repeats: int) -> Iterator[Case]:
    """That overlap, lie outside, are no numbers, too many, too deep; titles that are long or HTML."""
    spans = [
        (0, 2),
        (1, 3),
        (0.5, 1.5),
        (-5, 1),
        (2.9, 99),
        (50, 60),
        (1, 1),
        (2, 1),
        (1e308, 1e309),
        (float("nan"), 2),
    ]
    rows = [{"start": a, "end": b, "title": f"squats {k}"} for k, (a, b) in enumerate(spans)]
    yield Case("chapters", "overlap", _beside(".chapters.json", json.dumps(rows)), len(rows))
    odd = [None, 5, "text", [], [[]], {}, {"start": None}, {"start": True, "title": 3}, {"start": "1:00", "title": {}},
           {"start": 0, "end": 1.5, "title": LONG}, {"start": 1.5, "end": 3, "title": SCRIPT},
           {"start": "0" * 5000}, {"start": 10**400},
           {"start": 2, "end": 3, "title": "\ud800 \x00\x1b[31m\u202e"}]  # fmt: skip
    yield Case("chapters", "types", _beside(".chapters.json", json.dumps(odd)), len(odd))
    yield Case("chapters", "many", _beside(".chapters.json", json.dumps(rows * 2000)))
    yield Case("chapters", "some hundreds", _beside(".chapters.json", json.dumps(rows * 50)), 500)
    for name, text in {
        "deep": "[" * 100_000, "deep objects": '{"chapters":' * 900 + "1" + "}" * 900, "empty": "",
        "binary": b"\0" * 99, "null": "null", "number": "1e999", "digits": f'[{{"start": {"9" * 5000}}}]',
        "half": '[{"start": 0',
        "names": json.dumps({"chapters": {"start": 0}}), "not a number": '[{"start": NaN, "end": Infinity}]',
    }.items():  # fmt: skip
        yield Case("chapters", name, _beside(".chapters.json", text))
    for k, text in enumerate((
        "start,end,title\n0,1,a\n0.5,2,b\n-1,5,c\nnan,inf,d\n1e300,2,e\n", "start;title\n0:00;" + LONG,
        "start,title\n" * 50,
        'start,end,title\n"0,1,a\n', "start,end,title\n" + "0," * 9000, "\0\0", "title\nx\n",
        f"start,title\n0,{SCRIPT}\n",
    )):  # fmt: skip
        yield Case("chapters", f"csv {k}", _beside(".chapters.csv", text))
    wild = ((0.0, 2.0, "Squats"), (1.0, 9.0, SCRIPT), (0.5, 0.6, LONG[:5000]), (70.0, 80.0, "far"))
    yield Case("chapters", "in the file", lambda p: p.put("bad.mkv", video("mkv", shade=118, frames=75, chapters=wild)))
    yield Case("chapters", "in an mp4", lambda p: p.put("bad.mp4", video(shade=118, frames=75, chapters=wild)), 4)
    codes = "\n".join(f"{k // 60}:{k % 60:02d} squats {k}" for k in (0, 1, 1, 2, 99, 3))
    yield Case("chapters", "description", _beside(".info.json", json.dumps({"description": codes * 50})))
    for k in range(repeats):

        def wild_json(place: Place, k: int = k) -> None:
            text = json.dumps([{"start": a, "end": a + 1, "title": f"t{a}"} for a in range(3)])
            _beside(".chapters.json", flipped(text.encode(), place.rng, 1 + 3 * k))(place)

        yield Case("chapters", f"bytes {k}", wild_json)


def subtitles(repeats: int) -> Iterator[Case]:
    """Broken, endless, binary, of other encodings."""
    good = "1\n00:00:00,500 --> 00:00:01,500\nsquat <b>deep</b>\n\n2\n00:00:02,000 --> 00:00:02,900\nrest\n"
    for name, text in {
        "backwards": "1\n00:00:09,0 --> 00:00:01,0\nx\n", "open tags": "1\n00:00:00,0 --> 00:00:01,0\n" + "<" * 9999,
        "many": "00:00:00.000 --> 00:00:01.000\nx\n\n" * 30_000, "binary": bytes(range(256)) * 9,
        "utf-16": good.encode("utf-16"), "latin": good.replace("rest", "á").encode("latin-1"), "script": good + SCRIPT,
        "arrows": "-->" * 5000, "no words": "1\n00:00:00,0 --> 00:00:01,0\n\n", "nul": good.replace("rest", "\0"),
    }.items():  # fmt: skip
        ending = (".srt", ".vtt", ".en.vtt")[len(name) % 3]
        yield Case("subtitles", name, _beside(ending, text), 1, kept=True)
    for k in range(repeats):
        flip = lambda p, k=k: _beside(".srt", flipped(good.encode(), p.rng, 1 + 2 * k))(p)  # noqa: E731
        yield Case("subtitles", f"bytes {k}", flip, 1, kept=True)


def infos(repeats: int) -> Iterator[Case]:
    """What a platform's metadata may say."""
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    for name, info in {
        "id": {"id": "../../x", "title": "../../x", "uploader": "../..", "ext": "/etc/passwd", "_filename": "/etc/x"},
        "long title": {"title": LONG}, "long emoji": {"title": "\U0001f525" * 10_000}, "script": {"title": SCRIPT,
        "license": SCRIPT, "uploader": SCRIPT, "webpage_url": f"javascript:alert(1)//{SCRIPT}", "description": SCRIPT},
        "address": {"webpage_url": 'https://a.org/"onmouseover="alert(1)', "title": "a"},
        "halves": {"title": "\ud800x\udfff", "license": "\udc80", "webpage_url": "http://\ud800", "uploader": "\udcff"},
        "types": {"title": {"a": [1]}, "license": 5, "webpage_url": ["x"], "chapters": {}, "description": 9},
        "more types": {"title": True, "license": None, "chapters": [[]], "channel": 1e308, "description": [None] * 99},
        "deep": {"title": deep, "description": deep}, "list": [1, 2], "null": None, "text": "squats", "nul": {"title":
        "a\0b\nc\x1b[2J\u202e"}, "dollars": {"title": "$\\frac{x$ %s {0} \\n ${HOME} `id`"}, "empty": {"title": "   "},
        "other scripts": {"title": "스쿼트 深蹲 قرفصاء \u0928"}, "digits": {"title": "9" * 9000},
    }.items():  # fmt: skip
        yield Case("info.json", name, _beside(".info.json", json.dumps(info)))
    for name, text in {"deep text": '{"title":' * 50_000, "bytes": b"\xff\xfe{}\x00", "half": '{"title": "a'}.items():
        yield Case("info.json", name, _beside(".info.json", text))
    tag = lambda p: p.put("bad.mp4", video(shade=119, title=LONG + SCRIPT))  # noqa: E731
    yield Case("long titles", "tag of the file", tag, 1, kept=True)
    broken = video(shade=119, title="SQUATSQUATS").replace(b"SQUATSQUATS", b"\xff\xc0SQUAT\x80\0\xed\xa0")
    yield Case("long titles", "tag that is no text", lambda p: p.put("bad.mp4", broken), 1, kept=True)
    for name, title in {"words": LONG, "one word": "squat" * 2000, "spaces": " " * 9_990 + "squats"}.items():
        rows = json.dumps([{"start": 0, "end": 2, "title": title}])
        yield Case("long titles", name, _beside(".chapters.json", rows), 1, kept=True)


def names(repeats: int) -> Iterator[Case]:
    """Names that want out of the folder, or are no text, or are long, or one another's."""
    given: list[str | bytes] = [
        "...mp4", "..  ..mp4", "..%2f..%2fx.mp4", "a\nb.mp4", "\r\t\x1b[2J.mp4", "-rf.mp4", "--help.mp4",
        "x" * 251 + ".mp4",
        "é" * 125 + ".mp4", "\U0001f3cb" * 62 + ".mp4", b"\xff\xfe\x80.mp4", b"a\xc0\xaf..\xc0\xaf.mp4",
        "\u202e4pm.x.mp4",
        "<script>alert(1)<!--.mp4", '"onerror="alert(1).mp4', "$(touch x)`id`;&|.mp4", "%s%n{0}.mp4", "..\\..\\x.mp4",
        "CON.mp4", "[a]*?.mp4", "**.mp4", " .mp4", "a .mp4", "\u2024\u2024\u2215x.mp4", "bad.tar.mp4", "___.mp4",
        "१.mp4",
        "9" * 200 + ".mp4", "\ufeff\u200b.mp4", "~.mp4", "good.MP4",
    ]  # fmt: skip
    for name in given:
        put = lambda p, n=name: p.put(n, video(shade=120))  # noqa: E731
        yield Case("names", ascii(name)[:40], put)

    def alike(place: Place) -> None:
        for k, name in enumerate(("a.mp4", "a___0.mp4", "a-1.mp4", "a!.mp4", "A.mp4", "a___0___0.mp4", "a.mkv")):
            place.put(name, video(shade=121 + k) if k != 1 else b"broken")
        (place.videos / "sub").mkdir()
        place.put("sub/a.mp4", video(shade=130))

    yield Case("names", "alike", alike)


def links(repeats: int) -> Iterator[Case]:
    """Links out of the folder, loops, what is no file, a build among the videos."""

    def link(to: str) -> Callable[[Place], None]:
        return lambda p: os.symlink(to.format(beside=p.beside, videos=p.videos), p.videos / "bad.mp4")

    for to in (
        "/etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "{beside}/gone",
        "bad.mp4",
        "..",
        "{videos}",
        "{beside}/secret.txt",
    ):
        yield Case("links", to, link(to), kept=False)
    yield Case(
        "links", "to a video", lambda p: (p.put("x.hidden", video(shade=131)), link("x.hidden")(p)), 1, kept=True
    )
    yield Case("links", "pipe", lambda p: os.mkfifo(p.videos / "bad.mp4"), kept=False)
    yield Case("links", "folder", lambda p: (p.videos / "bad.mp4").mkdir(), kept=False)
    yield Case("links", "pipe beside", lambda p: (p.put("bad.mp4", video()), os.mkfifo(p.videos / "bad.info.json")))

    def folders(place: Place) -> None:
        (place.videos / "bad.chapters.json").mkdir()
        (place.videos / "bad.srt").mkdir()
        place.put("bad.mp4", video(shade=132))

    yield Case("links", "folders beside", folders, 1, kept=True)
