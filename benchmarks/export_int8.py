"""What int8 costs in accuracy: the demo's watch in the simulated gym, windows of people never seen."""

from __future__ import annotations

from _tools import RESULTS, ROOT
from kinjo import corpus
from kinjo.datasets import gym
from kinjo.demo_watch import NAMES, learn_watch, session
from kinjo.evaluate import report
from kinjo.export import export, quantize

WORK = ROOT / ".bench" / "int8"
PEOPLE = range(700, 724)


def main() -> None:
    """Train the small model (half a minute), export, quantise, compare."""
    checkpoint = learn_watch(WORK, progress=False)
    export(checkpoint, WORK / "fp32.onnx")
    made = (session(p, NAMES, 120.0) for p in PEOPLE)
    store = corpus.write(made, WORK / "test", origin=f"gym, a watch, {PEOPLE}", progress=False)
    found = quantize(WORK / "fp32.onnx", WORK / "int8.onnx", checkpoint, store, store.recordings, max_drop=1.0)
    row = report.row(
        "export.int8_drop", found["drop"], "fraction", command="make bench-export-int8", seeds=1,
        trained_on=f"the simulated gym, {len(NAMES)} of {len(gym.NAMES)} activities",
        protocol=f"accuracy over windows of {len(PEOPLE)} people never seen, ONNX fp32 less int8 (weights of matrices)",
        accuracy={"fp32": found["fp32"], "int8": found["int8"]},
        bytes={"fp32": found["fp32_bytes"], "int8": found["int8_bytes"]},
    )  # fmt: skip
    print(row)
    report.write_rows(RESULTS / "export_int8.json", [row])


if __name__ == "__main__":
    main()
