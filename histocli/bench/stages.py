"""Every stage of the work, in its order."""

from pathlib import Path

import torch

from histocli.bench.file_stages import file_stages
from histocli.bench.material import Material
from histocli.bench.network_stages import network_stages
from histocli.bench.stage import Stage
from histocli.bench.stain_stages import stain_stages


def make_stages(
    material: Material,
    folder: Path,
    device: torch.device,
    *,
    arch: str,
    input_size_px: int | None,
    batch_size: int,
    workers: int,
) -> list[Stage]:
    """Stages of `histo normalize`, then those that only `histo predict` has.

    Args:
        material: The tiles.
        folder: On the disk to write to.
        device: Where to normalize and to predict.
        arch: Network of the forward pass.
        input_size_px: Side that it takes; its own if None.
        batch_size: Tiles per batch.
        workers: Threads that decode, encode and write.
    """
    decode, *written = file_stages(material, folder, batch_size=batch_size, workers=workers)
    return [
        decode,
        *stain_stages(material, str(device)),
        *written,
        *network_stages(material, arch, device, input_size_px),
    ]
