"""Writes tests/goldens/figure3.json: figure 3 of the paper for a photo, in PyTorch with Pillow.

`python figure3.py`. See README.md."""

import json

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import goldens
import networks
from generate import BUNDLED
from networks import NETWORKS

# Without loss: decoders of JPEG differ by more than the engines do.
PHOTO = "tests/fixtures/images/golden/rotated.jpg.png"
ZOOMS = (1.0, 1.5, 2.0)
WORKING_SIDE = 768
GROUP = 16
MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))


def view(image: Image.Image, zoom: float, size: int) -> torch.Tensor:
    """[1, 3, size, size] of the central square."""
    side = min(image.size) / zoom
    left, top = ((extent - side) / 2 for extent in image.size)
    pixels = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return torch.from_numpy((np.asarray(pixels) / 255 - MEAN) / STD).permute(2, 0, 1)[None]


def main() -> None:
    torch.set_num_threads(1)
    image = Image.open(goldens.ROOT / PHOTO).convert("RGB")
    image = image.reduce(max(1, min(image.size) // WORKING_SIDE))
    with safe_open(BUNDLED, "pt") as file:
        size = int(file.metadata()["input_size"])
    state = load_file(BUNDLED)
    model = NETWORKS["sk_shufflenet_v2_x1_0"].build(len(state["fc.bias"]))
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict(counters | {name: value.float() for name, value in state.items()})
    model = model.eval().double()
    attention = {}
    for name, path in networks.sk_units(model).items():
        unit = model.get_submodule(path)
        unit.attn.register_forward_hook(lambda _, __, a, name=name: attention.setdefault(name, []).append(a[0, :, :, 0, 0]))
    with torch.no_grad():
        for zoom in ZOOMS:
            model(view(image, zoom, size))
    units = {
        name: {
            "differences": [(a[1] - a[0]).mean().item() for a in found],
            "means": [[part.mean().item() for part in a[1].split(GROUP)] for a in found],
        }
        for name, found in attention.items()
    }
    golden = {"photo": PHOTO, "zooms": ZOOMS, "units": units}
    (goldens.ROOT / "tests" / "goldens" / "figure3.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
