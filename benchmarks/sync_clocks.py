"""How well clocks are brought together: wearables against pose and video of the simulated gym, and UTD-MHAD.

Gym recordings of two minutes. The wearable's clock is off by up to 3 s and 200 ppm, its readings have the faults of a
watch or a phone; the pose has an estimator's jitter. Rows ``sync.recovered`` (of all that is told, the share whose time
is right within 60 ms from the first to the last sample), ``sync.confident`` (share told), ``sync.false_claims`` (share
told where wearable and pose are of different people), by placement, against video, with the placement unknown, and
``sync.utd`` on real clips. Thresholds were chosen on other seeds (``TUNED_ON``) and on UTD-MHAD's odd subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from _tools import RESULTS, utd_corpus
from kinjo.datasets import gym
from kinjo.energy import Energy, imu_energy, pose_energy, video_energy
from kinjo.evaluate import report
from kinjo.evaluate.pictures_motion import plot_alignment
from kinjo.recording import Recording, Stream
from kinjo.sensors import PHONE_IN_POCKET, RESEARCH_IMU, WATCH
from kinjo.sync import Alignment, align, sync

SEEDS = range(50_000, 50_240)
TUNED_ON = "gym seeds 40000 to 40119"
SECONDS, OFFSET_S, DRIFT_PPM, NEAR_S = 120.0, 3.0, 200.0, 0.06
JITTER_M = (0.01, 0.02)
SENSORS = {"left_wrist": WATCH, "right_wrist": WATCH, "right_pocket": PHONE_IN_POCKET, "right_ankle": RESEARCH_IMU}
UNKNOWN = 40
"""Recordings whose placement is not said."""
FILMED, FILM_PIXELS, FILM_NEAR_S = 10, 48, 0.1
"""Recordings that are rendered too, how large, and how near counts as right: frames are 67 ms apart."""
STDERR = Console(stderr=True)
UTD_NEAR_S, UTD_SHIFT_S = 0.15, 0.5


@dataclass(frozen=True)
class Trial:
    """One pair of clocks: what was found, and the largest error of a wearable's time over its signal, seconds."""

    error_s: float
    found: Alignment


def clocked(streams: dict[str, Stream], offset_s: float, drift: float) -> dict[str, Stream]:
    """The streams of a wearable whose clock says ``t`` when the reference's says ``t + offset_s + drift * t``."""
    moved = {}
    for name, stream in streams.items():
        contract = replace(stream.contract, rate_hz=50.0)
        moved[name] = replace(stream, contract=contract, start_s=(stream.start_s - offset_s) / (1 + drift))
    return moved


def jittered(pose: Stream, rng: np.random.Generator) -> Stream:
    """The pose as an estimator gives it: half of the noise new in every frame, half of it drifting over some."""
    values = np.asarray(pose.values(), np.float64)
    new, slow = rng.normal(size=(2, *values.shape))
    padded = np.pad(slow, ((2, 2), (0, 0), (0, 0)), "wrap")
    slow = sum(padded[k : k + len(values)] for k in range(5)) / np.sqrt(5)
    noise = rng.uniform(*JITTER_M) * (new + slow) / np.sqrt(2)
    return Stream.of(pose.name, pose.contract, (values + noise).astype(np.float32), start_s=pose.start_s)


def worst_error(found: Alignment, wearable: Energy, offset_s: float, drift: float) -> float:
    """Largest error of the reference's time over the wearable's signal: it is at one of the ends."""
    ends = wearable.start_s + np.array([0.0, wearable.seconds])
    return float(np.abs(found.reference_time(ends) - (ends + offset_s + drift * ends)).max())


@dataclass(frozen=True)
class Take:
    """One gym recording as its devices gave it: what every placement felt and what pose saw of it; the true clocks."""

    recording: Recording
    felt: dict[str, Energy]
    seen: dict[str, Energy]
    offsets: dict[str, float]
    drift: float


def take(seed: int) -> Take:
    """The recording of ``seed``, its clocks and noise drawn from the same seed."""
    rng = np.random.default_rng([seed, 6])
    drift = rng.uniform(-DRIFT_PPM, DRIFT_PPM) * 1e-6
    made = gym.record(
        seed,
        seconds=SECONDS,
        placements=tuple(SENSORS),
        sensors=SENSORS,
        pose_rate_hz=30.0,
        imu_rate_hz=50 / (1 + drift),
    )
    offsets = {place: float(rng.uniform(-OFFSET_S, OFFSET_S)) for place in SENSORS}
    pose = jittered(made.streams["pose"], rng)
    streams = {"pose": pose}
    for place, offset in offsets.items():
        own = {name: made.streams[name] for name in (f"{place}.acc", f"{place}.gyro")}
        streams |= clocked(own, offset, drift)
    felt = {place: imu_energy([streams[f"{place}.acc"], streams[f"{place}.gyro"]]) for place in SENSORS}
    seen = {place: pose_energy(pose, place) for place in SENSORS}
    return Take(replace(made, streams=streams), felt, seen, offsets, drift)


def trial(one: Take, place: str, found: Alignment) -> Trial:
    """What was found for a placement, held against the truth."""
    return Trial(worst_error(found, one.felt[place], one.offsets[place], one.drift), found)


def wilson(hits: int, n: int) -> list[float]:
    """95 % interval of a share (Wilson 1927)."""
    if n == 0:
        return [0.0, 1.0]
    z, share = 1.959964, hits / n
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return [float(max((middle - half) / (1 + z**2 / n), 0.0)), float(min((middle + half) / (1 + z**2 / n), 1.0))]


def share(id: str, hits: Sequence[bool], protocol: str, **more: object) -> report.Row:
    """A row that counts: ``hits`` of ``len(hits)``."""
    n, k = len(hits), int(sum(hits))
    value = k / n if n else 0.0
    print(f"{id:34s} {value:.4f}  ({k} of {n})")
    return report.row(
        id, value, "fraction", ci95=wilson(k, n), command="make bench-sync-clocks", protocol=protocol, count=n, hits=k,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def found_rows(
    ids: tuple[str, str], trials: Sequence[Trial], protocol: str, near_s: float = NEAR_S
) -> list[report.Row]:
    """Rows ``ids``: the share of what is told that is right, and the share that is told."""
    told = [t for t in trials if t.found.told]
    more = {"near_of_all": round(float(np.mean([t.error_s <= near_s for t in trials])), 4)}
    if told:
        more["median_error_s"] = round(float(np.median([t.error_s for t in told])), 4)
    return [
        share(ids[0], [t.error_s <= near_s for t in told], protocol, **more),
        share(ids[1], [t.found.told for t in trials], protocol),
    ]


def both(suffix: str = "") -> tuple[str, str]:
    """The two ids of a part of the gym's trials."""
    return f"sync.recovered{suffix}", f"sync.confident{suffix}"


def gym_rows(takes: Sequence[Take]) -> list[report.Row]:
    """Pose against wearables: one placement of each recording for the bars, then all of each placement."""
    places = list(SENSORS)
    by_place = {
        place: [trial(one, place, align(one.felt[place], one.seen[place])) for one in takes] for place in places
    }
    turn = [by_place[places[i % len(places)]][i] for i in range(len(takes))]
    setting = (
        f"{len(takes)} gym recordings of {SECONDS:.0f} s, seeds {SEEDS.start} on ({TUNED_ON} to choose thresholds); "
        f"offset +-{OFFSET_S:.0f} s, drift +-{DRIFT_PPM:.0f} ppm, pose 30 fps with 1 to 2 cm of jitter, IMU 50 Hz with "
        f"the faults of a watch, phone or strapped sensor; right: within {NEAR_S * 1e3:.0f} ms at both ends"
    )
    rows = found_rows(both(), turn, f"{setting}; placements in turn")
    for place in places:
        rows += found_rows(both(f".{place}"), by_place[place], f"{setting}; {place}")
    strangers = [
        align(one.felt[place], takes[(i + shift) % len(takes)].seen[place]).told
        for i, one in enumerate(takes)
        for shift in (1, 7, 31)
        for place in [places[(i + shift) % len(places)]]
    ]
    rows.append(share("sync.false_claims", strangers, f"{setting}; pose of another recording, three for each"))
    unknown, strange = [], []
    for i, one in enumerate(takes[:UNKNOWN]):
        place = places[i % len(places)]
        worn = renamed(one, place)
        unknown.append(trial(one, place, sync(worn)))
        strange.append(sync(worn, takes[i + 1].recording, against="pose").told)
    which = f"{setting}; {UNKNOWN} of them, nobody says where the wearable is: eleven tried"
    rows += found_rows(both(".unknown"), unknown, which)
    rows.append(share("sync.false_claims.unknown", strange, f"{which}; pose of another recording"))
    return rows


def renamed(one: Take, place: str) -> Recording:
    """The recording with the wearable of ``place`` alone, as if nobody knew where it was."""
    streams = {"pose": one.recording.streams["pose"]}
    for kind in ("acc", "gyro"):
        stream = one.recording.streams[f"{place}.{kind}"]
        streams[kind] = replace(stream, name=kind, contract=replace(stream.contract, placement="unknown"))
    return replace(one.recording, streams=streams)


def utd_rows() -> list[report.Row]:
    """Real clips of a few seconds: the IMU is shifted, the truth is the corpus's normalised alignment."""
    corpus = utd_corpus()
    rng = np.random.default_rng(0)
    trials: dict[str, list[Trial]] = {"": [], ".tuned_on": []}
    felt, seen = [], []
    for id in corpus.recordings:
        recording = corpus.recording(id)
        streams = [recording.streams["imu.acc"], recording.streams["imu.gyro"]]
        offset = float(rng.uniform(-UTD_SHIFT_S, UTD_SHIFT_S))
        wearable = imu_energy([replace(s, start_s=s.start_s - offset) for s in streams])
        pose = pose_energy(recording.streams["pose"], str(streams[0].contract.placement))
        found = _utd(wearable, pose)
        part = ".tuned_on" if int(recording.subject[1:]) % 2 else ""
        trials[part].append(Trial(worst_error(found, wearable, offset, 0.0), found))
        if not part:
            felt.append(wearable)
            seen.append(pose)
    protocol = (
        "UTD-MHAD clips of 2 to 6 s, subjects 2, 4, 6, 8 (the others were seen in the making); wrist and "
        "thigh; IMU shifted by +-0.5 s, searched within 1 s; right: within 150 ms of the normalised alignment"
    )
    rows = found_rows(("sync.utd", "sync.utd_confident"), trials[""], protocol, UTD_NEAR_S)
    strangers = [_utd(wearable, seen[(i + 37) % len(seen)]).told for i, wearable in enumerate(felt)]
    return [*rows, share("sync.utd_false_claims", strangers, f"{protocol}; pose of another clip")]


def _utd(wearable: Energy, pose: Energy) -> Alignment:
    return align(wearable, pose, max_offset_s=1.0, max_drift_ppm=50.0, near_s=UTD_NEAR_S)


def film_rows(takes: Sequence[Take]) -> list[report.Row]:
    """Rendered video against all wearables."""
    camera = replace(gym.CAMERA, height=FILM_PIXELS, width=FILM_PIXELS)
    felt: list[dict[str, Energy]] = []
    seen: list[Energy] = []
    for seed, one in track(list(zip(SEEDS, takes[:FILMED], strict=False)), description="video", console=STDERR):
        made = gym.record(seed, seconds=SECONDS, placements=(), video=camera, video_rate_hz=15.0, kinds=("rgb",))
        seen.append(video_energy(made.streams["video.rgb"]))
        streams = one.recording.streams
        felt.append({p: imu_energy([streams[f"{p}.acc"], streams[f"{p}.gyro"]], unsigned=True) for p in SENSORS})
    trials = [
        trial(one, place, align(energies[place], video, near_s=FILM_NEAR_S))
        for one, energies, video in zip(takes, felt, seen, strict=False)
        for place in SENSORS
    ]
    strangers = [
        align(felt[i][place], seen[(i + shift) % len(seen)], near_s=FILM_NEAR_S).told
        for i in range(len(seen))
        for shift in (1, 3, 5)
        for place in SENSORS
    ]
    protocol = (
        f"{len(seen)} gym recordings of {SECONDS:.0f} s, rgb of {FILM_PIXELS} x {FILM_PIXELS} at 15 fps by a "
        f"camera that follows, against each of {len(SENSORS)} wearables; right: within {FILM_NEAR_S * 1e3:.0f} ms at "
        "both ends"
    )
    rows = found_rows(both(".video"), trials, protocol, FILM_NEAR_S)
    return [*rows, share("sync.false_claims.video", strangers, f"{protocol}; video of another recording")]


def draw(one: Take, place: str, path: Path) -> None:
    """The two energies before and after, and the evidence for every offset."""
    felt, seen = one.felt[place], one.seen[place]
    found = replace(align(felt, seen), placement=place)
    plot_alignment(found, felt, seen, path, truth_s=one.offsets[place] + one.drift * (SECONDS / 2))


def main() -> None:
    """Write the rows ``sync.*`` and the picture."""
    takes = [take(seed) for seed in track(SEEDS, description="gym", console=STDERR)]
    rows = gym_rows(takes) + film_rows(takes) + utd_rows()
    report.write_rows(RESULTS / "sync_clocks.json", rows)
    draw(takes[0], "left_wrist", RESULTS / "sync_clocks.png")


if __name__ == "__main__":
    main()
