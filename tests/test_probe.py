"""Few labels: what a probe reads, how it answers, and how answers are put together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from _gym_corpus import recipe, write
from kinjo import corpus, joint, probe
from kinjo.batches import Windows

KEYS = ("acc", "gyro")


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    store = write(tmp_path_factory.mktemp("corpus") / "gym")
    return Windows(store, corpus.segment_windows(store, store.recordings), recipe().model.inputs)


def test_levels_of_an_untrained_model_tell_movements_apart(windows: Windows):
    model = joint.new_model(recipe(), 0)
    x = probe.levels(model, windows)
    # two sensors, their tokens, a unit's as they enter and after its one block; four numbers of each; the embedding
    assert x.shape == (len(windows), 4 * (2 * 3 + 4 * 16) + 3 * 16)
    assert np.isfinite(x).all()
    batch = windows.tensors(np.arange(len(windows)))
    with torch.no_grad():
        whole = model.encode({k: v for k, v in batch.items() if k.partition(".")[0] in KEYS})["imu"].embedding.numpy()
    assert np.allclose(x[:, -whole.shape[1] :], whole, atol=1e-5)
    assert np.allclose(probe.levels(model, windows, np.arange(5), batch_size=2), x[:5], atol=1e-5)
    labels = windows.index.label_names.astype(str)
    who = np.array([windows.corpus.entries[i].subject for i in windows.index.recording])
    known = np.isin(who, np.unique(who)[:3])
    scores = probe.answer(x[known], labels[known], x[~known])
    assert (np.unique(labels)[scores.argmax(1)] == labels[~known]).mean() > 0.5, "chance is a third"


def test_levels_need_sensors(windows: Windows):
    model = joint.new_model(recipe(), 0)
    del model.encoders["imu"]
    with pytest.raises(ValueError, match="reads sensors: this model has pose"):
        probe.levels(model, windows)


def test_answer_has_a_column_for_every_class_that_is_named():
    x = np.array([[0.0, 1.0], [0.0, 2.0], [5.0, 1.0], [5.0, 2.0]])
    scores = probe.answer(x, ["a", "a", "c", "c"], x, ["a", "b", "c"])
    assert scores.shape == (4, 3)
    assert [("a", "b", "c")[i] for i in scores.argmax(1)] == ["a", "a", "c", "c"]
    assert scores[:, 1] == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("known", "labels", "asked", "says"),
    [
        (np.zeros((2, 3)), ["a"], np.zeros((1, 3)), "labels"),
        (np.zeros((2, 3)), ["a", "b"], np.zeros((1, 4)), "windows are"),
        (np.zeros((0, 3)), [], np.zeros((1, 3)), "windows are"),
        (np.zeros((2, 3)), ["a", "x"], np.zeros((1, 3)), "does not name: x"),
        (np.zeros((2, 3)), ["a", "a"], np.zeros((1, 3)), "two or more"),
        (np.zeros((2, 3)), ["a", "b"], np.full((1, 3), np.nan), "not finite"),
    ],
)
def test_answer_refuses_what_does_not_fit(known: np.ndarray, labels: list[str], asked: np.ndarray, says: str):
    with pytest.raises(ValueError, match=says):
        probe.answer(known, labels, asked, ["a", "b"])


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 50.0), st.floats(-5.0, 5.0))
def test_none_speaks_louder(seed: int, louder: float, shift: float):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 4, 5))
    assert np.allclose(probe.agreed([a, b]), probe.agreed([louder * a + shift, b]))
    assert (probe.agreed([a]).argmax(1) == a.argmax(1)).all()


def test_answers_count_by_their_weights():
    a, b = np.random.default_rng(0).normal(size=(2, 4, 5))
    assert np.allclose(probe.agreed([a, b, b], (2, 1, 1)), probe.agreed([a, b]))
    assert np.allclose(probe.agreed([a, b], (1, 0)), probe.agreed([a]))


@pytest.mark.parametrize("weights", [(), (1,), (1, -1), (0, 0), (1, np.nan)])
def test_agreed_refuses_weights_that_do_not_fit(weights: tuple[float, ...]):
    with pytest.raises(ValueError, match="weights"):
        probe.agreed([np.eye(3), np.eye(3)], weights)


def test_agreed_refuses_answers_that_are_not_alike():
    for wrong in ([], [np.zeros(3)], [np.zeros((2, 3)), np.zeros((2, 4))]):
        with pytest.raises(ValueError, match="all alike"):
            probe.agreed(wrong)


def test_log_has_a_floor():
    assert probe.log([0.0, 1.0]) == pytest.approx(np.log([probe.FLOOR, 1 + probe.FLOOR]))


def test_a_recurrence_has_no_levels(windows: Windows):
    how = recipe()
    other = replace(how, model=replace(how.model, imu="recurrent"))
    with pytest.raises(ValueError, match="recurrence"):
        probe.levels(joint.new_model(other, 0), windows)
