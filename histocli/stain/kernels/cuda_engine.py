"""Where the CUDA kernels of macenko.cu run, and the numbers that they and the host agree on."""

import functools
import importlib.resources
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from histocli.stain.arrays import Array, Namespace
from histocli.stain.conventions import Convention
from histocli.stain.optical_density import density_table
from histocli.stain.reference import StainReference
from histocli.stain.status import Guards
from histocli.stain.tissue import tissue_grey_level

# Mirrored by macenko.cu: bins of a histogram, bytes of a block's own shared memory, rules of tissue.
BINS = 2048
WORK_BYTES = 20704
ALL_DARK, ANY_DARK, GIVEN = 0, 1, 2


class Engine(Protocol):
    """Where kernels run."""

    @property
    def xp(self) -> Namespace:
        """The array library."""

    @property
    def shared_bytes(self) -> int:
        """Shared memory that a block may have."""

    def upload(self, record: bytes) -> Array:
        """Bring bytes to the device."""

    def launch(self, name: str, blocks: int, threads: int, shared_bytes: int, *args: Any) -> None:
        """Start a kernel; arguments are arrays, None and NumPy scalars."""


@dataclass(frozen=True)
class CupyEngine:
    """The kernels compiled for one CUDA device."""

    device: int

    @property
    def xp(self) -> Namespace:
        """CuPy."""
        import cupy

        return cupy

    @property
    def shared_bytes(self) -> int:
        """Shared memory that a block may have."""
        return _shared_bytes(self.device)

    def upload(self, record: bytes) -> Array:
        """Bring bytes to the device."""
        return _uploaded(self.device, record)

    def launch(self, name: str, blocks: int, threads: int, shared_bytes: int, *args: Any) -> None:
        """Start a kernel on the current stream."""
        # CuPy makes no null pointer of None.
        given = tuple(np.uint64(0) if argument is None else argument for argument in args)
        with self.xp.cuda.Device(self.device):
            kernel = compiled_kernel(self.device, name)
            kernel((blocks,), (threads,), given, shared_mem=shared_bytes)


def pack_constants(convention: Convention, guards: Guards, reference: StainReference) -> bytes:
    """The kernels' Constants."""
    table = density_table(convention)
    rule, grey = GIVEN, 0
    if convention.tissue_rule != "lightness":
        rule = ALL_DARK if convention.tissue_rule == "all_channels" else ANY_DARK
        grey = tissue_grey_level(convention)
    numbers = [
        convention.angle_percentile,
        convention.concentration_percentile,
        convention.transmitted_light,
        table.min(),
        table.max(),
        guards.tissue_fraction,
        guards.tissue_pixels,
        guards.stain_angle_degrees,
        guards.widest_angle_degrees,
        guards.eigenvalue_ratio,
        guards.concentration_scale,
        guards.blank_fraction,
        guards.doubtful_angle_degrees,
        guards.doubtful_scale,
        guards.clipped_fraction,
        *np.ravel(reference.stain_matrix),
        *reference.maximum_concentrations,
    ]
    settings = np.array(numbers, np.float64).tobytes()
    return settings + np.array([grey, rule], np.int64).tobytes() + table.tobytes()


@dataclass(frozen=True)
class _Stream:
    """A stream of CUDA by its address, in the protocol that libraries share."""

    address: int

    def __cuda_stream__(self) -> tuple[int, int]:
        """Version of the protocol, and the address."""
        return 0, self.address


@contextmanager
def borrowed(tiles: Array) -> Iterator[tuple[Array, Callable[[Array], Array]]]:
    """Tiles as CuPy's on the stream that their library uses, and the way back; nothing is copied."""
    import cupy

    torch = sys.modules.get("torch")
    if torch is None or not isinstance(tiles, torch.Tensor):
        with tiles.device:
            yield tiles, lambda array: array
        return
    stream = _Stream(torch.cuda.current_stream(tiles.device).cuda_stream)
    with cupy.cuda.Device(tiles.device.index), cupy.cuda.Stream.from_external(stream):
        yield cupy.from_dlpack(tiles.contiguous()), torch.from_dlpack


@functools.cache
def compiled_kernel(device: int, name: str) -> Any:
    """A kernel of macenko.cu on a device; the first of all compiles them, within seconds."""
    kernel = _module().get_function(name)
    kernel.max_dynamic_shared_size_bytes = _shared_bytes(device) - kernel.shared_size_bytes
    return kernel


@functools.cache
def _shared_bytes(device: int) -> int:
    import cupy

    return int(cupy.cuda.Device(device).attributes["MaxSharedMemoryPerBlockOptin"])


@functools.cache
def _module() -> Any:
    import cupy

    source = importlib.resources.files(__package__).joinpath("macenko.cu").read_text()
    return cupy.RawModule(code=source, options=("-std=c++17",))


@functools.cache
def _uploaded(device: int, record: bytes) -> Any:
    # Kept for good: a kernel on another stream may still read what this one would give back.
    import cupy

    with cupy.cuda.Device(device):
        array = cupy.asarray(np.frombuffer(record, np.uint8))
        # Later uses may come from other streams.
        cupy.cuda.get_current_stream().synchronize()
    return array
