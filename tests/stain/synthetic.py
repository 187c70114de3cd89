"""Tiles whose truth is known: phantoms, and tiles that no stain can be read from."""

import numpy as np
from numpy.typing import NDArray

from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile

Tiles = NDArray[np.uint8]


def phantom_batch(scanner: str, count: int = 12, first: int = 0) -> Tiles:
    """Normal and tumor tiles by turns, shape ``(count, 3, 96, 96)``."""
    kinds: tuple[PhantomKind, PhantomKind] = ("normal", "tumor")
    tiles = [
        phantom_tile(kinds[i % 2], PHANTOM_SCANNERS[scanner], np.random.default_rng(i)).pixels
        for i in range(first, first + count)
    ]
    return np.stack(tiles).transpose(0, 3, 1, 2).copy()


def large_phantom(height: int, width: int) -> Tiles:
    """One tile of any size, shape ``(1, 3, height, width)``, laid out of phantoms."""
    rows, columns = -(-height // 96), -(-width // 96)
    tiles = phantom_batch("alpha", rows * columns).reshape(rows, columns, 3, 96, 96)
    whole = tiles.transpose(2, 0, 3, 1, 4).reshape(3, rows * 96, columns * 96)
    return np.ascontiguousarray(whole[None, :, :height, :width])


def of_color(*color: int, side: int = 32) -> Tiles:
    """A tile of a single color, shape ``(3, side, side)``."""
    return np.broadcast_to(np.array(color, np.uint8)[:, None, None], (3, side, side)).copy()


def of_one_stain(vector: tuple[float, float, float], side: int = 64) -> Tiles:
    """A tile of one stain in many strengths, rounded to grey levels, shape ``(3, side, side)``."""
    strength = np.random.default_rng(1).uniform(0.3, 1.6, (1, side, side))
    unit = np.array(vector) / np.linalg.norm(vector)
    light = 240 * np.exp(-unit[:, None, None] * strength) - 1
    return np.asarray(np.rint(light), np.uint8)


def few_tissue_pixels() -> Tiles:
    """Eight pixels of tissue on glass."""
    tile = of_color(245, 245, 245, side=64)
    tile[:, 0, :8] = np.random.default_rng(0).integers(20, 120, (3, 8))
    return tile


# What each is called: its own estimate is never used.
HOPELESS: dict[str, tuple[Tiles, str]] = {
    "white": (of_color(255, 255, 255), "blank"),
    "pale pink": (of_color(220, 150, 190), "blank"),
    "black": (of_color(0, 0, 0), "single_stain"),
    "one color": (of_color(90, 60, 140), "single_stain"),
    "grey noise": (
        np.repeat(
            np.random.default_rng(0).integers(0, 256, (1, 32, 32)).astype(np.uint8), 3, axis=0
        ),
        "single_stain",
    ),
    "pure hematoxylin": (of_one_stain((0.65, 0.70, 0.29)), "single_stain"),
    "pure eosin": (of_one_stain((0.22, 0.80, 0.56)), "single_stain"),
    "eight tissue pixels": (few_tissue_pixels(), "low_tissue"),
    "one pixel": (np.array([120, 60, 140], np.uint8).reshape(3, 1, 1), "low_tissue"),
    "one white pixel": (of_color(250, 250, 250, side=1), "blank"),
}
