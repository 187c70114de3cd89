"""Whether CuPy and torch work on the same memory of a GPU."""

from importlib.util import find_spec
from pathlib import Path

from histocli.doctor.finding import Finding, note, ok, problem

INSTALL = "pip install 'histocli[gpu]' (CUDA 12) or 'histocli[gpu-cu13]' (CUDA 13)"


def check_shared_memory(folder: Path) -> list[Finding]:
    """Hand a tensor to CuPy, compile and run a kernel on it there, and read the result in torch."""
    del folder
    import torch

    if not torch.cuda.is_available():
        return [note("CuPy", "not needed without a GPU")]
    if find_spec("cupy") is None:
        return [note("CuPy", "not installed: torch normalizes on the GPU, more slowly", INSTALL)]
    try:
        return [_exchange()]
    except Exception as error:  # noqa: BLE001 - a CuPy without its libraries raises of many kinds
        return [problem("CuPy", f"{type(error).__name__}: {error}", INSTALL)]


def _exchange() -> Finding:
    import cupy
    import torch

    tensor = torch.arange(1024, dtype=torch.float32, device="cuda")
    array = cupy.from_dlpack(tensor)
    increase = cupy.ElementwiseKernel("float32 x", "float32 y", "y = x + 1", "histo_doctor")
    increase(array, array)
    cupy.cuda.runtime.deviceSynchronize()
    shared = array.data.ptr == tensor.data_ptr()
    expected = torch.arange(1, 1025, dtype=torch.float32, device="cuda")
    if not shared or not bool((tensor == expected).all()):
        return problem("CuPy", "CuPy and torch do not see the same memory", INSTALL)
    runtime = cupy.cuda.runtime.runtimeGetVersion()
    return ok(
        "CuPy",
        f"{cupy.__version__} (CUDA {runtime // 1000}.{runtime % 1000 // 10}) and torch "
        f"(CUDA {torch.version.cuda}) share memory",
    )
