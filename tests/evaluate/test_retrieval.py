"""Retrieval by class and by instance, against a naive loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.evaluate.retrieval import all_pairs, recall_interval, retrieve


def naive(q: np.ndarray, g: np.ndarray, ql: list[str], gl: list[str], ids: list[int]) -> tuple[list[int], list[float]]:
    """Rank of the first hit and average precision of each query, one by one; own rows left out."""
    ranks, precision = [], []
    for i in range(len(q)):
        others = [j for j in range(len(g)) if ids[j] != ids[i] and np.abs(g[j]).sum() > 0]
        score = [float(q[i] @ g[j] / np.linalg.norm(q[i]) / np.linalg.norm(g[j])) for j in others]
        order = sorted(range(len(others)), key=lambda k: (-score[k], others[k]))
        hits = [gl[others[k]] == ql[i] for k in order]
        ranks.append(hits.index(True) if True in hits else -1)
        found = [(n + 1) / (r + 1) for n, r in enumerate(k for k, hit in enumerate(hits) if hit)]
        precision.append(float(np.mean(found)) if found else 0.0)
    return ranks, precision


@given(st.integers(4, 20), st.integers(0, 10_000))
def test_equals_a_loop(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, g = rng.normal(size=(n, 5)), rng.normal(size=(n, 5))
    g[0] = 0.0
    labels = [str(x) for x in rng.integers(0, 3, n)]
    ranks, precision = naive(q, g, labels, labels, list(range(n)))
    if max(ranks) < 0:
        return
    found = retrieve(q, g, labels, labels, query_ids=np.arange(n), gallery_ids=np.arange(n))
    assert found.first.tolist() == ranks
    kept = [i for i, r in enumerate(ranks) if r >= 0]
    assert found.recall[1] == pytest.approx(np.mean([ranks[i] == 0 for i in kept]))
    assert found.mean_average_precision == pytest.approx(np.mean([precision[i] for i in kept]))


def test_the_own_clip_is_no_hit_by_class_and_the_only_one_by_instance() -> None:
    x = np.eye(4)
    labels = ["a", "a", "b", "b"]
    by_class = retrieve(x, x, labels, labels, query_ids=range(4), gallery_ids=range(4))
    assert by_class.recall[1] < 1.0  # nothing but the own row is near
    by_instance = retrieve(x, x, labels, labels, query_ids=range(4), gallery_ids=range(4), by="instance")
    assert by_instance.recall[1] == by_instance.mean_average_precision == 1.0


def test_sentences_ask_and_missing_rows_take_no_part() -> None:
    clips = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = retrieve(np.eye(2), clips, ["squat", "wave"], ["squat", "wave", "squat"])
    assert (found.recall[1], found.queries) == (1.0, 2)
    assert found.per_class == {"squat": 1.0, "wave": 1.0}
    asks = retrieve(clips, np.eye(2), ["squat", "wave", "squat"], ["squat", "wave"])
    assert asks.queries == 2
    assert asks.asked.tolist() == [True, True, False]


def test_all_ordered_pairs_and_an_interval_over_groups() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(6)[:3], 8, 0)
    both = {m: centres + 0.1 * rng.normal(size=centres.shape) for m in ("imu", "pose")}
    labels = np.repeat(["a", "b", "c"], 8)
    found = all_pairs(both, labels, np.arange(24))
    assert set(found) == {("imu", "pose"), ("pose", "imu")}
    assert found["imu", "pose"].recall[1] == 1.0
    assert recall_interval([found["imu", "pose"]], np.arange(24) % 4, rng) == (1.0, 1.0)


def test_what_cannot_be_asked_says_why() -> None:
    with pytest.raises(ValueError, match="nothing to find|to find"):
        retrieve(np.eye(2), np.eye(2), ["a", "b"], ["c", "d"])
    with pytest.raises(ValueError, match="with a label each"):
        retrieve(np.eye(2), np.eye(3), ["a", "b"], ["a", "b", "c"])
    with pytest.raises(ValueError, match="with ids"):
        retrieve(np.eye(2), np.eye(2), ["a", "b"], ["a", "b"], by="instance")
