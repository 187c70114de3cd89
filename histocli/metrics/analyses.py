"""What ``metrics.json`` says beyond the table of metrics: every analysis under its own name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from histocli.metrics.aggregation_table import aggregated_section
from histocli.metrics.baselines import color_section, majority_section
from histocli.metrics.calibration_table import calibration_section
from histocli.metrics.conformal import conformal_section
from histocli.metrics.decision_curve import decision_curves
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.label_noise import label_noise_section
from histocli.metrics.labelled import Labelled
from histocli.metrics.operating_rules import OperatingRule
from histocli.metrics.operating_table import at_prevalence, operating_points
from histocli.metrics.permutation import permutation_section
from histocli.metrics.selective import selective_prediction
from histocli.metrics.split_agreement import agreement_section
from histocli.metrics.stress import Disturbed, stress_section
from histocli.metrics.subgroups import subgroup_section
from histocli.metrics.uncertainty import Uncertainty
from histocli.predictions import Predictions

# Keys of ``metrics.json`` that stand there only if they were asked for.
ON_REQUEST = ("at_prevalence", "operating_points", "subgroups", "aggregated", "stress")


@dataclass(frozen=True)
class Material:
    """What the analyses are made of, beside the predictions; what is absent is left out.

    Attributes:
        calibration: As the run stores it.
        threshold: The stored operating point of two classes.
        valid: Predictions of the validation split.
        rules: Further operating points.
        prevalence: At which predictive values and net benefit are given too.
        columns: By name: a value of each labelled tile, for subgroups.
        aggregations: Keys of ``AGGREGATIONS``.
        undisturbed: Predictions of the tiles that were disturbed, made as the disturbed ones.
        disturbed: By perturbation, unit and strength: predictions of the same tiles, disturbed.
        color: Probabilities of the color baseline for the labelled tiles, shape ``(N, K)``.
        train_labels: Classes of the training tiles.
        warnings: What is known to be wrong with the data: leaks, groups in several splits.
    """

    calibration: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    valid: Predictions | None = None
    rules: Sequence[OperatingRule] = ()
    prevalence: float | None = None
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    aggregations: Sequence[str] = ()
    undisturbed: Predictions | None = None
    disturbed: Sequence[tuple[str, str, float, Predictions]] = ()
    color: FloatArray | None = None
    train_labels: IntArray | None = None
    warnings: Sequence[str] = ()


def analyses(
    predictions: Predictions,
    *,
    split: str,
    positive_class: str,
    material: Material,
    confidence: float = 0.95,
    bootstrap_samples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every analysis that the material allows; keys of ``metrics.json``.

    Args:
        predictions: Tiles without a label are left out.
        split: Name of the split.
        positive_class: The class that is looked for, of two.
        material: What else there is.
        confidence: Of the intervals.
        bootstrap_samples: Number of resampled tables.
        seed: Of everything random.

    Raises:
        InputError: If no tile has a label, or what an analysis needs is not there.
    """
    tiles = Labelled.of(predictions, positive_class)
    valid = None if material.valid is None else Labelled.of(material.valid, positive_class)
    if valid is not None and valid.positive_index is not None and material.threshold is not None:
        valid = valid.decided(material.threshold)
    uncertainty = Uncertainty(confidence, bootstrap_samples, seed)
    found: dict[str, Any] = {
        "calibration": calibration_section(tiles, material.calibration, uncertainty),
        "decision_curve": decision_curves(tiles, valid, material.prevalence, uncertainty),
        "selective": selective_prediction(tiles, material.threshold, uncertainty),
        "sanity": _sanity(tiles, valid, split, material, uncertainty),
    }
    if valid is not None and split != "valid":
        found["conformal"] = conformal_section(valid, tiles, uncertainty)
    if material.prevalence is not None and tiles.positive_index is not None:
        found["at_prevalence"] = at_prevalence(tiles, material.prevalence, uncertainty)
    if material.rules and valid is not None:
        found["operating_points"] = operating_points(
            material.rules, valid, tiles, material.prevalence, uncertainty
        )
    if material.columns:
        found["subgroups"] = subgroup_section(tiles, material.columns, uncertainty)
    if material.aggregations:
        found["aggregated"] = aggregated_section(tiles, valid, material.aggregations, uncertainty)
    if material.undisturbed is not None:
        start = Labelled.of(material.undisturbed, positive_class)
        disturbed = [
            Disturbed(name, unit, strength, Labelled.of(after, positive_class))
            for name, unit, strength, after in material.disturbed
        ]
        found["stress"] = stress_section(start, disturbed, uncertainty)
    return found


def _sanity(
    tiles: Labelled,
    valid: Labelled | None,
    split: str,
    material: Material,
    uncertainty: Uncertainty,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "majority": majority_section(material.train_labels, tiles),
        "permutation": permutation_section(tiles, uncertainty.seed),
        "label_noise": label_noise_section(tiles),
    }
    warnings = list(material.warnings)
    if material.color is not None:
        found["color"] = color_section(tiles, material.color, uncertainty)
    if valid is not None and split != "valid":
        agreement = agreement_section(valid, tiles, split, uncertainty)
        warnings += agreement.pop("warnings")
        found["agreement"] = agreement
    found["warnings"] = warnings
    return found
