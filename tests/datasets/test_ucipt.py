"""UCI Physical Therapy Exercises on small files of their layout, and on the real ones where they are."""

import zipfile
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.checks import check
from kinjo.datasets import ucipt
from kinjo.datasets.card import DatasetError
from kinjo.datasets.ucipt import ARM, CARD, EXERCISES, HEAD, IDS, LEG, find, lively, recordings, table, times

N = 75 * 25
SETS = ((0, 15), (30, 45), (60, 75))
"""Seconds in which the second unit moves."""
MARKS = "execution type;start;end\n1;26;100.5\n2;800;851\n3;1600.5;1700\n"


def values(unit: int, seed: int = 0, n: int = N) -> np.ndarray:
    """Columns (n, 9) of a unit."""
    rng = np.random.default_rng([seed, unit])
    out = rng.normal(size=(n, 9)) * np.repeat((0.1, 0.01, 0.05), 3)
    out[:, 0] += 9.8
    if unit == 2:
        time = np.arange(n) / 25
        moving = np.any([(time >= a) & (time < b) for a, b in SETS], axis=0)
        out[:, 5] += 2 * np.sin(4 * time) * moving
    return np.round(out, 6)


def text(rows: np.ndarray) -> bytes:
    lines = [f"{k};" + ";".join(f"{x:.6f}" for x in row) for k, row in enumerate(rows, 1)]
    return "\n".join([HEAD, *lines, ""]).encode()


def write(
    root: Path, pairs: tuple[tuple[str, str], ...] = (("s1", "e1"), ("s2", "e8")), *, zipped: bool = False
) -> Path:
    """A small data set under ``root``; its folder, or the zip's."""
    files = {}
    for subject, exercise in pairs:
        for unit in range(1, 6):
            for session in ("test", "template_session"):
                files[f"{subject}/{exercise}/u{unit}/{session}.txt"] = text(values(unit))
        files[f"{subject}/{exercise}/template_times.txt"] = MARKS.encode()
    if zipped:
        with zipfile.ZipFile(root / "physical+therapy+exercises+dataset.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return root
    home = root / "ucipt"
    for name, data in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    return home


ONLY = ("s1_e1_template", "s1_e1_test", "s2_e8_test")


@pytest.mark.parametrize("zipped", [True, False])
def test_streams(tmp_path: Path, zipped: bool):
    write(tmp_path, zipped=zipped)
    found = list(recordings(tmp_path, only=ONLY))
    assert [(r.id, r.subject) for r in found] == list(zip(ONLY, ("s1", "s1", "s2"), strict=True))
    for recording in found:
        places = LEG if recording.id.startswith("s1") else ARM
        assert list(recording.streams) == [f"{place}.{q}" for place in places.values() for q in ("acc", "gyro")]
        for k, place in enumerate(places.values(), 1):
            acc, gyro = (recording.streams[f"{place}.{q}"] for q in ("acc", "gyro"))
            np.testing.assert_array_equal(acc.values(), values(k)[:, :3])
            np.testing.assert_array_equal(gyro.values(), values(k)[:, 3:6])
            assert (acc.contract.units, acc.contract.gravity, gyro.contract.units) == ("m/s^2", True, "rad/s")
            assert acc.contract.rate_hz == 25.0
        assert check(recording)[1] == []


def test_segments_of_a_test_leave_still_spans_out(tmp_path: Path):
    write(tmp_path)
    (test,) = recordings(tmp_path, only=["s1_e1_test"])
    label = EXERCISES["e1"]
    assert [s.label for s in test.segments] == [label] * 3
    told = ["as prescribed", "too fast", "with too small an amplitude"]
    assert [s.description for s in test.segments] == [f"{label}, {how}" for how in told]
    for segment, (start, end) in zip(test.segments, SETS, strict=True):
        assert segment.start_s == pytest.approx(start, abs=2.5)
        assert segment.end_s == pytest.approx(end, abs=2.5)


def test_segments_of_a_template_session_are_its_executions_and_the_rest(tmp_path: Path):
    write(tmp_path)
    (session,) = recordings(tmp_path, only=["s1_e1_template"])
    marked = [s for s in session.segments if s.repetitions == 1]
    assert [(s.start_s, s.end_s) for s in marked] == [(1.0, 4.02), (31.96, 34.04), (63.98, 68.0)]
    assert [s.description.rpartition(", ")[2] for s in marked] == list(ucipt.EXECUTIONS.values())
    others = [s for s in session.segments if s.repetitions is None]
    assert all(s.description == "" and s.end_s - s.start_s >= 1.0 for s in others)
    for a, b in pairwise(session.segments):
        assert a.end_s <= b.start_s


@given(st.integers(0, 2**32 - 1), st.integers(30, 700))
def test_lively_spans_are_apart_and_inside(seed: int, n: int):
    rng = np.random.default_rng(seed)
    turning = [rng.normal(size=(n, 3)) * np.repeat(rng.uniform(0, 2, 1 + n // 100), 100)[:n, None] for _ in range(2)]
    edges = [edge for span in lively(turning) for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= edge <= n for edge in edges)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-3], "cut off"), (lambda data: b"", "none"),
        (lambda data: HEAD.encode() + b"\n", "no samples"),
        (lambda data: data.replace(b"acc_x", b"acc_y", 1), "the columns time index"),
        (lambda data: data.replace(b"\n7;", b"\n8;", 1), "8 in row 7"),
        (lambda data: data.replace(b"\n7;", b"\n7;nan;", 1), "rows of ten numbers"),
        (lambda data: data.replace(b"\n7;9", b"\n7;nan;9", 1), "rows of ten numbers"),
        (lambda data: data.replace(b"\n7;9.", b"\n7;inf;9.", 1), "rows of ten numbers"),
        (lambda data: data.replace(b"\n7;9.", b"\n7;9999.", 1), "acc within ±200 m/s"),
        (lambda data: data.replace(b"\n7;9.", b"\n7;9x.", 1), "rows of ten numbers"),
        (lambda data: text(values(1) / 9.8), "median of about 9.8"),
        (lambda data: text(np.where(np.arange(9) == 4, 99.0, values(1))), "gyr within ±40"),
        (lambda data: text(np.where(np.arange(9) == 4, np.nan, values(1))), "1875 absent, NaN"),
        (lambda data: data.decode().encode("utf-16"), "the columns"),
    ],
)  # fmt: skip
def test_bad_text(change: Callable[[bytes], bytes], message: str):
    with pytest.raises(DatasetError, match=message) as raised:
        table(change(text(values(1))), "f.txt")
    assert raised.value.file == "f.txt"
    assert raised.value.hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "the columns execution type"), (MARKS.replace(";end", ""), "the columns execution type"),
        (MARKS.replace("3;1600.5", "2;1600.5"), "each of the types"), (MARKS + "1;1750;1760\n", "each of the types"),
        (MARKS.replace("1700", "1900"), "within 1875 samples"), (MARKS.replace("1;26", "1;0"), "within 1875 samples"),
        (MARKS.replace("100.5", "900"), "one after the other"), (MARKS.replace("100.5", "20"), "one after the other"),
        (MARKS.replace("100.5", "nan"), "each of the types"), (MARKS.replace("100.5", "x"), "a type and two numbers"),
        (MARKS.replace(";100.5", ""), "a type and two numbers"), (MARKS[:-6], "a type and two numbers"),
        (MARKS[:-3], "one after the other"),
    ],
)  # fmt: skip
def test_bad_times(data: str, message: str):
    with pytest.raises(DatasetError, match=message) as raised:
        times(data.encode(), "t.txt", N)
    assert raised.value.file == "t.txt"


SMALL = text(values(1, n=12))


@settings(max_examples=60)
@given(st.integers(0, len(SMALL) - 1), st.binary(max_size=3), st.integers(0, 80))
def test_no_damage_crashes(at: int, put: bytes, cut: int):
    """A file is read or a ``DatasetError`` says what is wrong with it."""
    with suppress(DatasetError):
        table(SMALL[:at] + put + SMALL[at + cut :], "f.txt")
    with suppress(DatasetError):
        times(MARKS.encode()[: at % 60] + put + MARKS.encode()[at % 60 + cut :], "t.txt", N)


def test_a_unit_that_lost_whole_lines_is_noticed(tmp_path: Path):
    home = write(tmp_path)
    (home / "s1/e1/u3/test.txt").write_bytes(text(values(3)[:-7]))
    with pytest.raises(DatasetError, match=r"u3.test\.txt.*1875 samples.*given 1868"):
        list(recordings(tmp_path, only=ONLY))
    report: list[str] = []
    found = list(recordings(tmp_path, only=ONLY, skip_bad=True, report=report))
    assert [r.id for r in found] == ["s1_e1_template", "s2_e8_test"]
    assert report[0].startswith("s1_e1_test: skipped")


def test_files_and_names(tmp_path: Path):
    with pytest.raises(DatasetError, match="Download"):
        recordings(tmp_path)
    home = write(tmp_path)
    for root in (tmp_path, home):
        assert find(root) == home
    with pytest.raises(DatasetError, match=r"files absent: .*s1/e2/u1/template_session"):
        recordings(tmp_path)
    with pytest.raises(DatasetError, match="video"):
        recordings(tmp_path, modalities=("video",))
    with pytest.raises(DatasetError, match="s6_e1_test"):
        recordings(tmp_path, only=["s6_e1_test"])
    (home / "s1/e1/u4/test.txt").unlink()
    report: list[str] = []
    found = list(recordings(tmp_path, skip_bad=True, report=report))
    assert [r.id for r in found] == ["s1_e1_template", "s2_e8_template", "s2_e8_test"]
    assert "files absent" in report[0]


def test_the_card():
    assert CARD.licence == "CC BY 4.0"
    assert CARD.trainable
    assert len(CARD.classes) == len(set(CARD.classes)) == 8
    assert len(IDS) == len(set(IDS)) == 80


# ------------------------------------------------------------------------------------------------ the real files
@pytest.fixture(scope="module")
def real(real_root: Callable[[ModuleType], Path]) -> Path:
    return real_root(ucipt)


def test_real_files(real: Path):
    chosen = [f"s{s}_{e}_{session}" for s in (1, 3) for e in ("e1", "e3", "e7") for session in ("template", "test")]
    for recording in recordings(real, only=chosen):
        assert check(recording)[1] == []
        assert len(recording.segments) >= 3
        for stream in recording.streams.values():
            if stream.contract.quantity == "acc":
                level = float(np.median(np.linalg.norm(stream.values(), axis=1)))
                off = recording.subject == "s3" and stream.name == "right_upper_arm.acc"
                assert (7 if off else 9.5) < level < 10.5


def test_where_the_real_units_sit(real: Path):
    """Lying on the back and on the side: thighs and chest show up as the card says."""
    for subject in range(1, 6):
        back, side = (r.streams for r in recordings(real, only=[f"s{subject}_{e}_test" for e in ("e3", "e4")]))

        def up(streams: dict, place: str) -> np.ndarray:
            return np.median(streams[f"{place}.acc"].values(), axis=0)

        assert up(back, "chest")[2] > 7 > up(side, "chest")[2]
        assert up(side, "chest")[1] > 7
        assert up(back, "right_thigh")[1] > 8 > -7 > up(back, "left_thigh")[1]  # y forwards, and backwards
        assert up(side, "right_thigh")[2] > 8 > -7 > up(side, "left_thigh")[2]  # z outwards: the right one is on top
        assert up(side, "right_shin")[2] > 4 > -7 > up(side, "left_shin")[2]
