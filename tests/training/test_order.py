import numpy as np

from histocli.training.order import equal_shares, shuffled
from histocli.training.processes import Processes


def test_chances_make_classes_and_their_groups_alike() -> None:
    labels = [0] * 8 + [1] * 2
    groups = ["a"] * 6 + ["b"] * 2 + ["c", "d"]
    chances = equal_shares(labels, None)
    assert np.isclose(chances[:8].sum(), chances[8:].sum())
    chances = equal_shares(labels, groups)
    assert np.isclose(chances[:6].sum(), chances[6:8].sum())
    assert np.isclose(chances[:8].sum(), chances[8:].sum())
    order = shuffled(range(10), 0, 1, 2, weights=equal_shares([0] * 9 + [1], None))
    assert order == shuffled(range(10), 0, 1, 2, weights=equal_shares([0] * 9 + [1], None))
    many = shuffled(range(1000), 0, 1, 2, weights=equal_shares([0] * 900 + [1] * 100, None))
    assert 420 < sum(index >= 900 for index in many) < 580


def test_processes_share_each_batch_and_no_tile_twice() -> None:
    order = list(range(100, 124))
    parts = [Processes(rank, 4).share_of_order(order, 8) for rank in range(4)]
    for batch in range(3):
        seen = [index for part in parts for index in part[2 * batch : 2 * batch + 2]]
        assert sorted(seen) == order[8 * batch : 8 * batch + 8]
    shares = [Processes(rank, 4).share(order) for rank in range(4)]
    assert sorted(index for share in shares for index in share) == order
