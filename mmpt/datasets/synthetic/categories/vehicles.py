"""Aeroplanes, cars, ships, rockets and skateboards; the nose is +z."""

from __future__ import annotations

import math

from ..assembly import Assembly
from ..seeds import Draws


def aeroplane(d: Draws) -> Assembly:
    """Airliner, propeller plane, glider or jet fighter: straight, swept or delta wings, one or two decks of them."""
    a = Assembly()
    fuselage, wing, tail, engine = range(4)
    length, radius = d(1.6, 2.4), d(0.09, 0.2)
    nose, half = d(0.2, 0.5), 0.5 * length
    if d.chance(0.75):
        a.cone((0, 0, -0.45 * half), (0, 0, half - nose), radius, caps=(False, False), part=fuselage)
        a.cone((0, 0, -0.45 * half), (0, d(0, 0.5) * radius, -half), radius, d(0.15, 0.5) * radius, part=fuselage)
        a.ball((0, 0, half - nose), (radius, radius, nose), part=fuselage)
    else:
        a.ball((0, 0, 0), (radius, radius, half), part=fuselage)
    if d.chance(0.35):
        a.ball((0, 0.8 * radius, 0.4 * half), (0.6 * radius, 0.6 * radius, 0.3), part=fuselage)
    span, chord, tip = d(0.6, 1.5), d(0.25, 0.55), d(0.15, 1.0)
    sweep, at = (d(0.0, 0.15) if d.chance(0.4) else d(0.2, 0.8)), d(-0.2, 0.25)
    level, rise, thick = radius * d(-0.8, 0.8), d(-0.05, 0.15), d(0.03, 0.06)
    decks = (-1.0 * radius, 2.2 * radius) if d.chance(0.15) else (level,)

    def fin(root, reach, base, end, back, part, lift=0.0):
        """A pair of horizontal fins: root (y, z), half span, chords, sweep; ``lift`` slopes them."""
        y, z = root
        for s in (-1, 1):
            far = (s * reach, y + lift * reach)
            mid = (0.5 * far[0], 0.5 * (y + far[1]))
            x = 0.5 * reach
            outline = [(-x, 0.5 * base), (x, 0.5 * base - back), (x, 0.5 * base - back - end), (-x, -0.5 * base)]
            if s < 0:
                outline = [(-u, v) for u, v in outline]
            a.prism(outline, (mid[0], mid[1], z), thick, part=part)

    for y in decks:
        fin((y, at), span, chord, chord * tip, sweep * span, wing, rise)
    rear = -half + 0.18
    if len(decks) == 2:
        for s in (-1, 1):
            a.beam((s * 0.6 * span, decks[0], at), (s * 0.6 * span, decks[1], at), 0.03, part=wing)
    height, base = d(0.22, 0.5), d(0.2, 0.4)
    outline = [
        (0.5 * base, 0),
        (0.5 * base - 0.6 * height, height),
        (-0.5 * base - 0.3 * height, height),
        (-0.5 * base, 0),
    ]
    twins = (-1, 1) if d.chance(0.15) else (0,)
    for s in twins:
        a.prism(outline, (s * radius, 0.3 * radius, rear), thick, 'zy', part=tail)
    fin(
        (height * 0.9 if d.chance(0.25) else 0.3 * radius, rear - 0.05),
        span * d(0.25, 0.42),
        0.7 * base,
        0.4 * base,
        0.1,
        tail,
    )
    power = d.unit()
    if power < 0.45:
        number, r, long = d.between(1, 2), d(0.05, 0.1), d(0.25, 0.45)
        for i in range(number):
            x = span * (0.3 + 0.28 * i)
            for s in (-1, 1):
                z = at + 0.25 * chord - sweep * x
                a.cone(
                    (s * x, decks[0] - 1.1 * r, z - 0.5 * long),
                    (s * x, decks[0] - 1.1 * r, z + 0.5 * long),
                    0.8 * r,
                    r,
                    part=engine,
                )
    elif power < 0.7:
        blades, r, first = d.between(2, 4), d(0.25, 0.4), d(0, 3)
        a.cone((0, 0, half - 0.05), (0, 0, half + 0.1), 0.4 * radius, 0.1 * radius, part=engine)
        for i in range(blades):
            t = first + 2 * math.pi * i / blades
            a.beam((0, 0, half + 0.03), (r * math.cos(t), r * math.sin(t), half + 0.03), 0.05, 0.03, part=engine)
    elif power < 0.85:
        for s in (-1, 1):
            a.cone(
                (s * radius * 1.5, 0.4 * radius, rear + 0.1),
                (s * radius * 1.5, 0.4 * radius, rear + 0.5),
                0.08,
                part=engine,
            )
    return a


def car(d: Draws) -> Assembly:
    """Saloon, hatchback, estate, pick-up, van, bus or open car; a spoiler, mirrors, a roof box."""
    a = Assembly()
    body, cabin, wheel, extra = range(4)
    style = d.below(7)
    length, width, r = d(1.6, 2.3), d(0.7, 0.95), d(0.14, 0.24)
    low, deck = 0.8 * r, r + d(0.22, 0.38)
    roof, half = deck + d(0.2, 0.4), 0.5 * length
    hood, boot = d(0.35, 0.6) * half, d(0.2, 0.5) * half
    side = [
        (-half, low),
        (half, low),
        (half, 0.8 * deck),
        (half - hood, deck),
        (-half + 0.1, deck),
        (-half, 0.85 * deck),
    ]
    slope, rear = d(0.1, 0.35), d(0.05, 0.35)
    front, back = half - hood, -half + boot
    if style in (1, 2):
        back = -half + 0.08
    elif style == 3:
        back = -0.1 * half
    elif style == 4:
        # A van or a bus: one box from end to end.
        roof, front, back, slope, rear = (deck + d(0.35, 0.7), half - d(0.0, 0.25), -half + 0.03, d(0.03, 0.2), 0.02)
    taper = d(0.78, 0.95)
    if d.chance(0.5):
        a.prism(side, (0, 0, 0), width, 'zy', part=body)
    else:
        a.blob((0, 0.5 * (low + deck), 0), (width, 1.1 * (deck - low), length), d(0.2, 0.4), d(0.2, 0.5), part=body)
    if style != 5:
        top = [(back, deck - 0.03), (front, deck - 0.03), (front - slope, roof), (back + rear, roof)]
        for s in (-1, 1):
            # Two halves that grow narrower outwards make a cabin with leaning sides.
            a.prism(top, (s * 0.25 * taper * width, 0, 0), 0.5 * taper * width * s, 'zy', taper=taper, part=cabin)
    else:
        a.box((0, deck, 0.1 * half), (0.85 * width, 0.3, 0.6 * half), part=body, carve=True)
        a.box((0, deck + 0.1, 0.42 * half), (0.8 * width, 0.22, 0.03), rot=(-0.5, 0, 0), part=cabin, group=1)
    if style == 3:
        a.box((0, deck, -0.55 * half), (0.85 * width, 0.5 * (deck - low), 0.7 * half), part=body, carve=True)
    axle, broad, pairs = 0.6 * half * d(0.9, 1.1), d(0.1, 0.16), 3 if style == 4 and d.chance(0.3) else 2
    for i in range(pairs):
        z = axle * (1.0 - 2.0 * i / (pairs - 1))
        for s in (-1, 1):
            x = s * 0.5 * (width - broad)
            a.cone((x - 0.55 * broad, r, z), (x + 0.55 * broad, r, z), r, part=wheel, group=1)
    if d.chance(0.25):
        a.box((0, deck + 0.14, -half + 0.1), (0.9 * width, 0.03, 0.15), part=extra, group=1)
        for s in (-1, 1):
            a.beam(
                (s * 0.3 * width, deck - 0.02, -half + 0.12),
                (s * 0.3 * width, deck + 0.14, -half + 0.1),
                0.03,
                part=extra,
                group=1,
            )
    if d.chance(0.35):
        for s in (-1, 1):
            a.ball((s * (0.5 * width + 0.05), deck + 0.05, 0.4 * half), (0.07, 0.04, 0.03), part=extra, group=1)
    if d.chance(0.2) and style != 5:
        a.box((0, roof + 0.03, 0.5 * (front + back)), (0.6 * width, 0.08, 0.3), part=extra, group=1)
    return a


def ship(d: Draws) -> Assembly:
    """Freighter, liner, warship, sailing boat or rowing boat on one pointed hull."""
    a = Assembly()
    hull, house, mast, sail = range(4)
    length, width, deep = d(1.7, 2.4), d(0.3, 0.6), d(0.18, 0.4)
    half, w = 0.5 * length, 0.5 * width
    stern, bulge = d(0.5, 1.0) * w, d(0.2, 0.5)
    outline = [(0, half), (0.55 * w, 0.78 * half), (w, bulge * half), (w, -0.5 * half), (stern, -half)]
    outline += [(-x, z) for x, z in outline[:0:-1]]
    # Deck above, keel below: the prism grows narrower downwards.
    a.prism(outline, (0, 0, 0), -deep, taper=d(0.5, 0.85), core=(0, -0.1 * half), part=hull)
    top, style = 0.5 * deep, d.below(4)
    if d.chance(0.35):
        bow = [
            (0, half),
            (0.55 * w, 0.78 * half),
            (0.8 * w, 0.5 * half),
            (-0.8 * w, 0.5 * half),
            (-0.55 * w, 0.78 * half),
        ]
        a.prism(bow, (0, top + 0.05, 0), 0.12, part=hull)
    if style == 0:
        for i in range(d.between(1, 2)):
            z, tall, r = half * (0.35 - 0.75 * i + d(-0.1, 0.1)), d(0.8, 1.5), d(0.015, 0.03)
            a.cone((0, top - 0.05, z), (0, top + tall, z), r, part=mast)
            reach = d(0.4, 0.7)
            a.prism([(-0.03, 0.15), (-reach, 0.18), (-0.03, 0.95 * tall)], (0, top, z), 0.025, 'zy', part=sail)
            if d.chance(0.6):
                a.prism([(0.05, 0.2), (0.8 * reach, 0.1), (0.05, 0.85 * tall)], (0, top, z), 0.025, 'zy', part=sail)
            a.beam((0, top + 0.14, z), (0, top + 0.14, z - reach), 0.03, part=mast)
        if d.chance(0.5):
            a.box((0, top + 0.05, -0.1), (0.9 * w, 0.14, 0.4), part=house)
    elif style == 3:
        inner = [(0.8 * x, 0.88 * z) for x, z in outline]
        a.prism(inner, (0, top - 0.3 * deep, 0), -0.9 * deep, taper=0.8, core=(0, -0.1 * half), part=hull, carve=True)
        for i in range(d.between(2, 3)):
            a.box((0, 0.6 * top, half * (0.3 - 0.45 * i)), (1.75 * w, 0.03, 0.12), part=house, group=1)
        if d.chance(0.6):
            for s in (-1, 1):
                a.cone((s * 0.3 * w, top, 0.1), (s * 2.6 * w, top - 0.1, -0.3), 0.02, part=mast, group=1)
    else:
        z, tall = (d(-0.75, -0.4), d(-0.2, 0.1))[style - 1] * half, d(0.12, 0.2)
        long, y, broad = (d(0.25, 0.45), d(0.8, 1.3))[style - 1], top, 1.6 * w
        for _ in range(d.between(1, 4)):
            a.box((0, y + 0.5 * tall, z), (broad, tall + 0.01, long), part=house)
            y, broad, long = y + tall, broad * d(0.75, 0.98), long * d(0.7, 0.95)
        for i in range(d.between(1, 3)):
            at = z + 0.3 * long * (1 - i)
            a.cone((0, y - 0.02, at), (0, y + d(0.15, 0.35), at - 0.05), d(0.04, 0.09), part=mast)
        if style == 1:
            for i in range(d.between(0, 4)):
                a.box((0, top + 0.07, half * (0.5 - 0.25 * i)), (1.2 * w, d(0.1, 0.25), 0.2 * half), part=house)
        if d.chance(0.4):
            a.cone((0, top, 0.55 * half), (0, top + d(0.3, 0.7), 0.55 * half), 0.02, part=mast)
    return a


def rocket(d: Draws) -> Assembly:
    """One or more stages, a pointed or round nose, fins, nozzles, side boosters; stands on its tail."""
    a = Assembly()
    body, nose, fin, nozzle = range(4)
    r, tall = d(0.12, 0.3), d(1.0, 1.8)
    profile, y, girth = [(r, 0.0)], 0.0, r
    for i in range(d.between(1, 3)):
        if i:
            girth_next = girth * d(0.65, 1.0)
            profile.append((girth_next, y + 0.08))
            girth, y = girth_next, y + 0.08
        y += tall * d(0.3, 0.6)
        profile.append((girth, y))
    if d.chance(0.3):
        profile[0] = (r * d(0.6, 0.9), 0.0)
    a.lathe(profile, part=body)
    tip = girth * d(1.2, 4.0)
    if d.chance(0.5):
        a.cone((0, y, 0), (0, y + tip, 0), girth, girth * d(0.0, 0.25), part=nose)
    else:
        a.lathe([(girth * math.sqrt(1 - (i / 6) ** 2), y + tip * i / 6) for i in range(7)], part=nose)
    if d.chance(0.2):
        a.cone((0, y + tip - 0.05, 0), (0, y + tip + d(0.15, 0.4), 0), 0.02, part=nose)
    boosters = d.unit() < 0.3
    if boosters:
        number, size, high = d.between(2, 4), r * d(0.4, 0.7), tall * d(0.3, 0.6)
        for i in range(number):
            t = 2 * math.pi * i / number
            x, z = (r + size) * math.cos(t), (r + size) * math.sin(t)
            a.cone((x, 0, z), (x, high, z), size, part=body)
            a.cone((x, high, z), (x, high + 2 * size, z), size, 0.1 * size, part=nose)
    if not boosters or d.chance(0.4):
        number, reach, high, drop = d.between(3, 5), d(0.15, 0.45), d(0.2, 0.6), d(-0.2, 0.15)
        first, thick, inner = d(0, 3), d(0.02, 0.05), 0.8 * r
        outline = [(inner, 0.05), (inner, 0.05 + high), (r + reach, drop + d(0.2, 0.7) * high), (r + reach, drop)]
        for i in range(number):
            turn = first + 2 * math.pi * i / number
            a.prism(outline, (0, 0, 0), thick, 'xy', rot=(0, turn, 0), part=fin)
    if d.chance(0.7):
        number = 1 if d.chance(0.6) else d.between(3, 4)
        size = (0.75 if number == 1 else 0.4) * r
        for i in range(number):
            t = 2 * math.pi * i / number
            x, z = ((0.0 if number == 1 else 0.55 * r) * math.cos(t), (0.0 if number == 1 else 0.55 * r) * math.sin(t))
            a.cone((x, -d(0.1, 0.2), z), (x, 0.02, z), size, 0.5 * size, part=nozzle)
    return a


def skateboard(d: Draws) -> Assembly:
    """A deck with kicked or flat ends, two trucks and four wheels; long, short, or a scooter with a handlebar."""
    a = Assembly()
    deck, truck, wheel, bar = range(4)
    length, width, thick, r = d(1.3, 2.2), d(0.35, 0.55), d(0.025, 0.06), d(0.06, 0.12)
    flat, kick = 0.5 * length * d(0.55, 0.75), d(0.1, 0.5) if d.chance(0.75) else 0.03
    y = 2 * r + d(0.04, 0.12)
    a.box((0, y, 0), (width, thick, 2 * flat), part=deck)
    end = 0.5 * length - flat
    for s in (-1, 1):
        mid = (0, y + 0.5 * end * math.tan(kick), s * (flat + 0.45 * end))
        a.box(mid, (width, thick, end), rot=(-s * kick, 0, 0), part=deck)
        tip = (0, y + 0.95 * end * math.tan(kick), s * (flat + 0.92 * end))
        a.cone((tip[0], tip[1] - 0.5 * thick, tip[2]), (tip[0], tip[1] + 0.5 * thick, tip[2]), 0.5 * width, part=deck)
    axle, broad = flat * d(0.7, 0.95), d(0.08, 0.14)
    for s in (-1, 1):
        z = s * axle
        a.box((0, 0.5 * (y + r), z), (0.3 * width, y - r, 0.16), part=truck)
        a.cone((-0.5 * width, r, z), (0.5 * width, r, z), 0.35 * r, part=truck)
        for t in (-1, 1):
            x = t * (0.5 * width - 0.3 * broad)
            a.cone((x - 0.5 * broad, r, z), (x + 0.5 * broad, r, z), r, part=wheel)
    if d.chance(0.15):
        tall, lean = d(0.8, 1.3), d(-0.2, 0.0)
        a.cone((0, y, 0.95 * flat), (0, y + tall, 0.95 * flat + lean), 0.03, part=bar)
        a.cone((-0.3, y + tall, 0.95 * flat + lean), (0.3, y + tall, 0.95 * flat + lean), 0.03, part=bar)
    return a
