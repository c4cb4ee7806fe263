"""Doing nothing of note is many things: standing about, drinking, getting ready. So it is many classes of one name.

One Gaussian over all of them would lie on small movements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.classes import JOINT, NULL, TRAINED, Classes, Vectors, short

KINDS, WINDOWS = 60, 20
"""At most so many classes of ``NULL``, each of so many windows of training on average."""


def divided(classes: Classes, vectors: Vectors, labels: Sequence[str] | NDArray[Any]) -> Classes:
    """What ``classes.learnt`` made of the same windows, its class of ``NULL`` in kinds as k-means finds them; as it is
    where their windows are too few for two.

    Kinds are found in the space of the modality that most of these windows have.
    """
    idle = np.asarray(labels) == NULL
    entered = {name: classes.spaces[name].enter(np.asarray(x)[idle]) for name, x in vectors.items()}
    there = {name: np.isfinite(z).all(1) for name, z in entered.items()}
    space = max(entered, key=lambda name: (int(there[name].sum()), name != JOINT))
    number = min(KINDS, int(there[space].sum()) // WINDOWS)
    if number < 2:
        return classes
    from scipy.cluster.vq import kmeans2

    kind = np.full(there[space].shape, -1)
    kind[there[space]] = kmeans2(entered[space][there[space]], number, minit="++", rng=0)[1]
    kinds, others = np.unique(kind[kind >= 0]), classes.without(NULL)
    means, examples = dict(others.means), dict(others.examples)
    for name, z in entered.items():
        rows = [(kind == k) & there[name] for k in kinds]
        own = [z[of].mean(0) if of.any() else np.zeros(z.shape[1]) for of in rows]
        means[name] = np.concatenate([means[name], short(np.stack(own))])
        examples[name] = np.r_[examples[name], [TRAINED * of.any() for of in rows]]
    return replace(others, names=(*others.names, *[NULL] * len(kinds)), means=means, examples=examples)
