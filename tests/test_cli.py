"""The command line: a whole way from files to a checkpoint, exit codes, and where each word is printed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from safetensors import safe_open

import kinjo
from _cli import last
from _synthetic import store
from kinjo import corpus
from kinjo.datasets import DATASETS

RECIPE = """
name = "tiny"

[inputs.acc]
modality = "imu"
quantity = "acc"
samples = 32
slots = 8

[inputs.pose]
modality = "pose"
frames = 16
slots = 8

[inputs.depth]
modality = "video"
quantity = "depth"
frames = 4
size = 16
tubelet = [2, 8, 8]

[model]
dim = 32
depth = 1
decoder_dim = 24

[pretrain]
steps = 5
batch_size = 4
precision = "fp32"
"""


def process(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """``kinjo`` with some words, as a process of its own."""
    code = "from kinjo.cli import main; main()"
    env = {k: v for k, v in os.environ.items() if not k.startswith("KINJO_")} | environment
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)


@pytest.fixture(scope="module")
def data(layouts: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips in the layout of UTD-MHAD, by two subjects."""
    root = tmp_path_factory.mktemp("data")
    clips = ("a1_s1_t1", "a1_s2_t1", "a3_s1_t1", "a3_s2_t1")
    layouts.write(root, "utd_mhad", layouts.utd_mhad(clips=clips, frames=14), zipped=True)
    return root


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


# ------------------------------------------------------------------------------------------------ help
def test_help_lists_the_commands(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for command in ("datasets", "import", "pretrain", "evaluate", "audit", "demo"):
        assert f"\n  {command} " in out
    for command in ("datasets", "import", "pretrain", "audit", "demo"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert "--json" in out
    assert "fewshot" in run("evaluate", "--help")[1]


def test_help_is_light():
    code = (
        "import sys\nsys.argv = ['kinjo', '--help']\nfrom kinjo.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "Commands" in done.stdout
    assert "'kinjo'" in done.stderr
    for heavy in ("torch", "scipy", "pyarrow", "sklearn", "matplotlib", "aeon", "av"):
        assert f"'{heavy}'" not in done.stderr


def test_version(run):
    assert run("--version") == (0, f"kinjo {kinjo.__version__}\n", "")


def test_no_command_shows_the_help(run):
    _, out, err = run()
    assert "Commands" in out + err
    assert "rror:" not in err


# ------------------------------------------------------------------------------------------------ data sets
def test_datasets_says_what_is_found(run, data: Path, tmp_path: Path):
    code, out, err = run("datasets", "--data", data, "--json")
    assert (code, err) == (0, "")
    rows = {row["name"]: row for row in last(out)["datasets"]}
    assert set(rows) == set(DATASETS)
    assert rows["utd_mhad"]["found"] == str(data / "UTD-MHAD")
    assert rows["utd_mhad"]["classes"] == 27
    assert rows["motionsense"]["found"] is None
    assert rows["motionsense"]["how_to_get"]
    code, out, _ = run("datasets", "--data", tmp_path)
    assert code == 0
    assert "not found. Download Inertial.zip" in out
    assert "{" not in out


def test_the_data_folder_may_come_from_the_environment(run, data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KINJO_DATA", str(data))
    rows = {row["name"]: row["found"] for row in last(run("datasets", "--json")[1])["datasets"]}
    assert rows["utd_mhad"] == str(data / "UTD-MHAD")


# ------------------------------------------------------------------------------------------------ the whole way
def test_from_files_to_a_checkpoint(run, data: Path, tiny: Path, tmp_path: Path):
    kept, trained = tmp_path / "corpus", tmp_path / "run"
    code, out, err = run("import", "utd-mhad", "--data", data, "-o", kept, "--video-size", 24, "--skip-bad", "--json")
    assert code == 0, err
    assert last(out) == {"corpus": str(kept), "recordings": 4, "reported": len(err.splitlines())}
    assert "857 of 861 files absent" in err  # what is not there is told, and no more
    opened = corpus.Corpus.open(kept)
    assert set(opened.recordings) == {"a1_s1_t1", "a1_s2_t1", "a3_s1_t1", "a3_s2_t1"}
    assert {s.contract.quantity for s in opened.entries[0].streams} == {"acc", "gyro", "position", "depth"}

    code, out, err = run("pretrain", tiny, "--corpus", kept, "-o", trained, "--json")
    assert code == 0, err
    assert last(out) == {"checkpoint": str(trained / "model.safetensors"), "windows": 4}
    assert "Traceback" not in err
    with safe_open(trained / "model.safetensors", framework="np") as file:
        header = json.loads(file.metadata()["kinjo"])
    assert (header["stage"], header["corpus"], header["recordings"]) == ("pretrain", "corpus", 4)
    assert header["recipe"]["pretrain"]["steps"] == 5

    again = run("pretrain", tiny, "--corpus", kept, "-o", trained)
    assert again[0] == 0
    assert again[1] == f"4 windows learnt: {trained / 'model.safetensors'}\n"
    code, _, err = run("pretrain", tiny, "--corpus", kept, "-o", trained, "--seed", 1)
    assert code == 1
    assert "holds another run" in err

    split = corpus.make(opened, "by hand", {"train": ["a1_s1_t1", "a3_s1_t1"], "test": ["a1_s2_t1"]})
    split.save(tmp_path / "split.json")
    words = ("pretrain", tiny, "--corpus", kept, "--split", tmp_path / "split.json", "--steps", 2)
    assert last(run(*words, "-o", tmp_path / "part", "--json")[1])["windows"] == 2
    lines = (tmp_path / "part" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 2
    code, _, err = run(*words, "-o", tmp_path / "other", "--part", "tset")
    assert code == 1
    assert "no part 'tset'. It has: train, test" in err


def test_import_of_some_modalities(run, data: Path, tmp_path: Path):
    words = ("import", "utd_mhad", "--data", data, "-o", tmp_path / "c", "--modalities", "imu, pose", "--skip-bad")
    code, out, _ = run(*words)
    assert code == 0
    assert out.startswith(f"4 recordings in {tmp_path / 'c'}, ")
    entry = corpus.Corpus.open(tmp_path / "c").entries[0]
    assert {s.contract.modality for s in entry.streams} == {"imu", "pose"}


def test_an_import_with_other_options_does_not_go_on(run, data: Path, tmp_path: Path):
    given = ("import", "utd-mhad", "--data", data, "--skip-bad", "-o", tmp_path / "corpus")
    assert run(*given, "--modalities", "imu")[0] == 0
    assert run(*given, "--modalities", "imu")[0] == 0
    code, _, err = run(*given)
    assert code == 1
    assert "was begun with utd_mhad, modalities imu, now utd_mhad, modalities all" in err


def test_what_is_absent_stops_an_import_that_may_not_skip(run, data: Path, tmp_path: Path):
    code, out, err = run("import", "utd_mhad", "--data", data, "-o", tmp_path / "c")
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "857 of 861 files absent" in err


# ------------------------------------------------------------------------------------------------ audit
@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    opened = store(root / "c", 6)  # subjects s0, s1, s2, twice each
    corpus.by_subject(opened, {"train": ["s0", "s1"], "test": ["s2"]}).save(root / "clean.json")
    leaky = {"train": ["r00", "r01", "r02"], "test": ["r02", "r03"]}
    corpus.make(opened, "leaky", leaky).save(root / "leaky.json")
    return root


def test_audit_of_a_clean_split(run, made: Path):
    code, out, _ = run("audit", made / "c", made / "clean.json", "--json")
    assert code == 0
    assert last(out) == {"leaks": 0, "overlaps": []}
    assert run("audit", made / "c", made / "clean.json")[:2] == (0, "no overlap\n")


def test_audit_of_a_leaky_split(run, made: Path):
    code, out, err = run("audit", made / "c", made / "leaky.json", "--json")
    assert code == 1
    found = last(out)
    assert found["leaks"] == len(found["overlaps"]) > 1
    assert {"recording", "subject"} <= {overlap["kind"] for overlap in found["overlaps"]}
    code, out, _ = run("audit", made / "c", made / "leaky.json")
    assert code == 1
    assert "LEAK" in out
    assert "Traceback" not in err


# ------------------------------------------------------------------------------------------------ mistakes
MISTAKES = {
    "unknown data set": (("import", "utdmhad", "-o", "c"), "utd_mhad"),
    "absent data": (("import", "motionsense", "-o", "c"), "MotionSense"),
    "absent corpus": (("pretrain", "tiny.toml", "--corpus", "none", "-o", "run"), "none"),
    "absent recipe": (("pretrain", "none.toml", "--corpus", "none", "-o", "run"), "none.toml: no such recipe"),
    "recipe that is none": (("pretrain", "bad.toml", "--corpus", "none", "-o", "run"), "bad.toml: not valid TOML"),
    "word in a recipe": (("pretrain", "odd.toml", "--corpus", "none", "-o", "run"), "unknown colour"),
    "recipe given as a number": (
        ("pretrain", "tiny.toml", "--corpus", "none", "-o", "run", "--steps", "many"),
        "--steps",
    ),
    "negative steps": (("pretrain", "tiny.toml", "--corpus", "none", "-o", "run", "--steps", "-3"), "steps must be"),
    "absent split": (("audit", "none", "split.json"), "none"),
    "unknown command": (("improt", "utd_mhad"), "improt"),
    "unknown option": (("datasets", "--jsno"), "--jsno"),
    "argument left out": (("import", "utd_mhad"), "--out"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_said_in_a_line(run, mistake: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("name = ")
    Path("odd.toml").write_text(RECIPE + "\n[colour]\nred = 1\n")
    words, said = MISTAKES[mistake]
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert said in err
    assert "Traceback" not in err
    assert "fault of kinjo" not in err


def test_a_fault_of_kinjo_is_owned(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kinjo.datasets.status", lambda _: {}["gone"])
    code, out, err = run("datasets")
    assert (code, out) == (1, "")
    assert "KeyError" in err
    assert "fault of kinjo" in err
    assert "kinjo --debug" in err


def test_a_package_that_is_not_installed_is_named(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "kinjo.datasets", None)
    code, _, err = run("datasets")
    assert code == 1
    assert "kinjo.datasets is not installed" in err
    assert "pip install" in err


def test_stopping_says_how_to_go_on(run, monkeypatch: pytest.MonkeyPatch):
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kinjo.datasets.status", stop)
    code, _, err = run("datasets")
    assert code == 130
    assert "the same command goes on" in err


def test_debug_shows_where(tmp_path: Path):
    words = ("import", "nothing", "--data", tmp_path, "-o", tmp_path / "c")
    plain, traced = process(*words), process("--debug", *words)
    assert plain.returncode == traced.returncode == 1
    assert plain.stderr.startswith("error: ")
    assert "Traceback" not in plain.stderr
    assert "Traceback (most recent call last)" in traced.stderr
    assert "DatasetError" in traced.stderr
    assert plain.stdout == traced.stdout == ""
    assert "Traceback" in process(*words, KINJO_DEBUG="1").stderr
