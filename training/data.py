"""Tiny-ImageNet-200 as arrays.

The folder is the public one: `wnids.txt`, `words.txt`, `train/WNID/images/*.JPEG`, `val/images`,
`val/val_annotations.txt`. Some copies hold two classes more than the 200 of the dataset; they are left out.
Decoded once, it is kept as one file, which stands for the folder everywhere.

usage: python data.py TINY_IMAGENET_200 OUT.safetensors --every N    (such a file of every Nth class)
"""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

SURPLUS = {"n02480855", "n10148035"}
HELD_OUT_SEED = 200
CACHE = "arrays.safetensors"


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, 3, 64, 64] and their class indices [N]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """All of it, and the classes in the order of their indices."""

    train: Split
    validation: Split
    classes: list[str]
    labels: list[str]


def read_image(path: Path) -> np.ndarray:
    """Pixels [height, width, 3]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def read_split(paths: list[Path], labels: list[int]) -> Split:
    stacked = torch.from_numpy(np.stack([read_image(path) for path in paths]))
    return Split(stacked.permute(0, 3, 1, 2).contiguous(), torch.tensor(labels))


def read_folder(folder: Path) -> Dataset:
    """Decodes the whole dataset; classes are in the order of `wnids.txt`."""
    listed = [line.strip() for line in (folder / "wnids.txt").read_text().splitlines()]
    classes = [wnid for wnid in listed if wnid and wnid not in SURPLUS]
    words = dict(line.split("\t", 1) for line in (folder / "words.txt").read_text().splitlines())
    names = [words[wnid].split(",")[0].strip() for wnid in classes]
    index = {wnid: i for i, wnid in enumerate(classes)}
    train = [(path, index[wnid]) for wnid in classes for path in sorted((folder / "train" / wnid / "images").iterdir())]
    rows = [line.split("\t") for line in (folder / "val" / "val_annotations.txt").read_text().splitlines()]
    validation = [(folder / "val" / "images" / row[0], index[row[1]]) for row in rows if row[1] in index]
    if not train or not validation:
        raise SystemExit(f"{folder} holds {len(train)} training and {len(validation)} validation images of its classes")
    return Dataset(read_split(*map(list, zip(*train))), read_split(*map(list, zip(*validation))), classes, names)


def save(dataset: Dataset, cache: Path) -> None:
    """Writes the cache, complete or not at all."""
    tensors = {
        f"{name}.{part}": getattr(getattr(dataset, name), part)
        for name in ("train", "validation")
        for part in ("images", "labels")
    }
    unfinished = cache.with_suffix(".part")
    save_file(tensors, unfinished, {"classes": json.dumps(dataset.classes), "labels": json.dumps(dataset.labels)})
    os.replace(unfinished, cache)


def load(path: Path) -> Dataset:
    """The dataset of a file that `save` wrote, or of a Tiny-ImageNet-200 folder, which then receives such a file."""
    if path.is_dir():
        cache = path / CACHE
        if not cache.exists():
            save(read_folder(path), cache)
        path = cache
    with safe_open(path, "pt") as file:
        split = lambda name: Split(file.get_tensor(f"{name}.images"), file.get_tensor(f"{name}.labels"))
        metadata = file.metadata()
        return Dataset(
            split("train"), split("validation"), json.loads(metadata["classes"]), json.loads(metadata["labels"])
        )


def every(dataset: Dataset, step: int) -> Dataset:
    """Classes 0, `step`, 2 · `step`, … alone, numbered anew."""
    chosen = range(0, len(dataset.classes), step)

    def part(split: Split) -> Split:
        kept = split.labels % step == 0
        return Split(split.images[kept], split.labels[kept] // step)

    named = lambda names: [names[i] for i in chosen]
    return Dataset(part(dataset.train), part(dataset.validation), named(dataset.classes), named(dataset.labels))


def hold_out(train: Split, per_class: int) -> tuple[Split, Split]:
    """Training images without, and with only, `per_class` images of every class: the same ones in every run."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(HELD_OUT_SEED))
    order = order[train.labels[order].argsort(stable=True)]
    ordered = train.labels[order]
    first = torch.searchsorted(ordered, ordered)
    held = torch.arange(len(train)) - first < per_class
    part = lambda chosen: Split(train.images[chosen], train.labels[chosen])
    return part(order[~held].sort().values), part(order[held].sort().values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--every", type=int, required=True)
    options = parser.parse_args()
    save(every(load(options.data), options.every), options.out)


if __name__ == "__main__":
    main()
