"""Whether the bodies of the stain core give on this machine what the definition gives."""

from pathlib import Path

from histocli.doctor.finding import Finding, problem


def check_kernel_parity(folder: Path) -> list[Finding]:
    """Normalise the golden tile by every body that this machine can use, and compare."""
    del folder
    import torch

    from histocli.doctor.golden import arithmetic, golden_tile
    from histocli.stain import MacenkoNormalizer
    from histocli.stain.backends import automatic_backend

    truth = MacenkoNormalizer(backend="numpy").normalize(golden_tile())
    bodies = ["cpu", "torch"]
    if torch.cuda.is_available() and automatic_backend("cuda") == "cuda":
        bodies.append("cuda")
    return [arithmetic(truth.stain_matrices[0]), *(_compared(name) for name in bodies)]


def _compared(body: str) -> Finding:
    """One body's finding, also where it does not compile."""
    from histocli.doctor.golden import agreement, golden_tile
    from histocli.stain import MacenkoNormalizer
    from histocli.stain.arrays import to_numpy

    tile = golden_tile()
    truth = MacenkoNormalizer(backend="numpy").normalize(tile).tiles
    try:
        tiles = to_numpy(MacenkoNormalizer(backend=body).normalize(tile).tiles)
    except Exception as error:  # noqa: BLE001 - compilers and drivers raise of many kinds
        met = f"does not run ({type(error).__name__}: {error})"
        advice = f"choose --backend {'torch' if body != 'torch' else 'cpu'}"
        return problem(f"{body} kernels", met, advice)
    return agreement(body, tiles, truth)
