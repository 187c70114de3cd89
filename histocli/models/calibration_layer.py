"""The calibration that a run stores, as a layer of torch: for models that leave the package."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from histocli.errors import InputError

# As in histocli.metrics, whose functions fit these and are what the layers are tested against.
SMALLEST_PROBABILITY = 2.0**-149
LEAST_ODDS = 1e-12
LEAST_PLATT = 1e-9


class TemperatureLayer(nn.Module):
    """``softmax(ln(p) / T)``."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        super().__init__()
        self.temperature = float(stored["temperature"])

    def forward(self, probabilities: Tensor) -> Tensor:
        """From float64 ``(N, K)`` to the same."""
        logarithms = probabilities.clamp_min(SMALLEST_PROBABILITY).log()
        return (logarithms / self.temperature).softmax(dim=1)


class PlattLayer(nn.Module):
    """A logistic curve over the log odds of each class; rows are made to sum to 1."""

    slopes: Tensor
    intercepts: Tensor

    def __init__(self, stored: Mapping[str, Any]) -> None:
        super().__init__()
        for name in ("slopes", "intercepts"):
            self.register_buffer(name, _constant(stored[name]))

    def forward(self, probabilities: Tensor) -> Tensor:
        """From float64 ``(N, K)`` to the same."""
        bounded = probabilities.clamp(LEAST_ODDS, 1 - LEAST_ODDS)
        odds = bounded.log() - torch.log1p(-bounded)
        table = (self.slopes * odds + self.intercepts).sigmoid()
        table = table.clamp(LEAST_PLATT, 1 - LEAST_PLATT)
        return table / table.sum(dim=1, keepdim=True)


class IsotonicLayer(nn.Module):
    """Straight lines between the knots of each class; rows are made to sum to 1."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        super().__init__()
        for index, curve in enumerate(stored["knots"]):
            start, height = _constant(curve["from"]), _constant(curve["to"])
            widths = start.diff()
            self.register_buffer(f"starts_{index}", start[:-1])
            self.register_buffer(f"widths_{index}", widths)
            self.register_buffer(f"slopes_{index}", height.diff() / widths)
            self.register_buffer(f"lowest_{index}", height[:1])
        self.classes = len(stored["knots"])

    def forward(self, probabilities: Tensor) -> Tensor:
        """From float64 ``(N, K)`` to the same."""
        columns = []
        for index in range(self.classes):
            starts, widths, slopes, lowest = (
                self.get_buffer(f"{name}_{index}")
                for name in ("starts", "widths", "slopes", "lowest")
            )
            # The way through each piece of the curve, which is the curve; no search, which ONNX lacks.
            way = (probabilities[:, index, None] - starts).clamp_min(0).minimum(widths)
            columns.append(lowest + (way * slopes).sum(dim=1))
        table = torch.stack(columns, dim=1)
        return table / table.sum(dim=1, keepdim=True)


CALIBRATION_LAYERS: Mapping[str, type[nn.Module]] = {
    "temperature": TemperatureLayer,
    "platt": PlattLayer,
    "isotonic": IsotonicLayer,
}


def calibration_layer(stored: Mapping[str, Any]) -> nn.Module | None:
    """The layer of a stored calibration; None where nothing is stored.

    Raises:
        InputError: If this version knows no such calibration.
    """
    if not stored:
        return None
    # A run of the first version states its temperature alone.
    method = str(stored.get("method", "temperature"))
    if method not in CALIBRATION_LAYERS:
        raise InputError(f"a model calibrated by {method!r} cannot be exported; update histo")
    return CALIBRATION_LAYERS[method](stored)


def _constant(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
