"""Fixtures shared by all tests, and the check of tensor shapes under tests."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

# Under tests, and only there, every call into these rooms is held to the shapes and types that it declares.
# It has to come before the first import of them.
install_import_hook(["kinjo.nn", "kinjo.encoders", "kinjo.losses", "kinjo.methods"], "beartype.beartype")

# Cores are shared with other work: no test may fail for being slow. In CI the same examples every time.
settings.register_profile(
    "kinjo", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("kinjo")


def _data_root() -> Path:
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("KINJO_DATA", default))


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets; tests that need it are skipped where it is absent."""
    root = _data_root()
    if not root.is_dir():
        pytest.skip(f"no real data at {root}: set KINJO_DATA to the folder that holds UTD-MHAD, MotionSense, ...")
    return root


@pytest.fixture(scope="session")
def real_root() -> Callable[[ModuleType], Path]:
    """Of a data set's module, the folder of real data where it is found; the test is skipped where it is in none.

    Looked at: ``KINJO_TRAIN_DATA`` (default: ``data`` beside the project), for sets to train on, and ``data_root``.
    """
    beside = Path(__file__).resolve().parents[2] / "data"
    roots = (Path(os.environ.get("KINJO_TRAIN_DATA", beside)), _data_root())

    def root_of(dataset: ModuleType) -> Path:
        found = next((root for root in roots if root.is_dir() and dataset.find(root) is not None), None)
        if found is None:
            pytest.skip(f"no {dataset.CARD.title} under {roots[0]} (KINJO_TRAIN_DATA) or {roots[1]} (KINJO_DATA)")
        return found

    return root_of


def _benchmark(name: str) -> ModuleType:
    """A module of ``benchmarks/``, which is no package."""
    folder = str(Path(__file__).resolve().parents[1] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="session")
def layouts() -> ModuleType:
    """Makers of small files in the official layouts of the data sets."""
    return _benchmark("_official_layouts")


@pytest.fixture(scope="session")
def fuzz() -> ModuleType:
    """The benchmark that damages them."""
    return _benchmark("fuzz_readers")


@pytest.fixture(scope="session")
def hostile() -> ModuleType:
    """Makers of folders of videos that want harm."""
    return _benchmark("_hostile")


@pytest.fixture(scope="session")
def fuzz_build() -> ModuleType:
    """The benchmark that builds them."""
    return _benchmark("fuzz_build")


@pytest.fixture(scope="session")
def fuzz_serve() -> ModuleType:
    """The benchmark that attacks the service."""
    return _benchmark("fuzz_serve")


@pytest.fixture(scope="session")
def gym_corpus(tmp_path_factory: pytest.TempPathFactory):
    """A tiny corpus of the simulated gym, to be read by all and changed by none."""
    import _gym_corpus

    return _gym_corpus.write(tmp_path_factory.mktemp("gym") / "gym")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """``kinjo`` with some words, in this process: exit code, stdout and stderr."""
    monkeypatch.delenv("KINJO_DEBUG", raising=False)
    monkeypatch.delenv("KINJO_DATA", raising=False)

    from kinjo import cli

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kinjo", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err

    return call
