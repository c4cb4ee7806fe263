"""Baselines: shapes, what they are fitted on, and that they tell real movements apart."""

import numpy as np
import pytest

from kinjo.evaluate.baselines import minirocket_embedding, raw_embedding, scaled_clips


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
