"""histocli: classify cancer from H&E histopathology tiles.

The command line is ``histo``. From Python, this module opens data sets and trained models, and
``histocli.stain`` normalizes stains; nothing heavy is imported before it is used.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from histocli.data.tiles import TileSource
    from histocli.models.classifier import ModelCard, TileClassifier

__all__ = ["__version__", "load_model", "open_tiles"]

__version__ = "0.1.0"


def load_model(run: Path | str, device: str = "cpu") -> "tuple[TileClassifier, ModelCard]":
    """Load the best model of a run, ready to predict.

    Args:
        run: Folder of the run, such as ``runs/demo``.
        device: Where it shall compute: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        The model, which takes raw uint8 tiles ``(N, 3, H, W)`` and gives logits ``(N, K)``: stain
        normalization and preprocessing are part of it. And its card: classes, operating point,
        calibration, where its weights came from.

    Raises:
        InputError: If the folder has no whole model.

    Example:
        >>> import torch
        >>> model, card = load_model("runs/demo")
        >>> card.classes
        ('normal', 'tumor')
        >>> tiles = torch.zeros(4, 3, 96, 96, dtype=torch.uint8)
        >>> model(tiles).shape
        torch.Size([4, 2])
    """
    from histocli.models.checkpoint import load_model as load

    return load(Path(run), device)


def open_tiles(path: Path | str, layout: str | None = None) -> "TileSource":
    """Open a data set of any layout that the command line knows.

    Args:
        path: A folder, a table, an archive, a file of arrays, a slide or an image.
        layout: Name of a layout, to force one; recognised by what lies there if None.

    Returns:
        The source: ``tiles`` is the table of its tiles, ``read(i)`` decodes one to uint8 RGB ``(H, W, 3)``.

    Raises:
        InputError: If nothing there can be read.
        SettingsError: If the layout is unknown.

    Example:
        >>> source = open_tiles("data")
        >>> source.layout, len(source.tiles)
        ('class-folders', 60)
        >>> source.tiles[0].label, source.read(0).shape
        ('normal', (96, 96, 3))
    """
    from histocli.data.layouts import open_source

    return open_source(Path(path), layout)
