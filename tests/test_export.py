"""An exported model answers as the checkpoint does, with NumPy and ONNX Runtime alone, and damaged ones say so."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import _small_model
from _small_model import LEARNT, TAUGHT, sensors, session, shown
from kinjo import corpus, runtime
from kinjo.batches import Windows, cut
from kinjo.body import PLACEMENTS
from kinjo.encoders import PoseInput, SensorInput
from kinjo.export import ImuGraph, _traced, accuracy, batch_of, export, quantize
from kinjo.methods import mujo
from kinjo.profiling import profile
from kinjo.recognizer import Recognizer
from kinjo.runtime import ModelError, load

BLOCKED = [
    "torch", "scipy", "pyarrow", "av", "sklearn", "matplotlib", "typer", "rich", "aeon", "soxr", "safetensors",
    "lightning_fabric", "transformers", "pandas",
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _small_model.write(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def exported(saved: Path) -> Path:
    export(saved, saved.with_name("small.onnx"))
    return saved.with_name("small.onnx")


@pytest.fixture(scope="module")
def graph() -> tuple[ImuGraph, mujo.MuJo, bytes]:
    """Three places, 30 samples in 6 slots, which do not divide evenly in the stem."""
    inputs = {
        f"{p}.{q}": SensorInput(q, samples=30, slots=6, placement=p)
        for p in ("right_wrist", "left_ankle", "") for q in ("acc", "gyro")
    }  # fmt: skip
    space = mujo.MuJo(mujo.Config(inputs, dim=32, depth=2, heads=2, joint_dim=16), torch.Generator().manual_seed(1))
    made = ImuGraph(space.eval()).eval()
    return made, space, _traced(made, 30).SerializeToString()


@pytest.mark.parametrize("places", [1, 2, 7])
@pytest.mark.parametrize("batch", [1, 3, 64])
def test_any_number_of_windows_and_sensors(graph: tuple[ImuGraph, mujo.MuJo, bytes], batch: int, places: int):
    import onnxruntime as ort

    made, _, proto = graph
    rng = torch.Generator().manual_seed(batch * places)
    signals = [torch.randn(batch, places, 30, 3, generator=rng) * 5 for _ in range(2)]
    missing = [torch.rand(batch, places, 30, generator=rng) < 0.4 for _ in range(2)]
    missing[1][:, 0] = True  # no gyroscope there
    where = torch.arange(places) * 3
    with torch.inference_mode():
        wanted = made(signals, missing, where)
    feed = {n: x.numpy() for n, x in zip(("acc", "gyro"), signals, strict=True)}
    feed |= {f"{n}_missing": x.numpy() for n, x in zip(("acc", "gyro"), missing, strict=True)}
    found = ort.InferenceSession(proto).run(["imu", "joint"], feed | {"placement": where.numpy()})
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs.numpy(), atol=1e-5)


def test_the_graph_is_the_encoder(graph: tuple[ImuGraph, mujo.MuJo, bytes]):
    made, space, _ = graph
    rng = torch.Generator().manual_seed(5)
    batch = {}
    for key, spec in space.config.inputs.items():
        gone = torch.rand(4, 30, generator=rng) < 0.3
        batch[f"{key}.missing"] = gone
        batch[key] = spec.prepare(torch.randn(4, 30, 3, generator=rng) * 4, gone)
    scale = {"acc": 9.80665, "gyro": 3.0}
    places = ["right_wrist", "left_ankle", ""]
    signals = [torch.stack([batch[f"{p}.{q}"] * scale[q] for p in places], 1) for q in scale]
    missing = [torch.stack([batch[f"{p}.{q}.missing"] for p in places], 1) for q in scale]
    with torch.inference_mode():
        wanted = space.encode(batch)["imu"].embedding
        found, _ = made(signals, missing, torch.tensor([PLACEMENTS.index(p or "unknown") for p in places]))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_it_answers_as_the_checkpoint_does(saved: Path, exported: Path):
    ours, theirs = load(exported), Recognizer.load(saved)
    for what in ("labels", "id", "plan", "smoothing", "rhythms"):
        assert getattr(ours, what) == getattr(theirs, what)
    assert ours.rhythms
    example = shown(session(200, (TAUGHT,)), TAUGHT)
    recording = sensors(session(300, (*LEARNT, TAUGHT)))
    for teach in (False, True):
        if teach:
            assert ours.teach(TAUGHT, example) == theirs.teach(TAUGHT, example)
        a, b = ours.recognize(recording), theirs.recognize(recording)
        assert a.scores is not None
        assert b.scores is not None
        np.testing.assert_allclose(a.scores.values, b.scores.values, atol=1e-4)
        assert [(*s[:3], s.repetitions) for s in a] == [(*s[:3], s.repetitions) for s in b]
    alone = {n: s for n, s in recording.streams.items() if n.endswith("acc")}
    assert len(ours.recognize(type(recording)("acc", alone)))


def test_it_knows_the_words_of_labels(exported: Path):
    model = load(exported)
    assert model.say is not None
    assert model.say(["Jumping_Jack"]).shape == (1, 32)
    with pytest.raises(ValueError, match=r"none of the .* labels that this exported model knows"):
        model.say(["a whale sings"])


def test_nothing_of_this_machine_is_in_it(exported: Path):
    """The exporter notes for every node the lines of the files that it comes from."""
    data = exported.read_bytes()
    assert str(Path(runtime.__file__).parent).encode() not in data
    assert b'.py"' not in data


def test_it_needs_numpy_and_onnx_runtime_alone(exported: Path, tmp_path: Path):
    code = f"""
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(f"{{name}} is blocked", name=name)
sys.meta_path.insert(0, Only())
import numpy as np
from kinjo import runtime
from kinjo.recording import Contract, Recording, Stream
model = runtime.load({str(exported)!r})
rng = np.random.default_rng(0)
streams = {{}}
for q, units in (("acc", "m/s^2"), ("gyro", "rad/s")):
    name = f"right_wrist.{{q}}"
    contract = Contract("imu", q, units, 50.0, placement="right_wrist", gravity=True if q == "acc" else None)
    streams[name] = Stream.of(name, contract, rng.normal(0, 3, (1000, 3)).astype(np.float32))
recording = Recording("mine", streams)
model.teach("shaking", recording)
spans = model.recognize(recording).segments
live, got = model.live({{n: s.contract for n, s in streams.items()}}), []
for at in range(0, 1000, 50):
    for name, s in streams.items():
        got += live.push(name, s.values(at, at + 50))
got += live.finish()
assert [s[:3] for s in got] == [s[:3] for s in spans], (got, spans)
print(spans[0].label, len(spans))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("shaking")


def test_other_files_are_refused(exported: Path, tmp_path: Path):
    with pytest.raises(ModelError, match="no such model"):
        load(tmp_path / "none.onnx")
    cut_short = tmp_path / "cut.onnx"
    cut_short.write_bytes(exported.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cut short"):
        load(cut_short)
    proto = onnx.load(exported)
    told = json.loads(proto.metadata_props[0].value)
    for change, why in (({"format": 99}, "upgrade kinjo"), ({"classes": 3}, "damaged"), ({"vectors": "AAA"}, "damaged"),
                        ({"plan": {"slots": [{}]}}, "damaged"), ({"rhythms": {"squat": 3}}, "damaged")):  # fmt: skip
        proto.metadata_props[0].value = json.dumps(told | change)
        onnx.save(proto, tmp_path / "changed.onnx")
        with pytest.raises(ModelError, match=why):
            load(tmp_path / "changed.onnx")
    del told["rhythms"]  # as written before there were any
    proto.metadata_props[0].value = json.dumps(told)
    onnx.save(proto, tmp_path / "old.onnx")
    assert load(tmp_path / "old.onnx").rhythms == {}
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match="not one of kinjo's"):
        load(tmp_path / "foreign.onnx")


def test_what_cannot_be_exported_is_said(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = Recognizer.load(saved)
    pose = {"pose": PoseInput(joints=17)}
    model.space = mujo.MuJo(mujo.Config(pose, dim=32, depth=1, heads=2, joint_dim=8), torch.Generator())
    monkeypatch.setattr(Recognizer, "load", lambda path: model)
    with pytest.raises(ValueError, match="reads no IMU"):
        export(saved, tmp_path / "pose.onnx")
    assert not (tmp_path / "pose.onnx").exists()


def test_int8_is_written_if_it_answers_as_well(saved: Path, exported: Path, tmp_path: Path):
    store = corpus.write((session(p, LEARNT) for p in range(500, 504)), tmp_path / "corpus", progress=False)
    found = quantize(exported, tmp_path / "int8.onnx", saved, store, store.recordings, max_drop=0.2)
    assert found["int8_bytes"] < found["fp32_bytes"]
    assert found["drop"] <= 0.2
    windows = Windows(store, cut(store, store.recordings, _small_model.RECIPE), _small_model.INPUTS)
    labels = windows.index.label_names.astype(str)
    assert accuracy(load(tmp_path / "int8.onnx"), windows, labels) == pytest.approx(found["int8"])
    whole = accuracy(Recognizer.load(saved), windows, labels)
    assert whole == pytest.approx(found["fp32"], abs=0.02)
    assert set(batch_of(windows, np.arange(2))) == {"acc", "acc.missing", "gyro", "gyro.missing"}
    with pytest.raises(ValueError, match="nothing written"):
        quantize(exported, tmp_path / "no.onnx", saved, store, store.recordings, max_drop=-2.0)
    assert not (tmp_path / "no.onnx").exists()


@pytest.mark.parametrize("kind", ["exported", "saved"])
def test_what_a_window_costs(kind: str, request: pytest.FixtureRequest):
    found = profile(request.getfixturevalue(kind), windows=20)
    assert found["parameters"] > 20_000
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    if kind == "exported":
        assert 0.1 < found["mmacs"] < 100


def test_a_missing_runtime_says_what_to_install(exported: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"kinjo\[runtime\]"):
        runtime.load(exported)


def test_the_command_line_ships_it(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from kinjo.cli import app

    out = tmp_path / "cli.onnx"
    app(["export", str(saved), "-o", str(out), "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["classes"] == sorted(LEARNT)
    app(["profile", str(out), "--windows", "20", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["threads"] == 1
    for wrong, why in ((["-o", "x.txt"], "ends in .onnx"), (["-o", str(out), "--int8"], "needs --corpus")):
        with pytest.raises(ValueError, match=why):
            app(["export", str(saved), *wrong], standalone_mode=False)
