"""Profiles: on the disk when it is said so, apart from each other, taken back step by step."""

import sqlite3
import threading
from pathlib import Path

import pytest
from _service import PLACED, served

import _quick_model as quick
from kinjo.recognizer import Recognizer
from kinjo.studio import profiles
from kinjo.studio.profiles import Changed, Profiles


def test_states_are_kept_and_taken_back_step_by_step(tmp_path: Path):
    file = tmp_path / "p.sqlite"
    store = Profiles(file)
    assert store.state("anna") is None
    first = store.add("anna", "one", model="m", start="zero", after=None)
    second = store.add("anna", "two", model="m", start="never", after=first.serial)
    store.close()
    store = Profiles(file)
    assert store.state("anna") == second
    assert store.undo("anna")
    assert store.state("anna") == first
    assert store.undo("anna")
    state = store.state("anna")
    assert state is not None
    assert state.body == "zero"
    assert not store.undo("anna")
    assert not store.undo("ben")
    third = store.add("anna", "three", model="m", start="never", after=state.serial)
    assert third.serial > second.serial  # a number is never used twice: what was held under it is not taken for this
    store.close()


def test_what_was_made_from_an_older_state_is_refused(tmp_path: Path):
    one, two = Profiles(tmp_path / "p.sqlite"), Profiles(tmp_path / "p.sqlite")
    first = one.add("anna", "one", model="m", start="zero", after=None)
    with pytest.raises(Changed):
        two.add("anna", "other", model="m", start="zero", after=None)
    two.add("anna", "two", model="m", start="", after=first.serial)
    with pytest.raises(Changed):
        one.add("anna", "other", model="m", start="", after=first.serial)
    state = one.state("anna")
    assert state is not None
    assert state.body == "two"
    one.close()
    two.close()


def test_the_file_does_not_grow_for_ever(tmp_path: Path):
    store, after = Profiles(tmp_path / "p.sqlite"), None
    for k in range(profiles.STEPS + 20):
        after = store.add("anna", str(k), model="m", start="zero", after=after).serial
    assert sum(store.undo("anna") for _ in range(200)) == profiles.STEPS
    store.close()


def test_durable_settings(tmp_path: Path):
    store = Profiles(tmp_path / "p.sqlite")
    with store._db.asked() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_files_that_are_no_database(tmp_path: Path):
    (tmp_path / "text").write_text("not at all a database" * 100)
    with pytest.raises(ValueError, match="name another file"):
        Profiles(tmp_path / "text")
    with pytest.raises(ValueError, match="name another file"):
        Profiles(tmp_path / "nowhere" / "p.sqlite")
    newer = sqlite3.connect(tmp_path / "newer")
    newer.execute("PRAGMA user_version=9")
    newer.close()
    with pytest.raises(ValueError, match="upgrade kinjo"):
        Profiles(tmp_path / "newer")


def test_what_is_taught_is_known_after_a_restart(quick_model: Recognizer, tmp_path: Path):
    shown = {"table": quick.columns(), **PLACED}
    with served(quick_model, profiles=tmp_path / "p.sqlite") as client:
        client.post("/v1/teach", json={"name": "wave", **shown})
        client.post("/v1/teach", json={"name": "hop", **shown})
        before = client.post("/v1/recognize", json={"scores": True, **shown}).json()
    with served(quick_model, profiles=tmp_path / "p.sqlite") as client:
        assert client.post("/v1/recognize", json={"scores": True, **shown}).json() == before
        assert client.post("/v1/undo").json()["activities"][-1] == "wave"
    assert "wave" not in quick_model.labels


def test_a_profile_of_another_model_is_not_touched(quick_model: Recognizer, tmp_path: Path):
    other = Recognizer.load(quick.write(tmp_path / "other.safetensors", seed=1))
    shown = {"name": "wave", "table": quick.columns(), **PLACED}
    with served(quick_model, profiles=tmp_path / "p.sqlite") as client:
        client.post("/v1/teach", json=shown)
    with served(other, profiles=tmp_path / "p.sqlite") as client:
        for told in (client.get("/v1/activities"), client.post("/v1/teach", json=shown), client.post("/v1/undo")):
            assert told.status_code == 409
            assert "taught to model" in told.json()["detail"]
        assert client.get("/v1/activities?profile=fresh").status_code == 200
    with served(quick_model, profiles=tmp_path / "p.sqlite") as client:
        assert "wave" in client.get("/v1/activities").json()["activities"]


def test_many_teach_at_once_and_nothing_is_lost(quick_model: Recognizer, tmp_path: Path):
    """By two services that share the file."""
    with (
        served(quick_model, profiles=tmp_path / "p.sqlite") as one,
        served(quick_model, profiles=tmp_path / "p.sqlite") as two,
    ):

        def teach(k: int) -> None:
            asked = {"name": f"taught {k}", "table": quick.columns(4.0, k), **PLACED}
            assert (one, two)[k % 2].post("/v1/teach", json=asked).status_code == 200

        threads = [threading.Thread(target=teach, args=(k,)) for k in range(10)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        for client in (one, two):
            known = client.get("/v1/activities").json()["activities"]
            assert {f"taught {k}" for k in range(10)} <= set(known)
