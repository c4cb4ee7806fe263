"""``kinjo build``: from the command line to a corpus, and what users do wrong."""

import json
from collections.abc import Iterable
from pathlib import Path

import _videos
import numpy as np
import pytest
from typer.testing import CliRunner

from kinjo.builder import stages
from kinjo.builder.estimators import Seen
from kinjo.cli import app


def flat(pictures: Iterable[np.ndarray]) -> Seen:
    """Somebody who stands there, in two dimensions."""
    count = sum(1 for _ in pictures)
    body = np.array([[20 + k % 4 * 8, 4 + 2.4 * k] for k in range(17)], np.float32)
    return Seen("coco17", np.tile(body, (count, 1, 1, 1)), np.ones((count, 1, 17), np.float32))


def run(*words: object) -> tuple[int, str, Exception | None]:
    got = CliRunner().invoke(app, [str(w) for w in words])
    return got.exit_code, got.stdout, got.exception if isinstance(got.exception, Exception) else None


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stages, "estimator", lambda name, sha256: flat)
    (tmp_path / "videos").mkdir()
    _videos.write(tmp_path / "videos" / "star jumps.mp4", 60)
    return tmp_path / "videos"


def test_a_folder_becomes_a_corpus(videos: Path, tmp_path: Path):
    words = ("build", "videos", videos, "-o", tmp_path / "out", "--workers", 0, "--licence", "CC0")
    code, out, _ = run(*words, "--json")
    assert code == 0
    result = json.loads(out.splitlines()[-1])
    assert (result["kept"], result["refused"]) == (1, {})
    assert Path(result["report"]).is_file()
    code, out, _ = run(*words)
    assert code == 0
    assert "1 clips kept, 0 refused" in out
    page = Path(result["report"]).read_text()
    assert "CC0" in page
    code, out, _ = run("build", "verify", tmp_path / "out", videos, "--json")
    assert (code, json.loads(out.splitlines()[-1])["rot"]) == (0, 0.0)


def test_a_two_dimensional_pose_has_no_sensors_and_stays_a_pose(videos: Path, tmp_path: Path):
    from kinjo.corpus import Corpus

    assert run("build", "videos", videos, "-o", tmp_path / "out", "--workers", 0)[0] == 0
    one = Corpus.open(tmp_path / "out" / "corpus").recording("star-jumps___0")
    assert set(one.streams) == {"video", "pose"}
    contract = one.streams["pose"].contract
    assert (contract.units, contract.skeleton, contract.axes) == ("px", "coco17", ("x", "y"))


def test_features_and_poses_of_a_build(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from kinjo.builder import features

    assert run("build", "videos", videos, "-o", tmp_path / "out", "--workers", 0)[0] == 0
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(features, "make", lambda *a, **more: asked.append((*a, more["rate_hz"])) or ["star-jumps___0"])
    code, out, _ = run("build", "features", tmp_path / "out", "--vision", "some/model", "--rate", 2, "--json")
    assert (code, json.loads(out.splitlines()[-1])) == (0, {"clips": ["star-jumps___0"]})
    assert asked == [(tmp_path / "out", "some/model", "minilm", 2.0)]
    code, out, _ = run("build", "poses", tmp_path / "out", "--to", videos, "--json")
    assert (code, json.loads(out.splitlines()[-1])["clips"]) == (0, {"star jumps.poses.json": 1})
    words = ("build", "videos", videos, "-o", tmp_path / "again", "--workers", 0, "--estimator", "files")
    assert "1 clips kept, 0 refused" in run(*words)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("videos {x}/gone -o {x}/out", "no such file or folder"),
        ("videos {x} -o {x}/out", "no video among"),
        ("videos {x}/videos -o {x}/out --height 0", "height_m: expected a number above 0"),
        ("videos {x}/videos -o {x}/videos", "holds other files"),
        ("verify {x} {x}/videos", "holds no manifest"),
        ("fimad --ids {x} -o {x}/out", "FiMAD's lists are"),
    ],
)
def test_mistakes_say_what_to_do(words: str, said: str, tmp_path: Path):
    if "{x}/videos" in words:
        (tmp_path / "videos").mkdir()
        _videos.write(tmp_path / "videos" / "a.mp4", 10)
    code, _, error = run("build", *(word.format(x=tmp_path) for word in words.split()))
    assert code == 1
    assert said in str(error)
