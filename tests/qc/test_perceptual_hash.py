"""Hashes: what they keep, what they ignore, and their orientations."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from histocli.data.phantom import PHANTOM_SCANNERS, phantom_tile
from histocli.qc.perceptual_hash import coarse, orientations, perceptual_hashes

Tile = NDArray[np.uint8]


def phantom_tiles(count: int, size_px: int = 96) -> NDArray[np.uint8]:
    generator = np.random.default_rng(5)
    scanner = PHANTOM_SCANNERS["alpha"]
    return np.stack(
        [
            phantom_tile("tumor", scanner, generator, size_px).pixels.transpose(2, 0, 1)
            for _ in range(count)
        ]
    )


TILES = phantom_tiles(6)


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def changed(tile: Tile, how: str) -> Tile:
    image = Image.fromarray(tile.transpose(1, 2, 0))
    if how == "jpeg":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=40)
        image = Image.open(buffer)
    elif how == "resized":
        image = image.resize((64, 64), Image.Resampling.BICUBIC)
    elif how == "darker":
        image = image.point(lambda value: int(value * 0.8))
    return np.asarray(image).transpose(2, 0, 1)


def test_bits_are_the_signs_of_the_cosine_transform_of_area_means() -> None:
    tile = phantom_tiles(1)[0]
    grey = np.tensordot([77, 150, 29], tile.astype(float), 1)
    means = grey.reshape(32, 3, 32, 3).mean(axis=(1, 3))
    expected = dctn(means, norm="ortho")[:16, :16]
    found = np.unpackbits(perceptual_hashes(tile[None]), axis=1).reshape(16, 16)
    certain = np.abs(expected) > 0.01 * np.abs(expected[1:]).max()
    certain[0, 0] = False
    np.testing.assert_array_equal(found[certain], expected[certain] > 0)
    assert found[0, 0] == 0


def test_coarse_bits_are_the_lowest_frequencies() -> None:
    hashes = perceptual_hashes(TILES)
    bits = np.unpackbits(hashes, axis=1).reshape(-1, 16, 16)[:, :8, :8]
    packed = np.packbits(bits.reshape(len(TILES), -1), axis=1)
    np.testing.assert_array_equal(coarse(hashes), packed.view(np.uint64)[:, 0])


def test_orientations_are_the_hashes_of_the_turned_and_mirrored_tile() -> None:
    for tile in TILES:
        turned = [np.rot90(tile, k, (1, 2)) for k in range(4)]
        turned += [np.rot90(tile[:, :, ::-1], k, (1, 2)) for k in range(4)]
        expected = perceptual_hashes(np.ascontiguousarray(turned))
        found = orientations(perceptual_hashes(tile[None]))[0]
        assert sorted(map(bytes, found)) == sorted(map(bytes, expected))
        assert bytes(found[0]) == bytes(expected[0])


@pytest.mark.parametrize("how", ["jpeg", "resized", "darker"])
def test_a_changed_tile_is_near_its_original_and_far_from_others(how: str) -> None:
    own = perceptual_hashes(TILES)
    for place, tile in enumerate(TILES):
        new = perceptual_hashes(changed(tile, how)[None])[0]
        distances = [distance(new, other) for other in own]
        assert distances[place] <= 24
        assert min(distances[:place] + distances[place + 1 :]) > 64


def test_hash_of_a_tile_does_not_depend_on_its_batch() -> None:
    together = perceptual_hashes(TILES)
    alone = np.concatenate([perceptual_hashes(tile[None]) for tile in TILES])
    np.testing.assert_array_equal(together, alone)
    assert together.shape == (len(TILES), 32)
    assert perceptual_hashes(TILES[:0]).shape == (0, 32)
