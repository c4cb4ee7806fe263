"""The bootstrap over subjects and classes, against a naive loop and a known variance."""

import numpy as np
import pytest

from kinjo.evaluate.intervals import Table, accuracy_interval, interval, replicates, tabulate


def test_cells_add_up_for_few_and_for_many(monkeypatch):
    rng = np.random.default_rng(0)
    subjects, classes, right = rng.integers(0, 5, (400, 2)), rng.integers(0, 4, 400), rng.random(400) < 0.6
    dense = tabulate(subjects, classes, right)
    monkeypatch.setattr("kinjo.evaluate.intervals._DENSE", 0)
    sparse = tabulate(subjects, classes, right)
    for name in ("subjects", "classes", "count", "right"):
        np.testing.assert_array_equal(getattr(dense, name), getattr(sparse, name))
    for (a, b), c, count, hits in zip(dense.subjects, dense.classes, dense.count, dense.right, strict=True):
        here = (subjects == [a, b]).all(1) & (classes == c)
        assert (here.sum(), right[here].sum()) == (count, hits)
    assert dense.count.sum() == 400
    assert dense.accuracy == right.mean()


def test_replicates_weigh_answers_like_a_loop():
    rng = np.random.default_rng(0)
    subjects, classes, right = rng.integers(0, 4, (200, 2)) * 2, rng.integers(3, 6, 200), rng.random(200) < 0.5
    got = replicates([tabulate(subjects, classes, right)], 20, np.random.default_rng(7))[:, 0]
    again = np.random.default_rng(7)
    person = again.multinomial(4, np.full(4, 0.25), size=20)
    kind = again.multinomial(3, np.full(3, 1 / 3), size=20)
    for value, p, k in zip(got, person, kind, strict=True):
        weight = np.array([p[a // 2] * p[b // 2] * k[c - 3] for (a, b), c in zip(subjects, classes, strict=True)])
        assert value == pytest.approx((weight * right).sum() / weight.sum())


def test_the_interval_has_the_width_of_the_known_variance():
    """Accuracy that varies by subject alone: the bootstrap's spread is that of a mean over the subjects."""
    subjects, classes = np.repeat(np.arange(40), 50), np.tile(np.arange(10), 200)
    share = np.random.default_rng(0).uniform(0.2, 1.0, 40)
    right = (np.arange(2000) % 50) < np.round(share * 50)[subjects]
    classes = np.zeros_like(classes)
    low, high = accuracy_interval(subjects, classes, right, np.random.default_rng(1), bootstrap=4000)
    sigma = np.array([right[subjects == s].mean() for s in range(40)]).std() / np.sqrt(40)
    assert high - low == pytest.approx(2 * 1.96 * sigma, rel=0.06)
    assert low < right.mean() < high


def test_more_windows_of_the_same_people_do_not_narrow_the_interval():
    rng = np.random.default_rng(0)
    subjects, classes, right = rng.integers(0, 6, 600), rng.integers(0, 5, 600), rng.random(600) < 0.7
    once = accuracy_interval(subjects, classes, right, np.random.default_rng(3))
    often = accuracy_interval(np.tile(subjects, 20), np.tile(classes, 20), np.tile(right, 20), np.random.default_rng(3))
    assert once == pytest.approx(often)


def test_coverage_with_subject_and_class_effects():
    """About 95 of 100 intervals hold the truth, where subjects and classes both matter (two-way is conservative)."""
    rng, hits = np.random.default_rng(0), 0
    subjects, classes = (g.ravel() for g in np.meshgrid(np.arange(20), np.arange(20), indexing="ij"))
    subjects, classes = np.repeat(subjects, 5), np.repeat(classes, 5)
    for _ in range(200):
        chance = 0.5 + rng.uniform(-0.2, 0.2, 20)[subjects] + rng.uniform(-0.2, 0.2, 20)[classes]
        low, high = accuracy_interval(subjects, classes, rng.random(len(chance)) < chance, rng, bootstrap=300)
        hits += low <= 0.5 <= high
    assert 175 <= hits <= 200


def test_one_draw_serves_all_tables():
    rng = np.random.default_rng(0)
    table = tabulate(rng.integers(0, 5, (300, 1)), rng.integers(0, 4, 300), rng.random(300) < 0.5)
    both = replicates([table, table], 50, rng)
    np.testing.assert_array_equal(both[:, 0], both[:, 1])


def test_replicates_without_answers_are_left_out():
    table = Table(np.array([[0, 1]]), np.array([0]), np.array([4.0]), np.array([3.0]))
    drawn = replicates([table], 200, np.random.default_rng(0))[:, 0]
    assert np.isnan(drawn).any()
    assert interval(drawn) == (0.75, 0.75)
    with pytest.raises(ValueError, match="more subjects"):
        interval(np.array([np.nan]))
    with pytest.raises(ValueError, match="no answers"):
        tabulate(np.zeros((0, 1), int), np.zeros(0, int), np.zeros(0, bool))
