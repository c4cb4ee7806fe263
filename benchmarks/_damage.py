"""Ways to damage a small data set, for ``fuzz_readers``: its files before they are packed, or a packed archive."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable

import numpy as np

from _official_layouts import Tree, mat

Damage = Callable[[Tree, np.random.Generator], None]
DamageFile = Callable[[bytes, np.random.Generator], bytes]
PARTS = {"Inertial": "d_iner", "Skeleton": "d_skel", "Depth": "d_depth"}
"""Archive -> variable in its files."""


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """``data`` up to a random byte."""
    return data[: int(rng.integers(0, len(data)))]


def cut_in_row(data: bytes, rng: np.random.Generator) -> bytes:
    """``data`` up to a random byte that does not end a line."""
    end = int(rng.integers(1, len(data) - 1))
    while data[end - 1 : end] == b"\n":
        end -= 1
    return data[:end]


def flip(
    data: bytes, rng: np.random.Generator, low: int = 0, high: int | None = None, bits: int | None = None
) -> bytes:
    """``data`` with 1 to 6 random bits flipped in bytes ``[low, high)``."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 7)) if bits is None else bits):
        out[int(rng.integers(low, min(high or len(out), len(out))))] ^= 1 << int(rng.integers(0, 8))
    return bytes(out)


def flip_structure(data: bytes, rng: np.random.Generator) -> bytes:
    """One bit flipped in the header line, a separator or a line end of a csv."""
    header = data.index(b"\n")
    places = [i for i, byte in enumerate(data) if i <= header or byte in b",\n"]
    at = int(rng.choice(places))
    return flip(data, rng, at, at + 1, bits=1)


def flip_directory(data: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped in the directory at the end of a zip."""
    return flip(data, rng, data.index(b"PK\x01\x02"))


def garbage(data: bytes, rng: np.random.Generator) -> bytes:
    """Random bytes, with or without a zip's first bytes, or a web page: what a failed download leaves."""
    noise = rng.bytes(int(rng.integers(1, 4000)))
    return (noise, b"PK\x03\x04" + noise, b"<!DOCTYPE html><html>404 Not Found</html>\n")[int(rng.integers(3))]


def some(tree: Tree, rng: np.random.Generator, archive: str = "") -> tuple[dict[str, bytes], str]:
    """Files of an archive (a random one without a name), and the name of a random file in it."""
    files = tree[archive or str(rng.choice(sorted(tree)))]
    return files, str(rng.choice(sorted(files)))


def each(change: DamageFile) -> Damage:
    """``change`` applied to one random file."""

    def damage(tree: Tree, rng: np.random.Generator) -> None:
        files, name = some(tree, rng)
        files[name] = change(files[name], rng)

    return damage


def remove(tree: Tree, rng: np.random.Generator) -> None:
    """A file is absent."""
    files, name = some(tree, rng)
    del files[name]


def remove_archive(tree: Tree, rng: np.random.Generator) -> None:
    """A whole archive is absent."""
    del tree[str(rng.choice(sorted(tree)))]


def rename(tree: Tree, rng: np.random.Generator) -> None:
    """A file has another ending, another number or another case, or lies there twice."""
    files, name = some(tree, rng)
    stem, _, ending = name.rpartition(".")
    new = (f"{stem}.txt", f"{stem} (1).{ending}", f"{stem}99.{ending}", name.upper())[int(rng.integers(4))]
    files[new] = files.pop(name) if rng.random() < 0.7 else files[name]


def intruder(tree: Tree, rng: np.random.Generator) -> None:
    """A file that is not of the data set; or one that every system leaves behind, which must not hurt."""
    files, name = some(tree, rng)
    folder = name.rpartition("/")[0]
    new = (f"copy/{name}", f"a99_s1_t1_{name[-12:]}", ".DS_Store", f"__MACOSX/._{name}", "readme.txt")
    chosen = new[int(rng.integers(5))]
    files[f"{folder}/{chosen}" if folder and "/" not in chosen else chosen] = files[name]


def other_file(tree: Tree, rng: np.random.Generator) -> None:
    """A file of another archive lies under this one's name."""
    a, b = rng.choice(sorted(tree), 2, replace=False)
    (files, name), (others, other) = some(tree, rng, str(a)), some(tree, rng, str(b))
    files[name] = others[other]


def stored(data: bytes, variable: str) -> np.ndarray:
    """The values in a .mat."""
    from scipy.io import loadmat

    return loadmat(io.BytesIO(data))[variable]


def matrix(change: Callable[[str, np.ndarray, np.random.Generator], tuple[str, object]]) -> Damage:
    """One random .mat written anew: ``change(variable, values, rng)`` gives the new variable name and values."""

    def damage(tree: Tree, rng: np.random.Generator) -> None:
        archive = str(rng.choice(sorted(PARTS)))
        files, name = some(tree, rng, archive)
        variable, values = change(PARTS[archive], stored(files[name], PARTS[archive]), rng)
        files[name] = mat(variable, values, compressed=bool(rng.random() < 0.5))

    return damage


def other_name(variable: str, values: np.ndarray, rng: np.random.Generator) -> tuple[str, object]:
    """A variable name with a slip, or of another file."""
    return str(rng.choice(["data", variable.upper(), variable + "_", variable[:-1], "d_rgb"])), values


def other_shape(variable: str, values: np.ndarray, rng: np.random.Generator) -> tuple[str, object]:
    """Transposed, flattened, with one channel less, one axis more, or empty."""
    ways = (values.T, values.ravel(), values[:, :-1], values[None, None], values[..., :0], values[:1], values[..., :1])
    return variable, ways[int(rng.integers(len(ways)))]


def other_type(variable: str, values: np.ndarray, rng: np.random.Generator) -> tuple[str, object]:
    """Whole numbers for metres and g, signed or floating depth, complex, logical, text, a struct, a cell."""
    cell = np.empty(2, object)
    cell[:] = [values, "x"]
    real = values + 0.5
    ways = (
        real.astype(np.int16), real > 0, real * 1j, real.astype(np.int32), "text", {"a": values}, cell,
        values if values.dtype != np.uint16 else real, values.astype("i8"),
    )  # fmt: skip
    return variable, ways[int(rng.integers(len(ways)))]


def not_finite(variable: str, values: np.ndarray, rng: np.random.Generator) -> tuple[str, object]:
    """A run of NaN or infinite numbers."""
    bad = values.astype(np.float64).ravel()
    start = int(rng.integers(0, bad.size - 1))
    bad[start : start + int(rng.integers(1, 50))] = rng.choice([np.nan, np.inf, -np.inf])
    return variable, bad.reshape(values.shape)


def other_units(variable: str, values: np.ndarray, rng: np.random.Generator) -> tuple[str, object]:
    """Units, halves or axes changed; for depth, another number of frames."""
    if variable == "d_iner":
        ways = (values * 9.81, values[:, [3, 4, 5, 0, 1, 2]], values * 1e4, values * 0.01)
    elif variable == "d_skel":
        ways = (values * 1000, values[:, [0, 2, 1]], values[:, [2, 1, 0]], -values, values[::-1], values[:, :, ::3])
    else:
        ways = (values[..., :-1], np.concatenate([values, values], 2))
    return variable, ways[int(rng.integers(len(ways)))]


def flip_matrix(tree: Tree, rng: np.random.Generator) -> None:
    """Bits flipped in the headers of an uncompressed .mat: text, version, tags, class, shape, name, type."""
    archive = str(rng.choice(sorted(PARTS)))
    files, name = some(tree, rng, archive)
    plain = mat(PARTS[archive], stored(files[name], PARTS[archive]), compressed=False)
    numbers = 128 + 8 + 16 + (16 if archive == "Inertial" else 24) + 16 + 8
    files[name] = flip(plain, rng, int(rng.integers(116, 136)), numbers, bits=int(rng.integers(1, 3)))


def flip_compressed(data: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped in the compressed numbers of a .mat."""
    return flip(data, rng, 128)


def other_version(data: bytes, rng: np.random.Generator) -> bytes:
    """A MATLAB 7.3 (HDF5) or 4 file."""
    hdf5 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n" + bytes(400)
    return (hdf5, b"\x00\x00\x00\x00" * 5 + bytes(200))[int(rng.integers(2))]


def csv_rows(change: Callable[[list[list[str]], np.random.Generator], str | None]) -> Damage:
    """``change(cells, rng)`` applied to the cells of one csv, header first; it may return the whole text itself."""

    def damage(tree: Tree, rng: np.random.Generator) -> None:
        files, name = some(tree, rng)
        cells = [line.split(",") for line in files[name].decode().splitlines()]
        text = change(cells, rng)
        files[name] = ("\n".join(",".join(row) for row in cells) + "\n" if text is None else text).encode()

    return damage


def columns_moved(cells: list[list[str]], rng: np.random.Generator) -> None:
    """Columns in another order, with their names: the same table."""
    order = rng.permutation(len(cells[0]))
    cells[:] = [[row[i] for i in order] for row in cells]


def columns_swapped(cells: list[list[str]], rng: np.random.Generator) -> None:
    """Two names of the header swapped (not yaw or rotationRate.z, which little else in the file tells of)."""
    kinds = ["attitude.roll", "attitude.pitch", "gravity.x", "gravity.y", "gravity.z", "rotationRate.x"]
    a = cells[0].index(str(rng.choice(kinds)))
    others = [i for i in range(len(cells[0])) if i != a and cells[0][i] not in ("attitude.yaw", "rotationRate.z")]
    b = int(rng.choice(others))
    cells[0][a], cells[0][b] = cells[0][b], cells[0][a]


def column_names(cells: list[list[str]], rng: np.random.Generator) -> None:
    """A column renamed, dropped, there twice, or the header absent."""
    way, at = int(rng.integers(4)), int(rng.integers(len(cells[0])))
    if way == 0:
        cells[0][at] += "2"
    elif way == 1:
        cells[:] = [row[:at] + row[at + 1 :] for row in cells]
    elif way == 2:
        cells[:] = [[*row, row[at]] for row in cells]
    else:
        del cells[0]


def cells_bad(cells: list[list[str]], rng: np.random.Generator) -> None:
    """A run of empty, NaN, infinite or textual cells."""
    at, word = (
        int(rng.integers(1, len(cells[0]))),
        str(rng.choice(["", "nan", "NA", "inf", "-inf", "x", "1.2.3", "--"])),
    )
    start = int(rng.integers(1, len(cells) - 1))
    for row in cells[start : start + int(rng.integers(1, 40))]:
        row[at] = word


def rows_ragged(cells: list[list[str]], rng: np.random.Generator) -> None:
    """A row with a cell more or less."""
    row = cells[int(rng.integers(1, len(cells)))]
    if rng.random() < 0.5:
        row.append("0.5")
    else:
        row.pop(int(rng.integers(len(row))))


def clock(cells: list[list[str]], rng: np.random.Generator) -> None:
    """The counter repeats, goes back, jumps or starts late; rows are shuffled or absent."""
    way, at = int(rng.integers(5)), int(rng.integers(2, len(cells) - 2))
    if way == 0:
        cells.insert(at, list(cells[at]))
    elif way == 1:
        cells[at:] = cells[at:][::-1]
    elif way == 2:
        del cells[at : at + int(rng.integers(1, 9))]
        cells.append([str(len(cells) + 9), *cells[-1][1:]])
    elif way == 3:
        del cells[1:at]
    else:
        cells[1:] = [cells[1 + int(i)] for i in rng.permutation(len(cells) - 1)]


def dialect(cells: list[list[str]], rng: np.random.Generator) -> str:
    """Another separator, decimal commas, quotes, Windows line ends, tabs: some change nothing, others everything."""
    mark, end = (",", "\n") if rng.random() < 0.3 else (str(rng.choice([";", "\t", "|"])), "\n")
    way = int(rng.integers(4))
    if way == 0:
        mark, end = ",", "\r\n"
    elif way == 1:
        cells[0] = [f'"{name}"' for name in cells[0]]
    elif way == 2:
        mark = ";"
        cells[1:] = [[cell.replace(".", ",") for cell in row] for row in cells[1:]]
    return end.join(mark.join(row) for row in cells) + end


def rotation_units(cells: list[list[str]], rng: np.random.Generator) -> None:
    """The rotation rate in degrees, or every second row only, renumbered: 25 Hz."""
    if rng.random() < 0.5:
        at = [i for i, name in enumerate(cells[0]) if name.startswith("rotation")]
        for row in cells[1:]:
            for i in at:
                row[i] = f"{np.degrees(float(row[i])):.6f}"
    else:
        cells[1:] = [[str(i), *row[1:]] for i, row in enumerate(cells[1::2])]


def encoding(data: bytes, rng: np.random.Generator) -> bytes:
    """UTF-16, Latin-1 letters, zeros in the text, or a byte order mark (which changes nothing)."""
    return (data.decode().encode("utf-16"), data[:-1] + b"\xe9\xff\n", data[:200] + bytes(20) + data[200:],
            b"\xef\xbb\xbf" + data)[int(rng.integers(4))]  # fmt: skip


def series_text(data: bytes, rng: np.random.Generator) -> bytes:
    """One line of a .ts without a channel, with one more value, text, a NaN, another label, or absent."""
    lines = data.split(b"\n")
    at = int(rng.integers(10, len(lines) - 1))
    ways = (
        lines[at].partition(b":")[2], b"0.5," + lines[at], lines[at].replace(b",", b",x", 1),
        lines[at].replace(b",", b",NaN,", 1), lines[at] + b"x", lines[at].rpartition(b":")[0], b"", b"1e9" + lines[at],
    )  # fmt: skip
    lines[at] = ways[int(rng.integers(len(ways)))]
    return b"\n".join(lines)


def method(data: bytes, rng: np.random.Generator) -> bytes:
    """A zip whose directory asks for a password or an unknown compression for one file."""
    places = [i for i in range(len(data) - 4) if data[i : i + 4] == b"PK\x01\x02"]
    out, at = bytearray(data), int(rng.choice(places))
    if rng.random() < 0.5:
        out[at + 8] |= 1
    else:
        out[at + 10] = 97
    return bytes(out)


def twice(data: bytes, rng: np.random.Generator) -> bytes:
    """A zip that holds one name two times, with other bytes."""
    out = io.BytesIO(data)
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(str(rng.choice(archive.namelist())), rng.bytes(100))
    return out.getvalue()


INSIDE: dict[str, dict[str, Damage]] = {
    "utd_mhad": {
        "file absent": remove, "archive absent": remove_archive, "file renamed": rename, "file added": intruder,
        "file of another archive": other_file, "file empty": each(lambda data, rng: b""), "file cut": each(cut),
        "not a .mat": each(garbage), "other MATLAB version": each(other_version), "variable name": matrix(other_name),
        "shape": matrix(other_shape), "type": matrix(other_type), "NaN, infinite": matrix(not_finite),
        "units, axes, frames": matrix(other_units), "bits in .mat headers": flip_matrix,
        "bits in packed numbers": each(flip_compressed),
    },
    "motionsense": {
        "file absent": remove, "archive absent": remove_archive, "file renamed": rename, "file added": intruder,
        "file empty": each(lambda data, rng: b""), "file cut": each(cut_in_row), "not a csv": each(garbage),
        "columns moved": csv_rows(columns_moved), "columns swapped": csv_rows(columns_swapped),
        "column names": csv_rows(column_names), "NaN, text": csv_rows(cells_bad), "ragged rows": csv_rows(rows_ragged),
        "clock": csv_rows(clock), "dialect": csv_rows(dialect), "units, rate": csv_rows(rotation_units),
        "encoding": each(encoding), "bits in csv structure": each(flip_structure),
    },
    "basic_motions": {
        "file absent": remove, "file empty": each(lambda data, rng: b""), "file cut": each(cut),
        "not a .ts": each(garbage), "series": each(series_text),
    },
}  # fmt: skip
"""data set -> kind -> damage to the files before they are packed."""
AFTER: dict[str, DamageFile] = {
    "zip cut": cut, "zip empty": lambda data, rng: b"", "not a zip": garbage, "bits in zip": flip,
    "bits in zip directory": flip_directory, "zip method, password": method, "zip name twice": twice,
}  # fmt: skip
"""kind -> damage to a packed archive."""
