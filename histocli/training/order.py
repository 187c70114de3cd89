"""In which order an epoch takes its tiles."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from histocli.data.block_shuffle import shuffle_by_block
from histocli.data.tiles import Blocks


def shuffled(
    indices: Sequence[int],
    seed: int,
    epoch: int,
    batch_size: int,
    blocks: Blocks | None = None,
    weights: NDArray[np.float64] | None = None,
) -> list[int]:
    """Order of one epoch; a last batch that is not full is left out, as its statistics are noise.

    Args:
        indices: The tiles.
        seed: Of the run.
        epoch: Counted from 1.
        batch_size: Tiles a batch.
        blocks: Where the tiles lie; those of some blocks at a time are mixed, all of them without.
        weights: Chance of each tile, shape ``(N,)``: as many are drawn with replacement. None takes
            each once.
    """
    generator = np.random.default_rng([seed, epoch])
    tiles = np.asarray(indices, np.int64)
    if weights is not None:
        places = generator.choice(len(tiles), len(tiles), p=weights / weights.sum())
    elif blocks is not None:
        places = shuffle_by_block(blocks, generator)
    else:
        places = generator.permutation(len(tiles))
    order = tiles[places]
    whole = len(order) // batch_size * batch_size
    return [int(index) for index in (order[:whole] if whole else order)]


def equal_shares(
    labels: Sequence[Hashable], groups: Sequence[Hashable] | None
) -> NDArray[np.float64]:
    """Chances under which each class is drawn alike, and within a class each of its groups.

    Args:
        labels: Class of each tile.
        groups: Group of each tile, to be drawn alike within their class; None draws tiles alike.
    """
    by_class = _counts(labels)
    if groups is None:
        return 1 / by_class
    cells = list(zip(labels, groups, strict=True))
    groups_in_class: dict[Hashable, set[Hashable]] = {}
    for label, group in cells:
        groups_in_class.setdefault(label, set()).add(group)
    distinct = np.array([len(groups_in_class[label]) for label in labels], np.float64)
    return 1 / (_counts(cells) * distinct)


def _counts(values: Sequence[Hashable]) -> NDArray[np.float64]:
    """How often each value occurs, one number a tile."""
    totals: dict[Hashable, int] = {}
    for value in values:
        totals[value] = totals.get(value, 0) + 1
    return np.array([totals[value] for value in values], np.float64)
