"""A number of things, in words."""


def counted(number: int, noun: str) -> str:
    """``1 tile``, ``2 tiles``, ``12,345 tiles``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
