"""Models judged on labelled recordings: counted by person, differences paired; and their rows."""

from dataclasses import replace

import numpy as np
import pytest
from _judged import PLAIN, made

from kinjo.corpus import Corpus
from kinjo.evaluate.metrics import macro_f1
from kinjo.recognizer import Recognizer
from kinjo.studio import judging, sheets
from kinjo.timeline import UNKNOWN, Timeline


def told(done: int, total: int) -> None:
    """Nobody looks."""


def test_a_model_is_judged_as_its_timelines_are(word_model: Recognizer, searched: Corpus):
    judged = judging.judge(word_model, "words", searched, "gym", told)
    assert judged.recordings == tuple(searched.recordings)
    assert len(judged.subjects) == 3
    total = {}
    for entry in searched.entries:
        truth = Timeline.from_segments([s for s in entry.segments if s.label])
        r = searched.recording(entry.id)
        streams = {n: s for n, s in r.streams.items() if s.contract.modality != "video"}
        names, seconds = word_model.recognize(replace(r, streams=streams)).confusion(truth)
        for i, a in enumerate(names):
            for j, b in enumerate(names):
                total[a, b] = total.get((a, b), 0.0) + seconds[i, j]
    for i, a in enumerate(judged.names):
        for j, b in enumerate(judged.names):
            assert judged.confusion[i, j] == pytest.approx(total.get((a, b), 0.0))
    assert judged.confusion.sum() == pytest.approx(sum(total.values()))
    figures = judging.figures(judged)
    assert figures.values[-2] == pytest.approx(float(macro_f1(np.round(judged.confusion * 1e6))), abs=1e-6)
    low, high = figures.ci(-2) or (1, 0)
    assert low <= figures.values[-2] <= high


def test_no_labels_and_no_streams_say_so(word_model: Recognizer, quick_model: Recognizer, searched: Corpus):
    class Bare:
        entries = tuple(replace(e, segments=()) for e in searched.entries)

    with pytest.raises(ValueError, match="no recording of 'gym' has labels"):
        judging.judge(word_model, "words", Bare(), "gym", told)
    judged = judging.judge(quick_model, "quick", searched, "gym", told)
    assert [one.partition(":")[0] for one in judged.missed] == ["gym_3"]  # a pose alone


def test_figures_are_right():
    figures = judging.figures(made(PLAIN))
    confusion = np.sum(PLAIN, 0)
    f1 = 2 * np.diag(confusion) / (confusion.sum(0) + confusion.sum(1))
    np.testing.assert_allclose(figures.values, [*f1, f1.mean(), np.trace(confusion) / confusion.sum()])
    assert all(figures.ci(k) is not None for k in range(-2, 3))


def test_a_single_person_has_no_interval():
    assert judging.figures(made(PLAIN[:1], ("a",))).ci(-2) is None
    alone = np.array(PLAIN, float)
    alone[1, 0] = 0  # only the first one sits
    figures = judging.figures(made(alone))
    assert figures.ci(0) is None
    assert figures.ci(1) is not None
    never = np.array(PLAIN, float)
    never[:, 0] = 0
    assert np.isnan(judging.figures(made(never)).values[0])


def test_differences_are_paired_where_recordings_are_the_same():
    worse = np.array(PLAIN, float)
    worse[:, 1] = [[5, 5, 0], [4, 6, 0]]
    both = judging.compared(made(PLAIN), made(worse))
    assert both.paired
    lines = {line[0]: line for line in both.lines}
    assert lines["walk"][3] > 0
    low, high = lines["walk"][4] or (1, 0)
    assert 0 < low <= lines["walk"][3] <= high
    assert lines["mean F1"][3] == pytest.approx(lines["mean F1"][1] - lines["mean F1"][2])
    other = judging.compared(made(PLAIN), made(worse, recordings=("r1", "r9")))
    assert not other.paired
    assert all(line[4] is None for line in other.lines)
    short = judging.compared(made(PLAIN), made(np.array(PLAIN) / 2))  # another truth
    assert not short.paired


def test_labels_of_one_model_alone_count():
    second = made(PLAIN, names=("walk", "run", UNKNOWN))
    lines = {line[0]: line for line in judging.compared(made(PLAIN), second).lines}
    assert set(lines) == {"run", "sit", "walk", UNKNOWN, "mean F1", "time right"}
    assert np.isnan(lines["run"][1])


def test_rows_go_out_and_come_back():
    judged = made(PLAIN)
    rows = judging.rows(judged)
    back = sheets.sheet("saved.json", judging.as_json(rows))
    assert [row["id"] for row in back.rows][:2] == ["studio.data.macro_f1", "studio.data.time_right"]
    again = back.judged["studio.data.macro_f1"]
    np.testing.assert_allclose(again.seconds, judged.seconds)
    assert (again.names, again.subjects, again.recordings) == (judged.names, judged.subjects, judged.recordings)
    assert all("confusion" not in row for row in sheets.table(back.rows))


@pytest.mark.parametrize(
    "change",
    [
        {"cells": [[0, 0, 9, 1.0]]}, {"cells": [[-1, 0, 0, 1.0]]}, {"cells": [[0, 0, 0, -1.0]]}, {"cells": 3},
        {"cells": [[0, 0, 0, "x"]]}, {"names": None}, {"names": []}, {"names": ["x"] * 5000},
    ],
)  # fmt: skip
def test_a_confusion_that_is_none_is_refused(change):
    with pytest.raises(ValueError, match=r"."):
        judging.of_dict({**made(PLAIN).to_dict(), **change})
