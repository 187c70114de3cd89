"""Defaults, and thresholds that a data set sets itself."""

from dataclasses import asdict, fields

import numpy as np
import pytest

from histocli.qc.thresholds import FITTED, Thresholds, fit_thresholds
from histocli.settings import QcSettings

GENERATOR = np.random.default_rng(0)


def sound(count: int) -> dict[str, np.ndarray]:
    return {name: np.exp(GENERATOR.normal(0, 0.2, count)) for name in FITTED.values()}


def test_settings_and_library_have_the_same_defaults() -> None:
    settings = QcSettings()
    assert {f.name: getattr(settings, f.name) for f in fields(Thresholds)} == asdict(Thresholds())


def test_fitted_thresholds_lie_four_deviations_from_the_median() -> None:
    fitted = fit_thresholds(Thresholds(), sound(20_000), frozenset())
    for name in FITTED:
        sign = -1 if name.startswith("minimum") else 1
        assert np.log(getattr(fitted, name)) == pytest.approx(sign * 4 * 0.2, abs=0.03)


def test_damaged_tiles_hardly_move_a_fitted_threshold() -> None:
    clean = sound(4000)
    damaged = {name: values.copy() for name, values in clean.items()}
    damaged["sharpness"][:400] = 0.1
    before, after = (
        fit_thresholds(Thresholds(), measures, frozenset()) for measures in (clean, damaged)
    )
    assert before.minimum_sharpness > after.minimum_sharpness > 0.75 * before.minimum_sharpness
    assert after.minimum_sharpness > 0.1


def test_what_was_stated_and_what_is_not_fitted_stay() -> None:
    stated = Thresholds(minimum_sharpness=0.9, maximum_fold_fraction=0.3)
    fitted = fit_thresholds(stated, sound(100), frozenset({"minimum_sharpness"}))
    assert (fitted.minimum_sharpness, fitted.maximum_fold_fraction) == (0.9, 0.3)
    assert fitted.maximum_blockiness != stated.maximum_blockiness


def test_few_tiles_fit_nothing() -> None:
    assert fit_thresholds(Thresholds(), sound(49), frozenset()) == Thresholds()
