"""Contrast in a joint space: what belongs together is near, what does not is far. All in fp32, under autocast too.

Embeddings that come in have unit length; logits are ``scale`` times their cosines. A row that is missing takes part in
nothing: not as a query, not as a negative. In a training by several processes the rows of all of them are each other's
negatives, and the average of their gradients is that of one process with all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kinjo.nn.processes import gathered, mean_count, place

Unit = Float[Tensor, "rows dim"]
Rows = Bool[Tensor, "rows"]


def info_nce(
    a: Unit,
    b: Unit,
    scale: Float[Tensor, ""],
    missing: Rows | None = None,
    targets: Float[Tensor, "rows all"] | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE (CLIP, Radford et al. 2021): row i of ``a`` finds row i of ``b`` among all, and back.

    ``targets`` (rows, rows; several processes: rows of this one by rows of all) says how much another row is a right
    answer too; rows are normalised over what is present. None: a row's own alone. 0 where fewer than two rows are
    present: there is nothing to tell apart.
    """
    a, b = a.float(), b.float()
    gone = torch.zeros(len(a), dtype=torch.bool, device=a.device) if missing is None else missing
    whole_a, whole_b, absent, first = gathered(a), gathered(b), gathered(gone), offset(len(a))
    if targets is None:
        targets = torch.zeros(len(a), len(absent), device=a.device)
        targets[torch.arange(len(a)), first + torch.arange(len(a))] = 1.0
    wanted = normalised(targets.float().masked_fill(absent[None], 0.0))
    with torch.autocast(a.device.type, enabled=False):
        there = cross_entropy(scale * a @ whole_b.T, wanted, absent)
        back = cross_entropy(scale * b @ whole_a.T, wanted, absent)
        present = (~gone).float()
        alone = (~absent).sum() < 2
        total = (0.5 * (there + back) * present).sum() / mean_count(present.sum())
    return torch.where(alone, 0.0 * total, total)


def normalised(targets: Float[Tensor, "rows all"]) -> Float[Tensor, "rows all"]:
    """Rows that sum to 1; rows without anything stay zero."""
    return targets / targets.sum(1, keepdim=True).clamp(min=1e-12)


def cross_entropy(
    logits: Float[Tensor, "rows all"], targets: Float[Tensor, "rows all"], absent: Bool[Tensor, "all"]
) -> Float[Tensor, "rows"]:
    """Of each row against its targets, absent columns left out."""
    log = logits.masked_fill(absent[None], -1e4).log_softmax(1)
    return -(targets * log).sum(1)


def offset(rows: int) -> int:
    """Where the rows of this process begin among those of all, each of which has as many."""
    return rows * place()[0]


def pairwise(
    embeddings: Mapping[str, Unit],
    missing: Mapping[str, Rows],
    scale: Float[Tensor, ""],
    targets: Float[Tensor, "rows all"] | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """``contrast_imu_pose`` and so on: ``info_nce`` of every unordered pair of modalities.

    A pair's loss counts the rows that have both.
    """
    return {
        f"contrast_{a}_{b}": info_nce(embeddings[a], embeddings[b], scale, missing[a] | missing[b], targets)
        for a, b in combinations(embeddings, 2)
    }


def soft_targets(
    labels: Int[Tensor, "rows"] | None = None,
    similarity: Float[Tensor, "rows near"] | None = None,
    threshold: float = 0.8,
) -> Float[Tensor, "rows all"]:
    """Which rows are right answers for which: itself, rows of an equal label (-1: not known), and synonyms.

    ``similarity`` (cosines of sentences, say) of at least ``threshold`` counts as much as it is. Rows sum to 1, so that
    an activity that is twice in a batch is no negative of itself. In a training by several processes similarities are
    to the rows of all of them (rows, all), or to one's own (rows, rows): the others are then alike by label alone.
    """
    if labels is None and similarity is None:
        raise ValueError("soft targets need labels, similarities or both")
    rows = len(labels) if labels is not None else len(similarity)  # type: ignore[arg-type]
    device = (labels if labels is not None else similarity).device  # type: ignore[union-attr]
    first = offset(rows)
    out = torch.zeros(rows, rows * place()[1], device=device)
    own = first + torch.arange(rows, device=device)
    if labels is not None:
        out += ((labels[:, None] == gathered(labels)[None]) & (labels >= 0)[:, None]).float()
    if similarity is not None:
        near = torch.where(similarity >= threshold, similarity.float().clamp(0.0, 1.0), 0.0)
        own_or_all = out if near.shape[1] == out.shape[1] else out[:, first : first + rows]
        own_or_all.copy_(torch.maximum(own_or_all, near))
    out[torch.arange(rows, device=device), own] = 1.0
    return normalised(out)


def one_of(
    z: Float[Tensor, "rows joint"], said: Float[Tensor, "classes joint"], label: Int[Tensor, "rows"],
    known: Bool[Tensor, "classes"], scale: Float[Tensor, ""],
) -> Float[Tensor, ""]:  # fmt: skip
    """Minus the log likelihood of a row's class among those ``known``, by cosines."""
    with torch.autocast(z.device.type, enabled=False):
        logits = (scale.float() * z.float() @ said.float().T).masked_fill(~known, float("-inf"))
        return torch.nn.functional.cross_entropy(logits, label)


def between_views(
    z: Unit, missing: Rows, scale: Float[Tensor, ""], same: Int[Tensor, "rows"] | None = None
) -> Float[Tensor, ""]:
    """Contrast of a batch's first half with the second, its other views (SimCLR); equal ``same`` are right as well."""
    half = len(z) // 2
    targets = None if same is None else soft_targets(same[:half])
    return info_nce(z[:half], z[half:], scale, missing[:half] | missing[half:], targets)


def supervised(
    z: Unit, labels: Int[Tensor, "rows"], scale: Float[Tensor, ""], missing: Rows | None = None
) -> Float[Tensor, ""]:
    """Supervised contrast (Khosla et al. 2020, L_out): rows of a class find each other among all other rows.

    A row of label -1, or missing, takes no part; one that is alone with its class asks nothing, but is a negative.
    """
    z = z.float()
    out = labels < 0 if missing is None else missing | (labels < 0)
    whole, names, absent, first = gathered(z), gathered(labels), gathered(out), offset(len(z))
    own = torch.zeros(len(z), len(whole), dtype=torch.bool, device=z.device)
    own[torch.arange(len(z)), first + torch.arange(len(z))] = True
    with torch.autocast(z.device.type, enabled=False):
        logits = (scale * z @ whole.T).masked_fill(own | absent[None], -1e4)
        right = ((labels[:, None] == names[None]) & ~own & ~absent[None]).float()
        count = right.sum(1)
        each = -(right * logits.log_softmax(1)).sum(1) / count.clamp(min=1)
        asks = ((count > 0) & ~out).float()
        return (each * asks).sum() / mean_count(asks.sum())


def supervised_over(
    embeddings: Mapping[str, Unit],
    labels: Int[Tensor, "rows"],
    scale: Float[Tensor, ""],
    missing: Mapping[str, Rows],
) -> Float[Tensor, ""]:
    """``supervised`` over all modalities in one pool: a pose of a class is near every signal of that class."""
    pool, gone = torch.cat(list(embeddings.values())), torch.cat([missing[m] for m in embeddings])
    return supervised(pool, labels.repeat(len(embeddings)), scale, gone)
