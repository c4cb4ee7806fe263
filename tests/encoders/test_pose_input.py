"""Poses as a model reads them: around the root, in tokens by time and body part, without what is missing."""

import pytest
import torch

from kinjo.encoders import PoseInput


def windows(frames: int = 12, joints: int = 10, seed: int = 0) -> torch.Tensor:
    return torch.randn(3, frames, joints, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("places", [1, 2, 5])
def test_patches_come_back(places: int):
    spec, x = PoseInput(frames=12, joints=10, slots=4, places=places), windows()
    patches = spec.patchify(x)
    assert patches.shape == (3, spec.tokens, spec.values) == (3, 4 * places, 90 // places)
    joints = 10 // places
    assert torch.equal(patches[0, 2 * places], x[0, 6:9, :joints].flatten())  # slot 2, first part
    assert torch.equal(spec.unpatchify(patches), x)
    assert spec.signal(x).shape == (3, spec.samples, spec.channels)
    assert torch.equal(spec.signal(x)[1, 4], x[1, 4].flatten())


def test_where_the_person_stands_does_not_matter_but_its_way_does():
    spec, x = PoseInput(frames=12, joints=10, root=3), windows()
    out = spec.prepare(x)
    torch.testing.assert_close(out[:, :, 3].mean(1), torch.zeros(3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(spec.prepare(x + torch.tensor([1.0, -2.0, 3.0])), out, atol=1e-5, rtol=0)
    torch.testing.assert_close(out.diff(dim=1), x.diff(dim=1), atol=1e-5, rtol=0)  # metres stay, and the way walked


def test_missing_frames_do_not_move_the_root():
    spec, x = PoseInput(frames=12, joints=10), windows()
    missing = torch.zeros(3, 12, dtype=torch.bool)
    missing[0, 4:] = missing[2] = True
    out = spec.prepare(torch.where(missing[:, :, None, None], 1e6, x), missing)
    assert bool((out[missing] == 0).all())
    torch.testing.assert_close(out[0, :4], spec.prepare(x[:1, :4])[0])
    torch.testing.assert_close(out[1], spec.prepare(x)[1])


def test_frames_and_joints_must_divide():
    with pytest.raises(ValueError, match="do not divide"):
        PoseInput(frames=12, joints=10, slots=5).patchify(windows())
    with pytest.raises(ValueError, match="do not divide"):
        PoseInput(frames=12, joints=10, slots=4, places=3).patchify(windows())


def test_whatever_the_view_a_person_faces_the_same_way():
    spec = PoseInput(frames=8, joints=4, slots=2, across=(1, 2))
    pose = torch.randn(3, 8, 4, 3, generator=torch.Generator().manual_seed(0))
    pose[:, :, 2] += torch.tensor([0.5, 0.0, 3.0])
    missing = torch.zeros(3, 8, dtype=torch.bool)
    missing[1, 5:] = True
    angle = torch.tensor(2.3)
    turn = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
    straight = spec.prepare(pose, missing)
    torch.testing.assert_close(spec.prepare(pose @ turn.T + 1.0, missing), straight, atol=1e-5, rtol=1e-4)
    sideways = (straight[:, :, 2] - straight[:, :, 1]).sum(1)
    torch.testing.assert_close(sideways[:, 0], torch.zeros(3), atol=1e-5, rtol=0)
    assert (sideways[:, 2] > 0).all()
    plain = PoseInput(frames=8, joints=4, slots=2).prepare(pose, missing)
    torch.testing.assert_close(straight.norm(dim=3), plain.norm(dim=3))
    assert straight[missing].abs().max() == 0


@pytest.mark.parametrize(("across", "axes"), [((1,), 3), ((1, 9), 3), ((0, 1), 2)])
def test_facing_needs_two_joints_in_space(across: tuple[int, ...], axes: int):
    with pytest.raises(ValueError, match="a left and a right joint"):
        PoseInput(frames=8, joints=4, slots=2, across=across, axes=axes)
