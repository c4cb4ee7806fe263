"""Tables with a header in the export of an app, as bytes: separated by comma, semicolon or tab, decimal point or comma.

A table of unknown make is for ``columns.open_table``. A last line that does not end may be cut within its last number:
it is left out, and a note says so.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.formats.errors import FormatError, short

EMPTY = ("", "nan", "NaN", "NAN", "NA", "N/A", "null", "NULL", "None", "(null)", "-")
"""Cells that hold nothing."""
MOST_COLUMNS = 1000
MALFORMED = 0.01
"""Share of rows with too few or too many cells that is left out; more is an error."""
LONGEST = 1 << 16
"""Bytes of a header."""

_AGAIN = "Export it again."


@dataclass(frozen=True)
class Delimited:
    """A table: ``names`` of its columns as they stand in the header; ``body`` are its rows. Made by ``delimited``."""

    file: str
    names: tuple[str, ...]
    body: memoryview
    delimiter: str
    decimal: str
    notes: tuple[str, ...] = ()

    def numbers(self, wanted: Sequence[int]) -> tuple[list[NDArray[np.float64]], tuple[str, ...]]:
        """Columns ``wanted``, by number, (rows,) each, NaN where empty, and notes. ``FormatError`` for no numbers."""
        table, notes = self._read(dict.fromkeys(wanted, "double"))
        return [np.asarray(table[str(k)].to_numpy(), np.float64) for k in wanted], notes

    def words(self, wanted: int) -> Any:
        """Column ``wanted`` as an Arrow array of strings."""
        return self._read({wanted: "string"})[0][str(wanted)].combine_chunks()

    def _read(self, wanted: dict[int, str]) -> tuple[Any, tuple[str, ...]]:
        import pyarrow as pa
        from pyarrow import csv as arrow

        bad: list[str] = []

        def malformed(row: Any) -> str:
            bad.append("" if len(bad) > 2 else f"{row.actual_columns} cells: {short(row.text)}")
            return "skip"

        types = {str(k): pa.type_for_alias(kind) for k, kind in wanted.items()}
        if not len(self.body):
            return pa.table({name: pa.array([], kind) for name, kind in types.items()}), ()
        names = [str(k) for k in range(len(self.names))]
        try:
            table = arrow.read_csv(
                pa.BufferReader(pa.py_buffer(self.body)),
                read_options=arrow.ReadOptions(use_threads=False, column_names=names),
                parse_options=arrow.ParseOptions(delimiter=self.delimiter, invalid_row_handler=malformed),
                convert_options=arrow.ConvertOptions(
                    column_types=types, include_columns=list(types), null_values=list(EMPTY), strings_can_be_null=True,
                    decimal_point=self.decimal,
                ),
            )  # fmt: skip
        except pa.ArrowException as error:
            raise FormatError(self.file, "", "rows of numbers", short(str(error), 200), _AGAIN) from error
        if len(bad) > max(3, MALFORMED * table.num_rows):
            given = f"{len(bad)} others, such as {bad[0]}"
            raise FormatError(self.file, "", f"rows of {len(self.names)} cells", given, _AGAIN)
        return table, ((f"{self.file}: {len(bad)} rows left out, {bad[0]}",) if bad else ())


def delimited(data: bytes, file: str) -> Delimited:
    """The table in ``data``. ``FormatError`` for what has no header of two columns at least."""
    text = header(data, file)
    delimiter = max(",;\t", key=text.count)
    try:
        names = tuple(cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), []))
    except csv.Error as error:
        raise FormatError(file, "line 1", "names of columns", str(error), _AGAIN) from error
    if not 2 <= len(names) <= MOST_COLUMNS:
        expected = f"a header of 2 to {MOST_COLUMNS} columns"
        raise FormatError(file, "line 1", expected, short(text), "Is it a table of sensors?")
    start, end = data.find(b"\n") + 1, data.rfind(b"\n") + 1
    start = start or len(data)
    body = memoryview(data)[start : max(start, end)]
    if not data.isascii() and not (plain := bytes(body)).isascii():
        body = memoryview(plain.decode("utf-8", "replace").encode())  # Arrow cannot report a bad row in another coding
    notes = (f"{file}: the last line does not end and may be cut: left out",) if 0 < end < len(data) else ()
    sample = bytes(body[:LONGEST])
    decimal = "," if delimiter != "," and sample.count(b",") > sample.count(b".") else "."
    return Delimited(file, names, body, delimiter, decimal, notes)


def header(data: bytes, file: str) -> str:
    """The first line of a table. ``FormatError`` for binary data and for a line that does not end."""
    first = data[: LONGEST + 1].split(b"\n", 1)[0].rstrip(b"\r")
    if not data.strip():
        raise FormatError(file, "", "a table", "an empty file", _AGAIN)
    if len(first) > LONGEST:
        raise FormatError(file, "line 1", "a header", f"a line of more than {LONGEST} bytes", "Is it a table?")
    odd = next((byte for byte in first if byte < 32 and byte != 9), None)
    if odd is not None:
        raise FormatError(file, "line 1", "text", f"a byte {odd:#04x}", "Is it of another format?")
    try:
        return first.decode("utf-8-sig")
    except UnicodeDecodeError:
        return first.decode("latin-1")


def rows(data: bytes, file: str) -> list[dict[str, str]]:
    """A small table (at most 1 MiB) as a dict of small-letter names for each row; cells that are not there are ''."""
    if len(data) > 1 << 20:
        raise FormatError(file, "", "at most 1 MiB", f"{len(data)} bytes", _AGAIN)
    text = header(data, file)
    delimiter = max(",;\t", key=text.count)
    body = io.StringIO(data.decode("utf-8-sig", "replace"), newline="")
    try:
        found = list(csv.reader(body, delimiter=delimiter))
    except csv.Error as error:
        raise FormatError(file, "", "a table", str(error), _AGAIN) from error
    names = [name.strip().lower() for name in found[0]] if found else []
    filled = (row + [""] * (len(names) - len(row)) for row in found[1:] if row)
    return [dict(zip(names, (cell.strip() for cell in row), strict=False)) for row in filled]
