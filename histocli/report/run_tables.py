"""What a run was made of, as tables: data, attention, provenance, settings."""

import math
import shlex
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

from histocli.report.run_summary import RunSummary
from histocli.report.tables import Table
from histocli.report.wording import UNDEFINED, count, duration, estimate, number, percent

DIVIDED = "histo divided the data into splits; splits.csv says which tile went where."
GIVEN = "The splits are those of the data set."


def data_table(summary: RunSummary) -> Table:
    """Tiles per class and split of the data that the run was given, and groups per split."""
    splits = summary.record.results.get("splits") or {}
    groups = summary.record.results.get("groups") or {}
    names = [*summary.classes]
    names += [each for tiles in splits.values() for each in tiles if each not in names]
    rows = [[each, *(count(tiles.get(each, 0)) for tiles in splits.values())] for each in names]
    if splits:
        rows.append(["All tiles", *(count(sum(tiles.values())) for tiles in splits.values())])
    if any(split in groups for split in splits):
        rows.append(["Groups", *(_group_count(groups.get(split)) for split in splits)])
    divided = summary.record.results.get("divided_by_histo")
    notes = () if divided is None else (DIVIDED if divided else GIVEN,)
    return Table("Tiles per class and split", ("Class", *splits), rows, notes)


def training_table(summary: RunSummary) -> Table:
    """How the training went, in a few figures."""
    results, best = summary.record.results, summary.best_epoch
    seconds = results.get("seconds")
    rows = [["Epochs", count(len(summary.history))]]
    if best is not None:
        rows += [
            ["Kept epoch", count(best.epoch)],
            ["Its validation AUROC", number(best.valid_auroc, 4)],
            ["Its training loss", number(best.train_loss, 4)],
            ["Its validation loss", number(best.valid_loss, 4)],
            ["Images per second", _rate(best.images_per_second)],
        ]
    if isinstance(seconds, int | float):
        rows.append(["Duration", duration(seconds)])
    return Table("Training", ("What", "Value"), rows)


def attention_table(attention: Mapping[str, Any]) -> Table:
    """Share of the attention inside the labeled center, by true class."""
    rows = []
    for name, measured in (attention.get("groups") or {}).items():
        enrichment = number((measured.get("enrichment") or {}).get("value"), 2)
        rows.append(
            [
                str(name),
                count(measured.get("n")),
                estimate(measured.get("center_share")),
                number(measured.get("outside_share")),
                UNDEFINED if enrichment == UNDEFINED else f"{enrichment} \N{MULTIPLICATION SIGN}",
            ]
        )
    chance, ceiling = attention.get("chance_share"), attention.get("ceiling_share")
    notes = []
    if chance is not None:
        notes.append(
            f"Chance: a map that looks everywhere alike puts {percent(chance)} into the center."
        )
    if ceiling is not None:
        notes.append(
            f"Ceiling: no map as coarse as these can put more than {percent(ceiling)} there."
        )
    header = ("Class", "Tiles", "In the center", "Outside", "Enrichment")
    return Table("Where the model looks", header, rows, tuple(notes))


def quality_table(summary: RunSummary) -> Table | None:
    """What `histo qc` found in the data; None if it was not run."""
    found = summary.quality
    if found is None:
        return None
    rows = [
        ["Tiles checked", count(found.get("tiles"))],
        ["Fit to train on", count(found.get("passed"))],
        *(
            [f"Rejected: {reason}".replace("_", " "), count(number)]
            for reason, number in (found.get("by_reason") or {}).items()
        ),
        ["Tiles or twins in several splits", count(len(found.get("leaks") or ()))],
        ["Groups in several splits", count(len(found.get("groups_across_splits") or ()))],
        ["Identical tiles with different labels", count(found.get("contradictory_labels"))],
    ]
    used = "qc" in summary.record.inputs
    notes = [
        "The rejected tiles were left out." if used else "The rejected tiles were not left out."
    ]
    return Table("Quality control", ("What", "Tiles"), rows, (*notes, *found.get("warnings", ())))


def provenance_table(summary: RunSummary) -> Table:
    """Everything needed to name, and to repeat, the run."""
    record = summary.record
    rows = [
        ["Run", summary.name],
        ["State", record.state],
        ["Command line", shlex.join(record.command_line)],
        ["Started", record.started],
        ["Finished", record.finished or UNDEFINED],
        ["Seed", str(record.seed)],
        ["Device", record.device],
        ["histocli", record.version],
        ["Git commit", record.git_commit or "not a checkout"],
        ["Python", record.python],
        ["Platform", record.platform],
    ]
    rows += [[name, version] for name, version in record.packages.items()]
    for role, facts in record.inputs.items():
        rows += [[f"Input {role}: {key}", _fact(key, value)] for key, value in facts.items()]
    return Table("Provenance", ("What", "Value"), rows)


def _fact(key: str, value: object) -> str:
    # A report is handed on: where the data lies is for its maker, and stands in run.json.
    return Path(str(value)).name if key == "path" else count(value)


def settings_table(summary: RunSummary) -> Table:
    """The settings that change the run's results, one row each."""
    rows = []
    for name, value in summary.record.settings.items():
        nested = value if isinstance(value, Mapping) else None
        if nested is None:
            rows.append([name, _setting(value)])
        else:
            rows += [[f"{name}.{key}", _setting(each)] for key, each in nested.items()]
    return Table("Settings", ("Setting", "Value"), rows)


def _rate(images_per_second: float) -> str:
    return count(round(images_per_second)) if math.isfinite(images_per_second) else UNDEFINED


def _setting(value: object) -> str:
    if value is None:
        return UNDEFINED
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _group_count(groups: object) -> str:
    return count(len(groups) if isinstance(groups, Sized) else groups)
