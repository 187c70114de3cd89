"""From measures to reasons."""

from dataclasses import fields

import pytest

from histocli.qc.measures import QC_MEASURES
from histocli.qc.verdict import MEASURE_OF_REASON, REASONS, Thresholds, judge

SOUND = {
    "tissue_fraction": 0.9,
    "sharpness": 1.5,
    "brightness": 0.6,
    "saturation": 0.4,
    "density_saturation": 0.6,
    "black_fraction": 0.0,
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
        "tissue_fraction": thresholds.minimum_tissue_fraction,
        "sharpness": thresholds.minimum_sharpness,
        "brightness": thresholds.minimum_brightness,
        "density_saturation": thresholds.minimum_density_saturation,
        "black_fraction": thresholds.maximum_black_fraction,
    }
    assert judge(on_it, thresholds).reasons == ()


def test_unreadable_is_a_reason_of_its_own_and_duplicate_adds_to_others() -> None:
    assert judge(None, Thresholds()).reasons == ("unreadable",)
    blurred = judge({**SOUND, "sharpness": 0.1}, Thresholds())
    assert blurred.and_duplicate().reasons == ("blur", "duplicate")
    assert judge(SOUND, Thresholds()).and_duplicate().verdict == "fail"


def test_every_reason_and_threshold_names_a_measure() -> None:
    assert set(MEASURE_OF_REASON) == set(REASONS)
    assert set(MEASURE_OF_REASON.values()) <= set(QC_MEASURES)
    assert len(fields(Thresholds)) == len(REASONS)
    for field in fields(Thresholds):
        assert field.name.split("_", 1)[1] in QC_MEASURES
        assert f"{field.name}:" in (Thresholds.__doc__ or "")
