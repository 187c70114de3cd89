"""What became of a tile in stain normalisation, and the thresholds that decide it."""

from dataclasses import dataclass
from enum import IntEnum

from histocli.stain.arrays import Array, namespace_of


class StainStatus(IntEnum):
    """What a tile's own pixels say of its stain.

    BLANK and LOW_TISSUE never yield an estimate of their own. SINGLE_STAIN and ILL_CONDITIONED warn, and
    beyond a harder guard the estimate is not used. CLIPPED is OK but for what the output lost.
    """

    OK = 0
    BLANK = 1
    LOW_TISSUE = 2
    SINGLE_STAIN = 3
    ILL_CONDITIONED = 4
    CLIPPED = 5

    @property
    def label(self) -> str:
        """The name written to tables, such as ``ok`` and ``low_tissue``."""
        return self.name.lower()


@dataclass(frozen=True)
class Guards:
    """Limits of an estimate. Beyond the first six it is not used; beyond the others the status says so.

    docs/stain.md has how many real tiles lie beyond each.

    Attributes:
        tissue_fraction: Below this share of tissue two percentiles of the angle rest on too few
            pixels to mean anything: 92 pixels of a 96x96 tile.
        tissue_pixels: Fewer, in a small tile, mean as little.
        stain_angle_degrees: Closer stain vectors are one stain seen twice.
        widest_angle_degrees: Wider apart they are no stains: hematoxylin and eosin are some 25 degrees
            apart, the widest of the real tiles 59.
        eigenvalue_ratio: Second over first eigenvalue of the covariance; below, the pixels lie on a
            line and hold one stain.
        concentration_scale: A larger factor between a tile's and the reference's maximum concentration
            amplifies noise rather than stain.
        blank_fraction: Below this share of tissue a tile is glass: 4 pixels of a 96x96 tile.
        doubtful_angle_degrees: Closer vectors are called a single stain.
        doubtful_scale: A larger factor is called ill-conditioned.
        clipped_fraction: A larger share of tissue pixels that left the 8-bit range is called clipped.
    """

    tissue_fraction: float = 0.01
    tissue_pixels: float = 32
    stain_angle_degrees: float = 2.0
    widest_angle_degrees: float = 75.0
    eigenvalue_ratio: float = 1e-4
    concentration_scale: float = 10.0
    blank_fraction: float = 0.0005
    doubtful_angle_degrees: float = 10.0
    doubtful_scale: float = 4.0
    clipped_fraction: float = 0.05


DEFAULT_GUARDS = Guards()


def worse_of(status: Array, condition: Array, new: StainStatus) -> Array:
    """``new`` where a condition holds and the status is still OK."""
    xp = namespace_of(status)
    return xp.where((status == int(StainStatus.OK)) & condition, int(new), status)
