"""The networks in PyTorch, independent of the Rust code: timm's, torchvision's, and both with other units."""

import re
from dataclasses import dataclass
from typing import Callable

import timm
import torch
import torchvision
from timm.layers import ConvNormAct, SEModule, SelectiveKernel
from timm.layers.selective_kernel import SelectiveKernelAttn
from timm.models.resnet import ResNet
from timm.models.sknet import SelectiveKernelBottleneck
from torch import nn

import generator


def sknet(classes: int, layers=(3, 4, 6, 3), sizes=(3, 5), **options) -> ResNet:
    """SKNet with branches that act as kernels of `sizes` by dilation; sknet() is timm's skresnext50_32x4d."""
    sk = {"rd_ratio": 1 / 16, "rd_divisor": 32, "split_input": False, "kernel_size": list(sizes)}
    options = {"cardinality": 32, "base_width": 4} | options
    return ResNet(SelectiveKernelBottleneck, list(layers), classes, block_args={"sk_kwargs": sk}, **options)


def caffe(model: ResNet) -> ResNet:
    """The authors' form: an unpadded stem pool in ceil mode."""
    model.maxpool = nn.MaxPool2d(3, 2, 0, ceil_mode=True)
    return model


def sknet101_caffe(classes: int) -> ResNet:
    """The authors' SKNet-101, whose prototxt has attention widths 32, 16, 32, 64."""
    model = caffe(sknet(classes, (3, 4, 23, 3)))
    for layer, width in zip((model.layer1, model.layer2, model.layer3, model.layer4), (32, 16, 32, 64)):
        for block in layer:
            block.conv2.attn = SelectiveKernelAttn(block.conv2.out_channels, 2, width)
    return model


def with_branch(model: ResNet, branch: int, kernel: int, groups: int) -> ResNet:
    """`model` with a true kernel x kernel convolution of `groups` for a branch of every unit."""
    for unit in units_of(model).values():
        c = unit.out_channels
        unit.paths[branch] = ConvNormAct(unit.in_channels, c, kernel, stride_of(unit), groups=groups)
    return model


def stride_of(unit: SelectiveKernel) -> int:
    return unit.paths[0].conv.stride[0]


class SumOfPaths(nn.Module):
    """An SK unit's branches without attention."""

    def __init__(self, unit: SelectiveKernel):
        super().__init__()
        self.paths = unit.paths

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([path(x) for path in self.paths]).sum(0)


def without_attention(model: ResNet) -> ResNet:
    """`model` with every unit replaced by the plain sum of its branches."""
    for path, unit in units_of(model).items():
        model.set_submodule(path, SumOfPaths(unit))
    return model


def sknet29_cifar10(classes: int) -> ResNet:
    """SKNet-29 in the provisional reading: 3x3 stem, no pool, three stages on ResNeXt-29 16x32d, kernels 1x1 and 3x3."""
    model = sknet(classes, (3, 3, 3, 1), (3, 3), cardinality=16, base_width=32)
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool, model.layer4 = nn.Identity(), nn.Identity()
    model.fc = nn.Linear(1024, classes)
    for unit in units_of(model).values():
        unit.attn = SelectiveKernelAttn(unit.out_channels, 2, max(unit.out_channels // 32, 32))
    return with_branch(model, 0, 1, 16)


def shufflenet_v2(width: str, classes: int) -> nn.Module:
    """torchvision's shufflenet_v2 of `width`: x0_5, x1_0 or x1_5."""
    return getattr(torchvision.models, f"shufflenet_v2_{width}")(num_classes=classes)


def main_branches(model: nn.Module):
    return [block.branch2 for stage in (model.stage2, model.stage3, model.stage4) for block in stage]


def sk_shufflenet_v2(width: str, classes: int) -> nn.Module:
    """shufflenet_v2 with an SK unit for each main branch's depthwise 3x3."""
    model = shufflenet_v2(width, classes)
    for branch in main_branches(model):
        depthwise = branch[3]
        b = depthwise.out_channels
        branch[3] = SelectiveKernel(
            b, b, stride=depthwise.stride[0], groups=b, split_input=False, rd_channels=max(b // 16, 32)
        )
        branch[4] = nn.Identity()
    return model


def se_shufflenet_v2(width: str, classes: int) -> nn.Module:
    """shufflenet_v2 with squeeze-and-excitation behind each main branch."""
    model = shufflenet_v2(width, classes)
    for branch in main_branches(model):
        branch.append(SEModule(branch[5].out_channels))
    return model


@dataclass(frozen=True)
class Network:
    """How to build a network, and its figures for the classes and input side of its data set."""

    build: Callable[[int], nn.Module]
    parameters: int
    macs: int
    stem: tuple[str, ...]  # modules before the first stage whose outputs are recorded
    head: tuple[str, ...] = ()  # and after the last stage
    classes: int = 1000
    side: int = 224


def resnet(build: Callable[[int], nn.Module], parameters: int, macs: int, **options) -> Network:
    return Network(build, parameters, macs, ("act1", "maxpool"), **options)


def from_timm(name: str, parameters: int, macs: int) -> Network:
    return resnet(lambda classes: timm.create_model(name, num_classes=classes), parameters, macs)


def shuffle(build: Callable[[str, int], nn.Module], width: str, parameters: int, macs: int) -> Network:
    return Network(lambda classes: build(width, classes), parameters, macs, ("conv1", "maxpool"), ("conv5",))


NETWORKS = {
    "sknet50": from_timm("skresnext50_32x4d", 27_479_784, 4_462_710_784),
    "sknet50_caffe": resnet(lambda classes: caffe(sknet(classes)), 27_479_784, 4_462_710_784),
    "sknet26": resnet(lambda classes: sknet(classes, (2, 2, 2, 2)), 16_746_408, 2_586_877_952),
    "sknet101": resnet(lambda classes: sknet(classes, (3, 4, 23, 3)), 48_736_040, 8_448_724_992),
    "sknet101_caffe": resnet(sknet101_caffe, 48_686_760, 8_448_675_840),
    "sknet29_cifar10": resnet(sknet29_cifar10, 27_813_450, 4_180_928_512, classes=10, side=32),
    "sk_shufflenet_v2_x0_5": shuffle(sk_shufflenet_v2, "x0_5", 1_460_264, 42_083_488),
    "sk_shufflenet_v2_x1_0": shuffle(sk_shufflenet_v2, "x1_0", 2_503_044, 148_791_672),
    "sk_shufflenet_v2_x1_5": shuffle(sk_shufflenet_v2, "x1_5", 3_843_624, 301_651_872),
    "skresnet18": from_timm("skresnet18", 11_958_056, 1_814_337_536),
    "skresnet34": from_timm("skresnet34", 22_282_376, 3_664_237_568),
    "skresnet50": from_timm("skresnet50", 25_803_160, 4_089_422_336),
    "skresnet50d": from_timm("skresnet50d", 25_822_392, 4_329_062_912),
    "resnext50_32x4d": from_timm("resnext50_32x4d", 25_028_904, 4_230_479_872),
    "seresnext50_32x4d": from_timm("seresnext50_32x4d", 27_559_896, 4_232_994_816),
    "shufflenet_v2_x0_5": shuffle(shufflenet_v2, "x0_5", 1_366_792, 40_476_448),
    "shufflenet_v2_x1_0": shuffle(shufflenet_v2, "x1_0", 2_278_604, 144_907_992),
    "se_shufflenet_v2_x0_5": shuffle(se_shufflenet_v2, "x0_5", 1_381_608, 40_490_272),
    "se_shufflenet_v2_x1_0": shuffle(se_shufflenet_v2, "x1_0", 2_329_108, 144_956_248),
    "sknet50_k3_k3": resnet(lambda classes: sknet(classes, sizes=(3, 3)), 27_479_784, 4_462_710_784),
    "sknet50_k3_k7": resnet(lambda classes: sknet(classes, sizes=(3, 7)), 27_479_784, 4_462_710_784),
    "sknet50_k3_5x5g64": resnet(
        lambda classes: with_branch(sknet(classes), 1, 5, 64), 28_029_928, 4_552_626_176
    ),
    "sknet50_k3_7x7g128": resnet(
        lambda classes: with_branch(sknet(classes), 1, 7, 128), 27_990_632, 4_546_203_648
    ),
    "sknet50_k5": resnet(
        lambda classes: without_attention(sknet(classes, sizes=(5,))), 25_028_904, 4_230_479_872
    ),
    "sknet50_k7": resnet(
        lambda classes: without_attention(sknet(classes, sizes=(7,))), 25_028_904, 4_230_479_872
    ),
    "sknet50_k3_k5_sum": resnet(lambda classes: without_attention(sknet(classes)), 26_458_664, 4_461_690_880),
    "sknet50_k3_k7_sum": resnet(
        lambda classes: without_attention(sknet(classes, sizes=(3, 7))), 26_458_664, 4_461_690_880
    ),
    "sknet50_k5_k7_sum": resnet(
        lambda classes: without_attention(sknet(classes, sizes=(5, 7))), 26_458_664, 4_461_690_880
    ),
    "sknet50_k5_k7": resnet(lambda classes: sknet(classes, sizes=(5, 7)), 27_479_784, 4_462_710_784),
    "sknet50_k3_k5_k7_sum": resnet(
        lambda classes: without_attention(sknet(classes, sizes=(3, 5, 7))), 27_888_424, 4_692_901_888
    ),
    "sknet50_k3_k5_k7": resnet(lambda classes: sknet(classes, sizes=(3, 5, 7)), 29_249_512, 4_694_261_760),
}


def units_of(model: nn.Module) -> dict[str, SelectiveKernel]:
    """Path -> module of every SK unit, in the order of execution."""
    return {path: module for path, module in model.named_modules() if isinstance(module, SelectiveKernel)}


def sk_units(model: nn.Module) -> dict[str, str]:
    """Paper name (SK_stage_unit, first stage 2) -> path of every SK unit, in the order of execution."""
    units = {}
    for path in units_of(model):
        kind, stage, block = re.match(r"(layer|stage)(\d+)\.(\d+)\.", path).groups()
        units[f"SK_{int(stage) + (kind == 'layer')}_{int(block) + 1}"] = path
    return units


def blocks_of(model: nn.Module) -> list[str]:
    """Paths of the residual or shuffle blocks, in the order of execution."""
    return [path for path, _ in model.named_modules() if re.fullmatch(r"(layer|stage)\d+\.\d+", path)]


def fill_parameters(model: nn.Module) -> None:
    """Fills every floating-point tensor of the state dict from the counter-based generator."""
    state = model.state_dict()
    model.load_state_dict(
        {n: torch.from_numpy(generator.fill(n, t.shape)) if t.is_floating_point() else t for n, t in state.items()}
    )


def twins(model: nn.Module) -> bool:
    """Whether branches 0 and 1 of the first unit are convolutions of the same geometry."""
    first, second = [path.conv for path in next(iter(units_of(model).values())).paths][:2]
    return (first.weight.shape, first.dilation) == (second.weight.shape, second.dilation)


def swap_branches(model: nn.Module, part: str, units: list[str]) -> bool:
    """Exchanges branches 0 and 1 in the units at the given paths: their convolutions ("paths"), or their parts of
    "fc_select". Returns false, and leaves the model alone, if there are no two branches of the same shape. A second call
    undoes the first."""
    swapped = {}
    state = model.state_dict()
    for unit in units:
        branches = len(model.get_submodule(unit).paths)
        if part == "paths":
            for name in (n for n in state if n.startswith(f"{unit}.paths.0.")):
                other = name.replace(".paths.0.", ".paths.1.")
                if branches < 2 or state[name].shape != state[other].shape:
                    return False
                swapped[name], swapped[other] = state[other].clone(), state[name].clone()
        else:
            name = f"{unit}.attn.fc_select.weight"
            first, second, *rest = state[name].chunk(branches)
            swapped[name] = torch.cat([second, first, *rest])
    model.load_state_dict(swapped, strict=False)
    return True


def count_macs(model: nn.Module, height: int, width: int) -> int:
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
    """Asserts the parameter and multiply-add counts, which tests/networks.rs asserts of the Rust descriptions."""
    network = NETWORKS[name]
    model = network.build(network.classes)
    parameters, macs = sum(p.numel() for p in model.parameters()), count_macs(model, network.side, network.side)
    assert parameters == network.parameters, f"{name}: {parameters} parameters, expected {network.parameters}"
    assert macs == network.macs, f"{name}: {macs} multiply-adds, expected {network.macs}"
