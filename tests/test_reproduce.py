"""Claims beside our rows; and MMAct by the paper's own split, on small files of its layout."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kinjo import learn, reproduce
from kinjo.batches import Windows
from kinjo.datasets import mmact
from kinjo.encoders import SensorInput, VideoInput
from kinjo.methods import mumae
from kinjo.methods.oneshot import OneShotConfig
from kinjo.recipe import Recipe
from kinjo.train import Schedule


@pytest.fixture(scope="module")
def data(layouts: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training and the ten test classes by two people, half a second each."""
    root = tmp_path_factory.mktemp("mmact")
    classes = [name.replace(" ", "_") for name in (*mmact.ONESHOT["train"][:6], *mmact.ONESHOT["test"])]
    names = tuple(f"subject{s}_scene1_session1_{name}" for s in (1, 17) for name in classes)
    layouts.write(root, "mmact", layouts.mmact(0, names, cameras=(1, 2), seconds=0.6), zipped=False)
    return root


def small() -> Recipe:
    """The published recipe, all but its size and its lengths."""
    plan = Recipe.load(reproduce.RECIPE)
    inputs = {
        key: replace(spec, frames=4, size=16, tubelet=(2, 8, 8)) if isinstance(spec, VideoInput) else spec
        for key, spec in plan.inputs.items()
    }
    sizes = {"dim": 16, "depth": 1, "heads": 2, "decoder_dim": 12, "decoder_depth": 1, "decoder_heads": 2}
    short = {"steps": 2, "warmup_steps": 1, "precision": "fp32"}
    return replace(
        plan, inputs=inputs, model=replace(plan.model, inputs=inputs, **sizes),
        pretrain=replace(plan.pretrain, batch_size=4, **short),
        finetune=replace(plan.finetune, **(short | {"warmup_steps": 0, "accumulate": 1})),
    )  # fmt: skip


def test_the_recipe_is_the_published_preset() -> None:
    plan = Recipe.load(reproduce.RECIPE)
    assert plan.model == mumae.vit_small()
    assert dict(plan.inputs) == mumae.published_inputs()
    assert plan.oneshot == OneShotConfig(fusion="reference", branches="released", head="can", queries=1)
    assert plan.finetune.lr_at(0) == plan.finetune.lr_at(7_999) == 0.01
    assert Schedule().optimizer == "adamw"
    assert plan.finetune.optimizer == "sgd"


def test_mmact_is_run_by_the_papers_split_and_goes_on(data: Path, tmp_path: Path) -> None:
    ran = reproduce.run_mmact(data, tmp_path, small(), tests=2, episodes=40, progress=False)
    assert ran is not None
    assert ran["clips"] == 2 * 16 * 2  # people, classes, cameras
    assert len(ran["reference_tests"]) == 2
    assert ran["reference_best"] == max(ran["reference_tests"])
    assert ran["reference_last"] == ran["reference_tests"][-1]
    assert 0 <= ran["strict"] <= 1
    kept = (tmp_path / "reported.txt").read_text().splitlines()
    assert [line.partition(":")[0] for line in kept] == ["cam3.rgb", "cam4.rgb"]  # made with two cameras of four
    assert ran["reported"] == 2
    again = reproduce.run_mmact(data, tmp_path, small(), tests=2, episodes=40, progress=False)
    assert again == ran
    text = reproduce.to_text(reproduce.table(), ran)
    assert "64 clips, 2 faults reported:" in text


def test_without_mmact_it_says_how_to_get_it(tmp_path: Path) -> None:
    found, text = reproduce.mumae(tmp_path, tmp_path / "out", small(), progress=False)
    assert found["mmact"] is None
    assert mmact.CARD.how_to_get in text
    assert json.loads((tmp_path / "out" / "mumae.json").read_text()) == json.loads(json.dumps(found))


def test_rows_are_found_by_id_and_absent_ones_are_said(tmp_path: Path) -> None:
    row = {"id": "utd.ablation.sync_gain", "value": 0.0125, "ci95": [-0.01, 0.03], "command": "make bench-utd-ablation"}
    (tmp_path / "one.json").write_text(json.dumps([row, {"id": "other", "value": 1}]))
    entries = reproduce.table(tmp_path)
    assert [id for entry in entries for id in entry.ours] == ["utd.ablation.sync_gain"]
    text = reproduce.to_text(entries, None)
    assert "utd.ablation.sync_gain = 0.013  [-0.010, 0.030]  (UTD-MHAD, make bench-utd-ablation)" in text
    assert text.count("not measured here") == len(reproduce.CLAIMS) - 1


def test_every_row_of_a_claim_is_written_by_some_benchmark() -> None:
    """A claim that points to a row that nothing writes would stay empty for ever."""
    sources = "".join(p.read_text() for p in (reproduce.HOME / "benchmarks").glob("*.py"))
    sources += (reproduce.HOME / "src" / "kinjo" / "evaluate" / "ablation.py").read_text()
    sources += "imu_pose_depth"
    for claim in reproduce.CLAIMS:
        for id in claim.rows:
            assert id.rsplit(".", 1)[1] in sources, id


def test_the_sensors_alone_will_do(data: Path, tmp_path: Path) -> None:
    plan = small()
    inputs = {k: s for k, s in plan.inputs.items() if isinstance(s, SensorInput)}
    late = replace(
        plan, name="sensors", inputs=inputs, model=replace(plan.model, inputs=inputs), oneshot=OneShotConfig()
    )
    ran = reproduce.run_mmact(data, tmp_path, late, tests=1, episodes=20, progress=False)
    assert ran is not None
    assert ran["reference_best"] == ran["reference_last"]


def test_what_cannot_be_read_is_counted(
    layouts: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One csv without samples, one camera without a sequence: two lines, on stderr their number, in the text too."""
    names = tuple(f"subject1_scene1_session1_{name}" for name in ("walking", "kicking"))
    tree = layouts.mmact(0, names, published=False, cameras=(1, 2, 3, 4), seconds=0.6)
    tree["gyro_clip"][f"walking/{names[0]}.csv"] = b""
    del tree["video"]["kicking/subject1_cam1_scene1_session1_kicking.mp4"]
    layouts.write(tmp_path, "mmact", tree, zipped=False)
    home = mmact.find(tmp_path)
    assert home is not None
    report: list[str] = []
    assert len([*reproduce.clips_of(home, report)]) == 7
    assert len(report) == 2
    assert report[0].startswith("cam1.rgb: no file for 1 of 2 sequences")
    assert "gyro" in report[1]
    reproduce.tell(report, tmp_path / "reported.txt")
    assert (tmp_path / "reported.txt").read_text().splitlines() == report
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"2 faults reported, such as: {report[0]} (all: {tmp_path / 'reported.txt'})\n"
    reproduce.tell([], tmp_path / "reported.txt")
    assert capsys.readouterr().err == ""
    ran = {"clips": 1, "reported": 2, "reference_best": 1, "reference_last": 1, "strict": 1}
    assert ", 1 clips, 2 faults reported:" in reproduce.to_text([], ran)


def test_the_strict_answer_is_by_the_recipes_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One part knows the class, the other names the class of the next: the heavier one is believed."""

    def knowing(model: object, windows: Windows, rows: NDArray[np.intp], **_: object) -> Mapping[str, NDArray[Any]]:
        number = np.unique(windows.index.label_names[rows], return_inverse=True)[1]
        asked = np.char.find(np.asarray(windows.corpus.recordings)[windows.index.recording[rows]], "subject17") >= 0
        codes = np.eye(10, dtype=np.float32)
        return {"video": codes[(number + asked) % 10], "imu": codes[number]}

    monkeypatch.setattr(learn, "embed", knowing)
    for heavy, low, high in (("imu", 1.0, 1.0), ("video", 0.0, 0.6)):
        plan = replace(small(), name=heavy, oneshot=OneShotConfig(weights={heavy: 3.0}))
        ran = reproduce.run_mmact(data, tmp_path, plan, tests=1, episodes=40, progress=False)
        assert ran is not None
        assert low <= ran["strict"] <= high, heavy


def test_mujos_claims_stand_beside_ours_and_absent_data_says_how_to_get_it(tmp_path: Path) -> None:
    row = {"id": "mujo.virtual_gain", "value": 0.0125, "command": "make bench-mujo-motionsense"}
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    found, text = reproduce.mujo(tmp_path / "nothing", results=tmp_path)
    assert len(found["claims"]) == len(reproduce.MUJO_CLAIMS)
    assert "mujo.virtual_gain = 0.013" in text or "mujo.virtual_gain = 0.012" in text
    assert "0.855 (v3)" in text
    assert "0.638 (v1)" in text
    assert found["data"]["motionsense"] is None
    assert "MotionSense, device motion: data not found" in text
    assert text.count("not measured here") == sum(not e["ours"] for e in found["claims"])
