"""Reconstruction: the split of the loss against training's own and naive ones, the trivial predictions, the picture."""

import json
import math
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from _synthetic import INPUTS, MILD, recipe, store
from kinjo import cli, learn
from kinjo.batches import Windows, cut
from kinjo.corpus import Corpus
from kinjo.encoders import Input, SensorInput, VideoInput
from kinjo.evaluate import reconstruction
from kinjo.evaluate.reconstruction import Rebuilt, StreamLoss, average, interpolated, losses_split, reconstruct, varied
from kinjo.evaluate.reconstruction_picture import plot_rebuilt, spans
from kinjo.methods.mumae import Batch, Config, MuMAE
from kinjo.methods.oneshot import OneShotConfig
from kinjo.nn.tokens import sincos

STRIDED: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8, layout="strided"),
    "rgb": VideoInput("rgb", frames=4, size=8, tubelet=(2, 4, 4)),
}
ROWS = 6


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(inputs: dict[str, Input], **sizes: object) -> MuMAE:
    stem = "linear" if inputs is STRIDED else "conv"
    config = {"dim": 32, "depth": 1, "decoder_dim": 24, "video_mask_ratio": 0.5, "stem": stem} | sizes
    return MuMAE(Config(inputs, **config), seeded()).eval()  # type: ignore[arg-type]


def windows(inputs: dict[str, Input], damaged: bool = False) -> dict[str, torch.Tensor]:
    generator = seeded(1)
    batch: dict[str, torch.Tensor] = {}
    for key, spec in inputs.items():
        x = spec.unpatchify(torch.randn(ROWS, spec.tokens, spec.values, generator=generator))
        gone = torch.zeros(ROWS, spec.samples, dtype=torch.bool)
        if damaged:
            gone[0] = True
            if inputs is not STRIDED:  # half of each strided token would be there
                gone[1, : spec.samples // 2] = True
            x[gone] = 0.0
        batch |= {key: x, f"{key}.missing": gone}
    return batch


both = pytest.mark.parametrize("inputs", [INPUTS, STRIDED], ids=["conv", "strided"])


# ------------------------------------------------------------------------------------------------ the split
@both
@pytest.mark.parametrize("damaged", [False, True])
def test_the_hidden_part_is_the_loss_of_training(inputs: dict[str, Input], damaged: bool) -> None:
    net, batch = model(inputs), windows(inputs, damaged)
    with torch.no_grad():
        trained = net.pretrain_loss(batch, seeded(3))
    split = losses_split(net, batch, seeded(3))
    assert list(split) == list(inputs)
    for key, spec in inputs.items():
        weight = 1.0 if isinstance(spec, VideoInput) else net.config.sensor_weight
        assert split[key].hidden * weight == pytest.approx(trained[f"masked_{key}"].item(), rel=1e-5)
        per = spec.values // (spec.channels if isinstance(spec, VideoInput) else 1)
        assert split[key].mean == pytest.approx((per - 1) / per, rel=1e-3)  # the variance is over n - 1
        assert (split[key].line is None) == isinstance(spec, VideoInput)


@both
def test_what_is_missing_does_not_count(inputs: dict[str, Input]) -> None:
    net, batch = model(inputs), windows(inputs, damaged=True)
    wild = {k: x.clone() for k, x in batch.items()}
    for key in inputs:
        wild[key][wild[f"{key}.missing"]] = 99.0
    one, other = losses_split(net, batch, seeded(3)), losses_split(net, wild, seeded(3))
    for key in inputs:
        for name in ("hidden", "visible", "mean", "count"):
            assert getattr(one[key], name) == pytest.approx(getattr(other[key], name), rel=1e-5), (key, name)
        assert one[key].line == (None if one[key].line is None else pytest.approx(other[key].line, rel=1e-5))
        everything = losses_split(net, windows(inputs), seeded(3))[key]
        assert one[key].count < everything.count


@both
def test_predictions_are_in_the_order_of_the_tokens(inputs: dict[str, Input]) -> None:
    """With decoders that pass on positions alone, every token's prediction is known; visible ones are no exception."""
    net = model(inputs)
    nn.init.zeros_(net.to_decoder.weight)
    nn.init.zeros_(net.mask_token)
    for key in inputs:

        class Pass(nn.Module):
            def forward(self, x: torch.Tensor, missing: torch.Tensor | None = None) -> torch.Tensor:
                return x

        net.decoders[key] = Pass()
    for key, got in reconstruct(net, windows(inputs), seeded(3)).items():
        expected = net.to_values[key](sincos(inputs[key].tokens, net.config.decoder_dim)).detach()
        assert torch.allclose(got.predicted, expected.expand_as(got.predicted), atol=1e-5)
        assert got.hidden.any()
        assert not got.hidden.all()


def test_visible_and_hidden_tokens_are_told_apart() -> None:
    truth, hidden = torch.randn(2, 4, 6, generator=seeded()), torch.tensor([[1, 0, 0, 1], [0, 1, 1, 0]]).bool()
    missing = torch.tensor([[0, 0, 1, 0], [0, 1, 0, 0]]).bool()
    predicted = torch.randn(2, 4, 6, generator=seeded(2))
    got = reconstruction._split(Rebuilt(truth, predicted, hidden, missing, None))
    sums: dict[bool, list[float]] = {True: [], False: []}
    for row in range(2):
        for token in range(4):
            if not missing[row, token]:
                x = truth[row, token]
                target = (x - x.mean()) / math.sqrt(x.var().item() + 1e-6)
                sums[bool(hidden[row, token])].append((predicted[row, token] - target).square().mean().item())
    assert (got.hidden, got.visible) == pytest.approx((np.mean(sums[True]), np.mean(sums[False])), rel=1e-5)
    assert got.count == len(sums[True]) == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_a_perfect_prediction_gives_the_truth_back(channels: int) -> None:
    truth = 5 + 3 * torch.randn(2, 4, 12, generator=seeded())
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    made = Rebuilt(truth, torch.zeros_like(truth), ~nothing, nothing, truth, channels)
    perfect = replace(made, predicted=made.target)
    assert torch.allclose(perfect.values, truth, atol=1e-4)
    split = reconstruction._split(perfect)
    assert (split.hidden, split.line) == (0.0, 0.0)
    assert split.explained == 1.0
    assert reconstruction._split(made).explained == 0.0


def test_batches_weigh_by_their_hidden_tokens() -> None:
    parts = [{"acc": StreamLoss(1.0, 2.0, 0.9, 3.0, 10)}, {"acc": StreamLoss(4.0, 5.0, 0.9, 0.0, 30)}]
    got = average(parts)["acc"]
    assert (got.hidden, got.visible, got.line, got.count) == (3.25, 4.25, 0.75, 40)
    assert got.mean == pytest.approx(0.9)
    video = average([{"rgb": StreamLoss(1.0, 2.0, 0.9, None, 10), **parts[0]}])
    assert video["rgb"].line is None
    assert average([{"acc": StreamLoss(0.0, 0.0, 0.0, 0.0, 0)}])["acc"].explained == 0.0


# ------------------------------------------------------------------------------------------------ interpolation
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 3), st.floats(0, 1))
def test_the_line_is_that_of_numpy(seed: int, samples: int, channels: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    x, seen = rng.normal(size=(2, samples, channels)), rng.random((2, samples, channels)) < share
    got = interpolated(torch.tensor(x), torch.tensor(seen)).numpy()
    for row in range(2):
        for c in range(channels):
            at = np.flatnonzero(seen[row, :, c])
            line = np.interp(np.arange(samples), at, x[row, at, c]) if len(at) else np.zeros(samples)
            np.testing.assert_allclose(got[row, :, c], line, atol=1e-5)


@both
def test_straight_signals_are_interpolated_exactly(inputs: dict[str, Input]) -> None:
    """Whatever the layout: the line goes through samples in time, not through tokens."""
    spec = inputs["acc"]
    assert isinstance(spec, SensorInput)
    slope = torch.tensor([1.0, -2.0, 0.5])
    x = torch.linspace(0, 1, spec.samples)[None, :, None] * slope + 3
    hidden = torch.zeros(1, spec.tokens, dtype=torch.bool)
    hidden[0, 2:5] = True
    given = reconstruction._line(spec, x, hidden, None)
    assert torch.allclose(given, spec.patchify(x), atol=1e-5)
    gone = torch.zeros(1, spec.samples, dtype=torch.bool)
    gone[0, 9:11] = True
    damaged = x.masked_fill(gone[:, :, None], 0.0)
    assert torch.allclose(reconstruction._line(spec, damaged, hidden, gone), spec.patchify(x), atol=1e-5)


# ------------------------------------------------------------------------------------------------ pictures, checkpoints
@given(st.lists(st.booleans(), max_size=12))
def test_spans_cover_what_is_flagged(flags: list[bool]) -> None:
    covered = np.zeros(len(flags), bool)
    found = spans(np.array(flags, bool))
    for a, b in found:
        assert a < b
        covered[a:b] = True
    assert covered.tolist() == flags
    assert all(b < c for (_, b), (c, _) in pairwise(found))


def test_labels_take_turns() -> None:
    labels = np.array(["b", "b", "a", "c", "a", "b"])
    assert labels[varied(labels, 4)].tolist() == ["a", "b", "c", "a"]
    assert sorted(varied(labels, 99)) == list(range(6))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, half of which lacks something, and a pre-training of a few steps on it."""
    folder = tmp_path_factory.mktemp("reconstruction")
    kept = store(folder / "corpus", 6, {1: ["depth"], 2: ["imu.acc", "pose"]})
    plan = replace(recipe(3), oneshot=OneShotConfig(), augment=MILD)
    held = Windows(kept, cut(kept, kept.recordings, plan), plan.inputs)
    learn.pretrain(plan, held, np.arange(len(held)), folder / "run", progress=False)
    return folder


def test_the_verb_draws_and_measures(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["kinjo", "reconstruct", str(trained / "run" / "model.safetensors"), *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        assert stop.value.code == 0, said.err
        return said.out

    words = ["--corpus", str(trained / "corpus"), "--windows", "3", "-o"]
    text = run(*words, str(tmp_path / "new" / "picture.png"))
    assert all(f"\n{key}" in text for key in INPUTS)
    assert (tmp_path / "new" / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["picture.png"]  # nothing temporary is left
    streams = json.loads(run(*words, str(tmp_path / "p.svg"), "--json", "--seed", "1"))["streams"]
    assert streams["depth"]["line"] is None
    assert streams["acc"]["hidden"] > 0
    again = reconstruction.evaluate(trained / "run" / "model.safetensors", Corpus.open(trained / "corpus"), seed=1)
    assert {k: x.hidden for k, x in again.items()} == {k: x["hidden"] for k, x in streams.items()}
    assert f"{again['acc'].hidden:.3f}" not in text  # of other masks


def test_all_batches_count(trained: Path) -> None:
    kept = Corpus.open(trained / "corpus")
    at_once, in_parts = (
        reconstruction.evaluate(trained / "run" / "model.safetensors", kept, batch_size=size) for size in (64, 4)
    )
    for key, x in at_once.items():
        assert x.count == in_parts[key].count
        assert x.mean == pytest.approx(in_parts[key].mean, abs=0.02)
    some = reconstruction.evaluate(trained / "run" / "model.safetensors", kept, ids=kept.recordings[:2])
    assert some["gyro"].count == at_once["gyro"].count // 3


def test_a_finetuned_checkpoint_is_refused(trained: Path, tmp_path: Path) -> None:
    kept = store(tmp_path / "corpus", 4)
    model, plan, _ = learn.load(trained / "run" / "model.safetensors")
    assert isinstance(model, MuMAE)
    held = Windows(kept, cut(kept, kept.recordings, plan), plan.inputs)
    rows = np.arange(len(held))
    learn.finetune(plan, model, held, rows, held.index.label_names.astype(str), tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match=r"fine-tuned.*before that"):
        reconstruction.evaluate(tmp_path / "run" / "model.safetensors", kept)


def test_every_kind_of_stream_is_drawn(tmp_path: Path) -> None:
    """Colour and depth video, pose, sensors in units and scaled by clip; also what is missing altogether."""
    inputs = INPUTS | STRIDED | {"wrist": SensorInput("gyro", samples=32, axes=4, slots=8, scaling="clip")}
    inputs["acc"] = INPUTS["acc"]
    net = model(inputs)
    batch: Batch = windows(inputs, damaged=True)
    rebuilt = reconstruct(net, batch, seeded())
    streams = {k: (inputs[k], x.truth, x.values, x.hidden, x.missing) for k, x in rebuilt.items()}
    plot_rebuilt(
        streams, tmp_path / "a.svg", names=["walk_fast"] * ROWS, seconds=[2.0] * ROWS, title="seen", said=["x"]
    )
    assert (tmp_path / "a.svg").stat().st_size > 100_000
    with pytest.raises(ValueError, match="Format 'xyz'"):
        plot_rebuilt(streams, tmp_path / "a.xyz", names=["a"], seconds=[2.0])
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]
