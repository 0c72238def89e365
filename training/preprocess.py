"""From a picture to the network's input, exactly as the engine does it."""

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

LARGEST_SIDE = 768


def open_photo(path) -> Image.Image:
    """An upright RGB picture, over white where it is transparent, reduced by a whole factor if it is large."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        image = image.convert("RGB")
    return image.reduce(max(1, min(image.size) // LARGEST_SIDE))


def view(image: Image.Image, size: int, zoom: float = 1.0, crop_pct: float = 1.0) -> Tensor:
    """uint8 [3, size, size]: the central square of side crop_pct · shorter side / zoom, by PIL's bicubic resize."""
    side = crop_pct * min(image.size) / zoom
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = left, top, left + side, top + side
    return pil_to_tensor(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def views(images: Tensor, size: int, zoom: float = 1.0) -> Tensor:
    """The same for uint8 images [N, 3, h, w]: uint8 [N, 3, size, size]."""
    return torch.stack([view(Image.fromarray(image.permute(1, 2, 0).numpy()), size, zoom) for image in images])
