"""Train a classifier from its plan to its model, or continue a training that was stopped."""

from dataclasses import dataclass, replace

import torch

from histocli.data.loading import SkippedTile, check_skipped, write_skipped
from histocli.models.classifier import ModelCard
from histocli.models.weights import load_weights
from histocli.training.dataset import TrainingData
from histocli.training.feeds import open_feeds
from histocli.training.fitting import Fitting
from histocli.training.memory_probe import divide_to_fit
from histocli.training.monitor import Monitor
from histocli.training.network import make_training
from histocli.training.plan import RunOptions, TrainingPlan
from histocli.training.processes import ALONE, Processes
from histocli.training.recipes import final_size
from histocli.training.state import Progress, load_state
from histocli.training.stopping import StopRequest
from histocli.training.tensorboard import check_tensorboard


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
    processes: Processes = ALONE,
) -> FitResult:
    """Train, or continue the training in ``options.run``.

    The order, augmentation and dropout of every step follow from (seed, epoch, step), so a run that was
    stopped continues after its last step and ends with the same bytes.

    Raises:
        StoppedError: On SIGTERM or SIGUSR1, in a state that can be continued.
        InterruptedRunError: On Ctrl-C, likewise.
        HistoError: With advice, whatever else goes wrong.
    """
    if options.tensorboard:
        check_tensorboard()
    training = make_training(data, plan, options, device, processes)
    state = load_state(options.run)
    if state is None:
        origin = load_weights(
            training.learner.model.network,
            training.architecture,
            plan.weights,
            offline=options.offline,
            say=monitor.say,
        )
        training.start_average()
        progress = Progress(weights=origin)
    else:
        progress = state[0]
        training.start_average()
        training.learner.restore(progress, state[1])
        monitor.say(
            f"continuing after epoch {progress.epochs_done} of {training.epochs}"
            + (f" and {progress.epoch.batches} batches" if progress.epoch.batches else "")
        )
    card = replace(training.card, weights=progress.weights)
    monitor.say(f"weights: {card.weights}")
    if device.type == "cuda" and plan.transfer != "frozen" and not plan.compile:
        side = final_size(plan, training.architecture)
        divide_to_fit(
            training.learner, side, plan.batch_size, training.loop.precision, processes, monitor.say
        )
    skipped = list(progress.skipped)
    with StopRequest() as stop:
        feeds = open_feeds(data, options, device, monitor, stop.watch)
        fitting = Fitting(
            data, plan, options, monitor, training, card, skipped, feeds, stop, processes
        )
        if plan.transfer == "frozen" and not progress.epochs_done:
            fitting.learn_head(progress)
        while not fitting.is_finished(progress):
            fitting.one_epoch(progress)
        if progress.epochs_done < training.epochs:
            monitor.say(
                f"stopped after epoch {progress.epochs_done} of {training.epochs}: "
                f"none was better since epoch {progress.best_epoch} (--patience)"
            )
        card = fitting.finish()
    everywhere = [tile for tiles in processes.gather(skipped) for tile in tiles]
    distinct = list({tile.id: tile for tile in everywhere}.values())
    if processes.is_first:
        write_skipped(options.run, everywhere)
    total = sum(len(split.indices) for split in data.splits.values())
    check_skipped(distinct, total, strict=options.strict)
    return FitResult(card, progress, distinct)
