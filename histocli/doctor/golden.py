"""A tile whose stains are known, and how near to them a machine has to come."""

import numpy as np
from numpy.typing import NDArray

from histocli.doctor.finding import Finding, ok, problem

Tiles = NDArray[np.uint8]
# What the tests hold every body to, in grey levels.
MOST, USUAL, USUAL_SHARE = 3, 1, 0.999
# The golden tile's stains by the definition: a machine whose float64 gives others miscalculates.
GOLDEN_STAINS = np.array(
    [[0.62522236, 0.24599183], [0.76889871, 0.93810841], [0.13376014, 0.24380448]]
)
STAIN_TOLERANCE = 1e-6


def arithmetic(stains: NDArray[np.float64]) -> Finding:
    """Whether NumPy and its linear algebra give the stains that they have to."""
    error = float(np.abs(stains - GOLDEN_STAINS).max())
    if error <= STAIN_TOLERANCE:
        return ok("definition", f"golden tile's stains are right to {STAIN_TOLERANCE:.0e}")
    return problem(
        "definition",
        f"golden tile's stains are off by {error:.1e}",
        "pip install --force-reinstall numpy, and try again",
    )


def agreement(body: str, tiles: Tiles, truth: Tiles) -> Finding:
    """Compare one body's tiles with the definition's."""
    difference = np.abs(tiles.astype(np.int64) - truth.astype(np.int64))
    largest, share = int(difference.max()), float((difference <= USUAL).mean())
    found = f"differs from the definition by at most {largest} grey levels"
    subject = f"{body} kernels"
    if largest <= MOST and share >= USUAL_SHARE:
        return ok(subject, found)
    other = "torch" if body != "torch" else "numpy"
    return problem(
        subject,
        f"{found}, by more than {USUAL} in {1 - share:.1%} of the pixels",
        f"choose --backend {other}, delete numba's and CuPy's caches, and report this machine",
    )


def golden_tile() -> Tiles:
    """One tile of two stains on glass, drawn by integers alone: the same bytes on every machine."""
    rows, columns = np.mgrid[0:96, 0:96]
    hematoxylin = (rows * 37 + columns * 61 + rows * columns) % 97
    eosin = (rows * 53 + columns * 29 + (rows // 7) * (columns // 5)) % 83
    absorbed = np.stack(
        [hematoxylin + eosin // 9, hematoxylin + eosin, hematoxylin // 3 + eosin // 2]
    )
    tile = 240 - absorbed
    tile[:, :12] = 240
    return tile[None].astype(np.uint8)
