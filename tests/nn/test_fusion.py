"""Cross-attention fusion against loops over episodes, heads and samples; missing parts; who sees whom."""

import pytest
import torch

from kinjo.nn.fusion import EpisodeFusion, TokenFusion
from kinjo.nn.heads import CrossAttention

PARTS = {"video": 16, "acc": 8, "gyro": 8}
PRIOR, OUT, HEADS = 12, 20, 4


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def naive_attention(q: torch.Tensor, keys: list[torch.Tensor], values: list[torch.Tensor]) -> torch.Tensor:
    """One query (dim,) over keys and values, one head at a time."""
    out = torch.zeros_like(q)
    for part in torch.arange(len(q)).chunk(HEADS):
        weight = torch.stack([q[part] @ k[part] / len(part) ** 0.5 for k in keys]).softmax(0)
        out[part] = sum(w * v[part] for w, v in zip(weight, values, strict=True))
    return out


def naive_episode(
    model: EpisodeFusion, prior: torch.Tensor, parts: dict[str, torch.Tensor], missing: dict[str, torch.Tensor]
) -> torch.Tensor:
    """One episode: ``prior`` (samples, PRIOR)."""
    rows = []
    for i in range(len(prior)):
        seen = []
        for part, x in sorted(parts.items()):  # by name, in whatever order they are given
            there = [j for j in range(len(x)) if not missing[part][j]]
            if i not in there:
                seen.append(torch.zeros(x.shape[1]))
                continue
            q = model.query[part](prior[i])
            keys = values = [x[j] for j in there]
            if model.to_query:
                q = model.to_query[part](q)
                keys, values = [model.to_key[part](k) for k in keys], [model.to_value[part](v) for v in values]
            seen.append(model.weight[part] * naive_attention(q, keys, values))
        rows.append(model.out(torch.cat(seen)))
    return torch.stack(rows)


def naive_tokens(
    model: TokenFusion, prior: torch.Tensor, parts: dict[str, torch.Tensor], missing: dict[str, torch.Tensor]
) -> torch.Tensor:
    """One sample: ``prior`` (PRIOR,), ``parts[name]`` (n, dim)."""
    seen = []
    for part, x in sorted(parts.items()):  # by name, in whatever order they are given
        there = [t for t, gone in zip(x, missing[part], strict=True) if not gone]
        y = torch.zeros(x.shape[1])
        if there:
            y = torch.stack(there).mean(0) + naive_attention(model.query[part](prior), there, there)
        seen.append(model.weight[part] * y)
    return model.out(torch.cat(seen))


def episode_inputs(number: int = 3, samples: int = 7) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    g = generator(1)
    parts = {part: torch.randn(number, samples, dim, generator=g) for part, dim in PARTS.items()}
    return torch.randn(number, samples, PRIOR, generator=g), parts


def token_inputs(batch: int = 6) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    g = generator(1)
    parts = {part: torch.randn(batch, 3 + i, dim, generator=g) for i, (part, dim) in enumerate(PARTS.items())}
    return torch.randn(batch, PRIOR, generator=g), parts


def random_missing(parts: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    g = generator(2)
    return {part: torch.rand(x.shape[:2], generator=g) < share for part, x in parts.items()}


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("projections", [False, True])
@torch.no_grad()
def test_episode_fusion_is_the_naive_loop(projections: bool, share: float) -> None:
    model = EpisodeFusion(PRIOR, PARTS, OUT, generator(), projections=projections)
    prior, parts = episode_inputs()
    missing = random_missing(parts, share)
    missing["acc"][0] = share > 0  # from a whole episode
    expected = [
        naive_episode(model, prior[e], {p: x[e] for p, x in parts.items()}, {p: m[e] for p, m in missing.items()})
        for e in range(len(prior))
    ]
    torch.testing.assert_close(model(prior, parts, missing), torch.stack(expected), atol=1e-5, rtol=1e-4)
    if not share:
        torch.testing.assert_close(model(prior, parts), torch.stack(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.6])
@torch.no_grad()
def test_token_fusion_is_the_naive_loop(share: float) -> None:
    model = TokenFusion(PRIOR, PARTS, OUT, generator())
    prior, parts = token_inputs()
    missing = random_missing(parts, share)
    missing["acc"][0] = share > 0
    expected = [
        naive_tokens(model, prior[b], {p: x[b] for p, x in parts.items()}, {p: m[b] for p, m in missing.items()})
        for b in range(len(prior))
    ]
    torch.testing.assert_close(model(prior, parts, missing), torch.stack(expected), atol=1e-5, rtol=1e-4)
    if not share:
        torch.testing.assert_close(model(prior, parts), torch.stack(expected), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_token_fusion_gives_every_sample_an_embedding_of_its_own() -> None:
    model = TokenFusion(PRIOR, PARTS, OUT, generator())
    prior, parts = token_inputs()
    missing = random_missing(parts, 0.3)
    together = model(prior, parts, missing)
    for b in range(len(prior)):
        row = slice(b, b + 1)
        alone = model(prior[row], {p: x[row] for p, x in parts.items()}, {p: m[row] for p, m in missing.items()})
        torch.testing.assert_close(alone, together[row])
    assert not model.transductive


@torch.no_grad()
def test_episode_fusion_mixes_the_samples_of_an_episode_and_no_others() -> None:
    model = EpisodeFusion(PRIOR, PARTS, OUT, generator())
    prior, parts = episode_inputs()
    before = model(prior, parts)
    parts["acc"][1, -1] += 3.0  # the last query of the second episode
    moved = (model(prior, parts) - before).abs().amax(2) > 1e-4
    assert moved[1].all()
    assert not moved[[0, 2]].any()
    assert model.transductive


@torch.no_grad()
def test_order_of_samples_is_nothing_to_episode_fusion() -> None:
    model = EpisodeFusion(PRIOR, PARTS, OUT, generator())
    prior, parts = episode_inputs()
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    shuffled = model(prior[:, order], {p: x[:, order] for p, x in parts.items()})
    torch.testing.assert_close(shuffled, model(prior, parts)[:, order])


@torch.no_grad()
def test_order_of_tokens_is_nothing_to_token_fusion() -> None:
    model = TokenFusion(PRIOR, PARTS, OUT, generator())
    prior, parts = token_inputs()
    torch.testing.assert_close(model(prior, {p: x.flip(1) for p, x in parts.items()}), model(prior, parts))


@pytest.mark.parametrize("kind", [EpisodeFusion, TokenFusion])
def test_what_is_missing_is_never_read(kind: type[EpisodeFusion] | type[TokenFusion]) -> None:
    """Not even NaN of it, in the answer or in the gradient; a part that is wholly missing is one that is not given."""
    model = kind(PRIOR, PARTS, OUT, generator())
    prior, parts = episode_inputs() if kind is EpisodeFusion else token_inputs()
    missing = random_missing(parts, 0.3)
    missing["gyro"][:] = True
    clean = model(prior, parts, missing)
    spoilt = {p: x.masked_fill(missing[p][..., None], torch.nan).requires_grad_() for p, x in parts.items()}
    y = model(prior, spoilt, missing)
    torch.testing.assert_close(y, clean)
    torch.testing.assert_close(model(prior, {p: x for p, x in parts.items() if p != "gyro"}, missing), clean)
    y.sum().backward()
    for x in [*spoilt.values(), *model.parameters()]:
        assert x.grad is None or bool(x.grad.isfinite().all())
    assert spoilt["gyro"].grad is not None
    assert not spoilt["gyro"].grad.any()


@pytest.mark.parametrize("build", ["episode", "projections", "token"])
def test_gradient_reaches_every_weight_and_input(build: str) -> None:
    if build == "token":
        model, (prior, parts) = TokenFusion(PRIOR, PARTS, OUT, generator()), token_inputs()
    else:
        model = EpisodeFusion(PRIOR, PARTS, OUT, generator(), projections=build == "projections")
        prior, parts = episode_inputs()
    prior.requires_grad_()
    parts = {p: x.requires_grad_() for p, x in parts.items()}
    y = model(prior, parts)
    (y * torch.randn(y.shape, generator=generator(4))).sum().backward()
    for name, x in [("prior", prior), *parts.items(), *model.named_parameters()]:
        assert x.grad is not None, name
        assert bool((x.grad != 0).any()), name


@pytest.mark.parametrize("kind", [EpisodeFusion, TokenFusion])
@torch.no_grad()
def test_autocast_changes_little(kind: type[EpisodeFusion] | type[TokenFusion]) -> None:
    model = kind(PRIOR, PARTS, OUT, generator())
    prior, parts = episode_inputs() if kind is EpisodeFusion else token_inputs()
    missing = random_missing(parts, 0.3)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(prior.bfloat16(), {p: x.bfloat16() for p, x in parts.items()}, missing)
    assert bool(low.isfinite().all())
    torch.testing.assert_close(low.float(), model(prior, parts, missing), atol=0.2, rtol=0.1)


def test_published_sizes_go_into_the_published_head() -> None:
    """768 + 4 * 64 -> 768 = 192 channels of 4 positions; 5 supports and 1 query."""
    parts = {"video": 768, **dict.fromkeys(("phone", "watch", "gyro", "orientation"), 64)}
    model, head = EpisodeFusion(384, parts, 768, generator()), CrossAttention(4, generator())
    assert model.out.weight.shape == (768, 1024)
    assert all(layer.bias is None for layer in model.query.values())
    fused = model(torch.randn(2, 6, 384), {p: torch.randn(2, 6, d) for p, d in parts.items()})
    maps = fused.unflatten(2, (192, 4)).transpose(2, 3)  # (e, samples, positions, channels)
    assert head(maps[:, :5, None], maps[:, 5:]).shape == (2, 5, 1)


def test_weights_come_from_the_generator_alone() -> None:
    for kind in (EpisodeFusion, TokenFusion):
        torch.manual_seed(0)
        first = kind(PRIOR, PARTS, OUT, generator(3)).state_dict()
        torch.manual_seed(1)
        assert all(torch.equal(first[k], v) for k, v in kind(PRIOR, PARTS, OUT, generator(3)).state_dict().items())


@pytest.mark.parametrize("kind", [EpisodeFusion, TokenFusion])
def test_what_cannot_be_is_refused(kind: type[EpisodeFusion] | type[TokenFusion]) -> None:
    with pytest.raises(ValueError, match="at least one part"):
        kind(PRIOR, {}, OUT, generator())
    with pytest.raises(ValueError, match=r"heads 4: \{'b': 10\}"):
        kind(PRIOR, {"a": 8, "b": 10}, OUT, generator())
    model = kind(PRIOR, PARTS, OUT, generator())
    prior, parts = episode_inputs() if kind is EpisodeFusion else token_inputs()
    with pytest.raises(ValueError, match="needs at least one"):
        model(prior, {})
    with pytest.raises(ValueError, match="'pose': 8"):
        model(prior, {"pose": parts["acc"]})
    with pytest.raises(ValueError, match="'video': 8"):
        model(prior, {"video": parts["acc"]})


@pytest.mark.parametrize("kind", [EpisodeFusion, TokenFusion])
def test_the_order_in_which_parts_are_named_means_nothing(kind):
    """A checkpoint's weights fit the same parts, whatever order its header names them in."""
    one, two = kind(PRIOR, PARTS, OUT, generator()), kind(PRIOR, dict(reversed(PARTS.items())), OUT, generator())
    assert all(torch.equal(x, two.state_dict()[name]) for name, x in one.state_dict().items())
    g = generator(1)
    prior = torch.randn(3, 4, PRIOR, generator=g)
    parts = {part: torch.randn(3, 4, dim, generator=g) for part, dim in PARTS.items()}
    if kind is TokenFusion:
        prior = prior[:, 0]
    turned = dict(reversed(parts.items()))
    expected = one(prior, parts)
    for model, given in ((one, turned), (two, parts), (two, turned)):
        torch.testing.assert_close(model(prior, given), expected)
