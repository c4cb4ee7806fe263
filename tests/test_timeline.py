"""timeline.py: hysteresis, live equals whole, spans in order and inside their windows, sinks, comparison with truth."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.recording import Segment
from kinjo.timeline import UNKNOWN, Scores, Smoother, Span, Timeline

LABELS = ("sit", "walk", "jog")


def one(*walk: float, **settings_: Any) -> list[tuple[float, float, str]]:
    """Spans of windows of one second, given the score of 'walk'; 'sit' and 'jog' stay at 0.1."""
    scores = [[0.1, score, 0.1] for score in walk]
    times = [[i, i + 1] for i in range(len(walk))]
    return [span[:3] for span in Timeline.from_scores(times, scores, LABELS, **settings_)]


@st.composite
def windows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(0, 25))
    starts = np.cumsum(draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 1 / 3, 7.0]), min_size=n, max_size=n)))
    lengths = draw(st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.1]), min_size=n, max_size=n))
    level = st.sampled_from([0.0, 0.2, 0.35, 0.4, 0.5, 0.6, 1.0])
    scores = draw(st.lists(st.lists(level, min_size=3, max_size=3), min_size=n, max_size=n))
    return np.stack([starts, starts + np.array(lengths)], 1).reshape(n, 2), np.array(scores).reshape(n, 3)


SETTINGS = st.fixed_dictionaries(
    {"min_duration_s": st.sampled_from([0.0, 0.6, 2.0]), "smooth_s": st.sampled_from([0.0, 0.7, 3.0])}
)


# ---- from scores to spans


def test_hysteresis_enters_high_and_leaves_low() -> None:
    assert one(0.4, 0.6, 0.4, 0.36, 0.3, 0.4) == [(0, 1, UNKNOWN), (1, 4, "walk"), (4, 6, UNKNOWN)]
    assert one(0.5, 0.35, 0.34) == [(0, 2, "walk"), (2, 3, UNKNOWN)]  # thresholds themselves count
    times = [[0, 1], [1, 2], [1, 2], [1, 2]]
    level = Timeline.from_scores(times, [[0, 0.6, 0], *[[0, 0.35, 0]] * 3], LABELS)
    assert [span[:3] for span in level] == [(0, 2, "walk")]  # so does their mean
    assert one(0.6, 0.4, leave=0.5) == [(0, 1, "walk"), (1, 2, UNKNOWN)]


def test_a_better_label_takes_over_only_from_enter_on() -> None:
    times = [[0, 1], [1, 2], [2, 3]]
    scores = [[0.1, 0.6, 0.1], [0.45, 0.4, 0.1], [0.6, 0.4, 0.0]]
    spans = Timeline.from_scores(times, scores, LABELS).segments
    assert [span[:3] for span in spans] == [(0, 2, "walk"), (2, 3, "sit")]
    assert spans[0].confidence == pytest.approx(0.5)


def test_confidence_of_unknown_grows_as_scores_fall() -> None:
    (span,) = Timeline.from_scores([[0, 1], [1, 2]], [[0.1, 0.2, 0.0], [0.1, 0.1, 0.0]], LABELS)
    assert span == Span(0.0, 2.0, UNKNOWN, pytest.approx(0.85))  # pyright: ignore[reportArgumentType]


def test_overlapping_windows_are_averaged_where_they_overlap() -> None:
    timeline = Timeline.from_scores([[0, 2], [1, 3]], [[0, 0.9, 0], [0, 0.3, 0]], LABELS, leave=0.5)
    assert [span[:3] for span in timeline] == [(0, 2, "walk"), (2, 3, UNKNOWN)]
    assert timeline[0].confidence == pytest.approx((0.9 + 0.6) / 2)


def test_short_spans_go_and_short_gaps_close() -> None:
    assert one(0, 0, 0.9, 0, 0, min_duration_s=2.0) == [(0, 5, UNKNOWN)]
    assert one(0.9, 0.9, 0, 0.9, 0.9, min_duration_s=2.0) == [(0, 5, "walk")]
    assert one(0.9, 0, 0.9, 0, 0.9, min_duration_s=2.0) == [(0, 5, "walk")]  # gaps close before short spans go
    assert one(0.9, 0.9, 0, 0, 0.9, 0.9, min_duration_s=2.0) == [(0, 2, "walk"), (2, 4, UNKNOWN), (4, 6, "walk")]
    times = [[i, i + 1] for i in range(5)]
    flicker = [[0, 0.9, 0], [0, 0.9, 0], [0.9, 0, 0], [0, 0.9, 0], [0, 0.9, 0]]
    (span,) = Timeline.from_scores(times, flicker, LABELS, min_duration_s=2.0)
    assert span[:3] == (0, 5, "walk")
    assert span.confidence == pytest.approx(0.72)


def test_smoothing_is_a_centred_mean() -> None:
    assert one(0.9, 0.9, 0, 0.9, 0.9, smooth_s=3.0) == [(0, 5, "walk")]
    step = one(0, 0, 0, 0.9, 0.9, 0.9, smooth_s=3.0, leave=0.5)
    assert step == [(0, 3, UNKNOWN), (3, 6, "walk")]  # no delay
    assert one(0, 0, 0.9, 0, 0, smooth_s=3.0) == [(0, 5, UNKNOWN)]
    assert one(0, 0, 0.9, 0, 0, smooth_s=5e-324) == one(0, 0, 0.9, 0, 0), "shorter than numbers tell"


def test_nothing_is_said_where_no_window_is() -> None:
    timeline = Timeline.from_scores([[0, 1], [5, 6]], [[0, 0.9, 0]] * 2, LABELS, smooth_s=30.0, min_duration_s=0.5)
    assert [span[:3] for span in timeline] == [(0, 1, "walk"), (5, 6, "walk")]
    assert timeline.at(3.0) is None
    assert len(Timeline.from_scores(np.zeros((0, 2)), np.zeros((0, 3)), LABELS)) == 0


@given(windows(), SETTINGS)
def test_spans_are_in_order_and_cover_the_windows_and_nothing_else(case: Any, how: dict[str, Any]) -> None:
    times, scores = case
    timeline = Timeline.from_scores(times, scores, LABELS, **how)
    ends = [time for span in timeline for time in span[:2]]
    assert ends == sorted(ends)
    middles = np.unique(np.r_[times.ravel(), ends])
    middles = (middles[1:] + middles[:-1]) / 2
    middles = middles[np.diff(np.unique(np.r_[times.ravel(), ends])) > 1e-5]
    covered = ((times[:, 0, None] < middles) & (middles < times[:, 1, None])).any(0)
    assert [timeline.at(m) is not None for m in middles] == covered.tolist()
    assert all(0 <= span.confidence <= 1 for span in timeline)
    for a, b in pairwise(timeline):
        assert a.end_s < b.start_s or a.label != b.label
    for span in timeline:
        assert span.label == UNKNOWN or span.end_s - span.start_s >= how["min_duration_s"] - 1e-5


@given(windows(), SETTINGS)
def test_a_live_smoother_gives_the_same_spans_and_never_takes_one_back(case: Any, how: dict[str, Any]) -> None:
    times, scores = case
    smoother, spans = Smoother(LABELS, **how), []
    for _ in range(2):  # as new after finish
        spans, now = [], 0.0
        for (start, end), row in zip(times, scores, strict=True):
            closed = smoother.push(start, end, row)
            spans += closed
            now = round(start, 6)
            assert all(span.end_s <= now for span in closed)
            assert smoother.current is None or smoother.current.end_s <= now
        spans += smoother.finish()
        assert smoother.current is None
    assert tuple(spans) == Timeline.from_scores(times, scores, LABELS, **how).segments


@given(windows())
def test_the_order_of_the_windows_does_not_matter(case: Any) -> None:
    times, scores = case
    order = np.random.default_rng(0).permutation(len(times))
    a = Timeline.from_scores(times, scores, LABELS)
    b = Timeline.from_scores(times[order], scores[order], LABELS)
    assert [span[:3] for span in a] == [span[:3] for span in b]
    np.testing.assert_allclose([s.confidence for s in a], [s.confidence for s in b])


def test_a_live_smoother_holds_little_and_is_in_time() -> None:
    smoother, said = Smoother(LABELS, min_duration_s=2.0, smooth_s=1.0), []
    for i in range(4000):
        walking = i // 100 % 2
        said += [(i / 10, span) for span in smoother.push(i / 10, i / 10 + 2, [0, 0.9 * walking, 0.9 - 0.9 * walking])]
        assert len(smoother._cells) + len(smoother._active) + len(smoother._held) < 80
    assert len(said) >= 38
    assert max(now - span.end_s for now, span in said) < 2.0 + 0.5 + 0.3  # the shortest duration and half the smoothing


def test_labels_may_change_while_a_span_is_open():
    smoother = Smoother(LABELS)
    spans = [s for k in range(3) for s in smoother.push(k, k + 1, [0.1, 0.8, 0.1])]
    smoother.relabel(("walk", "hop", "sit"))
    spans += [s for k in range(3, 5) for s in smoother.push(k, k + 1, [0.8, 0.1, 0.1])]
    assert smoother.current is not None
    assert (smoother.current.start_s, smoother.current.label) == (0.0, "walk")
    spans += smoother.push(5, 6, [0.0, 0.9, 0.1])
    smoother.relabel(("sit", "walk"))
    spans += [*smoother.push(6, 7, [0.1, 0.8]), *smoother.finish()]
    assert [s[:3] for s in spans] == [(0.0, 5.0, "walk"), (5.0, 6.0, UNKNOWN), (6.0, 7.0, "walk")]
    assert spans[0].confidence == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: Smoother(("a", "a")), "distinct"),
        (lambda: Smoother((UNKNOWN,)), "distinct"),
        (lambda: Smoother(()), "distinct"),
        (lambda: Smoother(LABELS, enter=0.3, leave=0.4), "leave"),
        (lambda: Smoother(LABELS, smooth_s=-1), "negative"),
        (lambda: Smoother(LABELS).push(0, 1, [0.1, 0.2]), "3 finite scores"),
        (lambda: Smoother(LABELS).push(0, 1, [0.1, 0.2, np.nan]), "3 finite scores"),
        (lambda: Smoother(LABELS).push(1, 1, [0.1, 0.2, 0.3]), "empty"),
        (lambda: Timeline.from_scores([[0, 1]], [[0.1, 0.2]], LABELS), "1 windows, 3 labels"),
        (lambda: Timeline((Span(0, 2, "a"), Span(1, 3, "a")), ("a",)), "overlap"),
        (lambda: Timeline((Span(2, 2, "a"),), ("a",)), "empty"),
        (lambda: Timeline((Span(0, 2, "b"),), ("a",)), "vocabulary"),
        (lambda: Timeline((), ("a",)).rethreshold(), "keep_scores"),
        (lambda: Timeline((), ("a",))[0:3:2], "step"),
    ],
)
def test_what_cannot_be_is_said(call: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        call()


def test_windows_must_come_by_start_time() -> None:
    smoother = Smoother(LABELS)
    smoother.push(1, 2, [0, 0, 0])
    with pytest.raises(ValueError, match="before"):
        smoother.push(0, 2, [0, 0, 0])


# ---- using a timeline


def _example() -> Timeline:
    rng = np.random.default_rng(0)
    times = np.stack([np.arange(0, 60, 0.5), np.arange(0, 60, 0.5) + 2], 1)
    raw = np.eye(3)[(np.arange(120) // 25) % 3] * 2 + rng.normal(0, 0.7, (120, 3))
    scores = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    return Timeline.from_scores(times, scores, LABELS, min_duration_s=1.0, recording="r1", source="made here")


def test_at_slices_and_iteration_agree() -> None:
    timeline = _example()
    assert len(list(timeline)) == len(timeline) > 3
    part = timeline[10.2:30.7]
    assert (part.segments[0].start_s, part.segments[-1].end_s) == (10.2, 30.7)
    for time in np.linspace(10.3, 30.6, 50):
        inside, whole = part.at(time), timeline.at(time)
        assert inside is not None
        assert whole is not None
        assert (inside.label, inside.confidence) == (whole.label, whole.confidence)
    assert part.scores is not None
    assert part.scores.times[0, 1] > 10.2
    assert part.scores.times[-1, 0] < 30.7
    assert timeline[:] == timeline
    assert len(timeline[100:]) == 0
    assert timeline.at(timeline[0].start_s) == timeline[0] == timeline[np.arange(1)[0]]
    assert timeline.at(timeline.segments[-1].end_s) is None
    assert timeline.at(-1.0) is None


@given(st.floats(0.1, 61.0))
def test_a_cut_timeline_merges_back(at: float) -> None:
    timeline = _example()
    joined = timeline[:at].merge(timeline[at:])
    assert [span[:3] for span in joined] == [span[:3] for span in timeline]
    np.testing.assert_allclose([s.confidence for s in joined], [s.confidence for s in timeline])


def test_merging_joins_vocabularies_and_refuses_overlap() -> None:
    a, b = Timeline((Span(0, 1, "x"),), ("x",)), Timeline((Span(1, 2, "y"),), ("y",))
    assert b.merge(a) == Timeline((Span(0, 1, "x"), Span(1, 2, "y")), ("y", "x"))
    with pytest.raises(ValueError, match="overlap"):
        a.merge(Timeline((Span(0.5, 2, "x"),), ("x",)))


def test_counts_go_with_whole_spans() -> None:
    timeline = Timeline((Span(0, 4, "x", 0.5, 3), Span(4, 5, "y"), Span(5, 9, "x", 0.5, 0)), ("x", "y"))
    assert [span.repetitions for span in timeline[:4.5]] == [3, None]
    assert [span.repetitions for span in timeline[1:]] == [None, None, 0]
    touching = Timeline((Span(9, 12, "x", 0.5, 2), Span(12, 13, "y")), ("x", "y"))
    assert timeline.merge(touching).segments[2] == Span(5, 12, "x", 0.5, 2)
    unknown = Timeline((Span(9, 12, "x", 0.5),), ("x",))
    assert timeline.merge(unknown).segments[2] == Span(5, 12, "x", 0.5, None)
    same = Timeline((Span(0, 4, "x", 0.5),), ("x",))
    with pytest.raises(ValueError, match="overlap"):
        timeline.merge(same)


def test_equality_and_other_thresholds() -> None:
    timeline = _example()
    assert timeline == _example()
    assert timeline != timeline[:20]
    assert timeline.rethreshold(min_duration_s=1.0) == timeline
    assert {span.label for span in timeline.rethreshold(enter=1.1, leave=1.1)} == {UNKNOWN}
    assert Timeline.from_scores([[0, 1]], [[1, 0, 0]], LABELS, keep_scores=False).scores is None


# ---- truth


def test_segments_become_the_truth() -> None:
    truth = Timeline.from_segments([Segment(5, 9, "jog"), Segment(0, 4, "walk", "slowly")], recording="r")
    assert truth.segments == (Span(0, 4, "walk"), Span(5, 9, "jog"))
    assert truth.labels == ("jog", "walk")
    assert Timeline.from_segments([Segment(0, 9, "squat", repetitions=4)])[0].repetitions == 4
    with pytest.raises(ValueError, match="overlap"):
        Timeline.from_segments([Segment(0, 4, "walk"), Segment(3, 5, "jog")])


def test_confusion_in_seconds() -> None:
    truth = Timeline.from_segments([Segment(0, 10, "walk"), Segment(10, 15, "jog")], LABELS)
    given_ = Timeline((Span(2, 8, "walk"), Span(8, 12, UNKNOWN), Span(12, 20, "jog")), LABELS)
    names, seconds = given_.confusion(truth)
    assert names == (*LABELS, UNKNOWN)
    wanted = np.zeros((4, 4))
    wanted[1, 1], wanted[1, 3], wanted[2, 3], wanted[2, 2], wanted[3, 2] = 6, 4, 2, 3, 5
    np.testing.assert_allclose(seconds, wanted)
    assert Timeline((), LABELS).confusion(Timeline((), LABELS))[1].sum() == 0


@given(windows(), windows())
def test_confusion_holds_all_covered_time_and_turns_with_its_sides(a: Any, b: Any) -> None:
    first, second = (Timeline.from_scores(times, scores, LABELS) for times, scores in (a, b))
    seconds = first.confusion(second)[1]
    np.testing.assert_allclose(seconds, second.confusion(first)[1].T)
    for i, label in enumerate(LABELS):
        assert seconds[:, i].sum() == pytest.approx(sum(s.end_s - s.start_s for s in first if s.label == label))
    assert np.trace(first.confusion(first)[1]) == pytest.approx(first.confusion(first)[1].sum())


def test_segment_f1() -> None:
    truth = Timeline.from_segments([Segment(0, 10, "walk"), Segment(10, 20, "jog"), Segment(30, 40, "walk")], LABELS)
    assert truth.segment_f1(truth) == 1.0
    half = Timeline((Span(0, 5, "walk"), Span(12, 20, "walk"), Span(20, 30, UNKNOWN)), LABELS)
    assert half.segment_f1(truth) == pytest.approx(2 * 1 / (2 + 3))
    assert half.segment_f1(truth, iou=0.6) == 0.0
    broken = Timeline((Span(0, 6, "walk"), Span(6.5, 10, "walk")), LABELS)
    assert broken.segment_f1(truth[:10], iou=0.1) == pytest.approx(2 / 3)  # a true span counts once
    assert Timeline((), LABELS).segment_f1(truth) == 0.0
    assert Timeline((), LABELS).segment_f1(Timeline((Span(0, 1, UNKNOWN),), LABELS)) == 1.0


# ---- files

SPANS = st.lists(st.floats(1e-3, 1e4), min_size=2, max_size=12, unique=True)
WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(lambda w: w != UNKNOWN)


@settings(max_examples=40)
@given(
    SPANS,
    st.lists(WORDS, min_size=1, max_size=4, unique=True),
    st.floats(0, 1),
    st.booleans(),
    st.none() | st.integers(0, 999),
)
def test_csv_and_json_round_trips(
    tmp_path_factory: pytest.TempPathFactory,
    times: list[float],
    words: list[str],
    confidence: float,
    kept: bool,
    count: int | None,
) -> None:
    folder, times = tmp_path_factory.mktemp("t"), sorted(times)
    spans = [
        Span(a, b, [*words, UNKNOWN][i % (len(words) + 1)], confidence, count if i else None)
        for i, (a, b) in enumerate(pairwise(times))
    ]
    scores = Scores(np.array([[0.0, 0.1]]), np.full((1, len(words)), confidence)) if kept else None
    timeline = Timeline(tuple(spans), tuple(words), "é1", 'a "source", x', scores)
    timeline.to_json(folder / "t.json")
    timeline.to_csv(folder / "t.csv")
    read = Timeline.from_json(folder / "t.json")
    assert read == timeline
    if scores is None:
        assert read.scores is None
    else:
        assert read.scores is not None
        np.testing.assert_array_equal(read.scores.values, scores.values)
        np.testing.assert_array_equal(read.scores.times, scores.times)
    assert Timeline.from_csv(folder / "t.csv", words, recording="é1", source='a "source", x') == timeline
    assert {path.name for path in folder.iterdir()} == {"t.csv", "t.json"}


def test_parquet(tmp_path: Path) -> None:
    timeline = _example()
    timeline.to_parquet(tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [Span(**{k: row[k] for k in Span._fields}) for row in rows] == list(timeline)
    assert {row["recording"] for row in rows} == {"r1"}
    counted = Timeline((Span(0, 2, "sit"), Span(2, 9, "walk", 0.5, 7)), LABELS)
    counted.to_parquet(tmp_path / "counted.parquet")
    assert pq.read_table(tmp_path / "counted.parquet")["repetitions"].to_pylist() == [None, 7]
    Timeline((), LABELS).to_parquet(tmp_path / "empty.parquet")
    assert pq.read_table(tmp_path / "empty.parquet").schema == pq.read_table(tmp_path / "t.parquet").schema


def test_csv_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("label,start_s,end_s\nwalk,0,1.5\nunknown,1.5,2\n", encoding="utf-8")
    assert Timeline.from_csv(tmp_path / "t.csv") == Timeline((Span(0, 1.5, "walk"), Span(1.5, 2, UNKNOWN)), ("walk",))
    (tmp_path / "sheet.csv").write_text("start_s,end_s,label,repetitions\n0,1,walk,12.0\n1,2,walk,\n", encoding="utf-8")
    assert [span.repetitions for span in Timeline.from_csv(tmp_path / "sheet.csv")] == [12, None]
    old = '{"start_s": 0.0, "end_s": 1.0, "label": "walk", "confidence": 0.5}'
    head = '"format": 1, "recording": "", "source": "", "labels": ["walk"], "scores": null'
    (tmp_path / "old.json").write_text(f'{{{head}, "segments": [{old}]}}', encoding="utf-8")
    assert Timeline.from_json(tmp_path / "old.json").segments == (Span(0.0, 1.0, "walk", 0.5),)
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="start_s"):
        Timeline.from_csv(tmp_path / "wrong.csv")
    (tmp_path / "word.csv").write_text("start_s,end_s,label\n0,1,walk\n1,two,walk\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"word\.csv: line 3"):
        Timeline.from_csv(tmp_path / "word.csv")
    (tmp_path / "new.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(ValueError, match="format 99"):
        Timeline.from_json(tmp_path / "new.json")


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.json"
    _example().to_json(path)
    before = path.read_bytes()

    def fail(self: Path, *_: Any, **__: Any) -> None:
        self.touch()
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="disk full"):
        _example().to_json(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_draws_every_label_that_occurs(tmp_path: Path, suffix: str) -> None:
    truth = Timeline.from_segments([Segment(0, 12.5, "sit"), Segment(12.5, 25, "walk"), Segment(25, 38, "jog")], LABELS)
    path = tmp_path / f"t{suffix}"
    _example().plot(path, truth=truth, title="a plot")
    assert path.stat().st_size > 2000
    assert list(tmp_path.iterdir()) == [path]
    many = tuple(f"label {i}" for i in range(40))
    Timeline(tuple(Span(i, i + 1, label) for i, label in enumerate(many)), many).plot(path)
    Timeline((), ()).plot(path)


def test_plot_writes_counts_where_they_fit(tmp_path: Path) -> None:
    spans = (Span(0, 20, "walk", 0.5, 77), Span(20, 20.1, "jog", 0.5, 88), Span(21, 40, "sit", 0.5))
    Timeline(spans, LABELS).plot(tmp_path / "t.svg", title="")
    drawn = (tmp_path / "t.svg").read_text(encoding="utf-8")
    assert "<!-- 77 -->" in drawn
    assert "<!-- 88 -->" not in drawn
