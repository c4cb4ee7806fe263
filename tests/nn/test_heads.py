"""Few-shot heads against loops over episodes, classes and queries, their symmetries, and the cached protocol."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinjo.evaluate.fewshot import Protocol, classify, sample_episodes
from kinjo.nn.heads import CrossAttention, Head, Matching, Prototypical, Relation, episode_loss

POSITIONS, DIM = 13, 8  # 13 // 6 = 2 values in the bottleneck of cross-attention


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(name: str) -> Head:
    heads = {
        "cosine": lambda: Prototypical("cosine"),
        "euclidean": lambda: Prototypical("euclidean", 0.5),
        "matching": lambda: Matching(5.0),
        "relation": lambda: Relation(DIM, 16, generator()),
        "can": lambda: CrossAttention(POSITIONS, generator()),
        "can transductive": lambda: CrossAttention(POSITIONS, generator(), transductive=True).eval(),
    }
    return heads[name]()


NAMES = ["cosine", "euclidean", "matching", "relation", "can", "can transductive"]
INDUCTIVE = NAMES[:-1]


def episodes(
    shot: int = 2, number: int = 3, way: int = 4, queries: int = 6, positions: int = POSITIONS, seed: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy maps around one per class."""
    g = generator(seed)
    centre = torch.randn(number, way, 1, positions, DIM, generator=g)
    asked = torch.randint(way, (number, queries), generator=g)
    support = centre + torch.randn(number, way, shot, positions, DIM, generator=g)
    query = centre[torch.arange(number)[:, None], asked, 0]
    return support, query + torch.randn(number, queries, positions, DIM, generator=g)


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a @ b) / (a.norm() * b.norm())


def naive_plain(head: Head, support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """(way, queries) of one episode; ``support`` (way, shot, positions, dim)."""
    way, shot = support.shape[:2]
    out = torch.zeros(way, len(query))
    for j, q in enumerate(query.mean(1)):
        s = support.mean(2)
        if isinstance(head, Matching):
            weight = torch.stack([(head.scale * cosine(s[w, k], q)).exp() for w in range(way) for k in range(shot)])
            out[:, j] = (weight / weight.sum()).view(way, shot).sum(1).log()
            continue
        for w in range(way):
            if isinstance(head, Relation):
                hidden = head.compare(torch.cat([s[w].mean(0), q])).relu()
                out[w, j] = head.score(hidden)[0]
            elif isinstance(head, Prototypical) and head.metric == "cosine":
                unit = torch.stack([x / x.norm() for x in s[w]])
                out[w, j] = head.scale * cosine(unit.mean(0), q)
            elif isinstance(head, Prototypical):
                out[w, j] = -head.scale * (s[w].mean(0) - q).square().sum()
    return out


def naive_weights(head: CrossAttention, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Weight of every position of map ``a`` (positions, dim), looking at map ``b``; one correlation at a time."""
    table = torch.stack([torch.stack([cosine(x, y) for y in b]) for x in a])
    kernel = head.meta[2](head.meta[0](table.mean(0)).clamp(min=0))
    answer = torch.stack([row @ kernel / len(b) for row in table])
    return answer.div(0.025).softmax(0) + 1


def naive_can(head: CrossAttention, prototype: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """(way, queries) of one episode from prototypes (way, positions, dim)."""
    out = torch.zeros(len(prototype), len(query))
    for w, p in enumerate(prototype):
        for j, q in enumerate(query):
            pooled = [(naive_weights(head, a, b)[:, None] * a).mean(0) for a, b in ((p, q), (q, p), (p, p), (q, q))]
            out[w, j] = 7 * (cosine(*pooled[:2]) + cosine(*pooled[2:]))
    return out


def naive_transductive(head: CrossAttention, support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """One episode: the surest queries join the supports, and again with twice as many."""
    scores = naive_can(head, support.mean(1), query)
    step = max(1, math.floor(len(query) * 35 / 75))
    for turn in range(len(query) // step):
        order = sorted(range(len(query)), key=lambda j: -float(scores[:, j].max()))[: step * (turn + 1)]
        members = [[*s] for s in support]
        for j in order:
            members[int(scores[:, j].argmax())].append(query[j])
        scores = naive_can(head, torch.stack([torch.stack(m).mean(0) for m in members]), query)
    return scores


@pytest.mark.parametrize("shot", [1, 3])
@pytest.mark.parametrize("name", ["cosine", "euclidean", "matching", "relation"])
def test_plain_heads_are_the_naive_loop(name: str, shot: int) -> None:
    head, (support, query) = make(name), episodes(shot)
    expected = torch.stack([naive_plain(head, s, q) for s, q in zip(support, query, strict=True)])
    torch.testing.assert_close(head(support, query), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shot", [1, 2])
@torch.no_grad()
def test_cross_attention_is_the_naive_loop(shot: int) -> None:
    head = CrossAttention(POSITIONS, generator())
    support, query = episodes(shot, number=2, way=3, queries=3)
    expected = torch.stack([naive_can(head, s.mean(1), q) for s, q in zip(support, query, strict=True)])
    torch.testing.assert_close(head(support, query), expected, atol=1e-4, rtol=1e-4)
    only_cross = CrossAttention(POSITIONS, generator(), alpha=0.0)
    own = CrossAttention(POSITIONS, generator(), alpha=2.0)(support, query) - only_cross(support, query)
    torch.testing.assert_close(own, 2 * (expected - only_cross(support, query)), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_transductive_cross_attention_is_the_naive_loop() -> None:
    head = CrossAttention(4, generator(), transductive=True)
    support, query = episodes(1, number=3, way=3, queries=7, positions=4)
    plain = head(support, query)  # in training: as if inductive
    torch.testing.assert_close(plain, CrossAttention(4, generator())(support, query))
    head.eval()
    expected = torch.stack([naive_transductive(head, s, q) for s, q in zip(support, query, strict=True)])
    torch.testing.assert_close(head(support, query), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(expected, plain, atol=0.1)
    one = query[:, :1]
    expected = torch.stack([naive_transductive(head, s, q) for s, q in zip(support, one, strict=True)])
    torch.testing.assert_close(head(support, one), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_order_of_classes_queries_and_supports_is_nothing(name: str) -> None:
    head, (support, query) = make(name), episodes(3)
    ways, asked = torch.tensor([2, 0, 3, 1]), torch.tensor([5, 3, 1, 0, 2, 4])
    scores = head(support, query)
    torch.testing.assert_close(head(support[:, ways], query), scores[:, ways], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(head(support, query[:, asked]), scores[:, :, asked], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(head(support[:, :, [1, 2, 0]], query), scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_heads_say_whether_queries_see_each_other(name: str) -> None:
    head, (support, query) = make(name), episodes()
    alone = torch.cat([head(support, query[:, j : j + 1]) for j in range(query.shape[1])], 2)
    assert torch.allclose(head(support, query), alone, atol=1e-4) is not head.transductive


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_episodes_never_touch_each_other(name: str) -> None:
    head, (support, query) = make(name), episodes()
    alone = torch.cat([head(support[e : e + 1], query[e : e + 1]) for e in range(len(support))])
    torch.testing.assert_close(head(support, query), alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("shot", [1, 3])
def test_prototypes_choose_as_the_cached_protocol(metric, shot) -> None:
    rng = np.random.default_rng(0)
    label, subject, _ = (g.ravel() for g in np.meshgrid(*map(np.arange, (6, 5, 4)), indexing="ij"))
    x = (2 + rng.normal(size=(6, DIM))[label] + rng.normal(size=(len(label), DIM))).astype(np.float32)
    x *= rng.uniform(0.2, 3, size=(len(label), 1)).astype(np.float32)  # so that unit length first or last matters
    drawn = sample_episodes(label, subject, np.arange(len(label)), Protocol(5, shot, 3, 200), rng)
    rows = torch.from_numpy(x)[:, None]  # one position
    query = drawn.query.reshape(len(drawn), -1)
    scores = Prototypical(metric)(rows[drawn.support], rows[query])
    np.testing.assert_array_equal(scores.argmax(1).numpy(), classify(x, drawn, metric).reshape(query.shape))


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_every_weight_and_input(name: str) -> None:
    head, (support, query) = make(name).train(), episodes()
    support.requires_grad_()
    query.requires_grad_()
    target = torch.arange(query.shape[1]).remainder(support.shape[1]).expand(len(query), -1)
    episode_loss(head(support, query), target).backward()
    for what, x in [("support", support), ("query", query), *head.named_parameters()]:
        assert x.grad is not None, what
        assert bool(x.grad.isfinite().all()), what
        assert bool((x.grad != 0).any()), what


def test_no_meta_learner_is_born_dead() -> None:
    """The published 4 positions leave a bottleneck of one ReLU; features of one sign have positive correlations."""
    support, query = (2 + x for x in episodes(1, number=8, positions=4))
    for seed in range(30):
        head = CrossAttention(4, generator(seed))
        episode_loss(head(support, query), torch.zeros(8, 6, dtype=torch.long)).backward()
        assert all(p.grad is not None and bool((p.grad != 0).any()) for p in head.parameters()), seed


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_scores_are_fp32_under_autocast(name: str) -> None:
    head, (support, query) = make(name), episodes()
    low = support.bfloat16(), query.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        scores = head(*low)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, head(*(x.float() for x in low)))


@pytest.mark.parametrize("name", NAMES)
def test_zero_embeddings_give_finite_scores_and_gradients(name: str) -> None:
    head, (support, query) = make(name), episodes()
    support[0], query[:, 0] = 0, 0
    support.requires_grad_()
    scores = head(support, query)
    scores.sum().backward()
    assert bool(scores.isfinite().all())
    assert support.grad is not None
    assert bool(support.grad.isfinite().all())


def test_episode_loss_is_the_naive_loop() -> None:
    scores = torch.randn(3, 4, 5, generator=generator())
    target = torch.randint(4, (3, 5), generator=generator())
    each = [-(scores[e, :, q].softmax(0)[target[e, q]]).log() for e in range(3) for q in range(5)]
    torch.testing.assert_close(episode_loss(scores, target), torch.stack(each).mean())
    assert episode_loss(scores.bfloat16(), target).dtype == torch.float32


def test_relation_learns_what_no_cosine_can_say() -> None:
    """Nearness by one axis of eight, whatever the others say."""
    g = generator(3)
    head = Relation(DIM, 32, g)
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)

    def draw() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        support, query = torch.randn(64, 2, 1, 1, DIM, generator=g), torch.randn(64, 8, 1, DIM, generator=g)
        support[:, 0, ..., 0], support[:, 1, ..., 0] = 1, -1
        return support, query, (query[:, :, 0, 0] < 0).long()

    for _ in range(150):
        support, query, target = draw()
        loss = episode_loss(head(support, query), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    support, query, target = draw()

    def accuracy(h: Head) -> float:
        return float((h(support, query).argmax(1) == target).float().mean())

    assert accuracy(head) > 0.9 > accuracy(Prototypical()) + 0.1


def test_weights_come_from_the_generator_alone() -> None:
    for build in (lambda: Relation(4, 4, generator(5)), lambda: CrossAttention(7, generator(5))):
        torch.manual_seed(0)
        first = build().state_dict()
        torch.manual_seed(1)
        assert all(torch.equal(first[k], v) for k, v in build().state_dict().items())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        CrossAttention(1, generator())
    with pytest.raises(ValueError, match="share"):
        CrossAttention(4, generator(), share=0.0)
    with pytest.raises(ValueError, match="13 positions, given 4"):
        CrossAttention(POSITIONS, generator())(*episodes(positions=4))


def test_attention_of_one_support_each_is_a_softmax_of_cosines() -> None:
    support, query = episodes(1)
    expected = F.log_softmax(Prototypical("cosine", 5.0)(support, query), 1)
    torch.testing.assert_close(Matching(5.0)(support, query), expected)
