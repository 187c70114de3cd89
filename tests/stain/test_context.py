import numpy as np
import pytest

from histocli.errors import SettingsError
from histocli.stain import EstimateSource, MacenkoNormalizer, ReinhardNormalizer, VahadaneNormalizer
from histocli.stain.context import parse_chain
from histocli.stain.normalizer import StainNormalizer
from histocli.stain.normalizers import Normalizer, find_normalizer
from tests.stain.synthetic import few_tissue_pixels, of_color, phantom_batch

GROUP, DATASET = EstimateSource.GROUP, EstimateSource.DATASET


def mixed_tiles() -> np.ndarray:
    """Three phantoms, a tile with too little tissue, and glass."""
    phantoms = phantom_batch("gamma", 3)[:, :, :64, :64]
    glass = of_color(250, 250, 250, side=64)
    return np.concatenate([phantoms, few_tissue_pixels()[None], glass[None]])


@pytest.mark.parametrize("kind", [MacenkoNormalizer, ReinhardNormalizer, VahadaneNormalizer])
def test_the_first_usable_estimate_serves(kind: type[StainNormalizer]) -> None:
    tiles = mixed_tiles()
    plain: Normalizer = kind()
    stain = plain.typical(plain.parameters(tiles), "all")
    others = {GROUP: [stain, None, None, None, stain], DATASET: [stain] * 5}
    chains = {
        "tile": ["tile", "tile", "tile", "identity", "identity"],
        "tile,group": ["tile", "tile", "tile", "identity", "identity"],
        "tile,group,dataset": ["tile", "tile", "tile", "dataset", "identity"],
        "group,tile": ["group", "tile", "tile", "identity", "identity"],
        "dataset": ["dataset", "dataset", "dataset", "dataset", "identity"],
    }
    for chain, expected in chains.items():
        result = kind(context=chain).normalize(tiles, others)
        assert result.used.tolist() == expected, chain
        assert result.status.tolist()[3:] == ["low_tissue", "blank"]
        np.testing.assert_array_equal(result.tiles[4], tiles[4])
        assert (result.tiles[3] != tiles[3]).any() == (expected[3] != "identity")


def test_one_estimate_for_all_keeps_the_differences_between_tiles() -> None:
    tiles = phantom_batch("beta", 6)
    normalizer = MacenkoNormalizer(context="dataset")
    stain = normalizer.typical(normalizer.parameters(tiles), "all")
    assert stain is not None
    result = normalizer.normalize(tiles, {DATASET: [stain] * 6})
    assert np.ptp(result.stain_matrices, axis=0).max() == 0
    np.testing.assert_allclose(result.stain_matrices[0], np.array(stain.stain_matrix))


def test_each_tile_may_have_its_own_reference() -> None:
    tiles = phantom_batch("alpha", 3)
    for method in ("macenko", "reinhard"):
        published = find_normalizer(method)()
        fitted = published.fit(phantom_batch("gamma", 1)[0])
        references = [published.reference, fitted.reference, published.reference]
        mixed = published.normalize(tiles, references=references).tiles
        np.testing.assert_array_equal(mixed[0], published.normalize(tiles).tiles[0])
        np.testing.assert_array_equal(mixed[1], fitted.normalize(tiles).tiles[1])
        assert (mixed[1] != published.normalize(tiles).tiles[1]).any()


def test_typical_stain_is_the_median_and_of_unit_length() -> None:
    normalizer = MacenkoNormalizer()
    rows = normalizer.parameters(mixed_tiles())
    assert np.isnan(rows[3:]).all()
    stain = normalizer.typical(rows, "here")
    assert stain is not None
    assert stain.name == "here"
    middle = np.median(rows[:3], axis=0)
    np.testing.assert_allclose(stain.maximum_concentrations, middle[6:])
    np.testing.assert_allclose(np.linalg.norm(stain.stain_matrix, axis=0), 1)
    assert normalizer.typical(rows[3:], "nothing") is None


@pytest.mark.parametrize("text", ["", "tile,tile", "slide", "tile;group", "identity"])
def test_a_wrong_chain_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="context"):
        parse_chain(text)
