"""Checkpoints: what goes in comes out, a write is whole or nothing, and anything else is refused with a reason."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import kinjo
from kinjo.nn import checkpoint
from kinjo.nn.checkpoint import CheckpointError

TENSORS = {
    "weight": torch.arange(12.0).view(3, 4),
    "half": torch.tensor([0.5, -1.0], dtype=torch.bfloat16),
    "step": torch.tensor(7),
    "mask": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3),
}
META = {"method": "none", "recipe": {"name": "Übung", "betas": [0.9, 0.95], "nothing": None}, "seed": 3}


def header(path: Path, values: object) -> None:
    save_file({"x": torch.zeros(1)}, str(path), metadata={"kinjo": json.dumps(values)})


def test_round_trip(tmp_path: Path):
    path = tmp_path / "a" / "deep" / "model.safetensors"
    checkpoint.save(path, TENSORS, META)
    tensors, meta = checkpoint.load(path)
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)
    expected = META | {"format": checkpoint.FORMAT, "kinjo": kinjo.__version__, "torch": torch.__version__}
    assert meta == expected
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]
    (plain := path.with_name("plain")).touch()
    assert path.stat().st_mode == plain.stat().st_mode  # others may read it, where they may read any file


def test_strided_tensors_and_parameters_are_kept(tmp_path: Path):
    weight = torch.nn.Parameter(torch.arange(6.0).view(2, 3))
    checkpoint.save(tmp_path / "m", {"turned": weight.T, "weight": weight}, {})
    tensors, _ = checkpoint.load(tmp_path / "m")
    assert torch.equal(tensors["turned"], weight.detach().T)
    assert not tensors["weight"].requires_grad


@pytest.mark.parametrize("breaks", ["save_file", "os.fsync", "os.replace"])
def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str):
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, TENSORS, META)
    before = path.read_bytes()

    def fail(*given: object, **_: object) -> None:
        if breaks == "save_file":
            Path(str(given[1])).write_bytes(b"half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(f"kinjo.nn.checkpoint.{breaks}", fail)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, {"weight": torch.zeros(5)}, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]  # no litter


def test_a_file_cut_short_is_refused(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, TENSORS, META)
    whole = path.read_bytes()
    for length in (0, 4, 8, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"model\.safetensors: .*(Copy or train it again)"):
            checkpoint.load(path)


class Trap:
    """Pickled so that loading it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pickle_is_never_opened(tmp_path: Path):
    sprung, path = tmp_path / "sprung", tmp_path / "model.pt"
    path.write_bytes(pickle.dumps({"weight": Trap(sprung)}))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        checkpoint.load(path)
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        checkpoint.load(path)
    assert not sprung.exists()


def test_no_file_says_what_makes_one(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"nowhere\.safetensors: no such checkpoint.*kinjo pretrain"):
        checkpoint.load(tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoint.load(tmp_path)


def test_another_format_says_which_kinjo_reads_it(tmp_path: Path):
    header(tmp_path / "m", {"format": 99, "kinjo": "7.1"})
    with pytest.raises(CheckpointError, match=r"m: checkpoint format 99.*kinjo 7\.1: use that version, or train again"):
        checkpoint.load(tmp_path / "m")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_safetensors_of_others_are_refused(tmp_path: Path, metadata: dict[str, str] | None):
    save_file({"x": torch.zeros(1)}, str(tmp_path / "m"), metadata=metadata)
    with pytest.raises(CheckpointError, match="m: a safetensors file, but not written by kinjo"):
        checkpoint.load(tmp_path / "m")


@pytest.mark.parametrize("text", ["", "{", "3", "[1, 2]", '"word"'])
def test_a_header_that_is_none_is_refused(tmp_path: Path, text: str):
    save_file({"x": torch.zeros(1)}, str(tmp_path / "m"), metadata={"kinjo": text})
    with pytest.raises(CheckpointError, match=r"m: its header is not one of kinjo's"):
        checkpoint.load(tmp_path / "m")


def test_the_header_keeps_its_order(tmp_path: Path):
    meta = {"recipe": {"pose": 1, "depth": 2, "acc": {"z": 0, "a": 1}}}
    checkpoint.save(tmp_path / "m", {"x": torch.zeros(1)}, meta)
    recipe = checkpoint.load(tmp_path / "m")[1]["recipe"]
    assert [list(recipe), list(recipe["acc"])] == [["pose", "depth", "acc"], ["z", "a"]]
