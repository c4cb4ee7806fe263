"""Places on the body: sensors and parts of the body share the vectors of joints."""

import pytest
import torch

from kinjo.body import CANONICAL, NEAREST_JOINTS, PLACEMENTS
from kinjo.nn.places import Places

DIM = 8


@pytest.fixture
def places() -> Places:
    made = Places(DIM, torch.Generator().manual_seed(0))
    with torch.no_grad():
        made.rest.normal_(generator=torch.Generator().manual_seed(1))
    return made


@pytest.mark.parametrize("name", PLACEMENTS)
def test_a_placement_is_its_joints_and_a_rest(places: Places, name: str):
    joints = [CANONICAL.index(joint) for joint in NEAREST_JOINTS[name]]
    base = places.joints[joints].mean(0) if joints else torch.zeros(DIM)
    rest = places.rest[PLACEMENTS.index(name)]
    torch.testing.assert_close(places.placement(name), base + rest)
    torch.testing.assert_close(places.placement(name, known=False), base if joints else rest)


def test_before_any_training_a_placement_is_what_its_joints_are():
    fresh = Places(DIM, torch.Generator().manual_seed(0))
    for name in PLACEMENTS:
        assert torch.equal(fresh.placement(name), fresh.placement(name, known=False))
    assert torch.equal(fresh.placement("left_wrist"), fresh.part(NEAREST_JOINTS["left_wrist"]))
    assert not torch.equal(fresh.placement("left_wrist"), fresh.placement("right_wrist"))


def test_withheld_is_unknown(places: Places):
    assert torch.equal(places.placement(""), places.placement("unknown"))
    assert torch.equal(places.placement("", known=False), places.rest[PLACEMENTS.index("unknown")])


def test_a_part_is_the_mean_of_its_canonical_joints(places: Places):
    one, two = CANONICAL.joints[:2]
    torch.testing.assert_close(places.part([one, "third eye", two]), places.joints[:2].mean(0))
    assert not places.part(["third eye", ""]).any()
    assert not places.part([]).any()


def test_placements_and_parts_teach_the_same_joints(places: Places):
    (joint,) = NEAREST_JOINTS["left_wrist"]
    places.placement("left_wrist").sum().backward()
    assert places.joints.grad is not None
    assert places.joints.grad.any(1).nonzero().flatten().tolist() == [CANONICAL.index(joint)]
    places.part([joint]).sum().backward()
    assert torch.equal(places.joints.grad[CANONICAL.index(joint)], torch.full((DIM,), 2.0))


def test_a_placement_that_nobody_knows_is_an_error(places: Places):
    with pytest.raises(ValueError, match="'tail' is not known; there are: head"):
        places.placement("tail")


def test_the_generator_alone_decides():
    torch.manual_seed(1)
    one = Places(DIM, torch.Generator().manual_seed(3))
    torch.manual_seed(2)
    two, other = (Places(DIM, torch.Generator().manual_seed(s)) for s in (3, 4))
    assert torch.equal(one.joints, two.joints)
    assert not torch.equal(one.joints, other.joints)
