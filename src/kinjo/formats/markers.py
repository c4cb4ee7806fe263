"""Markers on the skin (Vicon Plug-in Gait, 39 of them) to joint centres, and tables of markers in text files.

Scale-free: every offset is a share of a distance between the body's own markers.

- Hip: Bell, Brand and Pedersen (1990): from the middle of the front pelvis markers 36 % of the distance between them
  to the side, 22 % backwards, 30 % down.
- Shoulder: Rab, Petuskey and Bagley (2002): 17 % of the distance between the acromia below the acromion.
- Knee, ankle, elbow: the middle of the lateral and the medial marker; where there is only the lateral one, inwards
  along the joint's axis (``motion.frame_of``) by half a width that is usual for a pelvis of that width.
- Wrist: the middle of its two markers; head: of the four of the head band; neck: of C7 and the clavicle's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import CANONICAL
from kinjo.formats import placing
from kinjo.formats.errors import MOST_FRAMES, MOST_JOINTS, FormatError, Said, numbers, read_text, short
from kinjo.motion import J, Motion, frame_of, joints_of

Floats = NDArray[np.floating[Any]]

_IN_ORDER = (
    "LFHD RFHD LBHD RBHD C7 T10 CLAV STRN RBAK LSHO LUPA LELB LFRM LWRA LWRB LFIN RSHO RUPA RELB RFRM RWRA RWRB RFIN "
    "LASI RASI LPSI RPSI LTHI LKNE LTIB LANK LHEE LTOE RTHI RKNE RTIB RANK RHEE RTOE"
)
PLUG_IN_GAIT: tuple[str, ...] = tuple(_IN_ORDER.split())
"""The 39 markers in the order in which they are written where a table has no header (UI-PRMD)."""

_HALF_WIDTHS = {"knee": 0.20, "ankle": 0.14, "elbow": 0.16}
"""Lateral marker to joint centre, by the distance between the front pelvis markers (0.25 m: 50, 35 and 40 mm)."""

_MEDIAL = {"knee": ("KNM", "KNEM", "MKNE", "KNI"), "ankle": ("ANM", "ANKM", "MANK", "MED"), "elbow": ("ELM", "ELBM")}
"""Joint -> names of a marker on its inner side, after the side's letter."""

_NEEDED = ("LASI", "RASI", "C7", "CLAV", *(
    side + name for side in "LR" for name in ("SHO", "ELB", "WRA", "WRB", "KNE", "ANK")
))  # fmt: skip


def motion_of_markers(
    file: str, labels: list[str], places: Floats, rate_hz: float, said: Said, units: str | None = None,
    up: str | None = None,
) -> Motion:  # fmt: skip
    """The movement of a body with markers ``labels`` at ``places (frames, markers, 3)``, NaN where not seen.

    ``units`` and ``up`` are those that the file states. Rotations are ``None``: a few markers on skin do not hold
    them. A joint is missing where a marker that it needs is. Raises ``FormatError`` for labels that do not suffice.
    """
    seen = {label: places[:, i] for i, label in enumerate(labels)}
    rate_hz = placing.check_rate(file, "rate", rate_hz)
    if not np.isfinite(places).all(-1).any():
        raise FormatError(file, "markers", "a marker that is seen", "gaps everywhere", "Label the trial first.")
    placing.check_numbers(file, places, placing.LARGEST_PLACE, "places")
    positions = _centres(file, seen, said)
    if said.left_handed:
        positions = positions * np.array([1.0, 1.0, -1.0])
    size = placing.body_size(file, positions)
    scale = placing.metres(file, size, said, units)
    stated = placing.stated_up(file, positions, size, said, up)
    positions = (positions * scale) @ placing.turn_to_y(stated).T
    placing.check_places(file, positions)
    placing.check_sides(file, positions)
    for joint in ("head", "left_foot", "right_foot"):
        if not np.isfinite(positions[:, J[joint]]).any():
            said.note(f"{file}: no marker of the {joint}; it is missing")
    return Motion.of(positions, CANONICAL, rate_hz)


def _centres(file: str, seen: dict[str, Floats], said: Said) -> Floats:
    """Canonical joints ``(frames, 17, 3)`` in the file's axes and units, NaN where not known."""
    by_hand = _by_hand(file, seen, said)
    need = [name for name in _NEEDED if name not in seen]
    if not ({"LPSI", "RPSI"} <= seen.keys() or "SACR" in seen):
        need.append("LPSI and RPSI, or SACR")
    if need and not set(CANONICAL.joints) <= by_hand.keys():
        raise FormatError(
            file, "markers", f"the markers of Plug-in Gait; lacking: {', '.join(need)}",
            ", ".join(list(seen)[:80]), "Rename them, or say joints={'left_knee': ('marker', ...), ...}, all joints.",
        )  # fmt: skip
    frames = len(next(iter(seen.values())))
    out = np.full((frames, len(CANONICAL.joints), 3), np.nan)
    if not need:
        _plug_in_gait(out, seen)
    for joint, place in by_hand.items():
        out[:, J[joint]] = place
    return out


def _by_hand(file: str, seen: dict[str, Floats], said: Said) -> dict[str, Floats]:
    found = {}
    for joint, given in said.joints.items():
        chosen = (given,) if isinstance(given, str) else tuple(given)
        if joint not in J or not chosen or not set(chosen) <= seen.keys():
            known = f"a canonical joint ({', '.join(J)}) and markers of {', '.join(list(seen)[:80])}"
            raise FormatError(file, "joints=", known, f"{joint!r}: {given!r}", "Correct it.")
        found[joint] = sum(seen[name] for name in chosen) / len(chosen)
    return found


def _mean(seen: dict[str, Floats], *names: str) -> Floats:
    return np.mean([seen[name] for name in names], axis=0)


def _plug_in_gait(out: Floats, seen: dict[str, Floats]) -> None:
    """Fill the joints ``out (frames, 17, 3)``."""
    left, right = seen["LASI"], seen["RASI"]
    back = seen["SACR"] if "SACR" in seen else _mean(seen, "LPSI", "RPSI")
    front = (left + right) / 2
    width = np.linalg.norm(right - left, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        aside = (right - left) / width
        ahead = front - back - ((front - back) * aside).sum(-1, keepdims=True) * aside
        ahead = ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)
    upwards = np.cross(aside, ahead)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        out[:, J[f"{side}_hip"]] = front + width * (0.36 * sign * aside - 0.22 * ahead - 0.30 * upwards)
    out[:, J["pelvis"]] = (out[:, J["left_hip"]] + out[:, J["right_hip"]]) / 2
    out[:, J["neck"]] = _mean(seen, "C7", "CLAV")
    band = ("LFHD", "RFHD", "LBHD", "RBHD")
    if set(band) <= seen.keys():
        out[:, J["head"]] = _mean(seen, *band)
    trunk = out[:, J["neck"]] - out[:, J["pelvis"]]
    with np.errstate(invalid="ignore", divide="ignore"):
        trunk = trunk / np.linalg.norm(trunk, axis=-1, keepdims=True)
    below = 0.17 * np.linalg.norm(seen["LSHO"] - seen["RSHO"], axis=-1, keepdims=True) * trunk
    for side in ("left", "right"):
        letter = side[0].upper()
        out[:, J[f"{side}_shoulder"]] = seen[f"{letter}SHO"] - below
        out[:, J[f"{side}_wrist"]] = _mean(seen, f"{letter}WRA", f"{letter}WRB")
        if f"{letter}TOE" in seen:
            out[:, J[f"{side}_foot"]] = seen[f"{letter}TOE"]
    typical = np.median(width[np.isfinite(width)]) if np.isfinite(width).any() else 0.0
    _inwards(out, seen, float(typical))


def _inwards(out: Floats, seen: dict[str, Floats], width: float) -> None:
    """Knee, ankle and elbow: between lateral and medial marker, or from the lateral one along the joint's axis."""
    lateral = (("knee", "KNE", "thigh"), ("ankle", "ANK", "shin"), ("elbow", "ELB", "upper_arm"))
    sides = (("left", "L", 1.0), ("right", "R", -1.0))
    for side, letter, _ in sides:
        for joint, name, _ in lateral:
            out[:, J[f"{side}_{joint}"]] = seen[letter + name]
    provisional = out.copy()
    for side, letter, sign in sides:
        for joint, name, segment in lateral:
            medial = next((letter + m for m in _MEDIAL[joint] if letter + m in seen), None)
            if medial:
                out[:, J[f"{side}_{joint}"]] = _mean(seen, letter + name, medial)
                continue
            needed = [J[j] for j in joints_of(f"{side}_{segment}")]
            axis = frame_of(f"{side}_{segment}", np.nan_to_num(provisional))[..., 2]
            axis[~np.isfinite(provisional[:, needed]).all((1, 2))] = np.nan
            out[:, J[f"{side}_{joint}"]] += sign * _HALF_WIDTHS[joint] * width * axis


def read_markers(path: Path, said: Said | None = None) -> Motion:
    """A table of markers (.csv, .txt). Raises ``FormatError`` naming the line; see ``formats.read_motion``.

    Either no header and 117 columns (``PLUG_IN_GAIT``, three each: UI-PRMD); or a header that names each column
    ``LFHD_X, LFHD_Y, LFHD_Z`` (also ``:X``, ``.x``, `` X``), with or without a column of frames or seconds before; or
    what Vicon Nexus exports (a line with the rate, a line of names, a line ``Frame, Sub Frame, X, Y, Z, ...``).
    Empty cells, ``NaN``, and three zeros are gaps.
    """
    said = said or Said()
    file = path.name
    lines = read_text(path).splitlines()
    rows = [i for i, line in enumerate(lines) if line.strip(" \t,;")]
    if not rows:
        raise FormatError(file, "", "rows of numbers", "empty ones", "Export the table again.")
    delimiter = next((mark for mark in ("\t", ";", ",") if mark in lines[rows[0]] + lines[rows[-1]]), None)
    cells = [[cell.strip() for cell in lines[i].split(delimiter)] for i in rows[:12]]
    if cells and _numeric(cells[0]):
        labels, first, rate, units, skipped = list(PLUG_IN_GAIT), 0, None, None, 0
        if len(cells[0]) != 3 * len(labels):
            raise FormatError(
                file, f"line {rows[0] + 1}", "117 columns (39 markers), or a header that names them",
                f"{len(cells[0])} columns", "Add a header line: LFHD_X,LFHD_Y,LFHD_Z,...",
            )  # fmt: skip
    else:
        labels, first, rate, units, skipped = _header(file, cells, rows)
    if said.rate_hz is not None:
        rate = said.rate_hz
    if rate is None:
        raise FormatError(file, "rate", "frames per second", "none in the file", "Say rate_hz= (UI-PRMD: 100).")
    columns = skipped + 3 * len(labels)
    values = _table(file, lines, rows[first:], delimiter, columns)
    if skipped:
        _consecutive(file, values[:, 0], [i + 1 for i in rows[first:]])
    places = values[:, skipped:].reshape(len(values), len(labels), 3)
    places[(places == 0).all(-1) | ~np.isfinite(places).all(-1)] = np.nan
    return motion_of_markers(file, labels, places, rate, said, units)


def _numeric(cells: list[str]) -> bool:
    return all(re.fullmatch(r"[-+0-9.eE]*|[nN]a[nN]", cell) for cell in cells) and any(cells)


def _header(file: str, cells: list[list[str]], rows: list[int]) -> tuple[list[str], int, float | None, str | None, int]:
    """``(labels, row of the first numbers, rate, units, columns before the markers)``."""
    axes = next((k for k, row in enumerate(cells) if len([c for c in row if c.upper() == "X"]) > 1), None)
    if axes is not None and axes > 0:
        start = next(i for i, cell in enumerate(cells[axes]) if cell.upper() == "X")
        names = [cell.rpartition(":")[2] for cell in cells[axes - 1][start:] if cell]
        marks = "".join(cells[axes][start:]).upper()
        stated = [row[0] for row in cells[: axes - 1] if len([c for c in row if c]) == 1 and _numeric(row)]
        after = cells[axes + 1] if len(cells) > axes + 1 else []
        unit = next((c for c in after[start:] if c), "") if after and not _numeric(after) else ""
        first, rate = axes + 1 + bool(unit), numbers(file, "rate", stated[:1], 1)[0] if stated else None
    else:
        row = cells[0]
        matches = [re.fullmatch(r"(?:.*:)?(.*?)[ _.:\-]([xyz])", cell, re.IGNORECASE) for cell in row]
        start = next((i for i, m in enumerate(matches) if m), len(row))
        names = [m[1] for m in matches[start::3] if m]
        marks = "".join(m[2] if m else "?" for m in matches[start:]).upper()
        same = all(len({m[1] for m in matches[i : i + 3] if m}) == 1 for i in range(start, len(row), 3))
        first, rate, unit = 1, None, ""
        names = names if same else []
    if not names or marks != "XYZ" * len(names) or len(set(names)) < len(names) or len(names) > MOST_JOINTS:
        raise FormatError(
            file, f"line {rows[0] + 1}", "a header that names every marker once, with columns X, Y, Z",
            short(" ".join(cells[0])), "Export with a header, or write LFHD_X,LFHD_Y,LFHD_Z,... on top.",
        )  # fmt: skip
    if unit and unit.lower() not in placing.UNITS:
        raise FormatError(file, "units", f"one of {', '.join(placing.UNITS)}", short(unit), "Correct the file.")
    if start > 2:
        raise FormatError(file, f"line {rows[0] + 1}", "at most two columns before the markers", f"{start}")
    return [name.upper() for name in names], first, rate, unit.lower() or None, start


def _table(file: str, lines: list[str], rows: list[int], delimiter: str | None, columns: int) -> Floats:
    """Numbers ``(frames, columns)``, NaN for empty cells; ``FormatError`` for rows of another length."""
    if not 1 <= len(rows) <= MOST_FRAMES:
        raise FormatError(file, "rows", f"1 to {MOST_FRAMES} rows of numbers", f"{len(rows)}")
    cells = []
    for i in rows:
        row = lines[i].split(delimiter)
        if len(row) == columns + 1 and not row[-1].strip():
            row = row[:-1]
        if len(row) != columns:
            raise FormatError(
                file, f"line {i + 1}", f"{columns} columns", f"{len(row)}", "The file is cut off, or was edited."
            )
        cells.append(row)
    text = np.char.strip(np.array(cells))
    try:
        if (np.char.find(text, "_") >= 0).any():
            raise ValueError("an underscore")
        table = np.where(text == "", "nan", text).astype(np.float64)
    except ValueError as error:
        for i, row in zip(rows, text, strict=True):
            words = [str(word) for word in row if word and word.lower() not in ("nan", "inf", "-inf")]
            numbers(file, f"line {i + 1}", words, len(words))
        raise FormatError(file, "rows", "numbers", str(error)) from error
    if np.isinf(table).any():
        raise FormatError(file, f"line {rows[int(np.isinf(table).any(1).argmax())] + 1}", "finite numbers", "inf")
    return table


def _consecutive(file: str, column: Floats, lines: list[int]) -> None:
    """Raise ``FormatError`` where the column of frames or seconds does not rise in even steps."""
    steps = np.diff(column)
    usual = np.median(steps) if len(steps) else 1.0
    odd = ~(np.abs(steps - usual) <= 0.1 * usual)
    if odd.any() or not np.isfinite(column).all():
        bad = int(np.append(False, odd).argmax())
        raise FormatError(
            file, f"line {lines[bad]}", "frames or seconds in even steps", f"{column[bad]:g}",
            "Rows are lacking or repeated: export the trial again.",
        )  # fmt: skip
