"""Result rows: merged by id, stable, finite, and silent about the machine's folders."""

import json

import numpy as np
import pytest

from kinjo import __version__
from kinjo.evaluate.report import commit, describe_machine, load_rows, markdown_table, row, write_rows


def one(id="a.b", value=0.5, **more):
    return row(id, value, "fraction", command="make bench-a", **more)


def test_a_row_holds_what_is_needed_to_trust_it():
    got = one(ci95=(0.4, np.float32(0.6)), seeds=3, baseline={"minirocket": 0.3}, protocol="5-way", machine="x")
    wanted = ["id", "value", "unit", "ci95", "seeds", "baseline", "protocol", "trained_on"]
    assert list(got) == [*wanted, "command", "commit", "date", "kinjo", "machine"]
    assert got["ci95"] == [0.4, 0.6]
    assert (got["kinjo"], got["commit"], got["trained_on"]) == (__version__, commit(), "nothing")
    assert len(got["date"]) == 10
    assert one(value=np.float64(1 / 3))["value"] == 0.333333
    json.dumps(got)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"value": float("nan")}, "not a finite"),
        ({"baseline": {"x": float("inf")}}, "not a finite"),
        ({"value": True}, "one number"),
        ({"ci95": (0.6, 0.4)}, "low, high"),
        ({"protocol": "data in /home/me/data"}, "names a path"),
        ({"trained_on": "~/data/x"}, "names a path"),
        ({"note": r"C:\data"}, "names a path"),
        ({"note": {1, 2}}, "no place"),
        ({"id": ""}, "lacks id"),
    ],
)
def test_bad_rows_are_refused(more, words):
    with pytest.raises(ValueError, match=words):
        one(**more)


def test_words_that_only_look_like_paths_pass():
    text = "IMU / pose, m/s^2, see https://example.org/a/b and benchmarks/results/x.json, and/or 1/2"
    assert one(protocol=text)["protocol"] == text


def test_write_merges_by_id_and_is_stable(tmp_path):
    path = tmp_path / "results" / "a.json"
    write_rows(path, [one("z", 1), one("a", 0.25, ci95=(0.2, 0.3))])
    before = path.read_text()
    assert "[0.2, 0.3]" in before
    write_rows(path, [one("z", 1)])
    assert path.read_text() == before
    write_rows(path, [one("m", 2.0), one("a", 0.75)])
    rows = json.loads(path.read_text())
    assert [(r["id"], r["value"]) for r in rows] == [("a", 0.75), ("m", 2.0), ("z", 1)]
    assert "ci95" not in rows[0]
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]
    with pytest.raises(ValueError, match="more than one row for z"):
        write_rows(path, [one("z"), one("z")])


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_rows(path, [one()])
    before = path.read_text()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_rows(path, [one("new")])
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{not json")
    with pytest.raises(ValueError, match=r"a\.json is not JSON"):
        write_rows(path, [one()])
    path.write_text('{"id": 1}')
    with pytest.raises(ValueError, match="not a list of rows"):
        load_rows(tmp_path)
    assert path.read_text() == '{"id": 1}'


def test_load_wants_one_row_per_id(tmp_path):
    write_rows(tmp_path / "a.json", [one("b"), one("d")])
    write_rows(tmp_path / "b.json", [one("c")])
    assert [r["id"] for r in load_rows(tmp_path)] == ["b", "c", "d"]
    write_rows(tmp_path / "b.json", [one("d")])
    with pytest.raises(ValueError, match="more than one row for d"):
        load_rows(tmp_path)


def test_table_and_machine():
    rows = [one("a", 0.87654, ci95=(0.8, 0.9), seeds=3, baseline={"minirocket": 0.77}, protocol="5|way")]
    rows.append(row("s", 123456.0, "episodes/s", command="x"))
    lines = markdown_table(rows).splitlines()
    assert len(lines) == 4
    assert lines[2] == "| `a` | 0.877 [0.800, 0.900] | minirocket 0.770 | 3 | 5\\|way | nothing |"
    assert "123,456 episodes/s" in lines[3]
    assert "2 threads used" in describe_machine(2)
