"""The NVIDIA driver, and whether it is new enough for the CUDA of torch and of CuPy."""

import ctypes
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from histocli.doctor.finding import Finding, note, ok, problem

# By the major version of CUDA: the first driver that knows it.
FIRST_DRIVERS: Mapping[int, str] = {12: "525", 13: "580"}
CUPY_WHEELS: Mapping[str, int] = {"cupy-cuda12x": 12, "cupy-cuda13x": 13}


def check_driver(folder: Path) -> list[Finding]:
    """The CUDA version that the driver knows, beside those that packages are built for."""
    del folder
    import torch

    known = driver_cuda_version()
    if known is None:
        return [note("driver", "no NVIDIA driver")]
    wanted = dict(_installed_cupy())
    if torch.version.cuda:
        wanted["torch"] = int(torch.version.cuda.partition(".")[0])
    return [ok("driver", f"knows CUDA {known[0]}.{known[1]}"), *too_old(known[0], wanted)]


def driver_cuda_version() -> tuple[int, int] | None:
    """Newest CUDA that the driver knows, as major and minor; None without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    number = ctypes.c_int()
    if driver.cuDriverGetVersion(ctypes.byref(number)):
        return None
    return number.value // 1000, number.value % 1000 // 10


def too_old(driver_major: int, wanted: Mapping[str, int]) -> list[Finding]:
    """A problem for each package that is built for a newer CUDA than the driver's."""
    return [
        problem(
            package,
            f"built for CUDA {major}, and the driver knows CUDA {driver_major}",
            f"install driver {FIRST_DRIVERS.get(major, 'of that CUDA')} or later, or a build of "
            f"{package} for CUDA {driver_major}",
        )
        for package, major in wanted.items()
        if major > driver_major
    ]


def _installed_cupy() -> dict[str, int]:
    found = {}
    for wheel, major in CUPY_WHEELS.items():
        try:
            version(wheel)
        except PackageNotFoundError:
            continue
        found[wheel] = major
    return found
