"""The named conventions against what the packages themselves gave; see reference/record_peers.py."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.stain import MacenkoNormalizer
from tests.conftest import SHARED_DATA
from tests.reference import macenko_conventions

REFERENCE = Path(__file__).parent / "reference"
# tiatoolbox cuts its grey levels off, we round: half of them are one apart.
LARGEST_SHARE_APART = {"cucim": 0.001, "tiatoolbox": 0.6}


def recorded(name: str) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads((REFERENCE / f"{name}.json").read_text())
    return content


def pixels_of(entry: Mapping[str, Any]) -> NDArray[np.uint8] | None:
    """The tile that a record speaks of, shape (H, W, 3); None where the real tiles are absent."""
    if "phantom" in entry:
        known = entry["phantom"]
        scanner = PHANTOM_SCANNERS[known["scanner"]]
        return phantom_tile(known["kind"], scanner, np.random.default_rng(known["seed"])).pixels
    path = SHARED_DATA / entry["path"]
    return np.asarray(Image.open(path).convert("RGB")) if path.is_file() else None


@pytest.mark.parametrize("backend", ["cpu", "torch", "numpy"])
@pytest.mark.parametrize("name", LARGEST_SHARE_APART)
def test_convention_equals_its_package(name: str, backend: str) -> None:
    content = recorded(name)
    stride = content["stride"]
    compared = apart = total = 0
    for entry in content["tiles"]:
        pixels = pixels_of(entry)
        if pixels is None or hashlib.sha256(pixels.tobytes()).hexdigest() != entry["sha256"]:
            continue
        result = MacenkoNormalizer(name, backend).normalize(pixels.transpose(2, 0, 1)[None])
        matrix = np.array(entry["stain_matrix"])
        matrix = matrix.T if name == "tiatoolbox" else matrix
        np.testing.assert_allclose(result.stain_matrices[0], matrix, atol=1e-4)
        maxima = entry["maximum_concentrations"]
        np.testing.assert_allclose(result.maximum_concentrations[0], maxima, rtol=1e-3)
        assert round(float(result.tissue_fraction[0]) * 96 * 96) == entry["tissue_pixels"]
        ours = result.tiles[0].transpose(1, 2, 0)[::stride, ::stride].astype(int)
        difference = np.abs(ours - np.array(entry["grey_levels"]))
        assert difference.max() <= 1
        apart += int((difference > 0).sum())
        total += difference.size
        compared += 1
    assert compared >= 6, "the phantoms at least can be compared"
    assert apart / total <= LARGEST_SHARE_APART[name]


@pytest.mark.parametrize("name", LARGEST_SHARE_APART)
def test_the_plain_oracle_equals_the_package(name: str) -> None:
    content = recorded(name)
    stride = content["stride"]
    normalize = getattr(macenko_conventions, f"normalize_{name}")
    for entry in content["tiles"]:
        pixels = pixels_of(entry)
        if pixels is None or hashlib.sha256(pixels.tobytes()).hexdigest() != entry["sha256"]:
            continue
        theirs = np.array(entry["grey_levels"])
        ours = normalize(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)[::stride, ::stride]
        assert np.abs(ours.astype(int) - theirs).max() <= (1 if name == "cucim" else 0)
