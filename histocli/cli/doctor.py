"""`histo doctor`."""

from dataclasses import asdict

import typer
from rich.table import Table
from rich.text import Text

from histocli.cli.console import Terminal
from histocli.cli.options import with_settings
from histocli.errors import InputError
from histocli.settings import DoctorSettings

STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


@with_settings("doctor")
def doctor(*, settings: DoctorSettings, terminal: Terminal) -> None:
    """Check this machine: versions, GPU, kernels, weights, disk; say what to do.

    Exits with 0 if what is there works, with 1 if anything is broken.

    Example:  histo doctor
    """
    from histocli.doctor import CHECKS, examine

    if not settings.folder.is_dir():
        raise InputError(f"{settings.folder}: no such folder; name one with --folder")
    table = Table(box=None, pad_edge=False, show_header=False)
    # The subject stays in one piece; the message takes what is left of the line.
    for width in (7, 17):
        table.add_column(min_width=width, no_wrap=True)
    table.add_column(overflow="fold")
    facts = []
    with terminal.progress("examining", len(CHECKS), "checks") as progress:
        for check, finding in examine(settings.folder, CHECKS, progress):
            facts.append({"check": check, **asdict(finding)})
            style = STYLES[finding.status]
            table.add_row(Text(finding.status, style), Text(finding.subject), Text(finding.message))
            if finding.advice:
                table.add_row("", "", Text(f"→ {finding.advice}"))
    problems = sum(fact["status"] == "problem" for fact in facts)
    verdict = f"{problems} to repair" if problems else "what is here works"
    terminal.result({"ok": not problems, "findings": facts}, table, verdict)
    if problems:
        raise typer.Exit(1)
