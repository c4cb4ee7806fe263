"""Exercises of the gym: the ten of MM-Fit (Strömbäck et al. 2020) first, then others."""

from __future__ import annotations

from kinjo.datasets.gym.movement import (
    ARCHED,
    AT_HEAD,
    BY_SIDE,
    CROSSED,
    FAST,
    HALF,
    HIPS,
    KNEES_IN,
    LEANING,
    QUICK,
    ROUND,
    SWINGING,
    UNEVEN,
    Fault,
    Key,
    Movement,
    Variant,
)  # fmt: skip

HEELS = Fault("heels lifted", {"foot_pitch": -20.0})
SAGGING = Fault("hips sagging", {"y": -0.06, "trunk": -16.0, "tilt": 3.0})
PIKED = Fault("hips too high", {"y": 0.17, "trunk": 8.0, "tilt": 14.0})
NECK = Fault("pulling on the neck", {"nod": 28.0})

SQUAT_STANCE = {"foot_z": 0.17, "foot_yaw": 16.0, "hip_turn": -18.0}
STANDING_Y = {"lift": 1.0, "y": 0.903}

TABLE: tuple[Movement, ...] = (
    Movement(
        "squat", "exercise", base=SQUAT_STANCE, seconds=(2.0, 3.8), rhythm=0.5,
        keys=(Key(0.5, {"tilt": 32.0, "trunk": 8.0, "hip": 112.0, "knee": 118.0, "nod": -22.0, "shoulder": 118.0,
                        "abduct": 4.0, "elbow": 8.0, "pronate": 60.0}),),
        faults=(HALF, KNEES_IN, HEELS, ROUND, FAST),
    ),
    Movement(
        "push-up", "exercise", "plank", seconds=(1.5, 3.0), rhythm=0.8, base={"rotate": 40.0},
        keys=(Key(0.5, {"reach": 0.33, "shoulder": 30.0, "abduct": 30.0}),),
        faults=(HALF, SAGGING, PIKED, Fault("elbows flared", {"rotate": 40.0}), FAST),
    ),
    Movement(
        "shoulder press", "exercise", dumbbells=True, seconds=(2.0, 3.6), rhythm=0.5,
        base={"abduct": 62.0, "shoulder": 18.0, "rotate": -82.0, "elbow": 118.0, "pronate": 70.0},
        keys=(Key(0.5, {"abduct": 160.0, "shoulder": 28.0, "rotate": -72.0, "elbow": 14.0}),),
        variants=(Variant(), Variant(posture="chair")),
        faults=(HALF, UNEVEN, ARCHED, FAST),
    ),
    Movement(
        "lunge", "exercise", base={**HIPS, **STANDING_Y}, seconds=(2.6, 4.2), rhythm=0.5, sides="alternate",
        variants=(Variant(), Variant({**BY_SIDE, "rotate": 0.0, "shoulder": 0.0})),
        keys=(
            Key(0.17, {"right_foot_x": 0.34, "right_foot_y": 0.13, "x": 0.12, "y": 0.89, "right_foot_pitch": -8.0,
                       "left_bear": 1.0}, 0.2),
            Key(0.32, {"right_foot_x": 0.74, "x": 0.36, "y": 0.80, "right_foot_pitch": 6.0, "left_foot_pitch": -32.0},
                0.4),
            Key(0.50, {"right_foot_x": 0.74, "x": 0.39, "y": 0.50, "left_foot_pitch": -62.0, "tilt": 6.0}),
            Key(0.68, {"right_foot_x": 0.74, "x": 0.33, "y": 0.81, "left_foot_pitch": -30.0}, 0.4),
            Key(0.84, {"right_foot_x": 0.34, "right_foot_y": 0.11, "x": 0.10, "y": 0.89}, 0.2),
        ),
        faults=(HALF, LEANING, Fault("knee inwards", {"right_hip_turn": 28.0}), FAST),
    ),
    Movement(
        "dumbbell row", "exercise", dumbbells=True, seconds=(1.8, 3.2), rhythm=0.5,
        base={"tilt": 48.0, "trunk": 16.0, "hip": 66.0, "knee": 32.0, "nod": -28.0, "shoulder": 62.0, "abduct": 4.0,
              "elbow": 6.0, "pronate": 10.0},
        keys=(Key(0.5, {"shoulder": -22.0, "abduct": 16.0, "elbow": 96.0}),),
        faults=(HALF, UNEVEN, ROUND, Fault("swinging", {"tilt": -20.0}), FAST),
    ),
    Movement(
        "sit-up", "exercise", "knees up", base=AT_HEAD, seconds=(2.0, 3.6), rhythm=0.5,
        variants=(Variant(), Variant({**CROSSED, "abduct": 4.0})),
        keys=(Key(0.5, {"tilt": -22.0, "trunk": 34.0, "nod": 18.0}),),
        faults=(HALF, NECK, Fault("feet lifted", {"foot_y": 0.12}), FAST),
    ),
    Movement(
        "triceps extension", "exercise", dumbbells=True, seconds=(1.8, 3.2), rhythm=0.5,
        base={"shoulder": 166.0, "abduct": 14.0, "rotate": 8.0, "elbow": 18.0, "pronate": 40.0},
        keys=(Key(0.5, {"elbow": 140.0, "shoulder": 170.0}),),
        variants=(Variant(), Variant(posture="chair")),
        faults=(HALF, Fault("elbows flared", {"abduct": 34.0}), ARCHED, FAST),
    ),
    Movement(
        "biceps curl", "exercise", dumbbells=True, seconds=(1.8, 3.4), rhythm=0.5,
        base={"shoulder": 2.0, "abduct": 6.0, "elbow": 12.0, "pronate": -75.0},
        keys=(Key(0.5, {"elbow": 138.0, "shoulder": 14.0}),),
        variants=(Variant(), Variant({"pronate": -5.0}), Variant(posture="chair"), Variant(sides="alternate")),
        faults=(HALF, UNEVEN, Fault("swinging", {"tilt": -11.0, "trunk": -8.0, "shoulder": 28.0}), FAST),
    ),
    Movement(
        "lateral raise", "exercise", dumbbells=True, seconds=(1.8, 3.2), rhythm=0.5,
        base={"abduct": 9.0, "shoulder": 4.0, "elbow": 14.0, "pronate": 15.0},
        keys=(Key(0.5, {"abduct": 88.0, "shoulder": 16.0, "elbow": 16.0, "pronate": 0.0}),),
        variants=(Variant(), Variant(posture="chair"), Variant(posture="chair")),
        faults=(HALF, UNEVEN, SWINGING, Fault("arms too high", amplitude=1.4), Fault("elbows bent", {"elbow": 52.0})),
    ),
    Movement(
        "jumping jack", "exercise", base={**STANDING_Y, "foot_z": 0.08, "foot_pitch": -4.0, "y": 0.885},
        seconds=(1.0, 1.35), rhythm=0.8,
        keys=(
            Key(0.11, {"y": 0.915, "foot_pitch": -24.0, "abduct": 24.0}, 0.2, flies=True),
            Key(0.36, {"y": 0.865, "foot_z": 0.40, "foot_pitch": -20.0, "abduct": 116.0, "rotate": -34.0,
                       "spread": 20.0}, 0.7),
            Key(0.50, {"y": 0.825, "foot_z": 0.42, "foot_pitch": -6.0, "abduct": 150.0, "rotate": -48.0, "spread": 22.0,
                       "elbow": 16.0}),
            Key(0.61, {"y": 0.870, "foot_z": 0.40, "foot_pitch": -24.0, "abduct": 128.0, "rotate": -40.0,
                       "spread": 20.0}, 0.7, flies=True),
            Key(0.86, {"y": 0.905, "foot_z": 0.09, "foot_pitch": -20.0, "abduct": 34.0}, 0.2),
        ),
        faults=(Fault("arms half way", {"abduct": -70.0}), Fault("elbows bent", {"elbow": 55.0}), UNEVEN),
    ),
    Movement(
        "deadlift", "exercise", seconds=(2.4, 4.2), rhythm=0.4,
        base={"foot_z": 0.12, "shoulder": 6.0, "abduct": 5.0, "elbow": 4.0, "pronate": 75.0},
        keys=(Key(0.5, {"tilt": 58.0, "trunk": 12.0, "hip": 98.0, "knee": 62.0, "nod": -30.0, "shoulder": 66.0}),),
        faults=(HALF, ROUND, FAST),
    ),
    Movement(
        "burpee", "exercise", base={**STANDING_Y, **BY_SIDE}, seconds=(3.6, 5.0), rhythm=0.4, fixed=True,
        keys=(
            Key(0.16, {}, 0.3, on="crouch"),
            Key(0.30, {}, 0.6, on="plank"),
            Key(0.38, {"reach": 0.38, "rotate": 40.0}, 1.0, on="plank"),
            Key(0.465, {}, 0.6, on="plank"),
            Key(0.60, {}, 0.3, on="crouch"),
            Key(0.70, {"y": 0.68, "x": -0.06, "tilt": 30.0, "trunk": 12.0, "shoulder": -6.0}, 0.3),
            Key(0.78, {"y": 0.96, "foot_pitch": -36.0, "shoulder": 62.0, "abduct": 12.0}, 0.5, flies=True),
            Key(0.87, {"y": 0.93, "foot_pitch": -26.0, "shoulder": 84.0, "abduct": 16.0}, 0.5),
            Key(0.93, {"y": 0.79, "tilt": 14.0, "shoulder": 40.0}, 0.3),
        ),
        faults=(Fault("hips sagging", {"y": -0.05, "trunk": -14.0, "tilt": 2.0}), QUICK),
    ),
    Movement(
        "mountain climber", "exercise", "plank", seconds=(0.6, 1.0), rhythm=0.8, sides="alternate",
        keys=(
            Key(0.5, {"right_foot_x": -0.24, "right_foot_y": 0.06, "right_foot_pitch": -52.0,
                      "trunk": 6.0}),
        ),
        faults=(HALF, Fault("hips too high", {"y": 0.13, "x": 0.03, "tilt": 14.0}), QUICK),
    ),
    Movement(
        "plank", "exercise", "plank", fidget=1.2, faults=(SAGGING, PIKED),
    ),
    Movement(
        "high knees", "exercise", base={**STANDING_Y, "y": 0.895, "elbow": 85.0, "shoulder": 8.0, "foot_pitch": -16.0},
        seconds=(0.42, 0.65), rhythm=1.0, sides="alternate",
        keys=(
            Key(0.5, {"right_foot_x": 0.32, "right_foot_y": 0.44, "y": 0.930, "left_foot_pitch": -26.0,
                      "left_shoulder": 42.0, "right_shoulder": -26.0, "twist": 6.0}),
        ),
        faults=(Fault("knees too low", amplitude=0.55), LEANING),
    ),
    Movement(
        "kettlebell swing", "exercise", seconds=(1.3, 1.9), rhythm=1.0,
        base={"foot_z": 0.20, "foot_yaw": 12.0, "hip_turn": -12.0, "tilt": 48.0, "trunk": 10.0, "hip": 74.0,
              "knee": 42.0, "nod": -26.0, "shoulder": 36.0, "abduct": -14.0, "elbow": 4.0, "pronate": 60.0},
        keys=(Key(0.48, {"tilt": -3.0, "trunk": -2.0, "hip": 0.0, "knee": 4.0, "nod": 0.0, "shoulder": 84.0}),),
        faults=(ROUND, Fault("arms too high", {"shoulder": 50.0}), HALF),
    ),
    Movement(
        "Russian twist", "exercise", "leaning back", seconds=(0.9, 1.6), rhythm=0.8, sides="alternate",
        base={"shoulder": 42.0, "abduct": -6.0, "rotate": 38.0, "elbow": 72.0, "pronate": 30.0},
        variants=(Variant(), Variant({"foot_y": 0.14})),
        keys=(Key(0.5, {"twist": -46.0, "turn": 14.0, "left_abduct": -16.0, "right_abduct": 10.0}),),
        faults=(HALF, ROUND, FAST),
    ),
    Movement(
        "front raise", "exercise", dumbbells=True, seconds=(1.8, 3.2), rhythm=0.5,
        base={"shoulder": 8.0, "abduct": 5.0, "elbow": 8.0, "pronate": 70.0},
        keys=(Key(0.5, {"shoulder": 90.0, "abduct": 4.0}),),
        variants=(Variant(), Variant(sides="alternate")),
        faults=(HALF, UNEVEN, SWINGING, Fault("arms too high", amplitude=1.4)),
    ),
    Movement(
        "crunch", "exercise", "knees up", base=AT_HEAD, seconds=(1.4, 2.6), rhythm=0.5,
        variants=(Variant(), Variant({**CROSSED, "abduct": 4.0})),
        keys=(Key(0.5, {"trunk": 32.0, "nod": 16.0}),),
        faults=(NECK, HALF, FAST),
    ),
)  # fmt: skip
