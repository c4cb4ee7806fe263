"""What the timeline fetches: numbers that fit the pixels, frames, exports; and who gets it, by header or by cookie."""

import csv
import io
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _service import HERE
from starlette.testclient import TestClient

import _quick_model as quick
from kinjo.recognizer import Recognizer
from kinjo.recording import Contract, Recording, Stream
from kinjo.runtime import Model, ModelError
from kinjo.studio import frames
from kinjo.studio.app import create_app
from kinjo.studio.guard import COOKIE
from kinjo.studio.opened import Opened, of_file
from kinjo.studio.settings import Settings
from kinjo.studio.views import add

TOKEN = "a-long-enough-token"
RGB = Contract("video", "rgb", "uint8", 10.0, axes=())
POSE = Contract("pose", "position", "m", 30.0, skeleton="canonical")


@contextmanager
def paged(model: Model | None, **settings: Any) -> Iterator[tuple[TestClient, Any]]:
    """A client, and what the pages share."""
    app = create_app(Settings(**{"rate": 0.0, "pages": True, **settings}), model)
    desks = add(app)
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client, desks


def opened_of(**streams: Stream) -> Opened:
    return Opened("k", "made", Recording("made", streams))


def parts(body: bytes) -> list[tuple[dict[str, Any], np.ndarray]]:
    size = struct.unpack_from("<I", body)[0]
    at, out = 4 + size, []
    for facts in json.loads(body[4 : 4 + size]):
        out.append((facts, np.frombuffer(body, "<f4", facts["count"], at)))
        at += 4 * facts["count"]
    assert at == len(body)
    return out


@pytest.fixture
def watch(tmp_path: Path) -> Opened:
    file = tmp_path / "watch.csv"
    file.write_bytes(quick.csv(60.0))
    return of_file(file, "watch.csv", "file:watch.csv", {"placement": "right_wrist"})


def test_a_view_has_two_numbers_a_pixel_or_the_samples(quick_model: Recognizer, watch: Opened):
    with paged(quick_model) as (client, desks):
        desks.shelf.put(watch)
        facts = client.get(f"/studio/{watch.id}/facts").json()
        assert (facts["from_s"], facts["to_s"]) == (0.0, 60.0)
        assert [lane["name"] for lane in facts["lanes"]] == list(watch.recording.streams)
        wide = parts(client.get(f"/studio/{watch.id}/view?from_s=0&to_s=60&pixels=100").content)
        for told, values in wide:
            assert (told["kind"], len(values)) == ("bins", 100 * 3 * 2)
        near = parts(client.get(f"/studio/{watch.id}/view?from_s=10&to_s=11&pixels=100").content)
        for told, values in near:
            assert told["kind"] == "samples"
            assert len(values) == 3 * len(told["times"]) <= 3 * 2 * 102
            assert told["times"][1] == pytest.approx(0.0, abs=0.04)
        for wrong in ("from_s=2&to_s=1&pixels=9", "from_s=0&to_s=1&pixels=99999", "from_s=nan&to_s=1&pixels=9"):
            assert client.get(f"/studio/{watch.id}/view?{wrong}").status_code == 422
        assert client.get("/studio/nothing/facts").status_code == 404


def test_video_and_poses(quick_model: Recognizer):
    pictures = np.zeros((50, 30, 40, 3), np.uint8)
    pictures[:, :, :, 0] = np.arange(50)[:, None, None] * 5
    joints = np.random.default_rng(0).normal(0, 1, (90, 17, 3)).astype(np.float32)
    gone = np.zeros(90, bool)
    gone[:3] = True
    depth = Stream.of("depth", Contract("video", "depth", "mm", 10.0, axes=()), np.full((5, 30, 40), 2000, np.uint16))
    made = opened_of(
        video=Stream.of("video", RGB, pictures), pose=Stream.of("pose", POSE, joints, missing=gone), depth=depth
    )
    with paged(quick_model) as (client, desks):
        desks.shelf.put(made)
        facts = client.get(f"/studio/{made.id}/facts").json()
        assert [v["name"] for v in facts["videos"]] == ["video", "depth"]
        assert len(facts["poses"][0]["bones"]) == 16
        left, top, right, bottom = facts["poses"][0]["box"]
        assert left < right
        assert top < bottom
        for name, first, count, wide in (("video", 16, 16, 640), ("video", 48, 16, 80), ("depth", 0, 5, 200)):
            told = client.get(f"/studio/{made.id}/strip/{name}?first={first}&count={count}")
            assert told.headers["content-type"] == "image/jpeg"
            assert size_of(told.content) == (30, wide)
        assert client.get(f"/studio/{made.id}/strip/video?first=50&count=1").status_code == 404
        assert client.get(f"/studio/{made.id}/strip/pose?first=0&count=1").status_code == 404
        facts, values = parts(client.get(f"/studio/{made.id}/pose/pose?from_s=0&to_s=1").content)[0]
        shown = values.reshape(-1, 17, 2)
        assert len(shown) == len(facts["times"]) == 30
        assert np.isnan(shown[:3]).all()
        np.testing.assert_allclose(shown[3:, :, 1], -joints[3:30, :, 1], rtol=1e-6)


def test_a_person_is_seen_from_the_front_whichever_way_they_face():
    body = np.zeros((60, 17, 3), np.float32)
    body[:, 9], body[:, 13] = [0.0, 1.0, -0.1], [0.0, 1.0, 0.1]  # left and right hip of somebody who faces +x
    stream = Stream.of("pose", POSE, body)
    assert frames.front(stream) == pytest.approx((0.0, -1.0))
    shown = frames.flat(stream, 0, 60)
    assert (shown[:, 9, 0] > shown[:, 13, 0]).all()  # the left is on the right of who looks at them


def size_of(picture: bytes) -> tuple[int, int]:
    """Height and width of a JPEG."""
    import av

    with av.open(io.BytesIO(picture)) as container:
        track = container.streams.video[0]
        return track.height, track.width


def test_large_frames_are_made_small():
    stream = Stream.of("video", RGB, np.zeros((2, 1080, 1920, 3), np.uint8))
    assert frames.shape(stream) == (216, 384)
    assert size_of(frames.strip(stream, 0, 2)) == (216, 768)


def test_exports_are_what_was_recognised_and_said(quick_model: Recognizer, watch: Opened):
    from kinjo.studio.desk import Desk

    with paged(quick_model) as (client, desks):
        Desk(desks, desks.shelf.put(watch)).label("waving", 3.0, 5.0)
        table = client.get(f"/studio/{watch.id}/segments.csv")
        assert "attachment" in table.headers["content-disposition"]
        rows = list(csv.DictReader(table.text.splitlines()))
        told = client.get(f"/studio/{watch.id}/segments.json").json()
        assert len(rows) == len(told["segments"]) > 1
        assert {"start_s": 3.0, "end_s": 5.0, "label": "waving", "confidence": 1.0, "repetitions": None} in (
            told["segments"]
        )
        assert client.get(f"/studio/{watch.id}/segments.exe").status_code == 422


def test_without_a_model_recordings_are_still_seen(watch: Opened, monkeypatch: pytest.MonkeyPatch):
    def absent(_: Path | None) -> Model:
        raise ModelError("this kinjo came without kinjo-base")

    monkeypatch.setattr("kinjo.studio.app.open_model", absent)
    with paged(None) as (client, desks):
        desks.shelf.put(watch)
        assert client.get(f"/studio/{watch.id}/facts").status_code == 200
        assert client.get(f"/studio/{watch.id}/segments.json").json()["segments"] == []
        told = client.get("/v1/models")
        assert (told.status_code, told.json()["error"]) == (409, "profile")


# ------------------------------------------------------------------------------------------------ who gets in
PAGES = ("/studio/x/facts", "/studio/x/view?from_s=0&to_s=1&pixels=1", "/studio/x/segments.csv", "/", "/v1/models")


def test_the_token_of_an_address_becomes_a_cookie(quick_model: Recognizer):
    with paged(quick_model, host="0.0.0.0", token=TOKEN) as (client, _):
        for path in PAGES:
            assert client.get(path).status_code == 401
        html = {"accept": "text/html,*/*"}
        assert client.get(f"/?token={TOKEN}x", headers=html, follow_redirects=False).status_code == 401
        entry = client.get(f"//evil.example/x?a=b&token={TOKEN}", headers=html, follow_redirects=False)
        assert entry.status_code in (303, 404)
        entry = client.get(f"/v1/models?a=b&token={TOKEN}", headers=html, follow_redirects=False)
        assert (entry.status_code, entry.headers["location"]) == (303, "/v1/models?a=b")
        said = entry.headers["set-cookie"]
        assert "HttpOnly" in said
        assert "samesite=strict" in said.lower()
        assert TOKEN not in said
        for path in PAGES:
            assert client.get(path).status_code != 401
        assert client.get("/v1/models").status_code == 200
        # a page of another port is elsewhere, though browsers send it the same cookies
        assert client.get("/v1/models", headers={"origin": "http://localhost:9"}).status_code == 401
        assert client.post("/v1/undo", headers={"origin": HERE}).status_code == 200
        client.cookies.set(COOKIE, "wrong")
        client.cookies.delete(COOKIE, domain="localhost.local", path="/")
        assert client.get("/v1/models").status_code == 401


def test_a_redirect_never_leaves_the_host(quick_model: Recognizer):
    with paged(quick_model, host="0.0.0.0", token=TOKEN) as (client, _):
        for path in ("//evil.example", "///evil.example/", "/%2F%2Fevil.example"):
            told = client.get(f"{HERE}{path}?token={TOKEN}", headers={"accept": "text/html"}, follow_redirects=False)
            assert told.status_code == 303
            assert not told.headers["location"].startswith(("//", "http"))


def test_a_service_without_pages_knows_no_cookies(quick_model: Recognizer):
    with paged(quick_model, host="0.0.0.0", token=TOKEN, pages=False) as (client, _):
        told = client.get(f"/v1/models?token={TOKEN}", headers={"accept": "text/html"}, follow_redirects=False)
        assert told.status_code == 200
        assert "set-cookie" not in told.headers
