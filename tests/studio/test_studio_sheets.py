"""Files of results: kinjo's rows, what ``kinjo evaluate`` writes, and all else, which is refused in words."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from _judged import PLAIN, made

from kinjo.studio import judging, sheets
from kinjo.studio.problems import Refused

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def of(told: Any) -> sheets.Sheet:
    return sheets.sheet("x.json", json.dumps(told).encode())


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda p: p.stem)
def test_every_file_of_rows_is_read_whole(path: Path):
    rows = json.loads(path.read_text(encoding="utf-8"))
    sheet = sheets.sheet(path.name, path.read_bytes())
    assert [(r["id"], r["value"]) for r in sheet.rows] == [(r["id"], r["value"]) for r in rows]
    assert [r.get("ci95") for r in sheet.rows] == [r.get("ci95") for r in rows]


def test_what_evaluate_writes_is_read():
    line = {"input": "all", "budget": "all labels", "arm": "joint", "macro_f1": 0.9, "ci95": [0.8, 0.95]}
    table = {"windows": 10, "subjects": 4, "lines": [line, {**line, "arm": "scratch", "macro_f1": 0.7}]}
    assert [(r["id"], r["value"]) for r in of(table).rows] == [
        ("all, all labels, joint", 0.9), ("all, all labels, scratch", 0.7)
    ]  # fmt: skip
    assert [r["id"] for r in of({"left_out": [table, table]}).rows][2] == "2: all, all labels, joint"
    robust = {"windows": 1, "subjects": 1, "rows": [{"perturbation": "noise", "level": "0.1", "macro_f1": 0.5}]}
    assert of(robust).rows[0]["id"] == "noise, 0.1"
    few = {"protocol": "5-way", "results": {"imu": {"accuracy": 0.8, "ci95": [0.7, 0.9]}}}
    assert (of(few).rows[0]["id"], of(few).rows[0]["ci95"]) == ("imu", [0.7, 0.9])
    asked = {"imu_pose": {"recall": {"1": 0.5, "5": 0.9}, "map": 0.4, "per_class": {}, "queries": 7}}
    assert [r["id"] for r in of(asked).rows] == ["imu_pose R@1", "imu_pose R@5"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b"{}", b'[{"id": 1, "value": 2}]', b'[{"id": "x", "value": NaN}]', b'{"lines": [3]}',
     b'{"rows": 3}', b'{"results": []}', b"[" * 100_000, b"\xff\xfe", b'[{"id": "x", "value": true}]',
     b'{"x": {"recall": 3}}', b'{"left_out": [{}]}', b'{"left_out": [3]}'],
    ids=str,
)  # fmt: skip
def test_what_holds_no_results_is_refused(content: bytes):
    with pytest.raises(ValueError, match=r"results"):
        sheets.sheet("x.json", content)


def test_rows_that_lie_are_shown_without_what_is_wrong():
    row = of([{"id": "x", "value": 1, "ci95": "no", "baseline": {"a": "b", "c": 2}, "confusion": 3}]).rows[0]
    assert row == {"id": "x", "value": 1.0, "unit": "", "baseline": {"c": 2.0}}
    with pytest.raises(ValueError, match="not a confusion"):
        of([{"id": "x", "value": 1, "confusion": {}}])


def test_results_of_the_data_folder_are_found_and_none_outside(tmp_path: Path):
    root = tmp_path / "data"
    (root / "in" / "corpus").mkdir(parents=True)
    for place in ("a.json", "in/b.json", "in/corpus/c.json"):
        shutil.copy(RESULTS / "utd_oneshot.json", root / place)
    (root / "in" / "corpus" / "corpus.json").write_text("{}")
    (root / "pose.json").write_text('{"frames": []}')
    shutil.copy(RESULTS / "utd_oneshot.json", tmp_path / "secret.json")
    (root / "link.json").symlink_to(tmp_path / "secret.json")
    assert sheets.found(root) == ["a.json", "in/b.json"]
    assert sheets.found(None) == []
    for trick in ("../secret.json", "link.json", "/etc/passwd", "in", "a.json\0"):
        with pytest.raises((Refused, ValueError)):
            sheets.of_file(root, trick)


def test_two_results_are_matched_by_id_and_say_what_differs():
    a = of([{"id": "x", "value": 0.5, "unit": "fraction", "protocol": "p"}, {"id": "y", "value": 1}])
    b = of([{"id": "x", "value": 0.75, "unit": "fraction", "protocol": "q"}])
    (one,) = sheets.beside(a, b)
    assert (one.id, one.difference, one.ci95) == ("x", -0.25, None)
    assert "not paired" in one.why
    assert "protocols differ" in one.why


def test_two_models_on_the_same_recordings_are_paired():
    better = [[[10, 0, 0], [0, 10, 0], [0, 0, 5]], [[9, 1, 0], [0, 10, 0], [0, 0, 5]]]
    first, second = (sheets.sheet("x", judging.as_json(judging.rows(made(s)))) for s in (better, PLAIN))
    rows = {one.id: one for one in sheets.beside(first, second)}
    one = rows["studio.data.macro_f1"]
    assert one.difference > 0
    assert one.ci95 is not None
    assert one.ci95[0] > 0
    assert one.why == "paired: the same recordings, bootstrap over people"
    assert rows["studio.data.f1.sit"].ci95 is None
