"""Baselines: shapes, what they are fitted on, and that they tell real movements apart."""

from typing import Any

import numpy as np
import pytest

from kinjo.evaluate import baselines
from kinjo.evaluate.baselines import (
    PENALTIES,
    minirocket_classifier,
    minirocket_embedding,
    raw_embedding,
    ridge,
    scaled_clips,
)


def test_raw_embedding_is_scaled_by_the_training_clips():
    rng = np.random.default_rng(0)
    train = rng.normal(2, 3, size=(50, 4, 30))
    x = rng.normal(size=(5, 4, 30))
    mine = raw_embedding(train, train).reshape(50, 4, 30)
    np.testing.assert_allclose(mine.mean((0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(mine.std((0, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(raw_embedding(x, train)[:2], raw_embedding(x[:2], train), atol=1e-6)
    flat = x.copy()
    flat[:, 1] = 7.0
    assert np.isfinite(raw_embedding(flat)).all()
    with pytest.raises(ValueError, match="n, channels, time"):
        raw_embedding(np.full((2, 3, 4), np.nan))


def test_scaled_clips_forget_offset_and_vigour_but_not_direction():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 6, 30)) * np.array([1, 2, 3, 1, 1, 1])[:, None]
    mine = scaled_clips(x)
    np.testing.assert_allclose(mine.mean(2), 0, atol=1e-5)
    np.testing.assert_allclose(mine.reshape(4, 2, -1).std(2), 1, atol=1e-5)
    moved = 5 * x + rng.normal(size=(4, 6, 1))
    np.testing.assert_allclose(scaled_clips(moved), mine, atol=1e-4)
    ratio = x.std(2)[:, 2] / x.std(2)[:, 0]
    np.testing.assert_allclose(mine.std(2)[:, 2] / mine.std(2)[:, 0], ratio, rtol=1e-4)
    assert (scaled_clips(np.ones((1, 3, 9))) == 0).all()
    with pytest.raises(ValueError, match="axes"):
        scaled_clips(x[:, :4])


def test_minirocket_is_fitted_on_train_alone_and_by_seed():
    pytest.importorskip("aeon")
    rng = np.random.default_rng(0)
    t = np.arange(40)
    kind = np.repeat([0, 1], 20)
    signal = np.sin(t * np.array([0.3, 0.9])[kind][:, None] + rng.uniform(0, 6, (40, 1)))
    x = np.stack([signal, rng.normal(size=(40, 40))], 1)
    train = x[::2]
    mine = minirocket_embedding(train, x, 0, kernels=168)
    assert mine.shape[0] == 40
    assert 84 <= mine.shape[1] <= 168
    np.testing.assert_allclose(mine[::2].mean(0), 0, atol=1e-4)
    np.testing.assert_array_equal(mine, minirocket_embedding(train, x, 0, kernels=168))
    np.testing.assert_array_equal(mine[:7], minirocket_embedding(train, x[:7], 0, kernels=168))
    assert not np.array_equal(mine, minirocket_embedding(train, x, 1, kernels=168))
    unit = mine / np.linalg.norm(mine, axis=1, keepdims=True)
    near = unit[1::2] @ unit[::2].T
    assert (kind[::2][near.argmax(1)] == kind[1::2]).mean() > 0.9
    with pytest.raises(ValueError, match="same channels"):
        minirocket_embedding(train, x[:, :1], 0)


@pytest.mark.parametrize(("n", "p"), [(80, 20), (40, 90), (30, 30)])
def test_ridge_is_that_of_sklearn_with_penalty_and_all(n: int, p: int, monkeypatch: pytest.MonkeyPatch):
    from sklearn.linear_model import RidgeClassifierCV

    monkeypatch.setattr(baselines, "CHUNK", 17)
    rng = np.random.default_rng(n)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, p)).astype(np.float32)
    x[:, :3] += np.eye(3, dtype=np.float32)[y]
    x -= x.mean(0)
    known: Any = RidgeClassifierCV(alphas=PENALTIES).fit(x.astype(np.float64), y)
    weights, offset = ridge(x, np.where(y[:, None] == np.arange(3), 1.0, -1.0))
    assert PENALTIES[0] < known.alpha_ <= PENALTIES[-1]
    np.testing.assert_allclose(weights, known.coef_.T, atol=1e-6)
    np.testing.assert_allclose(offset, known.intercept_, atol=1e-6)


def test_minirocket_classifier_tells_movements_of_unseen_windows_apart(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("aeon")
    rng = np.random.default_rng(0)
    t, y = np.arange(40), np.tile(["slow", "fast", "still"], 30)
    tempo = np.array([{"slow": 0.3, "fast": 0.9, "still": 0.0}[name] for name in y])
    wave = np.sin(t * tempo[:, None] + rng.uniform(0, 6, (90, 1))) + rng.normal(0, 0.2, (90, 40))
    x = np.stack([wave, rng.normal(size=(90, 40))], 1)
    train, test = slice(0, 60), slice(60, 90)
    scores = minirocket_classifier(x[train], y[train], x[test], 0, kernels=168)
    assert scores.shape == (30, 3)
    assert (np.array(["fast", "slow", "still"])[scores.argmax(1)] == y[test]).mean() > 0.9
    monkeypatch.setattr(baselines, "CHUNK", 7)  # in pieces: the same
    pieces = minirocket_classifier(x[train], y[train], x[test], 0, kernels=168)
    np.testing.assert_allclose(pieces, scores, atol=1e-4)
    named = ("still", "never", "slow", "fast")
    ordered = minirocket_classifier(x[train], y[train], x[test], 0, kernels=168, classes=named)
    np.testing.assert_allclose(ordered[:, [3, 2, 0]], pieces, atol=1e-4)
    np.testing.assert_allclose(ordered[:, 1], -1, atol=1e-9)
    with pytest.raises(ValueError, match="holds slow"):
        minirocket_classifier(x[train], y[train], x[test], 0, classes=("still", "fast"))
    with pytest.raises(ValueError, match="one label per window"):
        minirocket_classifier(x[train], y[test], x[test], 0)
