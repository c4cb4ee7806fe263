"""Time stamps of every form, and the way from a sensor's clock to a uniform one."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.datasets.card import DatasetError
from kinjo.datasets.timed_csv import Timed, Uniform, parse, uniform

XYZ = ("x", "y", "z")
START = datetime(2018, 11, 21, 16, 29, 58, 900000)  # two minutes are touched
TIMES = np.arange(200) / 100
VALUES = np.round(np.stack([np.sin(5 * TIMES), TIMES, 9.8 + 0 * TIMES], axis=1), 6)


def text(stamps: list[str], values: np.ndarray = VALUES, header: str = "", end: str = "\n") -> bytes:
    lines = [f"{t},{a},{b},{c}" for t, (a, b, c) in zip(stamps, values.tolist(), strict=False)]
    return (end.join([*([header] if header else []), *lines]) + end).encode()


def dates(form: str, times: np.ndarray = TIMES) -> list[str]:
    return [(START + timedelta(seconds=float(t))).strftime(form) for t in times]


def numbers(unit: float, first: float = 0.0, form: str = ".0f") -> list[str]:
    return [f"{first + t / unit:{form}}" for t in TIMES]


def table(data: bytes, names=(XYZ,)) -> Timed:
    read = parse(data, "f.csv", names, "Again.")
    assert read is not None
    return read


def even(seconds: np.ndarray, values: np.ndarray, rate: float = 100.0, **options) -> Uniform:
    return uniform(Timed(seconds, values), "f.csv", rate, longest_s=60.0, hint="Again.", **options)


FORMS = {
    "as MMAct has them": dates("%Y%m%d_%H:%M:%S.%f"),
    "iso": dates("%Y-%m-%d %H:%M:%S.%f"),
    "iso, T": dates("%Y-%m-%dT%H:%M:%S.%f"),
    "slashes": dates("%Y/%m/%d %H:%M:%S.%f"),
    "whole seconds without a fraction": [s.removesuffix(".000000") for s in dates("%Y%m%d_%H:%M:%S.%f")],
    "milliseconds of a day": [s[:-3] for s in dates("%Y%m%d_%H:%M:%S.%f")],
    "seconds": numbers(1.0, form=".3f"),
    "unix seconds": numbers(1.0, 1542817798.9, ".3f"),
    "unix milliseconds": numbers(1e-3, 1542817798900),
    "unix microseconds": numbers(1e-6, 1542817798900000),
    "unix nanoseconds": [str(1542817798900000000 + 10_000_000 * k) for k in range(200)],
    "nanoseconds since the phone was started": numbers(1e-9, 5e12),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_time_stamps(form: str):
    read = table(text(FORMS[form]))
    np.testing.assert_allclose(read.seconds - read.seconds[0], TIMES, atol=1e-6)
    np.testing.assert_array_equal(read.values, VALUES)
    assert read.notes == ()


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (numbers(1.0, form=".0f"), "5 to 400 Hz"),
        (numbers(1e-2), "5 to 400 Hz"),
        (["5"] * 200, "5 to 400 Hz"),
        ([f"201811211629{k:05d}" for k in range(0, 2000, 10)], "date in digits"),
        (dates("%d.%m.%Y %H:%M:%S"), "dates with a time"),
        (dates("%H:%M:%S.%f"), "dates with a time"),
        (["2018-13-45 16:29:25", *dates("%Y-%m-%d %H:%M:%S")[1:]], "dates with a time"),
        ([*dates("%Y-%m-%d %H:%M:%S")[:-1], "17.5"], "'17.5'"),
        (["", *numbers(1e-3)[1:]], "time stamp"),
        (["nan", *numbers(1e-3)[1:]], "time stamp"),
    ],
)
def test_time_stamps_that_cannot_be_told(stamps: list[str], message: str):
    with pytest.raises(DatasetError, match=message) as raised:
        parse(text(stamps), "f.csv", (XYZ,), "Again.")
    assert raised.value.file == "f.csv"
    assert raised.value.hint


def test_headers_and_dialects():
    stamps = numbers(1e-3)
    plain = table(text(stamps))
    for data in (
        text(stamps, header="timestamp,x,y,z"),
        text(stamps, header='"Time","X","Y","Z"'),
        text(stamps, header=",x,y,z"),
        text(stamps, end="\r\n"),
        b"\xef\xbb\xbf" + text(stamps),
    ):
        assert np.array_equal(table(data).values, plain.values)
        assert np.array_equal(table(data).seconds, plain.seconds)
    moved = table(text(stamps, VALUES[:, [2, 0, 1]], header="ts,z,x,y"))
    assert np.array_equal(moved.values, VALUES)
    last = b"z,y,x,t\n" + b"\n".join(
        f"{c},{b},{a},{t}".encode() for t, (a, b, c) in zip(stamps, VALUES.tolist(), strict=True)
    )
    assert np.array_equal(table(last + b"\n").values, VALUES)
    angles = table(text(stamps, header="time,azimuth,pitch,roll"), (XYZ, ("azimuth", "pitch", "roll")))
    assert np.array_equal(angles.values, VALUES)
    with pytest.raises(DatasetError, match="the columns time, x, y, z"):
        table(text(stamps, header="time,azimuth,pitch,roll"))


@pytest.mark.parametrize("data", [b"", b"\n", b"time,x,y,z\n", b"5,1,2,3\n", b"time,x,y,z\n5,1,2,3\n", b" \n \n"])
def test_files_without_samples(data: bytes):
    assert parse(data, "f.csv", (XYZ,), "Again.") is None


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe5,1,2,3\n", "5,1,2,3\n".encode("utf-16"), b"5;1;2;3\n6;1;2;3\n", b"<html>\n", b"5,1,2,3\n6,1,2\n",
     b"5,1,2,3\n6,1,2,3,4\n", b"0.0,1,2,3\n0.1,1,2,3\n0.2,1,2", b"0.0,1,2,3\n0.1,1,2,x\n", b"0,1_0,2,3\n"],
)  # fmt: skip
def test_files_that_are_none(data: bytes):
    with pytest.raises(DatasetError, match=r"f\.csv"):
        parse(data, "f.csv", (XYZ,), "Again.")


def test_a_last_line_that_may_be_cut_is_left_out():
    data = text(numbers(1e-3))
    read = table(data[:-1])
    assert np.array_equal(read.values, VALUES[:-1])
    assert "does not end" in read.notes[0]
    assert table(data).notes == ()


# ------------------------------------------------------------------------------------------- the uniform clock
def test_an_even_clock_stays():
    result = even(TIMES + 1e9, VALUES)
    np.testing.assert_allclose(result.values, VALUES, atol=1e-5)
    assert (result.start_s, result.rate_hz, result.notes) == (1e9, 100.0, ())
    assert not result.missing.any()


def test_late_and_repeated_rows():
    order = np.arange(200)
    order[[50, 51]] = order[[51, 50]]
    result = even(TIMES[order], VALUES[order])
    np.testing.assert_allclose(result.values, VALUES, atol=1e-9)
    assert "out of order" in result.notes[0]
    twice = np.sort(np.r_[np.arange(200), 20, 21])
    result = even(TIMES[twice], VALUES[twice])
    np.testing.assert_allclose(result.values, VALUES, atol=1e-9)
    assert "2 time stamps are repeated" in result.notes[0]


def test_a_clock_coarser_than_the_sampling():
    """Batches of four samples with one stamp: spread evenly."""
    result = even(np.floor(TIMES * 25) / 25, VALUES)
    assert "spread evenly" in result.notes[0]
    assert result.rate_hz == 100.0
    assert len(result.values) == pytest.approx(200, abs=5)
    assert np.abs(result.values[:, 1] - np.arange(len(result.values)) / 100).max() < 0.05


def test_a_rate_of_its_own_is_told():
    result = even(TIMES[::2], VALUES[::2])
    assert result.rate_hz == pytest.approx(50.0)
    assert len(result.values) == 100
    assert "sampled at 50 Hz, not at the nominal 100 Hz" in result.notes[0]
    jitter = np.random.default_rng(0).uniform(-0.003, 0.003, 200)
    assert even(TIMES * 1.05 + jitter, VALUES).rate_hz == 100.0


def test_pauses_and_nan_are_missing():
    keep = np.r_[0:80, 120:200]
    result = even(TIMES[keep], VALUES[keep])
    assert result.missing.sum() == pytest.approx(39, abs=1)
    assert result.missing[81:119].all()
    assert "1 pauses of up to 0.41 s" in result.notes[0]
    holes = VALUES.copy()
    holes[10:15, 1] = np.nan
    holes[20, 0] = np.inf
    result = even(TIMES, holes)
    assert result.missing[10:15].all()
    assert result.missing[20]
    assert result.missing.sum() <= 10
    assert np.isfinite(result.values).all()
    assert "6 of 200 rows are not finite" in result.notes[0]


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (np.r_[TIMES[:100], TIMES[:100]], "goes back by 0.99"),
        (np.r_[TIMES[:100], TIMES[100:] + 90], "at most 60 s"),
        (np.r_[TIMES[:100], TIMES[100:] + 30], "% missing"),
        (TIMES * 100, "at most 60 s"),
        (TIMES * 30, "200 samples over 59.7 s"),
        (TIMES * 0.01, "at 5 to 400 Hz"),
        (np.full(200, 3.0), "200 samples|1 samples"),
    ],
)
def test_clocks_that_cannot_be_mended(seconds: np.ndarray, message: str):
    with pytest.raises(DatasetError, match=message):
        even(seconds, VALUES)


def test_values_that_are_mostly_missing():
    holes = VALUES.copy()
    holes[:120] = np.nan
    with pytest.raises(DatasetError, match="60% missing"):
        even(TIMES, holes)
    with pytest.raises(DatasetError, match="100% missing"):
        even(TIMES, np.full_like(VALUES, np.nan), circle=True)


@given(st.floats(-720, 720), st.booleans(), st.integers(0, 2**32 - 1))
def test_angles_go_the_short_way_round(turn: float, positive: bool, seed: int):
    """Between 359 and 1 degree there is no 180."""
    rng = np.random.default_rng(seed)
    times = np.sort(TIMES + rng.uniform(0, 0.004, 200))
    wave = turn + 60 * np.sin(2 * times) + 40 * times
    wrap = (lambda x: x % 360) if positive else (lambda x: (x + 180) % 360 - 180)
    result = even(times, wrap(np.stack([wave] * 3, axis=1)), circle=True)
    at = result.start_s + np.arange(len(result.values)) / 100
    error = (result.values[:, 0] - np.interp(at, times, wave) + 180) % 360 - 180
    assert np.abs(error).max() < 1e-6
    assert result.values.min() >= (0 if positive or wrap(wave).min() >= 0 else -180)
    assert result.values.max() <= 360
