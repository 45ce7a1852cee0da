"""All objects by name, in the order on which the seeds of their images rest, and glyphs, which have no name."""

import drawn_household
import drawn_nature
import drawn_outdoors
import numpy as np
from drawing_parts import bow, box, ellipse, star

OBJECTS = {
    function.__name__.replace("_", "-"): function
    for function in (
        drawn_outdoors.house,
        drawn_nature.tree,
        drawn_nature.pine,
        drawn_nature.fish,
        drawn_nature.cat,
        drawn_nature.rabbit,
        drawn_nature.bear,
        drawn_nature.butterfly,
        drawn_nature.snail,
        drawn_nature.flower,
        drawn_nature.tulip,
        drawn_nature.mushroom,
        drawn_nature.apple,
        drawn_nature.cherries,
        drawn_nature.carrot,
        drawn_household.ice_cream,
        drawn_outdoors.car,
        drawn_outdoors.bus,
        drawn_outdoors.bicycle,
        drawn_outdoors.sailboat,
        drawn_outdoors.rocket,
        drawn_outdoors.aeroplane,
        drawn_outdoors.balloon,
        drawn_household.umbrella,
        drawn_household.cup,
        drawn_household.bottle,
        drawn_household.goblet,
        drawn_household.teapot,
        drawn_household.key,
        drawn_household.padlock,
        drawn_household.hammer,
        drawn_household.glasses,
        drawn_household.clock,
        drawn_household.bulb,
        drawn_household.candle,
        drawn_household.envelope,
        drawn_household.book,
        drawn_outdoors.flag,
        drawn_household.crown,
        drawn_household.top_hat,
        drawn_household.chair,
        drawn_household.table,
        drawn_outdoors.ladder,
        drawn_nature.sun,
        drawn_nature.moon,
        drawn_nature.cloud,
        drawn_nature.snowflake,
        drawn_outdoors.star_five,
        drawn_outdoors.heart,
        drawn_outdoors.arrow,
        drawn_outdoors.gear,
        drawn_outdoors.spiral,
        drawn_outdoors.anchor,
        drawn_outdoors.kite,
        drawn_household.bell,
        drawn_nature.snowman,
        drawn_outdoors.face,
        drawn_outdoors.traffic_light,
        drawn_outdoors.robot,
    )
}


def glyph(number: int):
    """An object nobody has a name for: two to five simple parts, always the same for a number."""
    fixed = np.random.default_rng([7301, number])
    recipes = []
    for part in range(int(fixed.integers(2, 6))):
        kind = int(fixed.integers(0, 6))
        role = 1 if part == 0 else int(fixed.integers(0, 4))
        spread = 0.15 if part == 0 else 0.5
        place = fixed.uniform(-spread, spread, 2)
        size = fixed.uniform(0.5, 0.8, 2) if part == 0 else fixed.uniform(0.14, 0.48, 2)
        turn, corners, depth = fixed.uniform(0, np.pi), int(fixed.integers(3, 8)), fixed.uniform(0.3, 0.7)
        points = simple_outline(kind, corners, depth, fixed.normal(0, 0.16, 4), fixed.uniform(0, 2 * np.pi, 4))
        cosine, sine = np.cos(turn), np.sin(turn)
        recipes.append((role, points, size, np.array([[cosine, sine], [-sine, cosine]]), place))

    def draw(r):
        return [
            (role, (points * (size * r.uniform(0.92, 1.08, 2))) @ turned + place + r.uniform(-0.03, 0.03, 2))
            for role, points, size, turned, place in recipes
        ]

    return draw


def simple_outline(kind, corners, depth, waves, phases):
    if kind == 0:
        return ellipse(0, 0, 1)
    if kind == 1:
        return box(-0.8, -0.8, 0.8, 0.8)
    if kind == 2:
        return star(corners, depth)
    if kind == 3:
        return star(corners, np.cos(np.pi / corners))
    if kind == 4:
        return bow(0, 0, 0.8, 0, 140 + 220 * depth, 0.35)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = 0.8 + sum(w * np.cos((k + 2) * angles + phase) for k, (w, phase) in enumerate(zip(waves, phases)))
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
