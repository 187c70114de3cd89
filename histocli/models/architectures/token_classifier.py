"""A vision transformer under a linear layer, which reads the tokens as the transformer's authors do."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

Pooling = Literal["class", "class+mean"]


class TokenClassifier(nn.Module):
    """Class token, or class token and mean of the patches' tokens, under a linear layer.

    Args:
        backbone: A vision transformer of timm.
        pooling: What of the tokens is read. Registers are never.
        classes: Number of logits.
    """

    def __init__(self, backbone: nn.Module, pooling: Pooling, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        # timm's transformers state these; torch's modules do not.
        transformer: Any = backbone
        self.other_tokens = int(transformer.num_prefix_tokens)
        width = int(transformer.embed_dim)
        self.head = nn.Linear(width if pooling == "class" else 2 * width, classes)
        # Even odds at first, so that the pretrained features are not shaken.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def pooled_features(self, tiles: Tensor) -> Tensor:
        """From standardised tiles to ``(N, F)``."""
        transformer: Any = self.backbone
        tokens: Tensor = transformer.forward_features(tiles)
        class_token = tokens[:, 0]
        if self.pooling == "class":
            return class_token
        return torch.cat([class_token, tokens[:, self.other_tokens :].mean(dim=1)], dim=1)

    def get_classifier(self) -> nn.Module:
        """The layer that classifies, as timm's networks name theirs."""
        return self.head

    def forward(self, tiles: Tensor) -> Tensor:
        """Logits of standardised tiles."""
        logits: Tensor = self.head(self.pooled_features(tiles))
        return logits
