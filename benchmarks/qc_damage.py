"""Damage done to real tiles at known strength: what `histo qc` should find."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

Tile = NDArray[np.uint8]
Damage = Callable[[Tile, np.random.Generator], Tile]
TRANSMITTED_LIGHT = 240.0
# Felt pens seen on slides: transmitted color of one thick stroke.
PENS: Mapping[str, tuple[int, int, int]] = {
    "green": (25, 125, 75),
    "blue": (35, 60, 165),
    "black": (28, 28, 32),
    "red": (200, 30, 45),
}
# Where blue and black ink dry in patches, some tissue shows through: share of light that is kept.
SHINE_THROUGH = 0.25


@dataclass(frozen=True)
class Planted:
    """A kind of damage.

    Attributes:
        reason: What qc should say.
        strength: In words, for the table.
        damage: Does it.
    """

    reason: str
    strength: str
    damage: Damage


def blurred(sigma_px: float) -> Damage:
    """Defocus as a Gaussian."""

    def damage(tile: Tile, _: np.random.Generator) -> Tile:
        return np.asarray(Image.fromarray(tile).filter(ImageFilter.GaussianBlur(sigma_px)))

    return damage


def compressed(quality: int) -> Damage:
    """JPEG at low quality, its grid anywhere: tiles are cut from pictures of another size."""

    def damage(tile: Tile, generator: np.random.Generator) -> Tile:
        down, right = (int(n) for n in generator.integers(0, 8, 2))
        padded = np.pad(tile, ((down, 8), (right, 8), (0, 0)), mode="reflect")
        buffer = io.BytesIO()
        Image.fromarray(padded).save(buffer, "JPEG", quality=quality)
        height, width = tile.shape[:2]
        coded = np.asarray(Image.open(buffer))
        return coded[down : down + height, right : right + width]

    return damage


def inked(pen: str, share: float) -> Damage:
    """A stroke of a felt pen over about this share of the tile, with the tissue shining through."""

    def damage(tile: Tile, generator: np.random.Generator) -> Tile:
        mask = _stroke(tile.shape[0], tile.shape[1], share, generator)
        density = -np.log(np.array(PENS[pen]) / TRANSMITTED_LIGHT)
        shine = 1 - (1 - SHINE_THROUGH) * mask[..., None]
        under = -np.log((tile + 1.0) / TRANSMITTED_LIGHT) * shine
        thickness = mask * _uneven(tile.shape[:2], generator, 0.75, 1.15)
        return _from_density(under + density * thickness[..., None])

    return damage


def folded(share: float) -> Damage:
    """A band of the tile lies under a second layer of the same tissue, out of focus."""

    def damage(tile: Tile, generator: np.random.Generator) -> Tile:
        mask = _stroke(tile.shape[0], tile.shape[1], share, generator)
        density = -np.log((tile + 1.0) / TRANSMITTED_LIGHT)
        second = np.rot90(density, 2)
        layers = ndimage.gaussian_filter(density + second, (1.5, 1.5, 0)) * 1.1
        return _from_density(density * (1 - mask[..., None]) + layers * mask[..., None])

    return damage


def stained(factor: float) -> Damage:
    """All dyes so many times as dense (Beer-Lambert)."""

    def damage(tile: Tile, _: np.random.Generator) -> Tile:
        return _from_density(-np.log((tile + 1.0) / TRANSMITTED_LIGHT) * factor)

    return damage


def bordered(share: float) -> Damage:
    """A black side of this share, as beyond the scanned area."""

    def damage(tile: Tile, generator: np.random.Generator) -> Tile:
        turned = np.rot90(tile, int(generator.integers(4))).copy()
        turned[: round(share * turned.shape[0])] = generator.integers(0, 9)
        return turned

    return damage


def copied(tile: Tile, how: str, generator: np.random.Generator) -> Tile:
    """A copy as they turn up in data sets: altered by one of ``COPIES``, and turned."""
    return COPIES[how](np.rot90(tile, int(generator.integers(1, 4))).copy(), generator)


def recoded(quality: int) -> Damage:
    """JPEG of the tile itself, its grid at the tile's corner."""

    def copy(tile: Tile, _: np.random.Generator) -> Tile:
        buffer = io.BytesIO()
        Image.fromarray(tile).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return copy


def resized(factor: float) -> Damage:
    """The tile at another magnification."""

    def copy(tile: Tile, _: np.random.Generator) -> Tile:
        size = (round(factor * tile.shape[1]), round(factor * tile.shape[0]))
        return np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.BICUBIC))

    return copy


def restained(tile: Tile, generator: np.random.Generator) -> Tile:
    """Each channel's density 0.6 to 1.4 times what it was."""
    density = -np.log((tile + 1.0) / TRANSMITTED_LIGHT)
    return _from_density(density * generator.uniform(0.6, 1.4, 3))


def _stroke(
    height: int, width: int, share: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """A stroke through the tile with soft edges, 0 to 1."""
    mask = Image.new("L", (width, height))
    angle = generator.uniform(0, np.pi)
    center = generator.uniform(0.3, 0.7, 2) * (width, height)
    reach = 2 * max(width, height)
    along = np.array([np.cos(angle), np.sin(angle)]) * reach
    ends = [tuple(center - along), tuple(center + along)]
    thickness = max(2, round(share * height * width / min(height, width)))
    ImageDraw.Draw(mask).line(ends, fill=255, width=thickness)
    soft = mask.filter(ImageFilter.GaussianBlur(1.5))
    return np.asarray(soft) / 255.0


def _uneven(
    shape: tuple[int, ...], generator: np.random.Generator, low: float, high: float
) -> NDArray[np.float64]:
    noise = ndimage.gaussian_filter(generator.standard_normal(shape), 6)
    rank = (noise - noise.min()) / max(float(np.ptp(noise)), 1e-9)
    uneven: NDArray[np.float64] = low + (high - low) * rank
    return uneven


def _from_density(density: NDArray[np.float64]) -> Tile:
    light = np.round(TRANSMITTED_LIGHT * np.exp(-density) - 1)
    return np.clip(light, 0, 255).astype(np.uint8)


PLANTED: tuple[Planted, ...] = (
    *(Planted("blur", f"sigma {s} px", blurred(s)) for s in (1.0, 1.5, 2.0, 3.0, 5.0)),
    *(Planted("compression", f"quality {q}", compressed(q)) for q in (5, 10, 15, 20, 30)),
    *(
        Planted("pen", f"{pen}, {share:.0%} of the tile", inked(pen, share))
        for pen in PENS
        for share in (0.05, 0.15, 0.4)
    ),
    *(Planted("fold", f"{share:.0%} of the tile", folded(share)) for share in (0.15, 0.3, 0.5)),
    *(Planted("over_stained", f"{f} times", stained(f)) for f in (1.5, 2.0, 3.0)),
    *(Planted("under_stained", f"{f} times", stained(f)) for f in (0.5, 0.3, 0.2)),
    *(Planted("black_edge", f"{share:.0%} of the tile", bordered(share)) for share in (0.12, 0.3)),
)

COPIES: Mapping[str, Damage] = {
    "turned": lambda tile, _: tile,
    "mirrored": lambda tile, _: tile[::-1].copy(),
    "jpeg 50": recoded(50),
    "resized 0.75": resized(0.75),
    "darker": lambda tile, _: (tile * 0.8).astype(np.uint8),
    "another stain": restained,
    "shifted 2 px": lambda tile, _: np.roll(tile, (2, 2), (0, 1)),
}
