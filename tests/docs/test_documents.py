"""Documents that are written by hand agree with the package."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import histocli
from histocli.cli.app import app
from histocli.settings import HistoSettings

ROOT = Path(__file__).resolve().parents[2]


def test_the_citation_names_this_version() -> None:
    assert f"\nversion: {histocli.__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("name", ["glossary.md", "python.md", "terminal.md", "commands/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / "docs" / name
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def typed_commands(document: Path) -> Iterator[str]:
    """What a document tells its reader to type: lines of its blocks, fenced or indented."""
    fenced = False
    for line in document.read_text().splitlines():
        fenced ^= line.startswith("```")
        if (fenced or line.startswith("    ")) and line.strip().startswith("histo "):
            yield line.strip()


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_tells_to_type_are_commands_with_options(document: Path) -> None:
    for line in typed_commands(document):
        words = shlex.split(line, comments=True)[1:]
        command: Any = get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert command.name != "histo" or words[0].startswith("--"), line
        known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        for word in words:
            option = word.partition("=")[0]
            assert not option.startswith("-") or option in known, f"{option}: {line}"


def test_the_readme_tells_what_to_type() -> None:
    assert len(list(typed_commands(ROOT / "README.md"))) > 12


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
