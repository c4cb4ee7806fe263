"""What the names of a table's columns tell: which sensor, quantity, axis, units and place on the body, and the time.

Names are cut into words (``left_wrist_acc_x``, ``Acc-X (g)``, ``accelerometerAccelerationX(G)``, ``LinearAccX``,
``gyro_x_dps``); what is neither quantity, axis nor unit names the sensor. Nothing here looks at values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kinjo.body import PLACEMENTS
from kinjo.formats.facts import Fact, StreamGuess

QUANTITY_WORDS: dict[str, frozenset[str]] = {
    "acc": frozenset(
        [
            "a",
            "acc",
            "accel",
            "acce",
            "accelero",
            "accelerometer",
            "acceleration",
            "accelerations",
            "lacc",
            "linacc",
            "bodyacc",
        ]
    ),
    "gyro": frozenset(
        ["gyr", "gyro", "gyros", "gyroscope", "omega", "w", "angularvelocity", "angularrate", "rotationrate", "angvel"]
    ),
    "mag": frozenset(["m", "mag", "magn", "magnet", "magneto", "magnetometer", "magnetic", "magneticfield"]),
}
"""quantity -> words of columns that hold it. ``g`` is a gyroscope beside an ``a``, and else nobody knows."""

UNIT_WORDS: dict[str, dict[str, tuple[str, float]]] = {
    "acc": {
        **dict.fromkeys(("m/s^2", "m/s2", "ms2", "ms-2", "m/s/s", "mps2", "mpers2", "m/(s2)", "mss"), ("m/s^2", 1.0)),
        **dict.fromkeys(("g", "gs", "gn"), ("g", 1.0)),
        **dict.fromkeys(("mg", "millig"), ("g", 1e-3)),
    },
    "gyro": {
        **dict.fromkeys(("rad/s", "rads", "radps", "rad/sec", "radians/s", "rads-1", "radpers"), ("rad/s", 1.0)),
        **dict.fromkeys(
            ("deg/s", "degs", "dps", "degps", "deg/sec", "°/s", "°/sec", "degrees/s", "degpers", "degs-1"),
            ("deg/s", 1.0),
        ),
        **dict.fromkeys(("mdps", "mdeg/s"), ("deg/s", 1e-3)),
    },
    "mag": {
        **dict.fromkeys(("ut", "microtesla"), ("uT", 1.0)),
        "gauss": ("gauss", 1.0), "mgauss": ("gauss", 1e-3), "nt": ("uT", 1e-3),
    },
}  # fmt: skip
"""quantity -> spelling of a unit, small and without blanks and ^ -> (kinjo's unit, factor)."""

TIME_WORDS = frozenset(
    [
        "time",
        "timestamp",
        "timestamps",
        "t",
        "ts",
        "datetime",
        "elapsed",
        "epoch",
        "unixtime",
        "unix",
        "clock",
        "date",
        "seconds",
        "millis",
    ]
)
TIME_UNIT_WORDS: dict[str, str] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "usec", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), "ns"),
}
LABEL_NAMES = frozenset(
    [
        "label",
        "labels",
        "activity",
        "activities",
        "activityname",
        "activitylabel",
        "class",
        "classlabel",
        "target",
        "annotation",
        "gt",
    ]
)
SUBJECT_NAMES = frozenset(
    ["subject", "subjectid", "user", "userid", "participant", "participantid", "person", "personid"]
)
OTHER_WORDS = frozenset(
    [
        "gravity",
        "grav",
        "quat",
        "quaternion",
        "q",
        "attitude",
        "orientation",
        "euler",
        "angle",
        "heading",
        "roll",
        "pitch",
        "yaw",
    ]
)
"""Words of columns with axes that hold nothing that is read."""
APPLE = re.compile(r"accelerometerAcceleration|userAcceleration")
"""Names of Apple's CoreMotion, whose acceleration has the sign of gravity: a phone face up reads -1 g."""

_PARTS = {
    **{word: word for word in ("wrist", "ankle", "thigh", "shin", "foot", "hand", "pocket", "ear", "forearm", "waist")},
    "head": "head", "neck": "neck", "chest": "chest", "back": "back", "watch": "wrist", "smartwatch": "wrist",
    "calf": "shin", "shank": "shin", "shoe": "foot", "lowerarm": "forearm", "lower_arm": "forearm", "hip": "waist",
    "upperarm": "upper_arm", "upper_arm": "upper_arm", "belt": "waist", "pelvis": "waist", "sternum": "chest",
    "torso": "chest", "trunk": "chest", "lumbar": "back", "lower_back": "back",
}  # fmt: skip
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
_PART = "|".join(sorted(_PARTS, key=len, reverse=True))
_PLACE = re.compile(rf"(?:^|_)(?:(left|right|l|r)_?)?({_PART})(?:_(left|right|l|r))?(?=_|$)")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_BRACKET = re.compile(r"[(\[{]([^()\[\]{}]*(?:\([^()]*\))?[^()\[\]{}]*)[)\]}]")
_SINGLE = frozenset("amwg")
_LONG = sorted(word for words in QUANTITY_WORDS.values() for word in words if len(word) > 1)
_MERGED = re.compile(f"^(a|g|m|q|w|{'|'.join(_LONG)})([xyz])$")


@dataclass(frozen=True)
class Roles:
    """What the columns are, by their numbers: ``times`` with the unit that the name says, best first."""

    streams: tuple[StreamGuess, ...]
    times: tuple[tuple[int, str | None], ...] = ()
    label: int | None = None
    subject: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Column:
    """One column of a sensor: ``key`` are the words that are left, ``quantity`` may be '' or 'g'."""

    number: int
    key: tuple[str, ...]
    quantity: str
    axis: str
    gravity: bool | None
    unit: tuple[str, float] | None
    apple: bool


def roles(names: Sequence[str]) -> Roles:
    """The streams, time columns, label and subject that ``names``, one a column, speak of.

    A stream has three columns, x, y and z (or numbered 1 to 3, 0 to 2). Units, gravity and placement are told or not
    known. A triple x, y, z of nobody knows what is no stream, but a note.
    """
    columns: list[_Column] = []
    times: list[tuple[int, str | None]] = []
    label = subject = None
    for number, name in enumerate(names):
        squashed = re.sub(r"[\W_]+", "", name).lower()
        column = _column(number, name)
        if squashed in LABEL_NAMES:
            label = number if label is None else label
        elif squashed in SUBJECT_NAMES:
            subject = number if subject is None else subject
        elif column is not None:
            columns.append(column)
        elif _is_time(name):
            times.append((number, _time_unit(name)))
    groups: dict[tuple[tuple[str, ...], str, bool | None], list[_Column]] = {}
    for column in columns:
        groups.setdefault((column.key, column.quantity, column.gravity), []).append(column)
    accelerated = {key for key, quantity, _ in groups if quantity == "acc"}
    found, notes = [], []
    for (key, _, _), members in groups.items():
        stream, note = _stream(members, names, "gyro" if key in accelerated else "")
        found += [] if stream is None else [stream]
        notes += note
    order = sorted(times, key=lambda time: (names[time[0]].strip().lower() == "date", time[1] is None))
    return Roles(tuple(found), tuple(order), label, subject, tuple(notes))


def unit_of(quantity: str, word: str) -> tuple[str, float] | None:
    """kinjo's unit and the factor to it of a unit as people write it: ``m/s²``, ``mg``, ``g/16384``; or ``None``."""
    plain = re.sub(r"[\s^_*·]", "", word.strip().lower()).replace("²", "2").replace("µ", "u").replace("μ", "u")
    known = UNIT_WORDS.get(quantity, {})
    if plain in known:
        return known[plain]
    head, _, count = plain.rpartition("/")
    if head in known and re.fullmatch(r"\d+(\.\d+)?", count) and float(count) > 0:
        unit, factor = known[head]
        return unit, factor / float(count)
    return None


def placement_of(words: str) -> str | None:
    """The placement that ``words`` joined by ``_`` name (``wrist_left`` -> ``left_wrist``), or ``None``."""
    for match in _PLACE.finditer(words):
        part, side = _PARTS[match[2]], _SIDES.get(match[1] or match[3] or "")
        if side and f"{side}_{part}" in PLACEMENTS:
            return f"{side}_{part}"
        if part in PLACEMENTS:
            return part
    return None


def _words(name: str) -> list[str]:
    name = re.sub(r"\bg[fF](?:orce)?_?([xyzXYZ])\b", r"acc_\1_g", name)  # Physics Toolbox's gFx
    out: list[str] = []
    for word in _WORD.findall(name):
        merged = _MERGED.match(word.lower())
        out += [merged[1], merged[2]] if merged else [word.lower()]
    return out


def _column(number: int, name: str) -> _Column | None:
    """The sensor's column that ``name`` speaks of; ``None`` where it has no axis or holds something else."""
    bracket = _BRACKET.search(name)
    words = _words(_BRACKET.sub(" ", name))
    axis = next((i for i in range(len(words) - 1, -1, -1) if words[i] in ("x", "y", "z")), None)
    joined = "".join(words)
    quantity = _quantity(words)
    if axis is None and quantity in QUANTITY_WORDS and words[-1] in ("0", "1", "2", "3") and len(words) > 1:
        axis = len(words) - 1
    if quantity in ("", "g") and bracket:  # x-axis (g)
        quantity = next((q for q in QUANTITY_WORDS if unit_of(q, bracket[1])), quantity)
    if axis is None or quantity is None:
        return None
    gravity: bool | None = None
    if quantity == "acc":
        bare = re.search(r"linear|user|without|noG|lacc|linacc|body|exclud|gravityfree|(^|[^a-z])free", joined, re.I)
        whole = re.search(r"total|withgravity|includ|inclgravity|withg", joined)
        gravity = False if bare else (True if whole else None)
    unit = unit_of(quantity, bracket[1]) if bracket else None
    spent = 0
    if unit is None and quantity in UNIT_WORDS:
        last = next((k for k in (3, 2, 1) if _unit_at_end(words, k, axis, quantity)), 0)
        if last:
            unit, spent = unit_of(quantity, "".join(words[-last:])), last
    rest = words[: len(words) - spent]
    drop = QUANTITY_WORDS.get(quantity, frozenset("g")) | {"axis", "angular", "velocity", "rotation", "rate", "field"}
    drop |= {"linear", "user", "body", "total", "without", "with", "gravity", "g", "including", "excluding"}
    key = tuple(word for i, word in enumerate(rest) if i != axis and word not in drop)
    return _Column(number, key, quantity, words[axis], gravity, unit, bool(APPLE.search(name)))


def _unit_at_end(words: list[str], count: int, axis: int, quantity: str) -> bool:
    """Whether the last ``count`` words are a unit, behind the axis or behind the quantity."""
    if len(words) - count <= 0 or axis >= len(words) - count:
        return False
    return unit_of(quantity, "".join(words[-count:])) is not None


def _quantity(words: list[str]) -> str | None:
    """``acc``, ``gyro``, ``mag``, ``g`` (one of two), '' (only an axis), or ``None`` for what is not read."""
    joined = "".join(words)
    if "angularvel" in joined or "angularrate" in joined or "rotationrate" in joined:
        return "gyro"
    found = [q for q, known in QUANTITY_WORDS.items() if any(w in known and w not in _SINGLE for w in words)]
    found = found or [q for q, known in QUANTITY_WORDS.items() if any(w in known for w in words)]
    if found:
        gravity = set(words) & {"gravity"} and not re.search(r"with|includ|exclud|free|noG|total", joined)
        return None if gravity else found[0]
    if OTHER_WORDS & set(words):
        return None
    if "g" in words:
        return "g"
    left = [word for word in words if word not in ("x", "y", "z", "axis")]
    return "" if not left or placement_of("_".join(left)) else None


def _is_time(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(_BRACKET.sub(" ", name))]
    return bool(TIME_WORDS & set(words)) or words in (["ms"], ["s"], ["us"], ["ns"])


def _time_unit(name: str) -> str | None:
    """The unit that a time column's name tells, ``None`` where it tells none."""
    bracket = _BRACKET.search(name)
    words = [word.lower() for word in _WORD.findall(_BRACKET.sub(" ", name))]
    units = [TIME_UNIT_WORDS[word] for word in words if word in TIME_UNIT_WORDS]
    plain = bracket[1].strip().lower().replace("µ", "u").replace("μ", "u") if bracket else ""
    return TIME_UNIT_WORDS.get(plain, units[-1] if units else None)


def _stream(members: list[_Column], names: Sequence[str], for_g: str) -> tuple[StreamGuess | None, list[str]]:
    """The stream of the columns of one sensor and quantity, or a note why there is none."""
    first = members[0]
    axes = [column.axis for column in members]
    said = ", ".join(repr(names[column.number]) for column in members)
    order = next((o for o in (("x", "y", "z"), ("1", "2", "3"), ("0", "1", "2")) if sorted(axes) == list(o)), None)
    if order is None:
        return None, [f"columns {said} are not read: a sensor has x, y and z, each once"]
    by_axis = {column.axis: column for column in members}
    chosen = [by_axis[axis] for axis in order]
    notes = [] if order[0] == "x" else [f"columns {said}: axes x, y, z in the order of their numbers"]
    quantity = for_g if first.quantity == "g" else first.quantity
    if not quantity:
        return None, [f"columns {said} are not read: their names do not say what they measure"]
    units, scale = Fact(), 1.0
    spoken = {column.unit for column in members if column.unit is not None}
    if len(spoken) == 1:
        unit, scale = next(iter(spoken))
        units = Fact(unit, "told", "by the names")
    gravity = Fact(first.gravity, "told", "by the names") if first.gravity is not None else Fact()
    sensor = "_".join(first.key)
    place = placement_of(sensor)
    if first.apple and quantity == "acc":
        scale = -scale
        notes.append(f"columns {said}: Apple's names, turned from its sign of gravity to specific force")
    stream = StreamGuess(
        sensor, quantity, tuple(column.number for column in chosen), tuple(names[c.number] for c in chosen),
        units=units, gravity=gravity, scale=scale,
        placement=Fact(place, "told", "by the names") if place else Fact(),
    )  # fmt: skip
    return stream, notes
