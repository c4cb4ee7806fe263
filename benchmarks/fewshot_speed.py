"""Speed of few-shot evaluation against the loop that everyone writes first: one episode at a time, torch.cdist.

Same embeddings, same episodes, same answers (asserted; only ties within rounding may differ), same machine and number
of threads. Both sides are timed in turn, several times; the row holds the median of the paired ratios. Run:
``python benchmarks/fewshot_speed.py`` (it writes benchmarks/results/fewshot_speed.json).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.evaluate.fewshot import Episodes, Protocol, classify, sample_episodes
from kinjo.evaluate.report import Row, describe_machine, row, write_rows

RESULTS = Path(__file__).parent / "results" / "fewshot_speed.json"
DIM, CLASSES, SUBJECTS = 256, 20, 20


def data(rows: int) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """Embeddings ``(rows, DIM)`` around one centre per class, labels and subjects ``(rows,)``."""
    rng = np.random.default_rng(0)
    label, subject = rng.integers(0, CLASSES, rows), rng.integers(0, SUBJECTS, rows)
    x = 0.3 * rng.normal(size=(CLASSES, DIM))[label] + rng.normal(size=(rows, DIM))
    return x.astype(np.float32), label, subject


def naive_answers(x: NDArray[np.float32], episodes: Episodes) -> NDArray[np.intp]:
    """Prototypes and distances of one episode after the other, with torch."""
    import torch

    table = torch.from_numpy(x)
    support, query = torch.from_numpy(episodes.support), torch.from_numpy(episodes.query)
    answers = torch.empty(query.shape, dtype=torch.long)
    for e in range(len(episodes)):
        prototypes = table[support[e]].mean(1)
        answers[e] = torch.cdist(table[query[e].reshape(-1)], prototypes).argmin(1).reshape(answers[e].shape)
    return answers.numpy()


def naive_episodes(
    label: NDArray[np.intp], subject: NDArray[np.intp], protocol: Protocol, number: int, rng: np.random.Generator
) -> None:
    """Draw ``number`` episodes by the same rule, one at a time, from rows grouped beforehand."""
    mine = {(c, s): np.flatnonzero((label == c) & (subject == s)) for c in range(CLASSES) for s in range(SUBJECTS)}
    others = {(c, s): np.flatnonzero((label == c) & (subject != s)) for c in range(CLASSES) for s in range(SUBJECTS)}
    for _ in range(number):
        s, classes = int(rng.integers(SUBJECTS)), rng.choice(CLASSES, protocol.way, replace=False)
        if any(len(mine[c, s]) < protocol.shot for c in classes):
            continue
        for c in classes:
            rng.choice(mine[c, s], protocol.shot, replace=False)
            rng.choice(others[c, s], protocol.queries, replace=False)


def check(x: NDArray[np.float32], episodes: Episodes, ours: NDArray[np.intp], naive: NDArray[np.intp]) -> int:
    """Raise unless the answers are the same; where they differ the two distances must tie within rounding."""
    e, w, q = np.nonzero(ours != naive)
    rows = x[episodes.query[e, w, q]].astype(np.float64)
    far = [
        np.linalg.norm(rows - x[episodes.support[e, side[e, w, q]]].astype(np.float64).mean(1), axis=1)
        for side in (ours, naive)
    ]
    if not np.allclose(far[0], far[1], rtol=1e-5, atol=0):
        raise AssertionError("the vectorised answers are not those of the loop")
    return len(e)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time of one call, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(rows: int, episodes: int, repeats: int) -> dict[str, float]:
    """Medians over ``repeats`` of episodes per second on both sides, with and without sampling, and of their ratio."""
    x, label, subject = data(rows)
    protocol = Protocol(episodes=episodes)
    times: list[tuple[float, float, float, float]] = []
    ties = 0
    for repeat in range(repeats + 1):
        rng = np.random.default_rng(repeat)
        drawing, drawn = seconds(lambda rng=rng: sample_episodes(label, subject, np.arange(rows), protocol, rng))
        ours, mine = seconds(lambda drawn=drawn: classify(x, drawn, "euclidean"))
        naive, theirs = seconds(lambda drawn=drawn: naive_answers(x, drawn))
        picking, _ = seconds(lambda rng=rng: naive_episodes(label, subject, protocol, episodes // 10, rng))
        ties += check(x, drawn, mine, theirs)
        if repeat:  # the first round warms both sides up
            times.append((ours, naive, drawing, 10 * picking))
    ours, naive, drawing, picking = np.array(times).T
    return {
        "speedup": float(np.median(naive / ours)),
        "speedup_least": float((naive / ours).min()),
        "speedup_most": float((naive / ours).max()),
        "speedup_with_sampling": float(np.median((naive + picking) / (ours + drawing))),
        "ours": float(np.median(episodes / ours)),
        "naive": float(np.median(episodes / naive)),
        "ours_with_sampling": float(np.median(episodes / (ours + drawing))),
        "naive_with_sampling": float(np.median(episodes / (naive + picking))),
        "answers_that_tie": ties,
    }


def result_row(id: str, rows: int, repeats: int, got: dict[str, float], threads: int, protocol: Protocol) -> Row:
    """The row of one size."""
    more: dict[str, Any] = {k: v for k, v in got.items() if k not in ("speedup", "naive")}
    return row(
        id,
        got["speedup"],
        "x",
        baseline={"naive_torch_cdist_episodes_per_s": got["naive"]},
        protocol=f"{protocol.describe()}; {rows:,} random embeddings of {DIM}; sampling not timed on either side; "
        f"median of {repeats} paired repeats; same answers asserted",
        command=f"python benchmarks/fewshot_speed.py --threads {threads}",
        machine=describe_machine(threads),
        **more,
    )


def main() -> None:
    """Measure both sizes and write their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(options.threads)
    made = []
    with threadpool_limits(options.threads):
        for id, rows in (("fewshot.speedup", 2_000), ("fewshot.speedup.20000", 20_000)):
            got = measure(rows, options.episodes, options.repeats)
            made.append(
                result_row(id, rows, options.repeats, got, options.threads, Protocol(episodes=options.episodes))
            )
            print(id, {k: round(v, 1) for k, v in got.items()}, f"load {os.getloadavg()[0]:.1f}", flush=True)
    write_rows(options.out, made)


if __name__ == "__main__":
    main()
