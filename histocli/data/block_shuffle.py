"""Order of one epoch where tiles are stored in blocks that are read at once."""

import numpy as np
from numpy.typing import NDArray

from histocli.data.tiles import Blocks


def shuffle_by_block(blocks: Blocks, generator: np.random.Generator) -> NDArray[np.int64]:
    """Shuffle the blocks, then the tiles of some blocks at a time, so that each block is read once.

    Args:
        blocks: Where the tiles lie.
        generator: Where chance comes from.

    Returns:
        The tiles' positions, each once.
    """
    by_block = np.argsort(blocks.numbers, kind="stable")
    _, starts = np.unique(blocks.numbers[by_block], return_index=True)
    members = np.split(by_block, starts[1:])
    order = generator.permutation(len(members))
    groups = [
        np.concatenate([members[number] for number in order[start : start + blocks.at_hand]])
        for start in range(0, len(order), blocks.at_hand)
    ]
    for group in groups:
        generator.shuffle(group)
    return np.concatenate(groups)
