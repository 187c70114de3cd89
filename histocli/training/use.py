"""Use a trained run: predict a split of its data, or tiles that it has never seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from histocli.data.loading import SkippedTile, check_skipped, write_skipped
from histocli.data.opening import AS_IT_IS, SourceOptions, tiling_of_the_model
from histocli.data.tiles import Split, content_hash
from histocli.data.writing import Journal
from histocli.errors import SettingsError
from histocli.models.checkpoint import load_model
from histocli.models.classifier import ModelCard
from histocli.predictions import Predictions
from histocli.run_record import RunRecord
from histocli.training.devices import find_device
from histocli.training.epoch import LoopSettings
from histocli.training.predict import journal_path, predict
from histocli.training.run import check_raw, open_split

Advance = Callable[[int], None]


@dataclass(frozen=True)
class UseSettings:
    """How to predict.

    Attributes:
        device: As typed.
        batch_size: Tiles per batch.
        views: ``none``, ``d4``, or ``as-trained`` for what the run's operating point was chosen with.
        workers: Decoding threads.
        strict: Raise if a tile had to be skipped.
        opening: How the data set is opened.
    """

    device: str
    batch_size: int
    views: str
    workers: int | None
    strict: bool
    opening: SourceOptions = AS_IT_IS

    def loop(self, card: ModelCard) -> LoopSettings:
        """Settings of the loop body; predictions are always in float32."""
        views = card.test_time_augmentation if self.views == "as-trained" else self.views
        return LoopSettings(find_device(self.device), views=views)


def predict_split(
    run: Path,
    data: Path | None,
    split: Split,
    use: UseSettings,
    begin: Callable[[str, int], Advance],
) -> tuple[Predictions, ModelCard, list[SkippedTile]]:
    """Predict the labelled tiles of one split.

    Args:
        run: The run.
        data: Another data set; the run's own when None.
        split: Which split.
        use: How.
        begin: Called with the stage and its number of tiles.
    """
    source, indices = open_split(run, data, split, use.opening)
    model, card = load_model(run, find_device(use.device))
    check_raw(source.root, run, trained_on_normalized=card.trained_on_normalized)
    loop = use.loop(card)
    skipped: list[SkippedTile] = []
    predictions = predict(
        model,
        card,
        source,
        indices,
        replace(loop, progress=begin(f"predicting {split}", len(indices))),
        skipped,
        batch_size=use.batch_size,
        workers=use.workers,
    )
    check_skipped(skipped, len(indices), strict=use.strict)
    return predictions, card, skipped


def predict_source(
    run: Path,
    path: Path,
    output: Path,
    use: UseSettings,
    begin: Callable[[str, int], Advance],
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Predict every tile of a source and write the table; a stopped prediction continues.

    Raises:
        SettingsError: If the table exists and may not be replaced.
    """
    if output.exists() and not overwrite:
        raise SettingsError(f"{output} exists; pass --overwrite, or choose another --output")
    model, card = load_model(run, find_device(use.device))
    record = RunRecord.read_if_present(run)
    trained = tiling_of_the_model(record.inputs.get("data", {})) if record else {}
    source = use.opening.open(path, trained)
    check_raw(path, run, trained_on_normalized=card.trained_on_normalized)
    indices = range(len(source.tiles))
    loop = use.loop(card)
    facts = (use.batch_size, loop.views, str(loop.device))
    journal_file = journal_path(output, run, content_hash(source, indices), *facts)
    skipped: list[SkippedTile] = []
    with Journal(journal_file) as journal:
        predictions = predict(
            model,
            card,
            source,
            indices,
            replace(loop, progress=begin("predicting", len(indices))),
            skipped,
            batch_size=use.batch_size,
            workers=use.workers,
            journal=journal,
        )
        check_skipped(skipped, len(indices), strict=False)
        predictions.write(output)
        listed = write_skipped(output.parent, skipped)
        journal.remove()
    check_skipped(skipped, len(indices), strict=use.strict)
    counts = {name: list(predictions.predicted).count(name) for name in card.classes}
    return {
        "output": output,
        "run": run,
        "tiles": len(predictions.tiles),
        "predicted": counts,
        "skipped": len(skipped),
        "skipped_list": listed,
    }
