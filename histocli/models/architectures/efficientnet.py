"""EfficientNet-Lite0 with a head made for histology."""

from torch import Tensor, nn

from histocli.models.architectures.architecture import Architecture
from histocli.models.architectures.timm_model import timm_architecture

TIMM_NAME = "tf_efficientnet_lite0"
FEATURES = 1280
INPUT_SIZE_PX = 160
DROPOUT = 0.2
# Stem and two stages: to learn all is more work, and no better beyond chance (benchmarks/ablation.py).
KEPT_STAGES = 3
# There, too: 3e-4 learns too little in so few steps, and 2e-3 is hardly better, so the smaller of the two.
LEARNING_RATE = 1e-3


class EvidenceHead(nn.Module):
    """Every place of the feature map votes for each class; a tile's logits are the mean of the votes.

    A photograph is classified as a whole; a tile is called tumor for the nuclei in it, so the evidence
    is local and adds up. Voting before averaging keeps it so: ``votes`` is the exact decomposition of
    the logits over the tile, which is what an attention map of this network shows. The votes start at
    zero, so that training starts from even odds and the pretrained features are not shaken.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        from timm.layers import SelectAdaptivePool2d  # heavy: only when a network is wanted

        # Whole features are dropped, at every place alike: places share what they know.
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(features, classes, kernel_size=1)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type] # it has a bias
        self.pooling: nn.Module = SelectAdaptivePool2d(pool_type="fast", flatten=True)

    def votes(self, features: Tensor) -> Tensor:
        """From a feature map ``(N, C, H, W)`` to votes ``(N, K, H, W)``."""
        votes: Tensor = self.classifier(self.dropout(features))
        return votes

    def forward(self, features: Tensor) -> Tensor:
        """From a feature map to logits ``(N, K)``."""
        logits: Tensor = self.pooling(self.votes(features))
        return logits


class HistologyEfficientNet(nn.Module):
    """EfficientNet-Lite0's features under a ``EvidenceHead``."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        import timm  # heavy: only when a network is wanted

        self.backbone: nn.Module = timm.create_model(TIMM_NAME, num_classes=0, global_pool="")
        self.head = EvidenceHead(FEATURES, classes)

    def pooled_features(self, tiles: Tensor) -> Tensor:
        """What the votes are cast on, averaged over the tile: ``(N, F)``."""
        features: Tensor = self.head.pooling(self.backbone(tiles))
        return features

    def get_classifier(self) -> nn.Module:
        """The layer that votes, as timm's networks name theirs."""
        return self.head.classifier

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
        published=plain.published,
        kept_stages=KEPT_STAGES,
        learning_rate=LEARNING_RATE,
    )
