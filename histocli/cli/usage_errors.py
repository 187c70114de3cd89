"""A wrong command line is told in one line, like every other error."""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from histocli.cli.console import Terminal
from histocli.errors import SettingsError

# Typer shows this one by printing the help of a group that was called without a command.
NO_COMMAND = "NoArgsIsHelpError"
EMPTY = "an argument is empty: is a variable of the shell not set?"
# What pydantic puts before the message of a type of ours.
PREFIX = "Value error, "


class OneLineErrors(TyperGroup):
    """The group of all commands; Typer's own would print usage and a box of several lines."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; ends the process unless ``standalone_mode`` is off."""

        def run() -> Any:
            return super(OneLineErrors, self).main(
                args, prog_name, complete_var, False, windows_expand_args, **extra
            )

        if not standalone_mode:
            return run()
        typed = sys.argv[1:] if args is None else args
        if "" in typed:
            # Taken for a path it would be the folder one stands in.
            Terminal(as_json="--json" in typed).error(EMPTY, SettingsError.exit_code)
            sys.exit(SettingsError.exit_code)
        try:
            code = run()
        except typer.Abort:
            sys.exit(130)
        except Exception as error:
            # Typer brings the class of these in some versions and takes click's in others.
            if not hasattr(error, "format_message"):
                raise
            sys.exit(_tell(error, typed))
        sys.exit(code if isinstance(code, int) else 0)


def _tell(error: Any, args: Sequence[str]) -> int:
    """Print a usage error; its exit code is returned."""
    context: typer.Context | None = getattr(error, "ctx", None)
    if type(error).__name__ == NO_COMMAND and context is not None:
        typer.echo(context.get_help())
        return int(error.exit_code)
    message = " ".join(error.format_message().replace(PREFIX, "").split()).removesuffix(".")
    if context is not None:
        message += f"{' see' if message.endswith('?') else '; see'} {context.command_path} --help"
    Terminal(as_json="--json" in args).error(message, int(error.exit_code))
    return int(error.exit_code)
