import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo import corpus
from kinjo.corpus import CorpusError, Overlap, VideoSize, audit, fingerprints, leaks
from kinjo.recording import Contract, Recording, Stream

Make = Callable[..., Recording]


def found(root: Path, train: list[Recording], test: list[Recording], *, shared: tuple[str, ...] = ()) -> list[Overlap]:
    opened = corpus.write([*train, *test], root, resume=False, video=VideoSize(8))
    parts = {"train": [r.id for r in train], "test": [r.id for r in test]}
    return audit(opened, corpus.make(opened, "split", parts, shared=shared))


def test_a_clean_split_is_silent(tmp_path: Path, made: Make) -> None:
    train = [made(f"a{k}", seed=k, subject=f"s{k}", twin=f"t{k}") for k in range(5)]
    test = [made(f"b{k}", seed=9 + k, subject=f"x{k}", twin=f"u{k}") for k in range(5)]
    assert found(tmp_path, train, test) == []
    assert corpus.to_text([]) == "no overlap"
    assert json.loads(corpus.to_json([])) == {"leaks": 0, "overlaps": []}
    opened = corpus.Corpus.open(tmp_path)
    assert audit(opened, corpus.by_subject(opened, {"train": 0.5, "val": 0.2, "test": 0.3}, seed=1)) == []


def test_the_same_recording(tmp_path: Path, made: Make) -> None:
    opened = corpus.write([made("a"), made("b", seed=1, subject="s2"), made("c", seed=2, subject="s3")], tmp_path)
    split = corpus.make(opened, "bad", {"train": ["a", "b"], "val": ["c"], "test": ["a"]})
    kinds = [(o.kind, o.part_a, o.part_b, o.a) for o in audit(opened, split)]
    assert kinds == [("recording", "train", "test", "a"), ("subject", "train", "test", "s1")]
    with pytest.raises(CorpusError, match="no recording 'gone'"):
        audit(opened, replace(split, parts={"train": ("a",), "test": ("gone",)}))


def test_the_same_subject_and_a_declared_one(tmp_path: Path, made: Make) -> None:
    train, test = [made("a"), made("c", seed=2)], [made("b", seed=1)]
    (overlap,) = found(tmp_path, train, test)
    assert (overlap.kind, overlap.a, overlap.declared) == ("subject", "s1", False)
    assert "2 and 1 recordings" in overlap.detail
    declared = found(tmp_path, train, test, shared=("subject",))
    assert declared == [replace(overlap, declared=True)]
    assert leaks(declared) == []
    assert corpus.to_text(declared).splitlines()[-1] == "0 leaks, 1 declared overlaps"
    (unknown,) = found(tmp_path, [made("a", subject="unknown")], [made("b", seed=1, subject="unknown")])
    assert "cannot be told apart" in unknown.detail


def test_twins(tmp_path: Path, made: Make) -> None:
    train, test = [made("a", twin="m1", subject="s1")], [made("b", seed=1, twin="m1", subject="s2")]
    (overlap,) = found(tmp_path, train, test)
    assert (overlap.kind, overlap.a, overlap.b) == ("twin", "a", "b")


@pytest.mark.parametrize(
    ("one", "two", "seconds"),
    [("v.mp4", "v.mp4", 4.0), ("v.mp4#t=2,6", "v.mp4#t=5,9", 1.0), ("v.mp4#t=2", "v.mp4#t=5", 1.0),
     ("v.mp4#t=0,4", "v.mp4#t=4,8", 0.0), ("v.mp4#t=2,6", "w.mp4#t=5,9", 0.0), ("", "", 0.0)],
)  # fmt: skip
def test_intervals_of_one_source(tmp_path: Path, made: Make, one: str, two: str, seconds: float) -> None:
    overlaps = found(tmp_path, [made("a", source=one)], [made("b", seed=1, source=two, subject="s2")])
    assert [(o.kind, o.seconds) for o in overlaps] == ([("interval", seconds)] if seconds else [])


def test_the_same_samples_under_another_name(tmp_path: Path, made: Make) -> None:
    original = made("a", 20.0)
    acc = original.streams["acc"]
    rng = np.random.default_rng(9)
    values = rng.normal(size=(700, 3)).astype(np.float32)
    values[123:273] = acc.values(401, 551)  # 3 s, at another offset, under another name and rate
    contract = replace(acc.contract, rate_hz=60.0, placement="chest")
    other = Recording("b", {"stolen": Stream.of("stolen", contract, values)}, subject="s2")
    (overlap,) = found(tmp_path, [original], [other, made("c", seed=3, subject="s3")])
    assert (overlap.kind, overlap.a, overlap.b) == ("content", "a", "b")
    assert 2.7 < overlap.seconds < 3.3
    assert "acc and stolen" in overlap.detail
    report = json.loads(corpus.to_json([overlap]))
    assert report["overlaps"][0]["kind"] == "content"
    assert corpus.to_text([overlap]).startswith("LEAK     content   train | test: a | b (identical samples")


def test_sensors_at_rest_are_no_leak(tmp_path: Path, made: Make) -> None:
    contract = made("x").streams["acc"].contract
    still = np.tile(np.array([0, 0, 9.81], np.float32), (400, 1))
    flicker = still.copy()
    flicker[::5, 0] = 0.01  # a quantised sensor at rest
    for values in (still, flicker):
        train, test = (
            Recording(id, {"acc": Stream.of("acc", contract, values)}, subject=id, source=id) for id in ("a", "b")
        )
        assert found(tmp_path, [train], [test]) == []


def test_the_same_video(tmp_path: Path, contracts: dict[str, Contract]) -> None:
    rng = np.random.default_rng(0)
    clip, another = (rng.integers(1, 4000, (5, 8, 8)).astype(np.uint16) for _ in range(2))
    contract = replace(contracts["depth"], units="mm")
    train, test, third = (
        Recording(id, {"depth": Stream.of("depth", contract, frames)}, subject=id, source=id)
        for id, frames in (("a", clip), ("b", clip), ("c", another))
    )
    (overlap,) = found(tmp_path, [train], [test, third])
    assert (overlap.kind, overlap.a, overlap.b, overlap.detail) == ("content", "a", "b", "the same video file")


def test_a_run_that_is_everywhere_does_not_explode(tmp_path: Path, made: Make) -> None:
    same = [made(f"r{k}", seed=0, subject=f"s{k}") for k in range(60)]
    overlaps = found(tmp_path, same[:30], same[30:])
    assert {o.kind for o in overlaps} == {"content"}
    assert 100 < len(overlaps) < 2000
    assert corpus.to_text(overlaps, limit=3).count("\n") == 4


@settings(max_examples=60, deadline=None)
@given(st.integers(39, 120), st.integers(0, 200), st.integers(0, 200), st.integers(0, 9))
def test_any_shared_run_of_39_samples_meets_itself(length: int, before: int, after: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(length, 2, 3))
    one, two = (
        np.concatenate([rng.normal(size=(n, 2, 3)), shared, rng.normal(size=(m, 2, 3))]).astype(np.float32)
        for n, m in ((before, after), (after, 17))
    )
    (a, at), (b, bt) = fingerprints(one), fingerprints(two)
    common = np.intersect1d(a, b)
    assert len(common)
    for value in common:
        assert at[a == value][0] - before == bt[b == value][0] - after


def test_fingerprints_by_hand() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 3)).astype(np.float32)
    hashes, at = fingerprints(values, thin=1)
    assert len(hashes) == len(set(hashes.tolist())) == 300 - 31
    assert at.tolist() == list(range(269))
    np.testing.assert_array_equal(fingerprints(values[100:132], thin=1)[0], hashes[100:101])
    assert len(fingerprints(values[:7])[0]) == 0
    assert len(fingerprints(values[:20])[0]) == 1
    assert 0.1 < len(fingerprints(values)[0]) / 269 < 0.4


def test_long_streams_are_hashed_in_pieces_without_seams(tmp_path: Path, made: Make) -> None:
    rng = np.random.default_rng(0)
    contract = made("x").streams["acc"].contract
    long = rng.normal(size=((1 << 16) + 5000, 1)).astype(np.float32)
    seam = 1 << 16
    clip = np.concatenate([rng.normal(size=(11, 1)).astype(np.float32), long[seam - 20 : seam + 20]])
    train, test = (
        Recording(id, {"acc": Stream.of("acc", contract, values)}, subject=id, source=id)
        for id, values in (("a", long), ("b", clip))
    )
    (overlap,) = found(tmp_path, [train], [test])
    assert overlap.kind == "content"
