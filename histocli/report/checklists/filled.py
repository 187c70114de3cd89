"""The checklists of one run as tables."""

from histocli.report.checklists.claim_2024 import CLAIM_2024
from histocli.report.checklists.facts import FACTS
from histocli.report.checklists.item import Item
from histocli.report.checklists.tripod_ai import TRIPOD_AI
from histocli.report.run_summary import RunSummary
from histocli.report.tables import Table

CHECKLISTS: dict[str, tuple[Item, ...]] = {"TRIPOD+AI": TRIPOD_AI, "CLAIM 2024": CLAIM_2024}
AUTHOR = "author to complete"


def checklist_tables(summary: RunSummary) -> list[Table]:
    """One table for each checklist: number, what is asked, what the run knows.

    Args:
        summary: Of the run.
    """
    return [_table(name, items, summary) for name, items in CHECKLISTS.items()]


def _table(name: str, items: tuple[Item, ...], summary: RunSummary) -> Table:
    rows = [[item.number, item.asks, _answer(item, summary)] for item in items]
    known = sum(row[2] != AUTHOR for row in rows)
    note = (
        f"histocli knows something of {known} of {len(rows)} items; authors complete these too. "
        "Items are paraphrased: the published checklist is binding."
    )
    return Table(name, ("Item", "Asks for", "Answer"), rows, (note,))


def _answer(item: Item, summary: RunSummary) -> str:
    found = (FACTS[key](summary) for key in item.facts)
    return " ".join(each for each in found if each) or AUTHOR
