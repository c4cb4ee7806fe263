"""Open a model of either kind: a checkpoint by PyTorch, an exported one by ONNX Runtime, or kinjo-base, which ships."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from kinjo import runtime
from kinjo.runtime import Model


def open_model(path: Path | None = None) -> Model:
    """The model in a file that ``kinjo learn`` or ``kinjo export`` wrote, by its ending; without a path kinjo-base, by
    PyTorch where that is installed. Errors: see ``runtime.load`` and ``Recognizer.load``.
    """
    if path is None and find_spec("torch") is None:
        path = runtime.shipped(".onnx")
    if path is not None and path.suffix == ".onnx":
        return runtime.load(path)
    from kinjo.recognizer import Recognizer

    return Recognizer.load(path)
