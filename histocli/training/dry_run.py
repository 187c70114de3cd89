"""What a training would do, without training: its network is built, its weights are looked for."""

from pathlib import Path
from typing import Any

import torch

from histocli.errors import SettingsError
from histocli.models.linear_head import last_layer
from histocli.models.weights import hub_is_forbidden, load_weights
from histocli.training.dataset import TrainingData
from histocli.training.network import Training, make_training
from histocli.training.plan import RunOptions, TrainingPlan
from histocli.training.processes import Processes
from histocli.training.recipes import final_size
from histocli.training.state import load_state
from histocli.training.tensorboard import check_tensorboard


def dry_run(
    run: Path,
    data: TrainingData,
    plan: TrainingPlan,
    options: RunOptions,
    device: torch.device,
    processes: Processes,
) -> dict[str, Any]:
    """Facts of a training that could begin, or continue, in ``run``.

    Raises:
        HistoError: Where training would stumble before its first step.
    """
    if options.tensorboard:
        check_tensorboard()
    training = make_training(data, plan, options, device, processes)
    if plan.transfer == "frozen":
        last_layer(training.learner.model.network)
    state = load_state(run)
    return {
        "device": str(device),
        "tiles": data.counts(),
        "input_size_px": final_size(plan, training.architecture),
        "parameters": f"{training.card.parameters:,}",
        "weights": state[0].weights if state else _weights_there(training, plan, options),
    }


def _weights_there(training: Training, plan: TrainingPlan, options: RunOptions) -> str:
    """Load the weights that need no network; without any, what training would do."""
    network, architecture = training.learner.model.network, training.architecture
    try:
        return load_weights(network, architecture, plan.weights, offline=True, say=lambda _: None)
    except SettingsError:
        may_fetch = plan.weights == "auto" and not (options.offline or hub_is_forbidden())
        if not may_fetch or architecture.published is None:
            raise
        return f"to be fetched: {architecture.published.page}"
