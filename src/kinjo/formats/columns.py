"""Columns of a table in a file, by number: text in any layout, Parquet, NPY and NPZ, read in batches as float32."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.formats import text_tables
from kinjo.formats.errors import FormatError

SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".txt", ".dat", ".parquet", ".npy", ".npz")
MOST_CELLS = 240_000_000
"""Cells that are kept: 1 GiB of float32, four days of 100 Hz and six axes."""
LARGEST_NPZ = 1 << 30
MOST_WORDS = 1000
"""Different labels in a column; more is no column of labels."""
ROWS = 1 << 16
RATE_NAMES = ("rate", "rate_hz", "fs", "sampling_rate", "sample_rate", "frequency", "hz")
"""Single numbers of an .npz that say its rate."""

Batches = Iterator[dict[int, Any]]


@dataclass(frozen=True)
class Source:
    """A table that has been opened: ``names`` of all columns ('' where the file has none), which hold ``text``.

    ``batches(wanted, notes)`` gives columns by number, as ``float`` or ``double`` or ``string``: arrays of Arrow or
    NumPy. ``told`` is kinjo's own metadata. ``rate_hz`` where an .npz says it.
    """

    path: Path
    kind: str
    names: tuple[str, ...]
    text: frozenset[int]
    batches: Callable[[Mapping[int, str], list[str]], Batches]
    told: bytes = b""
    rate_hz: float | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Columns:
    """Columns in memory. ``numbers`` float32 (rows,), ``time`` float64 in the file's units since ``origin``.

    ``text_time``: the stamps were text, and ``time`` is in seconds. ``codes`` (rows,) index ``words``, -1 for none;
    ``words`` is ``None`` where there are too many.
    """

    rows: int
    numbers: dict[int, NDArray[np.float32]]
    time: NDArray[np.float64] | None
    origin: float
    text_time: bool
    codes: dict[int, NDArray[np.int32]]
    words: dict[int, list[str] | None]
    notes: list[str]


def open_table(path: Path) -> Source:
    """The table in ``path``, by its suffix (anything but Parquet, NPY and NPZ is text). ``FormatError`` for others."""
    if not path.is_file():
        raise FormatError(path.name, "", "a file", "none" if not path.exists() else "a folder", "Correct the path.")
    opened = {".parquet": _open_parquet, ".npy": _open_npy, ".npz": _open_npz}.get(path.suffix.lower(), _open_text)
    try:
        source = opened(path)
    except OSError as error:
        raise FormatError(
            path.name, "", "a readable file", str(error), "Check its rights, or copy it again."
        ) from error
    if len(source.names) > text_tables.MOST_COLUMNS:
        expected = f"at most {text_tables.MOST_COLUMNS} columns"
        raise FormatError(path.name, "", expected, str(len(source.names)), "Is it a table of sensors?")
    return source


def load(source: Source, numbers: Sequence[int], time: int | None, texts: Sequence[int]) -> Columns:
    """The columns ``numbers``, the time stamps in column ``time`` and the words in ``texts``, all rows of them."""
    from kinjo.formats.stamps import nanoseconds

    path, notes = source.path, list(source.notes)
    stamped = time is not None and time in source.text
    wanted = dict.fromkeys(numbers, "float") | dict.fromkeys(texts, "string")
    if time is not None:
        wanted[time] = "string" if stamped else "double"
    parts: dict[int, list[NDArray[Any]]] = {number: [] for number in wanted}
    codes: dict[int, dict[str, int]] = {number: {} for number in texts}
    rows = 0
    for batch in source.batches(wanted, notes):
        rows += len(next(iter(batch.values())))
        if rows * len(wanted) > MOST_CELLS:
            expected = f"at most {MOST_CELLS // len(wanted)} rows of {len(wanted)} columns"
            raise FormatError(path.name, "", expected, f"{rows} and more", "Cut it into days.")
        for number, values in batch.items():
            where = f"column '{source.names[number] or number}'"
            if number == time and stamped:
                parts[number].append(nanoseconds(path.name, where, values))
            elif number in codes:
                parts[number].append(_coded(values, codes[number]))
            else:
                parts[number].append(_floats(path.name, where, values, np.float64 if number == time else np.float32))
    joined = {number: _joined(parts, number) for number in list(parts)}
    clock, origin = (None, 0.0) if time is None else _since_first(joined.pop(time), stamped)
    return Columns(
        rows, {number: joined[number] for number in numbers}, clock, origin, stamped,
        {number: joined[number] for number in texts},
        {number: list(known) if len(known) <= MOST_WORDS else None for number, known in codes.items()}, notes,
    )  # fmt: skip


def _joined(parts: dict[int, list[NDArray[Any]]], number: int) -> NDArray[Any]:
    """One column, whose parts are let go."""
    held = parts.pop(number)
    return np.concatenate(held) if held else np.zeros(0, np.float32)


def _since_first(stamps: NDArray[Any], text: bool) -> tuple[NDArray[np.float64], float]:
    """Stamps since the first one, and the first; text came as nanoseconds and goes as seconds."""
    if not text:
        finite = stamps[np.isfinite(stamps)][:1]
        origin = float(finite[0]) if len(finite) else 0.0
        return stamps.astype(np.float64) - origin, origin
    none = np.iinfo(np.int64).min
    valid = stamps != none
    first = int(stamps[np.argmax(valid)]) if valid.any() else 0
    out = np.full(len(stamps), np.nan)
    out[valid] = (stamps[valid] - first) * 1e-9
    return out, first * 1e-9


def _floats(file: str, where: str, values: Any, dtype: Any) -> NDArray[Any]:
    import pyarrow as pa

    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "fiub":
            raise FormatError(file, where, "numbers", str(values.dtype), "Correct it, or leave the column out.")
    else:
        try:
            values = values.cast(pa.float64() if dtype is np.float64 else pa.float32(), safe=False)
        except pa.ArrowException as error:
            raise FormatError(file, where, "numbers", str(values.type), "Correct the column.") from error
        values = _plain(values, dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 does not hold is infinite, and so missing
        return np.asarray(values).astype(dtype)


def _plain(values: Any, dtype: Any) -> NDArray[Any]:
    """An Arrow array of floats as NumPy's; without nulls not by ``to_numpy``, which imports pandas where it is."""
    if values.null_count or not len(values):
        return values.to_numpy(zero_copy_only=False)
    return np.frombuffer(values.buffers()[1], dtype)[values.offset : values.offset + len(values)]


def _coded(values: Any, known: dict[str, int]) -> NDArray[np.int32]:
    """Words as their numbers in ``known``, which grows up to ``MOST_WORDS`` and one; -1 for none."""
    import pyarrow as pa

    if isinstance(values, np.ndarray):
        values = pa.array(values.astype(str).tolist())
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    encoded = values.dictionary_encode()
    table = np.full(len(encoded.dictionary) + 1, -1, np.int32)
    for i, word in enumerate(encoded.dictionary.to_pylist()):
        plain = re.sub(r"\s+", " ", word).strip()
        if plain and len(plain) <= 200 and len(known) <= MOST_WORDS:
            table[i] = known.setdefault(plain, len(known))
    picked = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    return table[picked]


def _open_text(path: Path) -> Source:
    layout = text_tables.look(path)

    def batches(wanted: Mapping[int, str], notes: list[str]) -> Batches:
        return text_tables.batches(path, layout, wanted, notes)

    return Source(path, layout.words, layout.names, layout.text, batches, notes=layout.notes)


def _open_parquet(path: Path) -> Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def damaged(error: Exception) -> FormatError:
        return FormatError(path.name, "", "a Parquet file", f"{type(error).__name__}: {error}", "Copy it again.")

    try:
        schema = pq.read_schema(path)
        plain = [field.type for field in schema]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(error) from error
    worded = ("is_string", "is_large_string", "is_dictionary", "is_temporal")
    text = {i for i, kind in enumerate(plain) if any(getattr(pa.types, is_kind)(kind) for is_kind in worded)}

    def batches(wanted: Mapping[int, str], notes: list[str]) -> Batches:
        for number in wanted:
            if pa.types.is_nested(plain[number]):
                where = f"column '{schema.names[number]}'"
                raise FormatError(path.name, where, "one value a row", str(plain[number]), "Take the lists apart.")
        if len(set(schema.names)) != len(schema.names):
            raise FormatError(path.name, "", "columns of different names", "a name twice", "Rename the columns.")
        try:
            with pq.ParquetFile(path) as table:
                names = {number: schema.names[number] for number in wanted}
                for batch in table.iter_batches(ROWS, columns=list(names.values()), use_threads=False):
                    yield {number: batch.column(name) for number, name in names.items()}
        except (pa.ArrowException, OSError) as error:
            raise damaged(error) from error

    told = (schema.metadata or {}).get(b"kinjo", b"")
    return Source(path, "Parquet", tuple(schema.names), frozenset(text), batches, told=told)


def _open_npy(path: Path) -> Source:
    with path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise FormatError(path.name, "", "an .npy of numbers", "another format", "Save it with numpy.save.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy reads the header as Python: anything may come of a damaged one
        given = f"{type(error).__name__}: {error}"
        raise FormatError(path.name, "", "an .npy of numbers", given, "Save it with numpy.save.") from error
    if array.dtype.names is not None and array.ndim == 1:
        return _of_arrays(path, "NPY", {name: array[name] for name in array.dtype.names}, None)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        given = f"{array.dtype} of shape {array.shape}"
        raise FormatError(path.name, "", "numbers of shape (rows, columns)", given, "Reshape it: a row per sample.")
    return _of_arrays(path, "NPY", {f"\0{k}": array[:, k] for k in range(min(array.shape[1], 5000))}, None)


def _open_npz(path: Path) -> Source:
    held: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
            if size > LARGEST_NPZ:
                raise FormatError(path.name, "", f"at most {LARGEST_NPZ} bytes when unpacked", f"{size}", "Cut it.")
        with np.load(path, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files[:256]}
    except FormatError:
        raise
    except Exception as error:  # NumPy reads the header as Python: anything may come of a damaged one
        given = f"{type(error).__name__}: {error}"
        raise FormatError(path.name, "", "an .npz of numbers", given, "Save it with numpy.savez.") from error
    single = {n: float(a) for n, a in held.items() if a.ndim == 0 and a.dtype.kind in "fiu"}
    rate = next((value for name, value in single.items() if name.lower() in RATE_NAMES), None)
    columns: dict[str, NDArray[Any]] = {}
    for name, array in held.items():
        if array.ndim == 1:
            columns[name] = array
        elif array.ndim == 2 and array.shape[1] <= 64:
            letters = "xyz" if array.shape[1] == 3 else [str(k) for k in range(array.shape[1])]
            columns |= {f"{name}_{letter}": array[:, k] for k, letter in enumerate(letters)}
        elif array.ndim:
            raise FormatError(path.name, name, "shape (rows,) or (rows, axes)", f"{array.shape}", "A row per sample.")
    return _of_arrays(path, "NPZ", columns, rate)


def _of_arrays(path: Path, kind: str, columns: Mapping[str, NDArray[Any]], rate: float | None) -> Source:
    lengths = {len(array) for array in columns.values()}
    if len(lengths) != 1:
        raise FormatError(path.name, "", "columns of one length", f"lengths {sorted(lengths)}", "One clock per file.")
    held = list(columns.values())
    if any(array.ndim != 1 for array in held):
        raise FormatError(path.name, "", "fields of one number", "others", "A row per sample.")
    text = frozenset(i for i, array in enumerate(held) if array.dtype.kind in "USM")

    def batches(wanted: Mapping[int, str], notes: list[str]) -> Batches:
        for start in range(0, len(held[0]), ROWS):
            yield {number: held[number][start : start + ROWS] for number in wanted}

    names = tuple("" if name.startswith("\0") else name for name in columns)
    return Source(path, kind, names, text, batches, rate_hz=rate)
