"""SK-ShuffleNetV2 and the networks that it is compared with.

torchvision's ShuffleNetV2 whose main branches' depthwise 3×3 convolution (and its batch norm) is replaced by timm's
`SelectiveKernel`. Modules keep the names of the two libraries, so a state dict fits any network built from them.
"""

import re
from typing import Iterator

import torch
import torchvision
from timm.layers import SelectiveKernel
from timm.layers.conv_bn_act import ConvNormAct
from timm.layers.squeeze_excite import SEModule
from torch import nn

WIDTHS = {0.5: "x0_5", 1.0: "x1_0", 1.5: "x1_5"}
UNITS = ("sk", "sum", "se", "plain")
LEAST_ATTENTION_CHANNELS = 32


class BranchSum(nn.Module):
    """The SK unit's branches, summed with equal weight: table 7's networks without attention."""

    def __init__(self, channels: int, stride: int, kernels: list[int]):
        super().__init__()
        self.paths = nn.ModuleList(branch(channels, stride, kernel) for kernel in kernels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(path(x) for path in self.paths)


class SqueezeExcite(nn.Module):
    """One 3×3 branch, scaled per channel by a squeeze-and-excitation gate with the SK unit's inner width."""

    def __init__(self, channels: int, stride: int, inner: int):
        super().__init__()
        self.path = branch(channels, stride, 3)
        self.gate = SEModule(channels, rd_channels=inner)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gate(self.path(x))


def branch(channels: int, stride: int, kernel: int) -> nn.Module:
    """A depthwise 3×3 convolution dilated to `kernel`, batch norm and ReLU, as `SelectiveKernel` builds it."""
    return ConvNormAct(channels, channels, 3, stride, dilation=(kernel - 1) // 2, groups=channels)


def attention_channels(channels: int, reduction: int) -> int:
    """The paper's d = max(C / r, L), with L = 32."""
    return max(channels // reduction, LEAST_ATTENTION_CHANNELS)


def build(
    width: float = 1.0,
    classes: int = 200,
    unit: str = "sk",
    kernels: tuple[int, ...] = (3, 5),
    reduction: int = 16,
) -> nn.Module:
    """ShuffleNetV2 of `width` 0.5, 1.0 or 1.5 whose main branches hold `unit`.

    `sk`: selective kernel, one branch for each of `kernels` (odd, from dilation), inner width max(C / reduction, 32);
    `sum`: the same branches without attention; `se`: one 3×3 branch with an SE gate; `plain`: torchvision's.
    Input is [N, 3, H, W], output [N, classes]. PyTorch's default weights; see `initialise`.
    """
    if width not in WIDTHS:
        raise ValueError(f"width {width} is not one of {', '.join(map(str, WIDTHS))}")
    if unit not in UNITS:
        raise ValueError(f"unit {unit!r} is not one of {', '.join(UNITS)}")
    model = getattr(torchvision.models, f"shufflenet_v2_{WIDTHS[width]}")(num_classes=classes)
    if unit == "plain":
        return model
    for block in blocks(model):
        depthwise = block.branch2[3]
        channels, stride = depthwise.out_channels, depthwise.stride[0]
        inner = attention_channels(channels, reduction)
        if unit == "sk":
            made = SelectiveKernel(
                channels, channels, list(kernels), stride, groups=channels, split_input=False, rd_channels=inner
            )
        elif unit == "sum":
            made = BranchSum(channels, stride, list(kernels))
        else:
            made = SqueezeExcite(channels, stride, inner)
        block.branch2[3], block.branch2[4] = made, nn.Identity()
    return model


def architecture(width: float) -> str:
    """The engine's name of the SK network of this width."""
    return f"sk_shufflenet_v2_{WIDTHS[width]}"


def blocks(model: nn.Module) -> Iterator[nn.Module]:
    """All ShuffleNetV2 blocks in order of depth."""
    for stage in (model.stage2, model.stage3, model.stage4):
        yield from stage


def sk_units(model: nn.Module) -> dict[str, SelectiveKernel]:
    """Paper name (SK_2_1: stage 2, unit 1) → unit, in order of depth."""
    found = {}
    for path, module in model.named_modules():
        if isinstance(module, SelectiveKernel):
            stage, index = re.match(r"stage(\d+)\.(\d+)\.", path).groups()
            found[f"SK_{stage}_{int(index) + 1}"] = module
    return found


def initialise(model: nn.Module, generator: torch.Generator, attention_scale: float = 1.0) -> None:
    """Random weights from `generator`, of a scale that lets training start without a jump.

    Convolutions: He normal, fan-out counted per group. fc_select: deviation `attention_scale`/√d, so that attention
    differs between images from the start. Batch norm biases are 1 except before a pool or in attention: most ReLUs start open, the
    network starts nearly linear, and its first gradients are small.
    """
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            if path.endswith("fc_select"):
                deviation = attention_scale * module.in_channels**-0.5
            else:
                deviation = (2 * module.groups / (module.out_channels * module.weight[0, 0].numel())) ** 0.5
            nn.init.normal_(module.weight, 0, deviation, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01, generator=generator)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            (nn.init.zeros_ if path.startswith("conv5") else nn.init.ones_)(module.bias)


def count(model: nn.Module, size: int) -> tuple[int, int]:
    """Parameters, and multiply-adds of convolutions and fully connected layers for one size × size image."""
    macs = 0

    def add(module: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal macs
        macs += output.numel() * module.weight[0].numel()

    counted = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [m.register_forward_hook(add) for m in counted]
    training = model.training
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size))
    model.train(training)
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in model.parameters()), macs
