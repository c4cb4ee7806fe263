"""Doing nothing in many kinds: they share the odds of one class, lie in every space, and stay out of profiles."""

import json

import numpy as np
import pytest

from kinjo.classes import NULL, Classes, learnt
from kinjo.idle import KINDS, WINDOWS, divided

CENTRES = {"squat": (8.0, 0.0), "row": (-8.0, 0.0), "curl": (0.0, 0.0), "nod": (0.0, 9.0), "bow": (0.0, -9.0)}
IDLE = ((5.0, 5.0), (-5.0, -5.0))
"""Two ways to do nothing, far apart, and a curl between them, on which one Gaussian of both would lie."""


def drawn(each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows (n, 4) of all classes, of each way to do nothing as many, and their labels."""
    x = np.random.default_rng(seed).normal(0, 1, (len(CENTRES) + len(IDLE), each, 4))
    x[:, :, :2] += np.array([*CENTRES.values(), *IDLE])[:, None]
    return x.reshape(-1, 4), np.repeat([*CENTRES, NULL, NULL], each)


def made(each: int = 100) -> Classes:
    x, labels = drawn(each, 40)
    return divided(learnt({"imu": x}, labels), {"imu": x}, labels)


def right(classes: Classes, name: str) -> float:
    """Of new windows of one class the share that is found."""
    x, truth = drawn(100, 41)
    p = classes.probabilities({"imu": x[truth == name]})
    said = np.array([*classes.named, NULL])[np.where(1 - p.sum(1) > p.max(1), -1, p.argmax(1))]
    return float((said == name).mean())


def test_a_movement_between_two_ways_to_do_nothing_is_found():
    x, labels = drawn(100, 40)
    assert right(learnt({"imu": x}, labels), "curl") < 0.5, "one Gaussian of both lies on it"
    assert right(made(), "curl") > 0.9, "kinds of one name share the odds of one class"
    assert right(made(), NULL) > 0.9


def test_kinds_are_named_as_one():
    classes = made()
    assert classes.names.count(NULL) == 200 // WINDOWS
    assert classes.named == tuple(sorted(CENTRES))
    assert classes.without(NULL).names == classes.named
    assert classes.only([NULL]).names == (NULL,) * 10
    assert Classes.from_dict(json.loads(json.dumps(classes.to_dict()))).names == classes.names
    assert classes.shared.tolist() == pytest.approx([0.0] * 5 + [np.log(10)] * 10)


def test_there_are_not_too_many_and_not_of_too_few_windows():
    assert made(1000).names.count(NULL) == KINDS
    x, labels = drawn(WINDOWS - 1, 42)
    few = learnt({"imu": x}, labels)
    assert divided(few, {"imu": x}, labels) is few
    named = labels != NULL
    none = learnt({"imu": x[named]}, labels[named])
    assert divided(none, {"imu": x[named]}, labels[named]) is none


def test_kinds_lie_in_every_space_and_lack_what_they_lack():
    x, labels = drawn(100, 40)
    other = x[:, ::-1].copy()
    other[labels == NULL] = np.nan
    vectors = {"imu": x, "pose": other}
    classes = divided(learnt(vectors, labels), vectors, labels)
    kinds = np.array([name == NULL for name in classes.names])
    assert (classes.examples["imu"][kinds] > 0).all()
    assert (classes.examples["pose"][kinds] == 0).all(), "none of these windows has a pose"
    assert all(np.isfinite(m).all() for m in classes.means.values())
    assert np.isneginf(classes.log_odds({"pose": x[:, ::-1]})[:, kinds]).all()
    assert np.isfinite(classes.log_odds({"imu": x})).all()


def test_a_profile_leaves_them_out_and_gets_them_back():
    classes = made()
    taught = classes.taught("jump", {"imu": np.full((3, 4), 6.0)})
    told = json.loads(json.dumps(taught.profile()))
    assert told["names"] == list(taught.named)
    again, x = classes.of_profile(told), drawn(10, 43)[0]
    assert again.named == taught.named
    np.testing.assert_allclose(again.probabilities({"imu": x}), taught.probabilities({"imu": x}), rtol=1e-9)
    assert again.of_profile(again.profile()).names == again.names


def test_a_profile_with_one_class_of_nothing_is_read_as_it_was_written():
    x, labels = drawn(100, 40)
    once = learnt({"imu": x}, labels)
    means, examples = once.means["imu"].tolist(), once.examples["imu"].tolist()
    read = made().of_profile({"names": list(once.names), "means": {"imu": means}, "examples": {"imu": examples}})
    assert read.names == once.names
    np.testing.assert_allclose(read.probabilities({"imu": x}), once.probabilities({"imu": x}), rtol=1e-9)
