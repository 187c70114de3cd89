"""How often do the intervals of `histo evaluate` hold the truth? A simulation of many data sets.

An interval of 95 % should hold the true value in 95 of 100 data sets. Data sets are drawn from known
distributions; the truth is that of the distribution (a sum over a very large data set where there is
no formula). It prints the table of docs/metrics.md and writes results/interval_coverage.json; lines that
are not measured again stay. What stands beside the table of metrics: analysis_coverage.py.

    python benchmarks/interval_coverage.py [--data-sets 1000] [--only areas] [--metrics brier,f1]
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, ndtri

from histocli.metrics.bootstrap import clustered_bootstrap, stratified_bootstrap
from histocli.metrics.definitions import METRICS, metrics_of
from histocli.metrics.definitions.arrays import FloatArray, IntArray
from histocli.metrics.definitions.evidence import Evidence
from histocli.metrics.delong import delong_interval
from histocli.metrics.interval_choice import IndependentIntervals
from histocli.metrics.intervals import Interval, clopper_pearson, wilson
from histocli.metrics.newcombe import newcombe_interval

RESULTS = Path(__file__).parent / "results" / "interval_coverage.json"
CONFIDENCE = 0.95
TRUTH_TILES = 2_000_000
# As many as `histo evaluate` takes unless told otherwise.
BOOTSTRAP_SAMPLES = 1000
PARTS = ("proportions", "areas", "bootstrap", "calibrated")
# Times the score these tiles have honest probabilities.
HONEST = 2.2
AREA_INTERVALS = ("delong", "delong (logit)", "newcombe", "as evaluated")
# Tiles of the class, others, and the true AUROC; in the last three few tiles, or one, decide.
AREAS = (
    (30, 30, 0.8),
    (100, 100, 0.8),
    (100, 100, 0.95),
    (500, 500, 0.97),
    (50, 500, 0.95),
    (20, 200, 0.9),
    (100, 100, 0.99),
)


@dataclass(frozen=True)
class Coverage:
    """One line of the table: how often an interval held the truth, and was undefined."""

    method: str
    metric: str
    design: str
    data_sets: int
    coverage: float
    undefined: int = 0


def proportion_coverage(
    function: Callable[..., tuple[FloatArray, FloatArray]],
    tiles: int,
    share: float,
    data_sets: int,
    seed: int = 0,
) -> float:
    """Coverage of an interval of a proportion."""
    hits = np.random.default_rng(seed).binomial(tiles, share, size=data_sets)
    low, high = function(hits, np.full(data_sets, tiles), CONFIDENCE)
    return float(np.mean((low <= share) & (share <= high)))


def area_coverage(
    interval: str, positives: int, negatives: int, area: float, data_sets: int, seed: int = 0
) -> float:
    """Coverage of an interval of the AUROC of two normal distributions.

    Args:
        interval: One of ``AREA_INTERVALS``; ``as evaluated`` is what `histo evaluate` chooses.
        positives: Tiles of the class.
        negatives: Tiles of another class.
        area: True AUROC.
        data_sets: How many are drawn.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    apart = math.sqrt(2) * float(ndtri(area))
    labels = np.repeat([1, 0], [positives, negatives])
    held = 0
    for _ in range(data_sets):
        scores = generator.normal(size=len(labels)) + apart * labels
        evidence = evidence_of(labels, scores)
        found = _area_interval(interval, evidence)
        held += found.low <= area <= found.high
    return held / data_sets


def _area_interval(interval: str, evidence: Evidence) -> Interval:
    value = float(METRICS["auroc"].measure(evidence).overall)
    if interval == "as evaluated":
        nothing = stratified_bootstrap(evidence, [], 0, 0)
        choose = IndependentIntervals(evidence, nothing, CONFIDENCE, "wilson")
        return choose.of("auroc", None, value).interval
    if interval == "newcombe":
        positives = int(evidence.label_indices.sum())
        negatives = len(evidence.label_indices) - positives
        return newcombe_interval(value, positives, negatives, CONFIDENCE)
    influence = METRICS["auroc"].influence(evidence)
    if influence is None:
        raise AssertionError("the AUROC has contributions of each tile")
    return delong_interval(
        value, influence.overall, CONFIDENCE, on_logit=interval == "delong (logit)"
    )


def grouped_coverage(
    groups: int, data_sets: int, names: Sequence[str], seed: int = 0, tiles_per_group: int = 20
) -> list[Coverage]:
    """Coverage of the clustered bootstrap: tiles of a group share much of their scores."""
    truth = _values(_grouped(np.random.default_rng(10**6), TRUTH_TILES // 20, 20)[0], names)
    held, undefined = np.zeros(len(names)), np.zeros(len(names), np.int64)
    for number in range(data_sets):
        evidence, clusters = _grouped(
            np.random.default_rng([seed, number]), groups, tiles_per_group
        )
        bootstrap = clustered_bootstrap(evidence, clusters, names, BOOTSTRAP_SAMPLES, number)
        for index, name in enumerate(names):
            point = float(METRICS[name].measure(evidence).overall)
            _, found = bootstrap.interval(name, None, point, CONFIDENCE)
            held[index] += found.low <= truth[name] <= found.high
            undefined[index] += not math.isfinite(found.low)
    design = f"{groups} groups of {tiles_per_group} tiles"
    return [
        Coverage(
            "bootstrap, clustered", name, design, data_sets, held[i] / data_sets, int(undefined[i])
        )
        for i, name in enumerate(names)
    ]


def independent_coverage(
    tiles: int, data_sets: int, names: Sequence[str], seed: int = 0, sharpness: float = 1.0
) -> list[Coverage]:
    """Coverage of the stratified bootstrap of independent tiles, half of them of the class."""
    truth = _values(_independent(np.random.default_rng(10**6), TRUTH_TILES, sharpness), names)
    held, undefined = np.zeros(len(names)), np.zeros(len(names), np.int64)
    for number in range(data_sets):
        evidence = _independent(np.random.default_rng([seed, number]), tiles, sharpness)
        bootstrap = stratified_bootstrap(evidence, names, BOOTSTRAP_SAMPLES, number)
        for index, name in enumerate(names):
            point = float(METRICS[name].measure(evidence).overall)
            _, found = bootstrap.interval(name, None, point, CONFIDENCE)
            held[index] += found.low <= truth[name] <= found.high
            undefined[index] += not math.isfinite(found.low)
    design = f"{tiles} independent tiles{', calibrated' if sharpness == HONEST else ''}"
    return [
        Coverage(
            "bootstrap, stratified", name, design, data_sets, held[i] / data_sets, int(undefined[i])
        )
        for i, name in enumerate(names)
    ]


def evidence_of(labels: IntArray, scores: FloatArray) -> Evidence:
    """Tiles of two classes whose probability is the logistic function of a score."""
    positive = expit(scores)
    return Evidence(
        label_indices=labels,
        predicted_indices=(positive >= 0.5).astype(np.int64),
        probabilities=np.stack([1 - positive, positive], axis=1),
        positive_index=1,
        weights=np.ones(len(labels)),
    )


def _grouped(generator: np.random.Generator, groups: int, tiles: int) -> tuple[Evidence, IntArray]:
    """Groups differ in their share of the class, and in how high all their tiles score."""
    clusters = np.repeat(np.arange(groups), tiles)
    shares, shifts = generator.beta(2, 2, size=groups), 0.7 * generator.normal(size=groups)
    labels = (generator.random(len(clusters)) < shares[clusters]).astype(np.int64)
    scores = 2.2 * (labels - 0.5) + shifts[clusters] + generator.normal(size=len(clusters))
    return evidence_of(labels, scores), clusters


def _independent(generator: np.random.Generator, tiles: int, sharpness: float) -> Evidence:
    labels = np.arange(tiles) % 2
    scores = 2.2 * (labels - 0.5) + generator.normal(size=tiles)
    return evidence_of(labels, sharpness * scores)


def _values(evidence: Evidence, names: Sequence[str]) -> dict[str, float]:
    return {name: float(METRICS[name].measure(evidence).overall) for name in names}


def proportions(data_sets: int) -> list[Coverage]:
    """The lines of proportions."""
    lines = []
    for tiles, share in ((50, 0.9), (200, 0.7), (200, 0.9), (1000, 0.97)):
        for name, function in (("wilson", wilson), ("clopper-pearson", clopper_pearson)):
            held = proportion_coverage(function, tiles, share, data_sets)
            lines.append(Coverage(name, "a proportion", f"{tiles} tiles, {share}", data_sets, held))
    return lines


def areas(data_sets: int) -> list[Coverage]:
    """The lines of the AUROC of tiles alone."""
    lines = []
    for positives, negatives, area in AREAS:
        for name in AREA_INTERVALS:
            held = area_coverage(name, positives, negatives, area, data_sets)
            design = f"{positives} and {negatives} tiles, {area}"
            lines.append(Coverage(name, "auroc", design, data_sets, held))
    return lines


def bootstraps(data_sets: int, names: Sequence[str]) -> list[Coverage]:
    """The lines of both bootstraps."""
    lines = independent_coverage(200, data_sets, names)
    for groups in (100, 50, 20, 10):
        lines += grouped_coverage(groups, data_sets, names)
    return lines


def calibrated(data_sets: int) -> list[Coverage]:
    """The calibration error of a model that has next to none."""
    return independent_coverage(200, data_sets, ["expected_calibration_error"], sharpness=HONEST)


def measure(data_sets: int, parts: Sequence[str], names: Sequence[str]) -> list[Coverage]:
    """The lines of some parts of the table; of the bootstrap those of some metrics."""
    made: dict[str, Callable[[], list[Coverage]]] = {
        "proportions": lambda: proportions(data_sets),
        "areas": lambda: areas(data_sets),
        "bootstrap": lambda: bootstraps(data_sets, names),
        "calibrated": lambda: calibrated(data_sets),
    }
    return [line for part in parts for line in made[part]()]


def merged(lines: Sequence[Coverage], path: Path) -> list[Coverage]:
    """The lines of an earlier simulation with those of this one in their places, or after them."""
    before = json.loads(path.read_text())["lines"] if path.is_file() else []
    places = {(each["method"], each["metric"], each["design"]): Coverage(**each) for each in before}
    places |= {(line.method, line.metric, line.design): line for line in lines}
    return list(places.values())


def write(lines: Sequence[Coverage], path: Path) -> None:
    """Write the lines, with what they have in common."""
    content = {
        "confidence": CONFIDENCE,
        "bootstrap_samples": BOOTSTRAP_SAMPLES,
        "lines": [asdict(line) for line in lines],
    }
    path.write_text(json.dumps(content, indent=2, default=float) + "\n")


def table(lines: Sequence[Coverage]) -> str:
    """The lines as a Markdown table."""
    rows = ["| Interval | Metric | Data | Held | Without interval |", "|---|---|---|---|---|"]
    rows += [
        f"| {line.method} | {line.metric} | {line.design} | {line.coverage:.1%} | {line.undefined} |"
        for line in lines
    ]
    return "\n".join(rows)


def main() -> None:
    """Simulate, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=1000)
    parser.add_argument("--only", choices=PARTS, help="this part alone")
    parser.add_argument("--metrics", default=",".join(metrics_of(2)), help="of the bootstrap")
    arguments = parser.parse_args()
    parts = (arguments.only,) if arguments.only else PARTS
    lines = measure(arguments.data_sets, parts, arguments.metrics.split(","))
    print(table(lines))
    write(merged(lines, RESULTS), RESULTS)


if __name__ == "__main__":
    main()
