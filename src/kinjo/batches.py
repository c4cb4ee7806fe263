"""From a corpus to batches: windows read, prepared and kept in memory where they fit; augmentation per step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinjo.corpus import Corpus, Slot, WindowIndex, read, segment_windows, sliding_windows
from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.nn import augment as aug
from kinjo.recipe import Augment, Recipe

SPARE = 2
"""Frames of video kept per frame that the model sees, so that a warped time axis finds frames to pick."""

CACHE_BYTES = 1 << 30


def slots(inputs: Mapping[str, Input]) -> list[Slot]:
    """What to read for ``inputs``: by quantity, and by placement where an input names one; else it is withheld."""
    return [
        Slot(
            key,
            spec.modality,
            spec.quantity,
            spec.samples * (SPARE if isinstance(spec, VideoInput) else 1),
            placement=(spec.placement or None) if isinstance(spec, SensorInput) else None,
        )
        for key, spec in inputs.items()
    ]


def worn(corpus: Corpus, inputs: Mapping[str, Input]) -> dict[str, Input]:
    """``inputs`` without the sensors at places where nobody in the corpus wears any: windows of these are small, and a
    joint space spends nothing on the others. All of them where nothing would be left.
    """
    there = {(s.contract.quantity, s.contract.placement) for entry in corpus.entries for s in entry.streams}
    kept = {
        key: spec
        for key, spec in inputs.items()
        if not (isinstance(spec, SensorInput) and spec.placement) or (spec.quantity, spec.placement) in there
    }
    return kept or dict(inputs)


def cut(corpus: Corpus, ids: Iterable[str], recipe: Recipe) -> WindowIndex:
    """The windows of the recordings ``ids``, as the recipe cuts them."""
    how = recipe.windows
    if how.length_s > 0:
        return sliding_windows(corpus, ids, how.length_s, how.hop_s)
    return segment_windows(corpus, ids)


class Windows:
    """Windows of a corpus, prepared for ``inputs``: ``tensors(rows)`` gives ``{key: (rows, samples, ...)}``.

    ``key + '.missing'`` (rows, samples) comes beside each. They stay in memory while all of them fit in
    ``cache_bytes``; otherwise every call reads from the store. ``asked``: what is read, where that is narrower than
    ``slots(inputs)``.
    """

    def __init__(
        self, corpus: Corpus, index: WindowIndex, inputs: Mapping[str, Input], cache_bytes: int = CACHE_BYTES,
        *, asked: Sequence[Slot] | None = None,
    ) -> None:  # fmt: skip
        self.corpus, self.index, self.inputs = corpus, index, dict(inputs)
        self.asked = tuple(slots(self.inputs) if asked is None else asked)
        self._cache: dict[str, Tensor] | None = None
        if not len(index):
            return
        one = self._read(np.arange(1))
        if len(index) * sum(t.numel() * t.element_size() for t in one.values()) <= cache_bytes:
            parts = [self._read(rows) for rows in np.array_split(np.arange(len(index)), -(-len(index) // 32))]
            self._cache = {key: torch.cat([p.pop(key) for p in parts]) for key in one}

    def __len__(self) -> int:
        return len(self.index)

    def of(self, keys: Iterable[str]) -> Windows:
        """The same windows with the inputs ``keys`` alone; what is in memory is shared."""
        kept, out = set(keys), copy(self)
        out.inputs = {key: spec for key, spec in self.inputs.items() if key in kept}
        out.asked = tuple(slot for slot in self.asked if slot.key in kept)
        if self._cache is not None:
            out._cache = {k: x for k, x in self._cache.items() if k.removesuffix(".missing") in kept}
        return out

    def tensors(self, rows: Sequence[int] | np.ndarray[Any, Any] | Tensor) -> dict[str, Tensor]:
        """The windows of ``rows``, video with ``SPARE`` times its frames."""
        if self._cache is not None:
            picked = torch.as_tensor(rows)
            found = {key: value[picked] for key, value in self._cache.items()}
        else:
            found = self._read(np.asarray(rows))
        return {key: value.float() if value.is_floating_point() else value for key, value in found.items()}

    def _read(self, rows: np.ndarray[Any, Any]) -> dict[str, Tensor]:
        values, missing = read(self.corpus, self.index, rows, self.asked)
        out: dict[str, Tensor] = {}
        for key, spec in self.inputs.items():
            gone = torch.from_numpy(missing[key])
            x = torch.from_numpy(values[key])
            if isinstance(spec, VideoInput) and x.dim() == 4:
                x = x[..., None]
            x = spec.prepare(_shaped(key, spec, x, gone), gone)
            # half precision is plenty for depth in -1..1, and halves what is kept
            out[key] = x.half() if isinstance(spec, VideoInput) else x
            out[f"{key}.missing"] = gone
        return out


def _shaped(key: str, spec: Input, x: Tensor, gone: Tensor) -> Tensor:
    """Zeros in the model's shape where a corpus has no such stream; ``ValueError`` where it has another shape."""
    if isinstance(spec, VideoInput):
        return x
    wanted = (spec.joints, spec.axes) if isinstance(spec, PoseInput) else (spec.axes,)
    if x.shape[2:] == wanted:
        return x
    if bool(gone.all()):
        return x.new_zeros(*x.shape[:2], *wanted)
    raise ValueError(
        f"input '{key}': the recipe says {' x '.join(map(str, wanted))} numbers per sample, the corpus holds "
        f"{' x '.join(map(str, x.shape[2:]))}. Correct the recipe's [inputs.{key}], or import the right data set."
    )


def plain(batch: Mapping[str, Tensor], inputs: Mapping[str, Input]) -> dict[str, Tensor]:
    """Windows as they are, video brought to the model's number of frames."""
    out = dict(batch)
    for key, spec in inputs.items():
        if isinstance(spec, VideoInput) and key in out:
            for name in (key, f"{key}.missing"):
                out[name] = out[name][:, SPARE // 2 :: SPARE]
    return out


def augmented(
    batch: Mapping[str, Tensor], inputs: Mapping[str, Input], how: Augment, generator: torch.Generator
) -> dict[str, Tensor]:
    """Windows varied: one warp of time for all streams, one point of view, one mounting for each place of sensors.

    What is worn in one place (``SensorInput.placement``; none: all) is turned alike, accelerometer and gyroscope.

    A sample that was read, in part or whole, from a missing one is missing. Orientations are not turned: angles and
    quaternions are no vectors. Sensors that ``how`` leaves out (``places``, ``one_quantity``) do not come back.
    """
    out = dict(batch)
    for key in _left_out([key for key in inputs if key in out], inputs, how, generator):
        del out[key], out[f"{key}.missing"]
    n = len(next(iter(out.values())))
    time = aug.random_time(n, generator, how.warp, how.crop)
    places = dict.fromkeys(spec.placement if isinstance(spec, SensorInput) else "" for spec in inputs.values())
    mounting = {place: aug.random_rotations(n, how.rotation_deg, generator) for place in places}
    if how.half_turns:
        mounting = {place: turned @ aug.half_turns(n, generator) for place, turned in mounting.items()}
    if how.axes > 0:
        some = torch.rand(n, generator=generator)[:, None, None] < how.axes
        for place in (place for place in places if not place.endswith("pocket")):
            turned = mounting[place] @ aug.right_angles(n, generator)
            mounting[place] = torch.where(some, turned, mounting[place])
    if how.any_way > 0:
        some = torch.rand(n, generator=generator)[:, None, None] < how.any_way
        for place in places:
            mounting[place] = torch.where(some, aug.random_rotations(n, 180.0, generator), mounting[place])
    linear = torch.rand(n, generator=generator)[:, None, None] < how.linear if how.linear > 0 else None
    strong, sharp = (aug.factors(n, most, generator) for most in (how.vigour, how.sharpness))
    turn = aug.turns(n, how.turn_deg, generator)
    for key, spec in inputs.items():
        if key not in out:
            continue
        video = isinstance(spec, VideoInput)
        x = aug.retime(out[key], time, spec.samples, nearest=video)
        gone = aug.retime(out[f"{key}.missing"].float(), time, spec.samples, nearest=video) > 1e-3
        if isinstance(spec, SensorInput):
            if linear is not None and spec.quantity == "acc":
                x = torch.where(linear, x - aug.mean_of(x, gone), x)
            if (how.vigour > 0 or how.sharpness > 0) and spec.quantity != "orientation":
                x = aug.livelier(x, gone, strong, sharp)
            x = x if spec.quantity == "orientation" else aug.rotate(x, mounting[spec.placement])
            x = aug.jitter(x, how.noise, how.scale, generator)
        elif isinstance(spec, PoseInput):
            x = aug.jitter(aug.rotate(x, turn) if spec.axes == 3 else x, how.noise, how.scale, generator)
        elif how.shift > 0:
            x = aug.shift_images(x, how.shift, generator)
        gone_all = gone.view(*gone.shape, *([1] * (x.dim() - 2)))
        out[key], out[f"{key}.missing"] = x.masked_fill(gone_all, 0.0), gone
    return out


def _left_out(keys: Sequence[str], inputs: Mapping[str, Input], how: Augment, generator: torch.Generator) -> list[str]:
    """The sensors that a batch does without: those of all but a few places, and of all but one quantity."""
    sensors = {key: spec for key in keys if isinstance(spec := inputs[key], SensorInput)}
    kept = set(sensors)
    places = list(dict.fromkeys(spec.placement for spec in sensors.values()))
    if how.places > 0 and len(places) > 1:
        number = 1 + int(torch.randint(min(how.places, len(places)), (), generator=generator))
        chosen = {places[i] for i in torch.randperm(len(places), generator=generator)[:number].tolist()}
        kept = {key for key in kept if sensors[key].placement in chosen}
    if how.one_quantity > 0:
        alone, which = torch.rand(2, generator=generator).tolist()
        kinds = list(dict.fromkeys(sensors[key].quantity for key in sensors if key in kept))
        if alone < how.one_quantity and kinds:
            kept = {key for key in kept if sensors[key].quantity == kinds[int(which * len(kinds))]}
    return [key for key in sensors if key not in kept]


def episodes(
    windows: Windows,
    rows: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    how: Augment,
    batch_size: int,
    way: int,
    queries: int,
) -> Callable[[torch.Generator], dict[str, Tensor]]:
    """A ``train.BatchOf`` of whole episodes, at least one and as many as ``batch_size`` holds.

    Rows come in the order (episode, class, example then ``queries``); the windows of a class are different ones.
    """
    each = 1 + queries
    number = max(1, batch_size // (way * each))
    pool, classes = torch.as_tensor(rows), torch.as_tensor(labels)
    members = [pool[classes == c] for c in classes.unique()]
    members = [m for m in members if len(m) >= each]
    if len(members) < way:
        raise ValueError(f"{way}-way episodes need {way} classes with {each} windows or more, given {len(members)}")
    number_of = dict(zip(pool.tolist(), classes.tolist(), strict=True))

    def draw(generator: torch.Generator) -> dict[str, Tensor]:
        picked = []
        for _ in range(number):
            chosen = [members[c] for c in torch.randperm(len(members), generator=generator)[:way].tolist()]
            picked += [m[torch.randperm(len(m), generator=generator)[:each]] for m in chosen]
        pick = torch.cat(picked)
        batch = augmented(windows.tensors(pick), windows.inputs, how, generator)
        batch["label"] = torch.tensor([number_of[i] for i in pick.tolist()])
        return batch

    return draw


def sampler(
    windows: Windows,
    rows: np.ndarray[Any, Any],
    batch_size: int,
    how: Augment,
    labels: np.ndarray[Any, Any] | None = None,
    *,
    captions: Sequence[Sequence[int]] | None = None,
    same: np.ndarray[Any, Any] | None = None,
    near_s: float | None = None,
    balanced: bool = False,
) -> Callable[[torch.Generator], dict[str, Tensor]]:
    """A ``train.BatchOf``: each of ``rows`` as likely as any other, augmented; ``label`` where ``labels`` are given.

    ``captions`` gives for each of ``rows`` the sentences (rows of a bank) of which one is drawn: ``text``, -1 where it
    has none. With ``near_s`` the second half of a batch holds other views of the first: windows of the same recording
    that begin at most so many seconds away (0: the same window), augmented by another draw. ``balanced``: every class
    is as likely as any other.

    ``same`` says of each of ``rows`` what it shows, by a number (-1: not known). The batch's ``same`` are those, and
    for unknown rows numbers of their own; a window and its other view have one.
    """
    pool = torch.as_tensor(rows)
    classes = None if labels is None else torch.as_tensor(labels)
    shows = None if same is None else torch.as_tensor(same)
    beside = None if near_s is None else neighbours(windows.index.take(rows), near_s)
    members = [] if classes is None else [(classes == c).nonzero()[:, 0] for c in classes.unique()]

    def draw(generator: torch.Generator) -> dict[str, Tensor]:
        number = batch_size if beside is None else batch_size // 2
        if balanced:
            kinds = torch.randint(0, len(members), (number,), generator=generator).tolist()
            share = torch.rand(number, generator=generator).tolist()
            pick = torch.stack([members[c][int(u * len(members[c]))] for c, u in zip(kinds, share, strict=True)])
        else:
            pick = torch.randint(0, len(pool), (number,), generator=generator)
        if beside is not None:
            first, count = beside[0][pick], beside[1][pick]
            pick = torch.cat([pick, first + (torch.rand(number, generator=generator) * count).long()])
        batch = augmented(windows.tensors(pool[pick]), windows.inputs, how, generator)
        if classes is not None:
            batch["label"] = classes[pick]
        if beside is not None or shows is not None:
            own = torch.arange(number).repeat(len(pick) // number)
            known = torch.full_like(pick, -1) if shows is None else shows[pick]
            batch["same"] = torch.where(known < 0, own, known + number)
        if captions is not None:
            share, said = torch.rand(len(pick), generator=generator).tolist(), [captions[i] for i in pick.tolist()]
            rows_of = [c[int(u * len(c))] if len(c) else -1 for c, u in zip(said, share, strict=True)]
            batch["text"] = torch.tensor(rows_of)
        return batch

    return draw


def neighbours(index: WindowIndex, near_s: float) -> tuple[Tensor, Tensor]:
    """For each window the first row, and the number of rows, of its recording that begin within ``near_s`` of it.

    Rows of a recording must lie together in the order of time: ``ValueError`` else.
    """
    recording, start = index.recording, index.start_s
    first, count = np.empty(len(index), np.int64), np.empty(len(index), np.int64)
    edges = np.flatnonzero(np.diff(recording, prepend=-1, append=-1))
    if len(edges) - 1 != len(np.unique(recording)):
        raise ValueError("neighbouring windows need the rows of a recording together, in the order of time")
    for low, high in itertools.pairwise(edges):
        times = start[low:high]
        if (np.diff(times) < 0).any():
            raise ValueError("neighbouring windows need the rows of a recording together, in the order of time")
        first[low:high] = low + np.searchsorted(times, times - near_s - 1e-6)
        count[low:high] = low + np.searchsorted(times, times + near_s + 1e-6, "right") - first[low:high]
    return torch.from_numpy(first), torch.from_numpy(count)


def mixture(
    draws: Sequence[Callable[[torch.Generator], dict[str, Tensor]]], shares: Sequence[float]
) -> Callable[[torch.Generator], dict[str, Tensor]]:
    """A ``train.BatchOf`` of several: every batch is from one of them, drawn by ``shares``."""
    if len(draws) != len(shares) or not draws or min(shares) < 0 or sum(shares) <= 0:
        raise ValueError(f"give a share of at least 0 for each of {len(draws)} sources, given {tuple(shares)}")
    upto = torch.tensor(shares, dtype=torch.float64).cumsum(0) / sum(shares)

    def draw(generator: torch.Generator) -> dict[str, Tensor]:
        chosen = int((torch.rand((), generator=generator, dtype=torch.float64) >= upto).sum())
        return draws[min(chosen, len(draws) - 1)](generator)

    return draw
