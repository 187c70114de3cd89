"""Probabilities and attention maps of a batch of tiles."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.errors import HistoError
from histocli.explain.capture import capture
from histocli.explain.layers import Layer
from histocli.explain.methods import CamMethod
from histocli.explain.views import orientations, oriented, upright
from histocli.models.classifier import TileClassifier

# From probabilities (N, K) to the index of the class to explain, (N,).
Choice = Callable[[NDArray[np.float64]], NDArray[np.int64]]


@dataclass(frozen=True)
class BatchMaps:
    """Maps of one batch.

    Attributes:
        grids: Float64, one value per cell of the layer's grid, shape ``(N, h, w)``, never negative.
        probabilities: Float64, shape ``(N, K)``, rows sum to 1.
        explained: Index of the class that each map explains, shape ``(N,)``.
    """

    grids: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    explained: NDArray[np.int64]


def attention_maps(
    model: TileClassifier,
    tiles: Tensor,
    layer: Layer,
    method: CamMethod,
    choose: Choice,
    *,
    views: str = "none",
    already_normalized: bool = False,
) -> BatchMaps:
    """Explain each tile's score of one class.

    Where the run averages its predictions over turns and flips, so does the explanation: each view's map
    is turned back before the mean, so that it tells of the model as it is used.

    Args:
        model: In evaluation mode.
        tiles: uint8, on the model's device, shape ``(N, 3, H, W)``.
        layer: Of ``model.network``.
        method: One of ``CAM_METHODS``.
        choose: Which class to explain.
        views: ``none`` or ``d4``.
        already_normalized: True if the tiles come stain-normalised from disk.

    Raises:
        HistoError: If a map is no number.
    """
    with torch.no_grad():
        prepared = model.prepare(tiles, already_normalized=already_normalized)
    passes = []
    for orientation in orientations(prepared, views):
        with capture(layer.module) as captured, torch.enable_grad():
            logits = model.classify(oriented(prepared, orientation))
        passes.append((orientation, captured, logits))
    # On the CPU, because not every device has float64.
    softmax = [logits.detach().cpu().double().softmax(dim=1) for _, _, logits in passes]
    probabilities = torch.stack(softmax).mean(0).numpy()
    explained = choose(probabilities)
    rows = torch.from_numpy(explained).to(tiles.device)[:, None]
    grids = []
    for orientation, captured, logits in passes:
        gradients = captured.gradient(logits.gather(1, rows))
        with torch.no_grad():
            grids.append(upright(method(captured.output(), gradients), orientation))
    mean = torch.stack(grids).mean(0).cpu().double().numpy()
    if not np.isfinite(mean).all():
        raise HistoError("an attention map is not a number; are the weights of the run damaged?")
    return BatchMaps(mean, probabilities, explained)
