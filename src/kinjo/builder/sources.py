"""What is built from: video files of a folder, with what lies beside them, cut into clips at their chapters.

Beside ``squats.mp4`` may lie ``squats.info.json`` (as yt-dlp writes it: title, licence, chapters, description),
``squats.chapters.json`` or ``.csv`` (they come first), and ``squats.srt`` or ``.vtt`` (``squats.en.vtt``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinjo.builder import chapters, footage
from kinjo.builder.chapters import Chapter
from kinjo.builder.errors import BuildError
from kinjo.builder.subtitles import Caption
from kinjo.builder.subtitles import from_file as read_captions
from kinjo.builder.text_files import one_line

ENDINGS = (".mp4", ".m4v", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".3gp", ".ts", ".wmv", ".flv")
LARGEST_INFO = 64 << 20
LONGEST_TITLE = 1000
"""Characters of a chapter's title that are kept."""
UNEXPECTED = "kinjo failed on it"
"""How the reason of a refusal begins that is a fault of ours, not of the file."""


@dataclass(frozen=True)
class Source:
    """A video: where it lies, its id (part of every clip's), the hash of its bytes, and what is known of it."""

    id: str
    path: Path
    sha256: str
    facts: footage.Facts
    title: str = ""
    url: str = ""
    licence: str = ""
    author: str = ""
    captions: tuple[Caption, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Clip:
    """A span of a video that becomes one recording: id ``video___chapter``, as in FiMAD's lists."""

    id: str
    source: Source
    start_s: float
    end_s: float
    title: str


@dataclass(frozen=True)
class Refused:
    """A file or a chapter of which no clip is made, and why."""

    id: str
    source: str
    reason: str
    start_s: float = 0.0
    end_s: float = 0.0
    title: str = ""


def videos(places: Iterable[Path]) -> list[Path]:
    """Video files among ``places`` and, of folders, inside them, in the order of their names. Hidden ones are not read,
    nor are the clips of a build.

    ``BuildError`` for a place that is not there, and where there is no video at all.
    """
    out: list[Path] = []
    for place in places:
        if os.path.isdir(place):  # unlike Path's, never an error
            inside = (p for p in sorted(place.rglob("*")) if p.suffix.lower() in ENDINGS and os.path.isfile(p))
            seen = (p for p in inside if not any(part.startswith(".") for part in p.relative_to(place).parts))
            out += [p for p in seen if not _made(p)]
        elif os.path.isfile(place):
            out.append(place)
        else:
            raise BuildError(f"{place}: no such file or folder")
    if not out:
        raise BuildError(f"no video among {', '.join(map(str, places))}: known endings are {', '.join(ENDINGS)}")
    return list(dict.fromkeys(out))


def read(path: Path, id: str, licence: str = "") -> tuple[Source, list[Chapter], list[str]]:
    """A video with its chapters (one over all of it where it has none), and notes of what beside it was not used."""
    facts, notes = footage.probe(path), []
    info = _info(path, notes)
    name = _line(info.get("title")) or _line(facts.tags.get("title")) or _line(words(path.stem))
    found = _chapters(path, facts, info, notes) or [Chapter(0.0, facts.duration_s, name)]
    source = Source(
        id, path, digest(path), facts, name, _line(info.get("webpage_url")),
        _line(info.get("license")) or _line(licence), _line(info.get("uploader")) or _line(info.get("channel")),
        _captions(path, notes),
    )  # fmt: skip
    return source, found, notes


def clips(
    paths: Sequence[Path], *, licence: str = "", shortest_s: float = 1.0, longest_s: float = 600.0
) -> tuple[list[Clip], list[Refused], list[str]]:
    """All clips of all videos, what is refused with the reason, and notes. Every chapter is in one of the two.

    Two files of the same bytes are read once. A chapter longer than ``longest_s`` is refused: it is no exercise.
    """
    made: list[Clip] = []
    refused: list[Refused] = []
    notes: list[str] = []
    ids, known = ids_of(paths), dict[str, str]()
    for path, id in zip(paths, ids, strict=True):
        file = one_line(path.name)
        try:
            source, found, said = read(path, id, licence)
            kept, bad = chapters.mended(found, source.facts.duration_s)
        except Exception as error:  # whatever one file holds, the others are built
            refused.append(Refused(id, file, _why(error, path)))
            continue
        if source.sha256 in known:
            refused.append(Refused(id, file, f"the same bytes as {known[source.sha256]}"))
            continue
        known[source.sha256] = file
        notes += [one_line(f"{file}: {note}".replace(f"{path.parent}/", "")) for note in said]
        spans = [(c, "") for c in kept] + bad
        for k, (chapter, why) in enumerate(sorted(spans, key=lambda s: _start(s[0]))):
            length = chapter.end_s - chapter.start_s
            if not why and not shortest_s <= length <= longest_s:
                why = f"{length:.1f} s long, expected {shortest_s:g} to {longest_s:g}"
            one, title = f"{id}___{k}", chapter.title[:LONGEST_TITLE]
            if why:
                refused.append(Refused(one, file, why, *_finite(chapter), title))
            else:
                made.append(Clip(one, source, chapter.start_s, chapter.end_s, title))
    return made, refused, notes


def ids_of(paths: Sequence[Path]) -> list[str]:
    """A short id of letters, digits, - and _ for each file, from its name; the same names are told apart by numbers.

    No two differ by capitals alone, and none holds ``___``, which stands before a chapter's number.
    """
    out: list[str] = []
    taken: set[str] = set()
    for path in paths:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-_")[:60] or "video"
        name = re.sub(r"_{3,}", "__", name)
        more = next(n for n in range(len(paths) + 1) if (f"{name}-{n}" if n else name).lower() not in taken)
        out.append(f"{name}-{more}" if more else name)
        taken.add(out[-1].lower())
    return out


def words(stem: str) -> str:
    """A file's name as words: without numbers before it, bars and points."""
    return re.sub(r"^\d+\s+", "", re.sub(r"[\W_]+", " ", stem).strip()) or stem


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _made(path: Path) -> bool:
    """Whether a file is a clip that a build has made: ``clips/<id>/clip.mp4`` beside its ``build.json``."""
    folders = path.parents
    inside = path.name == "clip.mp4" and len(folders) > 2 and folders[1].name == "clips"
    return inside and os.path.isfile(folders[2] / "build.json")


def _why(error: Exception, path: Path) -> str:
    """The reason of a refusal, with the file's name in place of its path."""
    said = str(error).replace(str(path), path.name)
    return one_line(said if isinstance(error, BuildError) else f"{UNEXPECTED} ({type(error).__name__}): {said}")


def _start(chapter: Chapter) -> float:
    return chapter.start_s if chapter.start_s == chapter.start_s else float("inf")


def _finite(chapter: Chapter) -> tuple[float, float]:
    a, b = (float(x) if abs(x) < 1e9 else 0.0 for x in (chapter.start_s, chapter.end_s))  # NaN is not below either
    return a, b


def _line(value: Any) -> str:
    """Of texts and numbers, what is said on one line; of all else nothing."""
    return one_line(str(value)[:10_000])[:500] if isinstance(value, str | int | float) and value else ""


def _info(path: Path, notes: list[str]) -> dict[str, Any]:
    beside = _beside(path, ".info.json")
    if beside is None:
        return {}
    try:
        if beside.stat().st_size > LARGEST_INFO:
            raise ValueError(f"{beside.stat().st_size} bytes")
        info = json.loads(beside.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError) as error:
        notes.append(f"{beside.name} is not used: {error}")
        return {}
    if isinstance(info, dict):
        return info
    notes.append(f"{beside.name} is not used: no JSON object")
    return {}


def _chapters(path: Path, facts: footage.Facts, info: dict[str, Any], notes: list[str]) -> list[Chapter]:
    """From the first that has any: a file beside, the platform, the container, time codes in the description."""
    for ending in (".chapters.json", ".chapters.csv"):
        if beside := _beside(path, ending):
            try:
                return chapters.from_sidecar(beside)
            except BuildError as error:
                notes.append(f"{beside.name} is not used: {error}")
    told = (info.get("description"), facts.tags.get("comment"), facts.tags.get("description"))
    text = next((text for text in told if isinstance(text, str) and text), "")
    ways = (
        lambda: chapters.from_info(info), lambda: chapters.from_container(path),
        lambda: chapters.from_description(text, facts.duration_s),
    )  # fmt: skip
    for way in ways:
        try:
            if found := way():
                return found
        except BuildError as error:
            notes.append(str(error))
    return []


def _captions(path: Path, notes: list[str]) -> tuple[Caption, ...]:
    beside = [p for p in sorted(path.parent.glob(f"{_plain(path.stem)}.*")) if p.suffix.lower() in (".srt", ".vtt")]
    for file in beside:
        try:
            return tuple(read_captions(file))
        except BuildError as error:
            notes.append(f"{file.name} is not used: {error}")
    return ()


def _beside(path: Path, ending: str) -> Path | None:
    """The file of a video's name with another ending, where there is one: such a name may be too long to be one."""
    beside = path.with_name(path.stem + ending)
    return beside if os.path.isfile(beside) else None


def _plain(stem: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", stem)
