"""Checkpoints: tensors in safetensors, and beside them in the same file's header what they need to be used.

Never pickle, so a checkpoint from a stranger is safe to open. The header carries a format number; a file of
another format is refused with what to do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import kinjo

FORMAT = 1


class CheckpointError(ValueError):
    """A file is no checkpoint of this kinjo; the message says what it is and what to do."""


def save(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and ``meta`` (plain JSON types: recipe, contracts, seeds, provenance) atomically.

    The header keeps the order of ``meta``: a recipe's inputs come back in theirs.
    """
    header = {"format": FORMAT, "kinjo": kinjo.__version__, "torch": torch.__version__, **meta}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    cpu = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        temporary.touch()
        mode = temporary.stat().st_mode  # safetensors writes for the owner alone
        save_file(cpu, str(temporary), metadata={"kinjo": json.dumps(header)})
        temporary.chmod(mode)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a checkpoint. Raises ``CheckpointError`` for anything else."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint. 'kinjo pretrain' writes one.")
    try:
        with safe_open(str(path), framework="pt") as file:
            raw = (file.metadata() or {}).get("kinjo")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not a safetensors file or cut short ({error}). Copy or train it again."
        ) from error
    if raw is None:
        raise CheckpointError(f"{path}: a safetensors file, but not written by kinjo (no header).")
    try:
        header = dict(json.loads(raw))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: its header is not one of kinjo's ({error}). Copy or train it again.") from error
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: checkpoint format {header.get('format')}, this kinjo ({kinjo.__version__}) reads {FORMAT}. "
            f"It was written by kinjo {header.get('kinjo')}: use that version, or train again."
        )
    return tensors, header
