"""Mu-MAE: nothing hidden or missing is seen, the loss is what the paper says, any subset of streams works."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain, combinations
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.methods import mumae
from kinjo.methods.mumae import Config, MuMAE
from kinjo.nn.tokens import sincos
from kinjo.nn.transformer import Transformer

Stem = Literal["conv", "linear"]
Kind = Literal["conv", "linear", "motion", "strided"]
INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8),
    "gyro": SensorInput("gyro", samples=32, slots=8),
    "pose": PoseInput(frames=16, joints=4, slots=8, places=2),
    "depth": VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8)),
}
MOTION: dict[str, Input] = {k: replace(s, reads="motion") for k, s in INPUTS.items() if not isinstance(s, PoseInput)}
MOTION["pose"] = PoseInput(frames=16, joints=4, slots=8, reads="motion")
MOTION = {key: MOTION[key] for key in INPUTS}
STRIDED = {k: replace(s, layout="strided") if isinstance(s, SensorInput) else s for k, s in INPUTS.items()}
KINDS: dict[Kind, tuple[Mapping[str, Input], Stem]] = {
    "conv": (INPUTS, "conv"), "linear": (INPUTS, "linear"), "motion": (MOTION, "conv"), "strided": (STRIDED, "linear")
}  # fmt: skip
MODALITIES = {"imu": ["acc", "gyro"], "pose": ["pose"], "video": ["depth"]}
ROWS = 5
SUBSETS = [set(s) for s in chain.from_iterable(combinations(INPUTS, n) for n in range(1, 5))]
Batch = dict[str, Tensor]

both_stems = pytest.mark.parametrize("stem", ["conv", "linear"])
every_kind = pytest.mark.parametrize("kind", KINDS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(kind: Kind = "conv", seed: int = 0, **sizes: Any) -> MuMAE:
    inputs, stem = KINDS[kind]
    config = {"dim": 32, "depth": 2, "decoder_dim": 24, "layer_scale": 1.0, "video_mask_ratio": 0.5} | sizes
    return MuMAE(Config(inputs, stem=stem, **config), seeded(seed)).eval()


def windows(rows: int = ROWS, seed: int = 1) -> Batch:
    """Noise for every stream, nothing missing."""
    g = seeded(seed)
    out: Batch = {}
    for key, spec in INPUTS.items():
        out[key] = spec.unpatchify(torch.randn(rows, spec.tokens, spec.values, generator=g))
        out[f"{key}.missing"] = torch.zeros(rows, spec.samples, dtype=torch.bool)
    return out


def without(batch: Batch, key: str, row: int) -> Batch:
    """``key`` is missing from ``row``, as the store gives it: zeros."""
    gone, x = batch[f"{key}.missing"].clone(), batch[key].clone()
    gone[row], x[row] = True, 0.0
    return batch | {key: x, f"{key}.missing": gone}


def wild(batch: Batch, tokens: dict[str, Tensor], inputs: Mapping[str, Input] = INPUTS) -> Batch:
    """Other values in the ``tokens`` (rows, tokens) of the streams."""
    out = dict(batch)
    for key, chosen in tokens.items():
        spec = inputs[key]
        noise = 50 * torch.randn(*chosen.shape, spec.values, generator=seeded(9))
        out[key] = spec.unpatchify(torch.where(chosen[:, :, None], noise, spec.patchify(batch[key])))
    return out


def watched(net: MuMAE, call: Callable[[], object]) -> dict[str, Tensor]:
    """What goes into and comes out of the encoder, and the predictions of each stream, during ``call``."""
    seen: dict[str, Tensor] = {}

    def encoder(_: object, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen["entered"], seen["encoded"] = given[0].detach(), out.detach()

    handles = [net.encoder.register_forward_hook(encoder)]
    for key, head in net.to_values.items():

        def predicted(_: object, __: object, out: Tensor, key: str = key) -> None:
            seen[key] = out.detach()

        handles.append(head.register_forward_hook(predicted))
    with torch.no_grad():
        call()
    for handle in handles:
        handle.remove()
    return seen


# ------------------------------------------------------------------------------------------------ masking
def test_moments_are_hidden_together_and_places_for_all_time():
    masks = model().draw_masks(200, seeded())
    assert torch.equal(masks["acc"], masks["gyro"])
    assert torch.equal(masks["acc"], masks["pose"].view(200, 8, 2).all(2))
    assert torch.equal(masks["acc"], masks["pose"].view(200, 8, 2).any(2))
    tubes = masks["depth"].view(200, 2, 4)
    assert torch.equal(tubes[:, 0], tubes[:, 1])
    assert masks["acc"].sum(1).unique().tolist() == [6]  # 0.75 of 8
    assert tubes[:, 0].sum(1).unique().tolist() == [2]  # 0.5 of 4
    assert len(masks["acc"].unique(dim=0)) > 10  # drawn for every row anew


def test_streams_with_other_slots_have_moments_of_their_own():
    inputs: dict[str, Input] = {"acc": INPUTS["acc"], "slow": SensorInput("acc", samples=32, slots=4)}
    masks = MuMAE(Config(inputs, dim=32, decoder_dim=24), seeded()).draw_masks(50, seeded())
    assert masks["slow"].sum(1).unique().tolist() == [3]
    assert not torch.equal(masks["acc"].view(50, 4, 2).all(2), masks["slow"])


@every_kind
def test_hidden_values_are_never_seen(kind: Kind):
    net, batch = model(kind), windows()
    masks = net.draw_masks(ROWS, seeded(3))  # what pretrain_loss will draw from the same seed
    known = watched(net, lambda: net.pretrain_loss(batch, seeded(3)))
    other = watched(net, lambda: net.pretrain_loss(wild(batch, masks, net.config.inputs), seeded(3)))
    assert known.keys() == other.keys() == {"entered", "encoded", *INPUTS}
    for name, value in known.items():
        assert torch.equal(value, other[name]), name
    shown = {key: ~mask for key, mask in masks.items()}
    changed = watched(net, lambda: net.pretrain_loss(wild(batch, shown, net.config.inputs), seeded(3)))
    for name, value in known.items():
        assert not torch.allclose(value, changed[name]), name  # the visible ones are


@every_kind
def test_hidden_values_are_what_is_asked_for(kind: Kind):
    net, batch = model(kind), windows()
    masks = net.draw_masks(ROWS, seeded(3))
    for key in INPUTS:
        before = net.pretrain_loss(batch, seeded(3))
        after = net.pretrain_loss(wild(batch, {key: masks[key]}, net.config.inputs), seeded(3))
        different = {name for name in before if not torch.equal(before[name], after[name])}
        assert different == {f"masked_{key}"}


@both_stems
def test_the_encoder_gets_the_visible_tokens_and_no_more(stem: Stem):
    net, batch = model(stem), windows()
    masks = net.draw_masks(ROWS, seeded(3))
    visible = sum(int((~mask[0]).sum()) for mask in masks.values())
    assert visible == 2 + 2 + 4 + 4
    seen = watched(net, lambda: net.pretrain_loss(batch, seeded(3)))
    assert seen["entered"].shape == (ROWS, visible, 32)
    assert [seen[key].shape[1] for key in INPUTS] == [int(masks[key][0].sum()) for key in INPUTS]
    sizes: list[int] = []
    handle = net.encoder.register_forward_hook(lambda _, given, __: sizes.append(given[0].shape[1]))
    net.embed(batch)
    handle.remove()
    assert sizes == [16, 16, 8]  # modality by modality, all of its tokens


# ------------------------------------------------------------------------------------------------ loss
def naive_losses(net: MuMAE, batch: Batch, masks: dict[str, Tensor]) -> dict[str, float]:
    """Row by row and token by token, the decoder's sequence in its natural order."""
    gone = net.missing_tokens(batch)
    errors: dict[str, list[float]] = {key: [] for key in INPUTS}
    for row in range(ROWS):
        entered, absent = [], []
        for key, spec in INPUTS.items():
            x, show = batch[key][row : row + 1], ~masks[key][row]
            module = net.enter[key]
            if isinstance(module, torch.nn.Linear):
                tokens = module(spec.patchify(x))
            else:
                tokens = module(x if key == "depth" else spec.signal(x), masks[key][row : row + 1])  # type: ignore[operator]
            entered.append((tokens[0] + sincos(spec.tokens, 32))[show])
            absent.append(gone[key][row][show])
        missing = torch.cat(absent)[None]
        encoded = net.encoder(torch.cat(entered)[None], missing)[0].split([len(e) for e in entered])
        for (key, spec), seen in zip(INPUTS.items(), encoded, strict=True):
            sequence = net.mask_token[0].repeat(spec.tokens, 1)
            sequence[~masks[key][row]] = net.to_decoder(seen)
            decoded = net.to_values[key](net.decoders[key]((sequence + sincos(spec.tokens, 24))[None]))[0]
            for token in range(spec.tokens):
                if masks[key][row, token] and not gone[key][row, token]:
                    truth = spec.patchify(batch[key])[row, token]
                    truth = (truth - truth.mean()) / (truth.var() + 1e-6).sqrt()
                    errors[key].append((decoded[token] - truth).square().mean().item())
    weight = {"depth": 1.0}
    return {f"masked_{key}": weight.get(key, 0.5) * sum(e) / max(len(e), 1) for key, e in errors.items()}


@both_stems
def test_the_loss_equals_a_naive_one(stem: Stem):
    net = model(stem)
    batch = without(without(windows(), "pose", 2), "acc", 4)
    with torch.no_grad():
        losses = net.pretrain_loss(batch, seeded(3))
        expected = naive_losses(net, batch, net.draw_masks(ROWS, seeded(3)))
    assert {k: v.item() for k, v in losses.items()} == pytest.approx(expected, rel=1e-4)


def test_the_weight_of_the_sensors_is_the_configs():
    one, two = model(sensor_weight=0.5), model(sensor_weight=1.5)
    a, b = (net.pretrain_loss(windows(), seeded()) for net in (one, two))
    torch.testing.assert_close(b["masked_acc"], 3 * a["masked_acc"])
    torch.testing.assert_close(b["masked_pose"], 3 * a["masked_pose"])
    torch.testing.assert_close(b["masked_depth"], a["masked_depth"])


@both_stems
def test_the_loss_has_no_hidden_random_state(stem: Stem):
    states, losses = [], []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        net = model(stem)
        states.append(net.state_dict())
        losses.append(net.train().pretrain_loss(windows(), seeded(7)))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[0])
    assert not torch.equal(model(stem, seed=1).state_dict()["mask_token"], states[0]["mask_token"])
    other = model(stem).pretrain_loss(windows(), seeded(8))
    assert all(other[name] != losses[0][name] for name in losses[0])


# ------------------------------------------------------------------------------------------------ missing streams
@every_kind
@pytest.mark.parametrize("key", INPUTS)
def test_what_a_missing_stream_holds_does_not_matter(kind: Kind, key: str):
    net, batch = model(kind), without(windows(), key, 1)
    row = torch.zeros(ROWS, net.config.inputs[key].tokens, dtype=torch.bool)
    row[1] = True
    other = wild(batch, {key: row}, net.config.inputs)
    assert not torch.equal(other[key], batch[key])
    with torch.no_grad():
        a, b = (net.pretrain_loss(x, seeded(3)) for x in (batch, other))
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=1e-6, atol=1e-6)
        one, two = (net.embed(x) for x in (batch, other))
        for modality in one:
            torch.testing.assert_close(one[modality], two[modality], rtol=1e-5, atol=1e-6)
        whole = net.pretrain_loss(windows(), seeded(3))
    assert not torch.allclose(a[f"masked_{key}"], whole[f"masked_{key}"])


@both_stems
def test_a_missing_modality_is_embedded_as_zero(stem: Stem):
    batch = without(without(without(without(windows(), "pose", 0), "depth", 1), "acc", 2), "gyro", 2)
    batch = without(batch, "acc", 3)  # the gyroscope is still there
    embedded = {m: e.detach() for m, e in model(stem).embed(batch).items()}
    assert {m: (e.abs().sum(1) == 0).nonzero().flatten().tolist() for m, e in embedded.items()} == {
        "imu": [2], "pose": [0], "video": [1]
    }  # fmt: skip
    for e in embedded.values():
        here = e[e.abs().sum(1) > 0]
        torch.testing.assert_close(here.view(len(here), 2, 32).norm(dim=2), torch.ones(len(here), 2))


def test_a_row_without_anything_is_no_danger():
    batch = windows()
    for key in INPUTS:
        batch = without(batch, key, 3)
    net = model()
    losses = net.pretrain_loss(batch, seeded())
    torch.stack(list(losses.values())).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    assert all(torch.isfinite(x) for x in losses.values())
    for e in net.embed(batch).values():
        assert torch.isfinite(e).all()
        assert not e[3].any()


def test_a_modality_that_nobody_has_teaches_nothing():
    batch = windows()
    for row in range(ROWS):
        batch = without(batch, "depth", row)
    net = model()
    losses = net.pretrain_loss(batch, seeded())
    assert losses["masked_depth"] == 0
    torch.stack(list(losses.values())).sum().backward()
    for name, p in net.named_parameters():
        if "depth" in name and p.grad is not None:
            assert not p.grad.any(), name


def test_a_token_is_missing_where_most_of_its_samples_are():
    batch = windows()
    gone = batch["acc.missing"].clone()
    gone[0, 0:2], gone[1, 4:7], gone[2, 8:12] = True, True, True  # 2, 3 and 4 samples of 4
    pose = batch["pose.missing"].clone()
    pose[3, 6:8] = True
    missing = model().missing_tokens(batch | {"acc.missing": gone, "pose.missing": pose})
    assert missing["acc"].nonzero().tolist() == [[1, 1], [2, 2]]
    assert missing["pose"].nonzero().tolist() == [[3, 6], [3, 7]]  # both places of slot 3
    assert not missing["depth"].any()


@every_kind
@pytest.mark.parametrize("keys", SUBSETS, ids=lambda keys: "+".join(sorted(keys)))
def test_any_subset_of_streams_works(kind: Kind, keys: set[str]):
    net = model(kind)
    batch = {name: x for name, x in windows().items() if name.partition(".")[0] in keys}
    with torch.no_grad():
        losses, embedded = net.pretrain_loss(batch, seeded()), net.embed(batch)
    assert list(losses) == [f"masked_{key}" for key in INPUTS if key in keys]
    assert all(torch.isfinite(x) and x > 0 for x in losses.values())
    assert list(embedded) == [m for m, streams in MODALITIES.items() if keys & set(streams)]
    assert all(e.shape == (ROWS, 64) and torch.isfinite(e).all() for e in embedded.values())
    bare = {name: x for name, x in batch.items() if "." not in name}  # without masks: nothing is missing
    with torch.no_grad():
        assert all(torch.equal(e, net.embed(bare)[m]) for m, e in embedded.items())


def test_a_batch_without_any_stream_is_refused():
    with pytest.raises(ValueError, match=r"none of the model's streams.*acc.*: \['sound'\]"):
        model().embed({"sound": torch.zeros(2, 8, 3)})


# ------------------------------------------------------------------------------------------------ embeddings
@both_stems
def test_rows_of_a_batch_do_not_touch(stem: Stem):
    net, batch = model(stem), without(without(windows(), "pose", 2), "acc", 4)
    with torch.no_grad():
        whole = net.embed(batch)
        for row in range(ROWS):
            alone = net.embed({name: x[row : row + 1] for name, x in batch.items()})
            for modality, e in whole.items():
                torch.testing.assert_close(alone[modality][0], e[row], rtol=1e-4, atol=1e-5)


@both_stems
def test_modalities_are_embedded_alone(stem: Stem):
    net, batch = model(stem), windows()
    every = {key: torch.ones(ROWS, spec.tokens, dtype=torch.bool) for key, spec in INPUTS.items()}
    with torch.no_grad():
        before = net.embed(batch)
        for modality, keys in MODALITIES.items():
            after = net.embed(wild(batch, {key: every[key] for key in keys}))
            changed = {m for m in before if not torch.equal(before[m], after[m])}
            assert changed == {modality}


# ------------------------------------------------------------------------------------------------ sizes
def test_configs_say_what_is_wrong():
    with pytest.raises(ValueError, match="at least one input"):
        MuMAE(Config(), seeded())
    assert Config(INPUTS).modalities == MODALITIES


def test_the_published_sizes():
    """128 samples in 16 tokens, three quarters hidden; nine tenths of the video's tubes."""
    inputs = mumae.utd_inputs()
    config = mumae.small(inputs)
    assert (config.mask_ratio, config.video_mask_ratio, config.sensor_weight) == (0.75, 0.9, 0.5)
    assert (inputs["acc"].tokens, inputs["acc"].values) == (16, 24)
    assert inputs["pose"].slots == inputs["acc"].slots == inputs["gyro"].slots
    net = MuMAE(mumae.tiny(inputs), seeded())
    batch = {k: s.unpatchify(torch.randn(2, s.tokens, s.values, generator=seeded())) for k, s in inputs.items()}
    with torch.no_grad():
        losses = net.pretrain_loss(batch, seeded())
        assert all(e.shape == (2, 2 * net.config.dim) for e in net.embed(batch).values())
    assert all(0 < x < 3 for x in losses.values())


def test_configs_refuse_what_does_not_go_together():
    with pytest.raises(ValueError, match=r"'acc': strided tokens need stem = 'linear'"):
        Config(STRIDED, dim=32, decoder_dim=24)
    with pytest.raises(ValueError, match=r"'acc': reads = 'motion' needs stem = 'conv'"):
        Config(MOTION, stem="linear", dim=32, decoder_dim=24)
    parts = replace(INPUTS["pose"], reads="motion")  # two places: a linear entrance, which knows no motion
    with pytest.raises(ValueError, match=r"'pose': reads = 'motion' needs places = 1"):
        Config({"pose": parts}, dim=32, decoder_dim=24)


# ------------------------------------------------------------------------------------------------ ratios and draws
def test_independent_streams_hide_as_much_at_other_moments():
    masks = model(masking="independent").draw_masks(300, seeded())
    pose = masks["pose"].view(300, 8, 2)
    assert torch.equal(pose.all(2), pose.any(2))  # a moment of a body is hidden whole
    moments = {"acc": masks["acc"], "gyro": masks["gyro"], "pose": pose.all(2)}
    for name, hidden in moments.items():
        assert hidden.sum(1).unique().tolist() == [6], name
    for one, two in combinations(moments, 2):
        both = (moments[one] & moments[two]).float().mean().item()
        assert both == pytest.approx(0.75**2, abs=0.03), (one, two)  # synchronised: 0.75
    assert torch.equal(masks["depth"], model(masking="synchronised").draw_masks(300, seeded())["depth"])


@pytest.mark.parametrize("kind", ["linear", "motion"])
def test_with_nothing_hidden_there_is_nothing_to_learn(kind: Kind):
    net, batch = model(kind, mask_ratio=0.0, video_mask_ratio=0.0), windows()
    seen = watched(net, lambda: net.pretrain_loss(batch, seeded()))
    assert seen["entered"].shape[1] == sum(spec.tokens for spec in net.config.inputs.values())
    losses = net.pretrain_loss(batch, seeded())
    assert all(loss == 0 for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())


@pytest.mark.parametrize(("ratio", "hidden"), [(0.1, 0), (0.125, 1), (0.5, 4), (0.9, 7), (0.99, 7)])
def test_a_ratio_is_rounded_down_and_leaves_one(ratio: float, hidden: int):
    net = model("strided", mask_ratio=ratio)
    assert {int(x) for x in net.draw_masks(20, seeded())["acc"].sum(1)} == {hidden}
    losses = net.pretrain_loss(windows(), seeded())
    assert all(torch.isfinite(x) for x in losses.values())
    assert bool(losses["masked_gyro"] > 0) == (hidden > 0)


# ------------------------------------------------------------------------------------------------ what is read
def test_motion_does_not_know_where_it_is():
    """A constant added to a stream that reads differences changes none of its tokens; one that reads values, all."""
    batch = windows()
    moved = {key: x if "." in key else x + 3.0 for key, x in batch.items()}
    kinds: list[tuple[Kind, bool]] = [("motion", True), ("conv", False)]
    for kind, alike in kinds:
        net = model(kind)
        hidden = net.draw_masks(ROWS, seeded(3))
        for key, spec in net.config.inputs.items():
            gone = torch.zeros(ROWS, spec.tokens, dtype=torch.bool)
            visible = (~hidden[key]).nonzero()[:, 1].view(ROWS, -1)
            pairs = [[net.enter_whole(key, b[key], gone)[i] for b in (batch, moved)] for i in (0, 1)]
            pairs.append([net.enter_visible(key, b[key], visible, gone) for b in (batch, moved)])
            for one, two in pairs:
                assert torch.allclose(one, two, atol=1e-4) == alike, (kind, key)
    still = {key: torch.full_like(x, 7.0) for key, x in batch.items() if "." not in key}
    nothing = {key: torch.zeros_like(x) for key, x in still.items()}
    net = model("motion")
    one, two = net.embed(still), net.embed(nothing)
    assert all(torch.equal(e, two[m]) for m, e in one.items())


def test_missing_strided_tokens_are_those_with_most_samples_gone():
    """8 tokens of 4 samples: token 2 holds samples 2, 10, 18 and 26."""
    batch = windows()
    gone = batch["acc.missing"].clone()
    gone[0, [2, 10]], gone[1, [2, 10, 18]], gone[2, :8] = True, True, True  # a half, most, one sample of each
    missing = model("strided").missing_tokens(batch | {"acc.missing": gone})
    assert missing["acc"].nonzero().tolist() == [[1, 2]]


# ------------------------------------------------------------------------------------------------ presets
@pytest.mark.parametrize(
    ("preset", "dim", "decoder", "parameters"),
    [(mumae.vit_small, 384, 192, 21_294_336), (mumae.vit_base, 768, 384, 85_056_000)],
)
def test_the_published_presets(preset: Callable[..., Config], dim: int, decoder: int, parameters: int):
    """ViT-S and ViT-B; 16 frames of 224 pixels and four sensors of 128 samples."""
    config = preset()
    tokens = {key: spec.tokens for key, spec in config.inputs.items()}
    assert tokens == {"video": 1568, "acc_phone": 16, "acc_watch": 16, "gyro": 16, "orientation": 16}
    assert [config.inputs[key].values for key in ("video", "gyro")] == [2 * 16 * 16 * 3, 8 * 3]
    assert (config.dim, config.depth, config.dim // config.heads) == (dim, 12, 64)
    assert (config.decoder_dim, config.decoder_depth, config.decoder_dim // config.decoder_heads) == (decoder, 4, 64)
    assert (config.mask_ratio, config.video_mask_ratio, config.layer_scale) == (0.9, 0.9, 0.0)
    with torch.device("meta"):
        encoder = Transformer(config.dim, config.depth, config.heads, scale=config.layer_scale or None)
        decoders = Transformer(config.decoder_dim, config.decoder_depth, config.decoder_heads)
    block = 12 * dim**2 + 13 * dim
    assert sum(p.numel() for p in encoder.parameters()) == 12 * block + 2 * dim == parameters
    assert len(decoders.blocks) == 4
    assert preset({"acc": INPUTS["acc"]}).inputs == {"acc": INPUTS["acc"]}


def test_the_published_masks_leave_two_moments_and_a_tenth_of_the_places():
    masks = MuMAE(replace(mumae.vit_small(), dim=16, depth=1, heads=1, decoder_dim=8, decoder_heads=1), seeded())
    drawn = masks.draw_masks(3, seeded())
    assert (~drawn["gyro"]).sum(1).tolist() == [2, 2, 2]
    assert all(torch.equal(drawn["gyro"], drawn[key]) for key in ("acc_phone", "acc_watch", "orientation"))
    assert (~drawn["video"]).sum(1).tolist() == [8 * 20] * 3  # 0.9 of 196 places are 176


def test_the_published_design_takes_a_step_at_the_size_of_utd():
    config = mumae.vit_utd()
    assert {key: spec.tokens for key, spec in config.inputs.items()} == {
        "acc": 16,
        "gyro": 16,
        "pose": 16,
        "depth": 256,
    }
    net = MuMAE(config, seeded())
    names = dict(net.named_parameters())
    assert not any("scale" in name for name in names)  # a plain ViT
    batch = {k: s.unpatchify(torch.randn(2, s.tokens, s.values, generator=seeded())) for k, s in config.inputs.items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    totals = []
    for _ in range(3):
        losses = net.pretrain_loss(batch, seeded(1))
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[0] > totals[1] > totals[2]
    assert all(p.grad is not None for p in names.values())
