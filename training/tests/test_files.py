"""Preprocessing, evaluation, export, and the scale experiment's arithmetic."""

import json

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn
from torchvision.transforms.functional import pil_to_tensor

import augment
import data
import evaluate
import export
import model as models
import preprocess
import scale
import train as training


def photo(width, height, mode="RGB"):
    values = torch.randint(
        256, (height, width, len(mode)), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    return Image.fromarray(values.numpy(), mode)


def test_view_is_the_central_square():
    image = photo(90, 60)
    expected = image.resize((32, 32), Image.Resampling.BICUBIC, box=(30, 15, 60, 45))
    assert torch.equal(preprocess.view(image, 32, zoom=2), pil_to_tensor(expected))
    stack = torch.stack([preprocess.view(image, 64), preprocess.view(image, 64, 2)])
    assert torch.equal(preprocess.views(stack, 64), stack)


def test_photos_are_upright_opaque_and_not_huge(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(40, 30).save(tmp_path / "turned.png", exif=exif)
    assert preprocess.open_photo(tmp_path / "turned.png").size == (30, 40)
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    clear.save(tmp_path / "clear.png")
    assert preprocess.open_photo(tmp_path / "clear.png").getpixel((3, 3)) == (255, 255, 255)
    Image.new("RGB", (1600, 2000)).save(tmp_path / "large.png")
    assert preprocess.open_photo(tmp_path / "large.png").size == (800, 1000)


class Brightness(nn.Module):
    """Ten classes by mean brightness; the right one for images of one grey value."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        grey = (x * torch.tensor(augment.STD).view(1, 3, 1, 1) + torch.tensor(augment.MEAN).view(1, 3, 1, 1)).mean(
            (1, 2, 3)
        )
        return -(grey[:, None] * 10 - 0.5 - torch.arange(10)).abs() * self.scale


def test_accuracy_counts():
    labels = torch.arange(10).repeat(3)
    images = (labels * 25 + 12).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 64, 64).clone()
    right = evaluate.accuracy(Brightness(), data.Split(images, labels), 32, batch=7)
    assert (right.top1, right.top5, right.count) == (100, 100, 30)
    near = evaluate.accuracy(Brightness(), data.Split(images, (labels + 1).clamp(max=9)), 32)
    assert near.top1 == pytest.approx(10) and near.top5 == 100


@pytest.fixture
def run(tmp_path):
    """A run's averaged weights, untrained."""
    from dataclasses import asdict

    from safetensors.torch import save_file

    network = models.build(0.5, 3)
    about = {
        "recipe": json.dumps(asdict(training.Recipe(width=0.5))),
        "classes": '["n1", "n2", "n3"]',
        "labels": '["a", "b", "c"]',
        "epochs": "1.00",
        "commit": "abc",
    }
    path = tmp_path / "averaged.safetensors"
    save_file(network.state_dict(), path, about)
    return path, network


def test_export_writes_what_the_engine_reads(run, tmp_path, monkeypatch):
    path, network = run
    out = tmp_path / "out.safetensors"
    monkeypatch.setattr("sys.argv", ["export.py", str(path), str(out)])
    export.main()
    with safe_open(out, "pt") as file:
        about = file.metadata()
        types = {file.get_tensor(name).dtype for name in file.keys() if file.get_tensor(name).ndim > 1}
    assert types == {torch.float16}
    assert about["card"] == "out" and about["architecture"] == "sk_shufflenet_v2_x0_5" and about["num_classes"] == "3"
    assert about["input_size"] == "112" and about["mean"] == "0.485,0.456,0.406" and about["interpolation"] == "bicubic"
    assert (
        json.loads(about["labels"]) == ["a", "b", "c"] and about["commit"] == "abc" and "ImageNet" in about["licence"]
    )
    loaded, _ = evaluate.load(out)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(loaded(images), network.eval()(images), rtol=1e-2, atol=1e-2)


def test_averaged_weights_of_any_unit_are_evaluated_as_they_are(run, tmp_path):
    path, network = run
    loaded, about = evaluate.load(path)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(loaded(images), network.eval()(images))
    assert about["input_size"] == "112"

    from dataclasses import asdict

    from safetensors.torch import save_file

    wide = models.build(0.5, 3, kernels=(3, 5, 7), reduction=1)
    about = {"recipe": json.dumps(asdict(training.Recipe(width=0.5, kernels=(3, 5, 7), reduction=1, sizes=(64, 80))))}
    save_file(wide.state_dict(), tmp_path / "wide.safetensors", about)
    loaded, about = evaluate.load(tmp_path / "wide.safetensors")
    torch.testing.assert_close(loaded(images), wide.eval()(images))
    assert about["input_size"] == "80" and scale.Attention(loaded).differences(torch.zeros(1, 3, 64, 64)).shape == (1, 16)


def test_export_refuses_networks_that_the_engine_lacks(run):
    path, _ = run
    with safe_open(path, "pt") as file:
        about = file.metadata()
    recipe = json.loads(about["recipe"])
    with pytest.raises(SystemExit, match="sum"):
        export.metadata(about | {"recipe": json.dumps(recipe | {"unit": "sum"})}, "a")
    with pytest.raises(SystemExit, match="7"):
        export.metadata(about | {"recipe": json.dumps(recipe | {"kernels": [3, 5, 7]})}, "a")


def test_rows_of_the_scale_experiment():
    values = torch.tensor([[0.0, 0.1, 0.2], [0.0, -0.1, 0.1], [0.3, 0.2, 0.1], [0.0, 0.1, 0.3]])
    row = scale.summary(values)
    assert row.mean == pytest.approx([0.075, 0.075, 0.175]) and row.rise == pytest.approx(0.1)
    assert row.rising == 0.75 and row.monotone == 0.5
    differences = torch.stack([values, -values, values * 2], 2)
    rows = scale.table(differences, ["SK_2_1", "SK_3_1", "SK_4_1"])
    assert rows["stage 4"].rise == pytest.approx(0.2)
    assert rows["stages 2 and 3"].rise == pytest.approx(0)


def test_attention_of_forced_units_is_read_back():
    network = models.build(0.5, 3)
    for unit in models.sk_units(network).values():
        nn.init.zeros_(unit.attn.fc_select.weight)
    attention = scale.Attention(network)
    views = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    assert torch.equal(attention.differences(views), torch.zeros(2, 16))
    nn.init.ones_(network.stage3[1].branch2[3].attn.bn.bias)
    select = network.stage3[1].branch2[3].attn.fc_select.weight
    with torch.no_grad():
        select[: len(select) // 2], select[len(select) // 2 :] = -1, 1
    found = attention.differences(views)
    assert (found[:, 5] > 0.9).all() and (found[:, :5] == 0).all()


def test_control_has_the_same_sharpness_at_every_zoom():
    edge = Image.new("RGB", (64, 64))
    edge.paste("white", (32, 0, 64, 64))
    steepest = lambda zoom, through: scale.look(edge, 112, zoom, through).float().diff(dim=2).max().item()
    assert steepest(2, None) < 0.7 * steepest(1, None)
    assert steepest(2, 32) == pytest.approx(steepest(1, 32), rel=0.2)


def test_photos_come_from_folders_and_can_be_limited(tmp_path):
    for i, side in enumerate((50, 300, 400)):
        photo(side, side + 5).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no photo")
    photos = scale.Photos(tmp_path, None)
    assert len(photos) == 3 and photos.smallest_side() == 50
    photos.keep(224)
    assert [p.size[0] for p in photos] == [300, 400]
    assert len(scale.Photos(tmp_path, 1)) == 1
    with pytest.raises(SystemExit, match="pixels"):
        photos.keep(1000)
