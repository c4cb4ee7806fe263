"""Does recognition while samples come answer as on the whole recording? Chunks, order, silences, clocks by chance."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from _tools import ROOT, write

sys.path.insert(0, str(ROOT / "tests"))
import _chunks  # pyright: ignore[reportMissingImports]

SENSORS = 2


def main() -> None:
    """Count the recordings of which any span, or any score of a window, differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chunkings", type=int, default=1000)
    given = parser.parse_args()
    wrong, windows, spans_, counted, late = [], 0, 0, 0, 0
    for seed in range(given.chunkings):
        rng = np.random.default_rng(seed)
        streams = _chunks.data(rng, timed=seed % 2 == 0, seconds=rng.uniform(1, 40), gaps=int(rng.integers(0, 5)))
        streams = {name: stream for name, stream in streams.items() if stream.length}
        if not streams:  # all of it a silence
            continue
        whole = _chunks.offline(streams)
        spans, live = _chunks.chunked(streams, rng)
        scores = np.reshape([row[2] for row in live.scored], (-1, len(_chunks.LABELS)))
        windows, spans_, late = windows + len(scores), spans_ + len(spans), late + live.windows.late
        counted += sum(span.repetitions is not None for span in spans)
        if tuple(spans) != whole.segments or not np.array_equal(scores, whole.scores.values):
            wrong.append(seed)
    protocol = (
        f"{given.chunkings} recordings of {SENSORS} sensors, 1 to 40 s, half with uneven clocks: pushes of 1 to 39 "
        f"samples, out of order within {_chunks.LATE_S} s, silences up to 5 s; {windows} windows and {spans_} spans, "
        f"{counted} of them with repetitions, which have to be equal to the last bit; {late} samples came too late"
    )
    write("stream_mismatches", "stream.mismatches", len(wrong), "count", protocol=protocol, seeds=1, wrong=wrong)


if __name__ == "__main__":
    main()
