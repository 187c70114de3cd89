"""Labels that mean nothing: the control that an explanation is compared with."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from histocli.training.dataset import TrainingData

if TYPE_CHECKING:
    from histocli.data.tiles import Split


def with_shuffled_labels(data: TrainingData, seed: int) -> TrainingData:
    """The data with the labels of each split to learn from dealt out anew; test keeps its own.

    The table of the tiles keeps the true labels: only what is learned changes.

    Args:
        data: Divided.
        seed: Of the deal.

    Source:
        Adebayo et al., NeurIPS 2018, data randomization test.
    """
    labels = data.labels.copy()
    learned_from: tuple[Split, ...] = ("train", "valid")
    for number, split in enumerate(learned_from):
        members = list(data.splits[split].indices)
        generator = np.random.default_rng([seed, number])
        labels[members] = generator.permutation(labels[members])
    return replace(data, labels=labels)
