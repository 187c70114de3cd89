"""From measures to reasons."""

from dataclasses import fields

import pytest

from histocli.qc.measures import QC_MEASURES
from histocli.qc.thresholds import Thresholds
from histocli.qc.verdict import MEASURES_OF_REASON, REASONS, RELATIVE_MEASURES, judge

SOUND = {
    "tissue_fraction": 0.9,
    "sharpness": 1.5,
    "fine_detail": 10.0,
    "brightness": 0.6,
    "saturation": 0.4,
    "density_saturation": 0.6,
    "black_fraction": 0.0,
    "contrast": 0.6,
    "cool_ink_fraction": 0.0,
    "red_ink_fraction": 0.0,
    "black_ink_fraction": 0.0,
    "fold_fraction": 0.0,
    "soft_fold_fraction": 0.0,
    "mean_density": 0.6,
    "strong_density": 2.0,
    "nuclear_density": 1.2,
    "peak_nuclear_density": 1.6,
    "blockiness": 0.05,
    "relative_sharpness": 0.9,
    "relative_fine_detail": 0.9,
}
NAN = float("nan")


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({}, ()),
        ({"tissue_fraction": 0.01}, ("background",)),
        ({"tissue_fraction": 0.0, "sharpness": NAN, "density_saturation": NAN}, ("background",)),
        ({"sharpness": 0.1}, ("blur",)),
        ({"brightness": 0.1}, ("dark",)),
        ({"density_saturation": 0.05}, ("unsaturated",)),
        ({"black_fraction": 0.3}, ("black_edge",)),
        ({"sharpness": 0.1, "density_saturation": 0.1}, ("unsaturated", "blur")),
        ({"relative_sharpness": 0.2}, ("blur",)),
        ({"relative_sharpness": NAN}, ()),
        ({"relative_sharpness": 0.5}, ()),
        ({"relative_sharpness": 0.5, "relative_fine_detail": 0.2}, ("blur",)),
        (
            {"relative_sharpness": 0.5, "relative_fine_detail": 0.2, "tissue_fraction": 0.15},
            (),
        ),
        # Lymphocytes of a strong contrast.
        ({"relative_fine_detail": 0.2}, ()),
        ({"relative_fine_detail": 0.2, "relative_sharpness": NAN}, ()),
        ({"cool_ink_fraction": 0.1}, ("pen",)),
        ({"red_ink_fraction": 0.1}, ("pen",)),
        ({"black_ink_fraction": 0.1, "fold_fraction": 0.5}, ("pen",)),
        ({"black_ink_fraction": 0.5, "black_fraction": 0.5}, ("black_edge",)),
        ({"fold_fraction": 0.3}, ("fold",)),
        ({"soft_fold_fraction": 0.3}, ("fold",)),
        ({"fold_fraction": 0.3, "density_saturation": 0.1}, ("unsaturated",)),
        ({"mean_density": 2.5}, ("over_stained",)),
        ({"nuclear_density": 2.4}, ("over_stained",)),
        ({"nuclear_density": 2.4, "density_saturation": 0.1}, ("unsaturated",)),
        ({"nuclear_density": 2.4, "black_ink_fraction": 0.1}, ("pen",)),
        ({"mean_density": 2.5, "black_fraction": 0.3}, ("black_edge",)),
        ({"strong_density": 0.3}, ("under_stained",)),
        ({"strong_density": 0.8}, ()),
        ({"strong_density": 0.8, "peak_nuclear_density": 0.4}, ("under_stained",)),
        # Thin septa of fat, and muscle in a strong eosin.
        ({"strong_density": 0.8, "peak_nuclear_density": 0.4, "tissue_fraction": 0.15}, ()),
        ({"strong_density": 1.4, "peak_nuclear_density": 0.4}, ()),
        ({"blockiness": 0.4}, ("compression",)),
        ({"contrast": 0.02, "sharpness": 0.01, "strong_density": 0.2}, ("background",)),
        ({"contrast": 0.0}, ("constant", "background")),
        ({"contrast": 0.0, "brightness": 0.0, "tissue_fraction": 0.9}, ("constant", "dark")),
    ],
)
def test_each_reason_has_its_measure(changed: dict[str, float], reasons: tuple[str, ...]) -> None:
    verdict = judge({**SOUND, **changed}, Thresholds())
    assert verdict.reasons == reasons
    assert verdict.verdict == ("fail" if reasons else "pass")


def test_a_black_tile_is_not_called_background() -> None:
    black = {**SOUND, "tissue_fraction": 0.0, "black_fraction": 1.0, "brightness": 0.0}
    assert judge(black, Thresholds()).reasons == ("black_edge", "dark")


def test_a_speck_of_tissue_is_background_and_not_blurred_as_well() -> None:
    speck = {**SOUND, "tissue_fraction": 0.005, "sharpness": 0.01, "density_saturation": 0.0}
    assert judge(speck, Thresholds()).reasons == ("background",)


def test_what_is_undefined_condemns_nothing() -> None:
    assert judge({**SOUND, "sharpness": NAN}, Thresholds()).verdict == "pass"


def test_a_value_on_the_threshold_passes() -> None:
    thresholds = Thresholds()
    on_it = {
        **SOUND,
        "tissue_fraction": thresholds.background_tissue_fraction,
        "sharpness": thresholds.minimum_sharpness,
        "brightness": thresholds.minimum_brightness,
        "density_saturation": thresholds.minimum_density_saturation,
        "black_fraction": thresholds.maximum_black_fraction,
        "contrast": thresholds.minimum_contrast,
        "cool_ink_fraction": thresholds.maximum_cool_ink_fraction,
        "fold_fraction": thresholds.maximum_fold_fraction,
        "blockiness": thresholds.maximum_blockiness,
    }
    assert judge(on_it, thresholds).reasons == ()


def test_unreadable_is_a_reason_of_its_own_and_duplicate_adds_to_others() -> None:
    assert judge(None, Thresholds()).reasons == ("unreadable",)
    blurred = judge({**SOUND, "sharpness": 0.1}, Thresholds())
    assert blurred.and_also("duplicate").reasons == ("blur", "duplicate")
    assert judge(SOUND, Thresholds()).and_also("duplicate").verdict == "fail"


def test_every_reason_and_threshold_names_a_measure() -> None:
    assert set(MEASURES_OF_REASON) == set(REASONS)
    assert {name for names in MEASURES_OF_REASON.values() for name in names} <= set(QC_MEASURES)
    for field in fields(Thresholds):
        assert field.name.split("_", 1)[1] in {*QC_MEASURES, *RELATIVE_MEASURES}
        assert f"{field.name}:" in (Thresholds.__doc__ or "")
