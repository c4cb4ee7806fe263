"""Embeddings kept on disk under what they were made from: one small file each, checked when it is read.

A file is the SHA-256 of the values, then the values as little-endian float32. It is written beside its place and
renamed, so that processes share a folder; one that is damaged counts as absent and is written anew.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def default_folder(kind: str) -> Path:
    """``kinjo/<kind>`` in ``$XDG_CACHE_HOME``, or in ``~/.cache`` where that is unset or no absolute path."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "kinjo" / kind


def digest(*parts: str | bytes) -> str:
    """SHA-256 in hexadecimal of several parts; the length of each counts, so that no two lists are alike."""
    sha = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        sha.update(len(raw).to_bytes(8, "little") + raw)
    return sha.hexdigest()


def weights(module: nn.Module) -> str:
    """Digest of all parameters and buffers: names, types, shapes and values."""
    sha = hashlib.sha256()
    for name, x in sorted(module.state_dict().items()):
        sha.update(f"{name} {x.dtype} {tuple(x.shape)};".encode())
        sha.update(memoryview(x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()))
    return sha.hexdigest()


def place(folder: Path, encoder: str, content: str) -> Path:
    """Where the embedding of ``content`` by ``encoder`` (both digests) lies."""
    return folder / encoder[:16] / content[:2] / content[2:]


def read(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The values, float32 of ``shape``; ``None`` where there is no file, or one damaged or of another size."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    values = raw[32:]
    if len(values) != 4 * int(np.prod(shape)) or hashlib.sha256(values).digest() != raw[:32]:
        return None
    return np.frombuffer(values, "<f4").astype(np.float32).reshape(shape)


def write(path: Path, values: NDArray[np.float32]) -> None:
    """Write atomically; ``OSError`` where the folder cannot be written."""
    raw = np.ascontiguousarray(values, "<f4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(hashlib.sha256(raw).digest() + raw)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
