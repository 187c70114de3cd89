"""Which run is the best in what: only where ``histo evaluate RUN RUN`` has shown it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from histocli.report.run_summary import RunSummary


def is_current(comparison: Mapping[str, Any], summaries: Sequence[RunSummary]) -> bool:
    """Whether a comparison is of these runs as they were evaluated last.

    Args:
        comparison: The content of ``comparison.json``.
        summaries: The runs.
    """
    values = comparison.get("values") or {}
    for summary in summaries:
        judged = summary.headline
        if judged is None or judged.split != comparison.get("split"):
            return False
        auroc = (judged.metrics["metrics"].get("auroc") or {}).get("value")
        compared = (values.get(summary.name) or {}).get("auroc")
        if auroc is None or compared is None or not math.isclose(auroc, compared, abs_tol=1e-9):
            return False
    return True


def shown_best(
    comparison: Mapping[str, Any], runs: Sequence[str], names: Sequence[str]
) -> frozenset[tuple[int, int]]:
    """Row of the run and column of the metric where a run is better than every other one.

    Args:
        comparison: The content of ``comparison.json``; a pair's ``better`` names a run only where
            the difference is real.
        runs: The rows.
        names: The metrics, as columns.
    """
    found = set()
    for row, run in enumerate(runs):
        pairs = [pair for pair in comparison["pairs"] if run in pair["runs"]]
        for column, name in enumerate(names):
            better = [(pair["metrics"].get(name) or {}).get("better") for pair in pairs]
            if pairs and all(each == run for each in better):
                found.add((row, column))
    return frozenset(found)
