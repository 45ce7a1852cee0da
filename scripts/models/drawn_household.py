"""Things found at home; see drawing_parts.py."""

import numpy as np
from drawing_parts import bar, both, bow, box, ellipse, outline


def ice_cream(r):
    ball = r.uniform(0.42, 0.5)
    return [
        (2, outline((-0.45, -0.1), (0.45, -0.1), (0, 0.98))),
        (1, ellipse(0, -0.4, ball)),
        (3, bar(-0.3, 0.2, 0.2, -0.1, 0.05)),
        (3, bar(-0.12, 0.6, 0.38, 0.05, 0.05)),
        (3, ellipse(0, -0.88, 0.11)),
    ]


def umbrella(r):
    top = r.uniform(0.8, 0.95)
    return [
        (2, bar(0, -0.8, 0, 0.7, 0.09)),
        (2, bow(0.17, 0.7, 0.17, 0, 180, 0.09)),
        (1, ellipse(0, 0.05, 0.95, top, 180, 360)),
        *[(0, ellipse(x, 0.08, 0.31, 0.16)) for x in (-0.63, 0.0, 0.63)],
        (2, bar(0, -0.1, 0, 0.3, 0.09)),
        (3, bar(0, -0.82, -0.32, 0, 0.05)),
        (3, bar(0, -0.82, 0.32, 0, 0.05)),
    ]


def cup(r):
    base = r.uniform(0.36, 0.46)
    return [
        (1, bow(0.55, 0.1, 0.3, -95, 95, 0.14)),
        (1, outline((-0.7, -0.5), (0.52, -0.5), (base, 0.75), (-base - 0.15, 0.75))),
        (2, ellipse(-0.09, -0.5, 0.61, 0.13)),
        (3, box(-0.85, 0.78, 0.7, 0.9)),
    ]


def bottle(r):
    neck = r.uniform(0.13, 0.18)
    return [
        (
            1,
            outline(
                (-neck, -0.75),
                (neck, -0.75),
                (neck, -0.35),
                (0.36, -0.1),
                (0.36, 0.95),
                (-0.36, 0.95),
                (-0.36, -0.1),
                (-neck, -0.35),
            ),
        ),
        (2, box(-neck - 0.04, -0.98, neck + 0.04, -0.75)),
        (3, box(-0.36, 0.2, 0.36, 0.65)),
    ]


def goblet(r):
    bowl = r.uniform(0.48, 0.58)
    return [
        (1, np.concatenate([outline((-bowl, -0.9), (bowl, -0.9)), ellipse(0, -0.45, bowl * 0.95, 0.5, 0, 180)])),
        (1, bar(0, 0, 0, 0.85, 0.12)),
        (2, box(-0.42, 0.82, 0.42, 0.95)),
        (3, ellipse(0, -0.4, bowl * 0.8, 0.36, 0, 180)),
    ]


def teapot(r):
    body = r.uniform(0.46, 0.54)
    return [
        (1, bow(0.6, 0.15, 0.28, -100, 100, 0.11)),
        (1, outline((-0.4, 0.35), (-0.95, -0.25), (-0.8, -0.32), (-0.35, 0.0))),
        (1, ellipse(0, 0.2, 0.6, body)),
        (2, ellipse(0, -0.2, 0.36, 0.14)),
        (3, ellipse(0, -0.4, 0.1)),
    ]


def key(r):
    head = r.uniform(0.3, 0.36)
    return [
        (1, bow(-0.58, 0, head - 0.06, 0, 360, 0.2)),
        (1, bar(-0.3, 0, 0.95, 0, 0.14)),
        (2, box(0.5, 0, 0.62, 0.35)),
        (2, box(0.8, 0, 0.92, 0.42)),
    ]


def padlock(r):
    bow_radius = r.uniform(0.34, 0.42)
    return [
        (2, bow(0, -0.1, bow_radius, 180, 360, 0.15, 1.7)),
        (1, box(-0.62, -0.1, 0.62, 0.9)),
        (3, ellipse(0, 0.3, 0.13)),
        (3, box(-0.06, 0.3, 0.06, 0.65)),
    ]


def hammer(r):
    head = r.uniform(0.14, 0.2)
    return [
        (2, bar(0, -0.6, 0, 0.97, 0.16)),
        (1, box(-0.55, -0.62 - head, 0.45, -0.62 + head)),
        (3, outline((0.45, -0.62 - head), (0.9, -0.45), (0.45, -0.62 + head))),
    ]


def glasses(r):
    lens = r.uniform(0.3, 0.36)
    return [
        *both((1, bow(-0.48, 0.1, lens, 0, 360, 0.1))),
        (1, bow(0, 0.1, 0.14, 180, 360, 0.08)),
        *both((2, bar(-0.8, 0.0, -0.98, -0.4, 0.08))),
        *both((3, ellipse(-0.48, 0.1, lens - 0.08))),
    ]


def clock(r):
    hour, minute = r.uniform(0, 2 * np.pi, 2)
    return [
        (1, ellipse(0, 0, 0.92)),
        (2, ellipse(0, 0, 0.76)),
        (3, bar(0, 0, 0.42 * np.cos(hour), 0.42 * np.sin(hour), 0.11)),
        (3, bar(0, 0, 0.66 * np.cos(minute), 0.66 * np.sin(minute), 0.08)),
        *[(3, ellipse(0.66 * np.cos(t), 0.66 * np.sin(t), 0.05, count=8)) for t in np.arange(12) * np.pi / 6],
    ]


def bulb(r):
    size = r.uniform(0.54, 0.62)
    return [
        (1, ellipse(0, -0.3, size)),
        (1, outline((-0.4, 0.05), (0.4, 0.05), (0.24, 0.5), (-0.24, 0.5))),
        *[(2, box(-0.24, y, 0.24, y + 0.11)) for y in (0.5, 0.66, 0.82)],
        (3, outline((-0.2, -0.3), (-0.08, -0.1), (0, -0.3), (0.08, -0.1), (0.2, -0.3), (0.05, 0.35), (-0.05, 0.35))),
    ]


def candle(r):
    width = r.uniform(0.2, 0.28)
    return [
        (1, box(-width, -0.2, width, 0.8)),
        (2, box(-0.55, 0.78, 0.55, 0.95)),
        (2, bar(0, -0.2, 0, -0.4, 0.06)),
        (3, outline((0, -0.98), (0.17, -0.55), (0.1, -0.38), (-0.1, -0.38), (-0.17, -0.55))),
    ]


def envelope(r):
    fold = r.uniform(0.0, 0.2)
    return [
        (1, box(-0.95, -0.6, 0.95, 0.6)),
        (2, outline((-0.95, -0.6), (0.95, -0.6), (0, fold))),
        (3, bar(-0.95, -0.6, 0, fold, 0.06)),
        (3, bar(0.95, -0.6, 0, fold, 0.06)),
    ]


def book(r):
    sag = r.uniform(0.12, 0.22)
    page = outline((0, -0.5), (-0.5, -0.5 - sag), (-0.95, -0.5), (-0.95, 0.55), (-0.5, 0.55 - sag), (0, 0.6))
    return [
        *both((1, page)),
        (2, bar(0, -0.5, 0, 0.6, 0.08)),
        *[part for y in (-0.35, -0.12, 0.11) for part in both((3, bar(-0.8, y, -0.2, y, 0.07)))],
    ]


def crown(r):
    valley = r.uniform(-0.1, 0.1)
    return [
        (1, outline((-0.9, 0.7), (-0.9, -0.55), (-0.45, valley), (0, -0.8), (0.45, valley), (0.9, -0.55), (0.9, 0.7))),
        (2, box(-0.9, 0.45, 0.9, 0.7)),
        (3, ellipse(0, -0.8, 0.12)),
        *both((3, ellipse(-0.88, -0.6, 0.12))),
    ]


def top_hat(r):
    height = r.uniform(0.65, 0.85)
    return [
        (1, ellipse(0, 0.5, 0.95, 0.2)),
        (1, outline((-0.52, 0.5), (-0.58, -height), (0.58, -height), (0.52, 0.5))),
        (2, box(-0.53, 0.12, 0.53, 0.36)),
    ]


def chair(r):
    back = r.uniform(-0.95, -0.8)
    return [
        (2, bar(-0.45, back, -0.45, 0.95, 0.12)),
        (2, bar(0.5, 0.1, 0.5, 0.95, 0.12)),
        (1, box(-0.52, 0.02, 0.58, 0.22)),
        (1, box(-0.5, back, -0.3, 0.1)),
        (3, bar(-0.45, 0.62, 0.5, 0.62, 0.07)),
    ]


def table(r):
    height = r.uniform(-0.45, -0.3)
    return [
        *both((2, bar(-0.7, height, -0.75, 0.85, 0.13))),
        (1, box(-0.97, height - 0.1, 0.97, height + 0.1)),
        (3, box(-0.3, height + 0.1, 0.3, height + 0.35)),
    ]


def bell(r):
    flare = r.uniform(0.7, 0.82)
    return [
        (3, ellipse(0, 0.72, 0.18)),
        (
            1,
            outline(
                (-flare, 0.62),
                (-0.5, 0.3),
                (-0.44, -0.3),
                (-0.2, -0.68),
                (0.2, -0.68),
                (0.44, -0.3),
                (0.5, 0.3),
                (flare, 0.62),
            ),
        ),
        (2, bow(0, -0.78, 0.12, 0, 360, 0.09)),
        (2, box(-flare, 0.5, flare, 0.64)),
    ]
