"""checks.py: valid streams pass untouched, every injected fault is found, a repair mends it and nothing else."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from kinjo.body import SKELETONS
from kinjo.checks import check, check_stream
from kinjo.recording import Contract, ContractError, Recording, Stream

RATE = 50.0
JOINTS = len(SKELETONS["kinect20"].joints)


def acc(n: int = 600, seed: int = 0) -> Stream:
    rng = np.random.default_rng(seed)
    values = (rng.normal(0, 1, (n, 3)) + np.array([0, 0, 9.8])).astype(np.float32)
    contract = Contract("imu", "acc", "m/s^2", RATE, placement="right_wrist", gravity=True)
    return Stream.of("acc", contract, values, times=3.0 + (np.arange(n) + rng.uniform(-0.2, 0.2, n)) / RATE)


def gyro(n: int = 600, seed: int = 0) -> Stream:
    values = np.random.default_rng(seed).normal(0, 2, (n, 3))
    return Stream.of("gyro", Contract("imu", "gyro", "rad/s", RATE, placement="right_wrist"), values)


def pose(n: int = 90, seed: int = 0) -> Stream:
    rng = np.random.default_rng(seed)
    body = rng.uniform(-0.2, 0.2, (1, JOINTS, 3)) + np.linspace(0, 1.7, JOINTS)[None, :, None] * [0, 1, 0]
    values = body + rng.normal(0, 0.01, (n, JOINTS, 3)) + [0, 0, 3]
    return Stream.of("pose", Contract("pose", "position", "m", 30.0, skeleton="kinect20"), values)


def depth(n: int = 70, seed: int = 0) -> Stream:
    values = np.random.default_rng(seed).integers(0, 4000, (n, 24, 32)).astype(np.uint16)
    return Stream.of("depth", Contract("video", "depth", "mm", 30.0, axes=()), values)


def rgb(n: int = 70, seed: int = 0) -> Stream:
    values = np.random.default_rng(seed).integers(0, 256, (n, 24, 32, 3)).astype(np.uint8)
    return Stream.of("rgb", Contract("video", "rgb", "uint8", 30.0, axes=("r", "g", "b")), values)


def changed(stream: Stream, values: np.ndarray, **contract: Any) -> Stream:
    """The stream with other values (and perhaps another contract)."""
    return replace(
        Stream.of(stream.name, replace(stream.contract, **contract), values, times=stream.times), missing=stream.missing
    )


def fault(stream: Stream, repair: bool = False) -> str:
    with pytest.raises(ContractError) as caught:
        check_stream(stream, repair=repair)
    assert caught.value.stream == stream.name
    assert caught.value.expected
    assert caught.value.given
    assert str(caught.value).count(". ") >= 1, "a hint says what to do"
    return caught.value.field


def mended(stream: Stream, field: str) -> Stream:
    """The repaired stream, after the fault was raised without repair, told with it, and is gone."""
    assert fault(stream) == field
    repaired, findings = check_stream(stream, repair=True)
    assert field in [finding.field for finding in findings]
    assert all(finding.repair for finding in findings)
    again, rest = check_stream(repaired)
    assert rest == []
    assert again is repaired
    return repaired


# ---- valid streams


@settings(max_examples=25)
@given(st.sampled_from([acc, gyro, pose, depth, rgb]), st.integers(1, 300), st.integers(0, 99), st.booleans())
def test_valid_streams_pass_and_stay_the_same_object(
    make: Callable[..., Stream], n: int, seed: int, repair: bool
) -> None:
    stream = make(n, seed)
    assert check_stream(stream, repair=repair) == (stream, [])


def test_a_recording_is_checked_stream_by_stream() -> None:
    recording = Recording("r")
    for stream in (acc(), gyro(), pose(), depth(), rgb()):
        recording = recording.with_stream(stream)
    assert check(recording)[1] == []
    broken = acc().values().copy()
    broken[5] = np.nan
    recording = recording.with_stream(changed(acc(), broken))
    with pytest.raises(ContractError, match="'acc': values"):
        check(recording)
    repaired, findings = check(recording, repair=True)
    assert [finding.stream for finding in findings] == ["acc"]
    assert repaired.streams["gyro"] is recording.streams["gyro"]
    assert repaired.streams["acc"].mask()[5]
    with pytest.raises(ContractError, match="name"):
        check(Recording("r", {"watch": acc()}))


def test_a_whole_stream_is_never_read_at_once() -> None:
    values, longest = np.random.default_rng(0).normal(0, 2, (300_000, 3)), []

    def read(start: int, stop: int) -> np.ndarray:
        longest.append(stop - start)
        return values[start:stop]

    check_stream(replace(gyro(), length=len(values), read=read), repair=True)
    assert max(longest) <= 1 << 16


# ---- shape, dtype, mask


def test_faults_of_form_that_cannot_be_mended() -> None:
    empty = changed(replace(acc(), times=None), np.zeros((0, 3)))
    assert fault(empty, repair=True) == "length"
    assert fault(changed(gyro(), np.zeros((600, 4))), repair=True) == "shape"
    assert fault(changed(gyro(), np.zeros(600)), repair=True) == "shape"
    assert fault(changed(pose(), np.zeros((90, 17, 3))), repair=True) == "shape"
    assert fault(changed(rgb(), np.zeros((70, 3, 8, 8), np.uint8)), repair=True) == "shape"
    assert fault(changed(gyro(), np.full((600, 3), "x", object)), repair=True) == "dtype"
    assert fault(changed(gyro(), np.zeros((600, 3), complex)), repair=True) == "dtype"
    assert fault(changed(rgb(), np.zeros((70, 8, 8, 3), np.float32)), repair=True) == "dtype"
    assert fault(changed(depth(), np.zeros((70, 8, 8), bool)), repair=True) == "dtype"
    assert fault(replace(gyro(), missing=np.zeros(5, bool)), repair=True) == "missing"
    assert fault(replace(gyro(), missing=np.zeros(600)), repair=True) == "missing"  # pyright: ignore[reportArgumentType]
    assert fault(replace(gyro(), length=700, read=lambda a, b: np.zeros((1, 3)))) == "read"
    with pytest.raises(ContractError, match="rpm"):
        check_stream(replace(gyro(), contract=replace(gyro().contract, units="rpm")), repair=True)


def test_transposed_values_are_turned_where_that_is_unambiguous() -> None:
    for stream, order in ((gyro(), (1, 0)), (pose(), (0, 2, 1)), (pose(), (1, 2, 0)), (pose(), (2, 1, 0))):
        repaired = mended(changed(stream, stream.values().transpose(order)), "shape")
        np.testing.assert_array_equal(repaired.values(), stream.values())
        np.testing.assert_array_equal(repaired.values(7, 31), stream.values(7, 31))
    twenty = pose(JOINTS)  # as many frames as joints: which axis is which?
    assert fault(changed(twenty, twenty.values().transpose(0, 2, 1)), repair=True) == "shape"


# ---- clocks


def _at(stream: Stream, times: np.ndarray) -> Stream:
    return replace(stream, times=times)


def test_clocks_that_cannot_be_mended() -> None:
    stream = gyro()
    assert fault(_at(stream, np.arange(599.0)), repair=True) == "times"
    assert fault(_at(stream, np.zeros(600)), repair=True) == "times"
    assert fault(_at(stream, np.full(600, np.nan)), repair=True) == "times"
    assert fault(_at(stream, np.floor(np.arange(600) / RATE)), repair=True) == "times"  # whole seconds
    assert fault(_at(stream, np.arange(600) % 40 / RATE), repair=True) == "times"  # 14 restarts
    assert fault(_at(stream, np.arange(600) * 1000 / RATE), repair=True) == "rate_hz"  # milliseconds
    assert fault(replace(stream, start_s=float("nan")), repair=True) == "start_s"


@given(st.lists(st.integers(0, 599), min_size=1, max_size=80, unique=True))
def test_samples_without_a_time_are_dropped(lost: list[int]) -> None:
    times = np.arange(600) / RATE
    times[lost] = np.nan
    repaired = mended(_at(gyro(), times), "times")
    np.testing.assert_array_equal(repaired.values(), np.delete(gyro().values(), lost, axis=0))
    np.testing.assert_array_equal(repaired.clock(), np.delete(np.arange(600) / RATE, lost))


@given(st.lists(st.tuples(st.integers(0, 58), st.integers(2, 10), st.randoms()), min_size=1, max_size=4))
def test_samples_out_of_order_are_sorted(blocks: list[tuple[int, int, Any]]) -> None:
    order = np.arange(600)
    for tenth, size, random in blocks:
        block = order[tenth * 10 : tenth * 10 + size].tolist()
        random.shuffle(block)
        order[tenth * 10 : tenth * 10 + size] = block
    stream, times = gyro(), np.arange(600) / RATE + 1.0
    if (order == np.arange(600)).all():
        return
    shuffled = _at(changed(stream, stream.values()[order]), times[order])
    shuffled = replace(shuffled, missing=order % 7 == 0)
    repaired = mended(shuffled, "times")
    np.testing.assert_array_equal(repaired.values(), stream.values())
    np.testing.assert_array_equal(repaired.values(100, 200), stream.values(100, 200))
    np.testing.assert_array_equal(repaired.clock(), times)
    np.testing.assert_array_equal(repaired.mask(), np.arange(600) % 7 == 0)


def test_repeated_samples_are_dropped() -> None:
    index = np.sort(np.r_[np.arange(600), [3, 50, 50, 599]])
    repaired = mended(_at(changed(gyro(), gyro().values()[index]), index / RATE), "times")
    np.testing.assert_array_equal(repaired.values(), gyro().values())


@given(
    st.lists(st.integers(20, 580), min_size=1, max_size=4, unique=True),
    st.floats(0.05, 1000),
    st.integers(0, 9),
)
def test_a_clock_that_starts_again_goes_on(at: list[int], back_s: float, seed: int) -> None:
    at = [a for i, a in enumerate(sorted(at)) if i == 0 or a - sorted(at)[i - 1] > 10]
    smooth = 100.0 + np.arange(600) / RATE
    times = smooth - sum((np.arange(600) >= a) * (back_s + 1 / RATE) for a in at)
    stream = gyro(seed=seed)
    repaired = mended(_at(stream, times), "times")
    np.testing.assert_allclose(repaired.clock(), smooth, atol=1e-6)
    np.testing.assert_array_equal(repaired.values(), stream.values())
    assert repaired.length == 600


@given(st.floats(5, 500), st.booleans())
def test_the_measured_rate_goes_into_the_contract(rate: float, uneven: bool) -> None:
    jitter = np.random.default_rng(0).uniform(-0.1, 0.1, 600) * uneven
    stream = _at(gyro(), (np.arange(600) + jitter) / rate)
    if abs(rate / RATE - 1) < 0.18:
        assert check_stream(stream) == (stream, [])
    elif abs(rate / RATE - 1) > 0.22:
        assert mended(stream, "rate_hz").contract.rate_hz == pytest.approx(rate, rel=0.02)


# ---- values


@given(
    st.lists(st.tuples(st.integers(0, 599), st.integers(1, 60)), min_size=1, max_size=4),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.integers(0, 600),
    st.integers(0, 600),
)
def test_runs_that_are_not_finite_are_masked_and_bridged(
    runs: list[tuple[int, int]], what: float, a: int, b: int
) -> None:
    stream, bad = acc(), np.zeros(600, bool)
    for start, size in runs:
        bad[start : start + size] = True
    values = stream.values().copy()
    values[bad, 1] = what
    repaired = mended(changed(stream, values), "values")
    whole = repaired.values()
    np.testing.assert_array_equal(repaired.mask(), bad)
    np.testing.assert_array_equal(whole[~bad], stream.values()[~bad])
    index = np.arange(600)
    for axis in range(3):
        line = np.interp(index, index[~bad], stream.values()[~bad, axis])
        np.testing.assert_allclose(whole[:, axis], line, atol=1e-5)
    np.testing.assert_allclose(repaired.values(a, b), whole[a : max(a, b)], atol=1e-6)


def test_what_the_mask_hides_is_no_fault_and_too_much_missing_is() -> None:
    values, hidden = acc().values().copy(), np.arange(600) < 200
    values[hidden] = np.nan
    masked = replace(changed(acc(), values), missing=hidden)
    assert check_stream(masked) == (masked, [])
    values[195:210] = np.nan  # runs on beyond the mask
    repaired = mended(replace(changed(acc(), values), missing=hidden), "values")
    assert np.isfinite(repaired.values()).all()
    assert repaired.mask().sum() == 210
    values[200:550] = np.nan
    assert fault(changed(acc(), values), repair=True) == "values"
    nothing = np.full((600, 3), np.nan)
    half = replace(changed(gyro(), nothing), missing=np.arange(600) % 3 > 0)
    repaired, _ = check_stream(half, repair=True)
    assert repaired.mask().all()
    assert (repaired.values() == 0).all()


def test_depth_frames_are_missing_only_where_no_pixel_is_there() -> None:
    values = depth().values() / np.float32(1000)
    values[3, 2, 2] = np.nan
    holes = changed(depth(), values, units="m")
    assert check_stream(holes) == (holes, [])
    values[10] = np.nan
    repaired = mended(changed(depth(), values, units="m"), "values")
    assert np.flatnonzero(repaired.mask()).tolist() == [10]
    np.testing.assert_allclose(repaired.values(10, 11)[0], (values[9] + values[11]) / 2, rtol=1e-5)


def test_a_stuck_sensor_is_masked() -> None:
    values = acc(1000).values().copy()
    values[100:800] = values[100]
    repaired = mended(changed(acc(1000), values), "values")
    assert np.flatnonzero(repaired.mask()).tolist() == list(range(100, 800))
    np.testing.assert_array_equal(repaired.values(), values)
    hidden = replace(changed(acc(1000), values), missing=repaired.mask())
    assert check_stream(hidden) == (hidden, [])
    short = acc(1000).values().copy()
    short[100:500] = short[100]  # 8 s, but less than half
    assert check_stream(changed(acc(1000), short))[1] == []


def test_a_stuck_run_is_seen_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = acc(1000).values().copy()
    values[100:800] = values[100]
    monkeypatch.setattr("kinjo.checks.chunks", lambda stream: ((i, stream.values(i, i + 7)) for i in range(0, 1000, 7)))
    repaired, _ = check_stream(changed(acc(1000), values), repair=True)
    assert np.flatnonzero(repaired.mask()).tolist() == list(range(100, 800))


@pytest.mark.parametrize(
    ("stream", "factor", "units"),
    [
        (acc(), 1 / 9.80665, "m/s^2"),
        (acc(), 9.80665, "g"),
        (gyro(), 180 / np.pi, "rad/s"),
        (pose(), 1000.0, "m"),
        (pose(), 100.0, "m"),
        (pose(), 0.001, "mm"),
    ],
)
def test_units_are_converted_where_only_one_other_unit_is_plausible(stream: Stream, factor: float, units: str) -> None:
    true_in_units = stream.values() / (9.80665 if units == "g" else 0.001 if units == "mm" else 1.0)
    given_values = stream.values() * (1.0 if units in ("g", "mm") else factor)
    repaired = mended(changed(stream, given_values, units=units), "units")
    assert repaired.contract.units == units
    np.testing.assert_allclose(repaired.values(), true_in_units, rtol=1e-5)


def test_depth_in_millimetres_called_metres() -> None:
    repaired = mended(changed(depth(), depth().values(), units="m"), "units")
    np.testing.assert_allclose(repaired.values(), depth().values() / 1000, rtol=1e-5)


def test_magnitudes_that_fit_no_unit_stay_an_error() -> None:
    assert fault(changed(acc(), acc().values() * 0.01), repair=True) == "units"
    assert fault(changed(acc(), acc().values() * 1e4, gravity=False), repair=True) == "units"
    assert fault(changed(gyro(), gyro().values() * 1e300), repair=True) == "units"
    assert fault(changed(pose(), pose().values() + 500), repair=True) == "units"
    assert fault(changed(pose(), pose().values() * [0.1, 0.01, 0.1]), repair=True) == "units"
    pixels = changed(pose(), pose().values() * 300, units="px")
    assert check_stream(pixels) == (pixels, [])


def test_faults_mend_together() -> None:
    stream = acc()
    values = stream.values().copy() / 9.80665
    values[10:20] = np.nan
    times = np.arange(600) / 100.0
    times[300:] -= 2.0
    repaired, findings = check_stream(_at(changed(stream, values), times), repair=True)
    assert [finding.field for finding in findings] == ["times", "rate_hz", "values", "units"]
    assert check_stream(repaired) == (repaired, [])
    good = ~repaired.mask()
    np.testing.assert_allclose(repaired.values()[good], stream.values()[good], rtol=1e-4)


# ---- real data


def test_real_phone_and_depth_recordings_pass(data_root: Path) -> None:
    sensors, skeletons = data_root / "UTD-MHAD" / "Inertial.zip", data_root / "UTD-MHAD" / "Skeleton.zip"
    if not (sensors.is_file() and skeletons.is_file()):
        pytest.skip("no UTD-MHAD zips in the data folder")
    for path, key in ((sensors, "d_iner"), (skeletons, "d_skel")):
        with zipfile.ZipFile(path) as archive:
            for name in [n for n in archive.namelist() if n.endswith(".mat")][::40]:
                values = loadmat(io.BytesIO(archive.read(name)))[key]
                if key == "d_skel":
                    contract = Contract("pose", "position", "m", 30.0, skeleton="kinect20")
                    assert check_stream(Stream.of(name, contract, values.transpose(2, 0, 1)))[1] == []
                    # As the file stores it, (joints, axes, time), it is put right.
                    assert [f.field for f in check_stream(Stream.of(name, contract, values), repair=True)[1]] == [
                        "shape"
                    ]
                    continue
                acc_g = Contract("imu", "acc", "g", 50.0, gravity=True, placement="right_wrist")
                assert check_stream(Stream.of(name, acc_g, values[:, :3]))[1] == []
                turning = Contract("imu", "gyro", "deg/s", 50.0, placement="right_wrist")
                assert check_stream(Stream.of(name, turning, values[:, 3:]))[1] == []
                mistaken = Stream.of(name, replace(acc_g, units="m/s^2"), values[:, :3])
                assert [f.field for f in check_stream(mistaken, repair=True)[1]] == ["units"]
