"""Numeric matrices of MATLAB 5 files, read strictly: lengths, types and checksums are verified before values are used.

SciPy's reader needs the whole variable even to tell its shape, which for a depth video is the whole cost; here the
shape alone costs a few hundred bytes. Only what the datasets hold is understood: real matrices, plain or compressed.
Layout after MathWorks' description "MAT-File Format, Level 5".
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.card import DatasetError
from kinjo.datasets.files import LARGEST

HEADER = 128
MATRIX, COMPRESSED, INT8, INT32, UINT32 = 14, 15, 1, 5, 6
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Type of a data element -> NumPy's name of it."""
CLASSES = {6: "double", 7: "single", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32"}
"""Class of a matrix: what MATLAB shows. The file may store it in a smaller type."""
PEEK = 512
"""Bytes that hold the header of any matrix with a short name."""


@dataclass(frozen=True)
class Matrix:
    """Header of a matrix: its variable name, MATLAB class and shape. ``offset`` is where its numbers start."""

    name: str
    kind: str
    shape: tuple[int, ...]
    offset: int
    order: str


class _Broken(Exception):
    """What is wrong with the bytes; becomes a ``DatasetError`` with the file's name."""


def peek(data: bytes, variable: str, file: str) -> Matrix:
    """Header of ``variable``, without reading its numbers. Errors as ``matrix``."""
    return _guarded(data, variable, file, PEEK)[0]


def matrix(data: bytes, variable: str, file: str) -> tuple[Matrix, NDArray[np.generic]]:
    """Header and numbers of ``variable`` in the bytes of a .mat file, in the type in which they are stored.

    The array is in MATLAB's (Fortran) order and read-only. Raises ``DatasetError`` naming ``file`` where the bytes
    are damaged, not MATLAB 5, or hold no real numeric matrix of that name.
    """
    found, body = _guarded(data, variable, file, LARGEST)
    try:
        return found, _numbers(body, found)
    except _Broken as error:
        raise _error(file, variable, error) from error


def _error(file: str, variable: str, why: _Broken) -> DatasetError:
    hint = "Get the file again from the official archive."
    return DatasetError(file, f"a MATLAB 5 file with the numeric matrix '{variable}'", str(why), hint)


def _guarded(data: bytes, variable: str, file: str, limit: int) -> tuple[Matrix, bytes]:
    try:
        return _find(data, variable, limit)
    except _Broken as error:
        raise _error(file, variable, error) from error


def _find(data: bytes, variable: str, limit: int) -> tuple[Matrix, bytes]:
    """The header of ``variable`` and the body of its element, unpacked up to ``limit`` bytes."""
    if len(data) < HEADER + 8:
        raise _Broken(f"{len(data)} bytes, which is shorter than its header")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or struct.unpack(order + "H", data[124:126])[0] != 0x0100 or not data.startswith(b"MATLAB 5.0"):
        raise _Broken("another kind of file")
    at, names = HEADER, []
    while at < len(data):
        kind, size = _tag(data, at, order)
        if at + 8 + size > len(data):
            raise _Broken(f"an end after {len(data)} bytes, which cuts a variable off")
        body = data[at + 8 : at + 8 + size]
        at += 8 + size
        if kind == COMPRESSED:
            kind, body = _inflate(body, order, limit)
        elif kind == MATRIX:
            at += -size % 8
        if kind != MATRIX:
            raise _Broken(f"an element of type {kind} where a matrix belongs")
        found = _header(body, order)
        if found.name == variable:
            return found, body
        names.append(found.name)
    raise _Broken(f"variables {names}")


def _tag(data: bytes, at: int, order: str) -> tuple[int, int]:
    if at + 8 > len(data):
        raise _Broken("an end within a tag")
    kind, size = struct.unpack_from(order + "II", data, at)
    return kind, size


def _inflate(body: bytes, order: str, limit: int) -> tuple[int, bytes]:
    """Type and body of the element packed in ``body``; all of it, with its checksum, unless ``limit`` comes first."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(body, limit)
        if limit > PEEK and not stream.eof:
            raise _Broken(f"a compressed variable that is cut off, or longer than {LARGEST} bytes")
    except zlib.error as error:
        raise _Broken(f"a damaged compressed variable ({error})") from error
    kind, size = _tag(plain, 0, order)
    if stream.eof and (len(plain) != 8 + size or stream.unused_data):
        raise _Broken(f"a compressed variable of {len(plain) - 8} bytes that says {size}")
    return kind, plain[8:]


def _element(body: bytes, at: int, order: str, what: str) -> tuple[int, bytes, int]:
    """``(type, payload, offset of the next element)`` of the element at ``at``, in the long or the short form."""
    word, size = _tag(body, at, order)
    if word >> 16:
        kind, size, start, after = word & 0xFFFF, word >> 16, at + 4, at + 8
        if size > 4:
            raise _Broken(f"a short element of {size} bytes in the {what}")
    else:
        kind, start = word, at + 8
        after = start + size + -size % 8
    if start + size > len(body):
        raise _Broken(f"an end within the {what}")
    return kind, body[start : start + size], after


def _header(body: bytes, order: str) -> Matrix:
    kind, flags, at = _element(body, 0, order, "array flags")
    if kind != UINT32 or len(flags) != 8:
        raise _Broken("damaged array flags")
    word = struct.unpack(order + "I", flags[:4])[0]
    kind, sizes, at = _element(body, at, order, "dimensions")
    if kind != INT32 or len(sizes) % 4 or not 8 <= len(sizes) <= 32:
        raise _Broken("damaged dimensions")
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    kind, name, at = _element(body, at, order, "name")
    if kind != INT8 or not name.isascii() or min(shape) < 0:
        raise _Broken("a damaged name or shape")
    flagged = "complex " * bool(word & 0x0800) + "logical " * bool(word & 0x0200)
    return Matrix(name.decode(), flagged + CLASSES.get(word & 0xFF, f"class {word & 0xFF}"), shape, at, order)


def _numbers(body: bytes, found: Matrix) -> NDArray[np.generic]:
    if found.kind not in CLASSES.values():
        raise _Broken(f"'{found.name}' of {found.kind}")
    kind, payload, after = _element(body, found.offset, found.order, "numbers")
    if kind not in NUMBERS:
        raise _Broken(f"numbers of unknown type {kind}")
    dtype = np.dtype(found.order + NUMBERS[kind])
    if len(payload) != math.prod(found.shape) * dtype.itemsize or after < len(body):
        raise _Broken(f"{len(payload)} bytes of {dtype.name} for the shape {found.shape}")
    return np.frombuffer(payload, dtype).reshape(found.shape, order="F")
