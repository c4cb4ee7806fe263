"""What a model answers in episodes: the recipe's weights and metric, what is missing, and heads of its own."""

from typing import Any

import numpy as np
import pytest

import _utd_like
from kinjo import corpus, learn
from kinjo.evaluate import answers, strict
from kinjo.evaluate.fewshot import Episodes, Protocol, classify, sample_episodes
from kinjo.methods.oneshot import OneShotConfig


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    return _utd_like.store(tmp_path_factory.mktemp("answers") / "corpus")


def drawn(rows: int, rng: np.random.Generator, queries: int = 4, episodes: int = 50) -> Episodes:
    """Six classes in turn; a row is a person's."""
    number = np.arange(rows)
    return sample_episodes(number % 6, number // 12, number, Protocol(queries=queries, episodes=episodes), rng)


def test_embeddings_are_compared_by_the_recipe() -> None:
    """Weights by part, the metric of the head, zeros are missing; and rows that nobody asks for do not matter."""
    rng = np.random.default_rng(0)
    parts = {name: rng.normal(size=(60, 5)).astype(np.float32) for name in ("a", "b")}
    parts["a"][::7] = 0
    episodes = drawn(60, rng)
    values, gone = list(parts.values()), np.stack([np.arange(60) % 7 == 0, np.zeros(60, bool)], 1)
    np.testing.assert_array_equal(answers.absent(values), gone)
    for head in ("cosine", "euclidean"):
        how = OneShotConfig(head=head, weights={"b": 3.0, "c": 9.0})
        wanted = classify(values, episodes, how.metric, missing=gone, weights=[1.0, 3.0])
        given = answers.of_embeddings(parts, episodes, how)
        np.testing.assert_array_equal(given, wanted)
        for other in (
            classify(values, episodes, how.metric, missing=gone),
            classify(values, episodes, how.metric, weights=[1.0, 3.0]),
        ):
            assert (other != given).any()  # weights and what is missing tell
        longer = {name: np.concatenate([x, np.full((3, 5), np.nan, np.float32)]) for name, x in parts.items()}
        np.testing.assert_array_equal(answers.of_embeddings(longer, episodes, how), given)
    cosine, euclidean = (answers.of_embeddings(parts, episodes, OneShotConfig(head=h)) for h in ("cosine", "euclidean"))
    assert (cosine != euclidean).any()


def test_who_answers_is_told_by_the_second_stage() -> None:
    assert not any(answers.by_head(OneShotConfig(head=head)) for head in ("cosine", "euclidean"))
    assert not answers.by_head(OneShotConfig(fusion="inductive"))
    assert answers.by_head(OneShotConfig(head="matching"))
    assert answers.by_head(OneShotConfig(fusion="reference"))
    assert answers.by_head(OneShotConfig(fusion="inductive", head="can"))


@pytest.mark.parametrize("how", [{}, {"fusion": "inductive"}, {"head": "matching"}, {"fusion": "reference"}])
def test_a_model_answers_the_way_that_suits_it(store: corpus.Corpus, how: dict[str, Any]) -> None:
    plan = _utd_like.recipe(weights={"pose": 0.2}, **how)
    clips = strict.Clips.of(store, plan)
    model = learn.second_stage(plan, learn.new_model(plan, 0), 0)
    rows = clips.rows(_utd_like.CLASSES[:6])
    who = clips.labels[rows], clips.subjects[rows], clips.recordings[rows]
    episodes = sample_episodes(*who, Protocol(queries=2, episodes=10), np.random.default_rng(0))
    given = answers.of_model(model, clips.windows, episodes, rows, modalities=["pose"])
    if how in ({}, {"fusion": "inductive"}):
        embedded = learn.embed(model, clips.windows, rows, modalities=["pose"])
        np.testing.assert_array_equal(given, answers.of_embeddings(embedded, episodes, plan.oneshot))
    else:
        np.testing.assert_array_equal(given, answers.of_head(model, clips.windows, episodes, rows, modalities=["pose"]))


def test_another_head_needs_no_training(store: corpus.Corpus) -> None:
    plan = _utd_like.recipe(fusion="inductive")
    model = learn.second_stage(plan, learn.new_model(plan, 0), 0)
    assert answers.with_head(model, "") is model
    assert model.config == plan.oneshot
    assert answers.with_head(model, "matching").config.head == "matching"
    for head in ("relation", "can"):
        with pytest.raises(ValueError, match=f"head '{head}' has to be trained"):
            answers.with_head(model, head)


@pytest.mark.parametrize("how", [{"fusion": "reference"}, {"head": "matching"}])
def test_the_models_own_head_answers(store: corpus.Corpus, how: dict[str, Any]) -> None:
    """Of a transductive head every query is asked by itself: the others do not matter."""
    plan = _utd_like.recipe(**how)
    clips = strict.Clips.of(store, plan)
    model = learn.second_stage(plan, learn.new_model(plan, 0), 0)
    rows = clips.rows(_utd_like.CLASSES[:6])
    who = clips.labels[rows], clips.subjects[rows], clips.recordings[rows]
    asked = sample_episodes(*who, Protocol(queries=3, episodes=12), np.random.default_rng(0))
    given = answers.of_head(model, clips.windows, asked, rows)
    assert given.shape == (12, 5, 3)
    whole = Episodes(rows[asked.support], rows[asked.query], asked.classes, asked.names)
    np.testing.assert_array_equal(answers.of_head(model, clips.windows, whole), given)
    one = Episodes(asked.support, asked.query[:, :, :1], asked.classes, asked.names)
    np.testing.assert_array_equal(answers.of_head(model, clips.windows, one, rows), given[:, :, :1])
    if "head" in how:  # with one example attention ranks as the cosine does
        embedded = learn.embed(model, clips.windows, rows)
        np.testing.assert_array_equal(classify([embedded["pose"], embedded["imu"]], asked), given)
