"""Axivity .cwa: values, times, gaps and hostile bytes, held against a writer that follows the specification."""

import dataclasses
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import _cwa as made
from _cwa import BEGIN, Device
from kinjo.checks import check
from kinjo.formats import cwa
from kinjo.formats.cwa import is_cwa, read_cwa
from kinjo.formats.errors import FormatError
from kinjo.recording import Recording


def walk(n: int = 1000, axes: int = 3, most: int = 500, seed: int = 0) -> np.ndarray:
    """Whole numbers that change slowly, as movement does: (n, axes)."""
    rng = np.random.default_rng(seed)
    at, speed = np.arange(n)[:, None] / 40, rng.uniform(0.5, 1.5, axes)
    return np.rint(most * np.sin(at * speed + rng.uniform(0, 6, axes))).astype(np.int64)


def read(folder: Path, data: bytes, place: str = "left_wrist") -> Recording:
    path = folder / "a.cwa"
    path.write_bytes(data)
    return read_cwa(path, placement=place)


def told(device: Device, times: np.ndarray, columns: slice) -> np.ndarray:
    """The device's numbers at ``times`` (s), on a line between its samples."""
    at = np.arange(len(device.values)) / device.pace
    return np.stack([np.interp(times, at, column) for column in device.values[:, columns].T.astype(float)], 1)


def noted(recording: Recording, words: str) -> bool:
    return any(words in note for note in recording.notes)


def test_a_golden_block(tmp_path: Path):
    """Bytes put down by hand: x=1, y=-2, z=256 with exponent 0, then x=511, y=-512, z=1 with exponent 3."""
    data = bytearray(512)
    data[0:4], data[24:26] = b"AX\xfc\x01", b"\x4a\x30"  # 100 Hz, 3 axes, packed
    date = (24 << 26) | (3 << 22) | (1 << 17) | (12 << 12) | (30 << 6) | 15
    data[14:18], data[28:30] = date.to_bytes(4, "little"), (2).to_bytes(2, "little")
    data[30:34] = (1 | (0x3FE << 10) | (256 << 20)).to_bytes(4, "little")
    data[34:38] = (511 | (0x200 << 10) | (1 << 20) | (3 << 30)).to_bytes(4, "little")
    recording = read(tmp_path, made.header(Device(walk())) + made.checked(bytes(data)))
    acc = recording.streams["left_wrist.acc"]
    np.testing.assert_array_equal(acc.values() * 256, [[1, -2, 256], [4088, -4096, 8]])
    assert (acc.contract.units, acc.contract.gravity, acc.contract.rate_hz) == ("g", True, 100.0)
    assert noted(recording, "2024-03-01T12:30:15")


@pytest.mark.parametrize(("scale", "per_g"), [(0, 256), (3, 2048), (4, 4096), (5, 8192), (6, 16384)])
def test_scale_of_the_accelerometer(scale: int, per_g: int, tmp_path: Path):
    device = Device(walk(), scale=scale)
    recording = read(tmp_path, made.cwa(device))
    np.testing.assert_allclose(recording.streams["left_wrist.acc"].values() * per_g, device.values, atol=0.1)


@pytest.mark.parametrize(
    ("gyro", "config", "dps"), [(2, 0, 2000), (5, 5, 250), (0, 4, 500), (0, 0, 2000), (3, 4, 1000)]
)
def test_an_ax6(gyro: int, config: int, dps: float, tmp_path: Path):
    device = Device(walk(axes=6, most=9000), scale=4, gyro=gyro, sensor_config=config)
    recording = read(tmp_path, made.cwa(device))
    assert list(recording.streams) == ["left_wrist.acc", "left_wrist.gyro"]
    acc, turning = recording.streams["left_wrist.acc"], recording.streams["left_wrist.gyro"]
    np.testing.assert_allclose(turning.values() / dps * 32768, device.values[:, :3], atol=2)
    np.testing.assert_allclose(acc.values() * 4096, device.values[:, 3:], atol=2)
    assert turning.contract.units == "deg/s"
    assert noted(recording, "differ") == ((gyro, config) == (3, 4))
    assert "AX6 12345" in recording.source


def test_nine_axes(tmp_path: Path):
    device = Device(walk(axes=9), scale=4, gyro=2)
    recording = read(tmp_path, made.cwa(device))
    np.testing.assert_allclose(recording.streams["left_wrist.mag"].values() * 16, device.values[:, 6:], atol=0.1)
    np.testing.assert_allclose(recording.streams["left_wrist.acc"].values() * 4096, device.values[:, 3:6], atol=0.1)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 900), rate=st.sampled_from([12.5, 25.0, 50.0, 100.0, 200.0]), off=st.floats(0.95, 1.05),
    packed=st.booleans(), date_at=st.integers(-10, 90), seed=st.integers(0, 99), per_block=st.integers(20, 80),
)  # fmt: skip
def test_round_trip(
    n: int, rate: float, off: float, packed: bool, date_at: int, seed: int, per_block: int, tmp_path_factory
):
    """Whatever the device's pace, samples come at the nominal rate, where they were."""
    pace, size = rate * off, per_block
    device = Device(walk(n, seed=seed), rate, pace, packed, date_at=date_at, per_block=size)
    recording = read(tmp_path_factory.mktemp("cwa"), made.cwa(device))
    acc = recording.streams["left_wrist.acc"]
    one_block = n <= device.room
    assert abs(acc.length - ((n - 1) / off + 1)) <= (1 if not one_block else 0.06 * n + 1)
    if one_block:  # nothing but the nominal rate is known of it
        np.testing.assert_allclose(acc.values()[: n // 2] * 256, device.values[: n // 2][: acc.length], atol=1)
        return
    np.testing.assert_allclose(acc.values() * 256, told(device, acc.clock(), slice(0, 3)), atol=0.05 + 0.02 * rate)
    assert acc.missing is None


def test_slices_equal_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    device = Device(walk(3000, 6), pace=102.3, gyro=2, scale=4)
    parts = made.blocks(device)
    del parts[30:33]
    stream = read(tmp_path, made.header(device) + b"".join(parts)).streams["left_wrist.gyro"]
    whole = stream.values()
    monkeypatch.setattr(cwa, "PIECE", 16)
    np.testing.assert_array_equal(stream.values(), whole)
    rng = np.random.default_rng(1)
    for a, b in np.sort(rng.integers(0, stream.length, (50, 2)), axis=1).tolist():
        np.testing.assert_allclose(stream.values(a, b), whole[a:b], atol=1e-5)
    assert stream.values(5, 5).shape == (0, 3)


def test_whole_second_dates_of_old_firmware(tmp_path: Path):
    device = Device(walk(4000), pace=97.0, fractional=False)
    acc = read(tmp_path, made.cwa(device)).streams["left_wrist.acc"]
    np.testing.assert_allclose(acc.values() * 256, told(device, acc.clock(), slice(0, 3)), atol=40)
    lag = np.abs(acc.values() * 256 - told(device, acc.clock(), slice(0, 3))).mean()
    assert lag < 15  # a date is right to a sample


@pytest.mark.parametrize("damage", ["checksum", "lost", "erased", "date", "settings"])
def test_gaps(damage: str, tmp_path: Path):
    device = Device(walk(80 * 20), pace=100.0)
    parts = made.blocks(device)
    if damage == "lost":
        parts[7:9] = []
    elif damage == "settings":
        other = dataclasses.replace(device, scale=3)
        parts[7:9] = [made.block(other, k, 80 * k) for k in (7, 8)]
    else:
        for k in (7, 8):
            bad = bytearray(parts[k])
            bad[40] ^= 0xFF
            if damage == "date":
                bad[14:18] = b"\0\0\0\0"
            parts[k] = made.checked(bytes(bad)) if damage == "date" else bytes(bad)
            parts[k] = b"\xff" * 512 if damage == "erased" else parts[k]
    recording = read(tmp_path, made.header(device) + b"".join(parts) + b"\xff" * 1024)
    acc = recording.streams["left_wrist.acc"]
    known = np.ones(1600, bool)
    known[560:720] = False
    assert acc.length == 1600
    np.testing.assert_array_equal(acc.mask(), ~known)
    np.testing.assert_allclose(acc.values()[known] * 256, device.values[known], atol=0.2)
    assert noted(recording, "1 gaps")
    assert noted(recording, "damaged") == (damage in ("checksum", "date"))
    assert noted(recording, "other settings") == (damage == "settings")
    check(recording)


def test_a_pause_is_missing(tmp_path: Path):
    device = Device(walk(800))
    parts = made.blocks(device)[:5] + made.blocks(device, BEGIN + timedelta(seconds=60))[5:]
    acc = read(tmp_path, made.header(device) + b"".join(parts)).streams["left_wrist.acc"]
    assert acc.length == 6800
    np.testing.assert_array_equal(np.flatnonzero(~acc.mask()), np.r_[0:400, 6400:6800])
    np.testing.assert_allclose(acc.values()[6400:] * 256, device.values[400:], atol=0.2)


@pytest.mark.parametrize(("years", "at"), [(5, 3), (-5, 3), (5, 0), (-5, 9)])
def test_a_date_that_jumps(years: int, at: int, tmp_path: Path):
    device = Device(walk(800))
    parts = made.blocks(device)
    parts[at] = made.blocks(device, BEGIN + timedelta(days=365 * years))[at]
    recording = read(tmp_path, made.header(device) + b"".join(parts))
    acc = recording.streams["left_wrist.acc"]
    assert int((~acc.mask()).sum()) == 720
    assert noted(recording, "1 blocks with dates out of order")


def test_dates_that_span_years_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cwa, "ALWAYS", 10_000)
    device = Device(walk(160))
    parts = [made.blocks(device)[0], made.blocks(device, BEGIN + timedelta(days=9000))[1]]
    with pytest.raises(FormatError, match="at one in 20"):
        read(tmp_path, made.header(device) + b"".join(parts))


def test_what_is_refused(tmp_path: Path):
    device = Device(walk(80))
    whole = made.cwa(device)
    assert is_cwa(whole)
    for data in (b"", whole[:1024], b"AX" + whole[2:], whole[:1024] + b"\xff" * 2048, whole[:1030]):
        with pytest.raises(FormatError):
            read(tmp_path, data)
    (tmp_path / "a.cwa").write_bytes(whole)
    with pytest.raises(FormatError, match="placement="):
        read_cwa(tmp_path / "a.cwa")
    with pytest.raises(FormatError, match="readable file"):
        read_cwa(tmp_path / "none.cwa", placement="chest")


GOOD = made.cwa(Device(walk(600), pace=101.0))
WIDE = made.cwa(Device(walk(200, 6), pace=99.0, gyro=2, scale=4))


@settings(max_examples=200, deadline=None)
@given(
    data=st.sampled_from([GOOD, WIDE]), cut=st.integers(0, 6000), mend=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), max_size=6),
)  # fmt: skip
def test_damage_is_a_format_error_or_a_sane_recording(
    data: bytes, cut: int, mend: bool, changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
):
    """Any bytes changed, with the checksums left wrong, or made right again so that what they say counts."""
    held = bytearray(data[: len(data) - cut % 3000])
    for at, byte in changes:
        held[at % len(held)] = byte
    if mend:
        for start in range(1024, len(held) - 511, 512):
            held[start : start + 512] = made.checked(bytes(held[start : start + 512]))
    try:
        recording = read(tmp_path_factory.mktemp("cwa"), bytes(held))
    except FormatError:
        return
    for stream in recording.streams.values():
        values = stream.values()
        assert values.shape == (stream.length, 3)
        assert np.isfinite(values).all()
        assert stream.length <= cwa.ALWAYS
        assert not stream.mask().all()


@settings(max_examples=100, deadline=None)
@given(fields=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**15), 2**15 - 1)), min_size=5, max_size=5))
def test_any_dates_and_offsets(fields: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory):
    parts = []
    for k, (date, at) in enumerate(fields):
        held = bytearray(made.block(Device(walk(400)), k, 80 * k))
        if date % 3:
            held[14:18] = date.to_bytes(4, "little")
        held[26:28] = at.to_bytes(2, "little", signed=True)
        parts.append(made.checked(bytes(held)))
    try:
        stream = read(tmp_path_factory.mktemp("cwa"), made.header(Device(walk())) + b"".join(parts)).streams[
            "left_wrist.acc"
        ]
    except FormatError:
        return
    assert np.isfinite(stream.values(0, 1000)).all()
    assert np.isfinite(stream.values(stream.length - 1000)).all()
