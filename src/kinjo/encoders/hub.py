"""Models of other packages, from a folder, from what was downloaded before, or from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")
_PROBE_S = 10.0
"""How long the hub may take to say whether it has a model."""


@contextmanager
def quiet(*, reports: bool) -> Iterator[None]:
    """No bar for reading weights meanwhile, and with ``reports`` no log below errors; then all as it was."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    if reports:
        logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def fetched(load: Callable[[bool], _T], name: str) -> _T:
    """``load(local_files_only)`` from disk if it can be, else by download.

    ``ValueError`` where neither a folder nor the hub gives the model, with what to do. The hub is asked once
    whether it has it: left to themselves the packages try for more than a minute where there is no network.
    """
    try:
        return load(True)
    except (OSError, ValueError) as error:
        if Path(name).is_dir():
            raise ValueError(f"{name}: no model that can be read lies in this folder ({_short(error)})") from error
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=_PROBE_S)
        return load(False)
    except ImportError:
        raise
    except Exception as error:  # the hub's client has exceptions of its own, which change with its version
        raise ValueError(
            f"the model '{name}' is no folder, was not downloaded before and cannot be downloaded now "
            f"({_short(error)}). Check the name, or fetch it where there is a network "
            f"('hf download {name} --local-dir folder') and give that folder."
        ) from error


def complete(loaded: Any, name: str, *, without: str = "-") -> tuple[Any, set[str]]:
    """The model of ``from_pretrained(output_loading_info=True)``, and which of its weights the files lack.

    ``ValueError`` where it lacks any but those that begin with ``without``: they would be random numbers.
    """
    model, info = loaded
    missing = {str(key) for key in info["missing_keys"]} | {str(key[0]) for key in info["mismatched_keys"]}
    if wanted := sorted(key for key in missing if not key.startswith(without)):
        raise ValueError(
            f"{name}: {len(wanted)} weights of {type(model).__name__} are not in its files, such as '{wanted[0]}': "
            "give a model of that kind"
        )
    return model, missing


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
