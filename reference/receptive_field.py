"""Writes tests/goldens/receptive_field.safetensors: effective receptive fields by PyTorch's automatic differentiation.

`python receptive_field.py`. See README.md."""

import numpy as np
import torch

import generator
import goldens
import networks
from networks import NETWORKS

# Network -> input size and units of three depths.
CASES = {
    "sknet50": ((64, 64), ("SK_2_1", "SK_3_2", "SK_4_3")),
    "sk_shufflenet_v2_x1_0": ((64, 64), ("SK_2_2", "SK_3_4", "SK_4_3")),
}
# As fractions of the feature map's width and height: a corner, near the middle, an edge.
PLACES = ((0.0, 0.0), (0.5, 0.5), (0.99, 0.4))


def field(model, unit: torch.nn.Module, image: torch.Tensor, cell: tuple[int, int], fixed: bool) -> torch.Tensor:
    """|d(sum over channels of V at `cell` = (x, y)) / d image| summed over colours."""
    outputs = []
    hooks = [unit.register_forward_hook(lambda _, __, output: outputs.append(output))]
    if fixed:
        for other in networks.units_of(model).values():
            hooks.append(other.attn.register_forward_hook(lambda _, __, attention: attention.detach()))
    image = image.clone().requires_grad_()
    model(image)
    for hook in hooks:
        hook.remove()
    x, y = cell
    (gradient,) = torch.autograd.grad(outputs[0][0, :, y, x].sum(), image)
    return gradient[0].abs().sum(0)


def main() -> None:
    torch.set_num_threads(1)
    generator.check_pinned()
    tensors, cases = {}, []
    for name, ((height, width), units) in CASES.items():
        model = NETWORKS[name].build(10)
        networks.fill_parameters(model)
        model = model.eval().to(torch.float64)
        image = torch.from_numpy(generator.fill("input", (1, 3, height, width))).to(torch.float64)
        paths = networks.sk_units(model)
        for unit in units:
            module = model.get_submodule(paths[unit])
            shape = []
            hook = module.register_forward_hook(lambda _, __, output: shape.extend(output.shape[2:]))
            with torch.no_grad():
                model(image)
            hook.remove()
            for fx, fy in PLACES:
                cell = (int(fx * shape[1]), int(fy * shape[0]))
                for attention in ("fixed", "differentiated"):
                    key = f"{name}.{unit}.{cell[0]}_{cell[1]}.{attention}"
                    tensors[key] = field(model, module, image, cell, attention == "fixed")
                    cases.append({"tensor": key, "network": name, "unit": unit, "cell": cell, "attention": attention})
    sizes = {name: size for name, (size, _) in CASES.items()}
    largest = max(t.abs().max().item() for t in tensors.values())
    assert np.isfinite(largest)
    goldens.write("receptive_field", tensors, {"sizes": sizes, "classes": 10, "cases": cases})


if __name__ == "__main__":
    main()
