"""How a command opens its SOURCE."""

from typing import TYPE_CHECKING

from histocli.settings import Section, SourceSection

if TYPE_CHECKING:
    from histocli.data.opening import SourceOptions

NAMES = set(SourceSection.model_fields) - set(Section.model_fields)


def source_options(settings: SourceSection) -> "SourceOptions":
    """What the user stated of the source."""
    from histocli.data.opening import SourceOptions

    return SourceOptions(**settings.model_dump(include=NAMES))
