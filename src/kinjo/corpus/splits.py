"""Splits of a corpus into parts, made of recordings and made before any window.

What a split shares on purpose is written on it (``shared``): a split by class has the same people in all parts.
``audit`` reports such an overlap as declared, and any other as a leak.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from kinjo.corpus.errors import CorpusError
from kinjo.corpus.store import Corpus

FORMAT = 1


@dataclass(frozen=True)
class Split:
    """Named parts of a corpus, each a tuple of recording ids, and the facts that a table of results needs.

    ``subjects`` and ``classes`` list what each part holds. ``shared`` names the kinds of overlap that are meant
    (``"subject"``, ``"interval"``, ...). ``dropped`` counts recordings of the corpus that are in no part.
    """

    name: str
    parts: dict[str, tuple[str, ...]]
    subjects: dict[str, tuple[str, ...]]
    classes: dict[str, tuple[str, ...]]
    shared: tuple[str, ...] = ()
    dropped: int = 0

    def __getitem__(self, part: str) -> tuple[str, ...]:
        if part not in self.parts:
            raise CorpusError(f"split '{self.name}': no part '{part}'. It has: {', '.join(self.parts)}.")
        return self.parts[part]

    def save(self, path: str | Path) -> None:
        """Write the split as JSON, whole or not at all."""
        path = Path(path)
        temporary = path.with_name(path.name + ".tmp")
        text = json.dumps({"kinjo_split": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """The inverse of ``save``. Raises ``CorpusError`` where the file is no split or is of another format."""
        try:
            given = json.loads(Path(path).read_text(encoding="utf-8"))
            number = given["kinjo_split"]
            if number == FORMAT:
                parts, subjects, classes = (_tuples(given[key]) for key in ("parts", "subjects", "classes"))
                return cls(given["name"], parts, subjects, classes, tuple(given["shared"]), given["dropped"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorpusError(f"{path}: not a split that kinjo wrote ({error!r}). Make it again.") from error
        raise CorpusError(
            f"{path}: split format {number!r}, this kinjo reads {FORMAT}. Upgrade kinjo or make it again."
        )


def _tuples(given: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {part: tuple(values) for part, values in given.items()}


def make(corpus: Corpus, name: str, parts: Mapping[str, Iterable[str]], *, shared: Iterable[str] = ()) -> Split:
    """A split of given recording ids, in the order of the corpus; ids that the corpus lacks are an error."""
    members = {part: sorted({corpus.number(id) for id in ids}) for part, ids in parts.items()}
    entries = corpus.entries
    used = {number for numbers in members.values() for number in numbers}
    return Split(
        name,
        {part: tuple(entries[k].id for k in numbers) for part, numbers in members.items()},
        {part: tuple(sorted({entries[k].subject for k in numbers})) for part, numbers in members.items()},
        {
            part: tuple(sorted({s.label for k in numbers for s in entries[k].segments if s.label}))
            for part, numbers in members.items()
        },
        tuple(sorted(shared)),
        len(entries) - len(used),
    )


Shares = Mapping[str, float] | Mapping[str, Collection[str]]


def by_subject(corpus: Corpus, parts: Shares, *, seed: int = 0, name: str = "by_subject") -> Split:
    """Split so that no subject is in two parts.

    ``parts`` gives each part its subjects (others are dropped), or its share of the subjects: ``{"train": 0.7, ...}``.
    """
    chosen = _assign({entry.subject for entry in corpus.entries}, parts, seed, "subject")
    return make(corpus, name, _gather(parts, ((e.id, chosen.get(e.subject)) for e in corpus.entries)))


def by_recording(corpus: Corpus, parts: Mapping[str, float], *, seed: int = 0, name: str = "by_recording") -> Split:
    """Split recordings at random by share; recordings of one moment (``twin``) stay together.

    Subjects may be in several parts, and the split says so (``shared``).
    """
    group = {e.id: f"twin:{e.twin}" if e.twin else f"id:{e.id}" for e in corpus.entries}
    chosen = _assign(set(group.values()), parts, seed, "recording")
    members = _gather(parts, ((e.id, chosen.get(group[e.id])) for e in corpus.entries))
    return make(corpus, name, members, shared=("subject",))


def by_class(
    corpus: Corpus, parts: Shares, *, mixed: Literal["error", "drop"] = "error", seed: int = 0, name: str = "by_class"
) -> Split:
    """Split so that no class is in two parts: for one-shot and zero-shot protocols.

    ``parts`` gives each part its classes, or its share of them. A recording with segments of classes of several
    parts is an error, or with ``mixed="drop"`` in no part; so is one without any labelled segment of these classes
    (``dropped`` counts). Subjects may be in several parts, and the split says so (``shared``).
    """
    labels = [{s.label for s in entry.segments if s.label} for entry in corpus.entries]
    chosen = _assign(set[str]().union(*labels), parts, seed, "class")
    placed: list[tuple[str, str | None]] = []
    for entry, own in zip(corpus.entries, labels, strict=True):
        homes = sorted({chosen[label] for label in own if label in chosen})
        strays = bool(homes) and any(label not in chosen for label in own)
        if (len(homes) > 1 or strays) and mixed == "error":
            raise CorpusError(
                f"split '{name}': recording '{entry.id}' has classes {sorted(own)}, which are not all of one part "
                f"({', '.join(homes)}). Cut it into one recording per segment, or use mixed='drop'."
            )
        placed.append((entry.id, homes[0] if len(homes) == 1 and not strays else None))
    return make(corpus, name, _gather(parts, placed), shared=("subject",))


def _gather(parts: Iterable[str], placed: Iterable[tuple[str, str | None]]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {part: [] for part in parts}
    for id, part in placed:
        if part is not None:
            members[part].append(id)
    return members


def _assign(groups: Collection[str], parts: Shares, seed: int, what: str) -> dict[str, str]:
    """group -> part, by the lists or by the shares of ``parts``."""
    lists = {part: given for part, given in parts.items() if not isinstance(given, int | float)}
    shares = {part: float(given) for part, given in parts.items() if isinstance(given, int | float)}
    if not lists:
        return _by_share(sorted(groups), shares, seed, what)
    if shares:
        raise CorpusError("a split is given by lists for all parts or by shares for all parts, not by both.")
    chosen: dict[str, str] = {}
    for part, given in lists.items():
        for group in [given] if isinstance(given, str) else given:
            if group not in groups:
                raise CorpusError(
                    f"part '{part}': no {what} '{group}'. The corpus has: {', '.join(sorted(groups)[:20])}."
                )
            if chosen.setdefault(group, part) != part:
                raise CorpusError(f"{what} '{group}' is given to part '{chosen[group]}' and to '{part}'. Choose one.")
    return chosen


def _by_share(groups: list[str], shares: Mapping[str, float], seed: int, what: str) -> dict[str, str]:
    if not shares or any(not share > 0 for share in shares.values()) or sum(shares.values()) > 1 + 1e-9:
        raise CorpusError(f"shares must be above 0 and sum to at most 1, given {dict(shares)}")
    if len(groups) < len(shares):
        raise CorpusError(f"{len(groups)} {what} groups cannot fill {len(shares)} parts. Use fewer parts.")
    order = np.random.default_rng(seed).permutation(len(groups))
    edges = np.rint(np.cumsum([0.0, *shares.values()]) * len(groups)).astype(int)
    for k in range(1, len(edges)):  # every part gets at least one group ...
        edges[k] = max(edges[k], edges[k - 1] + 1)
    for k in range(len(edges) - 1, 0, -1):  # ... also the last ones
        edges[k] = min(edges[k], len(groups) - (len(edges) - 1 - k))
    spans = zip(shares, edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return {groups[int(k)]: part for part, low, high in spans for k in order[low:high]}
