"""The first commands of the README, as they stand there: a new user's path."""

import re
from pathlib import Path

import pytest

from kinjo.cli import app
from kinjo.demo_watch import NAMES, TAUGHT, TEST, session, watch
from kinjo.timeline import Timeline

README = Path(__file__).resolve().parents[1] / "README.md"


def lines() -> list[str]:
    """Of the README's blocks, those on the files that `make demo` leaves."""
    return re.findall(r"^kinjo .*demo/own/.*$", README.read_text(encoding="utf-8"), re.MULTILINE)


def test_five_commands_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert 1 + len(lines()) <= 5  # with `make demo`
    monkeypatch.chdir(tmp_path)
    result = watch(Path("demo"), progress=False)  # the part of `make demo` that is needed
    assert result.accuracy[f"{TAUGHT}, taught by 10 s"] > 0.7
    assert result.accuracy["activities learnt"] > 10 / len(NAMES)
    for line in lines():
        app([*line.split()[1:], *(["-o", "found.csv"] if " recognize " in line else [])], standalone_mode=False)
    found = Timeline.from_csv(tmp_path / "found.csv")
    truth = Timeline.from_segments(session(TEST[0], ("walking", TAUGHT, "biceps curl", "standing"), 240.0).segments)
    names, seconds = found.confusion(truth)
    at = names.index(TAUGHT)
    assert 2 * seconds[at, at] / (seconds[at].sum() + seconds[:, at].sum()) > 0.7
    assert (tmp_path / "activities.png").stat().st_size > 5000
    assert (tmp_path / "mine.json").is_file()
