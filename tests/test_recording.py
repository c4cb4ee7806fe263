"""recording.py: contracts, lazy streams, segments, recordings."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.recording import Contract, ContractError, Finding, Recording, Segment, Stream, chunks

ACC = Contract("imu", "acc", "m/s^2", 50.0, placement="right_wrist", gravity=True)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("modality", {"modality": "smell"}),
        ("quantity", {"quantity": "position"}),
        ("units", {"units": "deg/s"}),
        ("rate_hz", {"rate_hz": 0.0}),
        ("rate_hz", {"rate_hz": float("nan")}),
        ("placement", {"placement": "left_pinky"}),
        ("gravity", {"gravity": None}),
        ("skeleton", {"modality": "pose", "quantity": "position", "units": "m"}),
    ],
)
def test_a_contract_that_contradicts_itself_is_named(field: str, change: dict[str, object]) -> None:
    ACC.check("watch")
    with pytest.raises(ContractError) as caught:
        Contract.from_dict({**ACC.to_dict(), **change}).check("watch")
    assert (caught.value.stream, caught.value.field) == ("watch", field)
    assert "watch" in str(caught.value)


def test_a_contract_survives_plain_types_and_refuses_the_future() -> None:
    assert Contract.from_dict(ACC.to_dict()) == ACC
    with pytest.raises(ValueError, match="newer kinjo"):
        Contract.from_dict({**ACC.to_dict(), "smell": "rose"})


@given(st.integers(0, 40), st.integers(-5, 50), st.integers(-5, 50), st.booleans())
def test_slices_of_a_stream_agree_with_the_whole(n: int, start: int, stop: int, uneven: bool) -> None:
    values, times = np.arange(n * 3.0).reshape(n, 3), np.arange(n) / 50.0 + 2.0
    stream = Stream.of("a", ACC, values, start_s=2.0, times=times if uneven else None)
    np.testing.assert_array_equal(stream.values(start, stop), values[max(start, 0) : max(stop, start, 0)])
    np.testing.assert_allclose(stream.clock(start, stop), times[max(start, 0) : max(stop, start, 0)])
    assert len(stream.mask(start, stop)) == len(stream.values(start, stop))
    np.testing.assert_allclose(stream.clock(), times)
    assert stream.mask().shape == (n,)
    assert not stream.mask().any()
    assert stream.end_s == pytest.approx(2.0 + n / 50.0)


@given(st.integers(1, 100), st.floats(-1, 4), st.floats(0, 3), st.booleans())
def test_between_holds_the_samples_of_a_span(n: int, start_s: float, seconds: float, uneven: bool) -> None:
    times = np.arange(n) / 50.0 + 0.5
    stream = Stream.of("a", ACC, np.zeros((n, 3)), start_s=0.5, times=times if uneven else None)
    start, stop = stream.between(start_s, start_s + seconds)
    inside = np.flatnonzero((times >= start_s - 1e-8) & (times < start_s + seconds - 1e-8))
    assert abs(stop - start - len(inside)) <= 1
    if len(inside) > 1:
        assert abs(start - inside[0]) <= 1


def test_chunks_cover_a_stream_once() -> None:
    stream = Stream.of("a", ACC, np.arange(30.0).reshape(10, 3))
    parts = list(chunks(stream, 4))
    assert [start for start, _ in parts] == [0, 4, 8]
    np.testing.assert_array_equal(np.concatenate([values for _, values in parts]), stream.values())
    depth = Contract("video", "depth", "m", 30.0, axes=())
    frames = Stream.of("d", depth, np.zeros((130, 2, 2)))
    assert [len(values) for _, values in chunks(frames)] == [64, 64, 2]


@pytest.mark.parametrize("span", [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_a_segment_needs_a_start_before_its_end(span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="squat"):
        Segment(*span, "squat")


def test_a_recording_lasts_as_long_as_its_longest_stream() -> None:
    recording = Recording("r").with_stream(Stream.of("a", ACC, np.zeros((50, 3))))
    recording = recording.with_stream(Stream.of("b", replace(ACC, rate_hz=10.0), np.zeros((20, 3))))
    assert (Recording("empty").duration_s, recording.duration_s) == (0.0, 2.0)


def test_a_finding_reads_as_a_sentence() -> None:
    assert str(Finding("a", "units", "m/s^2", "1 g", "converted")) == "a: units: expected m/s^2, given 1 g -> converted"


def test_a_part_of_a_recording_is_as_lazy_and_keeps_its_clock():
    contract = Contract("imu", "acc", "g", 10.0, placement="chest", gravity=True)
    values, gone = np.arange(300.0).reshape(100, 3), np.arange(100) % 7 == 0
    even = Stream.of("even", contract, values, start_s=1.0, missing=gone)
    timed = Stream.of("timed", contract, values, times=np.arange(100) / 10 + 0.03)
    segments = (Segment(2.0, 6.0, "squat", "", 4), Segment(8.0, 9.0, "row"))
    whole = Recording("r", {"even": even, "timed": timed}, segments)
    part = whole.between(3.0, 5.0)
    for name, stream in whole.streams.items():
        a, b = stream.between(3.0, 5.0)
        cut = part.streams[name]
        assert cut.length == b - a == 20
        np.testing.assert_array_equal(cut.values(), stream.values(a, b))
        np.testing.assert_array_equal(cut.values(5, 9), stream.values(a + 5, a + 9))
        np.testing.assert_allclose(cut.clock(), stream.clock(a, b))
        np.testing.assert_array_equal(cut.mask(), stream.mask(a, b))
    assert part.segments == (Segment(3.0, 5.0, "squat"),)
    assert whole.between().streams["even"].length == 100
    assert whole.between(end_s=6.0).segments[0].repetitions == 4
    assert whole.between(end_s=2.0).segments == ()
    with pytest.raises(ValueError, match="has nothing from 50 to 60 s"):
        whole.between(50.0, 60.0)
