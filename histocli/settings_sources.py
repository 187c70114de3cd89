"""Where settings come from: merge the sources, name the origins, write the file.

Known traps of pydantic-settings are closed here: a missing file and a misspelt variable are errors.
"""

import json
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from histocli.errors import SettingsError
from histocli.settings import PREFIX, HistoSettings

CONFIG_NAME = "histo.toml"
CONFIG_VARIABLE = "HISTO_CONFIG"


def find_config(named: Path | None) -> Path | None:
    """The settings file: the named one, ``HISTO_CONFIG``, or ``histo.toml`` here; None without one.

    Raises:
        SettingsError: If a file was named and is not there; pydantic-settings would pass over it.
    """
    variable = os.environ.get(CONFIG_VARIABLE)
    wanted = named or (Path(variable) if variable else None)
    if wanted is not None and not wanted.is_file():
        raise SettingsError(f"{wanted}: no such settings file")
    default = Path(CONFIG_NAME)
    return wanted or (default if default.is_file() else None)


def load_settings(
    config: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> HistoSettings:
    """Merge the sources.

    Args:
        config: Settings file, see ``find_config``.
        overrides: Section name to the values typed on the command line.

    Raises:
        SettingsError: One line per wrong setting.
    """
    _check_environment()
    bound = _bound_to(config)
    try:
        typed: dict[str, Any] = {name: dict(values) for name, values in (overrides or {}).items()}
        return bound(**typed)
    except ValidationError as error:
        raise SettingsError(_describe(error, origins(config, typed))) from None
    except (ValueError, RecursionError) as error:
        # Broken TOML, or a value of the environment that should be JSON.
        raise SettingsError(f"{config or 'environment'}: {error}") from None


def origins(
    config: Path | None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[tuple[str, str], str]:
    """Where each setting that is no default comes from."""
    bound = _bound_to(config)
    sources: list[tuple[str, Mapping[str, Any]]] = [
        (str(config), TomlConfigSettingsSource(bound)()),
        ("environment", EnvSettingsSource(bound)()),
        ("command line", overrides or {}),
    ]
    return {
        (section, name): origin
        for origin, content in sources
        for section, values in content.items()
        for name in values
    }


def _bound_to(config: Path | None) -> type[HistoSettings]:
    class BoundSettings(HistoSettings):
        model_config = SettingsConfigDict(toml_file=config, title="histo settings")

    return BoundSettings


def _check_environment() -> None:
    """Refuse a misspelt variable: pydantic-settings would pass over it without a word."""
    known = {CONFIG_VARIABLE} | {
        f"{PREFIX}{section}__{name}".upper()
        for section, field in HistoSettings.model_fields.items()
        for name in type(field.default).model_fields
    }
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            raise SettingsError(f"environment: unknown variable {variable}{_hint(variable, known)}")


def _hint(name: str, known: set[str]) -> str:
    close = get_close_matches(name.upper(), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _describe(error: ValidationError, known: Mapping[tuple[str, str], str]) -> str:
    """Each bad setting as it was written, in one line: ``histo.toml: train.epochs: Input should be …``."""
    lines = []
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        message = str(problem["msg"])
        if problem["type"] == "extra_forbidden":
            section = HistoSettings.model_fields.get(place[0])
            names = type(section.default).model_fields if section else HistoSettings.model_fields
            close = get_close_matches(place[-1], list(names), n=1)
            message = "no such setting" + (f"; did you mean {close[0]}?" if close else "")
        lines.append(f"{_as_written(place, known)}: {message}")
    return "; ".join(lines)


def _as_written(place: Sequence[str], known: Mapping[tuple[str, str], str]) -> str:
    """A setting by the name that it has where its value comes from."""
    found = [origin for key, origin in known.items() if list(key[: len(place)]) == place[:2]]
    name = ".".join(place)
    if not found:
        return name
    if found[-1] == "environment":
        return PREFIX + "__".join(place).upper()
    if found[-1] == "command line":
        return "--" + place[1].replace("_", "-")
    return f"{found[-1]}: {name}"


# Belong to one call, not to a file.
PER_CALL = ("quiet", "verbose", "json_output", "overwrite", "dry_run", "resume", "verify")


def to_toml(settings: HistoSettings) -> str:
    """Every setting as a commented ``histo.toml``; a value that is not set is commented out."""
    lines = [
        "# Settings of histo, with their defaults. Keep what you change; delete the rest.",
        "# Environment (HISTO_TRAIN__EPOCHS=5) and command line (--epochs 5) go before this file.",
    ]
    for section in HistoSettings.model_fields:
        values = getattr(settings, section)
        lines += ["", f"[{section}]"]
        for name, field in type(values).model_fields.items():
            if name in PER_CALL:
                continue
            value = getattr(values, name)
            lines.append(f"# {field.description}")
            lines.append(f"# {name} = " if value is None else f"{name} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    # JSON's strings, numbers and booleans are TOML's.
    return json.dumps(value.as_posix() if isinstance(value, Path) else value)
