"""Batches: windows from the store or from memory, plain and augmented, with what is missing said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from _synthetic import INPUTS, MILD, recording, store
from kinjo import batches, corpus
from kinjo.batches import SPARE, Windows, augmented, episodes, mixture, neighbours, plain, sampler
from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.nn.augment import livelier, mean_of, right_angles
from kinjo.recipe import Augment
from kinjo.recording import Stream
from kinjo.signal import GRAVITY, resample_to

STILL = Augment(rotation_deg=0.0, turn_deg=0.0, warp=0.0, crop=0.0, scale=0.0, noise=0.0, shift=0.0)
WITHOUT = {2: ("pose",), 3: ("imu.acc", "imu.gyro"), 4: ("depth",)}
"""Recordings of the corpus that lack streams."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    return store(tmp_path_factory.mktemp("corpus") / "c", 6, WITHOUT)


@pytest.fixture(scope="module")
def windows(opened: corpus.Corpus) -> Windows:
    return Windows(opened, corpus.segment_windows(opened, opened.recordings), INPUTS)


# ------------------------------------------------------------------------------------------------ windows
def test_a_window_is_what_the_recording_holds(windows: Windows):
    given = recording(1).streams
    batch = windows.tensors([1])
    acc = resample_to(given["imu.acc"].values().astype(np.float32), 32) / GRAVITY
    np.testing.assert_allclose(batch["acc"][0].numpy(), acc, atol=1e-5)
    pose = resample_to(given["pose"].values().astype(np.float32), 16)
    np.testing.assert_allclose(batch["pose"][0].numpy(), pose - pose[:, :1].mean(0), atol=1e-5)
    assert {key: tuple(x.shape) for key, x in batch.items() if "." not in key} == {
        "acc": (1, 32, 3), "gyro": (1, 32, 3), "pose": (1, 16, 4, 3), "depth": (1, 4 * SPARE, 16, 16, 1)
    }  # fmt: skip
    assert not any(batch[f"{key}.missing"].any() for key in INPUTS)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 5], [4, 4, 0], [3]])
def test_from_memory_or_from_the_store_is_the_same(
    opened: corpus.Corpus, windows: Windows, rows: list[int], monkeypatch: pytest.MonkeyPatch
):
    reads = []

    def counted(*given: object) -> object:
        reads.append(1)
        return corpus.read(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "read", counted)
    fresh = Windows(opened, windows.index, INPUTS, cache_bytes=0)
    reads.clear()
    from_store = fresh.tensors(rows)
    assert reads == [1]
    assert same(windows.tensors(rows), from_store)
    assert reads == [1]  # the first ones lie in memory
    assert same(windows.tensors(np.array(rows)), from_store)
    assert same(windows.tensors(torch.tensor(rows)), from_store)
    assert same(fresh.tensors(torch.tensor(rows)), from_store)
    assert all(x.dtype in (torch.float32, torch.bool) for x in from_store.values())


def test_more_windows_than_fit_in_one_reading_stay_in_order(opened: corpus.Corpus):
    index = corpus.sliding_windows(opened, opened.recordings, 0.4, 0.1)
    assert len(index) > 64
    inputs = {"acc": INPUTS["acc"]}
    cached, fresh = Windows(opened, index, inputs), Windows(opened, index, inputs, cache_bytes=0)
    rows = np.arange(len(index))
    assert same(cached.tensors(rows), fresh.tensors(rows))


@pytest.mark.parametrize("lacking", WITHOUT)
def test_a_stream_that_a_recording_lacks_is_missing(windows: Windows, lacking: int):
    batch = windows.tensors(np.arange(6))
    gone = {"pose": ["pose"], "imu.acc": ["acc", "gyro"], "depth": ["depth"]}[WITHOUT[lacking][0]]
    for key in INPUTS:
        assert bool(batch[f"{key}.missing"][lacking].all()) == (key in gone)
        assert bool((batch[key][lacking] == 0).all()) == (key in gone)
        assert batch[f"{key}.missing"].shape == batch[key].shape[:2]
        assert not batch[f"{key}.missing"][[0, 1, 5]].any()


def test_a_corpus_without_a_modality_serves_all_the_same(tmp_path: Path):
    poor = store(tmp_path / "c", 2, dict.fromkeys(range(2), ("pose", "depth", "imu.gyro")))
    windows = Windows(poor, corpus.segment_windows(poor, poor.recordings), INPUTS)
    batch = plain(windows.tensors([0, 1]), INPUTS)
    assert batch["pose"].shape == (2, 16, 4, 3)
    assert batch["depth"].shape == (2, 4, 16, 16, 1)
    for key in ("gyro", "pose", "depth"):
        assert bool(batch[f"{key}.missing"].all())
        assert not batch[key].any()
    assert not batch["acc.missing"].any()
    assert torch.isfinite(
        torch.cat([augmented(windows.tensors([0, 1]), INPUTS, MILD, seeded())[k].flatten() for k in INPUTS])
    ).all()


def test_another_skeleton_than_the_recipes_is_named(opened: corpus.Corpus):
    index = corpus.segment_windows(opened, opened.recordings)
    with pytest.raises(
        ValueError, match=r"input 'body': the recipe says 20 x 3 numbers per sample, the corpus holds 4 x 3"
    ):
        Windows(opened, index, {"body": PoseInput(frames=16, slots=8)})


def test_no_windows_are_no_error(opened: corpus.Corpus):
    assert len(Windows(opened, corpus.segment_windows(opened, []), INPUTS)) == 0


def test_part_of_a_stream_missing_does_not_move_the_rest(tmp_path: Path):
    """A pose that fails half-way: the frames that are there are seen as if there were no others."""
    whole = recording(0)
    pose = whole.streams["pose"]

    lost = np.arange(30) >= 15
    values = np.where(lost[:, None, None], 55.0, pose.values())
    broken = whole.with_stream(Stream.of("pose", pose.contract, values, missing=lost))
    kept = corpus.write([broken], tmp_path / "c", video=None, progress=False)
    batch = Windows(kept, corpus.segment_windows(kept, kept.recordings), {"pose": INPUTS["pose"]}).tensors([0])
    gone = batch["pose.missing"][0]
    assert gone.tolist() == [False] * 8 + [True] * 8
    assert not batch["pose"][0, gone].any()
    assert batch["pose"][0, ~gone, 0].mean(0).abs().max() < 1e-5  # the root of the frames that are there
    assert batch["pose"][0].abs().max() < 1


# ------------------------------------------------------------------------------------------------ plain, augmented
def test_plain_keeps_all_but_the_spare_frames(windows: Windows):
    batch = windows.tensors([0, 1])
    out = plain(batch, INPUTS)
    assert torch.equal(out["depth"], batch["depth"][:, 1::2])
    assert out["depth.missing"].shape == (2, 4)
    assert all(torch.equal(out[key], batch[key]) for key in batch if not key.startswith("depth"))


def test_nothing_varied_is_nothing_changed(windows: Windows):
    batch = windows.tensors(np.arange(6))
    out = augmented(batch, INPUTS, STILL, seeded())
    for key in ("acc", "gyro", "pose"):
        torch.testing.assert_close(out[key], batch[key], atol=1e-5, rtol=0)
        assert torch.equal(out[f"{key}.missing"], batch[f"{key}.missing"])
    frames = (out["depth"][:, :, None] == batch["depth"][:, None]).flatten(3).all(3)  # (rows, out, given)
    assert bool(frames.any(2).all())
    assert out["depth"].shape == plain(batch, INPUTS)["depth"].shape


def test_sensors_turn_together_and_poses_about_the_vertical():
    inputs: dict[str, Input] = {
        "acc": SensorInput("acc", samples=30, slots=10),
        "gyro": SensorInput("gyro", samples=30, slots=10),
        "tilt": SensorInput("orientation", samples=30, slots=10),
        "pose": PoseInput(frames=30, joints=2, slots=10),
    }
    x = torch.randn(5, 30, 3, generator=seeded())
    batch = {"acc": x, "gyro": 2 * x, "tilt": x, "pose": torch.randn(5, 30, 2, 3, generator=seeded(1))}
    batch |= {f"{key}.missing": torch.zeros(5, 30, dtype=torch.bool) for key in inputs}
    how = Augment(rotation_deg=90.0, turn_deg=90.0, warp=0.0, crop=0.0, scale=0.0, noise=0.0, shift=0.0)
    out = augmented(batch, inputs, how, seeded(2))
    torch.testing.assert_close(2 * out["acc"], out["gyro"], atol=1e-5, rtol=0)
    torch.testing.assert_close(out["acc"].norm(dim=2), x.norm(dim=2), atol=1e-3, rtol=0)
    assert (out["acc"] - x).abs().amax((1, 2)).min() > 0.02
    torch.testing.assert_close(out["tilt"], x, atol=1e-4, rtol=0)
    torch.testing.assert_close(out["pose"][..., 1], batch["pose"][..., 1], atol=1e-4, rtol=0)
    assert (out["pose"] - batch["pose"])[..., [0, 2]].abs().amax((1, 2, 3)).min() > 0.02


def test_streams_are_warped_together():
    """Two clocks at different rates tell the same time afterwards."""
    inputs: dict[str, Input] = {
        "acc": SensorInput("acc", samples=64, slots=8),
        "pose": PoseInput(frames=16, joints=1, slots=8),
        "depth": VideoInput("depth", frames=8, size=8, tubelet=(2, 8, 8)),
    }
    clocks = {key: (torch.arange(n) + 0.5) / n for key, n in (("acc", 64), ("pose", 16), ("depth", 8 * SPARE))}
    batch = {
        "acc": clocks["acc"][None, :, None].repeat(4, 1, 3),
        "pose": clocks["pose"][None, :, None, None].repeat(4, 1, 1, 3),
        "depth": clocks["depth"][None, :, None, None, None].repeat(4, 1, 8, 8, 1),
    }
    batch |= {f"{key}.missing": torch.zeros(4, x.shape[1], dtype=torch.bool) for key, x in batch.items()}
    how = Augment(rotation_deg=0.0, turn_deg=0.0, warp=0.8, crop=0.1, scale=0.0, noise=0.0, shift=0.0)
    out = augmented(batch, inputs, how, seeded())
    acc = out["acc"][:, :, 0]
    pose, depth = out["pose"][:, :, 0, 0], out["depth"][:, :, 0, 0, 0]
    assert (acc.view(4, 16, 4).mean(2) - pose)[:, 1:-1].abs().max() < 0.01  # at the ends a coarser clock stops earlier
    assert (acc.view(4, 8, 8).mean(2) - depth).abs().max() < 0.5 / (8 * SPARE) + 0.01  # to the nearest frame
    assert (acc - clocks["acc"]).abs().max() > 0.03


def test_what_is_missing_stays_missing_and_empty(windows: Windows):
    batch = windows.tensors(np.arange(6))
    for key in INPUTS:
        batch[f"{key}.missing"] = batch[f"{key}.missing"].clone()
        batch[f"{key}.missing"][0, : batch[key].shape[1] // 2] = True
        batch[key] = torch.where(
            batch[f"{key}.missing"].view(*batch[key].shape[:2], *[1] * (batch[key].dim() - 2)), 0.0, batch[key]
        )
    out = augmented(batch, INPUTS, MILD, seeded())
    for key, spec in INPUTS.items():
        gone = out[f"{key}.missing"]
        assert gone.shape == (6, spec.samples)
        assert not out[key][gone].any()
        assert 0.3 < gone[0].float().mean() < 0.7
        assert bool((gone[1:].all(1) == batch[f"{key}.missing"][1:].all(1)).all())
        assert bool(out[key][~gone].abs().flatten(1).sum(1).min() > 0)


def test_the_generator_alone_decides(windows: Windows):
    batch = windows.tensors(np.arange(6))
    torch.manual_seed(0)
    first = augmented(batch, INPUTS, MILD, seeded(3))
    torch.manual_seed(1)
    assert same(first, augmented(batch, INPUTS, MILD, seeded(3)))
    assert not same(first, augmented(batch, INPUTS, MILD, seeded(4)))


# ------------------------------------------------------------------------------------------------ sampler
def test_a_sampler_draws_its_rows_alone_and_evenly(windows: Windows):
    """With the still augmentation a row is known by its numbers."""
    inputs_still = Windows(windows.corpus, windows.index, {"acc": INPUTS["acc"]})
    rows, labels = np.array([1, 4, 5]), np.array([7, 8, 9])
    draw = sampler(inputs_still, rows, 300, STILL, labels)
    batch = draw(seeded())
    known = inputs_still.tensors(rows)["acc"]
    who = (batch["acc"][:, None] - known[None]).abs().amax((2, 3)).argmin(1)
    assert (batch["acc"] - known[who]).abs().max() < 1e-4
    assert torch.equal(batch["label"], torch.tensor(labels)[who])
    assert who.bincount().min() > 70  # of 100 each
    assert "label" not in sampler(inputs_still, rows, 2, STILL)(seeded())
    assert same(draw(seeded(1)), draw(seeded(1)))
    assert not same(draw(seeded(1)), draw(seeded(2)))


# ------------------------------------------------------------------------------------------------ episodes
@pytest.fixture(scope="module")
def still(opened: corpus.Corpus) -> Windows:
    """Windows of one sensor, known by their numbers."""
    index = corpus.sliding_windows(opened, [f"r{k:02d}" for k in (0, 1, 4, 5)], 0.5, 0.25)
    return Windows(opened, index, {"acc": INPUTS["acc"]})


def who(windows: Windows, batch: dict[str, Tensor]) -> Tensor:
    """The rows that a batch without augmentation was made of."""
    known = windows.tensors(np.arange(len(windows)))["acc"]
    gap = (batch["acc"][:, None] - known[None]).abs().amax((2, 3))
    assert gap.min(1).values.max() < 1e-4
    assert gap.topk(2, 1, largest=False).values[:, 1].min() > 1e-3
    return gap.argmin(1)


def test_episodes_come_class_by_class_with_different_windows(still: Windows):
    rows = np.arange(2, 26)
    labels = np.array([10, 20, 30, 40])[rows % 4]
    way, queries = 3, 2
    draw = episodes(still, rows, labels, STILL, 30, way, queries)
    chosen, first = set(), set()
    for seed in range(30):
        batch = draw(seeded(seed))
        assert batch["label"].shape == (27,)  # 30 hold three episodes of 9
        picked = who(still, batch).view(3, way, 1 + queries)
        label = batch["label"].view(3, way, 1 + queries)
        assert bool((label == label[:, :, :1]).all())
        assert torch.equal(label.flatten(), torch.tensor(labels)[picked.flatten() - 2])
        assert set(picked.flatten().tolist()) <= set(rows.tolist())
        for one, classes in zip(picked.tolist(), label[:, :, 0].tolist(), strict=True):
            assert len(set(classes)) == way
            assert all(len(set(members)) == 1 + queries for members in one)
            chosen.add(frozenset(classes))
            first.add(classes[0])
    assert len(chosen) == 4  # of four classes every three
    assert first == {10, 20, 30, 40}
    assert same(draw(seeded(1)), draw(seeded(1)))
    assert not same(draw(seeded(1)), draw(seeded(2)))


def test_a_batch_holds_at_least_one_episode(still: Windows):
    draw = episodes(still, np.arange(12), np.arange(12) % 2, STILL, 1, 2, 1)
    assert draw(seeded())["label"].shape == (4,)


def test_classes_with_too_few_windows_are_left_out_or_refused(still: Windows):
    rows, labels = np.arange(9), np.array([0, 0, 0, 1, 1, 1, 2, 2, 3])
    draw = episodes(still, rows, labels, STILL, 6, 2, 2)
    seen = {int(x) for seed in range(20) for x in draw(seeded(seed))["label"]}
    assert seen == {0, 1}
    with pytest.raises(ValueError, match="3-way episodes need 3 classes with 3 windows or more, given 2"):
        episodes(still, rows, labels, STILL, 9, 3, 2)


def test_what_is_worn_in_one_place_is_turned_alike():
    inputs = {
        "acc": SensorInput("acc", samples=32, slots=8, placement="left_wrist"),
        "gyro": SensorInput("gyro", samples=32, slots=8, placement="left_wrist"),
        "phone": SensorInput("acc", samples=32, slots=8, placement="right_pocket"),
    }
    batch = {}
    for key in inputs:
        batch[key] = torch.tensor([1.0, 0.0, 0.0]).repeat(5, 32, 1)
        batch[f"{key}.missing"] = torch.zeros(5, 32, dtype=torch.bool)
    how = replace(STILL, rotation_deg=180.0)
    turned = augmented(batch, inputs, how, seeded())
    torch.testing.assert_close(turned["acc"], turned["gyro"])
    torch.testing.assert_close(turned["acc"].norm(dim=2), torch.ones(5, 32))
    assert (turned["acc"] - turned["phone"]).abs().amax((1, 2)).min() > 0.05


def many_places(rows: int = 5) -> tuple[dict[str, Input], dict[str, Tensor]]:
    inputs: dict[str, Input] = {
        f"{place}_{q}": SensorInput(q, samples=32, slots=8, placement=place)
        for place in ("head", "chest", "waist", "left_foot", "right_foot")
        for q in ("acc", "gyro")
    }
    batch = {key: torch.ones(rows, 32, 3) for key in inputs}
    return inputs, batch | {f"{key}.missing": torch.zeros(rows, 32, dtype=torch.bool) for key in inputs}


def test_a_batch_reads_at_most_so_many_places():
    inputs, batch = many_places()
    drawn = []
    for seed in range(200):
        found = augmented(batch, inputs, replace(STILL, places=3), seeded(seed))
        keys = {key for key in found if "." not in key}
        assert set(found) == keys | {f"{key}.missing" for key in keys}
        places = {key.rpartition("_")[0] for key in keys}
        assert keys == {f"{place}_{q}" for place in places for q in ("acc", "gyro")}
        drawn.append(places)
    assert {len(places) for places in drawn} == {1, 2, 3}
    assert set.union(*drawn) == {"head", "chest", "waist", "left_foot", "right_foot"}
    assert same(*(augmented(batch, inputs, replace(STILL, places=3), seeded(7)) for _ in range(2)))
    assert len(augmented(batch, inputs, STILL, seeded())) == 20


def test_one_quantity_alone_in_a_share_of_batches():
    inputs, batch = many_places()
    found = []
    for seed in range(300):
        keys = augmented(batch, inputs, replace(STILL, one_quantity=0.4), seeded(seed))
        found.append(frozenset(key.rpartition("_")[2] for key in keys if "." not in key))
    share = {kinds: found.count(kinds) / 300 for kinds in set(found)}
    assert set(share) == {frozenset({"acc"}), frozenset({"gyro"}), frozenset({"acc", "gyro"})}
    assert 0.5 < share[frozenset({"acc", "gyro"})] < 0.7


def test_poses_are_never_left_out():
    inputs = {"pose": PoseInput(frames=32, joints=4, slots=8), "acc": SensorInput("acc", samples=32, slots=8)}
    batch = {"pose": torch.zeros(2, 32, 4, 3), "acc": torch.zeros(2, 32, 3)}
    batch |= {f"{key}.missing": torch.zeros(2, 32, dtype=torch.bool) for key in inputs}
    for seed in range(20):
        assert "pose" in augmented(batch, inputs, replace(STILL, places=1, one_quantity=0.9), seeded(seed))


def test_inputs_that_nobody_wears_are_not_read(opened: corpus.Corpus):
    there = {s.contract.placement for entry in opened.entries for s in entry.streams if s.contract.quantity == "acc"}
    (place,) = map(str, there)
    inputs: dict[str, Input] = {
        "own": SensorInput("acc", placement=place), "other": SensorInput("acc", placement="left_foot"),
        "any": SensorInput("gyro"), "pose": INPUTS["pose"],
    }  # fmt: skip
    assert list(batches.worn(opened, inputs)) == ["own", "any", "pose"]
    nothing = {"other": inputs["other"]}
    assert batches.worn(opened, nothing) == nothing


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_some_inputs_of_windows(opened: corpus.Corpus, windows: Windows, cache_bytes: int):
    every = Windows(opened, windows.index, INPUTS, cache_bytes)
    some = every.of(["pose", "acc"])
    assert list(some.inputs) == [key for key in INPUTS if key in ("pose", "acc")]
    got, whole = some.tensors([1, 2]), every.tensors([1, 2])
    assert same(got, {k: x for k, x in whole.items() if k.removesuffix(".missing") in some.inputs})
    assert list(every.inputs) == list(INPUTS)


# ------------------------------------------------------------------------------------------------ joint spaces
def test_a_sampler_says_what_shows_the_same(still: Windows):
    rows, same = np.array([3, 5, 9]), np.array([7, -1, 7])
    batch = sampler(still, rows, 100, STILL, labels=np.arange(3), same=same)(seeded())
    equal = batch["same"][:, None] == batch["same"][None]
    known = batch["label"] != 1
    assert equal[known][:, known].all()
    assert not equal[known][:, ~known].any()
    assert equal[~known][:, ~known].sum() == (~known).sum()  # each unknown one alone
    viewed = sampler(still, rows, 100, STILL, same=np.full(3, -1), near_s=0.0)(seeded())
    assert viewed["same"].tolist() == list(range(50)) * 2


def test_a_sampler_draws_captions_and_says_where_there_are_none(still: Windows):
    rows, captions = np.array([3, 5, 9]), [(4, 7), (), (2,)]
    batch = sampler(still, rows, 200, STILL, captions=captions)(seeded())
    said = batch["text"]
    picked = who(still, batch)
    assert {row: set(said[picked == row].tolist()) for row in rows.tolist()} == {3: {4, 7}, 5: {-1}, 9: {2}}


@pytest.mark.parametrize("near_s", [0.0, 0.3])
def test_the_second_half_holds_other_views_of_the_first(still: Windows, near_s: float):
    rows = np.arange(1, len(still) - 1)
    batch = sampler(still, rows, 401, STILL, np.arange(len(rows)), near_s=near_s)(seeded(1))
    one, two = who(still, batch).view(2, 200)
    assert torch.equal(batch["label"] + 1, torch.cat([one, two]))
    index = still.index
    assert (index.recording[one] == index.recording[two]).all()
    apart = np.abs(index.start_s[one] - index.start_s[two])
    assert apart.max() <= near_s + 1e-6
    assert bool((apart > 0).any()) == (near_s > 0)
    assert {0, *rows} - set(one.tolist()) - set(two.tolist()) == {0}


def test_neighbours_need_the_order_of_time(still: Windows):
    first, count = neighbours(still.index, 0.25)
    edges = np.flatnonzero(np.diff(still.index.recording, prepend=-1))
    assert set(edges) <= set(first.tolist())
    assert set(count.tolist()) == {2, 3}
    for rows in (np.arange(len(still))[::-1], np.r_[0, len(still) - 1, 1]):
        with pytest.raises(ValueError, match="in the order of time"):
            neighbours(still.index.take(rows), 0.25)


def test_classes_are_drawn_alike_where_that_is_asked(still: Windows):
    rows, labels = np.arange(10), np.array([0] * 9 + [1])
    for balanced, share in ((False, 0.1), (True, 0.5)):
        batch = sampler(still, rows, 600, STILL, labels, balanced=balanced)(seeded())
        assert batch["label"].float().mean().item() == pytest.approx(share, abs=0.06)
        assert torch.equal(batch["label"], torch.as_tensor(labels)[who(still, batch)])


def test_a_mixture_draws_from_each_by_its_share():
    draws = [lambda g, k=k: {"from": torch.tensor(k)} for k in range(3)]
    draw, g = mixture(draws, (3.0, 0.0, 1.0)), seeded()
    chosen = torch.stack([draw(g)["from"] for _ in range(800)]).bincount(minlength=3) / 800
    torch.testing.assert_close(chosen, torch.tensor([0.75, 0.0, 0.25]), atol=0.05, rtol=0)
    for shares in ((1.0, 1.0), (0.0, 0.0, 0.0), (1.0, -1.0, 1.0)):
        with pytest.raises(ValueError, match="a share of at least 0 for each of 3 sources"):
            mixture(draws, shares)


def test_half_turns_are_those_of_a_device_worn_any_way_round():
    inputs: dict[str, Input] = {"acc": SensorInput("acc", samples=8, slots=4)}
    batch = {
        "acc": torch.tensor([1.0, 2.0, 3.0]).repeat(200, 8, 1),
        "acc.missing": torch.zeros(200, 8, dtype=torch.bool),
    }
    out = augmented(batch, inputs, replace(STILL, half_turns=True), seeded())["acc"]
    torch.testing.assert_close(out.abs(), batch["acc"])
    signs = {tuple(s) for s in out[:, 0].sign().int().tolist()}
    assert signs == {(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)}


def test_a_share_of_windows_is_worn_any_way():
    inputs: dict[str, Input] = {"acc": SensorInput("acc", samples=8, slots=4)}
    batch = {
        "acc": torch.tensor([1.0, 2.0, 3.0]).repeat(400, 8, 1),
        "acc.missing": torch.zeros(400, 8, dtype=torch.bool),
    }
    out = augmented(batch, inputs, replace(STILL, any_way=0.25), seeded())["acc"][:, 0]
    torch.testing.assert_close(out.norm(dim=1), torch.full((400,), 14.0**0.5))
    turned = (out - batch["acc"][:, 0]).abs().amax(1) > 1e-3
    assert 0.18 < float(turned.float().mean()) < 0.32
    assert float(out[turned].mean(0).norm()) < 1.5, "no direction is preferred"


def test_strapped_units_have_their_axes_in_any_order_and_phones_half_turns():
    inputs: dict[str, Input] = {
        f"{place}_acc": SensorInput("acc", samples=8, slots=4, placement=place) for place in ("left_pocket", "wrist")
    }
    value = torch.tensor([1.0, 2.0, 3.0]).repeat(600, 8, 1)
    gone = torch.zeros(600, 8, dtype=torch.bool)
    batch = {k: v for key in inputs for k, v in ((key, value), (f"{key}.missing", gone))}
    out = augmented(batch, inputs, replace(STILL, axes=1.0, half_turns=True), seeded())
    seen = {key: {tuple(row) for row in out[key][:, 0].round().int().tolist()} for key in inputs}
    assert seen["left_pocket_acc"] == {(1, 2, 3), (1, -2, -3), (-1, 2, -3), (-1, -2, 3)}
    assert len(seen["wrist_acc"]) == 24
    assert all(sorted(map(abs, row)) == [1, 2, 3] for row in seen["wrist_acc"])
    x, y = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    turn = right_angles(100, seeded())
    torch.testing.assert_close(torch.linalg.cross(turn @ x, turn @ y), turn @ torch.tensor([0.0, 0.0, 1.0]))


def test_a_share_of_accelerometers_lacks_gravity():
    inputs: dict[str, Input] = {q: SensorInput(q, samples=8, slots=4) for q in ("acc", "gyro")}
    wave = torch.linspace(-1.0, 1.0, 8)[None, :, None].repeat(300, 1, 3)
    gone = torch.zeros(300, 8, dtype=torch.bool)
    batch = {"acc": wave + torch.tensor([0.0, 1.0, 0.0]), "gyro": wave + 1.0, "acc.missing": gone, "gyro.missing": gone}
    out = augmented(batch, inputs, replace(STILL, linear=0.4), seeded())
    free = (out["acc"] - wave).abs().amax((1, 2)) < 1e-5
    assert 0.3 < float(free.float().mean()) < 0.5
    torch.testing.assert_close(out["acc"][~free], batch["acc"][~free])
    torch.testing.assert_close(out["gyro"], batch["gyro"])
    missing = gone.clone()
    missing[:, :4] = True
    torch.testing.assert_close(mean_of(batch["acc"], missing)[:, 0], batch["acc"][:, 4:].mean(1))


def test_movement_is_more_or_less_lively_about_its_mean():
    time = torch.arange(96) / 19.2
    slow, fast = torch.sin(2 * torch.pi * 0.4 * time), torch.sin(2 * torch.pi * 6.4 * time)
    x = (slow + 0.5 * fast)[None, :, None].repeat(2, 1, 3) + torch.tensor([0.0, 1.0, 0.0])
    gone = torch.zeros(2, 96, dtype=torch.bool)
    gone[:, :3] = True
    strong, sharp = torch.tensor([2.0, 1.0])[:, None, None], torch.tensor([1.0, 0.2])[:, None, None]
    out = livelier(x, gone, strong, sharp)
    torch.testing.assert_close(mean_of(out, gone), mean_of(x, gone), atol=0.02, rtol=0)
    torch.testing.assert_close(out[:, :3], x[:, :3])
    assert float(out[0, 3:].std(0).mean() / x[0, 3:].std(0).mean()) == pytest.approx(2.0, rel=0.01)
    left = (out[1, 4:-1] - mean_of(x, gone)[1] - slow[4:-1, None]).abs().amax()
    assert float(left) < 0.2, "a tenth of the fast part, and little of the slow one is lost"
    inputs: dict[str, Input] = {"acc": SensorInput("acc", samples=96, slots=12)}
    how = replace(STILL, vigour=0.7, sharpness=1.0)
    varied = augmented({"acc": x.repeat(50, 1, 1), "acc.missing": gone.repeat(50, 1)}, inputs, how, seeded())["acc"]
    spread = varied[:, 3:].std(1).mean(1)
    assert float(spread.min()) < 0.6 * float(spread.max())
