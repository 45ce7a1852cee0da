"""Animals, plants and the sky; see drawing_parts.py."""

import numpy as np
from drawing_parts import bar, both, bow, box, ellipse, outline


def tree(r):
    crown = r.uniform(0.58, 0.7)
    return [
        (2, box(-0.13, 0.0, 0.13, 0.98)),
        (1, ellipse(0, -0.35, crown)),
        (1, ellipse(-0.38, -0.1, 0.36)),
        (1, ellipse(0.38, -0.1, 0.36)),
    ]


def pine(r):
    width = r.uniform(0.55, 0.7)
    return [(2, box(-0.1, 0.5, 0.1, 0.98))] + [
        (1, outline((-width * scale, base), (0, base - 0.75), (width * scale, base)))
        for base, scale in ((0.65, 1.0), (0.22, 0.8), (-0.2, 0.6))
    ]


def fish(r):
    belly = r.uniform(0.38, 0.52)
    return [
        (2, outline((0.4, 0), (0.98, -0.5), (0.85, 0), (0.98, 0.5))),
        (1, ellipse(-0.15, 0, 0.75, belly)),
        (2, outline((-0.2, -belly * 0.9), (0.1, -belly - 0.3), (0.3, -belly * 0.7))),
        (0, ellipse(-0.58, -0.1, 0.09)),
        (3, bow(-0.55, 0, 0.3, -50, 50, 0.07)),
    ]


def cat(r):
    ear = r.uniform(0.85, 1.0)
    return [
        *both((1, outline((-0.72, -0.1), (-0.68, -ear), (-0.15, -0.5)))),
        (1, ellipse(0, 0.12, 0.76, 0.68)),
        *both((2, ellipse(-0.3, -0.02, 0.13, 0.17))),
        (3, outline((-0.1, 0.25), (0.1, 0.25), (0, 0.38))),
        *both((3, bar(-0.25, 0.36, -0.95, 0.25, 0.05))),
        *both((3, bar(-0.25, 0.44, -0.95, 0.52, 0.05))),
    ]


def rabbit(r):
    ear = r.uniform(0.42, 0.5)
    return [
        *both((1, ellipse(-0.26, -0.5, 0.16, ear))),
        *both((2, ellipse(-0.26, -0.5, 0.07, ear * 0.7))),
        (1, ellipse(0, 0.4, 0.58, 0.54)),
        *both((3, ellipse(-0.22, 0.28, 0.08, 0.1))),
        (3, ellipse(0, 0.52, 0.08, 0.06)),
        (2, box(-0.1, 0.64, 0.1, 0.82)),
    ]


def bear(r):
    ear = r.uniform(0.24, 0.3)
    return [
        *both((1, ellipse(-0.55, -0.55, ear))),
        *both((2, ellipse(-0.55, -0.55, ear * 0.55))),
        (1, ellipse(0, 0.1, 0.8, 0.75)),
        (2, ellipse(0, 0.4, 0.36, 0.28)),
        (3, ellipse(0, 0.28, 0.14, 0.1)),
        *both((3, ellipse(-0.3, -0.08, 0.09))),
    ]


def butterfly(r):
    wing = r.uniform(0.38, 0.46)
    return [
        *both((1, ellipse(-0.5, -0.35, wing, 0.48))),
        *both((1, ellipse(-0.42, 0.42, 0.34, 0.38))),
        *both((2, ellipse(-0.52, -0.35, 0.2, 0.24))),
        (3, ellipse(0, 0.05, 0.1, 0.75)),
        *both((3, bar(0, -0.6, -0.25, -0.98, 0.06))),
    ]


def snail(r):
    shell = r.uniform(0.52, 0.6)
    return [
        (2, outline((-0.95, 0.8), (-0.85, 0.2), (-0.62, 0.2), (-0.5, 0.6), (0.95, 0.8))),
        (1, ellipse(0.15, 0.1, shell)),
        (3, bow(0.15, 0.1, 0.36, 0, 300, 0.1)),
        (3, bow(0.12, 0.1, 0.14, 0, 300, 0.1)),
        (2, bar(-0.8, 0.3, -0.95, -0.15, 0.07)),
        (2, bar(-0.7, 0.3, -0.6, -0.15, 0.07)),
    ]


def flower(r):
    petals = int(r.integers(5, 8))
    turns = np.arange(petals) * 2 * np.pi / petals
    return [
        (3, bar(0, 0.1, 0, 0.98, 0.11)),
        (3, ellipse(0.3, 0.7, 0.28, 0.1)),
        *[(1, ellipse(0.4 * np.cos(t), -0.3 + 0.4 * np.sin(t), 0.27)) for t in turns],
        (2, ellipse(0, -0.3, 0.22)),
    ]


def tulip(r):
    top = r.uniform(-0.98, -0.85)
    return [
        (2, bar(0, 0, 0, 0.98, 0.11)),
        (2, outline((0, 0.9), (-0.55, 0.1), (-0.3, 0.75))),
        (2, outline((0, 0.9), (0.55, 0.1), (0.3, 0.75))),
        (
            1,
            outline(
                (-0.5, top),
                (-0.22, -0.5),
                (0, top),
                (0.22, -0.5),
                (0.5, top),
                (0.48, -0.2),
                (0.25, 0.12),
                (-0.25, 0.12),
                (-0.48, -0.2),
            ),
        ),
    ]


def mushroom(r):
    stem = r.uniform(0.2, 0.28)
    return [
        (2, outline((-stem, 0), (stem, 0), (stem * 1.3, 0.9), (-stem * 1.3, 0.9))),
        (1, ellipse(0, 0.05, 0.9, 0.9, 180, 360)),
        (3, ellipse(-0.4, -0.25, 0.14)),
        (3, ellipse(0.1, -0.5, 0.16)),
        (3, ellipse(0.48, -0.2, 0.12)),
    ]


def apple(r):
    lean = r.uniform(0.0, 0.15)
    return [
        (1, ellipse(-0.3, 0.22, 0.52, 0.66)),
        (1, ellipse(0.3, 0.22, 0.52, 0.66)),
        (2, bar(0, -0.3, lean, -0.9, 0.1)),
        (3, ellipse(0.35, -0.65, 0.3, 0.14)),
    ]


def cherries(r):
    size = r.uniform(0.3, 0.36)
    return [
        (2, bar(-0.45, 0.5, 0.2, -0.85, 0.08)),
        (2, bar(0.5, 0.55, 0.2, -0.85, 0.08)),
        (1, ellipse(-0.45, 0.55, size)),
        (1, ellipse(0.5, 0.6, size)),
        (3, ellipse(0.5, -0.8, 0.34, 0.15)),
    ]


def carrot(r):
    width = r.uniform(0.3, 0.4)
    return [
        (1, outline((-width, -0.35), (width, -0.35), (0, 0.98))),
        *[(2, bar(0, -0.3, x, -0.95, 0.12)) for x in (-0.35, 0, 0.35)],
        (3, bar(-width * 0.8, -0.1, 0, -0.1, 0.06)),
        (3, bar(0, 0.2, width * 0.55, 0.2, 0.06)),
    ]


def sun(r):
    rays = int(r.integers(8, 12))
    turns = np.arange(rays) * 2 * np.pi / rays
    return [
        *[(2, bar(0.5 * np.cos(t), 0.5 * np.sin(t), 0.95 * np.cos(t), 0.95 * np.sin(t), 0.11)) for t in turns],
        (1, ellipse(0, 0, 0.5)),
        *both((3, ellipse(-0.17, -0.1, 0.07))),
        (3, bow(0, 0.05, 0.22, 20, 160, 0.07)),
    ]


def moon(r):
    bite = r.uniform(0.3, 0.45)
    return [
        (1, ellipse(0, 0, 0.9)),
        (0, ellipse(bite, -0.12, 0.74)),
        (2, ellipse(-0.62, 0.1, 0.1)),
        (2, ellipse(-0.4, 0.55, 0.08)),
    ]


def cloud(r):
    top = r.uniform(0.42, 0.5)
    return [
        (1, ellipse(-0.5, 0.05, 0.36)),
        (1, ellipse(0, -0.2, top)),
        (1, ellipse(0.52, 0.05, 0.34)),
        (1, box(-0.5, 0.02, 0.52, 0.4)),
        *[(2, bar(x, 0.52, x - 0.12, 0.92, 0.08)) for x in (-0.4, 0.02, 0.44)],
    ]


def snowflake(r):
    twig = r.uniform(0.2, 0.3)
    parts = []
    for turn in np.arange(6) * np.pi / 3:
        x, y = np.cos(turn), np.sin(turn)
        parts.append((1, bar(0, 0, 0.95 * x, 0.95 * y, 0.09)))
        for side in (-1, 1):
            branch = turn + side * 0.8
            parts.append(
                (1, bar(0.55 * x, 0.55 * y, 0.55 * x + twig * np.cos(branch), 0.55 * y + twig * np.sin(branch), 0.08))
            )
    return parts


def snowman(r):
    head = r.uniform(0.28, 0.34)
    return [
        (1, ellipse(0, 0.48, 0.5)),
        (1, ellipse(0, -0.22, head + 0.06)),
        (3, box(-0.34, -0.52, 0.34, -0.44)),
        (3, box(-0.2, -0.92, 0.2, -0.46)),
        *both((2, ellipse(-0.12, -0.3, 0.06))),
        *[(2, ellipse(0, y, 0.06)) for y in (0.25, 0.5, 0.75)],
    ]
