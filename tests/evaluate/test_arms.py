"""Trainings as jobs: they run in process, answer every test window, and are told apart by what they start from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import _gym_corpus
from kinjo import joint
from kinjo.corpus import Corpus
from kinjo.evaluate import arms, jobs
from kinjo.methods.mujo import MuJo
from kinjo.recipe import Recipe

PROBLEM = ["by_user", "fold0", False]
INPUTS = {"imu", "pose", "imu_pose"}


@pytest.fixture(scope="module")
def plan() -> Recipe:
    return _gym_corpus.recipe(4)


@pytest.fixture(scope="module")
def made(gym_corpus: Corpus) -> Corpus:
    return gym_corpus


@pytest.fixture(scope="module")
def space(plan: Recipe, made: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pre-training on the windows that train."""
    out = tmp_path_factory.mktemp("space")
    source = {"corpus": str(made.root), "problem": PROBLEM, "text": True}
    job = arms.as_job("pretrain", arms.pretraining, recipe=plan, sources=[source], out=str(out / "run"), seed=0)
    found = jobs.answers([job], out, processes=0, progress=False)
    problem = arms.problem_of(str(made.root), arms.text(plan), PROBLEM)
    assert found["pretrain"]["windows"] == len(problem.train)
    return out / "run"


def test_recipes_go_as_text_and_come_back(plan: Recipe) -> None:
    assert arms.plan_of(arms.text(plan)) == plan
    assert list(arms.plan_of(arms.text(plan)).inputs) == list(plan.inputs)  # the order counts


def test_the_digest_is_of_what_pretraining_reads(plan: Recipe) -> None:
    same = replace(plan, name="other", finetune=replace(plan.finetune, steps=9))
    assert arms.digest(same) == arms.digest(plan)
    others = [
        replace(plan, pretrain=replace(plan.pretrain, steps=9)),
        replace(plan, augment=replace(plan.augment, warp=0.3)),
        replace(plan, windows=replace(plan.windows, hop_s=0.5)),
        replace(plan, model=replace(plan.model, joint_dim=24)),  # type: ignore[type-var]
    ]
    assert len({arms.digest(p) for p in (plan, *others)}) == 5


def test_pretraining_leaves_the_model_of_its_recipe(plan: Recipe, space: Path) -> None:
    model, recipe, _ = joint.load(space / "model.safetensors")
    assert isinstance(model, MuJo)
    assert recipe == plan


def test_pretraining_sees_no_test_window_unless_all_is_asked_for(
    plan: Recipe, made: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[joint.Source] = []
    monkeypatch.setattr(joint, "pretrain", lambda plan, sources, *_, **__: given.extend(sources))
    sources = [{"corpus": str(made.root), "problem": PROBLEM, "labels": True}, {"corpus": str(made.root), "share": 3}]
    found = arms.pretraining(arms.text(plan), sources, str(tmp_path), 0)
    problem = arms.problem_of(str(made.root), arms.text(plan), PROBLEM)
    assert [s.rows.tolist() for s in given] == [problem.train.tolist(), list(range(len(problem)))]
    assert [(s.share, s.text, s.labels) for s in given] == [(1.0, False, True), (3.0, False, False)]
    assert found["windows"] == len(problem.train) + len(problem)


def test_pretraining_may_start_from_another(plan: Recipe, made: Corpus, space: Path, tmp_path: Path) -> None:
    sources = [{"corpus": str(made.root), "problem": PROBLEM, "text": True, "share": 2.0}]
    start = str(space / "model.safetensors")
    arms.pretraining(arms.text(plan), sources, str(tmp_path / "on"), 0, init=start)
    header = joint.load(tmp_path / "on" / "model.safetensors")[2]
    assert header["init"] == "model.safetensors"
    assert header["init_taken"] > 0


def test_a_checkpoint_is_told_by_its_bytes(space: Path, tmp_path: Path) -> None:
    file = space / "model.safetensors"
    assert arms.checkpoint_of(space) == arms.checkpoint_of(file)
    path, _, digest = arms.checkpoint_of(space).partition("#")
    assert path == str(file)
    (tmp_path / "model.safetensors").write_bytes(file.read_bytes() + b" ")
    assert arms.checkpoint_of(tmp_path).partition("#")[2] != digest


def tuned(plan: Recipe, made: Corpus, **how: object) -> dict[str, NDArray[np.float32]]:
    told = {"problem": PROBLEM, "budget": "clips:4", "seed": 0} | how
    return arms.finetuning(arms.text(plan), str(made.root), **told)  # type: ignore[arg-type]


def test_finetuning_answers_every_test_window_by_every_input(plan: Recipe, made: Corpus, space: Path) -> None:
    problem = arms.problem_of(str(made.root), arms.text(plan), PROBLEM)
    scratch = tuned(plan, made)
    start = arms.checkpoint_of(space)
    pretrained, frozen = tuned(plan, made, init=start), tuned(plan, made, init=start, frozen=True, balanced=True)
    for found in (scratch, pretrained, frozen):
        assert set(found) == INPUTS
        for p in found.values():
            assert p.shape == (len(problem.test), len(problem.classes))
            np.testing.assert_allclose(p.sum(1), 1.0, atol=1e-5)
        assert not np.allclose(found["imu"], found["pose"])
    assert not np.allclose(scratch["imu_pose"], pretrained["imu_pose"])
    assert not np.allclose(pretrained["imu_pose"], frozen["imu_pose"])
    np.testing.assert_array_equal(scratch["imu"], tuned(plan, made)["imu"])  # a seed says all
    assert set(tuned(plan, made, inputs=[["pose"]])) == {"pose"}


def test_training_longer_finds_the_movements(made: Corpus) -> None:
    plan = _gym_corpus.recipe(60)
    problem = arms.problem_of(str(made.root), arms.text(plan), PROBLEM)
    p = tuned(plan, made, budget="all", inputs=[["imu", "pose"]])["imu_pose"]
    assert (p.argmax(1) == problem.truth).mean() > 0.8


def test_minirocket_answers_the_same_windows(plan: Recipe, made: Corpus) -> None:
    problem = arms.problem_of(str(made.root), arms.text(plan), PROBLEM)
    found = arms.minirocket(arms.text(plan), str(made.root), PROBLEM, "clips:4", 0, inputs=[["imu"], ["imu", "video"]])
    assert set(found) == {"imu"}  # none with video
    assert found["imu"].shape == (len(problem.test), len(problem.classes))
    assert (found["imu"].argmax(1) == problem.truth).mean() > 0.8


def test_streams_of_other_lengths_become_channels_of_one() -> None:
    x = np.linspace(0, 1, 2 * 8 * 3, dtype=np.float32).reshape(2, 8, 3)
    np.testing.assert_array_equal(arms._channels(x, 8), x.transpose(0, 2, 1))
    longer = arms._channels(x, 16)
    assert longer.shape == (2, 3, 16)
    np.testing.assert_allclose(longer[:, :, 2:14].mean(2), x.mean(1), atol=0.02)  # a line stays a line
    assert arms._channels(np.zeros((2, 4, 5, 3), np.float32), 8).shape == (2, 15, 8)  # joints


def test_a_budget_without_a_class_is_refused_before_it_trains(
    plan: Recipe, made: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = arms.problem_of(str(made.root), arms.text(plan), PROBLEM)
    rows = problem.train[problem.labels[problem.train] != problem.classes[1]]
    monkeypatch.setattr(arms, "labelled", lambda *_: rows)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it trained")

    monkeypatch.setattr(joint, "finetune", never)
    with pytest.raises(ValueError, match=f"has no window of {problem.classes[1]}"):
        tuned(plan, made)
