"""One item of a reporting checklist."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """What a checklist asks for, in our words.

    Attributes:
        number: As in the checklist.
        asks: What it asks for; the checklist's own text is binding.
        facts: Keys of ``FACTS`` that answer it, wholly or in part; empty where only authors can.
    """

    number: str
    asks: str
    facts: tuple[str, ...] = ()
