"""Few-shot heads: how near every query of an episode is to every class, from the support's embeddings.

One interface (``Head``) for a plain embedding (one position) and for maps (several positions). All episodes of a
call are scored at once, in fp32 under autocast too: scores decide by small differences, and the work is small.
"""

from __future__ import annotations

import abc
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from kinjo.nn.transformer import initialise

Scores = Float[Tensor, "episodes way queries"]
Support = Float[Tensor, "episodes way shot positions dim"]
Query = Float[Tensor, "episodes queries positions dim"]


class Head(nn.Module, abc.ABC):
    """``head(support, query)`` gives scores ``(episodes, way, queries)``: higher is nearer, usable as logits.

    ``transductive``: whether the answer for one query depends on the other queries of its episode. Where it is False
    queries may be scored in any portions with the same result. Episodes never touch each other: the caller cuts them
    into portions that fit into memory; the peak of each head is in its docstring, in numbers of 4 bytes per episode,
    beside the inputs.
    """

    transductive: bool = False

    @abc.abstractmethod
    def forward(self, support: Support, query: Query) -> Scores:
        """Scores; equivariant to the order of classes and of queries, blind to the order of a class's supports."""


def episode_loss(scores: Scores, target: Int[Tensor, "episodes queries"]) -> Float[Tensor, ""]:
    """Cross-entropy over the classes of an episode, mean over all queries. ``target`` is a position in ``way``."""
    return F.cross_entropy(_full(scores), target)


class Prototypical(Head):
    """Nearest mean of supports (Snell et al. 2017), over the mean of the positions. No weights.

    ``cosine``: every support is made unit length, then averaged; ``scale`` times the cosine of that and the query.
    ``euclidean``: minus ``scale`` times the squared distance to the mean of the supports as they are. Both choose as
    ``kinjo.evaluate.fewshot.classify`` does. ``scale`` is 12 (cosine) or 1 (euclidean) where not given. Peak per
    episode: way * queries.
    """

    def __init__(self, metric: Literal["cosine", "euclidean"] = "cosine", scale: float | None = None) -> None:
        super().__init__()
        if metric not in ("cosine", "euclidean"):
            raise ValueError(f"metric is 'cosine' or 'euclidean', given {metric!r}")
        self.metric = metric
        self.scale = (12.0 if metric == "cosine" else 1.0) if scale is None else scale

    def forward(self, support: Support, query: Query) -> Scores:
        with torch.autocast(query.device.type, enabled=False):
            s, q = _full(support).mean(3), _full(query).mean(2)  # (e, way, shot, dim), (e, queries, dim)
            if self.metric == "cosine":
                return self.scale * _cosine(F.normalize(s, dim=-1).mean(2), q)
            centre = s.mean((1, 2))[:, None]  # distances stay as they are, and lose fewer digits in what follows
            prototype, q = s.mean(2) - centre, q - centre
            square = prototype.square().sum(-1)[:, :, None] + q.square().sum(-1)[:, None, :]
            return self.scale * (2 * prototype @ q.transpose(1, 2) - square)


class Matching(Head):
    """Attention over all supports (Vinyals et al. 2016), without their full-context embeddings. No weights.

    The score is the log of the attention that the supports of a class get together: softmax of ``scale`` times the
    cosine, over the supports of all classes. Published without a scale, where no class can get more than
    e^2 / (e^2 + way - 1) of it; 12 by default. Peak per episode: way * shot * queries.
    """

    def __init__(self, scale: float = 12.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, support: Support, query: Query) -> Scores:
        with torch.autocast(query.device.type, enabled=False):
            s, q = _full(support).mean(3), _full(query).mean(2)
            way, shot = s.shape[1:3]
            logits = self.scale * _cosine(s.flatten(1, 2), q)  # (e, way * shot, queries)
            return logits.log_softmax(1).unflatten(1, (way, shot)).logsumexp(2)


class Relation(Head):
    """A learnt comparison (Sung et al. 2018): an MLP of prototype and query, side by side, to one score.

    Of the mean over the positions. A prototype is the mean of the supports where the paper sums them, so that one
    network serves any number of them; the score is a logit for ``episode_loss`` where the paper regresses sigmoids.
    Not symmetric: prototype and query have weights of their own, as in the paper, and swapping them changes the
    score. The last layer has no bias, which would lift all classes alike. Peak per episode: way * queries * hidden.
    """

    def __init__(self, dim: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.compare, self.score = nn.Linear(2 * dim, hidden), nn.Linear(hidden, 1, bias=False)
        initialise(self, generator)

    def forward(self, support: Support, query: Query) -> Scores:
        with torch.autocast(query.device.type, enabled=False):
            prototype, q = _full(support).mean((2, 3)), _full(query).mean(2)
            of_prototype, of_query = self.compare.weight.chunk(2, 1)  # a layer on pairs is the sum of two layers
            pairs = (prototype @ of_prototype.T)[:, :, None] + (q @ of_query.T)[:, None] + self.compare.bias
            return self.score(pairs.relu()).squeeze(-1)  # (e, way, queries, hidden) -> (e, way, queries)


class CrossAttention(Head):
    """Attention between the positions of prototype and query (CAN, Hou et al. 2019), with the self-attention and the
    sum of both that MASTAF (2022) adds: the head of Mu-MAE's released code.

    Prototypes are the mean maps of the supports. Of a pair of maps the correlation map of their unit-length positions
    is pooled; a meta-learner (linear to a sixth of the positions, ReLU, linear back) turns that into a kernel; the
    kernel's answer at each position, softmax at ``temperature``, plus 1 (the residual), is that position's weight. The
    score is ``scale`` times the cosine of the weighted means, plus ``alpha`` times the same of maps weighted by
    themselves (``alpha = 0``: plain CAN).

    Deviations. No BatchNorm in the meta-learner (CAN has one): with it the score of a query in training would depend
    on the batch; nor LayerNorm, which of the one value that up to 11 positions leave is constant. Without either a
    ReLU may be dead from the start, so the first layer's rows begin with a sum that is not negative: correlations of
    a map with itself are positive on average. One meta-learner for cross and self (that file was never released).
    In training the cosine is of the pooled query as in testing (CAN: one per position of it).

    ``transductive``: CAN's own inference, in evaluation mode only. The ``share`` of the episode's queries with the
    highest scores, whichever their class, join the supports of the class they were given to, and all is scored again;
    then twice that number, and so on while there are queries: with CAN's 35 of 75 two rounds. At least one query.

    Peak per episode: way * queries * (2 * positions^2 + 2 * dim).
    """

    def __init__(
        self,
        positions: int,
        generator: torch.Generator,
        *,
        scale: float = 7.0,
        alpha: float = 1.0,
        temperature: float = 0.025,
        transductive: bool = False,
        share: float = 35 / 75,
    ) -> None:
        super().__init__()
        if positions < 2:
            raise ValueError(f"cross-attention weighs positions: {positions} is too few. Take Prototypical instead.")
        if not 0 < share <= 1:
            raise ValueError(f"share of the queries that join the supports is in (0, 1], given {share}")
        self.positions, self.scale, self.alpha, self.temperature = positions, scale, alpha, temperature
        self.transductive, self.share = transductive, share
        hidden = max(1, positions // 6)
        first = nn.Linear(positions, hidden)
        self.meta = nn.Sequential(first, nn.ReLU(), nn.Linear(hidden, positions))
        initialise(self, generator)
        with torch.no_grad():
            first.weight.mul_(torch.where(first.weight.sum(1, keepdim=True) < 0, -1.0, 1.0))

    def weights(self, correlation: Float[Tensor, "*pairs rows columns"]) -> Float[Tensor, "*pairs rows"]:
        """Weights of the row positions, 1 to 2, from a correlation map."""
        kernel = self.meta(correlation.mean(-2))[..., None, :]
        return 1 + ((correlation * kernel).mean(-1) / self.temperature).softmax(-1)

    def forward(self, support: Support, query: Query) -> Scores:
        if query.shape[2] != self.positions:
            raise ValueError(f"this head compares maps of {self.positions} positions, given {query.shape[2]}")
        with torch.autocast(query.device.type, enabled=False):
            support, query = _full(support), _full(query)
            scores = self._score(support.mean(2), query)
            if self.transductive and not self.training:
                step = max(1, int(query.shape[1] * self.share))
                for candidates in range(step, query.shape[1] + 1, step):
                    scores = self._score(_joined(support, query, scores, candidates), query)
            return scores

    def _score(self, prototype: Query, query: Float[Tensor, "episodes asked positions dim"]) -> Tensor:
        p, q = F.normalize(prototype, dim=-1), F.normalize(query, dim=-1)
        cross = torch.einsum("ewid,eqjd->ewqij", p, q)
        seen_p = torch.einsum("ewqi,ewid->ewqd", self.weights(cross), prototype)
        seen_q = torch.einsum("ewqj,eqjd->ewqd", self.weights(cross.transpose(3, 4)), query)
        score = (F.normalize(seen_p, dim=-1) * F.normalize(seen_q, dim=-1)).sum(-1)
        if self.alpha:
            score = score + self.alpha * _cosine(self._by_itself(prototype, p), self._by_itself(query, q))
        return self.scale * score

    def _by_itself(self, maps: Query, unit: Query) -> Float[Tensor, "episodes queries dim"]:
        """Sum of the positions, weighted by the map's correlation with itself."""
        return (self.weights(unit @ unit.transpose(2, 3))[..., None] * maps).sum(2)


def _joined(support: Support, query: Query, scores: Scores, candidates: int) -> Tensor:
    """Mean maps ``(episodes, way, positions, dim)`` of the supports and the ``candidates`` most confident queries."""
    best, answer = scores.max(1)  # (e, queries)
    chosen = torch.zeros_like(best).scatter(1, best.topk(candidates, 1).indices, 1.0)
    given = F.one_hot(answer, scores.shape[1]).to(best) * chosen[..., None]  # (e, queries, way)
    total = support.sum(2) + torch.einsum("eqw,eqpd->ewpd", given, query)
    return total / (support.shape[2] + given.sum(1))[..., None, None]


def _full(x: Tensor) -> Tensor:
    """At least fp32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _cosine(a: Float[Tensor, "episodes first dim"], b: Float[Tensor, "episodes second dim"]) -> Tensor:
    """Cosines ``(episodes, first, second)``; 0 where a vector is zero."""
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).transpose(1, 2)
