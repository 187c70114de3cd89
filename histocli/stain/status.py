"""What became of a tile in stain normalisation, and the thresholds that decide it."""

from dataclasses import dataclass
from enum import IntEnum


class StainStatus(IntEnum):
    """Outcome for one tile; anything but OK leaves the tile as it was."""

    OK = 0
    BLANK = 1
    LOW_TISSUE = 2
    SINGLE_STAIN = 3
    ILL_CONDITIONED = 4

    @property
    def label(self) -> str:
        """The name written to tables, such as ``ok`` and ``low_tissue``."""
        return self.name.lower()


@dataclass(frozen=True)
class Guards:
    """Limits beyond which an estimate is not trusted.

    Attributes:
        blank_fraction: Below this share of tissue a tile is glass: 9 pixels of a 96x96 tile.
        tissue_fraction: Below this share of tissue two percentiles of the angle rest on too few
            pixels to mean anything: 92 pixels of a 96x96 tile.
        stain_angle_degrees: Closer stain vectors are one stain seen twice; of 742 real tiles with
            tissue, one in a thousand lies below 10 degrees.
        concentration_scale: A larger factor between a tile's and the reference's maximum concentration
            amplifies noise rather than stain.
    """

    blank_fraction: float = 0.001
    tissue_fraction: float = 0.01
    stain_angle_degrees: float = 5.0
    concentration_scale: float = 10.0


DEFAULT_GUARDS = Guards()
