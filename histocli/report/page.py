"""One self-contained HTML page: what was trained on what, how good, how sure, what to distrust."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from histocli.atomic_files import write_text
from histocli.errors import SettingsError
from histocli.plurals import counted
from histocli.report.best_of_runs import is_current
from histocli.report.difference_table import difference_table
from histocli.report.error_gallery import SHOWN_PER_KIND
from histocli.report.page_sections import run_section
from histocli.report.run_summary import RunSummary
from histocli.report.run_tiles import RunTiles
from histocli.report.tables import comparison_table
from histocli.report.wording import number

DISCLAIMER = "Research software, not a medical device: not for diagnosis or treatment decisions."
# What can be mailed. Figures share it: the first size at which all of them fit is taken.
LARGEST_PAGE = 5_000_000
FIGURE_BYTES = (1_200_000, 400_000, 150_000, 60_000, 25_000, 12_000)
# Errors of each kind in the gallery of one of several runs.
SHOWN_OF_SEVERAL = 2
# Anchor and title of each section of a run, in the order of the page.
SECTIONS: Mapping[str, str] = {
    "summary": "In plain words",
    "data": "Data",
    "training": "Training",
    "results": "Results",
    "decisions": "Decisions",
    "calibration": "Calibration",
    "analyses": "Where it fails, and what it is worth",
    "explanations": "Explanations",
    "errors": "The worst errors",
    "checklists": "Reporting checklists",
    "provenance": "Provenance",
}


def write_page(
    summaries: Sequence[RunSummary],
    output: Path,
    comparison: Mapping[str, Any] | None = None,
    tiles: Mapping[Path, RunTiles] | None = None,
) -> Path:
    """Write the report of one or more runs.

    Args:
        summaries: From ``collect_run``; several are compared first.
        output: The HTML file.
        comparison: The content of ``comparison.json`` of several runs, where there is one.
        tiles: Tiles to show, by folder of the run.

    Returns:
        ``output``.

    Raises:
        InputError: If a figure of a run is damaged (the message names it).
        SettingsError: If the page of so many runs would be too large with the smallest figures.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    folder = resources.files("histocli.report")
    source = folder.joinpath("template.html").read_text("utf-8")
    # Ours, without anything from data: the only text that is not escaped.
    script = Markup(folder.joinpath("page.js").read_text("utf-8"))  # noqa: S704 - shipped with the package
    alone = len(summaries) == 1
    template = environment.from_string(source)
    for largest_bytes in FIGURE_BYTES:
        page = template.render(
            title=summaries[0].name if alone else f"{len(summaries)} runs compared",
            disclaimer=DISCLAIMER,
            comparison=None if alone else comparison_table(summaries, comparison=comparison),
            differences=difference_table(comparison)
            if comparison is not None and not alone and is_current(comparison, summaries)
            else None,
            runs=[
                run_section(
                    each,
                    (tiles or {}).get(each.path, RunTiles()),
                    shown_errors=SHOWN_PER_KIND if alone else SHOWN_OF_SEVERAL,
                    largest_bytes=largest_bytes,
                )
                for each in summaries
            ],
            script=script,
            sections=SECTIONS,
        )
        size = len(page.encode())
        if size < LARGEST_PAGE:
            write_text(output, page)
            return output
    raise SettingsError(
        f"{output}: a page of {counted(len(summaries), 'run')} would have {size / 1e6:.1f} MB, more than "
        "can be mailed; name fewer runs, or print their tables by --format markdown"
    )
