"""JSON lines in, events out: as the whole recording is recognised, and no line can stop it."""

import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import _small_model
from _small_model import LEARNT, sensors, session
from kinjo.recognizer import Recognizer
from kinjo.recording import Recording
from kinjo.stream import LONGEST, events, read_lines, samples


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    return Recognizer.load(_small_model.write(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def recording() -> Recording:
    return sensors(session(300, LEARNT))


@pytest.mark.parametrize("step_s", [0.05, 0.2, 0.9])
def test_it_answers_as_for_the_whole(model: Recognizer, recording: Recording, step_s: float):
    found = list(events(model, samples(recording, step_s)))
    spans = [e for e in found if e["event"] == "span"]
    whole = model.recognize(recording)
    assert [(s["start_s"], s["end_s"], s["label"]) for s in spans] == [s[:3] for s in whole]
    np.testing.assert_allclose([s["confidence"] for s in spans], [s.confidence for s in whole], atol=1e-4)
    assert [s["repetitions"] for s in spans] == [s.repetitions for s in whole]
    assert any(s["repetitions"] for s in spans)
    assert found[-1] == {"event": "end"}
    assert any(e["event"] == "now" for e in found)
    assert not [e for e in found if e["event"] == "error"]


def test_bad_lines_are_passed_over(model: Recognizer, recording: Recording):
    good = list(samples(recording))
    bad = [
        "{", "[]", "3", '{"a": 1}', '{"stream": "nose", "values": [1, 2, 3]}', '{"end": "nose"}',
        '{"stream": "right_wrist.acc", "values": [[1, 2]], "t": [0]}', '{"stream": "right_wrist.acc", "values": "x"}',
        '{"stream": "right_wrist.acc", "t": [0, 1], "values": [[1, 2, 3]]}', '{"stream": ["a"], "values": [1, 2, 3]}',
        '{"stream": "right_wrist.acc", "values": [1, 2, 3], "t": "now"}', good[0], "[" * 100_000,
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    mixed = good[:1]
    for line in good[1:]:
        mixed += [bad[int(rng.integers(len(bad)))]] if rng.random() < 0.2 else []
        mixed.append(line)
    clean, found = list(events(model, good)), list(events(model, [*bad[:2], *mixed, *bad]))
    errors = [e for e in found if e["event"] == "error"]
    assert len(errors) == 2 + len(mixed) - len(good) + len(bad)
    assert [e for e in found if e["event"] != "error"] == clean
    assert all(e["message"] and e["line"] > 0 for e in errors)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=40), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["right_wrist.acc", "acc", "imu"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["streams", "stream", "values", "t", "end", "start_s", "right_wrist.acc"]), inner, max_size=4
    ), max_leaves=12,
).map(json.dumps)), max_size=12))  # fmt: skip
def test_no_line_can_stop_it(model: Recognizer, lines: list[str]):
    assert list(events(model, lines))[-1] == {"event": "end"}


def test_clocks_that_jump_take_no_memory(model: Recognizer, recording: Recording):
    first = next(iter(samples(recording)))
    rng = np.random.default_rng(1)

    def hours() -> "list[str] | object":
        yield first
        for second in range(1200):
            t = second + (3e8 if second > 600 else 0.0) + np.arange(50) / 50
            for name in ("right_wrist.acc", "right_wrist.gyro"):
                yield json.dumps({"stream": name, "t": t.tolist(), "values": rng.normal(0, 3, (50, 3)).tolist()})
        yield json.dumps({"stream": "right_wrist.acc", "t": 5.0, "values": [1, None, 3]})

    tracemalloc.start()
    count = {"late": 0, "span": 0, "error": 0, "now": 0, "end": 0}
    for event in events(model, hours()):  # pyright: ignore[reportArgumentType]
        count[event["event"]] += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count["late"] == 1
    assert count["end"] == 1
    assert peak < 30e6


def test_a_line_without_end_is_not_held():
    file = io.StringIO("a" * (3 * LONGEST) + "\n" + "b\n")
    first, second = read_lines(file)
    assert len(first) == LONGEST + 1
    assert second == "b\n"


def test_the_command(tmp_path: Path, model: Recognizer, recording: Recording, monkeypatch, capsys):
    from kinjo.cli import app

    path = _small_model.write(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(samples(recording)) + "\n"))
    app(["stream", "--model", str(path)], standalone_mode=False)
    piped = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert piped[-1] == {"event": "end"}
    assert {e["label"] for e in piped if e["event"] == "span"} & set(LEARNT)
