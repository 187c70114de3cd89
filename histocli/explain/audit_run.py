"""The audit of an explanation that was just made, with its verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from histocli.data.tiles import TileSource
from histocli.errors import SettingsError
from histocli.explain.audit import Say, audit_explanation
from histocli.explain.audit_tiles import read_audit_tiles
from histocli.explain.maps import Explainer
from histocli.explain.record import ExplainedTile
from histocli.explain.scores.skill import skill_of_decisions, skill_of_ranking
from histocli.explain.tile_regions import follows_center_rule
from histocli.explain.verdict import judge
from histocli.models.classifier import ModelCard, TileClassifier


@dataclass(frozen=True)
class AuditPlan:
    """What to audit.

    Attributes:
        tiles: How many at most.
        evidence: Region that decides the positive class; None for what the source tells: the masks of
            tumor, or the center where the labels are known to be the center's.
        shuffled: A model trained on shuffled labels.
        say: Told what is done.
    """

    tiles: int
    evidence: str | None = None
    shuffled: TileClassifier | None = None
    say: Say | None = None


def run_audit(
    explainer: Explainer,
    card: ModelCard,
    source: TileSource,
    tiles: Sequence[ExplainedTile],
    result: Mapping[str, Any],
    plan: AuditPlan,
    *,
    device: torch.device | str,
    batch_size: int,
    already_normalized: bool,
) -> dict[str, Any]:
    """Audit, and judge.

    Args:
        explainer: The model and the method.
        card: Of the model.
        source: Where the tiles are.
        tiles: All that were explained.
        result: Content of ``attention.json`` so far.
        plan: What to audit.
        device: Where the model is.
        batch_size: Tiles per pass.
        already_normalized: True if the tiles come stain-normalised from disk.

    Raises:
        SettingsError: If the region of the evidence is not known of the tiles, or the model of shuffled
            labels has other classes.
    """
    seed = int(result["seed"])
    location = _location(plan.evidence, card, source, result)
    shuffled = None
    if plan.shuffled is not None:
        if plan.shuffled.classes != card.classes:
            theirs, ours = ", ".join(plan.shuffled.classes), ", ".join(card.classes)
            raise SettingsError(
                f"the model of shuffled labels has other classes ({theirs}) than this one ({ours}); "
                "train it on the same data with shuffled labels"
            )
        shuffled = Explainer.of(plan.shuffled, explainer.method)
    chosen = read_audit_tiles(
        source,
        tiles,
        card.classes,
        plan.tiles,
        device=device,
        batch_size=batch_size,
        seed=seed,
        already_normalized=already_normalized,
    )
    audit = audit_explanation(explainer, chosen, seed=seed, shuffled=shuffled, say=plan.say)
    skill = _skill(tiles, card, seed)
    return {**audit, "skill": skill, "verdict": judge(audit, skill, location)}


def _skill(tiles: Sequence[ExplainedTile], card: ModelCard, seed: int) -> dict[str, Any]:
    labels, groups = [tile.label or "" for tile in tiles], [tile.group for tile in tiles]
    if len(card.classes) > 2:
        return skill_of_decisions(labels, [tile.predicted for tile in tiles], groups, seed)
    return skill_of_ranking(
        np.array([label == card.positive_class for label in labels]),
        np.array([tile.probability for tile in tiles]),
        groups,
        seed,
    )


def _location(
    evidence: str | None, card: ModelCard, source: TileSource, result: Mapping[str, Any]
) -> tuple[str, str, Mapping[str, Any]] | None:
    """Class, region and enrichment, where it is known that the region decides the class."""
    regions = result["regions"]
    if evidence is not None and evidence not in regions:
        raise SettingsError(
            f"--evidence {evidence}: nothing is known of such a region in these tiles; choose one of "
            f"{', '.join(regions)}"
        )
    region = evidence or _known_evidence(source, regions)
    found = regions.get(region, {}).get(card.positive_class) if len(card.classes) == 2 else None
    return (
        None
        if region is None or found is None
        else (card.positive_class, region, found["enrichment"])
    )


def _known_evidence(source: TileSource, regions: Mapping[str, Any]) -> str | None:
    if "tumor" in regions:
        return "tumor"
    return "center" if follows_center_rule(source) else None
