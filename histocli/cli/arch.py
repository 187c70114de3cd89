"""`histo arch`."""

from dataclasses import asdict
from typing import Annotated

import typer

from histocli.cli.console import Terminal, make_table
from histocli.cli.options import with_settings
from histocli.settings import ArchSettings


@with_settings("arch")
def arch(
    name: Annotated[
        str | None,
        typer.Argument(help="Name for --arch, or a pattern.", show_default="those of histo"),
    ] = None,
    *,
    settings: ArchSettings,
    terminal: Terminal,
) -> None:
    """List architectures: size, cost, and where their weights come from.

    Any model of timm can be named too, and any that is published for timm on
    the Hugging Face hub, as hf-hub:OWNER/NAME.

    Examples:
      histo arch
      histo arch 'convnext_*'
    """
    del settings
    from histocli.errors import SettingsError
    from histocli.models.architecture_facts import MOST_LISTED, facts_of, names_like

    names = names_like(name)
    if not names:
        raise SettingsError(f"timm has no model like {name!r}")
    found = facts_of(names)
    rows = [
        [
            each.name,
            f"{each.parameters / 1e6:.1f}",
            f"{each.flops / 1e9:.1f}",
            each.input_size_px,
            each.weights,
            each.license,
        ]
        for each in found
    ]
    header = ["--arch", "10⁶ weights", "10⁹ FLOP", "side", "weights from", "license"]
    terminal.result(
        {"architectures": [asdict(each) for each in found], "matching": len(names)},
        make_table("Architectures (cost of one tile of that side)", header, rows),
        *(each.page for each in found if len(found) == 1 and each.page),
    )
    if len(names) > MOST_LISTED:
        terminal.say(f"the first {MOST_LISTED} of {len(names)}: {', '.join(names[MOST_LISTED:])}")
