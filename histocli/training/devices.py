"""Which device computes, and in which arithmetic."""

import torch

from histocli.allocation import keep_freed_memory
from histocli.errors import SettingsError


def find_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that is there.

    A process whose networks will run on the CPU keeps the memory that they free.

    Raises:
        SettingsError: If it is not.
    """
    device = _named(name)
    if device.type == "cpu":
        keep_freed_memory()
    return device


def _named(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingsError(
            f"unknown device {name!r}; choose auto, cpu, cuda, cuda:N or mps"
        ) from None
    usable = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not usable.get(device.type, False):
        raise SettingsError(
            f"device {name} is not there (CUDA devices found: {torch.cuda.device_count()}); "
            "choose --device cpu, or let --device auto choose"
        )
    return device


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """Arithmetic of the network: ``auto`` is bfloat16 on CUDA and float32 elsewhere."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name == "float16" and device.type == "cpu":
        raise SettingsError("float16 needs a GPU; choose --precision float32 or bfloat16 on a CPU")
    chosen: torch.dtype = getattr(torch, name)
    return chosen
