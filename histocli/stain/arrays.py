"""What this package says of arrays of any library that follows the Python array API."""

from typing import Any, TypeAlias

import array_api_compat
import numpy as np
from numpy.typing import NDArray

# NumPy, torch and CuPy arrays have no common base class; the array API is their contract.
Array: TypeAlias = Any
Namespace: TypeAlias = Any


def namespace_of(*arrays: Array) -> Namespace:
    """The array-API namespace of some arrays; Python numbers are passed over."""
    return array_api_compat.array_namespace(*arrays)


def device_of(array: Array) -> Any:
    """The device that an array lies on."""
    return array_api_compat.device(array)


def take_along_last(values: Array, places: Array) -> Array:
    """Elements of the last axis, by place."""
    if array_api_compat.is_torch_array(values):
        # torch's take_along_dim fixes the number of tiles in an exported graph.
        return values.gather(-1, places)
    return namespace_of(values).take_along_axis(values, places, axis=-1)


def wide_float(array: Array) -> Any:
    """float64; float32 where the device has nothing wider (Apple's MPS)."""
    xp = namespace_of(array)
    return xp.float32 if str(device_of(array)).startswith("mps") else xp.float64


def to_numpy(array: Array) -> NDArray[Any]:
    """Copy to the host where needed."""
    if array_api_compat.is_torch_array(array):
        return np.asarray(array.detach().cpu())
    if array_api_compat.is_cupy_array(array):
        return np.asarray(array.get())
    return np.asarray(array)
