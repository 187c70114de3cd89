"""Vision transformers as the library transformers names their tensors, under timm's names."""

import re

import torch
from torch import Tensor

from histocli.models.architectures.architecture import Tensors

# Of ViTModel and of Dinov2Model; what a block holds comes after its number. The first that ends a name
# counts, so "attention.output.dense" stands before "output.dense".
OUTSIDE = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.register_tokens": "reg_token",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "layernorm": "norm",
}
INSIDE = {
    "attention.output.dense": "attn.proj",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "norm1": "norm1",
    "norm2": "norm2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "mlp.weights_in": "mlp.fc1",
    "mlp.weights_out": "mlp.fc2",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}
BLOCK = re.compile(r"encoder\.layer\.(\d+)\.(.+)")
ATTENTION = "attention.attention."
PARTS = ("query", "key", "value")


def timm_names(tensors: Tensors) -> dict[str, Tensor]:
    """Rename tensors; query, key and value become one matrix. What timm does not have is left out."""
    renamed: dict[str, Tensor] = {}
    joined: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        block = BLOCK.search(name)
        if block is None:
            known = _known(name, OUTSIDE)
            if known is not None:
                renamed[known] = tensor
            continue
        number, inside = block.groups()
        if inside.startswith(ATTENTION):
            part, kind = inside.removeprefix(ATTENTION).split(".")
            joined.setdefault((number, kind), {})[part] = tensor
            continue
        known = _known(inside, INSIDE)
        if known is not None:
            renamed[f"blocks.{number}.{known}"] = tensor
    for (number, kind), parts in joined.items():
        if set(parts) == set(PARTS):
            whole = torch.cat([parts[part] for part in PARTS])
            renamed[f"blocks.{number}.attn.qkv.{kind}"] = whole
    return renamed


def _known(name: str, table: dict[str, str]) -> str | None:
    """The new name of a tensor; the model as a whole may stand before the old one."""
    stem, _, kind = name.rpartition(".")
    for old, new in table.items():
        if name == old or name.endswith(f".{old}"):
            return new
        if kind in ("weight", "bias") and (stem == old or stem.endswith(f".{old}")):
            return f"{new}.{kind}"
    return None
