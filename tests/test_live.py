"""Streaming: however samples are cut into pushes and whatever order they come in, the answer is the offline one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.excerpt import Slot, excerpt
from kinjo.live import Live, Plan, Smoothing, Windows, recognize
from kinjo.recording import Contract, ContractError, Recording, Stream
from kinjo.timeline import Span

ACC = Contract("imu", "acc", "m/s^2", 100.0, placement="left_wrist", gravity=True)
GYRO = Contract("imu", "gyro", "deg/s", 50.0, placement="left_wrist")
PLAN = Plan((Slot("acc", "imu", "acc", 64), Slot("gyro", "imu", "gyro", 64)), 2.0, 1.0)
LABELS = ("low", "middle", "high")
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
    return Live(
        PLAN, contracts, score, LABELS, Smoothing(0.5, 0.4, 0.5, 2.0), late_s=LATE_S, wait_s=WAIT_S, keep_scores=True
    )


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
    return recognize(Recording("r", streams), PLAN, score, LABELS, Smoothing(0.5, 0.4, 0.5, 2.0))


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.floats(0.4, 25.0), st.integers(0, 4))
def test_streaming_is_offline(seed: int, timed: bool, seconds: float, gaps: int):
    rng = np.random.default_rng(seed)
    streams = data(rng, timed=timed, seconds=seconds, gaps=gaps)
    streams = {name: s for name, s in streams.items() if s.length}
    if not streams:
        return
    whole = offline(streams)
    spans, core = chunked(streams, rng)
    assert core.windows.late == 0
    assert tuple(spans) == whole.segments
    np.testing.assert_array_equal(np.reshape([row[2] for row in core.scored], (-1, 3)), whole.scores.values)


def test_windows_are_those_of_training():
    streams = data(np.random.default_rng(0), timed=False, seconds=10.0, gaps=0)
    whole = offline(streams)
    assert whole.scores is not None
    starts = whole.scores.times[:, 0]
    np.testing.assert_allclose(starts, 0.3 + np.arange(len(starts)))
    batch = {}
    for slot, name, factor in ((PLAN.slots[0], "w.acc", 1.0), (PLAN.slots[1], "w.gyro", np.float32(np.pi / 180))):
        parts = [excerpt(streams[name], slot, t, t + 2.0) for t in starts]
        batch[slot.key] = np.stack([p[0] for p in parts]) * factor
        batch[f"{slot.key}.missing"] = np.stack([p[1] for p in parts])
    np.testing.assert_allclose(whole.scores.values, score(batch), rtol=1e-6)
    assert whole.segments[0].start_s == pytest.approx(0.3)
    assert whole.segments[-1].end_s == pytest.approx(10.31, abs=1.0)


def test_a_silence_of_days_costs_nothing_and_has_no_span():
    t = np.r_[np.arange(300) / 100, 4e5 + np.arange(300) / 100]
    stream = Stream.of("w.acc", ACC, np.ones((600, 3), np.float32), times=t)
    found = offline({"w.acc": stream})
    assert found.at(2e5) is None
    assert found.at(1.0) is not None
    assert found.at(4e5 + 1.0) is not None
    assert found.scores is not None
    assert len(found.scores.times) <= 6


def test_memory_is_bounded():
    core = live({"w.acc": Stream.of("w.acc", ACC, np.zeros((1, 3), np.float32))})
    rng = np.random.default_rng(0)
    for k in range(300):
        core.push("w.acc", rng.normal(size=(100, 3)), k + np.arange(100) / 100)
        kept = core.windows._kept["w.acc"]
        assert kept.count <= 100 * (PLAN.length_s + LATE_S + WAIT_S + 1.0 + 1.0) + 10


def test_what_comes_too_late_is_counted_and_changes_nothing():
    core = live({"w.acc": Stream.of("w.acc", ACC, np.zeros((1, 3), np.float32))})
    core.push("w.acc", np.ones((1000, 3)), np.arange(1000) / 100)
    before = len(core.scored)
    assert before > 5
    core.push("w.acc", np.full((10, 3), 9.0), np.arange(10) / 100 + 1.0)
    assert core.windows.late == 10
    assert len(core.scored) == before


def test_a_sensor_that_dies_does_not_stop_the_rest():
    streams = data(np.random.default_rng(1), timed=True, seconds=10.0, gaps=0)
    core = live(streams)
    g = streams["w.gyro"]
    core.push("w.gyro", g.values()[:50], g.clock()[:50])
    a = streams["w.acc"]
    core.push("w.acc", a.values(), a.clock())
    assert len(core.scored) >= 6


WRONG: list[tuple[dict[str, Contract], str]] = [
    ({}, "stream: expected acc at any place"),
    ({"a": Contract("imu", "mag", "uT", 50.0, placement="chest")}, "given mag at chest"),
    ({"a": Contract("imu", "acc", "furlong", 50.0, placement="chest", gravity=True)}, "units"),
]


@pytest.mark.parametrize(("contracts", "said"), WRONG)
def test_streams_that_fit_nothing(contracts: dict[str, Contract], said: str):
    with pytest.raises(ContractError, match=said):
        Windows(PLAN, contracts)


def test_gravity_is_no_detail():
    plan = Plan((Slot("acc", "imu", "acc", 64, gravity=True),), 2.0, 1.0)
    free = Contract("imu", "acc", "m/s^2", 100.0, placement="chest", gravity=False)
    with pytest.raises(ContractError, match="expected with gravity, given without"):
        Windows(plan, {"a": free})


def test_pushes_that_are_wrong():
    core = live({"w.acc": Stream.of("w.acc", ACC, np.zeros((1, 3), np.float32))})
    with pytest.raises(ContractError, match="another"):
        core.push("x", np.zeros((1, 3)))
    with pytest.raises(ContractError, match=r"expected \(samples, 3\)"):
        core.push("w.acc", np.zeros((4, 2)), np.arange(4))
    with pytest.raises(ContractError, match="one for each of 4 samples"):
        core.push("w.acc", np.zeros((4, 3)), np.arange(3))
    core.push("w.acc", np.zeros((4, 3)), np.arange(4))
    with pytest.raises(ContractError, match="always or never"):
        core.push("w.acc", np.zeros((4, 3)))
    core.end("w.acc")
    with pytest.raises(ValueError, match="has ended"):
        core.push("w.acc", np.zeros((4, 3)), np.arange(4))
    with pytest.raises(ValueError, match="late_s"):
        Windows(PLAN, {"w.acc": ACC}, late_s=-1.0)
    with pytest.raises(ValueError, match="hop_s"):
        Plan(PLAN.slots, 1.0, 2.0)


def test_units_axes_and_rates_are_converted():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, (3000, 3)).cumsum(0).astype(np.float32) * 0.05 + (0, 0, 9.8)
    said = Contract("imu", "acc", "g", 100.0, axes=("z", "x", "y"), placement="chest", gravity=True)
    plain = offline({"a": Stream.of("a", ACC, x.astype(np.float32))})
    other = offline({"a": Stream.of("a", said, (x[:, [2, 0, 1]] / 9.80665).astype(np.float32))})
    assert plain.scores is not None
    assert other.scores is not None
    np.testing.assert_allclose(plain.scores.values, other.scores.values, atol=2e-3)
