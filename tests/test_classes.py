"""Classes in a space: learnt, taught by one example, forgotten; and what is none of them is not known."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.classes import JOINT, NULL, WANTED, Classes, Space, calibrated, learnt, worded

D = 12
CENTRES = np.random.default_rng(7).normal(0, 1, (9, D)) * np.r_[np.ones(6), np.full(6, 0.05)]
NAMES = ("squat", "lunge", "row", "press", "jump", NULL, "curl", "walk", "sit")


def windows(names: tuple[str, ...], each: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Of each class ``each`` windows; the last six directions are loud and say nothing."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.array(names), each)
    noise = rng.normal(0, 1, (len(labels), D)) * np.r_[np.full(6, 0.25), np.full(6, 3.0)]
    return {"imu": CENTRES[[NAMES.index(n) for n in labels]] + noise}, labels


@pytest.fixture(scope="module")
def classes() -> Classes:
    known = NAMES[:6]
    return calibrated(learnt(*windows(known, 60, 0)), *windows(known, 40, 1))


def answers(classes: Classes, x: dict[str, np.ndarray]) -> np.ndarray:
    p = classes.probabilities(x)
    return np.array([*classes.named, NULL])[np.where(1 - p.sum(1) > p.max(1), -1, p.argmax(1))]


def test_what_was_learnt_is_known_and_what_was_not_is_not(classes: Classes):
    x, labels = windows(NAMES[:6], 50, 2)
    assert (answers(classes, x) == labels).mean() > 0.9
    strange, _ = windows(NAMES[6:], 50, 3)
    assert (answers(classes, strange) == NULL).mean() > 0.75
    p = classes.probabilities({"imu": np.concatenate([x["imu"], strange["imu"]])})
    assert p.shape == (450, 5)
    assert p.min() >= 0
    assert p.sum(1).max() <= 1 + 1e-9


def test_confidence_is_to_be_believed(classes: Classes):
    x, labels = windows(NAMES[:5], 200, 4)
    p = classes.probabilities(x)
    right = np.array(classes.named)[p.argmax(1)] == labels
    assert abs(p.max(1).mean() - right.mean()) < 0.1


def test_one_example_is_asked_by_its_predictive_density():
    """Against the definition: the class' mean integrated out, given the example, on a grid along each axis."""
    rng = np.random.default_rng(0)
    spread = np.array([9.0, 2.5, 1.0])
    space = Space(np.zeros(3), np.eye(3), spread, temperature=2.0, prior=0.5)
    z, example = rng.normal(0, 2, (5, 3)), rng.normal(0, 2, 3)

    def normal(x: np.ndarray, mean: np.ndarray | float, variance: float) -> np.ndarray:
        return np.exp(-0.5 * (x - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)

    mean = np.linspace(-30, 30, 60001)
    for examples in (0.5, 1.0, 4.0):
        total = np.zeros(5)
        for axis, between in enumerate(spread - 1.0):
            known = normal(z[:, axis], 0.0, 1.0 + between)
            if between == 0:  # classes do not differ there: no evidence
                continue
            posterior = normal(mean, 0.0, between) * normal(example[axis], mean, 1.0 / examples)
            posterior /= posterior.sum()
            predicted = (normal(z[:, axis][:, None], mean, 1.0) * posterior).sum(1)
            total += np.log(predicted / known)
        got = space.log_odds(z, example[None], np.array([examples]))[:, 0]
        assert got == pytest.approx(total / 2.0 - 0.5, abs=1e-4)


def test_it_does_not_matter_which_way_embeddings_are_turned():
    (x, labels), (example, _), (asked, _) = windows(NAMES[:3], 60, 30), windows(("curl",), 4, 31), windows(NAMES, 9, 32)
    turn = np.linalg.qr(np.random.default_rng(33).normal(size=(D, D)))[0]
    odds = []
    for q in (np.eye(D), turn):
        classes = learnt({"imu": x["imu"] @ q}, labels).taught("curl", {"imu": example["imu"] @ q})
        odds.append(classes.log_odds({"imu": asked["imu"] @ q}))
    assert odds[0] == pytest.approx(odds[1], abs=1e-3)


def test_some_classes_alone_are_asked_as_among_all(classes: Classes):
    x, _ = windows(NAMES, 20, 20)
    some = classes.only(["squat", "jump"])
    assert set(some.names) == {"squat", "jump"}
    assert some.spaces is classes.spaces
    columns = [classes.names.index(name) for name in some.names]
    assert some.log_odds(x) == pytest.approx(classes.log_odds(x)[:, columns])
    assert classes.only([]).named == ()


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
    assert two.examples["imu"][-1] == 2
    x, _ = windows(("curl",), 100, 10)
    at = two.named.index("curl")
    assert two.probabilities(x)[:, at].mean() > one.probabilities(x)[:, at].mean()


def test_what_was_taught_is_likelier_before_a_window_is_seen_and_nothing_else_is(classes: Classes):
    x, _ = windows(NAMES, 10, 8)
    example, _ = windows(("curl",), 5, 9)
    made = classes.taught("curl", example)
    at, z = made.names.index("curl"), x["imu"]
    space = made.spaces["imu"]
    own = space.log_odds(z, made.means["imu"], made.examples["imu"])
    expected = own + WANTED * (np.arange(len(made.names)) == at)
    np.testing.assert_allclose(made.log_odds(x), expected, rtol=1e-9)


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
    for broken in (
        {},
        {"spaces": 3},
        classes.to_dict() | {"names": ["a"]},
        classes.to_dict() | {"examples": {"imu": [1]}},
    ):
        with pytest.raises(ValueError, match=r"classes|reshape"):
            Classes.from_dict(broken)


@given(st.integers(2, 6), st.integers(1, 30), st.integers(0, 1000))
def test_any_windows_give_probabilities(classes_: int, each: int, seed: int):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(0, 10.0 ** rng.integers(-3, 3), (classes_ * each, 5)), np.repeat(np.arange(classes_), each)
    p = learnt({"imu": x}, labels.astype(str)).probabilities({"imu": x * rng.choice([1.0, 1e3])})
    assert np.isfinite(p).all()
    assert p.min() >= 0
    assert p.sum(1).max() <= 1 + 1e-9


def test_mistakes_say_so(classes: Classes):
    with pytest.raises(ValueError, match="two or more"):
        learnt({"imu": np.zeros((3, 2))}, ["a"] * 3)
    with pytest.raises(ValueError, match="with a label each"):
        learnt({"imu": np.zeros((3, 2))}, ["a"] * 2)
    with pytest.raises(ValueError, match=r"embeddings are \(n, 12\)"):
        classes.probabilities({"imu": np.zeros((2, 3))})
    with pytest.raises(KeyError, match="no activity 'dance'"):
        classes.without("dance")
    with pytest.raises(ValueError, match="needs a name"):
        classes.taught(" ", {"imu": np.zeros((1, D))})
    with pytest.raises(ValueError, match="compares imu"):
        classes.probabilities({"video": np.zeros((2, D))})
    with pytest.raises(ValueError, match="has what the model reads"):
        classes.taught("dance", {"imu": np.full((2, D), np.nan)})
    with pytest.raises(ValueError, match="no words"):
        classes.told("dance", np.zeros((1, 3)))


# ------------------------------------------------------------------------------------------------ several spaces
TURN = np.random.default_rng(3).normal(0, 1, (D, D))


def seen(names: tuple[str, ...], each: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """By a watch, by a pose, and in the joint space of both."""
    x, labels = windows(names, each, seed)
    pose, _ = windows(names, each, seed + 500)
    return x | {"pose": pose["imu"] @ TURN, JOINT: x["imu"] + pose["imu"]}, labels


@pytest.fixture(scope="module")
def several() -> Classes:
    said = {name: 2 * CENTRES[[k]] @ TURN + 3 for k, name in enumerate(NAMES) if name}
    made = worded(learnt(*seen(NAMES[:8], 60, 0)), {n: said[n] for n in NAMES[:8] if n})
    return calibrated(made, *seen(NAMES[:8], 40, 1))


def without(x: dict[str, np.ndarray], *gone: str) -> dict[str, np.ndarray]:
    return {space: np.full_like(values, np.nan) if space in gone else values for space, values in x.items()}


@pytest.mark.parametrize("gone", [(), ("pose",), ("imu",)])
def test_any_modality_that_is_there_answers(several: Classes, gone: tuple[str, ...]):
    x, labels = seen(NAMES[:5], 50, 2)
    x = without(x, *gone)
    assert (answers(several, x) == labels).mean() > 0.85
    if gone:  # a space that is missing and one that is not given are alike
        left = {space: values for space, values in x.items() if space not in gone}
        np.testing.assert_array_equal(several.probabilities(x), several.probabilities(left))


def test_taught_by_one_modality_and_found_by_another(several: Classes):
    example, _ = seen(("sit",), 4, 5)
    more = several.taught("sit", without(example, "imu"))
    assert more.examples["imu"][-1] == 0
    x, labels = seen((*NAMES[:5], "sit"), 50, 6)
    got = answers(more, without(x, "pose"))  # of the watch alone: they meet in the joint space
    assert (got == labels)[labels == "sit"].mean() > 0.6
    assert (got == labels)[labels != "sit"].mean() > 0.8


def test_told_in_words(several: Classes):
    said = 2 * CENTRES[[NAMES.index("sit")]] @ TURN + 3
    assert several.words is not None
    assert several.words.examples > 0.1  # of seven classes in twelve directions
    more = several.told("sit", said)
    x, labels = seen((*NAMES[:5], "sit"), 50, 6)
    got = answers(more, x)
    assert (got == labels)[labels == "sit"].mean() > 0.4
    assert (got == labels)[labels != "sit"].mean() > 0.8
    again = Classes.from_dict(json.loads(json.dumps(more.to_dict())))
    np.testing.assert_array_equal(again.probabilities(x), more.probabilities(x))


def test_few_classes_teach_no_words():
    made = learnt(*seen(NAMES[:3], 20, 0))
    assert worded(made, {NAMES[0]: np.zeros((2, D))}) is made
