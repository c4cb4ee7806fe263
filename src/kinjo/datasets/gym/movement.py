"""What a movement is: key poses over its cycle, the posture it starts from, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Pose = Mapping[str, float]
"""Changes to a pose, by the names of ``pose.CHANNELS`` (a sided one without its side means both). Degrees; metres of a
person with legs of ``postures.LEG_M``. ``reach`` in a plank: how high the shoulders are, over the arm's length."""


@dataclass(frozen=True)
class Key:
    """A pose at a share ``at`` of the cycle. ``effort``: 0 at rest, 1 where the movement is at its fullest; faults show
    in that measure. ``flies``: from here to the next key the body is in the air. ``on``: the posture that ``pose``
    changes, where it is not the movement's own."""

    at: float
    pose: Pose
    effort: float = 1.0
    flies: bool = False
    on: str = ""


@dataclass(frozen=True)
class Fault:
    """A way to do it wrong. ``adds`` to the key poses by their effort; ``amplitude`` scales the range of motion,
    ``tempo`` the speed, ``left`` the left side's range alone."""

    name: str
    adds: Pose = field(default_factory=dict)
    amplitude: float = 1.0
    tempo: float = 1.0
    left: float = 1.0


@dataclass(frozen=True)
class Variant:
    """Another way to do a movement: changes to the base, another posture, other sides."""

    base: Pose = field(default_factory=dict)
    posture: str = ""
    sides: str = ""


@dataclass(frozen=True)
class Movement:
    """One activity.

    ``posture``: a name of ``postures.postures``; ``base``: changes to it that last, the pose between repetitions. A
    cycle runs from ``base`` over ``keys`` to ``base`` in ``seconds`` (from, to). ``rhythm``: 0, every key is a stop;
    1, it swings to and fro. ``sides``: both at once, one, or in turn (alternate). ``variants``: other ways to do it.
    ``fixed``: the range of motion is that of the table, where hands and feet have to meet the floor. Without keys it
    is held, with small changes of ``fidget`` degrees, or ``gait`` names a way of walking (``gait.GAITS``).
    ``dumbbells``: in both hands.
    """

    label: str
    kind: str
    posture: str = "standing"
    base: Pose = field(default_factory=dict)
    keys: tuple[Key, ...] = ()
    seconds: tuple[float, float] = (2.0, 3.5)
    rhythm: float = 0.5
    sides: str = "both"
    variants: tuple[Variant, ...] = (Variant(),)
    faults: tuple[Fault, ...] = ()
    fixed: bool = False
    fidget: float = 0.0
    gait: str = ""
    dumbbells: bool = False

    @property
    def counted(self) -> bool:
        """Whether it has repetitions to count."""
        return bool(self.keys)


HALF = Fault("half range", amplitude=0.5)
FAST = Fault("too fast", tempo=1.6)
QUICK = Fault("too fast", tempo=1.3)
UNEVEN = Fault("uneven sides", left=0.6)
ROUND = Fault("back rounded", {"trunk": 24.0, "nod": 16.0})
ARCHED = Fault("back arched", {"trunk": -18.0, "tilt": -6.0})
KNEES_IN = Fault("knees inwards", {"hip_turn": 26.0})
SWINGING = Fault("swinging", {"tilt": -10.0, "trunk": -8.0})
LEANING = Fault("trunk leaning", {"tilt": 16.0, "trunk": 12.0})
FLARED = Fault("elbows flared", {"rotate": 32.0, "abduct": 14.0})
"""Faults that several exercises share."""

BY_SIDE = {"abduct": 7.0, "elbow": 10.0, "pronate": 15.0}
"""Arms hanging."""
HIPS = {"abduct": 48.0, "rotate": 52.0, "shoulder": -18.0, "elbow": 95.0, "pronate": 30.0}
"""Hands on the hips."""
CROSSED = {"shoulder": 38.0, "rotate": 62.0, "elbow": 112.0, "abduct": 4.0}
"""Arms crossed before the chest."""
AT_HEAD = {"shoulder": 60.0, "abduct": 100.0, "rotate": -62.0, "elbow": 138.0}
"""Hands at the ears."""
