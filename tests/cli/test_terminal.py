"""What a terminal of 80 columns, a pipe and a shell see."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from histocli.cli.app import app
from histocli.cli.console import Terminal, make_table
from histocli.data.phantom import write_phantom

WIDTH = 80
ESCAPE = "\x1b"


def histo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: how output looks is settled when the program starts."""
    command = [sys.executable, "-m", "histocli", *arguments]
    bare = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")
    }
    return subprocess.run(
        command, env={**bare, **environment}, capture_output=True, text=True, check=False
    )


def command_words() -> Iterator[tuple[str, ...]]:
    yield ()
    for name, command in getattr(get_command(app), "commands", {}).items():
        yield (name,)
        yield from ((name, inner) for inner in getattr(command, "commands", ()))


@pytest.mark.parametrize("words", list(command_words()), ids=" ".join)
def test_help_fits_80_columns(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(WIDTH)})
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= WIDTH


@pytest.mark.parametrize(
    "words", [path for path in command_words() if path not in ((), ("data",))], ids=" ".join
)
def test_help_says_what_a_command_does_and_gives_an_example(words: tuple[str, ...]) -> None:
    text = CliRunner().invoke(app, [*words, "--help"]).stdout
    assert f"histo {' '.join(words)}" in text.partition("Example")[2], "no example"


def test_what_is_piped_is_plain() -> None:
    for arguments in (("config",), ("normalize", "nowhere"), ("--help",)):
        result = histo(*arguments)
        assert ESCAPE not in result.stdout + result.stderr, arguments


def test_no_color_is_obeyed_where_color_would_be_forced() -> None:
    # A terminal cannot be had here; FORCE_COLOR stands for one.
    colored = histo("normalize", "nowhere", FORCE_COLOR="1")
    assert f"{ESCAPE}[1;31m" in colored.stderr
    plain = histo("normalize", "nowhere", FORCE_COLOR="1", NO_COLOR="1")
    assert "31m" not in plain.stderr


def test_a_terminal_that_knows_few_characters_gets_a_question_mark() -> None:
    result = histo("normalize", "nowhére", PYTHONIOENCODING="ascii")
    assert result.returncode == 3
    assert "nowh?re: no such file" in result.stderr


def test_titles_stay_on_one_line_and_sentences_where_they_are_piped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sentence = "so long that no terminal of any width could show it whole " * 3
    table = make_table("A title that is wider than its table", ["a", "b"], [["x", 1]])
    Terminal().result({}, table, sentence)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].rstrip() == "A title that is wider than its table"
    assert lines[1].split() == ["a", "b"]
    assert lines[-1].rstrip() == sentence.rstrip()


def test_a_terminal_gets_whole_words(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(out=Console(force_terminal=True, width=20, color_system=None))
    terminal.result({}, "words of a sentence that is long")
    assert capsys.readouterr().out.splitlines() == ["words of a sentence ", "that is long"]


def test_an_error_is_one_line_in_a_terminal_too(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(err=Console(force_terminal=True, width=20, color_system=None, stderr=True))
    terminal.error("interrupted; continue with `histo train --resume --name first`", 130)
    said = capsys.readouterr().err
    assert said == "error: interrupted; continue with `histo train --resume --name first`\n"


def test_results_go_to_stdout_and_messages_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["demo", "data", "--tiles", "60"]).exit_code == 0
    result = CliRunner().invoke(app, ["normalize", "data", "--dry-run"])
    assert "normalizing 60 tiles" in result.stderr
    assert "normalizing" not in result.stdout
    quiet = CliRunner().invoke(app, ["normalize", "data", "--dry-run", "--quiet"])
    assert quiet.exit_code == 0
    assert not quiet.stderr


def shell(command: str, home: Path, **environment: str) -> str:
    """What a command prints in bash, for a user who has nothing but the console script."""
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PATH": path, "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_progress_says_how_fast_it_is_and_what_takes_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("histocli.cli.console.SECONDS_BETWEEN_LINES", 0.0)
    write_phantom(tmp_path / "tiles", tiles=60, seed=0)
    for command in ("normalize", "qc"):
        result = CliRunner().invoke(
            app, [command, str(tmp_path / "tiles"), "--output", str(tmp_path / command)]
        )
        lines = [line for line in result.stderr.splitlines() if " s left" in line]
        assert lines, result.stderr
        told = (
            r"\w+: \d+ of \d+, [\d,]+ tiles/s, \d+ s left, mostly (reading|stain|writing|measuring)"
        )
        assert re.fullmatch(told, lines[-1]), lines


def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    # Two commands: bash becomes a single one, and could not be recognised as the parent.
    shell("histo --install-completion; true", tmp_path)
    assert "histo.sh" in (tmp_path / ".bashrc").read_text()
    assert "complete " in (tmp_path / ".bash_completions" / "histo.sh").read_text()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("histo norm", "normalize"),
        ("histo normalize --cont", "--context"),
        ("histo normalize --method rein", "reinhard"),
        ("histo data desc", "describe"),
    ],
)
def test_completion_knows_commands_options_and_values(
    typed: str, offered: str, tmp_path: Path
) -> None:
    variables = {
        "_HISTO_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }
    assert shell("histo", tmp_path, **variables).split() == [offered]
