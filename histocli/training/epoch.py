"""The one loop body, for training, validating and predicting."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.device_memory import FittingParts
from histocli.models.classifier import TileClassifier
from histocli.stage_clock import CLOCK
from histocli.training.augmentation import d4_views
from histocli.training.device_batches import DeviceBatch
from histocli.training.learning import Learning
from histocli.training.loss import NO_LABEL, LossPlan, classification_loss
from histocli.training.not_a_number import check_finite

NO_SMOOTHING = LossPlan()


@dataclass(frozen=True)
class LoopSettings:
    """What the loop body needs besides model and data.

    Attributes:
        device: Where the model is.
        precision: Arithmetic of the network; anything but float32 runs under autocast.
        already_normalized: True if the tiles come stain-normalised from disk.
        loss: How predictions are compared with labels.
        views: ``d4`` averages the probabilities of eight orientations.
        progress: Called with the number of tiles done.
        check: Called before each view of each batch; may raise to stop.
        parts: How many tiles are predicted at once, where a batch is too large for the device.
    """

    device: torch.device
    precision: torch.dtype = torch.float32
    already_normalized: bool = False
    loss: LossPlan = NO_SMOOTHING
    views: str = "none"
    progress: Callable[[int], None] | None = None
    check: Callable[[], None] | None = None
    parts: FittingParts = field(default_factory=FittingParts)


@dataclass(frozen=True)
class EpochResult:
    """Probabilities in the order in which the tiles came.

    Attributes:
        indices: Of the tiles, shape ``(N,)``.
        probabilities: Float64, shape ``(N, K)``, rows sum to 1.
        loss: Mean over the labelled tiles; NaN without any.
    """

    indices: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    loss: float


def join_results(results: list[EpochResult]) -> EpochResult:
    """The results of all processes as one, in the order of the tiles."""
    if len(results) == 1:
        return results[0]
    indices = np.concatenate([result.indices for result in results])
    order = np.argsort(indices, kind="stable")
    counts = np.array([len(result.indices) for result in results], np.float64)
    losses = np.array([result.loss if len(result.indices) else 0.0 for result in results])
    probabilities = np.concatenate([result.probabilities for result in results])
    loss = float((losses * counts).sum() / counts.sum()) if counts.sum() else float("nan")
    return EpochResult(indices[order], probabilities[order], loss)


def run_epoch(
    model: TileClassifier,
    batches: Iterable[DeviceBatch],
    labels: NDArray[np.int64],
    tile_ids: Sequence[str],
    settings: LoopSettings,
    *,
    learning: Learning | None = None,
) -> EpochResult:
    """Run every batch through the model; learn from it if there is a ``learning``.

    Args:
        model: On ``settings.device``.
        batches: Of uint8 tiles, there too.
        labels: Class index of every tile of the source, ``NO_LABEL`` where unknown.
        tile_ids: Id of every tile of the source; augmentation is drawn from it.
        settings: See there.
        learning: Changes the tiles and takes the steps; None to predict only.

    Raises:
        HistoError: If the loss is no number; the first tile of the batch is named.
    """
    model.train(learning is not None)
    check = settings.check or _no_check
    all_indices: list[NDArray[np.int64]] = []
    all_probabilities: list[NDArray[np.float64]] = []
    losses: list[Tensor] = []
    for batch in CLOCK.between(batches, "reading", "model"):
        check()
        ids = [tile_ids[index] for index in batch.indices]
        targets = torch.from_numpy(labels[batch.indices]).to(settings.device)
        if learning is not None:
            learning.seed_step()
        with (
            torch.set_grad_enabled(learning is not None),
            torch.autocast(
                settings.device.type,
                settings.precision,
                enabled=settings.precision != torch.float32,
            ),
        ):
            if learning is None:
                prepared, logits = _predicted(model, batch.pixels, settings, check)
                shares = targets
            else:
                with torch.no_grad():
                    raw = model.prepare(
                        batch.pixels, already_normalized=settings.already_normalized
                    )
                    prepared, shares = learning.change(raw, targets, ids, len(model.classes))
                logits = _logits(learning.classify, prepared, settings.views, check)
            compared = [classification_loss(view, shares, settings.loss) for view in logits]
            loss = torch.stack(compared).mean()
        labelled = targets != NO_LABEL
        if learning is not None or labelled.any():
            check_finite(loss, prepared, ids)
        if learning is not None:
            learning.step(loss, len(ids))
        with torch.no_grad():
            # On the CPU: MPS has no float64.
            outputs = [view.cpu().double().softmax(dim=1) for view in logits]
            probabilities = torch.stack(outputs).mean(0)
        all_indices.append(batch.indices)
        all_probabilities.append(probabilities.numpy())
        losses.append(loss.detach() * labelled.sum())
        if settings.progress is not None:
            settings.progress(len(batch.indices))
    if not all_indices:
        return EpochResult(np.empty(0, np.int64), np.empty((0, len(model.classes))), float("nan"))
    indices = np.concatenate(all_indices)
    known = int((labels[indices] != NO_LABEL).sum())
    loss_sum = float(torch.nan_to_num(torch.stack(losses)).cpu().double().sum())
    mean_loss = loss_sum / known if known else float("nan")
    return EpochResult(indices, np.concatenate(all_probabilities), mean_loss)


def _predicted(
    model: TileClassifier, pixels: Tensor, settings: LoopSettings, check: Callable[[], None]
) -> tuple[Tensor, list[Tensor]]:
    """Tiles as the network sees them, and logits of each view; in parts if the device is too small."""

    def some(first: int, last: int) -> list[Tensor]:
        prepared = model.prepare(pixels[first:last], already_normalized=settings.already_normalized)
        return [prepared, *_logits(model.classify, prepared, settings.views, check)]

    parts = settings.parts.each(some, len(pixels))
    whole = parts[0] if len(parts) == 1 else [torch.cat(part) for part in zip(*parts, strict=True)]
    return whole[0], whole[1:]


def _logits(
    classify: Callable[[Tensor], Tensor], prepared: Tensor, views: str, check: Callable[[], None]
) -> list[Tensor]:
    """Of each view; between them there may be something to stop for."""
    logits: list[Tensor] = []
    for view in d4_views(prepared) if views == "d4" else [prepared]:
        if logits:
            check()
        logits.append(classify(view).float())
    return logits


def _no_check() -> None:
    """Nothing to stop for."""
