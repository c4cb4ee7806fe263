"""Embeddings on disk: what is written is read, what is damaged is not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kinjo.encoders import kept


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_values_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    path = tmp_path_factory.mktemp("kept") / "a" / "b"
    written = np.asarray(values, np.float32)
    kept.write(path, written)
    np.testing.assert_array_equal(kept.read(path, written.shape), written)
    assert [p.name for p in path.parent.iterdir()] == ["b"]


@given(st.data())
def test_a_damaged_file_counts_as_absent(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("kept") / "x"
    kept.write(path, np.arange(6, dtype=np.float32).reshape(2, 3))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw = raw[:at]
    else:
        raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    assert kept.read(path, (2, 3)) is None


def test_an_absent_file_and_one_of_another_size_are_none(tmp_path: Path) -> None:
    assert kept.read(tmp_path / "no" / "file", (3,)) is None
    kept.write(tmp_path / "x", np.zeros(3, np.float32))
    assert kept.read(tmp_path / "x", (4,)) is None


def test_digests_tell_lists_apart() -> None:
    assert kept.digest("ab", "c") != kept.digest("a", "bc")
    assert kept.digest("ab") == kept.digest(b"ab")


def test_weights_tell_names_types_and_values_apart() -> None:
    layer = nn.Linear(2, 2, bias=False)
    first = kept.weights(layer)
    assert kept.weights(layer) == first
    assert kept.weights(nn.Sequential(layer)) != first
    with torch.no_grad():
        layer.weight[1, 1] += 1e-3
    second = kept.weights(layer)
    assert second != first
    assert kept.weights(layer.bfloat16()) != second


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept.default_folder("text") == tmp_path / "kinjo" / "text"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for unusable in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert kept.default_folder("text") == tmp_path / "me" / ".cache" / "kinjo" / "text"
