"""Clocks of a wearable and of what saw the same body: the sign, the drift, the claims and the refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _standing import UPRIGHT
from kinjo.energy import Energy
from kinjo.motion import J, Motion
from kinjo.recording import Contract, Recording, Stream
from kinjo.simulate import virtual_imu
from kinjo.sync import Alignment, align, sync


def bouts(seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Knots (times, values) of an energy: sets of repetitions, rests, and small movements in between."""
    rng = np.random.default_rng(seed)
    t = np.arange(-20, seconds + 20, 0.02)
    value, at = np.zeros(len(t)), -20.0
    while at < seconds + 20:
        reps, tempo = int(rng.integers(4, 10)), rng.uniform(0.9, 2.5)
        for _ in range(reps):
            length = tempo * (1 + 0.06 * rng.normal())
            inside = (t >= at) & (t < at + length)
            value[inside] = rng.uniform(0.7, 1.2) * np.sin(np.pi * (t[inside] - at) / length) ** 2
            at += length
        at += rng.uniform(2, 8)
    small = np.convolve(rng.normal(size=len(t)), np.hanning(60), "same")
    return t, value + 0.15 * np.abs(small) / np.abs(small).max()


def pair(
    seed: int, offset: float, drift_ppm: float = 0.0, seconds: float = 120.0, noise: float = 0.2, rates=(50.0, 30.0)
) -> tuple[Energy, Energy]:
    """A wearable's and a camera's energy: what the wearable's clock calls t is t + offset + drift * t on the other."""
    rng = np.random.default_rng([seed, 1])
    t, value = bouts(seed, seconds)
    on_wearable, on_reference = (np.arange(round(seconds * rate)) / rate for rate in rates)
    felt = np.interp(on_wearable * (1 + drift_ppm * 1e-6) + offset, t, value)
    seen = np.interp(on_reference, t, value)
    return (
        Energy(felt + noise * rng.normal(size=len(felt)), rates[0]),
        Energy(3 * seen**0.7 + noise * rng.normal(size=len(seen)), rates[1]),
    )


def worst(found: Alignment, offset: float, drift_ppm: float, seconds: float) -> float:
    at = np.array([0.0, seconds])
    return float(np.abs(found.reference_time(at) - (at + offset + drift_ppm * 1e-6 * at)).max())


@pytest.mark.parametrize("offset", [1.5, -2.75])
def test_sign_of_the_offset(offset: float):
    """A jump at 10 s on the wearable's clock, at 10 + offset on the reference's."""
    felt, seen = np.zeros(1500), np.zeros(900)
    for at in (10.0, 14.0, 21.0):
        felt[round(at * 50)] = 1.0
        seen[round((at + offset) * 30)] = 1.0
    wide = np.hanning(25)
    found = align(
        Energy(np.convolve(felt, wide, "same"), 50.0), Energy(np.convolve(seen, wide[::2], "same"), 30.0), near_s=0.1
    )
    assert found.offset_s == pytest.approx(offset, abs=0.03)
    assert found.reference_time(10.0) == pytest.approx(10 + offset, abs=0.03)


@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(-200, 200))
@settings(max_examples=15)
def test_offset_and_drift_come_back(seed: int, offset: float, drift_ppm: float):
    found = align(*pair(seed, offset, drift_ppm))
    assert found.told, found.reason
    assert worst(found, offset, drift_ppm, 120.0) < 0.06
    assert 0.95 <= found.confidence <= 1


@pytest.mark.parametrize("drift_ppm", [-150.0, 150.0])
def test_drift_shows_over_an_hour(drift_ppm: float):
    found = align(*pair(3, 1.0, drift_ppm, seconds=3600.0))
    assert found.told
    assert found.drift_ppm == pytest.approx(drift_ppm, abs=4)
    assert worst(found, 1.0, drift_ppm, 3600.0) < 0.02


def test_start_times_are_part_of_the_clock():
    felt, seen = pair(4, 0.0)
    epoch = 1.7e9
    found = align(replace(felt, start_s=epoch + 1.0), replace(seen, start_s=epoch))
    assert found.told
    assert found.offset_s == pytest.approx(-1.0, abs=0.03)
    assert found.reference_time(epoch + 61.0) == pytest.approx(epoch + 60.0, abs=0.03)


def test_swapping_sides_turns_the_sign():
    felt, seen = pair(5, 1.2)
    assert align(seen, felt).offset_s == pytest.approx(-align(felt, seen).offset_s, abs=0.02)


def test_a_cut_wearable_is_found():
    felt, seen = pair(6, 0.7)
    part = Energy(felt.values[2000:4000], 50.0, 40.0)
    found = align(part, seen)
    assert found.told
    assert worst(found, 0.7, 0.0, 120.0) < 0.06
    assert found.overlap_s == pytest.approx(40.0, abs=0.5)


def test_missing_samples_do_not_count():
    felt, seen = pair(7, -1.1)
    rng = np.random.default_rng(0)
    lost = np.repeat(rng.random(60) < 0.3, 100)
    spoilt = np.where(lost, 50 * rng.random(6000), felt.values)
    plain = align(felt, seen)
    found = align(Energy(spoilt, 50.0, missing=lost), seen)
    assert found.told
    assert worst(found, -1.1, 0.0, 120.0) < 0.06
    assert found.overlap_s < 0.8 * plain.overlap_s
    as_nan = align(Energy(np.where(lost, np.nan, spoilt), 50.0), seen)
    assert as_nan.offset_s == pytest.approx(found.offset_s, abs=1e-6)


def test_channels_help_each_other():
    a, b = pair(8, 0.5, noise=1.0, seconds=60.0)
    c, d = pair(9, 0.5, noise=1.0, seconds=60.0)
    both = align(Energy(np.stack([a.values, c.values], 1), 50.0), Energy(np.stack([b.values, d.values], 1), 30.0))
    assert both.confidence > max(align(a, b).confidence, align(c, d).confidence)
    assert worst(both, 0.5, 0.0, 60.0) < 0.1


def test_one_channel_meets_all_of_the_other():
    felt, seen = pair(10, 0.9)
    two = Energy(np.stack([felt.values, felt.values[::-1]], 1), 50.0)
    assert align(two, seen).told
    assert worst(align(two, seen), 0.9, 0.0, 120.0) < 0.06


def test_of_several_views_the_right_one_is_taken():
    felt, seen = pair(11, 0.9)
    others = [pair(seed, 0.0)[1] for seed in (12, 13)]
    found = align(felt, [others[0], seen, others[1]])
    assert (found.told, found.view) == (True, 1)


def test_more_views_make_for_less_confidence():
    felt, seen = pair(11, 0.9, noise=0.8, seconds=20.0)
    others = [pair(seed, 0.0, noise=0.8, seconds=20.0)[1] for seed in (12, 13)]
    alone, among = align(felt, seen), align(felt, [others[0], seen, others[1]])
    assert among.view == 1
    assert 0.3 < among.confidence < alone.confidence - 1e-3


def test_strangers_are_not_aligned():
    told = [align(pair(seed, 0.0)[0], pair(seed + 1, 0.0)[1]) for seed in range(100, 120)]
    assert sum(found.told for found in told) == 0
    assert all("no better than chance" in found.reason or "known to" in found.reason for found in told)


def test_pure_repetition_is_ambiguous():
    t = np.arange(3000) / 50
    wave = 1 + np.sin(2 * np.pi * t / 1.5)
    rng = np.random.default_rng(0)
    felt, seen = (Energy(wave + 0.05 * rng.normal(size=3000), 50.0) for _ in range(2))
    found = align(felt, seen)
    assert not found.told
    assert "explain it alike" in found.reason


@pytest.mark.parametrize("side", [0, 1])
def test_stillness_tells_nothing(side: int):
    energies = list(pair(14, 0.0))
    energies[side] = replace(energies[side], values=np.full(len(energies[side].values), 9.81))
    found = align(energies[0], energies[1])
    assert not found.told
    assert found.confidence < 0.1
    assert ["nobody moved", "does not move with the wearable"][side] in found.reason


def test_clocks_too_far_apart_are_said():
    felt, seen = pair(15, 0.0)
    found = align(replace(felt, start_s=1000.0), seen)
    assert not found.told
    assert "known to both sides" in found.reason


def test_noise_alone_tells_nothing():
    rng = np.random.default_rng(0)
    found = align(Energy(rng.normal(size=6000), 50.0), Energy(rng.normal(size=3600), 30.0))
    assert not found.told


@pytest.mark.parametrize(
    ("felt", "options", "message"),
    [
        (Energy(np.ones(50), 50.0), {}, "wearable: 1.00 s are too short"),
        (Energy(np.full(500, np.nan), 50.0), {}, "all 500 samples are missing"),
        (Energy(np.ones((500, 3)), 50.0), {}, r"given \[2, 3\]"),
        (Energy(np.ones((500, 2)), 50.0), {"max_offset_s": 0.0}, "max_offset_s 0.0"),
        (Energy(np.ones((500, 2)), 50.0), {"max_drift_ppm": -1.0}, "max_drift_ppm -1.0"),
    ],
)
def test_what_cannot_be_aligned(felt: Energy, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        align(felt, Energy(np.ones((300, 2)), 30.0), **options)


def test_no_reference():
    with pytest.raises(ValueError, match="at least one reference"):
        align(pair(0, 0.0)[0], [])


def moving(seed: int, seconds: float = 60.0) -> Motion:
    """Both arms swing in bouts of their own."""
    t = np.arange(round(seconds * 30)) / 30
    positions = np.tile(UPRIGHT, (len(t), 1, 1))
    for k, side in enumerate(("left", "right")):
        angle = 1.5 * np.interp(t, *bouts(2 * seed + k, seconds))
        shoulder = UPRIGHT[J[f"{side}_shoulder"]]
        for joint in ("elbow", "wrist"):
            length = shoulder[1] - UPRIGHT[J[f"{side}_{joint}"], 1]
            positions[:, J[f"{side}_{joint}"], 0] = length * np.sin(angle)
            positions[:, J[f"{side}_{joint}"], 1] = shoulder[1] - length * np.cos(angle)
    return Motion(positions, 30.0)


def worn(motion: Motion, placement: str, shift_s: float, called: str = "") -> dict[str, Stream]:
    """Its virtual IMU, on a clock that is ``shift_s`` behind the pose's."""
    imu = virtual_imu(motion, placement)
    return replace(imu, placement=called or placement).streams(start_s=-shift_s)


def test_sync_of_a_recording():
    motion = moving(1)
    streams = worn(motion, "left_wrist", 1.3) | worn(motion, "right_wrist", -0.6)
    recording = Recording("r", {"pose": motion.stream()} | streams)
    for placement, offset in (("left_wrist", 1.3), ("right_wrist", -0.6)):
        found = sync(recording, placement=placement)
        assert found.told, found.reason
        assert found.offset_s == pytest.approx(offset, abs=0.03)
        assert found.placement == placement
        recording = found.apply(recording, f"{placement}.")
        assert recording.streams[f"{placement}.acc"].start_s == pytest.approx(0.0, abs=0.03)
    assert len(recording.notes) == 2
    with pytest.raises(ValueError, match="left_wrist, right_wrist: name one"):
        sync(recording)


@pytest.mark.parametrize(("called", "is_at"), [("wrist", "left_wrist"), ("unknown", "right_wrist")])
def test_sync_finds_an_unknown_placement(called: str, is_at: str):
    motion = moving(2)
    found = sync(Recording("r", {"pose": motion.stream()} | worn(motion, is_at, 0.8, called)))
    assert found.told, found.reason
    assert found.placement == is_at
    assert found.offset_s == pytest.approx(0.8, abs=0.03)


def test_sync_with_another_recording_and_a_stream_by_name():
    motion = moving(3)
    wearable = Recording("w", worn(motion, "left_wrist", 0.4))
    camera = Recording("c", {"other": moving(4).stream("other"), "mine": motion.stream("mine")})
    assert sync(wearable, camera, against="mine").told
    assert not sync(wearable, camera, against="other").told


def test_sync_against_a_flat_pose_and_against_video():
    motion = moving(5)
    flat = motion.positions[..., :2] * 100 + 50
    pose = Stream.of("pose", Contract("pose", "position", "px", 30.0, ("x", "y"), skeleton="canonical"), flat)
    frames = np.zeros((len(flat), 60, 60), np.uint16)
    for k, joint in enumerate(("left_wrist", "left_elbow")):
        column, row = (flat[:, J[joint]] * 0.25).round().astype(int).T
        for dx in range(6):
            for dy in range(6):
                frames[np.arange(len(flat)), 59 - row - dy + 12, column + dx + 5] = 2000 + 300 * k
    film = Stream.of("video.depth", Contract("video", "depth", "mm", 30.0), frames)
    for stream in (pose, film):
        found = sync(Recording("r", {stream.name: stream} | worn(motion, "left_wrist", 1.1)), near_s=0.1)
        assert found.told, found.reason
        assert found.offset_s == pytest.approx(1.1, abs=0.06)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("pose",), {}, "expected an acc or gyro stream, has pose"),
        (("left_wrist.acc",), {}, "expected a pose or video stream, has left_wrist.acc"),
        (("pose", "left_wrist.acc"), {"placement": "waist"}, "acc or gyro stream at 'waist'"),
        (("pose", "left_wrist.acc"), {"against": "film"}, "has no stream 'film'"),
        (("pose", "left_wrist.acc"), {"against": "left_wrist.acc"}, "expected a pose or video stream"),
    ],
)
def test_sync_says_what_is_not_there(names: tuple[str, ...], options: dict, message: str):
    motion = moving(6, 10.0)
    streams = {"pose": motion.stream()} | worn(motion, "left_wrist", 0.0)
    with pytest.raises(ValueError, match=message):
        sync(Recording("r", {name: streams[name] for name in names}), **options)


TOLD = Alignment(1.5, 100.0, 0.99, True, "", 0.01, 60.0, 0.8, 10.0)
ACC = Contract("imu", "acc", "m/s^2", 50.0, placement="waist", gravity=True)


def test_apply_keeps_samples_and_moves_times():
    values = np.random.default_rng(0).normal(size=(6000, 3))
    stream = Stream.of("waist.acc", ACC, values, start_s=10.0)
    moved = TOLD.apply(stream)
    np.testing.assert_array_equal(moved.values(), values)
    np.testing.assert_allclose(moved.clock(), TOLD.reference_time(stream.clock()))
    assert moved.clock()[0] == pytest.approx(11.5)
    assert moved.clock()[-1] == pytest.approx(11.5 + 5999 / 50 * 1.0001)
    assert moved.contract == stream.contract


def test_apply_leaves_a_uniform_clock_where_drift_is_nothing():
    moved = replace(TOLD, drift_ppm=5.0).apply(Stream.of("waist.acc", ACC, np.zeros((500, 3)), start_s=10.0))
    assert moved.times is None
    assert moved.start_s == 11.5


def test_apply_refuses_guesses_and_unknown_names():
    stream = Stream.of("waist.acc", ACC, np.zeros((500, 3)))
    with pytest.raises(ValueError, match="nothing was told that could be applied: too short"):
        replace(TOLD, told=False, reason="too short").apply(stream)
    with pytest.raises(ValueError, match=r"no IMU stream whose name begins with 'chest\.'"):
        TOLD.apply(Recording("r", {"waist.acc": stream}), "chest.")


@settings(max_examples=40)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.5, 4.0))
def test_wherever_the_clocks_start(mine: float, other: float, most: float):
    """Lags that fall on a sample, or a hair before it, are no trouble."""
    felt, seen = pair(3, 0.0, seconds=30.0)
    found = align(replace(felt, start_s=mine), replace(seen, start_s=other), max_offset_s=most)
    assert np.isfinite(found.reference_time(0.0))
    assert 0 <= found.confidence <= 1


def test_a_start_that_falls_on_a_sample():
    felt, seen = pair(3, 0.0, seconds=30.0)
    found = align(replace(felt, start_s=-1.7), seen)
    assert found.told
    assert found.offset_s == pytest.approx(1.7, abs=0.06)
