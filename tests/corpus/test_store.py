import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo import corpus
from kinjo.corpus import Corpus, CorpusError, VideoSize, shard, writer
from kinjo.recording import Contract, ContractError, Recording, Segment, Stream

Make = Callable[..., Recording]


def shards(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((root / "shards").iterdir())}


def same(one: Recording, two: Recording) -> None:
    for field in ("id", "segments", "subject", "source", "twin", "notes"):
        assert getattr(one, field) == getattr(two, field)
    assert list(one.streams) == list(two.streams)
    for a, b in zip(one.streams.values(), two.streams.values(), strict=True):
        assert (a.name, a.contract, a.length) == (b.name, b.contract, b.length)
        np.testing.assert_array_equal(np.asarray(a.values(), np.float32), b.values())
        np.testing.assert_array_equal(a.clock(), b.clock())
        np.testing.assert_array_equal(a.mask(), b.mask())


def odd(made: Make) -> list[Recording]:
    """Recordings with masks, uneven times, NaN, float64, late starts, no samples, no streams."""
    rng = np.random.default_rng(5)
    base = made("plain", notes=("repaired",), twin="t1")
    acc, pose = base.streams["acc"], base.streams["pose"]
    holes = rng.normal(size=(40, 4, 3))
    holes[3, 1] = np.nan
    times = np.sort(rng.uniform(0, 2, 40))
    masked = replace(Stream.of("pose", pose.contract, holes, times=times), missing=np.arange(40) % 3 == 0)
    empty = Stream.of("gyro", replace(acc.contract, quantity="gyro", units="deg/s", gravity=None), np.empty((0, 3)))
    late = replace(acc, start_s=1.5, missing=np.arange(acc.length) > 190)
    return [
        base,
        Recording("../../héré/日本 \x01:*?\\", {"pose": masked, "acc": late}, (Segment(0.2, 1.0, "跳", "a jump"),)),
        Recording("none", {"gyro": empty}),
        Recording("bare"),
    ]


def test_round_trip(tmp_path: Path, made: Make) -> None:
    given = odd(made)
    written = corpus.write(iter(given), tmp_path / "c", shard_mb=0.001)
    opened = Corpus.open(tmp_path / "c")
    assert written.recordings == opened.recordings == [r.id for r in given]
    for recording in given:
        same(recording, opened.recording(recording.id))
    assert opened.verify() == len(opened.manifest["files"])
    assert opened.manifest["counts"]["recordings"] == 4
    assert opened.manifest["counts"]["shards"] > 1
    assert opened.table.labels == (("walk",), ("跳",), (), ())
    assert opened.table.twins.tolist() == ["t1", "", "", ""]
    assert not list(tmp_path.glob("**/*.tmp"))
    assert {p.name for p in tmp_path.iterdir()} == {"c"}
    same(opened.recording("plain"), pickle.loads(pickle.dumps(opened)).recording("plain"))


@settings(max_examples=15, deadline=None)
@given(
    ids=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), max_size=4, unique=True),
    length=st.integers(0, 40),
    data=st.data(),
)
def test_any_id_and_any_numbers_come_back(tmp_path_factory: pytest.TempPathFactory, made: Make, ids: list[str],
                                          length: int, data: st.DataObject) -> None:  # fmt: skip
    root = tmp_path_factory.mktemp("c")
    contract = made("x").streams["acc"].contract
    floats = st.floats(width=32)
    values = np.array(data.draw(st.lists(floats, min_size=3 * length, max_size=3 * length)), np.float32)
    given = [Recording(id, {id: Stream.of(id, contract, values.reshape(length, 3))}) for id in ids]
    opened = corpus.write(given, root)
    for recording in given:
        same(recording, opened.recording(recording.id))


def test_names_of_video_files_stay_inside_and_apart() -> None:
    ids = ["../../etc/passwd", "..", "/", "a/b", "a_b", "A_b", "CON", "x" * 1000, "\0", "é", "e", ""]
    names = [writer.video_name(id, stream) for id in ids for stream in ("v", "../v", "V")]
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        folder, two, file = name.split("/")
        assert (folder, len(two)) == ("video", 2)
        assert len(file) < 120
        assert not file.startswith(".")
        assert ".." not in file


def test_streams_stay_on_the_disk_until_read(tmp_path: Path, made: Make) -> None:
    corpus.write([made("a", 60.0)], tmp_path)
    opened = Corpus.open(tmp_path)
    values = opened.recording("a").streams["acc"].values(10, 20)
    assert not values.flags.owndata
    assert not values.flags.writeable
    entry = opened.entries[0].streams[0]
    assert np.shares_memory(opened.view(entry)[10:20], values) or np.array_equal(opened.view(entry)[10:20], values)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0


def test_other_tools_read_the_shards(tmp_path: Path, made: Make) -> None:
    import pyarrow as pa

    recording = made("a")
    corpus.write([recording, made("b", seed=1)], tmp_path)
    table = pa.ipc.open_file(pa.memory_map(str(tmp_path / "shards" / "00000.arrow"))).read_all()
    assert table.column("recording").to_pylist() == ["a", "a", "b", "b"]
    row = table.slice(1, 1).to_pylist()[0]
    assert (row["stream"], row["n"], row["shape"], row["times"]) == ("pose", 120, [4, 3], None)
    assert Contract.from_dict(json.loads(row["contract"])) == recording.streams["pose"].contract
    np.testing.assert_array_equal(np.reshape(row["values"], (120, 4, 3)), recording.streams["pose"].values())


def test_a_long_stream_takes_several_rows(tmp_path: Path, made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PIECE", 100)
    monkeypatch.setattr(shard, "PIECE", 100)
    plain = made("a")
    acc = plain.streams["acc"]
    timed = replace(acc, name="timed", times=acc.clock() * 1.01, missing=np.arange(acc.length) % 7 == 0)
    asked: list[int] = []

    def spy(start: int, stop: int) -> np.ndarray:
        asked.append(stop - start)
        return acc.read(start, stop)

    given = plain.with_stream(timed).with_stream(replace(acc, read=spy))
    opened = corpus.write([given, made("b", seed=1)], tmp_path)
    assert max(asked) <= 33
    assert len(opened.entries[0].streams[0].rows) == 7
    same(plain.with_stream(timed), opened.recording("a"))
    for start, stop in ((0, 0), (30, 40), (33, 99), (199, 200), (5, 200)):
        read = opened.recording("a").streams["acc"].values(start, stop)
        np.testing.assert_array_equal(read, acc.values(start, stop))


def test_the_same_recordings_give_the_same_bytes(tmp_path: Path, made: Make) -> None:
    for name in ("one", "two"):
        corpus.write(odd(made), tmp_path / name, shard_mb=0.005)
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    assert (tmp_path / "one" / "corpus.json").read_bytes() == (tmp_path / "two" / "corpus.json").read_bytes()


def test_a_finished_corpus_is_opened_and_nothing_is_made(tmp_path: Path, made: Make) -> None:
    def fails() -> Iterator[Recording]:
        raise AssertionError("made although it is there")

    def breaks() -> Iterator[Recording]:
        yield made("a")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        corpus.kept(tmp_path, "one", breaks, progress=False)
    whole = corpus.kept(tmp_path, "one", lambda: iter([made("a"), made("b")]), progress=False)  # goes on
    assert whole.recordings == ["a", "b"]
    assert corpus.kept(tmp_path, "one", fails).digest == whole.digest
    with pytest.raises(CorpusError, match="was begun with one"):
        corpus.kept(tmp_path, "two", lambda: iter([made("a")]), progress=False)


def test_an_iterator_that_breaks_is_resumed(tmp_path: Path, made: Make) -> None:
    reads: list[str] = []

    def recordings(until: int) -> Iterator[Recording]:
        for k in range(9):
            if k == until:
                raise OSError("the disk was pulled out")
            recording = made(f"r{k}", seed=k)
            acc = recording.streams["acc"]

            def spy(start: int, stop: int, acc: Stream = acc, id: str = recording.id) -> np.ndarray:
                reads.append(id)
                return acc.read(start, stop)

            yield recording.with_stream(replace(acc, read=spy))

    for until in (1, 4, 7):
        with pytest.raises(OSError, match="pulled out"):
            corpus.write(recordings(until), tmp_path / "c", shard_mb=0.01)
        with pytest.raises(CorpusError, match="same corpus"):
            Corpus.open(tmp_path / "c")
    opened = corpus.write(recordings(99), tmp_path / "c", shard_mb=0.01)
    assert opened.recordings == [f"r{k}" for k in range(9)]
    assert all(reads.count(f"r{k}") == 2 for k in range(9))  # once for the shape, once for the numbers
    corpus.write((made(f"r{k}", seed=k) for k in range(9)), tmp_path / "whole", shard_mb=0.01)
    assert shards(tmp_path / "c") == shards(tmp_path / "whole")
    assert opened.verify() == len(shards(tmp_path / "c")) + 1


def test_a_torn_tail_is_redone(tmp_path: Path, made: Make) -> None:
    """The disk lost the end of the open shard and of the journal, as after a power cut."""

    def recordings(fail: bool) -> Iterator[Recording]:
        yield from (made(f"r{k}", seed=k) for k in range(5))
        if fail:
            raise KeyboardInterrupt

    corpus.write(recordings(False), tmp_path / "whole")
    for torn, cut in (("shards/00000.arrow.part", 9000), ("journal.jsonl", 300), ("shards/00000.arrow.part", 10**9)):
        root = tmp_path / f"c{cut}"
        with pytest.raises(KeyboardInterrupt):
            corpus.write(recordings(True), root)
        data = (root / torn).read_bytes()
        (root / torn).write_bytes(data[: max(len(data) - cut, 0)])
        assert corpus.write(recordings(False), root).verify() == 2
        assert shards(root) == shards(tmp_path / "whole")


RECORDINGS = """
import sys
import time
import numpy as np
from kinjo import corpus
from kinjo.recording import Contract, Recording, Stream
acc = Contract("imu", "acc", "g", 50.0, placement="chest", gravity=True)
depth = Contract("video", "depth", "mm", 30.0, axes=())
def recordings():
    for k in range(30):
        rng = np.random.default_rng(k)
        time.sleep(0.005)
        video = rng.integers(0, 4000, (6, 16, 16)).astype(np.uint16)
        yield Recording(f"r{k}", {"acc": Stream.of("acc", acc, rng.normal(size=(100, 3))),
                                  "depth": Stream.of("depth", depth, video)})
"""
CHILD = (
    RECORDINGS
    + """
def endless():
    yield from recordings()
    time.sleep(600)  # however slow the machine, the child is there to be killed
corpus.write(endless(), sys.argv[1], shard_mb=0.01)
"""
)


def test_killed_at_any_moment_then_resumed(tmp_path: Path) -> None:
    rng = np.random.default_rng()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    journal = tmp_path / "c" / "journal.jsonl"
    for lines in (2, 12, 26):  # far enough to have something to lose, then at any moment
        with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "c")], env=environment) as process:
            while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= lines):
                time.sleep(0.005)
            time.sleep(rng.uniform(0.0, 0.02))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert journal.exists()
    made: dict[str, Callable[[], Iterator[Recording]]] = {}
    exec(RECORDINGS, made)
    opened, whole = (corpus.write(made["recordings"](), tmp_path / root, shard_mb=0.01) for root in ("c", "whole"))
    assert opened.recordings == [f"r{k}" for k in range(30)]
    assert opened.verify() == whole.verify() == 30 + len(shards(tmp_path / "c")) + 1
    assert opened.manifest == whole.manifest
    assert shards(tmp_path / "c") == shards(tmp_path / "whole")


def test_every_step_may_be_the_last(
    tmp_path: Path, made: Make, contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder as it is before each rename, batch, journal line and removal, resumed from there."""
    frames = np.arange(2 * 8 * 8, dtype=np.uint16).reshape(2, 8, 8)
    depth = Stream.of("depth", replace(contracts["depth"], units="mm"), frames)
    given = [Recording("bare"), *(made(f"r{k}", 1.0, seed=k).with_stream(depth) for k in range(5)), Recording("last")]
    root, copies = tmp_path / "c", list[Path]()

    def watched(function: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object) -> object:
            if root.exists():
                copies.append(tmp_path / f"copy{len(copies)}")
                shutil.copytree(root, copies[-1])
            return function(*args)

        return step

    def broken() -> Iterator[Recording]:
        yield from given[:4]
        raise OSError("the disk was pulled out")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", watched(os.replace))
        patch.setattr(shard.Part, "put", watched(shard.Part.put))
        patch.setattr(writer._Writer, "_append", watched(writer._Writer._append))
        patch.setattr(Path, "unlink", watched(Path.unlink))
        with pytest.raises(OSError, match="pulled out"):
            corpus.write(broken(), root, shard_mb=0.01)
        whole = corpus.write(given, root, shard_mb=0.01)  # steps of resuming are steps too
    assert len(copies) > 30
    for copy in copies:
        opened = corpus.write(given, copy, shard_mb=0.01)
        assert opened.recordings == whole.recordings == [recording.id for recording in given]
        assert opened.verify() == whole.verify()
        assert opened.manifest == whole.manifest
        assert {path.name for path in copy.iterdir()} == {path.name for path in root.iterdir()}
        assert shards(copy) == shards(root)


def test_a_finished_corpus_grows_and_a_repeat_changes_nothing(tmp_path: Path, made: Make) -> None:
    first = [made("a"), made("b", seed=1)]
    corpus.write(first, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != ".lock"}
    corpus.write(first, tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != ".lock"}
    grown = corpus.write([*first, made("c", seed=2)], tmp_path)
    assert grown.recordings == ["a", "b", "c"]
    assert grown.verify() == 3
    same(made("c", seed=2), grown.recording("c"))
    anew = corpus.write([made("d", seed=3)], tmp_path, resume=False)
    assert anew.recordings == ["d"]
    assert anew.verify() == 2


def test_a_folder_that_is_no_corpus_is_left_alone(tmp_path: Path, made: Make) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for resume in (True, False):
        with pytest.raises(CorpusError, match="not empty, and not a corpus"):
            corpus.write([made("a")], tmp_path, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(CorpusError, match="is a file"):
        corpus.write([made("a")], tmp_path / "thesis.txt")
    with pytest.raises(CorpusError, match="not a corpus"):
        Corpus.open(tmp_path)


def test_faults_in_what_is_given_are_named(tmp_path: Path, made: Make) -> None:
    with pytest.raises(CorpusError, match="two recordings have the id 'a'"):
        corpus.write([made("a"), made("a")], tmp_path / "twice")
    short = replace(made("a").streams["acc"], length=500)
    with pytest.raises(CorpusError, match=r"'a', stream 'acc': samples 0\.\.499 .* gave \(200, 3\)"):
        corpus.write([made("a").with_stream(short)], tmp_path / "short")
    acc, clock = made("a").streams["acc"], np.arange(200) / 50.0
    for change, field in (
        ({"times": clock[:9]}, "times"),
        ({"times": clock[::-1]}, "times"),
        ({"times": np.where(clock == 1.0, np.nan, clock)}, "times"),
        ({"missing": np.zeros(9, bool)}, "missing"),
        ({"missing": np.zeros(200, np.int64)}, "missing"),
        ({"start_s": float("nan")}, "start_s"),
    ):
        with pytest.raises(CorpusError, match=rf"'a', stream 'acc': {field} must be .* Mend the source"):
            corpus.write([made("a").with_stream(replace(acc, **change))], tmp_path / "clocks")
    wrong = replace(short, contract=replace(short.contract, units="furlong"))
    with pytest.raises(ContractError, match="furlong"):
        corpus.write([made("a").with_stream(wrong)], tmp_path / "units")
    with pytest.raises(CorpusError, match="not valid Unicode"):
        corpus.write([made("\ud800")], tmp_path / "surrogate")
    corpus.write([made("a")], tmp_path / "sizes")
    with pytest.raises(CorpusError, match="resume=False"):
        corpus.write([made("b")], tmp_path / "sizes", video=VideoSize(112))
    with pytest.raises(CorpusError, match="no recording 'z'"):
        Corpus.open(tmp_path / "sizes").recording("z")


def test_one_writer_at_a_time(tmp_path: Path, made: Make) -> None:
    def nested() -> Iterator[Recording]:
        yield made("a")
        corpus.write([made("b")], tmp_path)

    with pytest.raises(CorpusError, match="another process is writing"):
        corpus.write(nested(), tmp_path)
    assert corpus.write([made("a")], tmp_path).recordings == ["a"]


def test_damage_is_found_and_named(tmp_path: Path, made: Make) -> None:
    root = tmp_path
    corpus.write([made("a"), made("b", seed=1)], root)
    file = root / "shards" / "00000.arrow"
    whole = file.read_bytes()

    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    file.write_bytes(flipped)
    with pytest.raises(CorpusError, match=r"00000\.arrow: altered.*write it again"):
        Corpus.open(root).verify()
    file.write_bytes(whole[:-100])
    with pytest.raises(CorpusError, match=r"00000\.arrow: \d+ bytes, but .* truncated"):
        Corpus.open(root)
    file.write_bytes(bytes(len(whole)))
    with pytest.raises(CorpusError, match=r"00000\.arrow: not a readable Arrow file"):
        Corpus.open(root).recording("a").streams["acc"].values()
    file.unlink()
    with pytest.raises(CorpusError, match=r"00000\.arrow: missing"):
        Corpus.open(root)
    file.write_bytes(whole)

    lines = (root / "recordings.jsonl").read_text()
    (root / "recordings.jsonl").write_text(lines.replace("walk", "rest"))
    with pytest.raises(CorpusError, match=r"recordings\.jsonl: altered"):
        Corpus.open(root)
    (root / "recordings.jsonl").write_text(lines)
    assert Corpus.open(root).verify() == 2


def test_manifests_of_others_are_refused(tmp_path: Path, made: Make) -> None:
    corpus.write([made("a")], tmp_path)
    manifest = json.loads((tmp_path / "corpus.json").read_text())

    def put(text: str) -> None:
        (tmp_path / "corpus.json").write_text(text)

    put(json.dumps({**manifest, "format": 2}))
    for opening in (lambda: Corpus.open(tmp_path), lambda: corpus.write([made("b")], tmp_path)):
        with pytest.raises(CorpusError, match=r"format 2, this kinjo reads format 1\. Upgrade"):
            opening()
    put("{")
    with pytest.raises(CorpusError, match="not a manifest"):
        Corpus.open(tmp_path)
    for name in ("../secret", "/etc/passwd", "shards/../../x", "C:x", "..\\x"):
        put(json.dumps({**manifest, "files": {**manifest["files"], name: {"bytes": 1, "sha256": "0"}}}))
        with pytest.raises(CorpusError, match="outside its folder"):
            Corpus.open(tmp_path)


def test_an_empty_corpus(tmp_path: Path) -> None:
    opened = corpus.write([], tmp_path)
    assert (opened.recordings, len(opened), opened.verify()) == ([], 0, 1)
