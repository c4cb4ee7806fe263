"""Services for tests: in this process, and as a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

import _quick_model as quick
from kinjo.recognizer import Recognizer
from kinjo.studio.app import create_app
from kinjo.studio.settings import Settings

HERE = "http://localhost"
STREAM = "ws://localhost/v1/stream"
PLACED: dict[str, Any] = {"placement": "right_wrist"}
KINJO = [sys.executable, "-c", "from kinjo.cli import main; main()"]


@contextmanager
def served(model: Recognizer, *, client: tuple[str, int] = ("127.0.0.1", 1), **settings: Any) -> Iterator[TestClient]:
    """A client of an app; faults of the app's are answers here, as they are to strangers."""
    app = create_app(Settings(**{"rate": 0.0, **settings}), model)
    with TestClient(app, base_url=HERE, raise_server_exceptions=False, client=client) as made:
        yield made


def contract(quantity: str, rate_hz: float = quick.RATE) -> dict[str, Any]:
    """Of one of the two sensors of a watch."""
    units = {"acc": "m/s^2", "gyro": "rad/s"}[quantity]
    return {
        "modality": "imu", "quantity": quantity, "units": units, "rate_hz": rate_hz, "placement": "right_wrist",
        "gravity": True if quantity == "acc" else None,
    }  # fmt: skip


def hello(**more: Any) -> str:
    """The first line of a stream."""
    return json.dumps({"streams": {q: contract(q) for q in ("acc", "gyro")}, **more})


def frames(seconds: float = 12.0, samples: int = 5, seed: int = 0) -> Iterator[str]:
    """Messages of a stream, both sensors in each, and the ends."""
    table = list(quick.columns(seconds, seed).values())
    for i in range(0, len(table[0]), samples):
        lines = []
        for name, first in (("acc", 1), ("gyro", 4)):
            values = [
                list(row) for row in zip(*(column[i : i + samples] for column in table[first : first + 3]), strict=True)
            ]
            lines.append(json.dumps({"stream": name, "t": table[0][i : i + samples], "values": values}))
        yield "\n".join(lines)
    yield '{"end": "acc"}\n{"end": "gyro"}'


class Process:
    """``kinjo serve``, or ``kinjo studio``, with some words."""

    def __init__(
        self, folder: Path, *words: object, host: str = "127.0.0.1", verb: str = "serve", https: bool = False
    ) -> None:
        self.verb = verb
        self.log = (folder / "serve.log").open("ab")
        self.file = folder / "serve.log"
        self._from = self.file.stat().st_size
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("KINJO_TOKEN", None)
        line = [*KINJO, verb, *map(str, words), "--host", host, "--port", str(port := free_port())]
        self.process = subprocess.Popen(line, stderr=self.log, stdout=self.log, env=environment, cwd=folder)
        s = "s" if https else ""
        self.url, self.stream = f"http{s}://127.0.0.1:{port}", f"ws{s}://127.0.0.1:{port}/v1/stream"
        self.port = port
        self._wait()

    @property
    def said(self) -> str:
        """What it has written."""
        return self.file.read_bytes()[self._from :].decode()

    def _wait(self) -> None:
        until = time.monotonic() + 90
        while f"kinjo {'serves' if self.verb == 'serve' else self.verb}" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, self.said
            time.sleep(0.05)
        assert httpx.get(f"{self.url}/healthz", timeout=30, verify=False).status_code == 200

    def end(self, signal: int) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(signal)
        code = self.process.wait(60)
        self.log.close()
        return code

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        self.log.close()


def free_port() -> int:
    """One that nobody listens at."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
