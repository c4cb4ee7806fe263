"""Faults of devices: each alone does what it says, none of them acts unasked, and a seed is a seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from _bodies import UPRIGHT, carousel
from kinjo.motion import Motion
from kinjo.sensors import DEVICES, IMU, PHONE_IN_POCKET, RESEARCH_IMU, WATCH, SensorModel, degrade, random_rotation
from kinjo.signal import GRAVITY
from kinjo.simulate import virtual_imu

Array = np.ndarray
RATE = 100.0


def resting(n: int = 20_000, rate: float = RATE) -> IMU:
    return IMU(np.tile([0.0, GRAVITY, 0.0], (n, 1)), np.zeros((n, 3)), rate, "left_wrist")


def shaken(hz: float, n: int = 4000, rate: float = 200.0) -> IMU:
    wave = np.sin(2 * np.pi * hz * np.arange(n) / rate)[:, None] * np.array([1.0, 2.0, -3.0])
    return IMU(wave + np.array([0, GRAVITY, 0]), wave.copy(), rate, "left_wrist")


def faulty(imu: IMU, seed: int = 0, **faults: float) -> IMU:
    return degrade(imu, SensorModel(**faults), np.random.default_rng(seed))  # type: ignore[arg-type]


def runs(mask: Array) -> Array:
    """Lengths of the runs of ``True``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return edges[1::2] - edges[::2]


def moving() -> Motion:
    return carousel().motion(60.0, 2.0, False)


def test_nothing_acts_unasked() -> None:
    ideal = virtual_imu(moving(), "right_wrist")
    imu = virtual_imu(moving(), "right_wrist", model=SensorModel(), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(imu.acc, ideal.acc)
    np.testing.assert_array_equal(imu.gyro, ideal.gyro)
    assert imu.missing is None


@pytest.mark.parametrize("model", [WATCH, PHONE_IN_POCKET, RESEARCH_IMU])
def test_a_seed_gives_the_same_bits(model: SensorModel) -> None:
    first, again, other = (
        virtual_imu(moving(), "right_wrist", model=model, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.acc, again.acc)
    np.testing.assert_array_equal(first.gyro, again.gyro)
    np.testing.assert_array_equal(first.missing, again.missing)
    assert np.abs(first.acc - other.acc).max() > 1e-3


@pytest.mark.parametrize("rate", [25.0, 100.0, 400.0])
def test_noise_has_its_density(rate: float) -> None:
    imu, ideal = faulty(resting(rate=rate), noise_acc=0.01, noise_gyro=0.002), resting(rate=rate)
    for values, true, density in ((imu.acc, ideal.acc, 0.01), (imu.gyro, ideal.gyro, 0.002)):
        error = values - true
        np.testing.assert_allclose(error.std(0), density * np.sqrt(rate / 2), rtol=0.03)
        assert np.abs(np.corrcoef(error.T) - np.eye(3)).max() < 0.03
        assert abs(np.corrcoef(error[1:, 0], error[:-1, 0])[0, 1]) < 0.03
        assert np.abs(error.mean(0)).max() < 5 * density * np.sqrt(rate / 2 / len(error))


def test_bias_stays_over_time_and_differs_by_axis_sensor_and_seed() -> None:
    drawn = []
    for seed in range(400):
        imu = faulty(resting(5), seed, bias_acc=0.2, bias_gyro=0.01)
        error = imu.acc - resting(5).acc
        np.testing.assert_allclose(error, error[:1].repeat(5, 0), atol=1e-12)
        np.testing.assert_array_equal(imu.gyro, imu.gyro[:1].repeat(5, 0))
        drawn.append(np.concatenate([error[0] / 0.2, imu.gyro[0] / 0.01]))
    np.testing.assert_allclose(np.std(drawn, 0), 1.0, atol=0.15)
    np.testing.assert_allclose(np.mean(drawn, 0), 0.0, atol=0.2)
    assert np.abs(np.corrcoef(np.array(drawn).T) - np.eye(6)).max() < 0.25


def test_scale_grows_with_the_reading_and_leaves_zero() -> None:
    imu = faulty(resting(10), scale_std=0.05)
    np.testing.assert_array_equal(imu.gyro, 0.0)
    np.testing.assert_array_equal(imu.acc[:, [0, 2]], 0.0)
    assert 0 < abs(imu.acc[0, 1] / GRAVITY - 1) < 0.25
    wave = shaken(2.0)
    factor = faulty(wave, scale_std=0.05).gyro[1:50] / wave.gyro[1:50]
    np.testing.assert_allclose(factor, factor[:1].repeat(49, 0), atol=1e-9)


def test_range_clips_and_nothing_below_it() -> None:
    wave = shaken(2.0)
    imu = faulty(wave, range_acc=4.0, range_gyro=2.5)
    for values, true, limit in ((imu.acc, wave.acc, 4.0), (imu.gyro, wave.gyro, 2.5)):
        np.testing.assert_array_equal(values, np.clip(true, -limit, limit))
        assert (np.abs(true) > limit).any()
    np.testing.assert_array_equal(faulty(wave, range_acc=0.0).acc, wave.acc)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_bits_quantise_the_range(bits: int) -> None:
    wave = shaken(2.0)
    imu = faulty(wave, range_acc=20.0, range_gyro=5.0, bits=bits)
    for values, true, limit in ((imu.acc, wave.acc, 20.0), (imu.gyro, wave.gyro, 5.0)):
        step = 2 * limit / 2**bits
        np.testing.assert_allclose(values / step, np.round(values / step), atol=1e-6)
        assert step / 4 < np.abs(values - true).max() <= step / 2 + 1e-12


@pytest.mark.parametrize(("share", "burst_s"), [(0.05, 0.2), (0.3, 1.0), (0.5, 0.01), (0.9, 0.01), (0.002, 0.05)])
def test_lost_samples_have_their_share_and_come_in_bursts(share: float, burst_s: float) -> None:
    imu = faulty(resting(400_000), missing_share=share, missing_burst_s=burst_s)
    assert imu.missing is not None
    assert imu.missing.mean() == pytest.approx(share, rel=0.12)
    # a share of 0.9 in bursts of one sample cannot be: bursts are then as long as they must be
    length = max(burst_s * RATE, share / (1 - share))
    assert runs(imu.missing).mean() == pytest.approx(length, rel=0.12)
    np.testing.assert_array_equal(imu.acc, resting(400_000).acc)


def test_short_recordings_lose_their_share_too() -> None:
    masks = [faulty(resting(20), seed, missing_share=0.3, missing_burst_s=0.2).missing for seed in range(2000)]
    lost = np.stack([mask for mask in masks if mask is not None]).mean(0)
    assert len(lost) == 20
    np.testing.assert_allclose(lost, 0.3, atol=0.06)


def test_lost_samples_come_on_top_of_those_that_were_missing() -> None:
    missing = np.zeros(20_000, bool)
    missing[:5000] = True
    imu = faulty(replace(resting(), missing=missing), missing_share=0.2)
    assert imu.missing is not None
    assert imu.missing[:5000].all()
    assert 0.1 < imu.missing[5000:].mean() < 0.3


@pytest.mark.parametrize("damping", [0.3, 0.7])
def test_tissue_follows_slow_rings_at_its_frequency_and_drops_what_is_fast(damping: float) -> None:
    np.testing.assert_allclose(faulty(resting(300), tissue_hz=8.0).acc, resting(300).acc, atol=1e-9)
    gains = {}
    for hz in (0.4, 8.0, 40.0):
        wave = shaken(hz)
        imu = faulty(wave, tissue_hz=8.0, tissue_damping=damping)
        gains[hz] = imu.gyro[1000:].std(0) / wave.gyro[1000:].std(0)
        np.testing.assert_allclose(imu.acc[1000:, 1].mean(), GRAVITY, rtol=1e-3)
    np.testing.assert_allclose(gains[0.4], 1.0, atol=0.01)
    np.testing.assert_allclose(gains[8.0], np.sqrt(1 + 4 * damping**2) / (2 * damping), rtol=0.01)
    assert gains[40.0].max() < 0.4


@pytest.mark.parametrize("rate", [10.0, 25.0, 50.0])
def test_tissue_faster_than_the_samples_stays_stable(rate: float) -> None:
    rng = np.random.default_rng(0)
    imu = IMU(rng.normal(size=(500, 3)), rng.normal(size=(500, 3)), rate, "left_wrist")
    slow = faulty(imu, tissue_hz=25.0, tissue_damping=0.7)
    assert np.abs(slow.acc).max() < 3 * np.abs(imu.acc).max()


def test_what_stands_in_a_gap_does_not_ring_on_after_it() -> None:
    missing = np.zeros(300, bool)
    missing[:50] = missing[100:150] = True
    made_up = resting(300)
    made_up.acc[missing] = 1e3
    imu = faulty(replace(made_up, missing=missing), tissue_hz=5.0)
    np.testing.assert_allclose(imu.acc[~missing], resting(300).acc[~missing], atol=1e-9)
    everything = faulty(replace(resting(300), missing=np.ones(300, bool)), tissue_hz=5.0)
    assert np.isfinite(everything.acc).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 5.0, 90.0, 180.0]))
def test_random_rotations_are_rotations(seed: int, degrees: float) -> None:
    turn = random_rotation(np.random.default_rng(seed), degrees)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) > 0
    if degrees == 0:
        np.testing.assert_array_equal(turn, np.eye(3))


def test_random_rotations_are_as_wide_as_asked_or_uniform() -> None:
    rng = np.random.default_rng(0)
    angles = [np.arccos(np.clip((np.trace(random_rotation(rng, 15.0)) - 1) / 2, -1, 1)) for _ in range(3000)]
    assert np.rad2deg(np.sqrt(np.mean(np.square(angles)))) == pytest.approx(15.0, rel=0.06)
    turned = np.stack([random_rotation(rng, 180.0) for _ in range(4000)])
    np.testing.assert_allclose(turned.mean(0), 0.0, atol=0.05)  # every axis points everywhere alike
    np.testing.assert_allclose((turned**2).mean(0), 1 / 3, atol=0.03)


def test_mounting_is_drawn_once_and_turns_both_sensors() -> None:
    ideal = virtual_imu(moving(), "right_wrist")
    model = SensorModel(mounting_std_deg=180.0)
    imu = virtual_imu(moving(), "right_wrist", model=model, rng=np.random.default_rng(4))
    turn, *_ = np.linalg.lstsq(np.concatenate([ideal.acc, ideal.gyro]), np.concatenate([imu.acc, imu.gyro]), rcond=None)
    assert np.abs(turn - np.eye(3)).max() > 0.1
    np.testing.assert_allclose(ideal.acc @ turn, imu.acc, atol=1e-6)
    np.testing.assert_allclose(ideal.gyro @ turn, imu.gyro, atol=1e-6)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)


def test_offset_is_drawn_once_and_is_a_place_on_the_segment() -> None:
    imu = virtual_imu(moving(), "right_wrist", model=SensorModel(offset_std_m=0.05), rng=np.random.default_rng(4))
    offset = 0.05 * np.random.default_rng(4).normal(size=3)
    there = virtual_imu(moving(), "right_wrist", offset_m=offset)
    np.testing.assert_allclose(imu.acc, there.acc, atol=1e-9)
    ideal = virtual_imu(moving(), "right_wrist")
    np.testing.assert_array_equal(imu.gyro, ideal.gyro)
    assert np.abs(imu.acc - ideal.acc).max() > 0.05


def test_clips_of_a_batch_have_faults_of_their_own() -> None:
    still = Motion(np.tile(UPRIGHT, (2, 40, 1, 1)), 30.0)
    imu = virtual_imu(still, "chest", model=SensorModel(bias_acc=0.1), rng=np.random.default_rng(0))
    assert np.abs(imu.acc[0] - imu.acc[1]).max() > 0.01
    with pytest.raises(ValueError, match="one sensor"):
        imu.streams()


def test_the_presets_are_plausible_at_rest() -> None:
    still = Motion(np.tile(UPRIGHT, (120, 1, 1)), 30.0)
    assert DEVICES["ideal"] is None
    for name, model in DEVICES.items():
        if model is None:
            continue
        off, noise, turning = [], [], []
        for seed in range(30):
            imu = virtual_imu(still, "right_wrist", 50.0, model=model, rng=np.random.default_rng(seed))
            off.append(abs(np.linalg.norm(imu.acc.mean(0)) - GRAVITY))
            noise.append(imu.acc.std(0).max())
            turning.append(np.linalg.norm(imu.gyro.mean(0)))
        assert 0.005 < np.mean(off) < 0.5, name
        assert 0.003 < np.mean(noise) < 0.05, name
        assert 1e-4 < np.mean(turning) < 0.05, name
        assert 2 * GRAVITY < model.range_acc <= 16 * GRAVITY, name
        assert np.deg2rad(250) <= model.range_gyro <= np.deg2rad(4000), name


def test_readings_become_streams_with_zero_where_missing() -> None:
    missing = np.zeros(30, bool)
    missing[4:9] = True
    imu = IMU(np.ones((30, 3)), np.ones((30, 3)), 50.0, "chest", missing)
    for name, stream in imu.streams(2.0).items():
        stream.contract.check(name)
        assert stream.values().dtype == np.float32
        np.testing.assert_array_equal(stream.values()[:, 0], np.where(missing, 0.0, 1.0))
        np.testing.assert_array_equal(stream.mask(), missing)
        assert stream.clock()[0] == 2.0
    assert imu.acc.min() == 1.0  # the readings themselves are left alone


def test_mirrored_twice_is_nothing() -> None:
    values = np.arange(12.0).reshape(4, 3)
    imu = IMU(values, -values, 50.0, "left_thigh", np.eye(4, dtype=bool)[0])
    image = imu.mirrored()
    assert image.placement == "right_thigh"
    np.testing.assert_array_equal(image.missing, imu.missing)
    back = image.mirrored()
    np.testing.assert_array_equal(back.acc, imu.acc)
    np.testing.assert_array_equal(back.gyro, imu.gyro)
    assert back.placement == "left_thigh"


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"noise_acc": -0.1}, "noise_acc"),
        ({"bias_gyro": float("nan")}, "bias_gyro"),
        ({"tissue_hz": float("inf")}, "tissue_hz"),
        ({"missing_share": 1.0}, "missing_share"),
        ({"missing_burst_s": 0.0}, "missing_burst_s"),
        ({"bits": 8, "range_acc": 9.0}, "range_gyro"),
    ],
)
def test_models_that_no_device_has_are_errors(faults: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SensorModel(**faults)  # type: ignore[arg-type]
