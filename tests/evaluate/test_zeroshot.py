"""Zero-shot: nearest sentences, ensembles of prompts, and what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.corpus import NULL
from kinjo.evaluate import zeroshot as zs
from kinjo.evaluate.zeroshot import classify, fuse


def test_the_nearest_ensemble_wins_and_nothing_is_even() -> None:
    prompts = {"squat": np.array([[1.0, 0.2], [1.0, -0.2]]), "wave": np.array([[0.0, 3.0]])}
    p = classify([[2.0, 0.1], [0.0, 1.0], [0.0, 0.0]], prompts)
    assert p.argmax(1)[:2].tolist() == [0, 1]
    assert p[2] == pytest.approx([0.5, 0.5])
    assert p.sum(1) == pytest.approx(np.ones(3))


def test_the_length_of_vectors_does_not_count() -> None:
    x, prompts = np.array([[0.3, 0.7]]), {"a": np.array([[1.0, 0.0]]), "b": np.array([[0.0, 1.0]])}
    longer = {name: 5 * said for name, said in prompts.items()}
    assert classify(x, prompts) == pytest.approx(classify(9 * x, longer))


def test_modalities_that_are_missing_do_not_vote() -> None:
    p = {"imu": np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]]), "pose": np.array([[0.1, 0.9]] * 3)}
    gone = {"imu": [False, True, True], "pose": [False, False, True]}
    assert fuse(p, gone) == pytest.approx(np.array([[0.5, 0.5], [0.1, 0.9], [0.5, 0.5]]))


def test_a_sentence_that_is_near_to_everything_does_not_win_by_that() -> None:
    """A hub lies between two kinds, nearer to both than their own sentences are; and there are windows of its own."""
    rng = np.random.default_rng(0)
    kinds = np.repeat([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.7, 0.7, 0.0]], 200, 0)
    kinds += 0.01 * rng.standard_normal(kinds.shape)
    prompts = {"a": [[0.6, 0.0, -0.8]], "b": [[0.0, 0.6, -0.8]], "hub": [[0.7, 0.7, 0.0]]}
    assert np.mean(classify(kinds, prompts).argmax(1) == 2) > 0.9
    corrected = classify(kinds, prompts, known=kinds).argmax(1)
    assert np.mean(corrected == np.repeat([0, 1, 2], 200)) > 0.9


def test_reach_is_the_mean_cosine_of_the_nearest_windows() -> None:
    rng = np.random.default_rng(1)
    known, classes = rng.standard_normal((1000, 4)), rng.standard_normal((3, 4))
    cosine = known @ classes.T / np.linalg.norm(known, axis=1)[:, None] / np.linalg.norm(classes, axis=1)
    assert zs.reach(known, classes, 0.01) == pytest.approx(np.sort(cosine, 0)[-10:].mean(0))
    assert zs.reach(known[:3], classes) == pytest.approx(cosine[:3].max(0))  # one at least


def test_known_windows_of_another_space_are_refused() -> None:
    for known in (np.zeros((0, 2)), np.ones((5, 3)), np.full((5, 2), np.nan)):
        with pytest.raises(ValueError, match="known windows are"):
            classify(np.eye(2), {"a": np.ones((1, 2))}, known=known)


def test_classes_without_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        classify(np.eye(2), {})
    with pytest.raises(ValueError, match="sentences are"):
        classify(np.eye(2), {"a": np.ones((1, 3))})


def made(seed: int):
    rng = np.random.default_rng(seed)
    prompts = {name: rng.normal(size=(p, 6)) for name, p in (("squat", 3), ("jump", 1), (NULL, 4))}
    return rng.normal(size=(20, 6)), prompts


def naive(row, prompts):
    def unit(v):
        return v / np.linalg.norm(v)

    logits = []
    for said in prompts.values():
        mean = unit(np.mean([unit(s) for s in said], axis=0))
        logits.append(zs.SCALE * (unit(row) @ mean))
    return np.exp(logits) / np.exp(logits).sum()


@given(st.integers(0, 10_000))
def test_a_loop_says_the_same(seed: int):
    x, prompts = made(seed)
    found = zs.classify(x, prompts)
    assert found.shape == (20, 3)
    np.testing.assert_allclose(found, [naive(row, prompts) for row in x], rtol=1e-9)
    np.testing.assert_allclose(found.sum(1), 1)
    longer = {name: 7.0 * said[::-1] for name, said in prompts.items()}
    np.testing.assert_allclose(zs.classify(0.1 * x, longer), found, rtol=1e-9)


def test_scale_leaves_the_order_and_what_is_missing_is_even():
    x, prompts = made(0)
    soft, sharp = zs.classify(x, prompts, scale=1.0), zs.classify(x, prompts, scale=50.0)
    np.testing.assert_array_equal(soft.argsort(1), sharp.argsort(1))
    assert (sharp.max(1) > soft.max(1)).all()
    np.testing.assert_allclose(zs.classify(np.zeros((2, 6)), prompts), 1 / 3)


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
