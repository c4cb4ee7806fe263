"""REST: what is answered, and that what is missing or wrong is said with what to do."""

import json
from pathlib import Path

import numpy as np
import pytest
from _service import PLACED, served
from starlette.testclient import TestClient

import _quick_model as quick
from kinjo.formats.recordings import read_recording
from kinjo.recognizer import Recognizer

BASE = ["activity 0", "activity 1", "activity 2", "activity 3"]


@pytest.fixture
def client(quick_model: Recognizer, tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "walk.csv").write_bytes(quick.csv())
    with served(quick_model, data=folder) as made:
        yield made


def test_all_ways_to_send_a_recording_answer_the_same(client: TestClient, quick_model: Recognizer, tmp_path: Path):
    ways = [
        client.post("/v1/recognize", json={"path": "walk.csv", "scores": True, **PLACED}),
        client.post("/v1/recognize", json={"table": quick.columns(), "scores": True, **PLACED}),
        client.post("/v1/recognize", files={"file": ("any.csv", quick.csv())}, data={"scores": "true", **PLACED}),
    ]
    assert [way.status_code for way in ways] == [200] * 3
    whole = quick_model.recognize(read_recording(tmp_path / "data" / "walk.csv", **PLACED))
    for told in (way.json() for way in ways):
        assert [(s["start_s"], s["end_s"], s["label"]) for s in told["segments"]] == [s[:3] for s in whole]
        assert whole.scores is not None
        np.testing.assert_allclose(told["scores"]["values"], whole.scores.values, atol=1e-4)
        assert told["labels"] == BASE
        assert any("rate" in note for note in told["notes"])
    part = client.post("/v1/recognize", json={"path": "walk.csv", "from_s": 2, "to_s": 8, **PLACED}).json()
    assert (part["segments"][0]["start_s"], part["segments"][-1]["end_s"]) == (2.0, 8.0)
    assert part["scores"] is None


def test_what_a_file_does_not_say_is_asked_for(client: TestClient):
    bare = {name.split(" (")[0]: column for name, column in quick.columns().items() if name != "time_s"}
    asked = client.post("/v1/recognize", json={"table": bare})
    assert asked.status_code == 422
    assert asked.json()["error"] == "question"
    assert set(asked.json()["fields"]) >= {"rate_hz", "placement"}
    assert all(field in asked.json()["next"] for field in asked.json()["fields"])
    told = {"rate_hz": 25, "units": {"acc": "m/s^2", "gyro": "rad/s"}, "gravity": True, **PLACED}
    assert client.post("/v1/recognize", json={"table": bare, **told}).status_code == 200
    form = {k: json.dumps(v) if isinstance(v, dict) else str(v) for k, v in told.items()}
    rows = "\n".join([",".join(bare), *(",".join(map(str, row)) for row in zip(*bare.values(), strict=True))])
    assert client.post("/v1/recognize", files={"file": ("a.csv", rows)}, data=form).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 422, "request"),
        ({"path": "walk.csv", "table": {"a": [1]}}, 422, "request"),
        ({"path": "nothing.csv"}, 404, "not_found"),
        ({"path": "walk.csv", "placement": "nose"}, 422, "format"),
        ({"path": "walk.csv", "placement": "left_ankle"}, 422, "contract"),
        ({"path": "walk.csv", "rate_hz": -1, **PLACED}, 422, "request"),
        ({"path": "walk.csv", "colour": "red"}, 422, "request"),
        ({"path": "walk.csv", "from_s": 50, **PLACED}, 422, "value"),
        ({"table": {}}, 422, "format"),
        ({"table": {"acc_x": [1, 2], "acc_y": [1]}}, 422, "format"),
        ({"table": {"acc_x": []}}, 422, "format"),
        ({"table": {"file": [1.0], "allow_pickle": [None]}}, 422, None),
        ({"table": {"acc_x": ["a"]}}, 422, "request"),
        ([], 422, "request"),
        ("x", 422, "request"),
    ],
)
def test_wrong_requests_are_told_what_to_do(client: TestClient, body: object, status: int, error: str | None):
    given = client.post("/v1/recognize", json=body)
    told = given.json()
    assert given.status_code == status, told
    assert error is None or told["error"] == error
    assert set(told) == {"error", "detail", "next", "fields"}
    assert told["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 5000, b'{"path": "\\ud800"}', b"\xff\xfe", b"null"])
def test_bodies_that_are_no_json(client: TestClient, body: bytes):
    assert client.post("/v1/recognize", content=body).status_code == 422
    typed = {"content-type": "application/json"}
    assert client.post("/v1/teach", content=body, headers=typed).status_code == 422
    assert client.post("/v1/recognize", content=body, headers={"content-type": "text/html"}).status_code == 415


def test_files_that_are_not_read(client: TestClient):
    def sent(name: str, content: bytes) -> int:
        return client.post("/v1/recognize", files={"file": (name, content)}, data=PLACED).status_code

    assert sent("a.exe", b"MZ") == 415
    assert sent("a", b"") == 415
    assert sent("a.csv", b"") == 422
    assert sent("a.csv", b"\0" * 100) == 422
    assert sent("a.zip", b"PK\3\4") == 422
    assert sent("a.npz", b"PK\5\6" + b"\0" * 18) == 422
    assert sent("a.parquet", b"PAR1") == 422
    assert sent("a.json", b"[" * 100_000) == 422
    assert sent("a.dat", b"\0\0\0\x18ftypmp42" + b"\0" * 100) == 415
    two = [("file", ("a.csv", quick.csv())), ("file", ("b.csv", quick.csv()))]
    assert client.post("/v1/recognize", files=two, data=PLACED).status_code == 400


def test_an_activity_is_taught_forgotten_and_taken_back(client: TestClient):
    assert client.get("/v1/activities").json()["activities"] == BASE
    shown = {"name": "wave", "path": "walk.csv", "repetitions": 9, **PLACED}
    taught = client.post("/v1/teach", json=shown).json()
    assert taught["activities"] == [*BASE, "wave"]
    assert taught["windows"] > 5
    assert "wave" in taught["counted"]
    found = client.post("/v1/recognize", json={"path": "walk.csv", **PLACED}).json()
    assert found["segments"][0]["label"] == "wave"
    assert client.delete("/v1/activities/activity 1").json()["activities"] == [*BASE[:1], *BASE[2:], "wave"]
    assert client.delete("/v1/activities/activity 1").status_code == 404
    assert client.delete("/v1/activities/a/b%2Fc").status_code == 404
    undone = [client.post("/v1/undo").json() for _ in range(3)]
    assert [one["undone"] for one in undone] == [True, True, False]
    assert [one["activities"] for one in undone] == [[*BASE, "wave"], BASE, BASE]


def test_profiles_know_nothing_of_each_other(client: TestClient):
    shown = {"path": "walk.csv", **PLACED}
    client.post("/v1/teach?profile=anna", json={"name": "wave", **shown})
    client.post("/v1/teach?profile=ben", json={"name": "hop", **shown})
    client.delete("/v1/activities/activity 0?profile=ben")
    for profile, known in (("anna", [*BASE, "wave"]), ("ben", [*BASE[1:], "hop"]), ("default", BASE)):
        assert client.get(f"/v1/activities?profile={profile}").json()["activities"] == known
        labels = client.post(f"/v1/recognize?profile={profile}", json=shown).json()["labels"]
        assert labels == known
    for odd in ("../x", "", "a" * 65, "a b", "%00"):
        assert client.get(f"/v1/activities?profile={odd}").status_code == 422


def test_teaching_needs_something_that_can_be_learnt(client: TestClient):
    def taught(**body: object):
        return client.post("/v1/teach", json=body)

    assert taught(name="wave", sentence="a raised hand").json()["detail"].startswith("this model learnt no words")
    assert taught(name=" ", path="walk.csv", **PLACED).status_code == 422
    assert taught(name="a\0b", path="walk.csv", **PLACED).status_code == 422
    assert taught(path="walk.csv", **PLACED).json()["fields"] == ["name"]
    short = taught(name="wave", path="walk.csv", from_s=0, to_s=0.4, **PLACED)
    assert short.status_code == 422
    assert "too short" in short.json()["detail"]
    assert client.get("/v1/activities").json()["activities"] == BASE


def test_sentences_reach_the_model(quick_model: Recognizer, monkeypatch: pytest.MonkeyPatch):
    said: list[object] = []
    monkeypatch.setattr(Recognizer, "teach", lambda self, name, examples, repetitions: said.append(examples) or 0)
    with served(quick_model) as client:
        assert client.post("/v1/teach", json={"name": "wave", "sentence": "a raised hand"}).status_code == 200
        assert client.post("/v1/teach", json={"name": "wave"}).status_code == 200
    assert said == [["a raised hand"], []]


def test_what_is_loaded_is_told(client: TestClient, quick_model: Recognizer):
    (told,) = client.get("/v1/models").json()["models"]
    assert told["id"] == quick_model.id
    assert told["labels"] == BASE
    assert (told["window_s"], told["hop_s"]) == (quick.SECONDS, quick.HOP)
    assert [(s["name"], s["units"], s["placement"], s["rate_hz"]) for s in told["streams"]] == [
        ("acc", "m/s^2", "right_wrist", 25.0), ("gyro", "rad/s", "right_wrist", 25.0)
    ]  # fmt: skip


def test_a_corpus_in_the_data_folder_is_searched(gym_corpus, quick_model: Recognizer, tmp_path: Path):
    import shutil

    store = shutil.copytree(gym_corpus.root, tmp_path / "data" / "gym")
    (tmp_path / "data" / "walk.csv").write_bytes(quick.csv())
    with served(quick_model, data=tmp_path / "data", request_s=300.0) as client:
        asked = {"corpus": "gym", "path": "walk.csv", "k": 3, **PLACED}
        found = client.post("/v1/search", json=asked)
        assert found.status_code == 200, found.json()
        moments = found.json()["moments"]
        assert 1 <= len(moments) <= 3
        assert {m["recording"] for m in moments} <= set(gym_corpus.recordings)
        assert client.post("/v1/search", json={"corpus": "gym"}).status_code == 422
        assert client.post("/v1/search", json={**asked, "text": "x"}).status_code == 422
        assert client.post("/v1/search", json={**asked, "corpus": "walk.csv"}).status_code in (404, 422)
        assert client.post("/v1/search", json={**asked, "modality": "smell"}).status_code == 422
        no = client.post("/v1/search", json={"corpus": "../data/gym", "path": "walk.csv", **PLACED})
        assert no.status_code == 404
    assert store.is_dir()


def test_an_exported_model_serves_but_does_not_search(quick_file: Path, tmp_path: Path):
    from kinjo import export, runtime

    export.export(quick_file, tmp_path / "quick.onnx")
    with served(runtime.load(tmp_path / "quick.onnx"), data=tmp_path) as client:  # type: ignore[arg-type]
        assert client.post("/v1/recognize", json={"table": quick.columns(), **PLACED}).status_code == 200
        assert client.post("/v1/teach", json={"name": "wave", "table": quick.columns(), **PLACED}).status_code == 200
        no = client.post("/v1/search", json={"corpus": "x", "text": "x"})
        assert no.status_code == 409
        assert "checkpoint" in no.json()["next"]
        assert not client.get("/v1/models").json()["models"][0]["search"]


def test_a_fault_is_said_without_its_words(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Recognizer, "recognize", broken)
    told = client.post("/v1/recognize", json={"path": "walk.csv", **PLACED})
    assert told.status_code == 500
    assert "secret" not in told.text


def test_openapi_describes_errors_and_both_bodies(client: TestClient):
    told = client.get("/openapi.json").json()
    assert {"/v1/recognize", "/v1/teach", "/v1/search", "/v1/models", "/v1/undo", "/v1/activities"} <= set(
        told["paths"]
    )
    for path in told["paths"].values():
        for operation in path.values():
            assert operation["description"]
            assert operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/Problem")
    bodies = told["paths"]["/v1/recognize"]["post"]["requestBody"]["content"]
    assert set(bodies) == {"application/json", "multipart/form-data"}
    assert client.get("/docs").status_code == 404  # its page would fetch scripts from elsewhere
