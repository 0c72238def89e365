"""Augmentation: its resampling is PIL's, and its views are what the settings say."""

import dataclasses

import pytest
import torch
from PIL import Image

import augment
from preprocess import view

STILL = augment.Augmentation(least_area=1, aspect=1.0000001, zoom_out=0, colour=0)


@pytest.fixture
def images():
    coarse = torch.randint(256, (4, 3, 16, 16), generator=torch.Generator().manual_seed(0)).float()
    return torch.nn.functional.interpolate(coarse, 64, mode="bilinear").to(torch.uint8)


def denormalised(x):
    shape = 1, 3, 1, 1
    return (x * torch.tensor(augment.STD).view(shape) + torch.tensor(augment.MEAN).view(shape)) * 255


@pytest.mark.parametrize("size", [40, 64, 112])
def test_whole_view_is_pils_resize(images, size):
    found = denormalised(augment.augmented(images, size, STILL, torch.Generator().manual_seed(0)))
    for image, ours in zip(images, found):
        pil = view(Image.fromarray(image.permute(1, 2, 0).numpy()), size)
        nearest = min((candidate - pil).abs().max() for candidate in (ours, ours.flip(2)))
        assert nearest <= 1.51  # PIL rounds to 8 bits after each of two passes


def test_boxes_are_cut_and_mirrored(images):
    box = [torch.full((4,), float(v)) for v in (8, 32, 16, 32)]  # top, height, left, width
    plain = augment.resize(images.float(), *box, 32, torch.zeros(4) > 0)
    inside = (slice(None), slice(None), slice(4, 28))
    torch.testing.assert_close(plain[inside][..., 4:28], images[:, :, 12:36, 20:44].float(), rtol=0, atol=1e-2)
    mirrored = augment.resize(images.float(), *box, 32, torch.ones(4) > 0)
    torch.testing.assert_close(mirrored, plain.flip(3))


def test_zoom_out_repeats_the_border():
    bright = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    bright[..., 24:40, 24:40] = 255
    how = dataclasses.replace(STILL, zoom_out=1, widest=2)
    areas = []
    for seed in range(20):
        x = denormalised(augment.augmented(bright, 64, how, torch.Generator().manual_seed(seed)))
        assert x[..., 0, 0].abs().max() < 1 and x[..., -1, -1].abs().max() < 1
        areas.append((x[0, 0] > 128).sum().item())
    assert min(areas) < 100 and max(areas) > 170 and max(areas) <= 260


def test_crops_magnify_within_the_limit():
    bright = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    bright[..., ::2, :] = 255
    how = dataclasses.replace(STILL, least_area=0.25)
    for seed in range(20):
        x = denormalised(augment.augmented(bright, 128, how, torch.Generator().manual_seed(seed)))[0, 0, :, 64]
        stripes = ((x[1:] > 128) != (x[:-1] > 128)).sum().item()
        assert 30 <= stripes <= 64


def test_colour_changes_pictures_and_not_their_layout(images):
    how = dataclasses.replace(STILL, colour=0.3)
    x = denormalised(augment.augmented(images, 64, how, torch.Generator().manual_seed(1)))
    still = denormalised(augment.augmented(images, 64, STILL, torch.Generator().manual_seed(1)))
    for changed, original in zip(x, still):
        correlation = torch.corrcoef(torch.stack([changed.mean(0).flatten(), original.mean(0).flatten()]))[0, 1]
        assert correlation > 0.95 and (changed - original).abs().mean() > 3


def test_a_seed_decides_everything(images):
    make = lambda seed: augment.augmented(images, 48, augment.Augmentation(), torch.Generator().manual_seed(seed))
    assert torch.equal(make(5), make(5)) and not torch.equal(make(5), make(6))


def test_mixup_blends_with_the_share_it_reports(images):
    x = images.float()
    mixed, other, share = augment.mixup(x, 0.4, torch.Generator().manual_seed(0))
    assert 0.5 <= share < 1
    torch.testing.assert_close(mixed, share * x + (1 - share) * x[other])
    shares = [augment.mixup(x, 0.4, torch.Generator().manual_seed(s))[2] for s in range(300)]
    assert sum(shares) / 300 == pytest.approx(0.82, abs=0.04)  # mean of max(b, 1 − b), b ~ Beta(0.4, 0.4)
