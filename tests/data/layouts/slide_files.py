"""Write small slides that OpenSlide reads: tiled TIFF pyramids, plain or as Aperio's scanners do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

GLASS = (244, 243, 245)
TISSUE = (178, 84, 160)


def write_slide(
    path: Path,
    pixels: NDArray[np.uint8],
    microns_per_pixel: float | None = 0.25,
    downsamples: Sequence[int] = (1, 4),
    *,
    compression: str | None = "zlib",
    tile_px: int = 128,
) -> Path:
    """Write a pyramid; ``.svs`` states its resolution as Aperio does, ``.tif`` by resolution tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aperio = path.suffix == ".svs"
    stated = f"|MPP = {microns_per_pixel}" if microns_per_pixel else ""
    with tifffile.TiffWriter(path) as writer:
        for downsample in downsamples:
            options: dict[str, Any] = {}
            if aperio:
                options["description"] = f"Aperio Image Library v12\r\n|AppMag = 40{stated}"
            if microns_per_pixel:
                per_centimeter = 10_000 / microns_per_pixel / downsample
                options["resolution"] = (per_centimeter, per_centimeter)
                options["resolutionunit"] = "CENTIMETER"
            writer.write(
                np.asarray(Image.fromarray(pixels).reduce(downsample)),
                tile=(tile_px, tile_px),
                compression=compression,
                photometric="rgb",
                subfiletype=int(downsample > 1),
                metadata=None,
                **options,
            )
    return path


def glass(height: int, width: int) -> NDArray[np.uint8]:
    """A slide with nothing on it but noise."""
    noise = np.random.default_rng(0).normal(0, 1.5, (height, width, 3))
    return np.clip(np.array(GLASS) + noise, 0, 255).round().astype(np.uint8)


def with_tissue(height: int, width: int, *boxes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Glass with stained boxes: left, top, right, bottom."""
    pixels = glass(height, width)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = TISSUE
    return pixels


def damage_tile(path: Path, page: int, tile: int, *, beyond_the_end: bool = False) -> None:
    """Spoil one stored part of a slide: overwrite it, or let its offset lead out of the file."""
    with tifffile.TiffFile(path) as file:
        tags = file.pages[page].tags  # type: ignore[union-attr] # a page, not a frame
        offsets, counts = tags["TileOffsets"], tags["TileByteCounts"]
        offset, count = offsets.value[tile], counts.value[tile]
        entry = offsets.valueoffset + 4 * tile
    with path.open("r+b") as raw:
        if beyond_the_end:
            raw.seek(entry)
            raw.write((0x7FFFFFF0).to_bytes(4, "little"))
        else:
            raw.seek(offset)
            raw.write(b"\x00" * count)
