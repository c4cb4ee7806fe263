"""A study of fine-tuning on a tiny simulated corpus: arms beside each other, on the same windows, kept and gone on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import _gym_corpus
import _synthetic
from kinjo import joint
from kinjo.corpus import Corpus
from kinjo.evaluate import arms, finetune, jobs, study


@pytest.fixture(scope="module")
def ran(gym_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[finetune.Table, dict[str, Any]]:
    """All arms, two budgets and two folds, and how it was asked for."""
    plan, work = _gym_corpus.recipe(4), tmp_path_factory.mktemp("study")
    init = work / "start.safetensors"
    model = joint.new_model(plan, 7)
    windows = arms.windows_of(str(gym_corpus.root), arms.text(plan))
    joint.save(model, plan, init, [joint.Source(windows, np.arange(len(windows)))], stage="pretrain")
    how: dict[str, Any] = {
        "init": init, "budgets": ["clips:2", "all"], "folds": ["fold0", "fold2"], "frozen": True, "workers": 0,
        "work": work / "kept", "baselines": False,
    }  # fmt: skip
    return study.finetuning(plan, gym_corpus.root, **how), how


def test_every_arm_has_a_line_of_each_budget_and_input(ran: tuple[finetune.Table, dict[str, Any]]) -> None:
    found, _ = ran
    keys = {(line.arm, line.budget, line.input) for line in found.lines}
    assert keys == {
        (arm, budget, name)
        for arm in ("scratch", "pretrained", "frozen")
        for budget in ("clips:2", "all")
        for name in ("imu", "pose", "imu_pose")
    }
    assert json.loads(json.dumps(found.to_dict()))["windows"] == found.windows
    assert set(found.fold_of_subject.tolist()) == {0, 1}  # two folds, two subjects or more
    assert found.subjects == len(found.fold_of_subject)


def test_what_is_done_is_not_done_again(
    ran: tuple[finetune.Table, dict[str, Any]], gym_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, how = ran

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it trained again")

    monkeypatch.setattr(joint, "finetune", never)
    again = study.finetuning(_gym_corpus.recipe(4), gym_corpus.root, **how)
    assert again.to_dict() == found.to_dict()
    with pytest.raises(RuntimeError, match="it trained again"):  # another recipe is another training
        study.finetuning(_gym_corpus.recipe(5), gym_corpus.root, **how)


def test_which_trainings_are_asked_for(gym_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[jobs.Job] = []

    def noted(todo: Any, folder: Path, *, processes: int) -> Any:
        asked.extend(todo)
        assert (folder, processes) == (tmp_path, 3)
        raise InterruptedError

    monkeypatch.setattr(jobs, "answers", noted)
    how: dict[str, Any] = {"work": tmp_path, "workers": 3, "seeds": (0, 4), "folds": ["fold1"]}
    with pytest.raises(InterruptedError):
        study.finetuning(_gym_corpus.recipe(), gym_corpus.root, **how)
    assert [job.name for job in asked] == [
        "scratch-all-fold1-0", "scratch-all-fold1-4", "minirocket-all-fold1-0", "minirocket-all-fold1-4",
    ]  # fmt: skip
    assert {job.run for job in asked} == {arms.finetuning, arms.minirocket}
    assert all(job.arguments["problem"] == ["by_user", "fold1", False] for job in asked)


def test_what_is_not_there_says_what_is(gym_corpus: Corpus, tmp_path: Path) -> None:
    plan = _gym_corpus.recipe(4)
    with pytest.raises(ValueError, match=r"no fold fold9; there are: fold0, fold1"):
        study.finetuning(plan, gym_corpus.root, folds=["fold9"], work=tmp_path)
    with pytest.raises(ValueError, match="budget 'half': give all, clips:N"):
        study.finetuning(plan, gym_corpus.root, budgets=["all", "half"], work=tmp_path)
    with pytest.raises(ValueError, match="needs method = 'mujo'"):
        study.finetuning(_synthetic.recipe(3), gym_corpus.root, work=tmp_path)
    assert not list(tmp_path.iterdir())  # nothing was trained
    with pytest.raises(ValueError, match="problem is one of utd_mhad, by_user"):
        study.finetuning(plan, gym_corpus.root, problem="mine", work=tmp_path)
