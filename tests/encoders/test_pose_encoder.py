"""Poses in 2-D and 3-D, whole or in parts, with joints that nobody saw."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kinjo.body import CANONICAL, SKELETONS
from kinjo.encoders import PoseEncoder, PoseInput
from kinjo.nn.context import Context
from kinjo.nn.places import Places
from kinjo.nn.transformer import initialise

DIM, ROWS = 16, 3
WHOLE = PoseInput(frames=16, joints=4, slots=8)
PARTS = replace(WHOLE, places=2)
KINDS = {
    "whole": WHOLE,
    "parts": PARTS,
    "flat": replace(PARTS, axes=2),
    "motion": replace(WHOLE, reads="motion"),
}
every_kind = pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS)
Batch = dict[str, Tensor]


def encoder(spec: PoseInput) -> PoseEncoder:
    g = torch.Generator().manual_seed(0)
    made = PoseEncoder({"pose": spec}, Places(DIM, g), Context(DIM, 1, 2, 0.5), DIM)
    initialise(made, g)
    return made


def windows(spec: PoseInput) -> Batch:
    x = torch.randn(ROWS, spec.frames, spec.joints, spec.axes, generator=torch.Generator().manual_seed(1))
    return {"pose": x, "pose.missing": torch.zeros(ROWS, spec.frames, dtype=torch.bool)}


def lost(batch: Batch, row: int, frames: slice = slice(None), value: float = 1e4) -> Batch:
    x, gone = batch["pose"].clone(), batch["pose.missing"].clone()
    x[row, frames], gone[row, frames] = value, True
    return {"pose": x, "pose.missing": gone}


@every_kind
def test_tokens_slot_by_slot_part_by_part(spec: PoseInput):
    net, batch = encoder(spec), windows(spec)
    out = net(batch)
    assert out.tokens.shape == (ROWS, spec.tokens, DIM)
    assert net.spans == {"pose": slice(0, spec.tokens)}
    assert out.embedding.shape == (ROWS, net.context.size)
    moved = batch["pose"].clone()
    moved[:, :, -1, -1] += torch.arange(spec.frames)[:, None].T  # the last joint, of the last part
    changed = (net.enter(batch).tokens != net.enter(batch | {"pose": moved}).tokens).any(2).any(0)
    assert changed.view(spec.slots, spec.places)[:, -1].all()
    assert not changed.view(spec.slots, spec.places)[:, :-1].any()


@every_kind
def test_missing_frames_change_nothing(spec: PoseInput):
    net, batch = encoder(spec), windows(spec)
    one, two = (net(lost(batch, 1, slice(4, 10), value)) for value in (1e4, -3.0))
    assert torch.equal(one.embedding, two.embedding)
    assert one.missing.nonzero()[:, 0].unique().tolist() == [1]
    assert int(one.missing.sum()) == 3 * spec.places
    assert (one.embedding[1] - net(batch).embedding[1]).abs().max() > 1e-3


@every_kind
def test_a_window_without_a_pose_is_zero_with_finite_gradients(spec: PoseInput):
    net, batch = encoder(spec), windows(spec)
    out = net(lost(batch, 1))
    assert not out.embedding[1].any()
    torch.testing.assert_close(out.embedding[[0, 2]], net(batch).embedding[[0, 2]], atol=1e-5, rtol=1e-4)
    (out.embedding * torch.randn(out.embedding.shape, generator=torch.Generator().manual_seed(5))).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@every_kind
def test_a_joint_that_nobody_saw_is_a_learnt_vector(spec: PoseInput):
    net, batch = encoder(spec), windows(spec)
    torn = batch["pose"].clone()
    torn[0, 3:9, 2] = torch.nan
    with torch.no_grad():
        net.lost.copy_(torch.randn(net.lost.shape, generator=torch.Generator().manual_seed(2)))
    filled = torch.where(torn.isnan(), net.lost.detach(), torn)
    out = net(batch | {"pose": torn})
    assert torch.equal(out.embedding, net(batch | {"pose": filled}).embedding)
    assert not out.missing.any()
    (out.embedding * torch.randn(out.embedding.shape, generator=torch.Generator().manual_seed(5))).sum().backward()
    assert net.lost.grad is not None
    assert net.lost.grad.any(1).tolist() == [False, False, True, False]
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_a_pose_without_any_joint_is_finite():
    net, batch = encoder(PARTS), windows(PARTS)
    out = net(batch | {"pose": torch.full_like(batch["pose"], torch.nan)})
    assert torch.isfinite(out.embedding).all()


def test_prepared_poses_keep_their_lost_joints():
    """Neither the average of the root nor the facing is spoilt by them."""
    spec = replace(WHOLE, across=(1, 2))
    x = windows(spec)["pose"]
    torn = x.clone()
    torn[0, 2, 3] = torn[1, 5, 1] = torn[2, :, 0] = torch.nan
    for missing in (None, torch.zeros(ROWS, 16, dtype=torch.bool)):
        out = spec.prepare(torn, missing)
        assert torch.equal(out.isnan(), torn.isnan()) or missing is None
        torch.testing.assert_close(out[0].nan_to_num(), spec.prepare(x)[0].where(~torn[0].isnan(), 0.0))
        assert torch.isfinite(out[1, :, 3]).all()


def test_nothing_of_a_hidden_token_is_read():
    net, batch = encoder(PARTS), windows(PARTS)
    hidden = torch.zeros(ROWS, PARTS.tokens, dtype=torch.bool)
    hidden[0, [4, 7]] = True  # slot 2 of the first part, slot 3 of the second
    wild = batch["pose"].clone()
    wild[0, 4:6, :2] = wild[0, 6:8, 2:] = 1e3
    one, two = net.enter(batch, hidden), net.enter(batch | {"pose": wild}, hidden)
    assert torch.equal(one.tokens, two.tokens)
    assert not one.missing.any()
    assert not torch.equal(net.enter(batch).tokens, net.enter(batch | {"pose": wild}).tokens)


def test_parts_of_a_known_skeleton_have_the_vectors_of_their_joints():
    names = SKELETONS["canonical"].joints
    spec = PoseInput(frames=16, joints=len(names), slots=8, places=len(names), skeleton="canonical")
    net, batch = encoder(spec), windows(spec)
    (places,) = net.shared
    assert net.parts == [(name,) for name in CANONICAL.joints]
    before = net.enter(batch).tokens.view(ROWS, 8, len(names), DIM)
    with torch.no_grad():
        places.joints[3] += 1.0
    after = net.enter(batch).tokens.view(ROWS, 8, len(names), DIM)
    moved = torch.zeros_like(before)
    moved[:, :, 3] = 1.0
    torch.testing.assert_close(after - before, moved, atol=1e-5, rtol=0)


def test_parts_without_names_have_none():
    net, batch = encoder(PARTS), windows(PARTS)
    before = net.enter(batch).tokens
    with torch.no_grad():
        net.shared[0].joints.add_(1.0)
    assert torch.equal(net.enter(batch).tokens, before)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="reads one pose, given one, two"):
        PoseEncoder({"one": WHOLE, "two": WHOLE}, Places(DIM, torch.Generator()), Context(DIM, 1, 2, 0.5), DIM)
    with pytest.raises(ValueError, match="'pose': 4 joints do not divide into 3 places"):
        encoder(replace(WHOLE, places=3))
    with pytest.raises(ValueError, match=r"skeleton 'canonical' has not 4 joints; known: .*canonical .17"):
        replace(WHOLE, skeleton="canonical")
    with pytest.raises(ValueError, match="skeleton 'octopus' has not 4 joints"):
        replace(WHOLE, skeleton="octopus")
