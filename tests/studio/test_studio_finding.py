"""Moments in all that the data folder holds: by words, by an example, across modalities; files too; none outside."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from test_studio_views import paged, parts

import _quick_model as quick
from kinjo.corpus import Corpus
from kinjo.formats.guess import confirm, guess
from kinjo.formats.sidecar import save_sidecar
from kinjo.recognizer import Recognizer
from kinjo.studio import finding, opened, previews, sources
from kinjo.studio.finding import Example, Place, Places
from kinjo.studio.hub import Hub
from kinjo.studio.jobs import Stopped
from kinjo.studio.problems import Refused
from kinjo.studio.settings import Settings


@pytest.fixture
def hub(word_model: Recognizer, searched: Corpus):
    """Of the model with words and the gym."""
    one = Hub(word_model, Settings(data=searched.root.parent))
    yield one
    one.close()


def ready(hub: Hub) -> list[sources.Ready]:
    return [sources.indexed(hub, one).future.result(60) for one in sources.sources(hub.settings.data)]


def test_words_find_moments_of_every_modality(hub: Hub, searched: Corpus):
    some = ready(hub)
    assert [one.source.name for one in some] == ["gym"]
    found = finding.search(some, finding.asked(hub, "someone doing squats"), 8)
    assert {p.recording for p in found} == set(searched.recordings)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert {p.kind for p in found} == {"video", "pose", "imu"}
    by_watch = finding.search(some, finding.asked(hub, "squats"), 8, modality="imu")
    assert {p.modality for p in by_watch} == {"imu"}
    assert "gym_3" not in {p.recording for p in by_watch}  # it has a pose alone
    with pytest.raises(Refused, match="video"):
        finding.search(some, finding.asked(hub, "squats"), 8, modality="video")
    with pytest.raises(ValueError, match="empty"):
        finding.asked(hub, " ")
    with pytest.raises(Refused, match="1000"):
        finding.asked(hub, "x" * 1001)


def test_an_example_finds_what_is_like_it_elsewhere(hub: Hub):
    some = ready(hub)
    one = opened.of_corpus(hub.settings.data, "gym", "gym_2")
    example = Example(one, 4.0, 12.0)
    assert example.where == ("gym", "gym_2")
    vector = finding.asked(hub, example)
    found = finding.search(some, vector, 9, like=example)
    assert {p.recording for p in found} == {"gym_1", "gym_3"}
    assert "pose" in {p.modality for p in found}  # what a watch measured finds a pose
    own = finding.search(some, vector, 30, like=example, own=True)
    mine = [p for p in own if p.recording == "gym_2"]
    assert mine
    assert all(p.end_s <= 4.0 or p.start_s >= 12.0 for p in mine)
    start, end = finding.about(hub, one, 0.2)
    assert (start, end - start) == (one.bounds[0], pytest.approx(hub.base.finder.length_s))  # type: ignore[attr-defined]


def test_files_are_searched_where_they_say_all_themselves(quick_model: Recognizer, tmp_path: Path):
    (tmp_path / "watch.csv").write_bytes(quick.csv(20.0))
    (tmp_path / "results.json").write_text("[]")
    hub = Hub(quick_model, Settings(data=tmp_path))
    only = sources.sources(tmp_path)[0]
    assert (only.name, only.files) == (sources.FILES, ("results.json", "watch.csv"))
    with pytest.raises(Refused, match=r"placement"):
        sources.indexed(hub, only).future.result(30)
    known = confirm(guess(tmp_path / "watch.csv"), placement="right_wrist")
    save_sidecar(known, tmp_path / "watch.csv")
    again = sources.indexed(hub, sources.sources(tmp_path)[0]).future.result(30)
    assert again.index.corpus.recordings == ["watch.csv"]
    (place, *_) = finding.search([again], finding.asked(hub, "anything"), 1)
    assert finding.opened_at(hub, place).key == "file:watch.csv"
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    more = sources.indexed(hub, sources.sources(tmp_path)[0]).future.result(30)
    assert [one.partition(":")[0] for one in more.unread] == ["odd.csv"]
    hub.close()


def test_without_words_or_joint_space_it_says_so(quick_model: Recognizer, searched: Corpus):
    from dataclasses import replace

    finder = replace(quick_model.finder, words=False)  # type: ignore[type-var]
    hub = Hub(replace(quick_model, finder=finder), Settings(data=searched.root.parent))
    assert not finding.speaks(hub)
    with pytest.raises(Refused, match="no words") as told:
        finding.asked(hub, "squats")
    assert "example" in told.value.next
    hub.close()
    bare = Hub(replace(quick_model, finder=None), Settings())
    with pytest.raises(Refused, match="cannot search"):
        finding.asked(bare, "squats")
    assert sources.sources(None) == []
    bare.close()


def test_an_index_is_anew_where_the_corpus_is_and_stops_unwatched(word_model: Recognizer, searched: Corpus, tmp_path):
    shutil.copytree(searched.root, tmp_path / "gym", ignore=shutil.ignore_patterns("search"))
    hub = Hub(word_model, Settings(data=tmp_path))
    first = sources.sources(tmp_path)[0]
    job = sources.indexed(hub, first)
    with hub.indices.waiting(job):
        assert sources.indexed(hub, first) is job
        job.future.result(60)
    assert sources.indexed(hub, first) is job
    (tmp_path / "gym" / "corpus.json").touch()
    assert sources.sources(tmp_path)[0].key != first.key
    gone = sources._made
    with pytest.raises(Stopped):
        gone(hub, first, lambda done, total: (_ for _ in ()).throw(Stopped()))
    hub.close()


def test_a_folder_that_cannot_be_written_has_its_index_elsewhere(word_model, searched: Corpus, tmp_path, monkeypatch):
    shutil.copytree(searched.root, tmp_path / "gym", ignore=shutil.ignore_patterns("search"))
    hub = Hub(word_model, Settings(data=tmp_path))
    monkeypatch.setattr(sources.os, "access", lambda *_: False)
    got = sources.indexed(hub, sources.sources(tmp_path)[0]).future.result(60)
    assert len(got.index)
    assert not (tmp_path / "gym" / "search").exists()
    kept = list(hub._scratch)
    assert kept
    hub.close()
    assert not any(folder.exists() for folder in kept)


def test_links_out_of_the_data_folder_are_not_searched(quick_model: Recognizer, searched: Corpus, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.csv").write_bytes(quick.csv(20.0))
    (tmp_path / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "data" / "broken.csv").symlink_to(tmp_path / "nothing.csv")
    shutil.copytree(searched.root, tmp_path / "outside")
    (tmp_path / "data" / "corpus").mkdir()
    (tmp_path / "data" / "corpus" / "corpus.json").symlink_to(tmp_path / "outside" / "corpus.json")
    hub = Hub(quick_model, Settings(data=tmp_path / "data"))
    for one in sources.sources(tmp_path / "data"):
        with pytest.raises(Refused, match="no such file"):
            sources.indexed(hub, one).future.result(30)
    hub.close()


def test_moments_are_shown_by_ids_alone(word_model: Recognizer, searched: Corpus):
    with paged(word_model, data=searched.root.parent) as (client, desks):
        client.app.include_router(previews.router)  # type: ignore[attr-defined]
        some = ready(desks.hub)
        found = finding.search(some, finding.asked(desks.hub, "squats"), 12)
        shown = finding.shown(desks.places, found)
        assert not any(p.ready.index.vectors for p in found)  # places do not hold an index that was let go
        assert str(searched.root) not in str(shown)
        kinds = {one["kind"]: one for one in shown}
        film = client.get(f"/studio/moment/{kinds['video']['id']}/strip")
        assert (film.status_code, film.headers["content-type"]) == (200, "image/jpeg")
        assert 1 <= int(film.headers["Kinjo-Frames"]) <= previews.FRAMES
        facts, joints = parts(client.get(f"/studio/moment/{kinds['pose']['id']}").content)[0]
        assert (facts["kind"], len(joints) % (2 * facts["joints"])) == ("pose", 0)
        facts, bins = parts(client.get(f"/studio/moment/{kinds['imu']['id']}").content)[0]
        assert (facts["kind"], facts["channels"]) == ("signal", 3)
        assert np.isfinite(bins).any()
        assert client.get(f"/studio/moment/{kinds['imu']['id']}/strip").status_code == 404
        for bad in ("nothing", "..%2F..%2Fetc", "x" * 100):
            assert client.get(f"/studio/moment/{bad}").status_code in (404, 422)


def test_only_the_latest_places_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding, "KEPT", 3)
    places = Places()
    ids = [places.put(Place(None, str(k), 0.0, 1.0)) for k in range(5)]  # type: ignore[arg-type]
    with pytest.raises(Refused, match="not shown any more"):
        places.get(ids[0])
    assert places.get(ids[4]).recording == "4"


def test_a_spark_holds_every_sample():
    values = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    missing = np.zeros(1000, bool)
    missing[200:500] = True
    made = previews.spark(values, missing, 10)
    assert made.shape == (10, 3, 2)
    assert np.isnan(made[3]).all()
    np.testing.assert_allclose(np.nanmax(made[..., 1], 0), values[~missing].max(0))
    np.testing.assert_allclose(np.nanmin(made[..., 0], 0), values[~missing].min(0))
    assert previews.spark(values[:1], missing[:1]).shape == (1, 3, 2)


def test_previews_are_behind_the_guard(word_model: Recognizer):
    with paged(word_model, token="a-long-enough-token") as (client, _):
        client.app.include_router(previews.router)  # type: ignore[attr-defined]
        for path in ("/studio/moment/x", "/studio/moment/x/strip"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": "Bearer a-long-enough-token"}).status_code == 404
