"""Exercises of rehabilitation and prevention, several of them as UI-PRMD has them (Vakanski et al. 2018)."""

from __future__ import annotations

from kinjo.datasets.gym.movement import (
    BY_SIDE,
    CROSSED,
    FAST,
    HALF,
    HIPS,
    KNEES_IN,
    LEANING,
    UNEVEN,
    Fault,
    Key,
    Movement,
    Variant,
)  # fmt: skip
from kinjo.datasets.gym.movements_gym import STANDING_Y

SIDEWAYS = Fault("trunk leaning", {"bend": -20.0})

TABLE: tuple[Movement, ...] = (
    Movement(
        "glute bridge", "rehabilitation", "knees up", seconds=(2.0, 3.6), rhythm=0.4,
        base={"abduct": 18.0, "pronate": 60.0},
        keys=(Key(0.5, {"y": 0.365, "x": -0.56, "tilt": -118.0, "nod": 24.0, "shoulder": -26.0}),),
        faults=(HALF, Fault("hips crooked", {"roll": 12.0}), FAST),
    ),
    Movement(
        "calf raise", "rehabilitation", seconds=(1.4, 2.8), rhythm=0.4, variants=(Variant(), Variant(HIPS)),
        keys=(Key(0.5, {"foot_pitch": -40.0, "tilt": 2.0}),),
        faults=(HALF, Fault("knees bent", {"knee": 24.0, "hip": 14.0}), FAST),
    ),
    Movement(
        "side lunge", "rehabilitation", base={**STANDING_Y, **CROSSED}, seconds=(2.6, 4.2), rhythm=0.5,
        sides="alternate", variants=(Variant(), Variant(HIPS)),
        keys=(
            Key(0.18, {"right_foot_z": 0.38, "right_foot_y": 0.10, "y": 0.88, "z": 0.03}, 0.2),
            Key(0.33, {"right_foot_z": 0.72, "y": 0.79, "z": 0.26, "tilt": 12.0, "right_foot_yaw": -12.0}, 0.5),
            Key(0.50, {"right_foot_z": 0.72, "y": 0.575, "z": 0.46, "x": -0.12, "tilt": 34.0, "trunk": 6.0,
                       "nod": -18.0, "right_foot_yaw": -12.0, "right_hip_turn": -12.0}),
            Key(0.68, {"right_foot_z": 0.72, "y": 0.80, "z": 0.24, "tilt": 10.0, "right_foot_yaw": -12.0}, 0.5),
            Key(0.83, {"right_foot_z": 0.38, "right_foot_y": 0.10, "y": 0.88, "z": 0.03}, 0.2),
        ),
        faults=(HALF, LEANING, Fault("knee inwards", {"right_hip_turn": 28.0}), FAST),
    ),
    Movement(
        "inline lunge", "rehabilitation", seconds=(2.4, 4.0), rhythm=0.4, sides="one",
        base={**STANDING_Y, **HIPS, "right_foot_x": 0.38, "left_foot_x": -0.34, "foot_z": 0.03, "foot_yaw": 0.0,
              "x": 0.03, "y": 0.82, "left_foot_pitch": -26.0},
        keys=(Key(0.5, {"x": 0.04, "y": 0.50, "left_foot_pitch": -58.0}),),
        faults=(HALF, LEANING, Fault("swaying sideways", {"bend": 14.0, "roll": 6.0, "z": 0.05}), FAST),
    ),
    Movement(
        "hip abduction", "rehabilitation", seconds=(1.8, 3.2), rhythm=0.4, sides="one",
        base={**HIPS, "right_bear": 0.0, "right_plant": 0.0, "right_spread": 4.0, "right_ankle": 6.0, "roll": -2.0,
              "left_spread": 2.0, "right_knee": 6.0, "right_hip": 6.0},
        keys=(Key(0.5, {"right_spread": 38.0, "bend": -4.0, "roll": -6.0}),),
        faults=(HALF, SIDEWAYS, FAST),
    ),
    Movement(
        "straight leg raise", "rehabilitation", "lying", seconds=(2.2, 4.0), rhythm=0.4, sides="one",
        base={"left_plant": 1.0, "left_foot_x": -0.16, "left_foot_pitch": 0.0, "left_foot_z": -0.12},
        keys=(Key(0.5, {"right_hip": 58.0, "right_ankle": 8.0}),),
        faults=(HALF, Fault("knee bent", {"right_knee": 48.0}), FAST),
    ),
    Movement(
        "shoulder rotation", "rehabilitation", seconds=(2.0, 3.6), rhythm=0.4,
        base={"abduct": 7.0, "elbow": 90.0, "rotate": 48.0},
        keys=(Key(0.5, {"rotate": -52.0}),),
        variants=(Variant(), Variant(posture="chair")),
        faults=(HALF, Fault("elbows flared", {"abduct": 34.0}), UNEVEN, FAST),
    ),
    Movement(
        "shoulder scaption", "rehabilitation", seconds=(2.2, 4.0), rhythm=0.4,
        base={"shoulder": 4.0, "abduct": 7.0, "elbow": 6.0, "pronate": -10.0},
        keys=(Key(0.5, {"shoulder": 66.0, "abduct": 108.0, "rotate": -30.0}),),
        variants=(Variant(), Variant(posture="chair")),
        faults=(HALF, UNEVEN, Fault("back arched", {"trunk": -14.0}), Fault("elbows bent", {"elbow": 50.0})),
    ),
    Movement(
        "sit to stand", "rehabilitation", "chair", base=CROSSED, seconds=(2.8, 4.4), rhythm=0.3,
        variants=(Variant(), Variant(BY_SIDE | {"shoulder": 10.0, "rotate": 0.0})),
        keys=(
            Key(0.20, {"tilt": 36.0, "trunk": 12.0, "nod": -14.0}, 0.3),
            Key(0.32, {"tilt": 40.0, "trunk": 8.0, "x": -0.20, "y": 0.64, "nod": -14.0}, 0.6),
            Key(0.50, {"tilt": 0.0, "trunk": 0.0, "x": 0.0, "y": 0.903}, 1.0),
            Key(0.70, {"tilt": 40.0, "trunk": 8.0, "x": -0.20, "y": 0.64, "nod": -14.0}, 0.6),
            Key(0.84, {"tilt": 34.0, "trunk": 10.0, "x": -0.40, "nod": -8.0}, 0.3),
        ),
        faults=(Fault("not upright", {"tilt": 18.0, "trunk": 10.0, "y": -0.04}), KNEES_IN, FAST),
    ),
)  # fmt: skip
