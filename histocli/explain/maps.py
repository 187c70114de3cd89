"""Probabilities and attention maps of a batch of tiles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histocli.device_memory import FittingParts
from histocli.errors import HistoError, SettingsError
from histocli.explain.capture import capture
from histocli.explain.layers import Layer, find_layer
from histocli.explain.methods import CAM_METHODS, INPUT_METHODS, METHODS
from histocli.explain.views import orientations, oriented, upright
from histocli.models.classifier import TileClassifier
from histocli.models.ensemble import EnsembleClassifier

# From probabilities (N, K) to the index of the class to explain, (N,).
Choice = Callable[[NDArray[np.float64]], NDArray[np.int64]]
# From the index of the class to explain, (N, 1), to maps (N, h, w).
Finish = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class BatchMaps:
    """Maps of one batch.

    Attributes:
        grids: Float64, one value per cell of the method's grid, shape ``(N, h, w)``, never negative.
        probabilities: Float64, shape ``(N, K)``, rows sum to 1.
        explained: Index of the class that each map explains, shape ``(N,)``.
    """

    grids: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    explained: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence["BatchMaps"]) -> "BatchMaps":
        """The parts of a batch as one."""
        columns = zip(
            *((each.grids, each.probabilities, each.explained) for each in parts), strict=True
        )
        return parts[0] if len(parts) == 1 else cls(*(np.concatenate(each) for each in columns))


@dataclass(frozen=True)
class Explainer:
    """A model, and how it is explained.

    Attributes:
        model: In evaluation mode.
        method: A key of ``METHODS``.
        layer: Of ``model.network``; None for a method that changes the tile itself.
    """

    model: TileClassifier
    method: str
    layer: Layer | None

    @classmethod
    def of(cls, model: TileClassifier, method: str, layer: str | None = None) -> "Explainer":
        """Check the method and find the layer.

        Args:
            model: In evaluation mode.
            method: A key of ``METHODS``.
            layer: Dotted name of a module of the network; the last with a spatial grid when None.

        Raises:
            SettingsError: If the method is unknown, or the layer cannot be explained.
        """
        if method in CAM_METHODS:
            if isinstance(model, EnsembleClassifier):
                raise SettingsError(
                    f"the members of an ensemble have no layer in common for {method}: explain one of them "
                    "by its own folder, or all by --method integrated-gradients or occlusion"
                )
            side = model.standardization.constants.input_size_px
            return cls(model, method, find_layer(model.network, side, layer))
        if method not in INPUT_METHODS:
            raise SettingsError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
        if layer is not None:
            raise SettingsError(f"--method {method} explains the tile itself; leave out --layer")
        return cls(model, method, None)

    def explain(self, prepared: Tensor, choose: Choice, views: str = "none") -> BatchMaps:
        """Explain each tile's score of one class.

        Where the run averages its predictions over turns and flips, so does the explanation: each view's
        map is turned back before the mean, so that it tells of the model as it is used.

        Args:
            prepared: Tiles as ``model.prepare`` gives them, shape ``(N, 3, H, W)``.
            choose: Which class to explain.
            views: ``none`` or ``d4``.

        Raises:
            HistoError: If a map is no number.
        """
        numbers = orientations(prepared, views)
        begun = [self._begin(oriented(prepared, number)) for number in numbers]
        # On the CPU, because not every device has float64.
        softmax = [logits.detach().cpu().double().softmax(dim=1) for logits, _ in begun]
        probabilities = torch.stack(softmax).mean(0).numpy()
        explained = choose(probabilities)
        rows = torch.from_numpy(explained).to(prepared.device)[:, None]
        grids = [
            upright(finish(rows), number)
            for number, (_, finish) in zip(numbers, begun, strict=True)
        ]
        mean = torch.stack(grids).mean(0).cpu().double().numpy()
        if not np.isfinite(mean).all():
            raise HistoError(
                "an attention map is not a number; are the weights of the run damaged?"
            )
        return BatchMaps(mean, probabilities, explained)

    def _begin(self, prepared: Tensor) -> tuple[Tensor, Finish]:
        """Logits, and what makes the maps once it is known which class to explain."""
        if self.layer is None:
            with torch.no_grad():
                logits = self.model.classify(prepared)
            return logits, partial(self._input_maps, prepared)
        arrangement = self.layer.arrangement
        with capture(self.layer.module) as captured, torch.enable_grad():
            logits = self.model.classify(prepared)

        def finish(rows: Tensor) -> Tensor:
            gradients = captured.gradient(logits.gather(1, rows))
            with torch.no_grad():
                return CAM_METHODS[self.method](
                    arrangement.feature_map(captured.output()), arrangement.feature_map(gradients)
                )

        return logits, finish

    def _input_maps(self, prepared: Tensor, rows: Tensor) -> Tensor:
        def score(tiles: Tensor) -> Tensor:
            return self.model.classify(tiles).gather(1, rows).squeeze(1)

        return INPUT_METHODS[self.method](score, prepared)


def attention_maps(
    explainer: Explainer,
    tiles: Tensor,
    choose: Choice,
    *,
    views: str = "none",
    already_normalized: bool = False,
    parts: FittingParts | None = None,
) -> BatchMaps:
    """Explain raw tiles; see ``Explainer.explain``.

    Args:
        explainer: The model and the method.
        tiles: uint8, on the model's device, shape ``(N, 3, H, W)``.
        choose: Which class to explain.
        views: ``none`` or ``d4``.
        already_normalized: True if the tiles come stain-normalised from disk.
        parts: How many tiles are explained at once, where they are too many for the device.
    """

    def some(first: int, last: int) -> BatchMaps:
        with torch.no_grad():
            prepared = explainer.model.prepare(
                tiles[first:last], already_normalized=already_normalized
            )
        return explainer.explain(prepared, choose, views)

    return BatchMaps.joined((parts or FittingParts()).each(some, len(tiles)))
