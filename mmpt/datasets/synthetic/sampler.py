"""Points on the surface of a solid, by area, with normals: the one sampler behind all generators.

1. Patches are chosen in proportion to an upper bound of their area *after* the affine map, and a candidate is drawn in
   each; its true area per unit of probability, divided by the bound, is its weight (1 for planes and round cylinders).
2. A candidate stays where the material ends: just under it is inside the solid, just above it is outside. That one
   rule makes unions and carvings, and turns the carvers' surfaces into new ones (their normals are flipped).
3. Warps move what is left and multiply the weights by their stretch of area.
4. As many as asked for are kept in proportion to their weights.

Approximations: "just" is a two-thousandth of the largest coordinate, so walls must be thicker. Where two faces of the
same direction coincide, both stay (double density). Keeping in proportion to weight without repeats (sequential
Poisson sampling) is exact up to O(1/N), except that a weight above the bound's 1, which only warps and strongly
sheared curved patches cause, saturates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .assembly import Solid
from .primitives import INSIDE, KINDS, PATCHES
from .warps import Warp

_SKIN = 5e-4
_MAX_ROUNDS = 8


class _Field:
    """The solid prepared for questions: what is inside, and how do local normals turn."""

    def __init__(self, solid: Solid):
        self.solid = solid
        self.starts = np.searchsorted(solid.kind, range(len(KINDS) + 1)).tolist()
        # The columns of the cofactor matrix are the cross products of the columns of the map.
        columns = solid.matrix.transpose(2, 0, 1)
        first, second = columns[[1, 2, 0]], columns[[2, 0, 1]]
        cof = first[..., [1, 2, 0]] * second[..., [2, 0, 1]]
        cof -= first[..., [2, 0, 1]] * second[..., [1, 2, 0]]
        det = np.einsum('ki,ki->k', columns[0], cof[0])
        inverse = cof / det[:, None]
        offset = -np.einsum('iks,ks->ik', inverse, solid.center)
        self.inverse = np.concatenate((inverse, offset[..., None]), axis=2).reshape(-1, 4).astype(np.float32)
        # Signed, so that outward normals stay outward under reflections.
        self.cofactor = (cof * np.sign(det)[:, None]).transpose(1, 2, 0).astype(np.float32)
        self.matrix = solid.matrix.astype(np.float32)
        self.center = solid.center.astype(np.float32)
        self.groups = []
        if solid.carve.any():
            for group in set(solid.group.tolist()):
                mine = solid.group == group
                self.groups.append((mine & ~solid.carve, mine & solid.carve))
        reach = np.abs(solid.center) + np.abs(solid.matrix).sum(axis=2)
        self.skin = np.float32(_SKIN * reach.max())

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(M, 3) float32 points -> (M,) bool, True strictly inside."""
        flat = np.ones((4, len(points)), np.float32)
        flat[:3] = points.T
        # Not `@`: BLAS may split it among threads, which for so little work costs more than it gives.
        local = np.einsum('ij,jm->im', self.inverse, flat).reshape(3, -1, len(points))
        hit = np.empty(local.shape[1:], bool)
        for kind, test in enumerate(INSIDE):
            a, b = self.starts[kind], self.starts[kind + 1]
            if a < b:
                hit[a:b] = test(local[:, a:b], self.solid.params[a:b])
        if not self.groups:
            return hit.any(axis=0)
        inside = np.zeros(len(points), bool)
        for solids, carvers in self.groups:
            inside |= hit[solids].any(axis=0) & ~hit[carvers].any(axis=0)
        return inside

    def patches(self):
        """Bounds of all patches' areas, flat, and for each patch type: where it starts there."""
        lengths = np.sqrt(np.einsum('kij,kij->kj', self.cofactor, self.cofactor))
        ruled = self.cofactor[..., 0] + self.cofactor[..., 2]
        lengths = np.concatenate((lengths, np.sqrt(np.einsum('ki,ki->k', ruled, ruled))[:, None]), axis=1)
        bounds, starts = [], [0]
        for patch in PATCHES:
            a, b = self.starts[patch.kind], self.starts[patch.kind + 1]
            if a < b:
                bounds.append(patch.bound(lengths[a:b], self.solid.params[a:b]).ravel())
            starts.append(starts[-1] + (bounds[-1].size if a < b else 0))
        return np.concatenate(bounds), starts

    def candidates(self, bounds, starts, count, rng):
        """Draw ``count`` candidates: points, unit normals, weights, and the primitive of each."""
        total = np.cumsum(bounds, dtype=np.float64)
        # Stratified: each patch gets its share of the candidates up to one, and patches come in order.
        at = (np.arange(count) + rng.random(count)) * (total[-1] / count)
        chosen = np.minimum(np.searchsorted(total, at, side='right'), len(bounds) - 1)
        uniforms = rng.random((count, 3), dtype=np.float32)
        points = np.empty((count, 3), np.float32)
        normals = np.empty((count, 3), np.float32)
        weights = np.empty(count, np.float32)
        owner = np.empty(count, np.int64)
        cuts = np.searchsorted(chosen, starts).tolist()
        for patch, start, i, j in zip(PATCHES, starts, cuts, cuts[1:]):
            if i == j:
                continue
            first = self.starts[patch.kind]
            face, local = np.divmod(chosen[i:j] - start, self.starts[patch.kind + 1] - first)
            owner[i:j] = local + first
            params = self.solid.params[owner[i:j]]
            points[i:j], normals[i:j], weights[i:j] = patch.draw(face, params, uniforms[i:j])
        points = np.einsum('nij,nj->ni', self.matrix[owner], points) + self.center[owner]
        normals = np.einsum('nij,nj->ni', self.cofactor[owner], normals)
        stretch = np.sqrt(np.einsum('ni,ni->n', normals, normals))
        normals /= stretch[:, None]
        weights *= stretch / bounds[chosen]
        return points, normals, weights, owner

    def surface(self, points, normals, owner):
        """Flip the carvers' normals, and tell which candidates are where the material ends."""
        if not self.groups:
            return ~self.inside(points + self.skin * normals)
        carved = self.solid.carve[owner]
        normals[carved] *= -1.0
        lift = self.skin * normals
        stays = ~self.inside(points + lift)
        # Only where something is carved can a point of a solid have no material under it.
        doubtful = np.flatnonzero(stays & np.isin(self.solid.group, self.solid.group[self.solid.carve])[owner])
        stays[doubtful] = self.inside(points[doubtful] - lift[doubtful])
        return stays


def surface_area(solid: Solid, rng: np.random.Generator, count: int = 4096) -> float:
    """Area of what :func:`sample` draws from, without warps, estimated by ``count`` candidates: to a few percent.

    Args:
        solid: the primitives.
        rng: all randomness.
        count: candidates.

    Returns:
        Area in the solid's unit, squared.
    """
    field = _Field(solid)
    bounds, starts = field.patches()
    points, normals, weights, owner = field.candidates(bounds, starts, count, rng)
    stays = field.surface(points, normals, owner)
    return float(bounds.sum(dtype=np.float64) * weights[stays].sum(dtype=np.float64) / count)


def sample(
    solid: Solid, rng: np.random.Generator, num_points: int, warps: Sequence[Warp] = (), oversample: float = 1.4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points on the surface of a solid, uniform by area; see the module's docstring for how exactly.

    Args:
        solid: the primitives.
        rng: all randomness; what is drawn depends on ``num_points`` too.
        num_points: N.
        warps: applied in this order to the solid's surface.
        oversample: candidates of the first round over N; a matter of speed only, as rounds follow until it is enough.

    Returns:
        Points (N, 3) float32 in the solid's frame and unit, unit outward normals (N, 3) float32, parts (N,) int64.
        The order is random.

    Raises:
        ValueError: the carvers leave next to nothing.
    """
    field = _Field(solid)
    bounds, starts = field.patches()
    kept, mass, count = [], 0.0, int(oversample * num_points) + 16
    for _ in range(_MAX_ROUNDS):
        points, normals, weights, owner = field.candidates(bounds, starts, count, rng)
        stays = np.flatnonzero(field.surface(points, normals, owner))
        found = points[stays], normals[stays], weights[stays], owner[stays]
        kept.append(found)
        gained = float(found[2].sum())
        mass += gained
        if mass >= num_points:
            break
        # As many more as are missing at this round's yield, and a little more for luck.
        count = int(min(1.1 * (num_points - mass) * count / max(gained, 1.0) + 32, 8 * num_points))
    points, normals, weights, owner = kept[0] if len(kept) == 1 else map(np.concatenate, zip(*kept))
    if len(points) < num_points:
        raise ValueError('the solid has next to no surface left: its carvers cut almost all of it away')
    for warp in warps:
        points, normals, stretch = warp(points, normals)
        weights = weights * stretch
    order = rng.random(len(points), dtype=np.float32) / np.maximum(weights, 1e-12)
    order = np.argpartition(order, num_points - 1)[:num_points]
    order = order[rng.permutation(num_points)]
    return points[order], normals[order], field.solid.part[owner[order]]
