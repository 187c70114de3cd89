"""The defaults on real tiles: sound tissue passes, what shows none does not."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from histocli.data.layouts import open_source
from histocli.qc.measures import measure_tiles
from histocli.qc.thresholds import Thresholds
from histocli.qc.verdict import RELATIVE_MEASURES, Verdict, judge

SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def real_source(name: str) -> Path:
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"real tiles are absent ({name}); they are not part of the project")
    return folder


def measures_of(pixels: NDArray[np.uint8]) -> dict[str, list[float]]:
    return measure_tiles(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def verdicts_of(
    pixels: NDArray[np.uint8], beside: NDArray[np.uint8] | None = None
) -> list[Verdict]:
    """Of tiles alone, or beside others of their data set."""
    measures = measures_of(pixels)
    if beside is not None:
        usual = measures_of(beside)
        for relative, name in RELATIVE_MEASURES.items():
            quartile = np.nanpercentile(usual[name], 75)
            measures[relative] = [float(value / quartile) for value in measures[name]]
    names = list(measures)
    return [
        judge(dict(zip(names, row, strict=True)), Thresholds())
        for row in zip(*measures.values(), strict=True)
    ]


def evenly(folder: Path, count: int) -> tuple[list[str], NDArray[np.uint8]]:
    source = open_source(folder)
    chosen = np.unique(np.linspace(0, len(source.tiles) - 1, count).astype(int))
    pixels = np.stack([source.read(int(index)) for index in chosen])
    return [source.tiles[int(index)].id for index in chosen], pixels


@pytest.mark.parametrize(("name", "highest"), [("pcam", 0.035), ("lc25000", 0.005)])
def test_few_real_tiles_fail(name: str, highest: float) -> None:
    _, pixels = evenly(real_source(name), 400 if name == "pcam" else 200)
    failed = [verdict for verdict in verdicts_of(pixels) if verdict.reasons]
    assert len(failed) <= highest * len(pixels)


def test_of_kather_hardly_any_but_empty_and_unclear_tiles_fail() -> None:
    names, pixels = evenly(real_source("kather2016_sample"), 100)
    reasons = {n: v.reasons for n, v in zip(names, verdicts_of(pixels), strict=True) if v.reasons}
    tissue = {name: found for name, found in reasons.items() if not name.startswith("08_EMPTY")}
    assert len(reasons) - len(tissue) >= 9
    # Out of focus; a black-stained crowd of lymphocytes; blood alone; a septum of fat without a nucleus.
    assert "blur" in tissue.pop("04_LYMPHO/image_23_label_3.png")
    assert set(tissue) <= {
        "04_LYMPHO/image_67_label_3.png",
        "05_DEBRIS/image_88_label_4.png",
        "07_ADIPOSE/image_90_label_6.png",
    }


@pytest.mark.parametrize(
    ("tile", "reason"),
    [
        ("train/0/patch0006603.jpg", "background"),
        ("train/0/patch0016669.jpg", "unsaturated"),
        ("train/0/patch0011338.jpg", "blur"),
        ("train/0/patch0020037.jpg", "black_edge"),
        ("valid/0/patch0031120.jpg", "dark"),
        ("test/0/patch0000574.jpg", "background"),
        ("train/0/patch0012545.jpg", "pen"),
        ("test/0/patch0000461.jpg", "pen"),
        ("train/1/patch0010956.jpg", "fold"),
    ],
)
def test_known_bad_tiles_of_pcam_fail_for_the_right_reason(tile: str, reason: str) -> None:
    path = real_source("pcam") / tile
    pixels = np.asarray(Image.open(path))[None]
    assert reason in verdicts_of(pixels)[0].reasons


@pytest.mark.parametrize("name", ["pcam", "lc25000", "kather2016_sample"])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_real_tiles_out_of_focus_are_found_noise_or_not(name: str, noise: float) -> None:
    _, pixels = evenly(real_source(name), 60)
    generator = np.random.default_rng(0)
    sound = np.array([not verdict.reasons for verdict in verdicts_of(pixels)])
    blurred = np.stack(
        [
            np.asarray(Image.fromarray(tile).filter(ImageFilter.GaussianBlur(3)))
            for tile in pixels[sound]
        ]
    )
    noisy = blurred + noise * generator.standard_normal(blurred.shape)
    found = verdicts_of(np.clip(np.round(noisy), 0, 255).astype(np.uint8))
    assert np.mean(["blur" in verdict.reasons for verdict in found]) > 0.95


@pytest.mark.parametrize(("name", "least"), [("pcam", 0.95), ("lc25000", 0.7)])
def test_a_blur_of_one_pixel_is_found_beside_the_data_set(name: str, least: float) -> None:
    _, pixels = evenly(real_source(name), 120 if name == "pcam" else 60)
    sound = np.array([not verdict.reasons for verdict in verdicts_of(pixels, pixels)])
    assert sound.mean() > 0.95
    blurred = np.stack(
        [
            np.asarray(Image.fromarray(tile).filter(ImageFilter.GaussianBlur(1)))
            for tile in pixels[sound]
        ]
    )
    found = verdicts_of(blurred, pixels)
    assert np.mean(["blur" in verdict.reasons for verdict in found]) > least


@pytest.mark.parametrize(
    ("factor", "reason", "least"),
    [(0.2, "under_stained", 0.6), (0.3, "under_stained", 0.3), (3.0, "over_stained", 0.3)],
)
def test_stains_of_another_strength_are_found_in_part(
    factor: float, reason: str, least: float
) -> None:
    _, pixels = evenly(real_source("pcam"), 120)
    light = 240 * ((pixels + 1.0) / 240) ** factor - 1
    found = verdicts_of(np.clip(np.round(light), 0, 255).astype(np.uint8))
    assert np.mean([reason in verdict.reasons for verdict in found]) > least
