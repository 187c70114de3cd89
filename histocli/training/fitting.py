"""The epochs of one training: learn, validate, keep the best, save; then choose how the best decides."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import Any

import torch

from histocli.data.loading import SkippedTile
from histocli.data.tiles import Blocked, Split
from histocli.errors import HistoError, InterruptedRunError, SettingsError, StoppedError
from histocli.metrics.definitions.auroc import macro_auroc
from histocli.metrics.ranking import rank
from histocli.models.checkpoint import BEST, load_model, save_model
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.plurals import counted
from histocli.training.dataset import TrainingData
from histocli.training.epoch import EpochResult, LoopSettings, join_results, run_epoch
from histocli.training.feeds import Feed
from histocli.training.finish import with_decisions
from histocli.training.frozen import train_frozen
from histocli.training.learning import EpochTotals, Learning
from histocli.training.monitor import Monitor
from histocli.training.network import Training
from histocli.training.order import shuffled
from histocli.training.plan import RunOptions, TrainingPlan
from histocli.training.predict import describe
from histocli.training.processes import Processes
from histocli.training.recipes import final_size, patience_for, size_in_epoch
from histocli.training.run import VALIDATION_TABLE
from histocli.training.state import Progress, write_history
from histocli.training.stopping import StopRequest
from histocli.training.tensorboard import log_epoch


@dataclass
class Fitting:
    """One run of ``fit``: what stays the same from epoch to epoch."""

    data: TrainingData
    plan: TrainingPlan
    options: RunOptions
    monitor: Monitor
    training: Training
    card: ModelCard
    skipped: list[SkippedTile]
    feeds: Mapping[Split, Feed]
    stop: StopRequest
    processes: Processes

    def __post_init__(self) -> None:
        self.ids = [tile.id for tile in self.data.tiles]
        self.loop: LoopSettings = self.training.loop
        self.saved = time.monotonic()

    def is_finished(self, progress: Progress) -> bool:
        """All epochs done, or too many without a better score."""
        if self.plan.transfer == "frozen":
            return progress.epochs_done > 0
        waited = progress.epochs_done - progress.best_epoch
        patience = patience_for(self.plan, self.training.epochs)
        return progress.epochs_done >= self.training.epochs or waited >= patience

    def learn_head(self, progress: Progress) -> None:
        """Fit the last layer on features of the frozen backbone; that is the one epoch there is."""
        row = train_frozen(
            self.data,
            self.training,
            self.options,
            self.feeds,
            self.monitor,
            self.skipped,
            self.stop,
            batch_size=2 * self.plan.batch_size,
            balanced=self.plan.class_weights == "balanced",
        )
        self._keep(progress, row, self.training.learner.model)

    def one_epoch(self, progress: Progress) -> None:
        """Train, validate, save; when stopped, save after the last step."""
        try:
            size = self._train_within_memory(progress)
            number = progress.epochs_done + 1
            stage = f"epoch {number}: validating"
            validated = self._validate(self.training.learner.best, stage, "none")
        except (StoppedError, InterruptedRunError):
            self._save(progress)
            raise
        labels = self.data.labels[validated.indices]
        score = macro_auroc(validated.probabilities, labels)
        totals = progress.epoch
        row = {
            "epoch": number,
            "input_size_px": size,
            "learning_rate": self.training.learner.optimization.learning_rate,
            "train_loss": fmean(self.processes.gather(totals.mean_loss)),
            "valid_loss": validated.loss,
            "valid_auroc": score,
            "images_per_second": totals.tiles * self.processes.count / max(totals.seconds, 1e-9),
            "seconds": totals.seconds,
        }
        self._keep(progress, row, self.training.learner.best)

    def _keep(self, progress: Progress, row: dict[str, Any], model: TileClassifier) -> None:
        """Write what an epoch ended with, and the model if it is the best so far."""
        progress.history.append(row)
        progress.epochs_done, progress.epoch = row["epoch"], EpochTotals()
        best = progress.history[progress.best_epoch - 1] if progress.best_epoch else None
        if best is None or _rank(row) > _rank(best):
            progress.best_epoch = row["epoch"]
            if self.processes.is_first:
                save_model(self.options.run, model, self.card)
        if self.processes.is_first:
            write_history(self.options.run, progress)
            if self.options.tensorboard:
                log_epoch(self.options.run, row)
        self._save(progress)
        self.monitor.epoch(row, self.training.epochs, self._seconds_left(row))

    def _seconds_left(self, row: Mapping[str, Any]) -> float:
        """Of training: an epoch takes as long as its tiles have pixels."""
        architecture, epochs = self.training.architecture, self.training.epochs
        sides = [
            size_in_epoch(self.plan, architecture, epoch, epochs)
            for epoch in range(row["epoch"] + 1, epochs + 1)
        ]
        pixels: float = sum(side**2 for side in sides) / row["input_size_px"] ** 2
        return float(row["seconds"]) * pixels

    def _train_within_memory(self, progress: Progress) -> int:
        """Train an epoch; where the device's memory is too small, go on with batches in more parts."""
        optimization = self.training.learner.optimization
        while True:
            try:
                return self._train(progress)
            except torch.OutOfMemoryError as error:
                parts = 2 * optimization.accumulate
                own_size = self.plan.batch_size // self.processes.count
                if own_size % parts or self.processes.count > 1:
                    raise HistoError(
                        f"out of memory on {self.loop.device} with {own_size // optimization.accumulate} "
                        "tiles at a time; lower --batch-size or --input-size-px, or raise --accumulate"
                    ) from error
                # The step that failed changed no weight: it is done again, as are its first parts.
                optimization.forget()
                progress.epoch.batches = progress.epoch.batches // optimization.accumulate * parts
                optimization.accumulate = progress.epoch.parts = parts
                torch.cuda.empty_cache()
                self.monitor.say(
                    f"warning: out of memory: batches of {own_size} are learned from in {parts} parts"
                )

    def _train(self, progress: Progress) -> int:
        """Learn from the batches of an epoch that are not yet learned from; the side of its tiles."""
        epoch, totals = progress.epochs_done + 1, progress.epoch
        split, batch_size = self.data.splits["train"], self.plan.batch_size
        size = size_in_epoch(self.plan, self.training.architecture, epoch, self.training.epochs)
        self.training.learner.model.standardization.resize_to(size)
        blocks = split.source.blocks(split.indices) if isinstance(split.source, Blocked) else None
        whole = shuffled(
            split.indices, self.options.seed, epoch, batch_size, blocks, self.training.chances
        )
        order = self.processes.share_of_order(whole, batch_size)
        optimization = self.training.learner.optimization
        if totals.batches:
            # They were counted in these parts.
            optimization.accumulate = totals.parts
        totals.parts = optimization.accumulate
        if len(whole) < batch_size and optimization.accumulate * self.processes.count > 1:
            raise SettingsError(
                f"--batch-size {batch_size}: there are only {counted(len(whole), 'training tile')}, which "
                f"would not fill a batch that is divided; choose --batch-size {len(whole)} or less"
            )
        own_size = batch_size // self.processes.count // optimization.accumulate
        stage = f"epoch {epoch} of {self.training.epochs}: training"
        advance = self.monitor.begin(stage, len(order))
        if totals.tiles:
            advance(totals.tiles)
        batches = self.feeds["train"](order, own_size, self.skipped)
        ahead = islice(self.processes.in_step(batches), totals.batches, None)
        started, before = time.monotonic(), totals.seconds

        def stepped() -> None:
            totals.seconds = before + time.monotonic() - started
            self.training.learner.took_a_step()
            due = time.monotonic() - self.saved > 60 * self.options.checkpoint_minutes
            if self.processes.any(due):
                self._save(progress)

        def check() -> None:
            # Between the parts of a batch there is nothing that could be saved.
            if optimization.waiting == 0 and self.processes.any(self.stop.received is not None):
                self.stop.check()
                raise StoppedError("stopped with another process")

        run_epoch(
            self.training.learner.model,
            ahead,
            self.data.labels,
            self.ids,
            replace(
                self.loop,
                already_normalized=split.already_normalized,
                progress=advance,
                check=check,
                loss=self.training.loss,
            ),
            learning=Learning(
                self.training.learning_plan,
                epoch,
                totals,
                optimization,
                self.training.classify,
                stepped,
                min(own_size, len(order)),
            ),
        )
        optimization.forget()
        return size

    def _validate(self, model: TileClassifier, stage: str, views: str) -> EpochResult:
        split = self.data.splits["valid"]
        # Without an average it is the model that learns, at the side of its epoch.
        model.standardization.resize_to(final_size(self.plan, self.training.architecture))
        own = self.processes.share(split.indices)
        batches = self.feeds["valid"](own, 2 * self.plan.batch_size, self.skipped)
        settings = replace(
            self.loop,
            views=views,
            already_normalized=split.already_normalized,
            progress=self.monitor.begin(stage, len(own)),
            check=self.stop.check,
        )
        result = run_epoch(model, batches, self.data.labels, self.ids, settings)
        self.stop.check()
        return join_results(self.processes.gather(result))

    def _save(self, progress: Progress) -> None:
        progress.skipped = list({tile.id: tile for tile in self.skipped}.values())
        if self.processes.is_first:
            self.training.learner.save(self.options.run, progress)
        self.saved = time.monotonic()

    def finish(self) -> ModelCard:
        """Fit operating point and calibration of the best model on the validation split."""
        self.processes.gather(None)  # until the first process has written the model
        model, card = load_model(self.options.run, self.loop.device)
        views = card.test_time_augmentation
        result = self._validate(model, "choosing the operating point", views)
        card = with_decisions(
            card,
            result.probabilities,
            self.data.labels[result.indices],
            self.plan.operating_point,
            self.plan.calibration,
        )
        if self.processes.is_first:
            source = self.data.splits["valid"].source
            table = describe(source, result.indices.tolist(), result.probabilities, card)
            table.write(self.options.run / VALIDATION_TABLE)
            save_model(self.options.run, model, card, BEST)
        return card


def _rank(row: Mapping[str, Any]) -> tuple[float, float]:
    return rank(row["valid_auroc"], row["valid_loss"])
