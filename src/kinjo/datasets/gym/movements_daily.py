"""What people do all day."""

from __future__ import annotations

from kinjo.datasets.gym.movement import BY_SIDE, CROSSED, HIPS, Key, Movement, Variant
from kinjo.datasets.gym.movements_gym import STANDING_Y

TABLE: tuple[Movement, ...] = (
    Movement("walking", "daily", gait="walk"),
    Movement("running", "daily", gait="run"),
    Movement("walking upstairs", "daily", gait="up"),
    Movement("walking downstairs", "daily", gait="down"),
    Movement(
        "sitting", "daily", "chair", fidget=5.0,
        variants=(
            Variant({"shoulder": 34.0, "elbow": 52.0, "pronate": 70.0}),
            Variant(CROSSED),
            Variant({"shoulder": 30.0, "elbow": 82.0, "pronate": 80.0, "rotate": 12.0, "trunk": 6.0, "nod": 12.0}),
            Variant({"tilt": -16.0, "shoulder": 26.0, "elbow": 40.0, "pronate": 60.0}),
        ),
    ),
    Movement(
        "standing", "daily", fidget=3.0,
        variants=(
            Variant(), Variant(HIPS), Variant(CROSSED), Variant({"shoulder": 18.0, "elbow": 38.0, "rotate": 30.0}),
        ),
    ),
    Movement(
        "lying", "daily", "lying", fidget=2.0,
        variants=(
            Variant(),
            Variant({"shoulder": 22.0, "rotate": 60.0, "elbow": 82.0}),
            Variant({"left_plant": 1.0, "left_foot_x": -0.16, "left_foot_pitch": 0.0, "left_foot_z": -0.12}),
            Variant(posture="on the side"),
        ),
    ),
    Movement(
        "jumping", "daily", base={**STANDING_Y, **BY_SIDE}, seconds=(1.4, 2.1), rhythm=0.8,
        keys=(
            Key(0.25, {"y": 0.66, "x": -0.05, "tilt": 26.0, "trunk": 10.0, "shoulder": -24.0, "nod": -12.0}, 1.0),
            Key(0.43, {"y": 0.965, "foot_pitch": -42.0, "tilt": 0.0, "shoulder": 34.0, "elbow": 24.0, "x": 0.0}, 1.0,
                flies=True),
            Key(0.65, {"y": 0.935, "foot_pitch": -28.0, "tilt": 5.0, "shoulder": 52.0, "elbow": 30.0}, 0.6),
            Key(0.78, {"y": 0.76, "tilt": 18.0, "trunk": 6.0, "shoulder": 16.0, "x": -0.03}, 0.7),
        ),
    ),
)  # fmt: skip
