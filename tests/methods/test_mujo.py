"""MuJo: a joint space of whatever is there; no objective sees what is missing, and all of them learn."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput, text
from kinjo.encoders.frozen import Preprocess, VisionEncoder
from kinjo.losses import contrastive
from kinjo.methods import mujo, mumae
from kinjo.methods.mujo import OBJECTIVES, Config, MuJo, Objective, Pretrain, Sentences, between_views, dropped
from kinjo.train import Schedule, fit, step_generator

INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8, placement="left_wrist"),
    "gyro": SensorInput("gyro", samples=32, slots=8, placement="left_wrist"),
    "pocket": SensorInput("acc", samples=32, slots=8, placement="right_pocket"),
    "pose": PoseInput(frames=16, joints=4, slots=8, places=2),
    "depth": VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8)),
}
MODALITIES = {"imu": ["acc", "gyro", "pocket"], "pose": ["pose"], "video": ["depth"]}
SUBSETS = [set(s) for s in chain.from_iterable(combinations(MODALITIES, n) for n in (1, 2, 3))]
ROWS, WORDS, CLASSES = 6, 8, 3
SAID = ("somebody squats", "a deep squat", "walking", "no activity")
Batch = dict[str, Tensor]
both_imus = pytest.mark.parametrize("imu", ["transformer", "recurrent"])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Letters(nn.Module):
    """Sentences by how often each letter of eight is in them, through one layer that may learn."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(WORDS, WORDS, bias=False)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(WORDS))

    def forward(self, letters: Tensor) -> Tensor:
        return self.mix(letters)


def letters(sentences: list[str]) -> dict[str, Tensor]:
    return {"letters": torch.tensor([[float(s.count(c)) for c in "aeioslqw"] for s in sentences])}


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The text model of all tests: tiny, and what it keeps on disk goes with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def load(name: str) -> text.TextEncoder:
        return text.TextEncoder(name, WORDS, Letters(), letters, lambda tower, tokens: tower(tokens["letters"]))

    monkeypatch.setattr(text, "load", load)


def config(**sizes: Any) -> Config:
    given: dict[str, Any] = {"inputs": INPUTS, "dim": 16, "depth": 1, "heads": 2, "joint_dim": 12, "text_dim": WORDS}
    return Config(**given | sizes)


def model(seed: int = 0, **sizes: Any) -> MuJo:
    return MuJo(config(**sizes), seeded(seed)).eval()


def windows(rows: int = ROWS, seed: int = 1, inputs: dict[str, Input] = INPUTS) -> Batch:
    """Noise for every stream, nothing missing."""
    g, out = seeded(seed), {}
    for key, spec in inputs.items():
        out[key] = spec.unpatchify(torch.randn(rows, spec.tokens, spec.values, generator=g))
        out[f"{key}.missing"] = torch.zeros(rows, spec.samples, dtype=torch.bool)
    return out


def without(batch: Batch, modality: str, *rows: int, value: float = 0.0) -> Batch:
    out = dict(batch)
    for key in MODALITIES[modality]:
        out[key], out[f"{key}.missing"] = out[key].clone(), out[f"{key}.missing"].clone()
        out[key][list(rows)], out[f"{key}.missing"][list(rows)] = value, True
    return out


def full(batch: Batch) -> Batch:
    """With sentences and classes, of which one row has none."""
    return batch | {"text": torch.tensor([0, 1, 2, 3, 2, -1]), "label": torch.tensor([0, 0, 1, 2, 1, -1])}


def task(net: MuJo, objective: Objective, *, said: bool = True) -> Pretrain:
    return Pretrain(net, objective, seeded(1), sentences=Sentences(net, SAID) if said else None, classes=CLASSES)


def finite(module: nn.Module) -> bool:
    given = [p.grad for p in module.parameters() if p.grad is not None]
    return bool(given) and all(bool(torch.isfinite(g).all()) for g in given)


# ------------------------------------------------------------------------------------------------ embeddings
@both_imus
@pytest.mark.parametrize("subset", SUBSETS, ids=lambda s: "+".join(sorted(s)))
def test_any_subset_is_embedded_each_modality_by_itself(imu: str, subset: set[str]):
    net, batch = model(imu=imu), windows()
    kept = {n: x for n, x in batch.items() if INPUTS[n.partition(".")[0]].modality in subset}
    with torch.no_grad():
        whole, part = net.embed(batch), net.embed(kept)
    assert list(part) == [m for m in MODALITIES if m in subset]
    for modality, z in part.items():
        assert z.shape == (ROWS, 12)
        torch.testing.assert_close(z.norm(dim=1), torch.ones(ROWS))
        assert torch.equal(z, whole[modality])


@both_imus
def test_rows_without_a_modality_are_zero_and_what_is_missing_is_not_read(imu: str):
    net, batch = model(imu=imu), windows()
    made = []
    for value in (0.0, 1e3):
        lacking = without(without(batch, "imu", 1, value=value), "video", 2, 3, value=value)
        made.append(net.embed(without(lacking, "pose", 2, value=value)))
    one, two = made
    assert {m: [i for i in range(ROWS) if not z[i].any()] for m, z in one.items()} == {
        "imu": [1], "pose": [2], "video": [2, 3]
    }  # fmt: skip
    assert all(torch.equal(z, two[m]) for m, z in one.items())
    whole = net.embed(batch)
    for m, z in one.items():
        there = z.any(1)
        torch.testing.assert_close(z[there], whole[m][there], atol=1e-5, rtol=1e-4)


def test_rows_of_a_batch_do_not_touch():
    net, batch = model(), without(windows(), "imu", 1)
    whole = net.embed(batch)
    for row in range(ROWS):
        for m, z in net.embed({n: x[row : row + 1] for n, x in batch.items()}).items():
            torch.testing.assert_close(z[0], whole[m][row], atol=1e-5, rtol=1e-4)


@both_imus
def test_the_generator_alone_decides_the_weights(imu: str):
    made = []
    for outside, seed in ((1, 0), (2, 0), (2, 1)):
        torch.manual_seed(outside)
        made.append(model(seed, imu=imu).state_dict())
    assert all(torch.equal(x, made[1][n]) for n, x in made[0].items())
    changed = {n for n, x in made[0].items() if not torch.equal(x, made[2][n])}
    assert {n.split(".")[1] for n in changed if n.startswith("encoders")} == set(MODALITIES)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="at least one input"):
        MuJo(Config(), seeded())
    with pytest.raises(ValueError, match="dim 24 must be a multiple of 16 and of heads"):
        config(dim=24)
    with pytest.raises(ValueError, match="none of the model's streams"):
        model().embed({"sound": torch.zeros(2, 8, 3)})
    assert config().modalities == tuple(MODALITIES)


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
    tower = net.encoders["video"].vision
    assert all(torch.equal(x, tower.state_dict()[n]) for n, x in vision().state_dict().items())
    learning = Pretrain(net, Objective({"contrast": 1.0, "masked": 1.0}), seeded()).train()
    losses = learning(windows(inputs=inputs), seeded())
    assert set(losses) == {"contrast_imu_video", "masked_acc"}  # features hold no pixels to model
    torch.stack(list(losses.values())).sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in tower.parameters()) == learns
    assert finite(learning)


def test_sentences_are_embedded_once_or_by_a_model_that_learns():
    rows = torch.tensor([2, 0, 0, -1])
    frozen, live = model(), model(train_text=True)
    assert frozen.words is None
    banks = [Sentences(net, SAID) for net in (frozen, live)]
    expected = torch.from_numpy(text.load("x").encode([SAID[i] for i in (2, 0, 0, 0)]))
    for net, bank in zip((frozen, live), banks, strict=True):
        torch.testing.assert_close(bank(net, rows), expected)
        assert not list(bank.parameters())
        assert not bank.state_dict()
        alike = bank.alike(rows)
        torch.testing.assert_close(alike[:3, :3], expected[:3] @ expected[:3].T)
        assert not alike[3].any()
        assert not alike[:, 3].any()
    assert not banks[0](frozen, rows).requires_grad
    assert live.words is not None
    learning = Pretrain(live, Objective(), seeded(), sentences=banks[1]).train()
    torch.stack(list(learning(full(windows()), seeded()).values())).sum().backward()
    grad = live.words.tower.mix.weight.grad
    assert grad is not None
    assert bool(grad.any())
    with torch.no_grad():
        live.words.tower.mix.weight.mul_(torch.arange(1.0, WORDS + 1))
    assert (banks[1](live, rows) - expected).abs().max() > 0.01
    torch.testing.assert_close(banks[1].alike(rows)[:3, :3], expected[:3] @ expected[:3].T)  # as the text model was


def test_a_text_model_of_another_size_is_named():
    with pytest.raises(ValueError, match="gives 8 numbers: set text_dim = 8"):
        Sentences(model(text_dim=5), SAID)


# ------------------------------------------------------------------------------------------------ objectives
NAMES = {
    "contrast": {f"contrast_{a}_{b}" for a, b in combinations((*MODALITIES, "text"), 2)},
    "views": {f"views_{m}" for m in MODALITIES},
    "supervised": {"supervised"},
    "classify": {f"classify_{m}" for m in MODALITIES},
    "reconstruct": {f"reconstruct_{k}" for k in MODALITIES["imu"]},
    "regress": {f"regress_{k}" for k in MODALITIES["imu"]},
    "masked": {f"masked_{k}" for k in INPUTS},
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("lacking", [False, True])
def test_every_objective_is_finite_and_learns(name: str, lacking: bool):
    learning, batch = task(model(), Objective({name: 2.0})).train(), full(windows())
    if lacking:
        batch = without(without(without(without(batch, "imu", 1, 4), "pose", 2, 4), "video", 3, 4), "pose", 5)
        batch["pose"][0, 3:5, 1] = torch.nan
    losses = learning(batch, seeded(3))
    assert set(losses) == NAMES[name]
    assert all(torch.isfinite(x) and x > 0 for x in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert finite(learning)
    plain = learning.losses(batch, seeded(3))
    torch.testing.assert_close(dict(losses), {n: 2 * x for n, x in plain.items()})


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_objective_sees_what_is_missing(name: str):
    learning = task(model(), Objective({name: 1.0}))
    made = []
    for value in (0.0, 1e3):
        batch = without(without(full(windows()), "imu", 1, 4, value=value), "video", 2, value=value)
        made.append(learning(without(batch, "pose", 4, 5, value=value), seeded(3)))
    assert {n: x.item() for n, x in made[0].items()} == {n: x.item() for n, x in made[1].items()}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_modality_that_nobody_has_teaches_nothing(name: str):
    learning = task(model(), Objective({name: 1.0})).train()
    batch = without(full(windows()), "video", *range(ROWS))
    losses = learning(batch, seeded())
    assert all(x == 0 for n, x in losses.items() if "video" in n or "depth" in n)
    torch.stack(list(losses.values())).sum().backward()
    assert finite(learning)
    for n, p in learning.named_parameters():
        if "encoders.video" in n and p.grad is not None:
            assert not p.grad.any(), n


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("subset", SUBSETS, ids=lambda s: "+".join(sorted(s)))
def test_a_batch_may_lack_whole_inputs(name: str, subset: set[str]):
    learning = task(model(), Objective({name: 1.0})).train()
    batch = {n: x for n, x in windows().items() if INPUTS[n.partition(".")[0]].modality in subset}
    losses = learning(batch, seeded())  # without sentences and labels too
    assert set(losses) <= NAMES[name] | {"nothing"}
    total = torch.stack(list(losses.values())).sum()
    assert torch.isfinite(total)
    total.backward()
    assert finite(learning)


def test_a_step_that_has_nothing_to_learn_from_moves_nothing():
    learning = task(model(), Objective({"supervised": 1.0}, weighting="uncertainty"))
    losses = learning(windows(), seeded())
    assert {n: x.item() for n, x in losses.items()} == {"nothing": 0.0}
    losses["nothing"].backward()
    assert not any(p.grad.any() for p in learning.parameters() if p.grad is not None)


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "pcgrad"])
@pytest.mark.parametrize("schedule", ["joint", "alternating", "staged"])
def test_every_weighting_and_schedule_trains(weighting: Any, schedule: Any, tmp_path: Path):
    """Twice the same, and a run that was cut ends with the same bits."""
    how = Objective({"contrast": 1.0, "masked": 0.5, "regress": 1.0}, weighting, schedule)
    plan = Schedule(steps=4, batch_size=ROWS, lr=1e-2, warmup_steps=1, precision="fp32", save_every_s=0.0)
    active = []

    def draw(generator: torch.Generator) -> Batch:
        return full(windows(seed=int(torch.randint(99, (), generator=generator))))

    def run(out: Path, *until: int | None) -> dict[str, Tensor]:
        learning = task(model(inputs={k: INPUTS[k] for k in ("acc", "pose")}), how)
        learning.register_forward_pre_hook(lambda *_: active.append(learning.active))
        for stop in until:
            fit(learning, draw, plan, out, seed=5, progress=False, until=stop)
        return learning.state_dict()

    before = task(model(inputs={k: INPUTS[k] for k in ("acc", "pose")}), how).state_dict()
    whole, cut = run(tmp_path / "whole", None), run(tmp_path / "cut", 2)
    cut = run(tmp_path / "cut", None)
    assert whole.keys() == cut.keys()
    assert all(torch.equal(x, cut[n]) for n, x in whole.items())
    assert all(bool(torch.isfinite(x).all()) for x in whole.values())
    assert any(not torch.equal(x, before[n]) for n, x in whole.items() if "encoders.imu" in n)
    expected = {
        "joint": [{"contrast", "masked", "regress"}] * 4,
        "alternating": [{"contrast"}, {"regress"}, {"contrast"}, {"masked"}],
        "staged": [{"contrast"}] * 2 + [{"contrast", "masked", "regress"}] * 2,
    }
    assert active[:4] == expected[schedule]
    learnt = {n: x for n, x in whole.items() if n.startswith("weigh.")}
    assert len(learnt) == (3 if weighting == "uncertainty" else 0)
    assert not learnt or any(bool(x != 0) for x in learnt.values())


def test_surgery_without_conflict_is_the_sum():
    one, two = (task(model(), Objective({"masked": 1.0}, w)) for w in ("fixed", "pcgrad"))  # type: ignore[arg-type]
    batch = {n: x for n, x in windows().items() if n.startswith(("acc", "depth"))}  # they share no weights
    torch.stack(list(one(batch, seeded()).values())).sum().backward()
    assert two.gradients is not None
    two.gradients(two(batch, seeded()), seeded(1))
    given = dict(two.named_parameters())
    for n, p in one.named_parameters():
        if p.grad is not None and "masked.decoder" not in n and "masked.enter" not in n and "masked.hidden" not in n:
            torch.testing.assert_close(given[n].grad, p.grad, atol=1e-6, rtol=1e-4)


def test_objectives_are_checked():
    for weights in ({"contrast": 0.0}, {}, {"contrst": 1.0}, {"contrast": -1.0}):
        with pytest.raises(ValueError, match="known are contrast, views"):
            Objective(weights)
    with pytest.raises(ValueError, match="weights must be numbers"):
        Objective({"contrast": "much"})  # type: ignore[dict-item]
    for wrong in ({"temperature": 0.0}, {"drop": 1.0}, {"hide_placement": 1.5}):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            Objective(**wrong)
    with pytest.raises(ValueError, match="'classify' needs labelled windows"):
        Pretrain(model(), Objective({"classify": 1.0}), seeded())
    imu, pose = ({k: INPUTS[k] for k in MODALITIES[m]} for m in ("imu", "pose"))
    with pytest.raises(ValueError, match="regress needs inputs of IMU and pose"):
        Pretrain(model(inputs=imu), Objective({"regress": 1.0}), seeded())
    with pytest.raises(ValueError, match="reconstruct needs inputs of IMU"):
        Pretrain(model(inputs=pose), Objective({"reconstruct": 1.0}), seeded())
    with pytest.raises(ValueError, match="'masked' needs imu = 'transformer'"):
        Pretrain(model(imu="recurrent"), Objective({"masked": 1.0}), seeded())


# ------------------------------------------------------------------------------------------------ what is hidden
def test_dropout_always_leaves_one_that_is_there():
    g = seeded(2)
    gone = {m: torch.rand(500, generator=g) < 0.5 for m in MODALITIES}
    for share in (0.0, 0.3, 0.99):
        hidden = torch.stack(list(dropped(gone, share, g).values()), 1)
        missing = torch.stack(list(gone.values()), 1)
        assert bool((hidden | ~missing).all())  # what is missing stays so
        assert torch.equal(hidden.all(1), missing.all(1))
        if share == 0:
            assert torch.equal(hidden, missing)
    nothing = {m: torch.zeros(20_000, dtype=torch.bool) for m in MODALITIES}
    shares = torch.stack(list(dropped(nothing, 0.3, g).values()), 1).float().mean(0)
    torch.testing.assert_close(shares, torch.full((3,), 0.3 - 0.3**3 / 3), atol=0.015, rtol=0)  # all three hidden: one stays


def test_dropout_hides_from_the_contrast_alone():
    batch = full(windows())
    always, never = (task(model(), Objective({"contrast": 1.0, "masked": 1.0}, drop=d)) for d in (0.99, 0.0))
    one, two = always.losses(batch, seeded(3)), never.losses(batch, seeded(3))
    assert all(one[n] == two[n] for n in NAMES["masked"])
    assert sum(one[n] == 0 for n in NAMES["contrast"] if "text" not in n) >= 2  # few rows have two left
    assert all(two[n] > 0 for n in NAMES["contrast"])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_placements_are_withheld_in_a_share_of_the_batches(share: float):
    net = model()
    learning = task(net, Objective({"contrast": 1.0}, hide_placement=share))
    torch.stack(list(learning(full(windows()), seeded()).values())).sum().backward()
    assert net.places.rest.grad is None or bool(net.places.rest.grad.any()) == (share == 0.0)
    assert net.places.joints.grad is not None
    assert bool(net.places.joints.grad.any())


def test_views_are_rows_of_the_two_halves():
    z = torch.nn.functional.normalize(torch.randn(6, 5, generator=seeded()), dim=1)
    gone = torch.tensor([False, True, False, False, False, False])
    scale = torch.tensor(5.0)
    kept = contrastive.info_nce(z[[0, 2]], z[[3, 5]], scale)
    torch.testing.assert_close(between_views(z, gone, scale), kept)


def test_what_says_the_same_is_no_negative():
    net = model()
    batch = windows() | {"text": torch.tensor([0, 0, 2, 2, 3, 3])}
    learning = task(net, Objective(synonyms=2.0, drop=0.0, hide_placement=0.0))
    joint = net.embed(batch)
    targets = contrastive.soft_targets(batch["text"])
    scale = torch.tensor(10.0)
    expected = contrastive.info_nce(joint["imu"], joint["pose"], scale, targets=targets)
    torch.testing.assert_close(learning.losses(batch, seeded())["contrast_imu_pose"], expected)
    bare = {n: x for n, x in batch.items() if n != "text"}
    alone = contrastive.info_nce(joint["imu"], joint["pose"], scale)
    torch.testing.assert_close(learning.losses(bare, seeded())["contrast_imu_pose"], alone)
    known = bare | {"same": batch["text"]}
    torch.testing.assert_close(learning.losses(known, seeded())["contrast_imu_pose"], expected)
    assert abs(float(expected - alone)) > 1e-3


def test_contrast_brings_modalities_together(tmp_path: Path):
    """One batch by heart: each pose finds its own sensors."""
    inputs = {k: INPUTS[k] for k in ("acc", "pose")}
    learning = Pretrain(model(inputs=inputs), Objective(drop=0.0), seeded())
    batch = windows(8, inputs=inputs)
    plan = Schedule(steps=40, batch_size=8, lr=1e-2, warmup_steps=2, precision="fp32", save_every_s=1e9)
    fit(learning, lambda _: batch, plan, tmp_path, seed=0, progress=False)
    with torch.no_grad():
        z = learning.model.embed(batch)
    assert (z["imu"] @ z["pose"].T).argmax(1).tolist() == list(range(8))


# ------------------------------------------------------------------------------------------------ masked modelling
def test_masked_modelling_reads_no_hidden_moment(monkeypatch: pytest.MonkeyPatch):
    learning, batch = task(model(), Objective({"masked": 1.0})), windows()
    hidden = torch.zeros(ROWS, 8, dtype=torch.bool)
    hidden[:, :5] = True
    monkeypatch.setattr(mujo, "random_mask", lambda rows, slots, *_: hidden[:, 8 - slots :])
    seen: dict[str, list[Tensor]] = {}
    assert learning.masked is not None
    for key, head in learning.masked.values.items():
        head.register_forward_hook(lambda _, __, out, key=key: seen.setdefault(key, []).append(out))
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
    learning = task(model(), Objective({"masked": 1.0}))
    assert learning.masked is not None
    for head in learning.masked.values.values():
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
    taken = mujo.mumae_weights(net, theirs.state_dict())
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
    mine = net.encoders["imu"].stems["acc"](windows(inputs=inputs)["acc"])
    torch.testing.assert_close(mine, tokens)


def test_weights_that_do_not_fit_are_refused_and_of_others_what_fits_is_taken():
    small = mumae.MuMAE(mumae.Config(INPUTS, dim=32, depth=1, decoder_dim=12, decoder_heads=2), seeded(9))
    with pytest.raises(ValueError, match="nothing of this Mu-MAE fits"):
        mujo.mumae_weights(model(), small.state_dict())
    fits = mumae.MuMAE(mumae.Config(INPUTS, dim=16, depth=1, heads=2, decoder_dim=12, decoder_heads=2), seeded(9))
    taken = mujo.mumae_weights(model(imu="recurrent"), fits.state_dict())
    assert not any(n.startswith(("encoders.imu.context", "encoders.pose.stems")) for n in taken)  # two parts: other stems
    assert any(n.startswith("encoders.imu.stems.acc") for n in taken)


def test_a_step_draws_from_its_generator_alone():
    learning = task(model(), Objective({"contrast": 1.0, "masked": 1.0}))
    made = []
    for outside, step in ((1, 3), (2, 3), (2, 4)):
        torch.manual_seed(outside)
        np.random.seed(outside)
        made.append({n: x.item() for n, x in learning(full(windows()), step_generator(0, step)).items()})
    assert made[0] == made[1] != made[2]
