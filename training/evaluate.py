"""Top-1 and top-5 of a weights file on Tiny-ImageNet-200's validation images.

usage: python evaluate.py WEIGHTS.safetensors TINY_IMAGENET_200 [--sizes 96 112 128 160] [--half] [--limit N] [--held-out N]

Preprocessing is the engine's: the shorter side's central square to size × size by PIL's bicubic resize, 8 bits.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

import augment
import data
import model as models
from preprocess import views


@dataclass(frozen=True)
class Accuracy:
    """Percentages, and mean cross-entropy, over `count` images."""

    top1: float
    top5: float
    loss: float
    count: int

    def __str__(self) -> str:
        return f"top-1 {self.top1:.2f} %, top-5 {self.top5:.2f} %, loss {self.loss:.3f}, {self.count} images"


@torch.no_grad()
def accuracy(model: nn.Module, split: data.Split, size: int, batch: int = 100) -> Accuracy:
    """Of the model in evaluation mode, on its own device and precision."""
    first = next(model.parameters())
    model.eval()
    top1 = top5 = loss = 0.0
    for images, labels in zip(split.images.split(batch), split.labels.split(batch)):
        inputs = augment.normalise(views(images, size)).to(first).contiguous(memory_format=torch.channels_last)
        logits = model(inputs).float().cpu()
        ranked = logits.topk(5, 1).indices == labels[:, None]
        top1 += ranked[:, 0].sum().item()
        top5 += ranked.any(1).sum().item()
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
    count = len(split)
    return Accuracy(100 * top1 / count, 100 * top5 / count, loss / count, count)


def load(path: Path) -> tuple[nn.Module, dict[str, str]]:
    """The network of a file of `export.py`, or of a run's averaged weights, in f32 and evaluation mode, and its metadata.

    Averaged weights get the run's last image size as `input_size`.
    """
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        state = {name: file.get_tensor(name).float() for name in file.keys()}
    widths = {models.architecture(width): width for width in models.WIDTHS}
    if metadata.get("architecture") in widths:
        described = {"width": widths[metadata["architecture"]]}
    elif "architecture" not in metadata and "recipe" in metadata:
        recipe = json.loads(metadata["recipe"])
        described = {name: recipe[name] for name in ("width", "unit", "kernels", "reduction")}
        metadata["input_size"] = str(recipe["sizes"][-1])
    else:
        raise SystemExit(f"{path}: architecture {metadata.get('architecture')!r} is not one of {', '.join(widths)}")
    model = models.build(classes=len(state["fc.bias"]), **described)
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict(counters | state)
    return model.eval().to(memory_format=torch.channels_last), metadata


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path, help="the dataset's folder, or the file of arrays made from it")
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 112, 128, 160])
    parser.add_argument("--half", action="store_true", help="compute in f16 instead of f32")
    parser.add_argument("--limit", type=int, help="N images, spread over all as `sklens eval --limit N` does")
    parser.add_argument("--held-out", type=int, default=0, help="the held-out N training images a class instead")
    options = parser.parse_args()
    model, metadata = load(options.weights)
    dataset = data.load(options.data)
    if json.loads(metadata["classes"]) != dataset.classes:
        raise SystemExit(f"{options.weights} and {options.data} do not list the same classes")
    split = data.hold_out(dataset.train, options.held_out)[1] if options.held_out else dataset.validation
    if options.limit and options.limit < len(split):
        chosen = torch.arange(options.limit) * len(split) // options.limit
        split = data.Split(split.images[chosen], split.labels[chosen])
    if options.half:
        model.half()
    for size in options.sizes:
        print(f"{size} px: {accuracy(model, split, size)}", flush=True)


if __name__ == "__main__":
    main()
