#!/usr/bin/python3
"""Writes tests/golden/images/*.safetensors: pictures as files, and what PIL and
torchvision make of them (tools/install pytorch brings both).

pictures   <name>.file: the bytes; <name>.pixels: PIL's convert("RGB")
crops      <name>.box [top, left, height, width], .size, .draft (the eighths PIL
           decodes at), .image: PIL's bytes of that part, resized
colors     planes, and what torchvision's functional changes make of them
"""

import io
import os
import struct
import sys
import zlib

import numpy
import torch
from PIL import Image
from torchvision.transforms import functional

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import safetensors_file  # noqa: E402

OUT = os.path.join(HERE, "images")
HEIGHT, WIDTH = 43, 61


def picture(height, width, seed):
    """Slow waves, a disc with a hard edge and a little noise: u8 [h, w, 3]."""
    draw = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[:height, :width].astype(numpy.float64)
    planes = []
    for c in range(3):
        wave = numpy.sin(x / (9 + 3 * c)) * numpy.cos(y / (7 + 2 * c))
        disc = ((x - width * 0.4) ** 2 + (y - height * 0.5) ** 2) < (height * 0.3) ** 2
        planes.append(120 + 70 * wave + (50 - 40 * c) * disc)
    made = numpy.stack(planes, -1) + draw.normal(0, 4, (height, width, 3))
    return numpy.clip(made, 0, 255).astype(numpy.uint8)


def saved(image, kind, **options):
    to = io.BytesIO()
    image.save(to, kind, **options)
    return to.getvalue()


def chunk(name, body):
    return (struct.pack(">I", len(body)) + name + body
            + struct.pack(">I", zlib.crc32(name + body)))


def png_16(values):
    """PIL writes no 16-bit colours. values: u16 [h, w, 3 or 1]"""
    height, width, channels = values.shape
    color = {1: 0, 3: 2}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def png_interlaced(pixels):
    """Adam7, which PIL does not write either. pixels: u8 [h, w, 3]"""
    height, width, _ = pixels.shape
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
                           (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for row in pixels[y0::dy, x0::dx]:
            rows += b"\0" + row.tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def files():
    rgb = Image.fromarray(picture(HEIGHT, WIDTH, 1))
    made = {}
    for name, subsampling in ("444", 0), ("422", 1), ("420", 2):
        made[f"jpeg_{name}"] = saved(rgb, "JPEG", quality=90, subsampling=subsampling)
    made["jpeg_progressive"] = saved(rgb, "JPEG", quality=80, progressive=True)
    made["jpeg_grey"] = saved(rgb.convert("L"), "JPEG", quality=85)
    made["jpeg_cmyk"] = saved(rgb.convert("CMYK"), "JPEG", quality=90)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: nobody looks at it
    made["jpeg_exif"] = saved(rgb, "JPEG", quality=90, exif=turned)
    made["png_rgb"] = saved(rgb, "PNG")
    made["png_palette"] = saved(rgb.quantize(40), "PNG")
    seen = rgb.quantize(40)
    made["png_palette_alpha"] = saved(seen, "PNG", transparency=3)
    alpha = Image.fromarray(picture(HEIGHT, WIDTH, 2)).convert("L")
    with_alpha = rgb.copy()
    with_alpha.putalpha(alpha)
    made["png_alpha"] = saved(with_alpha, "PNG")
    made["png_grey"] = saved(rgb.convert("L"), "PNG")
    made["png_grey_alpha"] = saved(with_alpha.convert("LA"), "PNG")
    made["png_one_bit"] = saved(rgb.convert("1"), "PNG")
    made["png_rgb_16"] = png_16(numpy.asarray(rgb).astype(numpy.uint16) * 257 - 77)
    made["png_interlaced"] = png_interlaced(numpy.asarray(rgb))
    return made


def make_pictures():
    tensors = {}
    for name, data in files().items():
        tensors[f"{name}.file"] = numpy.frombuffer(data, numpy.uint8)
        pixels = Image.open(io.BytesIO(data)).convert("RGB")
        tensors[f"{name}.pixels"] = numpy.asarray(pixels)
    # Of 16-bit grey we take the upper byte; PIL would clip.
    grey = numpy.asarray(Image.fromarray(picture(HEIGHT, WIDTH, 3)).convert("L"))
    wide = grey[..., None].astype(numpy.uint16) * 256 + 99
    tensors["png_grey_16.file"] = numpy.frombuffer(png_16(wide), numpy.uint8)
    tensors["png_grey_16.pixels"] = numpy.repeat(grey[..., None], 3, axis=2)
    rgb = Image.fromarray(picture(HEIGHT, WIDTH, 1))
    tensors["luminance"] = numpy.asarray(rgb.convert("L"))
    tensors["luminance.of"] = numpy.asarray(rgb)
    return tensors


def crop_of(data, box, size, eighths):
    """As docs/data.md has it: the part of the picture decoded at `eighths`."""
    image = Image.open(io.BytesIO(data))
    full = image.size
    if eighths < 8:
        image.draft("RGB", (full[0] * eighths // 8, full[1] * eighths // 8))
    image = image.convert("RGB")
    assert image.size == tuple(-(-x * eighths // 8) for x in full), image.size
    top, left, height, width = (x * eighths / 8 for x in box)
    edge = [int(left), int(top), min(int(numpy.ceil(left + width)), image.size[0]),
            min(int(numpy.ceil(top + height)), image.size[1])]
    part = image.crop(edge)
    inner = (left - edge[0], top - edge[1], left - edge[0] + width, top - edge[1] + height)
    return numpy.asarray(part.resize(size[::-1], Image.BILINEAR, box=inner))


def make_crops():
    photo = saved(Image.fromarray(picture(151, 211, 4)), "JPEG", quality=85)
    tensors = {"file": numpy.frombuffer(photo, numpy.uint8)}
    cases = {
        "smaller": ([11, 31, 90, 83], (24, 32), 4),
        "much_smaller": ([0, 0, 151, 211], (17, 19), 1),
        "a_little_smaller": ([40, 50, 61, 55], (48, 40), 8),
        "larger": ([100, 150, 21, 17], (32, 30), 8),
        "corner": ([141, 205, 10, 6], (8, 8), 8),
        "quarter": ([3, 5, 145, 203], (36, 50), 2),
    }
    for name, (box, size, eighths) in cases.items():
        tensors[f"{name}.box"] = numpy.array(box, numpy.int32)
        tensors[f"{name}.eighths"] = numpy.array([eighths], numpy.int32)
        tensors[f"{name}.image"] = crop_of(photo, box, size, eighths)
        if eighths == 8:  # then it is torchvision's
            full = Image.open(io.BytesIO(photo)).convert("RGB")
            same = functional.resized_crop(full, *box, list(size))
            assert (numpy.asarray(same) == tensors[f"{name}.image"]).all()
    middle = Image.open(io.BytesIO(photo)).convert("RGB")
    middle = functional.center_crop(functional.resize(middle, 115), [100, 101])
    tensors["middle.image"] = numpy.asarray(middle)
    return tensors


def make_colors():
    planes = torch.from_numpy(picture(20, 24, 5)).permute(2, 0, 1) / 255.0
    planes[:, 0, :4] = 0.25  # grey, where hue is not defined
    planes[:, 1, :4] = 0.0
    planes[:, 2, :4] = 1.0
    tensors = {"planes": planes.numpy()}
    for name, change, factors in (
            ("brightness", functional.adjust_brightness, (0.4, 1.7)),
            ("contrast", functional.adjust_contrast, (0.3, 1.8)),
            ("saturation", functional.adjust_saturation, (0.0, 1.9)),
            ("hue", functional.adjust_hue, (-0.5, -0.17, 0.31))):
        for factor in factors:
            tensors[f"{name}={factor}"] = change(planes, factor).numpy()
    mixed = functional.adjust_hue(planes, 0.1)
    mixed = functional.adjust_contrast(mixed, 1.2)
    mixed = functional.adjust_brightness(mixed, 0.9)
    tensors["mixed"] = functional.adjust_saturation(mixed, 0.7).numpy()
    one = planes[:1]
    mixed = functional.adjust_contrast(functional.adjust_brightness(one, 1.3), 0.6)
    tensors["one_channel"] = mixed.numpy()
    return tensors


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    for name, make in (("pictures", make_pictures), ("crops", make_crops),
                       ("colors", make_colors)):
        safetensors_file.write(os.path.join(OUT, f"{name}.safetensors"), make())
