"""How well `histo qc` finds what it looks for: on tiles labelled by eye, and on tiles damaged on purpose.

    python benchmarks/qc_accuracy.py DATA [LC25000]

DATA is the sample of PatchCamelyon that ``benchmarks/qc_labels.csv`` speaks of: 240 of its tiles drawn at
random and 178 from the ends of each measure, labelled by one person on contact sheets. ``off_slide`` is
what lies beyond the slide or between it and the light; a tile with two labels may be rejected for either;
``unclear`` ones (half out of focus, a speck of pigment, a wisp of tissue) count nowhere.
LC25000 has several turned copies of each photograph: with it, the leak alarm is tried.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qc_damage import COPIES, PLANTED, copied

from histocli.atomic_files import write_json
from histocli.data.layouts import open_source
from histocli.data.loading import SkippedTile, load_batches
from histocli.data.pixel_digest import pixel_digest
from histocli.data.tiles import Tile, TileSource
from histocli.qc.check import Judging, check_whole
from histocli.qc.duplicates import find_duplicates
from histocli.qc.measures import measure_tiles
from histocli.qc.near_duplicates import near_pairs
from histocli.qc.perceptual_hash import perceptual_hashes
from histocli.qc.thresholds import Thresholds
from histocli.qc.verdict import RELATIVE_MEASURES, judge
from histocli.run_record import RunRecord

HERE = Path(__file__).resolve().parent
LABELS, RESULTS = HERE / "qc_labels.csv", HERE / "results" / "qc_accuracy.json"
# A label of the eye, and the reasons that mean it.
REASONS_OF: Mapping[str, set[str]] = {
    "background": {"background", "constant"},
    "off_slide": {"black_edge", "dark", "unsaturated"},
    "pen": {"pen"},
    "fold": {"fold"},
    "blur": {"blur"},
}
OF_COPIES = {"duplicate", "near_duplicate", "contradictory_label"}
DAMAGED_TILES, SPLITS_TRIED, SEED = 300, 10, 0
LEAST_TISSUE = 0.3
Rows = dict[str, dict[str, str]]


def checked(source: TileSource) -> Rows:
    """``qc.csv`` of a source with the default thresholds."""
    thresholds = Thresholds()
    record = RunRecord("qc", asdict(thresholds), {"source": {"path": str(source.root)}})
    with tempfile.TemporaryDirectory() as folder:
        result = check_whole(
            source, Path(folder) / "qc", judging=Judging(thresholds), record=record
        )
        with result.table.open(newline="") as file:
            return {row["tile"]: row for row in csv.DictReader(file)}


def reasons_in(row: Mapping[str, str]) -> set[str]:
    """Reasons of a row, without those of copies, which no eye can see."""
    return set(row["reasons"].split(";")) - OF_COPIES - {""}


def by_eye(rows: Rows) -> dict[str, Any]:
    """Recall and precision by label, and how many sound tiles are rejected."""
    with LABELS.open(newline="") as file:
        labelled = [row for row in csv.DictReader(file) if row["label"] != "unclear"]
    labels = {row["tile"]: set(row["label"].split(";")) for row in labelled}
    found = {tile: reasons_in(rows[tile]) for tile in labels}
    by_label = {}
    for label, reasons in REASONS_OF.items():
        has = {tile for tile, names in labels.items() if label in names}
        said = {tile for tile, names in found.items() if names & reasons}
        right = {tile for tile in has if any(found[tile] & REASONS_OF[n] for n in labels[tile])}
        by_label[label] = {
            "labelled": len(has),
            "found_for_a_right_reason": len(right),
            "rejected_for_any": sum(bool(found[tile]) for tile in has),
            "said": len(said),
            "said_rightly": len(said & has),
            "said_of_unfit": sum("sound" not in labels[tile] for tile in said),
        }
    sound = [row["tile"] for row in labelled if row["label"] == "sound"]
    random = [
        row["tile"] for row in labelled if row["label"] == "sound" and row["drawn"] == "random"
    ]
    wrong = [tile for tile in sound if found[tile]]
    return {
        "by_label": by_label,
        "sound": len(sound),
        "sound_rejected": {tile: sorted(found[tile]) for tile in wrong},
        "sound_drawn_at_random": len(random),
        "sound_drawn_at_random_rejected": sum(bool(found[tile]) for tile in random),
        "unfit": len(labelled) - len(sound),
        "unfit_rejected": sum(
            bool(found[t]) for t, names in labels.items() if "sound" not in names
        ),
    }


def sound_pixels(source: TileSource, rows: Rows) -> NDArray[np.uint8]:
    """Tiles that passed and have some tissue, spread over the source."""
    places = {tile.id: place for place, tile in enumerate(source.tiles)}
    good = [
        places[name]
        for name, row in rows.items()
        if row["verdict"] == "pass" and float(row["tissue_fraction"]) >= LEAST_TISSUE
    ]
    chosen = np.unique(np.linspace(0, len(good) - 1, DAMAGED_TILES).astype(int))
    return np.stack([source.read(good[position]) for position in chosen])


def reasons_of(pixels: NDArray[np.uint8], quartiles: Mapping[str, float]) -> list[set[str]]:
    """What is said of some tiles beside a data set with these upper quartiles of its measures."""
    columns = measure_tiles(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    for relative, name in RELATIVE_MEASURES.items():
        columns[relative] = [value / quartiles[name] for value in columns[name]]
    found = zip(*columns.values(), strict=True)
    return [set(judge(dict(zip(columns, row, strict=True)), Thresholds()).reasons) for row in found]


def damaged(pixels: NDArray[np.uint8], rows: Rows) -> list[dict[str, Any]]:
    """Recall of each planted damage."""
    row = next(row for row in rows.values() if all(row[name] for name in RELATIVE_MEASURES))
    quartiles = {of: float(row[of]) / float(row[name]) for name, of in RELATIVE_MEASURES.items()}
    results = []
    for planted in PLANTED:
        generator = np.random.default_rng(SEED)
        found = reasons_of(
            np.stack([planted.damage(tile, generator) for tile in pixels]), quartiles
        )
        results.append(
            {
                "reason": planted.reason,
                "strength": planted.strength,
                "tiles": len(pixels),
                "found": float(np.mean([planted.reason in reasons for reasons in found])),
                "rejected": float(np.mean([bool(reasons) for reasons in found])),
            }
        )
    return results


def copies(pixels: NDArray[np.uint8], rows: Rows) -> dict[str, Any]:
    """Of altered copies of sound tiles, how many are found; near duplicates among all tiles as they are."""
    generator = np.random.default_rng(SEED)
    among = sum("near_duplicate" in row["reasons"] for row in rows.values())
    results: dict[str, Any] = {"near_duplicates_among_all_tiles": among}
    for name in COPIES:
        made = [copied(tile, name, generator).transpose(2, 0, 1) for tile in pixels]
        new = np.concatenate([perceptual_hashes(tile[None]) for tile in made])
        originals = perceptual_hashes(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        pairs = {tuple(pair) for pair in near_pairs(np.concatenate([originals, new])).tolist()}
        count = len(pixels)
        results[name] = float(np.mean([(k, count + k) in pairs for k in range(count)]))
    return results


def looks(source: TileSource) -> tuple[dict[int, bytes], NDArray[np.uint8]]:
    """Digest and hash of every tile."""
    digests: dict[int, bytes] = {}
    hashes = np.zeros((len(source.tiles), 32), np.uint8)
    skipped: list[SkippedTile] = []
    for batch in load_batches(source, range(len(source.tiles)), 128, skipped):
        hashes[batch.indices] = perceptual_hashes(batch.pixels)
        for index, tile in zip(batch.indices.tolist(), batch.pixels, strict=True):
            digests[index] = pixel_digest(tile)
    return digests, hashes


def leaks(source: TileSource) -> dict[str, Any]:
    """Alarms on splits drawn by tile and by group, told from the pixels alone."""
    digests, hashes = looks(source)

    def alarms(tiles: Sequence[Tile]) -> int:
        found = find_duplicates(tiles, digests, hashes, range(len(tiles)))
        return len(found.leaks)

    def drawn(keys: Iterable[str | None], seed: int) -> list[Tile]:
        keys = list(keys)
        names = sorted({str(key) for key in keys})
        generator = np.random.default_rng(seed)
        splits = generator.choice(["train", "valid", "test"], len(names), p=[0.7, 0.15, 0.15])
        split = dict(zip(names, splits.tolist(), strict=True))
        return [replace(t, split=split[str(k)]) for t, k in zip(source.tiles, keys, strict=True)]

    seeds = range(SPLITS_TRIED)
    return {
        "tiles": len(source.tiles),
        "as_suggested_by_group": alarms(source.tiles),
        "at_random": [alarms(drawn((t.id for t in source.tiles), seed)) for seed in seeds],
        "by_group": [alarms(drawn((t.group for t in source.tiles), seed)) for seed in seeds],
    }


def print_tables(results: Mapping[str, Any]) -> None:
    """What was found, for a terminal."""
    eye = results["by_eye"]
    print(f"{'by eye':12} labelled  right reason  any reason |  said  rightly  of unfit tiles")
    for label, n in eye["by_label"].items():
        print(
            f"{label:12} {n['labelled']:8} {n['found_for_a_right_reason']:13} "
            f"{n['rejected_for_any']:11} | {n['said']:5} {n['said_rightly']:8} {n['said_of_unfit']:9}"
        )
    print(f"unfit tiles rejected: {eye['unfit_rejected']} of {eye['unfit']}")
    print(f"sound tiles rejected: {len(eye['sound_rejected'])} of {eye['sound']}", end="; ")
    at_random = eye["sound_drawn_at_random_rejected"]
    print(f"drawn at random: {at_random} of {eye['sound_drawn_at_random']}")
    print(f"\n{'damage':15}{'strength':24}found  rejected")
    for row in results["damaged"]:
        print(f"{row['reason']:15}{row['strength']:24}{row['found']:5.2f} {row['rejected']:9.2f}")
    print("\ncopies found:", results["copies"])
    if "leaks" in results:
        print("leak alarms:", results["leaks"])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("lc25000", type=Path, nargs="?")
    given = parser.parse_args()
    source = open_source(given.data)
    rows = checked(source)
    pixels = sound_pixels(source, rows)
    results = {
        "tiles": len(rows),
        "thresholds": asdict(Thresholds()),
        "rejected": sum(row["verdict"] == "fail" for row in rows.values()),
        "by_eye": by_eye(rows),
        "damaged": damaged(pixels, rows),
        "copies": copies(pixels, rows),
    }
    if given.lc25000 is not None:
        results["leaks"] = leaks(open_source(given.lc25000))
    print_tables(results)
    write_json(RESULTS, results)


if __name__ == "__main__":
    main()
