"""What a training run is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from histocli.data.opening import AS_IT_IS, SourceOptions

# Passes over the data unless the user states them: enough to show this many tiles, within the limits.
# On 6,000 tiles of PatchCamelyon three passes are enough; a small set needs more.
TILES_TO_SHOW = 18_000
FEWEST_EPOCHS, MOST_EPOCHS = 3, 40


@dataclass(frozen=True)
class TrainingPlan:
    """The options of `histo train` that change its result; ``settings.py`` documents each."""

    arch: str
    weights: str
    stain: str
    stain_convention: str
    stain_augmentation: float
    input_size_px: int | None
    epochs: int | None
    batch_size: int
    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    warmup_fraction: float
    label_smoothing: float
    class_weights: str
    color_jitter: float
    patience: int
    precision: str
    test_time_augmentation: str
    positive_class: str | None

    def epochs_for(self, training_tiles: int) -> int:
        """The stated number of epochs, or the default for so many tiles."""
        if self.epochs is not None:
            return self.epochs
        wanted = -(-TILES_TO_SHOW // max(1, training_tiles))
        return min(MOST_EPOCHS, max(FEWEST_EPOCHS, wanted))


@dataclass(frozen=True)
class RunOptions:
    """How a training run goes about it, without effect on its result.

    Attributes:
        run: Its folder.
        seed: Of everything random.
        workers: Decoding threads.
        offline: Never use the network.
        strict: Raise if a tile had to be skipped.
        cache: ``none``, ``device`` or ``disk``: where decoded tiles are kept.
        cache_folder: Of ``disk``; the user's when None.
        opening: How the data set is opened.
        qc: Table of `histo qc` whose rejects are left out; it changes the result, and the run's inputs
            name it.
    """

    run: Path
    seed: int
    workers: int | None = None
    offline: bool = False
    strict: bool = False
    cache: str = "none"
    cache_folder: Path | None = None
    opening: SourceOptions = AS_IT_IS
    qc: Path | None = None
