"""Two sensors, and every way to push them: for the tests of streaming and for ``make bench-stream-mismatches``."""

from typing import Any

import numpy as np

from kinjo.excerpt import Slot
from kinjo.live import Live, Plan, Smoothing, recognize
from kinjo.recording import Contract, Recording, Stream
from kinjo.repetitions import Rhythm
from kinjo.timeline import Span

ACC = Contract("imu", "acc", "m/s^2", 100.0, placement="left_wrist", gravity=True)
GYRO = Contract("imu", "gyro", "deg/s", 50.0, placement="left_wrist")
PLAN = Plan((Slot("acc", "imu", "acc", 64), Slot("gyro", "imu", "gyro", 64)), 2.0, 1.0)
LABELS = ("low", "middle", "high")
RHYTHMS = {"low": Rhythm(1.0), "high": Rhythm(0.5, per_period=2.0)}
LATE_S = WAIT_S = 0.4


def score(batch: Any) -> np.ndarray:
    """Something that depends on every sample that is there."""
    out = np.zeros((len(next(iter(batch.values()))), 3))
    for key in ("acc", "gyro"):
        if key in batch:
            x = np.where(batch[f"{key}.missing"][..., None], 0.0, batch[key])
            out += np.stack([np.sin(x.sum((1, 2))), np.cos(3 * x[:, 10:].sum((1, 2))), np.sin(5 * x[:, -1, 0])], 1)
    e = np.exp(2 * out)
    return e / e.sum(1, keepdims=True)


def data(rng: np.random.Generator, *, timed: bool, seconds: float, gaps: int) -> dict[str, Stream]:
    """Both sensors; timed: jittered clocks with silences, else even clocks with missing samples."""
    streams = {}
    for name, contract, start in (("w.acc", ACC, 0.3), ("w.gyro", GYRO, 0.31)):
        n = int(seconds * contract.rate_hz)
        times = start + np.arange(n) / contract.rate_hz
        values = rng.normal(0, 1, (n, 3)).cumsum(0).astype(np.float32) * 0.1
        keep = np.ones(n, bool)
        for _ in range(gaps):
            at, long = rng.uniform(0, seconds), rng.choice([0.05, 0.6, 5.0])
            keep &= (times < at) | (times > at + long)
        if timed:
            times = times + rng.uniform(-0.2, 0.2, n) / contract.rate_hz
            streams[name] = Stream.of(name, contract, values[keep], times=times[keep])
        else:
            streams[name] = Stream.of(name, contract, values, start_s=start, missing=~keep)
    return streams


def live(streams: dict[str, Stream]) -> Live:
    contracts = {name: s.contract for name, s in streams.items()}
    how = Smoothing(0.5, 0.4, 0.5, 2.0)
    return Live(PLAN, contracts, score, LABELS, how, late_s=LATE_S, wait_s=WAIT_S, keep_scores=True, rhythms=RHYTHMS)


def chunked(streams: dict[str, Stream], rng: np.random.Generator) -> tuple[list[Span], Live]:
    """Pushed in random chunks, streams in random turns within ``LATE_S`` of one another, timed ones shuffled."""
    core, spans, at = live(streams), [], dict.fromkeys(streams, 0)
    arrival = {}
    for name, s in streams.items():
        order = np.arange(s.length)
        if s.times is not None:
            order = np.argsort(s.times + rng.uniform(0, LATE_S * 0.9, s.length), kind="stable")
        arrival[name] = order
    while at:
        names = list(at)
        heads = {n: streams[n].clock()[arrival[n][at[n]]] if at[n] < streams[n].length else np.inf for n in names}
        for name in [n for n in names if heads[n] == np.inf]:
            del at[name]
            spans += core.end(name) if rng.random() < 0.5 else []
        if not at:
            break
        first = min(heads[n] for n in at)
        name = str(rng.choice([n for n in at if heads[n] <= first + WAIT_S * 0.4]))
        s, order = streams[name], arrival[name]
        limit = first + WAIT_S * 0.5
        size = int(rng.integers(1, 40))
        some = order[at[name] : at[name] + size]
        # no chunk may run ahead of the other stream by more than is allowed
        ahead = np.flatnonzero(s.clock()[some] > limit)
        some = some[: max(1, ahead[0])] if len(ahead) else some
        at[name] += len(some)
        values = np.array(s.values(), np.float32)
        values[s.mask()] = np.nan
        times = None if s.times is None else s.clock()[some]
        spans += core.push(name, values[some], times, start_s=s.start_s)
    return spans + core.finish(), core


def offline(streams: dict[str, Stream]) -> Any:
    return recognize(Recording("r", streams), PLAN, score, LABELS, Smoothing(0.5, 0.4, 0.5, 2.0), RHYTHMS)
