"""Energies of wearables, poses and videos: they show when a body moves, whatever the axes, units and clocks."""

import numpy as np
import pytest

from _standing import UPRIGHT
from kinjo.energy import Energy, imu_energy, normalised, pose_energy, video_energy
from kinjo.motion import J, Motion
from kinjo.recording import Contract, Stream
from kinjo.signal import GRAVITY
from kinjo.simulate import virtual_imu


def arm_swings(seconds: float = 12.0, rate: float = 30.0, busy: tuple[float, float] = (4.0, 8.0)) -> Motion:
    """The right arm swings once a second between the two times of ``busy``; all else is still."""
    t = np.arange(round(seconds * rate)) / rate
    angle = np.where((t > busy[0]) & (t < busy[1]), 0.5 * (1 - np.cos(2 * np.pi * (t - busy[0]))), 0.0)
    positions = np.tile(UPRIGHT, (len(t), 1, 1))
    for joint in ("right_elbow", "right_wrist"):
        length = UPRIGHT[J["right_shoulder"], 1] - UPRIGHT[J[joint], 1]
        positions[:, J[joint], 0] = length * np.sin(angle)
        positions[:, J[joint], 1] = UPRIGHT[J["right_shoulder"], 1] - length * np.cos(angle)
    return Motion(positions, rate)


def stream(values: np.ndarray, quantity: str, rate: float = 50.0, units: str = "", **more: object) -> Stream:
    units = units or {"acc": "m/s^2", "gyro": "rad/s"}[quantity]
    contract = Contract(
        "imu", quantity, units, rate, placement="right_wrist", gravity=True if quantity == "acc" else None
    )
    return Stream.of(quantity, contract, values, **more)  # type: ignore[arg-type]


def loudest(energy: Energy, channel: int = 0) -> float:
    """Centre of an energy over time, seconds."""
    values = np.where(energy.hidden, 0.0, energy.values.reshape(len(energy.values), -1)[:, channel])
    times = energy.start_s + np.arange(len(values)) / energy.rate_hz
    return float((values * times).sum() / values.sum())


def test_imu_energy_is_the_same_in_any_axes_and_units():
    rng = np.random.default_rng(0)
    acc, gyro = rng.normal(size=(100, 3)), rng.normal(size=(100, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    plain = imu_energy([stream(acc, "acc"), stream(gyro, "gyro")])
    other = imu_energy([
        stream(np.rad2deg(gyro @ turn), "gyro", units="deg/s"), stream(acc @ turn / GRAVITY, "acc", units="g")
    ])  # fmt: skip
    assert plain.values.shape == (100, 2)
    np.testing.assert_allclose(plain.values, other.values, rtol=1e-9)
    np.testing.assert_allclose(plain.values[:, 0], np.linalg.norm(gyro, axis=1))


def test_imu_energy_puts_two_clocks_on_one():
    t_gyro, t_acc = np.arange(500) / 50.0, 1.0 + np.arange(800) / 100.0
    gyro = np.outer(np.sin(t_gyro) + 2, [1.0, 0, 0])
    lost = np.zeros(800, bool)
    lost[200:260] = True
    acc = np.outer(np.sin(t_acc) + 2, [0, 1.0, 0])
    acc[200:260] = 99.0
    energy = imu_energy([stream(gyro, "gyro"), stream(acc, "acc", 100.0, start_s=1.0, missing=lost)])
    known = ~energy.hidden
    assert energy.hidden[:49].all()  # before the accelerometer began
    assert energy.hidden[151:178].all()
    assert known.sum() > 350
    np.testing.assert_allclose(energy.values[known, 1], energy.values[known, 0], atol=1e-3)


def test_imu_energy_follows_uneven_times():
    times = np.cumsum(np.random.default_rng(1).uniform(0.015, 0.025, 400))
    energy = imu_energy([stream(np.outer(times, [1.0, 0, 0]), "gyro", times=times)])
    at = energy.start_s + np.arange(len(energy.values)) / energy.rate_hz
    np.testing.assert_allclose(energy.values, at, atol=1e-4)


def test_unsigned_acceleration_is_its_distance_from_gravity():
    acc = np.outer([GRAVITY - 2, GRAVITY, GRAVITY + 3], [0, 0, 1.0])
    np.testing.assert_allclose(imu_energy([stream(acc, "acc")], unsigned=True).values, [2, 0, 3], atol=1e-9)


@pytest.mark.parametrize("kinds", [(), ("acc", "acc")])
def test_imu_energy_wants_one_of_a_kind(kinds: tuple[str, ...]):
    with pytest.raises(ValueError, match="expected the acc and/or the gyro stream"):
        imu_energy([stream(np.ones((9, 3)), kind) for kind in kinds])


def test_pose_energy_has_the_channels_of_the_wearable():
    motion = arm_swings()
    energy = pose_energy(motion, "right_wrist")
    imu = virtual_imu(motion, "right_wrist", energy.rate_hz, cutoff_hz=2.0)
    np.testing.assert_allclose(energy.values[:, 0], np.linalg.norm(imu.gyro, axis=1))
    np.testing.assert_allclose(energy.values[:, 1], np.linalg.norm(imu.acc, axis=1))
    assert loudest(energy) == pytest.approx(6.0, abs=0.05)
    still = pose_energy(motion, "left_wrist", quantities=("gyro",))
    assert still.values.shape == (len(energy.values), 1)
    assert still.values.max() < 0.01 * energy.values[:, 0].max()


def test_pose_energy_of_a_stream_keeps_its_start_and_its_times():
    even = arm_swings().stream(start_s=3.0)
    assert loudest(pose_energy(even, "right_wrist")) == pytest.approx(9.0, abs=0.05)
    uneven = Stream.of("pose", even.contract, even.values(), times=3.0 + np.arange(360) / 30.0 * 1.1)
    assert loudest(pose_energy(uneven, "right_wrist")) == pytest.approx(3.0 + 6.0 * 1.1, abs=0.05)


def test_flat_pose_has_the_speed_of_near_joints():
    pose = arm_swings().positions[..., :2] * 200 + 300
    pose[50:53] = np.nan
    flat = Stream.of("pose", Contract("pose", "position", "px", 30.0, ("x", "y"), skeleton="canonical"), pose)
    energy = pose_energy(flat, "right_wrist")
    assert energy.hidden[49:53].all()
    assert energy.hidden.sum() == 4
    assert loudest(energy) == pytest.approx(6.0, abs=0.05)
    assert pose_energy(flat, "left_ankle").values[~energy.hidden].max() == 0
    with pytest.raises(ValueError, match="no placement of kinjo"):
        pose_energy(flat, "tail")
    no_feet = Stream.of("p", Contract("pose", "position", "px", 30.0, ("x", "y"), skeleton="coco17"), pose)
    with pytest.raises(ValueError, match="no joint near 'left_foot'"):
        pose_energy(no_feet, "left_foot")


def film(kind: str, frames: int = 150) -> np.ndarray:
    """A bright square on a textured wall that moves between frames 50 and 100."""
    rng = np.random.default_rng(2)
    out = np.repeat(rng.integers(60, 120, (1, 60, 80)), frames, axis=0)
    for k in range(frames):
        x = 10 + round(np.clip(k - 50, 0, 50) * 0.8)
        out[k, 20:40, x : x + 15] = 230
    return (out[..., None].repeat(3, -1)).astype(np.uint8) if kind == "rgb" else (out * 10).astype(np.uint16)


def video(values: np.ndarray, rate: float = 15.0, **more: object) -> Stream:
    kind, units = ("rgb", "uint8") if values.ndim == 4 else ("depth", "mm")
    return Stream.of(kind, Contract("video", kind, units, rate), values, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["rgb", "depth"])
def test_video_energy_is_where_the_film_moves(kind: str):
    energy = video_energy(video(film(kind), start_s=2.0))
    assert energy.values.shape == (149,)
    assert energy.start_s == pytest.approx(2.0 + 0.5 / 15)
    assert not energy.hidden.any()
    assert loudest(energy) == pytest.approx(2.0 + 75 / 15, abs=0.1)
    assert energy.values[:48].max() < 0.01 * energy.values[50:99].mean()


def test_video_energy_does_not_see_flicker():
    moving = film("rgb").astype(np.float64)
    flicker = 1 + 0.15 * np.sin(np.arange(150) * 2.1)[:, None, None, None]
    shaking = np.clip(moving * flicker * 0.8, 0, 255).astype(np.uint8)
    energy = video_energy(video(shaking))
    assert energy.values[:48].max() < 0.25 * energy.values[50:99].mean()
    assert loudest(energy) == pytest.approx(75 / 15, abs=0.3)


@pytest.mark.parametrize("bad", [20, 63, 64, 75, 128])
def test_single_bad_frames_are_missing(bad: int):
    """63, 64 and 128: at the ends of what is read at once."""
    frames = film("rgb")
    frames[bad] = np.random.default_rng(3).integers(0, 255, frames[0].shape)
    energy = video_energy(video(frames))
    assert set(np.flatnonzero(energy.hidden)) == {bad - 1, bad}
    clean = video_energy(video(film("rgb")))
    np.testing.assert_allclose(energy.values[~energy.hidden], clean.values[~energy.hidden])


def test_frames_that_are_missing_hide_their_neighbours():
    lost = np.zeros(150, bool)
    lost[10] = True
    assert set(np.flatnonzero(video_energy(video(film("depth"), missing=lost)).hidden)) == {9, 10}


def test_too_few_frames_say_so():
    with pytest.raises(ValueError, match="3 frames or more, given rgb, 2 frames"):
        video_energy(video(film("rgb")[:2]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": np.zeros((0,))}, "at least one"),
        ({"values": np.zeros((4, 2, 2))}, "expected values"),
        ({"values": np.zeros(4), "rate_hz": 0.0}, "rate_hz 0.0"),
        ({"values": np.zeros(4), "rate_hz": np.nan}, "rate_hz nan"),
        ({"values": np.zeros(4), "start_s": np.inf}, "start_s"),
        ({"values": np.zeros(4), "missing": np.zeros(3, bool)}, r"missing \(4,\)"),
    ],
)
def test_energies_that_cannot_be(given: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Energy(**{"rate_hz": 25.0, **given})


def test_normalised_is_blind_to_scale_glitches_and_constants():
    rng = np.random.default_rng(4)
    values = np.abs(np.convolve(rng.normal(size=1000), np.ones(9), "same"))
    plain = normalised(Energy(values, 50.0), 25.0)
    np.testing.assert_allclose(normalised(Energy(values * 1e4 + 7e5, 50.0), 25.0).values, plain.values, atol=1e-3)
    spoilt = values.copy()
    spoilt[500] = 1e9
    away = np.r_[:200, 300:500]
    kept = normalised(Energy(spoilt, 50.0), 25.0).values[away, 0]
    assert np.corrcoef(kept, plain.values[away, 0])[0, 1] > 0.99
    assert not normalised(Energy(np.full(100, 9.81), 50.0), 25.0).values.any()
