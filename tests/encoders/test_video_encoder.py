"""Video: tubelets of its own, or the features of a pre-trained image model in their place."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kinjo.encoders import VideoEncoder, VideoInput
from kinjo.encoders.frozen import Preprocess, VisionEncoder
from kinjo.nn.context import Context
from kinjo.nn.transformer import initialise

transformers = pytest.importorskip("transformers")

DIM, ROWS, SEEN = 16, 3, 12
RGB = VideoInput("rgb", frames=4, size=16, tubelet=(2, 8, 8))
DEPTH = replace(RGB, quantity="depth")
Batch = dict[str, Tensor]


@pytest.fixture(scope="module")
def vision() -> VisionEncoder:
    """A small image model of random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=SEEN, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=16,
            patch_size=8,
        )  # fmt: skip
        tower = transformers.ViTModel(config, add_pooling_layer=False)
    return VisionEncoder("small", tower, Preprocess(None, "bilinear", (16, 16), 1 / 255, (0.5,) * 3, (0.5,) * 3))


def encoder(spec: VideoInput, vision: VisionEncoder | None = None) -> VideoEncoder:
    g = torch.Generator().manual_seed(0)
    made = VideoEncoder({"video": spec}, Context(DIM, 1, 2, 0.5), DIM, vision)
    initialise(made.stem, g)
    initialise(made.context, g)
    return made


def windows(spec: VideoInput) -> Batch:
    x = torch.rand(ROWS, 4, 16, 16, spec.channels, generator=torch.Generator().manual_seed(1)) - 0.5
    return {"video": x, "video.missing": torch.zeros(ROWS, 4, dtype=torch.bool)}


def lost(batch: Batch, row: int, frames: slice = slice(None), value: float = 1e4) -> Batch:
    x, gone = batch["video"].clone(), batch["video.missing"].clone()
    x[row, frames], gone[row, frames] = value, True
    return {"video": x, "video.missing": gone}


@pytest.fixture(params=["depth", "rgb", "motion", "features"])
def net(request: pytest.FixtureRequest, vision: VisionEncoder) -> VideoEncoder:
    spec = {"depth": DEPTH, "motion": replace(RGB, reads="motion")}.get(request.param, RGB)
    return encoder(spec, vision if request.param == "features" else None)


def test_tokens_and_embedding(net: VideoEncoder):
    out = net(windows(net.spec))
    assert out.tokens.shape == (ROWS, 2 if net.vision else 8, DIM)
    assert out.embedding.shape == (ROWS, net.context.size)
    assert not out.missing.any()
    assert net.spans == ({} if net.vision else {"video": slice(0, 8)})


def test_missing_frames_change_nothing(net: VideoEncoder):
    batch = windows(net.spec)
    one, two = (net(lost(batch, 1, slice(2, 4), value)) for value in (1e4, -3.0))
    assert torch.equal(one.embedding, two.embedding)
    assert one.missing[1].float().mean() == 0.5
    assert not one.missing[[0, 2]].any()
    assert (one.embedding[1] - net(batch).embedding[1]).abs().max() > 1e-4


def test_a_window_without_video_is_zero_with_finite_gradients(net: VideoEncoder):
    batch = windows(net.spec)
    out = net(lost(batch, 1))
    assert not out.embedding[1].any()
    torch.testing.assert_close(out.embedding[[0, 2]], net(batch).embedding[[0, 2]], atol=1e-5, rtol=1e-4)
    (out.embedding * torch.randn(out.embedding.shape, generator=torch.Generator().manual_seed(5))).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_nothing_of_a_hidden_place_is_read():
    net, batch = encoder(DEPTH), windows(DEPTH)
    hidden = torch.zeros(ROWS, 8, dtype=torch.bool)
    hidden[0, 5] = True  # second slot, top right
    wild = batch["video"].clone()
    wild[0, 2:4, :8, 8:] = 1e3
    one, two = net.enter(batch, hidden), net.enter(batch | {"video": wild}, hidden)
    assert torch.equal(one.tokens, two.tokens)
    assert one.local is not None
    assert two.local is not None
    assert torch.equal(one.local[0], two.local[0])
    assert not torch.equal(net.enter(batch).tokens, net.enter(batch | {"video": wild}).tokens)


# ------------------------------------------------------------------------------------------------ pre-trained features
def test_frames_of_a_slot_are_averaged(vision: VisionEncoder):
    net, batch = encoder(RGB, vision), windows(RGB)
    features = vision(RGB.pixels(batch["video"]))
    expected = net.stem(features.view(ROWS, 2, 2, SEEN).mean(2))
    torch.testing.assert_close(net.enter(batch).tokens, expected)
    torch.testing.assert_close(net.enter({"video": batch["video"]}).tokens, expected)
    half, other = (net.enter(lost(batch, 0, slice(1, 2), value)) for value in (1e4, -3.0))  # one of two frames
    assert not half.missing.any()
    assert torch.equal(half.tokens, other.tokens)
    torch.testing.assert_close(half.tokens[0, 0], net.stem(vision(RGB.pixels(batch["video"]))[0, 0]))


def test_frozen_features_stay_and_the_switch_lets_them_learn(vision: VisionEncoder, tmp_path: Path):
    net, batch = encoder(RGB, vision), windows(RGB)
    net.train()
    assert not vision.tower.training
    noise = torch.randn(ROWS, net.context.size, generator=torch.Generator().manual_seed(5))
    (net(batch).embedding * noise).sum().backward()
    assert all(p.grad is None for p in vision.parameters())
    assert net.stem.weight.grad is not None
    try:
        vision.requires_grad_(True)
        (net(batch).embedding * noise).sum().backward()
        assert any(p.grad is not None and bool(p.grad.any()) for p in vision.parameters())
    finally:
        vision.requires_grad_(False)
        vision.zero_grad()


def test_colours_come_back():
    x = 255 * torch.rand(2, 4, 16, 16, 3, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(RGB.pixels(RGB.prepare(x)), x, atol=1e-3, rtol=0)
    assert RGB.pixels(torch.full((1, 4, 16, 16, 3), 9.0)).max() == 255
    assert RGB.pixels(torch.full((1, 4, 16, 16, 3), -9.0)).min() == 0


def test_depth_has_no_colours(vision: VisionEncoder):
    with pytest.raises(ValueError, match="need an input of quantity 'rgb'"):
        encoder(DEPTH, vision)(windows(DEPTH))


def test_one_video_alone():
    with pytest.raises(ValueError, match="reads one video, given one, two"):
        VideoEncoder({"one": RGB, "two": DEPTH}, Context(DIM, 1, 2, 0.5), DIM)
