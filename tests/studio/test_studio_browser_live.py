"""The Live page and the page of a phone in a real browser, with motion of the simulated gym as the browser gives it."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from _browser import Visit, browser
from _phone import Phone, motion
from _service import Process

SQUAT = motion("squat")


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """One for all tests here."""
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def studio(chrome: Any, quick_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """``kinjo studio`` on loopback."""
    with Process(tmp_path_factory.mktemp("live"), quick_file, "--no-open", verb="studio") as process:
        yield process


@pytest.fixture
def phone(chrome: Any, studio: Process) -> Iterator[Phone]:
    """A Live page and its phone; what both asked for never left this machine, and nothing failed in them."""
    one = Phone(chrome, studio.url)
    yield one
    one.close()
    hosts = {urlsplit(url).netloc for url in one.desk.asked if urlsplit(url).scheme not in ("data", "blob")}
    assert hosts == {urlsplit(studio.url).netloc}
    assert one.faults == []


def test_a_phone_is_recognised_on_both_screens_and_teaches_by_five_seconds(phone: Phone):
    desk, page = phone.desk.page, phone.page
    desk.get_by_text("A phone cannot reach this studio").wait_for()
    desk.get_by_text("The phone is connected: press Start on it.").wait_for()
    phone.start(SQUAT)
    page.get_by_text("The first answer comes in").wait_for()
    phone.shows("unknown")
    desk.get_by_text("The phone streams.").wait_for()
    page.get_by_label("Teach an activity").fill("my squat")
    page.get_by_role("button", name="Record 5 s").click()
    for said in ("my squat: begin in", "Recording my squat for 5 s", "my squat is known now"):
        for one in (desk, page):
            one.get_by_text(said).wait_for()
    phone.shows("my squat")
    for one, count in ((desk, "[data-live=count]"), (page, "#count")):
        one.wait_for_function(f"() => parseInt(document.querySelector('{count}').textContent) >= 2")
    for one, latency in ((desk, "[data-live=here]"), (desk, "[data-live=phone]"), (page, "#latency")):
        one.wait_for_function(f"() => /^\\d+ ms$/.test(document.querySelector('{latency}').textContent)")
    assert page.locator("#rate").inner_text() == "50 Hz"
    desk.wait_for_function("document.querySelector('[data-live=rate]').textContent === '50 Hz'")
    desk.get_by_role("button", name="Take it back").click()
    page.get_by_text("my squat: taken back.").wait_for()
    phone.shows("unknown")
    desk.get_by_label("Activity", exact=True).fill("again")  # from the other screen, by the keyboard
    desk.keyboard.press("Enter")
    page.get_by_text("again is known now").wait_for()
    phone.shows("again")
    page.get_by_role("button", name="Take it back").click()
    desk.get_by_text("again: taken back.").wait_for()
    page.get_by_role("button", name="Stop").click()
    desk.get_by_text("The phone is connected: press Start on it.").wait_for()


def test_it_says_why_nothing_is_shown(phone: Phone):
    desk, page = phone.desk.page, phone.page
    page.get_by_role("button", name="Start").click()
    page.get_by_text("This device gives no motion").wait_for()
    desk.get_by_text("The device that is connected gives no motion").wait_for()
    page.evaluate("DeviceMotionEvent.requestPermission = async () => 'denied'")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("may not read the motion sensors").wait_for()
    desk.get_by_text("may not read its motion sensors").wait_for()
    page.evaluate("DeviceMotionEvent.requestPermission = async () => 'granted'")
    phone.start(SQUAT)
    phone.answers()
    desk.get_by_label("Activity", exact=True).fill("x")
    phone.page.close()
    desk.get_by_text("No phone is connected").wait_for()
    desk.get_by_role("button", name="Record 5 s").click()
    desk.get_by_text("the phone does not stream: press Start on it").wait_for()


def test_a_page_that_is_not_secure_says_so(chrome: Any, studio: Process):
    one = Phone(chrome, studio.url, script="Object.defineProperty(window, 'isSecureContext', {value: false})")
    one.page.get_by_role("button", name="Start").click()
    one.page.get_by_text("Browsers give motion to secure pages alone").wait_for()
    one.desk.page.get_by_text("The phone's page is not secure").wait_for()
    one.close()


def test_a_connection_that_is_lost_comes_back(phone: Phone):
    page = phone.page
    phone.start(SQUAT)
    phone.answers()
    page.evaluate("wire.socket.close()")
    page.get_by_text("The connection is lost: trying again").wait_for()
    page.get_by_text("Streaming.").wait_for()
    page.evaluate("document.getElementById('sure').textContent = ''")
    page.wait_for_function("() => document.getElementById('sure').textContent.includes('%')")
    phone.desk.page.reload()  # and the other screen finds the phone again
    phone.answers()


def test_a_clock_that_goes_back_begins_the_stream_anew(phone: Phone):
    page = phone.page
    phone.start(SQUAT)
    phone.answers()
    page.evaluate("last += 5")
    page.get_by_text("clock went back").wait_for()
    phone.answers()


def test_another_place_begins_the_stream_anew_and_ios_is_turned(chrome: Any, studio: Process):
    iphone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
    )
    one = Phone(chrome, studio.url, user_agent=iphone)
    sent: list[str] = []
    one.page.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(str(text))))
    one.page.reload()
    one.start([[1.0, 2.0, -9.8, 90.0, 180.0, 0.0]])
    one.answers()
    lines = [json.loads(line) for text in sent for line in text.splitlines()]
    first = {line["stream"]: line["values"][0] for line in reversed(lines) if "stream" in line}
    assert first["acc"] == [-1.0, -2.0, 9.8]
    assert first["gyro"] == pytest.approx([1.5708, 3.1416, 0.0])
    (hello,) = [line["streams"] for line in lines if "streams" in line]
    assert (hello["acc"]["gravity"], hello["acc"]["placement"], hello["gyro"]["units"]) == (
        True,
        "right_wrist",
        "rad/s",
    )
    assert hello["acc"]["rate_hz"] == pytest.approx(50, abs=5)
    one.close()


def test_where_websockets_are_refused_it_goes_by_post(chrome: Any, studio: Process):
    refuse = """window.WebSocket = class {
      constructor() { setTimeout(() => this.onclose({code: 1006, reason: ''}), 10); }
      close() {}
    }"""
    one = Phone(chrome, studio.url, script=refuse)
    one.start(SQUAT)
    one.answers()
    one.page.get_by_text("Streaming, by HTTP.").wait_for()
    one.page.wait_for_function("() => /^\\d+ ms$/.test(document.getElementById('latency').textContent)")
    assert any("/send?visit=" in url for url in one.asked)
    assert one.faults == []
    one.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(chrome: Any, studio: Process, width: int):
    one = Phone(chrome, studio.url, viewport={"width": width, "height": 740}, color_scheme="dark")
    one.start(SQUAT)
    one.answers()
    for page in (one.page, one.desk.page):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    one.close()


def test_beyond_loopback_the_code_lets_the_phone_in_over_https(
    chrome: Any, quick_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Process(tmp_path, quick_file, "--no-open", "--lan", verb="studio", https=True) as process:
        token = process.said.partition("token=")[2].split()[0]
        assert "SHA-256: " in process.said
        visit = Visit(chrome, process.url, ignore_https_errors=True)
        page = visit.page
        page.goto(f"{process.url}/live?token={token}")
        page.get_by_text("Why the browser warns").wait_for()
        told = process.said.partition("SHA-256: ")[2].split()[0]
        assert page.get_by_text(told).is_visible()
        there = ssl.get_server_certificate(("127.0.0.1", process.port))
        (kept,) = (tmp_path / "data").rglob("studio.pem")
        assert there.strip() in kept.read_text()
        name = page.get_by_role("img", name="Code that opens").get_attribute("aria-label") or ""
        assert name.rpartition(" ")[2].startswith("https://")
        assert page.locator(".kj-code svg path").count() >= 1
        pair = page.url.rpartition("/")[2]
        # what the code says, as test_studio_phone reads it; here the browser of a phone, which knows nothing
        from kinjo.studio.live_page import code_address

        other = Visit(chrome, process.url, ignore_https_errors=True)
        other.page.goto(f"{process.url}/phone/{pair}")
        assert "a token is needed" in other.page.content()
        other.page.goto(code_address(process.url, pair, token))
        assert other.page.url == f"{process.url}/phone/{pair}"
        other.page.get_by_text("Connected. Press Start").wait_for()
        page.get_by_text("The phone is connected").wait_for()
        (cookie,) = other.context.cookies()
        assert (cookie["path"], cookie["secure"], cookie["httpOnly"]) == (f"/phone/{pair}", True, True)
        other.page.goto(f"{process.url}/")
        assert "a token is needed" in other.page.content()
        for one in (visit, other):
            one.context.close()
        assert process.said.count(token) == 1
