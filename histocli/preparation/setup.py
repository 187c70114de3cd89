"""Turn what was asked for into a normaliser, a place to work and a record."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from histocli.data.images import read_image
from histocli.errors import InputError, SettingsError
from histocli.run_record import RunRecord
from histocli.stain.normalizer import MacenkoNormalizer
from histocli.stain.reference import PUBLISHED_REFERENCE, StainReference


def make_normalizer(convention: str, backend: str, reference: Path | None) -> MacenkoNormalizer:
    """Build a normaliser; the reference is published, saved JSON, or an image to fit.

    Raises:
        InputError: If the reference cannot be used.
    """
    normalizer = MacenkoNormalizer(convention, backend)
    if reference is None:
        return normalizer
    if not reference.is_file():
        raise InputError(f"{reference}: no such reference image or JSON")
    if reference.suffix.lower() == ".json":
        fitted = StainReference.load(reference)
    else:
        image = np.ascontiguousarray(read_image(reference).transpose(2, 0, 1))
        try:
            found = normalizer.fit(image).reference
        except ValueError as error:
            raise InputError(f"{reference}: {error}") from error
        fitted = StainReference(found.stain_matrix, found.maximum_concentrations, reference.name)
    if fitted.name == PUBLISHED_REFERENCE.name and fitted != PUBLISHED_REFERENCE:
        fitted = StainReference(fitted.stain_matrix, fitted.maximum_concentrations, reference.name)
    return MacenkoNormalizer(convention, backend, fitted)


def placement(device: str, backend: str) -> tuple[str, Callable[[Any], Any]]:
    """The device to work on, and what puts a NumPy batch there.

    Raises:
        SettingsError: If the device is not there.
    """
    if backend == "numpy":
        return "cpu", np.asarray
    import torch  # heavy: only when tiles are at hand

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SettingsError("no CUDA device found; choose --device cpu, or auto")
    if device == "cpu":
        return device, np.asarray
    return device, lambda pixels: torch.from_numpy(pixels).to(device)


def make_record(
    source: Path, sha256: str, tiles: int, normalizer: MacenkoNormalizer, seed: int, device: str
) -> RunRecord:
    """Provenance of a normalisation."""
    settings = {
        "convention": normalizer.convention,
        "backend": normalizer.backend,
        "reference": normalizer.reference.name,
        "reference_values": asdict(normalizer.reference),
        "guards": asdict(normalizer.guards),
    }
    inputs = {"source": {"path": str(source), "sha256": sha256, "tiles": tiles}}
    return RunRecord("normalize", settings, inputs, seed=seed, device=device)
