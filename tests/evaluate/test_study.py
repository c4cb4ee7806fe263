"""Problems, arms and studies on a tiny simulated corpus: subjects apart, subsets shared, answers kept."""

import json
from pathlib import Path

import numpy as np
import pytest

import _gym_corpus
from kinjo.batches import Windows, cut
from kinjo.corpus import NULL, Corpus
from kinjo.evaluate import arms, jobs, study
from kinjo.evaluate.problems import by_user, inputs_of, labelled


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return _gym_corpus.write(tmp_path_factory.mktemp("study") / "gym")


@pytest.fixture(scope="module")
def windows(made: Corpus) -> Windows:
    plan = _gym_corpus.recipe()
    return Windows(made, cut(made, made.recordings, plan), plan.inputs)


def test_every_subject_is_tested_once_and_development_spares_the_first_fold(windows: Windows) -> None:
    problems = by_user(windows, folds=3)
    tested = [set(p.subjects[p.test]) for p in problems.values()]
    assert sum(map(len, tested)) == len(set.union(*tested)) == len(set(problems["fold0"].subjects))
    for p in problems.values():
        assert not set(p.subjects[p.train]) & set(p.subjects[p.test])
        assert NULL not in p.labels[p.test]
    inner = by_user(windows, folds=3, development=True)
    seen = set().union(*(set(p.subjects[np.concatenate([p.train, p.test])]) for p in inner.values()))
    assert not seen & tested[0]


def test_budgets_are_nested_and_the_same_for_everybody(windows: Windows) -> None:
    p = by_user(windows, folds=3)["fold1"]
    for few, many in (("clips:1", "clips:2"), ("windows:0.1", "windows:0.5"), ("recording:1", "recording:2")):
        a, b = labelled(p, few, 3), labelled(p, many, 3)
        assert set(a) < set(b) <= set(p.train)
        assert set(p.labels[a]) == set(p.classes)
        assert labelled(p, few, 3).tolist() == a.tolist()
    assert labelled(p, "all", 0).tolist() == p.train.tolist()
    with pytest.raises(ValueError, match="give all, clips:N"):
        labelled(p, "half", 0)


def test_inputs_of_a_table() -> None:
    assert inputs_of(["imu"]) == [("imu",)]
    assert inputs_of({"imu": [], "pose": []}) == [("imu",), ("pose",), ("imu", "pose")]
    assert len(inputs_of(["imu", "pose", "video"])) == 5


def test_jobs_pretrain_finetune_and_answer(made: Corpus, tmp_path: Path) -> None:
    plan, out = _gym_corpus.recipe(), tmp_path / "space"
    asked = ["by_user", "fold0", False]
    source = {"corpus": str(made.root), "problem": asked, "text": True}
    first = arms.as_job("pretrain", arms.pretraining, recipe=plan, sources=[source], out=str(out), seed=0)
    jobs.answers([first], tmp_path, processes=0, progress=False)
    init = arms.checkpoint_of(out)
    assert Path(init.partition("#")[0]).exists()
    told = {"recipe": plan, "corpus": str(made.root), "problem": asked, "budget": "all", "seed": 0}
    todo = [
        arms.as_job("frozen", arms.finetuning, init=init, frozen=True, **told),
        arms.as_job("minirocket", arms.minirocket, **told),
    ]
    found = jobs.answers(todo, tmp_path, processes=0, progress=False)
    problem = arms.problem_of(str(made.root), arms.text(plan), asked)
    for answers in found.values():
        assert set(answers) == {"imu", "pose", "imu_pose"}
        assert all(p.shape == (len(problem.test), len(problem.classes)) for p in answers.values())
    assert found["frozen"]["imu"].sum(1) == pytest.approx(1.0, abs=1e-5)


def test_a_study_sets_arms_beside_each_other(made: Corpus, tmp_path: Path) -> None:
    how = {"folds": ["fold0"], "work": tmp_path, "workers": 0, "baselines": False}
    found = study.finetuning(_gym_corpus.recipe(), made.root, budgets=["clips:2", "all"], **how)  # type: ignore[arg-type]
    assert {(line.arm, line.budget) for line in found.lines} == {("scratch", "clips:2"), ("scratch", "all")}
    assert json.dumps(found.to_dict())
    with pytest.raises(ValueError, match="no fold"):
        study.finetuning(_gym_corpus.recipe(), made.root, folds=["fold9"], work=tmp_path)
    with pytest.raises(ValueError, match="problem is one of"):
        study.finetuning(_gym_corpus.recipe(), made.root, problem="mine", work=tmp_path)
