"""Chapters of every origin, what is mended, and what hostile files do."""

import json
import re
from fractions import Fraction
from itertools import pairwise
from math import inf, isnan, nan
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.builder.chapters import (
    SHORTEST_S,
    Chapter,
    from_container,
    from_description,
    from_info,
    from_sidecar,
    mended,
)
from kinjo.builder.errors import BuildError
from kinjo.builder.text_files import one_line, read_text, seconds_of

Spans = list[tuple[float, float, str]]


def spans(found: list[Chapter]) -> Spans:
    return [(round(c.start_s, 3), round(c.end_s, 3), c.title) for c in found]


def video(path: Path, chapters: Spans, start: int = 0, seconds: int = 4) -> Path:
    with av.open(str(path), "w") as container:
        track = container.add_stream("mpeg4", rate=10)
        track.width = track.height = 32
        track.pix_fmt = "yuv420p"
        base = Fraction(1, 1000)
        container.set_chapters(
            [
                {"id": k, "start": int(1000 * a), "end": int(1000 * b), "time_base": base, "metadata": {"title": title}}
                for k, (a, b, title) in enumerate(chapters)
            ]
        )
        for k in range(10 * seconds):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts = k + start
            frame.time_base = Fraction(1, 10)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return path


# --------------------------------------------------------------------------------------------------- the container
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_container(tmp_path: Path, suffix: str):
    given_: Spans = [(0.0, 1.0, "Intro ü"), (1.0, 2.5, "Squats"), (2.5, 4.0, "x" * 10_000)]
    assert spans(from_container(video(tmp_path / f"a.{suffix}", given_))) == given_
    assert from_container(video(tmp_path / f"none.{suffix}", [])) == []


def test_container_on_the_clock_of_the_first_picture(tmp_path: Path):
    path = video(tmp_path / "a.mkv", [(0.0, 3.0, "a"), (3.0, 6.0, "b")], start=20)
    assert spans(from_container(path)) == [(0.0, 1.0, "a"), (1.0, 4.0, "b")]


@pytest.mark.parametrize("data", [b"", b"x" * 1000, b"\x00\x00\x00\x18ftypmp42" + b"\0" * 50])
def test_container_that_is_none(tmp_path: Path, data: bytes):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(BuildError, match=r"a\.mp4: not a video"):
        from_container(path)
    with pytest.raises(BuildError, match=r"none\.mp4"):
        from_container(tmp_path / "none.mp4")


# ------------------------------------------------------------------------------------------------------- info.json
def test_info():
    info = {"chapters": [{"start_time": 0.0, "end_time": 12.5, "title": "Intro"}, {"start_time": 12.5, "title": None}]}
    first, second = from_info(info)
    assert first == Chapter(0.0, 12.5, "Intro")
    assert (second.start_s, isnan(second.end_s), second.title) == (12.5, True, "")
    assert from_info({}) == from_info({"chapters": None}) == from_info({"chapters": []}) == []
    with pytest.raises(BuildError, match="'chapters' is no list"):
        from_info({"chapters": "0:00 a"})
    with pytest.raises(BuildError, match="at most 10000"):
        from_info({"chapters": [0] * 10_001})


def test_what_cannot_be_read_in_info_is_handed_on_to_be_rejected():
    odd = [3, None, ["a"], "0:00", {}, {"start_time": "x"}, {"start_time": True}, {"start_time": 10**400}]
    odd += [{"start_time": -1, "end_time": 5}, {"start_time": 1, "end_time": inf}, {"start_time": 1, "title": ["a"]}]
    kept, rejected = mended(from_info({"chapters": odd}), 100.0)
    assert len(kept) + len(rejected) == len(odd)
    assert spans(kept) == [(1.0, 100.0, "")]


# ----------------------------------------------------------------------------------------------------- description
DESCRIPTIONS: list[tuple[str, Spans]] = [
    ("Hello\n0:00 Intro\n0:45 Squats\n1:30 Rest\nbye", [(0, 45, "Intro"), (45, 90, "Squats"), (90, 600, "Rest")]),
    ("00:00:00 - Intro\n00:01:30 - Jumping Jacks", [(0, 90, "Intro"), (90, 600, "Jumping Jacks")]),
    ("1. 0:00 A\n2. 2:05 Squats\n3) 3:00 B", [(0, 125, "A"), (125, 180, "Squats"), (180, 600, "B")]),
    ("Intro 0:00\nSquats 2:05", [(0, 125, "Intro"), (125, 600, "Squats")]),
    ("- Squats - 0:10\n- Lunges (1:10)", [(10, 70, "Squats"), (70, 600, "Lunges")]),
    ("(0:00) Go\n(3:10) Rest", [(0, 190, "Go"), (190, 600, "Rest")]),
    ("[00:00:00] x\n[00:02:03] y", [(0, 123, "x"), (123, 600, "y")]),
    ("0:00 Intro\nSquats 2:05\n[3:10] Rest", [(0, 125, "Intro"), (125, 190, "Squats"), (190, 600, "Rest")]),
    ("0:05 - 0:35 Plank\n0:40 \u2013 1:10: Rest", [(5, 35, "Plank"), (40, 70, "Rest")]),
    ("▶ 0:00 | a\r\n• 1:00 → b", [(0, 60, "a"), (60, 600, "b")]),
    ("0:00 Intro 3x12\n8:00", [(0, 480, "Intro 3x12"), (480, 600, "")]),
    ("0:00 All of it", [(0, 600, "All of it")]),
    ("Ends at 7:45\n0:00 a\n1:00 b", [(0, 60, "a"), (60, 600, "b")]),
    ("0:10 Join us today: live every Monday at 6:30\n0:50 b", [
        (10, 50, "Join us today: live every Monday at 6:30"), (50, 600, "b")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DESCRIPTIONS)
def test_description(text: str, expected: Spans):
    assert spans(from_description(text, 600.0)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "no times at all", "We train at 5:30 every day", "5:30 is early", "Live at 6:30 pm", "Come at 0:05",
     "1:00 a\n0:30 b", "0:30 a\n0:30 b", "0:99 a\n1:75 b", "6:30 pm Monday\n7:30 pm Tuesday", "12:00 x\n13:00 y",
     "https://a.b/c?t=1:20", "1:2 a\n3:4 b", "A score of 10:30"],
)  # fmt: skip
def test_description_without_chapters(text: str):
    assert from_description(text, 600.0) == []


def test_a_code_after_the_end_is_handed_on_to_be_rejected():
    found = from_description("0:00 a\n1:00 b\n20:00 c", 600.0)
    kept, rejected = mended(found, 600.0)
    assert spans(kept) == [(0, 60, "a"), (60, 600, "b")]
    assert [(c.title, "outside the video" in reason) for c, reason in rejected] == [("c", True)]


@given(st.text(), st.floats(0.1, 1e5))
def test_description_never_crashes(text: str, duration_s: float):
    for found in (from_description(text, duration_s), from_description(f"0:00 {text}\n1:00 b {text} 2:00", duration_s)):
        assert all(a.start_s < b.start_s for a, b in pairwise(found))


@pytest.mark.parametrize("unit", ["0:0", " ", "1. ", "- ", "0:00 ", "(", "0:00 - ", "a 1:00\n"])
def test_description_of_a_megabyte(unit: str):
    assert len(from_description(unit * (2_000_000 // len(unit)), 1e5)) < 2


# --------------------------------------------------------------------------------------------------------- sidecar
def side(tmp_path: Path, data: str | bytes, name: str = "v.json") -> list[Chapter]:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return from_sidecar(path)


WANTED: Spans = [(0.0, 10.0, "Squats ü"), (10.0, 62.5, "Rest")]
SIDECARS = {
    "list.json": '[{"start": 0, "end": 10, "title": "Squats ü"}, {"start": 10, "end": 62.5, "title": "Rest"}]',
    "object.json": '{"chapters": [{"start_time": "0", "end_time": "0:10", "name": "Squats ü"},'
    ' {"start_time": "0:10", "end_time": "1:02.5", "label": "Rest"}], "other": 1}',
    "no_suffix": '[{"Start (s)": 0, "duration": 10, "exercise": "Squats ü"},'
    ' {"start_ms": 10000, "end_ms": 62500, "Title": "Rest"}]',
    "a.csv": "start,end,title\n0,10,Squats ü\n\n10,62.5,Rest\n",
    "b.csv": "Title;Start;End\r\nSquats ü;0,0;10,0\r\nRest;10;62,5\r\n",
    "c.tsv": "start_s\tstop\tlabel\n00:00:00\t00:00:10\tSquats ü\n0:10\t1:02.500\tRest",
    "d.csv": '"start time","end time","chapter title"\n"0","10 s","Squats ü"\n"10","62.5sec","Rest"\n',
    "e.csv": "begin,until,activity\r0,10,Squats ü\r10,62.5,Rest\r",
}


@pytest.mark.parametrize("name", SIDECARS)
def test_sidecars(tmp_path: Path, name: str):
    assert spans(side(tmp_path, SIDECARS[name], name)) == WANTED


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("name", ["list.json", "a.csv"])
def test_encodings(tmp_path: Path, name: str, encoding: str):
    assert spans(side(tmp_path, SIDECARS[name].encode(encoding), name)) == WANTED


def test_titles_are_kept_whole_without_control_characters(tmp_path: Path):
    long = "Squats " * 1428 + "end"
    (found,) = side(tmp_path, json.dumps([{"start": 0, "end": 9, "title": f"\u202e{long}\x07\x00\n\ud800"}]))
    assert found.title == long
    (found,) = side(tmp_path, f"start,end,title\n0,9,{long}\x1b\n", "a.csv")
    assert found.title == long
    assert one_line("👩\u200d🦰\ta") == "👩\u200d🦰 a"


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        ("", "a.json", "no JSON"),
        ("{", "a.json", "no JSON"),
        ("[" * 100_000, "a.json", "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "a.txt", "nested too deeply"),
        ("3", "a.json", "expected a JSON list"),
        ('{"a": []}', "a.json", "expected a JSON list"),
        ('{"chapters": {"a": 1}}', "a.json", "no list"),
        (f'[{{"start": {"9" * 5000}}}]', "a.json", "no JSON"),
        ("[" + "0," * 10_000 + "0]", "a.json", "at most 10000"),
        ("", "a.csv", "the header has no start"),
        ("0,10,Squats\n", "a.csv", "the header has no start"),
        ("start,end\n0,10\n", "a.csv", "the header has no start and no title"),
        ("start,title\n" + "0,a\n" * 10_001, "a.csv", "at most 10000"),
        ("start,title\n0," + "a" * 200_000, "a.csv", "no CSV"),
        (b"MZ" + b"abc" * 200 + bytes(9), "a.csv", "binary data"),
    ],
)
def test_bad_sidecars(tmp_path: Path, data: str | bytes, name: str, message: str):
    with pytest.raises(BuildError, match=message) as raised:
        side(tmp_path, data, name)
    assert name in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for path in (tmp_path, tmp_path / "none", Path("a\0b"), tmp_path / ("a" * 5000)):
        with pytest.raises(BuildError, match=r"no such file|cannot be read"):
            read_text(path)
    monkeypatch.setattr("kinjo.builder.text_files.LARGEST", 10)
    with pytest.raises(BuildError, match="11 bytes, expected at most 10"):
        side(tmp_path, "start,title")


def test_not_a_number_is_no_time(tmp_path: Path):
    found = side(tmp_path, '[{"start": NaN}, {"start": Infinity}, {"start": 1, "end": NaN}, {"start": 9, "end": -1}]')
    kept, rejected = mended(found, 20.0)
    assert spans(kept) == [(1.0, 20.0, "")]
    assert len(rejected) == 3


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["chapters", "start", "end", "title", "duration", "x"]), inner, max_size=4)
    ),
)


@given(json_like)
def test_any_json_is_read_or_a_build_error(tmp_path_factory: pytest.TempPathFactory, value: object):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    try:
        found = from_sidecar(path)
    except BuildError as error:
        assert "any.json" in str(error)  # noqa: PT017
    else:
        kept, rejected = mended(found, 10.0)
        assert len(kept) + len(rejected) == len(found)


@given(st.binary(max_size=200), st.sampled_from(["", "start,title\n", "start;end;title\n", "[{"]))
def test_any_bytes_are_read_or_a_build_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, header: str):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(header.encode() + data)
    try:
        found = from_sidecar(path)
    except BuildError as error:
        assert "any.csv" in str(error)  # noqa: PT017
    else:
        assert all(isinstance(chapter, Chapter) for chapter in found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3.0), (2.5, 2.5), ("12", 12.0), (" 12,5 s ", 12.5), ("1e3", 1000.0), ("2:05", 125.0), ("01:02:03.5", 3723.5),
     ("75:30", 4530.0), ("-3", -3.0), (inf, inf)],
)  # fmt: skip
def test_seconds(value: object, expected: float):
    assert seconds_of(value) == expected


@pytest.mark.parametrize("value", [None, True, "", "x", "1:2:3:4", "nan", "inf", "1_0", [], {}, 10**400, "9" * 500])
def test_no_seconds(value: object):
    assert isnan(seconds_of(value))


# ---------------------------------------------------------------------------------------------------------- mended
def test_overlaps_are_cut_and_said():
    kept, rejected = mended([Chapter(10, 30, "b"), Chapter(0, 20, "a"), Chapter(25, 99, "c")], 40.0)
    assert spans(kept) == [(0, 10, "a"), (10, 25, "b"), (25, 40, "c")]
    assert rejected == []
    assert kept[0].note == "cut from 20.00 s at the next start, 10.00 s"
    assert "the end of the video, 40.00 s" in kept[2].note


def test_missing_ends_are_filled_and_said():
    kept, _ = mended([Chapter(0, nan, "a"), Chapter(5, 6, "b"), Chapter(8, nan, "c")], 10.0)
    assert spans(kept) == [(0, 5, "a"), (5, 6, "b"), (8, 10, "c")]
    assert [c.note for c in kept] == [
        "no end was given: the next start is taken",
        "",
        "no end was given: the end of the video is taken",
    ]


@pytest.mark.parametrize(
    ("chapter", "reason"),
    [
        (Chapter(nan, 3, ""), "its start is no time"),
        (Chapter(inf, 3, ""), "its start is no time"),
        (Chapter(0, inf, ""), "its end is infinite"),
        (Chapter(0, -inf, ""), "its end is infinite"),
        (Chapter(-1, 3, ""), "before the video"),
        (Chapter(10, 12, ""), "outside the video"),
        (Chapter(5, 4, ""), "ends before it starts"),
        (Chapter(5, 5.4, ""), r"lasts 0\.40 s, under 0\.5 s"),
        (Chapter(9.8, nan, ""), r"lasts 0\.20 s, under 0\.5 s: no end was given"),
        (Chapter(9.7, 12, ""), r"lasts 0\.30 s, under 0\.5 s: cut from 12\.00 s"),
    ],
)
def test_reasons(chapter: Chapter, reason: str):
    kept, rejected = mended([chapter, Chapter(1, 2, "good")], 10.0)
    assert [c.title for c in kept] == ["good"]
    assert len(rejected) == 1
    assert rejected[0][0] is chapter
    assert re.search(reason, rejected[0][1])


def test_a_chapter_that_is_not_used_cuts_none():
    kept, rejected = mended([Chapter(0, 9, "a"), Chapter(5, 5.1, "flash"), Chapter(4, 3, "odd")], 10.0)
    assert spans(kept) == [(0, 9, "a")]
    assert len(rejected) == 2


@pytest.mark.parametrize("duration_s", [0.0, -1.0, nan, inf])
def test_no_length_of_a_video(duration_s: float):
    with pytest.raises(BuildError, match="no chapters"):
        mended([], duration_s)


times = st.floats(-5, 30) | st.floats() | st.sampled_from([0.0, 10.0, 10.5])


@given(st.lists(st.builds(Chapter, times, times, st.text(max_size=3))), st.floats(0.1, 25))
def test_kept_lie_in_order_in_the_video_and_nothing_is_lost(found: list[Chapter], duration_s: float):
    kept, rejected = mended(found, duration_s)
    assert len(kept) + len(rejected) == len(found)
    assert all(any(chapter is other for other in found) and reason for chapter, reason in rejected)
    rest = sorted((c.start_s, c.title) for c in kept)
    assert rest == sorted((c.start_s, c.title) for c in found if not any(c is out for out, _ in rejected))
    assert all(c.start_s >= 0 and c.end_s <= duration_s and c.end_s - c.start_s >= SHORTEST_S for c in kept)
    assert all(a.end_s <= b.start_s for a, b in pairwise(kept))
    again, none = mended(kept, duration_s)
    assert (again, none) == (kept, [])
