"""A real process: killed it has lost nothing, asked to stop it says good-bye, and nobody holds it up."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from _service import KINJO, PLACED, Process, frames, hello
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import _quick_model as quick
from kinjo.runtime import BASE, WEIGHTS

UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def said(service: Process, content: bytes) -> socket.socket:
    """A connection on which something was said."""
    made = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    made.sendall(content)
    return made


def shown(name: str, seed: int = 0) -> dict[str, Any]:
    return {"name": name, "table": quick.columns(4.0, seed), **PLACED}


def test_kill_9_loses_nothing_that_was_acknowledged(quick_file: Path, tmp_path: Path):
    words = (quick_file, "--profiles", tmp_path / "p.sqlite", "--rate", 0)
    acknowledged: list[str] = []
    with Process(tmp_path, *words) as service:

        def teach() -> None:
            try:
                for k in range(1000):
                    httpx.post(f"{service.url}/v1/teach", json=shown(f"taught {k}"), timeout=60).raise_for_status()
                    acknowledged.append(f"taught {k}")
            except httpx.HTTPError:
                pass  # it was killed

        teacher = threading.Thread(target=teach)
        teacher.start()
        while len(acknowledged) < 5:
            time.sleep(0.01)
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
        teacher.join()
    assert len(acknowledged) >= 5
    with Process(tmp_path, *words) as service:
        known = httpx.get(f"{service.url}/v1/activities").json()["activities"]
        assert known[4:][: len(acknowledged)] == acknowledged
        assert len(known) - 4 - len(acknowledged) in (0, 1)  # the one that was on its way
        assert httpx.post(f"{service.url}/v1/undo").json()["activities"] == known[:-1]
        assert service.end(signal.SIGTERM) == 0


def test_asked_to_stop_it_finishes(quick_file: Path, tmp_path: Path):
    told: list[dict[str, Any]] = []
    with Process(tmp_path, quick_file) as service, connect(service.stream) as stream:
        for message in (hello(windows=True), *list(frames(12.0))[:-1]):
            stream.send(message)
        while not [e for e in told if e["event"] == "window" and e["end_s"] > 9]:
            told += map(json.loads, str(stream.recv(30)).splitlines())
        answers: list[int] = []
        asked = threading.Thread(
            target=lambda: answers.append(
                httpx.post(
                    f"{service.url}/v1/teach", json={**shown("wave"), "table": quick.columns(600.0)}, timeout=60
                ).status_code
            )
        )
        asked.start()
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
            while True:
                told += map(json.loads, str(stream.recv(30)).splitlines())
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert told[-1]["event"] == "end"
        assert [e for e in told if e["event"] == "span"][-1]["end_s"] == pytest.approx(12.0, abs=0.1)
        asked.join()
        assert answers == [200]
        assert service.process.wait(60) == 0
        lines = [json.loads(line) for line in service.said.splitlines() if line.startswith("{")]
        assert {line["path"] for line in lines} >= {"/v1/stream", "/v1/teach"}
        assert "Traceback" not in service.said


def test_other_addresses_need_the_token_that_is_told_once(quick_file: Path, tmp_path: Path):
    with Process(tmp_path, quick_file, host="0.0.0.0") as service:
        token = re.search(r"token .*: (\S{20,})$", service.said, re.MULTILINE)
        assert token is not None
        assert httpx.get(f"{service.url}/v1/models").status_code == 401
        with pytest.raises(InvalidStatus) as refused, connect(service.stream):
            pass
        assert refused.value.response.status_code == 401
        assert httpx.get(f"{service.url}/v1/models?token={token[1]}").status_code == 200
        with connect(f"{service.stream}?token={token[1]}") as stream:
            stream.send("{")
            assert "error" in str(stream.recv(30))
        assert service.end(signal.SIGINT) == 0
        assert service.said.count(token[1]) == 1


def test_nobody_holds_it_up(quick_file: Path, tmp_path: Path):
    """Headers without end, a client that never reads, streams cut off: the others are served."""
    with Process(tmp_path, quick_file, "--rate", 0) as service:
        slow = [said(service, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-") for _ in range(30)]
        with said(service, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000) as large:
            assert large.recv(100).startswith(b"HTTP/1.1 400")
        for _ in range(5):
            with said(service, UPGRADE) as cut:
                assert cut.recv(100).startswith(b"HTTP/1.1 101")
        with connect(service.stream, max_queue=1) as deaf:
            stop = time.monotonic() + 15

            def shout() -> None:
                try:
                    while time.monotonic() < stop:
                        deaf.send("{\n" * 200)  # each line is an error to be told
                except ConnectionClosed:
                    pass

            shouting = threading.Thread(target=shout)
            shouting.start()
            for _ in range(10):
                assert httpx.get(f"{service.url}/v1/models", timeout=30).status_code == 200
            while (
                time.monotonic() < stop and 'reason="slow"' not in httpx.get(f"{service.url}/metrics", timeout=30).text
            ):
                time.sleep(0.2)
            stop = 0.0
            assert 'reason="slow"' in httpx.get(f"{service.url}/metrics", timeout=30).text
            shouting.join()
        until = time.monotonic() + 20
        for one in slow:  # given up after ten seconds
            one.settimeout(max(0.1, until - time.monotonic()))
            assert one.recv(1) == b""
            one.close()
        assert service.end(signal.SIGTERM) == 0
        assert "Traceback" not in service.said


def test_it_says_what_is_missing(tmp_path: Path):
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*KINJO, "serve", *words], capture_output=True, text=True, cwd=tmp_path, timeout=120)

    if not (WEIGHTS / f"{BASE}.safetensors").is_file():  # else it would serve
        none = run("--port", "0")
        assert none.returncode == 1
        assert "name a model" in none.stderr
    wrong = run("none.onnx", "--data", "nowhere")
    assert wrong.returncode == 1
    assert "nowhere" in wrong.stderr
