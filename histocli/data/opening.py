"""What a user may state of a source beside its path, and what of that a record keeps."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from histocli.data.layouts import open_source
from histocli.data.tiles import Configured, TileSource

SLIDES = "slides"
# A model is made for these; the rest belongs to the slides themselves.
OF_THE_MODEL = ("microns_per_pixel", "tile_size_px")


@dataclass(frozen=True)
class SourceOptions:
    """How to open a source; None leaves it to the source.

    Attributes:
        layout: A key of ``LAYOUTS``; recognised when None.
        microns_per_pixel: Resolution of the tiles of slides.
        tile_size_px: Side of the tiles of slides.
        minimum_tissue_fraction: Share of a tile of a slide that must be tissue.
        scanned_microns_per_pixel: Resolution of slides whose files do not state it.
    """

    layout: str | None = None
    microns_per_pixel: float | None = None
    tile_size_px: int | None = None
    minimum_tissue_fraction: float | None = None
    scanned_microns_per_pixel: float | None = None

    def open(self, path: Path, of_the_model: Mapping[str, Any] | None = None) -> TileSource:
        """Open whatever data set lies at ``path``.

        Args:
            path: The data set.
            of_the_model: What a model was trained with, for slides where nothing else is stated here.

        Raises:
            InputError: If nothing there can be read.
            SettingsError: If the options do not fit what lies there.
        """
        tiling = {name: value for name, value in asdict(self).items() if value is not None}
        layout = tiling.pop("layout", None)
        return open_source(path, layout, tiling, of_the_model or {})

    def over(self, recorded: Self) -> Self:
        """These options, and where nothing is stated, the recorded ones."""
        mine = {name: value for name, value in asdict(self).items() if value is not None}
        return type(self)(**{**asdict(recorded), **mine})

    @classmethod
    def recorded(cls, facts: Mapping[str, Any]) -> Self:
        """What a record says of a source: see ``facts_of``."""
        known = {field.name for field in fields(cls)} - {"layout"}
        tiling = facts.get(SLIDES) or {}
        return cls(
            facts.get("layout"), **{name: tiling[name] for name in sorted(known & set(tiling))}
        )


AS_IT_IS = SourceOptions()


def facts_of(source: TileSource) -> dict[str, Any]:
    """Of a source, what its tiles depend on beside its files: for the inputs of ``run.json``."""
    facts: dict[str, Any] = {"layout": source.layout}
    if isinstance(source, Configured):
        facts[SLIDES] = dict(source.configuration)
    return facts


def tiling_of_the_model(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Resolution and size of the tiles that a model was trained on, where they were cut from slides."""
    tiling = facts.get(SLIDES) or {}
    return {name: tiling[name] for name in OF_THE_MODEL if name in tiling}
