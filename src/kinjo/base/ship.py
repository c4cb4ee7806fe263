"""Weights of kinjo-base to where the package looks for them: half precision, ONNX, and what they were made of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from kinjo import export
from kinjo.nn import checkpoint
from kinjo.runtime import BASE, WEIGHTS

PROVENANCE = "kinjo-base.json"


def ship(trained: Path, folder: Path = WEIGHTS) -> dict[str, Any]:
    """Write ``BASE.safetensors``, ``.onnx`` (with the known labels' vectors) and ``.json`` to ``folder``; what the last
    says. Both answer alike: the ONNX is made of the halved weights.
    """
    tensors, header = checkpoint.load(trained)
    half, onnx = folder / f"{BASE}.safetensors", folder / f"{BASE}.onnx"
    checkpoint.save(half, {name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}, header)
    model = export.export(half, onnx)
    told = {key: header.get(key) for key in ("recipe", "choice", "data", "seed", "kinjo", "command")}
    told |= {
        "id": model.id, "labels": list(model.labels), "parameters": model.costs["parameters"],
        "files": {
            file.name: {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in (half, onnx)
        },
    }  # fmt: skip
    (folder / PROVENANCE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return told
