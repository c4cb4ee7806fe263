"""Encoders: one file per modality, from a window (and what is missing of it) to tokens and one embedding."""

from kinjo.encoders.imu import ImuEncoder, SensorInput
from kinjo.encoders.pose import PoseEncoder, PoseInput
from kinjo.encoders.video import VideoEncoder, VideoInput

Input = SensorInput | PoseInput | VideoInput
"""What a tokenised input may be; each says its modality, its tokens and how to patchify."""

__all__ = ["ImuEncoder", "Input", "PoseEncoder", "PoseInput", "SensorInput", "VideoEncoder", "VideoInput"]
