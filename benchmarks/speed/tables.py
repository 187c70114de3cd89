"""The results as tables and as a plot."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speed.timing import BYTES_PER_PIXEL, CHECKED_TILES


def stain_table(path: Path) -> str:
    """The README's table from a file that this script wrote: who can run on that device."""
    result: dict[str, Any] = json.loads(path.read_text())
    sizes = result["sizes"]
    header = [f"Macenko on {result['machine'].get('gpu', 'the CPU')}"]
    header += [f"{size['size_px']} px" for size in sizes]
    header += ["of copy bandwidth", f"failed, of {checked(sizes[0]):,}"]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for rows in zip(*(size["rows"] for size in sizes), strict=True):
        if str(rows[0]["absent"]).startswith("runs on"):
            continue
        cells = [titled(rows[0], result), *(speed_cell(row) for row in rows)]
        if rows[0]["absent"]:
            cells += ["", ""]
        else:
            cells += [percent(rows[0]["share_of_copy_bandwidth"]), failure_words(rows[0])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def checked(size: Mapping[str, Any]) -> int:
    """How many tiles failures were counted on."""
    return min(int(size["tiles"]), CHECKED_TILES)


def titled(row: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Its name, and a peer's version after the package's name."""
    package = row.get("package")
    version = result["versions"].get(package)
    if package is None or package == "histocli" or version is None:
        return str(row["name"])
    return f"{package} {version}{row['name'].removeprefix(package)}"


def percent(share: float) -> str:
    """Two digits."""
    return f"{100 * share:.2g} %"


def speed_cell(row: Mapping[str, Any]) -> str:
    """Tiles a second, and how many times torchstain that is."""
    if row["absent"]:
        return str(row["absent"])
    return speed_words(row["tiles_per_second"]["best"], row["times_torchstain"]["best"])


def speed_words(rate: float, times: float | None) -> str:
    """Tiles a second in three digits or more, and the ratio in two or more."""
    words = f"{rate:,.{digits_after(rate, 3)}f}"
    if times is None or not math.isfinite(times):
        return words
    return f"{words} ({times:,.{digits_after(times, 2)}f}x)"


def digits_after(value: float, digits: int) -> int:
    """Decimals that show a number with so many digits."""
    return max(0, digits - 1 - math.floor(math.log10(value))) if value > 0 else 0


def failure_words(row: Mapping[str, Any]) -> str:
    """Failures one tile at a time, and in batches where that differs."""
    alone, batches = (counted(row, key) for key in ("alone", "in_batches"))
    return (
        alone if alone == batches else f"{alone}; in batches of {row['setting']['batch']} {batches}"
    )


def counted(row: Mapping[str, Any], key: str) -> str:
    """Counts that are not zero; ours leaves what has no usable stain unchanged, and says so."""
    counts = row["failures"][key]
    names = {"raised": "raised", "not_finite": "NaN", "constant": "one color"}
    if row["package"] != "histocli":
        names["unchanged"] = "unchanged"
    words = [f"{counts[kind]:,} {name}" for kind, name in names.items() if counts[kind]]
    return ", ".join(words) or "0"


def print_table(result: Mapping[str, Any]) -> None:
    """All figures, for a terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = console if console.is_terminal else Console(width=150)
    for size in result["sizes"]:
        title = f"{size['tiles']:,} {size['origin']}; {size['tiles_with_tissue']:,} timed"
        table = Table(title=title)
        table.add_column("Macenko")
        for column in ("tiles/s best", "median", "Mpx/s", "x torchstain", "of copy"):
            table.add_column(column, justify="right")
        table.add_column("threads, batch")
        table.add_column(f"failed, of {checked(size):,}")
        for row in size["rows"]:
            if row["absent"]:
                continue
            rate, setting = row["tiles_per_second"], row["setting"]
            compiled = ", compiled" if setting["compiled"] else ""
            table.add_row(
                titled(row, result),
                speed_words(rate["best"], None),
                speed_words(rate["median"], None),
                f"{row['megapixels_per_second']['best']:,.1f}",
                f"{row['times_torchstain']['best']:.2f}",
                percent(row["share_of_copy_bandwidth"]),
                f"{setting['threads']}, {setting['batch']}{compiled}",
                failure_words(row),
            )
        console.print(table)
        print(f"plain copy: {size['copy_gigabytes_per_second']:.1f} GB/s read and written")
    rows = [row for row in result["sizes"][0]["rows"] if row["absent"]]
    print("; ".join(f"{row['name']}: {row['absent']}" for row in rows))


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Tiles a second, a panel for each size, ours in blue."""
    from histocli.report.style import MUTED, written_figure

    sizes = result["sizes"]
    shown = [row for row in sizes[0]["rows"] if not row["absent"]]
    with written_figure(path, 2.9 * len(sizes) + 1.3, 1.4 + 0.27 * len(shown)) as figure:
        panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
        for axes, size in zip(panels, sizes, strict=True):
            draw_size(axes, size, [row["name"] for row in shown])
        panels[0].set_yticks(range(len(shown)), [titled(row, result) for row in shown])
        about = result["machine"]
        where = about.get("gpu") or f"{about['processor']}, {about['cores']} cores"
        words = (
            "In brackets: times torchstain's faster backend. Grey line: plain copy of the pixels."
        )
        figure.supxlabel(f"{words}\n{where}, {result['date']}", fontsize=7, color=MUTED)


def draw_size(axes: Any, size: Mapping[str, Any], names: Sequence[str]) -> None:
    """One panel."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from histocli.report.style import BLUE, FAINT, INK, MUTED

    rows = {row["name"]: row for row in size["rows"] if not row["absent"]}
    bound = size["copy_gigabytes_per_second"] * 1e9 / (BYTES_PER_PIXEL * size["size_px"] ** 2)
    axes.axvline(bound, color=FAINT, linewidth=3, zorder=0)
    rates = {name: rows[name]["tiles_per_second"]["best"] for name in names if name in rows}
    for position, name in enumerate(names):
        if name not in rows:
            axes.text(0.03, position, "fails", va="center", transform=axes.get_yaxis_transform())
            continue
        color = BLUE if rows[name]["package"] == "histocli" else MUTED
        # A dot, not a bar: a logarithmic axis has no zero for bars to stand on.
        axes.plot([rates[name]], [position], "o", color=color, markersize=6)
        words = speed_cell(rows[name])
        axes.text(rates[name] * 1.35, position, words, va="center", fontsize=7, color=INK)
    axes.set_xscale("log")
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_xlim(min(rates.values()) / 3, max(bound * 2, max(rates.values()) * 40))
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(title=f"{size['size_px']} px", xlabel="tiles a second")
