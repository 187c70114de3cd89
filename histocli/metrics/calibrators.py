"""Ways to calibrate probabilities: fitted on the validation split, stored in the run as plain numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from histocli.errors import InputError
from histocli.metrics.calibration import apply_temperature, fit_temperature
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.isotonic import apply_isotonic, fit_isotonic
from histocli.metrics.platt import apply_platt, fit_platt

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Calibrator:
    """One way to calibrate.

    Attributes:
        fit: From validation probabilities ``(N, K)`` and true classes ``(N,)`` (-1 is left out) to what
            JSON can hold.
        apply: From probabilities ``(N, K)`` and that to probabilities whose rows sum to 1.
    """

    fit: Callable[[FloatArray, IntArray], Parameters]
    apply: Callable[[FloatArray, Parameters], FloatArray]


CALIBRATORS: dict[str, Calibrator] = {
    "temperature": Calibrator(
        lambda probabilities, labels: {"temperature": fit_temperature(probabilities, labels)},
        lambda probabilities, found: apply_temperature(probabilities, found["temperature"]),
    ),
    "platt": Calibrator(fit_platt, apply_platt),
    "isotonic": Calibrator(fit_isotonic, apply_isotonic),
}


def fit_calibration(method: str, probabilities: FloatArray, labels: IntArray) -> dict[str, Any]:
    """Fit a calibration; what the run stores, with the name of the method.

    Args:
        method: A key of ``CALIBRATORS``, or ``none``, which stores nothing.
        probabilities: Of the validation tiles, shape ``(N, K)``.
        labels: True class, -1 where unknown (left out), shape ``(N,)``.

    Raises:
        InputError: If no tile has a label.
    """
    if method == "none":
        return {}
    if not (labels >= 0).any():
        raise InputError("calibration needs labelled tiles in the validation split: label some")
    return {"method": method, **CALIBRATORS[method].fit(probabilities, labels)}


def calibrate(probabilities: FloatArray, stored: Mapping[str, Any]) -> FloatArray | None:
    """Probabilities after the calibration that a run stores; None where it stores none.

    Raises:
        InputError: If the run was calibrated in a way that this version does not know.
    """
    if not stored:
        return None
    # A run of the first version states its temperature alone.
    method = stored.get("method", "temperature")
    if method not in CALIBRATORS:
        raise InputError(
            f"the run is calibrated by {method!r}, which this version of histo does not know "
            f"({', '.join(CALIBRATORS)}); update histo, or train again"
        )
    return CALIBRATORS[method].apply(probabilities, stored)
