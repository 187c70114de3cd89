import numpy as np
import pytest

from histocli.metrics.definitions.log_loss import log_loss


def test_a_certain_mistake_costs_a_finite_loss() -> None:
    loss = log_loss(np.array([0]), np.array([[0.0, 1.0]]))
    assert loss == pytest.approx(-np.log(np.finfo(np.float64).eps))


def test_even_odds_cost_the_logarithm_of_two() -> None:
    assert log_loss(np.array([0, 1]), np.full((2, 2), 0.5)) == pytest.approx(np.log(2))
