"""Writes what `cargo xtask bench` runs: `python export_onnx.py FOLDER`.

For each case NAME.onnx, its input NAME.input.f32, PyTorch's output NAME.output.f32, for a network its weights
NAME.safetensors and for a convolution NAME.weight.f32; cases.json lists the cases. Weights and inputs come from the
generator, tensors lie as PyTorch lays them out."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from timm.layers import SelectiveKernel
from torch import nn

import generator
from networks import NETWORKS, fill_parameters

OPSET = 17
SIDE = 224
NETWORK_CLASSES = {"sknet50": 1000, "sk_shufflenet_v2_x1_0": 200}
UNITS = [(128, 56), (256, 28), (512, 14), (1024, 7)]  # channels and side of SKNet-50's stages


class Named(nn.Module):
    """A module under a name, so that its weights carry that name."""

    def __init__(self, name: str, module: nn.Module):
        super().__init__()
        self.add_module(name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return next(self.children())(x)


def pointwise_shapes() -> list[tuple[int, int, int, int]]:
    """(channels in, channels out, stride, input side) of every different 1x1 convolution of SKNet-50, as they run."""
    shapes = {}
    model = NETWORKS["sknet50"].build(1000).eval()

    def note(module, inputs, _):
        if module.kernel_size == (1, 1) and inputs[0].shape[-1] > 1:
            shapes[module.in_channels, module.out_channels, module.stride[0], inputs[0].shape[-1]] = None

    for module in (m for m in model.modules() if isinstance(m, nn.Conv2d)):
        module.register_forward_hook(note)
    with torch.no_grad():
        model(torch.zeros(1, 3, SIDE, SIDE))
    return list(shapes)


def cases():
    for name, classes in NETWORK_CLASSES.items():
        about = {"name": name, "kind": "network", "classes": classes}
        yield about, NETWORKS[name].build(classes), (1, 3, SIDE, SIDE)
    for channels, side in UNITS:
        unit = SelectiveKernel(
            channels, channels, groups=32, rd_ratio=1 / 16, rd_divisor=32, split_input=False, kernel_size=[3, 5]
        )
        width = unit.attn.fc_reduce.out_channels
        about = {"kind": "sk_unit", "channels": channels, "groups": 32, "width": width, "side": side}
        yield {"name": f"unit_{channels}_{side}"} | about, Named("unit", unit), (1, channels, side, side)
    for i, o, stride, side in pointwise_shapes():
        about = {"kind": "pointwise", "in_channels": i, "out_channels": o, "stride": stride, "side": side}
        conv = nn.Conv2d(i, o, 1, stride, bias=False)
        yield {"name": f"conv_{i}_{o}_{stride}_{side}"} | about, Named("conv", conv), (1, i, side, side)


def write(folder: Path, about: dict, model: nn.Module, shape: tuple[int, ...]) -> dict:
    path = folder / about["name"]
    fill_parameters(model)
    x = torch.from_numpy(generator.fill("input", shape))
    with torch.no_grad():
        output = model.eval()(x)
    for suffix, tensor in (("input", x), ("output", output)):
        np.ascontiguousarray(tensor.numpy()).tofile(f"{path}.{suffix}.f32")
    if about["kind"] == "network":
        save_file({n: t.contiguous() for n, t in model.state_dict().items()}, f"{path}.safetensors")
    if about["kind"] == "pointwise":
        model.conv.weight.detach().numpy().tofile(f"{path}.weight.f32")
    names = {"input_names": ["input"], "output_names": ["output"], "opset_version": OPSET}
    torch.onnx.export(model, (x,), f"{path}.onnx", dynamo=False, **names)
    return about | {"shape": shape, "outputShape": tuple(output.shape)}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator.check_pinned()
    written = [write(folder, *case) for case in cases()]
    (folder / "cases.json").write_text(json.dumps(written, indent=1))
    print(f"{len(written)} cases in {folder}")


if __name__ == "__main__":
    main()
