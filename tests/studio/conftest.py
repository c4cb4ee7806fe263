"""The model that all services here share."""

from pathlib import Path

import pytest

import _quick_model
import _word_model
from kinjo.corpus import Corpus
from kinjo.recognizer import Recognizer


@pytest.fixture(scope="session")
def quick_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of random weights."""
    return _quick_model.write(tmp_path_factory.mktemp("quick") / "quick.safetensors")


@pytest.fixture(scope="session")
def quick_model(quick_file: Path) -> Recognizer:
    """The same, loaded."""
    return Recognizer.load(quick_file)


@pytest.fixture(scope="session")
def word_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that learnt some words, of a watch and a pose."""
    return _word_model.write(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="session")
def word_model(word_file: Path) -> Recognizer:
    """The same, loaded."""
    return Recognizer.load(word_file)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three people in the gym, one of them filmed; its folder is that of all data. Not to be changed."""
    return _word_model.searched(tmp_path_factory.mktemp("data") / "gym")
