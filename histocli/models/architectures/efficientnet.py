"""EfficientNet-Lite0 with a head made for histology."""

import torch
from torch import Tensor, nn

from histocli.models.architectures.architecture import Architecture
from histocli.models.architectures.timm_model import timm_architecture

TIMM_NAME = "tf_efficientnet_lite0"
FEATURES = 1280
INPUT_SIZE_PX = 160
DROPOUT = 0.2


class HistologyHead(nn.Module):
    """Classify from the average and the maximum of each feature over the tile.

    A photograph shows one object, and its average says which. A tile is called tumor for a few nuclei
    in an otherwise normal field: the average tells the texture of the tissue, the maximum whether the
    evidence occurs at all. The last layer starts at zero, so that training starts from even odds.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(2 * features, classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Tensor) -> Tensor:
        """From a feature map ``(N, C, H, W)`` to logits."""
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


class HistologyEfficientNet(nn.Module):
    """EfficientNet-Lite0's features under a ``HistologyHead``."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        import timm  # heavy: only when a network is wanted

        self.backbone: nn.Module = timm.create_model(TIMM_NAME, num_classes=0, global_pool="")
        self.head = HistologyHead(FEATURES, classes)

    def forward(self, tiles: Tensor) -> Tensor:
        """Logits of standardised tiles."""
        logits: Tensor = self.head(self.backbone(tiles))
        return logits


def efficientnet() -> Architecture:
    """EfficientNet-Lite0: 3.4 million parameters without squeeze-and-excitation, fast on a CPU.

    Tiles are enlarged to 160 px: the stem and the four strides divide a side by 32, so a 96 px tile
    would be judged on a grid of 3x3, too coarse for nuclei of 10 px.
    """
    plain = timm_architecture(TIMM_NAME)
    return Architecture(
        name="efficientnet",
        build=HistologyEfficientNet,
        timm_name=TIMM_NAME,
        input_size_px=INPUT_SIZE_PX,
        mean=plain.mean,
        std=plain.std,
        head="head",
        backbone="backbone",
    )
