import math

import numpy as np
import pytest

from histocli.metrics.newcombe import newcombe_interval


def hanley_variance(area: float, positives: int, negatives: int) -> float:
    """Hanley and McNeil's variance with N* in place of both sizes, in their own letters."""
    q1, q2, mean = area / (2 - area), 2 * area**2 / (1 + area), (positives + negatives) / 2
    spread = area * (1 - area) + (mean - 1) * (q1 - area**2) + (mean - 1) * (q2 - area**2)
    return spread / (positives * negatives)


@pytest.mark.parametrize(("area", "m", "n"), [(0.5, 10, 30), (0.83, 58, 51), (0.97, 5, 400)])
def test_the_bounds_are_z_standard_errors_of_their_own_away(area: float, m: int, n: int) -> None:
    found = newcombe_interval(area, m, n)
    for bound in (found.low, found.high):
        distance = abs(area - bound) / math.sqrt(hanley_variance(bound, m, n))
        assert distance == pytest.approx(1.959964, abs=1e-5)


def test_perfect_separation_still_has_a_width_that_shrinks_with_the_tiles() -> None:
    lows = [newcombe_interval(1.0, size, size).low for size in (3, 30, 300)]
    assert newcombe_interval(1.0, 3, 3).high == 1
    assert 0 < lows[0] < lows[1] < lows[2] < 1
    assert newcombe_interval(0.0, 30, 30).high == pytest.approx(1 - lows[1])


def test_one_side_alone_has_no_interval() -> None:
    found = newcombe_interval(0.7, 0, 5)
    assert np.isnan(found.low)
    assert found.reason
