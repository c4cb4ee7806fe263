"""Zero-shot against a loop over rows and sentences; fusion over what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.corpus import NULL
from kinjo.evaluate import zeroshot as zs


def made(seed: int):
    rng = np.random.default_rng(seed)
    prompts = {name: rng.normal(size=(p, 6)) for name, p in (("squat", 3), ("jump", 1), (NULL, 4))}
    return rng.normal(size=(20, 6)), prompts


def naive(row, prompts, how: str):
    def unit(v):
        return v / np.linalg.norm(v)

    logits = []
    for said in prompts.values():
        cosines = [unit(row) @ unit(s) for s in said]
        mean = unit(np.mean([unit(s) for s in said], axis=0))
        logits.append(zs.SCALE * (max(cosines) if how == "max" else unit(row) @ mean))
    return np.exp(logits) / np.exp(logits).sum()


@given(st.integers(0, 10_000), st.sampled_from(["mean", "max"]))
def test_a_loop_says_the_same(seed: int, how):
    x, prompts = made(seed)
    found = zs.classify(x, prompts, how=how)
    assert found.shape == (20, 3)
    np.testing.assert_allclose(found, [naive(row, prompts, how) for row in x], rtol=1e-9)
    np.testing.assert_allclose(found.sum(1), 1)
    longer = {name: 7.0 * said[::-1] for name, said in prompts.items()}
    np.testing.assert_allclose(zs.classify(0.1 * x, longer, how=how), found, rtol=1e-9)


def test_mean_and_nearest_sentence_differ():
    prompts = {"wide": [[1.0, 0], [0, 1]], "middle": [[1.0, 0.4]]}
    x = [[0.0, 1.0]]
    assert zs.classify(x, prompts).argmax() == 0
    x = [[1.0, 0.0]]
    assert zs.classify(x, prompts).argmax() == 1
    assert zs.classify(x, prompts, how="max").argmax() == 0


def test_scale_leaves_the_order_and_what_is_missing_is_even():
    x, prompts = made(0)
    soft, sharp = zs.classify(x, prompts, scale=1.0), zs.classify(x, prompts, scale=50.0)
    np.testing.assert_array_equal(soft.argsort(1), sharp.argsort(1))
    assert (sharp.max(1) > soft.max(1)).all()
    np.testing.assert_allclose(zs.classify(np.zeros((2, 6)), prompts), 1 / 3)


def test_fusion_is_the_mean_of_what_is_there():
    rng = np.random.default_rng(0)
    p = {name: rng.dirichlet(np.ones(4), 5) for name in ("imu", "pose")}
    gone = {"imu": np.array([0, 1, 0, 1, 0], bool), "pose": np.array([0, 0, 1, 1, 0], bool)}
    found = zs.fuse(p, gone)
    np.testing.assert_allclose(found[[0, 4]], (p["imu"] + p["pose"])[[0, 4]] / 2)
    np.testing.assert_allclose(found[1], p["pose"][1])
    np.testing.assert_allclose(found[2], p["imu"][2])
    np.testing.assert_allclose(found[3], 0.25)


def test_what_cannot_be_compared_is_refused():
    x, prompts = made(0)
    with pytest.raises(ValueError, match="at least one class"):
        zs.classify(x, {})
    for said in (np.zeros((0, 6)), np.ones((2, 5)), np.full((1, 6), np.nan)):
        with pytest.raises(ValueError, match="class 'squat': sentences are"):
            zs.classify(x, {"squat": said})
    for given_ in (np.where(x > 1, np.nan, x), x[0]):
        with pytest.raises(ValueError, match=r"embeddings are \(n, d\)"):
            zs.classify(given_, prompts)
    with pytest.raises(ValueError, match="nothing to fuse"):
        zs.fuse({}, {})
    here = np.zeros(5, bool)
    for p, gone in (
        ({"imu": np.ones((5, 4)), "pose": np.ones((5, 3))}, {"imu": here, "pose": here}),
        ({"imu": np.ones((5, 4))}, {}), ({"imu": np.ones((5, 4))}, {"imu": here[1:]}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="each modality's missing"):
            zs.fuse(p, gone)
