"""What this package says of arrays of any library that follows the Python array API."""

from typing import Any, TypeAlias

import array_api_compat

# NumPy, torch and CuPy arrays have no common base class; the array API is their contract.
Array: TypeAlias = Any
Namespace: TypeAlias = Any


def namespace_of(*arrays: Array) -> Namespace:
    """The array-API namespace of some arrays; Python numbers are passed over."""
    return array_api_compat.array_namespace(*arrays)


def device_of(array: Array) -> Any:
    """The device that an array lies on."""
    return array_api_compat.device(array)
