"""`histo evaluate`."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from histocli.cli.console import Stages, Terminal, make_table
from histocli.cli.defaults import (
    analysis_request,
    comparison_folder,
    run_or_newest,
    use_settings,
)
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
from histocli.errors import SettingsError
from histocli.settings import EvaluateSettings

if TYPE_CHECKING:
    from histocli.metrics.pairing import Entrant


@with_settings("evaluate")
def evaluate(
    run: Annotated[
        list[Path] | None, typer.Argument(help="Run folders or names.", show_default="the newest")
    ] = None,
    *,
    settings: EvaluateSettings,
    terminal: Terminal,
) -> None:
    """Evaluate RUN on a split: clinical metrics, each with an interval, and figures.

    Writes predictions.csv, metrics.json and the figures to RUN/evaluation/SPLIT. The decision
    threshold is the one that training chose on the validation split. Several runs are also
    compared on the same tiles: which differences are real, in runs/comparisons.

    Examples:
      histo evaluate --split test
      histo evaluate first second third
      histo evaluate --at sensitivity=0.95 --prevalence 0.02
      histo evaluate --by stain-look,tissue --aggregate mean,max --stress --sanity
    """
    from histocli.metrics.operating_rules import parse_rules

    if settings.qc is not None and "qc" not in (settings.by or "").split(","):
        terminal.say("warning: --qc is the table of --by qc and not used without it")
    named: list[Path | None] = [*run] if run else [None]
    folders = [run_or_newest(each, settings.runs, terminal) for each in named]
    if len({folder.resolve().name for folder in folders}) < len(folders):
        raise SettingsError("runs to compare need different names; name each run once")
    # A misspelt rule shall not wait for the predictions.
    parse_rules([settings.at or ""])
    evaluated = [_evaluate_run(folder, settings, terminal) for folder in folders]
    if len(evaluated) == 1:
        terminal.result(evaluated[0].facts, *evaluated[0].blocks)
    else:
        _compare([each.entrant for each in evaluated], folders, settings, terminal)


@dataclass(frozen=True)
class _Evaluated:
    entrant: "Entrant"
    facts: dict[str, Any]
    blocks: list[Table | str]


def _evaluate_run(folder: Path, settings: EvaluateSettings, terminal: Terminal) -> _Evaluated:
    from histocli.atomic_files import remove_abandoned, write_json
    from histocli.data.loading import write_skipped
    from histocli.metrics.analyses import analyses
    from histocli.metrics.evaluate import evaluate as compute
    from histocli.metrics.pairing import Entrant
    from histocli.qc.suspicious_sheet import write_suspicious_sheet
    from histocli.report.analysis_tables import analysis_tables
    from histocli.report.class_tables import averages_table, calibration_parts_table
    from histocli.report.evaluation_table import evaluation_table
    from histocli.report.figures import evaluation_figures
    from histocli.report.tables import per_class_table
    from histocli.training.material import gather
    from histocli.training.run import open_split
    from histocli.training.use import predict_split

    with Stages(terminal) as stages:
        predictions, card, skipped = predict_split(
            folder, settings.data, settings.split, use_settings(settings), stages.begin
        )
        material = gather(
            folder,
            settings.data,
            settings.split,
            predictions,
            card,
            analysis_request(settings),
            use_settings(settings),
            stages.begin,
        )
    metrics = compute(
        predictions,
        split=settings.split,
        positive_class=card.positive_class,
        threshold=card.operating_point.get("threshold"),
        confidence=settings.confidence,
        bootstrap_samples=settings.bootstrap_samples,
        seed=settings.seed,
        proportion_interval=settings.proportion_interval,
    )
    metrics |= analyses(
        predictions,
        split=settings.split,
        positive_class=card.positive_class,
        material=material,
        confidence=settings.confidence,
        bootstrap_samples=settings.bootstrap_samples,
        seed=settings.seed,
    )
    output = folder / "evaluation" / settings.split
    remove_abandoned(output)
    if dropped := _analyses_there(output) - set(metrics):
        names = ", ".join(sorted(name.replace("_", " ") for name in dropped))
        terminal.say(f"warning: {output} had {names}; ask for it again to have it again")
    predictions.write(output / "predictions.csv")
    write_json(output / "metrics.json", metrics)
    write_skipped(output, skipped)
    figures = evaluation_figures(predictions, metrics, output)
    if settings.sanity:
        source, _ = open_split(folder, settings.data, settings.split, source_options(settings))
        doubted = metrics["sanity"]["label_noise"]["most_suspicious"]
        sheet = write_suspicious_sheet(output / "suspicious_labels.png", source, doubted)
        figures += [sheet] if sheet else []
    for warning in metrics["sanity"]["warnings"]:
        terminal.say(f"warning: {warning}")
    several = len(metrics["classes"]) > 2
    if settings.at and several:
        terminal.say("warning: --at chooses thresholds of two classes, and there are more")
    tables = [calibration_parts_table(metrics), *analysis_tables(metrics)]
    if several:
        short = (per_class_table, averages_table)
        tables = [*(make(metrics, with_intervals=False) for make in short), *tables]
    table = evaluation_table(metrics)
    blocks: list[Table | str] = []
    for each in tables:
        blocks += [make_table(each.caption, each.header, each.rows), *each.notes]
    return _Evaluated(
        Entrant(folder.resolve().name, predictions, card.positive_class),
        {**metrics, "output": output, "figures": figures, "skipped": len(skipped)},
        [
            make_table(folder.name, table.header, table.rows),
            *table.notes,
            *blocks,
            f"wrote {output}; next: histo explain, histo report",
        ],
    )


def _analyses_there(output: Path) -> set[str]:
    """What an earlier evaluation was asked for beyond the table of metrics."""
    from histocli.atomic_files import parse_json
    from histocli.metrics.analyses import ON_REQUEST

    with suppress(OSError, ValueError):
        earlier = parse_json((output / "metrics.json").read_bytes())
        return set(ON_REQUEST) & set(earlier) if isinstance(earlier, dict) else set()
    return set()


def _compare(
    entrants: Sequence["Entrant"],
    folders: list[Path],
    settings: EvaluateSettings,
    terminal: Terminal,
) -> None:
    from histocli.atomic_files import remove_abandoned, write_json
    from histocli.metrics.comparison import compare
    from histocli.report.difference_figure import difference_figure
    from histocli.report.difference_table import difference_table

    comparison = compare(
        entrants,
        split=settings.split,
        confidence=settings.confidence,
        bootstrap_samples=settings.bootstrap_samples,
        permutations=settings.bootstrap_samples,
        seed=settings.seed,
    )
    output = comparison_folder(folders, settings.runs)
    remove_abandoned(output)
    write_json(output / "comparison.json", comparison)
    figure = difference_figure(comparison, output / "differences.png")
    table = difference_table(comparison)
    terminal.result(
        {**comparison, "output": output, "figures": [figure]},
        make_table(table.caption, table.header, table.rows),
        *table.notes,
        f"wrote {output}, and evaluation/{settings.split} in each run",
    )
