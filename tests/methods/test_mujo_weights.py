"""MuJo and weights that others made: pre-trained image models, Mu-MAE's; and masked modelling, as in Mu-MAE."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from _mujo import INPUTS, MODALITIES, ROWS, finite, model, seeded, task, windows, without
from kinjo.encoders import Input, VideoInput
from kinjo.encoders.frozen import Preprocess, VisionEncoder
from kinjo.methods import mujo, mumae
from kinjo.methods.mujo import Objective, Pretrain
from kinjo.methods.mujo_weights import mumae_weights


# ------------------------------------------------------------------------------------------------ pre-trained models
@pytest.fixture
def vision(monkeypatch: pytest.MonkeyPatch) -> Callable[[], VisionEncoder]:
    transformers = pytest.importorskip("transformers")

    def load(name: str = "") -> VisionEncoder:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            sizes = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
            tower = transformers.ViTModel(
                transformers.ViTConfig(**sizes, image_size=16, patch_size=8), add_pooling_layer=False
            )
        return VisionEncoder(name, tower, Preprocess(None, "bilinear", (16, 16), 1 / 255, (0.5,) * 3, (0.5,) * 3))

    from kinjo.encoders import frozen

    monkeypatch.setattr(frozen, "load_vision", load)
    return load


@pytest.mark.parametrize("learns", [False, True])
def test_a_pre_trained_image_model_keeps_its_weights_until_it_may_learn(
    vision: Callable[[], VisionEncoder], learns: bool
):
    inputs = {"acc": INPUTS["acc"], "rgb": VideoInput("rgb", frames=4, size=16, tubelet=(2, 8, 8))}
    net = model(inputs=inputs, vision="small", train_vision=learns)
    tower = net.get_submodule("encoders.video.vision")
    assert all(torch.equal(x, tower.state_dict()[n]) for n, x in vision().state_dict().items())
    learning = Pretrain(net, Objective({"contrast": 1.0, "masked": 1.0}), seeded()).train()
    losses = learning(windows(inputs=inputs), seeded())
    assert set(losses) == {"contrast_imu_video", "masked_acc"}  # features hold no pixels to model
    torch.stack(list(losses.values())).sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in tower.parameters()) == learns
    assert finite(learning)


# ------------------------------------------------------------------------------------------------ masked modelling
def test_masked_modelling_reads_no_hidden_moment(monkeypatch: pytest.MonkeyPatch):
    learning, batch = task(model(), Objective({"masked": 1.0}), said=False), windows()
    hidden = torch.zeros(ROWS, 8, dtype=torch.bool)
    hidden[:, :5] = True
    monkeypatch.setattr(mujo, "random_mask", lambda rows, slots, *_: hidden[:, 8 - slots :])
    seen: dict[str, list[Tensor]] = {}
    assert learning.masked is not None
    for key, head in learning.masked.values.items():

        def said(_: object, __: object, out: Tensor, key: str = key) -> None:
            seen.setdefault(key, []).append(out)

        head.register_forward_hook(said)
    wild = dict(batch)
    for key in ("acc", "gyro", "pocket", "pose"):
        wild[key] = batch[key].clone()
        wild[key][:, : batch[key].shape[1] // 8 * 5] = 30.0
    learning(batch, seeded())
    learning(wild, seeded())
    for key in ("acc", "gyro", "pocket", "pose"):
        one, two = seen[key]
        assert one.shape[1] == INPUTS[key].tokens
        assert torch.equal(one, two), key


def test_masked_losses_are_of_hidden_tokens_that_are_there():
    """With a head that says nothing, the loss is the mean square of the normalised truth: near 1."""
    learning = task(model(), Objective({"masked": 1.0}), said=False)
    assert learning.masked is not None
    for head in learning.masked.values.values():
        assert isinstance(head, nn.Linear)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    batch = without(windows(), "pose", 0, 1, 2)
    batch["pose"][3, :, 0] = torch.nan
    for n, x in learning(batch, seeded()).items():
        values = INPUTS[n.removeprefix("masked_")].values
        assert x.item() == pytest.approx((values - 1) / values, abs=0.02), n


# ------------------------------------------------------------------------------------------------ Mu-MAE's weights
def test_mumaes_weights_start_the_encoders():
    inputs: dict[str, Input] = {"acc": INPUTS["acc"], "gyro": INPUTS["gyro"], "depth": INPUTS["depth"]}
    inputs["pose"] = replace(INPUTS["pose"], places=1)
    theirs = mumae.MuMAE(mumae.Config(inputs, dim=16, depth=1, heads=2, decoder_dim=12, decoder_heads=2), seeded(9))
    net = model(inputs=inputs)
    before = {n: x.clone() for n, x in net.state_dict().items()}
    taken = mumae_weights(net, theirs.state_dict())
    own, given = net.state_dict(), theirs.state_dict()
    roots = {
        "encoders.imu.stems.acc": "enter.acc", "encoders.imu.stems.gyro": "enter.gyro",
        "encoders.pose.stems.0": "enter.pose", "encoders.video.stem": "enter.depth",
    } | {f"encoders.{m}.context.encoder": "encoder" for m in MODALITIES}  # fmt: skip
    expected = {
        f"{mine}{n.removeprefix(other)}": x
        for mine, other in roots.items()
        for n, x in given.items()
        if n.startswith(f"{other}.")
    }
    assert taken == sorted(expected)
    assert all(torch.equal(own[n], x) for n, x in expected.items())
    assert all(torch.equal(own[n], x) for n, x in before.items() if n not in expected)
    tokens = theirs.enter_whole("acc", windows(inputs=inputs)["acc"], torch.zeros(ROWS, 8, dtype=torch.bool))[0]
    mine = net.get_submodule("encoders.imu.stems.acc")(windows(inputs=inputs)["acc"])
    torch.testing.assert_close(mine, tokens)


def test_weights_that_do_not_fit_are_refused_and_of_others_what_fits_is_taken():
    acc = {"acc": INPUTS["acc"]}
    large = mumae.MuMAE(mumae.Config(acc, dim=32, depth=1, decoder_dim=12, decoder_heads=2), seeded(9))
    with pytest.raises(ValueError, match="nothing of this Mu-MAE fits"):
        mumae_weights(model(), large.state_dict())
    fits = mumae.MuMAE(mumae.Config(INPUTS, dim=16, depth=1, heads=2, decoder_dim=12, decoder_heads=2), seeded(9))
    taken = mumae_weights(model(imu="recurrent"), fits.state_dict())
    assert not any(
        n.startswith(("encoders.imu.context", "encoders.pose.stems")) for n in taken
    )  # two parts: other stems
    assert any(n.startswith("encoders.imu.stems.acc") for n in taken)
