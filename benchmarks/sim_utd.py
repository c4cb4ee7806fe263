"""Virtual against real IMU on UTD-MHAD: do they agree, and does a classifier taught on one recognise the other?

The skeletons of the 861 clips give virtual accelerometers and gyroscopes at the place of the real one (right wrist,
right thigh), on the reader's clock (a clip lasts N / 50 s), without a lag. Both are low-passed at 5 Hz. How sensor axes
lie in the segment is not documented: a signed permutation was read off the odd subjects. Smoothing was chosen on the
odd subjects too; the even ones are reported beside all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _tools import RESULTS, data_root, utd_corpus
from kinjo.evaluate import report
from kinjo.evaluate.baselines import minirocket_embedding
from kinjo.motion import Floats, J, Motion
from kinjo.signal import GRAVITY, resample_to
from kinjo.simulate import SITES, virtual_imu

MOUNTING = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""From the sensor's axes to the segment's: x towards the hand or knee, y backwards, z to the left."""
LOW_PASS_HZ = 5.0
LATENCY_S = 0.04
"""How much later the depth camera shows a movement; the best of 0, 20, ... 120 ms on the odd subjects."""
ODD = ("s1", "s3", "s5", "s7")
RATE = 50.0
COMMAND = "make bench-sim-utd"
SAMPLES, SEEDS = 100, 5


@dataclass(frozen=True)
class Clip:
    """Real and virtual readings of one clip, ``(n, 3)`` each, m/s^2 and rad/s, and plain double differentiation."""

    action: int
    label: str
    subject: str
    placement: str
    acc: Floats
    gyro: Floats
    virtual_acc: Floats
    virtual_gyro: Floats
    plain: dict[str, Floats]


def read() -> list[Clip]:
    """All clips of the corpus."""
    store, out = utd_corpus(), []
    for id in store.recordings:
        recording = store.recording(id)
        acc, gyro, pose = (recording.streams[name] for name in ("imu.acc", "imu.gyro", "pose"))
        motion, placement = Motion.of_stream(pose), str(acc.contract.placement)
        imu = virtual_imu(motion, placement, RATE, mounting=MOUNTING)
        n = min(len(imu.acc), acc.length)
        place = np.asarray(sum(w * motion.positions[:, J[joint]] for joint, w in SITES[placement].joints))
        out.append(
            Clip(
                int(id.split("_")[0][1:]), recording.segments[0].label, recording.subject, placement,
                acc.values()[:n] * GRAVITY, np.deg2rad(gyro.values()[:n]), imu.acc[:n], imu.gyro[:n],
                plain(place, motion.rate_hz, n),
            )
        )  # fmt: skip
    return out


def plain(place: Floats, rate_hz: float, n: int) -> dict[str, Floats]:
    """Acceleration plus gravity by plain double differentiation, ``(n, 3)`` at 50 Hz, in three usual ways."""
    from scipy.interpolate import CubicSpline

    frames, wanted = np.arange(len(place)) / rate_hz, np.arange(n) / RATE
    second = np.empty_like(place)
    second[1:-1] = (place[2:] - 2 * place[1:-1] + place[:-2]) * rate_hz**2
    second[0], second[-1] = second[1], second[-2]
    twice = np.gradient(np.gradient(place, 1 / rate_hz, axis=0), 1 / rate_hz, axis=0)
    fine = CubicSpline(frames, place)(wanted)
    found = {
        "second_difference": np.stack([np.interp(wanted, frames, second[:, k]) for k in range(3)], 1),
        "gradient_twice": np.stack([np.interp(wanted, frames, twice[:, k]) for k in range(3)], 1),
        "cubic_then_gradient": np.gradient(np.gradient(fine, 1 / RATE, axis=0), 1 / RATE, axis=0),
    }
    return {name: values + np.array([0.0, GRAVITY, 0.0]) for name, values in found.items()}


def low_passed(values: Floats) -> Floats:
    """Zero-phase Butterworth of order 4 at 5 Hz, along time."""
    from scipy.signal import butter, sosfiltfilt

    return np.asarray(sosfiltfilt(butter(4, LOW_PASS_HZ, fs=RATE, output="sos"), values, axis=0))


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's; 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0 else 0.0


def magnitudes(virtual: Floats, real: Floats, latency_s: float = 0.0) -> float:
    """Correlation of the low-passed vectors' lengths, the virtual ones read ``latency_s`` later."""
    a, b = (np.linalg.norm(low_passed(x), axis=1) for x in (virtual, real))
    shift = round(latency_s * RATE)
    return correlation(a[shift:], b[: len(b) - shift])


def median_over_subjects(values: Floats, subjects: NDArray[np.str_], seed: int = 0) -> tuple[float, list[float]]:
    """The median over clips, and its 95 % interval by a bootstrap over subjects."""
    rng, names = np.random.default_rng(seed), np.unique(subjects)
    rows = [values[subjects == name] for name in names]
    picks = [rng.integers(len(rows), size=len(rows)) for _ in range(2000)]
    drawn = np.array([float(np.median(np.concatenate([rows[i] for i in pick]))) for pick in picks])
    return float(np.median(values)), np.percentile(drawn, [2.5, 97.5]).tolist()


def agreement(clips: list[Clip]) -> list[dict[str, object]]:
    """Rows of the correlations, and the table by action."""
    subjects = np.array([c.subject for c in clips])
    ours = np.array([magnitudes(c.virtual_acc, c.acc) for c in clips])
    others = {name: np.array([magnitudes(c.plain[name], c.acc) for c in clips]) for name in clips[0].plain}
    late = np.array([magnitudes(c.virtual_acc, c.acc, LATENCY_S) for c in clips])
    gyro = np.array([magnitudes(c.virtual_gyro, c.gyro) for c in clips])
    even = ~np.isin(subjects, ODD)
    value, interval = median_over_subjects(ours, subjects)
    wrist = np.array([c.placement == "right_wrist" for c in clips])
    facts = {
        "baseline": {name: float(np.median(x)) for name, x in others.items()},
        "gain_over_second_difference": value - float(np.median(others["second_difference"])),
        "even_subjects": float(np.median(ours[even])), "right_wrist": float(np.median(ours[wrist])),
        "right_thigh": float(np.median(ours[~wrist])), "gyro": float(np.median(gyro)),
        "with_latency_40ms": float(np.median(late)), "with_latency_40ms_even": float(np.median(late[even])),
        "clips": len(clips),
        "by_action": by_action(clips, ours, others["second_difference"], gyro),
    }  # fmt: skip
    protocol = (
        "median over 861 clips of the correlation of |acc|, real against virtual from Kinect joints, both low-passed "
        "at 5 Hz as vectors, no lag; baselines: plain double differentiation in three ways"
    )
    return [
        report.row(
            "sim.utd_correlation", value, "correlation", ci95=interval, protocol=protocol, **described(), **facts
        )
    ]


def by_action(clips: list[Clip], ours: Floats, plain_: Floats, gyro: Floats) -> list[dict[str, object]]:
    """Medians by action: |acc|, plain, |gyro|, and each axis of both."""
    table = []
    for action in sorted({c.action for c in clips}):
        rows = [i for i, c in enumerate(clips) if c.action == action]
        pairs = [(clips[i].virtual_acc, clips[i].acc, clips[i].virtual_gyro, clips[i].gyro) for i in rows]
        axes = np.median([
            [correlation(low_passed(a)[:, k], low_passed(b)[:, k]) for a, b in ((va, ra), (vg, rg)) for k in range(3)]
            for va, ra, vg, rg in pairs
        ], axis=0)  # fmt: skip
        names = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
        medians = {"acc": ours[rows], "plain": plain_[rows], "gyro": gyro[rows]}
        figures = {k: round(float(np.median(v)), 3) for k, v in medians.items()}
        figures |= {k: round(float(v), 3) for k, v in zip(names, axes, strict=True)}
        table.append({"action": clips[rows[0]].label, "placement": clips[rows[0]].placement, **figures})
    return table


Predict = Callable[[Floats, NDArray[np.str_], Floats, int], NDArray[np.str_]]


def predict(train: Floats, labels: NDArray[np.str_], test: Floats, seed: int) -> NDArray[np.str_]:
    """The small classifier: 2,000 MiniRocket features and a ridge."""
    from sklearn.linear_model import RidgeClassifierCV

    known = minirocket_embedding(train, train, seed, kernels=2_000)
    asked = minirocket_embedding(train, test, seed, kernels=2_000)
    return np.asarray(RidgeClassifierCV(alphas=np.logspace(-1, 5, 7)).fit(known, labels).predict(asked))


def transfer(clips: list[Clip]) -> list[dict[str, object]]:
    """Rows of what virtual accelerometers teach: odd subjects train, even ones' real clips test."""
    from sklearn.metrics import f1_score

    real, virtual = (
        np.stack([resample_to(x, SAMPLES).T for x in readings])
        for readings in ([c.acc for c in clips], [c.virtual_acc for c in clips])
    )
    labels, subjects = np.array([c.label for c in clips]), np.array([c.subject for c in clips])
    odd = np.isin(subjects, ODD)

    def taught(train: Floats, given: NDArray[np.str_], seed: int) -> float:
        return float(f1_score(labels[~odd], predict(train, given, real[~odd], seed), average="macro"))

    whole = [(taught(virtual[odd], labels[odd], s), taught(real[odd], labels[odd], s)) for s in range(SEEDS)]
    ratios = [v / r for v, r in whole]
    pairs = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        one = np.array([rng.choice(np.flatnonzero(odd & (labels == label))) for label in np.unique(labels)])
        both = np.concatenate([virtual[odd], real[one]]), np.concatenate([labels[odd], labels[one]])
        pairs.append((taught(real[one], labels[one], seed), taught(*both, seed)))
    gains = [b - a for a, b in pairs]
    protocol = "27 actions, accelerometer alone, subjects 1,3,5,7 teach, real clips of 2,4,6,8 are asked; macro-F1"
    common = {"seeds": SEEDS, "protocol": protocol, "trained_on": "UTD-MHAD, odd subjects", **described()}
    first = report.row(
        "sim.transfer_ratio", float(np.median(ratios)), "ratio", **common, range_over_seeds=[min(ratios), max(ratios)],
        virtual_f1=float(np.median([v for v, _ in whole])), baseline={"real": float(np.median([r for _, r in whole]))},
    )  # fmt: skip
    second = report.row(
        "sim.transfer_gain", float(np.median(gains)), "macro-F1", **common, range_over_seeds=[min(gains), max(gains)],
        virtual_and_one_real=float(np.median([b for _, b in pairs])),
        baseline={"one_real_clip_per_class": float(np.median([a for a, _ in pairs]))},
    )  # fmt: skip
    return [first, second]


def described() -> dict[str, str]:
    """What every row says alike."""
    return {"command": COMMAND, "machine": report.describe_machine()}


def draw(table: list[dict[str, object]]) -> None:
    """The table by action and axis as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = ("acc", "plain", "acc_x", "acc_y", "acc_z", "gyro", "gyro_x", "gyro_y", "gyro_z")
    values = np.array([[float(str(row[name])) for name in columns] for row in table])
    figure = Figure(figsize=(8.5, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.add_subplot()
    image = panel.imshow(values, cmap="RdYlBu", vmin=-1, vmax=1, aspect="auto")
    shown = [name.replace("_", " ") for name in columns]
    shown[:2], shown[5] = ["|acc|", "|acc| plain"], "|gyro|"
    panel.set_xticks(range(len(columns)), shown)
    panel.xaxis.tick_top()
    panel.set_yticks(range(len(table)), [f"{row['action']} ({str(row['placement'])[6:]})" for row in table], fontsize=8)
    for (y, x), value in np.ndenumerate(values):
        panel.text(
            x, y, f"{value:.2f}", ha="center", va="center", fontsize=7, color="white" if abs(value) > 0.7 else "#22303c"
        )
    for edge in (0.5, 1.5, 4.5, 5.5):
        panel.axvline(edge, color="white", linewidth=2)
    figure.colorbar(image, ax=panel, fraction=0.03, pad=0.01, label="median correlation over clips")
    figure.suptitle("UTD-MHAD: virtual IMU from Kinect joints against the real one, 5 Hz low-pass, no lag", fontsize=11)
    figure.savefig(RESULTS / "sim_utd.png", dpi=130)


def main() -> None:
    """Write the rows ``sim.utd_correlation``, ``sim.transfer_*`` and the picture."""
    print(f"data: {data_root()}")
    clips = read()
    rows = [*agreement(clips), *transfer(clips)]
    report.write_rows(RESULTS / "sim_utd.json", rows)
    draw(rows[0]["by_action"])  # type: ignore[arg-type]
    for row in rows:
        print(
            f"{row['id']} = {row['value']:.4f} {row['unit']}",
            {k: v for k, v in row.items() if k in ("baseline", "ci95")},
        )


if __name__ == "__main__":
    main()
