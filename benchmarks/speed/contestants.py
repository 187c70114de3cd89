"""Who takes part: how a contestant is opened, and the settings that are tried."""

import importlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Pixels of the batches that are tried.
BATCHES_PX: Mapping[str, Sequence[float]] = {
    "cpu": (0.15e6, 1.2e6, 4.7e6),
    "cuda": (0.15e6, 1.2e6, 4.7e6, 19e6),
}

Tiles = NDArray[np.uint8]
Normalize = Callable[[Any], Any]


@dataclass(frozen=True)
class Setting:
    """How a contestant is run: threads, tiles in a batch, compiled by torch or not."""

    threads: int
    batch: int
    compiled: bool = False


@dataclass(frozen=True)
class Contestant:
    """A body of ours, or a package.

    Attributes:
        name: In the tables.
        package: A key of ``VERSIONS``.
        form: What it is given: a key of ``FORMS``.
        open: Makes the function that normalizes a batch, for a device, compiled or not.
        devices: Where it runs.
        modules: What must be importable.
        threads: How many are tried: ``one``, ``all`` or ``each``.
        batched: Whether it takes more than one tile at a time.
        whole: Whether it is given all tiles at once, and divides them itself.
        compiles: Whether it can be compiled by torch.
        channels_last: Whether images come out as ``(N, H, W, 3)``.
    """

    name: str
    package: str
    form: str
    open: Callable[[str, bool], Normalize]
    devices: tuple[str, ...] = ("cpu", "cuda")
    modules: tuple[str, ...] = ()
    threads: str = "each"
    batched: bool = True
    whole: bool = False
    compiles: bool = False
    channels_last: bool = False

    def missing(self, device: str) -> str | None:
        """Why it cannot take part, if it cannot."""
        if device not in self.devices:
            return "runs on a GPU only" if self.devices == ("cuda",) else "runs on the CPU only"
        for module in self.modules:
            if importlib.util.find_spec(module.partition(".")[0]) is None:
                return "not installed"
            if importlib.util.find_spec(module) is None:
                return "installed without its CUDA extension"
        return None

    def settings(self, device: str, size_px: int, tiles: int) -> list[Setting]:
        """All settings to try."""
        cores = available_cores()
        doubling = [2**k for k in range(cores.bit_length()) if 2**k < cores]
        each = sorted({1, cores, *(doubling if device == "cpu" else ())})
        threads = {"one": [1], "all": [cores], "each": each}[self.threads]
        batches = [1]
        if self.batched:
            batches = sorted({min(max(1, int(p / size_px**2)), tiles) for p in BATCHES_PX[device]})
        if self.whole:
            batches = [tiles]
        compiled = (False, True) if self.compiles else (False,)
        return [Setting(t, b, c) for c in compiled for b in batches for t in threads]


def available_cores() -> int:
    """Cores of this process, whatever OMP_NUM_THREADS says: it is set here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Hold torch, BLAS, OpenMP and our compiled loops to a number of threads."""
    importlib.import_module("torch").set_num_threads(count)
    importlib.import_module("threadpoolctl").threadpool_limits(count)
    os.environ["OMP_NUM_THREADS"] = str(count)
