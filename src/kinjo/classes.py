"""Activities as places in a joint space: learnt from many windows, taught by one example or one sentence, forgotten.

A class is a Gaussian about its mean, as wide as classes are on average; what is not known is one wide Gaussian about
everything that training saw (NumPy alone: the runtime answers and learns with this file). An activity taught by ``n``
examples is wider by ``1 + 1 / n``, since its mean is only guessed: the predictive density of a Gaussian. So a new
activity needs no training, probabilities of all classes and of none of them sum to 1, and nothing is ever unlearnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
NULL = ""
"""The class of doing nothing of note: its probability counts as not known."""
RIDGE = 1e-2
"""Added to covariances, in parts of their mean variance: directions that never vary are no evidence."""
AXES = 48
"""Directions that are kept: those in which classes differ most, for how much they vary by themselves."""
TRAINED = 1e6
"""Examples of a class whose mean is known."""


@dataclass(frozen=True)
class Space:
    """Where classes are compared. ``mean (d,)`` and ``axes (d, r)`` take embeddings to where a class has unit variance.

    ``spread (r,)``: variance of all windows there, about 0. ``temperature`` divides log densities; ``prior`` is the
    log odds of what is not known against any one class before a window is seen. Both are chosen on validation.
    """

    mean: Floats
    axes: Floats
    spread: Floats
    temperature: float = 1.0
    prior: float = 0.0

    def enter(self, embeddings: ArrayLike) -> Floats:
        """Embeddings (n, d) in this space, (n, r). ``ValueError`` for another size or numbers that are not finite."""
        x = np.asarray(embeddings, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.mean) or not np.isfinite(x).all():
            raise ValueError(f"embeddings are (n, {len(self.mean)}) and finite, given {x.shape}")
        return np.asarray((x - self.mean) @ self.axes, np.float64)


@dataclass(frozen=True)
class Classes:
    """``names`` with their means ``(classes, r)`` in a space and the ``examples`` (classes,) each was learnt from."""

    space: Space
    names: tuple[str, ...] = ()
    means: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    examples: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        r = self.space.axes.shape[1]
        if self.means.size == 0:
            object.__setattr__(self, "means", np.zeros((0, r)))
        if self.means.shape != (len(self.names), r) or self.examples.shape != (len(self.names),):
            raise ValueError(f"{len(self.names)} classes, means {self.means.shape}, examples {self.examples.shape}")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"classes of one name: {', '.join(self.names)}")

    @property
    def named(self) -> tuple[str, ...]:
        """All but NULL: the labels of a timeline."""
        return tuple(name for name in self.names if name != NULL)

    def taught(self, name: str, embeddings: ArrayLike, *, examples: float = 1.0) -> Classes:
        """With a new class, or more examples of one: windows (n, d) that show it. ``examples``: how many they are.

        Windows of one example are one: they tell what one person does once.
        """
        if not name.strip():
            raise ValueError("an activity needs a name")
        mean = self.space.enter(embeddings).mean(0)
        if name not in self.names:
            means = np.concatenate([self.means, mean[None]])
            return replace(self, names=(*self.names, name), means=means, examples=np.r_[self.examples, examples])
        at = self.names.index(name)
        means, counts = self.means.copy(), self.examples.copy()
        means[at] = (means[at] * counts[at] + mean * examples) / (counts[at] + examples)
        counts[at] += examples
        return replace(self, means=means, examples=counts)

    def without(self, name: str) -> Classes:
        """Without a class. ``KeyError`` where there is none of the name."""
        if name not in self.names:
            raise KeyError(f"no activity '{name}': known are {', '.join(self.named) or 'none'}")
        keep = [i for i, other in enumerate(self.names) if other != name]
        return replace(
            self, names=tuple(self.names[i] for i in keep), means=self.means[keep], examples=self.examples[keep]
        )

    def log_odds(self, embeddings: ArrayLike) -> Floats:
        """(n, classes): log density of each class less that of not being known, over the temperature."""
        z = self.space.enter(embeddings)
        wide = 1.0 + 1.0 / self.examples
        square = (z * z).sum(1)[:, None] - 2 * z @ self.means.T + (self.means * self.means).sum(1)
        ours = -0.5 * square / wide - 0.5 * z.shape[1] * np.log(wide)
        theirs = -0.5 * (z * z / self.space.spread).sum(1) - 0.5 * np.log(self.space.spread).sum()
        return np.asarray((ours - theirs[:, None]) / self.space.temperature - self.space.prior, np.float64)

    def probabilities(self, embeddings: ArrayLike) -> Floats:
        """Of each of ``named`` (n, classes); what they lack to 1 is not known (or NULL)."""
        odds = self.log_odds(embeddings)
        top = np.maximum(odds.max(1, initial=0.0), 0.0)[:, None]
        shares = np.exp(odds - top)
        p = shares / (shares.sum(1, keepdims=True) + np.exp(-top))
        return np.asarray(p[:, [i for i, name in enumerate(self.names) if name != NULL]], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        space = {name: np.asarray(getattr(self.space, name)).tolist() for name in ("mean", "axes", "spread")}
        space |= {"temperature": self.space.temperature, "prior": self.space.prior}
        return {
            "space": space, "names": list(self.names), "means": self.means.tolist(), "examples": self.examples.tolist()
        }  # fmt: skip

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Classes:
        """The inverse of ``to_dict``. ``ValueError`` for anything else."""
        try:
            told = given["space"]
            arrays = {name: np.asarray(told[name], np.float64) for name in ("mean", "axes", "spread")}
            space = Space(**arrays, temperature=float(told["temperature"]), prior=float(told["prior"]))
            names = tuple(map(str, given["names"]))
            means = np.asarray(given["means"], np.float64).reshape(len(names), space.axes.shape[1])
            return cls(space, names, means, np.asarray(given["examples"], np.float64))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"no classes of kinjo's: {type(error).__name__}: {error}") from error


def learnt(embeddings: ArrayLike, labels: Sequence[str] | NDArray[Any], *, axes: int = AXES) -> Classes:
    """Classes of labelled training windows: ``embeddings`` (n, d), ``labels`` (n,), NULL (``""``) among them or not.

    ``ValueError`` for fewer than two classes.
    """
    x, names = np.asarray(embeddings, np.float64), np.asarray(labels)
    if x.ndim != 2 or names.shape != (len(x),) or not np.isfinite(x).all():
        raise ValueError(f"windows are (n, d), finite, with a label each: given {x.shape} and {names.shape}")
    found, where = np.unique(names, return_inverse=True)
    if len(found) < 2:
        raise ValueError("classes are told apart by what differs between them: give two or more")
    count = np.bincount(where)
    means = np.stack([x[where == k].mean(0) for k in range(len(found))])
    mean = means.mean(0)
    # every class counts alike: a class of a thousand windows is no better known than one of ten
    weight = (1.0 / count[where] / len(found))[:, None]
    within = ((x - means[where]) * weight).T @ (x - means[where])
    between = (means - mean).T @ (means - mean) / len(found)
    ridge = RIDGE * max(np.trace(within), RIDGE * np.trace(between), 1e-12) / len(within)
    within += ridge * np.eye(len(within))
    root = np.linalg.inv(np.linalg.cholesky(within)).T  # whitens: root.T @ within @ root is 1
    power, turn = np.linalg.eigh(root.T @ between @ root)
    best = np.argsort(power)[::-1][: max(1, min(axes, len(power)))]
    space = Space(mean, root @ turn[:, best], np.ones(len(best)))
    z = space.enter(x)
    space = replace(space, spread=np.asarray(np.maximum((z * z * weight).sum(0), 1.0), np.float64))
    return Classes(space, tuple(map(str, found)), space.enter(means), np.full(len(found), TRAINED))


def calibrated(classes: Classes, embeddings: ArrayLike, labels: Sequence[str] | NDArray[Any]) -> Classes:
    """With the temperature and the prior under which validation windows are likeliest.

    Every window counts twice: as what it is, and as unknown to the other classes when its own is left out. ``labels``
    that are no class are unknown, as NULL is.
    """
    own = np.array([classes.names.index(n) if n in classes.names else -1 for n in np.asarray(labels).tolist()])
    free = replace(classes, space=replace(classes.space, temperature=1.0, prior=0.0))
    known = free.log_odds(embeddings)
    strange = known.copy()
    named = (own >= 0) & (np.array([*classes.names, NULL])[own] != NULL)
    strange[named, own[named]] = -np.inf
    odds, truth = np.concatenate([known, strange[named]]), np.r_[np.where(named, own, -1), np.full(named.sum(), -1)]
    idle = np.array([name == NULL for name in classes.names])
    # one that is known and one that is not count alike
    weight = np.where(truth < 0, 0.5 / max(1, (truth < 0).sum()), 0.5 / max(1, (truth >= 0).sum()))

    def loss(temperature: float, prior: float) -> float:
        x = odds / temperature - prior
        top = np.maximum(x.max(1), 0.0)
        shares, none = np.exp(x - top[:, None]), np.exp(-top)
        right = np.where(truth < 0, shares[:, idle].sum(1) + none, shares[np.arange(len(x)), np.maximum(truth, 0)])
        return float(-(weight * np.log(np.maximum(right / (shares.sum(1) + none), 1e-12))).sum())

    grid = [(t, p) for t in np.geomspace(0.5, 50, 25) for p in np.linspace(-15, 15, 41)]
    temperature, prior = min(grid, key=lambda each: loss(*each))
    return replace(classes, space=replace(classes.space, temperature=float(temperature), prior=float(prior)))
