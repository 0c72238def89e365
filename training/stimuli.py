"""Attention of every SK unit for synthetic pictures: discs, bars and gratings of varied size, frequency and contrast.

usage: python stimuli.py WEIGHTS.safetensors [--json FILE] [--figure FILE.svg]

Pictures are those of the page: a grey ground and one pattern in its middle, drawn larger than the input and resized.
Sizes are fractions of the picture's side, frequencies are periods across it. Bars and gratings are averaged over
orientations. Noted is what `scale.py` notes: the largest kernel's attention minus the smallest's, averaged over channels.
"""

import argparse
import json
from dataclasses import dataclass
from math import cos, pi, radians, sin
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import evaluate
from preprocess import view
from scale import Attention

SIDE, GREY = 448, 127.5
ORIENTATIONS = (0, 45, 90, 135)
CONTRASTS = (0.25, 0.5, 1.0)
SIZES = (0.03, 0.06, 0.12, 0.24, 0.48, 0.96)
FREQUENCIES = (2, 4, 8, 16, 28, 40)


def picture(kind: str, size: float, contrast: float, orientation: float = 0, frequency: float = 0) -> Image.Image:
    """`size` is the diameter of the disc or the grating's window, or the width of the bar; edges are a pixel soft."""
    across, along = torch.meshgrid(*[torch.arange(SIDE) + 0.5 - SIDE / 2] * 2, indexing="xy")
    turned = across * cos(radians(orientation)) + along * sin(radians(orientation))
    distance = turned.abs() if kind == "bar" else torch.hypot(across, along)
    inside = (size * SIDE / 2 - distance + 0.5).clamp(0, 1)
    wave = torch.sin(2 * pi * frequency * turned / SIDE) if kind == "grating" else torch.ones_like(turned)
    grey = (GREY * (1 + contrast * inside * wave)).round().to(torch.uint8)
    return Image.fromarray(grey.numpy()).convert("RGB")


@dataclass(frozen=True)
class Series:
    """Pictures that differ in one number."""

    kind: str
    parameter: str
    values: tuple[float, ...]

    def pictures(self, value: float, contrast: float) -> list[Image.Image]:
        orientations = (0,) if self.kind == "disc" else ORIENTATIONS
        size, frequency = (value, 0.0) if self.parameter == "size" else (1.0, value)
        return [picture(self.kind, size, contrast, turn, frequency) for turn in orientations]


SERIES = (Series("disc", "size", SIZES), Series("bar", "size", SIZES), Series("grating", "frequency", FREQUENCIES))


def measure(attention: Attention, series: Series, contrast: float, size: int) -> Tensor:
    """Differences [values, units], averaged over orientations."""
    means = []
    for value in series.values:
        views = torch.stack([view(shown, size, 1) for shown in series.pictures(value, contrast)])
        means.append(attention.differences(views).mean(0))
    return torch.stack(means)


def rank_correlation(values: Tensor) -> float:
    """Spearman's, of values in order with their place: 1 if they always rise, −1 if they always fall."""
    ranks = values.argsort().argsort().double()
    return torch.corrcoef(torch.stack([ranks, torch.arange(len(values)).double()]))[0, 1].item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    model, metadata = evaluate.load(options.weights)
    attention, size = Attention(model), int(metadata["input_size"])
    units, found = list(attention.units), []
    for series in SERIES:
        curves = {contrast: measure(attention, series, contrast, size) for contrast in CONTRASTS}
        print(f"\n{series.kind}: from {series.parameter} {series.values[0]:g} to {series.values[-1]:g}, full contrast")
        print(f"{'':9}{'rank correlation':>18}{'lowest':>9}{'highest':>9}")
        for index, unit in enumerate(units):
            curve = curves[CONTRASTS[-1]][:, index]
            print(f"{unit:9}{rank_correlation(curve):+18.2f}{curve.min():+9.3f}{curve.max():+9.3f}")
        found.append(
            {
                "kind": series.kind,
                "parameter": series.parameter,
                "values": series.values,
                "contrasts": {
                    f"{contrast:g}": {unit: curve[:, index].tolist() for index, unit in enumerate(units)}
                    for contrast, curve in curves.items()
                },
            }
        )
    if options.json:
        options.json.write_text(json.dumps({"size": size, "series": found}, indent=1) + "\n")
    if options.figure:
        import figures

        figures.stimuli(found, units, options.figure)


if __name__ == "__main__":
    main()
