"""What one check found."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One fact about this machine.

    Attributes:
        status: ``note`` is something that histo can do without, or that slows it down.
        subject: What it is about.
        message: What was found.
        advice: What to do about it; empty where there is nothing to do.
    """

    status: Status
    subject: str
    message: str
    advice: str = ""


def ok(subject: str, message: str) -> Finding:
    """It is there and works."""
    return Finding("ok", subject, message)


def note(subject: str, message: str, advice: str = "") -> Finding:
    """It is not there, or slow, and nothing is broken by that."""
    return Finding("note", subject, message, advice)


def problem(subject: str, message: str, advice: str) -> Finding:
    """It is there, or has to be, and does not work."""
    return Finding("problem", subject, message, advice)
