"""Where a tile goes when it is normalised."""

import pytest

from histocli.data.layouts import LAYOUTS
from histocli.data.normalized import normalized_name
from tests.data.layouts.examples import EXAMPLES


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        ("train/tumor/a.jpg", "train/tumor/a.png"),
        ("train/tumor/a.PNG", "train/tumor/a.png"),
        ("a#1.webp", "a#1.png"),
        ("archive.zip#train/tumor/a.jpeg", "train/tumor/a.png"),
        ("train.zip#feed.jpg", "train/feed.png"),
        ("pathmnist.npz#train/12", "train/12.png"),
        ("mine.npz#12", "mine-12.png"),
        ("pcam/split_train_x.h5#12", "pcam/split_train_x-12.png"),
        ("data/train-00000-of-00013.parquet#7", "data/train-00000-of-00013-7.png"),
    ],
)
def test_every_id_has_a_path(tile: str, path: str) -> None:
    assert normalized_name(tile) == path


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_no_two_tiles_share_one(layout: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    tiles = EXAMPLES[layout](tmp_path_factory.mktemp("data")).tiles
    assert len({normalized_name(tile) for tile in tiles}) == len(tiles)
