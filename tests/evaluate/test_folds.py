"""Folds and seeds, the strict folds of UTD-MHAD, paired differences and the picture."""

from dataclasses import replace

import numpy as np
import pytest

from kinjo.evaluate.fewshot import Protocol, classify
from kinjo.evaluate.folds import (
    DEVELOPMENT,
    VALIDATION,
    Fold,
    answer_folds,
    development,
    difference,
    evaluate_folds,
    utd_mhad_folds,
)

LABEL, SUBJECT, _ = (g.ravel() for g in np.meshgrid(np.arange(1, 28), np.arange(8), np.arange(4), indexing="ij"))
WHO = LABEL, SUBJECT, np.arange(len(LABEL))
SMALL = Protocol(episodes=300)


def model(noise, hard=()):
    def embed(fold, seed):
        rng = np.random.default_rng(seed)
        spread = np.where(np.isin(LABEL, hard), 5.0, noise)[:, None]
        return rng.normal(size=(28, 24))[LABEL] + spread * rng.normal(size=(len(LABEL), 24))

    return embed


def test_utd_folds_are_the_strict_ones():
    folds = utd_mhad_folds()
    assert sorted(int(str(a)) for f in folds for a in f.test) == list(range(1, 28))
    assert [f.validation for f in folds] == [(15, 21, 27), (6, 21, 27), (6, 12, 18)]
    for fold in folds:
        assert len(fold.train) == 15
        assert {*fold.train, *fold.validation, *fold.test} == set(range(1, 28))
    names = [f"n{a}" for a in range(1, 28)]
    assert utd_mhad_folds(names)[1].validation == ("n6", "n21", "n27")
    with pytest.raises(ValueError, match="27 classes"):
        utd_mhad_folds(names[:20])
    with pytest.raises(ValueError, match="two of"):
        Fold("x", (1, 2), (2,), (3,))


def test_value_is_the_mean_over_folds_and_seeds():
    result = evaluate_folds(model(1.0, hard=(10, 11, 12, 13)), *WHO, utd_mhad_folds(), SMALL)
    each = np.array([[result.scores[f.name, s].accuracy for s in result.seeds] for f in result.folds])
    assert result.value == pytest.approx(each.mean())
    assert list(result.per_fold.values()) == pytest.approx(each.mean(1).tolist())
    assert list(result.per_seed.values()) == pytest.approx(each.mean(0).tolist())
    assert len(set(result.per_seed.values())) == 3
    assert result.ci95[0] < result.value < result.ci95[1]
    assert set(result.per_class) == set(range(1, 28))
    assert set(result.per_subject) == set(range(8))
    assert result.per_fold["a10-a18"] < min(result.per_fold["a1-a9"], result.per_fold["a19-a27"])
    classes, share = result.confusion("a10-a18")
    assert classes == tuple(range(10, 19))
    np.testing.assert_allclose(share.sum(1), 1)


def test_same_seeds_same_result_and_only_test_classes_are_asked():
    first = evaluate_folds(model(1.0), *WHO, utd_mhad_folds(), SMALL)
    assert first.value == evaluate_folds(model(1.0), *WHO, utd_mhad_folds(), SMALL).value
    for fold in first.folds:
        assert first.scores[fold.name, 0].classes == fold.test
    chosen = evaluate_folds(model(1.0), *WHO, utd_mhad_folds(), VALIDATION, seeds=(0,), part="validation")
    assert all(chosen.scores[f.name, 0].classes == f.validation for f in chosen.folds)
    assert chosen.confusion("a1-a9")[0] == (15, 21, 27)


def test_the_interval_of_folds_moves_subjects_together():
    """One subject who is always wrong as a query weighs on all folds at once: wider than folds on their own."""

    def embed(fold, seed):
        x = np.eye(28)[LABEL]
        return np.where((SUBJECT < 3)[:, None], np.random.default_rng(seed).normal(size=x.shape), x)

    result = evaluate_folds(embed, *WHO, utd_mhad_folds(), SMALL)
    width = result.ci95[1] - result.ci95[0]
    one = [np.diff(run.ci95)[0] for run in result.scores.values()]
    assert width > 0.8 * np.mean(one)  # independent folds would give about 1/sqrt(3) of it


def test_missing_rows_and_several_parts_pass_through():
    good, bad = model(0.3), model(8.0)
    missing = np.zeros((len(LABEL), 2), bool)
    missing[:, 1] = True
    alone = evaluate_folds(good, *WHO, utd_mhad_folds(), SMALL)
    both = evaluate_folds(lambda f, s: [good(f, s), bad(f, s)], *WHO, utd_mhad_folds(), SMALL, missing=missing)
    assert both.value == pytest.approx(alone.value)


def test_development_knows_no_test_class():
    for fold in utd_mhad_folds():
        inner = development(fold)
        assert inner.name == f"{fold.name}-development"
        assert inner.test == ()
        assert {*inner.train, *inner.validation} == {*fold.train, *fold.validation}
        assert (len(inner.train), len(inner.validation)) == (12, 6)  # enough for five-way episodes
        assert not {*inner.train, *inner.validation} & set(fold.test)
    used = tuple(development(fold) for fold in utd_mhad_folds())
    result = evaluate_folds(model(1.0), *WHO, used, replace(DEVELOPMENT, episodes=50), seeds=(0,), part="validation")
    assert all(set(result.scores[f.name, 0].classes) == set(f.validation) for f in used)
    with pytest.raises(ValueError, match="at least 3"):
        evaluate_folds(model(1.0), *WHO, used, DEVELOPMENT, seeds=(0,))


def test_answers_of_any_kind_are_scored_on_the_same_episodes():
    embed, asked = model(1.0), []

    def nearest(fold, seed, episodes):
        assert set(LABEL[episodes.support].ravel()) == set(LABEL[episodes.query].ravel()) == set(fold.test)
        asked.append((fold.name, seed, episodes.query.shape))
        return classify(embed(fold, seed), episodes)

    one = evaluate_folds(embed, *WHO, utd_mhad_folds(), SMALL)
    two = answer_folds(nearest, *WHO, utd_mhad_folds(), SMALL)
    assert asked == [(f.name, seed, (300, 5, 15)) for f in utd_mhad_folds() for seed in (0, 1, 2)]
    assert (one.value, one.ci95, one.per_class, one.per_subject) == (
        two.value,
        two.ci95,
        two.per_class,
        two.per_subject,
    )
    assert difference(one, two) == (0.0, (0.0, 0.0))
    right = answer_folds(lambda f, s, e: np.arange(5)[None, :, None] + 0 * e.query, *WHO, utd_mhad_folds(), SMALL)
    assert right.value == 1.0


def test_an_ablation_may_have_fewer_seeds():
    with pytest.raises(ValueError, match="at least 3"):
        evaluate_folds(model(1.0), *WHO, utd_mhad_folds(), SMALL, seeds=(0, 1))
    few = evaluate_folds(model(1.0), *WHO, utd_mhad_folds(), SMALL, seeds=(0, 1), few_seeds=True)
    all_of_them = evaluate_folds(model(1.0), *WHO, utd_mhad_folds(), SMALL)
    assert few.per_seed == {seed: all_of_them.per_seed[seed] for seed in (0, 1)}
    for seeds in ((), (0, 0)):
        with pytest.raises(ValueError, match="different seeds"):
            evaluate_folds(model(1.0), *WHO, utd_mhad_folds(), SMALL, seeds=seeds, few_seeds=True)


def test_weights_of_parts_pass_through():
    good, bad = model(0.5), model(4.0)
    parts = lambda fold, seed: [good(fold, seed), bad(fold, seed)]  # noqa: E731
    value = {w: evaluate_folds(parts, *WHO, utd_mhad_folds(), SMALL, weights=[1.0, w]).value for w in (1e-6, 0.3, 3.0)}
    assert value[1e-6] == evaluate_folds(good, *WHO, utd_mhad_folds(), SMALL).value
    assert value[1e-6] > value[0.3] > value[3.0]


def test_paired_difference():
    folds = utd_mhad_folds()
    good, bad = (evaluate_folds(model(noise), *WHO, folds, SMALL) for noise in (0.8, 1.6))
    gap, (low, high) = difference(good, bad)
    assert gap == pytest.approx(good.value - bad.value)
    assert 0 < low < gap < high
    assert difference(good, good) == (0.0, (0.0, 0.0))
    other = evaluate_folds(model(1.0), *WHO, folds, replace(SMALL, queries=5))
    with pytest.raises(ValueError, match="same folds"):
        difference(good, other)


def test_mistakes_are_said():
    folds = utd_mhad_folds()
    with pytest.raises(ValueError, match="at least 3"):
        evaluate_folds(model(1.0), *WHO, folds, SMALL, seeds=(0, 0, 1))
    with pytest.raises(ValueError, match="no clip of test"):
        evaluate_folds(model(1.0), LABEL + 1, *WHO[1:], folds, SMALL)
    with pytest.raises(ValueError, match="one row per clip"):
        evaluate_folds(lambda f, s: np.ones((5, 3)), *WHO, folds, SMALL)
    with pytest.raises(ValueError, match="own name"):
        evaluate_folds(model(1.0), *WHO, [], SMALL)


def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    from kinjo.evaluate.pictures import plot_fewshot

    folds = utd_mhad_folds()
    good, bad = (evaluate_folds(model(noise), *WHO, folds, replace(SMALL, episodes=50)) for noise in (0.8, 1.6))
    path = tmp_path / "new" / "oneshot.png"
    plot_fewshot(good, path, baselines={"raw": bad})
    assert path.read_bytes().startswith(b"\x89PNG")
    plot_fewshot(good, tmp_path / "oneshot.svg", baselines={"raw signal": bad}, name="ours")
    drawn = (tmp_path / "oneshot.svg").read_text()
    assert "<svg" in drawn
    with pytest.raises(ValueError, match="another name"):
        plot_fewshot(good, path, baselines={"kinjo": bad})
