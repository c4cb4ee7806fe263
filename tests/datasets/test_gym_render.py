"""Pictures: depths in closed form, invariances, what is left out, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.datasets.gym import render
from kinjo.datasets.gym.figure import Part, Pills, figure
from kinjo.datasets.gym.person import Person, forward
from kinjo.datasets.gym.pose import body, rest
from kinjo.datasets.gym.render import Camera, following, frames, random_camera
from kinjo.datasets.gym.scene import FLOORS, WALLS, Scene, room, shadow
from kinjo.motion import SEGMENTS, J

PERSON = Person()
EYE = Camera((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), 40.0, 41, 51)
"""Three metres from the origin, looking along -z: its right is +x."""
GREY = (0.5, 0.5, 0.5)


def pill(base, along, length, radii, wide=(1.0, 1.0), known=True) -> Pills:
    """One pill in one frame, along a unit vector."""
    along = np.asarray(along, float)
    x = np.cross(along, [0.3, 0.2, 0.9])
    x /= np.linalg.norm(x)
    turn = np.stack([x, along, np.cross(x, along)], -1)
    part = Part(radii, wide, (GREY, GREY))
    return Pills(
        np.array([[base]], float), turn[None, None], np.array([[length]]), np.array([[known]]), (part,)
    )  # fmt: skip


def depth_of(pills: Pills, camera: Camera = EYE) -> np.ndarray:
    """Depth ``(height, width)`` in metres, without a room."""
    depth, _ = render._met(pills, render._View([camera], Scene(), empty=True))
    return depth[0].reshape(camera.height, camera.width)


def together(first: Pills, second: Pills) -> Pills:
    """Both in one frame."""
    base, frame, length, known = (
        np.concatenate([getattr(first, name), getattr(second, name)]) for name in ("base", "frame", "length", "known")
    )
    return Pills(base, frame, length, known, first.parts + second.parts)


def standing() -> tuple[np.ndarray, np.ndarray]:
    """One frame of someone upright."""
    return body(PERSON, rest()[None])


def marched(camera: Camera, base, along, length, radii) -> np.ndarray:
    """Depth by small steps along each ray, from the distance to a hull of many balls."""
    along, eye = np.asarray(along, float), np.array(camera.position)
    across, upwards = camera.slopes()
    right, up, forward = camera.axes
    rays = forward + across[None, :, None] * right + upwards[:, None, None] * up
    size = np.linalg.norm(rays, axis=-1)
    share = np.linspace(0, 1, 401)
    balls = np.asarray(base) + share[:, None] * length * along
    thick = radii[0] + share * (radii[1] - radii[0])
    t = np.full(size.shape, 0.5)
    for _ in range(60):
        away = np.linalg.norm((eye + t[..., None] * rays)[..., None, :] - balls, axis=-1) - thick
        t = t + away.min(-1) / size
    return np.where(t < 6.0, t, np.inf)


def test_a_ball_has_the_depth_of_a_ball():
    depth = depth_of(pill((0, 0, 0), (0, 1, 0), 0.0, (0.4, 0.4)))
    assert depth[20, 25] == pytest.approx(2.6, abs=1e-5)
    across, upwards = EYE.slopes()
    x, y = np.meshgrid(across, upwards)
    vv = 1 + x**2 + y**2
    square = 9.0 - vv * (9.0 - 0.16)  # of |eye + t ray|^2 = r^2, half of the linear term: -3
    expected = np.where(square > 0, (3.0 - np.sqrt(np.maximum(square, 0))) / vv, np.inf)
    np.testing.assert_allclose(depth, expected, atol=2e-4)
    assert np.isfinite(depth).sum() > 100


def test_a_capsule_from_the_side_and_from_its_end():
    side = depth_of(pill((-0.3, 0, 0), (1, 0, 0), 0.6, (0.2, 0.2)))
    row = side[20]
    middle = np.abs(EYE.slopes()[0]) * 2.8 < 0.29
    np.testing.assert_allclose(row[middle], 2.8, atol=1e-5)  # along the axis it is as near everywhere
    end = depth_of(pill((0, 0, -0.5), (0, 0, 1), 1.0, (0.2, 0.2)))
    assert end[20, 25] == pytest.approx(3 - 0.5 - 0.2, abs=1e-5)
    ball = depth_of(pill((0, 0, 0.5), (0, 1, 0), 0.0, (0.2, 0.2)))
    np.testing.assert_allclose(end[np.isfinite(ball)], ball[np.isfinite(ball)], atol=1e-4)


def test_an_ellipsoid_is_a_squeezed_ball():
    frame = np.eye(3)[None, None]
    part = Part((0.2, 0.2), (2.0, 0.5), (GREY, GREY))
    depth = depth_of(Pills(np.zeros((1, 1, 3)), frame, np.zeros((1, 1)), np.ones((1, 1), bool), (part,)))
    assert depth[20, 25] == pytest.approx(3 - 0.5 * 0.2, abs=1e-5)
    seen = np.isfinite(depth)
    unit = EYE.slopes()[0][1] - EYE.slopes()[0][0]
    assert seen[20].sum() * unit * 3 == pytest.approx(2 * 2.0 * 0.2, abs=2 * unit * 3)
    assert seen[:, 25].sum() * unit * 3 == pytest.approx(2 * 0.2, abs=2 * unit * 3)


@settings(max_examples=25)
@given(
    st.tuples(*[st.floats(-0.4, 0.4)] * 3), st.tuples(*[st.floats(-1, 1)] * 3), st.floats(0.25, 0.9),
    st.floats(0.03, 0.22), st.floats(0.03, 0.22),
)  # fmt: skip
def test_any_pill_is_the_hull_of_its_balls(base, way, length, first, second):
    along = np.add(way, (0.0, 1e-3, 0.0))
    along /= np.linalg.norm(along)
    camera = Camera((0.0, 0.1, 3.0), (0.05, 0.0, 0.0), 50.0, 9, 10)
    given_, expected = (
        depth_of(pill(base, along, length, (first, second)), camera),
        marched(camera, base, along, length, (first, second)),
    )
    both = np.isfinite(given_) & np.isfinite(expected)
    grazing = np.isfinite(given_) != np.isfinite(expected)
    assert grazing.sum() <= 1  # on the very rim
    # marching stops a little early where a ray grazes: on the very rim, too
    off = np.sort(np.abs(given_[both] - expected[both]))
    assert (off[:-1] < 4e-3).all()
    assert (off < 0.05).all()


def test_the_nearest_wins_whatever_the_order():
    near, far = pill((0, 0, 0.5), (0, 1, 0), 0.0, (0.1, 0.1)), pill((0, 0, -0.5), (0, 1, 0), 0.0, (0.5, 0.5))
    for pair in ((near, far), (far, near)):
        depth = depth_of(together(*pair))
        assert depth[20, 25] == pytest.approx(2.4, abs=1e-5)
        np.testing.assert_array_equal(depth, np.minimum(depth_of(near), depth_of(far)))


def test_nothing_behind_the_camera_and_nothing_unknown():
    assert np.isinf(depth_of(pill((0, 0, 4.0), (0, 1, 0), 0.3, (0.4, 0.2)))).all()
    assert np.isinf(depth_of(pill((0, 0, 0), (0, 1, 0), 0.3, (0.4, 0.2), known=False))).all()
    beside = depth_of(pill((0.3, 0, 3.2), (0, 0, -1), 3.0, (0.1, 0.1)))  # from behind the eye to before it
    assert np.isfinite(beside).any()
    assert beside.min() > render.NEAR_M


def test_the_picture_moves_with_camera_and_scene_together():
    positions, rotations = standing()
    camera = Camera.around(35.0, height=40, width=40)
    before = frames(PERSON, positions, rotations, camera, kind="depth", empty=True)
    cos, sin = np.cos(0.7), np.sin(0.7)
    turn, shift = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]), np.array([0.4, 0.2, -0.9])
    place, aim = (tuple((turn @ np.array(p) + shift).tolist()) for p in (camera.position, camera.look_at))
    moved = Camera(place, aim, camera.fov_deg, 40, 40)
    after = frames(PERSON, positions @ turn.T + shift, turn @ rotations, moved, kind="depth", empty=True)
    differ = np.abs(before.astype(int) - after) > 1
    assert differ.mean() < 0.003  # rays that graze
    assert (before > 0).mean() > 0.05


def test_a_person_is_where_the_camera_says():
    positions, rotations = standing()
    camera = Camera.around(20.0, height=120, width=100)
    depth = frames(PERSON, positions, rotations, camera, kind="depth", empty=True)[0]
    for joint in ("head", "left_wrist", "right_knee", "pelvis"):
        column, row = camera.pixels(positions[0, J[joint]])
        assert depth[int(row), int(column)] > 0, joint
    rows = np.flatnonzero((depth > 0).any(1))
    span = (rows[-1] - rows[0] + 1) * 2 * np.tan(np.deg2rad(22.5)) / 120 * 3.6
    assert span == pytest.approx(PERSON.height_m, rel=0.08)
    assert np.isnan(camera.pixels(np.array(camera.position) * 2)).all()


def test_depth_is_kinects():
    positions, rotations = standing()
    camera = Camera.around(0.0, distance_m=3.0, height=48, width=64)
    depth = frames(PERSON, positions, rotations, camera, kind="depth")
    assert depth.shape == (1, 48, 64)
    assert depth.dtype == np.uint16
    assert 2600 < depth[0, 20, 32] < 3050
    near = frames(PERSON, positions, rotations, camera, kind="depth", far_m=3.2)
    assert (near == np.where(depth <= 3200, depth, 0)).all()
    assert (near == 0).any()


def test_the_floor_is_where_it_is():
    """A camera that looks straight down sees it at its own height, everywhere; walls bound it."""
    down = Camera((0.0, 2.0, 0.0), (0.0, 0.0, 0.0), 40.0, 8, 8)
    gone = np.full((1, 17, 3), np.nan)
    assert (frames(PERSON, gone, None, down, kind="depth") == 2000).all()
    scene = Scene(half=(3.0, 4.0))
    across = Camera((0.0, 1.0, 0.0), (1.0, 1.0, 0.0), 20.0, 4, 4)
    assert (frames(PERSON, gone, None, across, kind="depth", scene=scene) == 3000).all()
    far, where, what = room(scene, np.array([9.0, 1.0, 0.0]), np.array([[-1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0]]))
    assert far.tolist() == [12.0, np.inf, np.inf]  # from outside: through the near wall, onto the far one
    assert where[0].tolist() == [-3.0, 1.0, 0.0]
    assert what.tolist() == [1, -1, -1]


def test_parts_with_unknown_joints_are_left_out():
    positions, rotations = standing()
    camera = Camera.around(0.0, height=80, width=80)
    whole = frames(PERSON, positions, rotations, camera, kind="depth", empty=True)[0]
    for turned in (rotations, None):
        lame = positions.copy()
        lame[0, J["right_wrist"]] = np.nan
        seen = frames(PERSON, lame, turned, camera, kind="depth", empty=True)[0]
        column, row = camera.pixels(positions[0, J["right_wrist"]]).astype(int)
        assert whole[row, column] > 0
        assert seen[row, column] == 0
        assert 0.8 < (seen > 0).sum() / (whole > 0).sum() < 1.0
    nobody = frames(PERSON, np.full_like(positions, np.nan), None, camera, kind="depth", empty=True)
    assert not nobody.any()
    assert frames(PERSON, np.full_like(positions, np.nan), None, camera).std() > 0  # the room is there


def test_rotations_from_joints_show_nearly_the_same():
    positions, rotations = standing()
    camera = Camera.around(60.0, height=80, width=80)
    with_, without = (
        frames(PERSON, positions, r, camera, kind="depth", empty=True)[0] > 0 for r in (rotations, None)
    )  # fmt: skip
    assert (with_ & without).sum() / (with_ | without).sum() > 0.93


def test_colour_pictures_are_right_and_repeat():
    rng = np.random.default_rng(0)
    person = Person.random(rng)
    angles = 0.4 * rng.normal(size=(5, len(SEGMENTS), 3))
    positions, rotations = forward(person, angles, np.tile([0.0, 0.95, 0.0], (5, 1)))
    scene = Scene.random(np.random.default_rng(4), positions)
    camera = Camera.around(200.0, height=30, width=40)
    rgb = frames(person, positions, rotations, camera, scene=scene)
    assert rgb.shape == (5, 30, 40, 3)
    assert rgb.dtype == np.uint8
    pieces = [frames(person, positions[i : i + 2], rotations[i : i + 2], camera, scene=scene) for i in (0, 2, 4)]
    np.testing.assert_array_equal(rgb, np.concatenate(pieces))
    np.testing.assert_array_equal(rgb, frames(person, positions, rotations, [camera] * 5, scene=scene))
    assert (rgb != frames(person, positions, rotations, camera, scene=5)).mean() > 0.5
    assert (rgb != frames(person, positions, rotations, camera, scene=scene, dumbbells=True)).any()
    np.testing.assert_array_equal(
        frames(person, positions, rotations, camera, scene=8), frames(person, positions, rotations, camera, scene=8)
    )


def test_smooth_pictures_are_means_of_finer_ones():
    positions, rotations = standing()
    coarse, fine = Camera.around(10.0, height=20, width=24), Camera.around(10.0, height=60, width=72)
    mean = frames(PERSON, positions, rotations, fine, smooth=1).reshape(1, 20, 3, 24, 3, 3).mean((2, 4))
    smooth = frames(PERSON, positions, rotations, coarse, smooth=3)
    np.testing.assert_allclose(smooth, mean, atol=1.01)


def test_clothes_show_where_they_are_worn():
    positions, rotations = standing()
    camera = Camera.around(0.0, height=120, width=120)
    red, blue, green = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)
    scene = Scene(shirt=red, trousers=blue, skin=green, sleeve=0.0, leg=2.0)
    picture = frames(PERSON, positions, rotations, camera, scene=scene, smooth=1)[0]

    def at(joint: str, other: str) -> int:
        column, row = camera.pixels((positions[0, J[joint]] + positions[0, J[other]]) / 2).astype(int)
        return int(picture[row, column].argmax())

    assert at("pelvis", "neck") == 0
    assert at("left_hip", "left_knee") == 2
    assert at("right_elbow", "right_wrist") == at("left_shoulder", "left_elbow") == 1


def test_shadow_lies_under_what_throws_it_and_fades_with_height():
    floor = np.array([[0.0, 0.0], [2.0, 0.0]])
    scene = Scene(light=(0.0, 1.0, 0.0))
    low, high = (np.array([[[-0.2, y, 0.0]], [[-0.2, y, 0.0]]]) for y in (0.1, 1.5))
    radii = np.array([0.1])
    dark, pale = (shadow(scene, floor, ends, np.add(ends, (0.4, 0, 0)), radii) for ends in (low, high))
    assert dark[0, 0] < pale[0, 0] < 1.0
    assert dark[0, 1] == 1.0
    ends = np.add(high, (0.5, 0, 0)), np.add(high, (0.9, 0, 0))
    slanted = shadow(Scene(light=(-1.0, 1.0, 0.0)), floor, *ends, radii)
    assert slanted[0, 1] < slanted[0, 0] == 1.0  # the lamp is at -x: it falls towards +x
    assert (shadow(scene, floor, np.full_like(low, np.nan), low, radii) == 1.0).all()


def test_scenes_differ_and_hold_the_person():
    scenes = [Scene.random(np.random.default_rng(seed)) for seed in range(60)]
    assert scenes[3] == Scene.random(np.random.default_rng(3))
    assert len({scene.shirt for scene in scenes}) == 60
    assert {scene.floor_pattern for scene in scenes} == set(FLOORS)
    assert {scene.wall_pattern for scene in scenes} == set(WALLS)
    path = np.array([[-3.0, 0.0, 1.0], [20.0, 4.0, 2.0], [np.nan, 0.0, 0.0]])
    wide = Scene.random(np.random.default_rng(0), path)
    reach = np.abs(path[:2, [0, 2]] - wide.middle)
    assert (reach + 3.9 < wide.half).all()
    assert wide.height_m > 4.5
    for pattern in (*FLOORS, *WALLS):
        share = pattern(*np.random.default_rng(1).uniform(0, 9, (2, 500)))
        assert share.min() >= 0.0
        assert share.max() <= 1.0


def test_a_stool_stands_in_the_room():
    camera = Camera((2.0, 1.0, 0.0), (0.0, 0.4, 0.0), 45.0, 40, 40)
    nobody = np.full((1, 17, 3), np.nan)
    empty, stool = (
        frames(PERSON, nobody, None, camera, kind="depth", scene=Scene(stools=stools))[0]
        for stools in ((), ((0.0, 0.45, 0.0),))
    )
    column, row = camera.pixels(np.array([0.0, 0.43, 0.0])).astype(int)
    assert 1700 < stool[row, column] < empty[row, column] - 100


def test_random_cameras_show_the_whole_person():
    positions, _ = standing()
    rng = np.random.default_rng(0)
    for _ in range(100):
        camera = random_camera(rng)
        x, y = camera.pixels(positions[0]).T
        assert ((x > 0) & (x < camera.width) & (y > 0) & (y < camera.height)).all()


def test_a_camera_follows():
    positions = np.repeat(standing()[0], 60, 0)
    positions[:, :, 0] += np.linspace(0, 9, 60)[:, None]
    positions[10] = np.nan
    camera = Camera.around(90.0)
    cameras = following(camera, positions, 15.0)
    path = np.array([one.position for one in cameras])
    assert path[-1, 0] - path[0, 0] == pytest.approx(9.0 - 0.35, abs=0.8)
    assert np.abs(np.diff(path[:, 0], 2)).max() < 0.02
    assert (path[:, 1:] == camera.position[1:]).all()
    offset = np.subtract([one.look_at for one in cameras], path)
    np.testing.assert_allclose(offset, np.tile(np.subtract(camera.look_at, camera.position), (60, 1)), atol=1e-5)
    three, room_ = [cameras[0], cameras[30], cameras[59]], Scene.random(np.random.default_rng(0), positions)
    moved = frames(PERSON, positions[[0, 30, 59]], None, three, scene=room_)
    apart = [frames(PERSON, positions[[k]], None, c, scene=room_) for k, c in zip((0, 30, 59), three, strict=True)]
    np.testing.assert_array_equal(moved, np.concatenate(apart))
    shown = frames(PERSON, positions[[0, 59]], None, [cameras[0], cameras[59]], kind="depth", empty=True)
    assert (shown > 0).any((1, 2)).all()
    small = positions[:30] * [0.05, 1.0, 1.0]
    assert following(camera, small, 15.0) == [camera] * 30  # it stays as long as the person nearly does
    assert following(camera, np.full((3, 17, 3), np.nan), 15.0) == [camera] * 3


def test_every_part_is_drawn():
    positions, rotations = standing()
    pills = figure(PERSON, positions, rotations, Scene(), dumbbells=True)
    assert pills.known.all()
    seen = set()
    for angle in (0, 90, 180, 270):
        view = render._View([Camera.around(angle, height=160, width=160)], Scene(), empty=True)
        seen |= set(np.unique(render._met(pills, view)[1]).tolist())
    assert seen == {-1, *range(len(pills.parts))}
    low = (pills.base[..., 1] - np.array([part.radii[0] for part in pills.parts])[:, None]).min()
    assert -0.01 < low < 0.03  # the soles are on the floor


def test_bad_input_says_what_to_do():
    positions, rotations = standing()
    camera = Camera.around()
    with pytest.raises(ValueError, match="move look_at"):
        Camera((1, 1, 1), (1, 1, 1))
    with pytest.raises(ValueError, match="three finite numbers"):
        Camera((1, float("nan"), 1), (0, 0, 0))
    with pytest.raises(ValueError, match="1 to 170 degrees"):
        Camera((1, 1, 1), (0, 0, 0), 180.0)
    with pytest.raises(ValueError, match="needs pixels"):
        Camera((1, 1, 1), (0, 0, 0), 45.0, 0, 10)
    inside = Camera(tuple(positions[0, J["pelvis"]] + [0.0, 0.1, 0.0]), (5.0, 1.0, 0.0))
    with pytest.raises(ValueError, match="inside the body: move its position"):
        frames(PERSON, positions, rotations, inside)
    with pytest.raises(ValueError, match=r"\(frames, 17, 3\)"):
        frames(PERSON, positions[0], None, camera)
    with pytest.raises(ValueError, match="beside the positions"):
        frames(PERSON, positions, rotations[:, :3], camera)
    with pytest.raises(ValueError, match="'rgb' or 'depth'"):
        frames(PERSON, positions, rotations, camera, kind="infrared")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="given 1 and 2"):
        frames(PERSON, positions, rotations, [camera, camera])
    with pytest.raises(ValueError, match="same pixels"):
        frames(PERSON, np.repeat(positions, 2, 0), None, [camera, Camera.around(height=10)])
    with pytest.raises(ValueError, match="at least 1"):
        frames(PERSON, positions, rotations, camera, smooth=0)
