"""A phone and what looks at it: its messages, teaching by it, its pass, and what that does not open."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from _service import contract, frames, hello
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from kinjo.recognizer import Recognizer
from kinjo.studio import live_page, pairs, passes, phone
from kinjo.studio.app import create_app
from kinjo.studio.hub import Hub
from kinjo.studio.pairs import Pair, Pairs
from kinjo.studio.settings import Settings

TOKEN, PAIR = "a-long-enough-token", "the-pair-1"
STREAM = f"ws://localhost/phone/{PAIR}/stream"
HTML = {"accept": "text/html"}


@contextmanager
def studio(model: Recognizer, **settings: Any) -> Iterator[TestClient]:
    """A client of an app that answers phones, without the other pages."""
    app = create_app(Settings(**{"rate": 0.0, "pages": True, **settings}), model)
    phone.add(app)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False, client=("127.0.0.1", 1)) as made:
        yield made


def pair_of(client: TestClient, id: str = PAIR) -> Pair:
    found: Pairs = client.app.state.pairs  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]
    return found.get(id)


def lines(socket: Any, until: str) -> list[dict[str, Any]]:
    """Events, up to the first of a kind."""
    told: list[dict[str, Any]] = []
    while not any(event["event"] == until for event in told):
        told += map(json.loads, socket.receive_text().splitlines())
    return told


def own(kind: str, **more: Any) -> str:
    return json.dumps({"phone": kind, **more})


# ------------------------------------------------------------------------------------------------ its messages
def test_a_phone_is_a_client_and_all_that_watch_are_told(quick_model: Recognizer):
    seen: list[dict[str, Any]] = []
    with studio(quick_model) as client:
        pair_of(client).watch(seen.append)
        with client.websocket_connect(STREAM) as socket:
            (place,) = lines(socket, "place")
            assert (place["place"], place["window_s"], place["hop_s"]) == ("right_wrist", 2.0, 1.0)
            socket.send_text(own("state", state="starts"))
            wrong = json.loads(hello(profile="other"))  # of the pair's place and profile, whatever it says
            wrong["streams"]["acc"]["placement"] = "left_ankle"
            socket.send_text(json.dumps(wrong))
            for message in frames(6.0):
                socket.send_text(message)
            told = lines(socket, "end")
        kept = pair_of(client)
        assert kept.newest_s == pytest.approx(6.0, abs=0.1)
        assert kept.phone is None
    windows, theirs = ([e["end_s"] for e in some if e["event"] == "window"] for some in (seen, told))
    assert windows == theirs
    assert len(windows) >= 4
    assert {e["event"] for e in told} >= {"window", "count", "span", "end"}
    assert {e["stream"] for e in seen if e["event"] == "samples"} == {"acc", "gyro"}
    assert [e["state"] for e in seen if e["event"] == "phone"] == ["there", "starts", "away"]
    later: list[dict[str, Any]] = []
    kept.watch(later.append)
    assert {e["event"] for e in later} >= {"phone", "place", "window", "count"}


def test_clocks_are_told_and_bad_messages_are_errors(quick_model: Recognizer):
    with studio(quick_model) as client, client.websocket_connect(STREAM) as socket:
        lines(socket, "place")
        for bad in ("{", own("nothing"), own("state", state="odd"), own("record", name="x" * 101), "[]", '{"phone": 1}',
                    json.dumps({"streams": 3}), own("place", place="nose"), own("record", extra=1)):  # fmt: skip
            socket.send_text(bad)
            assert lines(socket, "error")[-1]["message"]
        socket.send_text(own("clock", at=5.0, offset_s=2.5, rate_hz=60.0))
        (answer,) = lines(socket, "clock")
        assert answer["at"] == 5.0
        assert answer["server_s"] > 0
        assert pair_of(client).offset_s == 2.5


def test_one_phone_at_a_time(quick_model: Recognizer):
    with studio(quick_model) as client, client.websocket_connect(STREAM) as one:
        lines(one, "place")
        with client.websocket_connect(STREAM) as two:
            lines(two, "place")
            with pytest.raises(WebSocketDisconnect) as closed:
                one.receive_text()
            assert closed.value.code == phone.TAKEN
            assert pair_of(client).phone is not None


def test_the_same_by_post(quick_model: Recognizer):
    with studio(quick_model) as client:
        told: list[dict[str, Any]] = []

        def post(text: str, visit: str = "visit-001") -> int:
            got = client.post(f"/phone/{PAIR}/send", params={"visit": visit}, content=text)
            told.extend(json.loads(line) for line in got.text.splitlines() if got.status_code == 200)
            return got.status_code

        post(own("state", state="starts"))
        while not [e for e in told if e["event"] == "place"]:
            post("")
        for message in [hello(), *frames(4.0)]:
            assert post(message) == 200
        while told[-1]["event"] != "closed":
            post("")
        assert [e for e in told if e["event"] == "window"]
        assert (told[-1]["code"], told[-2]["event"]) == (1000, "end")
        assert post("x" * 300_000) == 413
        assert post("", visit="short") == 413
        assert client.post("/phone/x/send?visit=visit-001").status_code == 404


# ------------------------------------------------------------------------------------------------ teach
@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """No countdown."""
    monkeypatch.setattr(pairs, "COUNTDOWN", 0)


def phases(told: list[dict[str, Any]]) -> list[str]:
    return [e["phase"] for e in told if e["event"] == "record"]


def test_five_seconds_teach_the_stream_that_runs(quick_model: Recognizer, quickly: None):
    messages = list(frames(20.0))
    with studio(quick_model) as client, client.websocket_connect(STREAM) as socket:
        told = lines(socket, "place")
        socket.send_text(hello())
        for message in messages[:20]:
            socket.send_text(message)
        told += lines(socket, "window")
        socket.send_text(own("record", name=" wave "))
        while "record" not in phases(told):
            told += lines(socket, "record")
        for message in messages[20:60]:
            socket.send_text(message)
        while "done" not in phases(told):
            told += lines(socket, "record")
        done = told[-1]
        for message in messages[60:80]:
            socket.send_text(message)
        while not [e for e in told if e["event"] == "window" and e["label"] == "wave"]:
            told += lines(socket, "window")
        hub: Hub = client.app.state.hub  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]
        assert "wave" in hub.model("default").labels
        assert [(e["name"], e["end_s"]) for e in hub.shown("default")] == [("wave", 5.0)]
        socket.send_text(own("back", id=done["id"]))
        while "gone" not in phases(told):
            told += lines(socket, "record")
        assert "wave" not in hub.model("default").labels
        socket.send_text(own("back", id=done["id"]))
        while phases(told)[-1] != "failed":
            told += lines(socket, "record")
        for message in messages[80:-1]:
            socket.send_text(message)
        assert phases(told)[:3] == ["record", "teach", "done"]
    assert next(e for e in told if e["event"] == "window" and e["label"] == "wave")["start_s"] >= 5.0


def test_recordings_that_cannot_be(quick_model: Recognizer, quickly: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pairs, "WAIT_S", -4.8)
    with studio(quick_model) as client, client.websocket_connect(STREAM) as socket:
        lines(socket, "place")
        for name, said in (("", "name the activity"), ("unknown", "name the activity"), ("x", "press Start")):
            socket.send_text(own("record", name=name))
            assert said in lines(socket, "record")[-1]["said"]
        socket.send_text(hello())
        for message in list(frames(2.0))[:-1]:
            socket.send_text(message)
        socket.send_text(own("record", name="x"))
        told = lines(socket, "record")
        while told[-1]["phase"] != "failed":
            told += lines(socket, "record")
        assert "nothing was taught" in told[-1]["said"]


def test_a_model_that_knows_nothing_yet_is_taught_by_a_phone(quick_model: Recognizer, quickly: None):
    messages = list(frames(20.0))
    with studio(quick_model) as client, client.websocket_connect(STREAM) as socket:
        hub: Hub = client.app.state.hub  # pyright: ignore[reportFunctionMemberAccess, reportAttributeAccessIssue]
        for name in quick_model.labels:
            client.delete(f"/v1/activities/{name}")
        lines(socket, "place")
        socket.send_text(hello())
        assert "teach it one" in lines(socket, "error")[-1]["message"]
        for message in messages[:10]:
            socket.send_text(message)
        while pair_of(client).newest_s is None:
            pass
        socket.send_text(own("record", name="wave"))
        told = lines(socket, "record")
        for message in messages[10:50]:
            socket.send_text(message)
        while "done" not in phases(told):
            told += lines(socket, "record")
        for message in messages[50:-1]:
            socket.send_text(message)
        assert lines(socket, "window")[-1]["label"] == "wave"
        assert hub.model("default").labels == ("wave",)


def test_what_is_kept_is_bounded_and_gaps_are_told(quick_model: Recognizer):
    pair = Pair(PAIR, Hub(quick_model, Settings()))
    from kinjo.stream import contracts

    pair.begin(contracts({"acc": contract("acc")}))
    for k in range(1000):
        pair.hear("acc", [k / 10], [[0.0, 0.0, 9.8]])
    assert len(pair._kept["acc"]) <= pairs.KEPT_S * 10 + 1
    with pytest.raises(ValueError, match="too few"):
        pair.cut(90.0, 95.0)  # ten a second in place of 25
    pair.hub.close()


def test_pairs_are_found_again_and_bounded(quick_model: Recognizer):
    hub = Hub(quick_model, Settings())
    some = Pairs(hub)
    first = some.get("first-one")
    first.watchers.add(print)
    for k in range(100):
        some.get(f"pair-{k:04d}")
    assert some.get("first-one") is first
    assert len(some._pairs) == pairs.MOST
    assert passes.page_of(f"/phone/{pairs.made_id()}") is not None
    assert pairs.places(quick_model) == ["right_wrist"]
    hub.close()


# ------------------------------------------------------------------------------------------------ the code and its pass
def test_addresses_for_a_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(live_page, "addresses", lambda: ["192.0.2.7", "fd00::7"])
    lan = Settings(host="0.0.0.0", port=8080, token=TOKEN, certificate=tmp_path)
    assert live_page.ways(lan) == ["https://192.0.2.7:8080", "https://[fd00::7]:8080"]
    assert live_page.ways(Settings(host="192.0.2.9", port=80)) == ["http://192.0.2.9:80"]
    assert live_page.ways(Settings()) == []
    address = live_page.code_address("https://192.0.2.7:8080", PAIR, TOKEN)
    assert re.fullmatch(rf"https://192\.0\.2\.7:8080/phone/{PAIR}\?pass=\d+\.[0-9a-f]{{64}}", address)
    assert TOKEN not in address
    assert live_page.code_address("http://localhost", PAIR, None) == f"http://localhost/phone/{PAIR}"
    drawn = live_page.code(address)
    assert drawn.startswith("<svg")
    assert "http://" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_a_pass_is_changed_for_a_cookie_of_one_phone(quick_model: Recognizer):
    with studio(quick_model, host="0.0.0.0", token=TOKEN) as client:
        assert client.get(f"/phone/{PAIR}", headers=HTML).status_code == 401
        given = passes.made(TOKEN, PAIR)
        entry = client.get(f"/phone/{PAIR}?pass={given}", headers=HTML, follow_redirects=False)
        assert (entry.status_code, entry.headers["location"]) == (303, f"/phone/{PAIR}")
        kept = entry.headers["set-cookie"].lower()
        assert all(word in kept for word in ("httponly", "samesite=strict", f"path=/phone/{PAIR}", "max-age=43200"))
        assert TOKEN not in kept
        page = client.get(f"/phone/{PAIR}", headers=HTML)
        assert page.status_code == 200
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for file in ("phone.js", "phone.css"):
            assert client.get(f"/phone/{PAIR}/{file}").status_code == 200
        with client.websocket_connect(STREAM) as socket:
            lines(socket, "place")
        assert client.post(f"/phone/{PAIR}/send?visit=visit-001").status_code == 200


OTHERS = [
    "/", "/v1/models", "/v1/activities", "/v1/stream", "/metrics", "/live", "/phone/the-pair-2",
    "/phone/the-pair-2/phone.js",
    f"/phone/{PAIR}/", f"/phone/{PAIR}/../../v1/models", f"/phone/{PAIR}/..%2f..%2fv1/models", f"/phone/{PAIR}/other",
    f"//phone/{PAIR}", f"/phone/{PAIR}/stream/x", "/phone/", "/_nicegui/x", "/openapi.json", f"/phone/{PAIR}%0a",
]  # fmt: skip


@pytest.mark.parametrize("path", OTHERS)
def test_a_pass_opens_nothing_else(quick_model: Recognizer, path: str):
    with studio(quick_model, host="0.0.0.0", token=TOKEN) as client:
        cookie = {"cookie": f"{passes.COOKIE}={passes.made(TOKEN, PAIR, 'cookie')}"}
        for query in ("", f"?pass={passes.made(TOKEN, PAIR)}", "?token=wrong"):
            told = client.get(path + query, headers={**HTML, **cookie}, follow_redirects=False)
            assert told.status_code == 401
            assert "set-cookie" not in told.headers
    with studio(quick_model, token=TOKEN, pages=False) as client:  # of a service without pages not even that
        assert client.get(f"/phone/{PAIR}", headers=cookie).status_code == 401


def test_passes_that_are_none(quick_model: Recognizer):
    right = passes.made(TOKEN, PAIR)
    until, _, signed = right.partition(".")
    wrong = [
        "", ".", "x", f"{until}.", f".{signed}", f"{int(until) + 1}.{signed}", f"{right}0",
        passes.made("another-token", PAIR),
        passes.made(TOKEN, "the-pair-2"), passes.made(TOKEN, PAIR, "cookie"), passes.made(TOKEN, PAIR, seconds=-1.0),
        f"9e99.{signed}", "\udcff.\udcff", f"{until}\n.{signed}",
    ]  # fmt: skip
    assert passes.good(right, TOKEN, PAIR)
    assert not any(passes.good(one, TOKEN, PAIR) for one in wrong)
    with studio(quick_model, host="0.0.0.0", token=TOKEN) as client:
        for one in wrong[:-2]:
            told = client.get(f"/phone/{PAIR}", params={"pass": one}, headers=HTML, follow_redirects=False)
            assert (told.status_code, "set-cookie" in told.headers) == (401, False)
        with pytest.raises(WebSocketDenialResponse), client.websocket_connect(f"{STREAM}?pass={right}"):
            pass
        assert client.post(f"/phone/{PAIR}/send?visit=visit-001&pass={right}").status_code == 401


def test_a_phones_cookie_is_never_changed_for_that_of_the_token(quick_model: Recognizer):
    with studio(quick_model, host="0.0.0.0", token=TOKEN) as client:
        cookie = {"cookie": f"{passes.COOKIE}={passes.made(TOKEN, PAIR, 'cookie')}"}
        told = client.get(f"/phone/{PAIR}?token=wrong", headers={**HTML, **cookie}, follow_redirects=False)
        assert told.status_code == 303
        assert "set-cookie" not in told.headers
        again = client.get(f"/phone/{PAIR}?pass=old", headers={**HTML, **cookie}, follow_redirects=False)
        assert "set-cookie" not in again.headers
        for origin in ("http://evil.example", "null", "http://localhost:1"):
            away = {**cookie, "origin": origin}
            assert client.post(f"/phone/{PAIR}/send?visit=visit-001", headers=away).status_code == 401
            with (
                pytest.raises(WebSocketDenialResponse),
                client.websocket_connect(STREAM, headers=away),
            ):
                pass


def test_a_mailbox_that_nobody_empties_is_given_up():
    async def run() -> None:
        box = phone.Mailbox()
        for _ in range(phone.WAITING * 4):
            await box.send_text("x")
        with pytest.raises(TimeoutError):
            await box.send_text("x")
        for _ in range(phone.WAITING):
            await box.exchange("y")
        with pytest.raises(phone.Refused):
            await box.exchange("y")
        await box.close(1008, "slow")
        assert json.loads((await box.exchange(""))[-1])["code"] == 1008

    asyncio.run(run())
