"""The attention experiment of the paper's section 4.4: does attention move to the larger kernel when objects grow?

usage: python scale.py WEIGHTS.safetensors PHOTOS [--sharp] [options]

PHOTOS is a folder of photos, or Tiny-ImageNet-200 (its folder, or the file of arrays made from it), whose validation
images are then taken. Every photo is seen at each
zoom; per SK unit the attention of the largest kernel minus that of the smallest, averaged over channels, is noted.

A photo with too few pixels gets blurrier as it is zoomed, and attention answers to blur. Hence the control: every view
first goes through the same T × T pixels, so that sharpness hardly changes and the objects' size does. T is at most 64
and no more than the smallest photo has at the largest zoom. --sharp leaves out photos that have fewer pixels than the
input there.

Hypothesis, fixed before the first run: the mean over the units of stages 2 and 3 rises from the smallest to the largest
zoom for at least 70 % of sharp photos.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterable

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import to_pil_image

import augment
import data
import evaluate
import model as models
from preprocess import open_photo, view

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
CONTROL_PIXELS = 64
HYPOTHESIS_STAGES, HYPOTHESIS_SHARE = (2, 3), 0.7


@dataclass(frozen=True)
class Row:
    """One unit, or the mean of several, over all photos. `rise` is from the first zoom to the last."""

    mean: list[float]
    """Per zoom."""
    deviation: list[float]
    """Per zoom, over photos."""
    rise: float
    rise_deviation: float
    rising: float
    """Share of photos whose value is higher at the last zoom than at the first."""
    monotone: float
    """Share of photos whose value is higher at every zoom than at the one before."""


def summary(values: Tensor) -> Row:
    """Of values [photos, zooms]."""
    rise, steps = values[:, -1] - values[:, 0], values.diff(dim=1)
    return Row(
        values.mean(0).tolist(),
        values.std(0).tolist(),
        rise.mean().item(),
        rise.std().item(),
        (rise > 0).float().mean().item(),
        (steps > 0).all(1).float().mean().item(),
    )


def table(differences: Tensor, units: list[str]) -> dict[str, Row]:
    """Rows for differences [photos, zooms, units]: every unit, every stage, and the hypothesis's stages."""
    rows = {unit: summary(differences[..., i]) for i, unit in enumerate(units)}
    stage = torch.tensor([int(unit.split("_")[1]) for unit in units])
    for number in stage.unique().tolist():
        rows[f"stage {number}"] = summary(differences[..., stage == number].mean(2))
    tested = torch.isin(stage, torch.tensor(HYPOTHESIS_STAGES))
    rows["stages 2 and 3"] = summary(differences[..., tested].mean(2))
    return rows


class Attention:
    """Runs a network and notes, per SK unit, the mean over channels of last minus first branch's attention."""

    def __init__(self, model: nn.Module):
        self.model, self.noted = model.eval(), {}
        self.units = models.sk_units(model)
        for name, unit in self.units.items():
            unit.attn.register_forward_hook(lambda _, __, a, name=name: self.note(name, a))

    def note(self, name: str, attention: Tensor) -> None:
        self.noted[name] = (attention[:, -1] - attention[:, 0]).mean((1, 2, 3))

    @torch.no_grad()
    def differences(self, views: Tensor) -> Tensor:
        """[N, units] of uint8 views [N, 3, size, size]."""
        self.model(augment.normalise(views).contiguous(memory_format=torch.channels_last))
        return torch.stack([self.noted[name] for name in self.units], 1)


def look(photo: Image.Image, size: int, zoom: float, through: int | None) -> Tensor:
    """A view, or with `through` the control's."""
    if through is None:
        return view(photo, size, zoom)
    return view(to_pil_image(view(photo, through, zoom)), size)


def measure(
    attention: Attention, photos: Iterable[Image.Image], zooms: list[float], size: int, through: int | None
) -> Tensor:
    """Differences [photos, zooms, units]."""
    return torch.stack(
        [attention.differences(torch.stack([look(photo, size, zoom, through) for zoom in zooms])) for photo in photos]
    )


class Photos:
    """A folder's photos, or a dataset's validation images, opened one at a time."""

    def __init__(self, source: Path, limit: int | None):
        if source.is_file() or (source / "wnids.txt").exists():
            images = data.load(source).validation.images
            order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:limit]
            self.openers = [lambda i=i: to_pil_image(images[i]) for i in order.tolist()]
        else:
            paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
            self.openers = [lambda path=path: open_photo(path) for path in paths[:limit]]
        if not self.openers:
            raise SystemExit(f"{source} holds no photos ({', '.join(sorted(SUFFIXES))})")

    def keep(self, least_side: float) -> None:
        """Leaves out photos whose shorter side has fewer pixels."""
        self.openers = [opener for opener in self.openers if min(opener().size) >= least_side]
        if not self.openers:
            raise SystemExit(f"no photo has {least_side:g} pixels on its shorter side")

    def smallest_side(self) -> int:
        return min(min(photo.size) for photo in self)

    def __len__(self) -> int:
        return len(self.openers)

    def __iter__(self):
        return (opener() for opener in self.openers)


def show(title: str, rows: dict[str, Row], zooms: list[float]) -> None:
    print(
        f"\n{title}\n{'':15}" + "".join(f"{zoom:>8g}×    std" for zoom in zooms) + "      rise    std  rising  monotone"
    )
    for name, row in rows.items():
        cells = "".join(f"{mean:+9.4f}{deviation:7.4f}" for mean, deviation in zip(row.mean, row.deviation))
        print(f"{name:15}{cells}  {row.rise:+8.4f}{row.rise_deviation:7.4f}{row.rising:8.1%}{row.monotone:9.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--zooms", type=float, nargs="+", default=[1, 1.5, 2])
    parser.add_argument("--size", type=int, help="input size; the model's own if left out")
    parser.add_argument("--limit", type=int, help="at most this many photos")
    parser.add_argument("--sharp", action="store_true", help="only photos that fill the input at the largest zoom")
    parser.add_argument("--through", type=int, help="pixels of the control's views")
    parser.add_argument("--json", type=Path, help="also write all figures there")
    parser.add_argument("--figure", type=Path, help="also plot them there, as SVG")
    options = parser.parse_args()
    zooms = sorted(options.zooms)
    if len(zooms) < 2 or zooms[0] < 1:
        parser.error("give at least two zooms, none below 1")
    model, metadata = evaluate.load(options.weights)
    size = options.size or int(metadata["input_size"])
    photos = Photos(options.photos, options.limit)
    if options.sharp:
        photos.keep(size * zooms[-1])
    through = options.through or max(1, min(CONTROL_PIXELS, int(photos.smallest_side() / zooms[-1])))
    attention = Attention(model)
    units = list(attention.units)
    found = {"measured": table(measure(attention, photos, zooms, size, None), units)}
    found["control"] = table(measure(attention, photos, zooms, size, through), units)
    print(f"{len(photos)} photos at {size} px; largest minus smallest kernel's attention, mean over channels")
    show("measured", found["measured"], zooms)
    show(f"control: every view through {through} × {through} pixels", found["control"], zooms)
    share = found["measured"]["stages 2 and 3"].rising
    verdict = "holds" if share >= HYPOTHESIS_SHARE else "does not hold"
    print(
        f"\nstages 2 and 3 rise for {share:.1%} of the photos, {HYPOTHESIS_SHARE:.0%} wanted: the hypothesis {verdict}"
    )
    if options.json:
        figures = {name: {unit: asdict(row) for unit, row in rows.items()} for name, rows in found.items()}
        about = {"photos": len(photos), "size": size, "zooms": zooms, "through": through}
        options.json.write_text(json.dumps(about | figures, indent=1) + "\n")
    if options.figure:
        import figures

        figures.scale(zooms, found, units, f"{len(photos)} photos", options.figure)


if __name__ == "__main__":
    main()
