"""What an architecture costs: computed from the network itself, on no device at all."""

from dataclasses import dataclass

import torch

from histocli.models.architectures import (
    ARCHITECTURES,
    FOUNDATION_MODELS,
    Architecture,
    find_architecture,
)
from histocli.models.weight_origins import at_hand

MOST_LISTED = 20


@dataclass(frozen=True)
class ArchitectureFacts:
    """One line of `histo arch`.

    Attributes:
        name: For ``--arch``.
        network: The model of timm below it.
        parameters: Numbers that are learned, for two classes.
        flops: Of one tile forward; a multiplication and an addition are two.
        input_size_px: Side that the architecture asks for.
        weights: Where ``--weights auto`` takes them from.
        license: Of those weights; empty if nobody publishes any.
        page: Where they are published; likewise.
    """

    name: str
    network: str
    parameters: int
    flops: int
    input_size_px: int
    weights: str
    license: str
    page: str


def architecture_facts(architecture: Architecture) -> ArchitectureFacts:
    """Build the network without memory for its numbers, and count."""
    from torch.utils.flop_counter import FlopCounterMode

    side = architecture.input_size_px
    with torch.device("meta"):
        network = architecture.build(2).eval()
        tile = torch.zeros(1, 3, side, side)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(tile)
    published = architecture.published
    return ArchitectureFacts(
        name=architecture.name,
        network=architecture.timm_name,
        parameters=sum(each.numel() for each in network.parameters()),
        flops=int(counter.get_total_flops()),
        input_size_px=side,
        weights=at_hand(architecture),
        license=published.license if published else "",
        page=published.page if published else "",
    )


def names_like(pattern: str | None) -> list[str]:
    """Our architectures and foundation models; or those of timm that a pattern such as ``vit*`` fits.

    Returns:
        Names; a name without a star is given back as it is.
    """
    if pattern is None:
        return [*ARCHITECTURES, *FOUNDATION_MODELS]
    if not any(sign in pattern for sign in "*?["):
        return [pattern]
    import timm  # heavy: only when its models are listed

    return list(timm.list_models(pattern))


def facts_of(names: list[str]) -> list[ArchitectureFacts]:
    """Facts of the first ``MOST_LISTED`` names.

    Raises:
        SettingsError: If there is no architecture of a name.
    """
    return [architecture_facts(find_architecture(name)) for name in names[:MOST_LISTED]]
