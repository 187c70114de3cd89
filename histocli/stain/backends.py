"""Which array library does the work, and how arrays get in and out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from histocli.errors import SettingsError
from histocli.stain.arrays import Array, namespace_of


@dataclass(frozen=True)
class Backend:
    """A library's way in, its way out, and its floating type (``float32`` or ``float64``)."""

    enter: Callable[[Array], Array]
    leave: Callable[[Array], Array]
    float_name: str = "float32"

    def float_type(self, array: Array) -> Any:
        """The floating type as the library names it."""
        return getattr(namespace_of(array), self.float_name)


BACKENDS: Mapping[str, str] = {
    "auto": "torch for NumPy arrays, an array's own library otherwise",
    "numpy": "float64 on the CPU: the oracle",
    "torch": "float32 on the array's device",
    "cupy": "float32 on a CUDA device",
}


def find_backend(name: str, tiles: Array) -> Backend:
    """Choose how to work on ``tiles``; the result returns in the library that they came in.

    Raises:
        SettingsError: If the backend is unknown or cannot be had.
    """
    if name not in BACKENDS:
        raise SettingsError(f"unknown stain backend {name!r}; choose one of {', '.join(BACKENDS)}")
    leave = _way_back(tiles)
    if name == "auto":
        name = "cupy" if array_api_compat.is_cupy_array(tiles) else "torch"
    if name == "numpy":
        return Backend(to_numpy, leave, "float64")
    if name == "torch":
        return Backend(_to_torch, leave)
    return Backend(_to_cupy, leave)


def to_numpy(array: Array) -> NDArray[Any]:
    """Copy to the host where needed."""
    if array_api_compat.is_torch_array(array):
        return np.asarray(array.detach().cpu())
    if array_api_compat.is_cupy_array(array):
        return np.asarray(array.get())
    return np.asarray(array)


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
            f"the cupy backend needs CuPy ({error}); install histocli[gpu] or choose --backend torch"
        ) from error
    if array_api_compat.is_torch_array(array):
        return cupy.from_dlpack(array.contiguous())
    return cupy.asarray(array)


def _way_back(tiles: Array) -> Callable[[Array], Array]:
    if array_api_compat.is_torch_array(tiles):
        device = tiles.device
        return lambda array: _to_torch(array).to(device)
    if array_api_compat.is_cupy_array(tiles):
        return _to_cupy
    return to_numpy
