"""The small synthetic data sets and the fuzz of ``benchmarks/``, for the tests of the readers."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def _benchmark(name: str) -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="session")
def layouts() -> Iterator[ModuleType]:
    """Makers of small files in the official layouts."""
    yield from _benchmark("_official_layouts")


@pytest.fixture(scope="session")
def fuzz() -> Iterator[ModuleType]:
    """The benchmark that damages them."""
    yield from _benchmark("fuzz_readers")
