"""Read a run folder: each part is optional but ``run.json``; a damaged part is an error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from histocli.atomic_files import parse_json
from histocli.errors import InputError
from histocli.predictions import Predictions
from histocli.report.best_of_runs import is_current
from histocli.report.history import read_history
from histocli.report.run_summary import Evaluation, Explanation, ModelCard, RunSummary
from histocli.run_record import RECORD_NAME, RunRecord

QUALITY_FILE = "qc.json"
COMPARISON = "comparison.json"
# What `histo explain` draws beside the tiles, `--audit` the last two.
AUDIT_FIGURES = ("average_maps.png", "faithfulness.png", "sanity.png")
SPLIT_ORDER = ("train", "valid", "test")


def collect_run(run: Path) -> RunSummary:
    """Read what a run folder holds.

    Args:
        run: A folder that ``histo train`` wrote.

    Raises:
        InputError: If there is no ``run.json``, or a file is damaged (the message names it).
    """
    record = RunRecord.read(run)
    model, history = run / "best_model.json", run / "history.csv"
    return RunSummary(
        path=run,
        name=run.resolve().name,
        record=record,
        model=_read_model(model) if model.is_file() else None,
        history=read_history(history) if history.is_file() else (),
        evaluations=_read_evaluations(run / "evaluation"),
        explanation=_read_explanation(run / "explanation"),
        quality=_read_quality(record),
    )


def collect_comparison(folder: Path, summaries: Sequence[RunSummary]) -> Mapping[str, Any] | None:
    """Read what ``histo evaluate RUN RUN`` found of some runs, None where it was not asked.

    Args:
        folder: Of the comparison, if the runs were named in this order; other orders lie beside it.
        summaries: The runs.

    Raises:
        InputError: If the one in ``folder`` is damaged.
    """
    if len(summaries) < 2:
        return None
    names = sorted(summary.name for summary in summaries)
    found = []
    for path in sorted(
        folder.parent.glob(f"*/{COMPARISON}"), key=lambda path: path.parent != folder
    ):
        try:
            comparison = _read_comparison(path)
        except InputError:
            if path.parent == folder:
                raise
            continue
        if sorted(comparison["runs"]) == names:
            found.append(comparison)
    return next((each for each in found if is_current(each, summaries)), next(iter(found), None))


def _read_comparison(path: Path) -> Mapping[str, Any]:
    content = _read_json(path, "histo evaluate")
    if not isinstance(content.get("pairs"), list):
        raise _damaged(path, "no usable 'pairs'", "histo evaluate")
    runs = content.get("runs")
    if not isinstance(runs, list) or not all(isinstance(name, str) for name in runs):
        raise _damaged(path, "no usable 'runs'", "histo evaluate")
    return content


def all_runs(runs: Path) -> list[Path]:
    """List the training runs in a folder, the oldest first.

    Raises:
        InputError: If there is none.
    """
    folders = runs.iterdir() if runs.is_dir() else ()
    records = [(RunRecord.read(each), each) for each in folders if (each / RECORD_NAME).is_file()]
    trained = [(record.started, each) for record, each in records if record.command == "train"]
    if not trained:
        raise InputError(
            f"{runs}: no training run here; train a model with `histo train`, "
            "or name the folder of a run"
        )
    return [each for _, each in sorted(trained, key=lambda pair: (pair[0], pair[1].name))]


def newest_run(runs: Path) -> Path:
    """The training run in a folder that started last; a control is not meant if there is any other.

    Raises:
        InputError: If there is none.
    """
    newest_first = all_runs(runs)[::-1]
    return next((run for run in newest_first if not _is_control(run)), newest_first[0])


def _is_control(run: Path) -> bool:
    return bool(RunRecord.read(run).settings.get("shuffle_labels"))


def _read_evaluations(folder: Path) -> tuple[Evaluation, ...]:
    found = [each.parent for each in folder.glob("*/metrics.json")]
    order = {split: position for position, split in enumerate(SPLIT_ORDER)}
    found.sort(key=lambda each: (order.get(each.name, len(order)), each.name))
    return tuple(_read_evaluation(each) for each in found)


def _read_evaluation(folder: Path) -> Evaluation:
    path, table = folder / "metrics.json", folder / "predictions.csv"
    metrics = _read_json(path, "histo evaluate")
    for key, kind in (("metrics", Mapping), ("classes", list), ("confusion_matrix", list)):
        if not isinstance(metrics.get(key), kind):
            raise _damaged(path, f"no usable {key!r}", "histo evaluate")
    entries = [*metrics["metrics"].values()]
    per_class = metrics.get("per_class") or {}
    if not isinstance(per_class, Mapping):
        raise _damaged(path, "no usable 'per_class'", "histo evaluate")
    for named in per_class.values():
        entries += named.values() if isinstance(named, Mapping) else [None]
    if not all(isinstance(entry, Mapping) for entry in entries):
        raise _damaged(path, "a metric is not an object", "histo evaluate")
    return Evaluation(
        split=folder.name,
        metrics=metrics,
        predictions=Predictions.read(table) if table.is_file() else None,
        figures=tuple(sorted(folder.glob("*.png"))),
    )


def _read_explanation(folder: Path) -> Explanation | None:
    attention, figure = folder / "attention.json", folder / "gradcam_analysis.png"
    if not attention.is_file() and not figure.is_file():
        return None
    return Explanation(
        attention=_read_json(attention, "histo explain") if attention.is_file() else None,
        figure=figure if figure.is_file() else None,
        audit_figures=tuple(folder / name for name in AUDIT_FIGURES if (folder / name).is_file()),
    )


def _read_quality(record: RunRecord) -> Mapping[str, Any] | None:
    """What `histo qc` said: the check that training used, or of all data, or of the training split."""
    used, data = (record.inputs.get(role, {}).get("path") for role in ("qc", "data"))
    places = [Path(used).with_name(QUALITY_FILE)] if used else []
    if data:
        places.append(Path(f"{data}-qc") / QUALITY_FILE)
        # `histo qc data/train`, as the first page of the documentation has it.
        places.append(Path(data) / "train-qc" / QUALITY_FILE)
    found = next((place for place in places if place.is_file()), None)
    return _read_json(found, "histo qc") if found else None


def _read_model(path: Path) -> ModelCard:
    content = _read_json(path, "histo train")
    try:
        temperature = (content.get("calibration") or {}).get("temperature")
        parameters = content.get("parameters")
        return ModelCard(
            architecture=str(content["architecture"]),
            classes=tuple(str(name) for name in content["classes"]),
            positive_class=content.get("positive_class"),
            preprocessing=dict(content.get("preprocessing") or {}),
            stain=dict(content.get("stain") or {}),
            operating_point=dict(content.get("operating_point") or {}),
            temperature=None if temperature is None else float(temperature),
            parameters=None if parameters is None else int(parameters),
            weights=content.get("weights"),
            members=len(content.get("members") or ()),
            calibration_method=(content.get("calibration") or {}).get("method"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, repr(error), "histo train") from error


def _read_json(path: Path, command: str) -> Mapping[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error), command) from error
    if not isinstance(content, dict):
        raise _damaged(path, "not a JSON object", command)
    return content


def _damaged(path: Path, reason: str, command: str) -> InputError:
    return InputError(f"{path}: damaged ({reason}); write it again with `{command}`")
