"""Lamps, monitors, guitars, umbrellas, headphones, knives and toilets."""

from __future__ import annotations

import math

from ..assembly import Assembly
from ..seeds import Draws


def _shade(a, d, center, size, part, up=True):
    """A lamp shade, open below: a cone, drum, dome or ball."""
    x, y, z = center
    style, r, h = d.unit(), size, size * d(0.7, 1.6)
    top = r * d(0.2, 0.8)
    if style < 0.65:
        top = r if style > 0.45 else top
        a.cone((x, y, z), (x, y + h, z), r, top, part=part)
        thin = 0.05 * r
        a.cone(
            (x, y - 0.02, z), (x, y + h + (0.05 if up else -3 * thin), z), r - thin, top - thin, part=part, carve=True
        )
    elif style < 0.85:
        a.ball((x, y, z), (r, h, r), part=part)
        a.ball((x, y, z), (0.93 * r, 0.93 * h, 0.93 * r), part=part, carve=True)
        a.box((x, y - 0.52 * h, z), (2.1 * r, 1.04 * h, 2.1 * r), part=part, carve=True)
    else:
        a.ball((x, y + 0.5 * r, z), 0.8 * r, part=part)


def lamp(d: Draws) -> Assembly:
    """Table lamp, floor lamp, jointed desk lamp, arc lamp or hanging lamp."""
    a = Assembly()
    shade, stem, base, bulb = range(4)
    style = d.unit()
    size = d(0.18, 0.4)
    if style < 0.3:
        tall = d(0.35, 0.7)
        number = 8
        waist, belly = d(0.03, 0.08), d(0.06, 0.25)
        swing, first = d(1.0, 2.6), d(0, 3)
        profile = [
            (waist + belly * math.sin(first + swing * math.pi * i / number) ** 2, 0.05 + tall * i / number)
            for i in range(number + 1)
        ]
        a.lathe(profile, part=stem, group=1)
        a.cone((0, 0, 0), (0, 0.06, 0), d(0.12, 0.3), part=base, group=1)
        _shade(a, d, (0, tall - 0.02, 0), size, shade)
        y = tall
    elif style < 0.55:
        tall, r = d(1.2, 1.9), d(0.015, 0.035)
        if d.chance(0.35):
            for i in range(3):
                t = 2 * math.pi * i / 3 + 0.5
                a.cone((0.3 * math.cos(t), 0, 0.3 * math.sin(t)), (0, 0.8 * tall, 0), r, part=base, group=1)
            a.cone((0, 0.78 * tall, 0), (0, tall, 0), r, part=stem, group=1)
        else:
            a.cone((0, 0, 0), (0, tall + 0.05, 0), r, part=stem, group=1)
            a.cone((0, 0, 0), (0, d(0.03, 0.06), 0), d(0.15, 0.3), part=base, group=1)
        _shade(a, d, (0, tall - 0.1, 0), size, shade)
        y = tall
    elif style < 0.75:
        r, lean, low, high = d(0.015, 0.03), d(0.1, 0.5), d(0.35, 0.6), d(0.3, 0.55)
        elbow = (0, low, -lean)
        head = (0, low + high * d(0.1, 0.7), -lean + high)
        a.cone((0, 0.02, 0), elbow, r, part=stem, group=1)
        a.cone(elbow, head, r, part=stem, group=1)
        a.ball(elbow, 1.8 * r, part=stem, group=1)
        a.cone((0, 0, 0), (0, 0.05, 0), d(0.14, 0.25), part=base, group=1)
        _shade(a, d, (head[0], head[1] - 0.15, head[2]), 0.6 * size, shade)
        y = head[1]
    elif style < 0.87:
        tall, reach, r = d(1.2, 1.8), d(0.5, 1.0), d(0.015, 0.03)
        turns = (math.pi * i / 7 for i in range(8))
        path = [(0, 0.55 * tall + 0.4 * tall * math.sin(t), 0.5 * reach * (1 - math.cos(t))) for t in turns]
        a.tube([(0, 0, 0), *path], r, part=stem, group=1)
        a.cone((0, 0, 0), (0, 0.06, 0), d(0.18, 0.3), part=base, group=1)
        y = 0.55 * tall
        _shade(a, d, (0, y - 0.2, reach), 0.8 * size, shade)
        return a
    else:
        drop, lights = d(0.4, 1.0), (1 if d.chance(0.6) else d.between(2, 3))
        for i in range(lights):
            x = 0.45 * (i - 0.5 * (lights - 1))
            a.cone((x, 0.1, 0), (x, drop + 0.3, 0), 0.012, part=stem, group=1)
            _shade(a, d, (x, 0, 0), size if lights == 1 else 0.18, shade)
        a.box((0, drop + 0.3, 0), (0.2 + 0.45 * (lights - 1), 0.04, 0.2), part=base, group=1)
        y = 0.1
    if d.chance(0.5) and style < 0.55:
        a.ball((0, y + 0.08, 0), 0.07, part=bulb, group=1)
    return a


def monitor(d: Draws) -> Assembly:
    """A flat, curved or deep screen, or a laptop, on a stand, two feet, an arm or a wide foot; keyboard, speakers."""
    a = Assembly()
    screen, stand, extra = range(3)
    width = d(0.7, 1.5)
    height, thick = width * d(0.5, 0.8), d(0.025, 0.09)
    low, tilt = d(0.08, 0.35), d(-0.15, 0.05)
    style = d.unit()
    if style < 0.2:
        # A laptop: the keyboard is the foot.
        lean, deep = d(0.05, 0.6), height * d(0.85, 1.05)
        a.box((0, 0.03, 0), (width, d(0.03, 0.06), deep), part=stand)
        mid = (0, 0.05 + 0.5 * height * math.cos(lean), -0.5 * deep - 0.5 * height * math.sin(lean))
        a.box(mid, (width, height, 0.03), rot=(-lean, 0, 0), part=screen)
        if d.chance(0.7):
            a.box((0, 0.06, -0.1 * deep), (0.85 * width, 0.03, 0.4 * deep), part=extra)
        return a
    y = low + 0.5 * height
    if style < 0.38:
        deep = width * d(0.4, 0.8)
        a.box((0, y, 0), (width, height, 0.3 * deep), part=screen)
        x, h = 0.45 * width, 0.45 * height
        a.prism(
            [(x, h), (-x, h), (-x, -h), (x, -h)], (0, y, -0.5 * deep), -0.7 * deep, 'xy', taper=d(0.4, 0.8), part=screen
        )
        a.box((0, y, 0.15 * deep), (0.85 * width, 0.82 * height, 0.05), part=screen, carve=True)
    else:
        a.box((0, y, 0), (width, height, thick), rot=(tilt, 0, 0), part=screen)
        if d.chance(0.5):
            a.box((0, y, -thick), (0.5 * width, 0.5 * height, 1.2 * thick), part=screen)
    foot = d.unit()
    if foot < 0.45:
        a.beam((0, 0, -0.6 * thick), (0, y, -0.9 * thick - 0.02), d(0.06, 0.3), 0.04, part=stand, group=1)
        form = d.chance(0.5)
        deep = d(0.2, 0.35)
        if form:
            a.box((0, 0.015, 0), (width * d(0.25, 0.5), 0.03, deep), part=stand, group=1)
        else:
            a.cone((0, 0, 0), (0, 0.03, 0), d(0.15, 0.3), part=stand, group=1)
    elif foot < 0.75:
        for s in (-1, 1):
            x = s * width * 0.36
            a.beam((x, 0.0, 0.16), (x, low + 0.03, 0), 0.03, part=stand, group=1)
            a.beam((x, 0.0, -0.16), (x, low + 0.03, 0), 0.03, part=stand, group=1)
    else:
        a.cone((0, 0, 0), (0, low + 0.02, -0.02), d(0.15, 0.35), d(0.05, 0.12), part=stand, group=1)
    more = d.unit()
    if more < 0.2:
        a.box((0, 0.02, 0.45), (0.8 * width, 0.04, 0.2), part=extra, group=1)
    elif more < 0.35:
        for s in (-1, 1):
            a.box((s * (0.5 * width + 0.12), 0.2, 0), (0.14, 0.4, 0.14), part=extra, group=1)
    return a


def guitar(d: Draws) -> Assembly:
    """Acoustic, electric with horns or an arrow shape, ukulele or banjo; stands upright, strings to the front."""
    a = Assembly()
    body, neck, head, detail = range(4)
    style = d.below(4)
    w, h, thick = d(0.3, 0.48), d(0.7, 1.0), d(0.1, 0.22) if style in (0, 3) else d(0.06, 0.1)
    waist, upper = d(0.55, 0.85), d(0.65, 0.95)
    if style == 3:
        a.cone((0, 0.5 * h, -0.5 * thick), (0, 0.5 * h, 0.5 * thick), 0.45 * h, part=body)
    elif style == 2 and d.chance(0.4):
        spread = d(0.3, 0.5)
        for s in (-1, 1):
            a.beam((0, 0.8 * h, 0), (s * spread, 0.0, 0), 0.22, thick, part=body)
    else:
        outline = []
        count = 20
        for i in range(count):
            t = 2 * math.pi * i / count
            s, c = math.sin(t), math.cos(t)
            girth = 1.0 if c < -0.25 else waist if c < 0.3 else upper
            outline.append((w * girth * s, 0.5 * h * (1 + c)))
        a.prism(outline, (0, 0, 0), thick, 'xy', core=(0, 0.45 * h), part=body)
        if style == 2:
            for s in (-1, 1):
                a.ball((s * 0.6 * w, h * d(0.95, 1.1), 0), (0.09, 0.2, 0.5 * thick), rot=(0, 0, -0.25 * s), part=body)
        if style == 1 and d.chance(0.5):
            a.cone((w, 0.95 * h, -thick), (w, 0.95 * h, thick), 0.45 * w, part=body, carve=True)
        if style == 0:
            a.cone((0, 0.62 * h, 0), (0, 0.62 * h, thick), 0.3 * w, part=body, carve=True)
    z = 0.5 * thick + 0.015
    long, broad = d(0.5, 1.0), d(0.06, 0.11)
    top = h + long
    a.box((0, 0.5 * (0.7 * h + top), z), (broad, top - 0.7 * h, 0.05), part=neck, group=1)
    if d.chance(0.6):
        tip = d(0.15, 0.28)
        x = 0.5 * broad
        flare = x * d(1.2, 1.9)
        a.prism([(-x, 0), (x, 0), (flare, tip), (-flare, tip)], (0, top, z - 0.03), 0.04, 'xy', part=head, group=1)
    else:
        tip = d(0.15, 0.3)
        a.box((0.03, top + 0.5 * tip, z - 0.02), (1.5 * broad, tip, 0.04), rot=(0, 0, d(-0.2, 0.2)), part=head, group=1)
    for i in range(d.between(2, 3)):
        for s in (-1, 1):
            a.ball((s * (0.8 * broad + 0.02), top + tip * (0.25 + 0.28 * i), z - 0.03), 0.025, part=head, group=1)
    a.box((0, d(0.2, 0.3) * h, z), (0.6 * w, 0.05, 0.03), part=detail, group=1)
    if style in (1, 2):
        for i in range(d.between(1, 3)):
            a.box((0, h * (0.42 + 0.12 * i), z), (0.4 * w, 0.05, 0.03), part=detail, group=1)
    return a


def umbrella(d: Draws) -> Assembly:
    """Open with a dome or cone of flat panels, or folded; a hooked or straight grip, or a parasol on a foot."""
    a = Assembly()
    canopy, pole, grip = range(3)
    tall, r = d(0.9, 1.6), d(0.015, 0.03)
    a.cone((0, 0, 0), (0, tall + d(0.02, 0.12), 0), r, part=pole, group=1)
    if d.chance(0.78):
        spread, rise = d(0.5, 0.95), d(0.2, 0.5)
        low = tall - rise
        if d.chance(0.45):
            sides = d.between(5, 9)
            ring = [
                (spread * math.cos(2 * math.pi * i / sides), spread * math.sin(2 * math.pi * i / sides))
                for i in range(sides)
            ]
            taper = d(0.0, 0.15)
            a.prism(ring, (0, low + 0.5 * rise, 0), rise, taper=taper, core=(0, 0), part=canopy)
            a.prism(ring, (0, low + 0.5 * rise - 0.04, 0), rise, taper=taper, core=(0, 0), part=canopy, carve=True)
        else:
            a.ball((0, low, 0), (spread, rise, spread), part=canopy)
            a.ball((0, low - 0.03, 0), (0.985 * spread, rise, 0.985 * spread), part=canopy, carve=True)
            a.box((0, low - 0.52 * rise, 0), (2.1 * spread, 1.04 * rise, 2.1 * spread), part=canopy, carve=True)
        if d.chance(0.4):
            number = d.between(4, 8)
            for i in range(number):
                t = 2 * math.pi * i / number
                x, z = 0.55 * spread * math.cos(t), 0.55 * spread * math.sin(t)
                a.cone((0, low - 0.1, 0), (x, low + 0.6 * rise, z), 0.6 * r, part=pole, group=1)
    else:
        a.lathe(
            [(0.03, 0.25 * tall), (d(0.06, 0.14), 0.4 * tall), (d(0.05, 0.12), 0.6 * tall), (0.02, 0.98 * tall)],
            part=canopy,
        )
    end = d.unit()
    if end < 0.5:
        hook = d(0.06, 0.13)
        path = [(hook * (1 - math.cos(t)), -hook * math.sin(t), 0) for t in (math.pi * i / 6 for i in range(7))]
        a.tube([(0, 0.15, 0), *path], 1.4 * r, part=grip, group=1)
    elif end < 0.75:
        a.cone((0, -0.1, 0), (0, 0.12, 0), 1.8 * r, part=grip, group=1)
    else:
        a.cone((0, -0.06, 0), (0, 0.0, 0), d(0.15, 0.3), d(0.1, 0.2), part=grip, group=1)
    return a


def headphones(d: Draws) -> Assembly:
    """A band and two cups, round, oval or square, thin or thick; a cushion inside the band, a microphone, a cord."""
    a = Assembly()
    band, cup, cushion, extra = range(4)
    radius, rise = d(0.4, 0.6), d(0.4, 0.75)
    thick, broad = d(0.02, 0.04), d(0.04, 0.12)
    steps = 10
    arc = [(radius * math.cos(t), rise * math.sin(t), 0.0) for t in (math.pi * i / steps for i in range(steps + 1))]
    if d.chance(0.5):
        a.tube(arc, thick, part=band)
    else:
        for p, q in zip(arc, arc[1:]):
            a.beam(p, q, 2 * thick, 2 * broad, part=band)
    if d.chance(0.4):
        for p, q in zip(arc[3:7], arc[4:8]):
            a.beam((p[0], p[1] - 0.05, 0), (q[0], q[1] - 0.05, 0), 0.06, 2.4 * broad, part=cushion)
    size, deep, form = d(0.17, 0.32), d(0.06, 0.16), d.unit()
    drop, squash, e = -d(0.0, 0.15), d(0.7, 1.0), d(0.25, 0.6)
    for s in (-1, 1):
        x = s * radius
        if form < 0.6:
            a.cone(
                (x - s * 0.4 * deep, drop, 0), (x + s * deep, drop, 0), size, size * d(0.6, 1.0), flat=squash, part=cup
            )
        else:
            a.blob((x + s * 0.3 * deep, drop, 0), (1.4 * deep, 2 * size, 2 * size * squash), e, e, part=cup)
        a.ring(
            (x - s * 0.5 * deep, drop, 0),
            0.75 * size * squash,
            0.3 * size * squash,
            rot=(0, 0, math.pi / 2),
            part=cushion,
        )
    if d.chance(0.25):
        x = radius + 0.3 * deep
        a.tube(
            [(x, drop, 0.5 * size), (x, drop - 0.1, size + 0.15), (0.75 * radius, drop - 0.2, size + 0.35)],
            0.02,
            part=extra,
        )
        a.ball((0.75 * radius, drop - 0.2, size + 0.35), 0.045, part=extra)
    if d.chance(0.25):
        x = -radius - 0.2 * deep
        path = [
            (x, drop - 0.5 * size, 0),
            (x + 0.05, drop - 0.5, 0.1),
            (x + 0.25, drop - 0.75, 0.15),
            (x + 0.3, drop - 1.0, 0.0),
        ]
        a.tube(path, 0.015, part=extra)
    return a


def knife(d: Draws) -> Assembly:
    """Kitchen knife, cleaver, dagger, sword or table knife; the blade upwards."""
    a = Assembly()
    blade, handle, guard = range(3)
    style = d.below(4)
    long, w, thick = (d(0.8, 1.3), d(0.6, 0.9), d(0.7, 1.2), d(1.2, 1.8))[style], d(0.07, 0.2), d(0.015, 0.04)
    grip, g = d(0.35, 0.65), d(0.03, 0.06)
    if style == 1:
        w = d(0.25, 0.45)
        outline = [(-0.3 * w, 0), (0.7 * w, 0), (0.7 * w, long), (-0.3 * w, long * d(0.9, 1.0))]
    elif style == 0:
        outline = [
            (-0.4 * w, 0),
            (0.6 * w, 0),
            (0.6 * w, 0.5 * long),
            (0.3 * w, 0.8 * long),
            (-0.35 * w, long),
            (-0.4 * w, 0.9 * long),
        ]
    else:
        belly = d(0.3, 0.8)
        outline = [
            (-0.5 * w, 0),
            (0.5 * w, 0),
            (0.5 * w * d(0.7, 1.3), belly * long),
            (0, long),
            (-0.5 * w, belly * long),
        ]
    a.prism(outline, (0, 0, 0), thick, 'xy', part=blade)
    form = d.below(3)
    if form == 0:
        a.box((0, -0.5 * grip, 0), (2 * g, grip, 1.4 * g), part=handle)
    elif form == 1:
        a.cone((0, -grip, 0), (0, 0.02, 0), g * d(0.7, 1.4), g, flat=d(0.6, 1.0), part=handle)
    else:
        a.blob((0, -0.5 * grip, 0), (2.4 * g, 1.05 * grip, 1.8 * g), d(0.3, 0.8), d(0.4, 1.0), part=handle)
    if style >= 2 or d.chance(0.3):
        reach = w * d(0.7, 1.8) if style >= 2 else 0.7 * w
        a.box((0, 0, 0), (2 * reach, 0.05, 2 * g), part=guard)
    if d.chance(0.3):
        a.ball((0, -grip, 0), 1.4 * g, part=guard)
    return a


def toilet(d: Draws) -> Assembly:
    """A bowl on a foot or on the wall, a seat, a lid up or down, a cistern low, high or in the wall."""
    a = Assembly()
    bowl, seat, cistern, base = range(4)
    width, depth, height = d(0.34, 0.46), d(0.45, 0.6), d(0.36, 0.48)
    flat, wall = depth / width, d(0.04, 0.07)
    low = d(0.15, 0.25)
    a.cone((0, low, 0), (0, height, 0), 0.5 * width * d(0.5, 0.8), 0.5 * width, flat=flat, part=bowl)
    a.ball((0, height + 0.02, 0), (0.5 * width - wall, height - low, 0.5 * depth - wall), part=bowl, carve=True)
    if d.chance(0.8):
        r = 0.5 * width * d(0.4, 0.75)
        a.cone((0, 0, -0.05), (0, low + 0.03, 0), r * d(0.9, 1.3), r, flat=d(1.0, 1.5), part=base, group=1)
    else:
        a.box((0, 0.5 * (low + height), -0.5 * depth), (0.8 * width, height - low, 0.25), part=base, group=1)
    a.cone((0, height, 0), (0, height + 0.03, 0), 0.52 * width, flat=flat, part=seat, group=2)
    a.cone((0, height - 0.1, 0), (0, height + 0.1, 0), 0.36 * width, flat=flat, part=seat, group=2, carve=True)
    rear = -0.5 * depth
    lid = d.unit()
    if lid < 0.4:
        lean = d(0.05, 0.25)
        a.cone(
            (0, height + 0.55 * width, rear),
            (0, height + 0.55 * width + 0.03 * lean, rear - 0.03),
            0.48 * width,
            flat=1.15,
            part=seat,
            group=1,
        )
    elif lid < 0.7:
        a.cone((0, height + 0.03, 0), (0, height + 0.055, 0), 0.52 * width, 0.48 * width, flat=flat, part=seat, group=1)
    tank = d.unit()
    if tank < 0.85:
        tall, deep = d(0.3, 0.45), d(0.15, 0.22)
        y = height + d(-0.12, 0.05) if tank < 0.7 else height + d(0.5, 0.8)
        z = rear - 0.45 * deep - 0.04
        a.box((0, y + 0.5 * tall, z), (width * d(0.9, 1.25), tall, deep), part=cistern, group=1)
        a.box((0, y + tall, z), (width * 1.27, 0.04, 1.12 * deep), part=cistern, group=1)
        if tank >= 0.7:
            a.cone((0, 0.5 * height, z), (0, y + 0.05, z), 0.035, part=cistern, group=1)
        if y < height + 0.1:
            a.box((0, 0.5 * height, rear + 0.0), (0.6 * width, height, 0.2), part=base, group=1)
    return a
