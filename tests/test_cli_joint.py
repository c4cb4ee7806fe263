"""The verbs of a joint space, each once through the command line, on a tiny simulated corpus."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import _gym_corpus
from _cli import last
from kinjo import joint
from kinjo.cli import app
from kinjo.corpus import Corpus, Split

TOML = """
name = "tiny"
method = "mujo"
[windows]
length_s = 2.0
hop_s = 1.0
[inputs.acc]
modality = "imu"
quantity = "acc"
samples = 32
slots = 4
[inputs.pose]
modality = "pose"
frames = 16
joints = 17
slots = 4
[model]
dim = 16
depth = 1
heads = 2
joint_dim = 16
[pretrain]
steps = 6
batch_size = 12
[finetune]
steps = 6
batch_size = 12
"""


def ran(*words: object) -> dict[str, Any]:
    """The verb's JSON."""
    got = CliRunner().invoke(app, [str(w) for w in (*words, "--json")], catch_exceptions=False)
    assert got.exit_code == 0, got.output
    return last(got.stdout)


def told(*words: object) -> str:
    """What the verb tells people."""
    got = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)
    assert got.exit_code == 0, got.output
    return got.stdout


@pytest.fixture(scope="module")
def place(gym_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another corpus, a split of it, a recipe, a space pre-trained with words, and that with classes."""
    root = tmp_path_factory.mktemp("joint")
    other = _gym_corpus.write(root / "other", clips=18, seed=5)
    ids = tuple(other.recordings)
    Split("half", {"train": ids[:9], "test": ids[9:], "nobody": ()}, {}, {}).save(root / "split.json")
    (root / "tiny.toml").write_text(TOML)
    gym, recipe = gym_corpus.root, root / "tiny.toml"
    found = ran("pretrain", recipe, "--corpus", gym, "--text", "--steps", 20, "-o", root / "space")
    assert found["checkpoint"] == str(root / "space" / "model.safetensors")
    taught = ran(
        "finetune", recipe, "--corpus", gym, "--init", root / "space/model.safetensors", "-o", root / "classes"
    )
    assert taught["classes"] == 3
    return root


def test_pretraining_reads_several_corpora(place: Path, gym_corpus: Corpus) -> None:
    words = ("--corpus", gym_corpus.root, "--corpus", place / "other", "--steps", 2)
    found = ran("pretrain", place / "tiny.toml", *words, "-o", place / "both")
    _, recipe, header = joint.load(place / "both" / "model.safetensors")
    assert recipe.pretrain.steps == 2
    assert (header["corpus"], header["recordings"], header["text"]) == ("gym + other", 54 + 18, False)
    assert found["windows"] > 72


def test_finetuning_takes_a_part_of_a_split(place: Path) -> None:
    part = ("--corpus", place / "other", "--split", place / "split.json")
    found = ran("finetune", place / "tiny.toml", *part, "--null", "--frozen", "-o", place / "part")
    whole = ran("finetune", place / "tiny.toml", "--corpus", place / "other", "-o", place / "whole")
    assert found["windows"] < whole["windows"]
    assert joint.load(place / "whole" / "model.safetensors")[2]["classes"] == sorted(_gym_corpus.NAMES)


def test_words_name_what_is_done(place: Path, gym_corpus: Corpus) -> None:
    space = place / "space" / "model.safetensors"
    found = ran("evaluate", "zeroshot", space, "--corpus", place / "other", "-o", place / "new" / "words.json")
    assert {line["input"] for line in found["lines"]} == {"imu", "pose", "imu_pose"}
    assert all(0.0 <= line["accuracy"] <= 1.0 for line in found["lines"])
    assert json.loads((place / "new" / "words.json").read_text()) == found
    half = ran("evaluate", "zeroshot", space, "--corpus", place / "other", "--split", place / "split.json")
    assert half["windows"] < found["windows"]
    near = ran("evaluate", "zeroshot", space, "--corpus", place / "other", "--known", gym_corpus.root)
    assert near["windows"] == found["windows"]
    assert "| imu_pose | none | zero-shot |" in told(
        "evaluate", "zeroshot", space, "--corpus", place / "other", "--null"
    )


def test_anything_finds_anything(place: Path) -> None:
    words = ("evaluate", "retrieval", place / "space" / "model.safetensors", "--corpus", place / "other")
    pairs = ran(*words, "-o", place / "pairs.json", "--plot", place / "pairs.png")
    assert (place / "pairs.png").read_bytes()[:4] == b"\x89PNG"
    assert set(pairs) == {"imu_pose", "pose_imu", "text_imu", "imu_text", "text_pose", "pose_text"}
    assert json.loads((place / "pairs.json").read_text()) == pairs
    lines = told(*words).splitlines()
    assert lines[0].split() == ["query_gallery", "R@1", "R@5", "R@10", "mAP", "queries"]
    row = next(line.split() for line in lines if line.startswith("imu_pose"))
    assert row[1:] == [f"{pairs['imu_pose']['recall']['1']:.3f}", *row[2:5], str(pairs["imu_pose"]["queries"])]


def test_robustness_is_a_table(place: Path) -> None:
    words = ("evaluate", "robustness", place / "classes" / "model.safetensors", "--corpus", place / "other")
    grid = ran(*words, "--plot", place / "robust.png")
    assert (place / "robust.png").read_bytes()[:4] == b"\x89PNG"
    names = {row["perturbation"] for row in grid["rows"]}
    assert {"clean", "only", "noise", "gaps", "rotated", "rate"} <= names


def test_few_labels_and_many(place: Path, gym_corpus: Corpus) -> None:
    table = ran(
        "evaluate", "finetune", place / "tiny.toml", "--corpus", gym_corpus.root, "--init", place / "space",
        "--budgets", "clips:2,all", "--folds", "fold0", "--no-baselines", "--frozen", "--work", place / "runs",
        "--workers", 0, "--plot", place / "labels.svg",
    )  # fmt: skip
    assert "<svg" in (place / "labels.svg").read_text()
    assert {line["arm"] for line in table["lines"]} == {"scratch", "pretrained", "frozen"}
    assert {line["budget"] for line in table["lines"]} == {"clips:2", "all"}


def test_a_data_set_is_left_out(place: Path, gym_corpus: Corpus) -> None:
    corpora = ("--corpus", gym_corpus.root, "--corpus", place / "other")
    left = ran("evaluate", "unseen", place / "tiny.toml", *corpora, "--work", place / "unseen")
    assert [t["lines"][0]["arm"] for t in left["left_out"]] == ["without gym", "without other"]


MISTAKES = {
    "evaluate unseen {tiny} --corpus {gym} --work {x}": "at least two corpora",
    "pretrain {mumae} --corpus {gym} --corpus {other} -o {x}": "several corpora are for method = 'mujo'",
    "pretrain {tiny} --corpus {gym} --corpus {other} --split {split} -o {x}": "without a split",
    "finetune {mumae} --corpus {gym} -o {x}": "a joint space needs method = 'mujo'",
    "finetune {tiny} --corpus {other} --split {split} --part nobody -o {x}": "no windows to fine-tune on",
    "finetune {tiny} --corpus {gym} --init {none} -o {x}": "no such checkpoint",
    "evaluate finetune {mumae} --corpus {gym} --work {x}": "needs method = 'mujo'",
    "evaluate finetune {tiny} --corpus {gym} --budgets half --work {x}": "give all, clips:N",
    "evaluate finetune {tiny} --corpus {gym} --init {none} --work {x}": "no such checkpoint",
    "evaluate finetune {tiny} --corpus {gym} --folds fold9 --work {x}": "no fold fold9; there are: fold0",
    "evaluate finetune {tiny} --corpus {gym} --problem utd_mhad --work {x}": "this problem is of UTD-MHAD",
    "evaluate unseen {tiny} --corpus {gym} --corpus {twin} --work {x}": "share 54 recordings",
    "pretrain {bare} --corpus {gym} --text -o {x}": "classify and supervised need labels as classes: --labels",
    "finetune {wide} --corpus {gym} --init {space} -o {x}": "its encoder of imu has other sizes",
    "evaluate zeroshot {none} --corpus {gym}": "no such checkpoint. 'kinjo pretrain' writes one",
    "evaluate zeroshot {space} --corpus {other} --split {split} --part nobody": "no labelled window",
    "evaluate retrieval {space} --corpus {none}": "this is not a corpus",
    "evaluate robustness {space} --corpus {gym}": "fine-tune it first",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_what_does_not_fit_says_what_to_do(run, place: Path, gym_corpus: Corpus, tmp_path: Path, words: str) -> None:
    where = {
        "tiny": place / "tiny.toml", "gym": gym_corpus.root, "other": place / "other", "split": place / "split.json",
        "space": place / "space" / "model.safetensors", "none": tmp_path / "none", "x": tmp_path / "x",
        "twin": tmp_path / "twin", "bare": tmp_path / "bare.toml", "wide": tmp_path / "wide.toml",
        "mumae": Path(__file__).parents[1] / "recipes" / "mumae-utd.toml",
    }  # fmt: skip
    (tmp_path / "bare.toml").write_text(TOML + "[objective]\nweights = { contrast = 1.0, supervised = 0.5 }\n")
    (tmp_path / "wide.toml").write_text(TOML.replace("dim = 16\ndepth", "dim = 32\ndepth"))
    if "{twin}" in words:
        shutil.copytree(gym_corpus.root, tmp_path / "twin")
    code, out, err = run(*(word.format(**where) for word in words.split()))
    assert (code, out) == (1, "")
    assert MISTAKES[words] in err.splitlines()[-1]
    assert "Traceback" not in err
