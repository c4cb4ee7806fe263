"""Frozen features of a build's clips: real loading code, a small random CLIP."""

import json
from pathlib import Path

import _videos
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kinjo.builder import features
from kinjo.builder.errors import BuildError
from kinjo.encoders.frozen import load_vision

transformers = pytest.importorskip("transformers")
SIDE = 32


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    sizes = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.CLIPVisionConfig(**sizes, image_size=SIDE, patch_size=16, projection_dim=12)
        made = transformers.CLIPVisionModelWithProjection(config)
    folder = tmp_path_factory.mktemp("model")
    made.save_pretrained(folder)
    facts = {"size": {"shortest_edge": SIDE}, "crop_size": SIDE, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(facts))
    return str(folder)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What ``make`` reads of a build: a kept clip of 18 s, and one refused."""
    folder = tmp_path / "clips" / "a___0"
    folder.mkdir(parents=True)
    _videos.write(folder / "clip.mp4", 450)
    (folder / "cut.json").write_text(json.dumps({"key": "1"}))
    rows = {"id": ["a___0", "b"], "status": ["kept", "refused"], "sentences": [["a person squats", "squats"], None]}
    pq.write_table(pa.table(rows), tmp_path / "manifest.parquet")
    return tmp_path


def test_features_lie_beside_the_clip_and_are_made_once(model: str, built: Path):
    assert features.make(built, model, progress=False) == ["a___0"]
    path = built / "clips" / "a___0" / "features.npz"
    with np.load(path) as found:
        video, times, text = found["video"], found["times_s"], found["text"]
    assert video.shape == (72, 12)  # more than go through the model at once
    np.testing.assert_allclose(times, np.arange(72) / 4)
    assert text.shape == (2, 384)
    picture = next(iter(features.footage.frames(built / "clips" / "a___0" / "clip.mp4", 16.0, 17.0, 4.0, 256)))
    with torch.inference_mode():
        wanted = load_vision(model)(torch.from_numpy(picture)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(video[64], wanted, rtol=1e-4, atol=1e-5)
    before = path.stat().st_mtime_ns
    features.make(built, model, progress=False)
    assert path.stat().st_mtime_ns == before
    features.make(built, model, rate_hz=2.0, progress=False)
    with np.load(path) as found:
        assert found["video"].shape == (36, 12)


def test_mistakes_are_told(model: str, built: Path, tmp_path: Path):
    with pytest.raises(BuildError, match="kinjo build videos"):
        features.make(built / "clips", model, progress=False)
    with pytest.raises(BuildError, match="rate_hz"):
        features.make(built, model, rate_hz=0.0, progress=False)
    with pytest.raises(ValueError, match="nowhere"):
        features.make(built, str(tmp_path / "nowhere"), progress=False)
