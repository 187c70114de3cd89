"""Does stain normalization or augmentation help a classifier across a change of stain?

    python benchmarks/stain_shift.py DATA            # PatchCamelyon with the column stain_look
    python benchmarks/stain_shift.py --table         # the table for the docs, from the results

PatchCamelyon's tiles show two stains, `brown` and `purple`. A classifier is trained on one look and
tested on the other, and back. The control is tested on the look that it was trained on: what an arm
costs where the stain does not change.

The classifier is a logistic regression on frozen features: EfficientNet-Lite0 with ImageNet
weights, at the input size of `histo train`, each tile's feature map averaged, then standardized. It
is the head that `histo train` puts on this network, without the training of the network below it.

Training tiles: the look's tiles in the train and valid splits. Each seed draws 70 % of their
slides, then as many tiles of either class, then copies: three augmented copies of each tile are
made once, a seed trains on the tile and two of the three. The regularization is chosen on the
training slides alone by cross-validation over whole slides, scored on tiles as they are.

Test tiles: all of the other look, whatever their split. A slide was scanned once and so has one
look; where the inferred look errs, a slide could be on both sides. So the shift is also measured on
the test split alone, which shares no slide with the training tiles for certain; the control is
measured there too. Classes are balanced for training only: the AUROC does not depend on their
shares.

Slides are not named in the data. Slides in all that follows are a stand-in: tiles of one split and
one look, grouped by their stain (k-means on Macenko's estimates), as many groups as there are
slides by the published numbers. Differences between arms are paired: bootstrap over slides, the
same draw for each arm and seed, the AUROC averaged over seeds; p-values two-sided, by Holm's method
over the arms of one comparison. They allow for other test slides, not for other training slides:
that is what the spread of the seeds shows. Standard errors with single tiles, and with a quarter as
many groups, tell how much the stand-in matters.

What it cannot say: a network that is trained below its head may learn to live with stain, so
effects of a full training may differ, in size and in order. The looks are very probably the two
scanning centers, so scanner, focus and compression, preparation and the mix of cases change with
the stain, and no normalization of stain mends those. Two looks are one pair: other laboratories may
differ.

Writes benchmarks/results/stain_shift.json, and a figure of the same name in docs/figures. On two
cores about 40 minutes; `--keep FOLDER` keeps the features for another run.
"""

import argparse
import csv
import importlib.metadata
import json
import platform
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from histocli.atomic_files import atomic_path, write_json
from histocli.metrics.definitions.auroc import auroc
from histocli.metrics.intervals import percentile_interval
from histocli.metrics.resampling import clustered_weights
from histocli.models.architectures import find_architecture
from histocli.models.preprocessing import PreprocessingConstants, Standardization, to_unit_range
from histocli.models.weights import load_weights
from histocli.settings import TrainSettings
from histocli.stain.augmentation import StainAugmentation
from histocli.stain.cores import available_cores
from histocli.stain.normalizers import find_normalizer
from histocli.training.augmentation import augment, draw_numbers

ROOT = Path(__file__).resolve().parents[1]
RESULTS, FIGURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "figures"
LOOKS = ("brown", "purple")
TRAINING_SPLITS = ("train", "valid")
# 216 and 54 by PatchCamelyon's own tables; together with the test split CAMELYON16's 400.
SLIDES: Mapping[str, int] = {"train": 216, "valid": 54, "test": 130}

COPIES, COPIES_USED = 3, 2
SHARE_OF_SLIDES = 0.7
FOLDS = 3
REGULARIZATION = (1e-5, 1e-4, 1e-3, 1e-2)
REPLICATES = 4000
COARSER = 4
BATCH = 64
PACKAGES = ("histocli", "torch", "timm", "kornia", "numpy", "scikit-learn", "pillow")

Floats: TypeAlias = NDArray[np.float64]
Features: TypeAlias = NDArray[np.float32]
Indices: TypeAlias = NDArray[np.int64]
Pixels: TypeAlias = NDArray[np.uint8]
# Tiles in [0, 1], and which of all tiles they are, to tiles in [0, 1].
Change: TypeAlias = Callable[[torch.Tensor, slice], torch.Tensor]


@dataclass(frozen=True)
class Arm:
    """A way to treat stain: normalize all tiles, then add augmented copies of the training tiles."""

    name: str
    normalization: str = "none"
    augmentation: str = "none"


ARMS = (
    Arm("none"),
    Arm("Macenko", "macenko"),
    Arm("Reinhard", "reinhard"),
    Arm("Vahadane", "vahadane"),
    Arm("stain augmentation", "none", "stain"),
    Arm("Macenko + stain augmentation", "macenko", "stain"),
    Arm("color jitter", "none", "jitter"),
    Arm("Macenko + color jitter", "macenko", "jitter"),
)


@dataclass(frozen=True)
class Comparison:
    """What is tested: on which look relative to the training tiles', and on which splits."""

    name: str
    same_look: bool
    test_split_only: bool


SHIFT = Comparison("other look", same_look=False, test_split_only=False)
STRICT = Comparison("other look, test split", same_look=False, test_split_only=True)
CONTROL = Comparison("same look, test split", same_look=True, test_split_only=True)
COMPARISONS = (SHIFT, STRICT, CONTROL)


# Tiles


@dataclass(frozen=True)
class Tiles:
    """The tiles of both looks.

    Attributes:
        names: Paths below the data's root.
        pixels: uint8, shape ``(N, 3, H, W)``.
        tumor: Shape ``(N,)``.
        split: Names, shape ``(N,)``.
        look: Names, shape ``(N,)``.
        slides: Stand-ins for slides, numbered without gaps, shape ``(N,)``.
        coarse_slides: A quarter as many.
    """

    names: Sequence[str]
    pixels: Pixels
    tumor: NDArray[np.bool_]
    split: NDArray[np.str_]
    look: NDArray[np.str_]
    slides: Indices
    coarse_slides: Indices

    def training(self, look: str) -> Indices:
        """Tiles that a classifier of one look may be trained on."""
        return np.flatnonzero((self.look == look) & np.isin(self.split, TRAINING_SPLITS))

    def tested(self, comparison: Comparison, look: str) -> Indices:
        """Test tiles of one look."""
        chosen = self.look == look
        if comparison.test_split_only:
            chosen &= self.split == "test"
        return np.flatnonzero(chosen)

    def counts(self) -> list[dict[str, Any]]:
        """Tiles and stand-ins for slides of each look and split."""
        found = []
        for look in LOOKS:
            for split in SLIDES:
                chosen = (self.look == look) & (self.split == split)
                found.append(
                    {
                        "look": look,
                        "split": split,
                        "tiles": int(chosen.sum()),
                        "tumor_tiles": int(self.tumor[chosen].sum()),
                        "slides": len(np.unique(self.slides[chosen])),
                    }
                )
        return found


def read_tiles(folder: Path, limit: int | None) -> Tiles:
    """All tiles of a look; at most ``limit`` of each class in each look and split."""
    rows, taken = [], Counter[tuple[str, str, str]]()
    with (folder / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            cell = (row["stain_look"], row["split"], row["label"])
            if row["stain_look"] in LOOKS and (limit is None or taken[cell] < limit):
                taken[cell] += 1
                rows.append(row)
    pixels = np.stack([read_tile(folder / row["path"]) for row in rows])
    split = np.array([row["split"] for row in rows])
    look = np.array([row["stain_look"] for row in rows])
    stain = stain_signature(pixels)
    return Tiles(
        [row["path"] for row in rows],
        pixels,
        np.array([row["label"] == "1" for row in rows]),
        split,
        look,
        slides_by_stain(stain, split, look, 1),
        slides_by_stain(stain, split, look, COARSER),
    )


def read_tile(path: Path) -> Pixels:
    """RGB, shape ``(3, H, W)``."""
    with Image.open(path) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def stain_signature(pixels: Pixels) -> Floats:
    """Stain vectors and maximum concentrations by Macenko's method, standardized, ``(N, 8)``."""
    values = find_normalizer("macenko")().parameters(pixels)
    values = np.where(np.isfinite(values), values, np.nanmedian(values, axis=0))
    standardized: Floats = (values - values.mean(axis=0)) / values.std(axis=0)
    # A few odd tiles must not become slides of their own.
    return standardized.clip(-3, 3)


def slides_by_stain(
    stain: Floats, split: NDArray[np.str_], look: NDArray[np.str_], coarser: int
) -> Indices:
    """Group the tiles of each split and look by their stain; numbered without gaps."""
    from sklearn.cluster import KMeans

    groups, known = np.zeros(len(stain), np.int64), 0
    for name, slides in SLIDES.items():
        here = split == name
        for wanted in LOOKS:
            chosen = np.flatnonzero(here & (look == wanted))
            # A slide gives about as many tiles of one look as of the other.
            count = round(slides * len(chosen) / max(here.sum(), 1) / coarser)
            count = max(2, min(count, len(chosen) // 4))
            found = KMeans(count, n_init=3, random_state=0).fit_predict(stain[chosen])
            numbers = np.unique(found, return_inverse=True)[1]
            groups[chosen] = known + numbers
            known += int(numbers.max()) + 1
    return groups


# Features


class Extractor:
    """Frozen features of tiles: the mean of the last feature map of an ImageNet network."""

    def __init__(self, input_size_px: int | None) -> None:
        architecture = find_architecture("efficientnet")
        constants = PreprocessingConstants.of(architecture, input_size_px)
        network = architecture.build(2)
        self.weights = load_weights(network, architecture, "auto", offline=True, say=print)
        self.input_size_px = constants.input_size_px
        self.standardization = Standardization(constants)
        backbone = network.get_submodule("backbone").eval().to(memory_format=torch.channels_last)
        side = constants.input_size_px
        example = torch.zeros(BATCH, 3, side, side).contiguous(memory_format=torch.channels_last)
        with warnings.catch_warnings(), torch.inference_mode():
            # Folding the batch normalization into the convolutions saves 40 % of the time.
            warnings.simplefilter("ignore")
            trace: Callable[..., Any] = torch.jit.trace
            self.backbone = torch.jit.freeze(trace(backbone, example))

    def features(self, pixels: Pixels, change: Change | None = None) -> Features:
        """Features of uint8 tiles, shape ``(N, 1280)``; the tiles in [0, 1] are changed before."""
        rows = []
        with torch.inference_mode():
            for first in range(0, len(pixels), BATCH):
                part = slice(first, min(first + BATCH, len(pixels)))
                unit = to_unit_range(torch.from_numpy(pixels[part]))
                unit = unit if change is None else change(unit, part)
                inputs = self.standardization(unit)
                inputs = inputs.contiguous(memory_format=torch.channels_last)
                rows.append(self.backbone(inputs).mean(dim=(2, 3)).numpy())
        return np.concatenate(rows)


@dataclass
class FeatureSets:
    """Features of every tile in every form that an arm asks for, computed once.

    Attributes:
        extractor: The network.
        tiles: The tiles.
        keep: Folder of features from an earlier run with the same arguments.
        left_alone: By method of normalization: share of tiles that it could not normalize.
    """

    extractor: Extractor
    tiles: Tiles
    keep: Path | None = None
    left_alone: dict[str, float] = field(default_factory=dict)
    _found: dict[str, Features] = field(default_factory=dict)
    _pixels: dict[str, Pixels] = field(default_factory=dict)

    def plain(self, normalization: str) -> Features:
        """Of all tiles without augmentation, shape ``(N, 1280)``."""
        return self._get(normalization, lambda: self._plain(normalization))

    def copies(self, arm: Arm) -> Features:
        """Of the augmented copies of all training tiles, ``(COPIES, N, 1280)``; NaN for others."""
        name = f"{arm.normalization}-{arm.augmentation}"
        return self._get(name, lambda: self._copies(arm))

    def _plain(self, normalization: str) -> Features:
        return self.extractor.features(self._normalized(normalization))

    def _copies(self, arm: Arm) -> Features:
        chosen = np.flatnonzero(np.isin(self.tiles.split, TRAINING_SPLITS))
        pixels = self._normalized(arm.normalization)[chosen]
        names = [self.tiles.names[int(index)] for index in chosen]
        sets = np.full((COPIES, len(self.tiles.names), 1280), np.nan, np.float32)
        for copy in range(COPIES):
            change = AUGMENTATIONS[arm.augmentation](names, copy)
            sets[copy, chosen] = self.extractor.features(pixels, change)
        return sets

    def _normalized(self, normalization: str) -> Pixels:
        if normalization == "none":
            return self.tiles.pixels
        if normalization not in self._pixels:
            result = find_normalizer(normalization)().normalize(self.tiles.pixels)
            self.left_alone[normalization] = float(np.mean(result.used == "identity"))
            self._pixels[normalization] = result.tiles
        return self._pixels[normalization]

    def _get(self, name: str, make: Callable[[], Features]) -> Features:
        if name not in self._found:
            started = time.monotonic()
            path = self.keep / f"{name}.npz" if self.keep else None
            if path is not None and path.is_file():
                with np.load(path) as kept:
                    self._found[name] = kept["features"]
                    self.left_alone.update(json.loads(str(kept["left_alone"])))
            else:
                self._found[name] = make()
                if path is not None:
                    left_alone = json.dumps(self.left_alone)
                    with atomic_path(path) as temporary, temporary.open("wb") as file:
                        np.savez(file, features=self._found[name], left_alone=left_alone)
            say(f"features {name}: {time.monotonic() - started:.0f} s")
        return self._found[name]


def stain_augmentation(names: Sequence[str], copy: int) -> Change:
    """Perturb the two stains; every copy, because the tile itself is among the training tiles."""
    augmentation = StainAugmentation(p=1.0)
    numbers = augmentation.draw(len(names), torch.Generator().manual_seed(copy))
    return lambda unit, part: augmentation(unit, numbers[part])


def color_jitter(names: Sequence[str], copy: int) -> Change:
    """Tint as `histo train` does by default, but do not turn."""
    numbers = draw_numbers(copy, 0, names)
    numbers[:, 0] = 0
    strength = TrainSettings().color_jitter
    return lambda unit, part: augment(unit, numbers[part], strength)


AUGMENTATIONS: Mapping[str, Callable[[Sequence[str], int], Change]] = {
    "stain": stain_augmentation,
    "jitter": color_jitter,
}


# Training


@dataclass(frozen=True)
class TrainingTiles:
    """What one seed trains on.

    Attributes:
        indices: Tiles, as many of either class.
        copies: Which augmented copies of each, shape ``(tiles, COPIES_USED)``.
    """

    indices: Indices
    copies: Indices


def draw_training_tiles(tiles: Tiles, look: str, seed: int) -> TrainingTiles:
    """Draw slides, then tiles of the more frequent class, then copies."""
    generator = np.random.default_rng([seed, LOOKS.index(look)])
    candidates = tiles.training(look)
    slides = np.unique(tiles.slides[candidates])
    drawn = generator.choice(slides, round(SHARE_OF_SLIDES * len(slides)), replace=False)
    candidates = candidates[np.isin(tiles.slides[candidates], drawn)]
    classes = [candidates[tiles.tumor[candidates] == tumor] for tumor in (False, True)]
    count = min(len(members) for members in classes)
    chosen = [generator.choice(members, count, replace=False) for members in classes]
    indices = np.sort(np.concatenate(chosen))
    order = generator.permuted(np.tile(np.arange(COPIES), (len(indices), 1)), axis=1)
    return TrainingTiles(indices, order[:, :COPIES_USED])


def rows_of(sets: FeatureSets, arm: Arm, drawn: TrainingTiles) -> tuple[Features, Indices]:
    """Features of the training tiles and, in an augmented arm, their copies; the tile of each row."""
    plain = sets.plain(arm.normalization)[drawn.indices]
    if arm.augmentation == "none":
        return plain, drawn.indices
    copies = sets.copies(arm)
    parts = [plain, *(copies[which, drawn.indices] for which in drawn.copies.T)]
    return np.concatenate(parts), np.tile(drawn.indices, len(parts))


def fitted(features: Features, tumor: NDArray[np.bool_], regularization: float) -> Any:
    """A logistic regression on standardized features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=regularization, max_iter=2000))
    return model.fit(features, tumor)


def choose_regularization(
    tiles: Tiles, plain: Features, rows: Features, of_tile: Indices, seed: int
) -> float:
    """The strength with the best mean AUROC on held-out training slides, on tiles as they are."""
    from sklearn.model_selection import StratifiedGroupKFold

    indices = of_tile[: len(plain)]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    scores = np.zeros(len(REGULARIZATION))
    for _, held_out in folds.split(plain, tiles.tumor[indices], tiles.slides[indices]):
        inside = ~np.isin(of_tile, indices[held_out])
        for place, strength in enumerate(REGULARIZATION):
            model = fitted(rows[inside], tiles.tumor[of_tile[inside]], strength)
            found = model.decision_function(plain[held_out])
            scores[place] += float(auroc(tiles.tumor[indices[held_out]], found)) / FOLDS
    return REGULARIZATION[int(scores.argmax())]


@dataclass(frozen=True)
class Trained:
    """One classifier's scores of every tile; higher means tumor."""

    scores: Floats
    regularization: float
    training_tiles: int


def train(sets: FeatureSets, arm: Arm, look: str, seed: int) -> Trained:
    """Train on one look, score all tiles."""
    tiles, plain = sets.tiles, sets.plain(arm.normalization)
    drawn = draw_training_tiles(tiles, look, seed)
    rows, of_tile = rows_of(sets, arm, drawn)
    strength = choose_regularization(tiles, plain[drawn.indices], rows, of_tile, seed)
    model = fitted(rows, tiles.tumor[of_tile], strength)
    scores = model.decision_function(plain).astype(np.float64)
    return Trained(scores, strength, len(drawn.indices))


# Comparing


def measure(
    comparison: Comparison, tiles: Tiles, trained: Mapping[tuple[str, str, int], Trained]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One comparison in both directions, and the mean of the two.

    Returns:
        What goes into the results by test look, and the mean over the two looks.
    """
    seeds = sorted({seed for _, _, seed in trained})
    directions, replicates, values = {}, [], []
    for look in LOOKS:
        train_look = look if comparison.same_look else next(x for x in LOOKS if x != look)
        chosen = tiles.tested(comparison, look)
        runs = [[trained[arm.name, train_look, seed] for seed in seeds] for arm in ARMS]
        scores = np.array([[run.scores[chosen] for run in row] for row in runs])
        tumor = tiles.tumor[chosen]
        single = np.array([[float(auroc(tumor, one)) for one in row] for row in scores])
        units = {
            "tile": np.arange(len(chosen)),
            "slide": tiles.slides[chosen],
            "coarse_slide": tiles.coarse_slides[chosen],
        }
        resampled = {
            unit: bootstrap(tumor, scores, members, LOOKS.index(look))
            for unit, members in units.items()
        }
        rows = compare(single.mean(axis=1), resampled)
        for row, row_runs, by_seed in zip(rows, runs, single, strict=True):
            row["auroc_by_seed"] = by_seed.tolist()
            row["regularization_by_seed"] = [run.regularization for run in row_runs]
        directions[look] = {
            "train_look": train_look,
            "test_tiles": len(chosen),
            "test_tumor_tiles": int(tumor.sum()),
            "test_slides": len(np.unique(units["slide"])),
            "test_coarse_slides": len(np.unique(units["coarse_slide"])),
            "training_tiles_by_seed": [run.training_tiles for run in runs[0]],
            "rows": rows,
        }
        replicates.append(resampled)
        values.append(single)
    # The two directions are tested on different slides, so their draws are independent.
    mean = {unit: (replicates[0][unit] + replicates[1][unit]) / 2 for unit in replicates[0]}
    both = compare(np.mean(values, axis=0).mean(axis=1), mean)
    for row, by_seed in zip(both, np.mean(values, axis=0), strict=True):
        row["auroc_by_seed"] = by_seed.tolist()
    return directions, {"rows": both, "between_arms": between_arms(mean["slide"])}


def bootstrap(tumor: NDArray[np.bool_], scores: Floats, members: Indices, seed: int) -> Floats:
    """AUROC averaged over seeds in each bootstrap sample, shape ``(arms, REPLICATES)``.

    Args:
        tumor: Shape ``(N,)``.
        scores: Shape ``(arms, seeds, N)``.
        members: What is drawn as a whole, by number, shape ``(N,)``.
        seed: Same seed, same samples.
    """
    clusters = np.unique(members, return_inverse=True)[1]
    blocks = []
    for weights in clustered_weights(clusters, REPLICATES, seed):
        drawn = [[auroc(tumor, one, weights) for one in row] for row in scores]
        blocks.append(np.mean(drawn, axis=1))
    return np.concatenate(blocks, axis=1)


def compare(values: Floats, resampled: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """Each arm's AUROC and its difference from the first arm's, with intervals and p-values."""
    rows: list[dict[str, Any]] = []
    for place, arm in enumerate(ARMS):
        own = percentile_interval(resampled["slide"][place])
        row: dict[str, Any] = {"arm": arm.name, "auroc": float(values[place])}
        row |= {"ci_low": own.low, "ci_high": own.high}
        if place:
            differences = {unit: drawn[place] - drawn[0] for unit, drawn in resampled.items()}
            between = percentile_interval(differences["slide"])
            row["difference"] = {
                "value": float(values[place] - values[0]),
                "ci_low": between.low,
                "ci_high": between.high,
                "p": two_sided(differences["slide"]),
                "standard_error": {
                    unit: float(np.nanstd(drawn)) for unit, drawn in differences.items()
                },
                "p_coarse_slide": two_sided(differences["coarse_slide"]),
            }
        rows.append(row)
    compared = [row["difference"] for row in rows if "difference" in row]
    for found, adjusted in zip(compared, holm([row["p"] for row in compared]), strict=True):
        found["p_holm"] = adjusted
    return rows


def two_sided(differences: Floats) -> float:
    """Two-sided p-value of a bootstrapped difference; at least ``2 / (REPLICATES + 1)``."""
    differences = differences[np.isfinite(differences)]
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (len(differences) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number.

    Source:
        Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def between_arms(drawn: Floats) -> list[dict[str, Any]]:
    """Each pair of arms: interval and p-value of the difference, not adjusted for their number."""
    found = []
    for first, one in enumerate(ARMS):
        for second in range(first + 1, len(ARMS)):
            differences = drawn[second] - drawn[first]
            interval = percentile_interval(differences)
            found.append(
                {
                    "arm": ARMS[second].name,
                    "minus": one.name,
                    "ci_low": interval.low,
                    "ci_high": interval.high,
                    "p": two_sided(differences),
                }
            )
    return found


# Tables and figure


def markdown(results: Mapping[str, Any]) -> str:
    """The table for the docs: the shift in both directions, their mean, and the control."""
    shift, control = (results["comparisons"][part.name] for part in (SHIFT, CONTROL))
    header = ["arm"]
    header += [f"trained on {shift[look]['train_look']}, tested on {look}" for look in LOOKS]
    header += ["mean of both", "gain over none (95 % interval)", "p, Holm", "same look, mean"]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for place, row in enumerate(results["means"][SHIFT.name]["rows"]):
        cells = [row["arm"]]
        cells += [f"{shift[look]['rows'][place]['auroc']:.3f}" for look in LOOKS]
        cells += [f"{row['auroc']:.3f}", *gain_cells(row)]
        cells.append(f"{np.mean([control[look]['rows'][place]['auroc'] for look in LOOKS]):.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def gain_cells(row: Mapping[str, Any]) -> tuple[str, str]:
    """Difference with its interval, and its p-value."""
    found = row.get("difference")
    if found is None:
        return "", ""
    interval = f"({found['ci_low']:+.3f} to {found['ci_high']:+.3f})"
    return f"{found['value']:+.3f} {interval}", p_words(found["p_holm"])


def p_words(p_value: float) -> str:
    """A p-value as one prints it."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def print_tables(results: Mapping[str, Any]) -> None:
    """All figures, for a terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = console if console.is_terminal else Console(width=130)
    for comparison in COMPARISONS:
        parts = [*results["comparisons"][comparison.name].items()]
        for look, part in [*parts, ("", results["means"][comparison.name])]:
            table = Table(title=heading(comparison, look, part))
            table.add_column("arm")
            for column in ("AUROC", "95 % interval", "by seed", "gain over none", "p", "p, Holm"):
                table.add_column(column, justify="right")
            for row in part["rows"]:
                gain, adjusted = gain_cells(row)
                table.add_row(
                    row["arm"],
                    f"{row['auroc']:.3f}",
                    f"{row['ci_low']:.3f} to {row['ci_high']:.3f}",
                    " ".join(f"{value:.3f}" for value in row["auroc_by_seed"]),
                    gain,
                    p_words(row["difference"]["p"]) if gain else "",
                    adjusted,
                )
            console.print(table)


def heading(comparison: Comparison, look: str, part: Mapping[str, Any]) -> str:
    """Title of a table."""
    if not look:
        return f"{comparison.name}: mean of both directions"
    return (
        f"{comparison.name}: trained on {part['train_look']}, tested on {part['test_tiles']:,} "
        f"{look} tiles in {part['test_slides']} groups"
    )


def draw(results: Mapping[str, Any], path: Path) -> None:
    """A panel for each test look: across the shift, and the control."""
    from matplotlib.lines import Line2D

    from histocli.report.style import MUTED, written_figure

    with written_figure(path, 9.0, 4.8) as figure:
        panels = figure.subplots(1, len(LOOKS), sharey=True, sharex=True)
        for axes, look in zip(panels, LOOKS, strict=True):
            draw_look(axes, results, look)
        panels[0].set_yticks(range(len(ARMS)), [arm.name for arm in ARMS])
        handles = [
            Line2D([], [], **style(comparison), markersize=6, label=label)
            for comparison, label in (
                (SHIFT, "trained on the other look"),
                (CONTROL, "trained on the same look (PatchCamelyon's test split)"),
            )
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=2)
        words = (
            f"AUROC, mean of {len(results['seeds'])} seeds (dots), 95 % interval by bootstrap over "
            "groups of test tiles.\nBeside each row: gain over none across looks, p by Holm's "
            "method. Frozen features, logistic regression."
        )
        figure.supxlabel(words, fontsize=7, color=MUTED)


def style(comparison: Comparison) -> dict[str, Any]:
    """Color and marker of a comparison."""
    from histocli.report.style import BLUE, VERMILLION

    if comparison.same_look:
        return {"color": VERMILLION, "marker": "D", "markerfacecolor": "white", "linewidth": 1.2}
    return {"color": BLUE, "marker": "o", "linewidth": 1.6}


def draw_look(axes: Any, results: Mapping[str, Any], look: str) -> None:
    """One panel."""
    from histocli.report.style import FAINT, INK

    for comparison, offset in ((SHIFT, -0.16), (CONTROL, 0.2)):
        look_of = style(comparison)
        for place, row in enumerate(results["comparisons"][comparison.name][look]["rows"]):
            y = place + offset
            line = {"color": look_of["color"], "linewidth": look_of["linewidth"]}
            axes.plot([row["ci_low"], row["ci_high"]], [y, y], **line)
            seeds = row["auroc_by_seed"]
            axes.plot(seeds, [y + 0.15] * len(seeds), ".", color=look_of["color"], markersize=3)
            axes.plot([row["auroc"]], [y], **(look_of | {"linestyle": "none"}), markersize=6)
    shift = results["comparisons"][SHIFT.name][look]
    for place, row in enumerate(shift["rows"]):
        if "difference" in row:
            p_value = row["difference"]["p_holm"]
            words = f"{row['difference']['value']:+.3f}, p {'' if p_value < 0.001 else '= '}"
            axes.text(
                1.01,
                place,
                words + p_words(p_value),
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=7,
                color=INK,
            )
    axes.axvline(shift["rows"][0]["auroc"], color=FAINT, linewidth=1.5, zorder=0)
    axes.set_ylim(len(ARMS) - 0.5, -0.5)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(title=f"tested on {look}", xlabel="AUROC")


# The run


def say(words: str) -> None:
    """A line of progress."""
    print(words, file=sys.stderr, flush=True)


def processor() -> str:
    """Name of the processor, as the kernel says it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def all_runs(sets: FeatureSets, seeds: Sequence[int]) -> Iterator[tuple[tuple[str, str, int], Any]]:
    """Every arm, training look and seed in turn."""
    for arm in ARMS:
        sets.plain(arm.normalization)
        if arm.augmentation != "none":
            sets.copies(arm)
        started = time.monotonic()
        for look in LOOKS:
            for seed in seeds:
                yield (arm.name, look, seed), train(sets, arm, look, seed)
        say(f"{arm.name}: trained in {time.monotonic() - started:.0f} s")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure everything."""
    started = time.monotonic()
    tiles = read_tiles(arguments.data, arguments.limit)
    say(f"{len(tiles.names):,} tiles: {time.monotonic() - started:.0f} s")
    sets = FeatureSets(Extractor(arguments.input_size_px), tiles, arguments.keep)
    trained = dict(all_runs(sets, arguments.seeds))
    comparisons, means = {}, {}
    for comparison in COMPARISONS:
        comparisons[comparison.name], means[comparison.name] = measure(comparison, tiles, trained)
    augmentation = StainAugmentation(p=1.0)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"processor": processor(), "cores": available_cores()},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "data": arguments.data.name,
        "minutes": (time.monotonic() - started) / 60,
        "weights": sets.extractor.weights,
        "input_size_px": sets.extractor.input_size_px,
        "seeds": list(arguments.seeds),
        "protocol": {
            "copies_made": COPIES,
            "copies_used": COPIES_USED,
            "share_of_slides": SHARE_OF_SLIDES,
            "folds": FOLDS,
            "regularization": list(REGULARIZATION),
            "bootstrap_samples": REPLICATES,
            "stain_augmentation": {"factor": augmentation.factor, "shift": augmentation.shift},
            "color_jitter": TrainSettings().color_jitter,
            "slides": "stand-in: k-means on Macenko's estimates within split and look",
        },
        "tiles": tiles.counts(),
        "left_alone": sets.left_alone,
        "comparisons": comparisons,
        "means": means,
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="?", help="folder with labels.csv")
    parser.add_argument("--input-size-px", type=int, help="as `histo train` if not set")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--limit", type=int, help="tiles per class, look and split, for a trial")
    parser.add_argument(
        "--keep", type=Path, help="keep features here, and use those that are there"
    )
    parser.add_argument("--into", type=Path, help="write JSON and figure to this folder")
    parser.add_argument("--table", action="store_true", help="print the docs' table, no more")
    parser.add_argument("--redraw", action="store_true", help="draw the results again, no more")
    arguments = parser.parse_args()
    output = (arguments.into or RESULTS) / "stain_shift.json"
    figure = (arguments.into or FIGURES) / "stain_shift.png"
    if arguments.table:
        print(markdown(json.loads(output.read_text())))
        return
    if arguments.redraw:
        draw(json.loads(output.read_text()), figure)
        return
    if arguments.data is None:
        parser.error("name the data's folder")
    torch.set_num_threads(available_cores())
    results = run(arguments)
    write_json(output, results)
    draw(results, figure)
    print_tables(results)
    print(f"wrote {output} and {figure}; {results['minutes']:.0f} minutes")


if __name__ == "__main__":
    main()
