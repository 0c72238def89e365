"""Writes tests/fixtures/weights/: a small SKNet of timm's, in the formats that people have it in, and its logits.

usage: weights.py
"""

import copy
from pathlib import Path

import torch
from safetensors.torch import save_file
from timm.models.resnet import ResNet
from timm.models.sknet import SelectiveKernelBottleneck

import generator
import networks

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "weights"
SHAPE = (2, 3, 64, 77)


def build() -> torch.nn.Module:
    """tests/fixtures/weights/small.toml, in half precision as the files hold it."""
    model = ResNet(
        SelectiveKernelBottleneck,
        (1, 1, 1, 1),
        num_classes=10,
        cardinality=4,
        base_width=32,
        channels=(8, 16, 32, 64),
        block_args={"sk_kwargs": {"rd_ratio": 1 / 16, "rd_divisor": 32, "split_input": False}},
    )
    networks.fill_parameters(model)
    return model.eval().half()


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    model = build()
    state = model.state_dict()
    wide = copy.deepcopy(model).double()
    with torch.no_grad():
        logits = wide(torch.from_numpy(generator.fill("input", SHAPE)).double())
    save_file({"logits": logits.float()}, FOLDER / "small.logits.safetensors")
    save_file(state, FOLDER / "small.safetensors")
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"epoch": 3, "arch": "small", "state_dict": wrapped}, FOLDER / "small.pth")

    # What a reader can stumble over: shared storages, offsets, strides, types, wrappers and nests.
    base = torch.arange(24, dtype=torch.float32)
    tensors = {
        "whole": base,
        "part": base[6:18].view(3, 4),
        "transposed": base.view(4, 6).t(),
        "every_other": base[1::2],
        "double": base.double() / 3,
        "half": base.half() / 3,
        "brain": base.bfloat16() / 3,
        "parameter": torch.nn.Parameter(base.view(2, 3, 4)),
        "scalar": torch.tensor(2.5),
        "bn.num_batches_tracked": torch.tensor(7),
    }
    nested = {"model": {n: t * 0 for n, t in tensors.items()}, "model_ema": tensors, "best": 0.5, "args": [1, None]}
    torch.save(nested, FOLDER / "views.pth")
    torch.save(nested, FOLDER / "views.legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), FOLDER / "script.pt")
    torch.save(torch.nn.ReLU(), FOLDER / "module.pth")
    save_file({n: t.detach().clone().contiguous() for n, t in tensors.items()}, FOLDER / "views.safetensors")
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
