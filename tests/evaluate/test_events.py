"""Events of timelines: matches pooled over recordings, and kinds of faults by hand."""

import numpy as np
import pytest

from kinjo.evaluate.events import events
from kinjo.timeline import Span, Timeline


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
