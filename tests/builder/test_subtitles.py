"""Subtitles as they come: dialects, what rolls, and garbage."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.builder.errors import BuildError
from kinjo.builder.subtitles import Caption, from_file, parsed, said

TWO = [Caption(1.0, 2.5, "Feet apart. Sit back."), Caption(3.0, 4.0, "And up!")]
SRT = "1\n00:00:01,000 --> 00:00:02,500\nFeet apart.\nSit back.\n\n2\n00:00:03,000 --> 00:00:04,000\nAnd up!\n"
DIALECTS = {
    "srt": SRT,
    "crlf": SRT.replace("\n", "\r\n"),
    "lines ended twice": SRT.replace("\n", "\r\r\n"),
    "cr": SRT.replace("\n", "\r"),
    "mark": "\ufeff" + SRT,
    "points": SRT.replace(",", "."),
    "no numbers": "\n".join(line for line in SRT.split("\n") if line not in ("1", "2")),
    "no empty lines": SRT.replace("\n\n", "\n"),
    "no hours": SRT.replace("00:00:", "00:"),
    "no spaces": SRT.replace(" --> ", "-->"),
    "a short arrow": SRT.replace(" --> ", " -> "),
    "no fractions of the end": SRT.replace("04,000", "04"),
    "not in order": "\n\n".join(reversed(SRT.split("\n\n"))),
    "no last line end": SRT.rstrip(),
    "tags": SRT.replace("And up!", "{\\an8}<i>And</i> <font color='#fff'>up!</font>"),
    "a cue that ends before it starts": SRT + "\n3\n00:00:09,000 --> 00:00:08,000\nno\n\n",
    "a cue without length": SRT + "\n3\n00:00:09,000 --> 00:00:09,000\nno\n\n",
    "a cue without words": SRT + "\n3\n00:00:08,000 --> 00:00:09,000\n<i> </i>\n\n",
    "a cue without times": SRT + "\n3\n00:00:08,000\nno\n",
    "times that are none": SRT + "\n3\nab:00:08,000 --> 00:00:xx\nno\n",
    "vtt": "WEBVTT - a\nKind: captions\n\nNOTE no\nno --\n\nSTYLE\n::cue { color: red }\n\nfirst cue\n"
    "00:01.000 --> 00:02.500 align:start position:0%\nFeet apart.\n<v Ann>Sit back.</v>\n\nNOTE no\n\n"
    "00:03.000 --> 00:04.000\n<00:03.100><c.yellow>And</c> up!\n",
    "entities": SRT.replace("And up!", "And&nbsp;up&#33;"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(name: str):
    assert parsed(DIALECTS[name]) == TWO


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_files(tmp_path: Path, encoding: str):
    path = tmp_path / "a.srt"
    path.write_bytes(SRT.replace("And up!", "Übung - fünf").encode(encoding))
    assert from_file(path)[1].text == "Übung - fünf"


ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%
 
hello<00:00:00.500><c> everyone</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
hello everyone
 

00:00:02.010 --> 00:00:05.000 align:start position:0%
hello everyone
today<00:00:03.000><c> we</c><00:00:03.500><c> squat</c>

00:00:05.000 --> 00:00:05.010 align:start position:0%
today we squat
 

00:00:05.010 --> 00:00:07.000 align:start position:0%
today we squat
go
"""  # noqa: W293


def test_rolling_captions_are_said_once():
    found = parsed(ROLLING)
    assert [caption.text for caption in found] == ["hello everyone", "today we squat", "go"]
    assert found[0] == Caption(0.0, 2.01, "hello everyone")
    assert said(found, 0, 10) == "hello everyone today we squat go"


def test_what_is_said_again_later_stays():
    cue = "00:00:0{}.000 --> 00:00:0{}.000\nOne more!\n\n"
    assert len(parsed(cue.format(1, 2) + cue.format(4, 5))) == 2
    assert parsed(cue.format(1, 2) + cue.format(2, 3)) == [Caption(1.0, 3.0, "One more!")]


def test_overlapping_cues_stay():
    text = "00:01.000 --> 00:09.000\na\n\n00:02.000 --> 00:03.000\nb\n"
    assert parsed(text) == [Caption(1.0, 9.0, "a"), Caption(2.0, 3.0, "b")]


def test_said():
    captions = [Caption(0, 2, "a"), Caption(2, 4, "b"), Caption(3, 9, "c")]
    assert said(captions, 0, 3) == "a"
    assert said(captions, 0, 3.5) == "a b"
    assert said(captions, 3, 9) == "b c"
    assert said(captions, 4.5, 5) == "c"
    assert said(captions, 20, 30) == said([], 0, 10) == said(captions, 5, 5) == ""


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6, unique=True))
def test_neighbouring_spans_share_no_short_caption(cuts: list[int]):
    captions = [Caption(k * 0.7, k * 0.7 + 0.6, f"w{k}") for k in range(60)]
    cuts = sorted(cuts)
    words = " ".join(said(captions, a, b) for a, b in pairwise(cuts)).split()
    assert words == said(captions, cuts[0], cuts[-1]).split()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"hello", b"WEBVTT\n\n", b"\xff\xfe", b"\0" * 9, b"-->\n", b"1\n2"])
def test_files_without_captions(tmp_path: Path, data: bytes):
    path = tmp_path / "a.srt"
    path.write_bytes(data)
    with pytest.raises(BuildError, match=r"a\.srt"):
        from_file(path)


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kinjo.builder.subtitles.MOST", 1)
    path = tmp_path / "a.srt"
    path.write_text(SRT, encoding="utf-8")
    with pytest.raises(BuildError, match="2 captions, expected at most 1"):
        from_file(path)


pieces = st.sampled_from(
    [*SRT.splitlines(keepends=True), "\n", "<", ">", "{\\", "}", "&#x110000;", " ", "00:01 --> 00:02"]
)


@given(st.lists(pieces | st.text(max_size=20), max_size=30))
def test_garbage_never_crashes(parts: list[str]):
    found = parsed("".join(parts))
    assert all(0 <= c.start_s < c.end_s and c.text == c.text.strip() != "" for c in found)
    assert all(a.start_s <= b.start_s for a, b in pairwise(found))


@given(st.binary(max_size=300))
def test_any_bytes_are_captions_or_a_build_error(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    path = tmp_path_factory.getbasetemp() / "any.vtt"
    path.write_bytes(data)
    with pytest.raises(BuildError, match=r"any\.vtt"):
        from_file(path)
    path.write_bytes(SRT.encode() + b"\n\n" + data.replace(b"\0", b""))
    assert from_file(path)[0].text == "Feet apart. Sit back."


@pytest.mark.parametrize("unit", ["<", "00:01.000 --> ", "{\\", "\r", "00:01 --> 00:02\na\n", "&", "1\n"])
def test_a_megabyte(unit: str):
    parsed(unit * (1_000_000 // len(unit)))
