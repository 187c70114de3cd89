import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from histocli.stain.statistics import combine_channels, masked_moments, percentiles


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    pixels=st.integers(3, 200),
    level=st.floats(0, 100),
    distinct=st.integers(1, 50),
)
def test_percentile_equals_numpy_on_what_is_counted(
    seed: int, pixels: int, level: float, distinct: int
) -> None:
    generator = np.random.default_rng(seed)
    values = generator.integers(0, distinct, (4, pixels)) / 7
    mask = generator.random((4, pixels)) < 0.6
    mask[:, 0] = True
    ours = percentiles(values, (level,), mask)[:, 0]
    expected = [np.percentile(row[kept], level) for row, kept in zip(values, mask, strict=True)]
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


def test_percentile_is_zero_where_nothing_counts() -> None:
    assert percentiles(np.ones((2, 5)), (1, 99), np.zeros((2, 5), bool)).tolist() == [
        [0, 0],
        [0, 0],
    ]


def test_moments_equal_numpy() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(3, 3, 100))
    mask = generator.random((3, 100)) < 0.5
    count, mean, covariance = masked_moments(values, mask)
    for tile in range(3):
        kept = values[tile][:, mask[tile]]
        assert count[tile] == kept.shape[1]
        np.testing.assert_allclose(mean[tile], kept.mean(axis=1), rtol=1e-12)
        np.testing.assert_allclose(covariance[tile], np.cov(kept), rtol=1e-10)


@pytest.mark.parametrize("counted", [0, 1])
def test_moments_of_too_few_pixels_are_zero(counted: int) -> None:
    mask = np.zeros((1, 10), bool)
    mask[0, :counted] = True
    _, mean, covariance = masked_moments(np.ones((1, 3, 10)), mask)
    assert not mean.any()
    assert not covariance.any()


def test_combining_channels_is_a_matrix_product() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.rand(2, 2, 3, generator=generator, dtype=torch.float64)
    values = torch.rand(2, 3, 50, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(combine_channels(matrices, values), matrices @ values)
