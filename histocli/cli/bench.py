"""`histo bench`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.options import with_settings
from histocli.cli.sources import source_options
from histocli.settings import BenchSettings

if TYPE_CHECKING:
    from histocli.bench import Material


@with_settings("bench")
def bench(
    source: Annotated[
        Path | None, typer.Argument(help="Tiles to measure with.", show_default="synthetic")
    ] = None,
    *,
    settings: BenchSettings,
    terminal: Terminal,
) -> None:
    """Measure tiles a second of every step on this machine; name the slowest.

    Each step is measured alone, with all cores. Writes to this folder's disk,
    and removes what it wrote.

    Examples:
      histo bench
      histo bench data/train --arch resnet50
    """
    from histocli.bench import find_bottleneck, make_stages, measure, scratch_folder
    from histocli.data.loading import default_workers
    from histocli.training.devices import find_device

    device = find_device(settings.device)
    with scratch_folder(Path()) as scratch:
        stages = make_stages(
            _material(source, scratch, settings),
            scratch,
            device,
            arch=settings.arch,
            input_size_px=settings.input_size_px,
            batch_size=settings.batch_size,
            workers=settings.workers or default_workers(),
        )
        rates = []
        with terminal.progress("measuring", len(stages), "steps") as progress:
            for stage in stages:
                rates.append(measure(stage, settings.seconds))
                progress(1)
    found = [find_bottleneck(command, rates, device.type) for command in ("normalize", "predict")]
    rows = [[f"{each.stage}: {each.detail}", f"{each.tiles_per_second:,.0f}"] for each in rates]
    terminal.result(
        {
            "rates": [asdict(rate) for rate in rates],
            "bottlenecks": [asdict(each) for each in found],
        },
        make_table("Tiles a second", ["step", "tiles/s"], rows),
        *(
            f"histo {each.command}: {each.share:.0%} of a tile's time is {each.stage}; "
            f"what helps: {each.advice}"
            for each in found
        ),
    )


def _material(source: Path | None, scratch: Path, settings: BenchSettings) -> "Material":
    from histocli.bench import read_material, write_phantom_tiles

    if source is None:
        source = write_phantom_tiles(scratch / "phantom")
    opened = source_options(settings).open(source)
    return read_material(opened, settings.tiles, settings.batch_size)
