"""A recognizer as one ONNX file: the graph, and in its metadata all that ``runtime.load`` needs to run it.

    export(Path("model.safetensors"), Path("model.onnx"))
    quantize(Path("model.onnx"), Path("small.onnx"), corpus, recordings)   # int8, if it answers as well

The graph takes any number of windows and of places of sensors. Inputs, for each quantity that the model reads: ``acc``
(batch, places, samples, 3) in canonical units and ``acc_missing`` bool (batch, places, samples); ``placement`` int64
(places,), rows of ``body.PLACEMENTS``. Outputs: ``imu`` (batch, size), the encoder's embedding, and ``joint`` (batch,
joint_dim) of unit length. Poses and video stay with PyTorch.
"""

from __future__ import annotations

import base64
import json
import os
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

import kinjo
from kinjo import rhythms
from kinjo.batches import Windows, cut
from kinjo.body import PLACEMENTS
from kinjo.corpus import Corpus
from kinjo.encoders import ImuEncoder, SensorInput
from kinjo.encoders.imu import TYPICAL
from kinjo.encoders.label_table import known
from kinjo.methods import mujo
from kinjo.nn.context import Context
from kinjo.recognizer import Recognizer, costs_of
from kinjo.runtime import ONNX_FORMAT, Model, load

OPSET = 20
MAX_DROP = 0.01
"""Share of windows that int8 may answer wrong where fp32 did not."""
Batch = dict[str, NDArray[Any]]


class ImuGraph(nn.Module):
    """The IMU part of a joint space on sensors by place: what ``ImuEncoder`` computes, shapes free."""

    def __init__(self, model: mujo.MuJo) -> None:
        super().__init__()
        encoder = model.encoders["imu"]
        assert isinstance(encoder, ImuEncoder)
        if not isinstance(encoder.context, Context):
            raise ValueError("a recurrence reads a fixed number of sensors: export needs imu = 'transformer'")
        self.encoder, self.project = encoder, model.project["imu"]
        self.quantities = sorted(encoder.stems)
        table = torch.stack([model.places.placement(name) for name in PLACEMENTS])
        self.register_buffer("table", table.detach().clone())

    def forward(self, signals: list[Tensor], missing: list[Tensor], placement: Tensor) -> tuple[Tensor, Tensor]:
        slots = self.encoder.slots
        totals, counts = [], []
        for quantity, x, lost in zip(self.quantities, signals, missing, strict=True):
            b, places, samples, axes = x.shape
            x = (x / TYPICAL[quantity]).masked_fill(lost[..., None], 0.0)
            gone = lost.reshape(b, places, slots, samples // slots).float().mean(3) > 0.5
            tokens = self.encoder.stems[quantity](x.reshape(b * places, samples, axes), gone.reshape(b * places, slots))
            seen = (~gone).float()
            tokens = tokens.reshape(b, places, slots, -1) * seen[..., None]
            totals.append(tokens)
            counts.append(seen)
        entered = self.encoder.entered(
            sum(totals[1:], totals[0]), sum(counts[1:], counts[0]), self.get_buffer("table")[placement]
        )
        context = self.encoder.context
        assert isinstance(context, Context)
        embedding = context.embedded(entered, entered.missing).embedding
        return embedding, F.normalize(self.project(embedding), dim=1)


def export(checkpoint: Path, out: Path) -> Model:
    """Write the recognizer in ``checkpoint`` as ONNX to ``out``, atomically; what ``runtime.load`` makes of it.

    ``ValueError`` where it reads no IMU, or what ONNX cannot say.
    """
    model = Recognizer.load(checkpoint)
    space, recipe = model.space, model.recipe
    assert space is not None
    assert recipe is not None
    inputs = {k: s for k, s in space.config.of("imu").items() if isinstance(s, SensorInput)}
    if not inputs:
        raise ValueError(f"{checkpoint}: reads no IMU. Poses and video are recognised with PyTorch: kinjo recognize")
    odd = [k for k, s in inputs.items() if s.axes != 3 or s.scaling != "units" or s.quantity not in TYPICAL]
    if odd:
        raise ValueError(f"{checkpoint}: export knows sensors of three axes in units, not {', '.join(odd)}")
    graph = ImuGraph(space).eval()
    samples = next(iter(inputs.values())).samples
    proto = _traced(graph, samples)
    keys = [{"key": k, "quantity": s.quantity, "placement": s.placement} for k, s in inputs.items()]
    slots = [asdict(slot) for slot in model.plan.slots if slot.key in inputs]
    words, vectors = _words(space)
    told = {
        "format": ONNX_FORMAT, "kinjo": kinjo.__version__, "id": model.id, "recipe": recipe.name, "inputs": keys,
        "plan": {"slots": slots, "length_s": model.plan.length_s, "hop_s": model.plan.hop_s},
        "classes": model.classes.to_dict(), "smoothing": asdict(model.smoothing), "labels": list(model.labels),
        "units": {s.quantity: s.wanted_units for s in model.plan.slots if s.key in inputs}, "words": words,
        "costs": costs_of(space), "rhythms": rhythms.to_dict(model.rhythms),
        "vectors": base64.b64encode(vectors.astype("<f2").tobytes()).decode(),
    }  # fmt: skip
    entry = proto.metadata_props.add()
    entry.key, entry.value = "kinjo", json.dumps(told)
    _write(proto.SerializeToString(), out)
    return load(out)


def _traced(graph: ImuGraph, samples: int) -> Any:
    """The graph as an ONNX proto, batch and places free."""
    names, b, p = graph.quantities, torch.export.Dim("batch"), torch.export.Dim("places")
    rng = torch.Generator().manual_seed(0)
    signals = [torch.randn(3, 2, samples, 3, generator=rng) for _ in names]
    missing = [torch.zeros(3, 2, samples, dtype=torch.bool) for _ in names]
    shapes = ([{0: b, 1: p} for _ in names], [{0: b, 1: p} for _ in names], {0: p})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's own parts
        program = torch.onnx.export(
            graph, (signals, missing, torch.tensor([0, 1])), dynamo=True, dynamic_shapes=shapes, opset_version=OPSET,
            input_names=[*names, *(f"{n}_missing" for n in names), "placement"], output_names=["imu", "joint"],
            verbose=False,
        )  # fmt: skip
    assert program is not None
    program.optimize()
    return _bare(program.model_proto)


def _bare(proto: Any) -> Any:
    """Without what the exporter notes of where each node comes from: lines of files of this machine."""
    for body in (proto.graph, *proto.functions):
        for part in (body, *body.node, *body.value_info):
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
    return proto


def _words(space: mujo.MuJo) -> tuple[list[str], NDArray[np.float32]]:
    """Known labels and their vectors in the joint space; none where the model read another text encoder's."""
    table = known()
    if space.config.text != "minilm" or space.config.train_text or "text" not in space.project:
        return [], np.zeros((0, space.config.joint_dim), np.float32)
    with torch.inference_mode():
        rows = torch.from_numpy(np.stack(list(table.values())))
        return list(table), space.joint("text", rows, torch.zeros(len(rows), dtype=torch.bool)).numpy()


def _write(data: bytes, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------ int8
def quantize(
    model: Path, out: Path, checkpoint: Path, store: Corpus, recordings: Iterable[str], *, max_drop: float = MAX_DROP
) -> dict[str, float]:
    """Weights as int8, where windows of ``recordings`` (labelled, not trained on) are answered as well.

    Returns ``fp32``, ``int8`` and ``drop`` (accuracy over windows) and both sizes in bytes. ``ValueError``, and nothing
    is written, where more than ``max_drop`` of the accuracy is lost.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    recognizer = Recognizer.load(checkpoint)
    assert recognizer.recipe is not None
    recipe = recognizer.recipe
    inputs = {k: s for k, s in recipe.inputs.items() if isinstance(s, SensorInput)}
    windows = Windows(store, cut(store, recordings, recipe), inputs)
    labels = windows.index.label_names.astype(str)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.onnx")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_dynamic(model, temporary, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
        before, after = (accuracy(load(file), windows, labels) for file in (model, temporary))
        found = {
            "fp32": before, "int8": after, "drop": before - after, "fp32_bytes": float(model.stat().st_size),
            "int8_bytes": float(temporary.stat().st_size),
        }  # fmt: skip
        if before - after > max_drop:
            raise ValueError(
                f"int8 answers {after:.3f} of the windows right, fp32 {before:.3f}: more than {max_drop:g} lost, "
                "nothing written. Keep fp32, or allow more with max_drop."
            )
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return found


def accuracy(model: Model, windows: Windows, labels: NDArray[np.str_]) -> float:
    """Share of windows whose likeliest answer, not known among them, is right."""
    right = 0
    for rows in np.array_split(np.arange(len(windows)), max(1, len(windows) // 256)):
        p = model.score(batch_of(windows, rows))
        best = np.where(1 - p.sum(1) > p.max(1), len(model.labels), p.argmax(1))
        right += int((np.array([*model.labels, ""])[best] == labels[rows]).sum())
    return right / max(1, len(windows))


def batch_of(windows: Windows, rows: NDArray[Any]) -> Batch:
    """Windows of a corpus as ``runtime`` reads them: canonical units."""
    read = {key: x.numpy() for key, x in windows.tensors(rows).items()}
    for key, spec in windows.inputs.items():
        if isinstance(spec, SensorInput):
            read[key] = read[key] * np.float32(TYPICAL[spec.quantity])
    return read
