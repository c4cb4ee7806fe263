"""The second stage: every combination runs and learns, recordings stay apart, what is hidden or missing is not seen."""

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.evaluate.fewshot import Episodes, classify
from kinjo.methods.mumae import Config, MuMAE, Pretrain
from kinjo.methods.oneshot import (
    FUSED,
    CosineClassifier,
    Features,
    Finetune,
    OneShot,
    OneShotConfig,
    hidden_modalities,
    joined,
)
from kinjo.nn.fusion import EpisodeFusion

INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8),
    "gyro": SensorInput("gyro", samples=32, slots=8),
    "pose": PoseInput(frames=16, joints=4, slots=8),
    "depth": VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8)),
}
MODALITIES = {"imu": ["acc", "gyro"], "pose": ["pose"], "video": ["depth"]}
ROWS = 20
Batch = dict[str, Tensor]
FUSIONS, BRANCHES = ("late", "inductive", "reference"), ("pretrained", "released")
HEADS = ("cosine", "euclidean", "matching", "relation", "can")
ALLOWED = [c for c in product(FUSIONS, BRANCHES, HEADS) if c[0] != "late" or c[2] not in ("relation", "can")]

every_combination = pytest.mark.parametrize(("fusion", "branches", "head"), ALLOWED, ids=["-".join(c) for c in ALLOWED])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def autoencoder(inputs: Mapping[str, Input] = INPUTS) -> MuMAE:
    return MuMAE(Config(inputs, dim=32, depth=1, decoder_dim=24, video_mask_ratio=0.5), seeded())


def model(inputs: Mapping[str, Input] = INPUTS, **config: Any) -> OneShot:
    released = config.get("branches") == "released" and any(isinstance(s, VideoInput) for s in inputs.values())
    if released:
        pytest.importorskip("transformers")
    return OneShot(autoencoder(inputs), OneShotConfig(**config), seeded(1)).eval()


def windows(rows: int = ROWS, inputs: Mapping[str, Input] = INPUTS, seed: int = 1) -> Batch:
    """Noise for every stream, nothing missing."""
    g = seeded(seed)
    out: Batch = {}
    for key, spec in inputs.items():
        out[key] = spec.unpatchify(torch.randn(rows, spec.tokens, spec.values, generator=g))
        out[f"{key}.missing"] = torch.zeros(rows, spec.samples, dtype=torch.bool)
    return out


def without(batch: Batch, keys: list[str], row: int, value: float = 0.0) -> Batch:
    """``keys`` are missing from ``row``; the store gives zeros there."""
    out = dict(batch)
    for key in keys:
        gone, x = batch[f"{key}.missing"].clone(), batch[key].clone()
        gone[row], x[row] = True, value
        out |= {key: x, f"{key}.missing": gone}
    return out


def taken(batch: Batch, rows: Any) -> Batch:
    return {key: x[rows] for key, x in batch.items()}


def episodes_of(rows: int, number: int = 6, way: int = 4, queries: int = 3, shot: int = 1) -> tuple[Tensor, Tensor]:
    """Support (number, way, shot) and query (number, queries), all of an episode different."""
    picks = torch.stack([torch.randperm(rows, generator=seeded(k)) for k in range(number)])
    return picks[:, : way * shot].view(number, way, shot), picks[:, way * shot : way * shot + queries]


# ------------------------------------------------------------------------------------------------ combinations
@every_combination
def test_every_combination_learns_with_all_of_its_weights(fusion: str, branches: str, head: str):
    """20 rows are two episodes of five classes, an example and a query each. Every weight earns a gradient."""
    net = model(fusion=fusion, branches=branches, head=head)
    batch = windows() | {"label": torch.arange(5).repeat_interleave(2).repeat(2)}
    torch.stack(list(Pretrain(net.model)(batch, seeded()).values())).sum().backward()
    tune = Finetune(net, 5, seeded()).train()
    losses = tune(batch, seeded())
    parts = list(INPUTS) if branches == "released" else list(MODALITIES)
    ends = ["vector"] if branches == "released" else ["local", "context"]
    named = {f"classify_{part}_{end}" for part in parts for end in ends}
    named |= {"classify_fused"} if fusion == "inductive" else set()
    named |= {"episodes"} if fusion == "reference" or head in ("relation", "can") else set()
    assert set(losses) == named
    assert all(torch.isfinite(loss) and loss > 0 for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    dead = {name for name, p in net.named_parameters() if p.grad is None}
    if branches == "released":  # the autoencoder's summary of video is not asked for
        dead = {name for name in dead if not name.startswith("model.enter.depth.over_time")}
    assert dead == set()
    assert all(torch.isfinite(p.grad).all() for p in tune.parameters() if p.grad is not None)
    frozen = {name.split(".")[1] for name, p in net.named_parameters() if not p.requires_grad}
    assert frozen == {"decoders", "to_values", "to_decoder", "mask_token"}


@every_combination
def test_every_combination_scores_what_is_missing_without_harm(fusion: str, branches: str, head: str):
    net = model(fusion=fusion, branches=branches, head=head)
    batch = without(without(windows(), ["pose"], 0), ["acc", "gyro", "depth"], 1)
    batch = without(batch, list(INPUTS), 2)
    other = without(without(batch, ["pose"], 0, 50.0), list(INPUTS), 2, 50.0)
    support, query = episodes_of(ROWS)
    with torch.no_grad():
        scores = net.scores(net.features(batch), support, query)
        again = net.scores(net.features(other), support, query)
    assert scores.shape == (6, 4, 3)
    assert torch.isfinite(scores).all()
    torch.testing.assert_close(again, scores, rtol=1e-4, atol=1e-5)
    assert scores.std() > 0


@pytest.mark.parametrize("fusion", ["late", "inductive"])
@pytest.mark.parametrize("branches", BRANCHES)
def test_a_missing_part_is_embedded_as_zero(fusion: str, branches: str):
    net = model(fusion=fusion, branches=branches)
    batch = without(without(windows(), ["pose"], 0), ["acc", "gyro"], 1)
    batch = without(batch, list(INPUTS), 2)
    with torch.no_grad():
        embedded = net.embed(batch)
    lacking = {"imu": [1, 2], "acc": [1, 2], "gyro": [1, 2], "pose": [0, 2], "video": [2], "depth": [2], FUSED: [2]}
    parts = list(INPUTS) if branches == "released" else list(MODALITIES)
    assert list(embedded) == parts + ([FUSED] if fusion == "inductive" else [])
    for part, e in embedded.items():
        assert torch.isfinite(e).all(), part
        assert (~e.any(1)).nonzero().flatten().tolist() == lacking[part], part


# ------------------------------------------------------------------------------------------------ each by itself
def test_late_is_the_autoencoder_and_no_more():
    net, batch = model(), without(windows(), ["pose"], 3)
    with torch.no_grad():
        features, branches, embedded = net.features(batch), net.model.branches(batch), net.model.embed(batch)
        for part, parts in branches.items():
            assert list(features.vectors[part]) == list(parts) == ["local", "context"]
            for branch, vector in parts.items():
                assert torch.equal(features.vectors[part][branch], vector)
            assert torch.equal(net.embed(batch)[part], embedded[part])
    assert features.prior is None
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in net.model.parameters())


@pytest.mark.parametrize("branches", BRANCHES)
def test_an_inductive_embedding_is_the_recordings_own(branches: str):
    net = model(fusion="inductive", branches=branches)
    batch = without(without(windows(8), ["pose"], 2), ["acc", "gyro", "depth"], 5)
    with torch.no_grad():
        whole = net.embed(batch)
        for row in range(8):
            for part, e in net.embed(taken(batch, [row])).items():
                torch.testing.assert_close(e[0], whole[part][row], rtol=1e-4, atol=1e-5)


def test_inductive_scores_do_not_depend_on_the_other_queries_and_reference_scores_do():
    support, query = episodes_of(ROWS)
    other = query.clone()
    other[:, 1:] = (other[:, 1:] + 7) % ROWS
    for fusion, moved in (("late", False), ("inductive", False), ("reference", True)):
        net = model(fusion=fusion)
        with torch.no_grad():
            if isinstance(net.fusion, EpisodeFusion):  # at first its attention is all but flat, and all are alike
                for weight in net.fusion.query.parameters():
                    weight.mul_(30)
            features = net.features(windows())
            one, two = (net.scores(features, support, q)[:, :, 0] for q in (query, other))
        assert net.config.transductive == moved
        assert torch.allclose(one, two, atol=1e-5) != moved, fusion


@pytest.mark.parametrize("branches", BRANCHES)
def test_fusion_sees_nothing_of_a_hidden_modality(branches: str):
    """As if it were missing, for the fused vector; the branches are trained on it all the same."""
    net, batch = model(fusion="inductive", branches=branches), windows(6)
    hide = {m: torch.zeros(6, dtype=torch.bool) for m in MODALITIES}
    hide["pose"][1] = hide["imu"][1] = hide["video"][4] = True
    gone = without(without(batch, ["pose", "acc", "gyro"], 1), ["depth"], 4)
    with torch.no_grad():
        plain, hidden, missing = net.features(batch), net.features(batch, hide), net.features(gone)
        fused = [net.fused(f) for f in (plain, hidden, missing)]
    torch.testing.assert_close(fused[1], fused[2], rtol=1e-5, atol=1e-6)
    changed = (fused[0] - fused[1]).abs().amax(1) > 1e-3
    assert changed.tolist() == [False, True, False, False, True, False]
    for part, vectors in plain.vectors.items():
        assert all(torch.equal(v, hidden.vectors[part][b]) for b, v in vectors.items())


def test_one_modality_is_always_left_to_see():
    names, labels = list(MODALITIES), torch.zeros(3000, dtype=torch.long)
    hide = hidden_modalities(names, labels, seeded())
    assert list(hide) == names
    together = torch.stack([hide[m] for m in names], 1)
    assert not together.all(1).any()
    # one is kept, the others are hidden by a coin: 2/3 * 1/2
    assert together.float().mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    assert not hidden_modalities(["imu"], labels, seeded())["imu"].any()
    again = hidden_modalities(names, labels, seeded())
    assert all(torch.equal(hide[m], again[m]) for m in names)


# ------------------------------------------------------------------------------------------------ scores
@pytest.mark.parametrize("head", ["cosine", "euclidean"])
@pytest.mark.parametrize("weights", [{}, {"video": 0.3, "imu": 2.0}])
def test_late_scores_choose_as_cached_embeddings_do(head: str, weights: dict[str, float]):
    net, batch = model(head=head, weights=weights), windows(40)
    support, query = episodes_of(40, number=50, way=5, queries=10)
    with torch.no_grad():
        chosen = net.scores(net.features(batch), support, query).argmax(1).numpy()  # (episodes, queries)
        embedded = {part: e.numpy() for part, e in net.embed(batch).items()}
    episodes = Episodes(support.numpy(), query.numpy().reshape(50, 5, 2), np.zeros((50, 5), np.intp), tuple("abcde"))
    shares = [weights.get(part, 1.0) for part in embedded]
    answers = classify(list(embedded.values()), episodes, net.config.metric, weights=shares).reshape(50, 10)
    np.testing.assert_array_equal(chosen, answers)
    if weights:
        alike = classify(list(embedded.values()), episodes, net.config.metric).reshape(50, 10)
        assert (alike != answers).any()


def test_with_one_example_the_heads_without_weights_choose_alike():
    """Branches are of unit length, so distance and attention rank as the cosine does: no ablation tells them apart."""
    support, query = episodes_of(40, number=50, way=5, queries=10)
    with torch.no_grad():
        chosen = []
        for head in ("cosine", "euclidean", "matching"):
            net = model(head=head)
            chosen.append(net.scores(net.features(windows(40)), support, query).argmax(1))
    assert torch.equal(chosen[0], chosen[1])
    assert torch.equal(chosen[0], chosen[2])


@pytest.mark.parametrize("combination", [("late", "matching"), ("inductive", "can"), ("reference", "relation")])
def test_scores_follow_the_order_of_classes_and_episodes(combination: tuple[str, str]):
    net = model(fusion=combination[0], head=combination[1])
    support, query = episodes_of(ROWS, shot=2)
    with torch.no_grad():
        features = net.features(windows())
        scores = net.scores(features, support, query)
        turned = net.scores(features, support[:, [2, 0, 3, 1]], query)
        alone = net.scores(features, support[3:4], query[3:4])
        swapped = net.scores(features, support.flip(2), query)
    torch.testing.assert_close(turned, scores[:, [2, 0, 3, 1]], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone, scores[3:4], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(swapped, scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("branches", BRANCHES)
def test_features_of_portions_are_those_of_the_whole(fusion: str, branches: str):
    net, batch = model(fusion=fusion, branches=branches), without(windows(7), ["pose"], 4)
    with torch.no_grad():
        whole = net.features(batch)
        parts = joined([net.features(taken(batch, slice(i, i + 3))) for i in range(0, 7, 3)])
    assert (parts.prior is None) == (fusion == "late")
    for f in fields(Features):
        if f.name == "prior":
            continue
        one, two = getattr(whole, f.name), getattr(parts, f.name)
        assert list(one) == list(two)
        for part, x in one.items():
            for a, b in zip(*([v.values() if isinstance(v, dict) else [v] for v in (x, two[part])]), strict=True):
                torch.testing.assert_close(b.float(), a.float(), rtol=1e-4, atol=1e-5)
    if whole.prior is not None:
        torch.testing.assert_close(parts.prior, whole.prior, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("branches", BRANCHES)
def test_a_batch_may_lack_streams(fusion: str, branches: str):
    """Left out is the same as missing everywhere."""
    net, batch = model(fusion=fusion, branches=branches), windows()
    support, query = episodes_of(ROWS)
    few = {name: x for name, x in batch.items() if name.partition(".")[0] in ("acc", "pose")}
    gone = batch
    for row in range(ROWS):
        gone = without(gone, ["gyro", "depth"], row)
    with torch.no_grad():
        one, two = net.features(few), net.features(gone)
        if fusion != "late":  # late fusion averages over the parts of a batch
            torch.testing.assert_close(
                net.scores(one, support, query), net.scores(two, support, query), rtol=1e-4, atol=1e-4
            )
        assert list(one.vectors) == (["acc", "pose"] if branches == "released" else ["imu", "pose"])
        if fusion != "reference":
            e = net.embed(few)
            assert all(torch.isfinite(x).all() and x.any() for x in e.values())


# ------------------------------------------------------------------------------------------------ config
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"way": 1}, "way must be at least 2"),
        ({"queries": 0}, "queries at least 1"),
        ({"weights": {"imu": 0.0}}, "weights are positive"),
        ({"weights": {"imu": -1.0}}, "weights are positive"),
        ({"weights": {"imu": float("nan")}}, "weights are positive"),
        ({"head": "relation"}, "'relation' compares fused vectors: it needs fusion = 'inductive' or 'reference'"),
        ({"head": "can"}, "'can' compares fused vectors"),
    ],
)
def test_configs_say_what_is_not_possible(given: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        OneShotConfig(**given)


def test_what_needs_episodes_is_trained_on_them():
    episodic = {(f, h): OneShotConfig(fusion=f, head=h).episodic for f, _, h in ALLOWED}  # type: ignore[arg-type]
    assert {key for key, value in episodic.items() if not value} == {
        (f, h) for f in ("late", "inductive") for h in ("cosine", "euclidean", "matching")
    }
    net = model(fusion="reference")
    batch = windows(10) | {"label": torch.arange(5).repeat_interleave(2)}
    one = Finetune(net, 5, seeded())(batch, seeded())["episodes"]
    order = torch.arange(10).view(5, 2).flip(0).flatten()  # classes in another order: the same episode
    torch.testing.assert_close(Finetune(net, 5, seeded())(taken(batch, order), seeded())["episodes"], one)
    turned = torch.arange(10).view(5, 2).flip(1).flatten()  # query and example change places: another one
    assert Finetune(net, 5, seeded())(taken(batch, turned), seeded())["episodes"] != one


# ------------------------------------------------------------------------------------------------ classifier, task
def naive_cross_entropy(e: Tensor, weight: Tensor, label: int) -> float:
    logits = torch.stack([12 * (e @ w) / (e.norm() * w.norm()) for w in weight])
    log_p = logits - logits.exp().sum().log()
    classes = len(weight)
    return -sum((0.9 * (k == label) + 0.1 / classes) * log_p[k].item() for k in range(classes))


def test_the_classifiers_loss_equals_a_naive_one():
    g = seeded()
    sizes = {"imu_local": 6, "imu_context": 6, "pose_local": 9}
    classifier = CosineClassifier(sizes, 3, g)
    given = {name: torch.randn(4, size, generator=g) for name, size in sizes.items()}
    given["pose_local"][1] = 0.0  # a row without pose
    labels = torch.tensor([0, 2, 1, 1])
    losses = classifier.losses(given, labels)
    assert set(losses) == {f"classify_{name}" for name in sizes}
    for name, e in given.items():
        rows = [0, 2, 3] if name == "pose_local" else [0, 1, 2, 3]
        each = [naive_cross_entropy(e[row], classifier.weights[name].detach(), int(labels[row])) for row in rows]
        assert losses[f"classify_{name}"].item() == pytest.approx(sum(each) / len(each), rel=1e-4)
    for name, loss in classifier.losses({name: 7 * e for name, e in given.items()}, labels).items():
        torch.testing.assert_close(loss, losses[name])  # directions alone count


def test_a_part_without_rows_earns_no_loss():
    classifier = CosineClassifier({"imu": 6}, 3, seeded())
    nothing = torch.zeros(2, 6, requires_grad=True)
    losses = classifier.losses({"imu": nothing}, torch.tensor([0, 1]))
    assert losses["classify_imu"].item() == 0.0
    losses["classify_imu"].backward()
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()


@pytest.mark.parametrize("stem", ["conv", "linear"])
def test_no_weight_is_dead(stem: Any):
    """Every parameter learns in one of the two stages, by a gradient that is not zero."""
    net = MuMAE(Config(INPUTS, stem=stem, dim=32, decoder_dim=24, layer_scale=1.0, video_mask_ratio=0.5), seeded())
    batch = windows() | {"label": torch.arange(ROWS) % 3}
    torch.stack(list(Pretrain(net)(batch, seeded()).values())).sum().backward()
    tune = Finetune(OneShot(net, OneShotConfig(), seeded()), 3, seeded())
    torch.stack(list(tune(batch, seeded()).values())).sum().backward()
    assert [name for name, p in tune.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_finetuning_is_decided_by_the_labels():
    net, batch = model(), windows(5)
    tune = Finetune(net, 3, seeded())
    one, two = (tune(batch | {"label": torch.tensor(x)}, seeded()) for x in ([0, 1, 2, 0, 1], [1, 1, 2, 0, 1]))
    assert set(one) == {f"classify_{m}_{b}" for m in MODALITIES for b in ("local", "context")}
    assert all(one[name] != two[name] for name in one)
    again = Finetune(net, 3, seeded())(batch | {"label": torch.tensor([0, 1, 2, 0, 1])}, seeded(5))
    assert all(torch.equal(one[name], again[name]) for name in one)


def test_weights_are_drawn_from_the_generator_alone():
    states = []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        states.append(model(fusion="reference", branches="released", head="can").state_dict())
    assert all(torch.equal(x, states[1][name]) for name, x in states[0].items())


def test_embeddings_are_unit_branches_side_by_side():
    net, batch = model(fusion="inductive"), windows(4)
    with torch.no_grad():
        features, embedded = net.features(batch), net.embed(batch)
        for part, branches in features.vectors.items():
            expected = torch.cat([F.normalize(branches[b], dim=1) for b in ("local", "context")], 1)
            torch.testing.assert_close(embedded[part], expected)
        torch.testing.assert_close(embedded[FUSED], F.normalize(net.fused(features), dim=1))


def test_strided_sensors_serve_the_second_stage_too():
    inputs = {k: replace(s, layout="strided", scaling="clip") for k, s in INPUTS.items() if isinstance(s, SensorInput)}
    net = OneShot(
        MuMAE(Config(inputs, stem="linear", dim=32, depth=1, decoder_dim=24), seeded()),
        OneShotConfig(fusion="reference", branches="released", head="can"), seeded(),
    )  # fmt: skip
    batch = windows(10, inputs) | {"label": torch.arange(5).repeat_interleave(2)}
    losses = Finetune(net, 5, seeded())(batch, seeded())
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert set(losses) == {"classify_acc_vector", "classify_gyro_vector", "episodes"}
