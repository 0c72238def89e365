"""Batched augmentation: crops, zoom-out, flips and colour of uint8 images, resampled as PIL's bicubic filter does."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Augmentation:
    """How much training images vary."""

    least_area: float = 0.2
    """Smallest part of the image that a crop may keep; the largest is all of it."""
    aspect: float = 4 / 3
    """Crops are at most this much wider than high, or higher than wide."""
    zoom_out: float = 0.15
    """Share of images that are shrunk into the frame instead, up to `widest` times smaller, their border repeated."""
    widest: float = 1.6
    colour: float = 0.2
    """Brightness, contrast and saturation vary by factors of 1 ± this."""
    mixup: float = 0.0
    """α of mixup's Beta(α, α); 0 means none."""


def cubic(distance: Tensor) -> Tensor:
    """Keys' cubic with a = −0.5, which is PIL's BICUBIC."""
    d = distance.abs()
    near, far = (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(d < 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def resampling_weights(start: Tensor, extent: Tensor, size: int, pixels: int) -> Tensor:
    """Weights [B, size, pixels] that map a line of pixels to `size` samples of [start, start + extent), both [B].

    As in PIL the filter widens when it shrinks and its sum is normalised. What lies beyond the line repeats its ends.
    """
    scale = (extent / size)[:, None, None]
    centre = start[:, None, None] + (torch.arange(size, device=start.device)[None, :, None] + 0.5) * scale
    centre = centre.clamp(0.5, pixels - 0.5)
    offset = torch.arange(pixels, device=start.device) + 0.5 - centre
    weights = cubic(offset / scale.clamp(min=1))
    return weights / weights.sum(2, keepdim=True)


def resize(images: Tensor, top: Tensor, height: Tensor, left: Tensor, width: Tensor, size: int, flip: Tensor) -> Tensor:
    """Boxes of images [B, 3, h, w], one each, resampled to [B, 3, size, size] and mirrored where `flip`."""
    rows = resampling_weights(top, height, size, images.shape[2])
    columns = resampling_weights(left, width, size, images.shape[3])
    columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    return rows[:, None] @ images @ columns.transpose(1, 2)[:, None]


def normalise(images: Tensor) -> Tensor:
    """uint8 or 0…255 images [B, 3, h, w] → the network's input."""
    mean, deviation = (torch.tensor(values, device=images.device).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (images.float() / 255 - mean) / deviation


def augmented(images: Tensor, size: int, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Random views of square uint8 images [B, 3, h, h], normalised, [B, 3, size, size].

    `generator` is the CPU's on every device, so that a seed means the same views everywhere.
    """
    n, _, pixels, _ = images.shape

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(n, *shape, generator=generator).to(images.device) * (high - low) + low

    area = uniform(how.least_area, 1) * pixels**2
    stretch = torch.exp(uniform(-1, 1) * math.log(how.aspect))
    width, height = (area * stretch).sqrt().clamp(max=pixels), (area / stretch).sqrt().clamp(max=pixels)
    shrink, out = uniform(1, how.widest) * pixels, uniform(0, 1) < how.zoom_out
    width, height = torch.where(out, shrink, width), torch.where(out, shrink, height)
    left, top = uniform(0, 1) * (pixels - width), uniform(0, 1) * (pixels - height)
    flip = uniform(0, 1) < 0.5
    brightness, contrast, saturation = (uniform(1 - how.colour, 1 + how.colour, 1, 1, 1) for _ in range(3))

    x = images.float()
    average = x.mean((1, 2, 3), keepdim=True)
    x = (x - average) * contrast + average * brightness
    grey = x.mean(1, keepdim=True)
    x = ((x - grey) * saturation + grey).clamp(0, 255)
    return normalise(resize(x, top, height, left, width, size, flip).clamp(0, 255))


def mixup(images: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Blends each image with another of the batch: the images, the others' indices, the share of the first (≥ ½)."""
    # Beta(α, α) as a ratio of gammas: torch's own sampler takes no generator.
    first, second = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=generator).tolist()
    share = max(first, second) / max(first + second, 1e-300)
    other = torch.randperm(len(images), generator=generator).to(images.device)
    return images * share + images[other] * (1 - share), other, share
