"""A small vision transformer for tiles of any size."""

from histocli.models.architectures.architecture import Architecture
from histocli.models.architectures.timm_model import timm_architecture
from histocli.models.architectures.token_classifier import TokenClassifier

TIMM_NAME = "vit_small_patch16_224"
INPUT_SIZE_PX = 160


def vit() -> Architecture:
    """ViT-S/16: 21.7 million parameters, ImageNet-21k weights under Apache-2.0.

    Patches of 16 px divide every side that a recipe chooses; the position embedding is interpolated to
    it. It costs four times what ``efficientnet`` does, and wants its weights: without them, on some
    thousand tiles, a transformer learns little.
    """
    plain = timm_architecture(TIMM_NAME)

    def build(classes: int) -> TokenClassifier:
        import timm  # heavy: only when a network is wanted

        backbone = timm.create_model(
            TIMM_NAME, num_classes=0, global_pool="token", dynamic_img_size=True
        )
        return TokenClassifier(backbone, "class", classes)

    return Architecture(
        name="vit",
        build=build,
        timm_name=TIMM_NAME,
        input_size_px=INPUT_SIZE_PX,
        mean=plain.mean,
        std=plain.std,
        head="head",
        backbone="backbone",
        published=plain.published,
    )
