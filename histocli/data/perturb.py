"""Disturbances that scanners, stainers and files bring about, at graded strengths.

Each works on uint8 batches and draws what is random (a direction, the grain) from one generator for each
tile: the same seed and tile give the same disturbance, in any batch, and the same direction at every
strength.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, rotate

Pixels = NDArray[np.uint8]
Generators = Sequence[np.random.Generator]
# Optical densities of hematoxylin and eosin (Ruifrok and Johnston 2001), and what is neither.
HEMATOXYLIN, EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)


@dataclass(frozen=True)
class Perturbation:
    """One way to disturb tiles.

    Attributes:
        unit: Of the strength.
        strengths: From mild to severe.
        function: From tiles ``(N, 3, H, W)``, a strength and a generator for each tile to such tiles.
    """

    unit: str
    strengths: tuple[float, ...]
    function: Callable[[Pixels, float, Generators], Pixels]


def shift_stain(pixels: Pixels, strength: float, generators: Generators) -> Pixels:
    """Make each stain weaker or stronger by the share ``strength``, each in a direction of its own."""
    signs = np.array([one.choice((-1.0, 1.0), size=2) for one in generators])
    factors = np.ones((len(pixels), 3))
    factors[:, :2] += strength * signs
    vectors = np.array([HEMATOXYLIN, EOSIN, np.cross(HEMATOXYLIN, EOSIN)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    density = -np.log((pixels.astype(np.float64) + 1) / 256)
    amounts = np.einsum("nchw,cs->nshw", density, np.linalg.inv(vectors))
    changed = np.einsum("nshw,ns,sc->nchw", amounts, factors, vectors)
    return _as_uint8(256 * np.exp(-changed) - 1)


def blur(pixels: Pixels, strength: float, generators: Generators) -> Pixels:
    """Out of focus: a Gaussian whose standard deviation is ``strength`` pixels."""
    del generators
    return _as_uint8(gaussian_filter(pixels.astype(np.float64), (0, 0, strength, strength)))


def compress(pixels: Pixels, strength: float, generators: Generators) -> Pixels:
    """Through a JPEG file of quality ``strength``, chroma at half resolution."""
    del generators
    turned = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    found = [
        simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(tile, int(strength), colorsubsampling="420"))
        for tile in turned
    ]
    return np.ascontiguousarray(np.stack(found).transpose(0, 3, 1, 2))


def change_brightness(pixels: Pixels, strength: float, generators: Generators) -> Pixels:
    """Darker or lighter by the share ``strength``."""
    signs = np.array([one.choice((-1.0, 1.0)) for one in generators])
    return _as_uint8(pixels * (1 + strength * signs)[:, np.newaxis, np.newaxis, np.newaxis])


def add_noise(pixels: Pixels, strength: float, generators: Generators) -> Pixels:
    """Gaussian grain of standard deviation ``strength`` grey levels, each pixel and channel alone."""
    grain = np.stack([one.standard_normal(pixels.shape[1:]) for one in generators])
    return _as_uint8(pixels + strength * grain)


def turn(pixels: Pixels, strength: float, generators: Generators) -> Pixels:
    """Turn by ``strength`` degrees to one side; what comes in from outside is mirrored."""
    turned = [
        rotate(
            tile.astype(np.float64),
            strength * float(one.choice((-1.0, 1.0))),
            axes=(2, 1),
            reshape=False,
            order=1,
            mode="reflect",
        )
        for tile, one in zip(pixels, generators, strict=True)
    ]
    return _as_uint8(np.stack(turned))


PERTURBATIONS: dict[str, Perturbation] = {
    "stain": Perturbation("share", (0.1, 0.2, 0.3, 0.5, 0.7), shift_stain),
    "blur": Perturbation("pixels", (0.5, 1.0, 1.5, 2.0, 3.0), blur),
    "jpeg": Perturbation("quality", (90.0, 70.0, 50.0, 30.0, 10.0), compress),
    "brightness": Perturbation("share", (0.05, 0.1, 0.2, 0.3, 0.5), change_brightness),
    "noise": Perturbation("grey levels", (4.0, 8.0, 16.0, 32.0, 64.0), add_noise),
    "rotation": Perturbation("degrees", (5.0, 15.0, 30.0, 45.0, 90.0), turn),
}


def perturb(
    pixels: Pixels, name: str, strength: float, tile_ids: Sequence[str], seed: int
) -> Pixels:
    """Disturb some tiles.

    Args:
        pixels: uint8 RGB, shape ``(N, 3, H, W)``; not changed.
        name: A key of ``PERTURBATIONS``.
        strength: In its unit.
        tile_ids: Of the tiles, which the random directions depend on.
        seed: As well.
    """
    generators = [np.random.default_rng(_entropy(seed, name, tile)) for tile in tile_ids]
    return PERTURBATIONS[name].function(pixels, strength, generators)


def _entropy(seed: int, name: str, tile: str) -> int:
    text = f"{seed}\0{name}\0{tile}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


def _as_uint8(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
