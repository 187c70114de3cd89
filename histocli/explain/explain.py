"""Explain tiles: maps, shares of attention, a table and a picture."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from histocli.atomic_files import write_json
from histocli.data.loading import SkippedTile, check_skipped, load_batches
from histocli.data.tiles import TileBatch, TileSource
from histocli.errors import InputError, SettingsError
from histocli.explain.capture import held_still
from histocli.explain.figure import write_figure
from histocli.explain.layers import find_layer
from histocli.explain.maps import BatchMaps, attention_maps
from histocli.explain.methods import CAM_METHODS
from histocli.explain.record import ExplainedTile, remove_other_maps, write_map, write_table
from histocli.explain.result import describe_result
from histocli.explain.scores.center import CenterBox, attention_share, chance_share
from histocli.explain.scores.enlarging import enlarge
from histocli.explain.selection import choose_pictures
from histocli.metrics.operating_point import DEFAULT_THRESHOLD, decide
from histocli.models.classifier import ModelCard, TileClassifier

TABLE, RESULT, FIGURE = "attention.csv", "attention.json", "gradcam_analysis.png"


def explain_tiles(
    model: TileClassifier,
    card: ModelCard,
    source: TileSource,
    indices: Sequence[int],
    output: Path,
    *,
    skipped: list[SkippedTile],
    device: torch.device | str = "cpu",
    method: str = "gradcam",
    layer: str | None = None,
    center_px: int = 32,
    pictures: int = 8,
    batch_size: int = 32,
    workers: int | None = None,
    seed: int = 0,
    split: str | None = None,
    views: str | None = None,
    already_normalized: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Explain some labelled tiles and write ``attention.csv``, ``attention.json``, maps and a picture.

    With two classes every map explains the score of the positive class, so that the maps of negative
    tiles can be told apart; with more, the score of the predicted class.

    Args:
        model: On ``device``.
        card: Its classes, operating point and views.
        source: Where the tiles are.
        indices: Which of them; each has a label.
        output: Folder to write, RUN/explanation.
        skipped: Receives the tiles that cannot be read.
        device: Where the model is.
        method: A key of ``CAM_METHODS``.
        layer: Dotted name of a module of the network; the last with a spatial grid when None.
        center_px: Side of the center box, in pixels of the tile.
        pictures: Rows of the picture.
        batch_size: Tiles per batch.
        workers: Decoding threads.
        seed: Of the bootstrap.
        split: Recorded.
        views: ``none``, ``d4``, or None for what the run predicts with.
        already_normalized: True if the tiles come stain-normalised from disk.
        progress: Called with the number of tiles done.

    Returns:
        Content of ``attention.json``.

    Raises:
        SettingsError: If method or layer cannot be used.
        InputError: If a label is not a class of the model, or no tile can be read.
    """
    if method not in CAM_METHODS:
        raise SettingsError(f"unknown method {method!r}; choose one of {', '.join(CAM_METHODS)}")
    _check_labels(source, indices, card)
    views = views or card.test_time_augmentation
    # An explanation without its summary is one that was interrupted.
    (output / RESULT).unlink(missing_ok=True)
    tiles: list[ExplainedTile] = []
    with held_still(model):
        chosen = find_layer(model.network, card.preprocessing.input_size_px, layer)
        for batch in load_batches(source, indices, batch_size, skipped, workers=workers):
            maps = attention_maps(
                model,
                torch.from_numpy(batch.pixels).to(device),
                chosen,
                CAM_METHODS[method],
                lambda probabilities: _explained(probabilities, card),
                views=views,
                already_normalized=already_normalized,
            )
            for tile, enlarged in _described(batch, maps, source, card, center_px):
                write_map(output, tile, enlarged)
                tiles.append(tile)
            if progress is not None:
                progress(len(batch.indices))
    check_skipped(skipped, len(indices), strict=False)
    tiles.sort(key=lambda tile: tile.index)
    remove_other_maps(output, tiles)
    write_table(output / TABLE, tiles)
    how = {"method": method, "split": split, "seed": seed, "test_time_augmentation": views}
    result = {**how, **describe_result(tiles, card, chosen.name, chosen.grid, center_px, seed)}
    write_figure(output / FIGURE, source, output, choose_pictures(tiles, pictures), result)
    write_json(output / RESULT, result)
    return result


def _check_labels(source: TileSource, indices: Sequence[int], card: ModelCard) -> None:
    labels = {source.tiles[index].label for index in indices}
    unknown = sorted(str(label) for label in labels - set(card.classes))
    if unknown:
        raise InputError(
            f"{source.root}: the model does not know the label {unknown[0]!r} (its classes: "
            f"{', '.join(card.classes)}); explain it on data with the classes it was trained on"
        )


def _explained(probabilities: NDArray[np.float64], card: ModelCard) -> NDArray[np.int64]:
    if len(card.classes) == 2:
        return np.full(len(probabilities), card.classes.index(card.positive_class), np.int64)
    return probabilities.argmax(axis=1).astype(np.int64)


def _margins(probabilities: NDArray[np.float64], card: ModelCard) -> NDArray[np.float64]:
    """How far each tile is from another prediction: 0 at the threshold or a tie, 1 when certain."""
    if len(card.classes) != 2:
        highest = np.sort(probabilities, axis=1)[:, -2:]
        return np.asarray(highest[:, 1] - highest[:, 0])
    positive = probabilities[:, card.classes.index(card.positive_class)]
    threshold = float(card.operating_point.get("threshold", DEFAULT_THRESHOLD))
    distance = positive - threshold
    side = np.where(distance >= 0, 1 - threshold, threshold)
    return np.divide(np.abs(distance), side, out=np.zeros_like(distance), where=side > 0)


def _described(
    batch: TileBatch, maps: BatchMaps, source: TileSource, card: ModelCard, center_px: int
) -> Iterator[tuple[ExplainedTile, NDArray[np.float64]]]:
    """Each tile of a batch with its map at the tile's resolution."""
    height, width = batch.pixels.shape[-2:]
    box = CenterBox.of(height, width, center_px)
    enlarged = enlarge(maps.grids, height, width)
    shares = attention_share(enlarged, box)
    threshold = card.operating_point.get("threshold")
    predicted = decide(maps.probabilities, card.classes, card.positive_class, threshold)
    margins = _margins(maps.probabilities, card)
    for row, index in enumerate(batch.indices.tolist()):
        tile = source.tiles[index]
        explained = int(maps.explained[row])
        yield (
            ExplainedTile(
                index=index,
                id=tile.id,
                group=tile.group,
                label=tile.label,
                predicted=predicted[row],
                probability=float(maps.probabilities[row, explained]),
                explained_class=card.classes[explained],
                center_share=float(shares[row]),
                chance_share=chance_share(height, width, box),
                margin=float(margins[row]),
                size_px=(height, width),
            ),
            enlarged[row],
        )
