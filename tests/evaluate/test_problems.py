"""Problems of fine-tuning: subjects stay apart, development spares what the report tests, budgets lie in each other."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.corpus import NULL
from kinjo.evaluate.finetune import Problem
from kinjo.evaluate.problems import PROBLEMS, _order, by_user, inputs_of, labelled, subjects_first, utd_mhad

LABELS = ("bow", "jump", "walk")


def windows(people: int, prefix: str = "user ", *, takes: int = 2, cut: int = 3) -> Any:
    """As many windows of each label, and of NULL, by each of ``people``: ``takes`` recordings of ``cut`` each."""
    names = (*LABELS, NULL)
    per_recording = len(names) * cut
    recordings = people * takes
    index = SimpleNamespace(
        labels=names,
        label=np.tile(np.repeat(np.arange(len(names)), cut), recordings),
        recording=np.repeat(np.arange(recordings), per_recording),
    )
    subjects = np.array([f"{prefix}{1 + k // takes}" for k in range(recordings)], object)
    ids = np.array([f"r{k}" for k in range(recordings)], object)
    return SimpleNamespace(index=index, corpus=SimpleNamespace(table=SimpleNamespace(subjects=subjects, ids=ids)))


def people(problem: Problem, *parts: str) -> set[str]:
    return {str(s) for part in parts for s in problem.subjects[getattr(problem, part)]}


def test_each_window_has_its_label_subject_and_recording() -> None:
    labels, who, what = subjects_first(windows(3, takes=2, cut=1))
    assert labels.tolist() == [*LABELS, NULL] * 6
    assert who.tolist() == ["user 1"] * 8 + ["user 2"] * 8 + ["user 3"] * 8
    assert what[:5].tolist() == ["r0", "r0", "r0", "r0", "r1"]


@given(st.integers(3, 14), st.integers(2, 3))
def test_by_user_everybody_is_tested_once_by_a_model_of_all_others(number: int, folds: int) -> None:
    problems = by_user(windows(number), folds=folds)
    everybody = {f"user {k + 1}" for k in range(number)}
    tested = [people(p, "test") for p in problems.values()]
    assert list(problems) == [f"fold{k}" for k in range(folds)]
    assert set.union(*tested) == everybody
    assert sum(map(len, tested)) == number
    for p in problems.values():
        assert people(p, "train") == everybody - people(p, "test")
        assert NULL not in p.labels[np.r_[p.train, p.test]]
        assert len(p.train) + len(p.test) == int((p.labels != NULL).sum())
        assert p.classes == LABELS


@given(st.integers(8, 14), st.integers(2, 4))
def test_development_never_touches_the_test_subjects_of_the_first_fold(number: int, folds: int) -> None:
    given = windows(number)
    first = by_user(given, folds=folds)["fold0"]
    inner = by_user(given, folds=folds, development=True)
    for p in inner.values():
        assert not people(p, "train", "validation", "test") & people(first, "test")
        assert not people(p, "train") & people(p, "test")
    assert set.union(*(people(p, "test") for p in inner.values())) == people(first, "train")


def test_folds_are_the_same_every_time_and_10_is_not_before_2() -> None:
    one, two = by_user(windows(12)), by_user(windows(12))
    assert [p.test.tolist() for p in one.values()] == [p.test.tolist() for p in two.values()]
    other = by_user(windows(12, prefix="s"))  # the order of the numbers alone deals
    dealt = [{s.removeprefix("user ") for s in people(p, "test")} for p in one.values()]
    assert dealt == [{s.removeprefix("s") for s in people(p, "test")} for p in other.values()]


def test_utd_mhad_odd_subjects_train_and_even_ones_test() -> None:
    given = windows(8, prefix="s")
    (problem,) = utd_mhad(given).values()
    assert people(problem, "train") == {"s1", "s3", "s5", "s7"}
    assert people(problem, "test") == {"s2", "s4", "s6", "s8"}
    inner = utd_mhad(given, development=True)
    assert list(inner) == ["s1", "s3", "s5", "s7"]
    for name, p in inner.items():
        assert people(p, "test") == {name}
        assert people(p, "train") == {"s1", "s3", "s5", "s7"} - {name}


def test_too_few_people_for_the_folds_is_said() -> None:
    with pytest.raises(ValueError, match="4 subjects cannot be dealt into 5 folds"):
        by_user(windows(4))
    assert len(by_user(windows(6))) == 5
    with pytest.raises(ValueError, match="4 subjects cannot be dealt into 5 folds"):
        by_user(windows(6), development=True)
    with pytest.raises(ValueError, match="1 folds"):
        by_user(windows(6), folds=1)


def test_names_that_recipes_use() -> None:
    assert PROBLEMS["utd_mhad"] is utd_mhad
    assert PROBLEMS["by_user"] is by_user


@pytest.mark.parametrize(
    ("few", "many"),
    [("clips:1", "clips:4"), ("windows:0.1", "windows:0.5"), ("recording:1", "recording:3"),
     ("recordings:0.2", "recordings:0.6"), ("clips:4", "all")],
)  # fmt: skip
@pytest.mark.parametrize("seed", [0, 1])
def test_smaller_budgets_lie_within_larger_ones(few: str, many: str, seed: int) -> None:
    problem = by_user(windows(6), folds=3)["fold1"]
    a, b = (labelled(problem, budget, seed) for budget in (few, many))
    assert set(a.tolist()) < set(b.tolist()) <= set(problem.train.tolist())
    assert set(problem.labels[a].tolist()) == set(LABELS)
    assert labelled(problem, few, seed).tolist() == a.tolist()


def test_budgets_mean_what_they_say() -> None:
    problem = by_user(windows(6), folds=3)["fold1"]
    assert labelled(problem, "all", 0).tolist() == problem.train.tolist()

    def chosen(budget: str, label: str) -> np.ndarray:
        rows = labelled(problem, budget, 0)
        return rows[problem.labels[rows] == label]

    each = len(problem.train) // len(LABELS)
    for label in LABELS:
        assert len(chosen("clips:4", label)) == 4
        assert len(chosen("windows:0.25", label)) == round(0.25 * each)
        for budget in ("recording:2", "recordings:0.25"):  # of the eight recordings that train, two
            rows = chosen(budget, label)
            assert len(set(problem.recordings[rows].tolist())) == 2
            assert len(rows) == 2 * 3  # whole: all of its windows of the class
    assert labelled(problem, "clips:4", 0).tolist() != labelled(problem, "clips:4", 1).tolist()


@pytest.mark.parametrize("budget", ["half", "clips", "all:3", "clips:x", "", "windows:"])
def test_what_is_no_budget_says_which_there_are(budget: str) -> None:
    problem = by_user(windows(6), folds=3)["fold0"]
    with pytest.raises(ValueError, match="give all, clips:N"):
        labelled(problem, budget, 0)


def test_inputs_of_a_table() -> None:
    assert inputs_of(["imu"]) == [("imu",)]
    assert inputs_of({"imu": [], "pose": []}) == [("imu",), ("pose",), ("imu", "pose")]
    assert inputs_of(["imu", "pose", "video"])[3:] == [("imu", "pose"), ("imu", "pose", "video")]


def test_names_without_numbers_have_one_order_in_every_process():
    names = ["carl", "anna", "p10", "p2", "ben"]
    assert sorted(set(names), key=_order) == ["anna", "ben", "carl", "p2", "p10"]
