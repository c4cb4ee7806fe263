"""Random windows per second of the store against a plain ``.npy`` memory map that is indexed the same way.

Both sides read the same windows of the same numbers in the same run, in batches, with a warm page cache: 200 made
recordings of 60 s with accelerometer and gyroscope at 50 Hz and a pose of 20 joints at 30 Hz, windows of 5 s. The
plain side is one array per stream, ``np.stack`` of slices, once as ``np.memmap`` gives them and once as plain arrays
over the same map, which spares the cost of the subclass. The value is against the faster of the two: the median over
rounds, in which the sides take turns to go first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kinjo import corpus
from kinjo.corpus import Corpus, Slot, WindowIndex
from kinjo.recording import Contract, Recording, Stream

RECORDINGS, SECONDS, WINDOW, BATCH = 200, 60, 5, 64
STREAMS = {
    "acc": (Contract("imu", "acc", "m/s^2", 50.0, placement="right_wrist", gravity=True), (3,)),
    "gyro": (Contract("imu", "gyro", "rad/s", 50.0, placement="right_wrist"), (3,)),
    "pose": (Contract("pose", "position", "m", 30.0, skeleton="kinect_v1"), (20, 3)),
}
SLOTS = [Slot(k, c.modality, c.quantity, int(WINDOW * c.rate_hz)) for k, (c, _) in STREAMS.items()]
RESULTS = Path(__file__).parent / "results" / "corpus_windows.json"


def recordings() -> Iterator[Recording]:
    """The made recordings: noise, the same every time."""
    for number in range(RECORDINGS):
        rng = np.random.default_rng(number)
        streams = {
            name: Stream.of(name, contract, rng.normal(size=(int(SECONDS * contract.rate_hz), *shape)))
            for name, (contract, shape) in STREAMS.items()
        }
        yield Recording(f"r{number:03d}", streams)


def plain_files(store: Corpus, root: Path) -> dict[str, np.ndarray]:
    """The same numbers as one ``.npy`` per stream, ``(recordings, samples, ...)``, memory-mapped."""
    for name in STREAMS:
        np.save(root / f"{name}.npy", np.stack([store.recording(id).streams[name].values() for id in store.recordings]))
    return {name: np.load(root / f"{name}.npy", mmap_mode="r") for name in STREAMS}


def plain_batch(maps: dict[str, np.ndarray], index: WindowIndex, rows: np.ndarray) -> dict[str, np.ndarray]:
    """A batch the way a loader without a store reads it."""
    batch: dict[str, np.ndarray] = {}
    for slot in SLOTS:
        rate = STREAMS[slot.key][0].rate_hz
        starts = [(int(index.recording[row]), round(index.start_s[row] * rate)) for row in rows]
        batch[slot.key] = np.stack([maps[slot.key][r, first : first + slot.samples] for r, first in starts])
    return batch


def speed(read: Callable[[np.ndarray], object], batches: np.ndarray) -> float:
    """Windows per second over ``batches`` (n, batch)."""
    begun = time.perf_counter()
    for rows in batches:
        read(rows)
    return batches.size / (time.perf_counter() - begun)


def measure(rounds: int, batches: int, seed: int) -> np.ndarray:
    """Windows per second of (store, memmap, arrays over the map), a row per round; the side that goes first changes."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = corpus.write(recordings(), root / "corpus", total=RECORDINGS)
        maps = plain_files(store, root)
        index = corpus.sliding_windows(store, store.recordings, WINDOW, 0.1)
        bare = {name: np.asarray(plain) for name, plain in maps.items()}
        sides = (
            lambda rows: corpus.read(store, index, rows, SLOTS)[0],
            lambda rows: plain_batch(maps, index, rows),
            lambda rows: plain_batch(bare, index, rows),
        )
        rows = rng.integers(0, len(index), BATCH)
        batch = [side(rows) for side in sides]
        for key in STREAMS:
            np.testing.assert_array_equal(batch[0][key], batch[1][key])
            np.testing.assert_array_equal(batch[0][key], batch[2][key])
        speeds = np.zeros((rounds + 1, len(sides)))
        for number in range(rounds + 1):
            rows = rng.integers(0, len(index), (batches, BATCH))
            for side in np.roll(np.arange(len(sides)), number):
                speeds[number, side] = speed(sides[side], rows)
    return speeds[1:]  # the first round warms the page cache


def main() -> None:
    """Measure, print, and write the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    speeds = measure(given.rounds, given.batches, given.seed)
    ratios = speeds[:, 0] / speeds[:, 1:].max(axis=1)
    store, memmap, bare = np.median(speeds, axis=0)
    low, high = np.quantile(ratios, [0.025, 0.975])
    print(f"windows/s: store {store:.0f}, np.memmap {memmap:.0f}, arrays over the map {bare:.0f}")
    print(f"ratio to the faster plain side {np.median(ratios):.3f} [{low:.3f}, {high:.3f}]")

    from kinjo.evaluate.report import describe_machine, row, write_rows

    protocol = (
        f"random windows of {WINDOW} s (acc and gyro 50 Hz, pose of 20 joints 30 Hz), batches of {BATCH}, one thread, "
        f"{RECORDINGS} made recordings of {SECONDS} s, warm page cache; store / the faster of two plain .npy maps "
        "(np.memmap, np.asarray of it; slices and np.stack) in the same run, "
        f"median of {given.rounds} rounds, the interval holds 95% of rounds"
    )
    result = row(
        "corpus.windows_vs_memmap",
        round(float(np.median(ratios)), 3),
        "x",
        command="make bench-corpus-windows",
        protocol=protocol,
        ci95=[round(float(low), 3), round(float(high), 3)],
        baseline={"npy_memmap_windows_per_s": round(float(memmap)), "npy_asarray_windows_per_s": round(float(bare))},
        store_windows_per_s=round(float(store)),
        machine=describe_machine(),
    )
    write_rows(given.out, [result])


if __name__ == "__main__":
    sys.exit(main())
