from dataclasses import replace

import pytest

from histocli.errors import SettingsError
from histocli.models.architectures import find_architecture
from histocli.training.recipes import sides_of
from histocli.training.sides import check_sides
from tests.training.conftest import PLAN


@pytest.mark.parametrize(
    ("name", "sides", "advice"),
    [
        ("vit_tiny_patch16_224", [96], "no tiles of 96 px; choose --input-size-px 224$"),
        ("vit", [100], "no tiles of 100 px; choose --input-size-px 96 or 112$"),
        ("vit", [100, 192], "no tiles of 100 px; choose --initial-size-px 96 or 112$"),
    ],
)
def test_a_side_that_does_not_fit_is_refused(name: str, sides: list[int], advice: str) -> None:
    architecture = find_architecture(name)
    network = architecture.build(2)
    with pytest.raises(SettingsError, match=advice):
        check_sides(network, architecture, sides)
    assert all(module.training for module in network.modules())


def test_sides_that_fit_are_taken() -> None:
    for name, sides in {
        "vit": [96, 112],
        "resnet18": [32, 50],
        "vit_tiny_patch16_224": [224],
    }.items():
        architecture = find_architecture(name)
        check_sides(architecture.build(2), architecture, sides)


def test_a_first_side_that_would_be_ignored_is_refused() -> None:
    fixed, free = find_architecture("vit_tiny_patch16_224"), find_architecture("resnet50")
    plan = replace(PLAN, input_size_px=None, initial_size_px=96)
    with pytest.raises(SettingsError, match=r"--initial-size-px 96: vit_tiny.* one size only"):
        sides_of(plan, fixed, 5)
    above = replace(plan, input_size_px=64)
    with pytest.raises(SettingsError, match="--initial-size-px 96 is above the final side of 64"):
        sides_of(above, free, 5)
    assert sides_of(replace(plan, input_size_px=160), free, 6) == [96, 128, 160]
    # Of a frozen backbone there is the final side only.
    assert sides_of(replace(plan, input_size_px=160, transfer="frozen"), free, 6) == [160]
