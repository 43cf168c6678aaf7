"""Tables, desks, beds, shelves, cabinets and a piano."""

from __future__ import annotations

import math

from ..assembly import Assembly
from ..seeds import Draws
from .seating import legs, pedestal

TOP, BASE, STORAGE = range(3)


def _drawers(
    a: Assembly, d: Draws, x: float, low: float, high: float, width: float, front: float, part: int, knob: int
):
    """One to four drawer fronts with handles on the plane z = front."""
    number, style = d.between(1, 4), d.below(3)
    step = (high - low) / number
    for i in range(number):
        y = low + (i + 0.5) * step
        a.box((x, y, front + 0.01), (0.92 * width, 0.88 * step, 0.03), part=part)
        if style == 0:
            a.ball((x, y, front + 0.045), 0.025, part=knob)
        elif style == 1:
            a.box((x, y, front + 0.045), (0.35 * width, 0.025, 0.04), part=knob)


def table(d: Draws) -> Assembly:
    """A round, square or many-cornered top at dining or coffee height; legs, pedestal, trestles, drum; a low shelf."""
    a = Assembly()
    width, height, thick = d(0.6, 2.0), d(0.35, 0.8), d(0.02, 0.08)
    depth = width * d(0.4, 1.0)
    form, under = d.unit(), height - thick
    round_top = form >= 0.6
    if not round_top:
        a.box((0, height - 0.5 * thick, 0), (width, thick, depth), part=TOP)
    elif form < 0.85:
        a.cone((0, under, 0), (0, height, 0), 0.5 * width, flat=depth / width, part=TOP)
    else:
        n = d.between(5, 8)
        corners = [(2 * math.pi * i / n, 0.5) for i in range(n)]
        polygon = [(width * r * math.cos(t), depth * r * math.sin(t)) for t, r in corners]
        a.prism(polygon, (0, height - 0.5 * thick, 0), thick, part=TOP)
    inner = 0.68 if round_top else 1.0
    base = d.unit()
    if base < 0.5:
        legs(a, d, inner * width, inner * depth, under, BASE)
        if d.chance(0.4) and not round_top:
            a.box((0, under - 0.04, 0), (0.88 * width, 0.08, 0.88 * depth), part=BASE)
    elif base < 0.75:
        pedestal(a, d, under, 0.35 * min(width, depth) * d(0.8, 1.2), BASE)
    elif base < 0.92:
        x = 0.5 * width * d(0.55, 0.85)
        for s in (-1, 1):
            a.box((s * x, 0.5 * under, 0), (d(0.03, 0.1), under + 0.01, inner * depth * d(0.6, 0.95)), part=BASE)
        a.beam((-x, 0.35 * under, 0), (x, 0.35 * under, 0), 0.05, part=BASE)
    else:
        a.lathe([(0.3 * depth, 0), (0.3 * depth * d(0.3, 1.2), 0.5 * under), (0.3 * depth, under + 0.01)], part=BASE)
    if d.chance(0.25):
        a.box((0, d(0.2, 0.45) * height, 0), (0.8 * inner * width, 0.03, 0.8 * inner * depth), part=STORAGE)
    return a


def desk(d: Draws) -> Assembly:
    """A work top with drawers on one or both sides or under it, a modesty panel, a hutch or an L-shaped return."""
    a = Assembly()
    width, depth, height, thick = d(1.0, 1.9), d(0.45, 0.85), d(0.65, 0.8), d(0.025, 0.07)
    under = height - thick
    a.box((0, height - 0.5 * thick, 0), (width, thick, depth), part=TOP)
    box = width * d(0.2, 0.33)
    low = d(0.0, 0.15) if d.chance(0.7) else d(0.3, 0.45)
    style = d.unit()
    sides = [-1, 1] if style < 0.35 else [1 if d.chance(0.5) else -1] if style < 0.75 else []
    for s in sides:
        x = s * 0.5 * (width - box)
        a.box((x, 0.5 * (low + under), 0), (box, under - low, 0.95 * depth), part=STORAGE)
        _drawers(a, d, x, low, under, box, 0.475 * depth, STORAGE, STORAGE)
    if not sides:
        a.box((0, under - 0.06, 0.02), (0.8 * width, 0.12, 0.9 * depth), part=STORAGE)
    if len(sides) < 2 or low > 0.2 or d.chance(0.3):
        if d.chance(0.6):
            legs(a, d, width, depth, under, BASE)
        else:
            for s in (-1, 1):
                a.box((s * 0.48 * width, 0.5 * under, 0), (0.04, under, 0.95 * depth), part=BASE)
    if d.chance(0.45):
        panel = d(0.3, 0.9) * under
        a.box((0, under - 0.5 * panel, -0.42 * depth), (0.96 * width, panel, 0.03), part=BASE)
    if d.chance(0.25):
        rise = d(0.25, 0.55)
        for s in (-1, 1):
            a.box((s * 0.47 * width, height + 0.5 * rise, -0.35 * depth), (0.04, rise, 0.28 * depth), part=STORAGE)
        a.box((0, height + rise, -0.35 * depth), (width, 0.04, 0.28 * depth), part=STORAGE)
    if d.chance(0.2):
        s = 1 if d.chance(0.5) else -1
        reach = d(0.5, 0.9)
        x = s * 0.5 * (width - 0.5)
        a.box((x, height - 0.5 * thick, 0.5 * (depth + reach)), (0.5, thick, reach), part=TOP)
        a.box((x, 0.5 * under, 0.5 * depth + reach - 0.03), (0.45, under, 0.05), part=BASE)
    return a


def bed(d: Draws) -> Assembly:
    """A mattress on a frame or box with a panel, slatted or curved headboard, a footboard, pillows, posts or a bunk."""
    a = Assembly()
    mattress, head, frame, pillow = range(4)
    width, length, height = d(0.8, 2.0), d(1.7, 2.2), d(0.2, 0.45)
    soft, e = d(0.12, 0.3), d(0.12, 0.35)
    levels = (height, height + d(0.8, 1.1)) if d.chance(0.12) else (height,)
    rear = -0.5 * length
    for y in levels:
        a.box((0, y - 0.06, 0), (width, 0.12, length), part=frame)
        a.blob((0, y + 0.5 * soft, 0.01), (0.97 * width, soft, 0.97 * length), e, e, part=mattress)
        count = (2 if width > 1.2 else 1) if d.chance(0.75) else 0
        for i in range(count):
            x = width * ((i + 0.5) / count - 0.5)
            size = (0.75 * width / count, 0.14, d(0.25, 0.4))
            a.blob((x, y + soft + 0.04, rear + 0.28), size, 0.6, 0.5, part=pillow)
    crown = max(levels) + soft + d(0.1, 0.6)
    style = d.below(5)
    if style == 0:
        a.box((0, 0.5 * crown, rear - 0.03), (width * d(1.0, 1.25), crown, d(0.04, 0.12)), part=head)
    elif style == 1:
        arc = [
            (0.5 * width * math.cos(t), 0.35 * crown * math.sin(t) + 0.6 * crown)
            for t in (math.pi * i / 8 for i in range(9))
        ]
        a.prism([(0.5 * width, 0.05), *arc, (-0.5 * width, 0.05)], (0, 0, rear - 0.03), d(0.05, 0.1), 'xy', part=head)
    elif style == 2:
        for s in (-1, 1):
            a.beam((s * 0.48 * width, 0, rear - 0.02), (s * 0.48 * width, crown, rear - 0.02), 0.07, part=head)
        a.beam((-0.48 * width, crown - 0.04, rear - 0.02), (0.48 * width, crown - 0.04, rear - 0.02), 0.06, part=head)
        number = d.between(4, 8)
        for i in range(number):
            x = 0.96 * width * ((i + 1) / (number + 1) - 0.5)
            a.cone((x, height, rear - 0.02), (x, crown - 0.04, rear - 0.02), 0.018, part=head)
    elif style == 3:
        a.blob((0, 0.5 * crown, rear - 0.05), (1.05 * width, crown, 0.2), 0.3, 0.3, part=head)
    if d.chance(0.4) or len(levels) > 1:
        foot = height + soft * d(0.2, 1.8)
        a.box((0, 0.5 * foot, -rear + 0.03), (width, foot, 0.06), part=frame)
    if d.chance(0.4):
        a.box((0, 0.5 * (height - 0.1), 0), (0.9 * width, height - 0.1, 0.92 * length), part=frame)
    posts = crown if len(levels) > 1 else crown + d(0.5, 1.0) if d.chance(0.12) else height
    thick = d(0.05, 0.1)
    for s in (-1, 1):
        for t in (-1, 1):
            x, z = s * (0.5 * width - 0.4 * thick), t * (0.5 * length - 0.4 * thick)
            a.beam((x, 0, z), (x, posts, z), thick, part=frame)
    return a


def shelf(d: Draws) -> Assembly:
    """Open boards between side panels or posts, wide or tall, with or without back, columns, doors below, a ladder."""
    a = Assembly()
    board, side, panel = range(3)
    width, height, depth = d(0.5, 1.7), d(0.7, 2.1), d(0.22, 0.45)
    number, thick = d.between(2, 7), d(0.018, 0.05)
    style, taper = d.unit(), d(0.45, 0.8)
    ladder = style > 0.82
    for i in range(number):
        t = i / (number - 1)
        deep = depth * (1.0 + taper * (1.0 - t)) if ladder else depth
        y = 0.05 + t * (height - 0.08) if not ladder else 0.12 + t * (0.85 * height - 0.12)
        a.box((0, y, 0.5 * (deep - depth)), (width, thick, deep), part=board)
    x = 0.5 * width
    if ladder:
        for s in (-1, 1):
            a.beam((s * x, 0, (0.5 + taper) * depth), (s * x, height, 0.4 * depth), 0.05, part=side)
            a.beam((s * x, 0, -0.48 * depth), (s * x, height, -0.48 * depth), 0.05, part=side)
    elif style < 0.55:
        for s in (-1, 1):
            a.box((s * x, 0.5 * height, 0), (thick, height, depth), part=side)
        for _ in range(d.below(4) if width > 0.8 else 0):
            a.box((x * (2 * d(0.15, 0.85) - 1), 0.5 * height, 0), (thick, 0.95 * height, 0.95 * depth), part=side)
    else:
        r = d(0.015, 0.035)
        for s in (-1, 1):
            for t in (-1, 1):
                a.beam((s * x, 0, t * (0.5 * depth - r)), (s * x, height, t * (0.5 * depth - r)), 2 * r, part=side)
    if not ladder and d.chance(0.55):
        a.box((0, 0.5 * height, -0.5 * depth), (width, 0.98 * height, 0.015), part=panel)
    if not ladder and d.chance(0.2):
        rise = height * d(0.2, 0.4)
        a.box((0, 0.5 * rise, 0.5 * depth), (0.98 * width, rise, 0.03), part=panel)
    return a


def cabinet(d: Draws) -> Assembly:
    """A closed body, from night stand to wardrobe, with doors, drawers or a niche, on feet, a plinth or the floor."""
    a = Assembly()
    body, front, handle, base = range(4)
    form = d.below(3)
    width = (d(0.4, 0.65), d(0.7, 1.6), d(0.7, 1.8))[form]
    height = (d(0.4, 0.75), d(0.6, 1.1), d(1.5, 2.2))[form]
    depth, foot = d(0.35, 0.65), d(0.03, 0.22)
    a.box((0, 0.5 * (foot + height), 0), (width, height - foot, depth), part=body)
    if d.chance(0.6):
        over = d(1.02, 1.12)
        a.box((0, height, 0), (over * width, 0.04, over * depth), part=body)
    if d.chance(0.6):
        legs(a, d, width, depth, foot, base, d(0.035, 0.07))
    else:
        a.box((0, 0.5 * foot, 0), (0.93 * width, foot, 0.9 * depth), part=base)
    low, z, style = foot + 0.02, 0.5 * depth, d.unit()
    if d.chance(0.3):
        cut = (height - foot) * d(0.2, 0.45)
        middle = (0, height - 0.05 - 0.5 * cut, 0.3 * depth)
        a.box(middle, (0.88 * width, cut, depth), part=body, carve=True)
        top = height - 0.08 - cut
    else:
        top = height - 0.03
    columns = 1 if width < 0.7 else d.between(2, 3)
    for i in range(columns):
        x = width * ((i + 0.5) / columns - 0.5)
        if style < 0.5:
            _drawers(a, d, x, low, top, width / columns, z, front, handle)
        else:
            a.box((x, 0.5 * (low + top), z + 0.01), (0.94 * width / columns, 0.96 * (top - low), 0.03), part=front)
            hx = x + (0.35 if i % 2 == 0 else -0.35) * width / columns
            a.beam(
                (hx, 0.5 * (low + top) - 0.07, z + 0.04), (hx, 0.5 * (low + top) + 0.07, z + 0.04), 0.025, part=handle
            )
    return a


def piano(d: Draws) -> Assembly:
    """Upright or grand, with keys, legs, pedals and sometimes an open lid."""
    a = Assembly()
    body, keys, base, lid = range(4)
    width, height = d(1.3, 1.6), d(0.6, 0.75)
    if d.chance(0.5):
        top, depth = d(1.0, 1.35), d(0.3, 0.5)
        a.box((0, 0.5 * top, -0.2), (width, top, depth), part=body)
        front = -0.2 + 0.5 * depth
        a.box((0, height, front + 0.14), (width, 0.1, 0.28), part=body)
        a.box((0, height + 0.07, front + 0.16), (0.92 * width, 0.05, 0.18), part=keys)
        for s in (-1, 1):
            a.beam(
                (s * 0.46 * width, 0, front + 0.22), (s * 0.46 * width, height, front + 0.22), d(0.06, 0.1), part=base
            )
        if d.chance(0.5):
            a.box((0, top + 0.02, -0.2), (1.04 * width, 0.05, 1.08 * depth), part=lid)
        if d.chance(0.6):
            a.box((0, height + 0.3, front + 0.03), (0.5 * width, 0.25, 0.02), rot=(-0.2, 0, 0), part=lid)
    else:
        x, length, deep = 0.5 * width, d(1.1, 1.9), d(0.22, 0.35)
        outline = [
            (-x, 0.0), (x, 0.0), (x, -0.35 * length), (0.75 * x, -0.5 * length), (0.4 * x, -0.62 * length),
            (0.15 * x, -0.85 * length), (-0.2 * x, -0.98 * length), (-0.6 * x, -length), (-0.92 * x, -0.9 * length),
        ]  # fmt: skip
        core = (-0.25 * x, -0.4 * length)
        a.prism(outline, (0, height + 0.5 * deep, 0.4 * length), deep, core=core, part=body)
        a.box((0, height + 0.07, 0.4 * length + 0.1), (width, 0.14, 0.2), part=body)
        a.box((0, height + 0.15, 0.4 * length + 0.11), (0.92 * width, 0.05, 0.16), part=keys)
        for px, pz in ((-0.85, 0.35), (0.85, 0.35), (-0.4, -0.45)):
            a.cone(
                (px * x, 0, pz * length), (px * x, height + 0.01, pz * length), d(0.03, 0.05), d(0.05, 0.09), part=base
            )
        if d.chance(0.6):
            rise = d(0.4, 0.75)
            reach = width * math.cos(rise)
            mid = (-x + 0.5 * reach, height + deep + 0.5 * width * math.sin(rise), -0.05 * length)
            a.box(mid, (width, 0.03, 0.8 * length), rot=(0, 0, rise), part=lid)
    if d.chance(0.5):
        a.box((0, 0.2, 0.3), (0.25, 0.03, 0.03), part=base)
        a.beam((0, 0.05, 0.28), (0, height, 0.2), 0.05, part=base)
    return a
