"""Vehicles, signs and other things out of doors; see drawing_parts.py."""

import numpy as np
from drawing_parts import bar, both, bow, box, ellipse, outline, star


def car(r):
    roof = r.uniform(-0.5, -0.38)
    return [
        (1, outline((-0.6, -0.05), (-0.38, roof), (0.32, roof), (0.6, -0.05))),
        (1, box(-0.97, -0.05, 0.97, 0.38)),
        (3, outline((-0.4, -0.07), (-0.28, roof + 0.1), (-0.04, roof + 0.1), (-0.04, -0.07))),
        (3, outline((0.06, -0.07), (0.06, roof + 0.1), (0.25, roof + 0.1), (0.4, -0.07))),
        *both((2, ellipse(-0.52, 0.4, 0.23))),
        *both((0, ellipse(-0.52, 0.4, 0.09))),
    ]


def bus(r):
    top = r.uniform(-0.65, -0.55)
    return [
        (1, box(-0.95, top, 0.95, 0.45)),
        *[(3, box(x, top + 0.15, x + 0.32, -0.05)) for x in (-0.8, -0.4, 0.0)],
        (3, box(0.45, top + 0.15, 0.75, 0.45)),
        *both((2, ellipse(-0.5, 0.48, 0.2))),
    ]


def bicycle(r):
    wheel = r.uniform(0.34, 0.4)
    return [
        *both((1, bow(-0.55, 0.35, wheel, 0, 360, 0.09))),
        *[
            (2, bar(*ends, 0.09))
            for ends in (
                (-0.55, 0.35, -0.2, -0.25),
                (-0.2, -0.25, 0.4, -0.25),
                (0.55, 0.35, 0.35, -0.5),
                (-0.2, -0.25, 0.05, 0.35),
                (0.05, 0.35, 0.4, -0.25),
                (-0.55, 0.35, 0.05, 0.35),
            )
        ],
        (3, bar(-0.38, -0.36, -0.05, -0.36, 0.11)),
        (3, bar(0.15, -0.55, 0.5, -0.5, 0.09)),
    ]


def sailboat(r):
    hull = r.uniform(0.4, 0.5)
    return [
        (1, outline((-0.9, hull), (0.9, hull), (0.55, 0.92), (-0.55, 0.92))),
        (3, bar(0, -0.95, 0, hull, 0.08)),
        (2, outline((0.08, -0.9), (0.08, hull - 0.1), (0.8, hull - 0.1))),
        (2, outline((-0.08, -0.6), (-0.08, hull - 0.1), (-0.6, hull - 0.1))),
    ]


def rocket(r):
    width = r.uniform(0.26, 0.34)
    return [
        (2, outline((-width, 0.1), (-0.7, 0.75), (-width, 0.6))),
        (2, outline((width, 0.1), (0.7, 0.75), (width, 0.6))),
        (1, np.concatenate([ellipse(0, -0.2, width, 0.78, 180, 360), outline((width, 0.65), (-width, 0.65))])),
        (3, ellipse(0, -0.25, 0.15)),
        (3, outline((-0.18, 0.66), (0.18, 0.66), (0, 0.98))),
    ]


def aeroplane(r):
    sweep = r.uniform(0.15, 0.35)
    return [
        (1, ellipse(0, 0, 0.14, 0.95)),
        *both((2, outline((-0.08, -0.2), (-0.97, sweep), (-0.97, sweep + 0.18), (-0.08, 0.2)))),
        *both((2, outline((-0.05, 0.6), (-0.42, 0.82), (-0.42, 0.95), (-0.05, 0.82)))),
        (3, ellipse(0, -0.65, 0.08, 0.14)),
    ]


def balloon(r):
    size = r.uniform(0.54, 0.62)
    return [
        (1, ellipse(0, -0.35, size, 0.62)),
        (2, bar(-0.3, 0.15, -0.18, 0.65, 0.05)),
        (2, bar(0.3, 0.15, 0.18, 0.65, 0.05)),
        (3, box(-0.22, 0.62, 0.22, 0.95)),
        (2, ellipse(0, -0.35, 0.2, 0.62)),
    ]


def anchor(r):
    span = r.uniform(0.58, 0.68)
    return [
        (1, bar(0, -0.6, 0, 0.85, 0.14)),
        (2, bow(0, -0.72, 0.16, 0, 360, 0.1)),
        (1, bar(-0.4, -0.35, 0.4, -0.35, 0.13)),
        (1, bow(0, 0.25, span, 10, 170, 0.15)),
        *both((1, outline((-span - 0.22, 0.42), (-span + 0.18, 0.42), (-span - 0.02, 0.1)))),
    ]


def kite(r):
    cross = r.uniform(-0.3, -0.1)
    return [
        (1, outline((0, -0.98), (0.55, cross), (0, 0.55), (-0.55, cross))),
        (2, outline((0, -0.98), (0.55, cross), (0, cross))),
        (2, outline((0, cross), (-0.55, cross), (0, 0.55))),
        (3, bar(0, 0.55, 0.2, 0.75, 0.06)),
        (3, bar(0.2, 0.75, 0.0, 0.97, 0.06)),
    ]


def traffic_light(r):
    width = r.uniform(0.32, 0.4)
    return [
        (1, box(-width, -0.95, width, 0.6)),
        (2, box(-0.08, 0.6, 0.08, 0.97)),
        *[(3, ellipse(0, y, 0.19)) for y in (-0.66, -0.18, 0.3)],
    ]


def robot(r):
    head = r.uniform(0.4, 0.48)
    return [
        (2, bar(0, -0.6, 0, -0.95, 0.07)),
        (1, box(-head, -0.72, head, -0.1)),
        (1, box(-0.55, 0.0, 0.55, 0.7)),
        *both((3, box(-0.28, -0.52, -0.1, -0.34))),
        *both((2, box(-0.8, 0.05, -0.6, 0.55))),
        *both((2, box(-0.4, 0.72, -0.12, 0.97))),
        (3, box(-0.3, 0.2, 0.3, 0.45)),
    ]


def flag(r):
    wave = r.uniform(0.08, 0.2)
    return [
        (2, bar(-0.7, -0.95, -0.7, 0.97, 0.11)),
        (1, outline((-0.64, -0.9), (-0.1, -0.9 + wave), (0.9, -0.9), (0.9, 0.0), (-0.1, wave), (-0.64, 0.0))),
        (3, ellipse(0.12, -0.42, 0.22)),
    ]


def arrow(r):
    shaft = r.uniform(0.2, 0.3)
    return [
        (1, outline((-0.95, -shaft), (0.1, -shaft), (0.1, -0.65), (0.97, 0), (0.1, 0.65), (0.1, shaft), (-0.95, shaft)))
    ]


def gear(r):
    teeth = int(r.integers(7, 10))
    turns = np.arange(teeth) * 2 * np.pi / teeth
    return [
        *[(1, bar(0, 0, 0.95 * np.cos(t), 0.95 * np.sin(t), 0.26)) for t in turns],
        (1, ellipse(0, 0, 0.7)),
        (0, ellipse(0, 0, 0.28)),
    ]


def spiral(r):
    turns = np.linspace(0, r.uniform(4.6, 5.2) * np.pi, 90)
    radii = 0.08 + 0.85 * turns / turns[-1]
    centre = np.stack([radii * np.cos(turns), radii * np.sin(turns)], 1)
    return [(1, np.concatenate([centre * (1 + 0.05 / radii)[:, None], (centre * (1 - 0.05 / radii)[:, None])[::-1]]))]


def star_five(r):
    inner = r.uniform(0.38, 0.46)
    return [(1, star(5, inner))]


def heart(r):
    lobe = r.uniform(0.46, 0.52)
    return [*both((1, ellipse(-0.44, -0.35, lobe))), (1, outline((-0.86, -0.12), (0, -0.4), (0.86, -0.12), (0, 0.9)))]


def face(r):
    smile = r.uniform(0.4, 0.5)
    return [
        (1, ellipse(0, 0, 0.92)),
        *both((2, ellipse(-0.33, -0.25, 0.13, 0.17))),
        (2, bow(0, 0.08, smile, 15, 165, 0.12)),
    ]


def house(r):
    eaves = r.uniform(-0.25, 0.0)
    return [
        (1, box(-0.7, eaves, 0.7, 0.9)),
        (2, outline((-0.95, eaves), (0, -0.95), (0.95, eaves))),
        (3, box(-0.15, 0.35, 0.2, 0.9)),
        (3, box(-0.55, 0.2, -0.28, 0.5)),
        (3, box(0.32, 0.2, 0.58, 0.5)),
    ]


def ladder(r):
    width = r.uniform(0.26, 0.36)
    return [
        *both((1, bar(-width, -0.97, -width - 0.08, 0.97, 0.12))),
        *[(2, bar(-width, y, width, y, 0.1)) for y in (-0.7, -0.35, 0.0, 0.35, 0.7)],
    ]
