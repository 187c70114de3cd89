"""Every tunable of histo, declared once: one frozen section per command.

Precedence, lowest first: the default here, ``histo.toml``, ``HISTO_*`` environment variables, the
command line. A field is an option of its command; its description is the option's help.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "HISTO_"

StainName = Literal["none", "macenko", "reinhard", "vahadane"]
ConventionName = Literal["torchstain", "cucim", "tiatoolbox"]
# Options of `histo train` stand in panels of what they are about.
RECIPE: JsonDict = {"panel": "Recipe"}
AUGMENTING: JsonDict = {"panel": "Augmentation"}
# Options of how a source is read stand in a panel of their own.
READING: JsonDict = {"panel": "How SOURCE is read"}
ANALYSES: JsonDict = {"panel": "Further analyses"}
JUDGING: JsonDict = {"panel": "Where a tile fails"}
SCALING: JsonDict = {"panel": "Scale out"}


class Section(BaseModel):
    """One table of ``histo.toml``; the options that every command has."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # What torch takes.
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of everything random.")
    quiet: bool = Field(False, description="Print results only, no progress.")
    verbose: bool = Field(False, description="Print more, and the traceback of an error.")
    offline: bool = Field(False, description="Never use the network.")
    json_output: bool = Field(
        False, description="Print the facts as one JSON object.", json_schema_extra={"flag": "json"}
    )


class SourceSection(Section):
    """A command that reads tiles: how its SOURCE is opened."""

    layout: str | None = Field(
        None, description="Force a layout; recognised if not set.", json_schema_extra=READING
    )
    microns_per_pixel: float | None = Field(
        None,
        gt=0,
        description="Slides: resolution of the tiles; slides.toml's, or 1.0, if not set.",
        json_schema_extra=READING,
    )
    tile_size_px: int | None = Field(
        None,
        ge=8,
        description="Slides: side of the tiles; slides.toml's, or 96, if not set.",
        json_schema_extra=READING,
    )
    minimum_tissue_fraction: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Slides: share of a tile that must be tissue; 0.25 if not set.",
        json_schema_extra=READING,
    )
    scanned_microns_per_pixel: float | None = Field(
        None,
        gt=0,
        description="Slides: resolution of files that do not state it.",
        json_schema_extra=READING,
    )
    isolate: bool = Field(
        False,
        description="Decode tiles in processes apart: a file that crashes its decoder costs one tile.",
        json_schema_extra=READING,
    )


class DeviceSection(SourceSection):
    """A command that computes on a device, from tiles."""

    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")
    workers: int | None = Field(None, ge=1, description="Decoding threads; one a core if not set.")


class ScaledSection(DeviceSection):
    """A command whose tiles can be divided among processes and machines."""

    shard: str | None = Field(
        None,
        description="Part to do, as I/N; SLURM's array sets it if not set.",
        json_schema_extra=SCALING,
    )
    processes: int = Field(
        1,
        ge=1,
        description="Processes to divide the work among; one that dies is begun again.",
        json_schema_extra=SCALING,
    )
    scheduler: str | None = Field(
        None,
        description="Dask cluster to work on: local, or tcp://HOST:PORT; needs the extra dask.",
        json_schema_extra=SCALING,
    )


class WritingSection(ScaledSection):
    """A command that writes a folder from tiles."""

    output: Path | None = Field(None, description="Folder to write; beside SOURCE if not set.")
    overwrite: bool = Field(False, description="Replace what an earlier run wrote there.")
    strict: bool = Field(False, description="Exit 4 if any tile had to be skipped.")
    dry_run: bool = Field(False, description="Say what would be done, write nothing.")


class NormalizeSettings(WritingSection):
    """``[normalize]``."""

    method: Literal["macenko", "reinhard", "vahadane"] = Field(
        "macenko", description="Macenko, Reinhard (colors only) or Vahadane (slower, sparse)."
    )
    backend: Literal["auto", "cpu", "cuda", "torch", "numpy"] = Field(
        "auto",
        description="Body of the stain core; auto takes the fused one for the device.",
    )
    convention: ConventionName = Field("torchstain", description="Whose constants to follow.")
    reference: Path | None = Field(
        None, description="Image or saved JSON to normalize to; the published reference if not set."
    )
    fit: bool = Field(
        False,
        description="Normalize to the typical stain of SOURCE itself; saved as reference.json.",
    )
    image: Literal["normalized", "hematoxylin", "eosin"] = Field(
        "normalized", description="What to write: the normalized tile, or one stain alone."
    )
    to: Literal["folder", "npz", "zip", "h5"] = Field(
        "folder", description="Files in a folder, or packed (npz is the fastest)."
    )
    context: str = Field(
        "tile",
        description="Whose stain estimate is used, the first usable: tile, group, dataset.",
    )
    batch_size: int = Field(128, ge=1, description="Tiles per batch.")


class QcSettings(WritingSection):
    """``[qc]``; why each threshold is what it is: ``histocli.qc.thresholds``."""

    fit: bool = Field(
        False,
        description="Set the thresholds where the tiles of SOURCE themselves end.",
        json_schema_extra=JUDGING,
    )
    apply: bool = Field(
        False, description="Also write SOURCE-passed.csv, a manifest of the tiles that passed."
    )
    background_tissue_fraction: float = Field(
        0.02,
        ge=0,
        le=1,
        description="background if less of the tile is tissue.",
        json_schema_extra=JUDGING,
    )
    minimum_contrast: float = Field(
        0.035,
        ge=0,
        le=1,
        description="background if its luminance varies less.",
        json_schema_extra=JUDGING,
    )
    minimum_sharpness: float = Field(
        0.24, ge=0, description="blur if less sharp.", json_schema_extra=JUDGING
    )
    minimum_relative_sharpness: float = Field(
        0.4,
        ge=0,
        le=1,
        description="blur if less sharp, over the upper quartile of SOURCE.",
        json_schema_extra=JUDGING,
    )
    minimum_relative_fine_detail: float = Field(
        0.3,
        ge=0,
        le=1,
        description="blur if not sharp and with less fine detail, over that quartile.",
        json_schema_extra=JUDGING,
    )
    minimum_brightness: float = Field(
        0.14, ge=0, le=1, description="dark if less bright.", json_schema_extra=JUDGING
    )
    minimum_density_saturation: float = Field(
        0.15, ge=0, le=1, description="unsaturated if less colored.", json_schema_extra=JUDGING
    )
    maximum_black_fraction: float = Field(
        0.1, ge=0, le=1, description="black_edge if more is black.", json_schema_extra=JUDGING
    )
    maximum_cool_ink_fraction: float = Field(
        0.01, ge=0, le=1, description="pen if more is green or blue ink.", json_schema_extra=JUDGING
    )
    maximum_red_ink_fraction: float = Field(
        0.01, ge=0, le=1, description="pen if more is red ink.", json_schema_extra=JUDGING
    )
    maximum_black_ink_fraction: float = Field(
        0.03, ge=0, le=1, description="pen if more is black ink.", json_schema_extra=JUDGING
    )
    maximum_fold_fraction: float = Field(
        0.155, ge=0, le=1, description="fold if more lies under one.", json_schema_extra=JUDGING
    )
    maximum_soft_fold_fraction: float = Field(
        0.135,
        ge=0,
        le=1,
        description="fold if more lies under one out of focus.",
        json_schema_extra=JUDGING,
    )
    maximum_mean_density: float = Field(
        1.65,
        gt=0,
        description="over_stained if the tissue is denser.",
        json_schema_extra=JUDGING,
    )
    maximum_nuclear_density: float = Field(
        2.2,
        gt=0,
        description="over_stained if the darkest 5 % is denser in red.",
        json_schema_extra=JUDGING,
    )
    minimum_strong_density: float = Field(
        0.5,
        ge=0,
        description="under_stained if its darkest 5 % is less dense.",
        json_schema_extra=JUDGING,
    )
    minimum_peak_nuclear_density: float = Field(
        0.5,
        ge=0,
        description="under_stained if its darkest 1 % is less dense in red, and eosin is weak.",
        json_schema_extra=JUDGING,
    )
    maximum_blockiness: float = Field(
        0.16, ge=0, description="compression if JPEG blocks show more.", json_schema_extra=JUDGING
    )
    near_duplicate_distance: int = Field(
        16,
        ge=0,
        le=16,
        description="near_duplicate if so many bits of 64 differ, or fewer.",
        json_schema_extra=JUDGING,
    )
    batch_size: int = Field(256, ge=1, description="Tiles per batch.")


class TrainSettings(DeviceSection):
    """``[train]``."""

    arch: str = Field(
        "efficientnet",
        description="efficientnet, resnet50 (channel + spatial attention) or any timm name.",
    )
    pooling: Literal["mean", "center"] = Field(
        "mean",
        description="How places of a tile are weighed: alike, or the center as training finds it.",
        json_schema_extra=RECIPE,
    )
    stem_stride: int | None = Field(
        None,
        ge=1,
        le=2,
        description="Of the first convolution; 1 sees small tiles pixel by pixel in place of enlarged.",
        json_schema_extra=RECIPE,
    )
    weights: str = Field(
        "auto", description="ImageNet transfer: auto, none, or a weight file (.safetensors, .pth)."
    )
    transfer: Literal["fine-tune", "frozen"] = Field(
        "fine-tune",
        description="Train the whole network, or (minutes) its last layer on fixed features.",
    )
    stain: StainName = Field(
        "none", description="Stain normalization inside the model; saved in the checkpoint."
    )
    stain_convention: ConventionName = Field(
        "torchstain", description="Whose constants the stain normalization follows."
    )
    recipe: Literal["fast", "standard", "best"] = Field(
        "standard",
        description="How long to train: about 7, 20, 60 minutes for 6,000 tiles on two cores.",
    )
    input_size_px: int | None = Field(
        None,
        ge=32,
        description="Side that tiles are resized to; the recipe's if not set.",
        json_schema_extra=RECIPE,
    )
    initial_size_px: int | None = Field(
        None,
        ge=32,
        description="Side in the first epoch, which grows to the final one; the recipe's if not set.",
        json_schema_extra=RECIPE,
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="Passes over the training tiles; the recipe's if not set.",
        json_schema_extra=RECIPE,
    )
    batch_size: int = Field(32, ge=2, description="Tiles per batch.", json_schema_extra=RECIPE)
    accumulate: int = Field(
        1, ge=1, description="Parts of a batch, where memory is short.", json_schema_extra=RECIPE
    )
    optimizer: str = Field(
        "adamw", description="Any optimiser of timm by name.", json_schema_extra=RECIPE
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Peak rate of the backbone; the architecture's if not set.",
        json_schema_extra=RECIPE,
    )
    head_learning_rate: float = Field(
        3e-3, gt=0, description="Peak rate of the new layers.", json_schema_extra=RECIPE
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Factor of the rate from a layer of the backbone to the one before it.",
        json_schema_extra=RECIPE,
    )
    keep_stages: int | None = Field(
        None,
        ge=0,
        description="Stages from the stem on that keep their weights; the architecture's if not set.",
        json_schema_extra=RECIPE,
    )
    weight_decay: float = Field(
        0.05, ge=0, description="Decay; biases and norms have none.", json_schema_extra=RECIPE
    )
    schedule: Literal["cosine", "one-cycle", "constant"] = Field(
        "cosine", description="How the rate goes after its rise.", json_schema_extra=RECIPE
    )
    warmup_fraction: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the steps in which the rate rises.",
        json_schema_extra=RECIPE,
    )
    gradient_clip: float = Field(
        1.0, ge=0, description="Largest norm of the gradient; 0: any.", json_schema_extra=RECIPE
    )
    ema_decay: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="Decay of the average of the weights, which is what is kept; 0: none.",
        json_schema_extra=RECIPE,
    )
    label_smoothing: float = Field(
        0.05, ge=0, lt=0.5, description="Share of the label given away.", json_schema_extra=RECIPE
    )
    focal_gamma: float = Field(
        0.0,
        ge=0,
        description="Focal loss: tiles classified well count less; 0: cross-entropy.",
        json_schema_extra=RECIPE,
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none",
        description="Weigh the loss by the inverse class frequency.",
        json_schema_extra=RECIPE,
    )
    sampling: Literal["natural", "balanced", "group-balanced"] = Field(
        "natural",
        description="Draw each class alike, and within a class each group.",
        json_schema_extra=RECIPE,
    )
    color_jitter: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Strength of brightness, contrast, saturation and stain jitter.",
        json_schema_extra=AUGMENTING,
    )
    stain_augmentation: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Strength of hematoxylin and eosin, each changed by up to this share.",
        json_schema_extra=AUGMENTING,
    )
    rand_augment: int = Field(
        0,
        ge=0,
        le=3,
        description="Random operations a tile: turn, zoom, shear, focus, gamma, grain.",
        json_schema_extra=AUGMENTING,
    )
    mixup: float = Field(
        0.0, ge=0, description="Blend tiles; Beta's parameter.", json_schema_extra=AUGMENTING
    )
    cutmix: float = Field(
        0.0, ge=0, description="Exchange boxes; Beta's parameter.", json_schema_extra=AUGMENTING
    )
    folds: int = Field(
        1, ge=1, description="Cross-validate: a model for each fold, and their mean as one run."
    )
    repeats: int = Field(
        1, ge=1, description="Train again with so many seeds; their mean is one run."
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="Stop after so many epochs without a better validation AUROC; a third of all, at least "
        "5, if not set.",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Arithmetic of the network; auto is bfloat16 on CUDA, float32 elsewhere.",
    )
    compile: bool = Field(
        False, description="Compile the network first: minutes that pay on a GPU."
    )
    test_time_augmentation: Literal["none", "d4"] | None = Field(
        None,
        description="Average a tile's eight turns and flips when predicting; d4 if not frozen.",
    )
    positive_class: str | None = Field(
        None, description="The class called positive; the last of two by name if not set."
    )
    operating_point: str = Field(
        "youden",
        description="Threshold of two classes: youden, sensitivity=0.95, specificity=0.9, cost=5:1 "
        "(missed to false alarm), prevalence, threshold=0.5.",
    )
    calibration: Literal["temperature", "platt", "isotonic", "none"] = Field(
        "temperature", description="How probabilities are calibrated on the validation split."
    )
    qc: Path | None = Field(
        None, description="A qc.csv: its rejects are left out of training and validation."
    )
    shuffle_labels: bool = Field(
        False,
        description="Train on shuffled labels: the control of histo explain --shuffled-run.",
    )
    cache: Literal["none", "device", "disk"] = Field(
        "none",
        description="Keep decoded tiles in the device's memory or on disk; the result is the same.",
    )
    cache_folder: Path | None = Field(
        None, description="Folder of --cache disk; the user's cache folder if not set."
    )
    checkpoint_minutes: float = Field(
        10.0, gt=0, description="Save the state so often within an epoch, too."
    )
    tensorboard: bool = Field(
        False, description="Write events for TensorBoard too (histocli[tensorboard])."
    )
    name: str | None = Field(None, description="Run name; architecture and time if not set.")
    runs: Path = Field(Path("runs"), description="Folder of the runs.")
    resume: bool = Field(False, description="Continue the newest (or named) stopped run.")
    overwrite: bool = Field(False, description="Replace a run of the same name.")
    strict: bool = Field(False, description="Exit 4 if any tile had to be skipped.")
    dry_run: bool = Field(False, description="Say what would be done, write nothing.")


class PredictSettings(ScaledSection):
    """``[predict]``."""

    output: Path = Field(Path("predictions.csv"), description="Table to write.")
    submission: Path | None = Field(
        None, description="Also write Kaggle's table: id, and label as a probability, or a class."
    )
    batch_size: int = Field(64, ge=1, description="Tiles per batch.")
    test_time_augmentation: Literal["as-trained", "none", "d4"] = Field(
        "as-trained", description="as-trained repeats what the operating point was chosen with."
    )
    overwrite: bool = Field(False, description="Replace the table.")
    strict: bool = Field(False, description="Exit 4 if any tile had to be skipped.")


class EvaluateSettings(DeviceSection):
    """``[evaluate]``."""

    data: Path | None = Field(
        None, description="Data set; the one the run was trained on if not set."
    )
    split: Literal["train", "valid", "test"] = Field("test", description="Split to evaluate.")
    runs: Path = Field(Path("runs"), description="Where to look for the newest run.")
    batch_size: int = Field(64, ge=1, description="Tiles per batch.")
    test_time_augmentation: Literal["as-trained", "none", "d4"] = Field(
        "as-trained", description="as-trained repeats what the operating point was chosen with."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of the intervals.")
    bootstrap_samples: int = Field(
        1000, ge=100, description="Replicates of the bootstrap, and of a permutation test."
    )
    proportion_interval: Literal["wilson", "clopper-pearson"] = Field(
        "wilson", description="Of proportions where tiles are independent; the second is exact."
    )
    at: str | None = Field(
        None,
        description="Further thresholds, chosen on validation: sensitivity=0.95,cost=5:1, as in train.",
        json_schema_extra=ANALYSES,
    )
    prevalence: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Also give PPV, NPV and net benefit at this share of positives.",
        json_schema_extra=ANALYSES,
    )
    by: str | None = Field(
        None,
        description="Subgroups by columns of the table, or stain-look, tissue, qc; commas between.",
        json_schema_extra=ANALYSES,
    )
    qc: Path | None = Field(None, description="The qc.csv of --by qc.", json_schema_extra=ANALYSES)
    aggregate: str | None = Field(
        None,
        description="Score slides or patients, too: mean, max, noisy-or, top-k; commas between.",
        json_schema_extra=ANALYSES,
    )
    stress: bool = Field(
        False,
        description="Predict disturbed tiles: stain, blur, JPEG, brightness, noise, rotation.",
        json_schema_extra=ANALYSES,
    )
    stress_tiles: int = Field(
        500, ge=2, description="Tiles of --stress at most.", json_schema_extra=ANALYSES
    )
    sanity: bool = Field(
        False,
        description="Also a color-only baseline, twins in other splits, a sheet of doubtful labels.",
        json_schema_extra=ANALYSES,
    )
    strict: bool = Field(False, description="Exit 4 if any tile had to be skipped.")


class ExplainSettings(DeviceSection):
    """``[explain]``."""

    data: Path | None = Field(
        None, description="Data set; the one the run was trained on if not set."
    )
    split: Literal["train", "valid", "test"] = Field("test", description="Split to explain.")
    runs: Path = Field(Path("runs"), description="Where to look for the newest run.")
    method: Literal[
        "gradcam",
        "gradcam++",
        "hirescam",
        "layercam",
        "xgradcam",
        "eigencam",
        "integrated-gradients",
        "occlusion",
    ] = Field("gradcam", description="How maps are made.")
    layer: str | None = Field(
        None, description="Module to explain; the last one with a spatial grid if not set."
    )
    tiles: int = Field(200, ge=1, description="Tiles to explain, drawn evenly from the classes.")
    center_px: int = Field(32, ge=1, description="Side of the center box of the attention share.")
    box: str | None = Field(
        None, description="Another region of all tiles: LEFT,TOP,RIGHT,BOTTOM in pixels."
    )
    audit: bool = Field(False, description="Test if the maps are faithful and sane; minutes.")
    audit_tiles: int = Field(48, ge=4, description="Tiles to audit.")
    evidence: Literal["center", "box", "tissue", "nuclei", "tumor"] | None = Field(
        None, description="Region that decides the class; what the data tell if not set."
    )
    shuffled_run: Path | None = Field(
        None,
        description="Audit: run of histo train --shuffle-labels, whose maps must differ.",
    )
    slides: Path | None = Field(
        None, description="Explain no split: map the scores over a slide, or a folder of them."
    )
    pictures: int = Field(8, ge=1, description="Rows of gradcam_analysis.png.")
    batch_size: int = Field(32, ge=1, description="Tiles per batch.")


class ExportSettings(SourceSection):
    """``[export]``."""

    to: Literal["both", "onnx", "pt2"] = Field(
        "both", description="What to write: ONNX (needs the extra export), torch.export's, or both."
    )
    output: Path | None = Field(None, description="Folder to write; RUN/export if not set.")
    runs: Path = Field(Path("runs"), description="Where to look for the newest run.")
    data: Path | None = Field(
        None, description="Data set to check on; the one the run was trained on if not set."
    )
    split: Literal["train", "valid", "test"] | None = Field(
        None, description="Split to check on; valid, or train where folds left none, if not set."
    )
    tiles: int = Field(1000, ge=1, description="Tiles to check on, drawn evenly.")
    workers: int | None = Field(None, ge=1, description="Decoding threads; one a core if not set.")
    overwrite: bool = Field(False, description="Replace an earlier export.")


class EnsembleSettings(Section):
    """``[ensemble]``."""

    name: str | None = Field(None, description="Run name; ensemble and time if not set.")
    runs: Path = Field(Path("runs"), description="Folder of the runs.")
    operating_point: str = Field(
        "youden", description="Threshold of two classes, as in train; chosen anew for the mean."
    )
    calibration: Literal["temperature", "platt", "isotonic", "none"] = Field(
        "temperature", description="How the mean is calibrated on the validation split."
    )
    overwrite: bool = Field(False, description="Replace a run of the same name.")


class ArchSettings(Section):
    """``[arch]``."""


class ReportSettings(Section):
    """``[report]``."""

    runs: Path = Field(Path("runs"), description="Where to look for runs when none is named.")
    output: Path | None = Field(
        None, description="HTML file; report.html in the run, or in runs/comparisons for several."
    )
    format: Literal["html", "table", "markdown", "latex", "csv", "json"] = Field(
        "html", description="html writes the page; the others print, and write nothing."
    )


class DemoSettings(Section):
    """``[demo]``."""

    tiles: int = Field(600, ge=60, le=1_000_000, description="Tiles to make.")
    task: Literal["binary", "multiclass"] = Field("binary", description="Two classes, or more.")
    tile_size_px: int = Field(96, ge=64, le=512, description="Side of a tile.")
    overwrite: bool = Field(False, description="Write into a folder that is not empty.")


class DoctorSettings(Section):
    """``[doctor]``."""

    folder: Path = Field(Path(), description="Folder of the work: its disk is measured.")


class BenchSettings(DeviceSection):
    """``[bench]``."""

    tiles: int = Field(256, ge=16, description="Tiles to measure with.")
    seconds: float = Field(1.0, gt=0, description="Seconds to measure a stage, about.")
    arch: str = Field("efficientnet", description="Network of the forward pass.")
    input_size_px: int | None = Field(
        None, ge=32, description="Side that tiles are resized to; the network's if not set."
    )
    batch_size: int = Field(64, ge=1, description="Tiles per batch.")


class DataDescribeSettings(SourceSection):
    """``[data_describe]``."""

    sample: int = Field(
        500, ge=1, description="Tiles to decode for sizes and damage, drawn evenly."
    )
    workers: int | None = Field(None, ge=1, description="Decoding threads; one a core if not set.")


class DataIndexSettings(SourceSection):
    """``[data_index]``."""

    output: Path | None = Field(None, description="Index to write; SOURCE-index.csv if not set.")
    verify: bool = Field(False, description="Write nothing; name what changed since the index.")
    without_pixels: bool = Field(False, description="Hash the files only, decode no tile.")
    overwrite: bool = Field(False, description="Replace the index.")
    workers: int | None = Field(None, ge=1, description="Threads; one a core if not set.")


class DataFetchSettings(Section):
    """``[data_fetch]``."""

    output: Path | None = Field(None, description="Folder to fetch to; data/NAME if not set.")
    mirror: str | None = Field(
        None, description="Address to fetch from in place of the publisher's."
    )


class HistoSettings(BaseSettings):
    """All sections; a command receives its own, never this object."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    normalize: NormalizeSettings = NormalizeSettings()
    qc: QcSettings = QcSettings()
    train: TrainSettings = TrainSettings()
    predict: PredictSettings = PredictSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    explain: ExplainSettings = ExplainSettings()
    ensemble: EnsembleSettings = EnsembleSettings()
    export: ExportSettings = ExportSettings()
    arch: ArchSettings = ArchSettings()
    report: ReportSettings = ReportSettings()
    demo: DemoSettings = DemoSettings()
    doctor: DoctorSettings = DoctorSettings()
    bench: BenchSettings = BenchSettings()
    data_describe: DataDescribeSettings = DataDescribeSettings()
    data_index: DataIndexSettings = DataIndexSettings()
    data_fetch: DataFetchSettings = DataFetchSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line over environment over ``histo.toml``; no dotenv, no secret files."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
