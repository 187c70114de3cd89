"""From measures and thresholds to a verdict with its reasons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from histocli.qc.thresholds import Thresholds

Measures = Mapping[str, float]
UNREADABLE = "unreadable"
WRONG_SIZE = "wrong_size"
CONTRADICTORY = "contradictory_label"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near_duplicate"
# Focus says more beside the others of the data set: not measures of the tile alone, but of what they are.
RELATIVE_MEASURES = {"relative_sharpness": "sharpness", "relative_fine_detail": "fine_detail"}
# A tile that lacks the finest detail is out of focus where it is not sharp either: a strong contrast in
# focus hides fine detail, too.
SOFT_RELATIVE_SHARPNESS = 0.6
# Less is one color: a decoder's filling, a failed read.
CONSTANT_CONTRAST = 1 / 255
# Less tissue, thin septa of fat or a torn edge, says little of finer things.
MUCH_TISSUE_FRACTION = 0.2
# Tissue without a nucleus is pale where it is less dense: muscle and blood in a strong eosin are not.
PALE_STRONG_DENSITY = 0.9


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one tile.

    Attributes:
        verdict: ``pass``, or ``fail`` with at least one reason.
        reasons: Keys of ``REASONS``, or one of those that only the whole data set gives.
    """

    verdict: Literal["pass", "fail"]
    reasons: tuple[str, ...]

    @classmethod
    @cache
    def of(cls, reasons: tuple[str, ...]) -> "Verdict":
        """Pass without reasons, fail with some; one object for the same reasons, of which few differ."""
        return cls("fail" if reasons else "pass", reasons)

    def and_also(self, reason: str) -> "Verdict":
        """The same tile, with one reason more."""
        return Verdict.of((*self.reasons, reason))


def is_constant(measures: Measures, thresholds: Thresholds) -> bool:
    """One color everywhere."""
    del thresholds
    return measures["contrast"] < CONSTANT_CONTRAST


def is_background(measures: Measures, thresholds: Thresholds) -> bool:
    """Nothing but glass, clear or tinted; what is black or grey is not glass and has its own reason."""
    covered = measures["tissue_fraction"] + measures["black_fraction"]
    if covered < thresholds.background_tissue_fraction:
        return True
    return (
        measures["contrast"] < thresholds.minimum_contrast
        and not has_black_edge(measures, thresholds)
        and not is_dark(measures, thresholds)
    )


def has_black_edge(measures: Measures, thresholds: Thresholds) -> bool:
    """A part of the tile was never scanned."""
    return measures["black_fraction"] > thresholds.maximum_black_fraction


def is_dark(measures: Measures, thresholds: Thresholds) -> bool:
    """Hardly any light: beyond the slide, a wall of ink."""
    return measures["brightness"] < thresholds.minimum_brightness


def is_unsaturated(measures: Measures, thresholds: Thresholds) -> bool:
    """What absorbs light absorbs all colors alike: no stain."""
    return _has_tissue(measures, thresholds) and (
        measures["density_saturation"] < thresholds.minimum_density_saturation
    )


def has_pen(measures: Measures, thresholds: Thresholds) -> bool:
    """Ink of a pen, or what is as black and neutral; what lies beyond the slide is none."""
    cool = measures["cool_ink_fraction"] > thresholds.maximum_cool_ink_fraction
    red = measures["red_ink_fraction"] > thresholds.maximum_red_ink_fraction
    black = measures["black_ink_fraction"] > thresholds.maximum_black_ink_fraction
    return cool or red or (black and not _is_off_slide(measures, thresholds))


def has_fold(measures: Measures, thresholds: Thresholds) -> bool:
    """A part lies under a fold: dense throughout or out of focus, and neither ink nor the slide's edge."""
    dark = measures["fold_fraction"] > thresholds.maximum_fold_fraction
    soft = measures["soft_fold_fraction"] > thresholds.maximum_soft_fold_fraction
    return (
        (dark or soft)
        and _has_tissue(measures, thresholds)
        and not has_pen(measures, thresholds)
        and not _is_off_slide(measures, thresholds)
    )


def is_over_stained(measures: Measures, thresholds: Thresholds) -> bool:
    """Tissue, or its nuclei, too dense to show structures; neither ink nor what lies off the slide."""
    dense = measures["mean_density"] > thresholds.maximum_mean_density
    # Nuclei may be as black as what was never scanned, whose own pixels are not among those measured.
    nuclei = measures["nuclear_density"] > thresholds.maximum_nuclear_density
    return (
        _has_tissue(measures, thresholds)
        and not is_dark(measures, thresholds)
        and not is_unsaturated(measures, thresholds)
        and (
            (dense and not has_black_edge(measures, thresholds))
            or (nuclei and not has_pen(measures, thresholds))
        )
    )


def is_under_stained(measures: Measures, thresholds: Thresholds) -> bool:
    """Tissue so pale that nothing in it is dark, or that no nucleus is and eosin is weak, too."""
    nothing_dark = measures["strong_density"] < thresholds.minimum_strong_density
    no_nucleus = (
        measures["peak_nuclear_density"] < thresholds.minimum_peak_nuclear_density
        and measures["strong_density"] < PALE_STRONG_DENSITY
        and measures["tissue_fraction"] >= MUCH_TISSUE_FRACTION
    )
    return (
        _has_tissue(measures, thresholds)
        and (nothing_dark or no_nucleus)
        and not is_unsaturated(measures, thresholds)
    )


def is_blurred(measures: Measures, thresholds: Thresholds) -> bool:
    """Tissue out of focus, by any standard or by that of its data set."""
    nan = float("nan")
    sharpness, detail = (measures.get(name, nan) for name in RELATIVE_MEASURES)
    slightly = (
        detail < thresholds.minimum_relative_fine_detail
        and sharpness < SOFT_RELATIVE_SHARPNESS
        and measures["tissue_fraction"] >= MUCH_TISSUE_FRACTION
    )
    return _has_tissue(measures, thresholds) and (
        measures["sharpness"] < thresholds.minimum_sharpness
        or sharpness < thresholds.minimum_relative_sharpness
        or slightly
    )


def is_compressed(measures: Measures, thresholds: Thresholds) -> bool:
    """The blocks of a strong JPEG compression show."""
    return _has_tissue(measures, thresholds) and (
        measures["blockiness"] > thresholds.maximum_blockiness
    )


# In the order in which they are written; the contact sheet files a tile under its first.
REASONS: Mapping[str, Callable[[Measures, Thresholds], bool]] = {
    "constant": is_constant,
    "background": is_background,
    "black_edge": has_black_edge,
    "dark": is_dark,
    "unsaturated": is_unsaturated,
    "pen": has_pen,
    "fold": has_fold,
    "over_stained": is_over_stained,
    "under_stained": is_under_stained,
    "compression": is_compressed,
    "blur": is_blurred,
}
# The measures behind a reason, for captions; of several the highest is shown.
MEASURES_OF_REASON: Mapping[str, tuple[str, ...]] = {
    "constant": ("contrast",),
    "background": ("tissue_fraction",),
    "black_edge": ("black_fraction",),
    "dark": ("brightness",),
    "unsaturated": ("density_saturation",),
    "pen": ("cool_ink_fraction", "red_ink_fraction", "black_ink_fraction"),
    "fold": ("fold_fraction", "soft_fold_fraction"),
    "over_stained": ("mean_density", "nuclear_density"),
    "under_stained": ("peak_nuclear_density",),
    "compression": ("blockiness",),
    "blur": ("sharpness",),
}


def judge(measures: Measures | None, thresholds: Thresholds) -> Verdict:
    """Judge one tile.

    Args:
        measures: By name, NaN where undefined (which no threshold condemns); None if unreadable.
        thresholds: Where it fails.
    """
    if measures is None:
        return Verdict.of((UNREADABLE,))
    return Verdict.of(
        tuple(reason for reason, applies in REASONS.items() if applies(measures, thresholds))
    )


def _has_tissue(measures: Measures, thresholds: Thresholds) -> bool:
    """A handful of pixels, or a tile of one shade, tells nothing of focus or stain."""
    return (
        measures["tissue_fraction"] >= thresholds.background_tissue_fraction
        and measures["contrast"] >= thresholds.minimum_contrast
    )


def _is_off_slide(measures: Measures, thresholds: Thresholds) -> bool:
    return has_black_edge(measures, thresholds) or is_unsaturated(measures, thresholds)
