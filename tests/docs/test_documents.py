"""Documents that are written by hand agree with the package."""

import re
from pathlib import Path

import pytest

import histocli
from histocli.settings import HistoSettings

ROOT = Path(__file__).resolve().parents[2]


def test_the_citation_names_this_version() -> None:
    assert f"\nversion: {histocli.__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("name", ["glossary.md", "python.md", "terminal.md", "commands/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / "docs" / name
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_options_that_the_glossary_names_are_there() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    named = set(re.findall(r"--([a-z][a-z-]+)", text))
    known = {
        option.replace("_", "-")
        for section in HistoSettings.model_fields.values()
        for option in type(section.default).model_fields
    }
    assert len(named) > 5
    assert named <= known


def test_the_glossary_explains_a_word_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)
    words = [word for word in words if word != "word" and not word.startswith("---")]
    assert len(words) > 50
    assert len(words) == len(set(words))
