"""Activities as places among embeddings: learnt from many windows, taught by one example or a sentence, forgotten.

A class is a Gaussian about its mean, as wide as classes are on average; what is not known is one wide Gaussian about
everything that training saw (NumPy alone: the runtime answers and learns with this file). Means of classes are spread
themselves, along each axis by what training says: of a class taught by ``n`` examples the predictive density is asked,
which is PLDA (Prince & Elder 2007). An axis along which classes do not differ is then no evidence, for or against. So a
new activity needs no training, probabilities of all classes and of none sum to 1, and nothing is ever unlearnt.

There is a space for the embedding of each modality, and the joint space of all and of words. A window and a class meet
in the spaces of the modalities that both have; where they share none (taught by a sentence, or by a video and met by a
watch), in the joint space.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Vectors = Mapping[str, ArrayLike]
"""Space -> vectors (windows, d) in it; rows of NaN where a window lacks what the space is of."""
JOINT = "joint"
"""The space of all modalities and of words."""
NULL = ""
"""The class of doing nothing of note: its probability counts as not known. Several classes may have this name:
there are many ways to do so (``kinjo.idle``)."""
RIDGE = 1e-2
"""Added to covariances, in parts of their mean variance: directions that never vary are no evidence."""
TRAINED = 1e6
"""Examples of a class whose mean is known."""
WANTED = 0.8
"""Log odds of what a user taught against any one class that was there before: nobody teaches what never happens."""


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
        """Embeddings (n, d) in this space, (n, r); NaN stays NaN. ``ValueError`` for another size or infinities."""
        x = np.asarray(embeddings, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.mean) or np.isinf(x).any():
            raise ValueError(f"embeddings are (n, {len(self.mean)}) and finite, given {x.shape}")
        return np.asarray((x - self.mean) @ self.axes, np.float64)

    def log_odds(self, embeddings: ArrayLike, means: Floats, examples: Floats) -> Floats:
        """(n, classes): log density of each class less that of not being known, over the temperature; NaN stays NaN."""
        z = self.enter(embeddings)
        between = np.maximum(self.spread - 1.0, 1e-6)  # variance of the means of classes
        guessed = 1.0 / np.maximum(examples, 1e-9)[:, None]  # variance of what n examples say of a mean
        sure = between / (between + guessed)
        m, wide = means * sure, 1.0 + sure * guessed
        square = (z * z) @ (1 / wide).T - 2 * z @ (m / wide).T + (m * m / wide).sum(1)
        ours = -0.5 * square - 0.5 * np.log(wide).sum(1)
        theirs = -0.5 * (z * z / self.spread).sum(1) - 0.5 * np.log(self.spread).sum()
        return np.asarray((ours - theirs[:, None]) / self.temperature - self.prior, np.float64)


@dataclass(frozen=True)
class Words:
    """From a sentence's vector in the joint space to where windows of what it says lie: ``vector @ turn + shift``.

    ``examples``: how many a sentence is worth, by how far it leads astray for a class that was left out.
    """

    turn: Floats
    shift: Floats
    examples: float


@dataclass(frozen=True)
class Classes:
    """``names`` with their ``means`` (classes, r) in each space and the ``examples`` (classes,) behind them there; a
    class without examples in a space is not found there. ``words`` is None where no sentences were learnt.
    """

    spaces: Mapping[str, Space]
    names: tuple[str, ...] = ()
    means: Mapping[str, Floats] = field(default_factory=dict)
    examples: Mapping[str, Floats] = field(default_factory=dict)
    words: Words | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        for name, space in self.spaces.items():
            shape = (n, space.axes.shape[1])
            means, examples = self.means.get(name, np.zeros(shape)), self.examples.get(name, np.zeros(n))
            if means.shape != shape or examples.shape != (n,):
                raise ValueError(f"{n} classes in space '{name}': means {means.shape}, examples {examples.shape}")
        if len(set(self.named)) != len(self.named):
            raise ValueError(f"classes of one name: {', '.join(self.names)}")

    @property
    def shared(self) -> Floats:
        """(classes,): taken from the log odds of those of ``NULL``: together they have the odds of one class."""
        idle = np.array([name == NULL for name in self.names], bool)
        return idle * np.log(max(1, idle.sum()))

    @property
    def named(self) -> tuple[str, ...]:
        """All but NULL: the labels of a timeline."""
        return tuple(name for name in self.names if name != NULL)

    # -------------------------------------------------------------------------------------------- teach and forget
    def taught(self, name: str, vectors: Vectors, *, examples: float = 1.0) -> Classes:
        """With a new class, or more examples of one: windows that show it. ``examples``: how many they are.

        Windows of one example are one: they tell what one person does once.
        """
        entered = {s: self.spaces[s].enter(x) for s, x in vectors.items() if s in self.spaces}
        known = {s: z[np.isfinite(z).all(1)] for s, z in entered.items()}
        return self._with(name, {s: z.mean(0) for s, z in known.items() if len(z)}, examples)

    def told(self, name: str, sentences: ArrayLike) -> Classes:
        """With a new class, or one better described: vectors (n, d) of sentences in the joint space."""
        if self.words is None:
            raise ValueError("this model learnt no words: teach it by an example")
        means = np.asarray(sentences, np.float64) @ self.words.turn + self.words.shift
        return self._with(name, {JOINT: means.mean(0)}, self.words.examples)

    def _with(self, name: str, means: Mapping[str, Floats], examples: float) -> Classes:
        if not name.strip():
            raise ValueError("an activity needs a name")
        if not means:
            raise ValueError(f"'{name}': no window of the example has what the model reads")
        made = self if name in self.names else self._grown(name)
        at = made.names.index(name)
        all_means, counts = dict(made.means), dict(made.examples)
        for space, mean in means.items():
            all_means[space], counts[space] = all_means[space].copy(), counts[space].copy()
            before = counts[space][at]
            all_means[space][at] = (all_means[space][at] * before + mean * examples) / (before + examples)
            counts[space][at] += examples
        return replace(made, means=all_means, examples=counts)

    def _grown(self, name: str) -> Classes:
        """With a class of which nothing is known yet."""
        n = len(self.names)
        empty = {s: np.zeros((0, space.axes.shape[1])) for s, space in self.spaces.items()}
        means = {s: np.concatenate([self.means.get(s, x), np.zeros((1, x.shape[1]))]) for s, x in empty.items()}
        examples = {s: np.r_[self.examples.get(s, np.zeros(n)), 0.0] for s in self.spaces}
        return replace(self, names=(*self.names, name), means=means, examples=examples)

    def without(self, name: str) -> Classes:
        """Without a class. ``KeyError`` where there is none of the name."""
        if name not in self.names:
            raise KeyError(f"no activity '{name}': known are {', '.join(self.named) or 'none'}")
        return self.only([other for other in self.names if other != name])

    def only(self, names: Collection[str]) -> Classes:
        """With these classes alone; their spaces stay what all of them made of them."""
        keep = [i for i, name in enumerate(self.names) if name in names]
        means, examples = ({s: x[keep] for s, x in of.items()} for of in (self.means, self.examples))
        return replace(self, names=tuple(self.names[i] for i in keep), means=means, examples=examples)

    # -------------------------------------------------------------------------------------------- answer
    def log_odds(self, vectors: Vectors) -> Floats:
        """(n, classes): log density of each class less that of not being known, over the temperature, and ``WANTED``
        for what was taught; the mean over the spaces in which a window and a class meet, minus infinity where they meet
        nowhere.
        """
        given = {s: np.asarray(x, np.float64) for s, x in vectors.items() if s in self.spaces}
        if not given:
            raise ValueError(
                f"vectors of {', '.join(vectors) or 'nothing'}: this model compares {', '.join(self.spaces)}"
            )
        n, shared = len(next(iter(given.values()))), self.shared
        total, met = np.zeros((n, len(self.names))), np.zeros((n, len(self.names)))
        for name in sorted(given, key=lambda s: s == JOINT):  # the joint space last: where there is no nearer one
            examples = self.examples[name]
            odds = self.spaces[name].log_odds(given[name], self.means[name], examples) + WANTED * (examples < TRAINED)
            odds -= shared
            meets = np.isfinite(odds) & (examples > 0)
            if name == JOINT:
                meets &= met == 0
            total, met = total + np.where(meets, odds, 0.0), met + meets
        return np.where(met > 0, total / np.maximum(met, 1), -np.inf)

    def probabilities(self, vectors: Vectors) -> Floats:
        """Of each of ``named`` (n, classes); what they lack to 1 is not known (or NULL)."""
        odds = self.log_odds(vectors)
        top = np.maximum(odds.max(1, initial=0.0), 0.0)[:, None]
        shares = np.exp(odds - top)
        p = shares / (shares.sum(1, keepdims=True) + np.exp(-top))
        return np.asarray(p[:, [i for i, name in enumerate(self.names) if name != NULL]], np.float64)

    # -------------------------------------------------------------------------------------------- kept
    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        spaces = {
            name: {key: np.asarray(getattr(s, key)).tolist() for key in ("mean", "axes", "spread")}
            | {"temperature": s.temperature, "prior": s.prior}
            for name, s in self.spaces.items()
        }
        w = self.words
        words = w and {"turn": w.turn.tolist(), "shift": w.shift.tolist(), "examples": w.examples}
        return {"spaces": spaces, "words": words, **self._listed()}

    def _listed(self) -> dict[str, Any]:
        means, examples = ({s: x.tolist() for s, x in of.items()} for of in (self.means, self.examples))
        return {"names": list(self.names), "means": means, "examples": examples}

    def profile(self) -> dict[str, Any]:
        """What was learnt and taught, without the spaces and NULL, which nobody changes; plain JSON types."""
        return self.only(self.named)._listed()

    def of_profile(self, given: Mapping[str, Any]) -> Classes:
        """What ``profile`` wrote, in these spaces, with NULL as it is here unless it was written too, as it once was.
        ``ValueError`` for anything else.
        """
        made, null = self._of_list(given), self.only([NULL])
        if NULL in made.names or not null.names:
            return made
        means, examples = (
            {s: np.concatenate([getattr(made, of)[s], getattr(null, of)[s]]) for s in self.spaces}
            for of in ("means", "examples")
        )
        return replace(made, names=made.names + null.names, means=means, examples=examples)

    def _of_list(self, given: Mapping[str, Any]) -> Classes:
        try:
            names, n = tuple(map(str, given["names"])), len(given["names"])
            means, examples = {}, {}
            for name, space in self.spaces.items():
                means[name] = np.asarray(given["means"][name], np.float64).reshape(n, space.axes.shape[1])
                examples[name] = np.asarray(given["examples"][name], np.float64)
                if not (np.isfinite(means[name]).all() and (examples[name] >= 0).all()):
                    raise ValueError("numbers that are not finite")
            return replace(self, names=names, means=means, examples=examples)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"no classes of kinjo's: {type(error).__name__}: {error}") from error

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Classes:
        """The inverse of ``to_dict``. ``ValueError`` for anything else."""
        try:
            spaces = {
                name: Space(
                    *(np.asarray(told[key], np.float64) for key in ("mean", "axes", "spread")),
                    temperature=float(told["temperature"]), prior=float(told["prior"]),
                )
                for name, told in given["spaces"].items()
            }  # fmt: skip
            w = given.get("words")
            words = w and Words(np.asarray(w["turn"]), np.asarray(w["shift"]), float(w["examples"]))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"no classes of kinjo's: {type(error).__name__}: {error}") from error
        empty = {s: np.zeros((0, space.axes.shape[1])) for s, space in spaces.items()}
        return cls(spaces, (), empty, {s: np.zeros(0) for s in spaces}, words)._of_list(given)


# ------------------------------------------------------------------------------------------------ learnt from a corpus
def learnt(vectors: Vectors, labels: Sequence[str] | NDArray[Any]) -> Classes:
    """Classes of labelled training windows: ``vectors`` in each space, ``labels`` (n,), NULL (``""``) may be one.

    ``ValueError`` for fewer than two classes.
    """
    names = np.asarray(labels)
    found = tuple(map(str, np.unique(names)))
    spaces, means, examples = {}, {}, {}
    for name, given in vectors.items():
        x = np.asarray(given, np.float64)
        if x.ndim != 2 or names.shape != (len(x),) or np.isinf(x).any():
            raise ValueError(f"windows are (n, d), finite, with a label each: given {x.shape} and {names.shape}")
        there = np.isfinite(x).all(1)
        if len(present := np.unique(names[there])) < 2:
            raise ValueError("classes are told apart by what differs between them: give two or more")
        spaces[name], inside = _space(x[there], names[there])
        at = [found.index(str(one)) for one in present]
        means[name], examples[name] = np.zeros((len(found), inside.shape[1])), np.zeros(len(found))
        means[name][at], examples[name][at] = inside, TRAINED
    return Classes(spaces, found, means, examples)


def _space(x: Floats, names: NDArray[Any]) -> tuple[Space, Floats]:
    """The space of windows (n, d), and the means of their classes in it.

    All axes are kept: of those along which no known classes differ any choice would be arbitrary.
    """
    _, where = np.unique(names, return_inverse=True)
    count = np.bincount(where)
    k = len(count)
    means = np.stack([x[where == i].mean(0) for i in range(k)])
    mean = means.mean(0)
    # every class counts alike: a class of a thousand windows is no better known than one of ten
    weight = (1.0 / count[where] / k)[:, None]
    within = ((x - means[where]) * weight).T @ (x - means[where])
    between = (means - mean).T @ (means - mean) / k
    ridge = RIDGE * max(np.trace(within), RIDGE * np.trace(between), 1e-12) / len(within)
    within += ridge * np.eye(len(within))
    root = np.linalg.inv(np.linalg.cholesky(within)).T  # whitens: root.T @ within @ root is 1
    power, turn = np.linalg.eigh(root.T @ between @ root)
    order = np.argsort(power)[::-1]
    space = Space(short(mean), short(root @ turn[:, order]), np.ones(len(order)))
    z = space.enter(x)
    between = np.maximum((z * z * weight).sum(0) - 1.0, 0.0)
    # and one class more, not met yet, that differs along every axis as classes do on average
    between = (k * between + between.mean()) / (k + 1)
    return replace(space, spread=short(1.0 + between)), short(space.enter(means))


def worded(classes: Classes, sentences: Mapping[str, ArrayLike]) -> Classes:
    """With the way from words to windows, learnt from the classes that have both: label -> vectors (n, d) of sentences
    in the joint space. As they are where fewer than four classes have sentences.
    """
    known = [(k, np.asarray(sentences[name], np.float64)) for k, name in enumerate(classes.names) if name in sentences]
    if len(known) < 4 or JOINT not in classes.spaces:
        return classes
    n, aims = len(known), classes.means[JOINT][[k for k, _ in known]]
    middles = np.stack([t.mean(0) for _, t in known])
    squares, crosses = np.sum([t.T @ t / len(t) for _, t in known], axis=0), middles.T @ aims

    def way(ridge: float, without: int | None = None) -> tuple[Floats, Floats]:
        """Every class counts alike, however many its sentences."""
        count, square, cross, total, aim = n, squares, crosses, middles.sum(0), aims.sum(0)
        if without is not None:
            t, middle, own = known[without][1], middles[without], aims[without]
            count, square, cross = n - 1, square - t.T @ t / len(t), cross - np.outer(middle, own)
            total, aim = total - middle, aim - own
        centre, middle = total / count, aim / count
        square = square - count * np.outer(centre, centre) + ridge * np.eye(len(centre))
        turn = np.linalg.solve(square, cross - count * np.outer(centre, middle))
        return turn, middle - centre @ turn

    def astray(ridge: float) -> float:
        """Mean squared distance by axis of a class that was left out."""
        errors = []
        for k in range(n):
            turn, shift = way(ridge, k)
            errors.append(((middles[k] @ turn + shift - aims[k]) ** 2).mean())
        return float(np.mean(errors))

    best = min(np.geomspace(1e-2, 1e2, 9), key=astray)
    turn, shift = way(best)
    return replace(classes, words=Words(short(turn), short(shift), round(1.0 / max(astray(best), 1e-3), 6)))


def calibrated(classes: Classes, vectors: Vectors, labels: Sequence[str] | NDArray[Any]) -> Classes:
    """With the temperature and the prior of each space under which validation windows are likeliest.

    Every window counts twice: as what it is, and as unknown to the other classes when its own is left out. ``labels``
    that are no class are unknown, as NULL is.
    """
    names, spaces = np.asarray(labels), dict(classes.spaces)
    for name, space in classes.spaces.items():
        if name not in vectors:  # validation has nothing of this modality
            continue
        x = np.asarray(vectors[name], np.float64)
        there = np.isfinite(x).all(1)
        if there.any():
            spaces[name] = _calibrated(space, classes, name, x[there], names[there])
    return replace(classes, spaces=spaces)


def _calibrated(space: Space, classes: Classes, name: str, x: Floats, names: NDArray[Any]) -> Space:
    own = np.array([classes.names.index(n) if n in classes.names else -1 for n in names.tolist()])
    free = replace(space, temperature=1.0, prior=0.0)
    known = free.log_odds(x, classes.means[name], classes.examples[name])
    known[:, classes.examples[name] == 0] = -np.inf
    strange = known.copy()
    named = (own >= 0) & (np.array([*classes.names, NULL])[own] != NULL)
    strange[named, own[named]] = -np.inf
    odds, truth = np.concatenate([known, strange[named]]), np.r_[np.where(named, own, -1), np.full(named.sum(), -1)]
    idle, shared = np.array([name == NULL for name in classes.names]), classes.shared
    # one that is known and one that is not count alike
    weight = np.where(truth < 0, 0.5 / max(1, (truth < 0).sum()), 0.5 / max(1, (truth >= 0).sum()))

    def loss(temperature: float, prior: float) -> float:
        z = odds / temperature - prior - shared
        top = np.maximum(z.max(1), 0.0)
        shares, none = np.exp(z - top[:, None]), np.exp(-top)
        right = np.where(truth < 0, shares[:, idle].sum(1) + none, shares[np.arange(len(z)), np.maximum(truth, 0)])
        return float(-(weight * np.log(np.maximum(right / (shares.sum(1) + none), 1e-12))).sum())

    grid = [(t, p) for t in np.geomspace(0.5, 200, 33) for p in np.linspace(-15, 15, 41)]
    temperature, prior = min(grid, key=lambda each: loss(*each))
    return replace(space, temperature=float(temperature), prior=float(prior))


def short(x: Floats) -> Floats:
    """To seven digits, so that what is kept as text is what is used."""
    return np.char.mod("%.7g", x).astype(np.float64)


def moved(scores: NDArray[np.floating[Any]], old: Sequence[str], new: Sequence[str]) -> NDArray[np.float64]:
    """Scores (..., labels) of the labels ``old`` as those of ``new``, by name; 0 for one that was not there."""
    at = [old.index(name) if name in old else len(old) for name in new]
    return np.append(scores, np.zeros((*scores.shape[:-1], 1)), -1)[..., at].astype(np.float64)
