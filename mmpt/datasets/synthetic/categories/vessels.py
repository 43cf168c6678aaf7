"""Mugs, bottles, vases, flower pots and a bathtub: turned and hollowed things."""

from __future__ import annotations

import math

from ..assembly import Assembly
from ..seeds import Draws


def _inner(profile, wall, floor, rim):
    """The hollow of a turned vessel: the profile moved inwards by ``wall``, from ``floor`` up through the ``rim``."""
    inside = [(max(0.01, r - wall), h) for r, h in profile if h > floor + 1e-3]
    # The hollow's foot takes the radius the profile has just above the floor.
    first = next(i for i, (_, h) in enumerate(profile) if h > floor + 1e-3)
    (r0, h0), (r1, h1) = profile[first - 1], profile[first]
    foot = r0 + (r1 - r0) * (floor - h0) / (h1 - h0)
    top = inside[-1][0]
    return [(max(0.01, foot - wall), floor), *inside, (top, rim + 0.05)]


def _handle(a, d, inner, top, bottom, reach, part):
    """A grip from (inner, top) to (inner, bottom): an ear, a D or a bracket."""
    r, style, mid = d(0.02, 0.045), d.below(3), 0.5 * (top + bottom)
    half = 0.5 * (top - bottom)
    if style == 0:
        turns = (0.5 * math.pi - math.pi * i / 6 for i in range(7))
        path = [(inner + reach * math.cos(t), mid + half * math.sin(t), 0.0) for t in turns]
    elif style == 1:
        path = [(inner, top, 0), (inner + reach, top, 0), (inner + reach, bottom, 0), (inner, bottom, 0)]
    else:
        path = [
            (inner, top, 0),
            (inner + reach, top - 0.1 * half, 0),
            (inner + 0.8 * reach, mid - 0.3 * half, 0),
            (inner, bottom, 0),
        ]
    a.tube(path, r, part=part, group=1)


def mug(d: Draws) -> Assembly:
    """Straight, tapering, bellied or many-sided, with an ear, D or bracket handle; a saucer, a lid, a spoon."""
    a = Assembly()
    body, handle, extra = range(3)
    radius, height = d(0.28, 0.5), d(0.5, 1.15)
    foot, belly = radius * d(0.6, 1.05), radius * d(0.85, 1.25)
    wall = d(0.03, 0.07)
    profile = [
        (foot, 0),
        (0.5 * (foot + belly), 0.2 * height),
        (belly, 0.5 * height),
        (radius, 0.85 * height),
        (radius, height),
    ]
    a.lathe(profile, part=body)
    a.lathe(_inner(profile, wall, d(0.04, 0.1), height), part=body, carve=True)
    if d.chance(0.3):
        a.ring((0, height, 0), radius - 0.5 * wall, 0.7 * wall, part=body)
    sides = 2 if d.chance(0.1) else 1
    state = d(0.12, 0.4), height * d(0.75, 0.92), height * d(0.12, 0.35)
    if d.chance(0.93):
        _handle(a, d, radius - 0.4 * wall, state[1], state[2], state[0], handle)
    if sides == 2:
        _handle(a, d, -radius + 0.4 * wall, state[1], state[2], -state[0], handle)
    extras = d.unit()
    if extras < 0.18:
        a.cone((0, -0.06, 0), (0, 0.0, 0), radius * d(0.7, 1.0), radius * d(1.4, 1.9), part=extra, group=1)
    elif extras < 0.3:
        a.cone((0, height - 0.02, 0), (0, height + 0.06, 0), radius * 1.03, radius * 0.8, part=extra, group=1)
        a.ball((0, height + 0.1, 0), 0.06, part=extra, group=1)
    elif extras < 0.4:
        a.cone((0, 0.1, 0), (radius * 0.9, height * 1.35, 0), 0.02, part=extra, group=1)
    return a


def bottle(d: Draws) -> Assembly:
    """Round or square; slope, shoulder or waist; short or long neck; screw cap, cork, pump, or open; a label band."""
    a = Assembly()
    body, neck, cap = range(3)
    radius, height = d(0.16, 0.36), d(0.7, 1.2)
    shoulder, throat = height * d(0.45, 0.8), radius * d(0.22, 0.6)
    start = shoulder + (height - shoulder) * d(0.15, 0.7)
    style = d.unit()
    if style < 0.25:
        deep = radius * d(0.5, 1.0)
        a.blob((0, 0.5 * shoulder, 0), (2 * radius, 1.08 * shoulder, 2 * deep), d(0.12, 0.3), d(0.2, 0.5), part=body)
        a.cone((0, 0.97 * shoulder, 0), (0, start, 0), 0.85 * min(radius, deep), throat, part=body)
    else:
        waist = radius * (d(0.7, 0.95) if style > 0.7 else 1.0)
        profile = [(0.9 * radius, 0), (radius, 0.06 * shoulder), (waist, d(0.3, 0.6) * shoulder), (radius, shoulder)]
        if d.chance(0.5):
            profile += [(0.88 * radius, shoulder + 0.45 * (start - shoulder)), (throat, start)]
        else:
            profile += [(0.6 * (radius + throat), shoulder + 0.5 * (start - shoulder)), (throat, start)]
        a.lathe(profile, part=body)
    a.cone((0, start, 0), (0, height, 0), throat, throat * d(0.8, 1.0), part=neck)
    if d.chance(0.4):
        a.ring((0, height * 0.98, 0), throat, 0.025, part=neck)
    top = d.unit()
    if top < 0.35:
        girth = throat * d(1.05, 1.5)
        a.cone((0, height - 0.04, 0), (0, height + d(0.03, 0.15), 0), girth, girth * d(0.8, 1.0), part=cap)
    elif top < 0.5:
        a.cone((0, height, 0), (0, height + d(0.03, 0.08), 0), 0.8 * throat, part=cap)
    elif top < 0.65:
        a.cone((0, height, 0), (0, height + 0.16, 0), 0.04, part=cap)
        a.box((0, height + 0.17, 0.05), (0.1, 0.06, d(0.2, 0.35)), part=cap)
    else:
        a.cone((0, start, 0), (0, height + 0.05, 0), 0.75 * throat, part=neck, carve=True)
    return a


def _turned(d: Draws, height: float, points: int) -> list[tuple[float, float]]:
    """A smooth random profile: a foot, a belly somewhere, a throat and a lip."""
    foot, belly, throat, lip = d(0.15, 0.4), d(0.25, 0.55), d(0.1, 0.35), d(0.15, 0.45)
    at = d(0.3, 0.6)
    knots = ((0.0, foot), (at, belly), (d(at + 0.15, 0.9), throat), (1.0, lip))
    profile = []
    for i in range(points + 1):
        t = i / points
        for (t0, r0), (t1, r1) in zip(knots, knots[1:]):
            if t0 <= t <= t1 + 1e-9:
                s = (t - t0) / (t1 - t0)
                profile.append((r0 + (r1 - r0) * s * s * (3 - 2 * s), t * height))
                break
    return profile


def vase(d: Draws) -> Assembly:
    """A free profile, round or square, open at the top; a foot, one or two ears, stems with blossoms."""
    a = Assembly()
    body, foot, ear, plant = range(4)
    height = d(0.7, 1.4)
    profile = _turned(d, height, 9)
    wall = d(0.025, 0.05)
    a.lathe(profile, part=body)
    a.lathe(_inner(profile, wall, 0.08 * height, height), part=body, carve=True)
    if d.chance(0.5):
        a.cone(
            (0, -d(0.03, 0.12), 0),
            (0, 0.02, 0),
            profile[0][0] * d(1.0, 1.4),
            profile[0][0] * d(0.8, 1.0),
            part=foot,
            group=1,
        )
    if d.chance(0.35):
        low, high = profile[4][0], profile[7][0]
        for s in (-1, 1) if d.chance(0.8) else (1,):
            reach = d(0.08, 0.25)
            path = [(s * (high - 0.02), profile[7][1], 0), (s * (max(low, high) + reach), profile[6][1], 0)]
            path += [(s * (max(low, high) + 0.9 * reach), profile[5][1], 0), (s * (low - 0.02), profile[4][1], 0)]
            a.tube(path, 0.03, part=ear, group=1)
    if d.chance(0.35):
        for _ in range(d.between(1, 4)):
            x, z, rise = d(-0.35, 0.35), d(-0.35, 0.35), d(0.3, 0.8)
            a.cone((0, 0.4 * height, 0), (x, height + rise, z), 0.015, part=plant, group=1)
            a.ball((x, height + rise, z), d(0.05, 0.12), part=plant, group=1)
    return a


def flower_pot(d: Draws) -> Assembly:
    """A tapering, square or bowl-shaped pot; a rim, a saucer; leaves, a cactus, flowers or a small tree."""
    a = Assembly()
    pot, plant, saucer = range(3)
    radius, height = d(0.3, 0.55), d(0.35, 0.75)
    foot, style, wall = radius * d(0.55, 0.95), d.unit(), d(0.03, 0.06)
    if style < 0.6:
        profile = [(foot, 0), (radius, height)]
        a.lathe(profile, part=pot)
        a.lathe(_inner(profile, wall, 0.75 * height, height), part=pot, carve=True)
        if d.chance(0.6):
            a.cone((0, 0.82 * height, 0), (0, height, 0), radius * 1.08, part=pot)
    elif style < 0.8:
        square = [(radius, radius), (-radius, radius), (-radius, -radius), (radius, -radius)]
        a.prism(square, (0, 0.5 * height, 0), height, taper=d(0.85, 1.0), part=pot)
        a.box((0, height, 0), (1.6 * radius, 0.4 * height, 1.6 * radius), part=pot, carve=True)
    else:
        a.blob((0, 0.5 * height, 0), (2 * radius, height, 2 * radius), d(0.5, 1.0), 1.0, part=pot)
        a.cone((0, 0.8 * height, 0), (0, 1.2 * height, 0), 0.7 * radius, part=pot, carve=True)
    if d.chance(0.35):
        a.cone((0, -0.05, 0), (0, 0.01, 0), radius * d(0.7, 1.0), radius * d(0.9, 1.2), part=saucer, group=1)
    growth = d.unit()
    low = 0.6 * height
    if growth < 0.4:
        number, lift = d.between(4, 9), d(0.3, 0.9)
        for i in range(number):
            turn = 2 * math.pi * (i + d(-0.3, 0.3)) / number
            reach, rise = d(0.2, 0.55), lift * d(0.5, 1.2)
            middle = (reach * math.cos(turn), height + 0.5 * rise, reach * math.sin(turn))
            size = (0.04, 0.6 * math.hypot(rise, reach), d(0.07, 0.14))
            a.ball(middle, size, rot=(0, -turn, -math.atan2(reach, rise)), part=plant, group=1)
    elif growth < 0.6:
        rise = d(0.3, 0.9)
        a.cone((0, low, 0), (0, height + rise, 0), 0.04, part=plant, group=1)
        crown = d(0.25, 0.5)
        a.ball((0, height + rise, 0), (crown, crown * d(0.7, 1.3), crown), part=plant, group=1)
    elif growth < 0.75:
        rise, r = d(0.3, 0.9), d(0.1, 0.2)
        a.blob((0, height + 0.4 * rise, 0), (2 * r, 1.2 * rise, 2 * r), 0.5, 1.0, part=plant, group=1)
        if d.chance(0.6):
            path = [(0, height + 0.3 * rise, 0), (2.2 * r, height + 0.3 * rise, 0), (2.2 * r, height + 0.8 * rise, 0)]
            a.tube(path, 0.45 * r, part=plant, group=1)
    elif growth < 0.9:
        for _ in range(d.between(2, 6)):
            x, z, rise = d(-0.4, 0.4), d(-0.4, 0.4), d(0.3, 0.9)
            a.cone((0.2 * x, low, 0.2 * z), (x, height + rise, z), 0.015, part=plant, group=1)
            a.ball((x, height + rise, z), (d(0.06, 0.14), d(0.04, 0.14), d(0.06, 0.14)), part=plant, group=1)
    return a


def bathtub(d: Draws) -> Assembly:
    """Built-in, oval or on claw feet; a rim, taps, a shower rod."""
    a = Assembly()
    tub, base, tap = range(3)
    length, width, height = d(1.3, 1.9), d(0.6, 0.95), d(0.4, 0.65)
    foot = d(0.05, 0.18) if d.chance(0.5) else 0.0
    wall, form = d(0.03, 0.09), d.below(3)
    mid = foot + 0.5 * height
    if form == 0:
        a.box((0, mid, 0), (length, height, width), part=tub)
        hollow = (length - 2 * wall, 1.8 * height, width - 2 * wall)
        a.blob((0, foot + height, 0), hollow, d(0.2, 0.5), d(0.2, 0.6), part=tub, carve=True)
    elif form == 1:
        shrink = d(0.7, 0.95)
        a.cone((0, foot, 0), (0, foot + height, 0), 0.5 * length * shrink, 0.5 * length, flat=width / length, part=tub)
        a.cone((0, foot + 0.08, 0), (0, foot + height + 0.05, 0), 0.5 * length * shrink - wall, 0.5 * length - wall,
               flat=(width - 2 * wall) / (length - 2 * wall), part=tub, carve=True)  # fmt: skip
    else:
        a.blob((0, foot + height, 0), (length, 2 * height, width), d(0.4, 0.8), d(0.5, 1.0), part=tub)
        a.box((0, foot + 1.5 * height, 0), (2 * length, height, 2 * width), part=tub, carve=True)
        a.blob(
            (0, foot + height, 0),
            (length - 2 * wall, 2 * height - 0.15, width - 2 * wall),
            0.6,
            0.7,
            part=tub,
            carve=True,
        )
    if foot:
        for sx in (-1, 1):
            for sz in (-1, 1):
                a.cone((sx * 0.3 * length, 0, sz * 0.28 * width), (sx * 0.28 * length, foot + 0.12, sz * 0.25 * width),
                       0.03, 0.06, part=base, group=1)  # fmt: skip
    elif d.chance(0.5):
        a.box((0, 0.03, 0), (0.9 * length, 0.06, 0.85 * width), part=base, group=1)
    if d.chance(0.65):
        x, y = 0.5 * length - 0.5 * wall, foot + height
        path = [(x, y - 0.05, 0), (x, y + 0.15, 0), (x - 0.15, y + 0.18, 0), (x - 0.18, y + 0.1, 0)]
        a.tube(path, 0.025, part=tap, group=1)
    return a
