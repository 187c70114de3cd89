"""What a command works on when nothing was named, and how it says so."""

from pathlib import Path
from typing import TYPE_CHECKING

from histocli.cli.console import Terminal
from histocli.cli.sources import source_options
from histocli.errors import InputError
from histocli.settings import EvaluateSettings, PredictSettings

if TYPE_CHECKING:
    from histocli.training.material import AnalysisRequest
    from histocli.training.use import UseSettings

DATA = Path("data")
# How many an error message names.
RUNS_NAMED = 5


def data_or_default(named: Path | None, default: Path, terminal: Terminal) -> Path:
    """The named path, or the default, which is printed.

    Raises:
        InputError: If neither is there.
    """
    path = default if named is None else named
    if not path.exists():
        advice = (
            "; name the folder of your tiles, or make some with `histo demo data`"
            if named is None
            else ""
        )
        raise InputError(f"{path}: no such file or folder{advice}")
    if named is None:
        terminal.say(f"source: {path} (default)")
    return path


def beside(source: Path, suffix: str) -> Path:
    """``data/train`` to ``data/train-normalized``; a file loses its extension."""
    resolved = source.resolve() if source.name in ("", ".", "..") else source
    name = resolved.name if resolved.is_dir() else resolved.stem
    return resolved.with_name(name + suffix)


def report_path(runs: list[Path], folder: Path) -> Path:
    """Where a report goes: into its run, or into ``comparisons`` for several."""
    if len(runs) == 1:
        return runs[0] / "report.html"
    return comparison_folder(runs, folder) / "report.html"


def comparison_folder(runs: list[Path], folder: Path) -> Path:
    """Where the comparison of several runs goes."""
    names = [run.resolve().name for run in runs]
    name = "-".join(names) if len(names) <= 3 else f"{names[0]}-and-{len(names) - 1}-more"
    return folder / "comparisons" / name


def run_or_newest(named: Path | None, runs: Path, terminal: Terminal) -> Path:
    """The named run, or the newest in ``runs``, which is printed.

    Raises:
        InputError: If it is not there; the message names those that are.
    """
    from histocli.report.collect import newest_run

    if named is not None:
        # A bare name means a run in the folder of runs.
        found = next((path for path in (named, runs / named) if path.exists()), None)
        if found is None:
            raise InputError(f"{named}: no such run, here or in {runs}; {_runs_there(runs)}")
        if not found.is_dir():
            raise InputError(f"{found}: a file, not the folder of a run; {_runs_there(runs)}")
        return found
    run = newest_run(runs)
    terminal.say(f"run: {run} (newest)")
    return run


def _runs_there(runs: Path) -> str:
    """The newest runs in a folder, for who mistyped a name."""
    records = sorted(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    names = [path.parent.name for path in records[:RUNS_NAMED]]
    return f"there is {', '.join(names)}" if names else "train one with `histo train`"


def use_settings(settings: EvaluateSettings | PredictSettings) -> "UseSettings":
    """How to predict, from the section of a command that predicts."""
    from histocli.training.use import UseSettings

    return UseSettings(
        settings.device,
        settings.batch_size,
        settings.test_time_augmentation,
        settings.workers,
        settings.strict,
        source_options(settings),
    )


def analysis_request(settings: EvaluateSettings) -> "AnalysisRequest":
    """What `histo evaluate` was asked for beyond the table of metrics."""
    from histocli.training.material import AnalysisRequest

    return AnalysisRequest(
        settings.at,
        settings.prevalence,
        settings.by,
        settings.aggregate,
        settings.stress,
        settings.stress_tiles,
        settings.sanity,
        settings.qc,
        settings.seed,
    )
