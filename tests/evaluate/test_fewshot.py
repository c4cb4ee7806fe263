"""Episodes, their answers and their scores, against naive loops and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.evaluate import fewshot
from kinjo.evaluate.fewshot import Episodes, Protocol, classify, fuse, sample_episodes, score


def clips(classes=9, subjects=8, takes=4):
    label, subject, _ = (g.ravel() for g in np.meshgrid(*map(np.arange, (classes, subjects, takes)), indexing="ij"))
    return label, subject, np.arange(len(label))


def naive(parts, episodes, metric, missing=None, weights=None):
    """One episode, one query, one prototype, one part at a time, in float64."""
    parts = [np.asarray(x, np.float64) for x in parts]
    gone = np.zeros((len(parts[0]), len(parts)), bool) if missing is None else missing
    shares = [1.0] * len(parts) if weights is None else weights
    scores = np.full((*episodes.query.shape, episodes.support.shape[1]), -np.inf)
    for e, w, q in np.ndindex(episodes.query.shape):
        row = episodes.query[e, w, q]
        for way in range(episodes.support.shape[1]):
            found, used = [], []
            for m, x in enumerate(parts):
                rows = [s for s in episodes.support[e, way] if not gone[s, m]]
                if not rows or gone[row, m]:
                    continue
                used.append(shares[m])
                if metric == "cosine":
                    p = np.mean([x[s] / np.linalg.norm(x[s]) for s in rows], axis=0)
                    found.append(x[row] @ p / (np.linalg.norm(x[row]) * np.linalg.norm(p)))
                else:
                    found.append(-((x[row] - np.mean(x[rows], axis=0)) ** 2).sum())
            if found:
                scores[e, w, q, way] = np.average(found, weights=used)
    return scores.argmax(-1)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("shot", [1, 3])
@pytest.mark.parametrize("gram", [True, False])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_classify_is_the_naive_loop(metric, shot, gram, parts, absent, weighted, monkeypatch):
    monkeypatch.setattr(fewshot, "GRAM_ROWS", 10**6 if gram else 0)
    rng = np.random.default_rng(0)
    label, subject, recording = clips(6, 4, 4)
    episodes = sample_episodes(label, subject, recording, Protocol(4, shot, 3, 40), rng)
    xs = [3 + rng.normal(size=(len(label), 5 + m)) + rng.normal(size=(6, 5 + m))[label] for m in range(parts)]
    missing = rng.random((len(label), parts)) < 0.3 if absent else None
    if missing is not None:
        xs = [np.where(missing[:, m, None], np.nan, x) for m, x in enumerate(xs)]
    weights = [0.3, 2.0][:parts] if weighted else None
    answers = classify(xs if parts > 1 else xs[0], episodes, metric, missing=missing, weights=weights)
    np.testing.assert_array_equal(answers, naive(xs, episodes, metric, missing, weights))
    if weighted and parts > 1:
        assert (answers != classify(xs, episodes, metric, missing=missing)).any()


def test_classify_is_torch_cdist_one_episode_at_a_time():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    label, subject, recording = clips()
    episodes = sample_episodes(label, subject, recording, Protocol(shot=2, episodes=300), rng)
    x = (rng.normal(size=(9, 16))[label] + rng.normal(size=(len(label), 16))).astype(np.float32)
    table = torch.from_numpy(x)
    expected = [
        torch.cdist(table[q.reshape(-1)], table[s].mean(1)).argmin(1).reshape(q.shape).numpy()
        for s, q in zip(episodes.support, episodes.query, strict=True)
    ]
    np.testing.assert_array_equal(classify(x, episodes, "euclidean"), np.stack(expected))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    support=st.sampled_from(["one_subject", "any"]),
    exclude=st.sampled_from(["subject", "recording"]),
    shot=st.integers(1, 2),
    nested=st.booleans(),
)
def test_episodes_keep_their_rules(seed, support, exclude, shot, nested):
    rng = np.random.default_rng(seed)
    label, subject = rng.integers(0, 6, 300), rng.integers(0, 9, 300)
    recording = subject * 10 + rng.integers(0, 10, 300) if nested else rng.integers(0, 90, 300)
    protocol = Protocol(3, shot, 4, 50, support, exclude)
    episodes = sample_episodes(label, subject, recording, protocol, rng)
    assert episodes.support.shape == (50, 3, shot)
    assert episodes.query.shape == (50, 3, 4)
    for s, q, c in zip(episodes.support, episodes.query, episodes.classes, strict=True):
        assert len(set(c.tolist())) == 3
        assert (label[s] == c[:, None]).all()
        assert (label[q] == c[:, None]).all()
        assert len(set(s.ravel().tolist())) == s.size
        assert not set(recording[s].ravel().tolist()) & set(recording[q].ravel().tolist())
        if exclude == "subject":
            assert not set(subject[s].ravel().tolist()) & set(subject[q].ravel().tolist())
        if support == "one_subject":
            assert len(set(subject[s].ravel().tolist())) == 1


def test_queries_differ_where_enough_exist_and_repeat_evenly_where_not():
    label, subject, recording = clips(5, 3, 4)  # 8 clips of others per class
    rng = np.random.default_rng(0)
    few = sample_episodes(label, subject, recording, Protocol(queries=8, episodes=50), rng).query
    assert all(len(set(q.tolist())) == 8 for q in few.reshape(-1, 8))
    many = sample_episodes(label, subject, recording, Protocol(queries=20, episodes=50), rng).query
    counts = [np.unique(q, return_counts=True)[1] for q in many.reshape(-1, 20)]
    assert all(len(c) == 8 and c.min() == 2 and c.max() == 3 for c in counts)


def test_classes_subjects_and_clips_are_equally_likely():
    label, subject, recording = clips(9, 8, 4)
    episodes = sample_episodes(label, subject, recording, Protocol(episodes=20_000), np.random.default_rng(0))
    for counts in (
        np.bincount(episodes.classes.ravel(), minlength=9),
        np.bincount(subject[episodes.support[:, 0, 0]], minlength=8),
        np.bincount(episodes.support.ravel(), minlength=len(label)),
        np.bincount(episodes.query.ravel(), minlength=len(label)),
        np.bincount(episodes.classes[:, 0], minlength=9),
    ):
        expected = counts.mean()
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_a_subject_without_a_class_is_passed_over_without_bias():
    """Every (subject, class set) that can be served is equally likely; the ones that cannot never come."""
    label, subject, recording = clips(4, 3, 3)
    keep = ~((label == 0) & (subject == 0))
    label, subject, recording = label[keep], subject[keep], recording[keep]
    protocol = Protocol(way=3, queries=2, episodes=18_000)
    episodes = sample_episodes(label, subject, recording, protocol, np.random.default_rng(0))
    keys = [
        (int(subject[s[0, 0]]), tuple(sorted(c.tolist())))
        for s, c in zip(episodes.support, episodes.classes, strict=True)
    ]
    counts = {k: keys.count(k) for k in set(keys)}
    assert len(counts) == 9  # 4 + 4 sets of the two complete subjects, one of the other
    assert all(abs(n - 2000) < 5 * np.sqrt(2000) for n in counts.values())


@pytest.mark.parametrize(
    ("protocol", "data", "words"),
    [
        (Protocol(), (4, 8, 4), "5 classes"),
        (Protocol(shot=5), (9, 8, 4), "5 clip"),
        (Protocol(), (9, 1, 4), "another subject"),
        (Protocol(support="any", exclude="recording"), (9, 1, 1), "another recording"),
        (Protocol(shot=20, support="any"), (9, 8, 4), "too few for 100 supports"),
    ],
)
def test_too_few_clips_is_an_error_that_says_so(protocol, data, words):
    with pytest.raises(ValueError, match=words):
        sample_episodes(*clips(*data), protocol, np.random.default_rng(0))


def test_a_seed_fixes_the_episodes_and_the_score():
    label, subject, recording = clips()
    x = np.random.default_rng(5).normal(size=(len(label), 8))

    def run(seed):
        rng = np.random.default_rng(seed)
        episodes = sample_episodes(label, subject, recording, Protocol(episodes=200), rng)
        return episodes, score(episodes, classify(x, episodes), label, subject, bootstrap=200, rng=rng)

    (one, first), (two, second), (three, third) = run(3), run(3), run(4)
    np.testing.assert_array_equal(one.query, two.query)
    assert (first.accuracy, first.ci95) == (second.accuracy, second.ci95)
    assert not np.array_equal(one.query, three.query)
    assert first.ci95 != third.ci95


def test_perfect_embeddings_are_right_and_random_ones_are_at_chance():
    label, subject, recording = clips()
    rng = np.random.default_rng(0)
    episodes = sample_episodes(label, subject, recording, Protocol(episodes=2000), rng)
    perfect = score(episodes, classify(np.eye(9)[label], episodes), label, subject, rng=rng)
    assert perfect.accuracy == 1.0
    assert perfect.ci95 == (1.0, 1.0)
    assert (perfect.confusion == np.diag(np.diag(perfect.confusion))).all()
    chance = score(episodes, classify(rng.normal(size=(len(label), 64)), episodes), label, subject, rng=rng)
    assert abs(chance.accuracy - 0.2) < 0.03
    assert chance.ci95[0] < 0.2 < chance.ci95[1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_names_and_order_of_the_classes_do_not_matter(seed):
    """Renamed classes and ways in another order: the same clips get the same answers."""
    rng = np.random.default_rng(seed)
    label, subject, recording = clips(6, 4, 3)
    episodes = sample_episodes(label, subject, recording, Protocol(4, 1, 3, 30), rng)
    x = rng.normal(size=(len(label), 6))
    turn, names = rng.permutation(4), rng.permutation(6)
    turned = replace(
        episodes, support=episodes.support[:, turn], query=episodes.query[:, turn], classes=episodes.classes[:, turn]
    )
    plain, other = classify(x, episodes), classify(x, turned)
    np.testing.assert_array_equal(turn[other], plain[:, turn])
    before = score(episodes, plain, label, subject, bootstrap=10, rng=rng)
    after = score(turned, other, names[label], subject, bootstrap=10, rng=rng)
    assert before.accuracy == pytest.approx(after.accuracy)
    np.testing.assert_array_equal(before.confusion, after.confusion[np.ix_(names, names)])


def test_score_counts_like_a_loop():
    rng = np.random.default_rng(2)
    label, subject, recording = clips(6, 4, 3)
    words = np.array([f"class {c}" for c in "fedcba"])[label]
    episodes = sample_episodes(words, subject, recording, Protocol(3, 1, 4, 60), rng)
    answers = rng.integers(0, 3, episodes.query.shape)
    got = score(episodes, answers, words, subject, bootstrap=10, rng=rng)
    right, by_class, by_subject = [], {}, {}
    confusion = np.zeros((6, 6), int)
    for e, w, q in np.ndindex(answers.shape):
        truth, answer = words[episodes.support[e, w, 0]], words[episodes.support[e, answers[e, w, q], 0]]
        right.append(truth == answer)
        by_class.setdefault(str(truth), []).append(right[-1])
        by_subject.setdefault(int(subject[episodes.query[e, w, q]]), []).append(right[-1])
        confusion[got.classes.index(truth), got.classes.index(answer)] += 1
    assert got.accuracy == pytest.approx(np.mean(right))
    assert got.per_class == pytest.approx({k: np.mean(v) for k, v in by_class.items()})
    assert got.per_subject == pytest.approx({k: np.mean(v) for k, v in by_subject.items()})
    np.testing.assert_array_equal(got.confusion, confusion)
    assert episodes.names == got.classes


def test_fused_rows_compare_by_the_sum_of_cosines():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, 4)), rng.normal(size=(6, 7))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    fused = fuse([a, b])
    assert fused.shape == (6, 11)
    np.testing.assert_allclose(fused @ fused.T, unit[0] @ unit[0].T + unit[1] @ unit[1].T)
    missing = np.zeros((6, 2), bool)
    missing[2, 1] = True
    hidden = fuse([a, np.where(missing[:, 1:], np.nan, b)], missing)
    assert (hidden[2, 4:] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(hidden, axis=1) ** 2, 2 - missing.sum(1))
    np.testing.assert_allclose(hidden[:2], fused[:2])


def test_late_fusion_is_cosine_of_fused_rows_in_one_shot():
    rng = np.random.default_rng(0)
    label, subject, recording = clips()
    episodes = sample_episodes(label, subject, recording, Protocol(episodes=200), rng)
    parts = [rng.normal(size=(9, d))[label] + rng.normal(size=(len(label), d)) for d in (8, 30)]
    np.testing.assert_array_equal(classify(parts, episodes), classify(fuse(parts), episodes))


def test_bad_input_is_an_error_that_says_what_to_do():
    episodes = Episodes(np.array([[[0], [1]]]), np.array([[[2], [3]]]), np.array([[0, 1]]), ("a", "b"))
    x = np.ones((4, 3))
    with pytest.raises(ValueError, match="mark those rows in missing"):
        classify(np.where(np.eye(4, 3) > 0, np.nan, x), episodes)
    with pytest.raises(ValueError, match="same n"):
        classify([x, x[:3]], episodes)
    with pytest.raises(ValueError, match="missing is"):
        classify(x, episodes, missing=np.zeros((3, 1), bool))
    with pytest.raises(ValueError, match="metric"):
        classify(x, episodes, "manhattan")  # type: ignore[arg-type]
    for weights in ([1.0, 1.0], [0.0], [-1.0], [np.nan]):
        with pytest.raises(ValueError, match="one positive number per part, 1"):
            classify(x, episodes, weights=weights)
    with pytest.raises(ValueError, match="at least"):
        Protocol(way=1)
    with pytest.raises(ValueError, match="exclude"):
        Protocol(exclude="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one entry per clip"):
        sample_episodes([0, 1], [0], [0, 1], Protocol(), np.random.default_rng(0))
