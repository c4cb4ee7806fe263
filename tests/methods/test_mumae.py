"""Mu-MAE: nothing hidden or missing is seen, the loss is what the paper says, any subset of streams works."""

from collections.abc import Callable
from itertools import chain, combinations
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.methods import mumae
from kinjo.methods.mumae import Config, CosineClassifier, Finetune, MuMAE, Pretrain
from kinjo.nn.tokens import sincos

Stem = Literal["conv", "linear"]
INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8),
    "gyro": SensorInput("gyro", samples=32, slots=8),
    "pose": PoseInput(frames=16, joints=4, slots=8, places=2),
    "depth": VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8)),
}
MODALITIES = {"imu": ["acc", "gyro"], "pose": ["pose"], "video": ["depth"]}
ROWS = 5
SUBSETS = [set(s) for s in chain.from_iterable(combinations(INPUTS, n) for n in range(1, 5))]
Batch = dict[str, Tensor]

both_stems = pytest.mark.parametrize("stem", ["conv", "linear"])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(stem: Stem = "conv", seed: int = 0, **sizes: Any) -> MuMAE:
    config = {"dim": 32, "depth": 2, "decoder_dim": 24, "layer_scale": 1.0, "video_mask_ratio": 0.5} | sizes
    return MuMAE(Config(INPUTS, stem=stem, **config), seeded(seed)).eval()


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


def wild(batch: Batch, tokens: dict[str, Tensor]) -> Batch:
    """Other values in the ``tokens`` (rows, tokens) of the streams."""
    out = dict(batch)
    for key, chosen in tokens.items():
        spec = INPUTS[key]
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


@both_stems
def test_hidden_values_are_never_seen(stem: Stem):
    net, batch = model(stem), windows()
    masks = net.draw_masks(ROWS, seeded(3))  # what pretrain_loss will draw from the same seed
    known = watched(net, lambda: net.pretrain_loss(batch, seeded(3)))
    other = watched(net, lambda: net.pretrain_loss(wild(batch, masks), seeded(3)))
    assert known.keys() == other.keys() == {"entered", "encoded", *INPUTS}
    for name, value in known.items():
        assert torch.equal(value, other[name]), name
    shown = {key: ~mask for key, mask in masks.items()}
    changed = watched(net, lambda: net.pretrain_loss(wild(batch, shown), seeded(3)))
    for name, value in known.items():
        assert not torch.allclose(value, changed[name]), name  # the visible ones are


@both_stems
def test_hidden_values_are_what_is_asked_for(stem: Stem):
    net, batch = model(stem), windows()
    masks = net.draw_masks(ROWS, seeded(3))
    for key in INPUTS:
        before = net.pretrain_loss(batch, seeded(3))
        after = net.pretrain_loss(wild(batch, {key: masks[key]}), seeded(3))
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
@both_stems
@pytest.mark.parametrize("key", INPUTS)
def test_what_a_missing_stream_holds_does_not_matter(stem: Stem, key: str):
    net, batch = model(stem), without(windows(), key, 1)
    row = torch.zeros(ROWS, INPUTS[key].tokens, dtype=torch.bool)
    row[1] = True
    other = wild(batch, {key: row})
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


@both_stems
@pytest.mark.parametrize("keys", SUBSETS, ids=lambda keys: "+".join(sorted(keys)))
def test_any_subset_of_streams_works(stem: Stem, keys: set[str]):
    net = model(stem)
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


# ------------------------------------------------------------------------------------------------ classifier, tasks
def naive_cross_entropy(e: Tensor, weight: Tensor, label: int) -> float:
    logits = torch.stack([12 * (e @ w) / (e.norm() * w.norm()) for w in weight])
    log_p = logits - logits.exp().sum().log()
    classes = len(weight)
    return -sum((0.9 * (k == label) + 0.1 / classes) * log_p[k].item() for k in range(classes))


def test_the_classifiers_loss_equals_a_naive_one():
    g = seeded()
    classifier = CosineClassifier(["imu", "pose"], 6, 3, g)
    branches = {m: {b: torch.randn(4, 6, generator=g) for b in ("local", "context")} for m in ("imu", "pose")}
    for e in branches["pose"].values():
        e[1] = 0.0  # a row without pose
    labels = torch.tensor([0, 2, 1, 1])
    losses = classifier.losses(branches, labels)
    assert set(losses) == {f"classify_{m}_{b}" for m in branches for b in ("local", "context")}
    for modality, parts in branches.items():
        rows = [0, 2, 3] if modality == "pose" else [0, 1, 2, 3]
        for branch, e in parts.items():
            weight = classifier.weights[f"{modality}_{branch}"].detach()
            each = [naive_cross_entropy(e[row], weight, int(labels[row])) for row in rows]
            assert losses[f"classify_{modality}_{branch}"].item() == pytest.approx(sum(each) / len(each), rel=1e-4)
    longer = {m: {b: 7 * e for b, e in parts.items()} for m, parts in branches.items()}
    for name, loss in classifier.losses(longer, labels).items():
        torch.testing.assert_close(loss, losses[name])  # directions alone count


def test_a_modality_without_rows_earns_no_loss():
    classifier = CosineClassifier(["imu"], 6, 3, seeded())
    nothing = torch.zeros(2, 6, requires_grad=True)
    losses = classifier.losses({"imu": {"local": nothing, "context": torch.zeros(2, 6)}}, torch.tensor([0, 1]))
    assert [x.item() for x in losses.values()] == [0.0, 0.0]
    losses["classify_imu_local"].backward()
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()


@both_stems
def test_no_weight_is_dead(stem: Stem):
    """Every parameter learns in one of the two stages."""
    net = model(stem)
    tune = Finetune(net, 3, seeded())
    batch = windows() | {"label": torch.tensor([0, 1, 2, 0, 1])}
    losses = [*Pretrain(net)(batch, seeded()).values(), *tune(batch, seeded()).values()]
    torch.stack(losses).sum().backward()
    assert [name for name, p in tune.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_finetuning_is_decided_by_the_labels():
    net = model()
    tune, batch = Finetune(net, 3, seeded()), windows()
    one, two = (tune(batch | {"label": torch.tensor(x)}, seeded()) for x in ([0, 1, 2, 0, 1], [1, 1, 2, 0, 1]))
    assert set(one) == {f"classify_{m}_{b}" for m in MODALITIES for b in ("local", "context")}
    assert all(one[name] != two[name] for name in one)
    again = Finetune(net, 3, seeded())(batch | {"label": torch.tensor([0, 1, 2, 0, 1])}, seeded(5))
    assert all(torch.equal(one[name], again[name]) for name in one)


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


def test_embeddings_are_unit_branches_side_by_side():
    net, batch = model(), windows()
    with torch.no_grad():
        parts, whole = net.branches(batch), net.embed(batch)
    for modality, e in whole.items():
        expected = torch.cat([F.normalize(parts[modality][b], dim=1) for b in ("local", "context")], 1)
        torch.testing.assert_close(e, expected)
