"""Renders the images on which the visual models learn and are judged. What is shown (an object, a glyph, a
texture) is the class; colours, place, size, turn, background, light and noise are drawn from the same
distributions for every class, so that they tell nothing about it."""

import numpy as np
from drawn_objects import OBJECTS, glyph
from PIL import Image, ImageDraw

GLYPHS = 90


def grid(angle, frequency, phase, size):
    """Coordinates of a turned and scaled plane, in periods of the texture."""
    axis = (np.arange(size) / size - 0.5) * frequency
    cosine, sine = np.cos(angle), np.sin(angle)
    return axis[None, :] * cosine + axis[:, None] * sine + phase[0], axis[:, None] * cosine - axis[
        None, :
    ] * sine + phase[1]


def part_of(x):
    return x - np.floor(x)


def bricks(u, v):
    row = np.floor(v * 1.6)
    return (part_of(v * 1.6) < 0.14) | (part_of(u * 0.8 + 0.5 * (row % 2)) < 0.08)


def scales(u, v):
    row = np.floor(v * 1.4)
    x, y = part_of(u + 0.5 * (row % 2)) - 0.5, part_of(v * 1.4)
    return np.abs(np.hypot(x, y) - 0.5) < 0.09


def hexagons(u, v):
    def nearest(a, b):
        return np.hypot(part_of(a) - 0.5, (part_of(b) - 0.5) * 1.7320508)

    return np.abs(nearest(u, v / 1.7320508) - nearest(u + 0.5, v / 1.7320508 + 0.5)) < 0.11


# What is True takes the first accent's colour and the rest the body's; a generator varies the share.
TEXTURES = {
    "stripes": lambda u, v, share: part_of(u) < share,
    "checks": lambda u, v, share: (part_of(u) < 0.5) ^ (part_of(v) < 0.5),
    "dots": lambda u, v, share: np.hypot(part_of(u) - 0.5, part_of(v) - 0.5) < share * 0.7,
    "waves": lambda u, v, share: part_of(v + 0.28 * np.sin(u * 3.6)) < share,
    "zigzag": lambda u, v, share: part_of(v + 0.55 * np.abs(part_of(u * 0.7) * 2 - 1)) < share,
    "bricks": lambda u, v, share: bricks(u, v),
    "rings": lambda u, v, share: part_of(np.hypot(u, v)) < share,
    "lattice": lambda u, v, share: (part_of(u) < share * 0.4) | (part_of(v) < share * 0.4),
    "scales": lambda u, v, share: scales(u, v),
    "triangles": lambda u, v, share: part_of(v) < 1 - np.abs(part_of(u) * 2 - 1),
    "crosses": lambda u, v, share: (
        ((np.abs(part_of(u) - 0.5) < 0.1) & (np.abs(part_of(v) - 0.5) < 0.34))
        | ((np.abs(part_of(v) - 0.5) < 0.1) & (np.abs(part_of(u) - 0.5) < 0.34))
    ),
    "hexagons": lambda u, v, share: hexagons(u, v),
    "rays": lambda u, v, share: part_of(np.arctan2(v, u) * 7 / np.pi) < share,
    "basket": lambda u, v, share: np.where(
        (np.floor(u) + np.floor(v)) % 2 == 0, part_of(u * 3) < share, part_of(v * 3) < share
    ),
}
CLASSES = [*OBJECTS, *TEXTURES, *(f"glyph-{number}" for number in range(GLYPHS))]
DRAWINGS = {**OBJECTS, **{f"glyph-{number}": glyph(number) for number in range(GLYPHS)}}


def colours(r):
    """Background, body and two accents: any colours, if only they can be told apart."""
    chosen = [r.uniform(0, 1, 3)]
    for threshold in (0.45, 0.35, 0.35):
        for _ in range(30):
            colour = r.uniform(0, 1, 3)
            others = chosen if len(chosen) < 3 else chosen[1:2]
            if min(np.linalg.norm(colour - other) for other in others) > threshold:
                break
        chosen.append(colour)
    return np.array(chosen)


def enlarge(array, size):
    """Smooth enlargement of a small field."""
    return np.asarray(Image.fromarray(array.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC))


def background(r, colour, size):
    """[size, size, 3]: flat, a gradient, blotches or faint scribble, around a colour."""
    kind = int(r.integers(0, 4))
    field = np.broadcast_to(colour, (size, size, 3)).copy()
    if kind == 1:
        angle = r.uniform(0, 2 * np.pi)
        axis = np.arange(size) / size - 0.5
        field += ((axis[None, :] * np.cos(angle) + axis[:, None] * np.sin(angle)) * r.uniform(0.2, 0.5))[
            ..., None
        ] * r.uniform(-1, 1, 3)
    elif kind == 2:
        count = int(r.integers(3, 9))
        field += enlarge(r.normal(0, 0.12, (count, count)), size)[..., None] * r.uniform(0.4, 1, 3)
    elif kind == 3:
        canvas = Image.new("L", (size, size))
        pen = ImageDraw.Draw(canvas)
        for _ in range(int(r.integers(3, 9))):
            ends = [float(value) for value in r.uniform(0, size, 4)]
            pen.line(ends, fill=255, width=int(r.integers(1, 1 + max(2, size // 20))))
        field += (np.asarray(canvas, np.float32) / 255)[..., None] * r.uniform(-0.2, 0.2, 3)
    return field


def roles(parts, r, size):
    """[size, size] of part roles: the object turned, scaled and set somewhere in the frame."""
    angle, scale = r.uniform(-0.35, 0.35), r.uniform(0.5, 0.92)
    flip = r.choice([-1.0, 1.0])
    room = max(0.0, 1.02 - scale)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine * flip, sine * flip], [-sine, cosine]]) * scale * [1, r.uniform(0.88, 1.14)]
    place = r.uniform(-room, room, 2)
    canvas = Image.new("L", (size, size))
    pen = ImageDraw.Draw(canvas)
    for role, points in parts:
        pen.polygon(((points @ turn + place + 1) * (size / 2)).ravel().tolist(), fill=role)
    return np.asarray(canvas)


def coarse(field):
    """Each two by two neighbours become one: the edges of what was drawn at twice the size are smooth then."""
    return (field[0::2, 0::2] + field[1::2, 0::2] + field[0::2, 1::2] + field[1::2, 1::2]) * np.float32(0.25)


def render(name: str, seed, size: int, noise: bool = True) -> np.ndarray:
    """uint8 [size, size, 3] of a class; equal arguments give equal bytes."""
    r = np.random.default_rng(seed)
    palette = colours(r).astype(np.float32)
    if name in TEXTURES:
        u, v = grid(
            r.uniform(0, 2 * np.pi),
            r.uniform(3.0, 7.0),
            r.uniform(-0.5, 0.5, 2) * (1 if name in ("rings", "rays") else 8),
            2 * size,
        )
        field = coarse(palette[np.where(TEXTURES[name](u, v, r.uniform(0.35, 0.6)), 2, 1)])
    else:
        index = roles(DRAWINGS[name](r), r, 2 * size)
        seen = coarse((index == 0).astype(np.float32))[..., None]
        field = background(r, palette[0], size) * seen + coarse(
            np.concatenate([[[0, 0, 0]], palette[1:]]).astype(np.float32)[index]
        )
    shadow = enlarge(r.normal(0, 0.08, (3, 3)), size)[..., None]
    field = field * (np.float32(r.uniform(0.75, 1.15)) + shadow) + np.float32(r.uniform(-0.06, 0.06))
    grain = r.uniform(0, 0.07) if r.random() < 0.7 else 0.0
    if noise and grain > 0:
        field = field + r.standard_normal(field.shape, np.float32) * np.float32(grain)
    return (np.clip(field, 0, 1) * 255 + 0.5).astype(np.uint8)


def render_many(names, per_class: int, size: int, purpose: int):
    """`per_class` images of every class, [count, size, size, 3], and their class numbers.

    No `purpose` (training, a probe, …) shares an image with another."""
    images = np.stack(
        [render(name, [purpose, CLASSES.index(name), item], size) for name in names for item in range(per_class)]
    )
    return images, np.repeat(np.arange(len(names)), per_class)
