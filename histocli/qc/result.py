"""What a finished check says: ``qc.csv``, ``qc.json``, and the object that a command prints."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from histocli.atomic_files import parse_json, write_csv
from histocli.data.shards import Shard
from histocli.data.splitting import groups_across_splits
from histocli.errors import InputError
from histocli.qc.data_set_warnings import data_set_warnings
from histocli.qc.judgment import Judgment
from histocli.qc.measures import QC_MEASURES
from histocli.qc.verdict import RELATIVE_MEASURES

TABLE_NAME, SUMMARY_NAME, SHEET_NAME = "qc.csv", "qc.json", "contact_sheet.png"
SHEETS_FOLDER, SKIPPED_NAME = "contact_sheets", "skipped.csv"
TABLE_COLUMNS = (
    *("tile", "verdict", "reasons", "kept_instead", "height_px", "width_px"),
    *QC_MEASURES,
    *RELATIVE_MEASURES,
)


@dataclass(frozen=True)
class QCResult:
    """Outcome of a check.

    Attributes:
        output: The folder written.
        content: Of ``qc.json``; empty as long as parts are missing.
        missing: Parts of the source that are not finished yet.
    """

    output: Path
    content: Mapping[str, Any]
    missing: Sequence[Shard] = ()

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
    def contact_sheets(self) -> Sequence[Path]:
        """One picture for each reason."""
        return sorted((self.output / SHEETS_FOLDER).glob("*.png"))

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
            content = parse_json(path.read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error}); pass --overwrite") from error
        if not isinstance(content, dict):
            raise InputError(f"{path}: cannot be read (no JSON object); pass --overwrite")
        return cls(output, content)


def write_table(output: Path, judgment: Judgment) -> None:
    """Write ``qc.csv``; what is undefined, and every measure of an unreadable tile, is empty."""
    write_csv(output / TABLE_NAME, TABLE_COLUMNS, _rows(judgment))


def _rows(judgment: Judgment) -> Iterator[list[object]]:
    measured, kept = judgment.measured, judgment.duplicates.kept
    for place, (tile, verdict) in enumerate(zip(measured.tiles, judgment.verdicts, strict=True)):
        height, width = measured.sizes_px[place].tolist()
        relative = [float(found[place]) for found in judgment.relative.values()]
        values = [*measured.values[place].tolist(), *relative]
        yield [
            tile.id,
            verdict.verdict,
            ";".join(verdict.reasons),
            kept.get(tile.id),
            height or None,
            width or None,
            *(None if math.isnan(value) else value for value in values),
        ]


def summarize(judgment: Judgment) -> dict[str, Any]:
    """Content of ``qc.json``."""
    tiles, verdicts = judgment.measured.tiles, judgment.verdicts
    duplicates = judgment.duplicates
    passed = np.array([not verdict.reasons for verdict in verdicts], np.bool_)
    reasons = Counter(reason for verdict in verdicts for reason in verdict.reasons)
    by_class: dict[str, dict[str, int]] = {}
    for tile, ok in zip(tiles, passed.tolist(), strict=True):
        if tile.label is not None:
            counts = by_class.setdefault(tile.label, {"tiles": 0, "failed": 0})
            counts["tiles"] += 1
            counts["failed"] += not ok
    by_class = dict(sorted(by_class.items()))
    torn_groups = groups_across_splits(tiles)
    sharpness = judgment.measured.column("sharpness")[passed].tolist()
    return {
        "tiles": len(tiles),
        "passed": int(passed.sum()),
        "failed": len(tiles) - int(passed.sum()),
        "by_reason": dict(sorted(reasons.items())),
        "by_class": by_class,
        "duplicate_sets": len(duplicates.sets),
        "near_duplicate_sets": len(duplicates.near_sets),
        "leaks": [dict(leak) for leak in duplicates.leaks],
        "groups_across_splits": torn_groups,
        "contradictory_labels": len(duplicates.contradictory_label_sets),
        "contradictory_label_sets": [list(found) for found in duplicates.contradictory_label_sets],
        "warnings": data_set_warnings(by_class, duplicates, torn_groups, sharpness),
        "thresholds": asdict(judgment.thresholds),
    }
