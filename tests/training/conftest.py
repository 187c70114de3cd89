"""A small run that the tests of training share."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from histocli.data.phantom import write_phantom
from histocli.training.api import TrainOutcome, TrainRequest, run_training
from histocli.training.plan import RunOptions, TrainingPlan

PLAN = TrainingPlan(
    recipe="standard",
    arch="test_efficientnet",
    pooling="mean",
    stem_stride=None,
    weights="none",
    transfer="fine-tune",
    stain="none",
    stain_convention="torchstain",
    stain_augmentation=0.0,
    input_size_px=32,
    initial_size_px=None,
    epochs=2,
    batch_size=16,
    accumulate=1,
    optimizer="adamw",
    learning_rate=1e-3,
    head_learning_rate=1e-3,
    layer_decay=1.0,
    keep_stages=0,
    weight_decay=0.05,
    schedule="cosine",
    warmup_fraction=0.1,
    gradient_clip=1.0,
    ema_decay=0.9,
    label_smoothing=0.05,
    focal_gamma=0.0,
    class_weights="balanced",
    sampling="natural",
    color_jitter=0.2,
    rand_augment=0,
    mixup=0.0,
    cutmix=0.0,
    patience=5,
    precision="float32",
    compile=False,
    test_time_augmentation="none",
    positive_class=None,
    operating_point="youden",
    calibration="temperature",
)


class SilentMonitor:
    """Keeps what was said; may interrupt at a stage."""

    def __init__(self, interrupt: Callable[[str], None] | None = None) -> None:
        self.said: list[str] = []
        self.interrupt = interrupt
        self.seconds_left: list[float] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def begin(self, stage: str, tiles: int) -> Callable[[int], None]:
        def advance(_: int) -> None:
            if self.interrupt is not None:
                self.interrupt(stage)

        del tiles
        return advance

    def epoch(self, row: dict[str, float], epochs: int, seconds_left: float) -> None:
        del epochs
        self.seconds_left.append(seconds_left)
        self.said.append(f"epoch {row['epoch']}")


Train = Callable[..., TrainOutcome]


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "data"
    write_phantom(folder, tiles=120, seed=1)
    return folder


@pytest.fixture
def train(phantom: Path, tmp_path: Path) -> Train:
    """Train on the phantom; keyword arguments change the plan, or request, options and monitor."""

    def run(
        name: str = "run",
        monitor: SilentMonitor | None = None,
        data: Path = phantom,
        *,
        resume: bool = False,
        overwrite: bool = False,
        seed: int = 0,
        workers: int | None = None,
        explicit: frozenset[str] = frozenset(),
        options: Mapping[str, Any] | None = None,
        **changes: object,
    ) -> TrainOutcome:
        request = TrainRequest(
            data=None if resume else data,
            plan=replace(PLAN, **changes),  # type: ignore[arg-type]
            explicit=explicit,
            options=RunOptions(tmp_path / "runs", seed, workers, offline=True, **(options or {})),
            name=name,
            device="cpu",
            resume=resume,
            overwrite=overwrite,
            dry_run=False,
            find_data=lambda named: named or data,
        )
        return run_training(request, monitor or SilentMonitor())

    return run
