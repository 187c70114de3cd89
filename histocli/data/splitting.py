"""Divide tiles into train, valid and test without tearing a group apart."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from histocli.data.tiles import Tile
from histocli.errors import InputError

# One seventh of the tiles for each of valid and test: the usual 70/15/15, in whole folds.
FOLDS = 7


def split_tiles(tiles: Sequence[Tile], seed: int) -> list[Tile]:
    """Give every tile a split, keeping those that are stated.

    Where no tile is stated as valid (or test), a seventh of the training tiles becomes it: stratified
    by class, whole groups only. Tiles without a label or with a split of their own are left alone.

    Raises:
        InputError: If a class has too few groups to be split.
    """
    result = [replace(tile, split=tile.split or "train") for tile in tiles]
    # A test set without labels, as competitions have it, is none that could be evaluated.
    stated = {tile.split for tile in tiles if tile.label is not None}
    # Stated splits without test stay without: a user who divides the data decides what is test.
    missing = [name for name in ("test", "valid") if name not in stated]
    if {"train", "valid"} <= stated or {"train", "test"} <= stated:
        missing = [name for name in missing if name == "valid"]
    for name in missing:
        for index in _one_fold(result, seed):
            result[index] = replace(result[index], split="valid" if name == "valid" else "test")
    return result


def _one_fold(tiles: Sequence[Tile], seed: int) -> list[int]:
    candidates = [
        index
        for index, tile in enumerate(tiles)
        if tile.split == "train" and tile.label is not None
    ]
    labels = np.array([tiles[index].label for index in candidates])
    groups = np.array([tiles[index].group or tiles[index].id for index in candidates])
    for label in np.unique(labels) if candidates else ():
        found = len(np.unique(groups[labels == label]))
        if found < FOLDS:
            raise InputError(
                f"class {str(label)!r} has {found} groups (or tiles without a group), too few to set one "
                f"in {FOLDS} aside; state the splits in folders or in the table, or add data"
            )
    if not candidates:
        raise InputError("no labelled tile to divide into train, valid and test")
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    _, held_out = next(folds.split(candidates, labels, groups))
    return [candidates[position] for position in held_out]


def groups_across_splits(tiles: Sequence[Tile]) -> dict[str, list[str]]:
    """Groups that occur in more than one split, with those splits: a leak."""
    splits: dict[str, set[str]] = {}
    for tile in tiles:
        if tile.group is not None and tile.split is not None:
            splits.setdefault(tile.group, set()).add(tile.split)
    return {group: sorted(found) for group, found in sorted(splits.items()) if len(found) > 1}
