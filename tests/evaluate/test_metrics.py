"""Metrics against scikit-learn; the bootstrap against a loop that copies the drawn subjects' rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, top_k_accuracy_score

from kinjo.evaluate import metrics as m


def drawn(seed: int, rows: int = 300, classes: int = 6, people: int = 5):
    """Scores, truths and subjects; the last class is never the truth but is answered, subjects differ in skill."""
    rng = np.random.default_rng(seed)
    truth, who = rng.integers(0, classes - 1, rows), rng.permutation(np.arange(rows) % people)
    p = rng.dirichlet(np.ones(classes), rows)
    p[np.arange(rows), truth] += 0.15 * who
    return p / p.sum(1, keepdims=True), truth, who


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(5, 60))
def test_scikit_learn_agrees(seed: int, classes: int, rows: int):
    p, truth, who = drawn(seed, rows, classes)
    counts, answer = m.count(truth, p, who), p.argmax(1)
    assert counts.shape == (5, classes, classes)
    every = np.arange(classes)
    np.testing.assert_array_equal(counts.sum(0), confusion_matrix(truth, answer, labels=every))
    np.testing.assert_array_equal(counts[0], confusion_matrix(truth[who == 0], answer[who == 0], labels=every))
    wanted = f1_score(truth, answer, labels=np.unique(truth), average="macro", zero_division=0.0)  # pyright: ignore[reportArgumentType]
    assert m.macro_f1(counts.sum(0)) == pytest.approx(wanted)
    for k in (k for k in (1, 3, 5) if k < classes and classes > 2):
        wanted = top_k_accuracy_score(truth, p, k=k, labels=every)
        assert (m.ranks(p, truth) < k).mean() == pytest.approx(wanted)


def test_equal_scores_go_to_the_lower_class():
    even, truth = np.full((4, 4), 0.25), np.arange(4)
    assert m.ranks(even, truth).tolist() == [0, 1, 2, 3]
    assert m.count(truth, even, np.zeros(4, int))[0, :, 0].tolist() == [1, 1, 1, 1]


def test_replicates_are_those_of_copied_rows():
    p, truth, who = drawn(0)
    q = drawn(1)[0]
    found = m.resampled_f1([m.count(truth, x, who) for x in (p, q)], np.random.default_rng(3), 200)
    weights = np.random.default_rng(3).multinomial(5, np.full(5, 0.2), size=200)
    for value, weight in zip(found, weights, strict=True):
        some = np.concatenate([np.flatnonzero(who == s) for s in range(5) for _ in range(weight[s])])
        one = np.zeros(len(some), int)
        loop = [m.macro_f1(m.count(truth[some], x[some], one)[0]) for x in (p, q)]
        assert value == pytest.approx(np.mean(loop))


def test_an_equal_generator_draws_equal_subjects():
    p, truth, who = drawn(2)
    counts = [m.count(truth, p, who)]
    first, again = (m.resampled_f1(counts, np.random.default_rng(0), 100) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.std() > 0
