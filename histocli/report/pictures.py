"""Pictures inside the page: figures whole and small enough, tiles as photographs, all told in words."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from histocli.errors import InputError
from histocli.report.run_summary import Evaluation
from histocli.report.wording import count, estimate, percent

SHRINK_STEP = 0.85
SMALLEST_SCALE = 0.05
# Width over height.
WIDE = 1.4
# Fewer colors come before fewer pixels: a figure stays sharp.
COLORS = 256
PHOTOGRAPH_QUALITY = 90
# A confusion matrix of more classes is too long to be read aloud.
CLASSES_IN_WORDS = 5


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
        uri: Its bytes.
        text: What it shows, for those who cannot see it.
        width: In pixels.
        height: In pixels.
    """

    uri: str
    text: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        """Whether it would be too small to read in half the width of the page."""
        return self.width > WIDE * self.height


def picture(path: Path, text: str, largest_bytes: int) -> Picture:
    """Embed a PNG file; one that is too large is embedded in fewer colors, then at lower resolution.

    Args:
        path: Of the file.
        text: What it shows, for those who cannot see it.
        largest_bytes: Of the embedded picture.

    Raises:
        InputError: If it is not a whole image.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            scale = 1.0
            while len(content) > largest_bytes and scale > SMALLEST_SCALE:
                content = _scaled(image, scale)
                scale *= SHRINK_STEP
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{path}: damaged image ({error}); run the command that drew it"
        ) from error
    return _embedded(content, "png", text, (width, height))


def photograph(image: Image.Image, text: str) -> Picture:
    """Embed tiles as JPEG without chroma subsampling: stains keep their edges, and a PNG is far larger.

    Args:
        image: The tiles.
        text: What it shows, for those who cannot see it.
    """
    output = io.BytesIO()
    image.convert("RGB").save(
        output, "JPEG", quality=PHOTOGRAPH_QUALITY, subsampling=0, optimize=True
    )
    return _embedded(output.getvalue(), "jpeg", text, image.size)


def _embedded(content: bytes, kind: str, text: str, size: tuple[int, int]) -> Picture:
    encoded = base64.b64encode(content).decode("ascii")
    return Picture(f"data:image/{kind};base64,{encoded}", text, *size)


def evaluation_pictures(evaluation: Evaluation, largest_bytes: int) -> dict[str, Picture]:
    """The figures of one evaluation by name; any other PNG in its folder keeps its file name."""
    texts, split = _texts(evaluation), evaluation.split
    return {
        path.stem: picture(path, texts.get(path.stem, f"{path.stem}, {split} split"), largest_bytes)
        for path in evaluation.figures
    }


def _scaled(image: Image.Image, scale: float) -> bytes:
    width, height = (max(1, round(side * scale)) for side in image.size)
    output = io.BytesIO()
    smaller = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    smaller.quantize(COLORS).save(output, "PNG", optimize=True)
    return output.getvalue()


def _texts(evaluation: Evaluation) -> dict[str, str]:
    metrics, of = evaluation.metrics["metrics"], f"of the {evaluation.split} split"
    raw, calibrated = (
        (each.get("expected_calibration_error") or {}).get("value")
        for each in (metrics, evaluation.metrics.get("calibrated") or {})
    )
    error = "" if raw is None else f"; the mean gap is {percent(raw)}"
    error += "" if calibrated is None else f", calibrated {percent(calibrated)}"
    return {
        "roc": f"ROC curve {of}: AUROC {estimate(metrics.get('auroc'))}",
        "precision_recall": f"Precision-recall curve {of}: average precision "
        f"{estimate(metrics.get('average_precision'))}",
        "confusion_matrix": f"Confusion matrix {of}{_matrix_in_words(evaluation.metrics)}",
        "calibration": f"Reliability diagram {of}: observed share against probability{error}",
        "decision_curve": f"Decision curve {of}: net benefit against the threshold probability",
        "selective": f"Error {of} when the least certain tiles are referred",
        "subgroups": f"AUROC {of} in each subgroup, with its interval",
        "suspicious_labels": f"Tiles {of} whose labels the model doubts most",
        "stress": f"AUROC {of} against the strength of each perturbation",
    }


def _matrix_in_words(metrics: Mapping[str, Any]) -> str:
    classes = metrics["classes"]
    if len(classes) > CLASSES_IN_WORDS:
        return ""
    rows = [
        f"true {true}, "
        + ", ".join(f"{count(n)} called {name}" for n, name in zip(row, classes, strict=True))
        for true, row in zip(classes, metrics["confusion_matrix"], strict=True)
    ]
    return f": {'; '.join(rows)}"
