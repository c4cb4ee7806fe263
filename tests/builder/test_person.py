"""The main person: whom to follow, what is not believed, where in the room, how tall."""

import numpy as np
import pytest

from kinjo.body import CANONICAL
from kinjo.builder import person
from kinjo.builder.estimators import Seen
from kinjo.datasets import gym
from kinjo.motion import J

SIZE = (480, 854)
FOCAL = SIZE[1] / 2 / np.tan(np.radians(person.FIELD_DEG) / 2)


@pytest.fixture(scope="module")
def squats() -> np.ndarray:
    """(frames, 17, 3) metres, y up, of a simulated person at 30 Hz."""
    pose = gym.record(3, seconds=8.0, names=("squat",), sensors={}).streams["pose"]
    return np.asarray(pose.values()[::1], float)


def camera(room: np.ndarray, distance: float, aside: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """World about the hips (x right, y down, z away) and pixels, of a body before a level camera."""
    axes = room * (1.0, -1.0, -1.0)
    hips = axes[:, [J["left_hip"], J["right_hip"]]].mean(1, keepdims=True)
    at = axes - axes[:, :1].mean(0) + (aside, 0.0, distance)
    image = at[..., :2] / at[..., 2:] * FOCAL + (SIZE[1] / 2, SIZE[0] / 2)
    return axes - hips, image


def seen(*people: tuple[np.ndarray, np.ndarray]) -> Seen:
    world, image = (np.stack([p[k] for p in people], 1).astype(np.float32) for k in (0, 1))
    return Seen("canonical", image, np.ones(image.shape[:3], np.float32), world)


def test_the_room_comes_back(squats: np.ndarray):
    who = person.main_person(seen(camera(squats, 3.0)))
    assert who is not None
    assert who.there.all()
    assert who.full.all()
    world = np.asarray(who.world)
    factor = person.scale(world, "canonical", person.HEIGHT_M)
    found = person.root(world, who.image, who.confidence, SIZE, person.FIELD_DEG)
    real = (squats * (1.0, -1.0, -1.0))[:, [J["left_hip"], J["right_hip"]]].mean(1)
    real = real - (squats * (1.0, -1.0, -1.0))[:, 0].mean(0) + (0.0, 0.0, 3.0)
    np.testing.assert_allclose(found, real, atol=0.01)
    moved = person.motion(who, 30.0, SIZE, height_m=person.HEIGHT_M / factor)
    sink = moved.positions[:, J["pelvis"], 1]
    np.testing.assert_allclose(sink - sink.mean(), squats[:, 0, 1] - squats[:, 0, 1].mean(), atol=0.03)


def test_a_body_has_the_height_that_is_said(squats: np.ndarray):
    who = person.main_person(seen(camera(squats, 3.0)))
    assert who is not None
    for height in (1.5, 1.9):
        moved = person.motion(who, 30.0, SIZE, height_m=height)
        world = (moved.positions - moved.positions[:, :1]) * (1.0, -1.0, -1.0)
        assert person.scale(world, "canonical", height) == pytest.approx(1.0, abs=1e-3)


def test_the_nearer_one_is_followed_through_a_swap(squats: np.ndarray):
    near, far = camera(squats, 2.5, -0.8), camera(squats, 6.0, 2.0)
    both = seen(near, far)
    half = len(squats) // 2
    image = both.image.copy()
    image[half:] = both.image[half:, ::-1]
    world = np.asarray(both.world).copy()
    world[half:] = np.asarray(both.world)[half:, ::-1]
    who = person.main_person(Seen("canonical", image, both.confidence, world))
    assert who is not None
    np.testing.assert_allclose(who.image, near[1], rtol=1e-5)


def test_what_is_not_sure_is_not_known(squats: np.ndarray):
    given = seen(camera(squats, 3.0))
    sure = given.confidence.copy()
    sure[5, 0, J["left_wrist"]] = 0.2
    sure[8, 0] = 0.0
    who = person.main_person(Seen("canonical", given.image, sure, given.world))
    assert who is not None
    assert np.isnan(who.image[5, J["left_wrist"]]).all()
    assert np.isfinite(who.image[5, J["right_wrist"]]).all()
    assert not who.there[8]
    assert who.there.sum() == len(squats) - 1
    moved = person.motion(who, 30.0, SIZE)
    assert moved.missing is not None
    assert moved.missing[8].all()
    assert moved.missing[5, J["left_wrist"]]


def test_a_joint_that_jumps_for_a_frame_is_not_believed(squats: np.ndarray):
    world, image = camera(squats, 3.0)
    world = world.copy()
    world[20, J["right_ankle"]] += 2.0
    who = person.main_person(seen((world, image)))
    assert who is not None
    calm = person.steady(who, 30.0)
    assert np.isnan(calm[20, J["right_ankle"]]).all()
    assert np.isfinite(np.delete(calm, 20, 0)).all()


def test_nobody_and_flat_poses(squats: np.ndarray):
    given = seen(camera(squats, 3.0))
    assert person.main_person(Seen("canonical", given.image, 0 * given.confidence, given.world)) is None
    flat = person.main_person(Seen("canonical", given.image, given.confidence))
    assert flat is not None
    assert flat.world is None
    with pytest.raises(ValueError, match="no third dimension"):
        person.motion(flat, 30.0, SIZE)
    assert len(CANONICAL.joints) == 17
