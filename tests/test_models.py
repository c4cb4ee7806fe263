"""One way to open a model of either kind, and kinjo-base where none is named."""

from pathlib import Path

import pytest

import _small_model
from kinjo import models, runtime
from kinjo.export import export
from kinjo.models import open_model
from kinjo.recognizer import Recognizer


def test_by_its_ending(tmp_path: Path):
    saved = _small_model.write(tmp_path)
    export(saved, tmp_path / "small.onnx")
    whole, device = open_model(saved), open_model(tmp_path / "small.onnx")
    assert isinstance(whole, Recognizer)
    assert not isinstance(device, Recognizer)
    assert whole.id == device.id


def test_none_is_kinjo_base_with_or_without_torch(monkeypatch: pytest.MonkeyPatch):
    base = open_model()
    assert isinstance(base, Recognizer)
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    light = open_model()
    assert not isinstance(light, Recognizer)
    assert light.id == base.id == runtime.load().id
