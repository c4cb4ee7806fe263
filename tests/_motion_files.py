"""Small files of motion: a person who stands and moves a little, written as BVH, ASF + AMC, C3D and marker tables."""

from __future__ import annotations

import io
import warnings
from itertools import pairwise
from typing import Any

import numpy as np

TREE: tuple[tuple[str, str, tuple[float, float, float]], ...] = (
    ("Hips", "", (0, 0, 0)), ("Spine", "Hips", (0, 0.2, 0)), ("Neck", "Spine", (0, 0.3, 0)),
    ("Head", "Neck", (0, 0.1, 0)), ("HeadTop", "Head", (0, 0.2, 0)),
    *(row for side, z in (("Left", 1.0), ("Right", -1.0)) for row in (
        (f"{side}Shoulder", "Spine", (0.05 * z, 0.25, 0)), (f"{side}Arm", f"{side}Shoulder", (0.13 * z, 0, 0)),
        (f"{side}ForeArm", f"{side}Arm", (0.29 * z, 0, 0)), (f"{side}Hand", f"{side}ForeArm", (0.25 * z, 0, 0)),
        (f"{side}Fingers", f"{side}Hand", (0.15 * z, 0, 0)), (f"{side}UpLeg", "Hips", (0.1 * z, -0.05, 0)),
        (f"{side}Leg", f"{side}UpLeg", (0, -0.42, 0)), (f"{side}Foot", f"{side}Leg", (0, -0.41, 0)),
        (f"{side}ToeBase", f"{side}Foot", (0, -0.05, 0.14)), (f"{side}Toe", f"{side}ToeBase", (0, 0, 0.06)),
    )),
)  # fmt: skip
"""(joint, parent, offset in metres): a T-pose that faces z, y up, the person's left at +x. Leaves become End Sites."""

LEAVES = {name for name, _, _ in TREE} - {parent for _, parent, _ in TREE}
HEIGHT = 0.93
Angles = dict[str, np.ndarray]
"""Joint -> degrees (frames, 3) in the order of its channels."""


def angles(rng: np.random.Generator, frames: int, most: float = 20.0) -> Angles:
    """Smooth random angles of every joint, ``(frames, 3)``, degrees."""
    t = np.linspace(0, 2 * np.pi, frames)[:, None]
    joints = [name for name, _, _ in TREE if name not in LEAVES]
    return {name: most * rng.uniform(-1, 1, 3) * np.sin(t + rng.uniform(0, 6, 3)) for name in joints}


def bvh(
    values: Angles, place: np.ndarray, orders: dict[str, str] | None = None, *, scale: float = 1.0, z_up: bool = False,
    rate: float = 120.0, rename: dict[str, str] | None = None, positions_first: bool = True,
) -> str:  # fmt: skip
    """BVH text: ``orders``: joint -> its rotation channels in order ("zxy"); ``place (frames, 3)`` of the root, metres.

    ``z_up`` turns offsets and places, so that the file's z is up; angles are then about the file's axes.
    """
    orders, rename = orders or {}, rename or {}
    lines = ["HIERARCHY"]

    def turn(v: np.ndarray) -> np.ndarray:
        return np.stack([v[..., 0], -v[..., 2], v[..., 1]], -1) if z_up else v

    def write(name: str, offset: tuple[float, ...], deep: int) -> None:
        pad = "\t" * deep
        kind = "ROOT" if deep == 0 else "End" if name in LEAVES else "JOINT"
        lines.append(f"{pad}{kind} {'Site' if kind == 'End' else rename.get(name, name)}")
        lines.append(pad + "{")
        lines.append(f"{pad}\tOFFSET " + " ".join(f"{x * scale:.6f}" for x in turn(np.array(offset, float))))
        if kind != "End":
            turns = " ".join(f"{axis.upper()}rotation" for axis in orders.get(name, "zxy"))
            both = ("Xposition Yposition Zposition", turns)
            both = both if positions_first else both[::-1]
            lines.append(f"{pad}\tCHANNELS {'6 ' + ' '.join(both) if deep == 0 else '3 ' + turns}")
            written.append(name)
        for child, parent, there in TREE:
            if parent == name:
                write(child, there, deep + 1)
        lines.append(pad + "}")

    written: list[str] = []
    write(TREE[0][0], TREE[0][2], 0)
    columns = [values[name] for name in written]
    columns.insert(0 if positions_first else 1, turn(place) * scale)
    rows = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / rate:.6f}"]
    lines += [" ".join(f"{x:.6f}" for x in row) for row in rows]
    return "\n".join(lines) + "\n"


def slow_pose(values: Angles, place: np.ndarray, orders: dict[str, str]) -> dict[str, np.ndarray]:
    """Joint -> 4 x 4 matrices ``(frames, 4, 4)`` to the world, frame by frame with SciPy: independent of the reader."""
    from scipy.spatial.transform import Rotation

    out = {name: np.zeros((len(place), 4, 4)) for name, _, _ in TREE}
    for frame in range(len(place)):
        for name, parent, offset in TREE:
            here = np.eye(4)
            here[:3, 3] = place[frame] if not parent else offset
            if name in values:
                order = orders.get(name, "zxy").upper()
                here[:3, :3] = Rotation.from_euler(order, values[name][frame], degrees=True).as_matrix()
            out[name][frame] = (out[parent][frame] if parent else np.eye(4)) @ here
    return out


ASF_BONES: tuple[tuple[str, str, tuple[float, float, float], tuple[float, float, float], str], ...] = (
    ("lowerback", "root", (0, 0.2, 0), (0, 0, 0), "rx ry rz"), ("thorax", "lowerback", (0, 0.3, 0), (0, 0, 0), "rx ry"),
    ("lowerneck", "thorax", (0, 0.1, 0), (0, 0, 0), "rx ry rz"), ("head", "lowerneck", (0, 0.2, 0), (0, 0, 0), "rx"),
    *(row for s, z in (("l", 1.0), ("r", -1.0)) for row in (
        (f"{s}clavicle", "thorax", (0.18 * z, 0, 0), (0, 0, 0), "ry rz"),
        (f"{s}humerus", f"{s}clavicle", (0.29 * z, 0, 0), (180, -30 * z, -90 * z), "rx ry rz"),
        (f"{s}radius", f"{s}humerus", (0.15 * z, 0, 0), (180, -30 * z, -90 * z), "rx"),
        (f"{s}wrist", f"{s}radius", (0.1 * z, 0, 0), (0, 90 * z, 90 * z), "ry"),
        (f"{s}hand", f"{s}wrist", (0.08 * z, 0, 0), (0, 90 * z, 90 * z), "rx rz"),
        (f"{s}hipjoint", "root", (0.1 * z, -0.05, 0.01), (0, 0, 0), ""),
        (f"{s}femur", f"{s}hipjoint", (0.14 * z, -0.396, 0), (0, 0, 20 * z), "rx ry rz"),
        (f"{s}tibia", f"{s}femur", (0.14 * z, -0.385, 0), (0, 0, 20 * z), "rx"),
        (f"{s}foot", f"{s}tibia", (0, -0.05, 0.13), (-90, 0, 20 * z), "rx rz"),
        (f"{s}toes", f"{s}foot", (0, 0, 0.06), (-90, 0, 20 * z), "rx"),
    )),
)  # fmt: skip
"""(bone, parent, from start to end in metres, axes in degrees, dof)."""

UNIT = 0.0254 / 0.45


def asf() -> str:
    """The skeleton of ``ASF_BONES`` in CMU's units."""
    lines = [
        "# made by the tests", ":version 1.10", ":name SOMEONE", ":units", "  mass 1.0", "  length 0.45", "  angle deg",
        ":documentation", "   nobody in particular", ":root", "   order TX TY TZ RX RY RZ", "   axis XYZ",
        "   position 0 0 0", "   orientation 0 0 0", ":bonedata",
    ]  # fmt: skip
    for number, (name, _, tip, axes, dof) in enumerate(ASF_BONES, 1):
        length = float(np.linalg.norm(tip))
        lines += ["  begin", f"    id {number}", f"    name {name}"]
        lines += ["    direction " + " ".join(f"{x / length:.8f}" for x in tip), f"    length {length / UNIT:.8f}"]
        lines.append("    axis " + " ".join(f"{x:g}" for x in axes) + "  XYZ")
        if dof:
            lines += [f"    dof {dof}", "    limits (-160.0 20.0)"]
            lines += ["           (-70.0 70.0)"] * (len(dof.split()) - 1)
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for name in dict.fromkeys(parent for _, parent, _, _, _ in ASF_BONES):
        lines.append(f"    {name} " + " ".join(bone for bone, up, _, _, _ in ASF_BONES if up == name))
    return "\n".join([*lines, "  end"]) + "\n"


def amc_values(rng: np.random.Generator, frames: int, most: float = 15.0) -> Angles:
    """Numbers of every bone that turns: the root's place (file's units) and angles (degrees)."""
    t = np.linspace(0, 2 * np.pi, frames)[:, None]
    out = {name: most * rng.uniform(-1, 1, len(d.split())) * np.sin(t) for name, _, _, _, d in ASF_BONES if d}
    place = np.array([0.0, HEIGHT, 0.0]) / UNIT + rng.uniform(-1, 1, 3) * np.sin(t)
    return {"root": np.concatenate([place, most * rng.uniform(-1, 1, 3) * np.sin(t)], 1), **out}


def amc(values: Angles) -> str:
    """AMC text of ``amc_values``."""
    lines = ["#!OML:ASF made by the tests", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(len(values["root"])):
        lines.append(str(frame + 1))
        lines += [f"{name} " + " ".join(f"{x:.6f}" for x in rows[frame]) for name, rows in values.items()]
    return "\n".join(lines) + "\n"


MARKERS: dict[str, tuple[float, float, float]] = {
    "LFHD": (0.09, 0.07, 1.68), "RFHD": (0.09, -0.07, 1.68), "LBHD": (-0.09, 0.07, 1.69), "RBHD": (-0.09, -0.07, 1.69),
    "C7": (-0.07, 0, 1.48), "T10": (-0.11, 0, 1.25), "CLAV": (0.07, 0, 1.43), "STRN": (0.1, 0, 1.28),
    "RBAK": (-0.1, -0.08, 1.35),
    **{s + name: (x, y * z, h) for s, z in (("L", 1.0), ("R", -1.0)) for name, (x, y, h) in {
        "SHO": (0, 0.19, 1.47), "UPA": (0, 0.24, 1.3), "ELB": (0, 0.25, 1.15), "FRM": (0.02, 0.25, 1.02),
        "WRA": (0.04, 0.24, 0.9), "WRB": (-0.03, 0.24, 0.9), "FIN": (0.02, 0.24, 0.82), "ASI": (0.1, 0.125, 1.0),
        "PSI": (-0.09, 0.05, 1.01), "THI": (0.02, 0.16, 0.75), "KNE": (0.0, 0.14, 0.5), "TIB": (0.0, 0.13, 0.3),
        "ANK": (-0.02, 0.125, 0.09), "HEE": (-0.08, 0.09, 0.05), "TOE": (0.14, 0.1, 0.05),
    }.items()},
}  # fmt: skip
"""Plug-in Gait markers of someone who stands: metres, z up, facing x, the person's left at +y."""


def marker_places(order: tuple[str, ...], frames: int, rng: np.random.Generator) -> np.ndarray:
    """``(frames, markers, 3)`` metres: the body of ``MARKERS`` sways as a whole and turns a little about z."""
    t = np.linspace(0, 2 * np.pi, frames)
    turn = 0.5 * np.sin(t + rng.uniform(0, 6))
    c, s, o, i = np.cos(turn), np.sin(turn), np.zeros(frames), np.ones(frames)
    spin = np.stack([np.stack([c, -s, o], -1), np.stack([s, c, o], -1), np.stack([o, o, i], -1)], -2)
    body = np.array([MARKERS[name] for name in order])
    sway = np.stack([0.1 * np.sin(t), 0.05 * np.cos(t), 0.01 * np.sin(2 * t)], -1) + rng.uniform(-0.2, 0.2, 3) * [
        1,
        1,
        0,
    ]
    return np.einsum("fij,mj->fmi", spin, body) + sway[:, None]


def marker_table(places: np.ndarray, order: tuple[str, ...] | None = None, frame_column: bool = False) -> str:
    """A table in millimetres: with a header where ``order`` names the markers."""
    rows = [",".join(f"{x:.4f}" for x in row) for row in 1000 * places.reshape(len(places), -1)]
    rows = [f"{k + 1},{row}" if frame_column else row for k, row in enumerate(rows)]
    header = [] if order is None else [",".join(f"{name}_{axis}" for name in order for axis in "XYZ")]
    return "\n".join([f"Frame,{header[0]}" if frame_column and header else line for line in header] + rows) + "\n"


def nexus_table(places: np.ndarray, order: tuple[str, ...], rate: int = 100) -> str:
    """What Vicon Nexus exports: rate, names, axes and units over the numbers."""
    count = len(order)
    lines = ["Trajectories", str(rate), "," + "".join(f",Bob:{name},," for name in order)]
    lines += ["Frame,Sub Frame" + ",X,Y,Z" * count, "," + ",mm,mm,mm" * count]
    for k, row in enumerate(1000 * places.reshape(len(places), -1)):
        lines.append(f"{k + 1},0," + ",".join(f"{x:.4f}" for x in row))
    return "\n".join(lines) + "\n"


def c3d(
    places: np.ndarray, order: tuple[str, ...], rate: float = 100.0, gaps: tuple[tuple[int, int], ...] = ()
) -> bytes:
    """C3D bytes, millimetres, floating point; ``gaps``: (frame, marker) that were not seen."""
    import c3d as library

    writer: Any = library.Writer(point_rate=rate, point_scale=-0.01)
    writer.set_point_labels([name.ljust(4) for name in order])
    writer.point_group.add_str("UNITS", "", "mm  ", 4)
    writer.set_screen_axis("+X", "+Z")
    frames = np.zeros((len(places), len(order), 5), np.float32)
    frames[..., :3] = 1000 * places
    for frame, marker in gaps:
        frames[frame, marker] = (0, 0, 0, -1, -1)
    writer.add_frames([(one, np.zeros((0, 1), np.float32)) for one in frames])
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer.write(out)
    return out.getvalue()


def bones(positions: np.ndarray, *line: int) -> np.ndarray:
    """Lengths ``(frames, bones)`` along a line of joints of ``positions (frames, joints, 3)``."""
    return np.stack([np.linalg.norm(positions[:, a] - positions[:, b], axis=-1) for a, b in pairwise(line)], -1)
