"""Use a trained run: predict a split of its data, or tiles that it has never seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from histocli.data.loading import SKIPPED_NAME, SkippedTile, check_skipped
from histocli.data.opening import AS_IT_IS, SourceOptions, tiling_of_the_model
from histocli.data.shards import Shard
from histocli.data.shared_output import SharedOutput
from histocli.data.tiles import Split
from histocli.data.writing import Journal
from histocli.models.checkpoint import load_model
from histocli.models.classifier import ModelCard
from histocli.predictions import Predictions
from histocli.run_record import RunRecord
from histocli.training.devices import find_device
from histocli.training.epoch import LoopSettings
from histocli.training.predict import predict, work_identity
from histocli.training.predict_shards import check_table, predict_part
from histocli.training.run import check_raw, open_split

Advance = Callable[[int], None]
WHOLE = Shard()


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
    shard: Shard = WHOLE,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Predict every tile of a source, or of a part, into a table; a stopped prediction continues.

    Args:
        run: The run.
        path: The source.
        output: The table to write.
        use: How.
        begin: Called with the stage and its number of tiles.
        overwrite: Replace the table.
        shard: The part; the last of several to finish writes the table.
        say: Told what is waited for.

    Raises:
        SettingsError: If the table exists and may not be replaced.
    """
    check_table(output, shard, overwrite=overwrite)
    model, card = load_model(run, find_device(use.device))
    record = RunRecord.read_if_present(run)
    trained = tiling_of_the_model(record.inputs.get("data", {})) if record else {}
    source = use.opening.open(path, trained)
    check_raw(path, run, trained_on_normalized=card.trained_on_normalized)
    loop = use.loop(card)

    def compute(
        indices: Sequence[int], journal: Journal, skipped: list[SkippedTile], *, silent: bool
    ) -> Predictions:
        return predict(
            model,
            card,
            source,
            indices,
            replace(loop, progress=None if silent else begin("predicting", len(indices))),
            skipped,
            batch_size=use.batch_size,
            workers=use.workers,
            journal=journal,
        )

    with SharedOutput(output, shard, table=True, say=say) as shared:
        facts = (use.batch_size, loop.views, loop.device.type)
        identity = work_identity(run, shared.source_sha256(source), *facts)
        result = predict_part(
            source, shared, identity, compute, batch_size=use.batch_size, overwrite=overwrite
        )
    if not result.missing:
        check_skipped(result.skipped, len(source.tiles), strict=use.strict)
    predicted = list(result.predictions.predicted)
    listed = output.parent / SKIPPED_NAME if result.skipped and not result.missing else None
    return {
        "output": output,
        "run": run,
        "tiles": len(predicted),
        "predicted": {name: predicted.count(name) for name in card.classes},
        "skipped": len(result.skipped),
        "skipped_list": listed,
        "missing_shards": list(result.missing),
    }
