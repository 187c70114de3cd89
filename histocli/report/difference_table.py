"""Differences between runs as a table: which of them are real."""

from collections.abc import Mapping, Sequence
from typing import Any

from histocli.report.tables import Table
from histocli.report.wording import interval, metric_label, number, p_text, percent

# Shown of each pair where there are several; the file has all.
OF_MANY_PAIRS = ("auroc", "accuracy", "brier")


def difference_table(comparison: Mapping[str, Any]) -> Table:
    """Each difference with its interval, its adjusted p-value, and which run is better.

    Args:
        comparison: The content of ``comparison.json``.
    """
    letters = run_letters(comparison["runs"])
    pairs = comparison["pairs"]
    names = [name for name in pairs[0]["metrics"] if len(pairs) == 1 or name in OF_MANY_PAIRS]
    rows = [
        _row(metric_label(name), pair, pair["metrics"][name], name, comparison["values"], letters)
        for name in names
        for pair in pairs
    ]
    header: tuple[str, ...] = ("Metric", "Runs", "First", "Second", "Difference", "p", "Better")
    if len(pairs) == 1:
        header = ("Metric", "A", "B", "Difference", "p", "Better")
        rows = [[label, *rest] for label, _, *rest in rows]
    return Table("Differences", header, rows, tuple(_notes(comparison, letters)))


def run_letters(runs: Sequence[str]) -> dict[str, str]:
    """A letter for each run, as names may be long: A to Z, then numbers."""
    return {
        run: chr(ord("A") + position) if position < 26 else str(position + 1)
        for position, run in enumerate(runs)
    }


def _row(
    label: str,
    pair: Mapping[str, Any],
    record: Mapping[str, Any],
    name: str,
    values: Mapping[str, Mapping[str, float | None]],
    letters: Mapping[str, str],
) -> list[str]:
    first, second = pair["runs"]
    bounds = interval(record)
    difference = number(record["difference"])
    return [
        label,
        f"{letters[first]}\N{EN DASH}{letters[second]}",
        number(values[first][name]),
        number(values[second][name]),
        f"{difference} ({bounds})" if bounds else difference,
        p_text(record["p_holm"]),
        letters[record["better"]] if record["better"] else "not shown",
    ]


def _notes(comparison: Mapping[str, Any], letters: Mapping[str, str]) -> list[str]:
    notes = [f"{letter}: {run}" for run, letter in letters.items()]
    pairs, groups = comparison["pairs"], comparison["groups"]
    unit = f"{groups:,} groups" if groups else "tiles, as no groups are known: optimistic"
    notes.append(
        f"In brackets: {percent(comparison['confidence'], 0)} confidence interval, over {unit}."
    )
    adjusted = ", adjusted by Holm's method over the pairs" if len(pairs) > 1 else ""
    tests = dict.fromkeys(each["test"] for pair in pairs for each in pair["metrics"].values())
    notes.append(f"p: two-sided{adjusted}; {', '.join(tests)}.")
    if len(pairs) == 1:
        table = pairs[0]["tests"]["mcnemar"]
        notes.append(
            f"Right in {letters[comparison['runs'][0]]} alone: {table['only_first']:,} tiles; in "
            f"{letters[comparison['runs'][1]]} alone: {table['only_second']:,}."
        )
        notes.append(_tests_of_tiles(pairs[0]["tests"], has_groups=bool(groups)))
    notes.append("Not shown is not the same as equal: the interval says what is still possible.")
    return notes


def _tests_of_tiles(tests: Mapping[str, Any], *, has_groups: bool) -> str:
    """What the tests say that papers name, whichever decides here."""
    areas, discordant = tests["delong"], tests["mcnemar"]
    said = f"DeLong's p for the AUROC {p_text(areas['p_value'])}, "
    said += f"McNemar's for accuracy {p_text(discordant['p_value'])}"
    if not has_groups:
        return f"{said}."
    grouped = p_text(tests["delong_clustered"]["p_value"])
    return f"If tiles were independent: {said}. DeLong's p for groups: {grouped}."
