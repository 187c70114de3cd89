import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as oracle

from histocli.metrics.significance.mcnemar import CORRECTED, EXACT, mcnemar


def answers(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    one = np.repeat([True, True, False, False], [both, first, second, neither])
    other = np.repeat([True, False, True, False], [both, first, second, neither])
    return one, other


@pytest.mark.parametrize(
    "counts",
    [(30, 0, 0, 4), (5, 1, 0, 2), (9, 8, 3, 1), (40, 12, 12, 3), (7, 0, 24, 1), (50, 20, 4, 9)],
)
def test_few_discordant_tiles_have_the_exact_test(counts: tuple[int, int, int, int]) -> None:
    both, first, second, neither = counts
    found = mcnemar(*answers(*counts))
    expected = oracle([[both, first], [second, neither]], exact=True)
    assert found.method == EXACT
    assert (found.both_right, found.only_first, found.only_second, found.both_wrong) == counts
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize("counts", [(9, 13, 12, 1), (40, 30, 12, 3), (7, 0, 25, 1), (0, 90, 40, 0)])
def test_many_have_the_corrected_chi_square(counts: tuple[int, int, int, int]) -> None:
    both, first, second, neither = counts
    found = mcnemar(*answers(*counts))
    expected = oracle([[both, first], [second, neither]], exact=False, correction=True)
    assert found.method == CORRECTED
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)


def test_the_example_of_agresti_as_r_computes_it() -> None:
    # R 4.2.2: mcnemar.test(matrix(c(794, 86, 150, 570), 2)).
    found = mcnemar(*answers(794, 150, 86, 570))
    assert found.statistic == pytest.approx(16.8177966102, abs=1e-10)
    assert found.p_value == pytest.approx(4.11456228135e-05, rel=1e-10)
