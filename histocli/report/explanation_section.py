"""What the page shows of an explanation: the audit's verdict before the maps that it judges."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from histocli.report.pictures import Picture, picture
from histocli.report.run_summary import Explanation
from histocli.report.run_tables import attention_table
from histocli.report.tables import Table

# By the names of their files: what the audit draws, told for those who cannot see it.
AUDIT_FIGURES: Mapping[str, str] = {
    "average_maps": "Attention averaged over the tiles of each class, rightly and wrongly called",
    "faithfulness": "Probability while the pixels of strongest attention are blurred or made sharp "
    "first, beside random noise, edges and the center",
    "sanity": "How much of the maps is left when layers get random weights",
}


@dataclass(frozen=True)
class ExplanationSection:
    """What the template shows of one explanation; None where it has no such part.

    Attributes:
        verdict: Of the audit, in words.
        words: How the maps were made, and how to read them.
        gradcam: Selected tiles with their maps.
        audit: The figures of the audit.
    """

    verdict: str | None
    attention: Table | None
    words: tuple[str, ...]
    gradcam: Picture | None
    audit: tuple[Picture, ...]


def explanation_section(
    explanation: Explanation | None, largest_bytes: int
) -> ExplanationSection | None:
    """Gather what the page shows of an explanation; None without one.

    Args:
        explanation: Of the run.
        largest_bytes: Of one figure; larger ones are made to fit.

    Raises:
        InputError: If a figure is damaged.
    """
    if explanation is None:
        return None
    attention, figure = explanation.attention, explanation.figure
    return ExplanationSection(
        verdict=audit_verdict(attention or {}).get("words"),
        attention=attention_table(attention) if attention else None,
        words=_words(attention) if attention else (),
        gradcam=picture(figure, _gradcam_text(attention or {}), largest_bytes) if figure else None,
        audit=tuple(
            picture(path, AUDIT_FIGURES[path.stem], largest_bytes)
            for path in explanation.audit_figures
        ),
    )


def audit_verdict(attention: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the audit says, empty where there was none.

    Args:
        attention: The content of ``attention.json``.
    """
    return (attention.get("audit") or {}).get("verdict") or {}


def _gradcam_text(attention: Mapping[str, Any]) -> str:
    chosen = (attention.get("explained") or {}).get("class")
    score = f" for the class {chosen}" if chosen else ""
    return f"Selected tiles, each beside its attention map{score} and the overlay of both"


def _words(attention: Mapping[str, Any]) -> tuple[str, ...]:
    method, layer = attention.get("method", "unknown"), attention.get("layer", "unknown")
    grid = attention.get("grid")
    of_grid = f", a grid of {' by '.join(str(each) for each in grid)}" if grid else ""
    found = [f"Method {method}, layer {layer}{of_grid}, {attention.get('tiles', 'some')} tiles."]
    center = attention.get("center_px")
    if center is not None:
        found.append(
            f"The center is the box of {center} by {center} pixels that decides the label in "
            "PatchCamelyon; elsewhere read it as a description only. Enrichment is the share inside "
            "it, divided by the share that chance would put there."
        )
    note = attention.get("note")
    return (*found, str(note)) if note else tuple(found)
