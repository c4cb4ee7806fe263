"""The model that all services here share."""

from pathlib import Path

import pytest

import _quick_model
from kinjo.recognizer import Recognizer


@pytest.fixture(scope="session")
def quick_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of random weights."""
    return _quick_model.write(tmp_path_factory.mktemp("quick") / "quick.safetensors")


@pytest.fixture(scope="session")
def quick_model(quick_file: Path) -> Recognizer:
    """The same, loaded."""
    return Recognizer.load(quick_file)
