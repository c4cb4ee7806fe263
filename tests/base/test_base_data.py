"""The corpora of kinjo-base: every place is worn by somebody, and what is finished is not made again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kinjo.base import data
from kinjo.base.data import GROUPS, REAL, SMALL, SOMEWHERE, device, set_of, sites
from kinjo.body import PLACEMENTS
from kinjo.datasets import DATASETS, gym
from kinjo.datasets.card import DatasetError
from kinjo.recording import Recording
from kinjo.sensors import PHONE_IN_POCKET, RESEARCH_IMU, WATCH


def test_every_place_is_in_a_group():
    assert {place for group in GROUPS for place in group} == set(PLACEMENTS)
    assert all(len(set(group)) == len(group) == 4 for group in GROUPS)


def test_a_place_of_no_known_side_is_on_either():
    found = [sites(("wrist", "pocket", "left_wrist", "unknown"), np.random.default_rng(k)) for k in range(40)]
    assert all(one["wrist"] == "right_wrist" for one in found)  # the left one is taken
    assert {one["pocket"] for one in found} == {"left_pocket", "right_pocket"}
    assert len({one["unknown"] for one in found}) > 10
    for one in found:
        assert len(set(one.values())) == 4
        assert set(one.values()) <= set(SOMEWHERE)


def test_what_is_worn_where():
    worn = [device(p) for p in ("wrist", "left_pocket", "unknown", "chest")]
    assert worn == [WATCH, PHONE_IN_POCKET, PHONE_IN_POCKET, RESEARCH_IMU]


def test_sets_that_ship_may_be_trained_on():
    assert all(DATASETS[name].CARD.trainable for name in (*REAL, "cmu", "gym"))


def test_simulated_people_wear_the_sensors_of_their_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    size = data.Size(people=1, sessions=1, made_up=8, copies=1, seconds=20.0, groups=2)
    stores = data.build(tmp_path, None, size, progress=False)
    assert list(stores) == ["gym-0", "gym-1", "made_up-0", "made_up-1"]
    for name, store in stores.items():
        for entry in store.entries:
            places = {str(s.contract.placement) for s in entry.streams}
            assert places == set(GROUPS[int(name[-1])])
            assert {s.contract.quantity for s in entry.streams} == {"acc", "gyro"}
    labels = [{s.label for e in store.entries for s in e.segments} for store in stores.values()]
    assert all(name.startswith("made-up ") for name in labels[2] | labels[3])

    def never(*_: object) -> Iterator[Recording]:
        raise AssertionError("made again")

    monkeypatch.setattr(data, "_session", never)
    assert data.build(tmp_path, None, size, only=("gym",), progress=False).keys() == {"gym-0", "gym-1"}
    told = data.facts(stores)
    assert told["made_up-0"]["licence"] == "Apache-2.0"
    assert told["gym-1"]["digest"] == stores["gym-1"].digest


def test_a_set_that_is_asked_for_and_not_there_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(DatasetError, match="Download"):
        data.build(tmp_path, tmp_path, SMALL, only=("ucipt",), progress=False)


def test_sets_of_corpora():
    assert [set_of(n) for n in ("gym-3", "made_up-0", "wisdm")] == ["gym", "made_up", "wisdm"]


def test_watches_and_strapped_units_have_their_long_side_along_the_limb_and_phones_any_way():
    made = data._session(data.FIRST["gym"] + 3, ("standing",), 30.0, 0)
    still = {p: made.streams[f"{p}.acc"].values().mean(0) / 9.81 for p in ("chest", "right_ankle")}
    for place, up in still.items():
        assert abs(up[0]) > 0.8, (place, up)
    there = gym.record(
        data.FIRST["gym"] + 3, seconds=30.0, names=("standing",), placements=("chest",), imu_rate_hz=50.0
    )
    before = there.streams["chest.acc"]
    after = data.worn(before, "chest").values()
    np.testing.assert_array_equal(after[:, 0], before.values()[:, 1])
    np.testing.assert_array_equal(after[:, 1], -before.values()[:, 0])
    np.testing.assert_array_equal(data.worn(before, "left_pocket").values(), before.values())
    assert data.worn(before, "waist").contract.placement == "waist"
