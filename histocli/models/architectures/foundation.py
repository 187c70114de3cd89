"""Foundation models of pathology: what their authors say is needed to load and to use each.

Their weights are not part of this package, and each has a license of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from histocli.models.architectures.architecture import (
    Architecture,
    PublishedWeights,
    Tensors,
    Triple,
)
from histocli.models.architectures.token_classifier import Pooling, TokenClassifier
from histocli.models.architectures.transformers_names import timm_names

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
HALF: Triple = (0.5, 0.5, 0.5)
OPTIMUS_MEAN: Triple = (0.707223, 0.578729, 0.703617)
OPTIMUS_STD: Triple = (0.211883, 0.230117, 0.177517)
APACHE, MIT = "Apache-2.0", "MIT"
NO_COMMERCE_NO_DERIVATIVES = "CC-BY-NC-ND-4.0"
# All take the size that they were trained with.
SIDE_PX = 224


@dataclass(frozen=True)
class FoundationModel:
    """One published backbone.

    Attributes:
        repository: On the Hugging Face hub.
        timm_name: The model of timm that ``options`` turn into this one.
        license: As its page states it.
        options: For ``timm.create_model``.
        gated: True if an account has to accept the license first.
        packed_gate: True if its layers are gated by SiLU (SwiGLU, both halves in one matrix).
        pooling: What its authors read of the tokens.
        mean: Of its own standardisation.
        std: Likewise.
        rename: From the names of another library to timm's.
    """

    repository: str
    timm_name: str
    license: str
    options: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = True
    packed_gate: bool = False
    pooling: Pooling = "class"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    rename: Callable[[Tensors], dict[str, Tensor]] | None = None

    def build(self, classes: int) -> TokenClassifier:
        """The network with random weights."""
        import timm  # heavy: only when a network is wanted
        from timm.layers import SwiGLUPacked

        gate = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU} if self.packed_gate else {}
        backbone = timm.create_model(
            self.timm_name,
            **{"img_size": SIDE_PX, "num_classes": 0, "global_pool": "token", **gate},
            **self.options,
        )
        return TokenClassifier(backbone, self.pooling, classes)


FOUNDATION_MODELS: Mapping[str, FoundationModel] = {
    # Chen et al., Nature Medicine 2024.
    "uni": FoundationModel(
        "MahmoodLab/UNI",
        "vit_large_patch16_224",
        NO_COMMERCE_NO_DERIVATIVES,
        {"init_values": 1e-5, "dynamic_img_size": True},
    ),
    "uni2": FoundationModel(
        "MahmoodLab/UNI2-h",
        "vit_giant_patch14_224",
        NO_COMMERCE_NO_DERIVATIVES,
        {
            "depth": 24,
            "num_heads": 24,
            "embed_dim": 1536,
            "mlp_ratio": 2.66667 * 2,
            "init_values": 1e-5,
            "no_embed_class": True,
            "reg_tokens": 8,
            "dynamic_img_size": True,
        },
        packed_gate=True,
    ),
    # Vorontsov et al., Nature Medicine 2024; Zimmermann et al., arXiv 2408.00738.
    "virchow": FoundationModel(
        "paige-ai/Virchow",
        "vit_huge_patch14_224",
        APACHE,
        {"init_values": 1e-5, "mlp_ratio": 5.3375, "dynamic_img_size": True},
        packed_gate=True,
        pooling="class+mean",
    ),
    "virchow2": FoundationModel(
        "paige-ai/Virchow2",
        "vit_huge_patch14_224",
        NO_COMMERCE_NO_DERIVATIVES,
        {"init_values": 1e-5, "mlp_ratio": 5.3375, "reg_tokens": 4, "dynamic_img_size": True},
        packed_gate=True,
        pooling="class+mean",
    ),
    # Filiot et al., medRxiv 2023, and arXiv 2409.09173; published for the library transformers.
    "phikon": FoundationModel(
        "owkin/phikon",
        "vit_base_patch16_224",
        "Owkin non-commercial",
        gated=False,
        rename=timm_names,
    ),
    "phikon2": FoundationModel(
        "owkin/phikon-v2",
        "vit_large_patch16_224",
        "Owkin non-commercial",
        {"init_values": 1e-5},
        gated=False,
        rename=timm_names,
    ),
    # Saillard et al. 2024 and 2025, Bioptimus.
    "h-optimus-0": FoundationModel(
        "bioptimus/H-optimus-0",
        "vit_giant_patch14_reg4_dinov2",
        APACHE,
        {"init_values": 1e-5},
        mean=OPTIMUS_MEAN,
        std=OPTIMUS_STD,
    ),
    "h-optimus-1": FoundationModel(
        "bioptimus/H-optimus-1",
        "vit_giant_patch14_reg4_dinov2",
        NO_COMMERCE_NO_DERIVATIVES,
        {"init_values": 1e-5},
        mean=OPTIMUS_MEAN,
        std=OPTIMUS_STD,
    ),
    # Xu et al., Nature 2024.
    "gigapath": FoundationModel(
        "prov-gigapath/prov-gigapath",
        "vit_giant_patch14_dinov2",
        APACHE,
        {"patch_size": 16, "mlp_ratio": 5.33334, "init_values": 1e-5},
    ),
    # Karasikov et al., arXiv 2504.05186; published for the library transformers.
    "midnight": FoundationModel(
        "kaiko-ai/midnight",
        "vit_giant_patch14_dinov2",
        MIT,
        {"init_values": 1e-5},
        gated=False,
        pooling="class+mean",
        mean=HALF,
        std=HALF,
        rename=timm_names,
    ),
}


def foundation_architecture(name: str) -> Architecture:
    """Describe an entry of the table.

    Raises:
        KeyError: If there is none of that name.
    """
    model = FOUNDATION_MODELS[name]
    return Architecture(
        name=name,
        build=model.build,
        timm_name=model.timm_name,
        input_size_px=SIDE_PX,
        mean=model.mean,
        std=model.std,
        head="head",
        backbone="backbone",
        # Positions are learned for this size.
        fixed_input_size=True,
        published=PublishedWeights(model.repository, model.license, model.gated, model.rename),
    )


def named_by_repository(repository: str) -> str | None:
    """The entry whose weights lie in a repository, whatever the case of its letters."""
    for name, model in FOUNDATION_MODELS.items():
        if model.repository.lower() == repository.lower():
            return name
    return None
