"""The networks in PyTorch, independent of the Rust code: timm's SKNet and torchvision's ShuffleNetV2 with SK units."""

import re
from dataclasses import dataclass
from typing import Callable

import timm
import torch
import torchvision
from timm.layers import SelectiveKernel
from torch import nn

import generator


def sknet50(classes: int) -> nn.Module:
    """timm's skresnext50_32x4d, which is SKNet-50 with a padded stem pool."""
    return timm.create_model("skresnext50_32x4d", num_classes=classes)


def sknet50_caffe(classes: int) -> nn.Module:
    """The authors' form: the same network with an unpadded stem pool in ceil mode."""
    model = sknet50(classes)
    model.maxpool = nn.MaxPool2d(3, 2, 0, ceil_mode=True)
    return model


def sk_shufflenet_v2(width: str, classes: int) -> nn.Module:
    """torchvision's shufflenet_v2 of `width` (x0_5, x1_0, x1_5) with an SK unit for each main branch's depthwise 3x3."""
    model = getattr(torchvision.models, f"shufflenet_v2_{width}")(num_classes=classes)
    for stage in (model.stage2, model.stage3, model.stage4):
        for block in stage:
            branch, depthwise = block.branch2, block.branch2[3]
            b = depthwise.out_channels
            branch[3] = SelectiveKernel(
                b, b, stride=depthwise.stride[0], groups=b, split_input=False, rd_channels=max(b // 16, 32)
            )
            branch[4] = nn.Identity()
    return model


@dataclass(frozen=True)
class Network:
    """How to build a network, and the figures of the published architecture for 1000 classes at 224x224."""

    build: Callable[[int], nn.Module]
    parameters: int
    macs: int
    stem: tuple[str, ...]  # modules before the first stage whose outputs are recorded
    head: tuple[str, ...] = ()  # and after the last stage


SHUFFLE_STEM, RESNET_STEM = ("conv1", "maxpool"), ("act1", "maxpool")
NETWORKS = {
    "sknet50": Network(sknet50, 27_479_784, 4_462_710_784, RESNET_STEM),
    "sknet50_caffe": Network(sknet50_caffe, 27_479_784, 4_462_710_784, RESNET_STEM),
    "sk_shufflenet_v2_x0_5": Network(
        lambda classes: sk_shufflenet_v2("x0_5", classes), 1_460_264, 42_083_488, SHUFFLE_STEM, ("conv5",)
    ),
    "sk_shufflenet_v2_x1_0": Network(
        lambda classes: sk_shufflenet_v2("x1_0", classes), 2_503_044, 148_791_672, SHUFFLE_STEM, ("conv5",)
    ),
}


def sk_units(model: nn.Module) -> dict[str, str]:
    """Paper name (SK_stage_unit, first stage 2) -> path of every SelectiveKernel module, in the order of execution."""
    units = {}
    for path, module in model.named_modules():
        if isinstance(module, SelectiveKernel):
            kind, stage, block = re.match(r"(layer|stage)(\d+)\.(\d+)\.", path).groups()
            units[f"SK_{int(stage) + (kind == 'layer')}_{int(block) + 1}"] = path
    return units


def block_of(path: str) -> str:
    """The residual or shuffle block that holds the module at `path`."""
    return ".".join(path.split(".")[:2])


def fill_parameters(model: nn.Module) -> None:
    """Fills every floating-point tensor of the state dict from the counter-based generator."""
    state = model.state_dict()
    model.load_state_dict(
        {n: torch.from_numpy(generator.fill(n, t.shape)) if t.is_floating_point() else t for n, t in state.items()}
    )


def swap_branches(model: nn.Module, part: str, units: list[str]) -> nn.Module:
    """Exchanges branches 0 and 1 in the units at the given paths: their convolutions ("paths") or the halves of
    "fc_select"."""
    state = model.state_dict()
    swapped = dict(state)
    for unit in units:
        if part == "paths":
            for name in (n for n in state if n.startswith(f"{unit}.paths.0.")):
                other = name.replace(".paths.0.", ".paths.1.")
                swapped[name], swapped[other] = state[other].clone(), state[name].clone()
        else:
            name = f"{unit}.attn.fc_select.weight"
            swapped[name] = torch.cat(state[name].chunk(2)[::-1])
    model.load_state_dict(swapped)
    return model


def count_macs(model: nn.Module, height: int = 224, width: int = 224) -> int:
    """Multiply-adds of all convolutions and fully connected layers for one image."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, height, width))
    for hook in hooks:
        hook.remove()
    return total


def check_counts(name: str) -> None:
    """Asserts the published parameter and multiply-add counts."""
    network = NETWORKS[name]
    model = network.build(1000)
    parameters, macs = sum(p.numel() for p in model.parameters()), count_macs(model)
    assert parameters == network.parameters, f"{name}: {parameters} parameters, expected {network.parameters}"
    assert macs == network.macs, f"{name}: {macs} multiply-adds, expected {network.macs}"
