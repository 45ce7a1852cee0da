"""Golden pixels for the preprocessing of images, computed by Pillow and numpy, which share no code with the program but libjpeg and libwebp.

    python scripts/golden_images.py render FOLDER   makes the images and golden.json
    python scripts/golden_images.py values FOLDER   computes the values again from the images that are there, to standard output

The images are drawn from formulas, so nothing but Pillow 12 or newer and numpy is needed.
"""

import base64
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

KERNELS = {"nearest": Image.NEAREST, "linear": Image.BILINEAR, "cubic": Image.BICUBIC, "lanczos3": Image.LANCZOS}
PLAIN = {
    "resize": {"rule": "stretch", "kernel": "linear"},
    "background": [0, 0, 0],
    "colourOrder": "RGB",
    "scale": 1,
    "mean": [0, 0, 0],
    "deviation": [1, 1, 1],
    "layout": "NHWC",
}
EXACT = {"mean": 1e-6, "max": 1e-6}


def drawing(width, height):
    """A smooth gradient with a disc and a bar in it: every region and every channel differs."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 30 + 200 * x / max(1, width - 1)
    green = 220 - 190 * y / max(1, height - 1)
    blue = 128 + 90 * np.sin(x * 0.35) * np.cos(y * 0.3)
    pixels = np.stack([red, green, blue], axis=-1)
    disc = (x - width * 0.3) ** 2 + (y - height * 0.6) ** 2 < (height * 0.25) ** 2
    pixels[disc] = [240, 40, 90]
    pixels[:, int(width * 0.8) : int(width * 0.9)] = [10, 60, 200]
    return pixels.round().clip(0, 255).astype(np.uint8)


def png16(pixels):
    """Pillow writes no 16-bit colours; this does, for [height, width, channels] of uint16."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    body = b"".join(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def saved(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def images():
    """The files by their names."""
    small, middle, photograph = drawing(12, 8), drawing(96, 64), Image.fromarray(drawing(30, 20))
    rgb = Image.fromarray(small)
    alpha = np.linspace(0, 255, 96).round().astype(np.uint8).reshape(8, 12)
    rgba = Image.fromarray(np.dstack([small, alpha]))
    grey = rgb.convert("L")
    wide = small.astype(np.uint16) * 256 + (np.arange(288).reshape(8, 12, 3) * 37 % 256).astype(np.uint16)
    palette = rgb.quantize(16)
    files = {
        "rgb.png": saved(rgb, "PNG"),
        "rgba.png": saved(rgba, "PNG"),
        "grey.png": saved(grey, "PNG"),
        "grey-alpha.png": saved(Image.merge("LA", [grey, Image.fromarray(alpha)]), "PNG"),
        "one-bit.png": saved(rgb.convert("1"), "PNG"),
        "palette.png": saved(palette, "PNG"),
        "palette-transparent.png": saved(palette, "PNG", transparency=3),
        "rgb-16.png": png16(wide),
        "grey-16.png": png16(wide[:, :, :1]),
        "lossless.webp": saved(rgb, "WEBP", lossless=True, exif=exif(5)),
        "lossless-alpha.webp": saved(rgba, "WEBP", lossless=True, exact=True),
        "middle.png": saved(Image.fromarray(middle), "PNG"),
        "colours.jpg": saved(photograph, "JPEG", quality=95, subsampling=0, exif=exif(6)),
        "half-colours.jpg": saved(photograph, "JPEG", quality=85, subsampling=2),
        "progressive.jpg": saved(photograph, "JPEG", quality=85, progressive=True),
        "grey.jpg": saved(photograph.convert("L"), "JPEG", quality=90),
        "cmyk.jpg": saved(photograph.convert("CMYK"), "JPEG", quality=95),
        "lossy.webp": saved(photograph, "WEBP", quality=85),
    }
    for orientation in range(1, 9):
        files[f"orientation-{orientation}.png"] = saved(rgb, "PNG", exif=exif(orientation))
    return files


def cases():
    """Which image through which preprocessing, and how near the program has to come, in the units of the tensor."""
    listed = []

    def case(name, file, width, height, tolerance=EXACT, **changes):
        listed.append({"name": name, "file": file, "preprocessing": {**PLAIN, "width": width, "height": height, **changes}, "tolerance": tolerance})

    for file in ["rgb.png", "grey.png", "one-bit.png", "palette.png", "rgb-16.png", "grey-16.png"]:
        case(f"{file} as it is", file, 12, 8)
    for file in ["rgba.png", "grey-alpha.png", "palette-transparent.png", "lossless-alpha.webp"]:
        case(f"{file} on a background", file, 12, 8, background=[200, 100, 50])
    for orientation in range(1, 9):
        case(f"orientation {orientation}", f"orientation-{orientation}.png", *((12, 8) if orientation < 5 else (8, 12)))
    case("orientation 5 of a WebP", "lossless.webp", 8, 12)
    case("BGR", "rgb.png", 12, 8, colourOrder="BGR")
    case("NCHW", "rgb.png", 12, 8, layout="NCHW")
    means = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225]}
    case("mean and deviation of ImageNet", "rgb.png", 12, 8, layout="NCHW", **means)
    case("mean and deviation in the order of BGR", "rgb.png", 12, 8, colourOrder="BGR", **means)
    crop = {"rule": "cover", "kernel": "linear", "shorterSide": 8}
    for width, height in [(8, 8), (7, 7), (5, 8), (6, 3)]:
        case(f"the middle {width} x {height} of 12 x 8", "rgb.png", width, height, resize=crop)
    case("contained without resizing", "rgb.png", 12, 13, resize={"rule": "contain", "kernel": "linear"}, background=[1, 2, 3])
    jpeg = {"mean": 0.01, "max": 1}
    case("JPEG with an orientation", "colours.jpg", 20, 30, jpeg)
    case("JPEG with halved colours", "half-colours.jpg", 30, 20, jpeg)
    case("progressive JPEG", "progressive.jpg", 30, 20, jpeg)
    case("grey JPEG", "grey.jpg", 30, 20, jpeg)
    case("lossy WebP", "lossy.webp", 30, 20, jpeg)
    # libvips halves an image before it weighs pixels, where it becomes much smaller; Pillow does not.
    resized = {"mean": 1, "max": 10}
    for kernel in KERNELS:
        case(f"smaller, {kernel}", "middle.png", 24, 24, resized, resize={"rule": "stretch", "kernel": kernel})
        case(f"larger, {kernel}", "rgb.png", 32, 24, resize={"rule": "stretch", "kernel": kernel})
    case("larger, cover", "rgb.png", 19, 20, resize={"rule": "cover", "kernel": "linear"})
    case("larger, contain", "rgb.png", 20, 21, resize={"rule": "contain", "kernel": "lanczos3"}, background=[124, 116, 104])
    case("cover", "middle.png", 24, 24, resized, resize={"rule": "cover", "kernel": "linear"})
    case("cover, upright", "middle.png", 14, 28, resized, resize={"rule": "cover", "kernel": "linear"})
    case("cover, shorter side first", "middle.png", 24, 24, resized, resize={"rule": "cover", "kernel": "linear", "shorterSide": 29})
    case("contain", "middle.png", 24, 24, resized, resize={"rule": "contain", "kernel": "linear"}, background=[124, 116, 104])
    case("contain, odd", "middle.png", 21, 30, resized, resize={"rule": "contain", "kernel": "cubic"}, background=[124, 116, 104])
    case("JPEG, smaller", "half-colours.jpg", 16, 16, resized, resize={"rule": "stretch", "kernel": "lanczos3"})
    # Pillow takes no colour profile into account; inverted or swapped inks would be further off than this.
    case("CMYK JPEG", "cmyk.jpg", 30, 20, {"mean": 25, "max": 110})
    return listed


def opened(path, background):
    """Upright, 8-bit RGB; transparency in integers, rounded down."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA")).astype(np.uint32)
        alpha = pixels[:, :, 3:]
        flat = (pixels[:, :, :3] * alpha + np.array(background, np.uint32) * (255 - alpha)) // 255
        return Image.fromarray(flat.astype(np.uint8))
    return image.convert("RGB")


def placed(image, preprocessing):
    width, height, resize = preprocessing["width"], preprocessing["height"], preprocessing["resize"]
    kernel = KERNELS[resize["kernel"]]
    if resize["rule"] == "stretch":
        return image.resize((width, height), kernel)
    if resize["rule"] == "contain":
        # As PIL.ImageOps.pad.
        inner = ImageOps.contain(image, (width, height), kernel)
        outer = Image.new("RGB", (width, height), tuple(preprocessing["background"]))
        outer.paste(inner, (round((width - inner.width) / 2), round((height - inner.height) / 2)))
        return outer
    # As torchvision.transforms.Resize and CenterCrop, and the same where the target is no square.
    side = resize.get("shorterSide")
    fit_width, fit_height = (side, side) if side else (width, height)
    if image.width * fit_height <= image.height * fit_width:
        size = (fit_width, image.height * fit_width // image.width)
    else:
        size = (image.width * fit_height // image.height, fit_height)
    image = image.resize(size, kernel)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    return image.crop((left, top, left + width, top + height))


def tensor(folder, case):
    preprocessing = case["preprocessing"]
    pixels = np.asarray(placed(opened(folder / case["file"], preprocessing["background"]), preprocessing)).astype(np.float64)
    if preprocessing["colourOrder"] == "BGR":
        pixels = pixels[:, :, ::-1]
    values = (pixels * preprocessing["scale"] - np.array(preprocessing["mean"])) / np.array(preprocessing["deviation"])
    return values.transpose(2, 0, 1) if preprocessing["layout"] == "NCHW" else values


def with_values(folder):
    """Bytes where every value is a whole one, float32 (little-endian) elsewhere; both in base64."""
    result = []
    for case in cases():
        values = tensor(folder, case)
        type = "uint8" if case["preprocessing"]["scale"] == 1 else "float32"
        result.append({**case, "type": type, "values": base64.b64encode(values.astype("<f4" if type == "float32" else type).tobytes()).decode()})
    return "[\n" + ",\n".join(json.dumps(case) for case in result) + "\n]"


if __name__ == "__main__":
    mode, folder = sys.argv[1], Path(sys.argv[2])
    if mode == "render":
        for name, content in images().items():
            (folder / name).write_bytes(content)
        (folder / "golden.json").write_text(with_values(folder) + "\n")
    else:
        print(with_values(folder))
