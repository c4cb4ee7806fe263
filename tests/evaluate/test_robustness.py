"""Perturbations do what they say and nothing else; the table holds what a model makes of them."""

import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch import Tensor

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.evaluate import robustness as rb
from kinjo.evaluate.robustness import Batch, Perturbation, evaluate, standard

INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=64, slots=8, placement="right_wrist"),
    "gyro": SensorInput("gyro", samples=64, slots=8, placement="right_wrist"),
    "thigh": SensorInput("acc", samples=64, slots=8, placement="left_thigh"),
    "pose": PoseInput(frames=16, joints=4, slots=4),
    "depth": VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8)),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(rows: int = 5) -> dict[str, Tensor]:
    g = seeded(1)
    shapes = {"acc": (64, 3), "gyro": (64, 3), "thigh": (64, 3), "pose": (16, 4, 3), "depth": (4, 16, 16, 1)}
    out: dict[str, Tensor] = {}
    for key, shape in shapes.items():
        out[key] = torch.randn(rows, *shape, generator=g)
        out[f"{key}.missing"] = torch.zeros(rows, shape[0], dtype=torch.bool)
    out["acc.missing"][0, 10:20] = True
    out["acc"][0, 10:20] = 0
    out["text"], out["label"] = torch.arange(rows), torch.arange(rows) % 2
    return out


def changed(before: Batch, after: Batch) -> set[str]:
    assert before.keys() == after.keys()
    return {key for key in before if not torch.equal(before[key], after[key])}


def test_nothing_of_the_batch_is_written_to():
    given = batch()
    kept = {key: value.clone() for key, value in given.items()}
    for p in standard(INPUTS):
        after = p.change(given, seeded())
        assert changed(given, after), p
        for key, spec in INPUTS.items():
            gone = after[f"{key}.missing"]
            assert (after[key][gone] == 0).all()
            assert gone[given[f"{key}.missing"]].all()
            assert torch.isfinite(after[key]).all()
            assert after[key].shape == given[key].shape
            assert gone.shape[1] == spec.samples
    assert not changed(given, kept)


def test_what_is_dropped_is_missing_and_the_rest_is_there():
    given = batch()
    after = rb.drop_sensors(given, INPUTS, ["gyro", "pose"])
    assert changed(given, after) == {"gyro", "gyro.missing", "pose", "pose.missing"}
    assert after["gyro.missing"].all()
    assert not after["gyro"].any()
    after = rb.drop_modality(given, INPUTS, "imu")
    assert all(after[f"{key}.missing"].all() for key in ("acc", "gyro", "thigh"))
    assert changed(given, rb.drop_modality(given, INPUTS, "text")) == {"text"}
    after = rb.only(given, INPUTS, ["pose"])
    assert not after["pose.missing"].any()
    assert after["depth.missing"].all()
    assert (after["text"] == -1).all()
    assert not changed(given, rb.only(given, INPUTS, ["imu", "pose", "video", "text"]))
    with pytest.raises(ValueError, match="modality 'smell'"):
        rb.drop_modality(given, INPUTS, "smell")
    with pytest.raises(ValueError, match="no input nose"):
        rb.drop_sensors(given, INPUTS, ["nose"])


def test_noise_has_its_size_and_its_generator():
    given = batch(200)
    after = rb.noise(given, INPUTS, 0.3, seeded())
    assert changed(given, after) == {"acc", "gyro", "thigh"}
    assert (after["gyro"] - given["gyro"]).std().item() == pytest.approx(0.3, rel=0.02)
    assert not after["acc"][0, 10:20].any()
    assert not changed(after, rb.noise(given, INPUTS, 0.3, seeded()))
    assert changed(after, rb.noise(given, INPUTS, 0.3, seeded(2)))
    assert changed(given, rb.noise(given, INPUTS, 0.1, seeded(), keys=["pose"])) == {"pose"}


def test_a_slower_sensor_keeps_slow_movement_and_loses_fast_without_aliases():
    t = (torch.arange(64) + 0.5) / 64
    waves = torch.stack([torch.sin(2 * math.pi * cycles * t) for cycles in (3, 12, 28)], 1)[None]
    given = batch(1) | {"acc": waves, "acc.missing": torch.zeros(1, 64, dtype=torch.bool)}
    after = rb.slower_rate(given, INPUTS, 4, keys=["acc"])["acc"][0, 8:-8]  # 16 samples a window: up to 8 cycles
    assert (after[:, 0] - waves[0, 8:-8, 0]).abs().max() < 0.05
    assert after[:, 1:].abs().max() < 0.1
    assert not changed(given, rb.slower_rate(given, INPUTS, 1))
    with pytest.raises(ValueError, match="factor"):
        rb.slower_rate(given, INPUTS, 0.5)


def test_a_gap_does_not_bleed_into_a_slower_signal():
    given = batch(1)
    given["acc"] = torch.ones(1, 64, 3)
    given["acc.missing"][:] = False
    given["acc.missing"][0, 20:30] = True
    given["acc"][0, 20:30] = 0
    after = rb.slower_rate(given, INPUTS, 2)["acc"]
    np.testing.assert_allclose(after[0].numpy(), given["acc"][0].numpy(), atol=1e-5)


def test_sensors_of_a_place_are_turned_alike_and_lengths_are_kept():
    given = batch(300)
    given["gyro"] = given["acc"].clone()
    after = rb.rotated(given, INPUTS, 90, seeded())
    assert changed(given, after) == {"acc", "gyro", "thigh"}
    torch.testing.assert_close(after["acc"], after["gyro"])
    torch.testing.assert_close(after["thigh"].norm(dim=-1), given["thigh"].norm(dim=-1))
    same = given | {"thigh": given["acc"].clone()}
    turned = rb.rotated(same, INPUTS, 90, seeded())
    assert not torch.allclose(turned["thigh"], turned["acc"])
    cosine = torch.cosine_similarity(after["acc"], given["acc"], dim=-1)[~given["acc.missing"]]
    assert cosine.min() > -1e-3  # no vector is turned by more than 90 degrees
    with pytest.raises(ValueError, match="'pose' is no sensor"):
        rb.rotated(given, INPUTS, 90, seeded(), keys=["pose"])


def test_orientations_stay_and_clip_scaled_sensors_cannot_be_turned():
    inputs: dict[str, Input] = {"angle": SensorInput("orientation"), "clip": SensorInput("acc", scaling="clip")}
    given = {key: torch.randn(2, 128, 3, generator=seeded()) for key in inputs}
    assert torch.equal(rb.rotated(given, inputs, 90, seeded(), keys=["angle"])["angle"], given["angle"])
    with pytest.raises(ValueError, match="'clip'"):
        rb.rotated(given, inputs, 90, seeded())
    assert "rotated" not in {p.name for p in standard(inputs)}


def test_gaps_are_one_run_of_the_share_in_each_window():
    given = batch(500)
    given["acc.missing"][:] = False
    after = rb.gaps(given, INPUTS, 0.25, seeded())
    for key in ("acc", "gyro", "thigh"):
        gone = after[f"{key}.missing"]
        assert (gone.sum(1) == 16).all()
        assert (gone[:, 1:] & ~gone[:, :-1]).sum(1).max() <= 1
    assert not torch.equal(after["acc.missing"], after["gyro.missing"])
    assert after["acc.missing"].any(0).all()  # anywhere
    assert rb.gaps(given, INPUTS, 1.0, seeded())["acc.missing"].all()
    with pytest.raises(ValueError, match="share"):
        rb.gaps(given, INPUTS, 1.5, seeded())


def test_inputs_of_another_limb():
    wrist = {key: INPUTS[key] for key in ("acc", "gyro", "pose")}
    moved = rb.other_limb(wrist, "left_wrist")
    assert [getattr(moved[key], "placement", "") for key in moved] == ["left_wrist", "left_wrist", ""]
    moved = rb.other_limb(INPUTS, "chest", of="left_thigh")
    assert (getattr(moved["thigh"], "placement", ""), moved["acc"]) == ("chest", INPUTS["acc"])
    with pytest.raises(ValueError, match="left_thigh, right_wrist"):
        rb.other_limb(INPUTS, "chest")
    with pytest.raises(ValueError, match="unknown placement"):
        rb.other_limb(wrist, "tail")


def test_subsets_are_all_of_them():
    assert rb.subsets(["imu", "pose"]) == [("imu",), ("pose",), ("imu", "pose")]
    assert len(rb.subsets("abcd")) == 15


def test_the_table_is_what_the_model_answers():
    rng = np.random.default_rng(0)
    truth, people = rng.integers(0, 2, 60), np.repeat(np.arange(6), 10)
    inputs: dict[str, Input] = {"acc": INPUTS["acc"], "pose": INPUTS["pose"]}
    batches = []
    for rows in np.array_split(np.arange(60), 4):
        one = {key: value for key, value in batch(len(rows)).items() if key.split(".")[0] in inputs}
        one["acc"] = one["acc"] + torch.tensor(truth[rows]).float()[:, None, None]
        batches.append(one)

    def predict(b: Batch) -> Tensor:
        mean = b["acc"].mean((1, 2)) + 0.01 * b["pose"].mean((1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], 1)

    moved = [rb.drop_modality(one, inputs, "imu") for one in batches]
    grid = evaluate(predict, batches, standard(inputs), truth, people, elsewhere={"chest": moved}, bootstrap=100)
    rows = {(row.perturbation, row.level): row for row in grid.rows}
    assert next(iter(rows)) == ("clean", "")
    answered = np.concatenate([predict(b).argmax(1).numpy() for b in batches])
    assert rows["clean", ""].macro_f1 == pytest.approx(f1_score(truth, answered, average="macro"))
    assert rows["clean", ""].accuracy == pytest.approx((answered == truth).mean())
    assert (rows["clean", ""].loss, rows["clean", ""].loss_ci95) == (0.0, (0.0, 0.0))
    blind = rows["only", "pose"]
    assert blind.loss == pytest.approx(rows["clean", ""].macro_f1 - blind.macro_f1)
    assert blind.loss_ci95[0] <= blind.loss <= blind.loss_ci95[1]
    assert rows["other limb", "chest"].macro_f1 == blind.macro_f1
    assert rows["only", "imu"].loss == pytest.approx(0, abs=0.05)
    assert (grid.windows, grid.subjects) == (60, 6)
    assert json.loads(json.dumps(grid.to_dict()))["rows"][0]["perturbation"] == "clean"
    assert len(grid.to_markdown().splitlines()) == 2 + len(rows)
    noisy = [p for p in standard(inputs) if p.name == "noise"]
    alone = evaluate(predict, batches, noisy[1:], truth, people, bootstrap=10).rows
    assert alone[1].macro_f1 == rows["noise", noisy[1].level].macro_f1  # whatever else was measured


def test_what_does_not_fit_the_truth_is_refused():
    given = [batch(4)]

    def right(b: Batch) -> Tensor:
        return torch.eye(2)[b["label"]]

    clean = evaluate(right, given, [], [0, 1, 0, 1], [1, 1, 2, 2], bootstrap=10)
    assert clean.rows[0].macro_f1 == 1
    with pytest.raises(ValueError, match="clean: truth and subjects are of 3"):
        evaluate(right, given, [], [0, 1, 0], [1, 1, 2], bootstrap=10)
    with pytest.raises(ValueError, match="other limb x"):
        evaluate(right, given, [], [0, 1, 0, 1], [1, 1, 2, 2], elsewhere={"x": []}, bootstrap=10)
    same = Perturbation("a", "b", lambda b, _: b)
    with pytest.raises(ValueError, match="same name"):
        evaluate(right, given, [same, same], [0, 1, 0, 1], [1, 1, 2, 2])
