"""What a clip shows in words: the chapter's title made plain, a description, and other ways to say it.

Descriptions come from a text base that the user points to (the entry whose name means most nearly the same), from an
endpoint that speaks OpenAI's protocol, or else from a small grammar.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.builder.errors import BuildError
from kinjo.builder.text_files import one_line
from kinjo.builder.titles import Title, normalised
from kinjo.datasets.gym.words import paraphrases
from kinjo.datasets.sentences import NULL_SENTENCES, TEMPLATES

ALIKE = 0.85
"""Cosine of MiniLM's sentence vectors from which on two names of exercises are taken for one."""
LONGEST = 300
"""Characters of a description."""
PROMPT = (
    "Describe in one sentence of at most 30 words how a person moves who does the exercise '{}': which limbs, how, in "
    "which posture. Answer with the sentence alone."
)


@dataclass(frozen=True)
class Words:
    """``label`` is "" for NULL; ``origin`` of the description: ``base: <name>``, ``endpoint``, ``grammar``."""

    label: str
    repetitions: int | None
    side: str
    description: str
    origin: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server: ``address`` up to ``/v1``, a model's name, a key where it asks for one."""

    address: str
    model: str
    key: str = ""
    timeout_s: float = 60.0

    def ask(self, question: str) -> str:
        """The answer on one line. ``BuildError`` where none comes."""
        body = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": question}]}
        request = urllib.request.Request(
            f"{self.address.rstrip('/')}/chat/completions", json.dumps(body).encode(),
            {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.key}"} if self.key else {})},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                found = json.loads(answer.read(1 << 20))["choices"][0]["message"]["content"]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise BuildError(f"{self.address}: no answer ({type(error).__name__}: {error})") from error
        return one_line(str(found)).strip()[:LONGEST]


def described(
    titles: Sequence[str],
    *,
    base: Path | None = None,
    endpoint: Endpoint | None = None,
    more: int = 8,
    notes: list[str] | None = None,
) -> list[Words]:
    """The words of each title. ``more``: ways to say it beside. What an endpoint does not answer the grammar does."""
    plain = [normalised(title) for title in titles]
    entries = read_base(base) if base is not None else {}
    found = nearest([t.label for t in plain], list(entries)) if entries else [("", 0.0)] * len(plain)
    out = []
    for title, (name, cosine) in zip(plain, found, strict=True):
        if title.kind == "null" or not title.label:
            text = title.text or "idle time"
            out.append(Words("", None, "", f"{text}: no exercise", "grammar", NULL_SENTENCES[:more]))
            continue
        description, origin = _grammar(title), "grammar"
        if cosine >= ALIKE:
            description, origin = entries[name], f"base: {name}"
        elif endpoint is not None:
            try:
                description, origin = endpoint.ask(PROMPT.format(title.label)) or description, "endpoint"
            except BuildError as error:
                if notes is not None:
                    notes.append(str(error))
        said = (description, *_ways(title, more))
        out.append(
            Words(
                title.label, title.repetitions, title.side, description, origin, tuple(dict.fromkeys(said))[: more + 1]
            )
        )
    return out


def _grammar(title: Title) -> str:
    side = {"left": " with the left side", "right": " with the right side", "both": " on each side"}.get(title.side, "")
    count = f", {title.repetitions} times" if title.repetitions else ""
    return f"a person does {title.label}{side}{count}"


def _ways(title: Title, more: int) -> list[str]:
    """The gym's grammar where it knows the movement, else the label in templates."""
    name = title.label.replace("-", " ")
    for known in (title.label, name, name.removesuffix("s")):
        try:
            return paraphrases(known, more, np.random.default_rng(0))
        except (KeyError, ValueError):
            continue
    return [t.format(title.label) for t in TEMPLATES[:more]]


def read_base(path: Path) -> dict[str, str]:
    """Name -> description of a JSON list of objects with ``name`` and ``instructions`` or ``description``.

    ``BuildError`` where it is not one.
    """
    try:
        rows: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"{path}: not a text base that can be read ({error})") from error
    out: dict[str, str] = {}
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("name"), str):
            told = row.get("description") or row.get("instructions") or ""
            text = one_line(" ".join(map(str, told)) if isinstance(told, list) else str(told)).strip()
            if text:
                out[one_line(row["name"]).strip()] = _short(text)
    if not out:
        raise BuildError(f"{path}: expected a JSON list of objects with a name and instructions or a description")
    return out


def _short(text: str) -> str:
    """Whole sentences up to ``LONGEST`` characters, at least the first."""
    kept = ""
    for sentence in text.replace("! ", ". ").split(". "):
        grown = f"{kept}. {sentence}" if kept else sentence
        if kept and len(grown) > LONGEST:
            break
        kept = grown
    return kept[:LONGEST].rstrip(". ") + "."


def nearest(labels: Sequence[str], names: Sequence[str]) -> list[tuple[str, float]]:
    """For each label the name that means most nearly the same, and the cosine of their sentence vectors."""
    from kinjo.encoders.text import cached, load

    model = load("minilm")
    asked, known = (cached(model, [text.lower() or " " for text in some]) for some in (labels, names))
    cosine = _unit(asked) @ _unit(known).T
    return [(str(names[k]), float(cosine[i, k])) for i, k in enumerate(cosine.argmax(1).tolist())]


def _unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x / np.linalg.norm(x, axis=1, keepdims=True)
