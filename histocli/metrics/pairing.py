"""Runs can be compared only on the same tiles, labels and classes: this checks, and aligns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from histocli.errors import InputError
from histocli.metrics.labelled import Labelled
from histocli.predictions import Predictions

SHOWN = 3


@dataclass(frozen=True)
class Entrant:
    """One run in a comparison.

    Attributes:
        name: What tables call it.
        predictions: Of the split that is compared on.
        positive_class: The class that is looked for, of two.
    """

    name: str
    predictions: Predictions
    positive_class: str


def paired_tiles(entrants: Sequence[Entrant]) -> dict[str, Labelled]:
    """The labelled tiles of each run, in the order of the first run's.

    Raises:
        InputError: If there are fewer than two runs or two of one name, or if runs differ in their
            classes, positive class, tiles, labels or groups: naming in what.
    """
    if len({entrant.name for entrant in entrants}) < max(2, len(entrants)):
        names = ", ".join(entrant.name for entrant in entrants)
        raise InputError(f"comparing takes two or more different runs, not {names or 'none'}")
    first = entrants[0]
    return {
        entrant.name: Labelled.of(_aligned(first, entrant), entrant.positive_class)
        for entrant in entrants
    }


def _aligned(first: Entrant, other: Entrant) -> Predictions:
    wanted, given = first.predictions, other.predictions
    both = f"{first.name} and {other.name} cannot be compared"
    if list(wanted.classes) != list(given.classes):
        raise InputError(
            f"{both}: their classes are {', '.join(wanted.classes)} and {', '.join(given.classes)}; "
            "compare runs that were trained on the same classes"
        )
    if len(wanted.classes) == 2 and first.positive_class != other.positive_class:
        raise InputError(
            f"{both}: the positive class is {first.positive_class} in one and "
            f"{other.positive_class} in the other; train with one --positive-class"
        )
    place = {tile: row for row, tile in enumerate(given.tiles)}
    known = set(wanted.tiles)
    missing = [tile for tile in wanted.tiles if tile not in place]
    extra = [tile for tile in given.tiles if tile not in known]
    if missing or extra:
        raise InputError(
            f"{both}: {_listed(missing)} only in {first.name}, {_listed(extra)} only in "
            f"{other.name}; evaluate both on one data set with --data"
        )
    rows = [place[tile] for tile in wanted.tiles]
    for column, own, others in (
        ("label", wanted.labels, given.labels),
        ("group", wanted.groups, given.groups),
    ):
        differing = [
            tile
            for tile, row, mine in zip(wanted.tiles, rows, own, strict=True)
            if others[row] != mine
        ]
        if differing:
            raise InputError(
                f"{both}: {_listed(differing)} with another {column} in {other.name}; evaluate both "
                "on one data set with --data"
            )
    return replace(
        given,
        tiles=list(wanted.tiles),
        probabilities=given.probabilities[rows],
        predicted=[given.predicted[row] for row in rows],
        labels=list(wanted.labels),
        groups=list(wanted.groups),
        calibrated=None if given.calibrated is None else given.calibrated[rows],
    )


def _listed(tiles: Sequence[str]) -> str:
    if not tiles:
        return "no tile"
    shown = ", ".join(tiles[:SHOWN]) + (", …" if len(tiles) > SHOWN else "")
    return f"{len(tiles):,} {'tile' if len(tiles) == 1 else 'tiles'} ({shown})"
