"""Novelty: a loop's distances, what is far from all classes is stranger, and what does not matter does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.evaluate.calibration import auroc
from kinjo.evaluate.novelty import RIDGE, Novelty


def made(seed: int, dim: int = 6):
    """Three classes that differ along the first axes, with much noise along the last one."""
    rng = np.random.default_rng(seed)
    centres = 4 * np.eye(4, dim)
    width = np.r_[np.full(dim - 1, 0.5), 5.0]
    labels = rng.integers(0, 3, 400)
    return rng, centres, width, centres[labels] + width * rng.normal(size=(400, dim)), labels


@given(st.integers(0, 10_000))
def test_a_loop_says_the_same(seed: int):
    rng, _, _, x, labels = made(seed)
    asked = rng.normal(size=(5, 6))

    def inverse(d):
        c = np.cov(d.T, bias=True)
        return np.linalg.inv(c + RIDGE * np.trace(c) / 6 * np.eye(6))

    means = [x[labels == k].mean(0) for k in range(3)]
    within, whole = inverse(np.concatenate([x[labels == k] - m for k, m in enumerate(means)])), inverse(x - x.mean(0))
    wanted = [min((a - m) @ within @ (a - m) for m in means) - (a - x.mean(0)) @ whole @ (a - x.mean(0)) for a in asked]
    np.testing.assert_allclose(Novelty.fit(x, labels).score(asked), wanted, rtol=1e-6, atol=1e-6)


def test_an_unknown_class_is_stranger_and_plain_noise_is_not():
    rng, centres, width, x, labels = made(0)
    novelty = Novelty.fit(x, labels)
    known = novelty.score(centres[rng.integers(0, 3, 300)] + width * rng.normal(size=(300, 6)))
    strange = novelty.score(centres[3] + width * rng.normal(size=(300, 6)))
    assert auroc(np.r_[known, strange], np.arange(600) >= 300) > 0.97
    loud = centres[rng.integers(0, 3, 300)] + width * rng.normal(size=(300, 6)) + 30 * np.eye(6)[5]
    assert abs(np.median(novelty.score(loud)) - np.median(known)) < np.median(strange) - np.median(known)


@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_names_order_and_scale_do_not_matter(seed: int, scale: float):
    rng, _, _, x, labels = made(seed)
    asked, order = rng.normal(size=(7, 6)), rng.permutation(len(x))
    found = Novelty.fit(x, labels).score(asked)
    np.testing.assert_allclose(
        Novelty.fit(scale * x[order], np.array(["c", "a", "b"])[labels[order]]).score(scale * asked), found, rtol=1e-6,
        atol=1e-8,
    )  # fmt: skip


def test_what_cannot_be_compared_is_refused():
    _, _, _, x, labels = made(1)
    for bad, names, said in (
        (x, labels[1:], "a label for each"), (x, 0 * labels, "two classes"), (x[:0], labels[:0], "at least 1"),
        (np.where(x > 3, np.nan, x), labels, "finite"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            Novelty.fit(bad, names)
    with pytest.raises(ValueError, match=r"are \(n, 6\)"):
        Novelty.fit(x, labels).score(x[:, :3])
