"""Streams over WebSocket: answers as for the whole recording, whatever others do; each client takes but its part."""

import asyncio
import json
import threading
import time
from typing import Any

import numpy as np
import pytest
from _service import PLACED, STREAM, contract, frames, hello, served
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import _quick_model as quick
from kinjo.recognizer import Recognizer, as_recording
from kinjo.stream import events
from kinjo.studio.hub import Hub
from kinjo.studio.scoring import Scorer

Told = list[dict[str, Any]]


def read(socket: Any) -> tuple[Told, int, str]:
    """All events until the service closes, its code and its reason."""
    told: Told = []
    while True:
        try:
            told += map(json.loads, socket.receive_text().splitlines())
        except WebSocketDisconnect as closed:
            return told, closed.code, closed.reason or ""


def talk(client: TestClient, messages: list[str]) -> tuple[Told, int, str]:
    with client.websocket_connect(STREAM) as socket:
        for message in messages:
            socket.send_text(message)
        return read(socket)


def plain(told: Told) -> Told:
    """Without what a pipe does not tell."""
    return [{k: v for k, v in event.items() if k != "received_s"} for event in told if event["event"] != "window"]


def test_a_stream_is_answered_as_a_pipe_is(quick_model: Recognizer):
    messages = [hello(late_s=0.5, windows=True), *frames(20.0)]
    before = time.time()
    with served(quick_model) as client:
        client.post("/v1/teach", json={"name": "wave", "table": quick.columns(), **PLACED})
        model = client.app.state.hub.model("default")  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]
        told, code, _ = talk(client, messages)
    piped = list(events(model, "\n".join([hello(), *messages[1:]]).splitlines()))
    assert code == 1000
    assert [e["event"] for e in plain(told)] == [e["event"] for e in piped]
    for ours, theirs in zip(plain(told), piped, strict=True):
        assert {k: v for k, v in ours.items() if k != "confidence"} == {
            k: v for k, v in theirs.items() if k != "confidence"
        }
    assert any(e["event"] == "span" and e["label"] == "wave" for e in told)
    whole = model.recognize(as_recording(quick.columns(20.0), **PLACED))
    windows = [(e["start_s"], e["end_s"]) for e in told if e["event"] == "window"]
    assert whole.scores is not None
    np.testing.assert_allclose(windows, whole.scores.times)
    assert all(before <= e["received_s"] <= time.time() for e in told)


def test_what_is_taught_counts_in_streams_that_run(quick_model: Recognizer):
    messages = list(frames(24.0))
    with served(quick_model) as client, client.websocket_connect(STREAM) as socket:
        socket.send_text(hello(windows=True, counts=True, hop_s=0.5))
        told: Told = []

        def say(some: list[str], until_s: float) -> None:
            for message in some:
                socket.send_text(message)
            while not [e for e in told if e["event"] == "window" and e["end_s"] >= until_s]:
                told.extend(map(json.loads, socket.receive_text().splitlines()))

        say(messages[:50], 9.0)
        client.post("/v1/teach", json={"name": "wave", "table": quick.columns(), **PLACED})
        say(messages[50:90], 17.0)
        client.post("/v1/undo")
        client.post("/v1/teach?profile=other", json={"name": "other", "table": quick.columns(), **PLACED})
        say(messages[90:-1], 23.0)
        socket.send_text(messages[-1])
        told += read(socket)[0]
    windows = [(e["end_s"], e["label"] == "wave") for e in told if e["event"] == "window"]
    assert {taught for end, taught in windows if end < 9.2} == {False}
    assert [taught for end, taught in windows if 9.2 < end < 17.2] == [True] * 16
    assert {taught for end, taught in windows if end > 17.2} == {False}
    assert np.diff([end for end, _ in windows]) == pytest.approx(0.5)
    spans = [(e["start_s"], e["end_s"]) for e in told if e["event"] == "span"]
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]  # nothing twice, nothing left out
    assert [e["repetitions"] for e in told if e["event"] == "count" and e["label"] == "wave"][-1] is not None
    assert not [e for e in told if e.get("label") == "other"]


def test_a_stream_of_a_profile_that_knows_nothing_any_more_is_closed(quick_model: Recognizer):
    messages = list(frames(12.0))
    with served(quick_model) as client, client.websocket_connect(STREAM) as socket:
        socket.send_text(hello(windows=True))
        socket.send_text(messages[0])
        for name in quick_model.labels:
            client.delete(f"/v1/activities/{name}")
        for message in messages[1:]:
            socket.send_text(message)
        _, code, reason = read(socket)
    assert code == 1008
    assert "no activity any more" in reason


def test_many_clients_at_once_are_answered_as_alone(quick_model: Recognizer):
    with served(quick_model, batch_s=0.02) as client:
        alone = [talk(client, [hello(windows=True), *frames(12.0, seed=k)])[0] for k in range(4)]
        together: dict[int, Told] = {}

        def one(k: int) -> None:
            together[k] = talk(client, [hello(windows=True), *frames(12.0, seed=k % 4)])[0]

        threads = [threading.Thread(target=one, args=(k,)) for k in range(12)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        told = client.get("/metrics").text
    for k in range(12):
        assert [(e["event"], e.get("start_s"), e.get("label")) for e in together[k]] == [
            (e["event"], e.get("start_s"), e.get("label")) for e in alone[k % 4]
        ]
        np.testing.assert_allclose(
            [e.get("confidence", 0) for e in together[k]], [e.get("confidence", 0) for e in alone[k % 4]], atol=1e-4
        )
    assert "kinjo_stream_clients 0.0" in told
    assert float(next(x for x in told.splitlines() if x.startswith("kinjo_windows_total")).split()[1]) == 16 * 11


def test_samples_come_out_of_order_within_the_bound(quick_model: Recognizer):
    messages = list(frames(12.0))
    rng = np.random.default_rng(0)
    mixed = [messages[i] for i in np.argsort(np.arange(len(messages) - 1) + rng.uniform(0, 2, len(messages) - 1))]
    with served(quick_model) as client:
        straight = talk(client, [hello(windows=True), *messages])[0]
        crossed = talk(client, [hello(windows=True), *mixed, messages[-1]])[0]
        late = talk(client, [hello(windows=True, late_s=0, wait_s=0), *messages[:-1], messages[0], messages[-1]])[0]

    def told(some: Told) -> list[Any]:
        return [(e["start_s"], e["label"], round(e["confidence"], 3)) for e in some if e["event"] == "window"]

    assert told(crossed) == told(straight)
    assert [e["samples"] for e in late if e["event"] == "late"][-1] == 10


BAD = [
    "{", "[]", "3", "", '{"streams": {}}', '{"streams": []}', '{"streams": {"a": 1}}',
    '{"stream": "acc", "values": [1]}',     '{"streams": {"acc": {"quantity": "acc"}}}', hello(late_s=11),
    hello(late_s=-1), hello(profile="../x"), hello(x=1),
    json.dumps({"streams": {"acc": contract("acc", 1e9)}}), json.dumps({"streams": {"acc": contract("acc", 0.0)}}),
    json.dumps({"streams": {"acc": {**contract("acc"), "placement": "left_ankle"}}}),
    json.dumps({"streams": {"acc": {**contract("acc"), "rate_hz": "fast"}}}),
    json.dumps({"streams": {"acc": {**contract("acc"), "axes": 3}}}), '{"streams": {"\\ud800": {}}}',
    json.dumps({"streams": {str(k): contract("acc") for k in range(33)}}), "[" * 100_000, "\0", "NaN",
]  # fmt: skip


@pytest.mark.parametrize("line", BAD)
def test_bad_first_lines_are_told_and_the_next_is_heard(quick_model: Recognizer, line: str):
    with served(quick_model) as client:
        told, code, _ = talk(client, [line, hello(windows=True), *frames(4.0)])
    assert code == 1000
    assert [e["event"] for e in told if e["event"] in ("error", "end")] == ["error"] * (line != "") + ["end"]
    assert all(e["message"] for e in told if e["event"] == "error")
    assert [e for e in told if e["event"] == "window"]


def test_bad_lines_between_change_nothing(quick_model: Recognizer):
    bad = [
        "{", '{"stream": "nose", "values": [1, 2, 3]}', '{"stream": "acc", "t": [0], "values": [[1, 2]]}', hello(),
        '{"stream": "acc", "t": [0, 1], "values": [[1, 2, 3]]}', '{"stream": ["a"], "values": 1}', '{"end": {}}',
        '{"stream": "acc", "t": [1e400], "values": [[1, 2, 3]]}', '{"stream": "acc", "values": [1, 2, 1e999]}',
        '{"stream": "acc", "values": {"a": 1}}', '{"stream": "acc", "t": "now", "values": [1, 2, 3]}',
    ]  # fmt: skip
    good = [hello(windows=True), *frames(8.0)]
    mixed = [good[0], *(m for pair in zip(good[1:-1], bad * 9, strict=False) for m in pair), *good[1 + 9 * len(bad) :]]
    with served(quick_model) as client:
        clean, dirty = talk(client, good)[0], talk(client, [*mixed, *good[-1:]])[0]
    spans = [(e["start_s"], e["label"]) for e in clean if e["event"] == "window"]
    assert [(e["start_s"], e["label"]) for e in dirty if e["event"] == "window"] == spans
    assert all(e["line"] > 0 for e in dirty if e["event"] == "error")


def test_bytes_are_read_as_text(quick_model: Recognizer):
    with served(quick_model) as client, client.websocket_connect(STREAM) as socket:
        socket.send_bytes(b"\xff\xfe")
        assert json.loads(socket.receive_text())["event"] == "error"
        for message in (hello(), *frames(4.0)):
            socket.send_bytes(message.encode())
        assert read(socket)[0][-1]["event"] == "end"


# ------------------------------------------------------------------------------------------------ bounds
def test_who_says_nothing_is_closed(quick_model: Recognizer):
    with served(quick_model, idle_s=0.1) as client:
        _, code, reason = talk(client, [hello()])
        assert (code, reason) == (1008, "nothing came for 0.1 s")
        assert 'kinjo_stream_dropped_total{reason="idle"} 1.0' in client.get("/metrics").text


def test_so_many_clients_and_no_more(quick_model: Recognizer):
    with served(quick_model, clients=2) as client:
        with client.websocket_connect(STREAM) as one, client.websocket_connect(STREAM) as two:
            for socket in (one, two):
                socket.send_text("{")
                socket.receive_text()
            _, code, reason = talk(client, [])
            assert code == 1013
            assert "2 clients" in reason
        _, code, _ = talk(client, [hello(), *frames(4.0)])  # they have gone
        assert code == 1000


def test_what_is_kept_of_a_client_is_bounded(quick_model: Recognizer):
    dense = json.dumps({"stream": "acc", "t": np.linspace(0, 1, 2000).tolist(), "values": [[0, 0, 9.8]] * 2000})
    with served(quick_model, held=1000) as client:
        _, code, reason = talk(client, [hello(), dense])
        assert code == 1009
        assert "1000 samples" in reason
        for large in ("y" * ((1 << 18) + 1), "{\n" * 300):
            _, code, _ = talk(client, ["x" * (1 << 18), large])
            assert code == 1009


def test_hours_are_not_kept(quick_model: Recognizer):
    with served(quick_model, frames=1e9) as client, client.websocket_connect(STREAM) as socket:
        socket.send_text(hello())
        for second in range(300):
            t = (second + np.arange(25) / 25).tolist()
            lines = [json.dumps({"stream": q, "t": t, "values": [[0, 0, 9.8]] * 25}) for q in ("acc", "gyro")]
            socket.send_text("\n".join(lines))
        socket.send_text("{")
        while json.loads(socket.receive_text().splitlines()[-1])["event"] != "error":
            pass
        hub: Hub = client.app.state.hub  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]
        (one,) = hub.streams
        assert one.session.live.windows.held < 400


def test_messages_are_read_at_a_pace(quick_model: Recognizer):
    with served(quick_model, frames=20.0) as client:
        start = time.monotonic()
        told, _, _ = talk(client, ["{"] * 30 + [hello(), *frames(2.0, samples=50)])
        assert time.monotonic() - start > 0.5
        assert len([e for e in told if e["event"] == "error"]) == 30


# ------------------------------------------------------------------------------------------------ one batch
def test_windows_of_many_are_embedded_at_once():
    from concurrent.futures import ThreadPoolExecutor

    sizes: list[int] = []
    counted: list[int] = []

    def embed(batch: Any) -> dict[str, Any]:
        sizes.append(len(batch["a"]))
        if (batch["a"] < 0).any():
            raise ValueError("below zero")
        return {"joint": batch["a"] * 2}

    async def run() -> list[Any]:
        with ThreadPoolExecutor(1) as pool:
            scorer = Scorer(embed, pool, wait_s=0.01, count=counted.append)
            batches = [{"a": np.full((k + 1, 2), float(k))} for k in range(5)]
            batches += [{"a": np.ones((1, 2)), "b": np.ones((1, 2))}]
            first = await asyncio.gather(*map(scorer.embed, batches))
            gone = asyncio.create_task(scorer.embed(batches[0]))
            await asyncio.sleep(0)
            gone.cancel()
            second = await asyncio.gather(
                *map(scorer.embed, [*batches[:2], {"a": np.full((1, 2), -1.0)}]), return_exceptions=True
            )
            large = await asyncio.gather(*[scorer.embed({"a": np.zeros((200, 2))}) for _ in range(3)])
            return [*first, *second, *large]

    told = asyncio.run(run())
    for k in range(5):
        np.testing.assert_array_equal(told[k]["joint"], np.full((k + 1, 2), 2.0 * k))
    assert sizes[:2] == [15, 1]
    np.testing.assert_array_equal(told[7]["joint"], np.full((2, 2), 2.0))
    assert isinstance(told[8], ValueError)
    assert sizes[-3:] == [200] * 3
    assert sum(counted) == 16 + 4 + 600
