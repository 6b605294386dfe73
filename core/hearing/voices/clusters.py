"""Which of many sounds are of one voice: average linkage on the distance of their vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD = 0.35  # cosine distance up to which two groups are one voice; narrow, so that a count may be given
LEAST_S = 1.5  # of a voice: less is a laugh
MOST = 3000  # vectors that are compared with each other; the others join the nearest voice


def cluster(vectors: NDArray[np.float32], lengths_s: NDArray[np.float64], count: int | None = None) -> list[int]:
    """The voice of each vector, from 0 on, in the order in which voices are first heard.

    Args:
        vectors: Shape (n, 256), each of length 1.
        lengths_s: How much speech each stands for.
        count: How many voices there are, if somebody knows.
    """
    if not len(vectors):
        return []
    step = -(-len(vectors) // MOST)
    groups = _merge(vectors[::step], count)
    centres = [vectors[::step][group].mean(axis=0) for group in groups]
    nearest = np.argmax(vectors @ np.stack(centres).T, axis=1)
    total = np.bincount(nearest, lengths_s, len(centres))
    kept = [number for number in range(len(centres)) if total[number] >= LEAST_S] if count is None else []
    kept = kept or list(np.argsort(-total, kind="stable")[: count or 1])
    nearest = np.array(kept)[np.argmax(vectors @ np.stack([centres[number] for number in kept]).T, axis=1)]
    order = {number: place for place, number in enumerate(dict.fromkeys(nearest.tolist()))}
    return [order[number] for number in nearest.tolist()]


def _merge(vectors: NDArray[np.float32], count: int | None) -> list[list[int]]:
    """Join the two nearest groups until none are near, or so many are left."""
    distances = (1 - vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    groups: list[list[int] | None] = [[number] for number in range(len(vectors))]
    sizes = np.ones(len(vectors))
    left = len(vectors)
    while left > max(1, count or 1):
        first, second = divmod(int(np.argmin(distances)), len(vectors))
        if count is None and distances[first, second] > THRESHOLD:
            break
        a, b = groups[first], groups[second]
        if a is None or b is None:
            break
        joined = (distances[first] * sizes[first] + distances[second] * sizes[second]) / (sizes[first] + sizes[second])
        distances[first], distances[:, first] = joined, joined
        distances[second], distances[:, second] = np.inf, np.inf
        distances[first, first] = np.inf
        groups[first], groups[second] = a + b, None
        sizes[first] += sizes[second]
        left -= 1
    return [group for group in groups if group is not None]
