"""The tape is the signal that the windows held, whatever parts of it they spoke for; what is counted is all there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo import tape as module
from kinjo.excerpt import Slot
from kinjo.repetitions import Rhythm, repetitions
from kinjo.tape import Tape, channels
from kinjo.timeline import Span

SLOTS = (Slot("acc", "imu", "acc", 80), Slot("gyro", "imu", "gyro", 40))
LENGTH_S = 4.0
RHYTHMS = {"squat": Rhythm(2.0)}


def signal(times: np.ndarray, quantity: str) -> np.ndarray:
    wave = np.sin(2 * np.pi * times[:, None] / 2.0 + [0.0, 1.0, 2.0])
    return (9.80665 if quantity == "acc" else 3.0) * wave


def filled(tape: Tape, starts: np.ndarray, hop_s: float, *, lost: str = "") -> None:
    """Windows at ``starts`` as ``live.Live`` adds them: each for the hop about its middle, the first from its start,
    the last to its end.
    """
    half, begin = (LENGTH_S - hop_s) / 2, float(starts[0])
    for start in starts.tolist():
        window = {}
        for slot in SLOTS:
            times = start + (np.arange(slot.samples) + 0.5) * LENGTH_S / slot.samples
            window[slot.key] = signal(times, slot.quantity)
            window[f"{slot.key}.missing"] = np.full(slot.samples, slot.key == lost)
        stop = start + LENGTH_S - (0.0 if start == starts[-1] else half)
        tape.add(begin, stop, start, window)
        begin = stop


@settings(max_examples=30)
@given(st.sampled_from([0.3, 1.0, 1.7, 4.0]), st.floats(0.0, 5.0), st.floats(6.0, 20.0))
def test_the_tape_is_the_signal(hop_s: float, begin: float, end: float):
    tape = Tape(SLOTS, LENGTH_S, RHYTHMS)
    filled(tape, np.arange(0.0, 18.0, hop_s), hop_s)
    end = min(end, 18.0)
    values, rate = tape.cut(begin, end)
    times = begin + (np.arange(len(values)) + 0.5) / rate
    inner = (times > begin + 0.2) & (times < end - 0.2)  # beyond the outermost samples the last value is held
    assert rate == 20.0
    wanted = np.concatenate([signal(times, "acc") / 9.80665, signal(times, "gyro") / 3.0], 1)
    np.testing.assert_allclose(values[inner, :3], wanted[inner, :3], atol=0.1)
    np.testing.assert_allclose(values[inner, 3:], wanted[inner, 3:], atol=0.15)
    span = tape.counted(Span(begin, end, "squat"))
    assert span.repetitions == repetitions(values, rate, rhythm=RHYTHMS["squat"]).count
    assert span.repetitions == pytest.approx((end - begin) / 2.0, abs=1.1)


def test_what_is_not_counted():
    tape = Tape(SLOTS, LENGTH_S, RHYTHMS)
    squat = Span(2.0, 12.0, "squat")
    assert tape.counted(squat).repetitions is None  # nothing is there yet
    filled(tape, np.arange(1.0, 16.0), 1.0)
    assert tape.counted(squat).repetitions == 5
    assert tape.counted(Span(2.0, 12.0, "walking")).repetitions is None
    assert tape.counted(Span(0.0, 12.0, "squat")).repetitions is None  # it began before the tape


def test_sensors_that_are_missing_do_not_count():
    tape = Tape(SLOTS, LENGTH_S, RHYTHMS)
    filled(tape, np.arange(0.0, 16.0), 1.0, lost="gyro")
    assert tape.cut(2.0, 12.0)[0].shape == (200, 3)
    assert tape.counted(Span(2.0, 12.0, "squat")).repetitions == 5
    nothing = Tape(SLOTS[1:], LENGTH_S, RHYTHMS)
    filled(nothing, np.arange(0.0, 16.0), 1.0, lost="gyro")
    assert nothing.counted(Span(2.0, 12.0, "squat")).repetitions is None


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LONGEST_S", 30.0)
    tape = Tape(SLOTS, LENGTH_S, RHYTHMS)
    filled(tape, np.arange(0.0, 300.0), 1.0)
    assert len(tape._parts) <= 35
    assert tape.counted(Span(280.0, 296.0, "squat")).repetitions == 8
    assert tape.counted(Span(200.0, 296.0, "squat")).repetitions is None


def test_a_body_is_counted_about_its_middle():
    slot = Slot("pose", "pose", "position", 40)
    rng = np.random.default_rng(0)
    body = rng.normal(size=(40, 17, 3))
    moved = body + np.linspace(0, 50, 40)[:, None, None]
    np.testing.assert_allclose(channels(slot, moved), channels(slot, body), atol=1e-9)
    assert channels(slot, moved).shape == (40, 51)
