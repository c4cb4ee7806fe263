"""Calibration and rejection: closed forms, and scikit-learn for the area under the curve."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kinjo.evaluate.calibration import (
    auroc,
    balanced_threshold,
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
    best = balanced_threshold(scores, positive)
    assert 0.5 * ((scores[positive] > best).mean() + (scores[~positive] <= best).mean()) > 0.8


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        reliability([[0.5, 0.6]], [0])
    with pytest.raises(ValueError, match="both kinds"):
        auroc([1.0, 2.0], [True, True])
