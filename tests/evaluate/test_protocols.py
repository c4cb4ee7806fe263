"""Protocols on a checkpoint as it is, on a tiny simulated corpus: words, retrieval, robustness, data sets left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import _gym_corpus
from kinjo import joint
from kinjo.batches import Windows, cut
from kinjo.corpus import NULL, Corpus
from kinjo.datasets.sentences import NULL_SENTENCES, sentences
from kinjo.evaluate import protocols
from kinjo.evaluate.problems import by_user
from kinjo.methods.mujo import MuJo
from kinjo.recipe import Recipe
from kinjo.recording import ContractError

LABELS = tuple(sorted(_gym_corpus.NAMES))


@pytest.fixture(scope="module")
def plan() -> Recipe:
    return _gym_corpus.recipe(60)


@pytest.fixture(scope="module")
def windows(gym_corpus: Corpus, plan: Recipe) -> Windows:
    return Windows(gym_corpus, cut(gym_corpus, gym_corpus.recordings, plan), plan.inputs)


@pytest.fixture(scope="module")
def space(plan: Recipe, windows: Windows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A joint space, told in sentences."""
    out = tmp_path_factory.mktemp("space")
    joint.pretrain(plan, [joint.Source(windows, np.arange(len(windows)), text=True)], out, progress=False)
    return out / "model.safetensors"


@pytest.fixture(scope="module")
def classes(plan: Recipe, windows: Windows, space: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The space with a classifier of four users' windows."""
    out, problem = tmp_path_factory.mktemp("classes"), by_user(windows, folds=3)["fold0"]
    model = joint.load(space)[0]
    assert isinstance(model, MuJo)
    joint.finetune(plan, model, windows, problem.train, problem.labels[problem.train], out, progress=False)
    return out / "model.safetensors"


def ids(corpus: Corpus, n: int) -> list[str]:
    return list(corpus.recordings)[:n]


def test_given_are_the_labelled_windows_with_what_is_known_of_each(space: Path, gym_corpus: Corpus) -> None:
    _, _, recipe, header = protocols.loaded(space)
    some = protocols.given(gym_corpus, recipe, header, ids(gym_corpus, 4))
    assert set(some.recordings.tolist()) == set(ids(gym_corpus, 4))
    assert NULL not in some.labels
    assert set(some.datasets.tolist()) == {"gym"}
    assert len(some.labels) == len(some.subjects) == len(some.windows)
    every = protocols.given(gym_corpus, recipe, header, ids(gym_corpus, 4), null=True)
    assert len(every.labels) >= len(some.labels)
    assert every.of_class("squat") == list(sentences("gym", "squat"))
    assert set(every.of_class(NULL)) == set(NULL_SENTENCES)


def test_what_was_not_trained_on_is_refused(space: Path, gym_corpus: Corpus) -> None:
    _, _, recipe, header = protocols.loaded(space)
    other: dict[str, Any] = {**header, "contracts": {k: dict(v) for k, v in header["contracts"].items()}}
    other["contracts"]["acc"]["gravity"] = [False]
    with pytest.raises(ContractError, match="gravity"):
        protocols.given(gym_corpus, recipe, other)
    with pytest.raises(ValueError, match="no labelled window"):
        protocols.given(gym_corpus, recipe, header, [])


def test_words_name_what_was_learnt_with_words(space: Path, gym_corpus: Corpus) -> None:
    found = protocols.zero_shot(space, gym_corpus)
    assert [line.input for line in found.lines] == ["imu", "pose", "imu_pose"]
    assert found.subjects == 6
    assert found.line("zero-shot", "none", "imu_pose").accuracy > 0.7  # chance: 1/3
    assert {line.per_seed[0] for line in found.lines} != {found.lines[0].macro_f1}  # inputs differ
    part = protocols.zero_shot(space, gym_corpus, ids(gym_corpus, 9))
    assert part.windows < found.windows
    less = protocols.zero_shot(space, gym_corpus, known=gym_corpus)
    assert less.line("zero-shot", "none", "imu_pose").accuracy > 0.7
    assert [line.per_seed for line in less.lines] != [line.per_seed for line in found.lines]


def test_words_of_another_kind_of_model_name_them_too(classes: Path, gym_corpus: Corpus) -> None:
    """A fine-tuned checkpoint holds a joint space as well."""
    assert protocols.zero_shot(classes, gym_corpus, ids(gym_corpus, 9)).windows > 0


def test_a_corpus_without_what_the_model_reads_is_said(
    space: Path, gym_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = {m: np.zeros((9, 4), np.float32) for m in ("imu", "pose")}
    monkeypatch.setattr(joint, "embed", lambda *_, **__: blind)
    with pytest.raises(ValueError, match="none of the model's modalities: imu, pose"):
        protocols.zero_shot(space, gym_corpus)
    with pytest.raises(ValueError, match="none of the model's modalities: imu, pose"):
        protocols.retrieval(space, gym_corpus)


def test_every_modality_asks_every_other(space: Path, gym_corpus: Corpus) -> None:
    found = protocols.retrieval(space, gym_corpus)
    assert set(found) == {"imu_pose", "pose_imu", "text_imu", "imu_text", "text_pose", "pose_text"}
    for name in ("imu_pose", "pose_imu"):
        r = found[name]
        assert r.queries == found["imu_text"].queries
        assert r.recall[1] <= r.recall[5] <= r.recall[10] <= 1.0
        assert r.recall[1] > 0.5  # chance: 1/3
        assert set(r.per_class) == set(LABELS)
    assert found["text_imu"].queries == 3


def test_no_window_of_the_own_recording_is_an_answer(space: Path, gym_corpus: Corpus) -> None:
    """One recording of each movement: whatever has the label of a query is of its own recording."""
    _, _, recipe, header = protocols.loaded(space)
    asked = protocols.given(gym_corpus, recipe, header)
    first = [asked.recordings[asked.labels == label][0] for label in LABELS]
    assert len(protocols.given(gym_corpus, recipe, header, first).labels) > 3  # several windows each
    assert set(protocols.retrieval(space, gym_corpus, first)) == {"text_imu", "imu_text", "text_pose", "pose_text"}


def test_robustness_is_measured_against_clean_windows(classes: Path, gym_corpus: Corpus) -> None:
    grid = protocols.robust(classes, gym_corpus, ids(gym_corpus, 30), batch=40)
    done = [(row.perturbation, row.level) for row in grid.rows]
    assert done[0] == ("clean", "")
    assert {("only", "imu"), ("only", "pose"), ("without", "acc"), ("without", "gyro"), ("rate", "1/8")} <= set(done)
    clean = grid.rows[0]
    assert clean.accuracy > 0.7
    assert all(row.loss == pytest.approx(clean.macro_f1 - row.macro_f1) for row in grid.rows)
    again = protocols.robust(classes, gym_corpus, ids(gym_corpus, 30), batch=500)
    assert again.rows[0].accuracy == pytest.approx(clean.accuracy)  # whatever the batches


def test_robustness_needs_classes_that_the_model_has(
    space: Path, classes: Path, gym_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(ValueError, match=r"fine-tune it first \(kinjo finetune\)"):
        protocols.robust(space, gym_corpus)
    other = _gym_corpus.write(tmp_path_factory.mktemp("other") / "o", 2, names=("lunge",))
    with pytest.raises(ValueError, match=r"no class lunge; it has: jumping jack, squat, walking"):
        protocols.robust(classes, other)


def test_each_data_set_is_left_out_once(gym_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = _gym_corpus.write(tmp_path / "other", 9, seed=5)
    plan, seen = _gym_corpus.recipe(2), []
    pretrain = joint.pretrain

    def noted(plan: Recipe, sources: Any, out: Path, **how: Any) -> MuJo:
        seen.append((out.name, [s.windows.corpus.root.name for s in sources], [s.text for s in sources]))
        return pretrain(plan, sources, out, **how)

    monkeypatch.setattr(joint, "pretrain", noted)
    tables = protocols.unseen(plan, [gym_corpus, other], tmp_path / "work", progress=False)
    assert seen == [("without-gym", ["other"], [True]), ("without-other", ["gym"], [True])]
    assert [t.lines[0].arm for t in tables] == ["without gym", "without other"]
    assert tables[0].windows > tables[1].windows
    with pytest.raises(ValueError, match="at least two corpora"):
        protocols.unseen(plan, [gym_corpus], tmp_path)


def test_corpora_of_one_name_do_not_share_a_folder(gym_corpus: Corpus, tmp_path: Path) -> None:
    other = _gym_corpus.write(tmp_path / "gym", 9, seed=5)
    with pytest.raises(ValueError, match="rename one of gym, gym"):
        protocols.unseen(_gym_corpus.recipe(2), [gym_corpus, other], tmp_path / "work", progress=False)
