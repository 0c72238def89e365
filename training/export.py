"""A run's averaged weights as the file that the engine loads.

usage: python export.py RUN_FOLDER/averaged.safetensors OUT.safetensors [--data TINY_IMAGENET_200]

Matrices and kernels become f16, vectors stay f32. With the dataset, the top-1 and top-5 that go into the metadata are
measured on its validation images with the rounded weights.
"""

import argparse
import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

import augment
import data
import evaluate
import model as models

LICENCE = "MIT OR Apache-2.0; trained on Tiny-ImageNet-200, images of ImageNet (non-commercial research and education)"


def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are stored; batch norm's step counters are left out."""
    kept = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    return {name: value.half() if value.ndim > 1 else value for name, value in kept.items()}


def metadata(run: dict[str, str], card: str) -> dict[str, str]:
    """What the engine and people need to know, from a run's metadata; `card` names the model's card."""
    recipe, classes = json.loads(run["recipe"]), json.loads(run["classes"])
    if recipe["unit"] != "sk" or recipe["kernels"] != [3, 5] or recipe["reduction"] != 16:
        raise SystemExit(f"the engine has no network with {recipe['unit']} {recipe['kernels']} r={recipe['reduction']}")
    listed = lambda values: ",".join(map(str, values))
    return {
        "card": card,
        "architecture": models.architecture(recipe["width"]),
        "num_classes": str(len(classes)),
        "classes": run["classes"],
        "labels": run["labels"],
        "input_size": str(recipe["sizes"][-1]),
        "crop_pct": "1.0",
        "mean": listed(augment.MEAN),
        "std": listed(augment.STD),
        "interpolation": "bicubic",
        "licence": LICENCE,
        "dataset": "Tiny-ImageNet-200",
        "epochs": run["epochs"],
        "recipe": run["recipe"],
        "commit": run["commit"],
        "history": run.get("history", "[]"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    with safe_open(options.run, "pt") as file:
        tensors = rounded({name: file.get_tensor(name) for name in file.keys()})
        about = metadata(file.metadata(), options.out.stem)
    save_file(tensors, options.out, about)
    if options.data:
        model, _ = evaluate.load(options.out)
        found = evaluate.accuracy(model, data.load(options.data).validation, int(about["input_size"]))
        save_file(tensors, options.out, about | {"top1": f"{found.top1:.2f}", "top5": f"{found.top5:.2f}"})
        print(found)
    values = sum(value.numel() for value in tensors.values())
    print(f"{options.out}: {len(tensors)} tensors, {values} values, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
