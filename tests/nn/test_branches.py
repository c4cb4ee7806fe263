"""The released branches: the CNN against a loop, TimeSformer against its own package and kinjo's blocks."""

import sys
import warnings

import pytest
import torch

from kinjo.nn.branches import SensorCNN, TimeSformer, load_vit_blocks, timesformer
from kinjo.nn.transformer import Transformer, initialise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def naive_cnn(model: SensorCNN, x: torch.Tensor) -> torch.Tensor:
    """One window (samples, axes), one output sample at a time."""
    weight, bias = model.convolution.weight, model.convolution.bias
    assert bias is not None
    filtered = [(weight * x[t : t + 3].T).sum((1, 2)) + bias for t in range(len(x) - 2)]
    pooled = [torch.maximum(*filtered[t : t + 2]).clamp(min=0) for t in range(0, len(filtered) - 1, 2)]
    return model.out(torch.stack(pooled, 1).flatten())  # channel by channel


@pytest.mark.parametrize(("samples", "axes", "out"), [(128, 3, 64), (17, 6, 5)])
@torch.no_grad()
def test_sensor_cnn_is_the_naive_loop(samples: int, axes: int, out: int) -> None:
    model = SensorCNN(samples, axes, out, generator())
    x = torch.randn(3, samples, axes, generator=generator(1))
    torch.testing.assert_close(model(x), torch.stack([naive_cnn(model, w) for w in x]), atol=1e-5, rtol=1e-4)


def test_sensor_cnn_has_the_published_sizes() -> None:
    model = SensorCNN(128, 3, 64, generator())
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes["convolution.weight"] == (16, 3, 3)
    assert shapes["out.weight"] == (64, 16 * 63)


def test_sensor_cnn_reads_nothing_of_what_is_missing() -> None:
    model = SensorCNN(16, 3, 5, generator())
    x = torch.randn(2, 16, 3, generator=generator(1))
    missing = torch.zeros(2, 16, dtype=torch.bool)
    missing[0, 9:] = True
    y = model(x.masked_fill(missing[..., None], torch.nan), missing)
    torch.testing.assert_close(y, model(x.masked_fill(missing[..., None], 0.0)))
    y.square().sum().backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in model.parameters())
    with pytest.raises(ValueError, match="at least 4"):
        SensorCNN(3, 3, 5, generator())


# ------------------------------------------------------------------------------------------ TimeSformer


@pytest.fixture(scope="module")
def package() -> None:
    """transformers, imported with every warning an error: it must not need torchvision."""
    pytest.importorskip("transformers", reason="pip install 'kinjo[published]'", exc_type=ModuleNotFoundError)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from transformers import TimesformerModel  # noqa: F401


def small(frames: int = 4, seed: int = 0, depth: int = 2, heads: int = 2) -> TimeSformer:
    return timesformer(frames, 16, 8, generator(seed), channels=2, dim=16, depth=depth, heads=heads, mlp_ratio=2.0)


def blocks(depth: int = 2, dim: int = 16, heads: int = 2, scale: float | None = None) -> Transformer:
    model = Transformer(dim, depth, heads, mlp_ratio=2.0, scale=scale)
    initialise(model, generator(7))
    for p in model.parameters():  # norms and biases too, so that every copy shows
        p.data += 0.1 * torch.randn(p.shape, generator=generator(8))
    return model


def no_transformers(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)


def test_without_the_package_the_error_says_what_to_install(monkeypatch) -> None:
    no_transformers(monkeypatch)
    with pytest.raises(ImportError, match=r"pip install 'kinjo\[published\]'"):
        small()


@pytest.mark.usefixtures("package")
class TestTimeSformer:
    def test_random_state_is_the_generators_alone(self) -> None:
        before = torch.get_rng_state()
        first, same, other = small(seed=1), small(seed=1), small(seed=2)
        assert torch.equal(before, torch.get_rng_state())
        pairs = zip(first.parameters(), same.parameters(), other.parameters(), strict=True)
        equal = [(torch.equal(a, b), torch.equal(a, c)) for a, b, c in pairs]
        assert all(a for a, _ in equal)
        assert not all(b for _, b in equal)

    @torch.no_grad()
    def test_the_answer_is_the_class_token_of_frames_in_order(self) -> None:
        model = small()
        for name, p in model.named_parameters():  # as after training: frames and their order count
            if "temporal_dense" in name or "time_embeddings" in name:
                p.normal_(0, 0.5, generator=generator(3))
        video = torch.randn(3, 4, 16, 16, 2, generator=generator(1))
        pixels = torch.stack([torch.stack([frame.permute(2, 0, 1) for frame in clip]) for clip in video])
        torch.testing.assert_close(model(video), model.model(pixel_values=pixels)[0][:, 0])
        assert not torch.allclose(model(video), model(video.flip(1)), atol=1e-3)
        for other in (torch.randn(1, 5, 16, 16, 2), torch.randn(1, 4, 16, 24, 2)):
            with pytest.raises(ValueError, match="reads windows of"):
                model(other)

    @pytest.mark.parametrize("scale", [None, 0.3])
    @torch.no_grad()
    def test_loaded_blocks_compute_what_they_did(self, scale: float | None) -> None:
        """On one frame a TimeSformer whose temporal part is still zero is the plain transformer."""
        model, encoder = small(frames=1), blocks(scale=scale)
        before = {k: v.clone() for k, v in model.model.state_dict().items()}
        left = load_vit_blocks(model, encoder)
        video = torch.randn(3, 1, 16, 16, 2, generator=generator(1))
        tokens = model.model.get_submodule("embeddings")(video.permute(0, 1, 4, 2, 3))
        torch.testing.assert_close(model(video), encoder(tokens)[:, 0], atol=1e-5, rtol=1e-4)
        after = model.model.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in left)
        assert not any(torch.equal(before[name], after[name]) for name in set(after) - set(left))
        assert all("temporal" in name or name.startswith("embeddings.") for name in left)
        assert {name.split(".")[1] for name in left if name.startswith("embeddings.")} == {
            "cls_token",
            "position_embeddings",
            "time_embeddings",
            "patch_embeddings",
        }

    def test_the_temporal_part_can_be_loaded_too(self) -> None:
        model = small()
        left = load_vit_blocks(model, blocks(scale=0.3), temporal=True)
        state = model.model.state_dict()
        for i in range(2):
            layer = f"encoder.layer.{i}."
            for end in ("attention.qkv.weight", "output.dense.weight", "output.dense.bias"):
                assert torch.equal(state[f"{layer}temporal_attention.{end}"], state[f"{layer}attention.{end}"])
            assert torch.equal(state[layer + "temporal_layernorm.bias"], state[layer + "layernorm_before.bias"])
        assert [name for name in left if "temporal" in name] == [
            f"encoder.layer.{i}.temporal_dense.{end}" for i in range(2) for end in ("weight", "bias")
        ]

    def test_fewer_blocks_fill_the_first_layers_and_others_are_refused(self) -> None:
        assert any(name.startswith("encoder.layer.1.layernorm_before") for name in load_vit_blocks(small(), blocks(1)))
        for wrong in (blocks(3), blocks(dim=8), blocks(heads=4), Transformer(16, 2, 2, mlp_ratio=4.0)):
            model = small()
            before = {k: v.clone() for k, v in model.state_dict().items()}
            with pytest.raises(ValueError, match="do not fit"):
                load_vit_blocks(model, wrong)
            assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
        with pytest.raises(ValueError, match="multiple of patch"):
            timesformer(4, 20, 8, generator())

    def test_gradient_reaches_every_weight_once_the_temporal_part_has_moved(self) -> None:
        model = small()
        video = torch.randn(2, 4, 16, 16, 2, generator=generator(1))
        weight = torch.randn(2, 16, generator=generator(3))
        (model(video) * weight).sum().backward()
        still = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
        assert all("temporal_" in name for name in still)
        for name, p in model.named_parameters():
            p.grad = None
            if "temporal_dense" in name:
                p.data.normal_(0, 0.1, generator=generator(2))
        (model(video) * weight).sum().backward()
        unmoved = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert unmoved == []

    @torch.no_grad()
    def test_autocast_gives_finite_answers(self) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            y = small()(torch.randn(2, 4, 16, 16, 2, generator=generator(1)))
        assert bool(y.isfinite().all())
