"""What every dataset offers, and the fuzz of the readers in small."""

from pathlib import Path
from types import ModuleType

import pytest

from kinjo.datasets import DATASETS, DatasetError, load, status


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_cards_are_whole(name: str):
    card = DATASETS[name].CARD
    assert card.name == name
    for words in (card.title, card.citation, card.licence, card.how_to_get):
        assert words
    assert card.url or name == "gym"  # ours: it lies nowhere else
    assert card.classes
    assert card.defects
    for split in card.splits.values():
        ids = [i for part in split.parts.values() for i in part]
        assert len(ids) == len(set(ids))
        assert split.part_of("nobody") is None


def test_status_finds_what_is_there(tmp_path: Path, layouts: ModuleType):
    layouts.write(tmp_path, "motionsense", layouts.motionsense(), zipped=True)
    found = {card.name: path for card, path in status(tmp_path)}
    assert set(found) == set(DATASETS)
    assert found["motionsense"] == tmp_path / "MotionSense"
    assert found["utd_mhad"] is None
    assert {card.name for card, path in status(tmp_path / "gone") if path} <= {"basic_motions", "gym"}


def test_load(tmp_path: Path, layouts: ModuleType):
    layouts.write(tmp_path, "motionsense", layouts.motionsense(), zipped=True)
    (recording,) = load("motionsense", tmp_path, only=("wlk_7_sub_3",))
    assert recording.id == "wlk_7_sub_3"
    with pytest.raises(DatasetError, match=f"one of {', '.join(DATASETS)}, given another name"):
        load("mnist", tmp_path)
    with pytest.raises(DatasetError, match="Download"):
        load("utd_mhad", tmp_path)


def test_no_damage_passes_silently(fuzz: ModuleType):
    """Two of each kind here; ``make bench-fuzz-readers`` runs more."""
    pytest.importorskip("aeon")
    rows = fuzz.run(repeats=2, seed=7)
    assert len(rows) > 100
    bad = [row for row in rows if {row["strict"], row["skip_bad"]} & {"crash", "silent"}]
    assert bad == []
    assert {row["strict"] for row in rows} == {"error", "identical"}
    assert {row["skip_bad"] for row in rows} == {"error", "identical", "skipped"}


def test_the_fuzz_sees_a_reader_that_is_wrong(fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """Without the checks of MotionSense's columns, the same damage is counted as silent."""
    from kinjo.datasets import motionsense

    monkeypatch.setattr(motionsense, "_check", lambda file, counter, groups: None)
    monkeypatch.setattr(fuzz, "INSIDE", {"motionsense": {k: fuzz.INSIDE["motionsense"][k] for k in ("clock",)}})
    monkeypatch.setattr(fuzz, "AFTER", {})
    rows = fuzz.run(repeats=4, seed=0)
    assert "silent" in {row["strict"] for row in rows}
