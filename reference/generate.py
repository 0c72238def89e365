"""Writes tests/goldens/: `python generate.py [NAME…] [--model FILE]`; without names, all of them. See README.md."""

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

import generator
import goldens
import networks
import operators
from networks import NETWORKS

BUNDLED = goldens.ROOT / "models" / "sk_shufflenet_v2_x1_0.tiny200.safetensors"
SAMPLES = 64
TOLERANCE = 1e-4  # of the tests that read the goldens
SMALLEST_SPREAD = 0.1


@dataclass(frozen=True)
class Golden:
    """One run of a network; its input is generator.fill("input", shape)."""

    name: str
    network: str
    shape: tuple[int, int, int, int]
    classes: int = 1000


GENERATED = [
    Golden("sknet50", "sknet50", (1, 3, 224, 224)),
    Golden("sknet50_192x256", "sknet50", (2, 3, 192, 256)),
    Golden("sknet50_caffe", "sknet50_caffe", (1, 3, 224, 224)),
    Golden("sk_shufflenet_v2_x1_0", "sk_shufflenet_v2_x1_0", (1, 3, 224, 224)),
    Golden("sk_shufflenet_v2_x1_0_112", "sk_shufflenet_v2_x1_0", (2, 3, 112, 112), 200),
    Golden("sk_shufflenet_v2_x0_5_97x131", "sk_shufflenet_v2_x0_5", (1, 3, 97, 131)),
    Golden("sknet26", "sknet26", (1, 3, 97, 131)),
    Golden("sknet101", "sknet101", (1, 3, 64, 64)),
    Golden("sknet101_caffe", "sknet101_caffe", (1, 3, 66, 77)),
    Golden("sknet29_cifar10", "sknet29_cifar10", (1, 3, 32, 32), 10),
    Golden("sk_shufflenet_v2_x1_5", "sk_shufflenet_v2_x1_5", (2, 3, 109, 75)),
    Golden("skresnet18", "skresnet18", (2, 3, 71, 90)),
    Golden("skresnet34", "skresnet34", (1, 3, 101, 80)),
    Golden("skresnet50", "skresnet50", (1, 3, 75, 96)),
    Golden("skresnet50d", "skresnet50d", (1, 3, 99, 71)),
    Golden("resnext50_32x4d", "resnext50_32x4d", (1, 3, 85, 96)),
    Golden("seresnext50_32x4d", "seresnext50_32x4d", (2, 3, 64, 77)),
    Golden("shufflenet_v2_x0_5", "shufflenet_v2_x0_5", (2, 3, 97, 75)),
    Golden("shufflenet_v2_x1_0", "shufflenet_v2_x1_0", (1, 3, 128, 110)),
    Golden("se_shufflenet_v2_x0_5", "se_shufflenet_v2_x0_5", (1, 3, 96, 85)),
    Golden("se_shufflenet_v2_x1_0", "se_shufflenet_v2_x1_0", (2, 3, 77, 64)),
    Golden("sknet50_k3_k3", "sknet50_k3_k3", (1, 3, 64, 64)),
    Golden("sknet50_k3_k7", "sknet50_k3_k7", (1, 3, 64, 67)),
    Golden("sknet50_k3_5x5g64", "sknet50_k3_5x5g64", (1, 3, 70, 64)),
    Golden("sknet50_k3_7x7g128", "sknet50_k3_7x7g128", (1, 3, 64, 71)),
    Golden("sknet50_k5", "sknet50_k5", (1, 3, 64, 72)),
    Golden("sknet50_k7", "sknet50_k7", (1, 3, 75, 64)),
    Golden("sknet50_k3_k5_sum", "sknet50_k3_k5_sum", (1, 3, 64, 75)),
    Golden("sknet50_k3_k7_sum", "sknet50_k3_k7_sum", (1, 3, 64, 64)),
    Golden("sknet50_k5_k7_sum", "sknet50_k5_k7_sum", (1, 3, 97, 97)),
    Golden("sknet50_k5_k7", "sknet50_k5_k7", (1, 3, 97, 97)),
    Golden("sknet50_k3_k5_k7_sum", "sknet50_k3_k5_k7_sum", (1, 3, 64, 69)),
    Golden("sknet50_k3_k5_k7", "sknet50_k3_k5_k7", (1, 3, 77, 64)),
]
TRAINED = Golden("bundled", "sk_shufflenet_v2_x1_0", (2, 3, 112, 112), 200)


class Record:
    """Runs `model` and keeps its logits, every unit's attention [N, M, C], and samples of activations."""

    def __init__(self, model: nn.Module, golden: Golden, dtype: torch.dtype):
        network, self.units = NETWORKS[golden.network], networks.sk_units(model)
        self.attention: dict[str, torch.Tensor] = {}
        self.activations: dict[str, torch.Tensor] = {}
        self.shapes: dict[str, list[int]] = {}
        inside = [*self.units.values(), *networks.blocks_of(model)]
        hooks = [
            model.get_submodule(path).register_forward_hook(self._sample(path))
            for path in (*network.stem, *inside, *network.head)
        ]
        for unit, path in self.units.items():
            hooks.append(model.get_submodule(f"{path}.attn").register_forward_hook(self._attend(unit)))
        image = torch.from_numpy(generator.fill("input", golden.shape))
        with torch.no_grad():
            self.logits = model.eval().to(dtype)(image.to(dtype))
        for hook in hooks:
            hook.remove()

    def _sample(self, path: str):
        def hook(_, __, output):
            items = output.flatten(1)
            self.shapes[path] = list(output.shape[1:])
            index = torch.from_numpy(generator.sample_indices(path, items.shape[1], SAMPLES))
            self.activations[f"{path}.samples"] = items[:, index]
            self.activations[f"{path}.moments"] = torch.stack([items.mean(1), items.std(1, correction=0)], 1)

        return hook

    def _attend(self, unit: str):
        def hook(_, __, output):
            self.attention[unit] = output.flatten(2)

        return hook

    def distance(self, other: "Record") -> tuple[float, float]:
        """The two figures that the tests bound: max|a-b| / max|b| of the logits, max|a-b| of the attention."""
        logits = (self.logits - other.logits).abs().max() / other.logits.abs().max()
        attention = max(((a - other.attention[u]).abs().max().item() for u, a in self.attention.items()), default=0.0)
        return logits.item(), attention

    def spread(self) -> list[float]:
        """Per unit, the smallest standard deviation over channels of any branch of any image."""
        return [a.std(2, correction=0).min().item() for a in self.attention.values()]


def write(golden: Golden, model: nn.Module, parameters: str) -> Record:
    """Runs in float64, writes the golden, and prints what the tests can rely on."""
    record = Record(model, golden, torch.float64)
    tensors = {"logits": record.logits}
    tensors |= {f"attention.{unit}": a for unit, a in record.attention.items()}
    tensors |= {f"activation.{path}": t for path, t in record.activations.items()}
    goldens.write(
        golden.name,
        tensors,
        vars(golden) | {"parameters": parameters, "units": record.units, "activations": record.shapes},
    )
    spread = record.spread() or [0.0]
    logits, attention = Record(model, golden, torch.float32).distance(record)
    print(
        f"  attention std: smallest {min(spread):.3f}, mean {sum(spread) / len(spread):.3f}"
        f" · float32 off by {logits:.1e} (logits), {attention:.1e} (attention)"
    )
    return record


def check_sensitivity(golden: Golden, record: Record) -> None:
    """Asserts that exchanging two branches, in all units or in a single one, cannot pass for rounding."""
    model = NETWORKS[golden.network].build(golden.classes)
    networks.fill_parameters(model)
    paths = list(record.units.values())
    for part in ("paths", "fc_select"):
        found = []
        for units in [paths] + [[path] for path in paths]:
            if networks.swap_branches(model, part, units):
                found.append(Record(model, golden, torch.float32).distance(record))
                networks.swap_branches(model, part, units)
        if not found:
            continue
        every, single = found[0], [min(column) for column in zip(*found[1:])]
        print(
            f"  {part} swapped in every unit: logits {every[0]:.2f}, attention {every[1]:.2f}"
            f" · in the least sensitive unit alone: {single[0]:.3f}, {single[1]:.3f}"
        )
        # Twin branches add up to the same sum in any order, so that their unit's own attention stays.
        figures = single[:1] if part == "paths" and networks.twins(model) else single
        assert min(figures) > 50 * TOLERANCE, f"{golden.name}: a swap of {part} is too close to the tolerance"


def generated(golden: Golden) -> None:
    """The golden of a network with generated weights."""
    networks.check_counts(golden.network)
    model = NETWORKS[golden.network].build(golden.classes)
    networks.fill_parameters(model)
    record = write(golden, model, "generated")
    if record.units:
        assert min(record.spread()) >= SMALLEST_SPREAD, f"{golden.name}: attention is too flat"
        check_sensitivity(golden, record)


def trained(golden: Golden, file: Path) -> None:
    """The golden of the bundled model, which names its weights by their SHA-256."""
    model = NETWORKS[golden.network].build(golden.classes)
    missing, surplus = model.load_state_dict(load_file(file), strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    assert not missing and not surplus, f"{file}: missing {missing}, surplus {surplus}"
    write(golden, model, "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest())


def main() -> None:
    jobs = {"operators": operators.generate}
    jobs |= {golden.name: lambda golden=golden: generated(golden) for golden in GENERATED}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*jobs, TRAINED.name])}")
    parser.add_argument("--model", type=Path, default=BUNDLED, help="weights of the bundled model")
    options = parser.parse_args()
    jobs[TRAINED.name] = lambda: trained(TRAINED, options.model)
    if unknown := set(options.names) - set(jobs):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(jobs)}")

    torch.set_num_threads(1)  # sums in a fixed order, so that the files come out the same
    generator.check_pinned()
    for name in options.names or jobs:
        jobs[name]()


if __name__ == "__main__":
    main()
