"""All movements of the gym by label: exercises, rehabilitation, daily life."""

from __future__ import annotations

from kinjo.datasets.gym import movements_care, movements_daily, movements_gym
from kinjo.datasets.gym.made_up import made_up, number_of
from kinjo.datasets.gym.movement import Movement

MOVEMENTS: dict[str, Movement] = {
    movement.label: movement for movement in (*movements_gym.TABLE, *movements_care.TABLE, *movements_daily.TABLE)
}
"""label -> movement."""

NAMES: tuple[str, ...] = tuple(MOVEMENTS)
"""Labels, in a fixed order."""


def movement(label: str) -> Movement:
    """The movement of a label, of ``NAMES`` or ``made-up <number>``. ``KeyError`` for any other."""
    number = number_of(label)
    return MOVEMENTS[label] if number is None else made_up(number)
