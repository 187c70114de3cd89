"""Where attention lies: regions against slow definitions, stains against the phantom's truth."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from histocli.data.layouts.patchcamelyon import open_patchcamelyon
from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.data.tiles import Tile, TileBatch
from histocli.errors import InputError, SettingsError
from histocli.explain.scores.center import CenterBox, ceiling_share
from histocli.explain.scores.enlarging import enlarge
from histocli.explain.scores.regions import score_regions, score_stain
from histocli.explain.scores.stains import stained_pixels
from histocli.explain.scores.summary import summarize_region
from histocli.explain.tile_regions import (
    follows_center_rule,
    has_tumor_in_ring_only,
    score_batch,
)


def test_shares_pointing_and_overlap_are_what_counting_gives() -> None:
    generator = np.random.default_rng(0)
    maps = generator.random((6, 12, 12))
    regions = generator.random((6, 12, 12)) < 0.3
    for values, region, score in zip(
        maps, regions, score_regions(maps, regions, (12, 12)), strict=True
    ):
        inside = sum(values[y, x] for y in range(12) for x in range(12) if region[y, x])
        assert score.share == pytest.approx(inside / values.sum())
        assert score.chance == region.mean()
        assert score.enrichment == pytest.approx(score.share / score.chance)
        assert score.pointing == region[np.unravel_index(values.argmax(), (12, 12))]
        strongest = values >= np.sort(values.ravel())[-region.sum()]
        assert score.overlap == pytest.approx(
            (strongest & region).sum() / (strongest | region).sum()
        )
        assert score.ceiling == 1


def test_no_map_of_a_grid_beats_the_ceiling_of_any_region() -> None:
    generator = np.random.default_rng(1)
    regions = generator.random((1, 48, 48)) < 0.2
    cells = np.eye(16).reshape(16, 4, 4)
    found = score_regions(enlarge(cells, 48, 48), regions.repeat(16, axis=0), (4, 4))
    assert max(score.share for score in found) == pytest.approx(found[0].ceiling)
    box = CenterBox.of(48, 48, 16)
    center = np.zeros((1, 48, 48), np.bool_)
    center[:, box.top : box.bottom, box.left : box.right] = True
    (score,) = score_regions(np.ones((1, 48, 48)), center, (3, 3))
    assert score.ceiling == pytest.approx(ceiling_share((3, 3), 48, 48, box))
    assert score.enrichment == pytest.approx(1)


def test_an_empty_map_and_an_empty_region_are_left_out_of_the_mean() -> None:
    maps = np.ones((3, 8, 8))
    maps[0] = 0
    regions = np.zeros((3, 8, 8), np.bool_)
    regions[[0, 2], :4] = True
    summary = summarize_region(score_regions(maps, regions, (8, 8)), ["a", "b", "c"], seed=0)
    assert summary["n"] == 1
    assert summary["share"]["value"] == 0.5
    nothing = summarize_region([], [], seed=0)
    assert np.isnan(nothing["enrichment"]["value"])
    assert nothing["enrichment"]["reason"] == "no tile has both a map and such a region"


def test_stains_are_those_that_the_phantom_was_made_of() -> None:
    generator = np.random.default_rng(0)
    made = [
        phantom_tile(kind, PHANTOM_SCANNERS[scanner], generator)
        for scanner in ("alpha", "beta")
        for kind in ("normal", "tumor", "stroma", "lymphocytes")
    ]
    found = stained_pixels(np.stack([tile.pixels.transpose(2, 0, 1) for tile in made]))
    truth = np.stack([tile.nuclei for tile in made])
    overlap = (found.nuclei & truth).sum() / (found.nuclei | truth).sum()
    assert overlap > 0.8
    for tile, hematoxylin, eosin in zip(made, found.hematoxylin, found.eosin, strict=True):
        for ours, true in (
            (hematoxylin, tile.concentrations[..., 0]),
            (eosin, tile.concentrations[..., 1]),
        ):
            assert np.corrcoef(ours.ravel(), true.ravel())[0, 1] > 0.7
    assert found.tissue[truth].mean() > 0.99


def test_glass_has_neither_tissue_nor_nuclei() -> None:
    found = stained_pixels(np.full((1, 3, 32, 32), 250, np.uint8))
    assert not found.tissue.any()
    assert not found.nuclei.any()
    (score,) = score_stain(np.ones((1, 32, 32)), found.hematoxylin)
    assert np.isnan(score.enrichment) or score.enrichment == 1


def test_a_map_on_the_stain_is_enriched_in_it() -> None:
    stain = np.zeros((1, 8, 8))
    stain[:, :2] = 1
    (score,) = score_stain(stain, stain)
    assert score.enrichment == pytest.approx(4)


def write_pcam(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    stem = str(folder / "camelyonpatch_level_2_split_train_")
    with h5py.File(f"{stem}x.h5", "w") as file:
        file["x"] = generator.integers(0, 255, (3, 96, 96, 3), np.uint8)
    with h5py.File(f"{stem}y.h5", "w") as file:
        file["y"] = np.array([1, 0, 0], np.uint8).reshape(3, 1, 1, 1)
    masks = np.zeros((3, 96, 96, 1), np.uint8)
    masks[0, 40:50, 40:50] = masks[1, :10, :10] = 1
    with h5py.File(f"{stem}mask.h5", "w") as file:
        file["mask"] = masks
    Path(f"{stem}meta.csv").write_text(
        ",coord_y,coord_x,tumor_patch,center_tumor_patch,wsi\n"
        "0,0,0,True,True,a\n1,0,0,True,False,a\n2,0,0,False,False,b\n"
    )
    return folder


def test_masks_of_patchcamelyon_are_a_region_and_the_ring_is_told_apart(tmp_path: Path) -> None:
    source = open_patchcamelyon(write_pcam(tmp_path))
    assert source is not None
    assert follows_center_rule(source)
    assert [has_tumor_in_ring_only(tile) for tile in source.tiles] == [False, True, False]
    indices = np.arange(3)
    pixels = np.stack([source.read(index).transpose(2, 0, 1) for index in range(3)])
    maps = np.zeros((3, 96, 96))
    maps[:, 45, 45] = 1
    boxes = {"center": CenterBox.of(96, 96, 32), "box": CenterBox.parse("0,0,10,10")}
    scored = score_batch(TileBatch(pixels, indices), maps, (96, 96), source, boxes)
    assert [score.regions["tumor"].share for score in scored[:2]] == [1, 0]
    assert np.isnan(scored[2].regions["tumor"].share)
    assert [score.regions["center"].pointing for score in scored] == [1, 1, 1]
    assert [score.regions["box"].pointing for score in scored] == [0, 0, 0]


def test_masks_of_another_size_than_the_tiles_are_refused(tmp_path: Path) -> None:
    write_pcam(tmp_path)
    (masks,) = tmp_path.glob("*_mask.h5")
    with h5py.File(masks, "w") as file:
        file["mask"] = np.ones((3, 32, 32, 1), np.uint8)
    source = open_patchcamelyon(tmp_path)
    assert source is not None
    batch = TileBatch(np.zeros((3, 3, 96, 96), np.uint8), np.arange(3))
    with pytest.raises(InputError, match="a mask of 32x32 px does not lie on a tile of 96x96 px"):
        score_batch(batch, np.ones((3, 96, 96)), (96, 96), source, {})


def test_the_ring_of_the_phantom_is_known_from_its_table() -> None:
    tile = Tile("a", extra={"tumor_in_ring": "True", "tumor_in_center": "False"})
    assert has_tumor_in_ring_only(tile)
    assert not has_tumor_in_ring_only(replace(tile, extra={"tumor_in_ring": "True"}))


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "5,0,4,9", "-1,0,4,4"])
def test_a_box_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="LEFT,TOP,RIGHT,BOTTOM"):
        CenterBox.parse(text)
