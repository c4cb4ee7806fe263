"""All movements of the gym by label: exercises, rehabilitation, daily life."""

from __future__ import annotations

from kinjo.datasets.gym import movements_care, movements_daily, movements_gym
from kinjo.datasets.gym.movement import Movement

MOVEMENTS: dict[str, Movement] = {
    movement.label: movement for movement in (*movements_gym.TABLE, *movements_care.TABLE, *movements_daily.TABLE)
}
"""label -> movement."""

NAMES: tuple[str, ...] = tuple(MOVEMENTS)
"""Labels, in a fixed order."""
