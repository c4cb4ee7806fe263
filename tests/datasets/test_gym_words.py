"""Words: every movement and fault has some, and they make English."""

import re

import numpy as np
import pytest

from kinjo.datasets.gym.movements import MOVEMENTS
from kinjo.datasets.gym.vocabulary import FAULTS, LABELS, PLURALS
from kinjo.datasets.gym.words import LABEL_WORDS, describe, gerund, paraphrases, plural, third, with_article

VERBS = set(
    re.findall(
        r"\w+",
        """bend brace bring climb close come curl descend do draw drive drop extend get go hinge hold hop jog jump keep
        kick land lean leap let lie lift lower move open press pull push put raise remain rest return rise roll rotate
        row run set sink sit snap squat stand stay step straighten support swing take turn twist walk""",
    )
)
ALL = [(label, fault) for label, movement in MOVEMENTS.items() for fault in ("", *(f.name for f in movement.faults))]

PLURALS_OF_NAMES = {plural(n) for label, words in LABELS.items() if MOVEMENTS[label].counted for n in words.names}
PLURAL_AFTER_ONE = re.compile(
    rf"\b(a|an|single|one) ((slow|unhurried|fast|quick|steady|controlled) )?({'|'.join(sorted(PLURALS_OF_NAMES))})\b",
    re.IGNORECASE,
)
"""``a squats``, ``one slow squats``."""


def many(label: str, faults: tuple[str, ...] = (), n: int = 60) -> list[str]:
    """Sentences with everything that can be said."""
    rng = np.random.default_rng(7)
    movement = MOVEMENTS[label]
    return [
        describe(
            label, rng, faults=faults, tempo=float(rng.uniform(0.7, 1.4)),
            repetitions=int(rng.integers(1, 16)) if movement.counted else None,
            side=str(rng.choice(["left", "right"])) if movement.sides == "one" else None,
        )
        for _ in range(n)
    ]  # fmt: skip


def test_every_movement_and_every_fault_has_words():
    assert set(LABELS) == set(MOVEMENTS) == set(LABEL_WORDS)
    assert {fault.name for movement in MOVEMENTS.values() for fault in movement.faults} == set(FAULTS)
    assert all(names[0] == label for label, names in LABEL_WORDS.items() if label != "jumping")
    assert all(len(set(names)) == len(names) >= 2 for names in LABEL_WORDS.values())


def test_acts_begin_with_verbs():
    """Else a word that is none would be inflected."""
    first = {part.split()[0] for words in LABELS.values() for act in words.acts for part in act.split(" & ")}
    assert first - VERBS == set()
    assert VERBS - first == set()


@pytest.mark.parametrize(("label", "fault"), ALL, ids=lambda value: value.replace(" ", "_") or "none")
def test_sentences_are_well_formed(label: str, fault: str):
    for text in many(label, (fault,) if fault else ()):
        assert re.fullmatch(r"[A-Z0-9][^.{}&~]*\.( [A-Z0-9][^.{}&~]*\.)?", text), text
        assert not re.search(r"  | ,|,,| \.|,\.|\b(\w+) \1\b", text), text
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text, re.IGNORECASE), text
        assert not PLURAL_AFTER_ONE.search(text), text


@pytest.mark.parametrize("label", MOVEMENTS)
def test_there_are_many_ways_to_say_it(label: str):
    found = paraphrases(label, 200, np.random.default_rng(3))
    assert len(set(found)) == 200
    assert found == paraphrases(label, 200, np.random.default_rng(3))
    assert found != paraphrases(label, 200, np.random.default_rng(4))


@pytest.mark.parametrize("label", [label for label, movement in MOVEMENTS.items() if movement.counted])
def test_the_count_is_said_and_agrees(label: str):
    rng = np.random.default_rng(1)
    more = [plural(name) for name in LABELS[label].names if plural(name) != name]
    for _ in range(80):
        text = describe(label, rng, repetitions=1)
        assert re.search(r"\b(one|once|a|an|single)\b", text, re.IGNORECASE), text
        if "once" not in text:  # where the act is told, "squats" and "jumps" are verbs
            assert not any(re.search(rf"\b{re.escape(name)}\b", text) for name in more), text
        assert re.search(r"\b(2|two|twice)\b", describe(label, rng, repetitions=2), re.IGNORECASE)
        assert re.search(r"\b14\b", describe(label, rng, repetitions=14))
        text = describe(label, rng, repetitions=8)
        assert len(re.findall(r"\b(8|eight)\b", text, re.IGNORECASE)) == 1, text


def test_tempo_is_said():
    rng = np.random.default_rng(2)
    words = {0.7: "slow|without hurry|unhurried", 1.0: "steady|easy|controlled", 1.4: "fast|quick|brisk"}
    for tempo, said in words.items():
        for label in ("squat", "walking", "high knees"):
            for _ in range(40):
                assert re.search(said, describe(label, rng, tempo=tempo), re.IGNORECASE)
    assert not any(re.search(r"quick|brisk|fast pace", t) for t in many("squat", ("too fast",)))  # once is enough
    for label in ("sitting", "plank"):
        assert not re.search("|".join(words.values()), " ".join(describe(label, rng, tempo=1.4) for _ in range(60)))


@pytest.mark.parametrize("side", ["left", "right"])
def test_side_is_said(side: str):
    rng = np.random.default_rng(5)
    for label in ("inline lunge", "hip abduction", "straight leg raise"):
        for _ in range(80):
            text = describe(label, rng, repetitions=5, side=side)
            assert f"the {side} leg" in text, text
            assert "one leg" not in text, text


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_said(fault: str):
    label = next(label for label, other in ALL if other == fault)
    said = [part.lower() for pair in FAULTS[fault] for part in pair]
    for text in many(label, (fault,)):
        assert any(part in text.lower() for part in said), text
    rng = np.random.default_rng(0)
    both = [describe("squat", rng, faults=["knees inwards", "heels lifted"]) for _ in range(40)]
    assert all("knees" in text and "heels" in text for text in both)


def test_inflections():
    thirds = [("go", "goes"), ("press", "presses"), ("carry", "carries"), ("stay", "stays"), ("lower", "lowers")]
    assert [(verb, third(verb)) for verb, _ in thirds] == thirds
    gerunds = [("squat", "squatting"), ("lie", "lying"), ("rise", "rising"), ("see", "seeing"), ("hinge", "hinging")]
    assert [(verb, gerund(verb)) for verb, _ in gerunds] == gerunds
    assert [plural(x) for x in ("squat", "shoulder press", "crunch")] == ["squats", "shoulder presses", "crunches"]
    assert {plural(name) for name in PLURALS} == set(PLURALS.values())
    assert [with_article(x) for x in ("squat", "air squat", "one-leg squat")] == [
        "a squat",
        "an air squat",
        "a one-leg squat",
    ]


def test_what_has_no_words_is_an_error():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no words for 'juggling'"):
        describe("juggling", rng)
    with pytest.raises(ValueError, match="no words for the fault 'asleep'"):
        describe("squat", rng, faults=["asleep"])
    with pytest.raises(ValueError, match="expected 'left', 'right' or None"):
        describe("squat", rng, side="both")
    with pytest.raises(ValueError, match="at least 1"):
        describe("squat", rng, repetitions=0)
    with pytest.raises(ValueError, match="ask for fewer than 20000"):
        paraphrases("sitting", 20000, rng)
