"""Write docs/commands: a page for each command, as its --help prints it.

python docs/generate_commands.py            # write
python docs/generate_commands.py --check    # exit 1 and name the pages that are no longer what --help says
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Typer reads these when it is imported: one width and no color, wherever this runs.
os.environ.update(COLUMNS="80", TERMINAL_WIDTH="80", NO_COLOR="1", TERM="dumb")
for forced in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
    os.environ.pop(forced, None)

from typer.main import get_command  # noqa: E402 - after the environment is set
from typer.testing import CliRunner  # noqa: E402

from histocli.cli.app import app  # noqa: E402

FOLDER = Path(__file__).resolve().parent / "commands"
NOTE = "<!-- Written by docs/generate_commands.py from --help: do not edit. -->"


def command_paths() -> Iterator[tuple[str, ...]]:
    """Words of every command, in the order of `histo --help`."""
    for name, command in commands_of(get_command(app)).items():
        inner = commands_of(command)
        yield from [(name, each) for each in inner] if inner else [(name,)]


def commands_of(command: object) -> dict[str, object]:
    """Commands of a group by name; none of what is no group."""
    found: dict[str, object] = getattr(command, "commands", {})
    return found


def help_of(words: tuple[str, ...]) -> str:
    """What --help prints, without the blanks at the ends of its lines."""
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="histo")
    if result.exit_code:
        raise SystemExit(f"histo {' '.join(words)} --help fails: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def summary_of(text: str) -> str:
    """The first paragraph below the usage, in one line."""
    _, _, below = text.partition("Usage:")
    paragraphs = [" ".join(part.split()) for part in below.split("\n\n")[1:]]
    return paragraphs[0]


def pages() -> dict[str, str]:
    """Content of every page by the name of its file."""
    found = {}
    rows = []
    for words in command_paths():
        text, title, name = help_of(words), f"histo {' '.join(words)}", f"{'-'.join(words)}.md"
        found[name] = f"{NOTE}\n\n# {title}\n\n```text\n{text}\n```\n"
        rows.append(f"| [`{title}`]({name}) | {summary_of(text)} |")
    table = "\n".join(["| | |", "|---|---|", *rows])
    overview = help_of(())
    found["README.md"] = f"{NOTE}\n\n# Commands\n\n{table}\n\n```text\n{overview}\n```\n"
    return found


def main() -> None:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description="Write docs/commands from --help.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    checking = parser.parse_args().check
    wanted = pages()
    there = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    if checking:
        if stale:
            sys.exit(f"stale: {', '.join(stale)}; run: python docs/generate_commands.py")
        return
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name])
        else:
            (FOLDER / name).unlink()
    print(f"{len(wanted)} pages, {len(stale)} changed")


if __name__ == "__main__":
    main()
