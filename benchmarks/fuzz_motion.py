"""Fuzz the readers of motion: damage small BVH, AMC, ASF, C3D and marker files in hundreds of ways.

Every damaged file is read in a process of its own pool, with a time limit. Allowed ends:

* ``error``     a ``FormatError``,
* ``identical`` positions, rotations and rate are as in the undamaged file,
* ``missing``   joints are marked as missing, the others are as in the undamaged file (a gap is a gap),
* ``noted``     the ``notes`` say which joint had no name that is known, and what stands for it.

``crash`` (another exception, or a process that dies), ``hang`` (over the limit) and ``silent`` (other values without a
word) count against the bar ``fuzz.motion.crashes`` = 0.

Left out, because no reader could notice: damage that gives another valid file where the format has neither checksum
nor redundancy: digits within a number (also one that is cut short at the very end of a file); whole frames at the end
of AMC, at start or end of a table of markers, and anywhere in one without a column of frames (UI-PRMD); the order of
axes in an ASF; a bit within the samples of a C3D, in its gaps, and in its first frame's number.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import _motion_files as files  # pyright: ignore[reportMissingImports]
from _tools import write
from kinjo.formats import PLUG_IN_GAIT, FormatError, read_motion
from kinjo.motion import Motion

LIMIT_S = 20.0
Damage = Callable[[bytes, np.random.Generator], bytes]


def originals() -> dict[str, tuple[dict[str, bytes], str, dict[str, Any]]]:
    """name -> the files by name, the one that is damaged, and what ``read_motion`` is told."""
    rng = np.random.default_rng(0)
    place = np.tile([0.0, files.HEIGHT, 0.0], (12, 1)) + 0.05 * rng.normal(size=(12, 3))
    places = files.marker_places(PLUG_IN_GAIT, 12, rng)
    bvh = files.bvh(files.angles(rng, 12), place, scale=100).encode()
    pair = {"s.asf": files.asf().encode(), "s_1.amc": files.amc(files.amc_values(rng, 12)).encode()}
    table, nexus = files.marker_table(places, PLUG_IN_GAIT, True), files.nexus_table(places, PLUG_IN_GAIT)
    bare = files.marker_table(places)
    return {
        "bvh": ({"s.bvh": bvh}, "s.bvh", {}),
        "amc": (pair, "s_1.amc", {"rate_hz": 120.0}),
        "asf": (pair, "s.asf", {"rate_hz": 120.0}),
        "table": ({"s.csv": table.encode()}, "s.csv", {"rate_hz": 100.0}),
        "nexus": ({"s.csv": nexus.encode()}, "s.csv", {}),
        "ui-prmd": ({"s.txt": bare.encode()}, "s.txt", {"rate_hz": 100.0}),
        "c3d": ({"s.c3d": files.c3d(places, PLUG_IN_GAIT)}, "s.c3d", {}),
    }


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """Up to a byte that leaves neither whole frames nor only a shorter last number."""
    lines = data.split(b"\n")
    while True:
        end = int(rng.integers(0, len(data.rstrip()) - 12))
        line = data[:end].count(b"\n")
        left = data[:end].split(b"\n")[-1]
        ends_row = left.count(b",") == lines[line].count(b",") and left.count(b" ") == lines[line].count(b" ")
        if left and not ends_row:
            return data[:end]


def line_damage(change: Callable[[list[bytes], int, np.random.Generator], None]) -> Damage:
    """A damage to one random line, not one of blanks."""

    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        lines = data.split(b"\n")[:-1]
        change(lines, int(rng.integers(0, len(lines))), rng)
        return b"\n".join(lines) + b"\n"

    return damage


def drop_line(lines: list[bytes], at: int, rng: np.random.Generator) -> None:
    """A line is absent; not the first or last frame of a table, which could as well have been cropped."""
    at = min(at, len(lines) - 2)
    del lines[at + 1 if lines[at].startswith(b"1,") else at]


def repeat_line(lines: list[bytes], at: int, rng: np.random.Generator) -> None:
    """A line is there twice."""
    lines.insert(at, lines[at])


def swap_halves(lines: list[bytes], at: int, rng: np.random.Generator) -> None:
    """The end of the file comes before its start."""
    at = max(1, min(at, len(lines) - 1))
    lines[:] = lines[at:] + lines[:at]


def _split(line: bytes) -> tuple[list[bytes], bytes]:
    mark = b"," if b"," in line else b" "
    return line.split(mark) if line.strip() else [], mark


def less(lines: list[bytes], at: int, rng: np.random.Generator) -> None:
    """A word or a cell less."""
    words, mark = _split(lines[at])
    solid = [i for i, word in enumerate(words) if word.strip()] if mark == b" " else list(range(len(words)))
    if len(solid) > 1:
        del words[int(rng.choice(solid))]
        lines[at] = mark.join(words)


def more(lines: list[bytes], at: int, rng: np.random.Generator) -> None:
    """A number more."""
    words, mark = _split(lines[at])
    words.insert(int(rng.integers(1, len(words) + 1)) if words else 0, b"7.25")
    lines[at] = mark.join(words)


ODD = (
    b"nan",
    b"inf",
    b"-inf",
    b"1e400",
    b"1e300",
    b"-9e99",
    b"abc",
    b"0x1F",
    b"1.2.3",
    b"--5",
    b"1,5",
    b"\xff\xfe",
    b"{",
    b"}",
    b"1_0",
)


def odd(lines: list[bytes], at: int, rng: np.random.Generator) -> None:
    """A word or a cell is replaced by one that cannot stand there."""
    words, mark = _split(lines[at])
    solid = [i for i, word in enumerate(words) if word.strip()]
    if solid:
        words[int(rng.choice(solid))] = ODD[int(rng.integers(len(ODD)))]
        lines[at] = mark.join(words)


def rubbish(data: bytes, rng: np.random.Generator) -> bytes:
    """What a failed download leaves, or nothing, or the bytes of another program."""
    noise = rng.bytes(int(rng.integers(1, 5000)))
    text = data.decode("latin-1")
    ways = (b"", b"\n \n", noise, b"<!DOCTYPE html><html>404</html>\n", text.encode("utf-16"), data[:40] + noise,
            data[::-1], b"\0" * 4096, data + b"\0" * 7 + noise, b"PK\x03\x04" + noise)  # fmt: skip
    return ways[int(rng.integers(len(ways)))]


def replaced(*pairs: tuple[bytes, bytes]) -> Damage:
    """One of ``pairs``: the first becomes the second, once."""

    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        old, new = pairs[int(rng.integers(len(pairs)))]
        assert old in data, old
        return data.replace(old, new, 1)

    return damage


def deep(data: bytes, rng: np.random.Generator) -> bytes:
    """Thousands of joints, one in another or side by side."""
    joint = b"JOINT j%d\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    count = int(rng.integers(1100, 4000))
    inner = b"".join(joint % i + (b"" if rng.random() < 2 and count % 2 else b"}\n") for i in range(count))
    return data.replace(b"\tJOINT", inner + b"\tJOINT", 1)


def flip(low: int, high: int) -> Damage:
    """1 to 3 bits in bytes ``[low, high)``."""

    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        out = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            out[int(rng.integers(low, min(high, len(out))))] ^= 1 << int(rng.integers(0, 8))
        return bytes(out)

    return damage


def words_of_header(data: bytes, rng: np.random.Generator) -> bytes:
    """A word of the C3D header is zero, one, or as large as can be; not the first frame's number alone."""
    out = bytearray(data)
    at = int(rng.choice([0, 2, 4, 8, 16, 18]))
    out[at : at + 2] = int(rng.choice([0, 1, 0x7FFF, 0xFFFF])).to_bytes(2, "little")
    return bytes(out)


def cut_binary(data: bytes, rng: np.random.Generator) -> bytes:
    """Up to a random byte of the first nine tenths."""
    return data[: int(rng.integers(0, len(data) * 9 // 10))]


LINES = {
    "a line less": line_damage(drop_line), "a line twice": line_damage(repeat_line), "a word less": line_damage(less),
    "a number more": line_damage(more), "an odd word": line_damage(odd), "end first": line_damage(swap_halves),
    "cut off": cut, "rubbish": rubbish,
}  # fmt: skip
KINDS: dict[str, dict[str, Damage]] = {
    "bvh": {
        **LINES,
        "counts": replaced(
            (b"Frames: 12", b"Frames: 11"),
            (b"Frames: 12", b"Frames: 13"),
            (b"Frames: 12", b"Frames: 0"),
            (b"Frames: 12", b"Frames: 99999999999"),
            (b"Frames: 12", b"Frames: -12"),
            (b"CHANNELS 6", b"CHANNELS 5"),
            (b"CHANNELS 3", b"CHANNELS 4"),
            (b"CHANNELS 3", b"CHANNELS"),
        ),
        "times": replaced(
            *(
                (b"Frame Time: 0.008333", b"Frame Time: " + t)
                for t in (b"0", b"-0.01", b"nan", b"inf", b"", b"1e-9", b"40", b"0,008333")
            )
        ),
        "names": replaced(
            (b"JOINT Neck", b"JOINT Spine"),
            (b"JOINT LeftLeg", b"JOINT LeftUpLeg"),
            (b"ROOT", b"JOINT"),
            (b"JOINT LeftLeg", b"JOINT"),
            (b"JOINT LeftLeg", b"JOINT x"),
            (b"JOINT Spine", b"ROOT Spine"),
            (b"Zrotation", b"Wrotation"),
            (b"Zrotation", b"Xrotation"),
            (b"End Site", b"End"),
            (b"MOTION", b"MOTIONS"),
            (b"HIERARCHY", b""),
        ),
        "deep": deep,
    },
    "amc": {
        **LINES,
        "names": replaced(
            (b"\nlfemur", b"\nrfemur"),
            (b"\nlfemur", b"\nlfemurs"),
            (b":DEGREES", b":GRADS"),
            (b"\n3\n", b"\n4\n"),
            (b"\n3\n", b"\n\n"),
            (b"\n1\n", b"\nx\n"),
            (b"\nroot ", b"\n"),
        ),
    },
    "asf": {
        **LINES,
        "names": replaced(
            (b"name lfemur", b"name rfemur"),
            (b"lfemur ltibia", b"ltibia lfemur"),
            (b"ltibia lfoot", b"lfoot ltibia"),
            (b"name lfemur", b"name root"),
            (b"angle deg", b"angle grad"),
            (b"length 0.45", b"length 0"),
            (b"length 0.45", b"length -1"),
            (b"dof rx ry rz", b"dof rx rx rz"),
            (b"order TX", b"order RX"),
            (b"lfoot ltoes", b"lfoot ltoes lfemur"),
            (b"direction", b"direction 0"),
            (b"XYZ", b"XXZ"),
            (b":bonedata", b":bones"),
            (b"root lowerback", b"ltoes lowerback"),
        ),
    },
    "table": {
        **LINES,
        "names": replaced((b"LKNE_X", b"RKNE_X"), (b"LKNE", b"Lknie"), (b"_Y", b"_Z"), (b"\n3,", b"\n5,")),
    },
    "nexus": {
        **LINES,
        "names": replaced(
            (b"Bob:LKNE", b"Bob:RKNE"),
            (b"X,Y,Z", b"X,Z,Y"),
            (b"mm", b"furlong"),
            (b"\n100\n", b"\n0\n"),
            (b"\n100\n", b"\n-5\n"),
            (b"\n100\n", b"\n1e9\n"),
        ),
    },
    "ui-prmd": {kind: LINES[kind] for kind in ("a word less", "a number more", "an odd word", "cut off", "rubbish")},
    "c3d": {
        "cut off": cut_binary,
        "rubbish": rubbish,
        "header": flip(0, 24),
        "parameters": flip(512, 1536),
        "more parameters": flip(512, 700),
        "words": words_of_header,
        "names": replaced((b"LKNE", b"RKNE"), (b"LKNE", b"LKNX"), (b"LASI", b"    "), (b"mm", b"km"), (b"+Z", b"+X")),
    },
}


def read(folder: str, name: str, said: dict[str, Any]) -> tuple[str, Any]:
    """How reading a file ends: ``(error | crash | read, what was said, or the motion and its notes)``."""
    import warnings

    warnings.simplefilter("error")
    try:
        notes: list[str] = []
        return "read", (read_motion(Path(folder) / name, **said, notes=notes), sorted(notes))
    except FormatError as error:
        return "error", str(error)
    except Exception as error:  # that is what is looked for
        return "crash", f"{type(error).__name__}: {error}"


def judge(one: tuple[Motion, list[str]], other: tuple[Motion, list[str]]) -> str:
    """``identical``, ``missing``, ``noted`` or ``silent``: see the top of the file."""
    (given, notes), (wanted, usual) = one, other
    if any("no joint" in note for note in set(notes) - set(usual)):
        return "noted"
    if given.positions.shape != wanted.positions.shape or given.rate_hz != wanted.rate_hz:
        return "silent"
    gone = np.zeros(given.positions.shape[:2], bool) if given.missing is None else given.missing
    near = np.abs(given.positions - wanted.positions).max(-1) <= (2e-3 if gone.any() else 1e-9)
    if given.rotations is not None and wanted.rotations is not None:
        near &= bool(np.abs(given.rotations - wanted.rotations).max() <= 1e-9)
    if not (near | gone).all():
        return "silent"
    return "missing" if gone.any() else "identical"


def cases(repeats: int) -> Iterator[tuple[str, str, Damage]]:
    """``(format, kind of damage, damage)``, each kind ``repeats`` times."""
    for name, kinds in KINDS.items():
        for kind, damage in kinds.items():
            for _ in range(repeats):
                yield name, kind, damage


def run(repeats: int = 8, seed: int = 0, workers: int = 2, limit_s: float = LIMIT_S) -> list[dict[str, str]]:
    """Damage, read and judge: a row per case with its format, kind, end, and what was said."""
    sound = originals()
    rows = []
    with tempfile.TemporaryDirectory() as root, multiprocessing.get_context("spawn").Pool(workers) as pool:
        wanted = {}
        for name, (tree, main, said) in sound.items():
            folder = _write(Path(root) / name, tree)
            end, wanted[name] = read(folder, _target(main), said)
            assert end == "read", f"{name}: {wanted[name]}"
        waiting = []
        for number, (name, kind, damage) in enumerate(cases(repeats)):
            tree, main, said = sound[name]
            rng = np.random.default_rng([seed, number])
            folder = _write(Path(root) / str(number), {**tree, main: damage(tree[main], rng)})
            waiting.append((name, kind, pool.apply_async(read, (folder, _target(main), said))))
        for name, kind, result in waiting:
            try:
                end, told = result.get(limit_s + (60 if not rows else 0))  # the first waits for the start
                end = judge(told, wanted[name]) if end == "read" else end
            except multiprocessing.TimeoutError:
                end, told = "hang", f"nothing within {limit_s:g} s"
            told = told if isinstance(told, str) else ""
            rows.append({"format": name, "kind": kind, "end": end, "said": told})
    return rows


def _target(damaged: str) -> str:
    """The file that is read: a skeleton is read with its movement."""
    return "s_1.amc" if damaged == "s.asf" else damaged


def _write(folder: Path, tree: dict[str, bytes]) -> str:
    folder.mkdir()
    for name, data in tree.items():
        (folder / name).write_bytes(data)
    return str(folder)


def main(arguments: list[str] | None = None) -> int:
    """Run all cases, print a table, write the figure; exit status 1 where a reader crashed, hung or was silent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=10, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="not used: real data is never read here")
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    rows = run(given.repeats, given.seed)
    ends = ("error", "identical", "missing", "noted", "crash", "hang", "silent")
    print(f"{'format: damage':32}{'cases':>6}" + "".join(f"{end:>10}" for end in ends))
    for group in dict.fromkeys((row["format"], row["kind"]) for row in rows):
        counts = Counter(row["end"] for row in rows if (row["format"], row["kind"]) == group)
        print(f"{': '.join(group):32}{counts.total():6}" + "".join(f"{counts[end]:10}" for end in ends))
    bad = [row for row in rows if row["end"] in ("crash", "hang", "silent")]
    for row in bad:
        print(f"{row['end']}: {row['format']} {row['kind']}: {row['said']}")
    counts = Counter(row["end"] for row in rows)
    print(f"{len(rows)} damaged files, {len(bad)} bad, {time.perf_counter() - started:.0f} s")
    protocol = (
        f"{len(rows)} damaged BVH, AMC, ASF, C3D and marker files, made here, each read in a worker process with "
        f"{LIMIT_S:g} s; counted: another exception than FormatError, no answer in time, or other values "
        f"without a word; "
        f"damage that no reader can notice is left out (listed in the file). Ends: "
        f"{', '.join(f'{n} {end}' for end, n in sorted(counts.items()))}"
    )
    write("fuzz_motion", "fuzz.motion.crashes", len(bad), "count", protocol=protocol, seeds=1)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
