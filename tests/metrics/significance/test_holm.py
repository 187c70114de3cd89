import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from histocli.metrics.significance.holm import holm


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_it_equals_statsmodels(count: int) -> None:
    p_values = np.random.default_rng(count).random(count) ** 3
    np.testing.assert_allclose(
        holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12
    )


def test_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_what_was_not_tested_does_not_count() -> None:
    np.testing.assert_allclose(holm([0.02, np.nan, 0.04]), [0.04, np.nan, 0.04])
    assert np.isnan(holm([np.nan])).all()
