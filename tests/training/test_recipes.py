from dataclasses import replace

import pytest

from histocli.errors import SettingsError
from histocli.models.architectures import find_architecture
from histocli.training.recipes import (
    RECIPES,
    completed,
    epochs_for,
    final_size,
    patience_for,
    size_in_epoch,
)
from tests.training.conftest import PLAN


def test_a_recipe_shows_its_tiles_within_limits() -> None:
    plan = replace(PLAN, epochs=None)
    assert epochs_for(plan, 6000) == RECIPES["standard"].tiles_to_show // 6000
    assert epochs_for(plan, 10) == 60
    assert epochs_for(plan, 10**6) == 3
    assert epochs_for(replace(plan, epochs=2), 10) == 2


def test_patience_is_a_third_of_the_epochs_or_as_stated() -> None:
    free = replace(PLAN, patience=None)
    assert [patience_for(free, epochs) for epochs in (4, 15, 27, 60)] == [5, 5, 9, 20]
    assert patience_for(replace(PLAN, patience=2), 60) == 2


@pytest.mark.parametrize("recipe", RECIPES)
def test_sizes_grow_to_the_final_one_on_the_grid(recipe: str) -> None:
    plan = replace(PLAN, recipe=recipe, input_size_px=None)
    architecture = find_architecture("efficientnet")
    last = final_size(plan, architecture)
    sizes = [size_in_epoch(plan, architecture, epoch, 9) for epoch in range(1, 10)]
    assert sizes == sorted(sizes)
    assert sizes[-3:] == [last] * 3
    assert all(size % 32 == 0 for size in sizes)
    assert sizes[0] <= last
    assert size_in_epoch(plan, architecture, 1, 1) <= last


def test_what_the_plan_leaves_open_is_the_architectures() -> None:
    free = replace(PLAN, weights="auto", learning_rate=None, keep_stages=None)
    small, other = find_architecture("efficientnet"), find_architecture("resnet50")
    assert (completed(free, small).learning_rate, completed(free, small).keep_stages) == (1e-3, 3)
    assert (completed(free, other).learning_rate, completed(free, other).keep_stages) == (3e-4, 0)
    stated = replace(free, learning_rate=1e-4, keep_stages=1)
    assert completed(stated, small) == stated
    assert completed(completed(free, small), other) == completed(free, small)
    # Weights that start at random are no use to keep.
    assert completed(replace(free, weights="none"), small).keep_stages == 0
    with pytest.raises(SettingsError, match="nothing to keep"):
        completed(replace(free, weights="none", keep_stages=1), small)


def test_a_stated_size_is_kept_and_a_fixed_one_is_the_networks() -> None:
    architecture = find_architecture("efficientnet")
    plan = replace(PLAN, input_size_px=96)
    assert {size_in_epoch(plan, architecture, epoch, 5) for epoch in range(1, 6)} == {96}
    growing = replace(plan, initial_size_px=64)
    assert [size_in_epoch(growing, architecture, epoch, 3) for epoch in (1, 2, 3)] == [64, 64, 96]
    fixed = find_architecture("vit_tiny_patch16_224")
    free = replace(PLAN, recipe="fast", input_size_px=None)
    assert final_size(free, fixed) == size_in_epoch(free, fixed, 1, 5) == 224
