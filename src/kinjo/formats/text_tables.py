"""Tables as text: which delimiter, decimal sign, encoding and header a file has, and its columns in batches.

Read by PyArrow in blocks, so that a file of any size takes the memory of the columns that are wanted. A last line that
does not end may be cut within its last number: it is left out, and a note says so.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinjo.formats.column_names import TIME_UNIT_WORDS, UNIT_WORDS, unit_of
from kinjo.formats.errors import FormatError, short

HEAD = 1 << 20
"""Bytes in which the header and some rows have to be."""
BLOCK = 1 << 22
MOST_COLUMNS = 4096
DELIMITERS = (",", ";", "\t", "|", " ")
EMPTY = ("", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "none", "-", "?")
"""Cells that hold nothing."""
MALFORMED = 0.01
"""Share of rows with too few or too many cells that is left out; more is an error."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blanks"}


@dataclass(frozen=True)
class TextLayout:
    """How a table is laid out: ``names`` of its columns ('' each without a header), where its first row starts (bytes).

    ``text`` are the columns whose first rows hold words.
    """

    names: tuple[str, ...]
    delimiter: str
    decimal: str
    encoding: str
    start: int
    header: bool
    quotes: bool
    text: frozenset[int]
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For people: ``text, columns separated by comma``."""
        comma = ", decimal comma" if self.decimal == "," else ""
        return f"text ({self.encoding}), columns separated by {_WORDS[self.delimiter]}{comma}"


def look(path: Path) -> TextLayout:
    """The layout of a text table, from its first MiB. ``FormatError`` for what is none."""
    with path.open("rb") as stream:
        head = stream.read(HEAD + 4)
    encoding, text = _decoded(path.name, head)
    whole = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    lines = list(re.finditer(r"([^\r\n]*)(\r\n|\n|\r)", whole))
    filled = [match for match in lines if match[1].strip().strip("\ufeff")]
    if not filled:
        if not text.strip().strip("\ufeff"):
            raise FormatError(path.name, "", "a table", "an empty file", "Copy or export it again.")
        given = f"none in the first {HEAD} bytes" if len(head) > HEAD else "one line that does not end"
        raise FormatError(path.name, "", "lines", given, "Is it a table?")
    quotes = '"' in text
    delimiter, decimal, width = _delimiter(path.name, [match[1] for match in filled[-50:]])
    rows = [_cells(match[1], delimiter) for match in filled]
    first = _first_row(path.name, rows, width, decimal)
    names, header, notes = _header(path.name, rows, first, width)
    start = len(text[: filled[first].start()].encode(encoding))
    sample = [row for row in rows[first : first + 50] if len(row) == width]
    words = frozenset(k for k in range(width) if any(not _numeric(row[k], decimal) for row in sample))
    return TextLayout(names, delimiter, decimal, encoding, start, header, quotes, words, notes)


def batches(path: Path, layout: TextLayout, wanted: Mapping[int, str], notes: list[str]) -> Iterator[dict[int, Any]]:
    """Arrow arrays of the columns ``wanted`` (number of the column -> ``float``, ``double`` or ``string``), in batches.

    ``notes`` receives what was left out. ``FormatError`` with column and row where a cell is no number.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    body = _Body(path, layout)
    bad: list[str] = []

    def malformed(row: Any) -> str:
        if len(bad) < 3:
            bad.append(f"row {row.number}: {row.actual_columns} cells" if row.number else short(row.text))
        else:
            bad.append("")
        return "skip"

    types = {str(k): pa.type_for_alias(kind) for k, kind in wanted.items()}
    rows = 0
    try:
        reader = arrow.open_csv(
            pa.PythonFile(body, mode="r"),
            read_options=arrow.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=[str(k) for k in range(len(layout.names))]
            ),
            parse_options=arrow.ParseOptions(
                delimiter=layout.delimiter, quote_char='"' if layout.quotes else False, invalid_row_handler=malformed
            ),
            convert_options=arrow.ConvertOptions(
                column_types=types, include_columns=list(types), null_values=list(EMPTY), strings_can_be_null=True,
                decimal_point=layout.decimal,
            ),
        )  # fmt: skip
        for batch in reader:
            rows += batch.num_rows
            yield {k: batch.column(i) for i, k in enumerate(wanted)}
    except pa.ArrowException as error:
        if "Empty CSV" not in str(error):
            raise FormatError(path.name, *_fault(str(error), layout)) from error
    finally:
        body.close()
    if body.cut:
        notes.append("the last line does not end and may be cut: left out")
    if bad:
        if len(bad) > max(3, MALFORMED * rows):
            given = f"{len(bad)} others, such as {bad[0]}"
            raise FormatError(path.name, "", f"rows of {len(layout.names)} cells", given, "Export the file again.")
        notes.append(f"{len(bad)} rows left out that do not have {len(layout.names)} cells ({bad[0]})")
    if layout.quotes and rows + len(bad) < 0.99 * (body.lines - body.blank) - 3:
        given = f"{rows} of {body.lines}"
        raise FormatError(path.name, "", "a row for each line", given, "Is there a quote that does not close?")


def _fault(message: str, layout: TextLayout) -> tuple[str, str, str, str]:
    """Where, expected, given and hint of an error of Arrow's reader."""
    match = re.search(r"column #(\d+): (?:Row #(\d+): )?.*?conversion error to (\w+): invalid (.*)", message, re.DOTALL)
    if match is None:
        return "", "a table of numbers", short(message, 200), "Export the file again."
    name = layout.names[int(match[1])] or match[1]
    row = f", row {match[2]}" if match[2] else ""
    if match[3] in ("string", "dictionary"):
        return f"column '{name}'{row}", "text in UTF-8", "others", "Save the file as UTF-8."
    hint = "Correct it, or export the file again."
    return f"column '{name}'{row}", "numbers", short(match[4].removeprefix("value ").strip("'")), hint


def _decoded(file: str, head: bytes) -> tuple[str, str]:
    """Encoding and text of the start of a file; a byte order mark stays in the text."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark):
            return encoding, codecs.getincrementaldecoder(encoding)("replace").decode(head[: len(head) // 2 * 2])
    head = head.rstrip(b"\0")  # loggers that crash leave room behind their rows
    odd = next((i for i, byte in enumerate(head[: 1 << 16]) if byte < 32 and byte not in (9, 10, 12, 13)), None)
    if odd is not None:
        hint = "Is it of another format, or UTF-16 without its mark?"
        raise FormatError(file, f"byte {odd}", "text", f"a byte {head[odd]:#04x}", hint)
    try:
        return "utf-8", codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1", head.decode("latin-1")


def _cells(line: str, delimiter: str) -> list[str]:
    line = line.strip("\ufeff")
    if delimiter == " ":
        return line.split()
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [cell.strip() for cell in line.split(delimiter)]


def _numeric(cell: str, decimal: str) -> bool:
    cell = cell.replace(",", ".") if decimal == "," and "." not in cell else cell
    return cell in EMPTY or _NUMBER.fullmatch(cell) is not None


def _number(cell: str, decimal: str) -> bool:
    return cell not in EMPTY and _numeric(cell, decimal)


def _delimiter(file: str, lines: Sequence[str]) -> tuple[str, str, int]:
    """Delimiter, decimal sign and number of columns that make most numbers of the ``lines``."""
    best: tuple[float, str, str, int] = (0.0, "", ".", 0)
    for delimiter in DELIMITERS:
        rows = [_cells(line, delimiter) for line in lines]
        if delimiter == " " and any(other in lines[-1] for other in "\t;|"):
            continue
        width, _ = Counter(len(row) for row in rows).most_common(1)[0]
        width = max(width, len(rows[-1])) if len(rows) < 4 else width
        rows = [row for row in rows if len(row) == width]
        if width < 2:
            continue
        if width > MOST_COLUMNS:
            raise FormatError(file, "", f"at most {MOST_COLUMNS} columns", str(width), "Is it a table of sensors?")
        for decimal in (".", ","):
            if decimal == delimiter and not any('"' in line for line in lines):
                continue
            count = sum(_number(cell, decimal) for row in rows for cell in row)
            score = count * count / (len(lines) * len(rows) * width)
            best = max(best, (score, delimiter, decimal, width), key=lambda found: found[0])
    if not best[1]:
        wanted = "rows of numbers separated by comma, semicolon, tab, bar or blanks"
        raise FormatError(file, "", wanted, f"lines such as {short(lines[-1])}", "Is it a table of sensors?")
    return best[1:]


def _first_row(file: str, rows: Sequence[list[str]], width: int, decimal: str) -> int:
    """The first of ``rows`` that holds numbers as most of them do."""
    tail = [row for row in rows[-50:] if len(row) == width]
    full = [k for k in range(width) if 2 * sum(_number(row[k], decimal) for row in tail) >= len(tail)]

    def fits(row: list[str]) -> bool:
        fitting = len(row) == width and 2 * sum(_numeric(row[k], decimal) for k in full) >= len(full)
        return fitting and any(_number(row[k], decimal) for k in full)

    first = next((i for i, row in enumerate(rows) if fits(row)), None)
    if first is None:
        raise FormatError(file, "", "rows of numbers", f"lines such as {short(' '.join(rows[-1]))}")
    return first


def _header(
    file: str, rows: Sequence[list[str]], first: int, width: int
) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """Names of the columns from the lines before the first row, whether there is a header, and notes."""
    if first == 0:
        return ("",) * width, False, ()
    names, before, notes = list(rows[first - 1]), first - 1, []
    above = rows[first - 2] if first > 1 else []
    units = [_is_unit(cell) for cell in names if cell]
    if len(above) == len(names) == width and units and sum(units) * 2 >= len(units):
        names = [f"{name} ({unit})" if unit else name for name, unit in zip(above, names, strict=True)]
        before = first - 2
    names[0] = re.sub(r"^(#|//|%)\s*", "", names[0]) if names else ""
    if names and not names[0] and len(names) == width + 1:
        names = names[1:]
    if len(names) == width - 1:
        last_empty = all(not row[-1] for row in rows[first : first + 50] if len(row) == width)
        names = [*names, ""] if last_empty else ["", *names]
    if len(names) != width:
        return ("",) * width, False, (f"{first} lines before the first row are not read",)
    if before:
        notes.append(f"{before} lines before the header are not read")
    return tuple(names), True, tuple(notes)


def _is_unit(cell: str) -> bool:
    return cell.strip("()[]").lower() in TIME_UNIT_WORDS or any(unit_of(q, cell.strip("()[]")) for q in UNIT_WORDS)


class _Body:
    """The rows of a text table for PyArrow: from the first row to the last line end, in UTF-8, blanks made single."""

    def __init__(self, path: Path, layout: TextLayout) -> None:
        self.closed = False
        self.lines = self.blank = 0
        self._file, self._layout = path.name, layout
        self._stream = path.open("rb")
        self._left = self._end(layout) - layout.start
        self._stream.seek(layout.start)
        self._plain = layout.encoding == "utf-8" and layout.delimiter != " "
        self._decoder = codecs.getincrementaldecoder(layout.encoding)("replace")
        self._ready, self._tail = b"", b""

    def _end(self, layout: TextLayout) -> int:
        """Where the last line that ends does so; sets ``cut``."""
        wide = layout.encoding.startswith("utf-16")
        marks = [sign.encode(layout.encoding) for sign in ("\n", "\r")]
        size = self._stream.seek(0, 2)
        stop = size - size % 2 if wide else size
        end = layout.start
        while stop > layout.start and end == layout.start:
            start = max(layout.start, stop - BLOCK)
            self._stream.seek(start)
            block = self._stream.read(stop - start)
            for mark in marks:
                at = block.rfind(mark)
                while wide and at > 0 and at % 2:
                    at = block.rfind(mark, 0, at)
                end = max(end, start + at + len(mark)) if at >= 0 and not (wide and at % 2) else end
            stop = start
        self.cut = end < size
        return end

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes; none at the end."""
        if self._plain and not self._ready:
            data = self._take(count)
        else:
            while len(self._ready) < count and (self._left or self._tail):
                self._ready += self._made(self._take(BLOCK))
            data, self._ready = self._ready[:count], self._ready[count:]
        self.lines += data.count(b"\n") or data.count(b"\r")
        self.blank += data.count(b"\n\n") + data.count(b"\n\r\n")
        return data

    def _take(self, count: int) -> bytes:
        data = self._stream.read(min(count, self._left))
        self._left = self._left - len(data) if data else 0
        return data

    def _made(self, data: bytes) -> bytes:
        if self._layout.encoding != "utf-8":
            data = self._decoder.decode(data, final=not self._left).encode()
        if self._layout.delimiter != " ":
            return data
        data, cut = self._tail + data, 0
        if self._left:
            cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
            data, self._tail = data[:cut], data[cut:]
        else:
            self._tail = b""
        if len(self._tail) > 4 * BLOCK:
            raise FormatError(self._file, "", "lines", f"one of more than {4 * BLOCK} bytes", "Is it a table?")
        data = re.sub(rb"[ \t]+", b" ", data)
        return re.sub(rb"(?m)^ | (?=\r?$)", b"", data)

    def close(self) -> None:
        """Close the file."""
        self.closed = True
        self._stream.close()
