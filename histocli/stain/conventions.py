"""Named conventions of Macenko's method: the constants that make one package's output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from histocli.errors import SettingsError

TissueRule = Literal["all_channels", "any_channel", "lightness"]


@dataclass(frozen=True)
class Convention:
    """Constants of Macenko's method.

    Attributes:
        transmitted_light: Grey level of unstained glass.
        offset: Added to the grey level before the logarithm.
        darkest: Lower grey levels count as this one.
        brightest: Higher grey levels count as this one.
        tissue_rule: Which pixels count as tissue; see ``tissue.py``.
        tissue_threshold: Natural-log optical density from which a channel counts, or the lightness
            (0 to 1) below which a pixel does.
        angle_percentile: Percentile of the angle that gives one stain; 100 minus it gives the other.
        concentration_percentile: Percentile taken as a stain's maximum concentration.

    Source:
        The implementations compared in docs/stain.md.
    """

    transmitted_light: float = 240.0
    offset: float = 1.0
    darkest: float = 0.0
    brightest: float = 255.0
    tissue_rule: TissueRule = "all_channels"
    tissue_threshold: float = 0.15
    angle_percentile: float = 1.0
    concentration_percentile: float = 99.0


CONVENTIONS: Mapping[str, Convention] = {
    # torchstain and its ancestors (mitkovetta/staining-normalization, schaugf/HEnorm_python).
    "torchstain": Convention(),
    # cuCIM's stain_extraction_pca: 0.345 is 0.15 in decadic logarithms.
    "cucim": Convention(
        offset=0.0,
        darkest=1.0,
        brightest=240.0,
        tissue_rule="any_channel",
        tissue_threshold=0.345,
    ),
    # tiatoolbox and StainTools.
    "tiatoolbox": Convention(
        transmitted_light=255.0,
        offset=0.0,
        darkest=1.0,
        tissue_rule="lightness",
        tissue_threshold=0.8,
    ),
}


def find_convention(name: str) -> Convention:
    """Look a convention up by name.

    Raises:
        SettingsError: Listing the known ones.
    """
    if name not in CONVENTIONS:
        raise SettingsError(
            f"unknown stain convention {name!r}; choose one of {', '.join(CONVENTIONS)}"
        )
    return CONVENTIONS[name]
