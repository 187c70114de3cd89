import numpy as np
import pytest

from histocli.metrics.grouped_shares import grouped_share_bounds
from histocli.metrics.intervals import wilson


def test_groups_of_one_tile_give_about_what_wilson_does() -> None:
    outcomes = np.arange(400) % 4 == 0
    low, high = grouped_share_bounds(
        np.zeros(400, np.int64), outcomes, 1, np.arange(400), samples=4000
    )
    expected = wilson(100, 400)
    assert (low[0], high[0]) == pytest.approx((float(expected[0]), float(expected[1])), abs=0.01)


def test_copies_in_a_group_say_nothing_new() -> None:
    outcomes = np.arange(60) % 3 == 0
    codes, clusters = np.zeros(600, np.int64), np.repeat(np.arange(60), 10)
    copied = grouped_share_bounds(codes, np.repeat(outcomes, 10), 1, clusters)
    alone = grouped_share_bounds(codes[:60], outcomes, 1, np.arange(60))
    assert np.ravel(copied) == pytest.approx(np.ravel(alone))


def test_where_all_groups_agree_each_counts_as_one_tile_and_an_empty_code_is_nan() -> None:
    codes, clusters = np.repeat([0, 2], [30, 10]), np.repeat(np.arange(8), 5)
    low, high = grouped_share_bounds(codes, codes == 0, 3, clusters)
    six, two = wilson(6, 6), wilson(0, 2)
    assert [low[0], high[0]] == pytest.approx([float(bound) for bound in six])
    assert [low[2], high[2]] == pytest.approx([float(bound) for bound in two])
    assert np.isnan([low[1], high[1]]).all()
