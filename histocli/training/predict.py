"""Predict tiles with a trained model, on the loop body that trained it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histocli.data.loading import SkippedTile, load_batches
from histocli.data.tiles import TileSource, in_chunks
from histocli.data.writing import Journal
from histocli.metrics.calibrators import calibrate
from histocli.metrics.operating_point import decide
from histocli.models.checkpoint import BEST, load_card
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.predictions import Predictions
from histocli.training.device_batches import on_device
from histocli.training.epoch import EpochResult, LoopSettings, run_epoch
from histocli.training.loss import NO_LABEL

BATCHES_A_CHUNK = 8


def predict(
    model: TileClassifier,
    card: ModelCard,
    source: TileSource,
    indices: Sequence[int],
    settings: LoopSettings,
    skipped: list[SkippedTile],
    *,
    batch_size: int,
    workers: int | None = None,
    journal: Journal | None = None,
) -> Predictions:
    """Predict some tiles of a source, in the order of ``indices``.

    Args:
        model: On ``settings.device``.
        card: Its operating point and calibration decide ``predicted`` and ``calibrated``.
        source: Where the tiles are.
        indices: Which of them.
        settings: Of the loop body.
        skipped: Receives the tiles that cannot be read.
        batch_size: Tiles per batch.
        workers: Decoding threads.
        journal: Keeps what is done, so that a stopped run continues; chunks of tiles stay the same,
            so its end is the same to the last digit.
    """
    position = {name: index for index, name in enumerate(card.classes)}
    labels = np.array([position.get(tile.label or "", NO_LABEL) for tile in source.tiles], np.int64)
    ids = [tile.id for tile in source.tiles]
    done: dict[int, list[float]] = {}
    for chunk in in_chunks(indices, batch_size * BATCHES_A_CHUNK):
        known = _from_journal(journal, chunk, ids, skipped, settings)
        if known is not None:
            done.update(known)
            continue
        before = len(skipped)
        batches = load_batches(source, chunk, batch_size, skipped, workers=workers)
        result = run_epoch(model, on_device(batches, settings.device), labels, ids, settings)
        rows = result.probabilities.tolist()
        done.update(zip(result.indices.tolist(), rows, strict=True))
        if journal is not None:
            _to_journal(journal, result, ids, skipped[before:])
    kept = [index for index in indices if index in done]
    probabilities = np.array([done[index] for index in kept]).reshape(len(kept), len(card.classes))
    return describe(source, kept, probabilities, card)


def describe(
    source: TileSource,
    indices: Sequence[int],
    probabilities: NDArray[np.float64],
    card: ModelCard,
) -> Predictions:
    """Probabilities as a table: decided at the operating point, calibrated, joined with the tiles."""
    tiles = [source.tiles[index] for index in indices]
    threshold = float(card.operating_point.get("threshold", 0.5))
    return Predictions(
        tiles=[tile.id for tile in tiles],
        classes=card.classes,
        probabilities=probabilities,
        predicted=decide(probabilities, card.classes, card.positive_class, threshold),
        labels=[tile.label for tile in tiles],
        groups=[tile.group for tile in tiles],
        calibrated=calibrate(probabilities, card.calibration),
    )


def work_identity(run: Path, source_sha256: str, *facts: object) -> str:
    """Tells predictions apart: by the model, the tiles and what changes the digits."""
    models = [run, *(run / name for name in load_card(run).members)]
    files = [model / f"{BEST}{ending}" for model in models for ending in (".safetensors", ".json")]
    # An ensemble has no weights but those of its members.
    content = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]
    return hashlib.sha256(repr((content, source_sha256, facts)).encode()).hexdigest()


def _to_journal(
    journal: Journal, result: EpochResult, ids: Sequence[str], skipped: Sequence[SkippedTile]
) -> None:
    rows = zip(result.indices.tolist(), result.probabilities.tolist(), strict=True)
    entries = [{"tile": ids[index], "probabilities": row} for index, row in rows]
    journal.append([*entries, *({"tile": tile.id, "skipped": tile.reason} for tile in skipped)])


def _from_journal(
    journal: Journal | None,
    chunk: Sequence[int],
    ids: Sequence[str],
    skipped: list[SkippedTile],
    settings: LoopSettings,
) -> dict[int, list[float]] | None:
    """What the journal has of a chunk, None unless it has all of it."""
    if journal is None or any(ids[index] not in journal.entries for index in chunk):
        return None
    entries = {index: journal.entries[ids[index]] for index in chunk}
    skipped.extend(
        SkippedTile(ids[index], entry["skipped"])
        for index, entry in entries.items()
        if "skipped" in entry
    )
    if settings.progress is not None:
        settings.progress(len(chunk))
    return {i: entry["probabilities"] for i, entry in entries.items() if "probabilities" in entry}
