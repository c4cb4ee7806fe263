"""FiMAD's official lists: which videos, and which chapters of them train and validate."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kinjo.builder.errors import BuildError
from kinjo.builder.text_files import read_text

LINKS, SPLIT = "youtube_links.txt", "train_val_split.json"


def lists(folder: Path) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Video id -> link, and part -> clip ids ``video___chapter``, from the two files that the authors publish.

    ``BuildError`` where one is absent or no such list.
    """
    for name in (LINKS, SPLIT):
        if not (folder / name).is_file():
            raise BuildError(f"{folder}: FiMAD's lists are {LINKS} and {SPLIT}; {name} is not there")
    found = re.findall(r"https?://(?:www\.)?youtu\S*?(?:v=|be/)([\w-]{11})", read_text(folder / LINKS))
    try:
        parts = json.loads(read_text(folder / SPLIT))
        split = {str(part): tuple(map(str, ids)) for part, ids in parts.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise BuildError(f"{folder / SPLIT}: expected an object of lists of clip ids ({error})") from error
    if not found:
        raise BuildError(f"{folder / LINKS}: holds no link to a video")
    return {video: f"https://www.youtube.com/watch?v={video}" for video in dict.fromkeys(found)}, split


def held(split: dict[str, tuple[str, ...]], made: list[str]) -> tuple[dict[str, tuple[str, ...]], float]:
    """The split of the clips that could be made, and the share of the official clips that they are."""
    there = set(made)
    kept = {part: tuple(id for id in ids if id in there) for part, ids in split.items()}
    whole = sum(map(len, split.values()))
    return kept, sum(map(len, kept.values())) / whole if whole else 0.0
