"""How long does the clustered bootstrap of every metric take, and how long the plain way?

    python benchmarks/bootstrap_speed.py [--tiles 32768] [--groups 54] [--samples 2000]

The plain way copies the drawn rows and calls scikit-learn on them, sample by sample; it is timed on a few
samples and its time for all is their mean times the number. Values of the same samples are compared, so
that both compute the same. Seconds are those of the clock, and of all cores
together. Writes benchmarks/results/bootstrap_speed.json.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn import metrics as plain
from speed.machine import machine

from histocli.atomic_files import write_json
from histocli.metrics.bootstrap import clustered_bootstrap, stratified_bootstrap
from histocli.metrics.definitions import metrics_of
from histocli.metrics.definitions.arrays import IntArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.definitions.expected_calibration_error import expected_calibration_error
from histocli.metrics.resampling import clustered_draws

RESULTS = Path(__file__).parent / "results" / "bootstrap_speed.json"
# The plain way is timed on so many samples.
PLAIN_SAMPLES = 10
Plain = Callable[[np.ndarray, np.ndarray, np.ndarray], float]

PLAIN_METRICS: dict[str, Plain] = {
    "auroc": lambda y, _, p: plain.roc_auc_score(y, p),
    "average_precision": lambda y, _, p: plain.average_precision_score(y, p),
    "accuracy": lambda y, d, _: plain.accuracy_score(y, d),
    "balanced_accuracy": lambda y, d, _: plain.balanced_accuracy_score(y, d),
    "sensitivity": lambda y, d, _: plain.recall_score(y, d),
    "specificity": lambda y, d, _: plain.recall_score(y, d, pos_label=0),
    "positive_predictive_value": lambda y, d, _: plain.precision_score(y, d),
    "negative_predictive_value": lambda y, d, _: plain.precision_score(y, d, pos_label=0),
    "f1": lambda y, d, _: plain.f1_score(y, d),
    "matthews_correlation": lambda y, d, _: plain.matthews_corrcoef(y, d),
    "cohen_kappa": lambda y, d, _: plain.cohen_kappa_score(y, d),
    "brier": lambda y, _, p: plain.brier_score_loss(y, p),
    # scikit-learn has none: the definition, on copied rows.
    "expected_calibration_error": lambda y, _, p: float(expected_calibration_error(y == 1, p)),
    "log_loss": lambda y, _, p: plain.log_loss(y, p),
}


def tiles_in_groups(tiles: int, groups: int) -> tuple[Evidence, IntArray]:
    """Labels and scores that resemble each other within a group."""
    generator = np.random.default_rng(0)
    clusters = np.sort(
        np.append(np.arange(groups), generator.integers(groups, size=tiles - groups))
    )
    shares, shifts = generator.beta(0.5, 0.5, size=groups), 0.5 * generator.normal(size=groups)
    labels = (generator.random(tiles) < shares[clusters]).astype(np.int64)
    positive = expit(3.2 * (labels - 0.5) + shifts[clusters] + generator.normal(size=tiles))
    evidence = Evidence(
        label_indices=labels,
        predicted_indices=(positive >= 0.5).astype(np.int64),
        probabilities=np.stack([1 - positive, positive], axis=1),
        positive_index=1,
        weights=np.ones(tiles),
    )
    return evidence, clusters


def plain_values(evidence: Evidence, clusters: IntArray) -> dict[str, list[float]]:
    """Each metric of each sample, by copying rows."""
    values: dict[str, list[float]] = {name: [] for name in PLAIN_METRICS}
    draws = next(iter(clustered_draws(clusters, PLAIN_SAMPLES, 0)))
    for counts in draws.multiplicities:
        rows = np.repeat(np.arange(len(clusters)), counts[clusters].astype(np.int64))
        truth, decided = evidence.label_indices[rows], evidence.predicted_indices[rows]
        for name, function in PLAIN_METRICS.items():
            values[name].append(function(truth, decided, evidence.probabilities[rows, 1]))
    return values


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """A result, with the seconds of the clock and of all cores."""
    clock, cores = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - clock, time.process_time() - cores


def main() -> None:
    """Measure, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=32768)
    parser.add_argument("--groups", type=int, default=54)
    parser.add_argument("--samples", type=int, default=2000)
    arguments = parser.parse_args()
    evidence, clusters = tiles_in_groups(arguments.tiles, arguments.groups)
    names = metrics_of(2)
    bootstrap, *clustered = timed(
        lambda: clustered_bootstrap(evidence, clusters, names, arguments.samples, 0)
    )
    _, *stratified = timed(lambda: stratified_bootstrap(evidence, names, arguments.samples, 0))
    values, *few = timed(lambda: plain_values(evidence, clusters))
    plainly = [seconds / PLAIN_SAMPLES * arguments.samples for seconds in few]
    # One block of draws: the first samples are the same for any number of them.
    largest = max(
        float(np.max(np.abs(bootstrap.replicates[name].overall[:PLAIN_SAMPLES] - values[name])))
        for name in names
    )
    content: dict[str, Any] = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine("cpu"),
        "tiles": arguments.tiles,
        "groups": arguments.groups,
        "samples": arguments.samples,
        "metrics": list(names),
        "seconds": {
            name: {"clock": round(clock, 2), "cores": round(cores, 2)}
            for name, (clock, cores) in {
                "clustered": clustered,
                "stratified": stratified,
                "plain, extrapolated": plainly,
            }.items()
        },
        "largest_difference": largest,
    }
    write_json(RESULTS, content)
    print(f"{arguments.samples:,} samples of {arguments.tiles:,} tiles, {len(names)} metrics")
    for name, seconds in content["seconds"].items():
        print(f"{name:20} {seconds['clock']:8.2f} s, of all cores {seconds['cores']:8.2f} s")
    print(f"largest difference of a value: {largest:.1e}")


if __name__ == "__main__":
    main()
