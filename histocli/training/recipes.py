"""How much is spent on a training: three recipes, every part of which is an option too."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from histocli.errors import SettingsError
from histocli.models.architectures import Architecture
from histocli.training.plan import TrainingPlan

FEWEST_EPOCHS, MOST_EPOCHS = 3, 60
FEWEST_WITHOUT_BETTER = 5


@dataclass(frozen=True)
class Recipe:
    """What a recipe decides where the user does not.

    Attributes:
        tiles_to_show: In all epochs together; a small set is passed over more often.
        scale: Of the side that the architecture asks for.
        initial_scale: Of the side of the first epoch, which is small and quick; it grows to ``scale``.
    """

    tiles_to_show: int
    scale: float
    initial_scale: float


# 6,000 tiles on two cores: 7 minutes (benchmarks/accuracy.py); about 20 and 60 by tiles and sides.
RECIPES: Mapping[str, Recipe] = {
    "fast": Recipe(tiles_to_show=24_000, scale=1.0, initial_scale=0.8),
    "standard": Recipe(tiles_to_show=42_000, scale=1.2, initial_scale=0.8),
    "best": Recipe(tiles_to_show=126_000, scale=1.2, initial_scale=0.8),
}


def completed(plan: TrainingPlan, architecture: Architecture) -> TrainingPlan:
    """The plan with what it leaves to the architecture, so that a run's record has it."""
    rate = rate_for(plan, architecture)
    return replace(plan, learning_rate=rate, keep_stages=stages_to_keep(plan, architecture))


def rate_for(plan: TrainingPlan, architecture: Architecture) -> float:
    """Peak rate of the backbone, as stated or the architecture's."""
    return plan.learning_rate or architecture.learning_rate


def stages_to_keep(plan: TrainingPlan, architecture: Architecture) -> int:
    """As stated, or the architecture's where it starts from pretrained weights.

    Raises:
        SettingsError: If weights that start at random shall be kept.
    """
    if plan.keep_stages and plan.weights == "none":
        raise SettingsError(
            f"--keep-stages {plan.keep_stages}: without pretrained weights there is nothing to keep; "
            "leave it out"
        )
    if plan.keep_stages is not None:
        return plan.keep_stages
    return 0 if plan.weights == "none" else architecture.kept_stages


def epochs_for(plan: TrainingPlan, training_tiles: int) -> int:
    """The stated number of epochs, or the recipe's for so many tiles; one where only a head is fitted."""
    if plan.transfer == "frozen":
        return 1
    if plan.epochs is not None:
        return plan.epochs
    wanted = -(-RECIPES[plan.recipe].tiles_to_show // max(1, training_tiles))
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, wanted))


def patience_for(plan: TrainingPlan, epochs: int) -> int:
    """Epochs without a better model after which training stops.

    Much is learned while the rate falls and tiles are at their final side, so the many epochs of a small
    data set are not given up after a handful.
    """
    return plan.patience or max(FEWEST_WITHOUT_BETTER, epochs // 3)


def final_size(plan: TrainingPlan, architecture: Architecture) -> int:
    """Side that the finished model resizes tiles to."""
    if plan.input_size_px is not None:
        return plan.input_size_px
    return _scaled(architecture, RECIPES[plan.recipe].scale)


def size_in_epoch(plan: TrainingPlan, architecture: Architecture, epoch: int, epochs: int) -> int:
    """Side in one epoch: from the first side in even steps to the final one, which the last third has.

    Args:
        plan: The plan.
        architecture: Whose side is scaled.
        epoch: Counted from 1.
        epochs: In all.

    Raises:
        SettingsError: If a first side is stated that cannot be.
    """
    last = final_size(plan, architecture)
    first = _first_size(plan, architecture, last)
    if architecture.fixed_input_size or first == last:
        return last
    growing = max(1, round(epochs * 2 / 3))
    grown = min(1.0, (epoch - 1) / growing)
    return min(last, first + _on_grid((last - first) * grown, architecture))


def sides_of(plan: TrainingPlan, architecture: Architecture, epochs: int) -> list[int]:
    """All sides that a training has tiles at.

    Raises:
        SettingsError: If a first side is stated that cannot be.
    """
    sides = {final_size(plan, architecture)}
    if plan.transfer != "frozen":
        sides |= {
            size_in_epoch(plan, architecture, epoch, epochs) for epoch in range(1, epochs + 1)
        }
    return sorted(sides)


def _first_size(plan: TrainingPlan, architecture: Architecture, last: int) -> int:
    """The stated side, or the recipe's where it decides the final one too."""
    first = plan.initial_size_px
    if first is None:
        stated = plan.input_size_px is not None
        scale = RECIPES[plan.recipe].initial_scale
        return last if stated else min(last, _scaled(architecture, scale))
    if architecture.fixed_input_size and first != last:
        raise SettingsError(
            f"--initial-size-px {first}: {architecture.name} takes tiles of one size only; leave it out"
        )
    if first > last:
        raise SettingsError(
            f"--initial-size-px {first} is above the final side of {last} px; lower it, "
            "or raise --input-size-px"
        )
    return first


def views_for(plan: TrainingPlan) -> str:
    """Orientations that are averaged when predicting: eight, or one where speed was asked for."""
    if plan.test_time_augmentation is not None:
        return plan.test_time_augmentation
    return "none" if plan.transfer == "frozen" else "d4"


def _scaled(architecture: Architecture, scale: float) -> int:
    if architecture.fixed_input_size:
        return architecture.input_size_px
    return max(architecture.grid_px, _on_grid(architecture.input_size_px * scale, architecture))


def _on_grid(side: float, architecture: Architecture) -> int:
    return round(side / architecture.grid_px) * architecture.grid_px
