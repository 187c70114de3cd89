"""Tiles a second, in rounds that go through all contestants in turn."""

import gc
import importlib
import importlib.metadata
import importlib.util
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from speed.contestants import Contestant, Normalize, Setting, Tiles, available_cores, use_threads
from speed.failures import RAISED, count_failures
from speed.peers import FORMS, contestants
from speed.tiles import TISSUE_FRACTION, enough_tissue, load_tiles

# Failures are counted on the first of them.
CHECKED_TILES = 2048
# A pixel is three bytes read and three written.
BYTES_PER_PIXEL = 6
# Long enough to leave every cache.
COPIED_BYTES = {"cpu": 2**28, "cuda": 2**30}


def normalize_batch(normalize: Normalize, part: Any) -> None:
    """Normalize a batch, one by one if it raises."""
    try:
        normalize(part)
    except RAISED:
        if len(part) > 1:
            for first in range(len(part)):
                normalize_batch(normalize, part[first : first + 1])


def tiles_per_second(run: "Run", seconds: float, wait: Callable[[], None]) -> float:
    """Go on through the tiles, batch by batch and round and round, until the time is over."""
    use_threads(run.setting.threads)
    gc.collect()
    wait()
    done, started = 0, time.perf_counter()
    while True:
        part = run.work[run.next_tile : run.next_tile + run.setting.batch]
        normalize_batch(run.normalize, part)
        done += len(part)
        run.next_tile = (run.next_tile + len(part)) % len(run.work)
        if len(part) > 1:
            wait()
        if time.perf_counter() - started >= seconds:
            wait()
            return done / (time.perf_counter() - started)


def copy_bandwidth(device: str) -> Callable[[], float]:
    """A function that measures bytes read and written a second by the fastest plain copy."""
    torch = importlib.import_module("torch")
    source = torch.ones(COPIED_BYTES[device], dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    wait = waiter(device)

    def measure() -> float:
        rates = []
        for threads in sorted({1, available_cores()}):
            use_threads(threads)
            for _ in range(3):
                wait()
                started = time.perf_counter()
                target.copy_(source)
                wait()
                rates.append(2 * len(source) / (time.perf_counter() - started))
        return max(rates)

    return measure


def waiter(device: str) -> Callable[[], None]:
    """Waits until the device has done all."""
    torch = importlib.import_module("torch")
    return torch.cuda.synchronize if device == "cuda" else lambda: None


@dataclass
class Run:
    """A contestant at one setting.

    Attributes:
        contestant: Who.
        setting: How.
        normalize: Opened for that.
        work: The timed tiles in its form.
        next_tile: Where it goes on: a slow one does not see all in one timing.
        trial: The best rate before the rounds.
        rates: Tiles a second in each round.
    """

    contestant: Contestant
    setting: Setting
    normalize: Normalize
    work: Any
    next_tile: int = 0
    trial: float = 0.0
    rates: list[float] = field(default_factory=list)


@dataclass
class Entry:
    """A contestant at one tile size: its fastest run with each number of threads, and all it tried."""

    contestant: Contestant
    runs: list[Run]
    tried: list[dict[str, Any]]


def enter(contestant: Contestant, work: Any, size_px: int, device: str, seconds: float) -> Entry:
    """Try all settings, after a batch each that compiles what there is to compile.

    The fastest of each number of threads goes on: on a busy machine which number is best changes.
    """
    wait = waiter(device)
    runs = []
    for setting in contestant.settings(device, size_px, len(work)):
        normalize = contestant.open(device, setting.compiled)
        use_threads(setting.threads)
        for _ in range(2):  # the first compiles, the second may once more for other shapes
            normalize_batch(normalize, work[: setting.batch])
            wait()
        runs.append(Run(contestant, setting, normalize, work))
    for run in runs:
        run.trial = tiles_per_second(run, seconds / 2, wait)
    for run in runs:
        if run.trial >= max(other.trial for other in runs) / 2:
            run.trial = max(run.trial, tiles_per_second(run, seconds / 2, wait))
    fastest: dict[int, Run] = {}
    for run in sorted(runs, key=lambda run: run.trial):
        fastest[run.setting.threads] = run
    tried = [{**asdict(run.setting), "tiles_per_second": run.trial} for run in runs]
    return Entry(contestant, list(fastest.values()), tried)


def fails_always(contestant: Contestant, tiles: Tiles, device: str) -> str | None:
    """The exception of a contestant that raises on every tile: its speed would be that of failing."""
    work = FORMS[contestant.form](tiles, device)
    failures = count_failures(contestant, contestant.open(device, False), work, tiles, 1)
    return f"raises {min(failures.errors)}" if failures.raised == len(tiles) else None


def measure_size(
    folder: Path | None, size_px: int, count: int, device: str, rounds: int, seconds: float
) -> dict[str, Any]:
    """Everything at one tile size."""
    tiles, origin = load_tiles(folder, size_px, count)
    timed = tiles[enough_tissue(tiles)]
    if not len(timed):
        raise SystemExit(f"none of {len(tiles)} tiles holds {TISSUE_FRACTION:.0%} tissue")
    wait, copy = waiter(device), copy_bandwidth(device)
    prepared: dict[str, Any] = {}
    entries, absent = [], {}
    for contestant in contestants():
        reason = contestant.missing(device)
        if reason is None:
            try:
                reason = fails_always(contestant, timed[:4], device)
            except (ImportError, AttributeError) as error:
                reason = f"does not run here: {type(error).__name__}"
        if reason is not None:
            absent[contestant.name] = reason
            continue
        if contestant.form not in prepared:
            prepared[contestant.form] = FORMS[contestant.form](timed, device)
        work = prepared[contestant.form]
        entries.append(enter(contestant, work, size_px, device, seconds))
        print(f"{size_px} px: {contestant.name} tried", flush=True)
    copies = []
    runs = [run for entry in entries for run in entry.runs]
    for number in range(rounds):
        shift = number * len(runs) // rounds
        for run in runs[shift:] + runs[:shift]:
            run.rates.append(tiles_per_second(run, seconds, wait))
        copies.append(copy())
        print(f"{size_px} px: round {number + 1} of {rounds}", flush=True)
    rows = [row_of(entry, tiles, timed, device, max(copies)) for entry in entries]
    add_ratios(rows)
    order = [contestant.name for contestant in contestants()]
    rows += [{"name": name, "absent": reason} for name, reason in absent.items()]
    return {
        "size_px": size_px,
        "tiles": len(tiles),
        "tiles_with_tissue": len(timed),
        "origin": origin,
        "copy_gigabytes_per_second": max(copies) / 1e9,
        "rows": sorted(rows, key=lambda row: order.index(row["name"])),
    }


def row_of(
    entry: Entry, tiles: Tiles, timed: Tiles, device: str, bandwidth: float
) -> dict[str, Any]:
    """Figures of one contestant: its best rate, its best median, and its failures."""
    contestant = entry.contestant
    pixels = tiles.shape[2] * tiles.shape[3]
    fastest = max(entry.runs, key=lambda run: max(run.rates))
    best = max(fastest.rates)
    median = max(statistics.median(run.rates) for run in entry.runs)
    rounds = [{**asdict(run.setting), "tiles_per_second": run.rates} for run in entry.runs]
    use_threads(fastest.setting.threads)
    failures: dict[str, dict[str, Any]] = {}
    for key, some, batch in (
        ("alone", tiles[:CHECKED_TILES], 1),
        ("in_batches", tiles[:CHECKED_TILES], fastest.setting.batch),
        ("timed", timed[:CHECKED_TILES], fastest.setting.batch),
    ):
        if key == "in_batches" and batch == 1:
            failures[key] = failures["alone"]
            continue
        work = FORMS[contestant.form](some, device)
        found = count_failures(contestant, fastest.normalize, work, some, batch)
        failures[key] = {**asdict(found), "errors": dict(found.errors)}
    return {
        "name": contestant.name,
        "package": contestant.package,
        "absent": None,
        "setting": asdict(fastest.setting),
        "tiles_per_second": {"best": best, "median": median},
        "megapixels_per_second": {"best": best * pixels / 1e6, "median": median * pixels / 1e6},
        "share_of_copy_bandwidth": best * pixels * BYTES_PER_PIXEL / bandwidth,
        "failures": failures,
        "rounds": rounds,
        "tried": entry.tried,
    }


def add_ratios(rows: list[dict[str, Any]]) -> None:
    """How many times as fast as torchstain's faster backend, and as the fastest peer, each row is."""
    for which in ("best", "median"):
        rates = {row["name"]: row["tiles_per_second"][which] for row in rows}
        peers = [row["name"] for row in rows if row["package"] != "histocli"]
        torchstain = [row["name"] for row in rows if row["package"] == "torchstain"]
        for key, names in (("torchstain", torchstain), ("fastest_peer", peers)):
            against = max((rates[name] for name in names), default=math.nan)
            for row in rows:
                ratios = row.setdefault(f"times_{key}", {})
                ratios[which] = rates[row["name"]] / against
