"""What people do with a recording: labels laid over what is recognised, teaching, examples that go, steps back."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import _quick_model as quick
from kinjo.recognizer import Recognizer
from kinjo.studio import asking, examples, opened
from kinjo.studio.desk import Desk, Desks
from kinjo.studio.hub import Hub
from kinjo.studio.labels import Labels, all_laid, as_timeline, laid, over, unsure
from kinjo.studio.problems import Refused
from kinjo.studio.settings import Settings
from kinjo.timeline import UNKNOWN, Span

SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from("abc")).map(
        lambda t: Span(float(t[0]), float(t[0] + t[1]), t[2])
    ),
    max_size=8,
)


@pytest.fixture
def desk(quick_model: Recognizer, tmp_path: Path):
    """One of a watch, with all that is kept in a file."""
    file = tmp_path / "watch.csv"
    file.write_bytes(quick.csv(20.0))
    hub = Hub(quick_model, Settings(profiles=tmp_path / "p.sqlite", pages=True))
    desks = Desks(hub)
    one = opened.of_file(file, "watch.csv", "file:watch.csv", {"placement": "right_wrist"})
    yield Desk(desks, desks.shelf.put(one))
    desks.close()
    hub.close()


# ------------------------------------------------------------------------------------------------ labels
@given(SPANS)
def test_labels_never_overlap_and_the_last_is_on_top(spans):
    out = all_laid(spans)
    as_timeline(out, "x")  # raises where they overlap
    for time in np.arange(0.5, 40):
        on_top = next((s.label for s in reversed(spans) if s.start_s <= time < s.end_s), None)
        assert next((s.label for s in out if s.start_s <= time < s.end_s), None) == on_top


@given(SPANS, SPANS)
def test_what_is_said_stands_over_what_is_recognised(found, said):
    found, said = all_laid(found), all_laid(said)
    whole = over(found, said)
    as_timeline(whole, "x")
    assert set(said) <= set(whole)
    assert sum(s.end_s - s.start_s for s in unsure(found, said)) <= sum(s.end_s - s.start_s for s in found)


def test_the_least_sure_comes_first_and_what_is_said_does_not_come():
    found = (Span(0, 5, "a", 0.9), Span(5, 9, "b", 0.4), Span(9, 12, UNKNOWN, 0.6))
    assert [s.label for s in unsure(found, ())] == ["b", UNKNOWN, "a"]
    assert [s.label for s in unsure(found, (Span(4, 8, "c"),))] == [UNKNOWN, "a"]


def test_labels_are_kept_step_by_step(tmp_path: Path):
    labels = Labels(tmp_path / "l.sqlite")
    start = (Span(0.0, 1.0, "a", 1.0, 3),)
    assert labels.of("r", start) == start
    labels.keep("r", laid(start, Span(1.0, 2.0, "b")))
    labels.keep("r", ())
    labels.close()
    again = Labels(tmp_path / "l.sqlite")
    assert again.of("r", start) == ()
    assert again.undo("r")
    assert [s.label for s in again.of("r", start)] == ["a", "b"]
    assert again.undo("r")
    assert again.of("r", start) == start
    assert not again.undo("r")
    again.close()
    with pytest.raises(ValueError, match="needs a span"):
        laid((), Span(1.0, 1.0, "a"))
    with pytest.raises(ValueError, match="needs a name"):
        laid((), Span(1.0, 2.0, " "))


# ------------------------------------------------------------------------------------------------ the desk
def test_a_span_is_taught_seen_anew_and_taken_back(desk: Desk):
    before = desk.found()
    windows = desk.teach(" shaking ", 4.0, 12.0)
    assert windows > 3
    assert "shaking" in desk.known()
    assert [s.label for s in desk.said()] == ["shaking"]
    assert {s.label for s in desk.found()} != {s.label for s in before}
    assert [(e["name"], e["start_s"], e["end_s"]) for e in desk.shown()] == [("shaking", 4.0, 12.0)]
    assert desk.undo() == "teaching"
    assert "shaking" not in desk.known()
    assert desk.said() == ()
    assert desk.shown() == []
    assert desk.found() == before
    assert desk.undo() == ""


def test_undo_takes_back_only_what_was_done_here(desk: Desk):
    desk.teach("shaking", 4.0, 12.0)
    part = desk.opened.recording.between(13.0, 19.0)
    desk.desks.hub.change("default", "teach", lambda model: model.teach("theirs", [part]))
    with pytest.raises(Refused, match="somebody else has taught since"):
        desk.undo()
    assert {"shaking", "theirs"} <= set(desk.known())
    assert desk.desks.hub.undo("default")  # they take theirs back
    desk.teach("mine", 1.0, 7.0)
    assert desk.undo() == "teaching"
    assert ("mine" in desk.known(), "shaking" in desk.known()) == (False, True)


def test_a_removed_example_leaves_no_trace(desk: Desk):
    hub = desk.desks.hub
    desk.teach("shaking", 1.0, 7.0)
    once = hub.model("default").profile()
    desk.teach("shaking", 8.0, 15.0)
    first, second = desk.shown()
    desk.remove(second["id"])
    now = hub.model("default").profile()
    assert now["names"] == once["names"]
    for space in once["means"]:
        np.testing.assert_allclose(now["means"][space], once["means"][space], atol=1e-9)
        np.testing.assert_allclose(now["examples"][space], once["examples"][space])
    desk.remove(first["id"])
    assert "shaking" not in desk.known()
    with pytest.raises(ValueError, match="gone already"):
        desk.remove(first["id"])
    assert desk.undo() == "teaching"
    assert [e["id"] for e in desk.shown()] == [first["id"]]


def test_what_a_class_learnt_elsewhere_stays(desk: Desk):
    base = desk.desks.hub.base.profile()
    desk.teach("activity 1", 1.0, 7.0)
    desk.remove(desk.shown()[0]["id"])
    now = desk.desks.hub.model("default").profile()
    assert now["names"] == base["names"]
    for space in base["means"]:
        np.testing.assert_allclose(now["means"][space], base["means"][space], atol=1e-9)


def test_examples_survive_teaching_by_programs_and_go_with_their_activity(desk: Desk):
    desk.teach("shaking", 1.0, 7.0)
    part = desk.opened.recording.between(8.0, 14.0)
    desk.desks.hub.change("default", "teach", lambda model: model.teach("other", [part]))
    assert [e["name"] for e in desk.shown()] == ["shaking"]
    desk.forget("shaking")
    assert desk.shown() == []
    assert desk.undo() == "teaching"
    assert [e["name"] for e in desk.shown()] == ["shaking"]


def test_shares_are_exact():
    before = {"names": ["a"], "means": {"s": [[1.0, 2.0]]}, "examples": {"s": [3.0]}}
    after = {"names": ["a", "b"], "means": {"s": [[1.5, 2.0], [4.0, 4.0]]}, "examples": {"s": [4.0, 1.0]}}
    added = examples.share(before, after, "a")
    assert added["s"][0] == pytest.approx([3.0, 2.0])
    assert added["s"][1] == 1.0
    back = examples.without(after, examples.example("a", added))
    assert back["means"]["s"][0] == pytest.approx([1.0, 2.0])
    assert examples.without(after, examples.example("b", examples.share(before, after, "b")))["names"] == ["a"]


def test_predictions_are_corrected_and_all_steps_can_be_taken_back(desk: Desk):
    found = desk.found()
    span = found[0]
    desk.change(span, span._replace(label="mine"))
    assert [s[:3] for s in desk.said()] == [(*span[:2], "mine")]
    mine = desk.said()[0]
    desk.change(mine, mine._replace(start_s=mine.start_s + 0.5))
    assert desk.said()[0].start_s == mine.start_s + 0.5
    desk.change(desk.said()[0], None)
    assert desk.said() == ()
    desk.change(span, None)
    assert [s.label for s in desk.said()] == [UNKNOWN]
    desk.label("other", 1.0, 2.0)
    whole = desk.desks.whole(desk.opened, "default")
    assert Span(1.0, 2.0, "other") in whole
    assert [desk.undo() for _ in range(6)] == ["label"] * 5 + [""]
    assert desk.said() == ()


def test_what_was_said_within_a_recognised_span_stays(desk: Desk):
    span = desk.found()[0]
    desk.label("mine", span.start_s + 0.5, span.start_s + 1.0)
    for new, name in ((None, UNKNOWN), (span, span.label)):
        desk.change(span, new)
        assert [s.label for s in desk.said()] == [name, "mine", name]
        desk.undo()


def test_labels_and_teaching_are_there_after_a_crash(quick_model: Recognizer, desk: Desk, tmp_path: Path):
    desk.teach("shaking", 4.0, 12.0)
    desk.label("waving", 14.0, 16.0)
    other = Desks(Hub(quick_model, Settings(profiles=tmp_path / "p.sqlite")))  # nothing of the first was closed
    again = Desk(other, other.shelf.put(opened.of_file(
        tmp_path / "watch.csv", "watch.csv", "file:watch.csv", {"placement": "right_wrist"})))  # fmt: skip
    assert [s.label for s in again.said()] == ["shaking", "waving"]
    assert "shaking" in again.known()
    assert len(again.shown()) == 1
    other.close()
    other.hub.close()


def test_too_short_a_span_says_so_and_changes_nothing(desk: Desk):
    with pytest.raises(ValueError, match="too short"):
        desk.teach("blink", 4.0, 4.1)
    assert desk.said() == ()
    assert desk.shown() == []


# ------------------------------------------------------------------------------------------------ what is opened
def test_the_contract_is_asked_for_what_is_not_known(tmp_path: Path):
    file = tmp_path / "w.csv"
    file.write_bytes(quick.csv())
    asked, gathered = asking.questions(file)
    assert [q.title for q in asked if q.open] == ["where the sensor was worn"]
    known = {(q.field, q.of): q for q in asked}
    assert known["units", "acc"].known == "the file says so"
    assert known["gravity", "acc"].known.startswith("guessed: a mean of 9.8")
    answers = {key: q.value for key, q in known.items()}
    with pytest.raises(Refused, match="not said yet"):
        asking.told(asked, answers)
    assert asking.told(asked, {**answers, ("placement", ""): "left_wrist"}) == {"placement": "left_wrist"}
    told = asking.told(asked, {**answers, ("placement", ""): "chest", ("units", "acc"): "g", ("gravity", "acc"): "no"})
    assert told == {"placement": "chest", "units": {"acc": "g"}, "gravity": {"acc": False}}
    with pytest.raises(Refused, match="no number"):
        asking.told(asked, {**answers, ("placement", ""): "chest", ("rate_hz", ""): "fast"})
    one = opened.of_file(file, "w.csv", "file:w.csv", told, gathered=gathered).recording  # it is not read twice
    other = opened.of_file(file, "w.csv", "file:w.csv", told).recording
    assert one.notes == other.notes
    for name, stream in other.streams.items():
        assert one.streams[name].contract == stream.contract
        assert np.array_equal(one.streams[name].values(), stream.values())


def test_what_is_listed_can_be_read_and_what_is_sent_has_no_name(tmp_path: Path):
    (tmp_path / "in" / "corpus").mkdir(parents=True)
    for name in (
        "a.csv",
        "b.exe",
        ".c.csv",
        "a.csv.kinjo.json",
        "in/d.MP4",
        "in/corpus/corpus.json",
        "in/corpus/x.csv",
    ):
        (tmp_path / name).write_text("")
    assert opened.listed(tmp_path) == (["in/corpus"], ["a.csv", "in/d.MP4"])
    assert opened.listed(None) == ([], [])
    kept = opened.kept("../../etc/evil.csv")
    assert kept.name == "upload.csv"
    kept.parent.rmdir()
    with pytest.raises(Refused, match="not read"):
        opened.kept("x.exe")
    with pytest.raises(Refused, match="no such file"):
        opened.of_corpus(tmp_path, "../elsewhere", "x")


def test_old_recordings_are_closed_with_their_files(tmp_path: Path, desk: Desk):
    folder = tmp_path / "sent"
    folder.mkdir()
    shelf = opened.Shelf()
    first = shelf.put(opened.Opened("k", "t", desk.opened.recording, folder=folder))
    for k in range(opened.MOST_OPEN):
        shelf.put(opened.Opened(str(k), "t", desk.opened.recording))
    assert not folder.exists()
    with pytest.raises(Refused, match="not open any more"):
        shelf.get(first.id)


def test_exports_are_timelines(desk: Desk, tmp_path: Path):
    desk.label("waving", 3.0, 5.0)
    as_timeline(desk.desks.whole(desk.opened, "default"), "x").to_csv(tmp_path / "x.csv")
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert ("3.0", "5.0", "waving") in [(r["start_s"], r["end_s"], r["label"]) for r in rows]
