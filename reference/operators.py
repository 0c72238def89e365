"""Goldens of single operators and of the SK unit: torch.nn.functional and timm on generated inputs.

Every case's tensors are generator.fill("<case>.<argument>", shape), so that only outputs are stored.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from timm.layers import SEModule, SelectiveKernel
from torchvision.models.shufflenetv2 import channel_shuffle

import generator
import goldens


@dataclass
class Case:
    """One call: operator, shapes of its arguments, and its parameters."""

    name: str
    op: str
    inputs: dict[str, list[int]]
    params: dict = field(default_factory=dict)


def conv(name, input, weight, bias=False, stride=1, padding=0, dilation=1, groups=1) -> Case:
    inputs = {"input": input, "weight": weight} | ({"bias": weight[:1]} if bias else {})
    params = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return Case(f"conv2d_{name}", "conv2d", inputs, params)


def pool(name, input, kernel=3, stride=2, padding=1, ceil_mode=False) -> Case:
    params = {"kernel": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    return Case(f"max_pool2d_{name}", "max_pool2d", {"input": input}, params)


def average_pool(name, input, kernel=2, stride=2, padding=0, ceil_mode=True) -> Case:
    case = pool(name, input, kernel, stride, padding, ceil_mode)
    return Case(f"avg_pool2d_{name}", "avg_pool2d", case.inputs, case.params)


def squeeze_excite(shape, reduced: int) -> Case:
    c = shape[1]
    inputs = {"input": shape, "fc1.weight": [reduced, c, 1, 1], "fc1.bias": [reduced]}
    return Case("squeeze_excite", "squeeze_excite", inputs | {"fc2.weight": [c, reduced, 1, 1], "fc2.bias": [c]})


def select(branches: int, shape) -> Case:
    n, c, _, _ = shape
    inputs = {f"branch{m}": shape for m in range(branches)} | {"logits": [n, branches, c]}
    return Case(f"select_m{branches}", "select", inputs, {"branches": branches})


def selective_kernel(name, input, channels, kernels, stride=1, groups=1, reduced=8, dilate=True, split=False) -> Case:
    """`kernels` are effective widths: 3x3 convolutions with dilation (k - 1) / 2, or true k x k if not `dilate`."""
    dilations = [(k - 1) // 2 if dilate else 1 for k in kernels]
    params = {
        "kernels": [3 if dilate else k for k in kernels],
        "dilations": dilations,
        "stride": stride,
        "groups": groups,
        "channels": channels,
        "reduced": reduced,
        "split_input": split,
    }
    case = Case(f"selective_kernel_{name}", "selective_kernel", {"input": input}, params)
    case.inputs |= {n: list(t.shape) for n, t in unit(case).state_dict().items() if t.is_floating_point()}
    return case


def unit(case: Case) -> SelectiveKernel:
    """timm's module for a selective_kernel case, with its own initial weights."""
    p = case.params
    dilated = p["dilations"] != [1] * len(p["dilations"])
    kernels = [2 * d + 1 for d in p["dilations"]] if dilated else p["kernels"]
    return SelectiveKernel(
        case.inputs["input"][1],
        p["channels"],
        kernel_size=kernels,
        stride=p["stride"],
        groups=p["groups"],
        rd_channels=p["reduced"],
        keep_3x3=dilated,
        split_input=p["split_input"],
    )


CASES = [
    conv("1x1", [2, 10, 7, 5], [6, 10, 1, 1]),
    conv("1x1_stride2", [1, 8, 9, 12], [12, 8, 1, 1], stride=2),
    conv("1x1_bias_groups3", [1, 9, 5, 4], [12, 3, 1, 1], bias=True, groups=3),
    conv("3x3", [2, 5, 11, 8], [7, 5, 3, 3], padding=1),
    conv("3x3_valid_bias", [1, 3, 8, 9], [4, 3, 3, 3], bias=True),
    conv("3x3_stride2", [1, 3, 17, 22], [8, 3, 3, 3], stride=2, padding=1),
    conv("7x7_stride2", [1, 3, 23, 30], [8, 3, 7, 7], stride=2, padding=3),
    conv("3x3_groups4", [2, 16, 9, 7], [16, 4, 3, 3], padding=1, groups=4),
    conv("3x3_groups4_dilation2", [2, 16, 9, 7], [16, 4, 3, 3], padding=2, dilation=2, groups=4),
    conv("3x3_groups2_dilation3_stride2", [1, 12, 15, 13], [8, 6, 3, 3], stride=2, padding=3, dilation=3, groups=2),
    conv("3x3_groups2_stride3", [1, 4, 16, 11], [6, 2, 3, 3], stride=3, padding=1, groups=2),
    conv("3x3_depthwise", [1, 13, 10, 9], [13, 1, 3, 3], padding=1, groups=13),
    conv("3x3_depthwise_stride2", [1, 13, 10, 9], [13, 1, 3, 3], stride=2, padding=1, groups=13),
    conv("3x3_depthwise_dilation2", [2, 10, 9, 12], [10, 1, 3, 3], padding=2, dilation=2, groups=10),
    conv("3x3_depthwise_dilation2_stride2", [1, 10, 9, 12], [10, 1, 3, 3], stride=2, padding=2, dilation=2, groups=10),
    conv("5x5_groups5", [1, 10, 9, 8], [10, 2, 5, 5], padding=2, groups=5),
    conv("3x3_wider_padding", [1, 2, 5, 6], [3, 2, 3, 3], padding=3),
    conv("3x3_one_pixel", [2, 6, 1, 1], [4, 6, 3, 3], padding=1),
    Case(
        "batch_norm",
        "batch_norm",
        {"input": [2, 7, 5, 6], "weight": [7], "bias": [7], "running_mean": [7], "running_var": [7]},
        {"eps": 1e-5},
    ),
    pool("padded", [2, 5, 12, 14]),
    pool("padded_odd", [1, 5, 11, 13]),
    pool("ceil", [2, 5, 12, 14], padding=0, ceil_mode=True),
    pool("ceil_odd", [1, 5, 11, 13], padding=0, ceil_mode=True),
    pool("ceil_mixed", [1, 3, 9, 16], padding=0, ceil_mode=True),
    average_pool("ceil", [2, 5, 12, 14]),
    average_pool("ceil_odd", [1, 5, 11, 13]),
    average_pool("padded", [1, 3, 9, 16], kernel=3, padding=1),
    average_pool("padded_floor", [1, 3, 9, 16], kernel=3, padding=1, ceil_mode=False),
    Case("sigmoid", "sigmoid", {"input": [2, 7, 5, 6]}),
    squeeze_excite([2, 10, 5, 7], 3),
    Case("global_avg_pool", "global_avg_pool", {"input": [2, 9, 7, 5]}),
    Case("linear", "linear", {"input": [3, 13], "weight": [11, 13], "bias": [11]}),
    Case("channel_shuffle_2", "channel_shuffle", {"input": [2, 10, 3, 4]}, {"groups": 2}),
    Case("channel_shuffle_3", "channel_shuffle", {"input": [1, 12, 2, 3]}, {"groups": 3}),
    select(1, [1, 5, 4, 3]),
    select(2, [2, 10, 5, 4]),
    select(3, [2, 7, 3, 5]),
    selective_kernel("m1", [1, 6, 7, 9], 6, [3], reduced=4),
    selective_kernel("m2", [2, 16, 9, 11], 16, [3, 5], groups=4),
    selective_kernel("m2_stride2", [1, 16, 12, 9], 16, [3, 5], stride=2, groups=4),
    selective_kernel("m2_depthwise", [2, 10, 13, 8], 10, [3, 5], groups=10),
    selective_kernel("m2_depthwise_stride2", [1, 10, 13, 8], 10, [3, 5], stride=2, groups=10),
    selective_kernel("m2_true5x5", [1, 8, 9, 9], 8, [3, 5], groups=2, dilate=False),
    selective_kernel("m3", [2, 12, 10, 7], 12, [3, 5, 7], groups=3, reduced=5),
    selective_kernel("m2_split", [2, 16, 9, 11], 16, [3, 5], split=True),
    selective_kernel("m2_split_widening_stride2", [1, 12, 11, 8], 20, [3, 5], stride=2, split=True),
    selective_kernel("m3_widening_stride2", [1, 8, 11, 15], 12, [3, 5, 7], stride=2, groups=4),
]


def run(case: Case) -> dict[str, torch.Tensor]:
    """The outputs of one case in float64, by name."""
    args = {n: torch.from_numpy(generator.fill(f"{case.name}.{n}", s)).double() for n, s in case.inputs.items()}
    p = case.params
    match case.op:
        case "conv2d":
            return {"output": F.conv2d(**args, **p)}
        case "batch_norm":
            order = ("input", "running_mean", "running_var", "weight", "bias")
            return {"output": F.batch_norm(*(args[n] for n in order), eps=p["eps"])}
        case "max_pool2d":
            return {"output": F.max_pool2d(args["input"], p["kernel"], p["stride"], p["padding"], 1, p["ceil_mode"])}
        case "avg_pool2d":
            pooling = (p["kernel"], p["stride"], p["padding"], p["ceil_mode"])
            return {"output": F.avg_pool2d(args["input"], *pooling, count_include_pad=False)}
        case "sigmoid":
            return {"output": args["input"].sigmoid()}
        case "squeeze_excite":
            input = args.pop("input")
            module = SEModule(input.shape[1], rd_channels=args["fc1.bias"].shape[0]).double().eval()
            module.load_state_dict(args)
            return {"output": module(input)}
        case "global_avg_pool":
            return {"output": args["input"].mean((2, 3))}
        case "linear":
            return {"output": F.linear(**args)}
        case "channel_shuffle":
            return {"output": channel_shuffle(args["input"], p["groups"])}
        case "select":
            attention = args["logits"].softmax(1)
            branches = torch.stack([args[f"branch{m}"] for m in range(p["branches"])], 1)
            return {"attention": attention, "output": (attention[..., None, None] * branches).sum(1)}
        case "selective_kernel":
            module = unit(case).double().eval()
            input = args.pop("input")
            missing, surplus = module.load_state_dict(args, strict=False)
            assert not surplus and all(n.endswith("num_batches_tracked") for n in missing)
            attention = []
            module.attn.register_forward_hook(lambda _, __, out: attention.append(out.flatten(2)))
            output = module(input)
            return {"attention": attention[0], "output": output}
    raise ValueError(f"unknown operator {case.op}")


def generate() -> None:
    """Writes tests/goldens/operators.safetensors."""
    outputs = {f"{c.name}.{n}": t for c in CASES for n, t in run(c).items()}
    goldens.write("operators", outputs, {"cases": [vars(c) for c in CASES]})
