"""Virtual IMU: closed forms, what must not change anything, noise, gaps and wrong questions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from _bodies import CASES, UPRIGHT, Case, about, carousel, pendulum, shaking
from kinjo.body import MIRROR_PLACEMENT, PLACEMENTS
from kinjo.motion import SEGMENTS, J, Motion, joints_of
from kinjo.sensors import IMU, SensorModel
from kinjo.signal import GRAVITY
from kinjo.simulate import LONGEST_GAP_S, SITES, virtual_imu, virtual_imus

Array = np.ndarray
places = st.sampled_from(list(SITES))
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)


def person(seed: int, seconds: float = 2.0, rate_hz: float = 30.0, jitter: float = 0.003) -> Motion:
    """A body whose joints all move at once, at random, about as fast as people do."""
    rng, n = np.random.default_rng(seed), round(seconds * rate_hz)
    t = np.arange(n)[:, None, None] / rate_hz
    joints = np.repeat(UPRIGHT[None], n, 0)
    for hz in (0.4, 0.9, 1.7):
        joints = joints + rng.normal(0, 0.05, (17, 3)) * np.sin(2 * np.pi * hz * t + rng.uniform(0, 6.3, (17, 3)))
    return Motion(joints + rng.normal(0, jitter, joints.shape), rate_hz)


def lost(motion: Motion, **gaps: slice) -> Motion:
    """The motion without some joints at some frames, where nonsense stands instead."""
    missing = np.zeros(motion.positions.shape[-3:-1], bool)
    for joint, gap in gaps.items():
        missing[gap, J[joint]] = True
    return replace(motion, positions=np.where(missing[..., None], 9e9, motion.positions), missing=missing)


def assert_same(given: IMU, acc: Array, gyro: Array, share: float = 1e-5) -> None:
    """Within ``share`` of the largest reading."""
    np.testing.assert_allclose(given.acc, acc, atol=share * max(GRAVITY, np.abs(acc).max()))
    np.testing.assert_allclose(given.gyro, gyro, atol=share * max(1.0, np.abs(gyro).max()))


# --- closed forms


@pytest.mark.parametrize("rotations", [False, True])
@pytest.mark.parametrize("rate", [60.0, 120.0, 480.0])
@pytest.mark.parametrize("make", CASES)
def test_closed_forms_within_one_percent(make: Callable[[], Case], rate: float, rotations: bool) -> None:
    case = make()
    imu = virtual_imu(case.motion(rate, 3.0, rotations), case.placement, 100.0)
    times = np.arange(len(imu.acc)) / 100.0
    assert_same(imu, case.acc(times), case.gyro(times), 0.01)


@given(st.tuples(*[st.floats(-0.3, 0.3)] * 3))
@few
def test_an_offset_is_felt_as_the_lever_that_it_is(offset: tuple[float, float, float]) -> None:
    omega, case = 2 * np.pi * 0.75, carousel()
    imu = virtual_imu(case.motion(120.0, 2.0, True), case.placement, 100.0, offset_m=offset)
    times = np.arange(len(imu.acc)) / 100.0
    lever = -(omega**2) * np.array([offset[0], 0.0, offset[2]])
    assert_same(imu, case.acc(times) + lever, case.gyro(times), 0.003)
    swung = pendulum()
    imu = virtual_imu(swung.motion(120.0, 2.0, False), swung.placement, 100.0, offset_m=offset)
    rate = swung.gyro(times)[:, 2]
    faster = np.gradient(rate, times, edge_order=2)
    x, y = offset[0], offset[1]
    lever = np.stack([-faster * y - rate**2 * x, faster * x - rate**2 * y, np.zeros_like(rate)], 1)
    assert_same(imu, swung.acc(times) + lever, swung.gyro(times), 0.01)


@given(seeds, st.sampled_from([p for p in SITES if not p.endswith("foot")]))
@few
def test_rotations_and_joints_agree_on_a_rigid_body(seed: int, place: str) -> None:
    rng, t = np.random.default_rng(seed), np.arange(120) / 60.0
    swing = rng.normal(0, 0.5, (2, 3))
    turn = Rotation.from_rotvec(np.sin(2 * np.pi * np.array([0.5, 0.9])[:, None] * t).T @ swing).as_matrix()
    joints = np.einsum("nij,kj->nki", turn, UPRIGHT)
    from_joints = virtual_imu(Motion(joints, 60.0), place)
    known = Motion(joints, 60.0, np.repeat(turn[:, None], len(SEGMENTS), 1))
    assert_same(virtual_imu(known, place), from_joints.acc, from_joints.gyro, 0.005)


def test_noise_is_smoothed_far_below_plain_differences() -> None:
    case, rate = shaking(1.0, 0.2), 30.0  # reaches 7.9 m/s^2
    rng = np.random.default_rng(0)
    clean, true = case.motion(rate, 6.0, False), case.acc(np.arange(180) / rate)
    felt, moved, plain = [], [], []
    for _ in range(10):
        noisy = clean.positions + rng.normal(0, 0.005, clean.positions.shape)
        imu = virtual_imu(Motion(noisy, rate), case.placement, rate)
        felt.append(np.sqrt(((imu.acc - true) ** 2).sum(1).mean()))
        moved.append(np.sqrt(((np.linalg.norm(imu.acc, axis=1) - np.linalg.norm(true, axis=1)) ** 2).mean()))
        thigh = noisy[:, [J["right_hip"], J["right_knee"]]].mean(1)
        second = np.diff(thigh, 2, axis=0) * rate**2 + [0, GRAVITY, 0]
        plain.append(np.sqrt(((second - true[1:-1]) ** 2).sum(1).mean()))
    assert np.mean(felt) < 0.75
    assert np.mean(moved) < 0.4
    assert np.mean(felt) < 0.08 * np.mean(plain)


# --- what must not change anything


@given(seeds, places, st.floats(-7, 7), st.tuples(*[st.floats(-5, 5)] * 3), st.tuples(*[st.floats(-2, 2)] * 3))
@few
def test_where_north_is_and_how_fast_the_ground_moves_is_not_felt(
    seed: int, place: str, angle: float, start: tuple[float, ...], speed: tuple[float, ...]
) -> None:
    motion = person(seed)
    imu = virtual_imu(motion, place)
    turn = about(1, np.array([angle]))[0]
    t = np.arange(motion.positions.shape[0])[:, None, None] / motion.rate_hz
    moved = Motion(motion.positions @ turn.T + np.array(start) + t * np.array(speed), motion.rate_hz)
    assert_same(virtual_imu(moved, place), imu.acc, imu.gyro)


@given(seeds, places)
@few
def test_mounting_turns_the_axes_and_nothing_else(seed: int, place: str) -> None:
    motion, turn = person(seed), Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    imu = virtual_imu(motion, place)
    mounted = virtual_imu(motion, place, mounting=turn)
    assert_same(mounted, imu.acc @ turn, imu.gyro @ turn, 1e-12)
    assert_same(imu.turned(turn), mounted.acc, mounted.gyro, 1e-12)


@given(seeds, places)
@few
def test_backwards_in_time_turning_flips_and_force_stays(seed: int, place: str) -> None:
    motion = person(seed)
    imu = virtual_imu(motion, place, motion.rate_hz)
    back = virtual_imu(Motion(motion.positions[::-1].copy(), motion.rate_hz), place, motion.rate_hz)
    assert_same(back, imu.acc[::-1], -imu.gyro[::-1])


@given(seeds, st.sampled_from([p for p in SITES if p not in ("wrist", "pocket")]))
@few
def test_the_mirrored_movement_is_felt_mirrored_on_the_other_side(seed: int, place: str) -> None:
    motion = person(seed)
    image = virtual_imu(motion, place).mirrored()
    assert image.placement == MIRROR_PLACEMENT[place]
    other = virtual_imu(motion.mirrored(), image.placement)
    assert_same(other, image.acc, image.gyro)


@pytest.mark.parametrize("rotations", [False, True])
def test_batches_are_their_members(rotations: bool) -> None:
    members = [person(seed) for seed in range(6)]
    stacked = np.stack([m.positions for m in members]).reshape(2, 3, 60, 17, 3)
    turn = Rotation.random(6 * 15, rng=np.random.default_rng(0)).as_matrix().reshape(2, 3, 1, 15, 3, 3)
    turns = np.broadcast_to(turn, (2, 3, 60, 15, 3, 3)).copy() if rotations else None
    missing = np.zeros((60, 17), bool)
    missing[20:24, J["left_wrist"]] = missing[30:50, J["left_hip"]] = True
    batch = virtual_imu(Motion(stacked, 30.0, turns, missing), "left_wrist", 40.0)
    assert batch.acc.shape == batch.gyro.shape == (2, 3, 79, 3)
    for i in range(2):
        for j in range(3):
            alone = Motion(stacked[i, j], 30.0, None if turns is None else turns[i, j], missing)
            imu = virtual_imu(alone, "left_wrist", 40.0)
            assert_same(imu, batch.acc[i, j], batch.gyro[i, j], 1e-9)
            assert (imu.missing is None) == rotations  # the hip matters to the turning only
            np.testing.assert_array_equal(imu.missing, batch.missing)


# --- placements and rates


def test_every_placement_but_unknown_has_a_site() -> None:
    assert set(SITES) == set(PLACEMENTS) - {"unknown"}
    motion = person(0)
    for place in SITES:
        imu = virtual_imu(motion, place)
        assert imu.acc.shape == imu.gyro.shape == (99, 3)
        assert np.isfinite(imu.acc).all()
        assert np.isfinite(imu.gyro).all()
        assert imu.placement == place
        assert imu.missing is None
        streams = imu.streams(1.5)
        assert set(streams) == {f"{place}.acc", f"{place}.gyro"}
        for name, stream in streams.items():
            stream.contract.check(name)


def test_at_rest_upright_every_sensor_reads_gravity_along_its_y() -> None:
    level = UPRIGHT.copy()
    level[[J["left_foot"], J["right_foot"]], 1] = 0.1
    motion = Motion(np.tile(level, (40, 1, 1)), 30.0)
    for place in SITES:
        imu = virtual_imu(motion, place)
        assert_same(imu, np.tile([0, GRAVITY, 0], (len(imu.acc), 1)), np.zeros((len(imu.acc), 3)), 1e-6)


@pytest.mark.parametrize("rate", [10.0, 33.3, 50.0, 64.0, 100.0, 200.0])
def test_any_rate_samples_the_same_readings(rate: float) -> None:
    motion = person(1, 4.0)
    imu, fine = virtual_imu(motion, "right_ankle", rate), virtual_imu(motion, "right_ankle", 20 * rate)
    assert len(imu.acc) == int((119 / 30) * rate + 1e-9) + 1
    assert imu.rate_hz == rate
    assert_same(imu, fine.acc[::20], fine.gyro[::20], 1e-7)


def test_several_placements_at_once() -> None:
    motion = person(2)
    wanted = {"left_wrist": None, "chest": SensorModel(noise_acc=0.01)}
    both = virtual_imus(motion, wanted, 40.0, rng=np.random.default_rng(3))
    alone = virtual_imu(motion, "left_wrist", 40.0)
    np.testing.assert_array_equal(both["left_wrist"].acc, alone.acc)
    again = virtual_imu(motion, "chest", 40.0, model=SensorModel(noise_acc=0.01), rng=np.random.default_rng(3))
    np.testing.assert_array_equal(both["chest"].acc, again.acc)


# --- gaps


@pytest.mark.parametrize("rotations", [False, True])
def test_a_short_gap_is_bridged(rotations: bool) -> None:
    case = pendulum()
    motion = lost(case.motion(60.0, 4.0, rotations), left_wrist=slice(80, 92), left_elbow=slice(86, 95))
    imu = virtual_imu(motion, case.placement, 60.0)
    assert imu.missing is None
    times = np.arange(240) / 60.0
    assert_same(imu, case.acc(times), case.gyro(times), 0.05)


@pytest.mark.parametrize("rotations", [False, True])
@pytest.mark.parametrize("gap", [(0, 40), (0, 5), (100, 140), (10, 230), (220, 240), (30, 240)])
def test_a_long_gap_or_an_end_is_missing_and_the_rest_is_right(gap: tuple[int, int], rotations: bool) -> None:
    case = pendulum()
    motion = lost(case.motion(60.0, 4.0, rotations), left_wrist=slice(*gap))
    imu = virtual_imu(motion, case.placement, 60.0)
    assert imu.missing is not None
    np.testing.assert_array_equal(imu.missing, motion.missing[:, J["left_wrist"]])  # type: ignore[index]
    times, there = np.arange(240) / 60.0, ~imu.missing
    known = IMU(imu.acc[there], imu.gyro[there], 60.0, "left_wrist")
    assert_same(known, case.acc(times)[there], case.gyro(times)[there], 0.15)  # next to a gap there is less to go by
    far = there & ~np.convolve(imu.missing, np.ones(13), "same").astype(bool)
    known = IMU(imu.acc[far], imu.gyro[far], 60.0, "left_wrist")
    assert_same(known, case.acc(times)[far], case.gyro(times)[far], 0.01)
    assert np.isfinite(imu.acc).all()
    assert np.isfinite(imu.gyro).all()


@pytest.mark.parametrize("joint", ["left_hip", "neck", "left_shoulder", "left_elbow", "right_shoulder"])
def test_a_long_gap_in_what_tells_the_turning_is_missing_too(joint: str) -> None:
    motion = lost(pendulum().motion(60.0, 4.0, False), **{joint: slice(20, 80)})
    missing = virtual_imu(motion, "left_wrist", 60.0).missing
    assert missing is not None
    np.testing.assert_array_equal(np.flatnonzero(missing), np.arange(20, 80))
    known = replace(motion, rotations=pendulum().motion(60.0, 4.0, True).rotations)
    told = virtual_imu(known, "left_wrist", 60.0).missing
    assert (told is None) == (joint != "left_elbow")  # rotations tell the turning; the elbow also places the wrist


@given(seeds, places, st.sampled_from([10.0, 30.0, 120.0]))
@few
def test_gaps_never_end_in_readings_that_no_movement_gives(seed: int, place: str, rate: float) -> None:
    rng, motion = np.random.default_rng(seed), person(seed, 4.0, rate)
    gaps = {}
    for joint in rng.choice(list(J), 5, replace=False):
        start, length = rng.integers(0, round(3 * rate)), rng.integers(1, round(2.5 * rate))
        gaps[str(joint)] = slice(int(start), int(start + length))
    imu = virtual_imu(lost(motion, **gaps), place, 50.0, cutoff_hz=5.0)
    whole = virtual_imu(motion, place, 50.0, cutoff_hz=5.0)
    there = np.ones(len(imu.acc), bool) if imu.missing is None else ~imu.missing
    assert np.abs(imu.acc[there]).max(initial=0) < 3 * np.abs(whole.acc).max()
    touched = {joint for joint, gap in gaps.items() if gap.stop - gap.start > (LONGEST_GAP_S * rate + 2)}
    sources = {joint for joint, _ in SITES[place].joints} | set(joints_of(SITES[place].segment))
    assert there.all() or bool(sources & set(gaps))
    assert not there.all() or not sources & touched


def test_a_gap_is_as_if_the_clip_began_after_it() -> None:
    motion = person(5, 4.0)
    late = lost(motion, **{joint: slice(0, 30) for joint in J})
    cut = Motion(motion.positions[30:], 30.0)
    model = SensorModel(tissue_hz=3.0)
    for fault in (None, model):  # the tissue does not ring from what was made up inside the gap
        rng = None if fault is None else np.random.default_rng(0)
        whole = virtual_imu(late, "right_wrist", 30.0, cutoff_hz=6.0, model=fault, rng=rng)
        rng = None if fault is None else np.random.default_rng(0)
        part = virtual_imu(cut, "right_wrist", 30.0, cutoff_hz=6.0, model=fault, rng=rng)
        assert whole.missing is not None
        assert whole.missing[:30].all()
        assert not whole.missing[30:].any()
        assert_same(part, whole.acc[30:], whole.gyro[30:], 2e-4)


def test_lacking_joints_matter_only_where_they_are_needed() -> None:
    motion = lost(person(3), left_foot=slice(None), right_foot=slice(None), head=slice(None), right_elbow=slice(None))
    for place in ("left_foot", "head", "right_wrist", "right_ear", "right_upper_arm"):
        with pytest.raises(ValueError, match=f"'{place}': the motion has no"):
            virtual_imu(motion, place)
    for place in ("left_shin", "waist", "neck", "left_hand", "right_ankle"):
        imu = virtual_imu(motion, place)
        whole = virtual_imu(person(3), place)
        assert imu.missing is None
        np.testing.assert_array_equal(imu.acc, whole.acc)
    with pytest.raises(ValueError, match="no pelvis"):  # without rotations everything hangs on the trunk
        virtual_imu(lost(person(3), pelvis=slice(None)), "left_wrist")
    turned = pendulum().motion(60.0, 2.0, True)
    assert virtual_imu(lost(turned, pelvis=slice(None)), "left_wrist").missing is None


def test_a_skeleton_without_feet() -> None:
    coco = np.random.default_rng(0).normal(0, 0.01, (60, 17, 3)).cumsum(0) + np.arange(51).reshape(17, 3) % 7 / 5
    imu = virtual_imu(Motion.of(coco, "coco17", 30.0), "right_ankle")
    assert np.isfinite(imu.gyro).all()
    with pytest.raises(ValueError, match="right_foot"):
        virtual_imu(Motion.of(coco, "coco17", 30.0), "right_foot")


# --- wrong questions


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("joint", ["left_wrist", "right_hip"])
@pytest.mark.parametrize("cutoff", [None, 5.0])
def test_joints_that_are_not_finite_are_an_error_unless_missing(value: float, joint: str, cutoff: float | None) -> None:
    motion = person(4)
    motion.positions[7, J[joint]] = value
    with pytest.raises(ValueError, match=f"'{joint}' is not finite"):
        virtual_imu(motion, "left_wrist", cutoff_hz=cutoff)
    marked = Motion.of(motion.positions, "canonical", 30.0)
    assert np.isfinite(virtual_imu(marked, "left_wrist", cutoff_hz=cutoff).acc).all()
    missing = np.asarray(~np.isfinite(motion.positions).all(-1))
    kept = virtual_imu(Motion(motion.positions, 30.0, missing=missing), "left_wrist", cutoff_hz=cutoff)
    assert np.isfinite(kept.acc).all()


def test_rotations_that_are_not_finite_are_an_error_unless_missing() -> None:
    motion = pendulum().motion(60.0, 2.0, True)
    assert motion.rotations is not None
    motion.rotations[9] = np.nan
    with pytest.raises(ValueError, match="'left_forearm' is not finite"):
        virtual_imu(motion, "left_wrist")
    assert np.isfinite(virtual_imu(lost(motion, left_wrist=slice(9, 10)), "left_wrist").gyro).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"placement": "unknown"}, "nobody knows"),
        ({"placement": "nose"}, "no placement"),
        *(({"rate_hz": rate}, "rate_hz") for rate in (0.0, -50.0, np.nan, np.inf)),
        *(({"cutoff_hz": cutoff}, "cutoff_hz") for cutoff in (0.0, -1.0, np.nan)),
        *(({"offset_m": offset}, "offset_m") for offset in (0.1, (0.1, 0.2), np.eye(3), (0, 0, np.nan))),
        *(
            ({"mounting": mounting}, "mounting")
            for mounting in (np.eye(2), np.diag([1.0, 1, -1]), 2 * np.eye(3), np.full((3, 3), np.nan), np.zeros((3, 3)))
        ),
        ({"model": SensorModel()}, "rng"),
    ],
)
def test_wrong_questions_are_errors(wrong: dict[str, object], message: str) -> None:
    asked = {"placement": "left_wrist", **wrong}
    with pytest.raises(ValueError, match=message):
        virtual_imu(person(0), **asked)  # type: ignore[arg-type]


def test_too_little_to_go_by_is_an_error() -> None:
    for frames, rate in ((7, 10.0), (29, 60.0), (0, 30.0)):
        with pytest.raises(ValueError, match="half a second"):
            virtual_imu(Motion(np.zeros((frames, 17, 3)), rate), "waist")
    assert len(virtual_imu(Motion(person(0).positions[:15], 30.0), "waist").acc) == 24
    motion = person(0)
    with pytest.raises(ValueError, match="left_wrist"):
        virtual_imu(lost(motion, left_wrist=slice(None)), "left_wrist")
    apart = lost(motion, left_wrist=slice(0, 30), left_elbow=slice(30, None))
    for cutoff in (None, 5.0):
        with pytest.raises(ValueError, match="too few frames know left_elbow, left_wrist"):
            virtual_imu(apart, "left_wrist", cutoff_hz=cutoff)
    with pytest.raises(ValueError, match="too few frames"):
        virtual_imu(lost(motion, left_hip=slice(3, None)), "left_wrist")
    with pytest.raises(ValueError, match=r"no .*pelvis"):
        virtual_imu(lost(motion, **{joint: slice(None) for joint in J}), "waist")


def test_a_body_all_in_one_point_rests() -> None:
    imu = virtual_imu(Motion(np.zeros((40, 17, 3)), 30.0), "left_wrist")
    assert_same(imu, np.tile([0, GRAVITY, 0], (66, 1)), np.zeros((66, 3)), 1e-9)
