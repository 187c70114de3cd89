"""Gather what the analyses of an evaluation are made of; reads and predicts only what is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from histocli.data.tiles import Split, TileSource
from histocli.metrics.analyses import Material
from histocli.metrics.operating_rules import parse_rules
from histocli.models.checkpoint import load_model
from histocli.models.classifier import ModelCard
from histocli.predictions import Predictions
from histocli.training.color_only import MOST_TRAINING_TILES, color_baseline
from histocli.training.devices import find_device
from histocli.training.leaks import digests_of, shared_groups, shared_tiles
from histocli.training.recorded_splits import labels_of_training, recorded_tiles
from histocli.training.run import VALIDATION_TABLE, open_split
from histocli.training.stress import DisturbedPredictions, evenly_chosen, predict_disturbed
from histocli.training.subgroup_columns import subgroup_columns
from histocli.training.use import UseSettings, predict_split

Begin = Callable[[str, int], Callable[[int], None]]


@dataclass(frozen=True)
class AnalysisRequest:
    """What was asked for beyond the table of metrics.

    Attributes:
        at: Rules of further operating points, as typed.
        prevalence: At which predictive values and net benefit are given too.
        by: Columns of subgroups, as typed, with commas between.
        aggregate: Ways to aggregate tiles to groups, as typed, with commas between.
        stress: Predict disturbed tiles.
        stress_tiles: At most so many of them.
        sanity: Read colors and pixels: the color baseline, and tiles that occur in two splits.
        qc: Table of a check, for subgroups by its reasons.
        seed: Of everything random.
    """

    at: str | None = None
    prevalence: float | None = None
    by: str | None = None
    aggregate: str | None = None
    stress: bool = False
    stress_tiles: int = 500
    sanity: bool = False
    qc: Path | None = None
    seed: int = 0


def gather(
    run: Path,
    data: Path | None,
    split: Split,
    predictions: Predictions,
    card: ModelCard,
    request: AnalysisRequest,
    use: UseSettings,
    begin: Begin,
) -> Material:
    """The material of the analyses that were asked for.

    Args:
        run: The run.
        data: Another data set; the run's own when None.
        split: Which split was predicted.
        predictions: Of it.
        card: Of the model.
        request: What was asked for.
        use: How to predict.
        begin: Called with the stage and its number of tiles.

    Raises:
        HistoError: If something that is needed is not there, saying what.
    """
    rules, by, aggregations = (
        parse_rules([request.at or ""]),
        named(request.by),
        named(request.aggregate),
    )
    valid = _validation(run, use, begin, is_needed=bool(rules or aggregations))
    labelled = [
        tile for tile, label in zip(predictions.tiles, predictions.labels, strict=True) if label
    ]
    judged = _Judged(run, data, split, labelled, use)
    undisturbed, disturbed = (
        _stress(judged, card, request, use, begin) if request.stress else (None, [])
    )
    recorded = recorded_tiles(run)
    warnings = shared_groups(recorded, predictions.groups, split)
    color = None
    if request.sanity:
        train = open_split(run, None, "train", use.opening)
        some = evenly_chosen(train[1], MOST_TRAINING_TILES)
        color = color_baseline((train[0], some), judged.open(), card.classes, begin, use.workers)
        warnings += _twins(run, judged, split, use, begin)
    return Material(
        calibration=card.calibration,
        threshold=card.operating_point.get("threshold"),
        valid=valid,
        rules=rules,
        prevalence=request.prevalence,
        columns=subgroup_columns(by, *judged.open(), request.qc, begin, use.workers) if by else {},
        aggregations=aggregations,
        undisturbed=undisturbed,
        disturbed=disturbed,
        color=color,
        train_labels=labels_of_training(recorded, card.classes),
        warnings=warnings,
    )


def named(text: str | None) -> list[str]:
    """Names with commas between, as a list."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


@dataclass
class _Judged:
    """The tiles that are judged, opened when something reads them."""

    run: Path
    data: Path | None
    split: Split
    tiles: Sequence[str]
    use: UseSettings
    _opened: TileSource | None = None

    def open(self) -> tuple[TileSource, list[int]]:
        if self._opened is None:
            self._opened, _ = open_split(self.run, self.data, self.split, self.use.opening)
        places = {tile.id: place for place, tile in enumerate(self._opened.tiles)}
        return self._opened, [places[tile] for tile in self.tiles]


def _validation(
    run: Path, use: UseSettings, begin: Begin, *, is_needed: bool
) -> Predictions | None:
    """The validation split as training predicted it; else predicted now, where it is needed."""
    path = run / VALIDATION_TABLE
    as_trained = use.views == "as-trained"
    if as_trained and path.is_file():
        return Predictions.read(path)
    if not is_needed:
        return None
    predictions, _, _ = predict_split(run, None, "valid", use, begin)
    if as_trained:
        predictions.write(path)
    return predictions


def _stress(
    judged: _Judged, card: ModelCard, request: AnalysisRequest, use: UseSettings, begin: Begin
) -> tuple[Predictions, list[DisturbedPredictions]]:
    source, indices = judged.open()
    model, _ = load_model(judged.run, find_device(use.device))
    return predict_disturbed(
        model,
        card,
        source,
        evenly_chosen(indices, request.stress_tiles),
        use.loop(card),
        begin,
        batch_size=use.batch_size,
        workers=use.workers,
        seed=request.seed,
    )


def _twins(run: Path, judged: _Judged, split: Split, use: UseSettings, begin: Begin) -> list[str]:
    source, indices = judged.open()
    own = digests_of(source, indices, begin(f"pixels of {split}", len(indices)), use.workers)
    others = {}
    for other in ("train", "valid"):
        if other != split:
            there, places = open_split(run, None, other, use.opening)
            advance = begin(f"pixels of {other}", len(places))
            others[other] = digests_of(there, places, advance, use.workers)
    return shared_tiles(own, others, split)
