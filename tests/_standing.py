"""A body at rest, for tests that move its limbs."""

import numpy as np

UPRIGHT = np.array([
    [0, 1.0, 0], [0, 1.5, 0], [0, 1.7, 0], [0, 1.45, -0.2], [0, 1.15, -0.2], [0, 0.9, -0.2], [0, 1.45, 0.2],
    [0, 1.15, 0.2], [0, 0.9, 0.2], [0, 1.0, -0.1], [0, 0.55, -0.1], [0, 0.1, -0.1], [0.15, 0.02, -0.1],
    [0, 1.0, 0.1], [0, 0.55, 0.1], [0, 0.1, 0.1], [0.15, 0.02, 0.1],
])  # fmt: skip
"""The canonical joints of a person who stands upright with the arms hanging, facing x, metres."""
