"""The one loop body, for training, validating and predicting."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from histocli.errors import HistoError
from histocli.models.classifier import TileClassifier
from histocli.training.augmentation import augment, d4_views, draw_numbers, restain
from histocli.training.device_batches import DeviceBatch
from histocli.training.optimization import Optimization

NO_LABEL = -1


@dataclass(frozen=True)
class Augmentation:
    """How training tiles are changed: see ``training.augmentation``."""

    seed: int
    epoch: int
    color_jitter: float
    stain: float


@dataclass(frozen=True)
class LoopSettings:
    """What the loop body needs besides model and data.

    Attributes:
        device: Where the model is.
        precision: Arithmetic of the network; anything but float32 runs under autocast.
        already_normalized: True if the tiles come stain-normalised from disk.
        class_weights: Of the loss, None for equal ones.
        label_smoothing: Of the loss.
        views: ``d4`` averages the probabilities of eight orientations.
        progress: Called with the number of tiles done.
    """

    device: torch.device
    precision: torch.dtype = torch.float32
    already_normalized: bool = False
    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    views: str = "none"
    progress: Callable[[int], None] | None = None


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


def run_epoch(
    model: TileClassifier,
    batches: Iterable[DeviceBatch],
    labels: NDArray[np.int64],
    tile_ids: Sequence[str],
    settings: LoopSettings,
    *,
    optimization: Optimization | None = None,
    augmentation: Augmentation | None = None,
) -> EpochResult:
    """Run every batch through the model; learn from it if there is an ``optimization``.

    Args:
        model: On ``settings.device``.
        batches: Of uint8 tiles, there too.
        labels: Class index of every tile of the source, ``NO_LABEL`` where unknown.
        tile_ids: Id of every tile of the source; augmentation is drawn from it.
        settings: See there.
        optimization: Takes the steps; None to predict only.
        augmentation: None for none.

    Raises:
        HistoError: If the loss is no number; the first tile of the batch is named.
    """
    training = optimization is not None
    model.train(training)
    all_indices: list[NDArray[np.int64]] = []
    all_probabilities: list[NDArray[np.float64]] = []
    losses: list[Tensor] = []
    for batch in batches:
        with (
            torch.set_grad_enabled(training),
            torch.autocast(
                settings.device.type,
                settings.precision,
                enabled=settings.precision != torch.float32,
            ),
        ):
            with torch.no_grad():
                prepared = model.prepare(
                    batch.pixels, already_normalized=settings.already_normalized
                )
                if augmentation is not None:
                    names = [tile_ids[index] for index in batch.indices]
                    numbers = draw_numbers(augmentation.seed, augmentation.epoch, names)
                    if augmentation.stain:
                        drawn = draw_numbers(augmentation.seed, augmentation.epoch, names, "stain")
                        prepared = restain(prepared, drawn, augmentation.stain)
                    prepared = augment(prepared, numbers, augmentation.color_jitter)
            views = d4_views(prepared) if settings.views == "d4" else [prepared]
            logits = [model.classify(view).float() for view in views]
            targets = torch.from_numpy(labels[batch.indices]).to(settings.device)
            loss = _loss(logits, targets, settings)
        if optimization is not None:
            optimization.step(loss)
        with torch.no_grad():
            # On the CPU: MPS has no float64.
            outputs = [view.cpu().double().softmax(dim=1) for view in logits]
            probabilities = torch.stack(outputs).mean(0)
        all_indices.append(batch.indices)
        all_probabilities.append(probabilities.numpy())
        losses.append(loss.detach() * (targets != NO_LABEL).sum())
        if not torch.isfinite(loss) and (training or (targets != NO_LABEL).any()):
            raise HistoError(
                f"the loss is not a number at {tile_ids[batch.indices[0]]} (and its batch); lower "
                "--learning-rate, or choose --precision float32"
            )
        if settings.progress is not None:
            settings.progress(len(batch.indices))
    if not all_indices:
        return EpochResult(np.empty(0, np.int64), np.empty((0, len(model.classes))), float("nan"))
    indices = np.concatenate(all_indices)
    labelled = int((labels[indices] != NO_LABEL).sum())
    loss_sum = float(torch.nan_to_num(torch.stack(losses)).cpu().double().sum())
    return EpochResult(
        indices,
        np.concatenate(all_probabilities),
        loss_sum / labelled if labelled else float("nan"),
    )


def _loss(logits: Sequence[Tensor], targets: Tensor, settings: LoopSettings) -> Tensor:
    losses = [
        functional.cross_entropy(
            view,
            targets,
            weight=settings.class_weights,
            ignore_index=NO_LABEL,
            label_smoothing=settings.label_smoothing,
        )
        for view in logits
    ]
    return torch.stack(losses).mean()
