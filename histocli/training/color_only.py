"""The color baseline of a run: fitted on its training tiles, applied to the tiles it is judged on."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from histocli.data.color_statistics import color_features
from histocli.data.loading import load_batches
from histocli.data.tiles import TileSource
from histocli.metrics.baselines import color_probabilities

Advance = Callable[[int], None]
# More tiles do not change a regression on 21 numbers.
MOST_TRAINING_TILES = 5000


def features_of(
    source: TileSource, indices: Sequence[int], advance: Advance, workers: int | None = None
) -> tuple[NDArray[np.float64], list[int]]:
    """Color statistics ``(N, 21)`` of the tiles that can be read, and which those are."""
    rows: list[NDArray[np.float64]] = [np.empty((0, 21))]
    read: list[int] = []
    for batch in load_batches(source, indices, 64, [], workers=workers):
        rows.append(color_features(batch.pixels))
        read += batch.indices.tolist()
        advance(len(batch.indices))
    return np.concatenate(rows), read


def color_baseline(
    train: tuple[TileSource, Sequence[int]],
    judged: tuple[TileSource, Sequence[int]],
    classes: Sequence[str],
    begin: Callable[[str, int], Advance],
    workers: int | None = None,
) -> NDArray[np.float64]:
    """Class probabilities by color alone for the judged tiles, in their order, shape ``(N, K)``.

    Args:
        train: Source and labelled tiles of training.
        judged: Source and tiles to be judged, all readable.
        classes: Of the model.
        begin: Called with the stage and its number of tiles.
        workers: Decoding threads.
    """
    source, indices = train
    position = {name: index for index, name in enumerate(classes)}
    features, read = features_of(
        source, indices, begin("colors of the training tiles", len(indices)), workers
    )
    labels = np.array([position[source.tiles[index].label or ""] for index in read], np.int64)
    others, order = features_of(
        judged[0], judged[1], begin("colors of the judged tiles", len(judged[1])), workers
    )
    found = color_probabilities(features, labels, others, len(classes))
    places = {index: place for place, index in enumerate(order)}
    return found[[places[index] for index in judged[1]]]
