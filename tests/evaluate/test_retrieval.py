"""Retrieval by class and by instance, against a naive loop."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from kinjo.evaluate import retrieval as rt
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
    with pytest.raises(ValueError, match="anything to find"):
        retrieve(np.eye(2), np.eye(2), ["a", "b"], ["c", "d"])
    with pytest.raises(ValueError, match="with a label each"):
        retrieve(np.eye(2), np.eye(3), ["a", "b"], ["a", "b", "c"])
    with pytest.raises(ValueError, match="with ids"):
        retrieve(np.eye(2), np.eye(2), ["a", "b"], ["a", "b"], by="instance")


IDS = np.arange(40)


def made(seed: int, rows: int = 40, dim: int = 5):
    """Two modalities of the same clips, some missing in one or the other; labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, rows)
    base = rng.normal(size=(6, dim))[labels]
    a, b = (base + 1.2 * rng.normal(size=(rows, dim)) for _ in range(2))
    a[rng.random(rows) < 0.15] = 0
    b[rng.random(rows) < 0.15] = 0
    return a, b, labels


def one_by_one(a, b, labels, by: str):
    """Rank of the first hit and average precision of each query that has something to find."""
    out = {}
    for i in range(len(a)):
        there = [j for j in range(len(b)) if b[j].any() and (by == "instance" or j != i)]
        hits = np.array([i == j if by == "instance" else labels[i] == labels[j] for j in there])
        if not a[i].any() or not hits.any():
            continue
        score = np.array([a[i] @ b[j] / np.linalg.norm(a[i]) / np.linalg.norm(b[j]) for j in there])
        ranked = hits[np.argsort(-score, kind="stable")]
        out[i] = (int(ranked.argmax()), average_precision_score(hits, score))
    return out


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from(["class", "instance"]), st.sampled_from([1, 7, 1024]))
def test_a_loop_finds_the_same(seed: int, by: str, chunk: int):
    a, b, labels = made(seed)
    found = rt.retrieve(a, b, labels, labels, query_ids=IDS, gallery_ids=IDS, by=by, chunk=chunk)
    wanted = one_by_one(a, b, labels, by)
    assert {i: int(found.first[i]) for i in np.flatnonzero(found.asked)} == {i: r for i, (r, _) in wanted.items()}
    assert (found.first[~found.asked] == -1).all()
    assert found.queries == len(wanted)
    assert found.mean_average_precision == pytest.approx(np.mean([p for _, p in wanted.values()]))
    for k in (1, 5, 10):
        assert found.recall[k] == pytest.approx(np.mean([r < k for r, _ in wanted.values()]))
    for name, value in found.per_class.items():
        own = [r == 0 for i, (r, _) in wanted.items() if str(labels[i]) == name]
        assert value == pytest.approx(np.mean(own))
    assert 0 <= found.recall[1] <= found.recall[5] <= found.recall[10] <= 1


@given(st.integers(0, 10_000))
def test_order_and_length_of_rows_do_not_matter(seed: int):
    a, b, labels = made(seed)
    q, g = (np.random.default_rng(seed + k).permutation(40) for k in (0, 1))
    one = rt.retrieve(a, b, labels, labels, query_ids=IDS, gallery_ids=IDS)
    other = rt.retrieve(3.5 * a[q], b[g], labels[q], labels[g], query_ids=q, gallery_ids=g)
    np.testing.assert_array_equal(other.first, one.first[q])
    assert other.mean_average_precision == pytest.approx(one.mean_average_precision)


def test_ones_own_clip_is_no_find():
    x, labels = np.eye(4), ["a", "a", "b", "b"]
    kept = rt.retrieve(x, x, labels, labels)
    left = rt.retrieve(x, x, labels, labels, query_ids=IDS[:4], gallery_ids=IDS[:4])
    assert kept.recall[1] == 1.0
    assert left.first.tolist() == [0, 0, 2, 2]  # all others are as near: the order of the gallery decides
    assert left.recall == {1: 0.5, 5: 1.0, 10: 1.0}
    assert left.per_class == {"a": 1.0, "b": 0.0}
    alone = rt.retrieve(x[:3], x[:3], labels[:3], labels[:3], query_ids=IDS[:3], gallery_ids=IDS[:3])
    assert alone.asked.tolist() == [True, True, False]  # "b" has nothing else to find


def test_all_ordered_pairs_and_plain_types():
    a, b, labels = made(0)
    found = rt.all_pairs({"imu": a, "pose": b, "video": a + b}, labels, IDS)
    assert len(found) == 6
    assert ("imu", "imu") not in found
    alone = rt.retrieve(a, b, labels, labels, query_ids=IDS, gallery_ids=IDS)
    assert found["imu", "pose"].to_dict() == alone.to_dict()
    assert found["pose", "imu"].to_dict() != alone.to_dict()
    assert json.loads(json.dumps(alone.to_dict()))["recall"]["1"] == alone.recall[1]


def test_intervals_are_of_the_subjects_that_asked():
    a, b, labels = made(1)
    run = rt.retrieve(a, b, labels, labels, query_ids=IDS, gallery_ids=IDS)
    who = IDS % 5
    weights = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), size=300)
    loop = []
    for weight in weights:
        some = np.concatenate([np.flatnonzero((who == s) & run.asked) for s in range(5) for _ in range(weight[s])])
        loop.append((run.first[some] < 1).mean())
    found = rt.recall_interval([run], who, np.random.default_rng(0), bootstrap=300)
    assert found == pytest.approx(tuple(np.percentile(loop, [2.5, 97.5])))
    assert found[0] < run.recall[1] < found[1]
    assert rt.recall_interval([run, run], who, np.random.default_rng(0), bootstrap=300) == pytest.approx(found)


def test_a_subject_who_asked_nothing_is_no_failure():
    x, labels = np.eye(3), ["a", "a", "b"]
    run = rt.retrieve(x, x, labels, labels, query_ids=IDS[:3], gallery_ids=IDS[:3])
    assert run.asked.tolist() == [True, True, False]
    assert rt.recall_interval([run], ["p", "p", "q"], np.random.default_rng(0)) == (1.0, 1.0)


def test_what_cannot_be_found_is_refused():
    x, labels = np.eye(3), ["a", "a", "b"]
    for query, gallery, match in (
        (0 * x, x, "nothing to find|anything to find"), (x, 0 * x, "every row of the gallery"),
        (x, np.where(x > 0, np.nan, x), "NaN"), (np.where(x > 0, np.inf, x), x, "NaN or infinity"),
        (x, x[:, :2], "with a label each"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            rt.retrieve(query, gallery, labels, labels)
    with pytest.raises(ValueError, match="anything to find"):
        rt.retrieve(x[:0], x, [], labels)
    with pytest.raises(ValueError, match="anything to find"):
        rt.retrieve(x, x, labels, ["c", "d", "e"])
    with pytest.raises(ValueError, match="one side alone"):
        rt.retrieve(x, x, labels, labels, query_ids=IDS[:3])
    with pytest.raises(ValueError, match="an id for each"):
        rt.retrieve(x, x, labels, labels, query_ids=IDS[:2], gallery_ids=IDS[:3])
    with pytest.raises(ValueError, match="by is"):
        rt.retrieve(x, x, labels, labels, by="instance")
    run = rt.retrieve(x, x, labels, labels)
    for runs, groups in (([], labels), ([run], labels[1:])):
        with pytest.raises(ValueError, match="a group for every query"):
            rt.recall_interval(runs, groups, np.random.default_rng(0))
