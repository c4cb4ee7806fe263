"""Movements and segment frames: orthonormal for any joints, right where the joints tell, steady in between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from _bodies import UPRIGHT, about
from kinjo.body import CANONICAL, swap_side
from kinjo.motion import SEGMENTS, J, Motion, frame_of, joints_of, segment_frames, to_matrices, to_quaternions

Array = np.ndarray
STANDING = UPRIGHT.copy()
STANDING[[J["left_foot"], J["right_foot"]], 1] = 0.1  # feet level: every segment's frame is the identity
SIDES = ("left", "right")
seeds = st.integers(0, 2**32 - 1)


def one(axis: int, angle: float) -> Array:
    return about(axis, np.array([angle]))[0]


def turns(seed: int, n: int = 1) -> Array:
    return Rotation.random(n, rng=np.random.default_rng(seed)).as_matrix()


def posed(side: str, shoulder: Array, elbow: float, hip: Array, knee: float) -> tuple[Array, Array]:
    """Joints ``(17, 3)`` and segments' rotations ``(15, 3, 3)`` of a body that stands and holds one side's limbs so."""
    joints, segments = STANDING.copy(), np.tile(np.eye(3), (len(SEGMENTS), 1, 1))
    forearm, shin = shoulder @ one(2, elbow), hip @ one(2, -knee)
    bones = (
        ("shoulder", "elbow", shoulder, "upper_arm"), ("elbow", "wrist", forearm, "forearm"),
        ("hip", "knee", hip, "thigh"), ("knee", "ankle", shin, "shin"), ("ankle", "foot", shin, "foot"),
    )  # fmt: skip
    for start, end, turn, segment in bones:
        a, b = J[f"{side}_{start}"], J[f"{side}_{end}"]
        joints[b] = joints[a] + turn @ (STANDING[b] - STANDING[a])
        segments[SEGMENTS.index(f"{side}_{segment}")] = turn
    segments[SEGMENTS.index(f"{side}_hand")] = forearm
    return joints, segments


def degrees(a: Array, b: Array) -> Array:
    """Angles between rotations ``(..., 3, 3)``."""
    size = np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8)
    return np.rad2deg(2 * np.arcsin(np.minimum(size, 1.0)))


def assert_rotations(frames: Array) -> None:
    assert np.isfinite(frames).all()
    square = frames @ np.swapaxes(frames, -1, -2)
    np.testing.assert_allclose(square, np.broadcast_to(np.eye(3), frames.shape), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(frames), 1.0, atol=1e-6)


def test_a_body_that_stands_upright_has_the_world_s_axes() -> None:
    np.testing.assert_allclose(segment_frames(STANDING), np.tile(np.eye(3), (15, 1, 1)), atol=1e-12)


def test_a_foot_s_x_points_to_the_toes() -> None:
    foot = frame_of("right_foot", UPRIGHT)
    toes = UPRIGHT[J["right_foot"]] - UPRIGHT[J["right_ankle"]]
    np.testing.assert_allclose(foot[:, 0], toes / np.linalg.norm(toes), atol=1e-12)


# A lattice makes joints coincide, limbs stretch, fold back on themselves and lie in line with the trunk.
@given(arrays(np.float64, (17, 3), elements=st.sampled_from([-0.5, 0.0, 0.5])))
def test_frames_are_rotations_for_joints_on_a_lattice(joints: Array) -> None:
    assert_rotations(segment_frames(joints))


@given(seeds, st.sampled_from([1e-9, 1e-5, 1e-3, 1.0, 100.0]))
def test_frames_are_rotations_for_any_joints(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    assert_rotations(segment_frames(rng.normal(0, size, (20, 17, 3))))
    assert_rotations(segment_frames(STANDING + rng.normal(0, size, (20, 17, 3))))


@pytest.mark.parametrize("side", SIDES)
def test_frames_are_rotations_where_limbs_fold_back_or_point_along_the_trunk(side: str) -> None:
    for limb in (np.eye(3), one(0, np.pi), one(2, np.pi), one(2, np.pi / 2), one(2, -np.pi / 2), one(0, np.pi / 2)):
        for bend in (0.0, np.pi / 2, np.pi):
            joints, _ = posed(side, limb, bend, limb, bend)
            for lying in (np.eye(3), one(2, np.pi / 2), one(0, np.pi)):
                assert_rotations(segment_frames(joints @ lying.T))
    head = STANDING.copy()
    head[J["head"]] = [0, 1.2, 0]  # hangs straight down
    assert_rotations(segment_frames(head))
    foot = STANDING.copy()
    foot[J["left_foot"]] = [-0.3, 0.1, -0.1]  # points straight backwards
    assert_rotations(segment_frames(foot))


def test_a_forearm_folded_onto_the_upper_arm_turned_about_the_elbow() -> None:
    joints, true = posed("right", np.eye(3), np.pi, np.eye(3), np.pi)
    for segment in ("right_forearm", "right_shin"):
        i = SEGMENTS.index(segment)
        assert degrees(segment_frames(joints)[i], true[i]) < 0.01


@given(seeds, st.floats(0.0, 3.1), st.floats(0.0, 3.1))
def test_frames_turn_with_the_body(seed: int, elbow: float, knee: float) -> None:
    shoulder, hip, world = turns(seed, 3)
    joints, _ = posed("left", shoulder, elbow, hip, knee)
    away = np.random.default_rng(seed).normal(size=3)
    np.testing.assert_allclose(segment_frames(joints @ world.T + away), world @ segment_frames(joints), atol=1e-4)


@given(seeds, st.floats(0.65, 2.45), st.floats(0.65, 2.45), st.sampled_from(SIDES))
def test_bent_limbs_tell_their_turn_exactly(seed: int, elbow: float, knee: float, side: str) -> None:
    shoulder, hip, world = turns(seed, 3)
    joints, true = posed(side, shoulder, elbow, hip, knee)
    assert degrees(segment_frames(joints @ world.T), world @ true).max() < 0.01


@given(st.floats(0.0, 3.1), st.floats(0.0, 3.1), st.sampled_from(SIDES))
def test_elbow_and_knee_bend_about_z(elbow: float, knee: float, side: str) -> None:
    joints, true = posed(side, np.eye(3), elbow, np.eye(3), knee)
    assert degrees(segment_frames(joints), true).max() < 0.01


RAISED = {
    "forwards": lambda angle, _: one(2, angle),
    "sideways": lambda angle, out: one(0, -out * angle),
    "in between": lambda angle, out: Rotation.from_rotvec(np.array([-out, 0, 1]) / np.sqrt(2) * angle).as_matrix(),
    "across": lambda angle, out: Rotation.from_rotvec(np.array([0.3 * out, 0, 0.95]) * angle).as_matrix(),
}


@pytest.mark.parametrize("way", RAISED)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("elbow", [0.0, 0.15, 0.4, 0.7, 2.0])
def test_an_arm_raised_overhead_turns_steadily(way: str, side: str, elbow: float) -> None:
    angles = np.linspace(0, np.pi, 181)
    out = 1.0 if side == "right" else -1.0
    poses = [posed(side, RAISED[way](a, out), elbow, np.eye(3), 0.0) for a in angles]
    found, true = segment_frames(np.stack([p[0] for p in poses])), np.stack([p[1] for p in poses])
    step = degrees(found[1:], found[:-1]).max(0)
    assert step.max() < 1.5  # for a degree of movement
    arm = SEGMENTS.index(f"{side}_upper_arm")
    # A stretched arm hides its turn about itself: up to the horizontal the guess is at most 55 degrees off.
    assert degrees(found[:91, arm], true[:91, arm]).max() < (0.01 if elbow > 0.65 else 55)
    long = found[..., arm, :, 1]
    np.testing.assert_allclose(long, true[:, arm, :, 1], atol=1e-9)


@pytest.mark.parametrize("shoulder", [np.eye(3), one(2, np.pi / 2), one(0, -np.pi / 2)], ids=["down", "front", "side"])
def test_an_elbow_bent_through_straight_turns_steadily(shoulder: Array) -> None:
    bends = np.deg2rad(np.arange(-12.0, 165.0))
    joints = np.stack([posed("right", shoulder, bend, np.eye(3), bend)[0] for bend in bends])
    found = segment_frames(joints)
    assert degrees(found[1:], found[:-1]).max() < 4.5  # for a degree: the elbow's axis takes over from the guess


@pytest.mark.parametrize(
    ("gone", "hanging"),
    [
        (("left_foot", "right_foot"), ("left_foot", "left_shin")),
        (("head",), ("head", "chest")),
        (("right_wrist", "right_elbow"), ("right_hand", "chest")),
        (("left_knee",), ("left_shin", "pelvis")),
    ],
)
def test_segments_without_joints_turn_with_what_they_hang_on(gone: tuple[str, ...], hanging: tuple[str, str]) -> None:
    shoulder, hip = turns(3, 2)
    joints, _ = posed("right", shoulder, 1.0, hip, 1.0)
    whole = segment_frames(joints)
    joints[[J[joint] for joint in gone]] = np.nan
    frames = segment_frames(joints, gone)
    assert_rotations(frames)
    for i, segment in enumerate(SEGMENTS):
        if set(gone).isdisjoint(joints_of(segment)):
            np.testing.assert_array_equal(frames[i], whole[i])
    np.testing.assert_array_equal(*(frames[SEGMENTS.index(segment)] for segment in hanging))


def test_a_frame_depends_on_the_joints_it_names_alone() -> None:
    rng = np.random.default_rng(5)
    joints = STANDING + rng.normal(0, 0.1, STANDING.shape)
    for segment in SEGMENTS:
        others = joints + 1.0
        used = [J[joint] for joint in joints_of(segment)]
        others[used] = joints[used]
        np.testing.assert_array_equal(frame_of(segment, others), frame_of(segment, joints))


def test_mirrored_swaps_sides_and_twice_is_nothing() -> None:
    joints, true = posed("right", *(turns(1)[0], 1.0, turns(2)[0], 1.2))
    missing = np.zeros((9, 17), bool)
    missing[2, J["right_wrist"]] = True
    motion = Motion(np.tile(joints, (9, 1, 1)), 30.0, np.tile(true, (9, 1, 1, 1)), missing)
    image = motion.mirrored()
    np.testing.assert_allclose(image.positions[0, J["left_wrist"]], joints[J["right_wrist"]] * [1, 1, -1])
    assert image.missing is not None
    assert image.missing[2, J["left_wrist"]]
    assert image.rotations is not None
    assert_rotations(image.rotations)
    np.testing.assert_allclose(segment_frames(image.positions), image.rotations, atol=1e-6)
    back = image.mirrored()
    np.testing.assert_array_equal(back.positions, motion.positions)
    np.testing.assert_array_equal(back.rotations, motion.rotations)
    np.testing.assert_array_equal(back.missing, missing)
    assert swap_side("left_wrist") == "right_wrist"


def test_motion_of_other_skeletons_and_gaps() -> None:
    coco = np.random.default_rng(0).normal(size=(12, 17, 3))
    coco[4, 9] = np.nan  # left wrist
    coco[:, 13:15] = np.inf  # both knees, always
    motion = Motion.of(coco, "coco17", 25.0)
    assert motion.lacking == {"left_knee", "right_knee", "left_foot", "right_foot"}
    assert motion.missing is not None
    assert np.flatnonzero(motion.missing[:, J["left_wrist"]]).tolist() == [4]
    assert np.isfinite(motion.positions).all()
    assert motion.seconds == pytest.approx(12 / 25)
    assert Motion.of(np.zeros((3, 17, 3)), "canonical", 10).missing is None


def test_a_stream_of_poses_and_back() -> None:
    rng = np.random.default_rng(1)
    missing = np.zeros((20, 17), bool)
    missing[3:6, 5] = True
    motion = Motion(rng.normal(size=(20, 17, 3)), 25.0, missing=missing)
    stream = motion.stream(start_s=2.0)
    assert stream.clock()[0] == 2.0
    again = Motion.of_stream(stream)
    assert again.rate_hz == 25.0
    assert again.missing is not None
    np.testing.assert_array_equal(again.missing.any(1), missing.any(1))
    np.testing.assert_allclose(again.positions[~missing.any(1)], motion.positions[~missing.any(1)], atol=1e-6)
    with pytest.raises(ValueError, match="one body"):
        Motion(np.zeros((2, 20, 17, 3)), 25.0).stream()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Motion(np.zeros((9, 16, 3)), 30.0), "17, 3"),
        (lambda: Motion(np.zeros((17, 3)), 30.0), "frames"),
        (lambda: Motion(np.zeros((9, 17, 2)), 30.0), "17, 3"),
        (lambda: Motion(np.zeros((9, 17, 3)), 0.0), "rate_hz"),
        (lambda: Motion(np.zeros((9, 17, 3)), float("nan")), "rate_hz"),
        (lambda: Motion(np.zeros((9, 17, 3)), 30.0, np.zeros((9, 14, 3, 3))), "rotations"),
        (lambda: Motion(np.zeros((9, 17, 3)), 30.0, missing=np.zeros((8, 17), bool)), "missing"),
        (lambda: Motion(np.zeros((9, 17, 3)), 30.0, missing=np.zeros((9, 17), int)), "bool"),  # type: ignore[arg-type]
        (lambda: Motion.of(np.zeros((9, 17, 2)), "coco17", 30.0), "3-D"),
        (lambda: Motion.of(np.zeros((9, 16, 3)), "coco17", 30.0), "coco17"),
    ],
)
def test_wrong_shapes_rates_and_masks_are_errors(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


@given(seeds)
def test_quaternions_and_back_without_leaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = Rotation.from_rotvec(rng.normal(0, 0.3, (40, 3)))
    path = [Rotation.identity()]
    for step in steps:
        path.append(path[-1] * step)
    matrices = np.stack([turn.as_matrix() for turn in path])
    quaternions = to_quaternions(matrices)
    np.testing.assert_allclose(to_matrices(quaternions * rng.uniform(0.1, 9)), matrices, atol=1e-9)
    assert ((quaternions[1:] * quaternions[:-1]).sum(-1) > 0).all()
    known = rng.random(41) > 0.3
    known[0] = True
    broken = np.where(known[:, None, None], matrices, np.nan)
    np.testing.assert_allclose(to_matrices(to_quaternions(broken, known)[known]), matrices[known], atol=1e-9)


def test_the_segments_have_the_sides_of_the_joints() -> None:
    assert all(swap_side(segment) in SEGMENTS for segment in SEGMENTS)
    assert all(joint in CANONICAL.joints for segment in SEGMENTS for joint in joints_of(segment))


def test_a_joint_that_is_never_known_lies_at_the_one_above_in_a_stream():
    """Else a foot that COCO lacks would come back at the origin, and be simulated there."""
    missing = np.zeros((30, 17), bool)
    lacking = ("head", "left_foot", "right_foot", "right_ankle")
    missing[:, [J[joint] for joint in lacking]] = True
    missing[4:6, J["left_wrist"]] = True
    joints = np.where(missing[..., None], 0.0, STANDING)
    stream = Motion(joints, 30.0, None, missing).stream()
    values = stream.values()
    for joint, above in (("head", "neck"), ("left_foot", "left_ankle"), ("right_ankle", "right_knee")):
        np.testing.assert_array_equal(values[:, J[joint]], values[:, J[above]])
    np.testing.assert_array_equal(values[:, J["right_foot"]], values[:, J["right_knee"]])
    assert stream.mask().nonzero()[0].tolist() == [4, 5]
    frames = segment_frames(Motion.of_stream(stream).positions[:3])
    np.testing.assert_allclose(frames, np.broadcast_to(np.eye(3), frames.shape), atol=1e-6)
