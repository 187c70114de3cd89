"""Which body does the work, and how arrays get in and out of it."""

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np

from histocli.errors import SettingsError
from histocli.stain.arrays import Array, namespace_of, to_numpy
from histocli.stain.conventions import Convention
from histocli.stain.pixels import ArrayPixels, TransformablePixels


@dataclass(frozen=True)
class Backend:
    """A body of the passes over the pixels.

    Attributes:
        name: A key of ``BACKENDS`` other than ``auto``.
        enter: Brings tiles into the body's library.
        leave: Brings results back to where the tiles came from.
        pixels: Opens tiles that have entered.
        pixels_at_once: How many are worked on at a time: bounds the memory whatever the batch.
    """

    name: str
    enter: Callable[[Array], Array]
    leave: Callable[[Array], Array]
    pixels: Callable[[Array, Convention], TransformablePixels]
    pixels_at_once: int = 2**24

    def float_type(self, array: Array) -> Any:
        """The floating type of the array-library passes."""
        return getattr(namespace_of(array), "float64" if self.name == "numpy" else "float32")


# The array library's temporaries of so many pixels stay near a CPU's cache.
IN_CACHE = 2**18

BACKENDS: Mapping[str, str] = {
    "auto": "cuda or cpu where the tiles lie, torch on any other device",
    "cpu": "compiled loops on all cores",
    "cuda": "CuPy kernels",
    "torch": "float32 on the array's device",
    "numpy": "float64 on the CPU: the definition, slow",
}


def check_backend(name: str, method: str | None = None) -> None:
    """Refuse an unknown backend, and for a method without fused bodies those.

    Raises:
        SettingsError: Listing what there is.
    """
    if name not in BACKENDS:
        raise SettingsError(f"unknown stain backend {name!r}; choose one of {', '.join(BACKENDS)}")
    if method is not None and name not in ("auto", "torch", "numpy"):
        raise SettingsError(f"{method} has no {name} body; choose the backend torch or numpy")


def find_backend(name: str, tiles: Array) -> Backend:
    """Choose how to work on ``tiles``; the result returns in the library that they came in.

    Raises:
        SettingsError: If the backend is unknown or cannot be had.
    """
    check_backend(name)
    leave = _way_back(tiles)
    if name == "auto":
        name = automatic_backend(_device_type(tiles))
    if name == "cpu":
        return Backend(name, to_numpy, leave, _cpu_pixels)
    if name == "cuda":
        return Backend(name, _to_cupy, leave, _cuda_pixels)
    if name == "numpy":
        return Backend(name, to_numpy, leave, _float64_pixels, IN_CACHE)
    at_once = IN_CACHE if _device_type(tiles) == "cpu" else 2**22
    return Backend(name, _to_torch, leave, _float32_pixels, at_once)


def find_array_backend(name: str, tiles: Array, method: str) -> Backend:
    """Like ``find_backend``, for a method without fused bodies: ``auto`` is torch.

    Raises:
        SettingsError: If a fused body is asked for.
    """
    check_backend(name, method)
    return find_backend("torch" if name == "auto" else name, tiles)


def automatic_backend(device_type: str) -> str:
    """The fastest backend for tiles on a device: ``cpu``, ``cuda``, or another that torch knows."""
    if device_type == "cpu":
        return "cpu"
    return "cuda" if device_type == "cuda" and _has_cupy() else "torch"


@functools.cache
def _has_cupy() -> bool:
    try:
        importlib.import_module("cupy")
    except ImportError:
        return False
    return True


def _device_type(tiles: Array) -> str:
    if array_api_compat.is_cupy_array(tiles):
        return "cuda"
    if not array_api_compat.is_torch_array(tiles):
        return "cpu"
    import torch  # tiles of torch: it has been imported

    # ROCm calls its devices cuda; CuPy's kernels are compiled for NVIDIA's.
    return "rocm" if torch.version.hip else str(tiles.device.type)


def _cpu_pixels(tiles: Array, convention: Convention) -> TransformablePixels:
    from histocli.stain.kernels.cpu import CpuPixels  # numba takes a second to import

    return CpuPixels.of(tiles, convention)


def _cuda_pixels(tiles: Array, convention: Convention) -> TransformablePixels:
    from histocli.stain.kernels.cuda import CudaPixels  # needs CuPy

    return CudaPixels.of(tiles, convention)


def _float64_pixels(tiles: Array, convention: Convention) -> TransformablePixels:
    return ArrayPixels.of(tiles, convention, np.float64)


def _float32_pixels(tiles: Array, convention: Convention) -> TransformablePixels:
    return ArrayPixels.of(tiles, convention, namespace_of(tiles).float32)


def _to_torch(array: Array) -> Array:
    import torch.utils.dlpack  # heavy: only when tiles are at hand

    if array_api_compat.is_torch_array(array):
        return array
    if array_api_compat.is_cupy_array(array):
        return torch.utils.dlpack.from_dlpack(array)
    # torch refuses negative strides, warns of read-only memory and reads nothing but the native order.
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _to_cupy(array: Array) -> Array:
    try:
        import cupy  # an extra: it needs a CUDA device to do anything
    except ImportError as error:
        raise SettingsError(
            f"the cuda backend needs CuPy ({error}); install histocli[gpu] or choose --backend torch"
        ) from error
    if array_api_compat.is_torch_array(array):
        return (
            cupy.from_dlpack(array.contiguous()) if array.is_cuda else cupy.asarray(array.numpy())
        )
    return cupy.asarray(array)


def _way_back(tiles: Array) -> Callable[[Array], Array]:
    if array_api_compat.is_torch_array(tiles):
        device = tiles.device
        return lambda array: _to_torch(array).to(device)
    if array_api_compat.is_cupy_array(tiles):
        return _to_cupy
    return to_numpy
