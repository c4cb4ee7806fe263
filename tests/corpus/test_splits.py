import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo import corpus
from kinjo.corpus import Corpus, CorpusError, Split
from kinjo.recording import Recording, Segment

Make = Callable[..., Recording]


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """4 subjects x 3 classes x 2 takes, each seen by two cameras."""
    recordings = [
        Recording(f"{s}{c}{take}{camera}", {}, (Segment(0, 1, c),), s, twin=f"{s}{c}{take}")
        for s in "pqrs"
        for c in "xyz"
        for take in "12"
        for camera in "LR"
    ]
    return corpus.write(recordings, tmp_path_factory.mktemp("people"))


def test_by_subject(people: Corpus) -> None:
    split = corpus.by_subject(people, {"train": ["p", "r"], "test": ["q"]})
    assert split.subjects == {"train": ("p", "r"), "test": ("q",)}
    assert split.classes["test"] == ("x", "y", "z")
    assert {id[0] for id in split["train"]} == {"p", "r"}
    assert len(split["train"]) == 24
    assert (split.dropped, split.shared) == (12, ())
    with pytest.raises(CorpusError, match=r"no part 'val'. It has: train, test"):
        split["val"]
    for bad, match in (({"a": ["nobody"]}, "no subject 'nobody'"), ({"a": ["p"], "b": ["p"]}, "given to part 'a'")):
        with pytest.raises(CorpusError, match=match):
            corpus.by_subject(people, bad)
    with pytest.raises(CorpusError, match="not by both"):
        corpus.by_subject(people, {"a": ["p"], "b": 0.5})  # type: ignore[dict-item]


@settings(max_examples=30, deadline=None)
@given(shares=st.lists(st.floats(0.05, 1), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_shares_place_every_group_once(people: Corpus, shares: list[float], seed: int) -> None:
    parts = {f"p{k}": share / sum(shares) * 0.9999 for k, share in enumerate(shares)}
    for make in (corpus.by_subject, corpus.by_recording):
        split = make(people, parts, seed=seed)
        placed = [id for ids in split.parts.values() for id in ids]
        assert len(set(placed)) == len(placed) == len(people)
        assert split.dropped == 0
        assert all(split.parts.values())
        assert split == make(people, parts, seed=seed)
    homes = {id: part for part, ids in split.parts.items() for id in ids}
    assert all(homes[id] == homes[id[:-1] + "R"] for id in homes)


def test_by_recording_follows_the_seed_and_the_share(people: Corpus) -> None:
    splits = [corpus.by_recording(people, {"train": 0.5, "test": 0.25}, seed=k) for k in range(4)]
    assert len({split["train"] for split in splits}) > 1
    assert all(len(split["train"]) == 24 and len(split["test"]) == 12 and split.dropped == 12 for split in splits)
    assert splits[0].shared == ("subject",)
    for bad in ({"a": 0.7, "b": 0.7}, {"a": 0.0}, {"a": float("nan")}, {}):
        with pytest.raises(CorpusError, match="shares must be"):
            corpus.by_recording(people, bad)
    with pytest.raises(CorpusError, match="4 subject groups cannot fill 5 parts"):
        corpus.by_subject(people, dict.fromkeys("abcde", 0.1))


def test_by_class(people: Corpus, tmp_path: Path) -> None:
    split = corpus.by_class(people, {"base": ["x", "z"], "novel": ["y"]})
    assert split.classes == {"base": ("x", "z"), "novel": ("y",)}
    assert split.shared == ("subject",)
    assert (len(split["base"]), len(split["novel"]), split.dropped) == (32, 16, 0)
    assert corpus.by_class(people, {"novel": ["y"]}).dropped == 32
    shared = corpus.by_class(people, {"base": 0.67, "novel": 0.33}, seed=3)
    assert sorted([*shared.classes["base"], *shared.classes["novel"]]) == ["x", "y", "z"]

    both = Recording("both", {}, (Segment(0, 1, "x"), Segment(1, 2, "y")))
    stray = Recording("stray", {}, (Segment(0, 1, "x"), Segment(1, 2, "w")))
    plain = replace(both, id="plain", segments=both.segments[:1])
    mixed = corpus.write([both, stray, plain, Recording("silent")], tmp_path)
    parts = {"base": ["x"], "novel": ["y"]}
    with pytest.raises(CorpusError, match=r"recording 'both' has classes .*mixed='drop'"):
        corpus.by_class(mixed, parts)
    dropped = corpus.by_class(mixed, parts, mixed="drop")
    assert dropped.parts == {"base": ("plain",), "novel": ()}
    assert dropped.dropped == 3


def test_save_and_load(people: Corpus, tmp_path: Path) -> None:
    split = corpus.by_class(people, {"base": ["x"], "novel": ["y"]}, name="één")
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]
    given = json.loads((tmp_path / "split.json").read_text(encoding="utf-8"))
    for text, match in (
        (json.dumps({**given, "kinjo_split": 9}), "format 9"),
        ("[]", "not a split"),
        ("{", "not a split"),
        (json.dumps({"kinjo_split": 1}), "not a split"),
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(CorpusError, match=match):
            Split.load(tmp_path / "bad.json")


def test_own_parts(people: Corpus) -> None:
    split = corpus.make(people, "mine", {"a": ["qx1L", "px1L", "px1L"], "b": []})
    assert split.parts == {"a": ("px1L", "qx1L"), "b": ()}
    with pytest.raises(CorpusError, match="no recording 'zz'"):
        corpus.make(people, "mine", {"a": ["zz"]})
