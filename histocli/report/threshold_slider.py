"""What the slider of the page needs: at each threshold, how many tiles of each class lie above it."""

from dataclasses import dataclass

import numpy as np

from histocli.report.run_summary import RunSummary

STEPS = 1000


@dataclass(frozen=True)
class Slider:
    """Tiles by probability of the positive class, in steps of a thousandth.

    Attributes:
        positives: Tiles of the positive class whose probability is at least each step, below the next.
        negatives: The same of the other class.
        start: The step nearest to the stored threshold, which stands in its place.
    """

    split: str
    positive: str
    negative: str
    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    start: int


def threshold_slider(summary: RunSummary) -> Slider | None:
    """Count the tiles of the headline split; None of more than two classes, or without predictions.

    Args:
        summary: Of the run.
    """
    headline = summary.headline
    if headline is None or headline.predictions is None:
        return None
    positive, threshold = headline.metrics.get("positive_class"), headline.metrics.get("threshold")
    classes = list(headline.predictions.classes)
    if positive is None or threshold is None or len(classes) != 2:
        return None
    column = classes.index(positive)
    start = max(1, round(STEPS * threshold))
    edges = np.arange(1, STEPS + 1) / STEPS
    # Where it starts it shows the operating point itself, not one that is rounded.
    edges[start - 1] = threshold
    steps = np.searchsorted(edges, headline.predictions.probabilities[:, column], side="right")
    labels = headline.predictions.label_indices
    of_each = [
        tuple(np.bincount(steps[labels == each], minlength=STEPS + 1).tolist())
        for each in (column, 1 - column)
    ]
    return Slider(
        split=headline.split,
        positive=positive,
        negative=classes[1 - column],
        positives=of_each[0],
        negatives=of_each[1],
        start=start,
    )
