import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histocli.metrics.definitions.brier import brier
from histocli.metrics.murphy import murphy_decomposition


@given(seed=st.integers(0, 2**32 - 1), bins=st.integers(1, 20))
def test_the_parts_add_up_to_the_brier_score(seed: int, bins: int) -> None:
    generator = np.random.default_rng(seed)
    truth, scores = generator.random(70) < 0.4, generator.random(70)
    weights = generator.integers(0, 4, size=(3, 70)).astype(float)
    weights[:, 0] += 1
    parts = murphy_decomposition(truth, scores, weights, bins)
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within_bins"]
    np.testing.assert_allclose(total, brier(truth, scores, weights), rtol=0, atol=1e-12)


def test_scores_that_are_alike_within_bins_have_murphys_three_parts() -> None:
    scores = np.repeat([0.1, 0.5, 0.9], [10, 20, 10])
    truth = np.concatenate([np.arange(10) < 2, np.arange(20) < 10, np.arange(10) < 7])
    parts = {name: float(part) for name, part in murphy_decomposition(truth, scores).items()}
    overall = 19 / 40
    assert parts["within_bins"] == pytest.approx(0, abs=1e-15)
    assert parts["reliability"] == pytest.approx((10 * 0.01 + 0 + 10 * 0.04) / 40)
    spread = 10 * (0.2 - overall) ** 2 + 20 * (0.5 - overall) ** 2 + 10 * (0.7 - overall) ** 2
    assert parts["resolution"] == pytest.approx(spread / 40)
    assert parts["uncertainty"] == pytest.approx(overall * (1 - overall))


def test_weights_count_like_repeated_rows() -> None:
    generator = np.random.default_rng(5)
    truth, scores = generator.random(30) < 0.5, generator.random(30)
    counts = generator.integers(0, 3, 30)
    weighted = murphy_decomposition(truth, scores, counts.astype(float))
    repeated = murphy_decomposition(np.repeat(truth, counts), np.repeat(scores, counts))
    for name, part in weighted.items():
        assert part == pytest.approx(float(repeated[name]), abs=1e-12)
