"""Augmentations of windows, on tensors and from an explicit generator; one draw serves all streams of a window."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def random_rotations(batch: int, max_degrees: float, generator: torch.Generator) -> Float[Tensor, "batch 3 3"]:
    """Rotations about uniformly random axes by angles uniform in [-max, max] (Rodrigues' formula)."""
    axis = F.normalize(torch.randn(batch, 3, generator=generator), dim=1)
    angle = torch.deg2rad((2 * torch.rand(batch, generator=generator) - 1) * max_degrees)[:, None, None]
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    k = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(batch, 3, 3)
    return torch.eye(3) + angle.sin() * k + (1 - angle.cos()) * (k @ k)


def half_turns(batch: int, generator: torch.Generator) -> Float[Tensor, "batch 3 3"]:
    """No turn or half a turn about one of the three axes, each as likely: a device worn any way round."""
    signs = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    return torch.diag_embed(signs[torch.randint(4, (batch,), generator=generator)])


def right_angles(batch: int, generator: torch.Generator) -> Float[Tensor, "batch 3 3"]:
    """One of the 24 turns by right angles, each as likely: axes in any order, of either direction."""
    order = torch.rand(batch, 3, generator=generator).argsort(1)
    turn = torch.eye(3)[order] * (1 - 2 * torch.randint(2, (batch, 3, 1), generator=generator))
    return turn * torch.linalg.det(turn)[:, None, None].round()


def mean_of(x: Float[Tensor, "batch samples 3"], missing: Bool[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 3"]:
    """The mean of what is there: of an accelerometer about what gravity adds."""
    there = (~missing)[..., None].to(x)
    return (x.nan_to_num() * there).sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp(min=1.0)


def upright(x: Float[Tensor, "batch samples 3"], missing: Bool[Tensor, "batch samples"]) -> Float[Tensor, "batch 3 3"]:
    """Rotations that bring the mean of an accelerometer, which is gravity, onto the third axis by the shortest way.

    However a sensor was mounted, ``rotate`` by these leaves only its turn about the vertical. No turn where nothing is
    there, half a turn about the first axis where gravity points the opposite way.
    """
    mean = mean_of(x, missing).squeeze(1).double()
    size = mean.norm(dim=1, keepdim=True)
    down = torch.where(size > 1e-6, mean / size.clamp(min=1e-6), torch.tensor([0.0, 0.0, 1.0], dtype=mean.dtype))
    a, b, c = down.unbind(1)
    share = 1.0 / (1.0 + c).clamp(min=1e-9)
    rows = [1 - a * a * share, -a * b * share, -a, -a * b * share, 1 - b * b * share, -b, a, b, c]
    turn = torch.stack(rows, 1).view(-1, 3, 3)
    over = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=mean.dtype))
    return torch.where((c < -1 + 1e-9)[:, None, None], over, turn).to(x.dtype)


def factors(batch: int, most: float, generator: torch.Generator) -> Float[Tensor, "batch 1 1"]:
    """Factors between exp(-most) and exp(most), as likely above 1 as below; nothing is drawn for ``most`` 0."""
    if most == 0:
        return torch.ones(batch, 1, 1)
    return ((2 * torch.rand(batch, 1, 1, generator=generator) - 1) * most).exp()


def livelier(
    x: Float[Tensor, "batch samples 3"], missing: Bool[Tensor, "batch samples"], strong: Float[Tensor, "batch 1 1"],
    sharp: Float[Tensor, "batch 1 1"],
) -> Float[Tensor, "batch samples 3"]:  # fmt: skip
    """Movement about the mean times ``strong``; what a mean of three samples misses, times ``sharp`` as well."""
    mean = mean_of(x, missing)
    moved = (x - mean).masked_fill(missing[..., None], 0.0)
    slow = F.avg_pool1d(F.pad(moved.transpose(1, 2), (1, 1), mode="replicate"), 3, 1).transpose(1, 2)
    return torch.where(missing[..., None], x, mean + strong * (slow + sharp * (moved - slow)))


def rotate(
    x: Float[Tensor, "batch *samples 3"], rotation: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch *samples 3"]:
    """Turn every vector of a window: a sensor mounted otherwise, or a body seen from elsewhere."""
    flat = x.reshape(x.shape[0], -1, 3) @ rotation.transpose(1, 2).to(x)
    return flat.view(x.shape)


def turns(batch: int, max_degrees: float, generator: torch.Generator, axis: int = 1) -> Float[Tensor, "batch 3 3"]:
    """Rotations about one coordinate axis: with y up, a body seen from another side."""
    angle = torch.deg2rad((2 * torch.rand(batch, generator=generator) - 1) * max_degrees)
    i, j = [k for k in range(3) if k != axis]
    out = torch.eye(3).repeat(batch, 1, 1)
    out[:, i, i] = out[:, j, j] = angle.cos()
    out[:, i, j], out[:, j, i] = angle.sin(), -angle.sin()
    return out


def random_time(
    batch: int, generator: torch.Generator, warp: float, crop: float, knots: int = 6, points: int = 64
) -> Float[Tensor, "batch points"]:
    """A smooth monotonic map of normalised time: tempo that varies by up to ``warp``, ends cut by up to ``crop``.

    Returns where the centres of ``points`` even spans of the new window lie in the old one, in [0, 1].
    """
    speed = 2 * torch.rand(batch, 1, knots, generator=generator) - 1
    speed = (1 + warp * F.interpolate(speed, size=points, mode="linear", align_corners=True)[:, 0]).clamp(min=0.2)
    done = speed.cumsum(1)
    first = torch.rand(batch, 1, generator=generator) * crop
    last = 1 - torch.rand(batch, 1, generator=generator) * crop
    return first + (last - first) * (done - speed / 2) / done[:, -1:]


def retime(
    x: Float[Tensor, "batch samples *rest"],
    time: Float[Tensor, "batch points"],
    samples: int,
    *,
    nearest: bool = False,
) -> Float[Tensor, "batch out *rest"]:
    """Read a window at ``samples`` moments along ``time``, linearly between samples, or at the nearest (video).

    Sample ``k`` of ``n`` sits at normalised time ``(k + 0.5) / n``, on both sides. Beyond the first and the last of
    its points ``time`` goes on in a straight line, so that an even one changes nothing with any number of samples.
    """
    b, n = x.shape[:2]
    points = time.shape[1]
    place = (torch.arange(samples) + 0.5) * (points / samples) - 0.5
    before = place.floor().long().clamp(0, points - 2)
    at = torch.lerp(time[:, before], time[:, before + 1], (place - before).expand(b, -1))
    at = (at * n - 0.5).clamp(0, n - 1)
    flat = x.reshape(b, n, -1)
    low = (at.round() if nearest else at.floor()).long()
    index = low[:, :, None].expand(-1, -1, flat.shape[2])
    if nearest:
        return flat.gather(1, index).view(b, samples, *x.shape[2:])
    part = (at - low)[:, :, None].to(x)
    high = (low + 1).clamp(max=n - 1)[:, :, None].expand_as(index)
    return torch.lerp(flat.gather(1, index), flat.gather(1, high), part).view(b, samples, *x.shape[2:])


def jitter(
    x: Float[Tensor, "batch ..."], noise: float, scale: float, generator: torch.Generator
) -> Float[Tensor, "batch ..."]:
    """White noise of deviation ``noise`` and one amplitude per window of deviation ``scale`` around 1."""
    gain = 1 + scale * torch.randn((len(x),) + (1,) * (x.dim() - 1), generator=generator)
    return x * gain + noise * torch.randn(x.shape, generator=generator)


def shift_images(
    x: Float[Tensor, "batch frames height width channels"], max_share: float, generator: torch.Generator
) -> Float[Tensor, "batch frames height width channels"]:
    """Move all frames of a window by up to ``max_share`` of their side and zoom by as much; edges repeat."""
    b, t, h, w, c = x.shape
    move = (2 * torch.rand(b, 2, generator=generator) - 1) * 2 * max_share
    zoom = 1 + (2 * torch.rand(b, generator=generator) - 1) * max_share
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = move
    frames = x.permute(0, 1, 4, 2, 3).reshape(b, t * c, h, w)
    grid = F.affine_grid(theta, [b, t * c, h, w], align_corners=False)
    moved = F.grid_sample(frames, grid, padding_mode="border", align_corners=False)
    return moved.view(b, t, c, h, w).permute(0, 1, 3, 4, 2)
