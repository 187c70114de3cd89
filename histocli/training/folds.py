"""Divide training and validation tiles anew, into folds that tear no group apart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from histocli.errors import InputError, SettingsError
from histocli.training.dataset import SplitData, TrainingData

if TYPE_CHECKING:
    from histocli.data.tiles import Split


@dataclass(frozen=True)
class Fold:
    """One fold of several.

    Attributes:
        number: Counted from 1; its tiles validate.
        count: Of all folds.
        seed: Of the division.
    """

    number: int
    count: int
    seed: int


def divided(data: TrainingData, fold: Fold, say: Callable[[str], None]) -> TrainingData:
    """The data with this fold's tiles as validation, the others as training; test stays as it is.

    Stratified by class; whole groups only. A tile without a group is one of its own.

    Raises:
        InputError: If a class has fewer groups than there are folds.
        SettingsError: If training and validation tiles were normalized to separate folders.
    """
    train, valid = data.splits["train"], data.splits["valid"]
    if train.source is not valid.source:
        raise SettingsError(
            f"{data.path}: folds need training and validation tiles in one place, and both were read from "
            "folders that `histo normalize` wrote; move those away, or train with --stain none"
        )
    pool = sorted([*train.indices, *valid.indices])
    labels = data.labels[pool]
    groups = np.array([data.tiles[index].group or data.tiles[index].id for index in pool])
    for position, name in enumerate(data.classes):
        found = len(np.unique(groups[labels == position]))
        if found < fold.count:
            raise InputError(
                f"class {name!r} has {found} groups, too few for {fold.count} folds; choose fewer folds"
            )
    if not any(data.tiles[index].group for index in pool):
        say(
            "warning: no groups are known, so folds divide tiles: optimistic if tiles share patients"
        )
    folds = StratifiedGroupKFold(fold.count, shuffle=True, random_state=fold.seed)
    _, held_out = list(folds.split(pool, labels, groups))[fold.number - 1]
    validating = {pool[position] for position in held_out}
    splits = dict(data.splits)
    normalized = train.already_normalized
    splits["train"] = SplitData(
        train.source, [index for index in pool if index not in validating], normalized
    )
    splits["valid"] = SplitData(train.source, sorted(validating), normalized)
    tiles = list(data.tiles)
    for index in pool:
        split: Split = "valid" if index in validating else "train"
        tiles[index] = replace(tiles[index], split=split)
    return replace(data, tiles=tiles, splits=splits)
