"""One Arrow shard while it is written: rows gathered to batches, checksums of batches, and what a kill left whole."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.recording import Stream

FORMAT = 1
"""Number of the layout of a corpus on disk. A reader refuses any other number."""

PIECE = 16 << 20
"""Numbers held at once and put in one shard row: 64 MiB of float32."""


class Part:
    """The open shard: rows are gathered to a batch, batches go to the file."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.path, self.bytes, self.sums = path, 0, list[int]()
        self._rows: list[dict[str, Any]] = []
        self._held = 0
        self._sink = pa.OSFile(str(path), "wb")
        self._file = pa.ipc.new_file(self._sink, _schema())

    def add(
        self,
        id: str,
        stream: Stream,
        values: NDArray[np.float32] | None,
        times: NDArray[np.float64] | None,
        missing: NDArray[np.bool_] | None,
        *,
        shape: tuple[int, ...] = (),
        video: str = "",
    ) -> tuple[int, int]:
        """One row; gives (batch, row) at which it will lie."""
        size = 0 if values is None else values.size
        if self._rows and self._held + size > PIECE:
            self.flush()
        given = values if values is not None else times if times is not None else missing
        shape = shape if values is None else values.shape[1:]
        hidden = None if missing is None else np.ascontiguousarray(missing).view(np.uint8)
        self._rows.append({
            "recording": id, "stream": stream.name, "contract": json.dumps(stream.contract.to_dict(), sort_keys=True),
            "n": stream.length if given is None else len(given), "shape": list(shape),
            "start_s": float(stream.start_s), "values": values, "times": times,
            "missing": hidden, "video": video or None,
        })  # fmt: skip
        self._held += size
        return len(self.sums), len(self._rows) - 1

    def flush(self) -> None:
        """The gathered rows as one batch into the file."""
        if self._rows:
            self.put(_batch(self._rows))
            self._rows, self._held = [], 0

    def put(self, batch: Any) -> None:
        """A batch into the file, its checksum into ``sums``."""
        self._file.write_batch(batch)
        self.sums.append(_checksum(batch))
        self.bytes += batch.nbytes

    def close(self) -> None:
        """Write the footer: from here on the file is a whole Arrow file."""
        self.flush()
        self._file.close()
        self._sink.close()

    def abandon(self) -> None:
        """Close the file without the rows that were not yet a batch."""
        self._rows = []
        self._file.close()
        self._sink.close()


def _schema() -> Any:
    import pyarrow as pa

    columns = {
        "recording": pa.string(), "stream": pa.string(), "contract": pa.string(), "n": pa.int64(),
        "shape": pa.list_(pa.int64()), "start_s": pa.float64(), "values": pa.large_list(pa.float32()),
        "times": pa.large_list(pa.float64()), "missing": pa.large_list(pa.uint8()), "video": pa.string(),
    }  # fmt: skip
    return pa.schema(columns, metadata={"kinjo.corpus.format": str(FORMAT)})


def _batch(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    schema = _schema()
    arrays: list[Any] = []
    for column in schema:
        given = [row[column.name] for row in rows]
        if pa.types.is_large_list(column.type):
            arrays.append(_lists(given, column.type))
        else:
            arrays.append(pa.array(given, column.type))
    return pa.record_batch(arrays, schema=schema)


def _lists(given: list[NDArray[Any] | None], kind: Any) -> Any:
    """A large_list column from flat arrays; one array is taken as it is, several are joined."""
    import pyarrow as pa

    flat = [array.reshape(-1) for array in given if array is not None]
    offsets = np.cumsum([0, *(0 if array is None else array.size for array in given)])
    joined = flat[0] if len(flat) == 1 else np.concatenate(flat) if flat else np.empty(0)
    hidden = pa.array([array is None for array in given])
    values = pa.array(joined, kind.value_type)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values, mask=hidden)


def _checksum(batch: Any) -> int:
    total = zlib.crc32("\n".join(batch.column("recording").to_pylist() + batch.column("stream").to_pylist()).encode())
    for name in ("values", "times", "missing"):
        total = zlib.crc32(batch.column(name).flatten().to_numpy(zero_copy_only=True), total)
    return total


def salvage(path: Path, part: Part, lines: list[tuple[dict[str, Any], list[int]]]) -> list[dict[str, Any]]:
    """Copy the batches of ``lines`` from an interrupted shard to ``part`` while both are whole; gives the lines."""
    import pyarrow as pa

    kept: list[dict[str, Any]] = []
    with suppress(pa.ArrowException, EOFError, OSError), pa.memory_map(str(path)) as source:
        source.seek(8)  # past the magic an Arrow file is an Arrow stream, and a stream may lack its end
        batches = pa.ipc.open_stream(source)
        for line, sums in lines:
            found = [batches.read_next_batch() for _ in sums]
            if [_checksum(batch) for batch in found] != sums:
                break
            for batch in found:
                part.put(batch)
            kept.append(line)
    return kept
