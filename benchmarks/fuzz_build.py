"""Fuzz ``kinjo build``: hostile videos and what lies beside them, hundreds of ways (``_hostile``).

Every case is a folder with something hostile and a good video, built by ``kinjo.builder.run.build`` in a process of its
own. Where no person matters the estimator is made up; MediaPipe sees a few. Counted against the bar
``fuzz.build.crashes`` = 0 is each case with any of:

* ``crash``      an exception other than ``BuildError``, also one that is told as a reason of a refusal,
* ``died``       the process died,
* ``hang``       no answer in 120 s,
* ``outside``    a file outside the output folder that is new, gone, changed or another,
* ``lost``       a file or chapter that is neither kept nor refused with a reason, or two of the same id,
* ``ended``      the good video was not kept because of its neighbour,
* ``led``        another file or the network was opened because a file said so,
* ``unescaped``  HTML of a name or title that became part of the report's own,
* ``other``      a clip kept of what is no video, or refused of a sound one.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import hashlib
import multiprocessing
import os
import socket
import stat
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

import _hostile
from _hostile import Case, Place
from _tools import write

LIMIT_S = 120.0
GOOD = 70
"""The grey of the good video, which no hostile one has."""


# ------------------------------------------------------------------------------------------------ the process
def serve(pipe: Any) -> None:
    """Build what comes in, until nothing does: places, output folder, folder to stand in, estimator."""
    from kinjo.builder import run, stages
    from kinjo.builder.errors import BuildError

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    real = stages.estimator
    settings = stages.Settings(short_side=48, placements=("right_wrist", "left_ankle"))
    while given := pipe.recv():
        places, out, where, estimator = given
        os.chdir(where)
        stages.estimator = real if estimator == "mediapipe" else lambda name, sha256, it=estimator: estimators()[it]
        workers = 1 if estimator == "mediapipe" else 0
        try:
            built = run.build([Path(p) for p in places], Path(out), settings, workers=workers, progress=False)
            rows = [{k: row.get(k, "") for k in ("id", "video", "file", "status", "reason")} for row in built.rows]
            pipe.send(("rows", rows))
        except BuildError as error:
            pipe.send(("error", str(error)))
        except BaseException as error:  # that is what is looked for
            last = traceback.extract_tb(error.__traceback__)[-1]
            pipe.send(("crash", f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"))


def estimators() -> dict[str, Any]:
    """Made-up estimators by name: functions from pictures to ``Seen``."""
    from kinjo.builder.estimators import Seen
    from kinjo.datasets import gym

    pose = gym.record(3, seconds=60.0, names=("squat",), sensors={}).streams["pose"]
    axes = np.asarray(pose.values(), float) * (1.0, -1.0, -1.0)
    rng = np.random.default_rng(0)

    def body(n: int, aside: float = 0.0, away: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
        moved = axes[np.arange(n) % len(axes)]
        at = moved - moved[:, :1].mean(0) + (aside, 0, away)
        return moved - moved[:, 9:10], at[..., :2] / at[..., 2:] * 55.4 + (32.0, 24.0)

    def one(world: Any, image: Any, sure: float = 1.0) -> Seen:
        found = [np.asarray(x, np.float32)[:, None] for x in (world, image)]
        return Seen("canonical", found[1], np.full(found[1].shape[:3], sure, np.float32), found[0])

    def two(n: int) -> Seen:
        pairs = zip(body(n, -0.5), body(n, 0.7, 6.0), strict=True)
        world, image = (np.stack([a, b], 1).astype(np.float32) for a, b in pairs)
        for x in (world, image):
            x[n // 2 :] = x[n // 2 :, ::-1]
        return Seen("canonical", image, np.ones(image.shape[:3], np.float32), world)

    def halves(n: int) -> Seen:
        seen = one(*body(n))
        seen.confidence[:, :, rng.permutation(17)[:8]] = np.nan
        seen.image[::2] = np.nan
        return seen

    ways = {
        "one": lambda n: one(*body(n)), "two": two, "nobody": lambda n: one(*body(n), 0.0), "halves": halves,
        "point": lambda n: one(np.zeros((n, 17, 3)), np.full((n, 17, 2), 20.0) + np.arange(17)[:, None] % 3),
        "jumping": lambda n: one(rng.normal(0, 5, (n, 17, 3)), rng.uniform(0, 64, (n, 17, 2))),
        "unknown": lambda n: one(np.full((n, 17, 3), np.nan), body(n)[1]),
        "near": lambda n: one(body(n)[0], body(n)[1] * 1e6),
        "huge": lambda n: one(body(n)[0] * 1e30, body(n)[1] * 1e30),
        "flat": lambda n: one(body(n)[0] * (1, 1, 0), body(n)[1] * (1, 0)),
    }  # fmt: skip
    return {name: lambda pictures, way=way: way(sum(1 for _ in pictures)) for name, way in ways.items()}


class Builder:
    """The process that builds, started again where it died or hangs."""

    def __init__(self) -> None:
        self._process: Any = None

    def build(self, *given: Any) -> tuple[str, Any]:
        """What came of it: ``rows``, ``error``, ``crash``, ``died`` or ``hang``, with the rows or what was said."""
        if self._process is None or not self._process.is_alive():
            context = multiprocessing.get_context("spawn")
            self._pipe, there = context.Pipe()
            self._process = context.Process(target=serve, args=(there,))
            self._process.start()
            there.close()
        self._pipe.send(given)
        if not self._pipe.poll(LIMIT_S):
            self.end()
            return "hang", f"no answer in {LIMIT_S:g} s"
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            return "died", f"exit status {self._process.exitcode}"

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()


# ------------------------------------------------------------------------------------------------ what is watched
def snapshot(root: Path, without: Path) -> dict[str, str]:
    """Every file under ``root``, but not under ``without``: its kind, and the hash of its bytes or where it leads."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) != without]
        for name in [*folders, *files]:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            said = os.readlink(path) if stat.S_ISLNK(mode) else ""
            if stat.S_ISREG(mode):
                said = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path)] = f"{stat.S_IFMT(mode)} {said}"
    return found


class Opened:
    """Tells whether one of some files was opened since it was last asked (Linux alone; elsewhere it never was)."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._file = -1
        if sys.platform == "linux":
            library = ctypes.CDLL(ctypes.util.find_library("c"))
            self._file = library.inotify_init1(os.O_NONBLOCK)
            for path in paths:
                library.inotify_add_watch(self._file, os.fsencode(path), 0x20)  # IN_OPEN

    def told(self) -> bool:
        """Whether it was."""
        with suppress(OSError):
            return self._file >= 0 and bool(os.read(self._file, 1 << 16))
        return False

    def close(self) -> None:
        """Watch no more."""
        if self._file >= 0:
            os.close(self._file)


class Tags(HTMLParser):
    """Collects what a report must not hold: scripts, handlers, addresses that run, tags that were never written."""

    KNOWN = frozenset(
        ["html", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "table", "tr", "td", "th", "span", "div"]
    ) | {"img", "a", "ul", "li"}

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.KNOWN or any(
            name.startswith("on") or (name in ("href", "src") and "script:" in (value or "").lower())
            for name, value in attrs
        ):
            self.wrong.append(f"<{tag} {attrs}>"[:200])


# ------------------------------------------------------------------------------------------------ one case
def judged(case: Case, root: Path, builder: Builder, listening: socket.socket, seed: list[int]) -> dict[str, Any]:
    """Make a case, build it, and say how it ended: ``end`` is ``kept``, ``refused``, or one that counts as bad."""
    videos, beside, out = root / "videos", root / "beside", root / "out"
    videos.mkdir()
    beside.mkdir()
    (beside / "secret.mp4").write_bytes(_hostile.video(shade=60))
    (beside / "secret.txt").write_text("nobody's business\n")
    (videos / "good.mp4").write_bytes(_hostile.video(shade=GOOD))
    case.make(Place(videos, beside, listening.getsockname()[1], np.random.default_rng(seed)))
    before = snapshot(root, out)
    opened = Opened([beside / "secret.mp4", beside / "secret.txt"])
    row: dict[str, Any] = {"kind": case.kind, "name": case.name}
    started = time.perf_counter()
    answer, said = builder.build(case.places or (str(videos),), str(out), str(videos), case.estimator)
    row["seconds"] = round(time.perf_counter() - started, 2)
    led = opened.told() if case.kind == "playlist" else False
    opened.close()
    with suppress(BlockingIOError):
        listening.accept()[0].close()
        led = True
    if answer == "error":
        answer, said = "ended", f"the whole build: {said}"
    if answer != "rows" or isinstance(said, str):
        return {**row, "end": answer, "said": str(said)[:500]}
    wrong = {"outside": _changes(before, snapshot(root, out)), "led": "opened" if led else ""}
    return {**row, **_end(case, said, videos, out, wrong)}


def _end(case: Case, rows: list[dict[str, str]], videos: Path, out: Path, wrong: dict[str, str]) -> dict[str, str]:
    from kinjo.builder import sources

    told = [row for row in rows if not row["file"].startswith("good.mp4")]
    found = {row["video"] for row in rows}
    places = [videos / p for p in case.places] or [videos]
    wanted = set(sources.ids_of(sources.videos(places)))
    page = Tags()
    page.feed((out / "report.html").read_text(encoding="utf-8"))
    kept = any(row["status"] == "kept" for row in told)
    mine = sum(row["file"].startswith("bad.") for row in rows)
    wrong |= {
        "crash": next((row["reason"] for row in rows if sources.UNEXPECTED in row["reason"]), ""),
        "ended": "" if any(r["id"] == "good___0" and _fair(r, case) for r in rows) else "good.mp4 is not kept",
        "unescaped": "".join(page.wrong[:1]),
    }
    if found != wanted or len({row["id"] for row in rows}) != len(rows):
        wrong["lost"] = f"{sorted(wanted ^ found)}, {len(rows)} rows"
    elif any(row["status"] != "kept" and not row["reason"] for row in rows):
        wrong["lost"] = "refused without a reason"
    elif case.chapters not in (None, mine):
        wrong["lost"] = f"{mine} rows of {case.chapters} chapters"
    if case.kept not in (None, kept):
        wrong["other"] = f"kept: {kept}; {told[0]['reason'] if told else 'no row'}"
    bad = [(end, text) for end, text in wrong.items() if text]
    reason = next((row["reason"] for row in told if row["status"] != "kept"), "")
    return {"end": bad[0][0] if bad else "kept" if kept else "refused", "said": bad[0][1][:500] if bad else reason}


def _fair(row: dict[str, str], case: Case) -> bool:
    """Whether the good video is kept, or the case's estimator, which looks at it too, sees nobody."""
    return row["status"] == "kept" or (case.estimator != "one" and row["reason"].startswith("a person in"))


def _changes(before: dict[str, str], after: dict[str, str]) -> str:
    return ", ".join(sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p)))


def run(repeats: int, seed: int, only: str = "", show: bool = False) -> list[dict[str, Any]]:
    """All cases, each in a folder of its own."""
    builder, rows = Builder(), []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        for number, case in enumerate(_hostile.cases(repeats)):
            if only not in f"{case.kind}: {case.name}":
                continue
            with tempfile.TemporaryDirectory() as root:
                row = judged(case, Path(root).resolve(), builder, listening, [seed, number])
            rows.append(row)
            if show:
                print(
                    f"{row['seconds']:6.1f} s {row['end']:9} {row['kind']}: {row['name']}: {row['said'][:150]!a}",
                    flush=True,
                )
    builder.end()
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run all cases, print the table, write the figure; exit status 1 where anything is bad."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=6, help="cases of each kind that is drawn by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases in whose name this is; nothing is written then")
    parser.add_argument("--show", action="store_true", help="every case in a line")
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    rows = run(given.repeats, given.seed, given.only, given.show)
    bad = [row for row in rows if row["end"] not in ("kept", "refused")]
    print(f"{'kind':20}{'cases':>6}{'kept':>6}{'refused':>9}{'bad':>5}{'longest':>10}")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        chosen = [row for row in rows if row["kind"] == kind]
        ends = Counter(row["end"] for row in chosen)
        worst = max(row["seconds"] for row in chosen)
        left = len(chosen) - ends["kept"] - ends["refused"]
        print(f"{kind:20}{len(chosen):6}{ends['kept']:6}{ends['refused']:9}{left:5}{worst:8.1f} s")
    for row in bad:
        print(f"{row['end']}: {row['kind']}: {row['name']}: {row['said']!a}")
    print(f"{len(rows)} cases, {len(bad)} bad, {time.perf_counter() - started:.0f} s")
    if given.only:
        return int(bool(bad))
    kinds = Counter(row["kind"] for row in rows)
    ends = Counter(row["end"] for row in rows)
    protocol = (
        f"{len(rows)} folders made here, each with something hostile beside a good video, built in a process of their "
        f"own with {LIMIT_S:g} s ({', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}); counted: another "
        "exception than BuildError, a process that died or hung, a change outside the output folder, a file or chapter "
        "neither kept nor refused with a reason, a good neighbour lost, another file or the network opened because a "
        "file said so, HTML unescaped in the report, a clip kept of what is no video or refused of a sound one. "
        f"Ends: {', '.join(f'{n} {end}' for end, n in sorted(ends.items()))}"
    )
    write("fuzz_build", "fuzz.build.crashes", len(bad), "count", protocol=protocol, seeds=1)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
