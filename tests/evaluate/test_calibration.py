"""Calibration and rejection: closed forms, and scikit-learn for the area under the curve."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kinjo.evaluate import calibration as cal
from kinjo.evaluate.calibration import (
    auroc,
    fit_temperature,
    reliability,
    tempered,
    threshold_at,
)


def drawn(rng: np.random.Generator, n: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are true at sharpness 1, and truths drawn from those."""
    logits = 2 * rng.normal(size=(n, 4))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([rng.choice(4, p=row) for row in true])
    return tempered(true, 1 / sharpness), truth


@pytest.mark.parametrize("mass", [False, True])
def test_true_probabilities_have_a_small_error_and_sure_ones_a_large(mass: bool) -> None:
    rng = np.random.default_rng(0)
    assert reliability(*drawn(rng, 20_000, 1.0), mass=mass).ece < 0.02
    assert reliability(*drawn(rng, 20_000, 4.0), mass=mass).ece > 0.1


def test_the_error_of_two_bins_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    found = reliability(p, [0, 1, 0, 0])  # 0.9: half right; 0.6: half right
    assert found.count.tolist() == [2, 2]
    assert found.ece == pytest.approx(0.5 * 0.1 + 0.5 * 0.4)


def test_the_temperature_is_found_again() -> None:
    p, truth = drawn(np.random.default_rng(1), 20_000, 3.0)
    t = fit_temperature(p, truth)
    assert t == pytest.approx(3.0, rel=0.1)
    assert reliability(tempered(p, t), truth).ece < 0.02
    assert (tempered(p, t).argmax(1) == p.argmax(1)).all()


def test_area_under_the_curve_is_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    scores, positive = rng.integers(0, 12, 300).astype(float), rng.random(300) < 0.4  # many ties
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_thresholds_keep_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(1000) < 0.3
    scores = rng.normal(size=1000) + 2 * positive
    cut = threshold_at(scores, positive, 0.05)
    assert (scores[~positive] > cut).mean() <= 0.05


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        reliability([[0.5, 0.6]], [0])
    with pytest.raises(ValueError, match="both kinds"):
        auroc([1.0, 2.0], [True, True])


def made(seed: int, rows: int = 400, classes: int = 5, sharp: float = 1.0):
    """Probabilities that are true (their class is drawn from them), sharpened by ``sharp``."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.6), rows)
    truth = (rng.random((rows, 1)) > p.cumsum(1)).sum(1).clip(max=classes - 1)
    return cal.tempered(p, 1 / sharp), truth


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_error_is_that_of_a_loop(seed: int, bins: int):
    p, truth = made(seed, 100)
    sure, right, total = p.max(1), p.argmax(1) == truth, 0.0
    for k in range(bins):
        here = (sure >= k / bins) & ((sure < (k + 1) / bins) | (k == bins - 1))
        if here.any():
            total += here.mean() * abs(sure[here].mean() - right[here].mean())
    found = cal.reliability(p, truth, bins)
    assert found.ece == pytest.approx(total, abs=1e-9)
    assert found.count.sum() == 100
    assert (found.count > 0).all()
    assert 0 <= found.ece <= 1
    order = np.random.default_rng(seed).permutation(100)
    assert cal.reliability(p[order], truth[order], bins).ece == pytest.approx(found.ece)


@given(st.integers(0, 10_000))
def test_bins_of_equal_mass(seed: int):
    p, truth = made(seed, 103)
    found = cal.reliability(p, truth, 10, mass=True)
    assert found.count.max() - found.count.min() <= 1
    assert (np.diff(found.confidence) >= 0).all()
    order = np.argsort(p.max(1), kind="stable")
    parts = np.split(order, np.cumsum(found.count)[:-1])
    gaps = [len(r) * abs(p[r].max(1).mean() - (p[r].argmax(1) == truth[r]).mean()) for r in parts]
    assert found.ece == pytest.approx(sum(gaps) / 103)


def test_errors_in_closed_form():
    certain = np.eye(2)[[0, 0, 1, 1]]
    assert cal.reliability(certain, [0, 0, 1, 1]).ece == 0.0
    assert cal.reliability(certain, [1, 1, 0, 0]).ece == 1.0
    assert cal.reliability(np.full((10, 2), 0.5), np.arange(10) % 2).ece == 0.0
    assert cal.reliability([[0.8, 0.2]] * 4, [0, 0, 0, 1]).ece == pytest.approx(0.05)


def test_temperature_undoes_what_sharpened():
    for sharp in (0.5, 1.0, 3.0):
        p, truth = made(0, 20_000, sharp=sharp)
        t = cal.fit_temperature(p, truth)
        assert t == pytest.approx(sharp, rel=0.05)
        mended = cal.tempered(p, t)
        np.testing.assert_array_equal(mended.argmax(1), p.argmax(1))
        np.testing.assert_allclose(mended.sum(1), 1)
        assert cal.reliability(mended, truth).ece < 0.02

        def nll(q, rows=truth):
            return -np.log(q[np.arange(len(rows)), rows]).mean()

        assert nll(mended) <= min(nll(cal.tempered(p, t * f)) for f in (0.9, 1.0, 1.1)) + 1e-9


@given(st.integers(0, 10_000), st.integers(1, 20))
def test_auroc_is_scikit_learns(seed: int, levels: int):
    rng = np.random.default_rng(seed)
    score, positive = rng.integers(0, levels, 60) / levels, rng.random(60) < 0.4
    positive[:2] = True, False
    found = cal.auroc(score, positive)
    assert found == pytest.approx(roc_auc_score(positive, score))
    assert cal.auroc(np.exp(3 * score), positive) == pytest.approx(found)
    assert cal.auroc(-score, positive) == pytest.approx(1 - found)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(0, 99))
def test_thresholds_keep_their_promise(seed: int, percent: int):
    rng = np.random.default_rng(seed)
    score, positive = rng.integers(0, 40, 150) / 40, np.arange(150) < 50
    at = cal.threshold_at(score, positive, percent / 100)
    others = score[~positive]
    assert (others > at).sum() <= percent  # of 100
    lower = others[others < at]
    if len(lower):
        assert (others > lower.max()).sum() > percent  # any lower one lets too many through


def test_a_share_that_is_no_binary_fraction():
    """0.29 of 100 is 28.999..., and still 29 rows."""
    others = np.arange(101.0)
    at = cal.threshold_at(others, others == 100, 0.29)
    assert (others[:100] > at).sum() == 29


def test_what_cannot_be_measured_is_refused():
    p, truth = made(0, 10)
    for bad, t, match in (
        (p, truth - truth.max() - 1, "unknown label"), (p, truth + 5, "class numbers from 0 to 4"),
        (2 * p, truth, "sum to 1"), (p[:0], truth[:0], "n at least 1"), (p, truth[1:], "n at least 1"),
    ):  # fmt: skip
        for ask in (cal.reliability, cal.fit_temperature):
            with pytest.raises(ValueError, match=match):
                ask(bad, t)
    with pytest.raises(ValueError, match="bins"):
        cal.reliability(p, truth, 0)
    with pytest.raises(ValueError, match="temperature is above 0"):
        cal.tempered(p, 0.0)
    with pytest.raises(ValueError, match="both kinds"):
        cal.auroc([0.1, 0.2], [True, True])
    with pytest.raises(ValueError, match="share below 1"):
        cal.threshold_at([0.1, 0.2], [True, True], 0.1)
    for ask in (cal.auroc, lambda s, y: cal.threshold_at(s, y, 0.1)):
        with pytest.raises(ValueError, match=r"\(n,\), finite"):
            ask([0.1, np.nan, 0.3], [True, False, True])
