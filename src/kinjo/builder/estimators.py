"""Who says where the joints are: MediaPipe, RTMPose through ONNX Runtime, and poses computed elsewhere.

An estimator is a function from a clip's pictures to ``Seen``. To add one, write such a function.
"""

from __future__ import annotations

import hashlib
import os
import urllib.request
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.builder.errors import BuildError
from kinjo.builder.footage import Picture

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What an estimator says of a clip, frame by frame, of up to ``people`` persons.

    ``image (frames, people, joints, 2)`` pixels; ``confidence (frames, people, joints)`` 0 to 1, 0 where nobody is;
    ``world (frames, people, joints, 3)`` metres about the hips, x right, y down, z away from the camera, or ``None``.
    """

    skeleton: str
    image: Floats
    confidence: Floats
    world: Floats | None = None


Estimator = Callable[[Iterable[Picture]], Seen]


def mediapipe(pictures: Iterable[Picture]) -> Seen:
    """BlazePose (complexity 1, in the wheel of mediapipe 0.10.14): one person, 33 joints, in 2-D and 3-D.

    It follows the person it found first, so that the answers depend on the order of the pictures.
    """
    try:
        from mediapipe.python.solutions.pose import Pose
    except ImportError as error:
        raise BuildError(f"MediaPipe is not here ({error}): pip install 'kinjo[pose]' (Python 3.11 or 3.12)") from error
    image, world, sure = [], [], []
    with warnings.catch_warnings(), Pose(model_complexity=1, smooth_landmarks=False) as model:
        warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)  # between it and protobuf
        for picture in pictures:
            found: Any = model.process(picture)
            if found.pose_landmarks is None:
                image.append(np.full((33, 2), np.nan))
                world.append(np.full((33, 3), np.nan))
                sure.append(np.zeros(33))
                continue
            flat, solid = found.pose_landmarks.landmark, found.pose_world_landmarks.landmark
            size = (picture.shape[1], picture.shape[0])
            image.append(np.array([(p.x, p.y) for p in flat]) * size)
            world.append(np.array([(p.x, p.y, p.z) for p in solid]))
            sure.append(np.array([p.visibility for p in flat]))
    return Seen("mediapipe33", _one_person(image, (33, 2)), _one_person(sure, (33,)), _one_person(world, (33, 3)))


def _one_person(rows: list[Any], shape: tuple[int, ...]) -> Floats:
    return np.asarray(rows, np.float32).reshape(len(rows), 1, *shape)


MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of ImageNet, as RTMPose's models expect their pictures."""
SPLIT = 2.0
"""Bins of SimCC to a pixel of the input."""
PADDING = 1.25
"""A person's box is enlarged by this factor, as in the models' training."""


def rtmpose(model: Path) -> Estimator:
    """RTMPose (SimCC, 17 joints of COCO) from an ONNX file: one person, 2-D.

    Each picture is cut where the person was in the one before, the first one and those after a loss as a whole.
    Without a third dimension there is no virtual IMU: poses are kept, sensors are not made.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise BuildError("RTMPose needs ONNX Runtime: pip install 'kinjo[runtime]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base for what it raises
        raise BuildError(f"{model}: not an ONNX model that can be read ({error})") from error
    given = session.get_inputs()[0]
    outputs = [tuple(o.shape) for o in session.get_outputs()]
    if len(given.shape) != 4 or len(outputs) != 2 or any(len(o) != 3 for o in outputs):
        raise BuildError(
            f"{model}: expected one input (1, 3, height, width) and two outputs (1, joints, bins), as RTMPose's SimCC "
            f"models have; given {given.shape} and {outputs}"
        )
    height, width = int(given.shape[2]), int(given.shape[3])

    def estimate(pictures: Iterable[Picture]) -> Seen:
        image, sure, box = [], [], None
        for picture in pictures:
            part, corner, scale = _crop(picture, box, height, width)
            x, y = session.run(None, {given.name: part})
            at = np.stack([x[0].argmax(1), y[0].argmax(1)], 1) / SPLIT * scale + corner
            trust = np.minimum(x[0].max(1), y[0].max(1)).clip(0.0, 1.0)
            seen = trust > 0.3
            box = None if seen.sum() < 4 else np.concatenate([at[seen].min(0), at[seen].max(0)])
            image.append(at)
            sure.append(trust)
        return Seen("coco17", _one_person(image, (17, 2)), _one_person(sure, (17,)))

    return estimate


def _crop(picture: Picture, box: Any, height: int, width: int) -> tuple[Floats, NDArray[Any], float]:
    """The part of a picture about a box, at the model's size; its corner and pixels to a pixel of the model."""
    low, high = (np.zeros(2), np.array(picture.shape[1::-1], float)) if box is None else (box[:2], box[2:])
    size = np.maximum(high - low, 8.0) * (1.0 if box is None else PADDING)
    scale = float(np.max(size / (width, height)))
    corner = (low + high) / 2 - scale * np.array([width, height]) / 2
    columns = np.floor(corner[0] + scale * (np.arange(width) + 0.5)).astype(int)
    rows = np.floor(corner[1] + scale * (np.arange(height) + 0.5)).astype(int)
    inside = ((rows >= 0) & (rows < picture.shape[0]))[:, None] & ((columns >= 0) & (columns < picture.shape[1]))
    part = picture[rows.clip(0, picture.shape[0] - 1)[:, None], columns.clip(0, picture.shape[1] - 1)]
    values = (np.where(inside[..., None], part, 0) - MEAN) / STD
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32), corner, scale


def fetched(address: str, sha256: str, folder: Path) -> Path:
    """A model from an address (https, http, file), kept in ``folder`` under its checksum; a local path as it is.

    ``BuildError`` where the checksum is absent or another: a model runs as code would.
    """
    if "://" not in address:
        path = Path(address)
        if not path.is_file():
            raise BuildError(f"{path}: no such model")
        if sha256 and (given := hashlib.sha256(path.read_bytes()).hexdigest()) != sha256.lower():
            raise BuildError(f"{path}: its SHA-256 is {given}, expected {sha256}: another file, or a damaged one")
        return path
    if len(sha256) != 64:
        raise BuildError(f"{address}: give the model's SHA-256 (64 hexadecimal digits), so that it is the one meant")
    path = folder / f"{sha256.lower()}.onnx"
    if path.is_file():
        return path
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            data = answer.read(2 << 30)
    except (OSError, ValueError) as error:
        raise BuildError(f"{address}: cannot be fetched ({error}). Download it by hand and give its path.") from error
    given = hashlib.sha256(data).hexdigest()
    if given != sha256.lower():
        raise BuildError(f"{address}: its SHA-256 is {given}, expected {sha256}: not the model meant; nothing was kept")
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
    return path
