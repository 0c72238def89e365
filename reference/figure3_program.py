# pip install timm torchvision safetensors pillow
import numpy as np
import torch
import torchvision
from timm.layers import SelectiveKernel
from PIL import Image, ImageOps
from safetensors import safe_open

PHOTO = "rotated.jpg.png"
WEIGHTS = "sk_shufflenet_v2_x1_0.tiny200.safetensors"
ZOOMS = [1, 1.5, 2]
CENTER = (0.5, 0.5)  # of the photo, right and down
SIZE = (112, 112)  # height and width of the network's input
CROP = 1  # what is seen at zoom 1, of the photo's shorter side
CLASSES = 200
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
UNITS = {
    "SK_2_1": "stage2.0.branch2.3",
    "SK_2_2": "stage2.1.branch2.3",
    "SK_2_3": "stage2.2.branch2.3",
    "SK_2_4": "stage2.3.branch2.3",
    "SK_3_1": "stage3.0.branch2.3",
    "SK_3_2": "stage3.1.branch2.3",
    "SK_3_3": "stage3.2.branch2.3",
    "SK_3_4": "stage3.3.branch2.3",
    "SK_3_5": "stage3.4.branch2.3",
    "SK_3_6": "stage3.5.branch2.3",
    "SK_3_7": "stage3.6.branch2.3",
    "SK_3_8": "stage3.7.branch2.3",
    "SK_4_1": "stage4.0.branch2.3",
    "SK_4_2": "stage4.1.branch2.3",
    "SK_4_3": "stage4.2.branch2.3",
    "SK_4_4": "stage4.3.branch2.3",
}

model = torchvision.models.shufflenet_v2_x1_0(num_classes=CLASSES)
# An SK unit in place of every main branch's depthwise 3x3 convolution.
for block in [*model.stage2, *model.stage3, *model.stage4]:
    depthwise = block.branch2[3]
    c = depthwise.out_channels
    block.branch2[3] = SelectiveKernel(
        c, c, stride=depthwise.stride[0], groups=c, split_input=False, rd_channels=max(c // 16, 32)
    )
    block.branch2[4] = torch.nn.Identity()
with safe_open(WEIGHTS, "pt") as weights:
    state = {name: weights.get_tensor(name).float() for name in weights.keys()}
missing, unexpected = model.load_state_dict(state, strict=False)
assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), "these are other weights"
model.eval()

attention = {}  # of every unit, [branch, channel]
for name, path in UNITS.items():
    model.get_submodule(path).attn.register_forward_hook(
        lambda _, inputs, output, name=name: attention.update({name: output[0, :, :, 0, 0]})
    )

photo = ImageOps.exif_transpose(Image.open(PHOTO)).convert("RGB")
photo = photo.reduce(max(1, min(photo.size) // 768))


def seen(zoom):
    """What the network sees, [1, 3, height, width]."""
    (width, height), (rows, columns) = photo.size, SIZE
    scale = min(width / columns, height / rows) * CROP / zoom
    box = []
    for extent, side, middle in ((width, columns * scale, CENTER[0]), (height, rows * scale, CENTER[1])):
        start = min(max(middle * extent - side / 2, 0), extent - side)
        box.append((start, min(start + side, extent)))
    (left, right), (top, bottom) = box
    pixels = photo.resize((columns, rows), Image.Resampling.BICUBIC, box=(left, top, right, bottom))
    values = (np.asarray(pixels) / 255 - MEAN) / STD
    return torch.from_numpy(values).float().permute(2, 0, 1)[None]


for zoom in ZOOMS:
    with torch.no_grad():
        probabilities = model(seen(zoom))[0].softmax(0)
    print(f"zoom {zoom}")
    for index in probabilities.argsort(descending=True)[:5].tolist():
        print(f"  class {index}: {probabilities[index]:.4f}")
    for name, shares in attention.items():
        print(f"  {name}: {(shares[-1] - shares[0]).mean():+.4f}")
