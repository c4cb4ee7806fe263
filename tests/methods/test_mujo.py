"""MuJo: a joint space of whatever is there; no objective sees what is missing, and all of them learn."""

from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from _mujo import (
    INPUTS,
    MODALITIES,
    ROWS,
    SAID,
    WORDS,
    Batch,
    config,
    finite,
    full,
    model,
    seeded,
    task,
    windows,
    without,
)
from kinjo.encoders import Input, SensorInput, text
from kinjo.losses import contrastive
from kinjo.methods.mujo import OBJECTIVES, Config, MuJo, Objective, Pretrain, Sentences, dropped
from kinjo.train import Schedule, fit, step_generator

SUBSETS = [set(s) for s in chain.from_iterable(combinations(MODALITIES, n) for n in (1, 2, 3))]
both_imus = pytest.mark.parametrize("imu", ["transformer", "recurrent"])


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
def _one_thread() -> Iterator[None]:
    """Sums depend on the number of threads, and other packages (aeon) change it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The text model of all tests: tiny, and what it keeps on disk goes with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def load(name: str) -> text.TextEncoder:
        return text.TextEncoder(name, WORDS, Letters(), letters, lambda tower, tokens: tower(tokens["letters"]))

    monkeypatch.setattr(text, "load", load)


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
    assert list(config().modalities) == list(MODALITIES)


# ------------------------------------------------------------------------------------------------ sentences
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
    grad = live.get_parameter("words.tower.mix.weight").grad
    assert grad is not None
    assert bool(grad.any())
    with torch.no_grad():
        live.get_parameter("words.tower.mix.weight").mul_(torch.arange(1.0, WORDS + 1))
    assert (banks[1](live, rows) - expected).abs().max() > 0.01
    torch.testing.assert_close(banks[1].alike(rows)[:3, :3], expected[:3] @ expected[:3].T)  # as the text model was


def test_a_text_model_of_another_size_is_named():
    with pytest.raises(ValueError, match="gives 8 numbers: set text_dim = 8"):
        Sentences(model(text_dim=5), SAID)


# ------------------------------------------------------------------------------------------------ objectives
NAMES = {
    "contrast": {f"contrast_{a}_{b}" for a, b in combinations((*MODALITIES, "text"), 2)},
    "words": {f"words_{m}" for m in MODALITIES},
    "views": {f"views_{m}" for m in MODALITIES},
    "supervised": {"supervised"},
    "classify": {f"classify_{m}" for m in MODALITIES},
    "reconstruct": {f"reconstruct_{k}" for k in MODALITIES["imu"]},
    "regress": {f"regress_{k}" for k in MODALITIES["imu"]},
    "masked": {f"masked_{k}" for k in INPUTS},
}


ALL: dict[str, float] = dict.fromkeys(OBJECTIVES, 1.0)


@pytest.mark.parametrize("lacking", [False, True])
def test_every_objective_is_finite_and_learns(lacking: bool):
    learning, batch = task(model(), Objective(ALL | {"masked": 2.0})).train(), full(windows())
    if lacking:
        batch = without(without(without(without(batch, "imu", 1, 4), "pose", 2, 4), "video", 3, 4), "pose", 5)
        batch["pose"][0, 3:5, 1] = torch.nan
    losses = learning(batch, seeded(3))
    assert set(losses) == set().union(*NAMES.values())
    assert all(torch.isfinite(x) and (x > 0 or lacking) for x in losses.values())
    for name, members in NAMES.items():
        learning.zero_grad()
        torch.stack([losses[m] for m in sorted(members)]).sum().backward(retain_graph=True)
        assert finite(learning), name
        assert any(p.grad is not None and bool(p.grad.any()) for p in learning.model.encoders.parameters()), name
    plain = learning.losses(batch, seeded(3))
    torch.testing.assert_close(dict(losses), {n: (2 if "masked" in n else 1) * x for n, x in plain.items()})


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_asked_for_by_name(name: str):
    inputs = {k: INPUTS[k] for k in ("acc", "pose")}
    losses = task(model(inputs=inputs), Objective({name: 1.0, "views": 0.0 if name != "views" else 1.0}))(
        full(windows(inputs=inputs)), seeded()
    )
    assert losses
    assert set(losses) <= NAMES[name]


def test_no_objective_sees_what_is_missing():
    learning = task(model(), Objective(ALL))
    made = []
    for value in (0.0, 1e3):
        batch = without(without(full(windows()), "imu", 1, 4, value=value), "video", 2, value=value)
        made.append(learning(without(batch, "pose", 4, 5, value=value), seeded(3)))
    assert {n: x.item() for n, x in made[0].items()} == {n: x.item() for n, x in made[1].items()}


def test_a_modality_that_nobody_has_teaches_nothing():
    learning = task(model(), Objective(ALL)).train()
    batch = without(full(windows()), "video", *range(ROWS))
    losses = learning(batch, seeded())
    assert all(x == 0 for n, x in losses.items() if "video" in n or "depth" in n)
    torch.stack(list(losses.values())).sum().backward()
    assert finite(learning)
    for n, p in learning.named_parameters():
        if "encoders.video" in n and p.grad is not None:
            assert not p.grad.any(), n


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda s: "+".join(sorted(s)))
def test_a_batch_may_lack_whole_inputs(subset: set[str]):
    learning = task(model(), Objective(ALL)).train()
    batch = {n: x for n, x in windows().items() if INPUTS[n.partition(".")[0]].modality in subset}
    batch.pop("gyro", None)
    losses = learning(batch, seeded())  # without sentences and labels too
    objectives = {n.partition("_")[0] for n in losses}
    assert objectives == {"views", "masked"} | ({"contrast"} if len(subset) > 1 else set()) | (
        {"reconstruct"} if "imu" in subset else set()
    ) | ({"regress"} if {"imu", "pose"} <= subset else set())  # fmt: skip
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert finite(learning)


def test_a_step_that_has_nothing_to_learn_from_moves_nothing():
    learning = task(model(), Objective({"supervised": 1.0}, weighting="uncertainty"))
    losses = learning(windows(), seeded())
    assert {n: x.item() for n, x in losses.items()} == {"nothing": 0.0}
    losses["nothing"].backward()
    assert not any(p.grad.any() for p in learning.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("weighting", "schedule"), [("fixed", "joint"), ("uncertainty", "staged"), ("pcgrad", "alternating")]
)
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


def test_masked_modelling_reads_the_places_of_the_batch_alone():
    """What a batch lacks is not in its tokens; those that are there keep their positions."""
    places = ("head", "left_foot", "right_foot")
    net: dict[str, Input] = {p: SensorInput("acc", samples=32, slots=4, placement=p) for p in places}
    learning, batch = task(model(inputs=net), Objective({"masked": 1.0})), windows(inputs=net)
    lengths = []
    assert learning.masked is not None
    learning.masked.decoder.register_forward_pre_hook(lambda _, given: lengths.append(given[0].shape[1]))
    assert set(learning(batch, seeded())) == {f"masked_{p}" for p in net}
    some = {key: x for key, x in batch.items() if not key.startswith("head")}
    losses = learning(some, seeded())
    assert set(losses) == {"masked_left_foot", "masked_right_foot"}
    assert lengths == [12, 8]
    sum(losses.values()).backward()  # type: ignore[union-attr]
    touched = {p: any(w.grad is not None and w.grad.any() for w in learning.masked.values[p].parameters()) for p in net}
    assert touched == {"head": False, "left_foot": True, "right_foot": True}


def test_surgery_on_one_loss_is_its_gradient():
    net = {"acc": INPUTS["acc"]}
    one, two = (task(model(inputs=net), Objective({"masked": 1.0}, w)) for w in ("fixed", "pcgrad"))  # type: ignore[arg-type]
    batch = windows(inputs=net)
    one(batch, seeded())["masked_acc"].backward()
    assert one.gradients is None
    assert two.gradients is not None
    two.gradients(two(batch, seeded()), seeded(1), torch.Tensor.backward)
    given = dict(two.named_parameters())
    for n, p in one.named_parameters():
        torch.testing.assert_close(given[n].grad, p.grad, atol=1e-6, rtol=1e-4)


def test_objectives_are_checked():
    for weights in ({"contrast": 0.0}, {}, {"contrst": 1.0}, {"contrast": -1.0}):
        with pytest.raises(ValueError, match="known are contrast, words, views"):
            Objective(weights)
    for wrong in ({"temperature": 0.0}, {"drop": 1.0}, {"hide_placement": 1.5}):
        with pytest.raises(ValueError, match=r"temperature must be 0\.01"):
            Objective(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'classify' needs labelled windows"):
        Pretrain(model(), Objective({"classify": 1.0}), seeded())
    with pytest.raises(ValueError, match="'words' needs labelled windows of data sets with sentences"):
        Pretrain(model(), Objective({"words": 1.0}), seeded(), sentences=Sentences(model(), SAID), said=[(), ()])
    imu, pose = ({k: INPUTS[k] for k in MODALITIES[m]} for m in ("imu", "pose"))
    with pytest.raises(ValueError, match="regress needs inputs of IMU and pose"):
        Pretrain(model(inputs=imu), Objective({"regress": 1.0}), seeded())
    with pytest.raises(ValueError, match="reconstruct needs inputs of IMU"):
        Pretrain(model(inputs=pose), Objective({"reconstruct": 1.0}), seeded())
    with pytest.raises(ValueError, match="'masked' needs imu = 'transformer'"):
        Pretrain(model(imu="recurrent"), Objective({"masked": 1.0}), seeded())


def test_words_ask_for_one_of_all_classes_sentences():
    net, bank = model(), Sentences(model(), SAID)
    learning = Pretrain(net, Objective({"words": 1.0}), seeded(), sentences=bank, said=[(0,), (), (2,)])
    batch = without(full(windows()), "pose", 0)
    losses = learning.losses(batch, seeded())
    z = learning.model.embed(batch)["pose"]
    said = net.joint("text", bank(net, torch.tensor([0, 2])), torch.zeros(2, dtype=torch.bool))
    rows, classes = [1, 3], torch.tensor([0, 1])  # row 0 has no pose; class 1 has no words, row 5 no class
    expected = torch.nn.functional.cross_entropy(learning.log_scale.exp() * z[rows] @ said.T, classes)
    torch.testing.assert_close(losses["words_pose"], expected)


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
    torch.testing.assert_close(
        shares, torch.full((3,), 0.3 - 0.3**3 / 3), atol=0.015, rtol=0
    )  # all three hidden: one stays


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
    torch.testing.assert_close(contrastive.between_views(z, gone, scale), kept)


def test_what_says_the_same_is_no_negative():
    net = model()
    batch = windows() | {"text": torch.tensor([0, 0, 2, 2, 3, 3])}
    learning = task(net, Objective(synonyms=2.0, drop=0.0, hide_placement=0.0))
    with torch.no_grad():
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
    other = batch | {"text": torch.tensor([0, 1, 2, 2, 3, 3]), "same": batch["text"]}  # an activity, two sentences
    torch.testing.assert_close(learning.losses(other, seeded())["contrast_imu_pose"], expected)


def test_views_of_one_activity_are_no_negatives_of_each_other():
    net, learning = model(), task(model(), Objective({"views": 1.0}, drop=0.0, hide_placement=0.0))
    batch, same = windows(), torch.tensor([0, 0, 1, 0, 0, 1])
    with torch.no_grad():
        z = net.embed(batch)["imu"]
    expected = contrastive.info_nce(z[:3], z[3:], torch.tensor(10.0), targets=contrastive.soft_targets(same[:3]))
    torch.testing.assert_close(learning.losses(batch | {"same": same}, seeded())["views_imu"], expected)


def test_a_temperature_at_its_bound_still_learns():
    learning = task(model(), Objective(temperature=0.01))
    with torch.no_grad():
        learning.log_scale.fill_(9.0)
    torch.stack(list(learning(windows(), seeded()).values())).sum().backward()
    slope = learning.log_scale.grad
    assert learning.log_scale.item() == pytest.approx(4.6)
    assert slope is not None
    assert slope.item() != 0.0


def test_contrast_brings_modalities_together(tmp_path: Path):
    """One batch by heart: each pose finds its own sensors."""
    inputs = {k: INPUTS[k] for k in ("acc", "pose")}
    learning = Pretrain(model(inputs=inputs), Objective(drop=0.0), seeded())
    batch = windows(8, inputs=inputs)
    plan = Schedule(steps=25, batch_size=8, lr=1e-2, warmup_steps=2, precision="fp32", save_every_s=1e9)
    fit(learning, lambda _: batch, plan, tmp_path, seed=0, progress=False)
    with torch.no_grad():
        z = learning.model.embed(batch)
    assert (z["imu"] @ z["pose"].T).argmax(1).tolist() == list(range(8))


def test_a_step_draws_from_its_generator_alone():
    learning = task(model(), Objective({"contrast": 1.0, "masked": 1.0}))
    made = []
    for outside, step in ((1, 3), (2, 3), (2, 4)):
        torch.manual_seed(outside)
        made.append({n: x.item() for n, x in learning(full(windows()), step_generator(0, step)).items()})
    assert made[0] == made[1] != made[2]
