"""Sessions of the gym: the same seed gives the same recording, segments are true, the dataset keeps the protocol."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from kinjo import checks
from kinjo.datasets import DatasetError, gym
from kinjo.datasets.gym.record import _drawn_floor
from kinjo.datasets.gym.session import Task, known, single
from kinjo.motion import J
from kinjo.recording import Recording, Segment
from kinjo.sensors import PHONE_IN_POCKET, WATCH

CAMERA = gym.Camera.around(30.0, height=24, width=32)
SENSORS = {"left_wrist": WATCH, "right_pocket": PHONE_IN_POCKET}


def same(a: Recording, b: Recording) -> bool:
    """Bit for bit."""
    return (
        list(a.streams) == list(b.streams)
        and a.segments == b.segments
        and all(np.array_equal(s.values(), b.streams[name].values()) for name, s in a.streams.items())
        and all(np.array_equal(s.mask(), b.streams[name].mask()) for name, s in a.streams.items())
    )


def test_a_seed_is_a_recording() -> None:
    first, again = (gym.record(3, seconds=20, sensors=SENSORS, video=CAMERA, video_rate_hz=1.0) for _ in range(2))
    assert same(first, again)
    other = gym.record(4, seconds=20, sensors=SENSORS, video=CAMERA, video_rate_hz=1.0)
    assert not any(np.array_equal(s.values(), other.streams[n].values()) for n, s in first.streams.items())
    assert first.subject == "person 0003"
    assert first.source == "gym:3"


def test_several_recordings_of_one_person() -> None:
    a, b = gym.record(1, seconds=10, person=7, placements=()), gym.record(2, seconds=10, person=7, placements=())
    assert a.subject == b.subject == "person 0007"
    assert a.id != b.id
    assert not same(a, b)
    bones = [np.linalg.norm(r.streams["pose"].values()[0, 4] - r.streams["pose"].values()[0, 3]) for r in (a, b)]
    assert bones[0] == pytest.approx(bones[1], abs=1e-5)


def test_streams_are_as_asked_and_pass_the_checks() -> None:
    made = gym.record(11, seconds=30, placements=("chest", "left_shin"), pose_rate_hz=25.0, imu_rate_hz=64.0)
    assert set(made.streams) == {"pose", "chest.acc", "chest.gyro", "left_shin.acc", "left_shin.gyro"}
    assert made.streams["pose"].length == 25 * 30
    assert made.streams["chest.acc"].length == 64 * 30
    _, findings = checks.check(made)
    assert findings == []
    assert made.duration_s == pytest.approx(30.0)
    resting = np.linalg.norm(made.streams["chest.acc"].values(), axis=1)
    assert np.median(resting) == pytest.approx(9.81, abs=0.6)


@pytest.mark.parametrize("seed", range(6))
def test_segments_are_in_order_and_leave_time_for_nothing(seed: int) -> None:
    made = gym.record(seed, seconds=90, placements=())
    assert made.segments
    assert all(a.end_s <= b.start_s for a, b in pairwise(made.segments))
    assert made.segments[0].start_s > 0.3
    assert made.segments[-1].end_s <= made.duration_s
    busy = sum(s.end_s - s.start_s for s in made.segments)
    assert 0.25 * 90 < busy < 0.97 * 90
    for segment in made.segments:
        assert segment.description
        assert (segment.repetitions is not None) == gym.MOVEMENTS[segment.label].counted


def bottoms(made: Recording, segment: Segment) -> int:
    """How often the pelvis is lowered in a segment, with hysteresis."""
    height = made.streams["pose"].values(*made.streams["pose"].between(segment.start_s, segment.end_s))[:, 0, 1]
    share = (height - height.min()) / np.ptp(height)
    state, count = True, 0
    for value in share:
        if state and value < 0.4:
            state, count = False, count + 1
        elif not state and value > 0.6:
            state = True
    return count


def test_repetitions_are_counted_true() -> None:
    segments = 0
    for seed in range(5):
        made = gym.record(seed, seconds=80, names=["squat", "deadlift"], placements=())
        for segment in made.segments:
            assert bottoms(made, segment) == segment.repetitions
            segments += 1
    assert segments >= 5


def test_a_recording_that_ends_within_a_set_counts_whole_repetitions() -> None:
    found = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        session = gym.perform(gym.someone(seed), [gym.Task("squat", 15, 0.0)], rng, seconds=25.0)
        for span in session.spans:
            assert span.end_s <= 25.0
            found += span.repetitions is not None and 0 < span.repetitions < 15
    assert found >= 6


@pytest.mark.parametrize("seed", range(8))
def test_nothing_jumps(seed: int) -> None:
    made = gym.record(100 + seed, seconds=60, pose_rate_hz=60.0, placements=())
    joints = made.streams["pose"].values().astype(float)[:, [0, 1, 2, 5, 8]]
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 60 < 9.0
    force = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1) * 3600
    assert force[:, :3].max() < 70.0
    assert force.max() < 140.0


def test_video_is_rendered_when_read_and_any_piece_is_the_same() -> None:
    made = gym.record(5, seconds=12, names=["biceps curl"], placements=(), video=CAMERA, video_rate_hz=5.0)
    rgb, depth = made.streams["video.rgb"], made.streams["video.depth"]
    assert (rgb.length, depth.length) == (60, 60)
    whole = rgb.values(20, 40)
    assert whole.shape == (20, 24, 32, 3)
    assert np.array_equal(rgb.values(31, 33), whole[11:13])
    assert depth.values(0, 2).dtype == np.uint16
    assert rgb.values(7, 7).shape == (0, 24, 32, 3)
    assert gym.record(5, seconds=12, placements=(), video=CAMERA, kinds=["depth"]).streams.keys() == {
        "pose", "video.depth"
    }  # fmt: skip


def test_clips_are_endless_seeded_and_of_one_movement_each() -> None:
    few = list(gym.clips(8, 2, names=["squat", "walking"], placements=("waist",)))
    assert [c.segments[0].label for c in few[:2]] in (["squat", "walking"], ["walking", "squat"])
    assert sum(c.segments[0].label == "squat" for c in few) == 4
    for clip in few:
        (segment,) = clip.segments
        assert segment.start_s == 0.0
        assert segment.end_s == pytest.approx(clip.duration_s, abs=0.05)
        assert segment.end_s <= clip.duration_s + 1e-9
    assert all(
        same(a, b)
        for a, b in zip(
            islice(gym.clips(None, 2, names=["walking", "squat"], placements=("waist",)), 3), few, strict=False
        )
    )
    assert len({c.id for c in few}) == 8


def test_sensor_models_apply_where_they_are_given() -> None:
    ideal, real = (
        gym.record(6, seconds=10, placements=("left_wrist", "waist"), sensors=sensors)
        for sensors in (None, {"left_wrist": WATCH})
    )
    assert np.array_equal(ideal.streams["waist.acc"].values(), real.streams["waist.acc"].values())
    assert np.abs(ideal.streams["left_wrist.acc"].values() - real.streams["left_wrist.acc"].values()).max() > 0.05


def test_a_plan_fills_the_time_with_what_was_named() -> None:
    tasks = gym.plan(np.random.default_rng(0), 1000.0, ["walking", "squat", "lunge"])
    assert {task.label for task in tasks} == {"walking", "squat", "lunge"}
    assert 700 < sum(task.seconds for task in tasks) + 7 * len(tasks) < 1001
    assert all(3 <= task.repetitions <= 15 for task in tasks if task.label != "walking")
    assert known("squat") == ("squat",)
    labels = [task.label for task in tasks]
    assert all(set(labels[k : k + 3]) == {"walking", "squat", "lunge"} for k in range(0, len(labels) - 2, 3))


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"no movement swim.*It has: squat"):
        gym.record(0, names=["swim"])
    with pytest.raises(ValueError, match="5 s or more"):
        gym.record(0, seconds=2)
    with pytest.raises(ValueError, match="pose_rate_hz"):
        gym.clips(pose_rate_hz=0.0)
    with pytest.raises(ValueError, match="add them to placements"):
        gym.record(0, placements=("waist",), sensors={"left_wrist": WATCH})
    with pytest.raises(ValueError, match="none named"):
        gym.plan(np.random.default_rng(0), 60.0, [])


def test_it_is_a_dataset(tmp_path: Path) -> None:
    assert gym.find(tmp_path) is not None
    assert gym.CARD.trainable
    assert gym.CARD.licence == "Apache-2.0"
    parts = gym.CARD.splits["people"].parts
    assert sorted(id for ids in parts.values() for id in ids) == sorted(gym.IDS)
    (one,) = gym.recordings(tmp_path, only=["p03_r1"], modalities=("imu",))
    assert one.id == "p03_r1"
    assert one.subject == "person 0003"
    assert {s.contract.modality for s in one.streams.values()} == {"imu"}
    (whole,) = gym.recordings(tmp_path, only="p03_r1")
    assert {s.contract.modality for s in whole.streams.values()} == {"imu", "pose", "video"}
    assert np.array_equal(whole.streams["left_wrist.acc"].values(), one.streams["left_wrist.acc"].values())
    with pytest.raises(DatasetError, match="p99"):
        gym.recordings(tmp_path, only=["p99_r0"])
    with pytest.raises(DatasetError, match="modalities"):
        gym.recordings(tmp_path, modalities=("text",))


@pytest.mark.parametrize("label", ["walking upstairs", "walking downstairs"])
def test_feet_stay_above_the_floor_that_is_drawn(label: str):
    """No stairs are drawn: the floor follows, smoothly, below the lower foot."""
    made = single(gym.someone(3), Task(label, 6, 8.0, ()), np.random.default_rng(1))
    at = np.arange(0, len(made.motion.positions), 4)
    floor = _drawn_floor(made, made.motion.rate_hz / 4, at)
    ankles = made.motion.positions[at][:, [J["left_ankle"], J["right_ankle"]], 1].min(1)
    assert (ankles - floor).min() > made.person.lengths["ankle"] - 0.02
    assert np.abs(np.diff(floor)).max() < 0.1
