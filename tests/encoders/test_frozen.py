"""Frozen image and video features: real loading code on small random models of the same classes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kinjo.encoders.frozen import Preprocess, VisionEncoder, load_vision, read_preprocess

transformers = pytest.importorskip("transformers")

SIDE, PATCH, DIM = 32, 16, 24
SIZES = {
    "hidden_size": DIM, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": PATCH,
}  # fmt: skip
MEAN, STD = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]
PREPROCESSOR = {
    "do_resize": True, "size": {"shortest_edge": SIDE}, "resample": 3, "do_center_crop": True,
    "crop_size": {"height": SIDE, "width": SIDE}, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": MEAN, "image_std": STD,
}  # fmt: skip


def _save(model: object, folder: Path, **changed: object) -> str:
    model.save_pretrained(folder)  # type: ignore[attr-defined]
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR | changed))
    return str(folder)


def _frames(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with both towers of a CLIP, as the released ones have them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        text = {"vocab_size": 99, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = transformers.CLIPConfig(
            text_config=text, vision_config=SIZES | {"projection_dim": 12}, projection_dim=12
        )
        model = transformers.CLIPModel(config)
    return _save(model, tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(clip: str) -> VisionEncoder:
    return load_vision(clip)


def test_clip_gives_its_own_image_embeddings(clip: str, encoder: VisionEncoder) -> None:
    frames = _frames(2, 3, SIDE, SIDE)
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    pixels = (frames.flatten(0, 1).permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
        :, None, None
    ]
    with torch.no_grad():
        wanted = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    got = encoder(frames)
    assert encoder.dim == 12
    assert got.shape == (2, 3, 12)
    torch.testing.assert_close(got.flatten(0, 1), wanted, rtol=1e-4, atol=1e-5)


def test_frames_in_chunks_give_the_same(encoder: VisionEncoder) -> None:
    frames = _frames(2, 5, 40, 48)
    small = VisionEncoder("small", encoder.tower, encoder.preprocess, chunk=3)
    torch.testing.assert_close(small(frames), encoder(frames), rtol=1e-5, atol=1e-6)


def test_frozen_until_told_to_learn(clip: str) -> None:
    vision = load_vision(clip)
    frames = _frames(1, 2, SIDE, SIDE)
    vision.train()
    assert not vision.tower.training
    assert not vision(frames).requires_grad
    vision.requires_grad_(True).train()
    assert vision.tower.training
    vision(frames).square().sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in vision.parameters())


@pytest.mark.parametrize("shape", [(1, 2, SIDE, SIDE, 1), (1, 2, SIDE, SIDE), (2, SIDE, SIDE, 3)])
def test_depth_and_other_shapes_are_refused(encoder: VisionEncoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="repeat it to three channels"):
        encoder(torch.zeros(shape))


def test_preprocessing_is_that_of_the_package() -> None:
    """Up to Pillow's whole levels. It clips between its two passes too, so the frames stay off black and white."""
    pytest.importorskip("PIL")
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    theirs = CLIPImageProcessorPil(**PREPROCESSOR)
    ours = read_preprocess(json.loads(json.dumps(theirs.to_dict(), default=list)), "clip")
    for size in ((50, 77), (90, 41), (20, 24)):
        frame = _frames(*size, seed=size[0]) // 3 + 85
        wanted = torch.as_tensor(np.asarray(theirs(frame.numpy(), input_data_format="channels_last")["pixel_values"]))
        got = ours(frame.permute(2, 0, 1)[None].float())
        assert got.shape == wanted.shape
        assert (got - wanted).abs().max() <= 1.5 / 255 / min(STD)


@pytest.mark.parametrize(
    ("given", "edge", "crop"),
    [
        ({"size": 224, "crop_size": 224, "do_center_crop": True}, 224, (224, 224)),  # the first files of CLIP
        ({"size": 224}, (224, 224), None),  # those of ViT
        ({"size": {"height": 20, "width": 30}}, (20, 30), None),
        ({"size": {"shortest_edge": 224}, "do_resize": False}, None, None),
    ],
)
def test_sizes_as_the_files_write_them(given: dict[str, object], edge: object, crop: object) -> None:
    made = read_preprocess({"image_mean": MEAN, "image_std": STD} | given, "x")
    assert (made.edge, made.crop, made.scale) == (edge, crop, 1 / 255)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"size": {"longest_edge": 3}, "image_mean": MEAN, "image_std": STD}, "plain resize"),
        ({"size": 9, "crop_pct": 0.9, "image_mean": MEAN, "image_std": STD}, "plain resize"),
        ({"size": 9, "resample": 1, "image_mean": MEAN, "image_std": STD}, "plain resize"),
        ({"size": 9}, "image_mean"),
    ],
)
def test_unknown_preparation_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_preprocess(given, "x")


def test_frames_smaller_than_the_crop_are_refused() -> None:
    made = Preprocess(None, "bilinear", (8, 8), 1.0, (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(ValueError, match="larger frames"):
        made(torch.zeros(1, 3, 9, 7))


@pytest.mark.parametrize("pooler", [True, False])
def test_vit_pools_or_gives_its_class_token(tmp_path: Path, pooler: bool) -> None:
    torch.manual_seed(1)
    model = transformers.ViTModel(transformers.ViTConfig(**SIZES), add_pooling_layer=pooler).eval()
    vision = load_vision(_save(model, tmp_path, size=SIDE, do_center_crop=False))
    frames = _frames(1, 2, SIDE, SIDE)
    with torch.no_grad():
        out = model(pixel_values=vision.preprocess(frames[0].permute(0, 3, 1, 2).float()))
    wanted = out.pooler_output if pooler else out.last_hidden_state[:, 0]
    torch.testing.assert_close(vision(frames)[0], wanted)


def test_siglip_without_its_text_tower(tmp_path: Path) -> None:
    torch.manual_seed(2)
    text = {"vocab_size": 99, "hidden_size": DIM, "intermediate_size": 32, "num_hidden_layers": 1}
    config = transformers.SiglipConfig(text_config=text | {"num_attention_heads": 2}, vision_config=SIZES)
    vision = load_vision(_save(transformers.SiglipModel(config), tmp_path))
    assert vision(_frames(1, 2, 40, 40)).shape == (1, 2, DIM)
    assert not [name for name, _ in vision.named_parameters() if "text" in name]


def test_videomae_reads_clips_and_pools_tubelets(tmp_path: Path) -> None:
    torch.manual_seed(3)
    config = transformers.VideoMAEConfig(**SIZES, num_frames=4, tubelet_size=2)
    model = transformers.VideoMAEModel(config).eval()
    vision = load_vision(_save(model, tmp_path))
    frames = _frames(2, 8, SIDE, SIDE)
    got = vision(frames)
    assert got.shape == (2, 8, DIM)
    torch.testing.assert_close(got[:, 0::2], got[:, 1::2], rtol=0, atol=0)
    alone = vision(frames[1:, 4:])
    torch.testing.assert_close(got[1:, 4:], alone)
    with pytest.raises(ValueError, match="clips of 4"):
        vision(frames[:, :6])


def test_a_model_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = _save(transformers.ViTModel(transformers.ViTConfig(**SIZES)), tmp_path)
    file = tmp_path / "model.safetensors"
    kept = {name: x for name, x in load_file(file).items() if not name.startswith("layernorm")}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match="2 weights of ViTModel are not in its files"):
        load_vision(folder)


def test_a_text_model_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model that can be read"):
        load_vision(str(tmp_path))
    sizes = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    bert = transformers.BertModel(transformers.BertConfig(**sizes, intermediate_size=8))
    with pytest.raises(ValueError, match="'bert' gives no features of images"):
        load_vision(_save(bert, tmp_path))


def test_a_model_without_its_preprocessor_is_refused(clip: str, tmp_path: Path) -> None:
    transformers.CLIPModel.from_pretrained(clip).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"preprocessor_config\.json"):
        load_vision(str(tmp_path))


def test_torchvision_and_pillow_are_not_needed(clip: str) -> None:
    """Where torchvision is installed without fitting torch, nothing of it may be imported."""
    code = (
        "import sys; sys.modules['torchvision'] = sys.modules['PIL'] = None\n"
        "import torch\n"
        "from kinjo.encoders.frozen import load_vision\n"
        "print(tuple(load_vision(sys.argv[1])(torch.zeros(1, 2, 40, 40, 3)).shape))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, clip], capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 2, 12)", done.stderr
    assert not done.stderr
