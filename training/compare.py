"""The paper's questions 1, 4 and 5 at this scale: the same recipe with other units, several seeds each.

usage: python compare.py TINY_IMAGENET_200 RUNS [--seeds 0 1 2] [--only NAME …] [-- options of train.py]

Every run gets a folder RUNS/NAME-SEED and continues where it stopped. Accuracies are those on the training images held
out for choices (`--held-out`, 5,000 by default); `--validation` measures the validation images instead, for the card. The table is
printed after every run and written to RUNS/comparison.md.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import torch
from safetensors.torch import load_file

import data
import evaluate
import model as models
from recipe import Recipe


@dataclass(frozen=True)
class Variant:
    """A network; fields are the recipe's."""

    title: str
    unit: str = "sk"
    kernels: tuple[int, ...] = (3, 5)
    reduction: int = 16

    def options(self) -> list[str]:
        kernels = [str(kernel) for kernel in self.kernels]
        return ["--unit", self.unit, "--kernels", *kernels, "--reduction", str(self.reduction)]

    def build(self, classes: int) -> torch.nn.Module:
        return models.build(1.0, classes, self.unit, self.kernels, self.reduction)


VARIANTS = {
    "plain": Variant("ShuffleNetV2", unit="plain"),
    "se": Variant("with SE", unit="se"),
    "sum": Variant("K3 + K5 summed", unit="sum"),
    "sk": Variant("SK, M = 2 (K3, K5), r = 16"),
    "sk-r4": Variant("SK, M = 2 (K3, K5), r = 4", reduction=4),
    "sk-k7": Variant("SK, M = 2 (K3, K7), r = 16", kernels=(3, 7)),
    "sk-m3": Variant("SK, M = 3 (K3, K5, K7), r = 16", kernels=(3, 5, 7)),
}


@dataclass(frozen=True)
class Result:
    """Of one variant: percentages per seed, parameters, multiply-adds at the last size."""

    title: str
    top1: list[float]
    top5: list[float]
    params: int
    macs: int


def spread(values: list[float]) -> str:
    """Mean ± sample standard deviation."""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def table(results: list[Result]) -> str:
    """Markdown."""
    head = "| unit | seeds | top-1 % | top-5 % | parameters | multiply-adds |\n|---|---|---|---|---|---|\n"
    rows = (
        f"| {r.title} | {len(r.top1)} | {spread(r.top1)} | {spread(r.top5)} | {r.params / 1e6:.3f} M | {r.macs / 1e6:.1f} M |\n"
        for r in results
    )
    return head + "".join(rows)


def accuracy(variant: Variant, folder: Path, dataset: data.Dataset, validation: bool) -> evaluate.Accuracy:
    """Of a finished run, at its last size."""
    recipe = json.loads((folder / "recipe.json").read_text())
    network = variant.build(len(dataset.classes))
    network.load_state_dict(load_file(folder / "averaged.safetensors"))
    split = dataset.validation if validation else data.hold_out(dataset.train, recipe["held_out"])[1]
    return evaluate.accuracy(network, split, recipe["sizes"][-1])


def main() -> None:
    given, extra = divided(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", choices=VARIANTS, nargs="+", default=list(VARIANTS))
    parser.add_argument("--validation", action="store_true")
    options = parser.parse_args(given)
    dataset, found = data.load(options.data), {}
    trainer = Path(__file__).with_name("train.py")
    for seed in options.seeds:
        for name in options.only:
            variant, folder = VARIANTS[name], options.runs / f"{name}-{seed}"
            command = [sys.executable, trainer, options.data, folder, "--seed", str(seed), *variant.options(), *extra]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            found.setdefault(name, []).append(accuracy(variant, folder, dataset, options.validation))
            written = table([result(VARIANTS[name], one, len(dataset.classes)) for name, one in found.items()])
            (options.runs / "comparison.md").write_text(written)
            print(written, flush=True)


def divided(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and after `--`."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def result(variant: Variant, accuracies: list[evaluate.Accuracy], classes: int) -> Result:
    params, macs = models.count(variant.build(classes), Recipe().sizes[-1])
    return Result(variant.title, [a.top1 for a in accuracies], [a.top5 for a in accuracies], params, macs)


if __name__ == "__main__":
    main()
