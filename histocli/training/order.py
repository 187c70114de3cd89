"""In which order an epoch takes its tiles."""

from collections.abc import Sequence

import numpy as np

from histocli.data.block_shuffle import shuffle_by_block
from histocli.data.tiles import Blocks


def shuffled(
    indices: Sequence[int], seed: int, epoch: int, batch_size: int, blocks: Blocks | None = None
) -> list[int]:
    """Order of one epoch; a last batch that is not full is left out, as its statistics are noise.

    Args:
        indices: The tiles.
        seed: Of the run.
        epoch: Counted from 1.
        batch_size: Tiles a batch.
        blocks: Where the tiles lie; those of some blocks at a time are mixed, all of them without.
    """
    generator = np.random.default_rng([seed, epoch])
    tiles = np.asarray(indices, np.int64)
    places = (
        generator.permutation(len(tiles)) if blocks is None else shuffle_by_block(blocks, generator)
    )
    order = tiles[places]
    whole = len(order) // batch_size * batch_size
    return [int(index) for index in (order[:whole] if whole else order)]
