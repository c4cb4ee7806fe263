"""Metrics against scikit-learn; intervals against a loop that copies the drawn subjects' rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, top_k_accuracy_score

from kinjo.evaluate import metrics as m
from kinjo.evaluate.calibration import reliability
from kinjo.evaluate.finetune import count, resampled_f1
from kinjo.evaluate.intervals import interval


def drawn(seed: int, rows: int = 300, classes: int = 6, people: int = 5):
    """Scores, truths and subjects; the last class is never the truth but is answered, subjects differ in skill."""
    rng = np.random.default_rng(seed)
    truth, who = rng.integers(0, classes - 1, rows), rng.integers(0, people, rows)
    p = rng.dirichlet(np.ones(classes), rows)
    p[np.arange(rows), truth] += 0.15 * who
    return p / p.sum(1, keepdims=True), truth, who


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(1, 60))
def test_scikit_learn_agrees(seed: int, classes: int, rows: int):
    p, truth, _ = drawn(seed, rows, classes)
    answer, seen = p.argmax(1), np.unique(truth)
    found = m.scores(p, truth)
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, answer))
    wanted = f1_score(truth, answer, labels=seen, average="macro", zero_division=0.0)  # pyright: ignore[reportArgumentType]
    assert found["macro_f1"] == pytest.approx(wanted)
    assert set(found) == {"accuracy", "macro_f1", *(f"top_{k}" for k in (1, 3, 5) if k < classes)}
    for k in (k for k in (1, 3, 5) if k < classes and classes > 2):
        wanted = top_k_accuracy_score(truth, p, k=k, labels=np.arange(classes))
        assert found[f"top_{k}"] == pytest.approx(wanted)
    np.testing.assert_array_equal(m.confusion(p, truth), confusion_matrix(truth, answer, labels=np.arange(classes)))


@given(st.integers(0, 10_000))
def test_neither_the_order_of_rows_nor_of_classes_matters(seed: int):
    p, truth, _ = drawn(seed)
    rng = np.random.default_rng(seed)
    rows, classes = rng.permutation(len(p)), rng.permutation(p.shape[1])
    other = m.scores(p[rows][:, classes], np.argsort(classes)[truth[rows]])
    assert other == pytest.approx(m.scores(p, truth))


def test_equal_scores_go_to_the_lower_class():
    even = np.full((4, 4), 0.25)
    assert m.ranks(even, [0, 1, 2, 3]).tolist() == [0, 1, 2, 3]
    assert m.accuracy(even, [0, 1, 2, 3]) == 0.25
    assert m.top_k(3)(even, [0, 1, 2, 3]) == 0.75


@pytest.mark.parametrize("metric", [m.f1, m.accuracy, m.top_k(3)])
def test_replicates_are_those_of_copied_rows(metric: m.Metric):
    """The fast way and the slow one (any function) draw the same subjects, and both do what a loop does."""
    p, truth, who = drawn(0)
    fast = m.subject_interval(metric, p, truth, who, np.random.default_rng(3), bootstrap=200)
    slow = m.subject_interval(lambda q, t: metric(q, t), p, truth, who, np.random.default_rng(3), bootstrap=200)
    weights = np.random.default_rng(3).multinomial(5, np.full(5, 0.2), size=200)
    loop = []
    for weight in weights:
        some = np.concatenate([np.flatnonzero(who == s) for s in range(5) for _ in range(weight[s])])
        loop.append(metric(p[some], truth[some]))
    assert fast == pytest.approx(interval(np.array(loop)))
    assert slow == pytest.approx(fast)
    assert fast[0] < metric(p, truth) < fast[1]


def test_macro_f1_is_resampled_as_in_the_table_of_fine_tuning():
    p, truth, who = drawn(1)
    wanted = interval(resampled_f1([count(truth, p, who)], np.random.default_rng(0), 500))
    assert m.subject_interval(m.f1, p, truth, who, np.random.default_rng(0), bootstrap=500) == wanted


def test_names_of_subjects_and_copies_of_windows_do_not_matter():
    p, truth, who = drawn(2)
    once = m.subject_interval(m.f1, p, truth, who, np.random.default_rng(0))
    names = np.array([f"s{k}" for k in who])
    assert m.subject_interval(m.f1, p, truth, names, np.random.default_rng(0)) == once
    often = m.subject_interval(m.f1, np.tile(p, (9, 1)), np.tile(truth, 9), np.tile(who, 9), np.random.default_rng(0))
    assert often == pytest.approx(once)


def test_pairs_and_seeds():
    p, truth, who = drawn(3)
    worse = drawn(4)[0]
    rng = np.random.default_rng
    assert m.paired_interval(m.f1, p, p, truth, who, rng(0)) == (0.0, 0.0)
    assert m.paired_interval(m.f1, [p, worse], [worse, p], truth, who, rng(0)) == pytest.approx((0, 0))
    low, high = m.paired_interval(m.f1, p, worse, truth, who, rng(0))
    assert 0 < low < m.f1(p, truth) - m.f1(worse, truth) < high
    assert m.paired_interval(m.f1, worse, p, truth, who, rng(0)) == pytest.approx((-high, -low))
    one, both = (m.subject_interval(m.f1, x, truth, who, rng(0)) for x in (p, [p, p]))
    assert one == pytest.approx(both)


def test_any_function_has_an_interval():
    p, truth, who = drawn(5)
    low, high = m.subject_interval(
        lambda q, t: reliability(q, t).ece, p, truth, who, np.random.default_rng(0), bootstrap=200
    )
    assert 0 <= low < high <= 1


def test_what_cannot_be_measured_is_refused():
    p, truth, who = drawn(6)
    with pytest.raises(ValueError, match="unknown label"):
        m.scores(p, np.where(truth == 0, -1, truth))
    with pytest.raises(ValueError, match="class numbers from 0 to 5"):
        m.confusion(p, truth + 2)
    with pytest.raises(ValueError, match="NaN"):
        m.scores(np.where(p == p.max(), np.nan, p), truth)
    for given_, t in ((p[:0], truth[:0]), (p[:, :1], 0 * truth), (p, truth[1:])):
        with pytest.raises(ValueError, match="two classes or more"):
            m.scores(given_, t)
    with pytest.raises(ValueError, match="two or more: given 1"):
        m.subject_interval(m.f1, p, truth, 0 * who, np.random.default_rng(0))
    with pytest.raises(ValueError, match="a subject for each"):
        m.subject_interval(m.f1, p, truth, who[1:], np.random.default_rng(0))
    with pytest.raises(ValueError, match="k must be"):
        m.top_k(0)
