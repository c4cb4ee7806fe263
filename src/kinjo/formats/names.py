"""Which joint of a file is which joint of the canonical skeleton: the names that capture systems give.

Namings known: CMU and HDM05 (ASF bones, and BVH made of them), Mixamo, Biovision, 3ds Max Biped, Xsens, Rokoko, SMPL,
and what is spelt alike. The same word means different joints in different namings (``LeftShoulder`` is a collar beside
``LeftArm``, and a shoulder beside ``LeftElbow``), so words are tried in order and a joint is given away only once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from kinjo.body import CANONICAL
from kinjo.formats.chain import Chain
from kinjo.formats.errors import FormatError, Said

_SIDED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("knee", ("knee", "shin", "calf", "lowleg", "lowerleg", "legdown", "tibia", "foreleg", "leg")),
    ("hip", ("upleg", "upperleg", "legup", "thigh", "femur", "hip", "leg")),
    ("ankle", ("ankle", "foot")),
    ("foot", ("toebase", "toe", "toes", "toe0", "ball", "foot")),
    ("elbow", ("forearm", "lowarm", "lowerarm", "armdown", "elbow", "radius")),
    ("shoulder", ("uparm", "upperarm", "armup", "humerus", "arm", "shoulder")),
    ("wrist", ("wrist", "hand")),
)
_MIDDLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pelvis", ("hips", "pelvis", "hip", "hipcenter", "hipscenter")),
    ("neck", ("neck", "lowerneck", "neckbase", "neck0", "neck1", "shouldercenter")),
    ("head", ("head",)),
)
_PREFIX = re.compile(r"^(mixamorig\d*|bip\d+|character\d+|[mf]avg)(?=.)")
_OPTIONAL = ("pelvis", "neck", "head", "left_foot", "right_foot")

Found = dict[str, tuple[int, ...]]
"""canonical joint -> indices of the file's joints whose mean it is."""


def spelt(name: str) -> str:
    """A joint's name without case, name space, marks between words, and the prefix of a program."""
    bare = re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower())
    return _PREFIX.sub("", bare)


def _spellings(name: str) -> tuple[tuple[str, str], ...]:
    """The (side, word) pairs that a name may mean: ``L_Hip``, ``LeftHip``, ``hip.L`` all give ``(left, hip)``."""
    word = spelt(name)
    pairs = [
        (side, word.removeprefix(start))
        for start, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right"))
        if word.startswith(start)
    ]
    end = re.search(r"[._\- ]?(left|right|(?<=[._\- ])[lr])$", name, re.IGNORECASE)
    if end:
        pairs.append(("left" if end[1].lower().startswith("l") else "right", spelt(name[: end.start()])))
    return tuple(pairs)


def match(names: Sequence[str]) -> tuple[Found, dict[str, str]]:
    """The canonical joints that can be had from joints of these names, and by which word; others are absent."""
    sided: dict[tuple[str, str], int] = {}
    plain: dict[str, int] = {}
    for i, name in enumerate(names):
        if name.endswith(".end"):
            continue
        plain.setdefault(spelt(name), i)
        for pair in _spellings(name):
            sided.setdefault(pair, i)
    found: Found = {}
    by: dict[str, str] = {}
    taken: set[int] = set()
    for side in ("left", "right"):
        for joint, words in _SIDED:
            if joint == "wrist" and (side, "radius") in sided:
                words = ("hand", "wrist")  # an ASF's bone 'wrist' starts in mid-forearm
            word = next((w for w in words if (side, w) in sided and sided[side, w] not in taken), None)
            if word is not None:
                found[f"{side}_{joint}"], by[f"{side}_{joint}"] = (sided[side, word],), word
                taken.add(sided[side, word])
    for joint, words in _MIDDLE:
        i = next((plain[w] for w in words if w in plain and plain[w] not in taken), None)
        if i is not None:
            found[joint] = (i,)
            taken.add(i)
    return found, by


def _by_hand(file: str, names: Sequence[str], joints: Mapping[str, str | tuple[str, ...]]) -> Found:
    """What the caller says: canonical joint -> a name or names of the file."""
    found: Found = {}
    for joint, given in joints.items():
        if joint not in CANONICAL.joints:
            raise FormatError(file, "joints=", f"one of {', '.join(CANONICAL.joints)}", repr(joint), "Correct it.")
        chosen = (given,) if isinstance(given, str) else tuple(given)
        absent = [name for name in chosen if name not in names]
        if absent or not chosen:
            raise FormatError(
                file,
                f"joints={{{joint!r}: ...}}",
                f"names among {_listed(names)}",
                f"{absent or 'none'}",
                "Correct it.",
            )
        found[joint] = tuple(names.index(name) for name in chosen)
    return found


def canonical_joints(file: str, chain: Chain, said: Said) -> Found:
    """Canonical joint -> joints of the chain whose mean stands for it; ``said.joints`` (by hand) before the names.

    A pelvis or neck that has no name of its own is the middle of hips or shoulders; a head is the middle of the
    joint and its end; toes are the end of the foot. What stands in or lacks is
    noted. Raises ``FormatError`` where a limb's joint is not found, or does not hang on the one above it.
    """
    found, by = match(chain.names)
    found |= _by_hand(file, chain.names, said.joints)
    for joint in (joint for joint in _OPTIONAL if joint not in found):
        said.note(f"{file}: no joint is named like the {joint}; another stands for it, or it is missing")
    lacking = [joint for joint in CANONICAL.joints if joint not in found and joint not in _OPTIONAL]
    if lacking:
        raise FormatError(
            file, "joints", f"names for {', '.join(lacking)}", f"the joints {_listed(chain.names)}",
            f"Say which they are: joints={{{lacking[0]!r}: 'name in the file', ...}}.",
        )  # fmt: skip
    for joint in (joint for joint, _ in _SIDED if not {f"left_{joint}", f"right_{joint}"} & set(said.joints)):
        words = [by.get(f"{side}_{joint}") for side in ("left", "right")]
        if words[0] != words[1]:
            raise FormatError(
                file, "joints", f"{joint}s of like names left and right",
                " and ".join(repr(word) for word in words) + f" among {_listed(chain.names)}",
                f"Say which they are: joints={{'left_{joint}': ..., 'right_{joint}': ...}}.",
            )  # fmt: skip
    if "head" not in said.joints and "head" in found:
        found["head"] += _ends(chain, found["head"][0])[:1]
    for side in ("left", "right"):
        if f"{side}_foot" not in found and (ends := _ends(chain, found[f"{side}_ankle"][0])):
            found[f"{side}_foot"] = ends[:1]
    found.setdefault("pelvis", found["left_hip"] + found["right_hip"])
    found.setdefault("neck", found["left_shoulder"] + found["right_shoulder"])
    for side in ("left", "right"):
        for line in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            _in_line(file, chain, found, tuple(f"{side}_{joint}" for joint in line))
    return found


def _ends(chain: Chain, joint: int) -> tuple[int, ...]:
    return tuple(i for i, up in enumerate(chain.parents) if up == joint and chain.names[i].endswith(".end"))


def _in_line(file: str, chain: Chain, found: Found, line: tuple[str, ...]) -> None:
    for upper, lower in pairwise(line):
        if not set(found[upper]) & set(chain.ancestors(found[lower][0])[1:]):
            raise FormatError(
                file, "joints", f"{lower} below {upper}",
                f"'{chain.names[found[lower][0]]}' that does not hang on '{chain.names[found[upper][0]]}'",
                f"Say which they are: joints={{{upper!r}: ..., {lower!r}: ...}}.",
            )  # fmt: skip


def _listed(names: Sequence[str], most: int = 80) -> str:
    shown = [name for name in names if not name.endswith(".end")]
    return ", ".join(shown[:most]) + (f", ... ({len(shown)} in all)" if len(shown) > most else "")
