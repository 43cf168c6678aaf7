"""Chairs, stools, benches and sofas."""

from __future__ import annotations

import math

from ..assembly import Assembly
from ..seeds import Draws

SEAT, BACK, BASE, ARM = range(4)


def legs(a: Assembly, d: Draws, width: float, depth: float, height: float, part: int, thick: float | None = None):
    """Four legs, square, round, splayed or on runners, under a ``width`` x ``depth`` plate at ``height``."""
    thick = d(0.025, 0.07) if thick is None else thick
    x, z = 0.5 * width - thick, 0.5 * depth - thick
    style, splay, foot = d.below(4), d(0.0, 0.12) if d.chance(0.5) else 0.0, d(0.4, 1.0)
    for sx in (-1, 1):
        for sz in (-1, 1):
            top, low = (sx * x, height + 0.01, sz * z), (sx * (x + splay), 0.0, sz * (z + splay))
            if style == 0:
                a.cone(low, top, 0.5 * thick * foot, 0.5 * thick, part=part)
            else:
                a.beam(low, top, thick, part=part)
        if style == 2:
            # Runners on the floor turn the legs into two frames.
            a.beam(
                (sx * (x + splay), 0.5 * thick, -z - splay),
                (sx * (x + splay), 0.5 * thick, z + splay),
                thick,
                part=part,
            )
    if style == 3:
        level = height * d(0.15, 0.5)
        out = splay * (1.0 - level / height)
        for sx in (-1, 1):
            a.beam((sx * (x + out), level, -z - out), (sx * (x + out), level, z + out), 0.6 * thick, part=part)
        if d.chance(0.6):
            a.beam((-x - out, level, 0.0), (x + out, level, 0.0), 0.6 * thick, part=part)


def pedestal(a: Assembly, d: Draws, height: float, reach: float, part: int) -> None:
    """A column on a plate or on a star of 3 to 5 feet, with or without castors."""
    radius = d(0.025, 0.08)
    a.cone((0, 0.02, 0), (0, height + 0.01, 0), radius, part=part)
    if d.chance(0.4):
        a.cone((0, 0.0, 0), (0, d(0.02, 0.06), 0), reach, reach * d(0.3, 1.0), part=part)
        return
    feet, drop, castor, first = d.between(3, 5), d(0.0, 0.08), d.chance(0.5), d(0, 6.3)
    for i in range(feet):
        angle = first + 2.0 * math.pi * i / feet
        x, z = reach * math.cos(angle), reach * math.sin(angle)
        a.beam((0, 0.07 + drop, 0), (x, 0.06, z), 0.05, 0.04, part=part)
        if castor:
            a.ball((x, 0.03, z), 0.04, part=part)


def back(a: Assembly, d: Draws, width: float, z: float, low: float, high: float, part: int) -> None:
    """An upright back: a panel, vertical or horizontal slats in a frame, a cushion, or a round panel."""
    style, lean, thick = d.below(5), d(0.0, 0.25), d(0.025, 0.07)
    if style == 2 and width > 0.8:
        # A round back is a chair's.
        style = 4
    height = high - low
    run = lean * height

    def at(t):
        return low + t * height, z - t * run

    tilt = math.atan(lean)
    mid = (0.0, *at(0.5))
    if style == 0:
        a.box(mid, (width, height * math.hypot(1, lean), thick), rot=(-tilt, 0, 0), part=part)
    elif style == 1:
        a.blob(mid, (width, height, 2.5 * thick), d(0.2, 0.5), d(0.2, 0.5), rot=(-tilt, 0, 0), part=part)
    elif style == 2:
        a.ball((0.0, *at(0.55)), (0.5 * width, 0.45 * height, 0.8 * thick), rot=(-tilt, 0, 0), part=part)
        for s in (-1, 1):
            a.beam((s * 0.25 * width, *at(0.0)), (s * 0.25 * width, *at(0.5)), thick, part=part)
    else:
        x = 0.5 * (width - thick)
        for s in (-1, 1):
            a.beam((s * x, *at(0.0)), (s * x, *at(1.0)), thick, part=part)
        slats = d.between(2, 6)
        if style == 3:
            a.beam((-x, *at(0.97)), (x, *at(0.97)), thick, 1.5 * thick, part=part)
            for i in range(slats):
                sx = x * (2.0 * (i + 1) / (slats + 1) - 1.0)
                a.beam((sx, *at(0.0)), (sx, *at(0.97)), 0.6 * thick, part=part)
        else:
            girth = d(0.3, 0.7) * height / slats
            for i in range(slats):
                a.box(
                    (0.0, *at((i + 0.75) / (slats + 0.25))), (2 * x, girth, 0.5 * thick), rot=(-tilt, 0, 0), part=part
                )


def chair(d: Draws) -> Assembly:
    """Four legs, star base, cantilever or box base; with or without arms; five kinds of back."""
    a = Assembly()
    width, depth, seat, thick = d(0.38, 0.65), d(0.38, 0.62), d(0.35, 0.55), d(0.03, 0.12)
    top = seat + d(0.3, 0.75)
    form = d.unit()
    if form < 0.6:
        a.box((0, seat, 0), (width, thick, depth), part=SEAT)
    elif form < 0.8:
        a.cone((0, seat - 0.5 * thick, 0), (0, seat + 0.5 * thick, 0), 0.5 * width, flat=depth / width, part=SEAT)
    else:
        a.blob((0, seat, 0), (width, 1.5 * thick, depth), d(0.2, 0.6), d(0.2, 0.6), part=SEAT)
    under, base = seat - 0.5 * thick, d.unit()
    inner = 0.7 if 0.6 <= form < 0.8 else 1.0
    if base < 0.5:
        legs(a, d, inner * width, inner * depth, under, BASE)
    elif base < 0.72:
        pedestal(a, d, under, 0.5 * width * d(0.8, 1.2), BASE)
    elif base < 0.86:
        r, x, f = d(0.015, 0.03), 0.42 * width, 0.42 * depth
        for s in (-1, 1):
            a.tube([(s * x, under, -f), (s * x, under, f), (s * x, r, f), (s * x, r, -f)], r, part=BASE)
        a.cone((-x, r, -f), (x, r, -f), r, part=BASE)
    else:
        a.box((0, 0.5 * under, 0), (0.9 * width, under, 0.9 * depth), part=BASE)
    back(a, d, width * d(0.75, 1.0), -0.5 * depth + 0.04, seat, top, BACK)
    if d.chance(0.45):
        level, r, x = seat + d(0.15, 0.28), d(0.02, 0.045), 0.5 * width
        solid = d.chance(0.25)
        for s in (-1, 1):
            if solid:
                a.box((s * x, 0.5 * (seat + level), 0), (2 * r, level - seat + thick, 0.95 * depth), part=ARM)
            else:
                a.beam((s * x, level, -0.5 * depth), (s * x, level, 0.4 * depth), 2 * r, r, part=ARM)
                a.beam((s * x, seat, 0.3 * depth), (s * x, level, 0.3 * depth), 1.4 * r, part=ARM)
    return a


def stool(d: Draws) -> Assembly:
    """A round or square seat, low or bar-high, on three or four legs, a column or a drum; a foot ring; a low back."""
    a = Assembly()
    width, height, thick = d(0.28, 0.5), d(0.3, 0.85), d(0.03, 0.12)
    depth = width * d(0.85, 1.15)
    form = d.below(3)
    if form == 0:
        a.cone((0, height - thick, 0), (0, height, 0), 0.5 * width, part=SEAT)
    elif form == 1:
        a.box((0, height - 0.5 * thick, 0), (width, thick, depth), part=SEAT)
    else:
        a.blob((0, height - 0.5 * thick, 0), (width, 1.4 * thick, width), d(0.4, 0.8), 1.0, part=SEAT)
    under, base = height - thick, d.unit()
    if base < 0.4:
        number, r, spread = d.between(3, 4), d(0.015, 0.035), width * d(0.5, 0.75)
        first = math.pi / 4 if number == 4 else math.pi / 2
        for i in range(number):
            c, s = math.cos(first + 2 * math.pi * i / number), math.sin(first + 2 * math.pi * i / number)
            a.cone((spread * c, 0, spread * s), (0.35 * width * c, under + 0.01, 0.35 * width * s), r, part=BASE)
        if d.chance(0.5):
            t = d(0.25, 0.5)
            a.ring((0, t * under, 0), (1 - t) * spread + t * 0.35 * width, 0.7 * r, part=BASE)
    elif base < 0.65:
        pedestal(a, d, under, 0.5 * width * d(0.8, 1.2), BASE)
    elif base < 0.9:
        legs(a, d, width * (0.75 if form == 0 else 1.0), depth * (0.75 if form == 0 else 1.0), under, BASE)
    else:
        waist = d(0.5, 1.0) * 0.5 * width
        a.lathe([(0.45 * width, 0), (waist, 0.5 * under), (0.45 * width, under)], part=BASE)
    if d.chance(0.15):
        back(a, d, 0.8 * width, -0.42 * width, height - thick, height + d(0.1, 0.25), BACK)
    return a


def bench(d: Draws) -> Assembly:
    """A long plank or slatted seat on end panels, legs or blocks, with or without back and arms."""
    a = Assembly()
    width, depth, height, thick = d(0.9, 2.0), d(0.3, 0.55), d(0.35, 0.5), d(0.03, 0.09)
    if d.chance(0.45):
        number = d.between(3, 6)
        for i in range(number):
            z = depth * ((i + 0.5) / number - 0.5)
            a.box((0, height - 0.5 * thick, z), (width, thick, 0.7 * depth / number), part=SEAT)
    else:
        a.box((0, height - 0.5 * thick, 0), (width, thick, depth), part=SEAT)
    under, base, x = height - thick, d.unit(), 0.5 * width * d(0.7, 0.95)
    if base < 0.4:
        legs(a, d, width, depth, under, BASE)
    elif base < 0.75:
        panel = d(0.03, 0.12)
        for s in (-1, 1):
            a.box((s * x, 0.5 * under, 0), (panel, under + 0.01, depth * d(0.7, 0.95)), part=BASE)
        if d.chance(0.5):
            a.beam((-x, 0.4 * under, 0), (x, 0.4 * under, 0), 0.05, part=BASE)
    else:
        for s in (-1, 1):
            a.cone((s * x, 0, 0), (s * x, under + 0.01, 0), d(0.08, 0.18), part=BASE)
    if d.chance(0.5):
        back(a, d, width, -0.5 * depth + 0.03, under, height + d(0.25, 0.5), BACK)
    if d.chance(0.35):
        level = height + d(0.15, 0.25)
        for s in (-1, 1):
            a.beam((s * 0.48 * width, level, -0.5 * depth), (s * 0.48 * width, level, 0.48 * depth), 0.05, part=ARM)
            a.beam((s * 0.48 * width, under, 0.4 * depth), (s * 0.48 * width, level, 0.4 * depth), 0.05, part=ARM)
    return a


def sofa(d: Draws) -> Assembly:
    """A cushioned seat for one to four: box, rolled or no arms; one or more cushions; a corner wing; feet."""
    a = Assembly()
    width, depth, seat = d(0.8, 2.3), d(0.7, 1.0), d(0.32, 0.48)
    top, arm, e = seat + d(0.25, 0.5), d(0.08, 0.28), d(0.15, 0.4)
    rear, foot = d(0.15, 0.3), d(0.03, 0.15)
    arms = d.chance(0.85)
    inner = width - 2 * arm if arms else width
    a.box((0, 0.5 * (foot + 0.65 * seat), 0), (width, 0.65 * seat - foot, depth), part=BASE)
    if d.chance(0.7):
        legs(a, d, width, 0.9 * depth, foot, BASE, d(0.04, 0.08))
    else:
        a.box((0, 0.5 * foot, 0), (0.92 * width, foot, 0.9 * depth), part=BASE)
    number = min(4, max(1, round(inner / d(0.5, 0.9))))
    step = inner / number
    for i in range(number):
        x = step * (i + 0.5) - 0.5 * inner
        a.blob((x, 0.8 * seat, 0.5 * rear), (step, 0.45 * seat, depth - rear), e, e, part=SEAT)
    lean, thick = d(0.0, 0.25), 0.8 * rear
    a.box((0, 0.5 * (foot + top), -0.5 * depth + 0.25 * rear), (width, top - foot, 0.5 * rear), part=BACK)
    for i in range(number):
        x = step * (i + 0.5) - 0.5 * inner
        size = (step, 1.1 * (top - seat), thick)
        a.blob((x, 0.5 * (seat + top), -0.5 * depth + 0.75 * rear), size, e, e, rot=(-lean, 0, 0), part=BACK)
    if arms:
        level, rolled = seat + d(0.05, 0.25), d.chance(0.4)
        for s in (-1, 1):
            x = s * 0.5 * (width - arm)
            a.box((x, 0.5 * (foot + level), 0), (arm, level - foot, depth), part=ARM)
            if rolled:
                a.cone((x, level, -0.5 * depth), (x, level, 0.5 * depth), 0.6 * arm, part=ARM)
    if d.chance(0.2) and number > 1:
        side = 1 if d.chance(0.5) else -1
        x = side * 0.5 * (inner - step)
        a.box((x, 0.5 * seat, 0.75 * depth), (step, seat - foot, 0.6 * depth), part=SEAT)
    return a
