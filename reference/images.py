"""Writes tests/fixtures/images: photos in many encodings and what Pillow makes of them.

    pip install pillow==13.0.0 scikit-image==0.26.0 numpy==2.4.6 imagecodecs==2026.3.6
    python reference/images.py

The photos come with scikit-image; tests/fixtures/images/README.md records sources and licences.
"""

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import PIL
from PIL import Image, ImageOps
from skimage import data

assert PIL.__version__ == "13.0.0", "the goldens belong to Pillow 13.0.0"
OUT = Path(__file__).resolve().parent.parent / "tests/fixtures/images"
ORIENTATION = 0x0112
# Stored pixels = upright pixels put through this.
STORE_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif(orientation):
    block = Image.Exif()
    block.endian = "<" if orientation % 2 else ">"
    block[ORIENTATION] = orientation
    return block


def stored(upright, orientation):
    operation = STORE_AS[orientation]
    return upright if operation is None else upright.transpose(operation)


def photo(name, width, height):
    return ImageOps.fit(Image.fromarray(getattr(data, name)()), (width, height), Image.Resampling.LANCZOS)


def cmyk(rgb):
    """Ink amounts with as much black as possible, so that all four channels matter."""
    values = np.asarray(rgb, dtype=int)
    black = 255 - values.max(axis=2, keepdims=True)
    inks = (255 - black - values) * 255 // np.maximum(255 - black, 1)
    return np.concatenate([inks, black], axis=2).clip(0, 255).astype(np.uint8)


def as_rgb(image):
    """What decoding must give: upright, over white, 8-bit RGB."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def write_golden(image, name):
    image.save(OUT / f"{name}.png", optimize=True)


def square_box(image, crop_pct, scale):
    side = crop_pct * min(image.size) / scale
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return (left, top, left + side, top + side)


def interlaced(image):
    """A PNG with Adam7 interlacing, which Pillow reads but does not write."""
    pixels = np.asarray(image)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in pixels[y::dy, x::dx] if row.size)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def write_photos():
    """The five photos of the acceptance test."""
    cat = photo("chelsea", 301, 201)
    stored(cat, 6).save(OUT / "rotated.jpg", quality=85, subsampling="4:2:0", exif=exif(6))
    photo("camera", 257, 255).save(OUT / "grey.jpg", quality=85)
    coffee = photo("coffee", 240, 160)
    y, x = np.mgrid[:160, :240]
    alpha = (255 - 1.6 * np.hypot(x - 120, y - 80)).clip(0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([np.asarray(coffee), alpha])).save(OUT / "alpha.png", optimize=True)
    Image.fromarray(cmyk(photo("astronaut", 200, 230)), "CMYK").save(OUT / "cmyk.jpg", quality=85)
    photo("rocket", 320, 213).save(OUT / "lossy.webp", quality=80)


def write_variants():
    """Small pictures for the remaining paths of the decoders."""
    face = photo("astronaut", 45, 33)
    pixels = np.asarray(face)
    y, x = np.mgrid[:33, :45]
    alpha = ((x * 6) % 256).astype(np.uint8)
    for sampling in ("4:4:4", "4:2:2"):
        name = sampling.replace(":", "")
        face.save(OUT / f"progressive{name}.jpg", quality=90, subsampling=sampling, progressive=True)
    face.save(OUT / "restart.jpg", quality=75, subsampling="4:2:0", restart_marker_blocks=2)
    face.save(OUT / "rgb.jpg", quality=90, keep_rgb=True)
    ycck = imagecodecs.jpeg8_encode(255 - cmyk(face), level=90, colorspace="CMYK", outcolorspace="YCCK")
    (OUT / "ycck.jpg").write_bytes(ycck)
    deep = pixels.astype(np.uint16) * 257 - x[..., None].astype(np.uint16) * (pixels > 0)
    (OUT / "rgb16.png").write_bytes(imagecodecs.png_encode(deep))
    Image.fromarray(deep[..., 1].copy()).save(OUT / "grey16.png")
    (OUT / "interlaced.png").write_bytes(interlaced(face))
    face.quantize(32).save(OUT / "palette.png", transparency=bytes(range(0, 256, 8)))
    face.convert("L").point(lambda value: value > 99, "1").save(OUT / "bilevel.png")
    Image.fromarray(np.dstack([pixels[..., 1], alpha]), "LA").save(OUT / "greyalpha.png")
    translucent = Image.fromarray(np.dstack([pixels, alpha]))
    translucent.save(OUT / "lossless.webp", lossless=True)
    translucent.save(OUT / "lossyalpha.webp", quality=80)
    frames = [face, ImageOps.invert(face)]
    for suffix in ("webp", "png"):
        frames[0].save(OUT / f"animated.{suffix}", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    for orientation in STORE_AS:
        stored(face.crop((18, 8, 27, 13)), orientation).save(OUT / f"orientation{orientation}.png", exif=exif(orientation))
    stored(face, 8).save(OUT / "orientation8.webp", exif=exif(8), lossless=True)


def write_goldens():
    sources = sorted(path for path in OUT.iterdir() if path.suffix in {".jpg", ".png", ".webp"})
    photos = {"rotated.jpg", "grey.jpg", "alpha.png", "cmyk.jpg", "lossy.webp"}
    for path in sources:
        image = as_rgb(Image.open(path))
        write_golden(image, f"golden/{path.name}")
        if path.name not in photos:
            continue
        for scale in (1, 1.37, 2):
            resized = image.resize((112, 112), Image.Resampling.BICUBIC, box=square_box(image, 0.875, scale))
            write_golden(resized, f"golden/{path.name}.zoom{scale}")
    cat = as_rgb(Image.open(OUT / "rotated.jpg"))
    for factor in (2, 3):
        write_golden(cat.reduce(factor), f"golden/rotated.jpg.reduce{factor}")
    # An input of 96 rows and 160 columns, the whole photo at zoom 1.25, towards the upper right corner.
    height = cat.width * 96 / 160 / 1.25
    width = cat.width / 1.25
    box = (cat.width - width, 0, cat.width, height)
    write_golden(cat.resize((160, 96), Image.Resampling.BILINEAR, box=box), "golden/rotated.jpg.corner")
    # A picture large enough to be reduced by 2, from a formula that the test repeats.
    x, y, c = np.meshgrid(np.arange(1633), np.arange(1541), np.arange(3), indexing="xy")
    large = Image.fromarray((((x * (c + 3) + y * (5 - c)) >> 3 ^ (x * y) >> 12) & 255).astype(np.uint8))
    working = large.reduce(min(large.size) // 768)
    resized = working.resize((112, 112), Image.Resampling.BICUBIC, box=square_box(working, 1, 1.37))
    write_golden(resized, "golden/large")


if __name__ == "__main__":
    for old in [*OUT.glob("*.*g"), *OUT.glob("*.webp"), *OUT.glob("golden/*")]:
        old.unlink()
    (OUT / "golden").mkdir(parents=True, exist_ok=True)
    write_photos()
    write_variants()
    write_goldens()
