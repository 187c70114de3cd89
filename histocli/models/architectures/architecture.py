"""What the rest of the package needs to know of an architecture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

Triple = tuple[float, float, float]
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class PublishedWeights:
    """Weights on the Hugging Face hub.

    Attributes:
        repository: ``OWNER/NAME``.
        license: What the publisher allows.
        gated: True if an account has to accept the license first.
        rename: From the names of another library to timm's.
    """

    repository: str
    license: str
    gated: bool = False
    rename: Callable[[Tensors], dict[str, Tensor]] | None = None

    @property
    def page(self) -> str:
        """Where the license and the way to get access stand."""
        return f"https://huggingface.co/{self.repository}"


@dataclass(frozen=True)
class Architecture:
    """A recipe for a network.

    Attributes:
        name: As typed after ``--arch``.
        build: From the number of classes to a network with random weights; its forward takes
            standardised float tiles ``(N, 3, H, W)`` and gives logits.
        timm_name: The timm model whose weights fit the backbone.
        input_size_px: Side that tiles are resized to unless the user says otherwise.
        mean: Of the standardisation that the weights were trained with.
        std: Likewise.
        head: Prefix of the names of the layers that classify; ImageNet weights have their own.
        added: Parts of names of layers that timm's model does not have.
        grid_px: What its strides divide a side by.
        fixed_input_size: True if the network takes tiles of ``input_size_px`` only.
        backbone: Attribute of the network that timm's weights load into; the network itself if empty.
        published: Weights to start from; None where nobody publishes any.
        kept_stages: Stages, from the stem on, whose pretrained weights serve tissue as they are.
        learning_rate: Peak of the backbone's rate under AdamW in batches of 32.
    """

    name: str
    build: Callable[[int], nn.Module]
    timm_name: str
    input_size_px: int
    mean: Triple
    std: Triple
    head: str
    added: tuple[str, ...] = ()
    backbone: str = ""
    grid_px: int = 32
    fixed_input_size: bool = False
    published: PublishedWeights | None = None
    kept_stages: int = 0
    learning_rate: float = 3e-4
