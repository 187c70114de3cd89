"""The whole pipeline by the command line, on synthetic tiles, and its manners."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from histocli import __version__
from histocli.cli.app import app
from histocli.run_record import RunRecord

COMMANDS = [
    "normalize",
    "qc",
    "train",
    "predict",
    "evaluate",
    "explain",
    "report",
    "demo",
    "config",
]


def histo(*arguments: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and one trained, evaluated, explained and reported run."""
    folder = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        steps: list[list[object]] = [
            ["demo", "data", "--tiles", 120],
            ["normalize"],
            ["qc"],
            ["train", "--arch", "test_efficientnet", "--weights", "none", "--epochs", 2,
             "--input-size-px", 64, "--name", "first", "--test-time-augmentation", "none"],
            ["evaluate"],
            ["evaluate", "--split", "valid"],
            ["explain", "--tiles", 12, "--pictures", 4],
            ["report"],
        ]  # fmt: skip
        for step in steps:
            result = histo(*step)
            assert result.exit_code == 0, (step, result.output)
    return folder


def test_every_command_works_without_arguments_and_leaves_its_files(workplace: Path) -> None:
    expected = [
        "data/train-normalized/manifest.csv",
        "data/train-normalized/run.json",
        "data/train-normalized/skipped.csv",
        "data/train-qc/qc.csv",
        "data/train-qc/qc.json",
        "data/train-qc/contact_sheet.png",
        "runs/first/best_model.safetensors",
        "runs/first/training_history.png",
        "runs/first/evaluation/test/predictions.csv",
        "runs/first/evaluation/test/metrics.json",
        "runs/first/evaluation/test/roc.png",
        "runs/first/evaluation/valid/metrics.json",
        "runs/first/explanation/gradcam_analysis.png",
        "runs/first/explanation/attention.csv",
        "runs/first/explanation/attention.json",
        "runs/first/report.html",
    ]
    assert [name for name in expected if not (workplace / name).is_file()] == []


def test_defaults_are_said_on_stderr_and_results_on_stdout(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    result = histo("normalize")
    assert result.exit_code == 0
    assert "source: data/train (default)" in result.stderr
    assert "Stain normalization" in result.stdout
    assert "default" not in result.stdout
    quiet = histo("normalize", "--quiet")
    assert quiet.stderr == ""
    assert "ok" in quiet.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["normalize", "--json"],
        ["qc", "--json"],
        ["evaluate", "--json"],
        ["explain", "--tiles", "6", "--json"],
        ["report", "--json"],
        ["config", "--json"],
        ["train", "--dry-run", "--json"],
        ["normalize", "data/test", "--dry-run", "--json"],
    ],
    ids=" ".join,
)
def test_json_is_one_object_with_the_same_facts(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(workplace)
    result = histo(*arguments)
    assert result.exit_code == 0, result.output
    assert isinstance(json.loads(result.stdout), dict)


def test_several_runs_are_compared_on_the_same_tiles(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    shutil.copytree("runs/first", "runs/copy")
    try:
        result = histo("evaluate", "first", "copy", "--bootstrap-samples", 100)
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        assert max(len(line) for line in lines[: lines.index("A: first")]) <= 80
        folder = Path("runs/comparisons/first-copy")
        comparison = json.loads((folder / "comparison.json").read_text())
        schema = json.loads((files("histocli") / "schemas" / "comparison.schema.json").read_text())
        jsonschema.validate(comparison, schema)
        (pair,) = comparison["pairs"]
        assert {record["better"] for record in pair["metrics"].values()} == {None}
        assert (folder / "differences.png").stat().st_size > 10_000
        assert histo("evaluate", "first", "first").exit_code == 2
    finally:
        shutil.rmtree("runs/copy")
        shutil.rmtree("runs/comparisons")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--arch", "resnet51"), "did you mean"),
        (("--optimizer", "adamz"), "adamw"),
        (("--weights", "absent.safetensors"), "absent.safetensors"),
        (("--arch", "resnet50", "--offline"), "--weights"),
        (("--weights", "none", "--keep-stages", "1"), "nothing to keep"),
        (("--name", "first"), "--overwrite"),
        (("--keep-stages", 40), "keep fewer"),
        (("--arch", "test_vit", "--pooling", "center"), "does not take the mean"),
        (("--arch", "test_vit", "--stem-stride", "1"), "does not begin with a convolution"),
    ],
)
def test_a_dry_run_finds_what_the_run_would_stumble_on(
    options: tuple[str, ...], said: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    result = histo("train", "--dry-run", *options)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert {path.name for path in Path("runs").iterdir()} == {"first"}


def test_options_that_a_fixed_backbone_does_not_use_are_named(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    plain = ("train", "--transfer", "frozen", "--dry-run")
    assert "without effect" not in histo(*plain).stderr
    assert "without effect: --epochs, --mixup" in histo(*plain, "--epochs", 3, "--mixup", 1).stderr


def test_predict_writes_a_table_for_new_tiles(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(workplace)
    table = tmp_path / "p.csv"
    result = histo("predict", "first", "data/test", "--output", table)
    assert result.exit_code == 0, result.output
    header = table.read_text().splitlines()[0]
    assert header == (
        "tile,group,label,predicted,probability_normal,probability_tumor,"
        "calibrated_normal,calibrated_tumor"
    )
    assert histo("predict", "first", "data/test", "--output", table).exit_code == 2
    normalized = histo("predict", "first", "data/train-normalized", "--output", tmp_path / "n.csv")
    assert normalized.exit_code == 2
    assert "normalized already" in normalized.stderr


WRONG: dict[str, tuple[list[str], int, str]] = {
    "no such folder": (["normalize", "absent"], 3, "absent: no such file or folder"),
    "no tiles": (["qc", "runs"], 0, ""),
    "no such run": (["evaluate", "absent"], 3, "absent"),
    "unknown option": (["train", "--epoch", "3"], 2, "No such option"),
    "wrong value": (["train", "--epochs", "0"], 2, "--epochs"),
    "unknown architecture": (["train", "--arch", "resnet51"], 2, "did you mean"),
    "no such device": (["evaluate", "--device", "cuda:9"], 2, "cuda:9 is not there"),
    "unknown device": (["evaluate", "--device", "tpu9"], 2, "unknown device"),
    "no weights": (
        ["train", "--arch", "resnet50", "--offline", "--name", "none"],
        2,
        "--weights none",
    ),
    "no such settings file": (["qc", "--config", "absent.toml"], 2, "no such settings file"),
    "nothing to resume": (["train", "--resume"], 2, "start a new one without --resume"),
    "no such reference": (["normalize", "data/test", "--reference", "x.png"], 3, "x.png"),
    "run name with a folder": (["train", "--name", "a/b"], 2, "plain folder name"),
    "ended run": (["train", "--name", "first"], 2, "--overwrite"),
    "split without tiles": (["evaluate", "--data", "data/test/tumor"], 3, "no labelled tile"),
    "folder that is not empty": (["demo", "data"], 2, "data"),
    "wrong layer": (["explain", "--layer", "blocks.99"], 2, "blocks.99"),
}
del WRONG["no tiles"]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_line_with_its_exit_code(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(workplace)
    arguments, code, message = WRONG[name]
    result = histo(*arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output
    assert not (workplace / "runs" / "none").exists()


def test_errors_are_json_where_json_was_asked_for(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    result = histo("normalize", "absent", "--json")
    assert json.loads(result.stdout)["exit_code"] == result.exit_code == 3


def test_strict_turns_skipped_tiles_into_exit_4(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(workplace)
    result = histo("normalize", "data/train", "--output", tmp_path / "out", "--strict")
    assert result.exit_code == 4
    assert (tmp_path / "out" / "skipped.csv").is_file()


def test_a_dry_run_writes_nothing(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    before = sorted(workplace.rglob("*"))
    assert histo("normalize", "data/test", "--dry-run").exit_code == 0
    assert histo("qc", "data/test", "--dry-run").exit_code == 0
    assert histo("train", "--dry-run").exit_code == 0
    assert sorted(workplace.rglob("*")) == before


def test_the_record_keeps_what_was_typed(workplace: Path) -> None:
    record = RunRecord.read(workplace / "runs" / "first")
    assert record.settings["arch"] == "test_efficientnet"
    assert record.version == __version__
    assert record.results["splits"]["train"]["tumor"] > 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = histo(command, "--help", env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert "Example" in result.output


def test_help_names_every_command_and_version_is_printed() -> None:
    result = histo("--help")
    assert all(command in result.output for command in COMMANDS)
    assert "not a medical device" in result.output
    assert histo("--version").output.strip() == f"histo {__version__}"


def test_evaluate_adds_the_analyses_that_are_asked_for(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    result = histo(
        "evaluate", "first", "--at", "sensitivity=0.9", "--prevalence", 0.05,
        "--by", "stain-look,scanner", "--aggregate", "mean,max", "--stress", "--stress-tiles", 6,
        "--sanity",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Thresholds chosen on the validation split" in result.stdout
    folder = workplace / "runs" / "first" / "evaluation" / "test"
    metrics = json.loads((folder / "metrics.json").read_text())
    schema = json.loads((files("histocli") / "schemas" / "metrics.schema.json").read_text())
    jsonschema.validate(metrics, schema, cls=jsonschema.Draft202012Validator)
    assert set(metrics["subgroups"]) == {"stain-look", "scanner"}
    assert set(metrics["aggregated"]) == {"mean", "max"}
    assert metrics["stress"]["tiles"] == 6
    assert "color" in metrics["sanity"]
    for name in ("decision_curve", "selective", "subgroups", "stress"):
        assert (folder / f"{name}.png").is_file()
    # An evaluation replaces the one before, but says what is gone with it.
    again = histo("evaluate", "first", "--stress", "--stress-tiles", 4)
    assert "had aggregated, at prevalence, operating points, subgroups; ask" in again.stderr
    assert "stress; ask" not in histo("evaluate", "first", "--stress", "--stress-tiles", 4).stderr


@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [
        ("--at", "best", "sensitivity=0.95"),
        ("--by", "laboratory", "stain-look"),
        ("--aggregate", "median", "noisy-or"),
    ],
)
def test_a_misspelt_analysis_is_wrong_usage_and_says_what_there_is(
    option: str, value: str, advice: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    result = histo("evaluate", "first", option, value)
    assert result.exit_code == 2
    assert advice in result.stderr
