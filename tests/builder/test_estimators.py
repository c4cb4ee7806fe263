"""Estimators: MediaPipe on a real clip, RTMPose's decoding on a small model of its form, models from addresses."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from kinjo.builder import estimators, footage
from kinjo.builder.errors import BuildError

HEIGHT, WIDTH = 64, 48


@pytest.fixture(scope="module")
def simcc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX model with RTMPose's input and outputs: its 17 joints lie where red is brightest."""
    import onnx
    from onnx import TensorProto, helper

    shape = [1, 3, HEIGHT, WIDTH]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    out = [
        helper.make_tensor_value_info(f"simcc_{axis}", TensorProto.FLOAT, [1, 17, bins])
        for axis, bins in (("x", 2 * WIDTH), ("y", 2 * HEIGHT))
    ]
    ints = {
        "zero": [0], "one": [1], "first": [1], "axes": [1], "rows": [2], "columns": [3],
        "shape_x": [1, 1, WIDTH, 1], "shape_y": [1, 1, HEIGHT, 1],
        "twice": [1, 17, 1, 2], "flat_x": [1, 17, 2 * WIDTH], "flat_y": [1, 17, 2 * HEIGHT],
    }  # fmt: skip
    constants = [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in ints.items()]
    constants.append(helper.make_tensor("small", TensorProto.FLOAT, [1], [0.1]))
    node = helper.make_node
    nodes = [
        node("Slice", ["input", "zero", "one", "axes"], ["red"]),
        node("Mul", ["red", "small"], ["dim"]),
        node("ReduceMax", ["dim", "rows"], ["over_x"], keepdims=0),
        node("ReduceMax", ["dim", "columns"], ["over_y"], keepdims=0),
        node("Reshape", ["over_x", "shape_x"], ["x4"]),
        node("Reshape", ["over_y", "shape_y"], ["y4"]),
        node("Tile", ["x4", "twice"], ["x_tiled"]),
        node("Tile", ["y4", "twice"], ["y_tiled"]),
        node("Reshape", ["x_tiled", "flat_x"], ["simcc_x"]),
        node("Reshape", ["y_tiled", "flat_y"], ["simcc_y"]),
    ]
    graph = helper.make_graph(nodes, "simcc", [given], out, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path_factory.mktemp("models") / "simcc.onnx"
    onnx.save(model, str(path))
    return path


def spot(x: int, y: int, height: int = 120, width: int = 200) -> np.ndarray:
    """A black picture with a red spot of 6 x 6 pixels."""
    out = np.zeros((height, width, 3), np.uint8)
    out[y - 3 : y + 3, x - 3 : x + 3, 0] = 255
    return out


def test_rtmpose_finds_the_spot_wherever_it_goes(simcc: Path):
    places = [(60 + 3 * k, 50 + k) for k in range(12)]
    seen = estimators.rtmpose(simcc)(spot(*place) for place in places)
    assert seen.skeleton == "coco17"
    assert seen.world is None
    assert seen.image.shape == (12, 1, 17, 2)
    off = np.abs(seen.image[:, 0, 0] - np.array(places))
    assert off.max() < 8.0  # one pixel of the model is four of the picture
    assert seen.confidence.min() >= 0.0
    assert seen.confidence.max() <= 1.0


def test_what_is_no_rtmpose(simcc: Path, tmp_path: Path):
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    with pytest.raises(BuildError, match="not an ONNX model"):
        estimators.rtmpose(tmp_path / "noise.onnx")
    import onnx

    model = onnx.load(str(simcc))
    del model.graph.output[1]
    onnx.save(model, str(tmp_path / "half.onnx"))
    with pytest.raises(BuildError, match="two outputs"):
        estimators.rtmpose(tmp_path / "half.onnx")


def test_models_are_what_their_checksum_says(simcc: Path, tmp_path: Path):
    digest = hashlib.sha256(simcc.read_bytes()).hexdigest()
    kept = estimators.fetched(simcc.as_uri(), digest, tmp_path / "models")
    assert kept.read_bytes() == simcc.read_bytes()
    assert estimators.fetched("https://nobody.invalid/model.onnx", digest, tmp_path / "models") == kept
    assert estimators.fetched(str(simcc), "", tmp_path) == simcc
    for address, sha, said in (
        (simcc.as_uri(), "", "give the model's SHA-256"), (simcc.as_uri(), "0" * 64, "nothing was kept"),
        (str(simcc), "0" * 64, "another file"), (str(tmp_path / "gone"), "", "no such model"),
        ("https://nobody.invalid/model.onnx", "1" * 64, "Download it by hand"),
    ):  # fmt: skip
        with pytest.raises(BuildError, match=said):
            estimators.fetched(address, sha, tmp_path / "models")
    assert [p.name for p in (tmp_path / "models").iterdir()] == [f"{digest}.onnx"]


def test_mediapipe_sees_a_real_person(data_root: Path):
    path = data_root / "videos" / "cc-by-daily" / "19_raising_hands.mp4"
    if not path.is_file():
        pytest.skip(f"no {path.name} under {data_root}")
    pytest.importorskip("mediapipe")
    seen = estimators.mediapipe(footage.frames(path, 5.0, 6.0, 15.0, 360))
    assert seen.image.shape == (15, 1, 33, 2)
    there = np.isfinite(seen.image).all((1, 2, 3))
    assert there.sum() >= 8  # it needs a few pictures to find somebody
    assert (seen.confidence[~there] == 0).all()
    assert seen.world is not None
    width = np.linalg.norm(seen.world[there, 0, 11] - seen.world[there, 0, 12], axis=1)
    assert 0.2 < width.mean() < 0.6  # metres from shoulder to shoulder
    shoulders = seen.image[there][:, 0, [11, 12]]
    assert ((shoulders > 0) & (shoulders < (640, 360))).all()
