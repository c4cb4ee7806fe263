"""Start a MuJo from the weights of a Mu-MAE that was pre-trained on the same streams."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from kinjo.encoders import PoseInput, SensorInput, VideoInput
from kinjo.methods.mujo import MuJo


def mumae_weights(model: MuJo, weights: Mapping[str, Tensor]) -> list[str]:
    """Start the encoders from a Mu-MAE's weights: entrances of streams named alike, and its encoder for each modality.

    Returns the names that were taken over; none is a ``ValueError``.
    """
    own, taken = model.state_dict(), {}
    for name, value in weights.items():
        name = name.removeprefix("model.")
        root, _, rest = name.partition(".")
        wanted = []
        if root == "encoder":
            wanted = [f"encoders.{m}.context.encoder.{rest}" for m in model.encoders]
        elif root == "enter":
            key, _, rest = rest.partition(".")
            spec = model.config.inputs.get(key)
            if isinstance(spec, SensorInput):
                wanted = [f"encoders.imu.stems.{spec.quantity}.{rest}"]
            elif isinstance(spec, PoseInput):
                wanted = [f"encoders.pose.stems.0.{rest}"] if spec.places == 1 else []
            elif isinstance(spec, VideoInput):
                wanted = [f"encoders.video.stem.{rest}"]
        taken |= {n: value for n in wanted if n in own and own[n].shape == value.shape}
    if not taken:
        raise ValueError(
            "nothing of this Mu-MAE fits: take its dim, heads and inputs in the recipe's [model] and [inputs]"
        )
    model.load_state_dict(taken, strict=False)
    return sorted(taken)
