"""Where networks and kernels can run."""

from pathlib import Path

from histocli.doctor.finding import Finding, note, ok, problem

NVIDIA_DEVICES = "nvidia[0-9]*"


def check_devices(folder: Path) -> list[Finding]:
    """Cores, GPUs of torch, and GPUs that the system shows and torch does not."""
    del folder
    import torch

    from histocli.stain.cores import available_cores

    found = [ok("cpu", f"cores: {available_cores()}, threads of torch: {torch.get_num_threads()}")]
    if torch.backends.mps.is_available():
        found.append(ok("mps", "Apple GPU: choose --device mps"))
    if torch.cuda.is_available():
        return found + [_cuda_device(number) for number in range(torch.cuda.device_count())]
    if any(Path("/dev").glob(NVIDIA_DEVICES)):
        return [*found, _unused(torch.version.cuda)]
    return [*found, note("cuda", "no NVIDIA GPU: everything works, training is slower")]


def _cuda_device(number: int) -> Finding:
    """One GPU, after it has computed something."""
    import torch

    properties = torch.cuda.get_device_properties(number)
    free, total = torch.cuda.mem_get_info(number)
    name = f"cuda:{number}"
    facts = (
        f"{properties.name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free, "
        f"compute capability {properties.major}.{properties.minor}"
    )
    try:
        answer = float(torch.ones(8, device=name).sum())
    except RuntimeError as error:
        fix = "install a torch that was built for this GPU: https://pytorch.org/get-started/locally"
        return problem(name, f"{facts}; it does not compute ({error})", fix)
    if answer != 8:
        return problem(name, f"{facts}; 8 ones add up to {answer}", "have the GPU examined")
    return ok(name, facts)


def _unused(built_for: str | None) -> Finding:
    if built_for is None:
        return problem(
            "cuda",
            "there is an NVIDIA GPU, and this torch is built for the CPU alone",
            "pip install --force-reinstall torch torchvision, from an index with CUDA builds",
        )
    return problem(
        "cuda",
        f"there is an NVIDIA GPU, and torch (CUDA {built_for}) does not see it",
        "compare `nvidia-smi` with the driver below; unset CUDA_VISIBLE_DEVICES if it is empty",
    )
