"""Cross-attention fusion guided by the autoencoder (Mu-MAE, Liu & Liu 2024): the representation of all modalities
together, the *prior*, is the query; what each part says by itself is keys and values.

A part is a modality or a stream, by name. ``EpisodeFusion`` is the published one, over the samples of an episode;
``TokenFusion`` is the inductive one, over the tokens of a sample.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinjo.nn.tokens import present_mean
from kinjo.nn.transformer import initialise


class EpisodeFusion(nn.Module):
    """As released: for every part, attention over the *samples* of the episode; transductive.

    Per part a bias-free linear map of the prior gives queries; keys = values = the part's vectors;
    softmax(QK^T / sqrt(d_head)) in ``heads`` heads; no residual, no output projection, no norm. Then a learnt vector
    of element-wise weights (drawn from a normal, as released), all parts side by side, and one linear layer. What a
    sample gets is a mixture of all samples of its episode, itself weighed like any other: it has no embedding by
    itself. To compare maps of positions (``heads.CrossAttention``) the caller reshapes the output, as the released
    code does to 192 channels x 1 x 2 x 2.

    ``projections=True`` adds, before the attention, the square linear maps of queries, keys and values that the
    released class has (a bias of the keys would shift all scores alike: left out).

    What a sample lacks is no key for others, and its own share of the output is zero; so is a part that is not given.
    """

    transductive = True

    def __init__(
        self,
        prior_dim: int,
        parts: Mapping[str, int],
        out_dim: int,
        generator: torch.Generator,
        *,
        heads: int = 4,
        projections: bool = False,
    ) -> None:
        super().__init__()
        parts = _checked(parts, heads)
        self.parts, self.heads = parts, heads
        self.query = nn.ModuleDict({part: nn.Linear(prior_dim, dim, bias=False) for part, dim in parts.items()})
        square = parts if projections else {}
        self.to_query, self.to_value = (
            nn.ModuleDict({part: nn.Linear(dim, dim) for part, dim in square.items()}) for _ in range(2)
        )
        self.to_key = nn.ModuleDict({part: nn.Linear(dim, dim, bias=False) for part, dim in square.items()})
        self.out = nn.Linear(sum(parts.values()), out_dim)
        initialise(self, generator)
        self.weight = nn.ParameterDict({p: nn.Parameter(torch.randn(d, generator=generator)) for p, d in parts.items()})

    def forward(
        self,
        prior: Float[Tensor, "episodes samples prior_dim"],
        parts: Mapping[str, Float[Tensor, "episodes samples _"]],
        missing: Mapping[str, Bool[Tensor, "episodes samples"]] | None = None,
    ) -> Float[Tensor, "episodes samples out_dim"]:
        """Fused vectors of all samples, supports and queries alike. Peak per episode and part: heads * samples^2.

        Always in fp32: without a residual the samples of an episode come out almost alike, and half precision would
        round away what tells them apart.
        """
        _known(self.parts, parts)
        with torch.autocast(prior.device.type, enabled=False):
            return self._fused(prior.float(), {part: x.float() for part, x in parts.items()}, missing or {})

    def _fused(self, prior: Tensor, parts: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> Tensor:
        seen = []
        for part, dim in self.parts.items():
            if part not in parts:
                seen.append(prior.new_zeros(*prior.shape[:2], dim))
                continue
            gone = missing.get(part)
            query, x = self.query[part](prior), parts[part]
            if gone is not None:
                x = x.masked_fill(gone[..., None], 0.0)
            key, value = x, x
            if part in self.to_query:
                query, key, value = self.to_query[part](query), self.to_key[part](x), self.to_value[part](x)
            y = _attend(query, key, value, gone, self.heads)
            seen.append(self.weight[part] * (y if gone is None else y.masked_fill(gone[..., None], 0.0)))
        return self.out(torch.cat(seen, -1))


class TokenFusion(nn.Module):
    """Inductive: for every part, attention over the *tokens* of the sample itself, with a residual.

    Per part a bias-free linear map of the prior is one query; keys = values = the part's tokens; the attended vector
    is added to the mean of the part's tokens (the residual: with attention that is flat it is twice the mean); then
    element-wise weights (from 1), all parts side by side, one linear layer. Missing tokens are neither attended to
    nor in the mean; a part of which all is missing, or that is not given, contributes zeros. The embedding of a
    sample does not depend on the others of its batch.
    """

    transductive = False

    def __init__(
        self, prior_dim: int, parts: Mapping[str, int], out_dim: int, generator: torch.Generator, *, heads: int = 4
    ) -> None:
        super().__init__()
        parts = _checked(parts, heads)
        self.parts, self.heads = parts, heads
        self.query = nn.ModuleDict({part: nn.Linear(prior_dim, dim, bias=False) for part, dim in parts.items()})
        self.weight = nn.ParameterDict({part: nn.Parameter(torch.ones(dim)) for part, dim in parts.items()})
        self.out = nn.Linear(sum(parts.values()), out_dim)
        initialise(self, generator)

    def forward(
        self,
        prior: Float[Tensor, "batch prior_dim"],
        tokens: Mapping[str, Float[Tensor, "batch _ _"]],
        missing: Mapping[str, Bool[Tensor, "batch _"]] | None = None,
    ) -> Float[Tensor, "batch out_dim"]:
        """One embedding per sample. ``tokens[part]`` (batch, n, dim of the part), ``missing[part]`` (batch, n)."""
        _known(self.parts, tokens)
        seen = []
        for part, dim in self.parts.items():
            if part not in tokens:
                seen.append(prior.new_zeros(len(prior), dim))
                continue
            x = tokens[part]
            gone = None if missing is None else missing.get(part)
            if gone is None:
                gone = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
            x = x.masked_fill(gone[..., None], 0.0)
            y = _attend(self.query[part](prior)[:, None], x, x, gone, self.heads)[:, 0]
            y = y.masked_fill(gone.all(1)[:, None], 0.0) + present_mean(x, gone)
            seen.append(self.weight[part] * y)
        return self.out(torch.cat(seen, -1))


def _attend(
    query: Float[Tensor, "batch asked dim"],
    key: Float[Tensor, "batch seen dim"],
    value: Float[Tensor, "batch seen dim"],
    missing: Bool[Tensor, "batch seen"] | None,
    heads: int,
) -> Float[Tensor, "batch asked dim"]:
    """Multi-head attention in fp32 (see ``transformer.Attention``). Where all is missing the answer means nothing."""
    q, k, v = (x.float().unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    keep = None
    if missing is not None:  # a row without any key would be NaN, and so would its gradient
        keep = (~missing | missing.all(1, keepdim=True))[:, None, None, :]  # SDPA: True = attend
    with torch.autocast(query.device.type, enabled=False):
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
    return y.transpose(1, 2).flatten(2)  # (b, heads, asked, dim / heads) -> (b, asked, dim)


def _checked(parts: Mapping[str, int], heads: int) -> dict[str, int]:
    """The sizes of the parts by name, or an error: whatever order they are given in, weights mean the same."""
    if not parts:
        raise ValueError("fusion needs at least one part: give its name and size")
    odd = {part: dim for part, dim in parts.items() if dim % heads}
    if odd:
        raise ValueError(f"sizes of parts must be multiples of heads {heads}: {odd}. Change heads or the sizes.")
    return dict(sorted(parts.items()))


def _known(sizes: Mapping[str, int], given: Mapping[str, Tensor]) -> None:
    """An error that names the part which is unknown or has another size."""
    wrong = {part: x.shape[-1] for part, x in given.items() if sizes.get(part) != x.shape[-1]}
    if wrong or not given:
        raise ValueError(f"fusion knows parts {dict(sizes)} and needs at least one of them; given otherwise: {wrong}")
