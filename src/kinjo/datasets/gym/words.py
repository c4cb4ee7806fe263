"""Sentences about what somebody does: many ways to say the same, from a seed.

describe("squat", rng, repetitions=8, faults=["knees inwards"], tempo=0.8)
# "Somebody performs eight slow squats, knees caving inward."
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from kinjo.datasets.gym.vocabulary import CARE, DAILY, FAULTS, GERUNDS, LABELS, PLURALS, Words

LABEL_WORDS: dict[str, tuple[str, ...]] = {label: words.names for label, words in LABELS.items()}
"""label -> other names of it, the usual one first."""

SLOW, FAST = 0.88, 1.14
"""Tempo, over the usual, below which it is called slow, and above which fast."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SUBJECTS = ("a person", "someone", "somebody", "one person")
_ATHLETES = ("the athlete", "the trainee")
_ADJECTIVES = {"slow": ("slow", "unhurried"), "fast": ("fast", "quick"), "steady": ("steady", "controlled")}
_ADVERBS = {
    "slow": ("slowly", "at a slow pace", "without hurry"), "fast": ("quickly", "at a fast pace", "briskly"),
    "steady": ("at an easy pace", "at a steady pace"),
}  # fmt: skip
_PREPOSITIONS = ("with", "on", "across", "for", "in", "without", "from", "quietly")
_T = TypeVar("_T")


def describe(
    label: str, rng: np.random.Generator, *, repetitions: int | None = None, faults: Sequence[str] = (),
    tempo: float | None = None, side: str | None = None,
) -> str:  # fmt: skip
    """One or two sentences: what is done, how often, how fast (``tempo`` over the usual), on which side, what is wrong.

    Raises ``ValueError`` for a label, a fault or a side that has no words.
    """
    words = _words(label)
    for fault in faults:
        if fault not in FAULTS:
            raise ValueError(f"no words for the fault '{fault}'. There are: {', '.join(FAULTS)}")
    if side not in (None, "left", "right"):
        raise ValueError(f"side: expected 'left', 'right' or None, given '{side}'")
    if repetitions is not None and repetitions < 1:
        raise ValueError(f"repetitions: expected at least 1, or None if nothing is counted, given {repetitions}")
    speed = None if tempo is None or not words.paced or "too fast" in faults else _speed(tempo)
    says = [FAULTS[fault][int(rng.integers(len(FAULTS[fault])))] for fault in faults]
    named = (words.region != DAILY or repetitions is not None) and rng.random() < 0.6
    sentence = (_named if named else _acted)(words, rng, repetitions, speed, side)
    way = _way(words, rng, side, named)
    sentence += way
    if says and not way and rng.random() < 0.7:
        return _sentences(f"{sentence}, {_and([tail for tail, _ in says])}")
    if says:
        return _sentences(sentence, _and([clause for _, clause in says]))
    return _sentences(sentence, *([_about(words, rng)] if rng.random() < 0.35 else []))


def paraphrases(label: str, n: int, rng: np.random.Generator) -> list[str]:
    """``n`` different sentences about one activity; ``ValueError`` where there are not as many (at least 200)."""
    found: dict[str, None] = {}
    stale = 0
    while len(found) < n and stale < 1000:
        before = len(found)
        found[describe(label, rng)] = None
        stale = stale + 1 if len(found) == before else 0
    if len(found) < n:
        raise ValueError(f"only {len(found)} different sentences found for '{label}': ask for fewer than {n}")
    return list(found)


def _words(label: str) -> Words:
    if label not in LABELS:
        raise ValueError(f"no words for '{label}'. There are: {', '.join(LABELS)}")
    return LABELS[label]


def _way(words: Words, rng: np.random.Generator, side: str | None, named: bool) -> str:
    """How it is done, or nothing; where the sentence only names it, perhaps what is done."""
    if rng.random() > 0.45:
        return ""
    if named and not words.verb and rng.random() < 0.4:
        return f", {inflected(_of_side(_pick(rng, words.acts), side), gerund)}"
    way = _pick(rng, words.ways)
    plain = words.region == DAILY and way.split()[0] in _PREPOSITIONS
    return f" {way}" if plain else f", {way}"


def _named(words: Words, rng: np.random.Generator, repetitions: int | None, speed: str | None, side: str | None) -> str:
    """By its name: somebody does so many of it."""
    adjective = _pick(rng, _ADJECTIVES[speed]) + " " if speed and rng.random() < 0.6 else ""
    bare = rng.random() < 0.25
    adverb = " " + (_ADVERBS[speed][1] if bare else _pick(rng, _ADVERBS[speed])) if speed and not adjective else ""
    name = _pick(rng, words.names)
    if words.verb:
        thing, verb = with_article(name), words.verb
    else:
        thing, verb = _counted(name, adjective, repetitions, rng), _pick(rng, ("do", "perform", "complete"))
    tail = adverb + (" " + words.side.format(side) if side else "")
    if bare:
        return thing + tail
    return f"{_doing(_subject(words, rng), verb, rng)} {thing}{tail}"


def _counted(name: str, adjective: str, repetitions: int | None, rng: np.random.Generator) -> str:
    """``8 slow squats``, and other ways to say it."""
    many = plural(name)
    if repetitions is None:
        return _pick(rng, (f"{adjective}{many}", f"a set of {adjective}{many}", f"repetitions of {adjective}{many}"))
    number = _number(repetitions, rng)
    if repetitions == 1:
        if many == name:
            return f"one {adjective}repetition of {name}"
        return _pick(rng, (f"one {adjective}{name}", with_article(f"{adjective}{name}"), f"a single {adjective}{name}"))
    plain = f"{number} {adjective}{many}"
    ways = f"a set of {plain}", f"{number} {adjective}repetitions of {many}", plain
    return _pick(rng, ways[:2] if many == name else ways)


def _acted(words: Words, rng: np.random.Generator, repetitions: int | None, speed: str | None, side: str | None) -> str:
    """By what is done."""
    act = _of_side(_pick(rng, words.acts), side)
    form = rng.random()
    if form < 0.2:
        done = inflected(act, gerund)
    elif form < 0.6:
        done = f"{_subject(words, rng)} is {inflected(act, gerund)}"
    else:
        done = f"{_subject(words, rng)} {inflected(act, third)}"
    comma = ", " if " and " in done or ", " in done else " "
    if side and f"the {side} " not in done:
        done += comma + words.side.format(side)
    if repetitions is not None:
        done += comma + {1: "once", 2: "twice"}.get(repetitions, f"{_number(repetitions, rng)} times")
    elif words.paced and words.region != DAILY and rng.random() < 0.5:
        done += _pick(rng, (", again and again", ", over and over", " repeatedly", ", time after time"))
    if speed:
        done += (", " if words.region != DAILY else " ") + _pick(rng, _ADVERBS[speed])
    return done


def _about(words: Words, rng: np.random.Generator) -> str:
    """What it is good for."""
    kind = with_article(words.region)
    if not words.muscles:
        return _pick(rng, (kind, f"this is {kind}"))
    many = _and([f"the {muscle}" for muscle in words.muscles])
    single = len(words.muscles) == 1 and not words.muscles[0].endswith("s")
    work = "works" if single else "work"
    ways = (f"this works {many}", f"it trains {many}", f"{kind} for {many}", f"{many} {work} hard", f"this is {kind}")
    return _pick(rng, ways[2:] if words.region == DAILY else ways)


def _doing(subject: str, verb: str, rng: np.random.Generator) -> str:
    form = rng.random()
    if form < 0.2:
        return gerund(verb)
    return f"{subject} is {gerund(verb)}" if form < 0.5 else f"{subject} {third(verb)}"


def _subject(words: Words, rng: np.random.Generator) -> str:
    others = {CARE: ("the patient", "the trainee"), DAILY: ("the wearer", "this person")}.get(words.region, _ATHLETES)
    return _pick(rng, _SUBJECTS + others)


def _speed(tempo: float) -> str:
    return "slow" if tempo < SLOW else "fast" if tempo > FAST else "steady"


def _number(count: int, rng: np.random.Generator) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) and rng.random() < 0.5 else str(count)


def _of_side(act: str, side: str | None) -> str:
    return act.replace("one leg", f"the {side} leg") if side else act


def _pick(rng: np.random.Generator, choices: Sequence[_T]) -> _T:
    return choices[int(rng.integers(len(choices)))]


def _and(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))


def _sentences(*texts: str) -> str:
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in texts)


def inflected(act: str, form: Callable[[str], str]) -> str:
    """Each verb of an act, the first word of its parts, in another form."""
    parts = [part.partition(" ") for part in act.split(" & ")]
    return _and([f"{form(verb)} {rest}".strip() for verb, _, rest in parts])


def plural(name: str) -> str:
    """More than one of it: of the last word."""
    if name in PLURALS:
        return PLURALS[name]
    return name + ("es" if name.endswith(("s", "x", "ch", "sh")) else "s")


def with_article(name: str) -> str:
    """``a squat``, ``an air squat``."""
    return f"{'an' if name[0].lower() in 'aeiou' and not name.startswith(('one', 'uni')) else 'a'} {name}"


def third(verb: str) -> str:
    """What somebody does: ``lifts``."""
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "ch", "sh", "o")) else "s")


def gerund(verb: str) -> str:
    """Doing it: ``lifting``."""
    if verb in GERUNDS:
        return GERUNDS[verb]
    return (verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb) + "ing"
