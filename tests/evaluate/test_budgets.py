"""Label budgets: exact counts, nested, whole recordings, the same for everyone who asks."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.evaluate.budgets import by_clips, by_fraction, by_recordings


def people(classes: int = 3, subjects: int = 4, trials: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One clip per class, subject and trial; a clip is a recording."""
    c, s, t = (g.ravel() for g in np.meshgrid(range(classes), range(subjects), range(trials), indexing="ij"))
    return c, s, np.array([f"{a}-{b}-{d}" for a, b, d in zip(c, s, t, strict=True)])


def test_clips_are_counted_by_class_nested_and_spread_over_people():
    labels, subjects, recordings = people()
    before: set[int] = set()
    for number in (1, 2, 4, 8):
        rows = by_clips(labels, subjects, recordings, number, seed=3)
        np.testing.assert_array_equal(rows, np.unique(rows))
        assert Counter(labels[rows].tolist()) == dict.fromkeys(range(3), number)
        assert before < set(rows.tolist())
        before = set(rows.tolist())
        for c in range(3):
            per_person = Counter(subjects[rows[labels[rows] == c]].tolist())
            assert len(per_person) == min(number, 4)
            assert max(per_person.values()) - min(per_person.values()) <= 1
    np.testing.assert_array_equal(by_clips(labels, subjects, recordings, None, 3), np.arange(36))


def test_clips_of_a_person_come_from_different_recordings_first():
    labels = np.zeros(12, int)
    recordings = np.repeat(["a", "b", "c"], 4)
    for seed in range(10):
        rows = by_clips(labels, ["one"] * 12, recordings, 3, seed)
        assert set(recordings[rows]) == {"a", "b", "c"}


def test_a_seed_is_a_choice_and_other_classes_do_not_matter():
    labels, subjects, recordings = people()
    rows = by_clips(labels, subjects, recordings, 2, 0)
    np.testing.assert_array_equal(rows, by_clips(labels, subjects, recordings, 2, 0))
    assert len({tuple(by_clips(labels, subjects, recordings, 2, seed)) for seed in range(8)}) > 1
    assert len({tuple(by_fraction(labels, 0.3, seed)) for seed in range(8)}) > 1
    assert len({tuple(by_recordings(labels, recordings, seed, per_class=1)) for seed in range(8)}) > 1
    few = labels < 2
    np.testing.assert_array_equal(by_clips(labels[few], subjects[few], recordings[few], 2, 0), rows[labels[rows] < 2])


@given(
    labels=st.lists(st.sampled_from(["", "run", "sit"]), min_size=1, max_size=60),
    seed=st.integers(0, 99),
    small=st.floats(0.01, 1.0),
    large=st.floats(0.01, 1.0),
)
def test_fractions_are_stratified_and_nested(labels: list[str], seed: int, small: float, large: float):
    small, large = sorted((small, large))
    a, b = by_fraction(labels, small, seed), by_fraction(labels, large, seed)
    assert set(a.tolist()) <= set(b.tolist())
    for name, number in Counter(labels).items():
        assert sum(labels[row] == name for row in b) == max(1, round(large * number))
    assert len(by_fraction(labels, 1.0, seed)) == len(labels)


@given(
    what=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=60),
    seed=st.integers(0, 99),
    small=st.floats(0.01, 1.0),
    large=st.floats(0.01, 1.0),
)
def test_recordings_are_whole_and_nested_even_with_several_classes_in_one(
    what: list[tuple[int, int]], seed: int, small: float, large: float
):
    recordings, labels = (np.array(column) for column in zip(*what, strict=True))
    small, large = sorted((small, large))
    a, b = (by_recordings(labels, recordings, seed, fraction=f) for f in (small, large))
    assert set(a.tolist()) <= set(b.tolist())
    np.testing.assert_array_equal(b, np.flatnonzero(np.isin(recordings, recordings[b])))
    assert set(labels[a]) == set(labels)
    one = by_recordings(labels, recordings, seed, per_class=1)
    assert set(one.tolist()) <= set(a.tolist())


def test_one_recording_of_each_class_where_a_recording_has_one_class():
    labels = np.repeat(np.arange(3), 20)
    recordings = np.repeat(np.arange(12), 5)
    for number in (1, 2, 4):
        rows = by_recordings(labels, recordings, 0, per_class=number)
        assert len(rows) == 3 * number * 5
        assert Counter(labels[rows].tolist()) == dict.fromkeys(range(3), number * 5)
    assert len(by_recordings(labels, recordings, 0, fraction=0.5)) == 30


def test_unknown_labels_are_never_chosen():
    labels = np.array([0, 0, -1, -1, 1, 1])
    recordings = np.array([0, 0, 0, 1, 1, 2])
    assert by_fraction(labels, 1.0, 0).tolist() == [0, 1, 4, 5]
    assert by_clips(labels, recordings, recordings, None, 0).tolist() == [0, 1, 4, 5]
    assert by_recordings(labels, recordings, 0, per_class=1).tolist() in ([0, 1, 4], [0, 1, 5])


def test_impossible_requests_say_what_is_there():
    labels, subjects, recordings = people()
    with pytest.raises(ValueError, match="class 0 has 12 clips, 13"):
        by_clips(labels, subjects, recordings, 13, 0)
    with pytest.raises(ValueError, match="at least 1"):
        by_clips(labels, subjects, recordings, 0, 0)
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="fraction"):
            by_fraction(labels, wrong, 0)
        with pytest.raises(ValueError, match="fraction"):
            by_recordings(labels, recordings, 0, fraction=wrong)
    with pytest.raises(ValueError, match="either"):
        by_recordings(labels, recordings, 0)
    with pytest.raises(ValueError, match="either"):
        by_recordings(labels, recordings, 0, fraction=0.1, per_class=1)
    with pytest.raises(ValueError, match="12 recordings, 13"):
        by_recordings(labels, recordings, 0, per_class=13)
    with pytest.raises(ValueError, match="at least 1"):
        by_recordings(labels, recordings, 0, per_class=0)
    with pytest.raises(ValueError, match="no window"):
        by_fraction(np.full(3, -1), 0.5, 0)
    with pytest.raises(ValueError, match="alike"):
        by_clips(labels, subjects[:3], recordings, 1, 0)
