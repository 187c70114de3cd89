"""`histo data`: describe, index and fetch data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from histocli.cli.console import Stages, Terminal, make_table
from histocli.cli.defaults import DATA, beside, data_or_default
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
from histocli.errors import InputError, SettingsError
from histocli.plurals import counted
from histocli.settings import DataDescribeSettings, DataFetchSettings, DataIndexSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histocli.data.index import Entry
    from histocli.data.tiles import TileSource

# Of a long list, so many lines are printed; --json has them all.
PRINTED_NAMES = 20
Source = Annotated[
    Path | None,
    typer.Argument(help="Folder, archive, table or file of tiles.", show_default=str(DATA)),
]

data = typer.Typer(
    no_args_is_help=True,
    help="Describe, index and fetch data sets.\n\nExample:  histo data describe data",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@data.command()
@with_settings("data_describe")
def describe(source: Source = None, *, settings: DataDescribeSettings, terminal: Terminal) -> None:
    """Say what SOURCE holds: layout, classes, groups, splits, sizes of the tiles, problems.

    Example:  histo data describe data
    """
    from histocli.data.describe import describe_source

    path = data_or_default(source, DATA, terminal)
    found = describe_source(source_options(settings).open(path), settings.sample, settings.workers)
    facts = {"source": path, **found.to_json()}
    rows = [
        [split, label, count]
        for split, counts in found.by_split.items()
        for label, count in counts.items()
    ]
    lines = [f"{path}: {counted(found.tiles, 'tile')}, layout {found.layout}"]
    if found.groups:
        groups = ", ".join(f"{split} {count}" for split, count in found.groups.items())
        lines.append(f"groups: {groups}")
    sizes = ", ".join(f"{size} ({count})" for size, count in found.sizes.items())
    lines.append(
        f"sizes of {counted(found.sampled, 'tile')}, height x width: {sizes or 'none readable'}"
    )
    lines += [f"problem: {problem}" for problem in found.problems]
    blocks: list[Table | str] = [make_table("", ["split", "class", "tiles"], rows), *lines[1:]]
    if found.details:
        header = ["file", *next(iter(found.details.values()))]
        details = [[name, *one.values()] for name, one in found.details.items()]
        blocks.insert(1, make_table("", header, details[:PRINTED_NAMES]))
    terminal.result(facts, lines[0], *blocks)


@data.command()
@with_settings("data_index")
def index(source: Source = None, *, settings: DataIndexSettings, terminal: Terminal) -> None:
    """Write checksums of SOURCE's files and pixels; with --verify, name what changed since.

    The SHA-1 of a tile's pixels is Kaggle's id of it. With --verify, the exit code is 3 if anything
    changed.

    Example:  histo data index data && histo data index data --verify
    """
    from histocli.data.index import SUFFIX, index_entries

    path = data_or_default(source, DATA, terminal)
    output = settings.output or beside(path, SUFFIX)
    if not settings.verify and not settings.overwrite and output.exists():
        raise SettingsError(
            f"{output} is there: compare with --verify, or replace it by --overwrite"
        )
    tiles = source_options(settings).open(path)
    with terminal.progress("reading", len(tiles.tiles)) as progress:
        pixels = not settings.without_pixels
        entries = index_entries(tiles, pixels=pixels, workers=settings.workers, progress=progress)
        (_verify if settings.verify else _write)(output, tiles, entries, terminal)


def _write(
    output: Path, tiles: "TileSource", entries: "Iterator[Entry]", terminal: Terminal
) -> None:
    from histocli.data.index import checked_kaggle_ids, write_index

    misnamed: list[str] = []
    count, unreadable = write_index(output, checked_kaggle_ids(tiles, entries, misnamed))
    facts = {"output": output, "tiles": count, "unreadable": unreadable, "misnamed": misnamed}
    terminal.result(
        facts, f"wrote {output}: {counted(count, 'tile')}, {unreadable} of them unreadable"
    )
    if misnamed:
        first = f"{counted(len(misnamed), 'tile')} not named after the pixels ({misnamed[0]})"
        terminal.say(f"warning: {first}: they were altered, or are not Kaggle's")


def _verify(
    output: Path, _tiles: "TileSource", entries: "Iterator[Entry]", terminal: Terminal
) -> None:
    from histocli.data.index import compare, read_index

    earlier = read_index(output)
    changes = compare(earlier, entries)
    kinds = {"changed": changes.changed, "recoded": changes.recoded}
    kinds |= {"missing": changes.missing, "added": changes.added}
    rows = [[kind, name] for kind, names in kinds.items() for name in names]
    blocks: list[Table | str] = [f"{changes.same} of {len(earlier)} entries are the same"]
    if rows:
        blocks.insert(0, make_table("Differences", ["", "name"], rows[:PRINTED_NAMES]))
    if len(rows) > PRINTED_NAMES:
        blocks.append(f"{len(rows) - PRINTED_NAMES} more differ: --json names all")
    terminal.result({"same": changes.same, **kinds}, *blocks)
    if changes:
        raise typer.Exit(InputError.exit_code)


@data.command()
@with_settings("data_fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="pcam, pathmnist or pathmnist-224.")],
    *,
    settings: DataFetchSettings,
    terminal: Terminal,
) -> None:
    """Fetch the public data set NAME, check it and unpack it. Run again to continue.

    Says what, from where, how large and under which licence before it begins.

    Example:  histo data fetch pathmnist
    """
    from histocli.data.fetching.fetch import fetch as fetch_data_set
    from histocli.data.fetching.fetch import find_data_set

    folder = settings.output or DATA / name
    data_set = find_data_set(name, settings.mirror)
    with Stages(terminal) as stages:
        result = fetch_data_set(
            name,
            data_set,
            folder,
            offline=settings.offline,
            say=terminal.say,
            progress=lambda file, size: stages.begin(file, size, "bytes"),
        )
    facts = {"folder": folder, "fetched": result.fetched, "kept": result.kept}
    facts["licence"] = data_set.licence
    done = f"{counted(len(result.fetched), 'file')} fetched, {len(result.kept)} were there already"
    terminal.result(facts, f"{folder}: {done}; next: histo data describe {folder}")
