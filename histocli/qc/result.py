"""What a finished check says: ``qc.csv``, ``qc.json``, and the object that a command prints."""

import csv
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from histocli.atomic_files import write_csv
from histocli.data.splitting import groups_across_splits
from histocli.data.tiles import Tile
from histocli.errors import InputError
from histocli.qc.data_set_warnings import data_set_warnings
from histocli.qc.duplicates import DuplicateSets
from histocli.qc.measures import QC_MEASURES
from histocli.qc.verdict import Measures, Thresholds, Verdict

TABLE_NAME, SUMMARY_NAME, SHEET_NAME = "qc.csv", "qc.json", "contact_sheet.png"
SKIPPED_NAME = "skipped.csv"


@dataclass(frozen=True)
class QCResult:
    """Outcome of a check.

    Attributes:
        output: The folder written.
        content: Of ``qc.json``.
    """

    output: Path
    content: Mapping[str, Any]

    @property
    def tiles(self) -> int:
        """Tiles checked, unreadable ones included."""
        return int(self.content["tiles"])

    @property
    def passed(self) -> int:
        """Tiles that passed."""
        return int(self.content["passed"])

    @property
    def failed(self) -> int:
        """Tiles that failed."""
        return int(self.content["failed"])

    @property
    def by_reason(self) -> Mapping[str, int]:
        """Failed tiles by reason; one with two reasons counts in both."""
        return dict(self.content["by_reason"])

    @property
    def warnings(self) -> Sequence[str]:
        """What to know about the data set as a whole."""
        return list(self.content["warnings"])

    @property
    def table(self) -> Path:
        """``qc.csv``."""
        return self.output / TABLE_NAME

    @property
    def contact_sheet(self) -> Path | None:
        """The picture of the rejects; None when there are none."""
        path = self.output / SHEET_NAME
        return path if path.is_file() else None

    @property
    def skipped(self) -> Path | None:
        """``skipped.csv``; None when every tile could be read."""
        path = self.output / SKIPPED_NAME
        return path if path.is_file() else None

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints: ``qc.json`` and where the files are."""
        return {
            "output": str(self.output),
            "contact_sheet": str(self.contact_sheet) if self.contact_sheet else None,
            **self.content,
        }

    @classmethod
    def read(cls, output: Path) -> Self:
        """Read the result of a finished check.

        Raises:
            InputError: If ``qc.json`` is absent or damaged.
        """
        path = output / SUMMARY_NAME
        try:
            return cls(output, json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error}); pass --overwrite") from error


def write_table(
    output: Path,
    tiles: Sequence[Tile],
    measures: Mapping[str, Measures],
    verdicts: Mapping[str, Verdict],
) -> None:
    """Write ``qc.csv``; what is undefined, and every measure of an unreadable tile, is empty."""
    rows = []
    for tile in tiles:
        verdict, measured = verdicts[tile.id], measures.get(tile.id, {})
        values = [measured.get(name, math.nan) for name in QC_MEASURES]
        cells = [None if math.isnan(value) else value for value in values]
        rows.append([tile.id, verdict.verdict, ";".join(verdict.reasons), *cells])
    write_csv(output / TABLE_NAME, ["tile", "verdict", "reasons", *QC_MEASURES], rows)


def summarize(
    tiles: Sequence[Tile],
    measures: Mapping[str, Measures],
    verdicts: Mapping[str, Verdict],
    duplicates: DuplicateSets,
    thresholds: Thresholds,
) -> dict[str, Any]:
    """Content of ``qc.json``."""
    failed = {tile.id for tile in tiles if verdicts[tile.id].reasons}
    reasons = Counter(reason for tile in tiles for reason in verdicts[tile.id].reasons)
    by_class: dict[str, dict[str, int]] = {}
    for tile in tiles:
        if tile.label is not None:
            counts = by_class.setdefault(tile.label, {"tiles": 0, "failed": 0})
            counts["tiles"] += 1
            counts["failed"] += tile.id in failed
    by_class = dict(sorted(by_class.items()))
    torn_groups = groups_across_splits(tiles)
    sharpness = [measured["sharpness"] for name, measured in measures.items() if name not in failed]
    return {
        "tiles": len(tiles),
        "passed": len(tiles) - len(failed),
        "failed": len(failed),
        "by_reason": dict(sorted(reasons.items())),
        "by_class": by_class,
        "duplicate_sets": len(duplicates.sets),
        "leaks": [dict(leak) for leak in duplicates.leaks],
        "groups_across_splits": torn_groups,
        "contradictory_labels": len(duplicates.contradictory_label_sets),
        "contradictory_label_sets": [list(found) for found in duplicates.contradictory_label_sets],
        "warnings": data_set_warnings(by_class, duplicates, torn_groups, sharpness),
        "thresholds": asdict(thresholds),
    }


def read_skipped(output: Path) -> list[tuple[str, str]]:
    """Tile and reason of each line of ``skipped.csv``; none where there is no such file."""
    path = output / SKIPPED_NAME
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [(row["tile"], row["reason"]) for row in csv.DictReader(file)]
