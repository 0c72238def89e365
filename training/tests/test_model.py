"""The model against torchvision's and timm's own parts, and against published counts."""

from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import load_file
from timm.layers import SelectiveKernel
from torch import nn

import evaluate
import model as models

SHIPPED = Path(models.__file__).parents[1] / "models" / "sk_shufflenet_v2_x1_0.tiny200.safetensors"


def from_libraries(classes):
    """1.0×, put together here from the two libraries alone."""
    network = torchvision.models.shufflenet_v2_x1_0(num_classes=classes)
    for name, stride_two_channels in (("stage2", 58), ("stage3", 116), ("stage4", 232)):
        for index, block in enumerate(getattr(network, name)):
            c, stride = stride_two_channels, 2 if index == 0 else 1
            block.branch2[3] = SelectiveKernel(c, c, stride=stride, groups=c, split_input=False, rd_channels=32)
            block.branch2[4] = nn.Identity()
    return network


def test_shipped_file_loads_into_the_libraries_parts_and_ours():
    state = load_file(SHIPPED)
    reference = from_libraries(200)
    missing, surplus = reference.load_state_dict(state, strict=False)
    assert not surplus and all(name.endswith("num_batches_tracked") for name in missing)
    ours, metadata = evaluate.load(SHIPPED)
    assert metadata["architecture"] == "sk_shufflenet_v2_x1_0"
    images = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference.eval()(images), rtol=1e-4, atol=1e-4)


def test_parameter_names_and_shapes_are_the_libraries():
    shapes = lambda network: {name: tuple(value.shape) for name, value in network.state_dict().items()}
    ours = shapes(models.build(1.0, 1000))
    assert ours == shapes(from_libraries(1000))
    assert ours["stage2.0.branch2.3.paths.1.conv.weight"] == (58, 1, 3, 3)
    assert ours["stage4.3.branch2.3.attn.fc_select.weight"] == (464, 32, 1, 1)
    assert shapes(models.build(1.0, 1000, "plain")) == shapes(torchvision.models.shufflenet_v2_x1_0())


@pytest.mark.parametrize(
    ("width", "classes", "unit", "size", "parameters", "macs"),
    [
        (0.5, 1000, "sk", 224, 1_460_264, 42_083_488),
        (1.0, 1000, "sk", 224, 2_503_044, 148_791_672),
        (1.5, 1000, "sk", 224, 3_843_624, 301_651_872),
        (1.0, 200, "sk", 112, 1_683_044, 40_764_004),
        (0.5, 1000, "plain", 224, 1_366_792, None),
        (1.0, 1000, "plain", 224, 2_278_604, None),
    ],
)
def test_counts(width, classes, unit, size, parameters, macs):
    found = models.count(models.build(width, classes, unit), size)
    assert found[0] == parameters and macs in (None, found[1])


def test_variants_change_what_they_say():
    inner = lambda network: [unit.attn.fc_reduce.out_channels for unit in models.sk_units(network).values()]
    assert inner(models.build()) == [32] * 16
    assert inner(models.build(reduction=4)) == [32] * 12 + [58] * 4
    dilations = [path.conv.dilation[0] for path in models.build(kernels=(3, 5, 7)).stage2[0].branch2[3].paths]
    assert dilations == [1, 2, 3]
    images = torch.randn(2, 3, 64, 64)
    for unit in models.UNITS:
        assert models.build(classes=7, unit=unit).eval()(images).shape == (2, 7)
    with pytest.raises(ValueError, match="wide"):
        models.build(unit="wide")
    with pytest.raises(ValueError, match="0.7"):
        models.build(width=0.7)


def test_units_have_the_papers_names():
    names = list(models.sk_units(models.build()))
    assert len(names) == 16 and names[0] == "SK_2_1" and names[4] == "SK_3_1" and names[-1] == "SK_4_4"


def test_initial_weights_depend_on_the_generator_alone():
    first, second, other = models.build(), models.build(), models.build()
    for network, seed in ((first, 0), (second, 0), (other, 1)):
        models.initialise(network, torch.Generator().manual_seed(seed))
    same = lambda a, b: all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values()))
    assert same(first, second) and not same(first, other)
    depthwise = first.stage4[0].branch2[3].paths[0].conv.weight
    assert depthwise.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.1)
