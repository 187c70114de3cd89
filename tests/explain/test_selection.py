from dataclasses import replace

import pytest
import torch

from histocli.explain.record import ExplainedTile
from histocli.explain.selection import choose_pictures
from histocli.explain.views import orientations, oriented, upright
from histocli.training.augmentation import d4_views

TILE = ExplainedTile(0, "0", None, "b", "b", 0.9, "b", 0.2, 1 / 9, 0.8, (96, 96))


def tile(number: int, label: str, predicted: str, margin: float) -> ExplainedTile:
    return replace(
        TILE, index=number, id=str(number), label=label, predicted=predicted, margin=margin
    )


def test_the_picture_shows_sure_right_sure_wrong_and_unsure_tiles_of_each_class() -> None:
    tiles = [
        tile(0, "a", "a", 0.9),
        tile(1, "a", "a", 0.5),
        tile(2, "a", "b", 0.7),
        tile(3, "a", "b", 0.1),
        tile(4, "b", "b", 0.8),
        tile(5, "b", "a", 0.6),
        tile(6, "b", "b", 0.05),
        tile(7, "b", "b", 0.4),
    ]
    chosen = [(choice.reason, choice.tile.id) for choice in choose_pictures(tiles, 6)]
    assert chosen == [
        ("surest correct", "0"),
        ("surest correct", "4"),
        ("surest wrong", "2"),
        ("surest wrong", "5"),
        ("least sure", "3"),
        ("least sure", "6"),
    ]
    assert chosen == [(choice.reason, choice.tile.id) for choice in choose_pictures(tiles[::-1], 6)]
    assert len(choose_pictures(tiles, 100)) == len(tiles)


def test_an_empty_map_is_shown_last() -> None:
    empty = replace(tile(0, "a", "a", 1.0), center_share=float("nan"))
    assert choose_pictures([empty, tile(1, "a", "a", 0.1)], 1)[0].tile.id == "1"


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 3, 8, 6)])
def test_views_are_those_of_predicting_and_can_be_undone(shape: tuple[int, ...]) -> None:
    tiles = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    numbers = orientations(tiles, "d4")
    ours = [oriented(tiles, number) for number in numbers]
    for view, theirs in zip(ours, d4_views(tiles), strict=True):
        torch.testing.assert_close(view, theirs)
    for number, view in zip(numbers, ours, strict=True):
        assert torch.equal(upright(view, number), tiles)
    assert orientations(tiles, "none") == [0]
