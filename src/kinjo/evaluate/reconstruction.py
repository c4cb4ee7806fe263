"""Does a masked autoencoder rebuild what it does not see? Errors on hidden and on visible tokens beside two trivial
predictions, and a picture. Errors are mean squares of tokens normalised as in training (each to mean 0, variance 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from kinjo import learn
from kinjo.batches import Windows, cut, plain
from kinjo.corpus import Corpus
from kinjo.encoders import Input, VideoInput
from kinjo.evaluate.reconstruction_picture import plot_rebuilt
from kinjo.methods.mumae import Batch, MuMAE
from kinjo.nn.tokens import gather_tokens, normalise_tokens, sincos, split_hidden

EPS = 1e-6
"""Added to a token's variance, as in ``nn.tokens.normalise_tokens``."""


@dataclass(frozen=True)
class Rebuilt:
    """One stream of some windows, as it is and as the autoencoder has it. Tokens are in the order of the stream.

    ``truth`` holds prepared values (batch, tokens, values), ``predicted`` normalised ones of the same shape; tokens
    may be ``hidden`` from the model or ``missing`` from the recording (batch, tokens). ``given`` (batch, tokens,
    values) is ``truth`` with a line through the visible samples drawn over the hidden ones; ``None`` for video.
    """

    truth: Float[Tensor, "batch tokens values"]
    predicted: Float[Tensor, "batch tokens values"]
    hidden: Bool[Tensor, "batch tokens"]
    missing: Bool[Tensor, "batch tokens"]
    given: Float[Tensor, "batch tokens values"] | None
    channels: int = 1
    """Of which each is normalised by itself."""

    @property
    def target(self) -> Float[Tensor, "batch tokens values"]:
        """What the model is trained to give: every token without its mean and scale."""
        return normalise_tokens(self.truth, EPS, self.channels)

    @property
    def values(self) -> Float[Tensor, "batch tokens values"]:
        """The prediction with the *true* mean and scale of every token, which the model neither knows nor learns."""
        parts = self.truth.unflatten(-1, (-1, self.channels))
        mean, scale = parts.mean(2, keepdim=True), (parts.var(2, keepdim=True) + EPS).sqrt()
        return (self.predicted.unflatten(-1, (-1, self.channels)) * scale + mean).flatten(2)

    @property
    def line(self) -> Float[Tensor, "batch tokens values"] | None:
        """``given`` normalised as the truth is."""
        return None if self.given is None else normalise_tokens(self.given, EPS, self.channels)


@dataclass(frozen=True)
class StreamLoss:
    """Mean squared errors of one stream's normalised tokens, over the ``count`` hidden tokens that are there.

    ``visible`` is the model's on what it was shown: training asks nothing there, so it may well be the worse one.
    ``mean`` predicts every hidden token's own true mean (about 1), ``line`` interpolates in time between visible
    samples and is normalised as the truth is (``None`` for video: a hidden place has no visible moment). A token holds
    all axes of a sensor: with gravity in it most of its variance lies between the axes and is easily had, so that
    ``line`` is what has to be beaten.
    """

    hidden: float
    visible: float
    mean: float
    line: float | None
    count: int

    @property
    def explained(self) -> float:
        """Share of the variance within hidden tokens that is rebuilt: 1 is all of it, 0 no better than the mean."""
        return 1.0 - self.hidden / self.mean if self.mean > 0 else 0.0


@torch.no_grad()
def reconstruct(model: MuMAE, batch: Batch, generator: torch.Generator) -> dict[str, Rebuilt]:
    """The streams of a batch of prepared windows, tokens hidden by the model's own masks from ``generator``."""
    missing = model.missing_tokens(batch)
    rows, device = next((len(m), m.device) for m in missing.values())
    drawn = model.draw_masks(rows, generator)
    masks = {key: drawn[key].to(device) for key in missing}
    split = {key: split_hidden(mask) for key, mask in masks.items()}
    visible = {key: seen for key, (seen, _) in split.items()}
    gone = {key: missing[key].gather(1, seen) for key, seen in visible.items()}
    entered = {key: model.enter_visible(key, batch[key], seen, missing[key]) for key, seen in visible.items()}
    encoded = model.encode(entered, visible, gone)
    out = {}
    for key, (seen, hidden) in split.items():
        spec, order = model.config.inputs[key], torch.cat([seen, hidden], 1)
        in_order = _decode_all(model, key, encoded[key], order, gone[key])
        predicted = gather_tokens(in_order, order.argsort(1)).float()
        truth, video = spec.patchify(batch[key]).float(), isinstance(spec, VideoInput)
        samples_gone = batch.get(f"{key}.missing")
        given = None if video else _line(spec, batch[key], masks[key] | missing[key], samples_gone)
        out[key] = Rebuilt(truth, predicted, masks[key], missing[key], given, spec.channels if video else 1)
    return out


def _decode_all(model: MuMAE, key: str, encoded: Tensor, order: Tensor, missing: Tensor) -> Tensor:
    """``MuMAE.decode`` with its answer for the visible tokens too: all tokens in ``order``, visible ones first."""
    seen = model.to_decoder(encoded)
    hidden = order.shape[1] - seen.shape[1]
    x = torch.cat([seen, model.mask_token.to(seen).expand(len(seen), hidden, -1)], 1)
    x = x + sincos(order.shape[1], model.config.decoder_dim).to(seen)[order]
    gone = torch.nn.functional.pad(missing, (0, hidden)) if bool(missing.any()) else None
    return model.to_values[key](model.decoders[key](x, gone))


def _line(spec: Input, x: Tensor, unseen: Tensor, samples_gone: Tensor | None) -> Tensor:
    """Tokens of ``x`` with the samples of ``unseen`` tokens, and those not there, on lines between their neighbours."""
    shown = spec.unpatchify((~unseen)[:, :, None].expand(-1, -1, spec.values).float()) > 0
    if samples_gone is not None:
        shown = shown & ~samples_gone.view(*samples_gone.shape, *([1] * (x.dim() - 2)))
    return spec.patchify(interpolated(x.float(), shown))


def interpolated(
    x: Float[Tensor, "batch samples *rest"], seen: Bool[Tensor, "batch samples *rest"]
) -> Float[Tensor, "batch samples *rest"]:
    """``x`` where it is ``seen``; elsewhere the line in time between the nearest seen samples, held at the ends.

    Every channel for itself; zero where a channel has no seen sample.
    """
    n = x.shape[1]
    at = torch.arange(n, device=x.device).view(1, n, *([1] * (x.dim() - 2))).expand_as(x)
    before = torch.where(seen, at, -1).cummax(1).values
    after = torch.where(seen, at, n).flip(1).cummin(1).values.flip(1)
    left = torch.where(before >= 0, before, after).clamp(max=n - 1)
    right = torch.where(after < n, after, before).clamp(min=0)
    share = (at - left) / (right - left).clamp(min=1)
    line = x.gather(1, left) * (1 - share) + x.gather(1, right) * share
    return torch.where(seen, x, line) * seen.any(1, keepdim=True)


def losses_split(model: MuMAE, batch: Batch, generator: torch.Generator) -> dict[str, StreamLoss]:
    """Errors on hidden and on visible tokens of every stream that ``batch`` holds; missing tokens do not count."""
    return {key: _split(stream) for key, stream in reconstruct(model, batch, generator).items()}


def _split(x: Rebuilt) -> StreamLoss:
    target, hidden, visible = x.target, x.hidden & ~x.missing, ~x.hidden & ~x.missing

    def error(prediction: Tensor, where: Tensor) -> float:
        each = (prediction - target).square().mean(2)
        return each[where].double().mean().item() if bool(where.any()) else 0.0

    return StreamLoss(
        hidden=error(x.predicted, hidden),
        visible=error(x.predicted, visible),
        mean=error(torch.zeros_like(target), hidden),
        line=None if x.line is None else error(x.line, hidden),
        count=int(hidden.sum()),
    )


def average(parts: Iterable[Mapping[str, StreamLoss]]) -> dict[str, StreamLoss]:
    """The errors over several batches or runs together, each weighing as many hidden tokens as it has."""
    by_stream: dict[str, list[StreamLoss]] = {}
    for part in parts:
        for key, loss in part.items():
            by_stream.setdefault(key, []).append(loss)
    out = {}
    for key, losses in by_stream.items():
        count = sum(x.count for x in losses)

        def mean(name: str, losses: list[StreamLoss] = losses, count: int = count) -> float:
            return sum(getattr(x, name) * x.count for x in losses) / max(count, 1)

        line = None if losses[0].line is None else mean("line")
        out[key] = StreamLoss(mean("hidden"), mean("visible"), mean("mean"), line, count)
    return out


def to_text(losses: Mapping[str, StreamLoss]) -> str:
    """A table for people."""
    width = max([len("stream"), *map(len, losses)])
    lines = [
        "mean squared error of tokens normalised to variance 1; the model beside two trivial predictions",
        f"{'stream':<{width}}  {'hidden':>7}  {'visible':>7}  {'mean':>7}  {'line':>7}  explained",
    ]
    for key, x in losses.items():
        line = "      -" if x.line is None else f"{x.line:7.3f}"
        lines.append(f"{key:<{width}}  {x.hidden:7.3f}  {x.visible:7.3f}  {x.mean:7.3f}  {line}  {x.explained:9.3f}")
    return "\n".join(
        [
            *lines,
            "hidden: what the model was not shown. visible: what it was shown; training asks nothing there.",
            "mean: every hidden token's own mean. line: interpolation in time between visible samples.",
            "explained: share of the variance within hidden tokens that the model rebuilds.",
        ]
    )


def varied(labels: Sequence[str] | NDArray[Any], number: int) -> NDArray[np.intp]:
    """Up to ``number`` rows, of different labels as long as there are any, in order of the labels."""
    labels = np.asarray(labels, str)
    turn = np.zeros(len(labels), int)
    for name in np.unique(labels):
        mine = np.flatnonzero(labels == name)
        turn[mine] = np.arange(len(mine))
    return np.lexsort((labels, turn))[:number]


def evaluate(
    path: Path,
    corpus: Corpus,
    picture: Path | None = None,
    ids: Iterable[str] | None = None,
    *,
    windows: int = 4,
    seed: int = 0,
    batch_size: int = 64,
) -> dict[str, StreamLoss]:
    """The errors of a pre-trained checkpoint on all windows of the recordings ``ids`` (None: of the corpus).

    ``picture`` shows so many ``windows`` of different labels. Raises ``ValueError`` for a fine-tuned checkpoint (its
    decoders stayed behind when its encoder went on) and ``ContractError`` where the corpus holds streams that the
    model was not trained on.
    """
    model, recipe, header = learn.load(path)
    if not isinstance(model, MuMAE):
        raise ValueError(
            f"{path}: fine-tuned, so that its decoders no longer fit its encoder. Name the checkpoint before that."
        )
    index = cut(corpus, corpus.recordings if ids is None else ids, recipe)
    if not len(index):
        raise ValueError("no windows to reconstruct: the corpus or the part of it is empty")
    held = Windows(corpus, index, recipe.inputs)
    learn.check_contracts(header["contracts"], held)
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for i in range(0, len(held), batch_size):
        batch = plain(held.tensors(range(i, min(i + batch_size, len(held)))), recipe.inputs)
        parts.append(losses_split(model, batch, generator))
    losses = average(parts)
    if picture is not None:
        rows = varied(index.label_names, windows)
        plot_reconstruction(model, held, rows, picture, torch.Generator().manual_seed(seed), losses=losses)
    return losses


def plot_reconstruction(
    model: MuMAE,
    windows: Windows,
    rows: Sequence[int] | NDArray[Any],
    path: Path,
    generator: torch.Generator,
    *,
    losses: Mapping[str, StreamLoss] | None = None,
    title: str = "",
) -> None:
    """A picture of the windows ``rows``: what the model sees, what it makes of the rest, and the truth.

    With ``losses`` their numbers are in the caption. ``path`` ends in ``.png``, ``.svg`` or ``.pdf``; see
    ``reconstruction_picture.plot_rebuilt``.
    """
    index = windows.index.take(np.asarray(rows))
    rebuilt = reconstruct(model, plain(windows.tensors(rows), windows.inputs), generator)
    said = [
        f"{key}: mean squared error {x.hidden:.2f} on hidden tokens (predicting their mean: {x.mean:.2f}"
        + ("" if x.line is None else f"; interpolating: {x.line:.2f}")
        + f"), {x.visible:.2f} on visible ones, which training does not ask for"
        for key, x in (losses or {}).items()
    ]
    plot_rebuilt(
        {key: (windows.inputs[key], x.truth, x.values, x.hidden, x.missing) for key, x in rebuilt.items()},
        path, names=[str(name) for name in index.label_names], seconds=(index.end_s - index.start_s).tolist(),
        title=title, said=said,
    )  # fmt: skip
