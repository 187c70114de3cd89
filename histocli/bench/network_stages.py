"""From pixels to logits."""

import torch
from torch import Tensor

from histocli.bench.material import Material
from histocli.bench.stage import Stage
from histocli.models.architectures import find_architecture
from histocli.models.preprocessing import PreprocessingConstants, Standardization, to_unit_range
from histocli.training.devices import find_precision

CLASSES = 2
COMMANDS = ("predict",)


def network_stages(
    material: Material, arch: str, device: torch.device, input_size_px: int | None = None
) -> list[Stage]:
    """Preprocessing and the forward pass of a network, as `histo predict` does them.

    Args:
        material: The tiles.
        arch: Name for ``find_architecture``; its weights are random, which takes as long.
        device: Where to compute.
        input_size_px: Side that tiles are resized to; the architecture's own if None.

    Raises:
        SettingsError: If the architecture is unknown.
    """
    architecture = find_architecture(arch)
    constants = PreprocessingConstants.of(architecture, input_size_px)
    standardization = Standardization(constants).to(device)
    network = architecture.build(CLASSES).eval()
    network = network.to(device).to(memory_format=torch.channels_last)
    precision = find_precision("auto", device)

    def prepare() -> list[Tensor]:
        prepared = [_prepared(batch, standardization, device) for batch in material.batches]
        _wait_for(device)
        return prepared

    def prepare_once() -> None:
        prepare()

    @torch.inference_mode()
    def forward() -> None:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            for batch in inputs:
                network(batch)
        _wait_for(device)

    # A CPU is busy with one batch for long enough.
    inputs = prepare()[: 1 if device.type == "cpu" else None]
    passed = sum(len(batch) for batch in inputs)
    side = constants.input_size_px
    return [
        Stage("prepare", f"to {side} px, {device}", COMMANDS, material.tiles, prepare_once),
        Stage("network", f"{arch}, {device}", COMMANDS, passed, forward),
    ]


def _prepared(batch: object, standardization: Standardization, device: torch.device) -> Tensor:
    tiles = standardization(to_unit_range(torch.as_tensor(batch).to(device)))
    contiguous: Tensor = tiles.contiguous(memory_format=torch.channels_last)
    return contiguous


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
