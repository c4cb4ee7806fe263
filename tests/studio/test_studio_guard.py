"""Who gets in, with how much, how often; and that no path leads out of the data folder."""

import asyncio
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from _service import PLACED, STREAM, hello, served
from starlette.testclient import WebSocketDenialResponse

import _quick_model as quick
from kinjo.recognizer import Recognizer
from kinjo.studio import files
from kinjo.studio.app import create_app
from kinjo.studio.guard import Pace
from kinjo.studio.problems import Refused
from kinjo.studio.settings import Settings, is_loopback, made_token

TOKEN = "a-long-enough-token"
ROUTES = [
    ("GET", "/v1/models"), ("GET", "/v1/activities"), ("POST", "/v1/recognize"), ("POST", "/v1/teach"),
    ("POST", "/v1/undo"), ("POST", "/v1/search"), ("DELETE", "/v1/activities/x"), ("GET", "/openapi.json"),
    ("GET", "/metrics"), ("GET", "/nothing"), ("GET", "/v1/stream"), ("GET", "/healthz/"), ("GET", "//healthz"),
]  # fmt: skip


# ------------------------------------------------------------------------------------------------ tokens
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_is_served_without_a_token(quick_model: Recognizer, method: str, path: str):
    with served(quick_model, host="0.0.0.0", token=TOKEN) as client:
        for header in ("", "Bearer wrong", f"Basic {TOKEN}", TOKEN):
            told = client.request(method, path, headers={"authorization": header}, follow_redirects=False)
            assert told.status_code == 401
        queries = ("token=", f"token={TOKEN[:-1]}", f"token={TOKEN}x", "token=%FF%FE", f"TOKEN={TOKEN}", "a&" * 99)
        for wrong in ("", *(f"?{query}" for query in queries)):
            assert client.request(method, path + wrong, follow_redirects=False).status_code == 401
        rights: list[Any] = [{"headers": {"authorization": f"Bearer {TOKEN}"}}, {"params": {"token": TOKEN}}]
        for right in rights:
            assert client.request(method, path, follow_redirects=False, **right).status_code != 401
        assert client.get("/healthz").json() == {"status": "ok"}


def test_no_stream_is_opened_without_a_token(quick_model: Recognizer):
    with served(quick_model, host="0.0.0.0", token=TOKEN) as client:
        for address, headers in ((STREAM, {}), (f"{STREAM}?token=x", {}), (STREAM, {"authorization": "Bearer x"})):
            with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(address, headers=headers):
                pass
            assert refused.value.status_code == 401
        for address, headers in ((f"{STREAM}?token={TOKEN}", {}), (STREAM, {"authorization": f"Bearer {TOKEN}"})):
            with client.websocket_connect(address, headers=headers) as socket:
                socket.send_text(hello())
                socket.send_text("{")
                assert json.loads(socket.receive_text())["event"] == "error"


def test_tokens_are_long_and_never_logged(quick_model: Recognizer, caplog: pytest.LogCaptureFixture):
    assert len({made_token() for _ in range(100)}) == 100
    assert len(made_token()) >= 32
    with pytest.raises(ValueError, match="8 characters"):
        Settings(token="short")
    with caplog.at_level(logging.INFO, "kinjo.serve"), served(quick_model, token=TOKEN) as client:
        client.get(f"/v1/models?token={TOKEN}")
        client.get("/v1/models", headers={"authorization": f"Bearer {TOKEN}"})
        client.get(f"/v1/models?token={TOKEN}x")
    lines = [json.loads(record.message) for record in caplog.records if record.name == "kinjo.serve"]
    assert [line["status"] for line in lines] == [200, 200, 401]
    assert all({"time", "method", "path", "status", "ms", "client"} <= set(line) for line in lines)
    assert TOKEN not in caplog.text


# ------------------------------------------------------------------------------------------------ from elsewhere
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "127.0.0.1:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "mine.local"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "localhost.evil.example"}, 403),
        ({"host": ""}, 403),
        ({"host": "[:"}, 403),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:1"}, 403),
        ({"origin": "http://[:"}, 403),
        ({"host": "localhost:80", "origin": "https://LOCALHOST:80"}, 200),
    ],
)
def test_pages_from_elsewhere_do_not_reach_loopback(quick_model: Recognizer, headers: dict[str, str], status: int):
    with served(quick_model, hosts=("mine.local",)) as client:
        assert client.get("/v1/models", headers=headers).status_code == status
        if status == 403:
            with pytest.raises(WebSocketDenialResponse), client.websocket_connect(STREAM, headers=headers):
                pass


def test_what_is_this_machine():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "LOCALHOST.")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org")))


# ------------------------------------------------------------------------------------------------ how often
def test_who_asks_too_often_waits(quick_model: Recognizer):
    with served(quick_model, rate=1.0) as client:
        codes = [client.get("/v1/models").status_code for _ in range(13)]
        assert codes[:10] == [200] * 10
        assert 429 in codes[10:]
        last = client.get("/v1/models")
        assert int(last.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200


def test_the_pace_of_each_client_is_its_own():
    pace = Pace(0.1)
    assert pace.wait_s("a") == 0
    assert 0 < pace.wait_s("a") <= 10
    assert pace.wait_s("b") == 0
    for k in range(20_000):
        pace.wait_s(f"c{k}")
    assert len(pace._left) <= 10_000
    assert not any(Pace(0.0).wait_s("a") for _ in range(100))


# ------------------------------------------------------------------------------------------------ how much
def test_bodies_that_are_too_large_are_refused_while_they_come(quick_model: Recognizer):
    taken = 0

    def endless():
        nonlocal taken
        while taken < 200:
            taken += 1
            yield b"x" * 10_000

    with served(quick_model, max_upload_mb=0.1) as client:
        told = client.post("/v1/recognize", content=b"x" * 200_000)
        assert told.status_code == 413
        assert told.json()["error"] == "too_large"
        sent = client.post("/v1/recognize", files={"file": ("a.csv", b"1" * 200_000)}, data=PLACED)
        assert sent.status_code == 413
        assert client.post("/v1/recognize", content=endless()).status_code == 413
        lie = {"content-length": "10", "content-type": "multipart/form-data; boundary=x"}
        assert client.post("/v1/recognize", content=b"x" * 200_000, headers=lie).status_code == 413


def test_an_upload_of_unknown_length_is_stopped_at_the_limit(quick_model: Recognizer):
    """Chunks through the app itself: no more than the limit and one chunk is ever asked for."""
    app = create_app(Settings(max_upload_mb=0.1, rate=0.0), quick_model)
    asked, sent = 0, []
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'

    async def receive():
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": head if asked == 1 else b"1" * 10_000, "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/recognize", "raw_path": b"/v1/recognize", "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80), "scheme": "http", "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 413
    assert asked <= 12
    app.state.hub.close()


def test_a_body_that_does_not_come_is_given_up(quick_model: Recognizer):
    app = create_app(Settings(request_s=0.2, rate=0.0), quick_model)

    async def slow():
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    async def ask() -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.post("/v1/recognize", content=slow())).status_code

    assert asyncio.run(ask()) == 408
    app.state.hub.close()


def test_work_that_takes_too_long_is_given_up(quick_model: Recognizer, monkeypatch: pytest.MonkeyPatch):
    import time

    monkeypatch.setattr(Recognizer, "recognize", lambda *_: time.sleep(1.0))
    with served(quick_model, request_s=0.2, workers=1) as client:
        asked = {"table": quick.columns(), **PLACED}
        assert client.post("/v1/recognize", json=asked).status_code == 408
        client.app.state.hub._pending = 33  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        busy = client.post("/v1/recognize", json=asked)
        assert busy.status_code == 429
        assert busy.headers["retry-after"]


def test_what_was_sent_is_removed(quick_model: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with served(quick_model) as client:
        for name in ("a.csv", "b.exe", "../../../evil.csv", "/etc/passwd.csv", "a\0b.csv", "..\\..\\x.csv", ".csv"):
            client.post("/v1/recognize", files={"file": (name, quick.csv())}, data=PLACED)
            assert list(tmp_path.iterdir()) == []
        client.post("/v1/recognize", json={"table": quick.columns(), **PLACED})
        client.post("/v1/recognize", files={"file": ("a.csv", b"1," * 2_000_000)}, data=PLACED)  # spooled to disk
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ paths
TRICKS = [
    "../secret.csv", "a/../../secret.csv", "/secret.csv", "//secret.csv", "a/../secret.csv", "link.csv", "linked",
    "linked/secret.csv", "folder", "circle", "\0", "walk.csv\0", "a\\..\\secret.csv", "", ".", "~", "pipe",
    "%2e%2e/secret.csv", "..%2fsecret.csv", "\u2025/secret.csv", "a" * 300, "a/" * 400, "walk.csv/../walk.csv",
    "file:///etc/passwd", "http://localhost/x", "C:\\x", "\ufffd", "con",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with links out of it, beside a file that nobody may read."""
    root = tmp_path / "data"
    (root / "folder").mkdir(parents=True)
    (root / "a").mkdir()
    for path in (tmp_path / "secret.csv", tmp_path / "outside" / "secret.csv", root / "walk.csv", root / "a" / "b.csv"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(quick.csv(seed=int("secret" in path.name)))
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "folder" / "Accelerometer.csv").symlink_to(tmp_path / "secret.csv")
    (root / "circle").symlink_to(root / "circle")
    (root / "fine.csv").symlink_to(root / "walk.csv")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("trick", TRICKS)
def test_no_path_leads_out_of_the_data_folder(quick_model: Recognizer, data: Path, trick: str):
    with pytest.raises(Refused) as refused:
        files.inside(data, trick if trick != "." else "a/../..")
    assert refused.value.status == 404
    with served(quick_model, data=data) as client:
        for body in ({"path": trick}, {"corpus": trick, "path": "walk.csv"}, {"name": "x", "path": trick}):
            route = "teach" if "name" in body else "search" if "corpus" in body else "recognize"
            told = client.post(f"/v1/{route}", json={**body, **PLACED})
            assert 400 <= told.status_code < 500
            assert str(data.parent) not in told.text


def test_paths_in_the_data_folder(data: Path, tmp_path: Path):
    for good in ("walk.csv", "a/b.csv", "./walk.csv", "a//b.csv", "fine.csv", "a"):
        assert files.inside(data, good).is_relative_to(data.resolve())
    (tmp_path / "alias").symlink_to(data)
    assert files.inside(tmp_path / "alias", "walk.csv") == data / "walk.csv"
    with pytest.raises(Refused, match="no data folder"):
        files.inside(None, "walk.csv")


# ------------------------------------------------------------------------------------------------ what is counted
def test_metrics_tell_what_was_done_and_stay_few(quick_model: Recognizer):
    with served(quick_model) as client:
        client.post("/v1/teach", json={"name": "wave", "table": quick.columns(), **PLACED})
        for k in range(50):
            client.get(f"/nothing/{k}")
            client.request(f"ODD{k}", "/v1/models")
        told = client.get("/metrics").text
    assert 'kinjo_requests_total{method="POST",route="/v1/teach",status="200"} 1.0' in told
    assert 'kinjo_taught_total{what="teach"} 1.0' in told
    assert float(next(line for line in told.splitlines() if line.startswith("kinjo_memory_bytes ")).split()[1]) > 1e6
    assert len([line for line in told.splitlines() if line.startswith("kinjo_requests_total")]) < 8


def test_settings_that_make_no_sense():
    for wrong in ({"data": Path("nowhere")}, {"max_upload_mb": 0}, {"rate": -1}, {"clients": 0}):
        with pytest.raises(ValueError):  # noqa: PT011
            Settings(**wrong)  # type: ignore[arg-type]
