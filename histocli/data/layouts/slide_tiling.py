"""How slides are cut: size and resolution of the tiles, and the grid that follows for one slide."""

import dataclasses
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histocli.errors import InputError, SettingsError

if TYPE_CHECKING:
    from openslide import OpenSlide

TILING_NAME = "slides.toml"
# No scanner is finer or coarser: a TIFF file that claims 72 pixels an inch does not know.
PLAUSIBLE = (0.02, 10.0)
# A scanner's 40x is 0.25 give or take some percent: so much enlargement is not worth refusing a slide.
ENLARGEMENT = 1.05
# A level that is coarser by so little is used all the same: Aperio's are 4.0002 times smaller.
LEVEL_TOLERANCE = 1.01


@dataclass(frozen=True)
class SlideTiling:
    """How to cut slides into tiles.

    The defaults are PatchCamelyon's, rounded: 96 pixels at a scanner's 10x, where its models apply.

    Attributes:
        microns_per_pixel: Resolution of the tiles.
        tile_size_px: Side of a tile.
        minimum_tissue_fraction: Share of a tile that must be tissue. Low, so that what borders on glass
            is kept: `histo qc` judges it at full resolution.
        scanned_microns_per_pixel: Resolution of slides whose files do not state it.

    Raises:
        SettingsError: If a value makes no sense.
    """

    microns_per_pixel: float = 1.0
    tile_size_px: int = 96
    minimum_tissue_fraction: float = 0.25
    scanned_microns_per_pixel: float | None = None

    def __post_init__(self) -> None:
        _check("microns_per_pixel", self.microns_per_pixel, PLAUSIBLE[0], 100.0)
        _check("tile_size_px", self.tile_size_px, 8, 4096)
        _check("minimum_tissue_fraction", self.minimum_tissue_fraction, 0.0, 1.0)
        if type(self.tile_size_px) is not int:
            raise SettingsError("tile_size_px is a whole number of pixels")
        if self.scanned_microns_per_pixel is not None:
            _check("scanned_microns_per_pixel", self.scanned_microns_per_pixel, *PLAUSIBLE)


@dataclass(frozen=True)
class Grid:
    """Tiles side by side from the upper left corner of a slide; those cut by its edge are left out.

    Attributes:
        tile_size_px: Side of a tile.
        step: Width and height of a tile in pixels of level 0, in general no whole numbers.
        columns: Tiles across.
        rows: Tiles down.
    """

    tile_size_px: int
    step: tuple[float, float]
    columns: int
    rows: int

    def place(self, column: int, row: int) -> tuple[int, int]:
        """Left and top of a tile, in whole pixels of level 0."""
        return round(column * self.step[0]), round(row * self.step[1])


def make_grid(slide: "OpenSlide", path: Path, tiling: SlideTiling) -> Grid:
    """The grid of one slide.

    Raises:
        InputError: If its resolution is unknown or too coarse, or not one tile fits.
    """
    scanned = scanned_resolution(slide, path, tiling)
    if max(scanned) > tiling.microns_per_pixel * ENLARGEMENT:
        raise InputError(
            f"{path}: scanned at {max(scanned):.3g} microns per pixel, which cannot give tiles at "
            f"{tiling.microns_per_pixel:.3g}; choose a larger --microns-per-pixel"
        )
    width, height = slide.dimensions
    across, down = (tiling.tile_size_px * tiling.microns_per_pixel / one for one in scanned)
    # Half a pixel of level 0 is forgiven, as the places are rounded to whole ones.
    columns, rows = math.floor((width + 0.5) / across), math.floor((height + 0.5) / down)
    if not columns or not rows:
        raise InputError(
            f"{path}: {width}x{height} pixels, but a tile of {tiling.tile_size_px} pixels at "
            f"{tiling.microns_per_pixel:.3g} microns per pixel takes {across:.0f}x{down:.0f} of them; "
            f"choose a smaller --tile-size-px"
        )
    return Grid(tiling.tile_size_px, (across, down), columns, rows)


def scanned_resolution(slide: "OpenSlide", path: Path, tiling: SlideTiling) -> tuple[float, float]:
    """Microns per pixel of level 0, across and down.

    Raises:
        InputError: If neither the file nor the tiling states it.
    """
    across, down = (slide.properties.get(f"openslide.mpp-{axis}") for axis in "xy")
    try:
        found = (float(across or "nan"), float(down or "nan"))
    except ValueError:
        found = (math.nan, math.nan)
    if all(PLAUSIBLE[0] <= one <= PLAUSIBLE[1] for one in found):
        return found
    if tiling.scanned_microns_per_pixel is not None:
        return tiling.scanned_microns_per_pixel, tiling.scanned_microns_per_pixel
    says = f"says {across} microns per pixel, which no scanner has" if across else "does not say"
    power = slide.properties.get("openslide.objective-power")
    raise InputError(
        f"{path}: the file {says}, so its resolution is unknown"
        f"{f' (its objective was {power}x)' if power else ''}; state it: "
        f"--scanned-microns-per-pixel 0.25, or what is right, or a line in {TILING_NAME} beside it"
    )


def best_level(downsamples: Sequence[float], downsample: float) -> tuple[int, float]:
    """The coarsest level that is no coarser than wanted, and how much smaller than level 0 it is."""
    level = max(
        (i for i, d in enumerate(downsamples) if d <= downsample * LEVEL_TOLERANCE),
        default=0,
    )
    return level, downsamples[level]


def find_tiling_file(folder: Path) -> Path | None:
    """``slides.toml`` in a folder of slides, if there is one."""
    path = folder / TILING_NAME
    return path if path.is_file() else None


def read_tiling(path: Path) -> SlideTiling:
    """What ``slides.toml`` states; the rest are defaults.

    Raises:
        SettingsError: If it cannot be read, names something unknown, or a value makes no sense.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    known = [field.name for field in dataclasses.fields(SlideTiling)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise SettingsError(f"{path}: {unknown[0]!r} is none of {', '.join(known)}")
    try:
        return SlideTiling(**values)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _check(name: str, value: object, lowest: float, highest: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not lowest <= value <= highest:  # type: ignore[operator] # a number
        raise SettingsError(f"{name} is {value!r}; it must be {lowest:g} to {highest:g}")
