"""Train a classifier: epochs, early stopping, checkpoints, then operating point and calibration."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from histocli.data.loading import SkippedTile, check_skipped, write_skipped
from histocli.data.tiles import Blocked, Split
from histocli.metrics.calibration import fit_temperature
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.operating_point import youden_threshold
from histocli.models.architectures import Architecture
from histocli.models.checkpoint import BEST, load_model, save_model
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.weights import load_weights
from histocli.training.dataset import TrainingData
from histocli.training.devices import find_precision
from histocli.training.epoch import Augmentation, EpochResult, LoopSettings, run_epoch
from histocli.training.feeds import Feed, open_feeds
from histocli.training.monitor import Monitor
from histocli.training.optimization import Optimization, OptimizationPlan
from histocli.training.order import shuffled
from histocli.training.plan import RunOptions, TrainingPlan
from histocli.training.setup import class_weights, make_model
from histocli.training.state import Progress, load_state, restore, save_state, write_history
from histocli.training.stopping import StopRequest


@dataclass(frozen=True)
class FitResult:
    """What training ended with."""

    card: ModelCard
    progress: Progress
    skipped: list[SkippedTile]


def fit(
    data: TrainingData,
    plan: TrainingPlan,
    options: RunOptions,
    device: torch.device,
    monitor: Monitor,
) -> FitResult:
    """Train, or continue the training in ``options.run``.

    Every epoch's order, augmentation and dropout follow from (seed, epoch), so a run that was stopped
    repeats the epoch that it was in and ends with the same bytes.

    Raises:
        StoppedError: On SIGTERM or SIGUSR1, in a state that can be continued.
        HistoError: With advice, whatever else goes wrong.
    """
    # One seed for the weights that start at random, before anything else draws.
    torch.manual_seed(options.seed)
    card, model, architecture = make_model(data, plan)
    skipped: list[SkippedTile] = []
    state = load_state(options.run)
    if state is None:
        origin = load_weights(
            model.network, architecture, plan.weights, offline=options.offline, say=monitor.say
        )
        card = replace(card, weights=origin)
        progress = Progress()
    else:
        progress = state[0]
        card = replace(card, weights=load_model(options.run)[1].weights)
    monitor.say(f"weights: {card.weights}")
    model.to(device)
    with StopRequest() as stop:
        feeds = open_feeds(data, options, device, monitor, stop.watch)
        fitting = _Fitting(
            data, plan, options, device, monitor, model, card, architecture, skipped, feeds
        )
        if state is not None:
            restore(model, fitting.optimization, progress, state[1])
            monitor.say(f"continuing after epoch {progress.epochs_done} of {fitting.epochs}")
        while not fitting.is_finished(progress):
            fitting.one_epoch(progress, stop)
        card = fitting.finish(stop)
    write_skipped(options.run, skipped)
    distinct = {tile.id: tile for tile in skipped}
    total = sum(len(split.indices) for split in data.splits.values())
    check_skipped(list(distinct.values()), total, strict=options.strict)
    return FitResult(card, progress, list(distinct.values()))


class _Fitting:
    """One run of ``fit``: what stays the same from epoch to epoch."""

    def __init__(
        self,
        data: TrainingData,
        plan: TrainingPlan,
        options: RunOptions,
        device: torch.device,
        monitor: Monitor,
        model: TileClassifier,
        card: ModelCard,
        architecture: Architecture,
        skipped: list[SkippedTile],
        feeds: Mapping[Split, Feed],
    ) -> None:
        self.feeds = feeds
        self.data, self.plan, self.options = data, plan, options
        self.monitor, self.model, self.card, self.skipped = monitor, model, card, skipped
        self.ids = [tile.id for tile in data.tiles]
        precision = find_precision(plan.precision, device)
        self.loop = LoopSettings(
            device, precision, class_weights=class_weights(data, plan.class_weights, device)
        )
        tiles = len(data.splits["train"].indices)
        self.epochs = plan.epochs_for(tiles)
        steps = self.epochs * max(1, tiles // plan.batch_size)
        schedule = OptimizationPlan(
            plan.learning_rate,
            plan.head_learning_rate,
            plan.weight_decay,
            plan.warmup_fraction,
            steps,
        )
        new_layers = (
            f".{architecture.head}.",
            *([architecture.added] if architecture.added else []),
        )
        self.optimization = Optimization(
            model.network, new_layers, schedule, scale=precision == torch.float16
        )

    def is_finished(self, progress: Progress) -> bool:
        """All epochs done, or too many without a better score."""
        waited = progress.epochs_done - progress.best_epoch
        return progress.epochs_done >= self.epochs or waited >= self.plan.patience

    def one_epoch(self, progress: Progress, stop: StopRequest) -> None:
        """Train, validate, save."""
        epoch = progress.epochs_done + 1
        started = time.monotonic()
        trained = self._train(epoch, stop)
        seconds = time.monotonic() - started
        validated = self._validate(self.model, f"epoch {epoch}: validating", "none", stop)
        score = macro_auroc(validated.probabilities, self.data.labels[validated.indices])
        row = {
            "epoch": epoch,
            "learning_rate": self.optimization.learning_rate,
            "train_loss": trained.loss,
            "valid_loss": validated.loss,
            "valid_auroc": score,
            "images_per_second": len(trained.indices) / seconds,
            "seconds": time.monotonic() - started,
        }
        # A split without both classes has no AUROC: then the loss decides.
        comparable = -validated.loss if math.isnan(score) else score
        progress.history.append(row)
        progress.epochs_done = epoch
        progress.steps_done = self.optimization.steps_done
        progress.loss_scale = self.optimization.scaler.get_scale()
        if progress.best_score is None or comparable > progress.best_score:
            progress.best_score, progress.best_epoch = comparable, epoch
            save_model(self.options.run, self.model, self.card)
        write_history(self.options.run, progress)
        save_state(self.options.run, self.model, self.optimization, progress)
        self.monitor.epoch(row)

    def _train(self, epoch: int, stop: StopRequest) -> EpochResult:
        split = self.data.splits["train"]
        torch.manual_seed(self.options.seed * 1_000_003 + epoch)
        blocks = split.source.blocks(split.indices) if isinstance(split.source, Blocked) else None
        seed, batch_size = self.options.seed, self.plan.batch_size
        order = shuffled(split.indices, seed, epoch, batch_size, blocks)
        stage = f"epoch {epoch} of {self.epochs}: training"
        batches = self.feeds["train"](order, batch_size, self.skipped)
        return run_epoch(
            self.model,
            stop.watch(batches),
            self.data.labels,
            self.ids,
            replace(
                self.loop,
                label_smoothing=self.plan.label_smoothing,
                already_normalized=split.already_normalized,
                progress=self.monitor.begin(stage, len(order)),
            ),
            optimization=self.optimization,
            augmentation=Augmentation(
                self.options.seed, epoch, self.plan.color_jitter, self.plan.stain_augmentation
            ),
        )

    def _validate(
        self, model: TileClassifier, stage: str, views: str, stop: StopRequest
    ) -> EpochResult:
        split = self.data.splits["valid"]
        batches = self.feeds["valid"](split.indices, 2 * self.plan.batch_size, self.skipped)
        settings = replace(
            self.loop,
            views=views,
            already_normalized=split.already_normalized,
            progress=self.monitor.begin(stage, len(split.indices)),
        )
        return run_epoch(model, stop.watch(batches), self.data.labels, self.ids, settings)

    def finish(self, stop: StopRequest) -> ModelCard:
        """Fit operating point and calibration of the best model on the validation split."""
        model, card = load_model(self.options.run, self.loop.device)
        views = self.plan.test_time_augmentation
        result = self._validate(model, "choosing the operating point", views, stop)
        labels = self.data.labels[result.indices]
        temperature = fit_temperature(result.probabilities, labels)
        point: dict[str, float | str] = {}
        if len(card.classes) == 2:
            positive = card.classes.index(card.positive_class)
            is_positive = (labels == positive).astype(np.int64)
            if 0 < is_positive.sum() < len(is_positive):
                threshold = youden_threshold(is_positive, result.probabilities[:, positive])
                chosen_by = "Youden's index on the validation split"
            else:
                threshold, chosen_by = 0.5, "default: the validation split lacks a class"
            point = {"threshold": threshold, "chosen_by": chosen_by}
        card = replace(
            card,
            operating_point=point,
            calibration={"temperature": temperature, "fitted_on": "valid"},
        )
        save_model(self.options.run, model, card, BEST)
        return card


def macro_auroc(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """One-versus-rest AUROC, the mean over the classes; NaN where a class is absent."""
    classes = range(probabilities.shape[1])
    return float(np.mean([auroc(labels == k, probabilities[:, k]) for k in classes]))
