"""kinjo: human activity recognition from any mix of video, pose, wearable sensors and words."""

__version__ = "0.1.0"
