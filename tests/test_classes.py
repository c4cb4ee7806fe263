"""Classes in a space: learnt, taught by one example, forgotten; and what is none of them is not known."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.classes import NULL, Classes, calibrated, learnt

D = 12
CENTRES = np.random.default_rng(7).normal(0, 1, (9, D)) * np.r_[np.ones(6), np.full(6, 0.05)]
NAMES = ("squat", "lunge", "row", "press", "jump", NULL, "curl", "walk", "sit")


def windows(names: tuple[str, ...], each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each class ``each`` windows; the last six directions are loud and say nothing."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.array(names), each)
    noise = rng.normal(0, 1, (len(labels), D)) * np.r_[np.full(6, 0.25), np.full(6, 3.0)]
    return CENTRES[[NAMES.index(n) for n in labels]] + noise, labels


@pytest.fixture(scope="module")
def classes() -> Classes:
    known = NAMES[:6]
    return calibrated(learnt(*windows(known, 60, 0)), *windows(known, 40, 1))


def answers(classes: Classes, x: np.ndarray) -> np.ndarray:
    p = classes.probabilities(x)
    return np.array([*classes.named, NULL])[np.where(1 - p.sum(1) > p.max(1), -1, p.argmax(1))]


def test_what_was_learnt_is_known_and_what_was_not_is_not(classes: Classes):
    x, labels = windows(NAMES[:6], 50, 2)
    assert (answers(classes, x) == labels).mean() > 0.9
    strange, _ = windows(NAMES[6:], 50, 3)
    assert (answers(classes, strange) == NULL).mean() > 0.75
    p = classes.probabilities(np.concatenate([x, strange]))
    assert p.shape == (450, 5)
    assert p.min() >= 0
    assert p.sum(1).max() <= 1 + 1e-9


def test_confidence_is_to_be_believed(classes: Classes):
    x, labels = windows(NAMES[:5], 200, 4)
    p = classes.probabilities(x)
    right = np.array(classes.named)[p.argmax(1)] == labels
    assert abs(p.max(1).mean() - right.mean()) < 0.1


@pytest.mark.parametrize("name", NAMES[6:])
def test_one_example_teaches(name: str, classes: Classes):
    example, _ = windows((name,), 4, 5)
    more = classes.taught(name, example)
    x, labels = windows((*NAMES[:5], name), 50, 6)
    got = answers(more, x)
    hits = ((got == name) & (labels == name)).sum()
    assert 2 * hits / ((got == name).sum() + (labels == name).sum()) > 0.8
    assert (got == labels)[labels != name].mean() > 0.85
    assert more.without(name).names == classes.names
    np.testing.assert_array_equal(more.without(name).probabilities(x), classes.probabilities(x))


def test_more_examples_make_a_class_surer(classes: Classes):
    one = classes.taught("curl", windows(("curl",), 3, 8)[0])
    two = one.taught("curl", windows(("curl",), 3, 9)[0])
    assert two.names == one.names
    assert two.examples[-1] == 2
    x, _ = windows(("curl",), 100, 10)
    at = two.named.index("curl")
    assert two.probabilities(x)[:, at].mean() > one.probabilities(x)[:, at].mean()


def test_order_of_teaching_does_not_matter(classes: Classes):
    a, b = (windows((name,), 3, 11)[0] for name in ("curl", "walk"))
    one, two = classes.taught("curl", a).taught("walk", b), classes.taught("walk", b).taught("curl", a)
    x, _ = windows(NAMES, 10, 12)
    order = [two.named.index(name) for name in one.named]
    np.testing.assert_allclose(one.probabilities(x), two.probabilities(x)[:, order])


def test_kept_as_json(classes: Classes):
    again = Classes.from_dict(json.loads(json.dumps(classes.to_dict())))
    x, _ = windows(NAMES, 5, 13)
    np.testing.assert_array_equal(again.probabilities(x), classes.probabilities(x))
    for broken in ({}, {"space": 3}, classes.to_dict() | {"names": ["a"]}, classes.to_dict() | {"examples": [1]}):
        with pytest.raises(ValueError, match=r"classes|reshape"):
            Classes.from_dict(broken)


@given(st.integers(2, 6), st.integers(1, 30), st.integers(0, 1000))
def test_any_windows_give_probabilities(classes_: int, each: int, seed: int):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(0, 10.0 ** rng.integers(-3, 3), (classes_ * each, 5)), np.repeat(np.arange(classes_), each)
    p = learnt(x, labels.astype(str)).probabilities(x * rng.choice([1.0, 1e3]))
    assert np.isfinite(p).all()
    assert p.min() >= 0
    assert p.sum(1).max() <= 1 + 1e-9


def test_mistakes_say_so(classes: Classes):
    with pytest.raises(ValueError, match="two or more"):
        learnt(np.zeros((3, 2)), ["a"] * 3)
    with pytest.raises(ValueError, match="with a label each"):
        learnt(np.zeros((3, 2)), ["a"] * 2)
    with pytest.raises(ValueError, match=r"embeddings are \(n, 12\)"):
        classes.probabilities(np.zeros((2, 3)))
    with pytest.raises(KeyError, match="no activity 'dance'"):
        classes.without("dance")
    with pytest.raises(ValueError, match="needs a name"):
        classes.taught(" ", np.zeros((1, D)))
