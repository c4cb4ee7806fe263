"""The verbs of a joint space, each once through the command line, on a tiny simulated corpus."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import _gym_corpus
from kinjo import joint
from kinjo.cli import app

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
steps = 30
batch_size = 12
[finetune]
steps = 30
batch_size = 12
"""


def ran(*words: object) -> dict[str, Any]:
    """The verb's JSON."""
    got = CliRunner().invoke(app, [str(w) for w in (*words, "--json")], catch_exceptions=False)
    assert got.exit_code == 0, got.output
    return json.loads(got.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, another, a recipe, and a space pre-trained with words."""
    root = tmp_path_factory.mktemp("joint")
    _gym_corpus.write(root / "gym")
    _gym_corpus.write(root / "other", clips=18, seed=5)
    (root / "tiny.toml").write_text(TOML)
    found = ran("pretrain", root / "tiny.toml", "--corpus", root / "gym", "--text", "-o", root / "space")
    assert found["checkpoint"] == str(root / "space" / "model.safetensors")
    return root


def test_words_find_movements_and_signals_find_poses(place: Path) -> None:
    space = place / "space" / "model.safetensors"
    found = ran("evaluate", "zeroshot", space, "--corpus", place / "other")
    assert {line["input"] for line in found["lines"]} == {"imu", "pose", "imu_pose"}
    assert all(0.0 <= line["accuracy"] <= 1.0 for line in found["lines"])
    pairs = ran("evaluate", "retrieval", space, "--corpus", place / "other", "-o", place / "pairs.json")
    assert set(pairs) == {"imu_pose", "pose_imu", "text_imu", "imu_text", "text_pose", "pose_text"}
    assert json.loads((place / "pairs.json").read_text()) == pairs


def test_a_finetuned_space_is_tested_for_robustness(place: Path) -> None:
    out, space = place / "classes", place / "space" / "model.safetensors"
    taught = ran("finetune", place / "tiny.toml", "--corpus", place / "gym", "--init", space, "--null", "-o", out)
    assert taught["classes"] == len(joint.load(out / "model.safetensors")[2]["classes"]) >= 3
    grid = ran("evaluate", "robustness", out / "model.safetensors", "--corpus", place / "other")
    names = {row["perturbation"] for row in grid["rows"]}
    assert {"clean", "only", "noise", "gaps", "rotated", "rate"} <= names
    with pytest.raises(ValueError, match="fine-tune it first"):
        ran("evaluate", "robustness", space, "--corpus", place / "other")


def test_few_labels_and_a_data_set_left_out(place: Path) -> None:
    table = ran(
        "evaluate", "finetune", place / "tiny.toml", "--corpus", place / "gym", "--init", place / "space",
        "--budgets", "clips:2", "--folds", "fold0", "--no-baselines", "--frozen", "--work", place / "runs",
        "--workers", 0,
    )  # fmt: skip
    assert {line["arm"] for line in table["lines"]} == {"scratch", "pretrained", "frozen"}
    left = ran("evaluate", "unseen", place / "tiny.toml", "--corpus", place / "gym", "--corpus", place / "other",
               "--work", place / "unseen")  # fmt: skip
    assert len(left["left_out"]) == 2


def test_what_does_not_fit_says_what_to_do(place: Path) -> None:
    with pytest.raises(ValueError, match="at least two corpora"):
        ran("evaluate", "unseen", place / "tiny.toml", "--corpus", place / "gym", "--work", place / "x")
    with pytest.raises(ValueError, match="several corpora are for"):
        ran("pretrain", Path("recipes/mumae-utd.toml").resolve(), "--corpus", place / "gym", "--corpus",
            place / "other", "-o", place / "x")  # fmt: skip
