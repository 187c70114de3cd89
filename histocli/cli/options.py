"""Turns a settings section into the options of a command, so that no option is declared twice."""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from histocli.cli.console import Terminal
from histocli.cli.failures import with_errors
from histocli.cli.sources import isolated
from histocli.settings import HistoSettings, Section
from histocli.settings_sources import find_config, load_settings

Command = Callable[..., None]
# Options that every command has stand in a panel of their own.
COMMON = (
    "config",
    *Section.model_fields,
    "device",
    "workers",
    "offline",
    "strict",
    "dry_run",
    "overwrite",
)
COMMON_PANEL = "Common options"
# Commands that go on where they were stopped; the others begin anew, and `train` says how by itself.
CONTINUED = ("normalize", "qc", "predict", "data_fetch")
SHORT_FLAGS: Mapping[str, str] = {"output": "-o", "quiet": "-q", "verbose": "-v"}


def with_settings(section: str) -> Callable[[Command], Command]:
    """Add one option per field of ``section``; pass the merged section and a ``Terminal`` on.

    The command takes keyword arguments ``settings`` and ``terminal`` beside its own arguments. Expected
    errors become one line and an exit code.
    """
    fields = type(HistoSettings.model_fields[section].default).model_fields
    options = [_option(name, field) for name, field in fields.items()]

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name not in ("settings", "terminal")]

        @functools.wraps(command)
        def wrapper(ctx: typer.Context, config: Path | None, **values: Any) -> None:
            given = {name: values.pop(name) for name in fields}
            typed = {name: value for name, value in given.items() if _was_typed(ctx, name)}
            terminal = Terminal(given["quiet"], given["verbose"], given["json_output"])
            if section in CONTINUED:
                terminal.again += " to continue"
            with_errors(terminal, _call, command, section, config, typed, values, terminal)

        wrapper.__signature__ = signature.replace(  # type: ignore[attr-defined] # functions have it
            parameters=[_CONTEXT, *own, *options, _CONFIG]
        )
        return wrapper

    return decorate


def _call(
    command: Command,
    section: str,
    config: Path | None,
    typed: Mapping[str, Any],
    values: Mapping[str, Any],
    terminal: Terminal,
) -> None:
    merged = getattr(load_settings(find_config(config), {section: typed}), section)
    terminal.quiet, terminal.verbose = merged.quiet, merged.verbose
    terminal.as_json = merged.json_output
    with isolated(merged):
        command(**values, settings=merged, terminal=terminal)


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    panel = str(extra["panel"]) if "panel" in extra else None
    flag = "--" + str(extra.get("flag", name)).replace("_", "-")
    names = [flag] + ([SHORT_FLAGS[name]] if name in SHORT_FLAGS else [])
    option = typer.Option(
        # A switch has no --no-… twin unless it is on by default: none is.
        *names,
        help=field.description,
        rich_help_panel=COMMON_PANEL if name in COMMON else panel,
        show_default=field.default is not None and field.default is not False,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[field.annotation, option],
    )


_CONTEXT = inspect.Parameter(
    "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)
_CONFIG = inspect.Parameter(
    "config",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Settings file; histo.toml here if it exists.",
            rich_help_panel=COMMON_PANEL,
            show_default=False,
        ),
    ],
)


def _was_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
