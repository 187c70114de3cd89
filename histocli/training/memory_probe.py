"""How many tiles a device's memory has room to learn from at once, found before the first step."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from histocli.models.classifier import TileClassifier
from histocli.training.processes import Processes
from histocli.training.state import Learner

# Copies of the weights that learn: two that AdamW keeps, and the buckets of several processes.
KEPT_COPIES = 3


def divide_to_fit(
    learner: Learner,
    side: int,
    batch_size: int,
    precision: torch.dtype,
    processes: Processes,
    say: Callable[[str], None],
) -> None:
    """Learn from a batch in so many parts that each fits the memory of every process's device.

    Args:
        learner: Its model is on the device; its optimisation is told.
        side: See ``parts_that_fit``.
        batch_size: Of all processes together.
        precision: See ``parts_that_fit``.
        processes: Of the training.
        say: Is told if it takes more parts than were asked for.
    """
    own_size, asked = batch_size // processes.count, learner.optimization.accumulate
    found = parts_that_fit(learner.model, side, own_size, asked, precision)
    parts = max(processes.gather(found))
    learner.optimization.accumulate = parts
    if parts > asked:
        say(
            f"batches of {own_size} tiles are too large for the memory: learned from in {parts} parts"
        )


def parts_that_fit(
    model: TileClassifier, side: int, tiles: int, parts: int, precision: torch.dtype
) -> int:
    """Fewest parts of a batch, doubling, of which each fits: the effective batch stays what it is.

    Tries forward and backward on blank tiles of the largest side, which a training that begins with
    smaller ones would come to late. Leaves no gradient, and no trace in the statistics of batch norms.

    Args:
        model: On the device.
        side: Of the tiles.
        tiles: Of a batch.
        parts: To begin with.
        precision: Of the network's arithmetic.

    Returns:
        As many as fit, or as the batch divides into; training says what to do if those do not fit.
    """
    while True:
        try:
            _try_step(model, side, tiles // parts, precision)
        except torch.OutOfMemoryError:
            if tiles % (2 * parts):
                return parts
            parts *= 2
        else:
            return parts
        finally:
            model.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()


def _try_step(model: TileClassifier, side: int, tiles: int, precision: torch.dtype) -> None:
    own = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device = own[0].device
    # Held to the end: what the optimiser and other processes will need beside the step.
    kept: list[Tensor] = [torch.empty_like(each) for each in own for _ in range(KEPT_COPIES)]
    blank = torch.zeros(tiles, 3, side, side, device=device)
    labels = torch.zeros(tiles, dtype=torch.long, device=device)
    was_training = model.training
    # Batch norms that several processes share would wait for the others in training.
    model.eval()
    try:
        enabled = precision != torch.float32
        with torch.enable_grad(), torch.autocast(device.type, precision, enabled=enabled):
            loss = nn.functional.cross_entropy(model.classify(blank).float(), labels)
        torch.autograd.backward(loss)
    finally:
        model.train(was_training)
        kept.clear()
