"""Every metric in every bootstrap sample, and the intervals that follow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence, Values
from histocli.metrics.intervals import UNDEFINED, Interval, percentile_interval
from histocli.metrics.resampling import clustered_weights, stratified_weights

STRATIFIED = "bootstrap (stratified, percentile)"
CLUSTERED = "bootstrap (clustered by group, percentile)"


@dataclass(frozen=True)
class Bootstrap:
    """Metrics in resampled tables.

    Attributes:
        method: What ``metrics.json`` calls it.
        replicates: By metric: values whose first axis is the sample.
        obstacle: Why there is no interval; None where there is one.
    """

    method: str
    replicates: dict[str, Values]
    obstacle: str | None = None

    def interval(self, name: str, class_index: int | None, confidence: float) -> Interval:
        """The interval of one metric, of one class or of the headline."""
        if self.obstacle is not None:
            return Interval(UNDEFINED, UNDEFINED, self.obstacle)
        return percentile_interval(self.replicates[name].of(class_index), confidence)


def stratified_bootstrap(
    evidence: Evidence, names: Sequence[str], samples: int, seed: int
) -> Bootstrap:
    """Resample tiles within each true class, as if tiles were independent."""
    if len(evidence.label_indices) < 2:
        return Bootstrap(STRATIFIED, {}, "there is one tile only, so nothing to resample")
    weights = stratified_weights(evidence.label_indices, samples, seed)
    return Bootstrap(STRATIFIED, _replicates(evidence, names, weights))


def clustered_bootstrap(
    evidence: Evidence, clusters: IntArray, names: Sequence[str], samples: int, seed: int
) -> Bootstrap:
    """Resample whole patients or slides, because their tiles resemble each other."""
    if clusters.max() == 0:
        return Bootstrap(CLUSTERED, {}, "there is one group only, so nothing to resample")
    weights = clustered_weights(clusters, samples, seed)
    return Bootstrap(CLUSTERED, _replicates(evidence, names, weights))


def _replicates(
    evidence: Evidence, names: Sequence[str], blocks: Iterable[FloatArray]
) -> dict[str, Values]:
    measured: dict[str, list[Values]] = {name: [] for name in names}
    for weights in blocks:
        resampled = replace(evidence, weights=weights)
        for name in names:
            measured[name].append(METRICS[name].measure(resampled))
    return {name: _joined(values, evidence.classes) for name, values in measured.items()}


def _joined(values: Sequence[Values], classes: int) -> Values:
    overall = [np.empty(0), *(value.overall for value in values)]
    per_class = [value.per_class for value in values if value.per_class is not None]
    return Values(np.concatenate(overall), np.concatenate([np.empty((0, classes)), *per_class]))
