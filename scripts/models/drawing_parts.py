"""The parts of which objects are drawn: outlines [points, 2] in a square from -1 to 1, y downwards.

An object is a function of a random generator that gives its parts, painted one over the other. Each part is
(role, points): role 1 is the body, 2 and 3 are accents and 0 lets the background through. The generator
varies proportions; colour, place, size and turn are the renderer's and no object knows them."""

import numpy as np


def ellipse(x, y, radius_x, radius_y=None, start=0, end=360, count=28):
    angles = np.radians(np.linspace(start, end, count))
    return np.stack([x + radius_x * np.cos(angles), y + (radius_y or radius_x) * np.sin(angles)], 1)


def box(left, top, right, bottom):
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def outline(*points):
    return np.array(points, float)


def bar(x0, y0, x1, y1, width):
    """A thick straight line."""
    along = np.array([x1 - x0, y1 - y0], float)
    across = np.array([-along[1], along[0]]) / max(np.hypot(*along), 1e-9) * width / 2
    start, end = np.array([x0, y0]), np.array([x1, y1])
    return np.stack([start + across, end + across, end - across, start - across])


def bow(x, y, radius, start, end, width, squash=1.0):
    """A thick arc."""
    outer = ellipse(x, y, radius + width / 2, (radius + width / 2) * squash, start, end)
    inner = ellipse(x, y, radius - width / 2, (radius - width / 2) * squash, end, start)
    return np.concatenate([outer, inner])


def star(points, inner, turn=-90.0, radius=1.0):
    angles = np.radians(turn + np.arange(2 * points) * 180 / points)
    radii = np.where(np.arange(2 * points) % 2, inner * radius, radius)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)


def mirrored(part):
    role, points = part
    return role, points * [-1, 1]


def both(part):
    return [part, mirrored(part)]
