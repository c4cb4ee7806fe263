"""Datasets: one module each, with a ``CARD`` (facts, licence, splits, defects), ``find`` and ``recordings``.

    from kinjo.datasets import load, status

    for recording in load("utd_mhad", Path("data")): ...

To add one, write a module with these three names and add it to ``DATASETS``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from kinjo.datasets import (
    basic_motions,
    cmu,
    gym,
    mhealth,
    mm_fit,
    mmact,
    motionsense,
    myogym,
    ucipt,
    umafall,
    utd_mhad,
    wisdm,
)
from kinjo.datasets.card import Card, DatasetError, Split
from kinjo.recording import Recording


class Dataset(Protocol):
    """What a module of a dataset offers."""

    CARD: Card

    def find(self, root: Path) -> Path | None:
        """Where under ``root`` the files lie, or ``None``."""
        ...

    def recordings(
        self,
        root: Path,
        *,
        modalities: tuple[str, ...] | None = None,
        only: Collection[str] | None = None,
        skip_bad: bool = False,
        report: list[str] | None = None,
    ) -> Iterator[Recording]:
        """The recordings, in a fixed order; ``DatasetError`` for files that are not as they should be."""
        ...


DATASETS: dict[str, Dataset] = {
    "basic_motions": basic_motions,
    "cmu": cmu,
    "gym": gym,
    "mhealth": mhealth,
    "mm_fit": mm_fit,
    "mmact": mmact,
    "motionsense": motionsense,
    "myogym": myogym,
    "ucipt": ucipt,
    "umafall": umafall,
    "utd_mhad": utd_mhad,
    "wisdm": wisdm,
}
"""name -> module."""


def load(
    name: str,
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """Recordings of the dataset ``name`` whose files lie under ``root``. Unknown names are a ``DatasetError``."""
    if name not in DATASETS:
        raise DatasetError(f"dataset '{name}'", f"one of {', '.join(DATASETS)}", "another name", "Correct the name.")
    return DATASETS[name].recordings(
        Path(root), modalities=modalities, only=only, skip_bad=skip_bad, report=report
    )  # fmt: skip


def status(root: Path) -> list[tuple[Card, Path | None]]:
    """Every dataset's card, and where under ``root`` its files lie (``None``: not there; ``card.how_to_get`` helps)."""
    return [(dataset.CARD, dataset.find(Path(root))) for dataset in DATASETS.values()]


__all__ = ["DATASETS", "Card", "Dataset", "DatasetError", "Split", "load", "status"]
