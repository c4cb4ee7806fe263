"""What is known of a dataset (``Card``). The one error of a reader, ``DatasetError``, stands in ``formats.errors``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kinjo.formats.errors import DatasetError
from kinjo.recording import Recording

__all__ = ["Card", "DatasetError", "Split", "only_known", "read_each", "say", "wanted_modalities"]


@dataclass(frozen=True)
class Split:
    """A split that the dataset's authors or its users agreed on: part name -> ids of recordings, disjoint.

    ``unit`` says what the parts keep apart (``subject``, ``trial`` or ``recording``); ``note`` where it comes from
    and what is wrong with it.
    """

    unit: str
    parts: Mapping[str, tuple[str, ...]]
    note: str = ""

    def part_of(self, recording_id: str) -> str | None:
        """Name of the part that holds the recording; ``None`` where none does."""
        return next((part for part, ids in self.parts.items() if recording_id in ids), None)


@dataclass(frozen=True)
class Card:
    """Facts of a dataset, its licence, its splits, and the defects that a number made on it has to live with.

    ``classes`` are labels in human words, in the dataset's own order. ``trainable`` says whether weights that ship
    may be trained on it. ``defects`` were measured or are documented; each is one sentence.
    """

    name: str
    title: str
    citation: str
    licence: str
    url: str
    how_to_get: str
    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    placements: tuple[str, ...]
    modalities: tuple[str, ...]
    trainable: bool
    splits: Mapping[str, Split] = field(default_factory=dict)
    defects: tuple[str, ...] = ()


def say(report: list[str] | None, line: str) -> None:
    """Add what was skipped or left out to the caller's ``report``; without one it is a ``UserWarning``."""
    if report is None:
        warnings.warn(line, UserWarning, stacklevel=3)
    else:
        report.append(line)


def read_each(
    ids: Iterable[str], read: Callable[[str], Recording], skip_bad: bool, report: list[str] | None
) -> Iterator[Recording]:
    """``read(id)`` of each; its ``DatasetError`` is raised, or with ``skip_bad`` told to ``report``."""
    for id in ids:
        try:
            recording = read(id)
        except DatasetError as error:
            if not skip_bad:
                raise
            say(report, f"{id}: skipped: {error}")
            continue
        yield recording


def only_known(name: str, only: Collection[str] | None, ids: tuple[str, ...]) -> tuple[str, ...]:
    """``ids`` cut down to those in ``only`` (``None`` keeps all). Unknown ids are a ``DatasetError``."""
    if only is None:
        return ids
    wanted = {only} if isinstance(only, str) else set(only)
    unknown = sorted(wanted - set(ids))
    if unknown:
        raise DatasetError(name, f"ids of recordings such as '{ids[0]}'", f"only={unknown}", "Correct them.")
    return tuple(i for i in ids if i in wanted)


def wanted_modalities(name: str, given: tuple[str, ...] | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The modalities to read (``None``: all that the dataset has). Others are a ``DatasetError``."""
    if given is None:
        return offered
    unknown = [m for m in given if m not in offered]
    if unknown or not given:
        raise DatasetError(name, f"modalities among {', '.join(offered)}", f"{given}", "Leave the others out.")
    return tuple(m for m in offered if m in given)
