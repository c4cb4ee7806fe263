"""Building from poses that are there: the same as with the estimator that found them, never those of another video."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import _videos
import numpy as np
import pytest
from typer.testing import CliRunner

from kinjo.builder import cluster, footage, pose_export, pose_files, run, stages
from kinjo.builder.errors import BuildError
from kinjo.builder.estimators import Seen
from kinjo.builder.stages import Settings
from kinjo.cli import app
from kinjo.datasets import gym
from kinjo.formats import pose_json
from kinjo.formats.pose_json import Poses

ASKED = Settings(short_side=48, placements=("right_wrist", "left_ankle"))
FILES = Settings(short_side=48, placements=("right_wrist", "left_ankle"), estimator="files")
SPANS = [(0.0, 1.94, "Squats"), (2.06, 5.0, "Squats x10"), (5.0, 7.5, "Rest")]
"""The second begins between two frames."""


@pytest.fixture(scope="module")
def body() -> tuple[np.ndarray, np.ndarray]:
    """World about the hips and pixels of 64 x 48, (frames, 17, ...) at 25 Hz, of somebody who squats."""
    room = np.asarray(gym.record(3, seconds=12.0, names=("squat",), sensors={}).streams["pose"].values(), float)
    at = np.arange(len(room)) / 30
    times = np.arange(int(at[-1] * 25)) / 25
    even = np.stack([np.interp(times, at, x) for x in room.reshape(len(room), -1).T], 1).reshape(-1, 17, 3)
    axes = even * (1.0, -1.0, -1.0)
    placed = axes - axes[:, :1].mean(0) + (0, 0, 4.0)
    return axes - axes[:, 9:10], placed[..., :2] / placed[..., 2:] * 55.4 + (32.0, 24.0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, body: tuple[np.ndarray, np.ndarray]) -> list[str]:
    """An estimator that sees the body above, unsurely now and then and nobody in the dark. How often it was used."""
    used: list[str] = []

    def see(pictures: Iterable[np.ndarray]) -> Seen:
        bright = np.array([p.mean() > 4 for p in pictures])
        used.append("once")
        world, image = (x[: len(bright), None].astype(np.float32) for x in body)
        sure = np.repeat(bright[:, None, None], 17, 2).astype(np.float32)
        sure[::7, 0, 5] *= np.float32(0.3)
        return Seen("canonical", image, sure, world)

    monkeypatch.setattr(stages, "estimator", lambda name, sha256: see)
    return used


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    root.mkdir()
    grey = lambda k, h, w: _videos.picture(20, h, w)  # noqa: E731
    dark = lambda k, h, w: np.full((h, w, 3), 0 if k >= 20 else 12, np.uint8)  # noqa: E731
    _videos.write(root / "01_workout.mp4", 200, chapters=SPANS, show=grey)
    _videos.write(root / "alone.mp4", 75, show=lambda k, h, w: _videos.picture(30, h, w))
    _videos.write(root / "dark.mp4", 75, show=dark)
    return root


def built(folder: Path, out: Path, settings: Settings) -> run.Built:
    return run.build([folder], out, settings, workers=0, progress=False)


def arrays(out: Path, id: str, name: str) -> dict[str, np.ndarray]:
    with np.load(out / "clips" / id / name) as kept:
        return {key: kept[key] for key in kept.files}


def poses(body: tuple[np.ndarray, np.ndarray], rows: int = 75, **more: Any) -> Poses:
    """The body as a file of the 75 frames of ``alone.mp4`` tells it."""
    world, image = (x[:rows, None].astype(np.float32) for x in body)
    told: dict[str, Any] = {"frames": np.arange(rows), "size": (48, 64)} | more
    return Poses("canonical", image, np.ones((rows, 1, 17), np.float32), world, "px", **told)


def said(folder: Path, out: Path, poses: Poses | Any) -> str:
    """Why ``alone.mp4`` is refused with a file of these poses; "" where it is kept."""
    path = folder / "alone.poses.json"
    if isinstance(poses, Poses):
        pose_json.write(poses, path)
    else:
        path.write_text(json.dumps(poses))
    return built(folder / "alone.mp4", out, FILES).refused.get("alone___0", "")


# ------------------------------------------------------------------------------------------------ round trip
def test_a_build_from_its_own_export_is_the_same(folder: Path, asked: list[str], tmp_path: Path):
    first = built(folder, tmp_path / "first", ASKED)
    assert set(first.kept) == {"01_workout___0", "01_workout___1", "01_workout___2", "alone___0"}
    assert "a person in 27% of the frames" in first.refused["dark___0"]
    made = pose_export.export(tmp_path / "first", folder)
    assert made == {"01_workout.poses.json": 3, "alone.poses.json": 1, "dark.poses.json": 1}
    count = len(asked)
    second = built(folder, tmp_path / "second", FILES)
    assert len(asked) == count
    assert (second.kept, second.refused) == (first.kept, first.refused)
    for id in first.kept:
        for name in ("pose.npz", "motion.npz"):
            one, two = (arrays(tmp_path / which, id, name) for which in ("first", "second"))
            assert set(one) == set(two)
            for key in one:
                np.testing.assert_array_equal(one[key], two[key], err_msg=f"{id} {name} {key}")
    other = built(folder, tmp_path / "second", Settings(short_side=48, placements=("chest",), estimator="files"))
    assert other.kept == first.kept
    assert "chest.acc" in arrays(tmp_path / "second", "alone___0", "motion.npz")
    assert len(asked) == count


def test_other_sizes_and_spans_take_the_same_poses(folder: Path, asked: list[str], tmp_path: Path):
    built(folder, tmp_path / "first", ASKED)
    pose_export.export(tmp_path / "first", folder)
    (folder / "alone.chapters.csv").write_text("start,end,title\n1.0,2.5,Squats\n")
    built(folder, tmp_path / "second", Settings(short_side=24, placements=("chest",), estimator="files"))
    whole = arrays(tmp_path / "first", "alone___0", "pose.npz")["image"]
    part = arrays(tmp_path / "second", "alone___0", "pose.npz")["image"]
    assert len(part) in (37, 38)
    np.testing.assert_allclose(part, whole[25 : 25 + len(part)] / 2, rtol=1e-5)


def test_an_export_goes_over_no_other_file(folder: Path, asked: list[str], tmp_path: Path):
    with pytest.raises(BuildError, match="holds no manifest"):
        pose_export.export(tmp_path, tmp_path / "to")
    built(folder, tmp_path / "out", ASKED)
    pose_export.export(tmp_path / "out", tmp_path / "to")
    before = {p.name: p.read_bytes() for p in (tmp_path / "to").iterdir()}
    pose_export.export(tmp_path / "out", tmp_path / "to")
    assert {p.name: p.read_bytes() for p in (tmp_path / "to").iterdir()} == before
    (tmp_path / "to" / "alone.poses.json").write_text("[]")
    (tmp_path / "to" / "dark.poses.json").unlink()
    with pytest.raises(BuildError, match=r"holds another alone\.poses\.json"):
        pose_export.export(tmp_path / "out", tmp_path / "to")
    assert not (tmp_path / "to" / "dark.poses.json").exists()
    (tmp_path / "out" / "clips" / "alone___0" / "pose.npz").unlink()
    with pytest.raises(BuildError, match="run the same build again"):
        pose_export.export(tmp_path / "out", tmp_path / "else")


def test_videos_of_one_name_are_exported_apart(folder: Path, asked: list[str], tmp_path: Path):
    (folder / "more").mkdir()
    _videos.write(folder / "more" / "alone.mp4", 75, show=lambda k, h, w: _videos.picture(40, h, w))
    built(folder, tmp_path / "out", ASKED)
    with pytest.raises(BuildError, match=r"two of its videos would have alone\.poses\.json"):
        pose_export.export(tmp_path / "out", tmp_path / "to")


# ------------------------------------------------------------------------------------------------ files of others
def test_a_changed_file_is_read_again(folder: Path, body: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    out = tmp_path / "out"
    assert "no alone.poses.json beside the video" in built(folder / "alone.mp4", out, FILES).refused["alone___0"]
    assert said(folder, out, poses(body)) == ""
    key = json.loads((out / "clips" / "alone___0" / "pose.json").read_text())["key"]
    before = (out / "clips" / "alone___0" / "pose.npz").stat().st_mtime_ns
    assert said(folder, out, poses(body)) == ""
    assert (out / "clips" / "alone___0" / "pose.npz").stat().st_mtime_ns == before
    moved = poses((body[0], body[1] + 1.0))
    assert said(folder, out, moved) == ""
    assert json.loads((out / "clips" / "alone___0" / "pose.json").read_text())["key"] != key
    np.testing.assert_allclose(arrays(out, "alone___0", "pose.npz")["image"], moved.image[:, 0], rtol=1e-6)


def test_poses_without_depth_stay_a_pose(folder: Path, body: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    from kinjo.corpus import Corpus

    flat = np.zeros((75, 17, 3))
    flat[..., :2], flat[..., 2] = body[1][:75], 0.9
    found = [{"image_id": k, "category_id": 1, "keypoints": row.ravel().tolist()} for k, row in enumerate(flat)]
    assert said(folder, tmp_path / "out", found) == ""
    one = Corpus.open(tmp_path / "out" / "corpus").recording("alone___0")
    assert set(one.streams) == {"video", "pose"}
    contract = one.streams["pose"].contract
    assert (contract.units, contract.skeleton) == ("px", "coco17")


def test_landmarks_are_shares_of_the_picture(folder: Path, body: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    def points(rows: np.ndarray) -> list[dict[str, float]]:
        return [{**dict(zip("xyz", map(float, row), strict=False)), "visibility": 0.99} for row in rows]

    order = np.arange(33) % 17
    found = [
        {"pose_landmarks": points((image / (64, 48))[order]), "pose_world_landmarks": points(world[order])}
        for world, image in zip(*(x[:75] for x in body), strict=True)
    ]
    assert said(folder, tmp_path / "out", {"frames": found, "fps": 30}) == ""  # as many as frames: theirs are the times
    kept = arrays(tmp_path / "out", "alone___0", "pose.npz")
    np.testing.assert_allclose(kept["image"], body[1][:75, order], rtol=1e-5)
    np.testing.assert_allclose(kept["world"], body[0][:75, order], rtol=1e-4, atol=1e-6)


def test_the_largest_of_several_is_followed(folder: Path, body: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    one = poses(body)
    far = np.nanmean(one.image, axis=(0, 1, 2)) + (one.image - np.nanmean(one.image, axis=(0, 1, 2))) / 3 + (15, 0)
    order = np.arange(75) % 2  # who is first changes from frame to frame
    both = np.stack([one.image[:, 0], far[:, 0].astype(np.float32)], 1)
    both = both[np.arange(75)[:, None], np.stack([order, 1 - order], 1)]
    two = Poses("canonical", both, np.ones((75, 2, 17), np.float32), None, "px", np.arange(75), size=(48, 64))
    assert said(folder, tmp_path / "out", two) == ""
    np.testing.assert_array_equal(arrays(tmp_path / "out", "alone___0", "pose.npz")["image"], one.image[:, 0])


def test_frames_of_a_phone_come_when_they_come(folder: Path, tmp_path: Path):
    stamps = np.cumsum([0, *([1, 2, 1, 1, 3] * 30)][:120]).tolist()
    path = _videos.write(tmp_path / "phone.mp4", 120, 60, pts=stamps)
    np.testing.assert_allclose(pose_files.frame_times(path, "a"), np.array(stamps) / 60, atol=1e-4)
    assert len(pose_files.frame_times(folder / "alone.mp4", "b")) == 75
    (tmp_path / "no.mp4").write_bytes(b"no")
    with pytest.raises(BuildError, match="not a video"):
        pose_files.frame_times(tmp_path / "no.mp4", "c")


WRONG = [
    ({"rows": 60}, "60 frames, the video has 75"),
    ({"rows": 80}, "80 frames, the video has 75"),
    ({"rows": 60, "rate_hz": 25.0}, "60 frames at 25 Hz are 2.40 s, the video has 75 in 3.00 s"),
    ({"rows": 75, "times_s": np.arange(75) / 20}, "of a video of 3.00 s"),
    ({"rows": 75, "times_s": np.arange(75) / 25 - 1}, "of a video of 3.00 s"),
    ({"rows": 15, "rate_hz": 5.0}, "5.0 poses a second for 25.0 pictures"),
    ({"rows": 75, "video_sha256": "ab" * 32}, "poses of another video"),
    ({"rows": 75, "size": (64, 48)}, "upright, whole picture"),
    ({"rows": 60, "complete": False}, "60 frames, the video has 75"),
    ({"rows": 10, "times_s": np.arange(10) / 25}, "a person in 13% of the frames"),
]


@pytest.mark.parametrize(("more", "why"), WRONG)
def test_poses_of_another_video(
    more: dict[str, Any], why: str, folder: Path, body: tuple[np.ndarray, np.ndarray], tmp_path: Path
):
    found = said(folder, tmp_path / "out", poses(body, **more))
    assert why in found
    assert str(tmp_path) not in found


FINE: list[dict[str, Any]] = [
    {"rows": 74}, {"rows": 77}, {"rows": 70, "complete": False}, {"rows": 60, "rate_hz": 20.0},
    {"rows": 38, "frames": np.arange(38) * 2}, {"rows": 60, "times_s": np.arange(60) / 25},
]  # fmt: skip


@pytest.mark.parametrize("more", FINE)
def test_poses_that_can_be_of_the_video(
    more: dict[str, Any], folder: Path, body: tuple[np.ndarray, np.ndarray], tmp_path: Path
):
    assert said(folder, tmp_path / "out", poses(body, **more)) == ""


def test_what_is_no_file_of_poses_is_a_reason(folder: Path, body: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    assert "a list of frames, or an object" in said(folder, tmp_path / "out", {"mine": 1})
    (folder / "alone.chapters.csv").write_text("start,end,title\n2.0,2.9,Squats\n")
    early = poses(body, rows=30, times_s=np.arange(30) / 25)
    settings = Settings(short_side=48, shortest_s=0.5, estimator="files")
    pose_json.write(early, folder / "alone.poses.json")
    found = run.build([folder / "alone.mp4"], tmp_path / "out", settings, workers=0, progress=False).refused
    assert "no pose between 2.0 and 2.9 s" in found["alone___0"]
    (folder / "alone.chapters.csv").unlink()
    outside = poses((body[0], body[1] + 500.0))
    assert "outside the picture of 64 x 48" in said(folder, tmp_path / "more", outside)


# ------------------------------------------------------------------------------------------------ the command line
def test_from_the_command_line(folder: Path, asked: list[str], tmp_path: Path):
    def kinjo(*words: object) -> Any:
        got = CliRunner().invoke(app, ["build", *map(str, words), "--json"])
        assert got.exit_code == 0, got.output
        return json.loads(got.stdout.splitlines()[-1])

    video = folder / "alone.mp4"
    assert kinjo("videos", video, "-o", tmp_path / "first", "--workers", 0)["kept"] == 1
    found = kinjo("poses", tmp_path / "first", "--to", folder)
    assert found["clips"] == {"alone.poses.json": 1}
    words = ("videos", video, "-o", tmp_path / "second", "--workers", 1, "--estimator", "files")
    assert kinjo(*words)["kept"] == 1
    assert len(asked) == 1


def test_a_cluster_takes_files_for_no_path(tmp_path: Path):
    assert cluster.outcomes([], tmp_path / "clips", FILES) == {}
    with pytest.raises(BuildError, match="full path"):
        cluster.outcomes([], tmp_path / "clips", Settings(estimator="a.onnx"))


def test_the_clip_shows_the_frame_that_the_pose_is_of(folder: Path, tmp_path: Path):
    """The picture at a clip's time and the pose there are at most a frame apart, wherever the clip begins."""
    path = _videos.write(tmp_path / "count.mp4", 50)
    times = pose_files.frame_times(path, "count")
    for start in (0.0, 0.013, 0.5, 1.03):
        shown = [_videos.number(p) for p in footage.frames(path, start, 2.0, 25.0, 48)]
        wanted = start + np.arange(len(shown)) / 25
        exact = np.interp(wanted, times, np.arange(50))
        assert np.abs(exact - shown).max() <= 1.0
