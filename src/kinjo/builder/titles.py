"""What a chapter's title says: the activity or that there is none, how long, how often and on which side.

Names come from the tables of ``title_words``; words outside of them stay as they are. Nothing here ever raises.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from itertools import groupby

from kinjo.builder import title_words as words
from kinjo.builder.title_counts import without_counts, without_numbering, without_times

LONGEST = 200
"""Characters of a label and of a text."""
READ = 400
"""Characters of a title that are read."""
ALIKE = 0.85
"""From this likeness on (difflib's ratio) a word that is in no table is a misspelling of one that is."""

_PLAIN = {
    "'": "\u2019\u2018\u2032\u00b4\u0060\u02bc", '"': "\u201c\u201d\u201e\u2033\u00ab\u00bb", "x": "\u00d7\u2715\u2716",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
}  # fmt: skip
_TURNED = str.maketrans({odd: plain for plain, many in _PLAIN.items() for odd in many})
_FILLERS, _PARTS, _LOOSE = (frozenset(table.split()) for table in (words.FILLERS, words.PARTS, words.LOOSE))
_TAGS = re.compile(r"https?://\S+|www\.\S+|#\w+|@\w+|\d?\ufe0f?\u20e3")
_WEIGHT = re.compile(r"\d+(?:kg|lb)")
_SIDE = re.compile(r"[(\[]\s*(l|r|[lr]\s*[/+&]\s*[lr])\s*[)\]]|(?<=[\s\-])(l|r|[lr]/[lr])$", re.IGNORECASE)


@dataclass(frozen=True)
class Title:
    """A title understood.

    ``label``: small letters, the exercise's usual English name with what qualifies it; of what is in no table, the
    words as they stand, also of other languages. ``kind``: ``activity`` or ``null``, whose label is one of rest, intro,
    outro, water, get ready, talk, explanation, next up, sponsor, thanks or empty. ``seconds`` and ``repetitions``:
    ``None`` where not said. ``side``: left, right, both or empty. ``language``: of two letters, empty where the script
    is not Latin. ``text``: the title's words without numbering, hashtags, emoji and counts.
    """

    label: str
    kind: str
    seconds: float | None
    repetitions: int | None
    side: str
    language: str
    text: str


@dataclass(frozen=True)
class _Phrase:
    """A phrase of the tables, or a free word: ``tag`` is what it is, ``name`` what it is called."""

    tag: str
    name: str
    languages: tuple[str, ...] = ()


def normalised(title: str) -> Title:
    """What ``title`` says. Read again, its label is itself, of the same kind. Never raises."""
    first = found = _once(title)
    for _ in range(12):
        again = _once(found.label)
        if (again.label, again.kind) == (found.label, found.kind):
            return replace(first, label=again.label, kind=again.kind)
        found = again
    return replace(first, label="", kind="null")


def _once(title: str) -> Title:
    plain = _plain(title)
    rest, seconds = without_times(without_numbering(plain))
    rest, repetitions = without_counts(rest)
    sides = {side for match in _SIDE.finditer(rest) for side in (match[1] or match[2]).lower() if side in "lr"}
    rest = _SIDE.sub(" ", rest)
    atoms = _atoms(rest)
    phrases = _phrases(atoms)
    language = _language(plain, phrases)
    said = {p.name for p in phrases if p.tag == "side"} | {{"l": "left", "r": "right"}[side] for side in sides}
    side = "both" if "both" in said or len(said) > 1 else next(iter(said), "")
    kind, label = _judged(phrases, language)
    return Title(_capped(label), kind, seconds, repetitions, side, language, _capped(_joined(atoms).strip("& ")))


def _plain(title: str) -> str:
    """Without emoji and what does not show, quotes, dashes and letters in their plain forms."""
    text = unicodedata.normalize("NFKC", _cut(title, READ).translate(_TURNED))[:READ]
    text = _TAGS.sub(" ", text)
    if not text.isascii():
        text = "".join(_shown(c) for c in text)
    return " ".join(text.translate(_TURNED).split())


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Cf", "Cs", "Co", "Cn") or "\ufe00" <= character <= "\ufe0f":
        return ""
    return " " if kind in ("So", "Sk", "Cc") else character


def _atoms(text: str) -> list[tuple[str, bool]]:
    """The words of ``text``, those with hyphens in parts; ``True``: a hyphen stands before it."""
    kept = "".join(
        c if c in "'-" or unicodedata.category(c)[0] in "LMN" else f" {'&' if c in '&+' else ''} " for c in text
    )
    atoms = []
    for word in kept.split():
        parts = [part for part in (part.strip("'") for part in word.split("-")) if part]
        atoms += [(part, k > 0) for k, part in enumerate(parts)]
    return atoms


def _joined(atoms: Sequence[tuple[str, bool]]) -> str:
    return "".join(("-" if hyphen else " ") + word for word, hyphen in atoms).strip(" -")


@cache
def _table() -> dict[words.Key, _Phrase]:
    """Every phrase of the tables by its key. Of two with the same key the first stands; their languages are joined."""
    rows: list[tuple[str, str, str, str]] = []
    for tag, table in (("exercise", words.EXERCISES), ("soft", words.SOFT)):
        rows += [(tag, name, name, "en") for name in words.names(table)]
        rows += [(tag, name, phrase, "en") for name, phrase in words.entries(table)]
    for tag, tables in (("strong", words.STRONG), ("weak", words.WEAK), ("side", words.SIDES)):
        rows += [(tag, name, name, "en") for name in words.names(tables["en"])]
        rows += [(tag, name, phrase, to) for to, table in tables.items() for name, phrase in words.entries(table)]
    for tag, tables in (("exercise", words.FOREIGN), ("soft", words.SOFT_FOREIGN)):
        rows += [(tag, name, phrase, to) for to, table in tables.items() for name, phrase in words.entries(table)]
    rows += [("alone", name, phrase, "en") for name, phrase in words.entries(words.ALONE)]
    found: dict[words.Key, _Phrase] = {}
    for tag, name, phrase, language in rows:
        key = words.keys(phrase)
        for form in {key, ("".join(key),)} if len(key) == 2 else {key}:
            known = found.setdefault(form, _Phrase(tag, name))
            if language not in known.languages:
                found[form] = replace(known, languages=(*known.languages, language))
    del found[("both",)]
    return found


def _phrases(atoms: Sequence[tuple[str, bool]], guess: bool = True) -> list[_Phrase]:
    """The phrases of the tables, the longest first from the left, and the words between them, tagged ``free``."""
    table = _table()
    keys = [words.key(word) for word, _ in atoms]
    found: list[_Phrase] = []
    k = 0
    while k < len(atoms):
        size = next((n for n in range(min(6, len(atoms) - k), 0, -1) if tuple(keys[k : k + n]) in table), 0)
        if size:
            found.append(table[tuple(keys[k : k + size])])
        else:
            found.append(_free(atoms[k], keys[k], found))
        k += size or 1
    found = _sided(found)
    if guess and 0 < len(atoms) <= 6 and not any(p.tag not in ("free", "filler", "part", "side") for p in found):
        mended = _mended(keys, atoms)
        return _phrases(mended, guess=False) if mended else found
    return found


def _sided(phrases: Sequence[_Phrase]) -> list[_Phrase]:
    """With the parts of the body that are not next to a side as free words: ``leg press``, but ``press, left leg``."""
    found = []
    for k, phrase in enumerate(phrases):
        beside = any(other.tag == "side" for other in (*phrases[max(0, k - 1) : k], *phrases[k + 1 : k + 2]))
        found.append(replace(phrase, tag="free") if phrase.tag == "part" and not beside else phrase)
    return found


def _free(atom: tuple[str, bool], key: str, before: Sequence[_Phrase]) -> _Phrase:
    word, hyphen = atom
    tag = "filler" if key in _FILLERS or _WEIGHT.fullmatch(key) else "part" if key in _PARTS else "free"
    joins = hyphen and before and before[-1].tag in ("free", "filler", "part")
    return _Phrase("free" if joins else tag, ("-" if joins else "") + word.lower())


def _mended(keys: Sequence[str], atoms: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """``atoms`` with the words that are nearly an exercise of the tables put right, or nothing."""
    for size in range(min(3, len(keys)), 0, -1):
        for k in range(len(keys) - size + 1):
            given = " ".join(keys[k : k + size])
            close = _close(given) if 5 <= len(given) <= 30 else ""
            if close:
                return [*atoms[:k], *((word, False) for word in close.split()), *atoms[k + size :]]
    return []


def _close(given: str) -> str:
    """The spelling in the tables that ``given`` is a slip of, or nothing."""
    candidates = [c for c in _spellings().get(given[0], ()) if abs(len(c) - len(given)) <= 2]
    swapped = [c for c in candidates if sorted(c) == sorted(given)]
    return next(iter(swapped or get_close_matches(given, candidates, 1, ALIKE)), "")


@cache
def _spellings() -> dict[str, list[str]]:
    """The spellings of exercises, long enough to have slips, by their first letter."""
    long = sorted(
        " ".join(key) for key, phrase in _table().items() if phrase.tag == "exercise" and len("".join(key)) > 4
    )
    return {letter: list(some) for letter, some in groupby(long, key=lambda spelling: spelling[0])}


def _judged(phrases: Sequence[_Phrase], language: str) -> tuple[str, str]:
    """Kind and label."""
    first = {phrase.tag: phrase for phrase in reversed(phrases)}
    if "strong" in first:
        return "null", first["strong"].name
    if "exercise" in first:
        return "activity", _named(phrases, foreign=language != "en")
    if "weak" in first:
        return "null", first["weak"].name
    if "soft" in first:
        return "activity", first["soft"].name
    said = [phrase for phrase in phrases if phrase.tag != "side" and not phrase.name.isnumeric()]
    if "alone" in first and all(phrase.tag in ("alone", "filler") for phrase in said):
        return "null", first["alone"].name
    label = _trimmed([p.name for p in phrases if p.tag in ("free", "alone")]) or _trimmed([p.name for p in said])
    letters = [c for c in label if c.isalpha()]
    return ("activity", label) if len(letters) > 1 or (letters and letters[0] > "\u02ff") else ("null", "")


def _named(phrases: Sequence[_Phrase], foreign: bool) -> str:
    """The exercises' names; in English with the words about them."""
    exercises = [phrase.name for phrase in phrases if phrase.tag == "exercise"]
    if foreign:
        return " and ".join(dict.fromkeys(exercises))
    once = [p for k, p in enumerate(phrases) if p.tag == "free" or (p.tag == "exercise" and p not in phrases[:k])]
    return _trimmed([phrase.name for phrase in once])


def _trimmed(names: Sequence[str]) -> str:
    """One string, without bare numbers and without words at the ends that join it to nothing."""
    split = " ".join("and" if name == "&" else name for name in names).replace(" -", "-").split()
    kept = [name for name in split if not name.isnumeric()]
    while kept and kept[0].strip("-") in _LOOSE | {""}:
        kept = kept[1:]
    while kept and kept[-1].strip("-") in _LOOSE | {""}:
        kept = kept[:-1]
    return " ".join(name for k, name in enumerate(kept) if k == 0 or name != kept[k - 1] or name != "and").strip("- ")


def _language(text: str, phrases: Sequence[_Phrase]) -> str:
    letters = [c for c in text if c.isalpha()]
    if 2 * sum(c > "\u024f" and not "\u1e00" <= c <= "\u1eff" for c in letters) > len(letters):
        return ""
    scores: dict[str, float] = dict.fromkeys(words.LANGUAGES, 0.0)
    lowered = text.lower()
    said = set(re.findall(r"[^\W\d_]+", lowered))
    for language in words.LANGUAGES:
        scores[language] += 1.5 * len(said.intersection(words.STOPWORDS[language].split()))
        scores[language] += 0.5 * any(c in lowered for c in words.ACCENTS.get(language, ""))
    for phrase in phrases:
        for language in phrase.languages:
            scores[language] += 2 / len(phrase.languages)
    return max(words.LANGUAGES, key=lambda language: scores[language])


def _capped(text: str) -> str:
    return _cut(text, LONGEST).strip()


def _cut(text: str, most: int) -> str:
    """At most ``most`` characters, of whole words where there are some."""
    return text if len(text) <= most else text[: most + 1].rpartition(" ")[0] or text[:most]
