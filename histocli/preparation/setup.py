"""Turn what was asked for into a normaliser, a place to work and a record."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from histocli.errors import SettingsError
from histocli.preparation.references import read_reference
from histocli.run_record import RunRecord
from histocli.stain.backends import automatic_backend
from histocli.stain.batches import StainImage
from histocli.stain.context import EstimateSource, parse_chain
from histocli.stain.conventions import find_convention
from histocli.stain.cores import available_cores
from histocli.stain.normalizers import Normalizer, Reference, find_normalizer, method_name

# What may stand before the number of a device.
DEVICES = ("auto", "cpu", "cuda", "mps")


def make_normalizer(
    method: str = "macenko",
    convention: str = "torchstain",
    backend: str = "auto",
    reference: Path | None = None,
    context: str = "tile",
    *,
    fit: bool = False,
) -> Normalizer:
    """Build a normaliser; the reference is published, saved JSON, or an image to fit.

    Raises:
        InputError: If the reference cannot be used.
        SettingsError: If method, convention or context are unknown, or two references are asked for.
    """
    if fit and reference is not None:
        raise SettingsError(
            "--fit makes a reference and --reference names one; choose one of the two"
        )
    find_convention(convention)
    parse_chain(context)
    normalizer = find_normalizer(method)(convention=convention, backend=backend, context=context)
    if reference is None:
        return normalizer
    return normalizer.with_reference(read_reference(reference, normalizer))


def placement(device: str, backend: str) -> tuple[str, Callable[[Any], Any]]:
    """The device to work on, and what puts a NumPy batch there.

    Raises:
        SettingsError: If the device is not there, or the backend does not work on it.
    """
    if backend in ("cpu", "numpy") and device in ("auto", "cpu"):
        return "cpu", np.asarray
    if device == "auto" and not _has_accelerator():
        return "cpu", np.asarray
    import torch  # two seconds: only where there may be a device

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.partition(":")[0] not in DEVICES:
        raise SettingsError(f"unknown device {device!r}; choose auto, cpu, cuda, cuda:N or mps")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SettingsError("no CUDA device found; choose --device cpu, or auto")
    if device == "mps" and not torch.backends.mps.is_available():
        raise SettingsError("no Apple GPU found; choose --device cpu, or auto")
    if backend == "cuda" and not device.startswith("cuda"):
        raise SettingsError(f"the cuda backend does not work on {device}; choose --backend auto")
    if device == "cpu":
        return device, np.asarray
    return device, lambda pixels: torch.from_numpy(pixels).to(device)


def _has_accelerator() -> bool:
    """Whether the system shows a device that is worth asking torch for."""
    if sys.platform != "linux":
        return True
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def chosen_backend(normalizer: Normalizer, device: str) -> str:
    """The body that will do the work: a key of ``BACKENDS``."""
    if normalizer.backend != "auto":
        return normalizer.backend
    fused = method_name(normalizer) == "macenko"
    return automatic_backend(device.partition(":")[0]) if fused else "torch"


def describe_backend(normalizer: Normalizer, device: str) -> str:
    """The same for people: ``cpu (2 threads)``."""
    name = chosen_backend(normalizer, device)
    return f"{name} ({available_cores()} threads)" if name == "cpu" else name


def needs_context(context: str, *, fit: bool) -> bool:
    """Whether the tiles have to be looked at before the first can be normalised."""
    return fit or parse_chain(context) != (EstimateSource.TILE,)


def make_record(
    source: Path,
    sha256: str,
    tiles: int,
    normalizer: Normalizer,
    seed: int,
    device: str,
    references: Mapping[str, Reference] | None = None,
    image: StainImage = "normalized",
    to: str = "folder",
) -> RunRecord:
    """Provenance of a normalisation."""
    settings = {
        "method": method_name(normalizer),
        "convention": normalizer.convention,
        "backend": normalizer.backend,
        "context": normalizer.context,
        "image": image,
        "to": to,
        "reference": normalizer.reference.name,
        "reference_values": asdict(normalizer.reference),
        "guards": asdict(normalizer.guards),
    }
    if references:
        listed = "".join(f"{tile} {one!r}\n" for tile, one in sorted(references.items()))
        settings["references_by_tile"] = {
            "sha256": hashlib.sha256(listed.encode()).hexdigest(),
            "names": sorted({one.name for one in references.values()}),
        }
    inputs = {"source": {"path": str(source), "sha256": sha256, "tiles": tiles}}
    return RunRecord("normalize", settings, inputs, seed=seed, device=device)
