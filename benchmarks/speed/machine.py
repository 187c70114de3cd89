"""What it ran on, and with which versions."""

import importlib
import importlib.metadata
import importlib.util
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speed.contestants import available_cores

VERSIONS: Mapping[str, Sequence[str]] = {
    "histocli": ("histocli",),
    "numpy": ("numpy",),
    "numba": ("numba",),
    "torch": ("torch",),
    "cupy": ("cupy", "cupy-cuda12x", "cupy-cuda13x"),
    "torchstain": ("torchstain",),
    "stainx": ("stainx",),
    "torch-staintools": ("torch-staintools",),
    "kornia": ("kornia",),
    "cucim": ("cucim-cu12", "cucim-cu13", "cucim"),
}


def machine(device: str) -> dict[str, Any]:
    """Processor, cores and GPU by their makers' names."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    found: dict[str, Any] = {
        "processor": names[0] if names else platform.processor(),
        "cores": available_cores(),
    }
    if device == "cuda":
        torch = importlib.import_module("torch")
        found["gpu"] = torch.cuda.get_device_name()
        found["cuda"] = torch.version.cuda
    return found


def installed_versions() -> dict[str, str | None]:
    """Version of each package, None where there is none."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package, names in VERSIONS.items():
        found[package] = None
        for name in names:
            try:
                found[package] = importlib.metadata.version(name)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found
