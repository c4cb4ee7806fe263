"""Zero-shot: nearest sentences, ensembles of prompts, and what is missing."""

import numpy as np
import pytest

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


def test_classes_without_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        classify(np.eye(2), {})
    with pytest.raises(ValueError, match="sentences are"):
        classify(np.eye(2), {"a": np.ones((1, 3))})
