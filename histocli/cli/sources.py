"""How a command opens its SOURCE."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

from histocli.settings import Section, SourceSection

if TYPE_CHECKING:
    from histocli.data.opening import SourceOptions


def source_options(settings: SourceSection) -> "SourceOptions":
    """What the user stated of the source."""
    from histocli.data.opening import SourceOptions

    names = {field.name for field in fields(SourceOptions)}
    return SourceOptions(**settings.model_dump(include=names))


@contextmanager
def isolated(settings: Section) -> Iterator[None]:
    """For as long as the context lasts, tiles are decoded where the settings say: here or apart."""
    if not isinstance(settings, SourceSection) or not settings.isolate:
        yield
        return
    from histocli.data.isolation import ISOLATION

    with ISOLATION.switched(True):
        yield
