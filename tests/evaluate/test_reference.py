"""The released code's protocol: repeated tests on the test classes, of which the best counts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import _utd_like
from kinjo import corpus, learn
from kinjo.evaluate import reference, strict

HOW: dict[str, Any] = {"modalities": ["pose", "imu"], "tests": 3, "episodes": 60, "progress": False}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    return _utd_like.store(tmp_path_factory.mktemp("reference") / "corpus")


def test_the_best_of_repeated_tests(store: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _utd_like.recipe(steps=7)
    trained, untils = [], []
    real = learn.finetune

    def spy(plan, model, windows, rows, labels, out, **more):
        trained.append(frozenset(labels))
        untils.append(more["until"])
        return real(plan, model, windows, rows, labels, out, **more)

    monkeypatch.setattr(learn, "finetune", spy)
    result = reference.evaluate(plan, store, tmp_path, **HOW)
    assert untils == [2, 5, 7] * 3
    folds = {fold.name: fold for fold in strict.folds()}
    assert trained[::3] == [frozenset([*fold.train, *fold.validation]) for fold in folds.values()]
    assert all(len(classes) == 18 for classes in trained)
    assert list(result.tests) == list(folds)
    assert all(len(scores) == 3 and 0.2 < min(scores) <= max(scores) <= 1 for scores in result.tests.values())
    best = [max(scores) for scores in result.tests.values()]
    assert result.value == pytest.approx(np.mean(best))
    assert result.last == pytest.approx(np.mean([scores[-1] for scores in result.tests.values()]))
    assert result.value >= result.last
    half = 1.96 * np.sqrt(sum(b * (1 - b) / 60 for b in best)) / 3
    assert result.ci95 == pytest.approx((result.value - half, min(1.0, result.value + half)))

    untils.clear()
    assert reference.evaluate(plan, store, tmp_path, **HOW) == result  # all of it is kept
    assert untils == []
    kept = sorted(tmp_path.rglob("tests-*.json"))
    assert len(kept) == 3
    scores = json.loads(kept[0].read_text())
    kept[0].write_text(json.dumps(scores[:2]))  # stopped before the last test
    assert reference.evaluate(plan, store, tmp_path, **HOW) == result
    assert untils == [7]
    with pytest.raises(ValueError, match="past its test 1: name another work folder"):
        reference.evaluate(plan, store, tmp_path, **{**HOW, "modalities": ["imu"]})  # all would be of the last weights


@pytest.mark.parametrize(
    "how", [{"fusion": "reference", "head": "can", "branches": "released"}, {"fusion": "inductive"}]
)
def test_any_second_stage_is_tested(store: corpus.Corpus, how: dict[str, Any]) -> None:
    plan = _utd_like.recipe(steps=2, **how)
    clips, (fold, _, _) = strict.Clips.of(store, plan), strict.folds()
    model = learn.second_stage(plan, learn.new_model(plan, 0), 0)
    one, two, three = (
        reference.test(model, clips, fold, ["pose", "imu"], 300, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert one == two
    assert one != three
    assert 0.1 < one <= 1.0


def test_embeddings_that_know_the_class_are_always_right(
    store: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that know nothing are at chance: five ways, one query."""
    plan = _utd_like.recipe()
    clips, (fold, _, _) = strict.Clips.of(store, plan), strict.folds()
    model = learn.second_stage(plan, learn.new_model(plan, 0), 0)
    rng = np.random.default_rng(0)
    names = np.unique(clips.labels, return_inverse=True)[1]
    known = {"pose": np.eye(27)[names], "imu": rng.normal(size=(len(names), 200))}
    for part, low, high in (("pose", 1.0, 1.0), ("imu", 0.1, 0.3)):
        monkeypatch.setattr(learn, "embed", lambda *a, rows_of=known[part], **k: {"x": rows_of[a[2]]})
        assert low <= reference.test(model, clips, fold, [part], 500, rng) <= high
