"""How often was it done? Repetitions of all counted movements of the simulated gym, from one watch, people never seen.

Rhythms are learnt from the counted sets of other people. Counted within the true bounds of each set, its label given;
``end_to_end`` also finds the sets. Settings were chosen on other people (``--part development``).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import Any

import numpy as np

from _tools import RESULTS, ROOT
from kinjo import demo_watch
from kinjo.datasets import gym
from kinjo.evaluate import report
from kinjo.evaluate.intervals import accuracy_interval
from kinjo.excerpt import Slot
from kinjo.live import Plan
from kinjo.recognizer import Recognizer
from kinjo.recording import Recording
from kinjo.repetitions import Rhythm, repetitions, rhythm_of, rhythm_seen
from kinjo.rhythms import learn_rhythms, stretch
from kinjo.timeline import Timeline

WORK = ROOT / ".bench" / "reps-gym"
TRAINING = range(1000, 1100)
PEOPLE = {"development": range(700, 760), "test": range(300, 400)}
SECONDS = 300.0
PLAN = Plan(tuple(Slot(q, "imu", q, 96, placement="right_wrist") for q in ("acc", "gyro")), 4.0, 1.0)
"""24 Hz, as the demo's watch reads it."""
EXAMPLES = 5
"""Sets of other people by which an activity is taught, each alone."""
Set = tuple[Any, float, int]


def sessions(people: range) -> list[Recording]:
    return [demo_watch.session(person, gym.NAMES, SECONDS) for person in people]


def sets(recordings: list[Recording]) -> list[tuple[str, str, Set]]:
    """Person, label, and channels, rate and true count of all counted sets."""
    return [
        (r.subject, s.label, (*stretch(r, PLAN, s.start_s, s.end_s), s.repetitions))
        for r in recordings for s in r.segments if s.repetitions
    ]  # fmt: skip


def right(one: Set, rhythm: Rhythm | None) -> bool:
    """Whether it is counted right, by one at most."""
    return abs(repetitions(one[0], one[1], rhythm=rhythm).count - one[2]) <= 1


def taught(known: dict[str, list[Set]], asked: list[tuple[str, str, Set]]) -> dict[str, float]:
    """Of ``asked``, counted by the rhythm of one set alone, in turn ``EXAMPLES``; told how often, and not told."""
    rng, hits = np.random.default_rng(0), defaultdict[str, list[bool]](list)
    chosen = {label: [some[k] for k in rng.permutation(len(some))[:EXAMPLES]] for label, some in known.items()}
    for way, learn in (("told", lambda one: rhythm_of([one])), ("not told", lambda one: rhythm_seen(*one[:2]))):
        rhythms = {label: [learn(one) for one in some] for label, some in chosen.items()}
        for _, label, one in asked:
            hits[way] += [rhythm is not None and right(one, rhythm) for rhythm in rhythms[label]]
    return {way: float(np.mean(some)) for way, some in hits.items()}


def end_to_end(rhythms: dict[str, Rhythm], recordings: list[Recording]) -> dict[str, float]:
    """Sets that the demo's small model finds at all (IoU of 0.5 or more with the true bounds), and counts right."""
    model = Recognizer.load(demo_watch.learn_watch(WORK, progress=False))
    model.rhythms = {label: rhythm for label, rhythm in rhythms.items() if label in model.labels}
    there, found, good = 0, 0, 0
    for recording in recordings:
        spans = model.recognize(recording).segments
        for true in Timeline.from_segments(recording.segments):
            if true.label not in model.rhythms or true.repetitions is None:
                continue
            there += 1
            for span in spans:
                shared = min(true.end_s, span.end_s) - max(true.start_s, span.start_s)
                union = max(true.end_s, span.end_s) - min(true.start_s, span.start_s)
                if span.label == true.label and shared / union >= 0.5:
                    found += 1
                    good += span.repetitions is not None and abs(span.repetitions - true.repetitions) <= 1
    return {"sets": there, "found": found / there, "within_1_of_found": good / found, "within_1": good / there}


def main() -> None:
    """Learn rhythms, count, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--part", choices=list(PEOPLE), default="test")
    given = parser.parse_args()
    training, asking = sessions(TRAINING), sessions(PEOPLE[given.part])
    rhythms, known = learn_rhythms(training, PLAN), defaultdict[str, list[Set]](list)
    for _, label, one in sets(training):
        known[label].append(one)
    asked = sets(asking)
    people, labels = np.array([who for who, _, _ in asked]), np.array([label for _, label, _ in asked])
    hits = np.array([label in rhythms and right(one, rhythms[label]) for _, label, one in asked])
    counts = np.array([one[2] for _, _, one in asked])
    usual = {label: np.median([one[2] for one in some]) for label, some in known.items()}
    pace = {label: np.mean([np.log(len(x) / rate / n) for x, rate, n in some]) for label, some in known.items()}
    by_pace = np.array([len(x) / rate / np.exp(pace[label]) for _, label, (x, rate, _) in asked])
    by_label = {label: round(float(hits[labels == label].mean()), 3) for label in sorted(known)}
    row = report.row(
        "reps.gym_within_1", float(hits.mean()), "fraction", command="make bench-reps-gym", seeds=1,
        ci95=accuracy_interval(people, labels, hits, np.random.default_rng(0)),
        baseline={
            "without a rhythm": float(np.mean([right(one, None) for _, _, one in asked])),
            "duration over the usual seconds of one": float((np.abs(np.round(by_pace) - counts) <= 1).mean()),
            "the usual count": float((np.abs(np.round([usual[label] for label in labels]) - counts) <= 1).mean()),
        },
        trained_on=f"{sum(map(len, known.values()))} counted sets of {len(TRAINING)} other people of the simulated gym",
        protocol=f"{len(hits)} sets of {counts.min()} to {counts.max()} repetitions, {len(known)} movements, "
        f"{len(asking)} people never seen; a watch on the right wrist (acceleration and turning at 24 Hz, a watch's "
        "faults), within the true bounds of a set, its label given; movements without a rhythm count as missed; share "
        f"within one of the truth. one_example: rhythms from one set of somebody else, {EXAMPLES} a movement, its "
        "count told or not. end_to_end: sets that the demo's small model finds (IoU 0.5 or more), in its own bounds",
        exact=float(np.mean([
            label in rhythms and repetitions(*one[:2], rhythm=rhythms[label]).count == one[2]
            for _, label, one in asked
        ])),
        without_rhythm=sorted(set(known) - set(rhythms)), by_label=by_label,
        one_example=taught(known, asked), end_to_end=end_to_end(rhythms, asking),
    )  # fmt: skip
    for label, share in by_label.items():
        print(f"{label:20} {share:.2f} {rhythms.get(label)}")
    print({key: row[key] for key in ("value", "ci95", "baseline", "exact", "one_example", "end_to_end")})
    if given.part == "test":
        report.write_rows(RESULTS / "reps_gym.json", [row])


if __name__ == "__main__":
    main()
