"""The tiles that are normalized: real ones, mosaics of them, or phantoms."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speed.contestants import Tiles

TISSUE_FRACTION = 0.05


def load_tiles(folder: Path | None, size_px: int, count: int) -> tuple[Tiles, str]:
    """Tiles ``(N, 3, S, S)``, drawn with a fixed seed, and a sentence on where they come from.

    Tiles of that size are used as they are where the folder holds enough. Else mosaics are made: the
    most frequent tiles, those that follow one another in the folder side by side, cropped.
    """
    generator = np.random.default_rng(0)
    if folder is None:
        native, read, kind = (96, 20_000), phantom_reader(), "phantom tiles"
    else:
        by_size = images_by_size(folder)
        found = by_size.get(size_px, [])
        smaller = [px for px in by_size if px < size_px] if len(found) < count else [size_px]
        if not smaller:
            raise SystemExit(f"{folder} holds fewer than {count} tiles of {size_px} px or less")
        side = max(smaller, key=lambda px: len(by_size[px]))
        paths = by_size[side]
        native, kind = (side, len(paths)), "real tiles"

        def read(number: int) -> Tiles:
            from histocli.data.images import read_image

            return read_image(paths[number])

    side_px, there = native
    if side_px == size_px:
        chosen = generator.permutation(there)[:count]
        stack = np.stack([read(int(number)) for number in chosen])
        return np.ascontiguousarray(stack.transpose(0, 3, 1, 2)), f"{kind} of {size_px} px"
    across = math.ceil(size_px / side_px)
    rows = []
    for first in generator.integers(0, max(1, there - across**2), count):
        images = np.stack([read(int(first + k) % there) for k in range(across**2)])
        grid = images.reshape(across, across, side_px, side_px, 3).transpose(4, 0, 2, 1, 3)
        rows.append(grid.reshape(3, across * side_px, across * side_px)[:, :size_px, :size_px])
    origin = f"mosaics of {across} x {across} {kind} of {side_px} px, cropped"
    return np.ascontiguousarray(np.stack(rows)), origin


def images_by_size(folder: Path) -> dict[int, list[Path]]:
    """Square images below a folder, in order, by their side."""
    from PIL import Image

    from histocli.data.images import is_image_name

    found: dict[int, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if is_image_name(path.name):
            with Image.open(path) as image:
                if image.width == image.height:
                    found.setdefault(image.width, []).append(path)
    return found


def phantom_reader() -> Callable[[int], Tiles]:
    """Phantom tiles by number, every kind by every scanner."""
    from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile

    kinds: tuple[PhantomKind, ...] = ("normal", "tumor", "stroma", "lymphocytes", "glands")
    scanners = list(PHANTOM_SCANNERS.values())

    def read(number: int) -> Tiles:
        generator = np.random.default_rng(number)
        scanner = scanners[number // len(kinds) % len(scanners)]
        return phantom_tile(kinds[number % len(kinds)], scanner, generator).pixels

    return read


def enough_tissue(tiles: Tiles) -> NDArray[np.bool_]:
    """Tiles of which at least 5 % is tissue."""
    from histocli.stain import MacenkoNormalizer

    fraction = MacenkoNormalizer().estimate(tiles).tissue_fraction
    return np.asarray(fraction >= TISSUE_FRACTION)
