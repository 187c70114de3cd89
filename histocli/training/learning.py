"""What a training step does beyond predicting: change the tiles, take the step, keep count."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from histocli.training.augmentation import AugmentationPlan, draw_numbers
from histocli.training.mixing import mix
from histocli.training.optimization import Optimization

# Steps of an epoch that have seeds of their own.
STEPS_APART = 1_000_003
NO_AUGMENTATION = AugmentationPlan()


@dataclass(frozen=True)
class LearningPlan:
    """What is the same in every epoch.

    Attributes:
        seed: Of the run.
        augmentation: How tiles are changed.
        mixup: See ``mix``.
        cutmix: See ``mix``.
    """

    seed: int
    augmentation: AugmentationPlan = NO_AUGMENTATION
    mixup: float = 0.0
    cutmix: float = 0.0


@dataclass
class EpochTotals:
    """How far an epoch has come; kept in a checkpoint.

    Attributes:
        batches: Learned from, or parts of batches.
        parts: Of each batch.
        tiles: In them.
        loss_sum: Over these tiles.
        seconds: Spent.
    """

    batches: int = 0
    parts: int = 1
    tiles: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float:
        """Mean over the tiles; NaN before the first."""
        return self.loss_sum / self.tiles if self.tiles else float("nan")


class Learning:
    """One epoch's learning.

    Every step draws from a seed that follows from (seed, epoch, step), so a run that continues in the
    middle of an epoch needs no state of a generator.
    """

    def __init__(
        self,
        plan: LearningPlan,
        epoch: int,
        totals: EpochTotals,
        optimization: Optimization,
        classify: Callable[[Tensor], Tensor],
        stepped: Callable[[], None],
        part_size: int,
    ) -> None:
        """See the class.

        Args:
            plan: What is the same in every epoch.
            epoch: Counted from 1.
            totals: How far the epoch has come; kept up to date.
            optimization: Takes the steps.
            classify: From prepared tiles to logits, with gradients.
            stepped: Called after each step.
            part_size: Tiles of a part of a batch where all can be read.
        """
        self.plan, self.epoch, self.totals = plan, epoch, totals
        self.optimization, self.classify, self.stepped = optimization, classify, stepped
        self.part_size = part_size

    def seed_step(self) -> None:
        """Seed what the network draws: dropout, stochastic depth."""
        position = (self.plan.seed * STEPS_APART + self.epoch) * STEPS_APART + self.totals.batches
        torch.manual_seed(position % 2**63)

    def change(
        self, tiles: Tensor, targets: Tensor, tile_ids: Sequence[str], classes: int
    ) -> tuple[Tensor, Tensor]:
        """Augment the tiles, and mix them where that is asked for; labels then become shares.

        In full precision whatever autocast says: the matrices that turn and zoom need their digits.
        """
        plan = self.plan
        with torch.autocast(tiles.device.type, enabled=False):
            changed = plan.augmentation.apply(tiles.float(), tile_ids, plan.seed, self.epoch)
        if plan.mixup == 0 and plan.cutmix == 0:
            return changed, targets
        numbers = draw_numbers(plan.seed, self.epoch, tile_ids, "mixing")
        return mix(changed, targets, classes, numbers, mixup=plan.mixup, cutmix=plan.cutmix)

    def step(self, loss: Tensor, tiles: int) -> None:
        """Learn from the mean loss of a batch or a part of it.

        One that lacks unreadable tiles counts for as many as it has: the other parts of the batch, in this
        process and in others, then weigh what they would have weighed together.
        """
        completed = self.optimization.learn(loss * (tiles / self.part_size))
        self.totals.batches += 1
        self.totals.tiles += tiles
        self.totals.loss_sum += float(loss.detach()) * tiles
        if completed:
            self.stepped()
