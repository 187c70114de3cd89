"""Every metric in every bootstrap sample, and the intervals that follow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from histocli.metrics.bca import bca_interval
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence, Values
from histocli.metrics.definitions.weights import ClusterWeights
from histocli.metrics.intervals import (
    UNDEFINED,
    Interval,
    percentile_interval,
    reflected_interval,
)
from histocli.metrics.logit_interval import logit_interval
from histocli.metrics.resampling import clustered_draws, leaving_out, stratified_weights

STRATIFIED = "bootstrap (stratified, percentile)"
CLUSTERED = "bootstrap (clustered by group, percentile)"
BIAS_CORRECTED = {
    STRATIFIED: "bootstrap (stratified, BCa)",
    CLUSTERED: "bootstrap (clustered by group, BCa)",
}
REFLECTED = {
    STRATIFIED: "bootstrap (stratified, reflected)",
    CLUSTERED: "bootstrap (clustered by group, reflected)",
}
CLUSTERED_LOGIT = "bootstrap (clustered by group, logit t)"
ALL_ALIKE = "every bootstrap sample gives the same value, which says nothing of the uncertainty"
NO_SAMPLES = "no bootstrap samples were asked for"
Weighted = Iterable[FloatArray | ClusterWeights]


@dataclass(frozen=True)
class Bootstrap:
    """Metrics in resampled tables.

    Attributes:
        method: What ``metrics.json`` calls the interval of percentiles.
        units: How many tiles or groups were resampled.
        replicates: By metric: values whose first axis is the sample.
        left_out: By metric: values without one unit or block of units.
        obstacle: Why there is no interval; None where there is one.
        shares_on_logit: Whether metrics between 0 and 1 have their interval on the logit scale.
        of_difference: Whether the values are differences of two runs.
    """

    method: str
    units: int
    replicates: dict[str, Values]
    left_out: dict[str, Values]
    obstacle: str | None = None
    shares_on_logit: bool = False
    of_difference: bool = False

    def interval(
        self, name: str, part: int | str | None, point: float, confidence: float
    ) -> tuple[str, Interval]:
        """Method and interval of one metric: of one class, one average, or the headline.

        Args:
            name: Key of ``METRICS``.
            part: Class index, name of an average, or None.
            point: The value of the tiles as they are.
            confidence: Between 0 and 1.
        """
        obstacle = self._obstacle(name, part)
        if obstacle is not None:
            return self.method, Interval(UNDEFINED, UNDEFINED, obstacle)
        values, left_out = self.replicates[name].of(part), self.left_out[name].of(part)
        plain = percentile_interval(values, confidence, self.units)
        if METRICS[name].grows_by_chance and not self.of_difference:
            return REFLECTED[self.method], reflected_interval(point, plain)
        if self.shares_on_logit and METRICS[name].is_share:
            on_logit = logit_interval(values, point, left_out, self.units, confidence)
            if np.isfinite(on_logit.low):
                return CLUSTERED_LOGIT, on_logit
        return moved_interval(self.method, plain, values, point, left_out, self.units, confidence)

    def _obstacle(self, name: str, part: int | str | None) -> str | None:
        if self.obstacle is not None:
            return self.obstacle
        if name not in self.replicates:
            return NO_SAMPLES
        return ALL_ALIKE if np.ptp(self.replicates[name].of(part)) == 0 else None


def moved_interval(
    method: str,
    plain: Interval,
    values: FloatArray,
    point: float,
    left_out: FloatArray,
    units: int,
    confidence: float,
) -> tuple[str, Interval]:
    """BCa where it behaves, else the percentiles, and why.

    Args:
        method: What ``metrics.json`` calls the interval of percentiles.
        plain: That interval.
        values: In each sample, shape ``(R,)``.
        point: Of the tiles as they are.
        left_out: Without one unit or block of units, shape ``(U,)``.
        units: How many tiles or groups were resampled.
        confidence: Between 0 and 1.
    """
    if not np.isfinite([plain.low, point]).all():
        return method, plain
    moved = bca_interval(values, point, left_out, units, confidence)
    if np.isfinite(moved.low):
        return BIAS_CORRECTED[method], moved
    notes = [note for note in (plain.reason, moved.reason) if note]
    return method, Interval(plain.low, plain.high, "; ".join(notes))


def stratified_bootstrap(
    evidence: Evidence, names: Sequence[str], samples: int, seed: int
) -> Bootstrap:
    """Resample tiles within each true class, as if tiles were independent."""
    labels = evidence.label_indices
    if len(labels) < 2:
        obstacle = "there is one tile only, so nothing to resample"
        return Bootstrap(STRATIFIED, len(labels), {}, {}, obstacle)
    return Bootstrap(
        STRATIFIED,
        len(labels),
        _measured(evidence, names, stratified_weights(labels, samples, seed)),
        _measured(evidence, names, [leaving_out(np.arange(len(labels)), labels, seed)]),
    )


def clustered_bootstrap(
    evidence: Evidence, clusters: IntArray, names: Sequence[str], samples: int, seed: int
) -> Bootstrap:
    """Resample whole patients or slides, because their tiles resemble each other."""
    count = int(clusters.max()) + 1
    if count < 2:
        obstacle = "there is one group only, so nothing to resample"
        return Bootstrap(CLUSTERED, count, {}, {}, obstacle)
    first_tile = np.unique(clusters, return_index=True)[1]
    strata = evidence.label_indices[first_tile]
    return Bootstrap(
        CLUSTERED,
        count,
        _measured(evidence, names, clustered_draws(clusters, samples, seed)),
        _measured(evidence, names, [leaving_out(clusters, strata, seed)]),
        shares_on_logit=True,
    )


def difference_of(first: Bootstrap, second: Bootstrap, name: str) -> Bootstrap:
    """One headline metric, first minus second, in the same resampled tables."""
    if first.obstacle is not None or name not in first.replicates:
        return first
    replicates, left_out = (
        {name: Values(one[name].overall - other[name].overall)}
        for one, other in (
            (first.replicates, second.replicates),
            (first.left_out, second.left_out),
        )
    )
    return Bootstrap(first.method, first.units, replicates, left_out, of_difference=True)


def _measured(evidence: Evidence, names: Sequence[str], blocks: Weighted) -> dict[str, Values]:
    measured: dict[str, list[Values]] = {}
    for weights in blocks:
        resampled = evidence.reweighted(weights)
        for name in names:
            measured.setdefault(name, []).append(METRICS[name].measure(resampled))
    return {name: _joined(values) for name, values in measured.items()}


def _joined(blocks: Sequence[Values]) -> Values:
    first = blocks[0]
    per_class = [block.per_class for block in blocks if block.per_class is not None]
    return Values(
        np.concatenate([block.overall for block in blocks]),
        np.concatenate(per_class) if per_class else None,
        {
            name: np.concatenate([block.averages[name] for block in blocks])
            for name in first.averages
        },
    )
