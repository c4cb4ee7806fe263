"""Hostile folders through a whole build: one of each kind of ``make bench-fuzz-build``; and its judge sees harm."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kinjo.builder import run
from kinjo.builder.errors import BuildError

KINDS = (
    "truncated", "damaged", "wrong numbers", "zero length", "wrong ending", "playlist", "rotated", "odd size", "4K",
    "codec", "variable rate", "no person", "two persons", "no body", "chapters", "subtitles", "info.json",
    "long titles", "names", "links",
)  # fmt: skip


@pytest.fixture
def judge(fuzz_build: ModuleType, tmp_path: Path) -> Iterator[Callable[[Any, Any], dict[str, Any]]]:
    """How a case ends with a builder."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield lambda case, builder: fuzz_build.judged(case, tmp_path.resolve(), builder, listening, [0, 0])


class Here:
    """Builds in this process."""

    def __init__(self, fuzz_build: ModuleType) -> None:
        self.estimators = fuzz_build.estimators()

    def build(self, places: Any, out: str, where: str, estimator: str) -> tuple[str, Any]:
        from kinjo.builder import stages

        settings = stages.Settings(short_side=48, placements=("right_wrist",))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stages, "estimator", lambda name, sha256: self.estimators[estimator])
            patch.chdir(where)
            try:
                built = run.build([Path(p) for p in places], Path(out), settings, workers=0, progress=False)
            except BuildError as error:
                return "error", str(error)
        return "rows", [{k: row.get(k, "") for k in ("id", "video", "file", "status", "reason")} for row in built.rows]


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_each_kind(kind: str, fuzz_build: ModuleType, hostile: ModuleType, judge: Any):
    case = next(c for c in hostile.cases(1) if c.kind == kind and c.estimator != "mediapipe")
    row = judge(case, Here(fuzz_build))
    assert row["end"] in ("kept", "refused"), row


class Harmful(Here):
    """Builds, and does harm."""

    def __init__(self, fuzz_build: ModuleType, harm: Callable[[Path, Path, list[Any]], None]) -> None:
        super().__init__(fuzz_build)
        self.harm = harm

    def build(self, places: Any, out: str, where: str, estimator: str) -> tuple[str, Any]:
        answer, rows = super().build(places, out, where, estimator)
        self.harm(Path(where), Path(out), rows)
        return answer, rows


HARMS: list[tuple[str, Callable[[Path, Path, list[Any]], Any]]] = [
    ("outside", lambda where, out, rows: (where / "new.txt").write_text("x")),
    ("outside", lambda where, out, rows: (where.parent / "beside" / "secret.txt").write_text("x")),
    ("outside", lambda where, out, rows: (where / "good.mp4").unlink()),
    ("lost", lambda where, out, rows: rows.remove(next(r for r in rows if r["file"].startswith("bad")))),
    ("lost", lambda where, out, rows: next(r for r in rows if r["file"].startswith("bad")).update(reason="")),
    ("ended", lambda where, out, rows: next(r for r in rows if r["id"] == "good___0").update(status="refused")),
    ("unescaped", lambda where, out, rows: (out / "report.html").write_text("<script>alert(1)</script>")),
    ("other", lambda where, out, rows: next(r for r in rows if r["file"].startswith("bad")).update(status="kept")),
]  # fmt: skip


@pytest.mark.parametrize(("end", "harm"), HARMS)
def test_the_judge_sees_harm(end: str, harm: Any, fuzz_build: ModuleType, hostile: ModuleType, judge: Any):
    case = next(c for c in hostile.cases(1) if c.kind == "zero length")
    row = judge(case, Harmful(fuzz_build, harm))
    assert row["end"] == end, row


def test_a_process_that_dies_or_fails_counts(fuzz_build: ModuleType, hostile: ModuleType, judge: Any):
    class Dead:
        def build(self, *given: Any) -> tuple[str, str]:
            return "died", "exit status -11"

    row = judge(next(hostile.cases(1)), Dead())
    assert (row["end"], row["said"]) == ("died", "exit status -11")


def test_videos_of_the_fuzzer_are_sound(hostile: ModuleType, tmp_path: Path):
    from kinjo.builder import footage

    (tmp_path / "a.mp4").write_bytes(hostile.video(shade=70))
    assert np.isclose(footage.probe(tmp_path / "a.mp4").duration_s, 2.0, atol=1.5)
