"""Tables as text that other programs take: Markdown, LaTeX, and comma-separated values."""

import csv
import io
import re
from collections.abc import Callable, Sequence

from histocli.report.run_summary import RunSummary
from histocli.report.tables import Table
from histocli.report.wording import in_order

LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{NO-BREAK SPACE}": "~",
    **{each: f"\\{each}" for each in "&%$#_{}"},
}
ESTIMATE_COLUMNS = (
    "run",
    "split",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "method",
    "n",
    "reason",
)


def markdown(tables: Sequence[Table]) -> str:
    """Tables as GitHub writes them, each below its caption; the best cells in bold."""
    return "\n".join(_markdown_table(table) for table in tables)


def latex(tables: Sequence[Table]) -> str:
    """Tables for a paper (package ``booktabs``); the best cells in bold."""
    return "\n".join(_latex_table(table) for table in tables)


def estimates_csv(summaries: Sequence[RunSummary]) -> str:
    """Every metric of every split of every run, one a line, unrounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ESTIMATE_COLUMNS)
    for summary in summaries:
        for evaluation in summary.evaluations:
            entries = evaluation.metrics["metrics"]
            for name in in_order(entries):
                facts = [entries[name].get(column) for column in ESTIMATE_COLUMNS[3:]]
                writer.writerow([summary.name, evaluation.split, name, *facts])
    return text.getvalue()


# What `--format` may name beside the terminal's table, JSON and HTML, for tables as they are shown.
MARKUPS: dict[str, Callable[[Sequence[Table]], str]] = {"markdown": markdown, "latex": latex}


def _markdown_table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    header = [markdown_text(cell) for cell in table.header]
    rule = ["---", *("---:" for _ in header[1:])]
    lines = [f"**{markdown_text(table.caption)}**", "", line(header), line(rule)]
    lines += [line(cells) for cells in _cells(table, markdown_text, "**{}**")]
    notes = [f"- {markdown_text(note)}" for note in table.notes]
    return "\n".join([*lines, "", *notes, *([""] if notes else [])])


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is, also within a table.

    Args:
        text: Of the data or of a setting.
    """
    # A name may hold anything; within a cell a bar or a line break would end it, a tag would be taken.
    flat = " ".join(text.split("\n"))
    return re.sub(r"([\\|*_<>`\[\]])", r"\\\1", flat)


def _latex_table(table: Table) -> str:
    columns = "l" + "r" * (len(table.header) - 1)
    body = [" & ".join(cells) + r" \\" for cells in _cells(table, _latex_text, r"\textbf{{{}}}")]
    notes = [rf"\par\footnotesize {_latex_text(note)}" for note in table.notes]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex_text(table.caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(_latex_text(cell) for cell in table.header) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def _latex_text(text: str) -> str:
    return "".join(LATEX_ESCAPES.get(each, each) for each in " ".join(text.split("\n")))


def _cells(table: Table, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    return [
        [
            bold.format(escape(cell)) if (row, column) in table.best else escape(cell)
            for column, cell in enumerate(cells)
        ]
        for row, cells in enumerate(table.rows)
    ]
