"""Classes on a joint space's encoders: every modality answers by itself, whatever is missing."""

import pytest
import torch
from torch import Tensor

from kinjo.encoders import Input, PoseInput, SensorInput
from kinjo.methods.classify import Classifier, mixed
from kinjo.methods.mujo import Classify, Config, MuJo
from kinjo.nn.context import Encoded

INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=16, slots=4),
    "pose": PoseInput(frames=8, joints=2, slots=4),
}
ROWS, CLASSES, DIM = 6, 3, 16
SIZES = {"imu": 3 * DIM, "pose": DIM}
Batch = dict[str, Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model() -> MuJo:
    return MuJo(Config(INPUTS, dim=DIM, depth=1, heads=2, joint_dim=8, text_dim=8), seeded()).eval()


def windows() -> Batch:
    g, out = seeded(1), {}
    for key, spec in INPUTS.items():
        out[key] = spec.unpatchify(torch.randn(ROWS, spec.tokens, spec.values, generator=g))
        out[f"{key}.missing"] = torch.zeros(ROWS, spec.samples, dtype=torch.bool)
    return out | {"label": torch.tensor([0, 1, 2, 0, 1, 2])}


def without(batch: Batch, key: str, row: int, value: float = 0.0) -> Batch:
    x, gone = batch[key].clone(), batch[f"{key}.missing"].clone()
    x[row], gone[row] = value, True
    return batch | {key: x, f"{key}.missing": gone}


def encoded(gone: dict[str, list[int]] | None = None) -> dict[str, Encoded]:
    out = {}
    for m, size in SIZES.items():
        missing = torch.zeros(ROWS, 4, dtype=torch.bool)
        missing[(gone or {}).get(m, [])] = True
        e = torch.randn(ROWS, size, generator=seeded(size)).masked_fill(missing[:, :1], 0.0).requires_grad_()
        out[m] = Encoded(torch.zeros(ROWS, 4, DIM), missing, e)
    return out


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(SIZES, DIM, CLASSES, seeded(2))


# ------------------------------------------------------------------------------------------------ the classifier
def test_logits_are_cosines_of_each_part(classifier: Classifier):
    e = encoded()["imu"].embedding
    logits = classifier.logits("imu", e)
    assert logits.shape == (ROWS, 3, CLASSES)
    part, vector = e[2, DIM : 2 * DIM], classifier.weights["imu"][1, 1]
    expected = 12 * torch.nn.functional.cosine_similarity(part, vector, dim=0)
    torch.testing.assert_close(logits[2, 1, 1], expected)
    torch.testing.assert_close(classifier.logits("imu", 7 * e), logits)


def test_losses_leave_out_what_is_missing_or_unknown(classifier: Classifier):
    target = torch.tensor([0, 1, 2, -1, 1, 2])
    given = encoded({"imu": [1]})
    losses = classifier.losses(given, target)
    assert set(losses) == {"classify_imu", "classify_pose"}
    each = [
        torch.nn.functional.cross_entropy(
            classifier.logits("imu", given["imu"].embedding)[row], target[row].expand(3), label_smoothing=0.1
        )
        * 3
        for row in (0, 2, 4, 5)
    ]
    torch.testing.assert_close(losses["classify_imu"], torch.stack(each).mean())
    torch.stack(list(losses.values())).sum().backward()
    for m, rows in (("imu", [1, 3]), ("pose", [3])):
        grad = given[m].embedding.grad
        assert grad is not None
        assert torch.isfinite(grad).all()
        assert [i for i in range(ROWS) if not grad[i].any()] == rows


def test_shares_of_classes_are_targets_too(classifier: Classifier):
    target = torch.tensor([0, 1, 2, -1, 1, 2])
    shares = torch.nn.functional.one_hot(target.clamp(min=0), CLASSES).float() * (target >= 0)[:, None]
    one, two = (classifier.losses(encoded(), t) for t in (target, shares))
    assert all(torch.isclose(x, two[n]) for n, x in one.items())


def test_nobody_known_is_a_loss_of_nothing(classifier: Classifier):
    losses = classifier.losses(encoded(), torch.full((ROWS,), -1))
    torch.stack(list(losses.values())).sum().backward()
    assert all(x == 0 for x in losses.values())


def test_answers_are_averaged_over_what_is_there(classifier: Classifier):
    given = encoded({"imu": [1, 4], "pose": [2, 4]})
    p = classifier.probabilities(given)
    torch.testing.assert_close(p.sum(1), torch.ones(ROWS))
    alone = {m: classifier.probabilities(given, [m]) for m in SIZES}
    torch.testing.assert_close(p[0], (alone["imu"][0] + alone["pose"][0]) / 2)
    assert torch.equal(p[1], alone["pose"][1])
    assert torch.equal(p[2], alone["imu"][2])
    even = torch.full((CLASSES,), 1 / CLASSES)
    assert torch.equal(p[4], even)
    assert torch.equal(alone["imu"][1], even)
    assert torch.equal(classifier.probabilities({"pose": given["pose"]}), alone["pose"])
    assert torch.equal(classifier.probabilities(given, []), even.expand(ROWS, -1))
    parts = classifier.logits("imu", given["imu"].embedding).softmax(2).mean(1)
    torch.testing.assert_close(alone["imu"][0], parts[0])


# ------------------------------------------------------------------------------------------------ the task
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_classes_are_learnt_and_frozen_encoders_stay(frozen: bool, mixup: float):
    task = Classify(model(), CLASSES, seeded(), frozen=frozen, mixup=mixup).train()
    before = {n: p.clone() for n, p in task.named_parameters()}
    batch = without(without(windows(), "acc", 1), "pose", 2)
    optimiser = torch.optim.SGD([p for p in task.parameters() if p.requires_grad], lr=0.01)
    totals = []
    for step in range(12):
        losses = task(batch, seeded(step if mixup else 0))
        assert set(losses) == {"classify_imu", "classify_pose"}
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        assert all(torch.isfinite(p.grad).all() for p in task.parameters() if p.grad is not None)
        optimiser.step()
        totals.append(total.item())
    assert mixup or totals[-1] < totals[0]
    moved = {n.split(".")[0] for n, p in task.named_parameters() if not torch.equal(p, before[n])}
    assert moved == ({"classifier"} if frozen else {"classifier", "model"})


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_what_is_missing_is_not_read(mixup: float):
    task = Classify(model(), CLASSES, seeded(), mixup=mixup)
    made = [task(without(without(windows(), "acc", 1, v), "pose", 2, v), seeded(3)) for v in (0.0, 1e3)]
    assert {n: x.item() for n, x in made[0].items()} == {n: x.item() for n, x in made[1].items()}


def test_a_modality_alone_answers_alone():
    task, batch = Classify(model(), CLASSES, seeded()), windows()
    with torch.no_grad():
        whole, imu = task.probabilities(batch), task.probabilities(batch, ["imu"])
        only = task.probabilities({n: x for n, x in batch.items() if "acc" in n})
        assert torch.equal(imu, only)
        assert not torch.equal(imu, whole)
        assert torch.equal(task.probabilities(without(batch, "pose", 2))[2], imu[2])
    with pytest.raises(ValueError, match="none of the model's streams"):
        task.probabilities(batch, ["video"])


# ------------------------------------------------------------------------------------------------ mixtures
def test_streams_and_classes_are_mixed_alike():
    clock = torch.arange(ROWS).float()
    batch = {
        "acc": clock[:, None, None].expand(ROWS, 16, 3),
        "pose": 10 * clock[:, None, None, None].expand(ROWS, 8, 2, 3),
    }
    out, target = mixed(batch, torch.eye(ROWS), 0.8, seeded())
    torch.testing.assert_close(out["acc"][:, 0, 0], target @ clock)  # its classes say what it was mixed of
    torch.testing.assert_close(out["pose"], 10 * out["acc"][:, :8, None, :].expand(ROWS, 8, 2, 3))
    torch.testing.assert_close(target.sum(1), torch.ones(ROWS))
    assert int((target > 0).sum(1).max()) == 2
    again = mixed(batch, torch.eye(ROWS), 0.8, seeded())[1]
    assert torch.equal(target, again)
    assert not torch.equal(target, mixed(batch, torch.eye(ROWS), 0.8, seeded(1))[1])


def test_what_either_lacks_the_mixture_lacks():
    batch = without(windows(), "acc", 1, 5.0)
    del batch["label"]
    out, target = mixed(batch, torch.eye(ROWS), 0.8, seeded())
    lacks = target[:, 1] > 0
    assert int(lacks.sum()) >= 1
    gone = out["acc.missing"]
    assert torch.equal(gone.all(1), lacks)
    assert torch.equal(gone.any(1), lacks)
    assert not out["acc"][gone].any()
    assert not out["pose.missing"].any()
