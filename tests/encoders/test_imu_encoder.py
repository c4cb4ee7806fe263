"""Wearables: any number of sensors at any placements, and what is missing of them changes nothing."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kinjo.body import NEAREST_JOINTS
from kinjo.encoders import ImuEncoder, SensorInput
from kinjo.nn.context import Context, Recurrent
from kinjo.nn.places import Places
from kinjo.nn.transformer import initialise

DIM, ROWS, SAMPLES, SLOTS = 16, 3, 32, 8
ACC = SensorInput("acc", samples=SAMPLES, slots=SLOTS)
GYRO = replace(ACC, quantity="gyro")
WORN = {
    "acc": replace(ACC, placement="left_wrist"),
    "gyro": replace(GYRO, placement="left_wrist"),
    "pocket": replace(ACC, placement="right_pocket"),
}
Batch = dict[str, Tensor]


def encoder(inputs: dict[str, SensorInput], *, recurrent: bool = False) -> ImuEncoder:
    g = torch.Generator().manual_seed(0)
    context = Recurrent(DIM) if recurrent else Context(DIM, 1, 2, 0.5)
    made = ImuEncoder(inputs, Places(DIM, g), context, DIM)
    initialise(made, g)
    return made


def windows(inputs: dict[str, SensorInput], seed: int = 0) -> Batch:
    g = torch.Generator().manual_seed(seed)
    out = {key: torch.randn(ROWS, SAMPLES, spec.axes, generator=g) for key, spec in inputs.items()}
    return out | {f"{key}.missing": torch.zeros(ROWS, SAMPLES, dtype=torch.bool) for key in inputs}


def lost(batch: Batch, key: str, rows: int | slice = slice(None), samples: slice = slice(None)) -> Batch:
    """Missing, with nonsense where the values were."""
    gone, x = batch[f"{key}.missing"].clone(), batch[key].clone()
    gone[rows, samples], x[rows, samples] = True, 1e4
    return batch | {key: x, f"{key}.missing": gone}


def only(batch: Batch, *keys: str) -> Batch:
    return {name: x for name, x in batch.items() if name.partition(".")[0] in keys}


# ------------------------------------------------------------------------------------------------ any number
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_placements(number: int, recurrent: bool):
    names = ["left_wrist", "right_pocket", "head", "waist", ""][:number]
    inputs = {f"acc{i}": replace(ACC, placement=name) for i, name in enumerate(names)}
    net = encoder(inputs, recurrent=recurrent)
    out = net(windows(inputs))
    assert out.tokens.shape == (ROWS, number * SLOTS, DIM)
    assert out.embedding.shape == (ROWS, net.context.size)
    assert len(net.stems) == 1  # one stem for a quantity, wherever it is worn
    out.embedding.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_what_is_worn_in_one_place_is_one_unit():
    net = encoder(WORN)
    assert net.units == {"left_wrist": ["acc", "gyro"], "right_pocket": ["pocket"]}
    assert net.spans == {"acc": slice(0, 8), "gyro": slice(0, 8), "pocket": slice(8, 16)}
    batch = windows(WORN)
    one, two = net.enter(batch), net.enter(batch | {"gyro": batch["gyro"] + 1})
    changed = (one.tokens != two.tokens).any(2).any(0)
    assert changed.tolist() == [True] * 8 + [False] * 8


def test_in_order_each_part_is_of_its_own_span():
    net, batch = encoder(WORN), windows(WORN)
    with torch.no_grad():
        whole, parts = net(batch).embedding, net.in_order(batch, 4)
        assert parts.shape == (ROWS, 4, net.context.size)
        assert torch.allclose(net.in_order(batch, 1)[:, 0], whole, atol=1e-6)
        late = dict(batch)
        for key in WORN:
            late = lost(late, key, samples=slice(SAMPLES * 3 // 4, None))
        after = net.in_order(late, 4)
    assert (parts.diff(dim=1).norm(dim=2) > 0.1).all(), "each says something else"
    assert after[:, :3].norm(dim=2).min() > 0.1
    assert (after[:, 3] == 0).all(), "a span of which nothing is there"


def test_in_order_refuses_what_does_not_divide_and_recurrences():
    with pytest.raises(ValueError, match="8 slots are read in parts that divide them: given 3"):
        encoder(WORN).in_order(windows(WORN), 3)
    with pytest.raises(ValueError, match="transformer"):
        encoder(WORN, recurrent=True).in_order(windows(WORN), 2)


@pytest.mark.parametrize("recurrent", [False, True])
def test_rows_do_not_touch(recurrent: bool):
    net, batch = encoder(WORN, recurrent=recurrent), lost(windows(WORN), "acc", 1)
    whole = net(batch).embedding
    for row in range(ROWS):
        alone = net({name: x[row : row + 1] for name, x in batch.items()}).embedding
        torch.testing.assert_close(alone[0], whole[row], atol=1e-5, rtol=1e-4)


# ------------------------------------------------------------------------------------------------ missing
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("key", WORN)
def test_a_missing_sensor_is_as_if_there_were_none(key: str, recurrent: bool):
    net, batch = encoder(WORN, recurrent=recurrent), windows(WORN)
    said, absent = net(lost(batch, key)), net(only(batch, *(k for k in WORN if k != key)))
    torch.testing.assert_close(said.embedding, absent.embedding, rtol=1e-5, atol=1e-6)
    n = absent.missing.shape[1]  # tokens of places that the batch lacks are left out
    assert torch.equal(said.missing[:, :n], absent.missing)
    assert bool(said.missing[:, n:].all())
    assert bool(said.missing.any()) == (key == "pocket")  # the wrist has another


def test_without_a_gyroscope_the_accelerometer_alone_speaks():
    """The unit's tokens are those of a model that has no gyroscope, not halves of them."""
    net, batch = encoder(WORN), windows(WORN)
    alone = encoder({"acc": WORN["acc"]})
    alone.stems["acc"].load_state_dict(net.stems["acc"].state_dict())
    tokens = net.enter(only(batch, "acc", "pocket")).tokens[:, :SLOTS]
    expected = alone.enter(only(batch, "acc")).tokens
    torch.testing.assert_close(tokens, expected)
    both = net.enter(batch).tokens[:, :SLOTS]
    gyro = net.enter(only(batch, "gyro")).tokens[:, :SLOTS]
    torch.testing.assert_close(both, (expected + gyro) / 2)


def test_a_gyroscope_that_fails_for_a_while_is_missing_for_a_while():
    net, batch = encoder(WORN), windows(WORN)
    part = lost(batch, "gyro", 0, slice(0, 16))
    x, alone = net.enter(part), net.enter(only(batch, "acc", "pocket"))
    torch.testing.assert_close(x.tokens[0, :4], alone.tokens[0, :4])
    assert (x.tokens[0, 4:8] - alone.tokens[0, 4:8]).abs().amax(1).min() > 1e-3
    assert not x.missing.any()


@pytest.mark.parametrize("recurrent", [False, True])
def test_nothing_of_what_is_missing_is_read(recurrent: bool):
    net, batch = encoder(WORN, recurrent=recurrent), windows(WORN)
    gone = lost(lost(batch, "acc", 0, slice(8, 20)), "pocket", 1)
    other = {name: x.clone() for name, x in gone.items()}
    for key in ("acc", "pocket"):
        other[key][gone[f"{key}.missing"]] = -7.0
    one, two = net(gone), net(other)
    assert torch.equal(one.embedding, two.embedding)
    assert torch.equal(one.tokens[~one.missing], two.tokens[~two.missing])


@pytest.mark.parametrize("recurrent", [False, True])
def test_rows_without_any_sensor_are_zero_with_finite_gradients(recurrent: bool):
    net, batch = encoder(WORN, recurrent=recurrent), windows(WORN)
    for key in WORN:
        batch = lost(batch, key, 1)
    out = net(batch)
    assert not out.embedding[1].any()
    assert out.embedding[[0, 2]].abs().sum(1).min() > 0
    assert out.missing.all(1).tolist() == [False, True, False]
    (out.embedding * torch.randn(out.embedding.shape, generator=torch.Generator().manual_seed(5))).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    nobody = net({name: x[1:2] for name, x in batch.items()})
    assert not nobody.embedding.any()


def test_a_batch_without_masks_lacks_nothing():
    net, batch = encoder(WORN), windows(WORN)
    bare = {key: batch[key] for key in WORN}
    assert torch.equal(net(bare).embedding, net(batch).embedding)


# ------------------------------------------------------------------------------------------------ hidden
def test_nothing_of_a_hidden_token_is_read():
    net, batch = encoder(WORN), windows(WORN)
    hidden = torch.zeros(ROWS, 2 * SLOTS, dtype=torch.bool)
    hidden[0, 2:4] = hidden[1, 9] = True
    wild = {name: x.clone() for name, x in batch.items()}
    wild["acc"][0, 8:16] = wild["gyro"][0, 8:16] = wild["pocket"][1, 4:8] = 1e3
    one, two = net.enter(batch, hidden), net.enter(wild, hidden)
    assert torch.equal(one.tokens, two.tokens)
    assert not one.missing.any()  # hidden is not missing
    assert not torch.equal(net.enter(batch).tokens, net.enter(wild).tokens)


# ------------------------------------------------------------------------------------------------ placements
def test_a_placement_never_seen_has_the_vector_of_its_joints():
    net, batch = encoder(WORN), windows(WORN)
    (places,) = net.shared
    with torch.no_grad():
        known = net.enter(batch).tokens
        assert torch.equal(known, net.enter(batch, placed=False).tokens)  # the rests begin at zero
        places.rest.normal_(generator=torch.Generator().manual_seed(3))
        learnt, withheld = net.enter(batch).tokens, net.enter(batch, placed=False).tokens
    torch.testing.assert_close(withheld, known)
    torch.testing.assert_close(learnt - known, torch.cat([
        (learnt - known)[:, :1].expand(-1, SLOTS, -1), (learnt - known)[:, SLOTS : SLOTS + 1].expand(-1, SLOTS, -1)
    ], 1), atol=1e-5, rtol=0)  # fmt: skip
    torch.testing.assert_close(places.placement("left_wrist", known=False), places.part(NEAREST_JOINTS["left_wrist"]))


def test_the_same_signal_elsewhere_is_another_token():
    batch = windows({"acc": ACC})
    here, there = (encoder({"acc": replace(ACC, placement=p)}) for p in ("left_wrist", "right_pocket"))
    moved = here.enter(batch).tokens - there.enter(batch).tokens
    assert moved.abs().max() > 1e-3
    torch.testing.assert_close(moved, moved[:1, :1].expand_as(moved), atol=1e-5, rtol=0)


# ------------------------------------------------------------------------------------------------ refused
@pytest.mark.parametrize(
    ("other", "says"),
    [
        (replace(ACC, samples=64), "'two': all sensors of a joint space need the same samples and slots"),
        (replace(ACC, slots=4), "need the same samples and slots.*32 and 4"),
        (replace(ACC, layout="strided"), "contiguous: given 32 and 8 .strided."),
        (replace(ACC, axes=1), "inputs of quantity 'acc' must have the same axes and read alike"),
        (replace(ACC, reads="motion"), "inputs of quantity 'acc' must have the same axes and read alike"),
    ],
)
def test_sensors_that_do_not_go_together_are_refused(other: SensorInput, says: str):
    with pytest.raises(ValueError, match=says):
        encoder({"one": ACC, "two": other})
