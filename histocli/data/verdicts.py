"""Read ``qc.csv``: which tiles `histo qc` rejected, and whether it speaks of these tiles at all."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from histocli.data.tiles import SPLIT_ALIASES, TileSource, content_hash
from histocli.errors import InputError, SettingsError
from histocli.run_record import RunRecord

COLUMNS = {"tile", "verdict", "reasons"}


@dataclass(frozen=True, slots=True)
class TileVerdict:
    """One row of a ``qc.csv``.

    Attributes:
        reasons: Why the tile was rejected; none if it passed.
        kept_instead: The tile that it repeats.
    """

    reasons: tuple[str, ...]
    kept_instead: str | None


@dataclass(frozen=True)
class Rejects:
    """What a ``qc.csv`` says of a source.

    Attributes:
        path: The table.
        reasons: Of each rejected tile, by its id in the source.
        kept_instead: Of each tile that repeats another, that other.
        checked: Tiles of the source that the table names.
    """

    path: Path
    reasons: Mapping[str, tuple[str, ...]]
    kept_instead: Mapping[str, str]
    checked: int

    def by_reason(self, tiles: Sequence[str]) -> dict[str, int]:
        """Rejects among some tiles by reason, the commonest first."""
        found = Counter(reason for tile in tiles for reason in self.reasons.get(tile, ()))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def read_verdicts(path: Path) -> dict[str, TileVerdict]:
    """What a ``qc.csv`` says of each of its tiles.

    Raises:
        InputError: If it is absent or no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(reader.fieldnames or ()) >= COLUMNS:
                raise InputError(f"{path}: no table of histo qc; name the qc.csv that it wrote")
            found = {}
            for row in reader:
                # None: the line ends before it.
                written = row["reasons"]
                reasons = tuple(reason for reason in (written or "").split(";") if reason)
                if (
                    written is None
                    or row["verdict"] not in ("pass", "fail")
                    or (row["verdict"] == "fail") != bool(reasons)
                ):
                    raise InputError(
                        f"{path}: line {reader.line_num}: the verdict must be pass, or fail with reasons; "
                        "run histo qc again"
                    )
                found[row["tile"]] = TileVerdict(reasons, row.get("kept_instead") or None)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name the qc.csv that `histo qc` wrote") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot read the verdicts ({error}); name the qc.csv that `histo qc` wrote"
        ) from error
    return found


def read_rejects(path: Path, source: TileSource) -> Rejects:
    """The rejects of a source, by a check of all of it or of one of its split folders.

    Raises:
        InputError: If the table cannot be read.
        SettingsError: If it speaks of other tiles.
    """
    verdicts = read_verdicts(path)
    places = {tile.id: place for place, tile in enumerate(source.tiles)}
    # `histo qc data/train` names its tiles from there, a model trained on `data` from one above.
    prefixes = ("", *(f"{name}/" for name in SPLIT_ALIASES))
    known = {
        prefix: [places[prefix + tile] for tile in verdicts if prefix + tile in places]
        for prefix in prefixes
    }
    prefix = max(prefixes, key=lambda name: len(known[name]))
    if len(known[prefix]) < len(verdicts) or not verdicts:
        raise SettingsError(
            f"{path} does not fit {source.root}: {len(verdicts) - len(known[prefix])} of its "
            f"{len(verdicts)} tiles are not there; run histo qc {source.root} and name its qc.csv"
        )
    _check_content(path, source, sorted(known[prefix]))
    return Rejects(
        path,
        {prefix + tile: row.reasons for tile, row in verdicts.items() if row.reasons},
        {prefix + t: prefix + row.kept_instead for t, row in verdicts.items() if row.kept_instead},
        len(verdicts),
    )


def _check_content(path: Path, source: TileSource, places: Sequence[int]) -> None:
    """Tiles of the same names may have changed since; run.json beside the table has their hash."""
    record = RunRecord.read_if_present(path.parent)
    if record is None or record.command != "qc":
        return
    if record.inputs["source"].get("sha256") != content_hash(source, places):
        raise SettingsError(
            f"{path} does not fit {source.root}: tiles have changed since it was written; run histo qc "
            f"{source.root} --overwrite"
        )
