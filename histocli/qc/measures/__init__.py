"""What is measured of each tile: one pure function per file.

To add a measure, write a file with a function like these and add a line to ``QC_MEASURES``: it becomes
a column of ``qc.csv``. A measure judges nothing; ``qc.verdict`` does.
"""

from collections.abc import Callable, Mapping

from histocli.qc.measures.black_fraction import black_fraction
from histocli.qc.measures.black_ink_fraction import black_ink_fraction
from histocli.qc.measures.blockiness import blockiness
from histocli.qc.measures.brightness import brightness
from histocli.qc.measures.contrast import contrast
from histocli.qc.measures.cool_ink_fraction import cool_ink_fraction
from histocli.qc.measures.density_saturation import density_saturation
from histocli.qc.measures.fine_detail import fine_detail
from histocli.qc.measures.fold_fraction import fold_fraction
from histocli.qc.measures.mean_density import mean_density
from histocli.qc.measures.nuclear_density import nuclear_density
from histocli.qc.measures.peak_nuclear_density import peak_nuclear_density
from histocli.qc.measures.pixels import Tiles, Values
from histocli.qc.measures.red_ink_fraction import red_ink_fraction
from histocli.qc.measures.saturation import saturation
from histocli.qc.measures.sharpness import sharpness
from histocli.qc.measures.soft_fold_fraction import soft_fold_fraction
from histocli.qc.measures.strong_density import strong_density
from histocli.qc.measures.tissue_fraction import tissue_fraction

Measure = Callable[[Tiles], Values]

# In the order of the columns.
QC_MEASURES: Mapping[str, Measure] = {
    "tissue_fraction": tissue_fraction,
    "sharpness": sharpness,
    "fine_detail": fine_detail,
    "brightness": brightness,
    "saturation": saturation,
    "density_saturation": density_saturation,
    "black_fraction": black_fraction,
    "contrast": contrast,
    "cool_ink_fraction": cool_ink_fraction,
    "red_ink_fraction": red_ink_fraction,
    "black_ink_fraction": black_ink_fraction,
    "fold_fraction": fold_fraction,
    "soft_fold_fraction": soft_fold_fraction,
    "mean_density": mean_density,
    "strong_density": strong_density,
    "nuclear_density": nuclear_density,
    "peak_nuclear_density": peak_nuclear_density,
    "blockiness": blockiness,
}

# Pixels measured at once: some arrays of this many floats, whatever the batch.
PIXELS_AT_ONCE = 2**20


def measure_tiles(tiles: Tiles) -> dict[str, list[float]]:
    """Every measure of every tile of a batch, uint8 ``(N, 3, H, W)``; NaN where one is undefined."""
    step = max(1, PIXELS_AT_ONCE // max(1, tiles.shape[2] * tiles.shape[3]))
    parts = [tiles[start : start + step] for start in range(0, len(tiles), step)]
    return {
        name: [float(value) for part in parts for value in measure(part)]
        for name, measure in QC_MEASURES.items()
    }
