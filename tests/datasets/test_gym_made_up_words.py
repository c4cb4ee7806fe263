"""Sentences about made-up movements say the posture and what moves, as the key poses have it."""

import numpy as np
import pytest

from kinjo.datasets.gym.made_up import made_up
from kinjo.datasets.gym.made_up_words import WHERE, arms, legs, made_up_sentences, trunk
from kinjo.datasets.gym.movement import Key, Movement
from kinjo.datasets.sentences import MADE_UP_SENTENCES, sentences

NUMBERS = range(400)


def test_every_movement_has_words_of_its_posture():
    for number in NUMBERS:
        said = sentences("gym", f"made-up {number}")
        assert 1 <= len(said) <= MADE_UP_SENTENCES
        posture = made_up(number).posture
        assert all(any(where in sentence for where in WHERE[posture]) for sentence in said), said


def test_what_is_done_standing_or_seated_says_both():
    either = next(m for m in map(made_up, NUMBERS) if any(v.posture for v in m.variants))
    for sentence in sentences("gym", either.label):
        assert any(where in sentence for where in WHERE["standing"]), sentence
        assert any(where in sentence for where in WHERE["chair"]), sentence


def test_something_is_said_of_what_moves():
    silent = [m.label for m in map(made_up, NUMBERS) if not (arms(m) or trunk(m) or legs(m))]
    assert len(silent) < 0.02 * len(NUMBERS), silent


def test_the_same_number_is_said_alike_and_others_otherwise():
    assert sentences("gym", "made-up 5") == sentences("gym", "made-up 5")
    assert len({sentences("gym", f"made-up {n}") for n in NUMBERS}) > 0.8 * len(NUMBERS)


def _movement(posture: str, base: dict[str, float], pose: dict[str, float], sides: str = "one") -> Movement:
    return Movement("x", "made up", posture, base, (Key(0.5, pose),), sides=sides)


@pytest.mark.parametrize(
    ("movement", "said"),
    [
        (_movement("standing", {}, {"shoulder": 150.0}, "both"), ["raise both arms forwards overhead"]),
        (_movement("standing", {}, {"right_abduct": 85.0}), ["raise one arm sideways to shoulder height"]),
        (_movement("standing", {"elbow": 110.0}, {"elbow": 10.0}, "both"), ["stretch both elbows"]),
        (_movement("standing", {}, {"right_elbow": 100.0}, "alternate"), ["bend one elbow after the other"]),
        (_movement("plank", {}, {"reach": 0.4, "abduct": 40.0}), []),
    ],
)
def test_arms_are_described(movement: Movement, said: list[str]):
    assert arms(movement) == said


@pytest.mark.parametrize(
    ("movement", "said"),
    [
        (_movement("face down", {}, {"right_hip": -25.0, "right_knee": 4.0}), ["raise one straight leg backwards"]),
        (_movement("face down", {}, {"right_hip": -2.0, "right_knee": 90.0}), ["bend one knee"]),
        (_movement("on the side", {"left_spread": -2.0}, {"left_spread": 40.0}), ["lift one straight leg sideways"]),
        (_movement("chair", {}, {"right_hip": 88.0, "right_knee": 10.0}), ["stretch one knee"]),
        (_movement("standing", {}, {"foot_pitch": -30.0, "tilt": 2.0}), ["rise onto the toes"]),
        (_movement("standing", {}, {"y": 0.5, "tilt": 20.0}, "both"), ["bend both knees & squat down & rise"]),
        (_movement("knees up", {}, {"y": 0.3, "tilt": -110.0}, "both"), ["lift the hips off the floor"]),
        (_movement("plank", {}, {"reach": 0.4, "abduct": 40.0}), ["bend the arms & lower the chest"]),
        (_movement("standing", {}, {"shoulder": 150.0}, "both"), []),
    ],
)
def test_legs_are_described(movement: Movement, said: list[str]):
    assert legs(movement) == said


def test_sentences_are_grammatical_enough():
    for number in NUMBERS:
        for sentence in made_up_sentences(number, 3, np.random.default_rng(0)):
            assert "{" not in sentence
            assert " & " not in sentence
            assert "  " not in sentence
