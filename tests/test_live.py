"""Streaming: however samples are cut into pushes and whatever order they come in, the answer is the offline one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _chunks import ACC, LABELS, LATE_S, PLAN, RHYTHMS, WAIT_S, chunked, data, live, offline, score
from kinjo import tape
from kinjo.excerpt import Slot, excerpt
from kinjo.live import Batch, Live, Plan, Smoothing, Windows, recognize
from kinjo.recording import Contract, ContractError, Recording, Stream
from kinjo.repetitions import Rhythm


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


def test_what_has_a_rhythm_is_counted():
    streams = data(np.random.default_rng(0), timed=True, seconds=40.0, gaps=3)
    spans = offline(streams).segments
    assert {span.label for span in spans} >= {"low", "middle"}
    for span in spans:
        assert (span.repetitions is None) == (span.label not in RHYTHMS)
    x = np.sin(2 * np.pi * np.arange(3000)[:, None] / 100 / 0.8 + [0, 1, 2]).astype(np.float32)  # 24 s
    even = Recording("even", {"a": Stream.of("a", ACC, 9.8 * x[:2400])})

    def always(batch: Batch) -> np.ndarray:
        return np.ones((len(batch["acc"]), 1))

    for known, count in (({"stir": Rhythm(0.8)}, 30), ({"stir": Rhythm(1.6, per_period=0.5)}, 15), ({}, None)):
        found = recognize(even, PLAN, always, ("stir",), rhythms=known)
        assert [span.repetitions for span in found] == [count]
        found = found.rethreshold(enter=0.4)  # of scores alone nothing is counted
        assert [span.repetitions for span in found] == [None]


def test_what_is_open_is_counted_so_far_and_goes_on_when_more_is_known():
    x = 9.8 * np.sin(2 * np.pi * np.arange(4000)[:, None] / 100 / 0.8 + [0, 1, 2]).astype(np.float32)
    known = ("rest", "stir")

    def always(batch: Batch) -> np.ndarray:
        return np.tile([float(name == "stir") for name in known], (len(batch["acc"]), 1))

    core = Live(PLAN, {"a": ACC}, always, known, wait_s=np.inf, rhythms={"stir": Rhythm(0.8)})
    assert core.so_far is None
    assert core.push("a", x[:1650]) == []
    assert core.so_far is not None
    assert (core.so_far.end_s, core.so_far.repetitions) == (16.0, 20)
    assert core.so_far == core.so_far
    known = ("stir", "new", "rest")
    core.know(known, {"stir": Rhythm(1.6, per_period=0.5)})
    assert core.push("a", x[1650:3250]) == []
    assert core.so_far is not None
    assert (core.so_far.start_s, core.so_far.repetitions) == (0.0, 20)
    assert [s[:3] for s in core.finish()] == [(0.0, pytest.approx(32.5, abs=0.6), "stir")]
    bare = Live(PLAN, {"a": ACC}, always, known, wait_s=np.inf)
    bare.push("a", x[:1650])
    bare.know(known, {"stir": Rhythm(0.8)})
    bare.push("a", x[1650:])
    assert [span.repetitions for span in bare.finish()] == [None]  # it began before anything was counted


def test_the_tape_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tape, "LONGEST_S", 20.0)
    core = live({"w.acc": Stream.of("w.acc", ACC, np.zeros((1, 3), np.float32))})
    rng = np.random.default_rng(0)
    for k in range(200):
        core.push("w.acc", rng.normal(size=(100, 3)), k + np.arange(100) / 100)
        assert core._tape is not None
        assert len(core._tape._parts) <= 20.0 / PLAN.hop_s + 4


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 3.5, 6.0]), st.sampled_from([0.0, 1.0, 4.0]))
def test_what_nobody_will_count_is_forgotten_and_no_count_changes(seed: int, shortest_s: float, smooth_s: float):
    streams = data(np.random.default_rng(seed), timed=False, seconds=60.0, gaps=1)
    how = Smoothing(0.5, 0.35, shortest_s, smooth_s)
    recording = Recording("r", streams)
    found = recognize(recording, PLAN, score, LABELS, how, rhythms=RHYTHMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape.Tape, "forget", lambda self, until_s: None)
        assert recognize(recording, PLAN, score, LABELS, how, rhythms=RHYTHMS) == found


def test_the_tape_of_what_is_not_counted_is_empty():
    core = Live(
        PLAN, {"a": ACC}, lambda batch: np.zeros((len(batch["acc"]), 1)), ("stir",), rhythms={"stir": Rhythm(0.8)}
    )
    for _ in range(100):
        core.push("a", np.ones((100, 3), np.float32))
        assert core._tape is not None
        assert len(core._tape._parts) <= 4
    assert core.current is not None
    assert core.current.end_s > 90


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
