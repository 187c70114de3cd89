"""Which tiles to explain, and which of them to show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import numpy as np

from histocli.explain.record import ExplainedTile

Reason = Literal["surest correct", "surest wrong", "least sure"]
# In the order of the rows of the figure.
REASONS: tuple[Reason, ...] = ("surest correct", "surest wrong", "least sure")


@dataclass(frozen=True)
class Choice:
    """A tile of the figure, and what it is an example of."""

    tile: ExplainedTile
    reason: Reason


def select_tiles(labels: Mapping[int, str], count: int, seed: int) -> list[int]:
    """Draw tiles evenly from the classes; a class with too few leaves the rest to the others.

    Args:
        labels: Class by index.
        count: How many tiles; all of them if there are no more.
        seed: Same seed, same tiles; a larger count draws the same tiles and more.

    Returns:
        Indices, sorted.
    """
    turns = []
    for position, name in enumerate(sorted(set(labels.values()))):
        members = sorted(index for index, label in labels.items() if label == name)
        generator = np.random.default_rng([seed, position])
        turns.append([members[drawn] for drawn in generator.permutation(len(members)).tolist()])
    in_turn = [index for turn in zip_longest(*turns) for index in turn if index is not None]
    return sorted(in_turn[:count])


def choose_pictures(tiles: Sequence[ExplainedTile], count: int) -> list[Choice]:
    """Take turns between the classes and between right, wrong and unsure, the clearest example first.

    Tiles whose map is empty are shown only when nothing else is left.

    Args:
        tiles: Explained, each with a label.
        count: How many to choose at most.

    Returns:
        In the order of ``REASONS``, then of the class.
    """
    queues: list[list[Choice]] = []
    for reason in REASONS:
        for name in sorted({tile.label or "" for tile in tiles}):
            members = [tile for tile in tiles if (tile.label or "") == name]
            queues.append([Choice(tile, reason) for tile in _ranked(members, reason)])
    chosen: dict[str, Choice] = {}
    while any(queues) and len(chosen) < count:
        for queue in queues:
            while queue and queue[0].tile.id in chosen:
                queue.pop(0)
            if queue and len(chosen) < count:
                choice = queue.pop(0)
                chosen[choice.tile.id] = choice
    order = {reason: position for position, reason in enumerate(REASONS)}
    return sorted(
        chosen.values(), key=lambda each: (order[each.reason], each.tile.label or "", each.tile.id)
    )


def _ranked(tiles: Sequence[ExplainedTile], reason: Reason) -> list[ExplainedTile]:
    if reason == "least sure":
        return sorted(tiles, key=lambda tile: (tile.is_empty, tile.margin, tile.id))
    wanted = reason == "surest correct"
    matching = [tile for tile in tiles if tile.is_correct == wanted]
    return sorted(matching, key=lambda tile: (tile.is_empty, -tile.margin, tile.id))
