"""How hard the pictures are: which poses, views, crowds and obstacles appear."""

from dataclasses import dataclass

from mmtranspose.datasets.synthetic.poses import FAMILIES


@dataclass(frozen=True)
class Difficulty:
    """What ``render_scene`` may draw.

    Args:
        families: Names of pose families.
        turn: People face the camera up to this many degrees to either side; 180 lets them face anywhere.
        people: Probabilities of 1, 2, ... people.
        things: Probabilities of 0, 1, ... things.
        things_in_front: Share of the things that stand before the people.
    """

    families: tuple[str, ...] = tuple(family.__name__ for family in FAMILIES)
    turn: float = 180.0
    people: tuple[float, ...] = (0.45, 0.3, 0.15, 0.1)
    things: tuple[float, ...] = (0.2, 0.25, 0.25, 0.2, 0.1)
    things_in_front: float = 0.4


DIFFICULTIES = {
    'full': Difficulty(),
    'easy': Difficulty(
        families=('standing', 'walking', 'arms_up'),
        turn=25.0,
        people=(0.85, 0.15),
        things=(0.6, 0.4),
        things_in_front=0.0,
    ),
}
"""``full``: all of it. ``easy``: upright people, one or two, who face the camera; a small network learns them soon."""
