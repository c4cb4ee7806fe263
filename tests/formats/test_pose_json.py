"""Poses of other programs: every form read to the number, times between, and damaged files that are never believed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.formats import FormatError, pose_json
from kinjo.formats.pose_json import Poses, at, read, write
from kinjo.formats.pose_rows import MOST_CELLS


def kept(folder: Path, value: Any, name: str = "a.poses.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def person(k: int, sure: float = 0.9) -> list[float]:
    """COCO's 51 numbers of somebody in frame ``k``."""
    return [x for j in range(17) for x in (100.0 + k + j, 50.0 + 2 * j, sure)]


def results(frames: int = 6) -> list[dict[str, Any]]:
    return [{"image_id": k, "category_id": 1, "keypoints": person(k), "score": 0.8} for k in range(frames)]


def dataset() -> dict[str, Any]:
    """Three pictures whose ids are of another order than their names, the second with two people, the last empty."""
    images = [{"id": 30 - k, "file_name": f"run/v_{k:03d}.jpg", "height": 480, "width": 640} for k in (2, 1, 3)]
    entries = [{"id": i, "image_id": 30 - k, "category_id": 1, "keypoints": person(k)} for i, k in enumerate((1, 2, 2))]
    crowd = {"id": 9, "image_id": 27, "category_id": 1, "num_keypoints": 0, "keypoints": [0] * 51}
    other = {"id": 10, "image_id": 27, "category_id": 18, "bbox": [0, 0, 1, 1]}
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    return {"images": images, "annotations": [*entries, crowd, other], "categories": categories}


def landmarks(k: int, scale: float = 1.0) -> list[dict[str, float]]:
    return [{"x": scale * (0.3 + k / 100), "y": 0.01 * j, "z": -0.1, "visibility": 0.97} for j in range(33)]


def frames(count: int = 6) -> list[dict[str, Any] | None]:
    some = [{"pose_landmarks": landmarks(k), "pose_world_landmarks": landmarks(k)} for k in range(count)]
    return [*some[:2], None, *some[3:]]


def own(people: int = 2, rows: int = 5) -> Poses:
    rng = np.random.default_rng(0)
    image = rng.normal(300, 100, (rows, people, 17, 2)).astype(np.float32)
    world = rng.normal(0, 0.5, (rows, people, 17, 3)).astype(np.float32)
    sure = rng.uniform(0, 1, (rows, people, 17)).astype(np.float32)
    image[1, 0, 3], world[1, 0, 3], sure[1, 0, 3] = np.nan, np.nan, 0
    image[2, -1], world[2, -1], sure[2, -1] = np.nan, np.nan, 0
    times = 2.0 + np.arange(rows) / 29.97
    return Poses("coco17", image, sure, world, "px", np.arange(rows), True, times, 29.97, (480, 640), "ab" * 32)


# ------------------------------------------------------------------------------------------------ forms
def test_results_of_coco(tmp_path: Path):
    found = results()
    del found[3]
    found.append({"image_id": 1, "category_id": 1, "keypoints": person(50, 0.4), "score": 0.1})
    poses = read(kept(tmp_path, found))
    assert (poses.skeleton, poses.units, poses.complete, poses.world) == ("coco17", "px", False, None)
    assert poses.frames.tolist() == [0, 1, 2, 4, 5]
    assert poses.image.shape == (5, 2, 17, 2)
    np.testing.assert_array_equal(poses.image[3, 0, :, 0], 104 + np.arange(17))
    np.testing.assert_allclose(poses.confidence[1, 1], 0.4)
    assert np.isnan(poses.image[0, 1]).all()
    assert (poses.confidence[0, 1] == 0).all()
    named = [entry | {"image_id": f"v_{entry['image_id'] + 1:04d}.jpg"} for entry in results()]
    assert read(kept(tmp_path, named)).frames.tolist() == [0, 1, 2, 3, 4, 5]  # counted from 1


def test_a_data_set_of_coco_is_in_the_order_of_its_names(tmp_path: Path):
    poses = read(kept(tmp_path, dataset()))
    assert (poses.frames.tolist(), poses.complete, poses.size) == ([0, 1, 2], True, (480, 640))
    np.testing.assert_array_equal(poses.image[:2, 0, 0, 0], [101, 102])
    assert np.isfinite(poses.image[:, 1]).all((1, 2)).tolist() == [False, True, False]
    assert np.isnan(poses.image[2]).all()
    by_id = dataset()
    for image in by_id["images"]:
        image["file_name"] = "frame.jpg"
    assert read(kept(tmp_path, by_id)).frames.tolist() == [27, 28, 29]


def test_flags_of_labelled_joints(tmp_path: Path):
    found = dataset()
    found["annotations"][0]["keypoints"] = [0, 0, 0, 5, 6, 1] + [7, 8, 2] * 15
    for entry in found["annotations"][1:3]:
        entry["keypoints"] = [7, 8, 2] * 17
    poses = read(kept(tmp_path, found))
    assert poses.confidence[0, 0, :3].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(poses.image[0, 0, 0]).all()


def test_landmarks_of_mediapipe(tmp_path: Path):
    poses = read(kept(tmp_path, {"frames": frames(), "fps": 25, "width": 640, "height": 480}))
    assert (poses.skeleton, poses.units, poses.rate_hz, poses.size) == ("mediapipe33", "normalised", 25.0, (480, 640))
    assert poses.image.shape == (6, 1, 33, 2)
    assert poses.world is not None
    np.testing.assert_allclose(poses.image[5, 0, 4], [0.35, 0.04])
    np.testing.assert_allclose(poses.world[5, 0, 4], [0.35, 0.04, -0.1], rtol=1e-6)
    assert np.isnan(poses.image[2]).all()
    assert (poses.confidence[2] == 0).all()
    np.testing.assert_allclose(pose_json.clock(poses), np.arange(6) / 25)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: {"pose_landmarks": [f["pose_landmarks"]]},
        lambda f: {"landmarks": {"landmark": f["pose_landmarks"]}},
        lambda f: {"pose_landmarks": [{"landmarks": f["pose_landmarks"]}]},
        lambda f: [list(p.values()) for p in f["pose_landmarks"]],
        lambda f: {"poseLandmarks": f["pose_landmarks"]},
    ],
)
def test_other_ways_to_write_landmarks(change: Callable[[dict[str, Any]], Any], tmp_path: Path):
    plain = [frame and {"pose_landmarks": frame["pose_landmarks"]} for frame in frames()]
    wanted = read(kept(tmp_path, plain))
    found = read(kept(tmp_path, [[] if frame is None else change(frame) for frame in plain]))
    np.testing.assert_array_equal(found.image, wanted.image)
    np.testing.assert_array_equal(found.confidence, wanted.confidence)


@pytest.mark.parametrize(
    ("key", "unit"),
    [("time_s", 1.0), ("timestamp_ms", 1e3), ("timestamp", 1.0), ("timestamp", 1e3), ("timestamp", 1e6)],
)
def test_frames_tell_their_times(key: str, unit: float, tmp_path: Path):
    times = 0.2 + np.arange(6) / 30
    found = [(frame or {}) | {key: t * unit} for frame, t in zip(frames(), times.tolist(), strict=True)]
    poses = read(kept(tmp_path, {"frames": found, "fps": 60}))
    assert poses.times_s is not None
    np.testing.assert_allclose(poses.times_s, times)
    assert poses.rate_hz == pytest.approx(30)


def test_frames_tell_their_numbers(tmp_path: Path):
    found = [(frame or {}) | {"frame": 3 + 2 * i} for i, frame in enumerate(frames())]
    poses = read(kept(tmp_path, found))
    assert (poses.frames.tolist(), poses.complete) == ([3, 5, 7, 9, 11, 13], False)


def test_without_visibility_landmarks_are_believed(tmp_path: Path):
    bare = [{"landmarks": [{"x": p["x"], "y": p["y"]} for p in landmarks(0)]}]
    assert (read(kept(tmp_path, bare)).confidence == 1).all()
    del bare[0]["landmarks"][4]["x"]
    with pytest.raises(FormatError, match="xy of each landmark"):
        read(kept(tmp_path, bare))


# ------------------------------------------------------------------------------------------------ kinjo's own
def test_what_is_written_is_read_again(tmp_path: Path):
    path = tmp_path / "a.poses.json"
    write(own(), path)
    found = read(path)
    for name in ("image", "confidence", "world", "times_s", "frames"):
        np.testing.assert_array_equal(getattr(found, name), getattr(own(), name))
    assert (found.rate_hz, found.size, found.video_sha256, found.skeleton) == (29.97, (480, 640), "ab" * 32, "coco17")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    told = json.loads(path.read_text())
    assert told["kinjo_poses"] == 1
    assert told["joints"][0] == "nose"
    assert told["people"][1]["image"][2] is None


@pytest.mark.parametrize("value", [results(), dataset(), frames()])
def test_other_forms_are_written_as_kinjos(value: Any, tmp_path: Path):
    first = read(kept(tmp_path, value))
    write(first, tmp_path / "b.poses.json")
    again = read(tmp_path / "b.poses.json")
    np.testing.assert_array_equal(again.image, first.image)
    np.testing.assert_array_equal(again.frames, first.frames)
    assert (again.units, again.complete, again.size) == (first.units, first.complete, first.size)


@given(st.lists(st.floats(-1e5, 1e5, width=32), min_size=34, max_size=34))
def test_every_float32_comes_back(tmp_path_factory: pytest.TempPathFactory, values: list[float]):
    image = np.array(values, np.float32).reshape(1, 1, 17, 2)
    path = tmp_path_factory.mktemp("one") / "a.poses.json"
    write(Poses("coco17", image, np.ones((1, 1, 17), np.float32), None, "px", np.arange(1)), path)
    np.testing.assert_array_equal(read(path).image, image)


def test_a_clip_without_anybody_is_written(tmp_path: Path):
    nobody = Poses(
        "coco17", np.full((3, 1, 17, 2), np.nan, np.float32), np.zeros((3, 1, 17), np.float32), None, "px",
        np.arange(3), True, np.arange(3) / 30,
    )  # fmt: skip
    write(nobody, tmp_path / "a.json")
    assert not read(tmp_path / "a.json").confidence.any()


def test_arrays_of_poses_fit_each_other():
    with pytest.raises(ValueError, match="expected"):
        Poses("coco17", np.zeros((3, 1, 16, 2), np.float32), np.zeros((3, 1, 16), np.float32), None, "px", np.arange(3))
    with pytest.raises(ValueError, match="skeleton 'me'"):
        Poses("me", np.zeros((3, 1, 17, 2), np.float32), np.zeros((3, 1, 17), np.float32), None, "px", np.arange(3))


# ------------------------------------------------------------------------------------------------ other times
def line(rate: float = 30.0, rows: int = 30, people: int = 1) -> Poses:
    """Everything at x = 60 t, y = 0."""
    image = np.zeros((rows, people, 17, 2), np.float32)
    image[..., 0] = (60 * np.arange(rows) / rate)[:, None, None]
    sure = np.full((rows, people, 17), 0.8, np.float32)
    return Poses("coco17", image, sure, None, "px", np.arange(rows), True, None, rate)


def test_own_times_give_the_same_poses():
    poses = line()
    found = at(poses, np.arange(30) / 30)
    np.testing.assert_array_equal(found.image, poses.image)
    np.testing.assert_array_equal(found.confidence, poses.confidence)


@given(st.floats(15, 120), st.floats(0, 0.3))
def test_one_person_moves_on_a_line(rate: float, start: float):
    times = start + np.arange(10) / 37
    found = at(line(rate, rows=int(rate) + 1), times)
    inside = times <= int(rate) / rate
    np.testing.assert_allclose(found.image[inside, 0, 0, 0], 60 * times[inside], atol=1e-3)


def test_of_several_the_nearest_counts():
    found = at(line(people=2), np.array([0.0, 0.012, 0.022, 0.98, 1.2]))
    np.testing.assert_allclose(found.image[:4, 1, 0, 0], [0.0, 0.0, 2.0, 58.0])
    assert np.isnan(found.image[4]).all()
    assert (found.confidence[4] == 0).all()


def test_nothing_is_invented_in_a_gap():
    whole = line()
    keep = np.r_[0:10, 20:30]
    poses = Poses(
        "coco17", whole.image[keep], whole.confidence[keep], None, "px", np.arange(20), True, keep / 30, 30.0
    )  # fmt: skip
    found = at(poses, np.arange(60) / 60)
    known = np.array(np.isfinite(found.image).all((1, 2, 3)))
    assert known[:19].all()
    assert not known[20:39].any()
    assert known[40:].all()
    whole.confidence[5, 0, 2] = 0.1
    assert at(whole, [4.5 / 30]).confidence[0, 0, 2] == np.float32(0.1)


def test_frames_without_a_rate_have_no_times(tmp_path: Path):
    with pytest.raises(ValueError, match="how many frames a second"):
        at(read(kept(tmp_path, results())), [0.0])


# ------------------------------------------------------------------------------------------------ damage
def changed(make: Callable[[], Any], change: Callable[[Any], Any]) -> Any:
    value = make()
    out = change(value)
    return value if out is None else out


def text(poses: Poses, folder: Path) -> dict[str, Any]:
    write(poses, folder / "t.json")
    return json.loads((folder / "t.json").read_text())


def drop(inside: Any, key: Any) -> None:
    del inside[key]


WRONG: list[tuple[Callable[[], Any], Callable[[Any], Any], str]] = [
    (results, lambda v: v[2].update(keypoints=v[2]["keypoints"][:48]), "2: keypoints: expected 3 numbers of 17 joints"),
    (results, lambda v: v[2].update(keypoints=person(2) + [1.0] * 27), "Keep COCO's 17 joints"),
    (results, lambda v: v[2]["keypoints"].__setitem__(4, None), "expected numbers, given null"),
    (results, lambda v: v[2]["keypoints"].__setitem__(4, "5"), "expected numbers"),
    (results, lambda v: v[2]["keypoints"].__setitem__(4, True), "expected numbers"),
    (results, lambda v: v[2]["keypoints"].__setitem__(4, 1e7), "numbers up to 100000"),
    (results, lambda v: v[2]["keypoints"].__setitem__(4, 10**400), "numbers up to 100000"),
    (results, lambda v: v[2]["keypoints"].__setitem__(5, 7.3), "confidences from 0 to 1"),
    (results, lambda v: v[2]["keypoints"].__setitem__(5, -0.5), "confidences from 0 to 1"),
    (results, lambda v: v[2].update(keypoints={}), "51 numbers, given an object"),
    (results, lambda v: v[2].update(image_id=-1), "a whole number"),
    (results, lambda v: v[2].update(image_id="x.jpg"), "some of each"),
    (results, lambda v: v[2].update(category_id=3), "persons alone"),
    (
        results,
        lambda v: [e | {"image_id": f"v{e['image_id'] % 2}_{e['image_id']}"} for e in v],
        "pictures of one video",
    ),
    (results, lambda v: [e | {"image_id": "last"} for e in v], "names that end in a number"),
    (results, lambda v: v.append({"pose_landmarks": landmarks(0)}), "one form alone"),
    (results, lambda v: [e | {"keypoints": person(0, 0.0)} for e in v], "confidences above 0"),
    (results, lambda v: v * 65, "at most 64 people"),
    (dataset, lambda v: v["images"][0].update(id=29), "ids that differ"),
    (dataset, lambda v: v["images"][0].update(width=641), "pictures of one size"),
    (dataset, lambda v: v["images"].clear(), "an empty list"),
    (dataset, lambda v: v["annotations"][0].update(image_id=5), "image_id of an image"),
    (dataset, lambda v: v["categories"][0].update(keypoints=["left_eye", "nose"]), "into COCO's order"),
    (dataset, lambda v: drop(v["categories"], 0), "one named person"),
    (dataset, lambda v: v["images"][1].update(file_name="other/v_001.jpg"), "pictures of one video"),
    (frames, lambda v: drop(v[3]["pose_landmarks"], -1), "frame 3: expected 33 landmarks, given 32"),
    (frames, lambda v: drop(v[3], "pose_world_landmarks"), "of all or none"),
    (frames, lambda v: drop(v[3]["pose_landmarks"][5], "visibility"), "visibility of all"),
    (frames, lambda v: v[3]["pose_landmarks"][5].update(x="left"), "expected numbers"),
    (frames, lambda v: v[3]["pose_landmarks"][5].update(x=1e300), "numbers up to 100"),
    (frames, lambda v: v[3]["pose_world_landmarks"][5].update(z=850.0), "numbers up to 20"),
    (frames, lambda v: v[3].update(time_s=1.0), "time_s, as in other frames"),
    (frames, lambda v: v[3].update(frame=1.0), "frame, as in other frames"),
    (frames, lambda v: v.__setitem__(3, 7), "or null"),
    (frames, lambda v: v.__setitem__(3, results()[0]), "one form alone"),
    (frames, lambda v: [None] * 5, "none in any frame"),
    (frames, lambda v: [{"pose_landmarks": None}] * 5, "nobody in any frame"),
    (frames, lambda v: [{"joints": []}] * 5, "Is it what the estimator wrote"),
    (frames, lambda v: [f and f | {"pose_landmarks": landmarks(0, 90.0)} for f in v], "shares of the picture"),
    (frames, lambda v: [(f or {}) | {"time_s": i // 2} for i, f in enumerate(v)], "values that increase"),
    (frames, lambda v: [(f or {}) | {"time_s": 1.7e9 + i / 30} for i, f in enumerate(v)], "the start of the video"),
    (frames, lambda v: [(f or {}) | {"time_s": i * 1e-6} for i, f in enumerate(v)], "frames a second"),
    (frames, lambda v: [(f or {}) | {"timestamp": i * 2.0} for i, f in enumerate(v)], "Name it time_s"),
    (frames, lambda v: {"frames": v, "fps": 0}, "fps: expected a number above 0"),
    (frames, lambda v: {"frames": v, "fps": "30"}, "expected numbers"),
    (frames, lambda v: {"frames": v, "width": 640}, "height: expected a whole number"),
    (frames, lambda v: {"poses": v}, "a list of frames, or an object"),
]


@pytest.mark.parametrize(("make", "change", "said"), WRONG)
def test_what_is_wrong_is_said(make: Callable[[], Any], change: Callable[[Any], Any], said: str, tmp_path: Path):
    with pytest.raises(FormatError, match=said) as error:
        read(kept(tmp_path, changed(make, change)))
    assert str(error.value).startswith("a.poses.json")


OWN: list[tuple[Callable[[Any], Any], str]] = [
    (lambda v: v.update(kinjo_poses=2), "Upgrade kinjo"),
    (lambda v: v.update(skeleton="me"), "skeleton: expected one of"),
    (lambda v: v["joints"].reverse(), "joints: expected those of coco17"),
    (lambda v: v.update(units="cm"), "px or normalised"),
    (lambda v: v.update(video_sha256="12"), "64 hexadecimal"),
    (lambda v: v["times_s"].reverse(), "values that increase"),
    (lambda v: drop(v["times_s"], -1), "4 rows, as many as times"),
    (lambda v: drop(v, "times_s"), "a list of the rows' times"),
    (lambda v: drop(v, "people"), "people: expected a list"),
    (lambda v: drop(v["people"][0], "world"), "of all or none"),
    (lambda v: drop(v["people"][0]["image"][3], -1), "row 3: expected 34 numbers"),
    (lambda v: v["people"][0]["world"][3].__setitem__(0, 1700.0), "numbers up to 20"),
    (lambda v: v.update(rate_hz=-3), "above 0"),
    (lambda v: v.update(people=v["people"] * 40), "a list of 1 to 64"),
    (lambda v: v.update(times_s=(np.arange(MOST_CELLS // 30) / 100).tolist()), "joints in all"),
    (lambda v: v.update(times_s=None, frames=[0, 1, 2, 3, 4]), "true or false"),
    (lambda v: v.update(times_s=None, frames=[0, 1, 2, 3, 4.5], complete=True), "whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), OWN)
def test_what_is_wrong_in_kinjos_own(change: Callable[[Any], Any], said: str, tmp_path: Path):
    with pytest.raises(FormatError, match=said):
        read(kept(tmp_path, changed(lambda: text(own(), tmp_path), change)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "an empty file"), ("[" * 100_000, "without end"), ('[{"keypoints": [1, 2', "cut off or damaged"),
        ("[]", "a list of frames"), ("7", "a list of frames"), ("null", "a list of frames"), ("[[]]", "nobody"),
        ("[NaN]", "Write null"), ('[{"image_id": 0, "keypoints": [Infinity]}]', "given Infinity"),
        ('[{"image_id": 0, "keypoints": [' + "9" * 5000 + "]}]", "cut off or damaged"), ("\0\1", "expected text"),
        ('{"annotations": [1e999]}', "images"), ('[{"keypoints": ' + "[" * 900 + "]" * 900 + "}]", "image_id"),
        ('{"kinjo_poses": 1, "skeleton": ' + "[" * 900 + "]" * 900 + "}", "one of canonical"),
    ],
)  # fmt: skip
def test_rubbish_is_refused(words: str, said: str, tmp_path: Path):
    with pytest.raises(FormatError, match=said):
        read(kept(tmp_path, words))


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(FormatError, match="Correct the path"):
        read(tmp_path / "gone.json")
    monkeypatch.setattr("kinjo.formats.errors.LARGEST", 100)
    with pytest.raises(FormatError, match="at most 100 bytes"):
        read(kept(tmp_path, results()))
    monkeypatch.setattr("kinjo.formats.pose_json.LARGEST", 100)
    with pytest.raises(FormatError, match="in parts"):
        write(own(), tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()


def sane(poses: Poses) -> None:
    """What every answer holds, whatever was read."""
    assert 0 <= poses.confidence.min() <= poses.confidence.max() <= 1
    assert np.isfinite(poses.confidence).all()
    for values, far in ((poses.image, 1e5), (poses.world, 20.0)):
        assert values is None or not (np.abs(values) > far).any()
    assert poses.times_s is None or (np.isfinite(poses.times_s).all() and (np.diff(poses.times_s) > 0).all())
    assert (np.diff(poses.frames) > 0).all()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from([10**400, -1, 1e308, [], {}]),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=4), inside, max_size=4),
    max_leaves=8,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of everything in a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, one in inside for p in places(one, (*path, key)))]


@pytest.mark.parametrize("form", ["results", "dataset", "frames", "own"])
def test_whatever_is_changed_the_answer_is_sane_or_an_error(form: str, tmp_path: Path):
    whole = {"results": results, "dataset": dataset, "frames": frames, "own": lambda: text(own(), tmp_path)}[form]()
    # deep places are many and alike: half of the changes are near the top
    every = places(whole)
    near = [place for place in every if len(place) <= 3]

    @given(st.sampled_from(every[1:]) | st.sampled_from(near[1:]), JSON, st.sampled_from(["set", "drop", "twice"]))
    def holds(place: tuple[Any, ...], new: Any, how: str) -> None:
        value = copy.deepcopy(whole)
        parent = value
        for key in place[:-1]:
            parent = parent[key]
        if how == "drop":
            del parent[place[-1]]
        elif how == "twice" and isinstance(parent, list):
            parent.insert(place[-1], copy.deepcopy(parent[place[-1]]))
        else:
            parent[place[-1]] = new
        try:
            poses = read(kept(tmp_path, value))
        except FormatError:
            return
        sane(poses)

    holds()


@given(st.data())
def test_damaged_bytes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    path = tmp_path_factory.mktemp("bytes") / "a.poses.json"
    raw = bytearray(json.dumps(data.draw(st.sampled_from([results(2), dataset(), frames(3)]))).encode())
    for at_byte in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[at_byte] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw))
    try:
        poses = read(path)
    except FormatError:
        return
    sane(poses)
