"""The audit of a run's explanations, for the documents.

    python benchmarks/explain_audit.py RUN [--tiles 400] [--audit-tiles 96] [options of histo explain]

Runs `histo explain RUN --audit`, copies its figures to docs/figures, and writes its numbers into
docs/explanations.md, between the two marks. Whatever the audit says stands there.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from histocli.run_record import RunRecord

DOCUMENT = Path(__file__).parents[1] / "docs" / "explanations.md"
FIGURES = ("gradcam_analysis", "average_maps", "faithfulness", "sanity")
MARKS = ("<!-- audit: begin -->", "<!-- audit: end -->")


def main() -> None:
    """Explain, copy, write."""
    parser = argparse.ArgumentParser(description="Audit of a run, for the documents.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--tiles", type=int, default=400)
    parser.add_argument("--audit-tiles", type=int, default=96)
    arguments, further = parser.parse_known_args()
    command = [sys.executable, "-m", "histocli", "explain", str(arguments.run), "--audit"]
    command += ["--tiles", str(arguments.tiles), "--audit-tiles", str(arguments.audit_tiles)]
    subprocess.run([*command, *further], check=True)
    explanation = arguments.run / "explanation"
    for name in FIGURES:
        target = DOCUMENT.parent / "figures" / f"explanations-{name.replace('_', '-')}.png"
        shutil.copyfile(explanation / f"{name}.png", target)
    result = json.loads((explanation / "attention.json").read_text())
    section = "\n".join(
        [
            MARKS[0],
            "",
            *headline(result, RunRecord.read(arguments.run)),
            "",
            *faithfulness_table(result),
            "",
            *location_table(result),
            "",
            *figure_links(),
            "",
            MARKS[1],
        ]
    )
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(re.sub(f"{MARKS[0]}.*{MARKS[1]}", lambda _: section, text, flags=re.DOTALL))
    print(section)


def headline(result: Mapping[str, Any], record: RunRecord) -> Iterator[str]:
    """How the model was trained, the verdict, and each check with what it says."""
    audit, settings, learned = result["audit"], record.settings, record.results
    how = (
        "--transfer frozen"
        if settings["transfer"] == "frozen"
        else f"--recipe {settings['recipe']}"
    )
    tiles = sum(learned["splits"]["train"].values())
    yield (
        f"Trained by `histo train --arch {settings['arch']} {how} --stain {settings['stain']} --seed "
        f"{record.seed}` on {tiles:,} tiles; AUROC on validation {learned['best_valid_auroc']:.3f}."
    )
    verdict = audit["verdict"]
    state = "passes" if verdict["passes"] else "fails"
    yield (
        f"Method `{result['method']}`, layer `{result['layer']}`, {result['tiles']} tiles of the "
        f"{result['split']} split, of which {audit['tiles']} were audited. The explanation **{state}**."
    )
    yield from ("", "| check | outcome | numbers |", "|---|---|---|")
    for check in verdict["checks"]:
        outcome = "passes" if check["passed"] else "**fails**"
        yield f"| {check['name']} | {outcome} | {check['says']} |"


def faithfulness_table(result: Mapping[str, Any]) -> Iterator[str]:
    """Every measure of the map and of the maps that it is compared with, with the paired tests."""
    measures = result["audit"]["faithfulness"]["measures"]
    others = list(next(iter(measures.values()))["against"])
    yield f"| measure | better | {' | '.join(('map', *others))} |"
    yield "|" + "---|" * (3 + len(others))
    for name, measure in measures.items():
        cells = [f"{measure['maps'][result['method']]['value']:.3f}"]
        for other in others:
            p_value = measure["against"][other]["p_value"]
            tested = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
            cells.append(f"{measure['maps'][other]['value']:.3f} ({tested})")
        yield f"| {name} | {measure['better']} | {' | '.join(cells)} |"


def location_table(result: Mapping[str, Any]) -> Iterator[str]:
    """Where the attention lies, by region and group of tiles."""
    header = (
        "region",
        "tiles of",
        "n",
        "share",
        "chance",
        "ceiling",
        "enrichment",
        "pointing game",
    )
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" * len(header)
    for region, groups in result["regions"].items():
        for group, found in groups.items():
            cells = [region, group, str(found["n"]), percent(found["share"]["value"])]
            cells += [percent(found["chance"]), percent(found["ceiling"])]
            cells += [interval(found["enrichment"]), percent(found["pointing_game"]["value"])]
            yield f"| {' | '.join(cells)} |"


def figure_links() -> Iterator[str]:
    """The copied figures."""
    for name in FIGURES:
        yield f"![{name.replace('_', ' ')}](figures/explanations-{name.replace('_', '-')}.png)"


def percent(value: float | None) -> str:
    """A share in percent, a dash where it is undefined."""
    return "-" if value is None else f"{value:.1%}"


def interval(estimate: Mapping[str, Any]) -> str:
    """Value and interval, as far as they are defined."""
    value, low, high = (estimate[key] for key in ("value", "ci_low", "ci_high"))
    if value is None:
        return "-"
    return f"{value:.2f}" if low is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
