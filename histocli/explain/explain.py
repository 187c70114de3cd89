"""Explain tiles: maps, shares of attention, a table and a picture."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from histocli.atomic_files import remove_abandoned, write_json
from histocli.data.loading import SkippedTile, check_skipped, load_batches
from histocli.data.tiles import TileBatch, TileSource
from histocli.device_memory import FittingParts
from histocli.errors import InputError, SettingsError
from histocli.explain.audit_figures import FAITHFULNESS, SANITY, write_audit_figures
from histocli.explain.audit_run import AuditPlan, run_audit
from histocli.explain.average_maps import AverageMaps, write_average_maps
from histocli.explain.capture import held_still
from histocli.explain.figure import write_figure
from histocli.explain.maps import BatchMaps, Explainer, attention_maps
from histocli.explain.record import ExplainedTile, remove_other_maps, write_map, write_table
from histocli.explain.result import describe_result
from histocli.explain.scores.center import CenterBox, attention_share, chance_share
from histocli.explain.scores.enlarging import enlarge
from histocli.explain.selection import choose_pictures
from histocli.explain.tile_regions import has_tumor_in_ring_only, score_batch
from histocli.metrics.operating_point import DEFAULT_THRESHOLD, decide
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.stage_clock import CLOCK

TABLE, RESULT = "attention.csv", "attention.json"
FIGURE, AVERAGES = "gradcam_analysis.png", "average_maps.png"


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
    box: CenterBox | None = None,
    pictures: int = 8,
    batch_size: int = 32,
    workers: int | None = None,
    seed: int = 0,
    split: str | None = None,
    views: str | None = None,
    already_normalized: bool = False,
    audit: AuditPlan | None = None,
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
        method: A key of ``METHODS``.
        layer: Dotted name of a module of the network; the last with a spatial grid when None.
        center_px: Side of the center box, in pixels of the tile.
        box: Another region to score the maps against, the same in all tiles.
        pictures: Rows of the picture.
        batch_size: Tiles per batch.
        workers: Decoding threads.
        seed: Of the bootstrap.
        split: Recorded.
        views: ``none``, ``d4``, or None for what the run predicts with.
        already_normalized: True if the tiles come stain-normalised from disk.
        audit: What to test of the maps; nothing if None.
        progress: Called with the number of tiles done.

    Returns:
        Content of ``attention.json``.

    Raises:
        SettingsError: If method or layer cannot be used.
        InputError: If a label is not a class of the model, or no tile can be read.
    """
    explainer = Explainer.of(model, method, layer)
    _check_labels(source, indices, card)
    views = views or card.test_time_augmentation
    # An explanation without its summary is one that was interrupted.
    for name in (RESULT, FAITHFULNESS, SANITY):
        (output / name).unlink(missing_ok=True)
    remove_abandoned(output)
    tiles: list[ExplainedTile] = []
    averages = AverageMaps()
    parts = FittingParts()
    with held_still(model):
        batches = load_batches(source, indices, batch_size, skipped, workers=workers)
        for batch in CLOCK.between(batches, "reading", "model"):
            maps = attention_maps(
                explainer,
                torch.from_numpy(batch.pixels).to(device),
                lambda probabilities: explained_classes(probabilities, card),
                views=views,
                already_normalized=already_normalized,
                parts=parts,
            )
            for tile, enlarged in _described(batch, maps, source, card, center_px, box):
                write_map(output, tile, enlarged)
                averages.add(tile, enlarged)
                tiles.append(tile)
            if progress is not None:
                progress(len(batch.indices))
    check_skipped(skipped, len(indices), strict=False)
    tiles.sort(key=lambda tile: tile.index)
    remove_other_maps(output, tiles)
    write_table(output / TABLE, tiles)
    how = {"method": method, "split": split, "seed": seed, "test_time_augmentation": views}
    result = {**how, **describe_result(tiles, card, explainer.layer, center_px, seed)}
    if audit is not None:
        result["audit"] = run_audit(
            explainer,
            card,
            source,
            tiles,
            result,
            audit,
            device=device,
            batch_size=parts.at_once or batch_size,
            already_normalized=already_normalized,
        )
        write_audit_figures(output, result["audit"], method)
    normalize = None if card.stain.method == "none" else partial(_normalized, model, device)
    choices = choose_pictures(tiles, pictures)
    write_figure(output / FIGURE, source, output, choices, result, normalize)
    write_average_maps(output / AVERAGES, averages, card.classes, result)
    write_json(output / RESULT, result)
    return result


def _normalized(
    model: TileClassifier, device: torch.device | str, pixels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """A tile ``(H, W, 3)`` as the network sees it."""
    tile = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].to(device)
    with torch.no_grad():
        unit = model.prepare(tile)[0].cpu().permute(1, 2, 0).numpy()
    return np.rint(unit * 255).astype(np.uint8)


def _check_labels(source: TileSource, indices: Sequence[int], card: ModelCard) -> None:
    labels = {source.tiles[index].label for index in indices}
    unknown = sorted(str(label) for label in labels - set(card.classes))
    if unknown:
        raise InputError(
            f"{source.root}: the model does not know the label {unknown[0]!r} (its classes: "
            f"{', '.join(card.classes)}); explain it on data with the classes it was trained on"
        )


def explained_classes(probabilities: NDArray[np.float64], card: ModelCard) -> NDArray[np.int64]:
    """The class whose score each map explains: the positive one of two, else the predicted one."""
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
    batch: TileBatch,
    maps: BatchMaps,
    source: TileSource,
    card: ModelCard,
    center_px: int,
    box: CenterBox | None,
) -> Iterator[tuple[ExplainedTile, NDArray[np.float64]]]:
    """Each tile of a batch with its map at the tile's resolution."""
    height, width = batch.pixels.shape[-2:]
    if center_px > min(height, width):
        raise SettingsError(
            f"the center box of {center_px} px does not lie within tiles of {width}x{height} px; "
            "choose a smaller --center-px"
        )
    center = CenterBox.of(height, width, center_px)
    enlarged = enlarge(maps.grids, height, width)
    grid = (maps.grids.shape[1], maps.grids.shape[2])
    boxes = {"center": center} if box is None else {"center": center, "box": box}
    scores = score_batch(batch, enlarged, grid, source, boxes)
    shares = attention_share(enlarged, center)
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
                chance_share=chance_share(height, width, center),
                margin=float(margins[row]),
                size_px=(height, width),
                regions=scores[row].regions,
                stains=scores[row].stains,
                ring_only=has_tumor_in_ring_only(tile),
            ),
            enlarged[row],
        )
