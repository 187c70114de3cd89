"""`histo config`."""

from pathlib import Path
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.failures import with_errors
from histocli.settings import HistoSettings
from histocli.settings_sources import find_config, load_settings, origins, to_toml


def config(
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file; histo.toml here if it exists.")
    ] = None,
    *,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Print every default as a histo.toml.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the facts as one JSON object.")
    ] = False,
) -> None:
    """Print the merged settings, and where each that is no default comes from.

    Example:  histo config --defaults > histo.toml
    """
    terminal = Terminal(as_json=json_output)
    with_errors(terminal, _config, config, defaults, terminal)


def _config(named: Path | None, defaults: bool, terminal: Terminal) -> None:
    if defaults:
        typer.echo(to_toml(HistoSettings.model_construct()), nl=False)
        return
    path = find_config(named)
    settings = load_settings(path)
    known = origins(path)
    content = settings.model_dump(mode="json")
    rows = [
        [f"{section}.{name}", value, known.get((section, name), "default")]
        for section, values in content.items()
        for name, value in values.items()
    ]
    facts = {"file": path, "folder": Path.cwd(), "settings": content}
    facts["origins"] = {f"{s}.{n}": origin for (s, n), origin in known.items()}
    terminal.result(facts, make_table("Settings", ["setting", "value", "from"], rows))
