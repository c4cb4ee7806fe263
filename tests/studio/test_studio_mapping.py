"""The map: an even sample, the same again, like beside like; with scikit-learn and without."""

import importlib.util

import numpy as np
import pytest

from kinjo.corpus import Corpus
from kinjo.recognizer import Recognizer
from kinjo.studio import mapping, sources
from kinjo.studio.hub import Hub
from kinjo.studio.settings import Settings


@pytest.fixture(scope="module")
def some(word_model: Recognizer, searched: Corpus):
    hub = Hub(word_model, Settings(data=searched.root.parent))
    yield [sources.indexed(hub, one).future.result(60) for one in sources.sources(hub.settings.data)]
    hub.close()


def told(done: int, total: int) -> None:
    """Nobody looks."""


def test_points_are_an_even_sample_of_all_windows(some):
    every, total = mapping.sampled(some, 10_000)
    assert total == len(every) == sum(int(there.sum()) for there in some[0].index.present.values())
    few, of = mapping.sampled(some, 20)
    assert (len(few), of) == (20, total)
    assert len(set(few)) == 20
    assert {m for _, m, _ in few} == {"imu", "pose"}


def test_every_point_says_where_it_lies(some, searched: Corpus):
    made = mapping.cloud(some, told)
    assert np.abs(made.xy).max() == pytest.approx(1.0)
    points = [made.point(i) for i in range(len(made))]
    assert {p["recording"] for p in points} == set(searched.recordings)
    assert all(0 <= p["from_s"] < p["to_s"] for p in points)
    assert "squat" in {p["label"] for p in points}
    plain = mapping.told(made)
    assert len(plain["x"]) == len(made)
    for by in mapping.BY:
        names, of = plain[by]["names"], plain[by]["of"]
        assert [names[k] for k in of] == [p[by] or f"no {by}" for p in points]
        counts = np.bincount(of)
        assert (np.diff(counts) <= 0).all()  # the largest group first


def test_without_scikit_learn_it_is_principal_components(some, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mapping, "find_spec", lambda name: None)
    made = mapping.cloud(some, told)
    assert made.how.startswith("principal components (with scikit-learn")
    again = mapping.cloud(some, told)
    np.testing.assert_array_equal(made.xy, again.xy)


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="scikit-learn is of kinjo[bench]")
def test_like_lies_beside_like():
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(3, 16), 40, 0) + 0.1 * rng.normal(size=(120, 16))
    xy, how = mapping.flat((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32))
    assert how.startswith("t-SNE")
    far = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert (far.argmin(1) // 40 == np.arange(120) // 40).all()


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_points_are_drawn_too(n: int):
    x = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    xy, _ = mapping.flat(x)
    assert xy.shape == (n, 2)
    assert np.isfinite(xy).all()


def test_too_few_windows_say_so(some):
    with pytest.raises(ValueError, match="three windows"):
        mapping.cloud(some, told, most=2)
