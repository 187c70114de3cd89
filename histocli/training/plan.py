"""What a training run is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from histocli.data.opening import AS_IT_IS, SourceOptions


@dataclass(frozen=True)
class TrainingPlan:
    """The options of `histo train` that change its result; ``settings.py`` documents each."""

    recipe: str
    arch: str
    pooling: str
    stem_stride: int | None
    weights: str
    transfer: str
    stain: str
    stain_convention: str
    stain_augmentation: float
    input_size_px: int | None
    initial_size_px: int | None
    epochs: int | None
    batch_size: int
    accumulate: int
    optimizer: str
    learning_rate: float | None
    head_learning_rate: float
    layer_decay: float
    keep_stages: int | None
    weight_decay: float
    schedule: str
    warmup_fraction: float
    gradient_clip: float
    ema_decay: float
    label_smoothing: float
    focal_gamma: float
    class_weights: str
    sampling: str
    color_jitter: float
    rand_augment: int
    mixup: float
    cutmix: float
    patience: int | None
    precision: str
    compile: bool
    test_time_augmentation: str | None
    positive_class: str | None
    operating_point: str
    calibration: str
    shuffle_labels: bool = False


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
        checkpoint_minutes: Between two states that are saved within an epoch.
        tensorboard: Write events for it too.
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
    checkpoint_minutes: float = 10.0
    tensorboard: bool = False
