"""BVH (Biovision Hierarchy): a skeleton of offsets, and per frame the angles of its joints.

Any hierarchy, any order of channels (a joint's rotation is the product of its channels in their order), positions on
any joint. The format states neither units nor which axis is up; both are found (see ``placing``) or said.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.formats.chain import Chain, turned
from kinjo.formats.errors import MOST_FRAMES, MOST_JOINTS, FormatError, Said, numbers, read_text, short
from kinjo.formats.placed import motion_of
from kinjo.formats.placing import LARGEST_ANGLE, LARGEST_PLACE, check_numbers, check_rate
from kinjo.motion import Motion

Floats = NDArray[np.floating[Any]]

DEEPEST = 200
"""Joints above a joint; a spine of one vertebra a joint and all finger bones stay far below."""

_CHANNEL = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)


@dataclass
class _Hierarchy:
    """What the lines say so far. ``open``: the joints whose braces are not closed; ``waiting``: its brace is next."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float] | None] = field(default_factory=list)
    channels: list[list[tuple[str, str]] | None] = field(default_factory=list)
    open: list[int] = field(default_factory=list)
    waiting: bool = False


def read_bvh(path: Path, said: Said | None = None) -> Motion:
    """The movement in a BVH file. Raises ``FormatError`` naming the line; see ``formats.read_motion``."""
    said = said or Said()
    file = path.name
    lines = read_text(path).splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip().upper() == "MOTION"), None)
    if start is None:
        raise FormatError(file, "", "a line MOTION", "none", "The file is cut off, or is not BVH.")
    tree = _hierarchy(file, lines[:start])
    frames, rate_hz, first = _head(file, lines, start + 1, said)
    values = _values(file, lines, first, frames, sum(len(c or []) for c in tree.channels))
    chain = Chain(tuple(tree.names), tuple(tree.parents), np.array(tree.offsets, np.float64))
    check_numbers(file, chain.offsets[None], LARGEST_PLACE, "offsets")
    turns, places = _channels(file, chain, tree, values)
    return motion_of(file, chain, turns, places, rate_hz, said)


def _hierarchy(file: str, lines: list[str]) -> _Hierarchy:
    tree = _Hierarchy()
    begun = False
    for number, line in enumerate(lines, 1):
        for word in re.sub(r"([{}])", r"\n\1\n", line).split("\n"):
            words = word.split()
            if not words:
                continue
            if not begun:
                if [w.upper() for w in words] != ["HIERARCHY"]:
                    raise FormatError(file, f"line {number}", "HIERARCHY", short(line.strip()), "Is this a BVH file?")
                begun = True
                continue
            _take(file, number, words, tree)
    if tree.open or tree.waiting:
        raise FormatError(file, f"line {len(lines)}", "a closing brace for every joint", f"{len(tree.open)} open")
    if not tree.names:
        raise FormatError(file, "", "joints after HIERARCHY", "none")
    for name, offset, channels in zip(tree.names, tree.offsets, tree.channels, strict=True):
        if offset is None or channels is None:
            raise FormatError(file, f"joint '{name}'", "OFFSET and CHANNELS", "OFFSET" if offset else "no OFFSET")
    return tree


def _take(file: str, number: int, words: list[str], tree: _Hierarchy) -> None:
    """One statement of the hierarchy: ROOT, JOINT, End Site, a brace, OFFSET or CHANNELS."""
    where, key = f"line {number}", words[0].upper()
    if tree.waiting != (key == "{"):
        raise FormatError(
            file, where, "{" if tree.waiting else "a joint, OFFSET, CHANNELS or }", short(" ".join(words))
        )
    if key == "{":
        tree.waiting = False
    elif key == "}":
        if not tree.open:
            raise FormatError(file, where, "as many closing braces as opened", "one more")
        tree.open.pop()
    elif key in ("ROOT", "JOINT", "END"):
        _new_joint(file, where, key, " ".join(words[1:]), tree)
    elif not tree.open:
        raise FormatError(file, where, "ROOT or JOINT", short(" ".join(words)))
    elif key == "OFFSET":
        _once(file, where, tree.offsets[tree.open[-1]], key)
        tree.offsets[tree.open[-1]] = numbers(file, where, words[1:], 3)
    elif key == "CHANNELS":
        _once(file, where, tree.channels[tree.open[-1]], key)
        tree.channels[tree.open[-1]] = _channel_names(file, where, words[1:])
    else:
        raise FormatError(file, where, "JOINT, End Site, OFFSET, CHANNELS or a brace", short(" ".join(words)))


def _once(file: str, where: str, already: object, key: str) -> None:
    if already is not None:
        raise FormatError(file, where, f"one {key} for each joint", "a second one")


def _new_joint(file: str, where: str, key: str, name: str, tree: _Hierarchy) -> None:
    if (key == "ROOT") != (not tree.names):
        raise FormatError(
            file, where, "one ROOT, before all joints", f"{key} {short(name)}", "Split a file of several bodies."
        )
    if key != "ROOT" and not tree.open:
        raise FormatError(file, where, "a joint within the braces of another", f"{key} {short(name)}")
    parent = tree.open[-1] if tree.open else -1
    if key == "END":
        if name.upper() != "SITE":
            raise FormatError(file, where, "End Site", short(f"End {name}"))
        name = f"{tree.names[parent]}.end"
        name += "" if name not in tree.names else str(len(tree.names))
    if not name:
        raise FormatError(file, where, f"a name after {key}", "none")
    if name in tree.names:
        raise FormatError(file, where, "another name for each joint", f"'{name}' again", "Rename one of the two.")
    if len(tree.names) >= MOST_JOINTS or len(tree.open) >= DEEPEST:
        raise FormatError(file, where, f"at most {MOST_JOINTS} joints, {DEEPEST} deep", "more")
    tree.open.append(len(tree.names))
    tree.names.append(name)
    tree.parents.append(parent)
    tree.offsets.append(None)
    tree.channels.append([] if key == "END" else None)
    tree.waiting = True


def _channel_names(file: str, where: str, words: list[str]) -> list[tuple[str, str]]:
    """``[("position", "x"), ("rotation", "z"), ...]``: as many as said, known, each once."""
    matches = [_CHANNEL.fullmatch(word) for word in words[1:]]
    channels = [(m[2].lower(), m[1].lower()) for m in matches if m]
    if (
        not words
        or words[0] != str(len(matches))
        or len(channels) != len(matches)
        or len(set(channels)) < len(channels)
    ):
        raise FormatError(
            file, where, "CHANNELS, their number, and as many of Xposition ... Zrotation, each once",
            short(" ".join(words)),
        )  # fmt: skip
    return channels


def _head(file: str, lines: list[str], at: int, said: Said) -> tuple[int, float, int]:
    """``(frames, rate, index of the first line of numbers)`` from the two lines after MOTION."""
    rows = [(i, line) for i, line in enumerate(lines[at : at + 20], at) if line.strip()][:2]
    found = [re.fullmatch(pattern, line.strip(), re.IGNORECASE) for pattern, (_, line) in zip(
        (r"Frames\s*:\s*(\d{1,12})", r"Frame\s+Time\s*:\s*([-+0-9.eE]{1,40})"), rows, strict=False
    )]  # fmt: skip
    if len(found) < 2 or not found[0] or not found[1]:
        given = short(" / ".join(line.strip() for _, line in rows))
        raise FormatError(file, f"line {at + 1}", "'Frames: N' and 'Frame Time: seconds'", given)
    frames = int(found[0][1])
    if not 1 <= frames <= MOST_FRAMES:
        raise FormatError(file, f"line {rows[0][0] + 1}", f"1 to {MOST_FRAMES} frames", f"{frames}")
    where = f"line {rows[1][0] + 1}"
    seconds = numbers(file, where, [found[1][1]], 1)[0]
    if said.rate_hz is not None:
        return frames, check_rate(file, "rate_hz=", said.rate_hz), rows[1][0] + 1
    rate = check_rate(file, f"{where}: Frame Time", 1 / seconds if seconds > 0 else 0.0)
    return frames, _whole_rate(found[1][1], seconds, rate), rows[1][0] + 1


def _whole_rate(text: str, seconds: float, rate: float) -> float:
    """A whole number of frames per second where ``seconds`` is that, cut to the digits printed (0.008333: 120)."""
    whole = round(rate)
    digits = len(text.partition(".")[2]) if "e" not in text.lower() else 16
    close = abs(1 / whole - seconds) < 10.0**-digits and abs(whole / rate - 1) < 1e-3
    return float(whole) if close else rate


def _values(file: str, lines: list[str], first: int, frames: int, channels: int) -> Floats:
    """The numbers ``(frames, channels)`` of the MOTION block, one line per frame."""
    rows = [i for i in range(first, len(lines)) if lines[i].strip()]
    if len(rows) != frames:
        raise FormatError(
            file, f"line {len(lines)}", f"{frames} rows, as 'Frames:' says", f"{len(rows)}",
            "The file is cut off, or was edited: export it again.",
        )  # fmt: skip
    if not channels:
        raise FormatError(file, "", "joints with channels", "none")
    counts = np.array([len(lines[i].split()) for i in rows])
    if (counts != channels).any():
        bad = int((counts != channels).argmax())
        raise FormatError(
            file, f"line {rows[bad] + 1}", f"{channels} numbers, one for each channel", f"{counts[bad]}",
            "The file is cut off, or was edited: export it again.",
        )  # fmt: skip
    return _parsed(file, [lines[i] for i in rows], [i + 1 for i in rows])


def _parsed(file: str, rows: list[str], at: list[int]) -> Floats:
    """Finite numbers ``(rows, columns)`` of lines of equal length; ``FormatError`` names the line (``at``)."""
    try:
        values = np.loadtxt(io.StringIO("\n".join(rows)), dtype=np.float64, comments=None, ndmin=2)
    except ValueError as error:
        for row, line in zip(rows, at, strict=True):
            numbers(file, f"line {line}", row.split(), len(row.split()))
        raise FormatError(file, "MOTION", "rows of numbers", str(error)) from error
    bad = ~np.isfinite(values).all(1)
    if bad.any():
        raise FormatError(file, f"line {at[int(bad.argmax())]}", "finite numbers", "nan or inf")
    return values


def _channels(file: str, chain: Chain, tree: _Hierarchy, values: Floats) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Rotations and places of the joints, in their parents' frames, from the numbers of all frames."""
    turns, places = {}, {}
    at = 0
    for joint, channels in enumerate(tree.channels):
        own = values[:, at : at + len(channels or [])]
        at += own.shape[1]
        kinds = channels or []
        angles = [i for i, (kind, _) in enumerate(kinds) if kind == "rotation"]
        if angles:
            check_numbers(file, own[:, angles], LARGEST_ANGLE, "angles")
            turns[joint] = turned("".join(kinds[i][1] for i in angles), np.deg2rad(own[:, angles]))
        moved = [i for i, (kind, _) in enumerate(kinds) if kind == "position"]
        if moved:
            check_numbers(file, own[:, moved], LARGEST_PLACE, "places")
            axes = ["xyz".index(kinds[i][1]) for i in moved]
            places[joint] = _places(chain.offsets[joint], axes, own[:, moved])
    return turns, places


def _places(offset: Floats, axes: list[int], moved: Floats) -> Floats:
    """Where a joint with position channels is. Programs differ: some write what is added to the offset, some what
    stands for it; the one that stays nearer to the offset on the axes that move is taken."""
    out = np.tile(offset, (len(moved), 1))
    added = np.median(np.linalg.norm(moved, axis=1))
    instead = np.median(np.linalg.norm(moved - offset[axes], axis=1))
    out[:, axes] = moved if instead < added else moved + offset[axes]
    return out
