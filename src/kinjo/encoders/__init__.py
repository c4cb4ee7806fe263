"""Encoders: one file per modality, from a window (and what is missing of it) to tokens."""

from kinjo.encoders.imu import SensorInput
from kinjo.encoders.pose import PoseInput
from kinjo.encoders.video import VideoInput

Input = SensorInput | PoseInput | VideoInput
"""What a tokenised input may be; each says its modality, its tokens and how to patchify."""

__all__ = ["Input", "PoseInput", "SensorInput", "VideoInput"]
