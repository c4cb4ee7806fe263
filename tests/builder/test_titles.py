"""Titles as people write them, and what no person writes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.builder import title_words as words
from kinjo.builder.titles import LONGEST, Title, normalised

ACTIVITIES = {
    "Jumping Jacks": "jumping jacks", "jumping jack": "jumping jacks", "JUMPING-JACKS!!": "jumping jacks",
    "Push ups": "push-up", "pushups": "push-up", "Press-ups": "push-up", "PUSH UP": "push-up", "Push-Ups": "push-up",
    "Squat": "squat", "sqauts": "squat", "Squats!!!": "squat", "Air Squats": "squat", "Let's do some squats!": "squat",
    "Squat Jumps": "jump squat", "Goblet Squats": "goblet squat", "Dumbbell Front Squat": "dumbbell front squat",
    "Burpees": "burpee", "burpies": "burpee", "\U0001d5d5urpees": "burpee", "moutain climers": "mountain climber",
    "Russian Twsits": "russian twist", "Bicep curls": "biceps curl", "Tricep Dips": "triceps dip",
    "Dumbbell bent over rows": "dumbbell bent-over row", "Downward-facing dog": "downward dog", "Planks": "plank",
    "Child\u2019s Pose": "child's pose", "Butt Kickers": "butt kicks", "Kettlebell Swings (16kg)": "kettlebell swing",
    "High Knees 🔥🔥": "high knees", "🏋️‍♀️ Deadlifts 🏋️": "deadlift", "~*~ Lunges ~*~": "lunge", "Situps": "sit-up",
    "Squats & Lunges": "squat and lunge", "Squats (squats)": "squat", "3-way lunge": "3-way lunge",
    "Standing oblique crunch": "standing oblique crunch", "March on the spot": "marching in place",
    "Toe taps": "toe taps", "Workout": "workout", "plants": "plants", "Squad goals": "squad goals",
    "Warm Up": "warm-up", "Warm-up: Arm Circles": "arm circles", "Cool down": "cool-down",
    "Cooldown stretch": "stretch",
    "Active rest: high knees": "active high knees", "Water bottle curls": "bottle curl", "90/90 Stretch": "stretch",
}  # fmt: skip

COUNTS = {
    "Squats 30s": ("squat", 30.0, None), "Squats 30 sec": ("squat", 30.0, None), "Squats 0:30": ("squat", 30.0, None),
    "Squats 45''": ("squat", 45.0, None), "Squats 45”": ("squat", 45.0, None), "1 min Plank": ("plank", 60.0, None),
    "Plank 1'30''": ("plank", 90.0, None), "Plank - 1 min 30 sec": ("plank", 90.0, None),
    "5' Plank": ("plank", 300.0, None),
    "Plank (1.5 minutes)": ("plank", 90.0, None), "30-second plank": ("plank", 30.0, None),
    "Squats x10": ("squat", None, 10), "10x Squats": ("squat", None, 10), "Squats 10 reps": ("squat", None, 10),
    "Squats 3x12": ("squat", None, 12), "3 sets of 12 squats": ("squat", None, 12),
    "Squats \u00d720": ("squat", None, 20),
    "Squats 10-12 reps": ("squat", None, 10), "3 x 30s Plank": ("plank", 30.0, None),
    "Squats x0": ("squat", None, None),
    "40s on / 20s off: Burpees": ("burpee", 40.0, None), "1. Squats": ("squat", None, None),
    "#3 Squats": ("squat", None, None), "Exercise 4: Squats x 8": ("squat", None, 8),
    "12) Squats": ("squat", None, None),
    "Round 2 - Squats": ("squat", None, None), "Round 1/3: Squats (20 sec)": ("squat", 20.0, None),
    "Squats - Set 2 of 3": ("squat", None, None), "B) Squats": ("squat", None, None), "1.Squats": ("squat", None, None),
    "5️⃣ Plank Jacks": ("plank jack", None, None), "Squats #legs #30dayschallenge": ("squat", None, None),
    "2nd round: squats": ("squat", None, None), "Day 12 Squats": ("squat", None, None),
    "Squats https://example.org/x10": ("squat", None, None), "Squats 99999 minutes": ("squat", None, None),
}  # fmt: skip

SIDES = {
    "Side Plank Left": ("side plank", "left"), "Side Plank (R)": ("side plank", "right"),
    "Side plank - right side": ("side plank", "right"), "Left leg raises": ("leg raise", "left"),
    "Lunges left leg": ("lunge", "left"), "Lunges - L": ("lunge", "left"), "Lunges (L/R)": ("lunge", "both"),
    "Lunges each side": ("lunge", "both"), "Lunges left and right": ("lunge", "both"),
    "Step ups per leg": ("step-up", "both"),
    "Standing Side Crunch (Right)": ("standing side crunch", "right"), "Leg Press": ("leg press", ""),
    "Right arm curl": ("curl", "right"), "Side Plank": ("side plank", ""), "Upright row": ("upright row", ""),
    "Standing crunch on the right": (
        "standing crunch", "right"),
}  # fmt: skip

FOREIGN = {
    "Kniebeugen 30 Sekunden": ("squat", "de", ""), "Ausfallschritte links": ("lunge", "de", "left"),
    "Plank mit Knie zum Ellbogen": ("plank", "de", ""),
    "Hampelmänner": ("jumping jacks", "de", ""), "Aufwärmen": ("warm-up", "de", ""),
    "Liegestütze mit Klatschen": ("push-up", "de", ""), "Sentadillas con salto x15": ("jump squat", "es", ""),
    "Plancha lateral derecha": ("side plank", "es", "right"), "Zancadas (cada lado)": ("lunge", "es", "both"),
    "Calentamiento": ("warm-up", "es", ""), "Pompes 45''": ("push-up", "fr", ""),
    "Fentes jambe gauche": ("lunge", "fr", "left"), "Montées de genoux": ("high knees", "fr", ""),
    "Étirements": ("stretch", "fr", ""), "Agachamento 3x10": ("squat", "pt", ""), "Flexões": ("push-up", "pt", ""),
    "Polichinelos 30 segundos": ("jumping jacks", "pt", ""), "Affondi gamba destra": ("lunge", "it", "right"),
    "Addominali": ("sit-up", "it", ""), "Ginocchia alte": ("high knees", "it", ""),
    "Приседания 30s": ("приседания", "", ""), "スクワット": ("スクワット", "", ""), "深蹲": ("深蹲", "", ""),
}  # fmt: skip

NULLS = {
    "Intro": "intro", "INTRODUCTION": "intro", "Welcome!": "intro", "Outro": "outro", "The End": "outro",
    "Rest": "rest", "Rest 15s": "rest", "30 sec rest": "rest", "Break ☕": "rest", "Pause 20 Sek.": "rest",
    "Water break": "water", "Thanks for watching!": "thanks", "Sponsor: ACME": "sponsor", "Ad": "sponsor",
    "Warm-up talk": "talk", "Cool-down talk": "talk", "Q&A": "talk", "Next up: burpees": "next up",
    "Rest - next: Squats": "next up", "How to squat": "explanation", "Squat explanation": "explanation",
    "Get ready": "get ready", "Switch sides": "get ready", "Einleitung": "intro", "Erklärung": "explanation",
    "Als nächstes: Liegestütze": "next up", "Trinkpause": "water", "Werbung": "sponsor", "Descanso": "rest",
    "Introducción": "intro", "Gracias": "thanks", "A continuación: sentadillas": "next up", "Repos": "rest",
    "Récupération": "rest", "Merci !": "thanks", "À suivre : pompes": "next up", "Introdução": "intro",
    "Obrigado": "thanks",
    "Riposo": "rest", "Pausa 10s": "rest", "Grazie": "thanks", "Spiegazione": "explanation",
    "": "", "12": "", "3.": "", "0:30": "", "...": "", "🔥🔥": "", "#squats": "", "Round 2": "",
    "Day 12 / Set 2 of 3": "",
}  # fmt: skip


def same(title: str, found: Title) -> None:
    """Its label is read as itself, and all bounds hold."""
    again = normalised(found.label)
    assert (again.label, again.kind) == (found.label, found.kind), title
    assert len(found.label) <= LONGEST
    assert len(found.text) <= LONGEST
    assert found.kind in ("activity", "null")
    assert found.kind == "null" or found.label
    assert found.side in ("", "left", "right", "both")
    assert found.language in ("", *words.LANGUAGES)
    assert found.seconds is None or 0 < found.seconds <= 6 * 3600
    assert found.repetitions is None or found.repetitions > 0
    for text in (found.label, found.text):
        assert text == " ".join(text.split())
        assert all(c.isprintable() for c in text)


@pytest.mark.parametrize("title", ACTIVITIES)
def test_activities(title: str):
    found = normalised(title)
    assert (found.kind, found.label, found.language) == ("activity", ACTIVITIES[title], "en")
    assert (found.seconds, found.repetitions, found.side) == (None, None, "")
    same(title, found)


@pytest.mark.parametrize("title", COUNTS)
def test_counts(title: str):
    found = normalised(title)
    assert (found.label, found.seconds, found.repetitions) == COUNTS[title]
    assert found.text.lower() in ("squats", "plank", "burpees", "plank jacks")
    same(title, found)


@pytest.mark.parametrize("title", SIDES)
def test_sides(title: str):
    found = normalised(title)
    assert (found.label, found.side) == SIDES[title]
    same(title, found)


@pytest.mark.parametrize("title", FOREIGN)
def test_languages(title: str):
    found = normalised(title)
    assert (found.label, found.language, found.side) == FOREIGN[title]
    assert found.kind == "activity"
    same(title, found)


@pytest.mark.parametrize("title", NULLS)
def test_no_activity(title: str):
    found = normalised(title)
    assert (found.kind, found.label) == ("null", NULLS[title])
    same(title, found)


def test_text_is_the_title_in_words():
    assert normalised("1. 🔥 Goblet SQUATS (left side) x10 #legs").text == "Goblet SQUATS left side"
    assert normalised("Übung 3: Kniebeugen & Pause").text == "Kniebeugen & Pause"
    assert normalised("a\x00b\u202ec\ud800 d").text == "a bc d"


def test_long_titles_are_cut_between_words():
    found = normalised("goblet squats and some " * 500)
    assert found.label.split()[0] == "goblet"
    assert set(found.label.split()) <= {"goblet", "squat", "squats", "and"}
    assert set(found.text.split()) == {"goblet", "squats", "and", "some"}


def test_the_tables_are_right():
    exercises = words.names(words.EXERCISES)
    assert len(set(exercises)) >= 80
    assert len({words.keys(name) for name in exercises}) == len(exercises)
    for name in exercises + words.names(words.SOFT):
        found = normalised(name)
        assert (found.kind, found.label) == ("activity", name)
    for name, phrase in words.entries(words.EXERCISES):
        assert normalised(phrase).label == name
    for language, table in words.FOREIGN.items():
        rows = words.entries(table)
        assert len({name for name, _ in rows}) >= 30, language
        for name, phrase in rows:
            assert name in exercises, name
            assert normalised(phrase).label == name, (language, phrase)
    for tables in (words.STRONG, words.WEAK):
        for language, table in tables.items():
            for name, phrase in words.entries(table):
                found = normalised(phrase)
                assert (found.kind, found.label) == ("null", name), (language, phrase)
    for language, table in words.SIDES.items():
        for side, phrase in words.entries(table):
            assert normalised(f"plank {phrase}").side == side, (language, phrase)


@pytest.mark.parametrize(
    "title",
    ["a" * 10_000, "squats " * 1500, "🔥" * 10_000, "1:" * 5000, "( " * 5000, "1x" * 5000, "\ufdfa" * 10_000,
    "x 1 " * 2500,
     "9" * 10_000, "1 - 2 " * 2000, "l/" * 5000, "\u0301" * 10_000, "sqauts lugne " * 800, "''" * 5000,
         "set 1 " * 2000],
)  # fmt: skip
def test_titles_of_10000_characters(title: str):
    normalised("squat")  # the tables are made
    took: list[float] = []
    same("long", normalised(title))
    for _ in range(5):
        before = time.perf_counter()
        normalised(title)
        took.append(time.perf_counter() - before)
    assert min(took) < 0.05  # 0.01 on a machine of one's own


PIECES = [
    *ACTIVITIES, *COUNTS, *SIDES, *FOREIGN, *NULLS, "left", "right", "x", "10", "s", "-", "'", '"', "&", "the",
    "leg", "L",
    "(R)", "1.", "#", "set", "rest", "of", ":", "next", "İ", "ß", "ﬁ", "\u0345", "kg", "16kg", "on", "²", "Ⅷ", "½",
]  # fmt: skip


@given(st.text() | st.text(alphabet="sx0123456789:-'\" .&#()lrLReachide/"))
def test_any_text(title: str):
    same(title, normalised(title))


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=8), st.sampled_from(["", " ", "-", " - "]))
def test_any_mixture(parts: list[str], between: str):
    title = between.join(parts)
    same(title, normalised(title))
