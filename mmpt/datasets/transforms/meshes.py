"""From a mesh to points on its surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmpt.registry import TRANSFORMS

from .base import Transform, check_points, name_sample

__all__ = ['SampleSurface', 'sample_surface']


def sample_surface(
    vertices: np.ndarray, faces: np.ndarray, num_points: int, rng: np.random.Generator, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw points on a triangle mesh, uniform by area and independent of each other.

    A face is drawn in proportion to its area, so never one without any; the place in it by the square-root map of two
    uniform numbers, which is exactly uniform on a triangle (Osada et al., Shape Distributions, ACM TOG 2002, 4.1).

    Args:
        vertices (ndarray): (V, 3) floats.
        faces (ndarray): (F, 3) integers, rows of ``vertices``.
        num_points (int): N.
        rng (Generator): where all draws come from.
        name (str): how an error calls the mesh.

    Returns:
        tuple: face of each point (N,) int64; its barycentric weights (N, 3) float64, each row summing to 1; unit
        normal of its face (N, 3) float64 by the right-hand rule, which points outwards where faces run anti-clockwise.

    Raises:
        ValueError: not a mesh: a shape or type that does not fit, a vertex that is not finite, a face of a vertex that
            does not exist, or no face with an area.
    """
    _check_mesh(vertices, faces, name)
    # Centred, so that the products below keep their digits where coordinates are large, as those of a map are.
    centred = vertices.astype(np.float64) - vertices.mean(axis=0, dtype=np.float64)
    first, second, third = faces.T
    one, two = centred[second] - centred[first], centred[third] - centred[first]
    cross = one[:, [1, 2, 0]] * two[:, [2, 0, 1]]
    cross -= one[:, [2, 0, 1]] * two[:, [1, 2, 0]]
    twice_area = _length(cross)
    # An area no larger than what rounding to float32 gives to three points in a row: neither an area nor a direction.
    size = np.abs(vertices).max(axis=1)
    reach = np.maximum(np.maximum(size[first], size[second]), size[third])
    edge = np.maximum(_length(one), _length(two))
    usable = np.flatnonzero(twice_area > 2 * np.finfo(np.float32).eps * reach * edge)
    if usable.size == 0:
        raise ValueError(
            f'expected a mesh with an area in {name}, got {len(faces)} faces that have none, so that no point can be '
            'drawn on it; repair the file or remove it from the list.'
        )
    total = np.cumsum(twice_area[usable])
    drawn = np.searchsorted(total, rng.random(num_points) * total[-1], side='right')
    face = usable[np.minimum(drawn, usable.size - 1)]
    root, along = np.sqrt(rng.random(num_points)), rng.random(num_points)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)
    return face, weights, cross[face] / twice_area[face, None]


def _length(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum('ni,ni->n', rows, rows))


def _check_mesh(vertices: np.ndarray, faces: np.ndarray, name: str) -> None:
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(
            f"expected 'vertices' (V, 3) and 'faces' (F, 3) in {name}, got {vertices.shape} and {faces.shape}; cut "
            'faces of more corners into triangles.'
        )
    if len(faces) == 0 or faces.dtype.kind not in 'iu':
        raise ValueError(
            f'expected faces as rows of whole numbers in {name}, got {len(faces)} of type {faces.dtype}; a mesh '
            'without faces is a cloud: give its vertices as points.'
        )
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(axis=1).sum())
        raise ValueError(
            f'expected finite coordinates in {name}, got NaN or infinity in {bad} of {len(vertices)} vertices; repair '
            'the file or remove it from the list.'
        )
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f'expected faces of vertices 0 to {len(vertices) - 1} in {name}, got {faces.min()} to {faces.max()}; the '
            'file is cut off or damaged: write it again.'
        )


@TRANSFORMS.register_module()
class SampleSurface(Transform):
    """Replace a mesh by points drawn on its surface, uniform by area; a cloud passes through as it is.

    So meshes and clouds may lie in one folder. Every access draws anew, from ``rng``.

    Required keys: vertices (V, 3) floats, faces (F, 3) integers and rng; or points. Added keys: points (num_points, 3)
    float32; normals (num_points, 3) float32 where asked for; colors (num_points, 3) uint8, interpolated between the
    corners of the face, where there are vertex_colors (V, 3). Deleted keys: vertices, faces, vertex_colors.

    Args:
        num_points (int): how many points are drawn on a mesh.
        normals (bool): add the unit normals of the faces, by the right-hand rule: they point outwards where the corners
            run anti-clockwise seen from outside, as mesh files agree to have it.

    Raises:
        KeyError: there is neither a mesh nor a cloud.
        ValueError: the mesh has no area or is none (see :func:`sample_surface`), or its colours are not one a vertex.
    """

    required = ('rng',)

    def __init__(self, num_points: int, normals: bool = False) -> None:
        if num_points < 1:
            raise ValueError(f'SampleSurface(num_points={num_points}): expected at least 1.')
        self.num_points, self.normals = num_points, normals

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the points, unless there are some."""
        name = name_sample(results)
        if 'points' in results:
            return results
        if 'vertices' not in results or 'faces' not in results:
            raise KeyError(
                f"SampleSurface needs 'vertices' and 'faces', or 'points', which {name} does not have at this place of "
                'the pipeline; move it behind LoadPoints.'
            )
        vertices, faces = results.pop('vertices'), results.pop('faces')
        face, weights, normal = sample_surface(vertices, faces, self.num_points, results['rng'], name)
        corners = faces[face]
        results['points'] = _mix(weights, vertices, corners).astype(np.float32)
        if self.normals:
            results['normals'] = normal.astype(np.float32)
        if 'vertex_colors' in results:
            colors = results.pop('vertex_colors')
            if colors.shape != vertices.shape:
                raise ValueError(
                    f"expected 'vertex_colors' {vertices.shape} like the vertices of {name}, got {colors.shape}; the "
                    'transform that changed the vertices left them behind.'
                )
            results['colors'] = np.rint(_mix(weights, colors, corners)).astype(np.uint8)
        check_points(results)
        return results


def _mix(weights: np.ndarray, rows: np.ndarray, corners: np.ndarray) -> np.ndarray:
    return np.einsum('nk,nki->ni', weights, rows.astype(np.float64)[corners])
