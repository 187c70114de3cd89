"""Intervals hold the truth as often as they say: a simulation of 1,000 data sets."""

import pytest
from interval_coverage import AREAS, area_coverage, grouped_coverage, proportion_coverage

from histocli.metrics.definitions import metrics_of
from histocli.metrics.intervals import clopper_pearson, wilson

DATA_SETS = 1000
RIGHT = pytest.approx(0.95, abs=0.02)
DESIGNS = [(200, 0.7), (200, 0.9), (1000, 0.97)]


@pytest.mark.slow
@pytest.mark.parametrize(("tiles", "share"), DESIGNS)
def test_wilson(tiles: int, share: float) -> None:
    assert proportion_coverage(wilson, tiles, share, DATA_SETS) == RIGHT


@pytest.mark.slow
@pytest.mark.parametrize(("tiles", "share"), DESIGNS)
def test_clopper_pearson(tiles: int, share: float) -> None:
    assert proportion_coverage(clopper_pearson, tiles, share, DATA_SETS) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("positives", "negatives", "area"), AREAS[:4])
def test_delong(positives: int, negatives: int, area: float) -> None:
    assert area_coverage("delong (logit)", positives, negatives, area, DATA_SETS) == RIGHT


@pytest.mark.slow
@pytest.mark.parametrize(("positives", "negatives", "area"), AREAS)
def test_the_interval_that_an_auroc_is_given(positives: int, negatives: int, area: float) -> None:
    assert area_coverage("as evaluated", positives, negatives, area, DATA_SETS) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("groups", [50, 100])
def test_the_clustered_bootstrap(groups: int) -> None:
    for line in grouped_coverage(groups, DATA_SETS, metrics_of(2)):
        assert line.coverage == RIGHT, line
