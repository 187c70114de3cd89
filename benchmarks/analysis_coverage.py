"""How often do the intervals of what stands beside the table of metrics hold the truth?

Differences of two runs, predictive values at a stated prevalence, calibration, selective prediction and
the confusion matrix, of tiles alone and of tiles in groups: as interval_coverage.py, whose data sets
these are. Prints the table of docs/metrics.md and writes results/analysis_coverage.json.

    python benchmarks/analysis_coverage.py [--data-sets 1000]
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from interval_coverage import BOOTSTRAP_SAMPLES, CONFIDENCE, Coverage, evidence_of, table, write
from scipy.special import logit

from histocli.metrics.calibration_table import calibration_section
from histocli.metrics.confusion_shares import confusion_shares
from histocli.metrics.definitions import METRICS
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.weights import Weights
from histocli.metrics.labelled import Labelled
from histocli.metrics.operating_table import predictive_records
from histocli.metrics.paired_difference import MeasuredRun, paired_record
from histocli.metrics.selective import area_under_risk_coverage, certainty
from histocli.metrics.uncertainty import Uncertainty

RESULTS = Path(__file__).parent / "results" / "analysis_coverage.json"
TILES, GROUPS, TILES_PER_GROUP = 200, 50, 20
TRUTH_TILES = 400_000
PREVALENCE = 0.1
COMPARED = ("auroc", "accuracy", "sensitivity", "brier")
# By name: a value with its interval, as metrics.json has it.
Records = dict[str, dict[str, Any]]


def two_runs(generator: np.random.Generator, groups: int | None) -> tuple[Labelled, Labelled]:
    """The same tiles as two runs see them: what one tile has in common, and the better run first."""
    tiles = TILES if groups is None else groups * TILES_PER_GROUP
    clusters: IntArray | None = None
    labels, shift = np.arange(tiles) % 2, np.zeros(tiles)
    if groups is not None:
        clusters = np.repeat(np.arange(groups), TILES_PER_GROUP)
        shift = 0.7 * generator.normal(size=groups)[clusters]
        labels = (generator.random(tiles) < generator.beta(2, 2, size=groups)[clusters]).astype(
            np.int64
        )
    shared = generator.normal(size=tiles) * math.sqrt(0.5)
    views = [
        _labelled(
            labels,
            apart * (labels - 0.5) + shift + shared + math.sqrt(0.5) * generator.normal(size=tiles),
            clusters,
        )
        for apart in (2.2, 1.8)
    ]
    return views[0], views[1]


def _labelled(labels: IntArray, scores: FloatArray, clusters: IntArray | None) -> Labelled:
    evidence, tiles = evidence_of(labels, scores), len(labels)
    return Labelled(
        tiles=tuple(map(str, range(tiles))),
        classes=("normal", "tumor"),
        positive_index=1,
        labels=labels,
        predicted=evidence.predicted_indices,
        probabilities=evidence.probabilities,
        calibrated=None,
        groups=(None,) * tiles if clusters is None else tuple(f"group {c}" for c in clusters),
    )


def records_of(tiles: Labelled, uncertainty: Uncertainty) -> Records:
    """Every interval of one run that is not in the table of metrics."""
    found = predictive_records(tiles, PREVALENCE, uncertainty)
    records = {f"{name} at a prevalence of {PREVALENCE}": each for name, each in found.items()}
    section = calibration_section(tiles, {}, uncertainty)
    records |= section["as_given"]["per_class"]["tumor"]
    # A matter of the labels alone, and here at its largest.
    del records["brier_uncertainty"]
    wrong, certain = tiles.predicted != tiles.labels, certainty(tiles, 0.5)

    def area(weights: Weights) -> dict[str, FloatArray]:
        return {"area_under_risk_coverage": area_under_risk_coverage(wrong, certain, weights)}

    records |= uncertainty.records(area, tiles.labels, tiles.clusters)
    cells = confusion_shares(
        tiles.evidence(), tiles.clusters, CONFIDENCE, uncertainty.samples, uncertainty.seed
    )
    records["confusion matrix: normal called tumor"] = {
        "method": cells["method"],
        "value": cells["value"][0][1],
        **{bound: cells[bound][0][1] for bound in ("ci_low", "ci_high")},
    }
    return records


def differences(first: Labelled, second: Labelled, seed: int) -> Records:
    """Intervals of the differences, first minus second."""
    runs = [MeasuredRun.of(each, COMPARED, BOOTSTRAP_SAMPLES, seed) for each in (first, second)]
    pair = paired_record(runs[0], runs[1], confidence=CONFIDENCE, permutations=1, seed=seed)
    return {
        f"difference: {name}": {"value": each["difference"], **each}
        for name, each in pair["metrics"].items()
    }


def true_values(groups: int | None) -> dict[str, float]:
    """What the intervals should hold: the values of very many tiles."""
    many = None if groups is None else TRUTH_TILES // TILES_PER_GROUP
    parts = [
        two_runs(np.random.default_rng([10**6, number]), many)
        for number in range(1 if many else TRUTH_TILES // TILES)
    ]
    first, second = (_joined([pair[run] for pair in parts]) for run in (0, 1))
    values = {
        name: each["value"] for name, each in records_of(first, Uncertainty(samples=0)).items()
    }
    for name in COMPARED:
        one, other = (METRICS[name].measure(run.evidence()).overall for run in (first, second))
        values[f"difference: {name}"] = float(one - other)
    return values


def _joined(parts: list[Labelled]) -> Labelled:
    """One table of several; of the truth, whose groups play no part."""
    labels = np.concatenate([part.labels for part in parts])
    scores = np.concatenate([logit(part.probabilities[:, 1]) for part in parts])
    return _labelled(labels, scores, None)


def coverage(groups: int | None, data_sets: int) -> Iterator[Coverage]:
    """One line for each interval of one design."""
    truth = true_values(groups)
    held, undefined, methods = Counter[str](), Counter[str](), dict[str, Counter[str]]()
    for number in range(data_sets):
        first, second = two_runs(np.random.default_rng([0, number]), groups)
        records = records_of(first, Uncertainty(CONFIDENCE, BOOTSTRAP_SAMPLES, number))
        for name, each in (records | differences(first, second, number)).items():
            methods.setdefault(name, Counter())[each["method"]] += 1
            low, high = each["ci_low"], each["ci_high"]
            undefined[name] += low is None
            held[name] += low is not None and low <= truth[name] <= high
    design = f"{TILES} independent tiles" if groups is None else f"{groups} groups"
    for name, count in methods.items():
        line = Coverage("", name, design, data_sets, held[name] / data_sets, undefined[name])
        yield replace(line, method=count.most_common(1)[0][0])


def main() -> None:
    """Simulate, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=1000)
    arguments = parser.parse_args()
    lines = [line for groups in (None, GROUPS) for line in coverage(groups, arguments.data_sets)]
    print(table(lines))
    write(lines, RESULTS)


if __name__ == "__main__":
    main()
