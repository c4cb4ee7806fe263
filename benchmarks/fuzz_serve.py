"""Fuzz ``kinjo serve``: requests made from its OpenAPI by schemathesis, damaged files, odd frames, oversized uploads,
wrong tokens and path tricks, all against a real process.

Counted as ``fuzz.serve.5xx``: answers of 500 and more, closed streams with the code of a fault, a process that died or
does not answer, and answers with what is outside the data folder. As ``studio.unauthorised``: requests and streams that
were served without the token on another address than loopback, and again what is outside the data folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from _tools import ROOT, write

sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "studio"))
from _service import Process, contract, frames, hello  # pyright: ignore[reportMissingImports]

import _quick_model as quick  # pyright: ignore[reportMissingImports]

MARK = "behindthefolder"
"""A word of a file that nobody may read."""
TOKEN = "the-token-of-the-fuzzer"
TRICKS = (
    "../outside.csv", "/outside.csv", "a/../../outside.csv", "link.csv", "linked/outside.csv", "linked",
    "..\\outside.csv", "%2e%2e/outside.csv", "..%2foutside.csv", "....//outside.csv", "./../outside.csv",
    "\0../outside.csv", "walk.csv/../../outside.csv", "file:///etc/passwd", "/etc/passwd", "/proc/self/environ",
    "pipe",
)  # fmt: skip
SUFFIXES = ("csv", "txt", "parquet", "npy", "npz", "zip", "json", "cwa", "bvh", "amc", "c3d", "dat", "tsv", "mp4", "")


@dataclass
class Found:
    """What was tried, and what went wrong."""

    tried: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    escapes: list[str] = field(default_factory=list)
    unauthorised: list[str] = field(default_factory=list)

    def judge(self, kind: str, what: str, answer: httpx.Response) -> None:
        """Of one answer."""
        self.tried[kind] += 1
        if answer.status_code >= 500:
            self.faults.append(f"{kind}: {what}: {answer.status_code} {answer.text[:200]}")
        if MARK in answer.text:
            self.escapes.append(f"{kind}: {what}: {answer.text[:200]}")


def main() -> None:
    """Both rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--examples", type=int, default=400, help="of each operation, and of each kind of damage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true", help="print, and write no rows")
    given = parser.parse_args()
    found = run(given.examples, given.seed)
    for line in [*found.faults, *found.escapes, *found.unauthorised]:
        print(line)
    tried = ", ".join(f"{n} {kind}" for kind, n in sorted(found.tried.items()))
    print(tried)
    if given.dry:
        return
    bad = len(found.faults) + len(found.escapes)
    write("fuzz_serve", "fuzz.serve.5xx", bad, "count", seeds=1, protocol=f"a real process; {tried}")
    served = len(found.unauthorised) + len(found.escapes)
    protocol = f"a real process that listens at 0.0.0.0, every route but /healthz; {tried}"
    write("studio_unauthorised", "studio.unauthorised", served, "count", seeds=1, protocol=protocol)


def run(examples: int, seed: int = 0) -> Found:
    """All attacks on two services, one on loopback, one with a token."""
    found = Found()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = quick.write(folder / "model.safetensors")
        data = folder_of(folder / "served")
        words = (model, "--data", data, "--rate", 0, "--max-upload-mb", 2)
        with Process(folder, *words) as service:
            for attack in (by_schema, by_files, by_paths, by_sizes, by_frames):
                attack(service, found, examples, seed)
                alive(service, found, attack.__name__)
        with Process(folder, *words, "--token", TOKEN, host="0.0.0.0") as service:
            by_tokens(service, found)
            alive(service, found, "by_tokens")
    return found


def folder_of(root: Path) -> Path:
    """A data folder with links out of it."""
    data = root / "data"
    data.mkdir(parents=True)
    (data / "walk.csv").write_bytes(quick.csv())
    (root / "outside.csv").write_bytes(quick.csv().replace(b"acc_x", f"{MARK},acc_x".encode()))
    (data / "link.csv").symlink_to(root / "outside.csv")
    (data / "linked").symlink_to(root)
    return data


def alive(service: Process, found: Found, after: str) -> None:
    """The process is there and answers."""
    try:
        if service.process.poll() is not None or httpx.get(f"{service.url}/healthz", timeout=30).status_code != 200:
            found.faults.append(f"{after}: the process died")
    except httpx.HTTPError as error:
        found.faults.append(f"{after}: no answer: {error}")
    found.faults += [f"{after}: {line[:300]}" for line in service.said.splitlines() if '"fault"' in line]


# ------------------------------------------------------------------------------------------------ attacks
def by_schema(service: Process, found: Found, examples: int, seed: int) -> None:
    """Requests that the OpenAPI allows, and such that it does not."""
    import hypothesis
    import schemathesis
    from hypothesis import HealthCheck
    from hypothesis.errors import Unsatisfiable
    from schemathesis import GenerationMode

    unhurried = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # pyright: ignore[reportAttributeAccessIssue]
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @hypothesis.seed(seed)
            @hypothesis.settings(
                max_examples=max(1, examples // 2), deadline=None, database=None,
                suppress_health_check=unhurried, phases=[hypothesis.Phase.generate],
            )  # fmt: skip
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                answer = case.call(base_url=service.url)
                found.tried["by schema"] += 1
                if answer.status_code >= 500 or MARK in answer.text:
                    found.faults.append(f"schema: {case.method} {case.path}: {answer.status_code} {answer.text[:200]}")

            try:
                ask()
            except Unsatisfiable:  # nothing to be wrong in it
                found.tried["operations without such a case"] += 1


def by_files(service: Process, found: Found, examples: int, seed: int) -> None:
    """A good file under every ending, cut, with bytes changed, and bytes by chance."""
    rng = np.random.default_rng(seed)
    good = quick.csv(4.0)
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for k in range(examples):
            content = bytearray(good)
            for _ in range(int(rng.integers(0, 20))):
                content[int(rng.integers(len(content)))] = int(rng.integers(256))
            if k % 3 == 1:
                content = content[: int(rng.integers(len(content)))]
            elif k % 3 == 2:
                content = bytearray(rng.bytes(int(rng.integers(0, 3000))))
            suffix = SUFFIXES[k % len(SUFFIXES)] if k % 2 else "csv"
            name = str(rng.choice(["a", "../a", "accelerometer", "a\\b", "wristmotion", "\u202e"])) + f".{suffix}"
            told = {
                "placement": "right_wrist",
                "name": "x",
                "rate_hz": str(rng.choice(["25", "nan", "1e9", "-1", "x"])),
            }
            route = "recognize" if k % 4 else "teach"
            fields = told if route == "teach" else {key: v for key, v in told.items() if key != "name"}
            fields = fields if k % 5 else {"placement": "right_wrist"}
            sent = client.post(f"/v1/{route}", files={"file": (name, bytes(content))}, data=fields)
            found.judge("files", f"{route} {name}", sent)


def by_paths(service: Process, found: Found, examples: int, seed: int) -> None:
    """Ways out of the data folder, in bodies and in addresses."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for trick in TRICKS:
            for route, body in (
                ("recognize", {"path": trick}), ("teach", {"name": "x", "path": trick}),
                ("search", {"corpus": trick, "text": "x"}), ("search", {"corpus": "walk.csv", "path": trick}),
            ):  # fmt: skip
                answer = client.post(f"/v1/{route}", json={**body, "placement": "right_wrist"})
                found.judge("paths", f"{route} {trick!r}", answer)
                if answer.status_code < 400:
                    found.escapes.append(f"{route} {trick!r} was answered")
            for base in ("/", "/v1/activities/", "/v1/", "/static/"):
                plain = trick.replace("\0", "%00").replace("\\", "%5c")
                found.judge("paths", f"GET {base}{plain}", client.get(f"{base}{plain}"))


def by_sizes(service: Process, found: Found, examples: int, seed: int) -> None:
    """Uploads that are too large, told or not, and bodies that say something else than they are."""

    def chunks() -> Iterator[bytes]:
        for _ in range(60):
            yield b"1" * 100_000

    forms = {"content-type": "multipart/form-data; boundary=x"}
    for body, headers in (
        (b"1" * 5_000_000, {}), (chunks(), {}), (chunks(), forms), (b"--x--", forms), (b"--y", forms),
        (b"x", {"content-type": "multipart/form-data"}), (b"{}", {"content-type": "application/json; charset=x"}),
        (b"{}", {"content-encoding": "gzip"}), (b"x" * 100, {"x": "y" * 60_000}),
    ):  # fmt: skip
        try:
            answer = httpx.post(f"{service.url}/v1/recognize", content=body, headers=headers, timeout=60)
            found.judge("sizes", str(headers)[:60], answer)
        except httpx.TransportError:  # closed while it was sent
            found.tried["sizes"] += 1


def by_frames(service: Process, found: Found, examples: int, seed: int) -> None:
    """Lines of streams that are damaged, mixed up, or made of odd numbers."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    rng = np.random.default_rng(seed)
    good = [hello(windows=True), *frames(4.0)]
    odd = (0, -1, 1e9, 1e-9, 1e308, None, "x", [], {}, True, "NaN", 1e999)
    for k in range(examples):
        lines = list(good) if k % 2 else [one for message in good for one in message.split("\n")]
        for _ in range(int(rng.integers(1, 8))):
            at = int(rng.integers(len(lines)))
            if k % 3 == 0:
                lines[at] = lines[at][: int(rng.integers(len(lines[at]) + 1))]
            elif k % 3 == 1:
                value: Any = odd[int(rng.integers(len(odd)))]
                key = str(rng.choice(["t", "values", "stream", "end", "start_s", "streams"]))
                lines[at] = json.dumps({"stream": "acc", "values": [[0, 0, 9.8]], key: value})
            else:
                other = {**contract("acc"), str(rng.choice(["rate_hz", "axes", "units", "gravity"])): odd[k % len(odd)]}
                lines[0] = json.dumps({"streams": {"acc": other}, "late_s": 0})
        found.tried["streams"] += 1
        try:
            with connect(service.stream, open_timeout=30) as stream:
                for line in lines:
                    stream.send(line if k % 7 else line.encode())
                stream.send('{"end": "acc"}\n{"end": "gyro"}')
                while True:
                    stream.recv(timeout=0.5)
        except TimeoutError:
            continue
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code == 1011:
                found.faults.append(f"streams: {k}: {closed}")


def by_tokens(service: Process, found: Found) -> None:
    """Every route with no token and with wrong ones."""
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    told = httpx.get(f"{service.url}/openapi.json", headers={"authorization": f"Bearer {TOKEN}"}).json()
    routes = [(method.upper(), path) for path, methods in told["paths"].items() for method in methods]
    routes += [
        ("GET", path) for path in ("/openapi.json", "/metrics", "/", "/docs", "/v1/stream", "/_nicegui", "/healthz/x")
    ]
    wrong = [
        "",
        "Bearer",
        "Bearer x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} x",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN.upper()}",
    ]
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for method, path in routes:
            for header in wrong:
                for query in ("", f"?token={TOKEN[:5]}", f"?Token={TOKEN}"):
                    address = path.replace("{name}", "x").replace("{name:path}", "x")
                    answer = client.request(method, address + query, headers={"authorization": header})
                    found.judge("tokens", f"{method} {path}", answer)
                    if answer.status_code != 401:
                        found.unauthorised.append(f"{method} {path} {header!r}: {answer.status_code}")
    for header in wrong:
        found.tried["tokens"] += 1
        try:
            with connect(service.stream, additional_headers={"Authorization": header}):
                found.unauthorised.append(f"stream: {header!r}")
        except InvalidStatus as refused:
            if refused.response.status_code != 401:
                found.unauthorised.append(f"stream: {header!r}: {refused.response.status_code}")


if __name__ == "__main__":
    main()
