"""The table of fine-tuning: pooled folds, metrics against scikit-learn, paired gains, and splits that hold."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, top_k_accuracy_score

from kinjo.evaluate.finetune import (
    Problem,
    gains,
    gains_markdown,
    smallest_median_gain,
    table,
)
from kinjo.evaluate.metrics import macro_f1, resampled_f1

CLASSES = ("", "bow", "jump", "run", "sit", "walk")
PEOPLE, EACH = 8, 12
N = PEOPLE * EACH


def folds() -> dict[str, Problem]:
    """Two folds of eight people: even and odd ones are tested in turn; validation is one of the others."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(PEOPLE), EACH)
    labels = np.array(CLASSES)[rng.integers(0, 6, N)]
    out = {}
    for k in (0, 1):
        rest = [p for p in range(PEOPLE) if p % 2 != k]
        parts = [np.flatnonzero(np.isin(who, people)) for people in (rest[1:], rest[:1], [k, k + 2, k + 4, k + 6])]
        out[f"fold{k}"] = Problem(labels, np.array([f"s{p}" for p in who]), who * 100 + np.arange(N), CLASSES, *parts)
    return out


def scores(problem: Problem, skill: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = rng.random((len(problem.test), 6))
    out[np.arange(len(out)), problem.truth] += skill * (rng.random(len(out)) < 0.7)
    return out


def answered(arms: dict[str, float], seeds: tuple[int, ...] = (0, 1, 2)) -> dict:
    problems = folds()
    return {
        (arm, budget, "imu", fold, seed): scores(problem, skill + more, 10 * seed + int(fold[-1]))
        for arm, skill in arms.items()
        for budget, more in (("2 %", 0.0), ("100 %", 0.5))
        for fold, problem in problems.items()
        for seed in seeds
    }


def test_lines_pool_folds_and_average_seeds_as_sklearn_does():
    problems, given = folds(), answered({"ours": 0.3})
    made = table(problems, given, bootstrap=200)
    assert (made.windows, made.subjects, len(made.lines)) == (N, PEOPLE, 2)
    line = made.line("ours", "2 %", "imu")
    truth = np.concatenate([p.truth for p in problems.values()])
    pooled = [np.concatenate([given["ours", "2 %", "imu", f, s] for f in problems]) for s in (0, 1, 2)]
    f1 = [f1_score(truth, x.argmax(1), average="macro") for x in pooled]
    assert line.per_seed == pytest.approx(f1)
    assert line.macro_f1 == pytest.approx(np.mean(f1))
    assert line.accuracy == pytest.approx(np.mean([(x.argmax(1) == truth).mean() for x in pooled]))
    for k, mine in ((3, line.top3), (5, line.top5)):
        assert mine == pytest.approx(np.mean([top_k_accuracy_score(truth, x, k=k) for x in pooled]))
    assert line.ci95[0] < line.macro_f1 < line.ci95[1]
    assert line.accuracy < made.line("ours", "100 %", "imu").accuracy


def test_the_interval_is_a_bootstrap_of_whole_subjects():
    problems, given = folds(), answered({"ours": 0.3}, (0, 1))
    counts = table(problems, given, bootstrap=10).counts["ours", "2 %", "imu"]
    fast = resampled_f1(counts, np.random.default_rng(5), 20)
    people = np.random.default_rng(5).multinomial(PEOPLE, np.full(PEOPLE, 1 / PEOPLE), size=20)
    tested = np.concatenate([p.test for p in problems.values()])
    truth = np.concatenate([p.truth for p in problems.values()])
    for weights, mine in zip(people, fast, strict=True):
        rows = np.repeat(np.arange(N), weights[tested // EACH])
        slow = [
            f1_score(
                truth[rows],
                np.concatenate([given["ours", "2 %", "imu", f, s] for f in problems]).argmax(1)[rows],
                labels=np.unique(truth[rows]),
                average="macro",
            )
            for s in (0, 1)
        ]
        assert mine == pytest.approx(np.mean(slow))


def test_a_class_that_nobody_asked_for_does_not_count():
    assert macro_f1(np.array([[3, 1], [0, 0]])) == pytest.approx(6 / 7)
    assert macro_f1(np.zeros((2, 2))) == 0
    problem = folds()["fold0"]
    few = replace(problem, labels=np.where(np.isin(problem.labels, CLASSES[:3]), problem.labels, "bow"))
    small = replace(few, classes=CLASSES[:3])
    line = table({"f": small}, {("a", "all", "imu", "f", 0): np.eye(3)[small.truth]}, bootstrap=50).lines[0]
    assert (line.macro_f1, line.ci95, line.top3, line.top5) == (1.0, (1.0, 1.0), None, None)


def test_gains_are_paired_by_seed_and_by_subject():
    made = table(folds(), answered({"scratch": 0.3, "ours": 0.6, "same": 0.3}), bootstrap=300)
    found = gains(made, "ours", "scratch", bootstrap=300)
    assert [g.budget for g in found] == ["2 %", "100 %"]
    for gain in found:
        ours, base = (made.line(arm, gain.budget, "imu") for arm in ("ours", "scratch"))
        differences = np.subtract(ours.per_seed, base.per_seed)
        assert gain.per_seed == pytest.approx(differences)
        assert (gain.median, gain.mean) == pytest.approx((np.median(differences), differences.mean()))
        assert gain.ci95[0] < gain.mean < gain.ci95[1]
    assert smallest_median_gain(found).median == min(g.median for g in found)
    for gain in gains(made, "same", "scratch", bootstrap=300):  # the same answers: no spread is left
        assert (gain.median, gain.ci95) == (0.0, (0.0, 0.0))


def test_the_table_can_be_written():
    made = table(folds(), answered({"scratch": 0.3, "ours": 0.6}), bootstrap=50)
    back = json.loads(json.dumps(made.to_dict()))
    assert back["lines"][0]["arm"] == "scratch"
    assert back["subjects"] == PEOPLE
    assert len(made.to_markdown().splitlines()) == 2 + 4
    assert "| imu | 2 % | ours |" in made.to_markdown()
    assert gains_markdown(gains(made, "ours", "scratch", bootstrap=50)).count("| ours | scratch | +") == 2


@pytest.mark.parametrize("what", ["subject", "recording"])
def test_a_problem_whose_parts_touch_is_refused(what: str):
    problem = folds()["fold0"]
    values = getattr(problem, f"{what}s").copy()
    values[problem.test[0]] = values[problem.train[0]]
    with pytest.raises(ValueError, match=f"{what} .* is in 'train' and in 'test'"):
        replace(problem, **{f"{what}s": values})
    values = getattr(problem, f"{what}s").copy()
    values[problem.validation[0]] = values[problem.train[0]]
    with pytest.raises(ValueError, match="in 'validation'"):
        replace(problem, **{f"{what}s": values})


def test_a_problem_is_checked():
    problem = folds()["fold0"]
    with pytest.raises(ValueError, match="alike"):
        replace(problem, subjects=problem.subjects[:-1])
    with pytest.raises(ValueError, match="no class"):
        replace(problem, classes=CLASSES[1:])
    for rows in (np.array([0, 0]), np.array([N]), np.array([-1])):
        with pytest.raises(ValueError, match="part 'test' holds"):
            replace(problem, test=rows)
    with pytest.raises(ValueError, match="no windows"):
        replace(problem, train=np.zeros(0, int))
    assert len(replace(problem, validation=np.zeros(0, int)).validation) == 0


def test_answers_that_do_not_fit_are_refused():
    problems, given = folds(), answered({"ours": 0.3})
    first = next(iter(given))
    with pytest.raises(ValueError, match="fold0 seed 0"):
        table(problems, {k: v for k, v in given.items() if k != first})
    with pytest.raises(ValueError, match="no problem"):
        table(problems, {("a", "b", "c", "fold9", 0): given[first]})
    for wrong in (given[first][:-1], np.full_like(given[first], np.nan)):
        with pytest.raises(ValueError, match="finite"):
            table(problems, given | {first: wrong})
    with pytest.raises(ValueError, match="tested in two"):
        table({"a": problems["fold0"], "b": problems["fold0"]}, {})
    other = replace(problems["fold1"], recordings=problems["fold1"].recordings + 1)
    with pytest.raises(ValueError, match="same windows"):
        table({"a": problems["fold0"], "b": other}, {})
    with pytest.raises(ValueError, match="at least one fold"):
        table({}, {})
    made = table(problems, given, bootstrap=10)
    with pytest.raises(ValueError, match="both 'ours' and 'x'"):
        gains(made, "ours", "x")
    with pytest.raises(ValueError, match="no gains"):
        smallest_median_gain([])
    with pytest.raises(KeyError, match="no line"):
        made.line("ours", "3 %", "imu")
    more = table(problems, given | answered({"base": 0.1}, (0, 1)), bootstrap=10)
    with pytest.raises(ValueError, match="paired by seed"):
        gains(more, "ours", "base")
