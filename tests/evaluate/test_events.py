"""Events of timelines: matches pooled over recordings, and kinds of faults by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from kinjo.evaluate.events import events
from kinjo.recording import Segment
from kinjo.timeline import UNKNOWN, Span, Timeline


def line(*spans: tuple[float, float, str]) -> Timeline:
    return Timeline(tuple(Span(a, b, name, 1.0) for a, b, name in spans), ("squat", "wave"))


def test_counts_faults_by_kind() -> None:
    truth = line((0, 10, "squat"), (20, 30, "wave"), (40, 50, "squat"))
    found = line((0, 4, "squat"), (6, 10, "squat"), (20, 30, "wave"), (60, 70, "wave"))
    got = events([found], [truth], ["p"], np.random.default_rng(0))
    assert (got.insertions, got.deletions, got.fragmented, got.merged) == (1, 1, 1, 0)
    assert got.counts.tolist() == [[1, 4, 3]]  # the halves overlap by less than one half
    assert got.f1 == pytest.approx(2 / 7)
    back = events([truth], [found], ["p"], np.random.default_rng(0))
    assert (back.insertions, back.deletions, back.fragmented, back.merged) == (1, 1, 0, 1)


def test_recordings_are_pooled_and_the_interval_is_over_people() -> None:
    right, nothing = line((0, 10, "squat")), line()
    got = events([right, nothing], [right, right], ["a", "b"], np.random.default_rng(0))
    assert got.f1 == pytest.approx(2 / 3)
    assert got.ci95 == (0.0, 1.0)
    assert got.frame_accuracy == pytest.approx(0.5)


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="truth and a group"):
        events([line()], [], ["a"], np.random.default_rng(0))


LABELS = ("a", "b", "c")


def track(*spans: tuple[float, float, str]) -> Timeline:
    return Timeline(tuple(Span(*s) for s in spans), LABELS)


@st.composite
def lines(draw, most: int = 6) -> Timeline:
    """Spans with borders at whole seconds, with gaps and unknown time."""
    cuts = sorted(draw(st.sets(st.integers(0, 25), max_size=2 * most)))
    spans = [(float(a), float(b)) for a, b in pairwise(cuts)]
    spans = [s for s in spans if draw(st.integers(0, 3))][:most]
    return track(*((a, b, draw(st.sampled_from((*LABELS, UNKNOWN)))) for a, b in spans))


def one(found: Timeline, truth: Timeline, **more):
    return events([found], [truth], ["p"], np.random.default_rng(0), bootstrap=5, **more)


@given(lines(), lines())
def test_counts_by_class_and_recording_are_those_of_the_timeline(found: Timeline, truth: Timeline):
    if not len(found) and not len(truth):
        return
    both = events([found, truth], [truth, truth], ["p", "q"], np.random.default_rng(0), bootstrap=20)
    wanted = np.array([found.matches(truth), truth.matches(truth)])
    np.testing.assert_array_equal(both.counts, wanted)
    parts = np.array(list(both.per_class.values())).reshape(-1, 3)
    np.testing.assert_array_equal(parts.sum(0), wanted.sum(0))
    assert one(found, truth).f1 == pytest.approx(found.segment_f1(truth))
    assert 0 <= both.ci95[0] <= both.ci95[1] <= 1
    assert 0 <= both.frame_macro_f1 <= 1


@given(lines(), lines())
def test_time_is_scored_as_by_scikit_learn(found: Timeline, truth: Timeline):
    """Second by second: what only one side covers is unknown on the other."""
    if not len(found) and not len(truth):
        return
    at = [(found.at(t + 0.5), truth.at(t + 0.5)) for t in range(25)]
    pairs = [(a.label if a else UNKNOWN, b.label if b else UNKNOWN) for a, b in at if a or b]
    given_, asked = zip(*pairs, strict=True)
    result = one(found, truth)
    assert result.frame_accuracy == pytest.approx(np.mean([x == y for x, y in pairs]))
    wanted = f1_score(asked, given_, labels=sorted(set(asked)), average="macro", zero_division=0.0)  # pyright: ignore[reportArgumentType]
    assert result.frame_macro_f1 == pytest.approx(wanted)


def test_itself_is_perfect():
    truth = Timeline.from_segments([Segment(0, 4, "a"), Segment(5, 9, "b")])
    same = one(truth, truth)
    assert (same.f1, same.macro_f1, same.frame_accuracy, same.frame_macro_f1) == (1, 1, 1, 1)
    assert (same.insertions, same.deletions, same.fragmented, same.merged) == (0, 0, 0, 0)


def test_kinds_of_faults():
    truth = track((0, 10, "a"), (20, 30, "b"), (40, 45, "c"), (46, 50, "c"))
    found = track((0, 4, "a"), (5, 10, "a"), (12, 15, "a"), (40, 50, "c"), (60, 70, UNKNOWN))
    result = one(found, truth)
    assert (result.insertions, result.deletions, result.fragmented, result.merged) == (1, 1, 1, 1)
    assert result.per_class == {"a": (1, 3, 1), "b": (0, 0, 1), "c": (1, 1, 2)}
    assert result.f1 == pytest.approx(2 * 2 / (4 + 4))
    assert result.macro_f1 == pytest.approx((2 * 1 / 4 + 0 + 2 * 1 / 3) / 3)


def test_iou_is_asked():
    truth, found = track((0, 100, "a")), track((0, 90, "a"))
    assert one(found, truth).f1 == 1
    assert one(found, truth, iou=0.95).f1 == 0


def test_intervals_draw_subjects_not_recordings():
    good, bad = track((0, 10, "a"), (12, 20, "b")), track((0, 3, "c"))
    truth = [good] * 6
    found, who = [good] * 3 + [bad] * 3, ["p"] * 3 + ["q"] * 3
    result = events(found, truth, who, np.random.default_rng(0))
    assert result.f1 == pytest.approx(2 * 6 / (9 + 12))
    assert result.ci95 == (0, 1)  # two people, one of them all wrong
    many = events(found * 20, truth * 20, who * 20, np.random.default_rng(0))
    assert many.ci95 == (0, 1)
    apart = events(found * 20, truth * 20, [str(k) for k in range(120)], np.random.default_rng(0))
    assert 0 < apart.ci95[0] < result.f1 < apart.ci95[1] < 1


def test_nothing_found_where_nothing_is():
    idle = track((0, 10, UNKNOWN))
    assert one(idle, idle).f1 == one(idle, idle).macro_f1 == idle.segment_f1(idle) == 1
    wrong = one(track((0, 10, "a")), idle)
    assert (wrong.f1, wrong.macro_f1, wrong.insertions) == (0, 0, 1)


def test_what_cannot_be_compared_is_refused():
    truth = track((0, 1, "a"))
    for found, who in (([], []), ([truth], []), ([truth, truth], ["p"])):
        with pytest.raises(ValueError, match="a truth and a group"):
            events(found, [truth] * len(found), who, np.random.default_rng(0))
    with pytest.raises(ValueError, match="cover any time"):
        one(track(), track())
