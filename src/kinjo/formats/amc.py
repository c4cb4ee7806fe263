"""ASF + AMC (Acclaim): the skeleton in one file, the angles of its bones in the other.

An ASF describes a bone by its direction and length in the world of the rest pose, and by axes of its own (``axis``)
about which its angles turn: a bone's rotation is ``C M C^-1``, with ``C`` from the axes and ``M`` from the angles, the
first angle applied first. Lengths are in inches divided by the file's ``length`` (CMU: 0.45), angles in degrees unless
a file says radians. Neither file states the rate.
"""

from __future__ import annotations

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
_INCH = 0.0254


@dataclass
class Bone:
    """A bone of an ASF: unit ``direction`` times ``length`` in the file's units, axes (3, 3), and its ``dof``."""

    name: str
    direction: list[float] = field(default_factory=list)
    length: float | None = None
    axes: Floats | None = None
    dof: tuple[str, ...] = ()


@dataclass
class Skeleton:
    """An ASF: bones by name (``root`` first), the parent of each, metres per unit
    (``None``: the file does not say), whether angles are in degrees, where the root starts."""

    bones: dict[str, Bone]
    parents: dict[str, str]
    units: float | None
    degrees: bool
    start: Floats


def find_asf(path: Path) -> Path:
    """The ASF of an AMC: of the same name, or of the longest start of it up to an underscore (``01_03`` -> ``01``)."""
    folder = path.parent
    offered = {p.stem.lower(): p for p in sorted(folder.glob("*")) if p.suffix.lower() == ".asf"}
    words = path.stem.lower().split("_")
    for count in range(len(words), 0, -1):
        if "_".join(words[:count]) in offered:
            return offered["_".join(words[:count])]
    raise FormatError(
        path.name, "skeleton", f"an .asf beside it, such as {path.stem}.asf",
        ", ".join(p.name for p in offered.values()) or "none", "Name it with skeleton_file=.",
    )  # fmt: skip


def read_amc(path: Path, said: Said | None = None, skeleton_file: Path | None = None) -> Motion:
    """The movement in an AMC and its ASF. ``said.rate_hz`` is needed. Raises ``FormatError``; see ``read_motion``."""
    said = said or Said()
    skeleton_file = skeleton_file or find_asf(path)
    skeleton = read_asf(skeleton_file)
    if said.rate_hz is None:
        raise FormatError(path.name, "rate", "frames per second", "none: AMC does not state it",
                          "Say rate_hz= (CMU and HDM05: 120; some of CMU: 60).")  # fmt: skip
    rate_hz = check_rate(path.name, "rate_hz=", said.rate_hz)
    values, radians = _frames(path, skeleton, skeleton_file.name)
    chain, index = chain_of(skeleton)
    turns = {index[name]: _turn(skeleton.bones[name], numbers * radians) for name, numbers in values.items()}
    return motion_of(path.name, chain, turns, {0: _place(skeleton, values)}, rate_hz, said, skeleton.units)


def chain_of(skeleton: Skeleton) -> tuple[Chain, dict[str, int]]:
    """The skeleton as a chain in its rest pose, and the index of each bone's joint by the bone's name."""
    bones = list(skeleton.bones.values())
    names = [bone.name if bone.name != "root" else "hips" for bone in bones]
    index = {bone.name: i for i, bone in enumerate(bones)}
    parents = [index[skeleton.parents[bone.name]] if bone.name in skeleton.parents else -1 for bone in bones]
    tips = [np.array(bone.direction) * (bone.length or 0.0) for bone in bones]
    offsets = [tips[parent] if parent >= 0 else np.zeros(3) for parent in parents]
    # a bone's joint sits where the bone starts; where no bone follows, its tip is a joint too
    for i in range(1, len(bones)):
        if i not in parents:
            names.append(f"{bones[i].name}.end")
            parents.append(i)
            offsets.append(tips[i])
    return Chain(tuple(names), tuple(parents), np.array(offsets)), index


def _turn(bone: Bone, values: Floats) -> Floats:
    """``(frames, 3, 3)``: C M C^-1 of the bone's angles (radians) among its ``values (frames, dof)``."""
    angles = [i for i, dof in enumerate(bone.dof) if dof[0] == "r"]
    # fixed axes, first angle first: the same as turning axes, last angle first
    order = "".join(bone.dof[i][1] for i in reversed(angles))
    inner = turned(order, values[:, angles[::-1]])
    axes = bone.axes if bone.axes is not None else np.eye(3)
    return axes @ inner @ axes.T


def _place(skeleton: Skeleton, values: dict[str, Floats]) -> Floats:
    """Where the root is: ``(frames, 3)``."""
    dof = skeleton.bones["root"].dof
    out = np.tile(skeleton.start, (len(values["root"]), 1))
    for i, channel in enumerate(dof):
        if channel[0] == "t":
            out[:, "xyz".index(channel[1])] += values["root"][:, i]
    return out


def read_asf(path: Path) -> Skeleton:
    """The skeleton in an ASF. Raises ``FormatError`` naming the line."""
    file = path.name
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    current: list[tuple[int, list[str]]] | None = None
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            name = words[0][1:].lower()
            if name in sections:
                raise FormatError(file, f"line {number}", "each section once", f":{name} again")
            current = sections.setdefault(name, [])
            words = words[1:]
        if current is None:
            raise FormatError(file, f"line {number}", "a section such as :units", short(line.strip()), "Is this ASF?")
        if words:
            current.append((number, words))
    for name in ("root", "bonedata", "hierarchy"):
        if not sections.get(name):
            raise FormatError(file, "", f"a section :{name}", "none", "The file is cut off, or is not ASF.")
    units = {words[0].lower(): words[1:] for _, words in sections.get("units", [])}
    degrees = _degrees(file, units)
    root, start = _root(file, sections["root"], degrees)
    bones = {"root": root, **_bones(file, sections["bonedata"], degrees)}
    parents = _parents(file, sections["hierarchy"], bones)
    ordered = _ordered(file, bones, parents)
    length = numbers(file, ":units length", units["length"], 1)[0] if "length" in units else 1.0
    if length <= 0:
        raise FormatError(file, ":units length", "a positive number", f"{length}")
    scale = _INCH / length if length != 1 else None
    return Skeleton({name: bones[name] for name in ordered}, parents, scale, degrees, start)


def _degrees(file: str, units: dict[str, list[str]]) -> bool:
    angle = (units.get("angle") or ["deg"])[0].lower()
    if angle not in ("deg", "degree", "degrees", "rad", "radian", "radians"):
        raise FormatError(file, ":units angle", "deg or rad", short(angle))
    return angle.startswith("deg")


def _axes(file: str, where: str, words: list[str], degrees: bool) -> Floats:
    """``(3, 3)`` from three angles and their order: ``axis 0 0 20 XYZ``."""
    if not words or sorted(words[-1].lower()) != ["x", "y", "z"]:
        raise FormatError(file, where, "three angles and an order such as XYZ", short(" ".join(words)))
    angles = np.array(numbers(file, where, words[:-1], 3))
    check_numbers(file, angles[None], LARGEST_ANGLE, f"angles ({where})")
    return turned(words[-1].lower()[::-1], (np.deg2rad(angles) if degrees else angles)[::-1])


def _dof(file: str, where: str, words: list[str], allowed: str) -> tuple[str, ...]:
    """Channels ``("rx", "ry")``, each once, of the kinds in ``allowed`` (r, t)."""
    dof = tuple(word.lower() for word in words)
    if len(set(dof)) < len(dof) or not all(re.fullmatch(f"[{allowed}][xyz]", word) for word in dof):
        raise FormatError(file, where, f"channels of {allowed} and x, y, z, each once", short(" ".join(words)))
    return dof


def _root(file: str, rows: list[tuple[int, list[str]]], degrees: bool) -> tuple[Bone, Floats]:
    given = {words[0].lower(): (f"line {number}", words[1:]) for number, words in rows}
    if "order" not in given:
        raise FormatError(file, ":root", "order", "none")
    where, words = given["order"]
    order = _dof(file, where, words, "rt")
    _, axis = given.get("axis", ("", ["XYZ"]))
    where, angles = given.get("orientation", ("", ["0", "0", "0"]))
    axes = _axes(file, where or ":root axis", [*angles, *axis], degrees)
    where, place = given.get("position", ("", ["0", "0", "0"]))
    return Bone("root", [0.0, 0.0, 0.0], 0.0, axes, order), np.array(numbers(file, where, place, 3))


def _bones(file: str, rows: list[tuple[int, list[str]]], degrees: bool) -> dict[str, Bone]:
    bones: dict[str, Bone] = {}
    bone: Bone | None = None
    for number, words in rows:
        where, key = f"line {number}", words[0].lower()
        if key == "begin" and bone is None:
            bone = Bone("")
        elif bone is None or key == "begin":
            raise FormatError(file, where, "begin, and end before the next begin", short(" ".join(words)))
        elif key == "end":
            if not bone.name or not bone.direction or bone.length is None or bone.name in ("root", *bones):
                raise FormatError(file, where, "a bone with a name of its own, direction and length", f"'{bone.name}'")
            bones[bone.name], bone = bone, None
        elif key == "name" and len(words) == 2:
            bone.name = words[1]
        elif key == "direction":
            bone.direction = numbers(file, where, words[1:], 3)
        elif key == "length":
            bone.length = numbers(file, where, words[1:], 1)[0]
        elif key == "axis":
            bone.axes = _axes(file, where, words[1:], degrees)
        elif key == "dof":
            bone.dof = _dof(file, where, words[1:], "r")
        elif key not in ("id", "limits", "bodymass", "cofmass") and not key.startswith("("):
            raise FormatError(file, where, "a line of a bone", short(" ".join(words)))
    if bone is not None:
        raise FormatError(file, ":bonedata", "end after every bone", f"none after '{bone.name}'")
    for name, one in bones.items():
        length = one.length or 0.0
        check_numbers(file, np.array([one.direction]), LARGEST_PLACE, f"bone '{name}'")
        if abs(np.linalg.norm(one.direction) - 1) > 0.02 or not 0 <= length <= LARGEST_PLACE:
            given = f"{one.direction}, {length:g}"
            raise FormatError(file, f"bone '{name}'", "a direction of length 1, a length of at least 0", given)
        if one.dof and one.axes is None:
            raise FormatError(file, f"bone '{name}'", "an axis, as it turns", "none")
    return bones


def _parents(file: str, rows: list[tuple[int, list[str]]], bones: dict[str, Bone]) -> dict[str, str]:
    parents: dict[str, str] = {}
    marks = [words[0].lower() for _, words in (rows[0], rows[-1])]
    if marks != ["begin", "end"]:
        raise FormatError(file, f"line {rows[-1][0]}", "begin ... end around the hierarchy", short(" ... ".join(marks)))
    for number, words in rows[1:-1]:
        for word in words:
            if word not in bones:
                raise FormatError(file, f"line {number}", "bones of :bonedata", short(word))
        for child in words[1:]:
            if child in parents or child == "root":
                raise FormatError(file, f"line {number}", "one parent for each bone", f"a second for '{child}'")
            parents[child] = words[0]
    return parents


def _ordered(file: str, bones: dict[str, Bone], parents: dict[str, str]) -> list[str]:
    """Names, parents first; ``FormatError`` where bones do not hang on the root (or hang on one another in a ring)."""
    if len(bones) > MOST_JOINTS:
        raise FormatError(file, ":bonedata", f"at most {MOST_JOINTS} bones", f"{len(bones)}")
    ordered = ["root"]
    for above in ordered:
        ordered += [name for name, parent in parents.items() if parent == above]
    loose = [name for name in bones if name not in ordered]
    if loose:
        raise FormatError(file, ":hierarchy", "every bone on the root", f"not so: {', '.join(loose[:20])}")
    return ordered


def _frames(path: Path, skeleton: Skeleton, asf: str) -> tuple[dict[str, Floats], float]:
    """Bone -> numbers ``(frames, dof)`` as written, and the radians in one unit of its angles."""
    file = path.name
    text = read_text(path)
    if not text.endswith(("\n", "\r")):
        raise FormatError(file, "end", "a line break after the last number", "none", "The file is cut off.")
    rows = [(i, line.split()) for i, line in enumerate(text.splitlines(), 1)]
    rows = [(i, words) for i, words in rows if words and not words[0].startswith("#")]
    head = [words[0].upper() for _, words in rows if words[0].startswith(":")]
    rows = [(i, words) for i, words in rows if not words[0].startswith(":")]
    if not rows or not set(head) <= {":FULLY-SPECIFIED", ":DEGREES", ":RADIANS"} or len(set(head)) < len(head):
        raise FormatError(file, "", "frames after :FULLY-SPECIFIED and :DEGREES", short(" ".join(head)), "Is this AMC?")
    wanted = {bone.name: len(bone.dof) for bone in skeleton.bones.values() if bone.dof}
    each = len(wanted) + 1
    if not each <= len(rows) <= each * MOST_FRAMES:
        raise FormatError(file, "frames", f"1 to {MOST_FRAMES} of {each} lines", f"{len(rows)} lines")
    order = [words[0] for _, words in rows[1:each]]
    if sorted(order) != sorted(wanted):
        differ = sorted(set(order) ^ set(wanted))
        raise FormatError(
            file, f"line {rows[0][0]}", f"the {len(wanted)} bones that turn in {asf}, each once",
            f"others: {', '.join(differ[:20]) or 'one twice'}", "Is it the skeleton of another subject?",
        )  # fmt: skip
    _in_order(file, rows, order, wanted)
    degrees = ":DEGREES" in head or (":RADIANS" not in head and skeleton.degrees)
    return _table(file, rows, order), np.pi / 180 if degrees else 1.0


def _in_order(file: str, rows: list[tuple[int, list[str]]], order: list[str], wanted: dict[str, int]) -> None:
    """Raise ``FormatError`` where a line is not the next number of a frame, or the next bone with its numbers."""
    each, first = len(order) + 1, rows[0][1][0]
    if not first.isdigit() or len(first) > 9:
        raise FormatError(file, f"line {rows[0][0]}", "the number of the first frame", short(first))
    counts = [1, *(wanted[name] + 1 for name in order)]
    for k, (number, words) in enumerate(rows):
        due = order[k % each - 1] if k % each else str(int(first) + k // each)
        if words[0] != due or len(words) != counts[k % each]:
            raise FormatError(
                file, f"line {number}", f"'{due}' and {counts[k % each] - 1} numbers", short(" ".join(words)),
                "The file is cut off, or was edited: copy it again.",
            )  # fmt: skip
    if len(rows) % each:
        raise FormatError(file, f"line {rows[-1][0]}", "whole frames", "one cut off", "Copy the file again.")


def _table(file: str, rows: list[tuple[int, list[str]]], order: list[str]) -> dict[str, Floats]:
    out = {}
    for k, name in enumerate(order, 1):
        chosen = rows[k :: len(order) + 1]
        try:
            cells = np.array([words[1:] for _, words in chosen])
            if (np.char.find(cells, "_") >= 0).any():
                raise ValueError("an underscore")
            values = cells.astype(np.float64)
        except ValueError as error:
            for line, words in chosen:
                numbers(file, f"line {line}", words[1:], len(words) - 1)
            raise FormatError(file, f"bone '{name}'", "numbers", str(error)) from error
        bad = ~np.isfinite(values).all(1)
        if bad.any():
            raise FormatError(file, f"line {chosen[int(bad.argmax())][0]}", "finite numbers", "nan or inf")
        check_numbers(file, values, LARGEST_ANGLE, "numbers")
        out[name] = values
    return out
