"""Whatever is typed wrong is told in one line that names it and says what to do."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from histocli.cli.app import app
from histocli.data.phantom import write_phantom
from histocli.models.checkpoint import save_model
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.preprocessing import PreprocessingConstants
from histocli.run_record import RunRecord

USAGE, INPUT = 2, 3
NO_TILES = "no tiles found; expected"
KNOWN_RULES = "write youden"

# What is typed, the exit code, and what the line says.
WRONG: list[tuple[str, int, tuple[str, ...]]] = [
    # Commands and options that there are not.
    ("nonsense", USAGE, ("No such command 'nonsense'", "see histo --help")),
    ("normalise data", USAGE, ("normalise", "Did you mean 'normalize'?")),
    ("data nonsense", USAGE, ("No such command 'nonsense'", "see histo data --help")),
    ("normalize data --methd macenko", USAGE, ("--methd", "--method")),
    ("predict run", USAGE, ("Missing argument 'source'", "see histo predict --help")),
    ("demo", USAGE, ("Missing argument 'folder'",)),
    # Values that options do not take.
    ("normalize data --method foo", USAGE, ("--method", "'foo'", "macenko", "vahadane")),
    ("normalize data --batch-size many", USAGE, ("--batch-size", "integer")),
    ("normalize data --batch-size 0", USAGE, ("--batch-size", "greater than or equal to 1")),
    ("normalize data --context nobody", USAGE, ("'nobody'", "tile,group,dataset")),
    ("normalize data --shard 9/8", USAGE, ("--shard 9/8", "for example 3/8")),
    ("normalize data --scheduler nowhere", USAGE, ("--scheduler nowhere", "tcp://HOST:8786")),
    ("normalize data --device gpu", USAGE, ("'gpu'", "choose auto, cpu")),
    ("normalize data --device cuda", USAGE, ("CUDA", "choose --device cpu")),
    ("normalize data --device mps", USAGE, ("Apple", "choose --device cpu")),
    ("normalize data --fit --reference a.json", USAGE, ("--fit", "--reference", "choose one")),
    ("qc data --minimum-sharpness -1", USAGE, ("--minimum-sharpness",)),
    ("train data --device cuda", USAGE, ("cuda", "choose --device cpu")),
    ("train data --name ../first", USAGE, ("../first", "plain folder name")),
    ("train data --operating-point foo", USAGE, ("'foo'", KNOWN_RULES)),
    ("train data --operating-point sensitivity=2", USAGE, ("between 0 and 1", KNOWN_RULES)),
    ("train data --arch foo", USAGE, ("'foo'", "histo arch")),
    ("train data --arch resnet50 --offline", USAGE, ("resnet50", "--weights FILE")),
    ("train data --weights gone.pth", USAGE, ("gone.pth", "--weights takes")),
    ("train data --positive-class foo", USAGE, ("'foo'", "normal, tumor")),
    ("train data --input-size-px 7", USAGE, ("--input-size-px", "32")),
    ("train data --optimizer adamm", USAGE, ("'adamm'", "adamw", "timm's")),
    ("train data --qc gone.csv", INPUT, ("gone.csv", "histo qc")),
    ("train data --resume", USAGE, ("runs", "without --resume")),
    ("train data --resume --name gone", INPUT, ("runs/gone: no such run", "without --resume")),
    ("train data --learning-rate inf", USAGE, ("--learning-rate", "finite")),
    ("train data --learning-rate nan", USAGE, ("--learning-rate", "finite")),
    ("train data --seed -1", USAGE, ("--seed", "greater than or equal to 0")),
    ("train data --seed 99999999999999999999", USAGE, ("--seed", "less than 9223372036854775808")),
    ("train data --epochs 1e3", USAGE, ("--epochs", "valid integer")),
    ("train data --name ..", USAGE, ("'..'", "plain folder name")),
    ("train data --cache foo", USAGE, ("--cache", "'disk'")),
    ("train data --augmentation foo", USAGE, ("No such option: --augmentation", "--rand-augment")),
    ("evaluate run --prevalence 3", USAGE, ("--prevalence", "less than 1")),
    ("evaluate run --split foo", USAGE, ("--split", "'train', 'valid', 'test'")),
    ("explain run --method foo", USAGE, ("--method", "gradcam")),
    ("explain run --tiles 0", USAGE, ("--tiles", "greater than or equal to 1")),
    ("ensemble run", USAGE, ("two or more runs",)),
    ("export run --to foo", USAGE, ("--to", "'onnx'")),
    ("arch nosuch*", USAGE, ("nosuch*",)),
    ("demo data", USAGE, ("data", "--overwrite")),
    ("demo new --tiles 3", USAGE, ("--tiles", "60")),
    ("data fetch foo", USAGE, ("'foo'", "pathmnist")),
    ("data fetch pcam --offline", USAGE, ("pcam", "--offline")),
    ("bench data --arch foo", USAGE, ("'foo'", "histo arch")),
    ("bench data --device cuda", USAGE, ("cuda", "choose --device cpu")),
    # Settings files.
    ("normalize data --config gone.toml", USAGE, ("gone.toml", "no such settings file")),
    ("normalize data --config broken.toml", USAGE, ("broken.toml", "line 1")),
    ("normalize data --config name.toml", USAGE, ("name.toml", "did you mean epochs?")),
    ("normalize data --config value.toml", USAGE, ("value.toml", "train.epochs", "integer")),
    ("normalize data --config section.toml", USAGE, ("section.toml", "did you mean train?")),
    ("config --config gone.toml", USAGE, ("gone.toml", "no such settings file")),
    # Inputs that are not there, or not what they should be.
    ("normalize gone", INPUT, ("gone", "no such file or folder")),
    ("normalize empty", INPUT, ("empty", NO_TILES)),
    ("normalize text.txt", INPUT, ("text.txt", NO_TILES)),
    ("normalize data --layout kaggle", INPUT, ("data", "as kaggle", "expected")),
    ("normalize data --layout foo", USAGE, ("'foo'", "choose one of")),
    ("normalize broken.zip", INPUT, ("broken.zip", "get it again")),
    ("normalize columns.csv", INPUT, ("columns.csv", "name one of tile, path")),
    ("normalize absent.csv", INPUT, ("gone.png", "No such file")),
    ("normalize data --output empty-not", USAGE, ("empty-not", "choose another --output")),
    ("normalize data --output text.txt", USAGE, ("text.txt: Not a directory", "another path")),
    ("qc data --output text.txt", USAGE, ("text.txt: Not a directory", "another path")),
    ("train data --runs text.txt", USAGE, ("text.txt", "Not a directory", "another path")),
    ("report run --output data", USAGE, ("data: Is a directory", "another path")),
    ("report run --output /proc/no/a.html", USAGE, ("/proc/no: No such file", "another path")),
    ("demo /proc/no", USAGE, ("/proc/no: No such file", "another path")),
    ("normalize data --output /proc/no", USAGE, ("/proc/no: No such file", "another path")),
    (f"normalize data --output {'a' * 300}", USAGE, ("File name too long", "another path")),
    ("report run --format pdf", USAGE, ("--format", "'html', 'table', 'markdown', 'latex'")),
    ("report text.txt", INPUT, ("text.txt: a file, not the folder of a run", "histo train")),
    ("predict text.txt data", INPUT, ("text.txt: a file, not the folder of a run",)),
    ("report data", INPUT, ("data: not made by histo", "name a folder that it wrote")),
    ("normalize bytes.csv", INPUT, ("bytes.csv", "save it as UTF-8")),
    ("normalize zero.csv", INPUT, ("zero.csv: no tile column", "name one of tile, path")),
    ("normalize head.csv", INPUT, ("head.csv", NO_TILES)),
    ("normalize data --workers -1", USAGE, ("--workers", "greater than or equal to 1")),
    ("qc data --processes 0", USAGE, ("--processes", "greater than or equal to 1")),
    ("qc data --maximum-mean-density nan", USAGE, ("--maximum-mean-density", "finite")),
    ("train data --qc bytes.csv", INPUT, ("bytes.csv: cannot read", "`histo qc` wrote")),
    ("train data --qc data", INPUT, ("data: cannot read", "`histo qc` wrote")),
    ("train data/train/normal", INPUT, ("no labels found", "two classes or more")),
    ("train data --batch-size 0", USAGE, ("--batch-size", "greater than or equal to 2")),
    ("predict run data --submission text.txt", USAGE, ("text.txt exists", "--overwrite")),
    ("explain run --data gone", INPUT, ("gone", "--data")),
    ("explain run --pictures -1", USAGE, ("--pictures", "greater than or equal to 1")),
    ("evaluate run --bootstrap-samples 0", USAGE, ("--bootstrap-samples", "100")),
    ("evaluate run --data empty", INPUT, ("empty", NO_TILES)),
    ("evaluate run", INPUT, ("splits.csv: cannot read the splits", "train again")),
    ("evaluate run run", USAGE, ("different names", "name each run once")),
    ("ensemble run run", USAGE, ("two or more runs with different names",)),
    ("bench data --tiles 0", USAGE, ("--tiles", "greater than or equal to 16")),
    ("bench text.txt", INPUT, ("text.txt", NO_TILES)),
    ("doctor --folder text.txt", INPUT, ("text.txt: no such folder", "--folder")),
    ("config --config bytes.csv", USAGE, ("bytes.csv", "utf-8")),
    ("config --foo", USAGE, ("No such option: --foo", "see histo config --help")),
    ("--foo", USAGE, ("No such option: --foo", "see histo --help")),
    ("normalize data data", USAGE, ("unexpected extra argument", "see histo normalize --help")),
    ("data fetch", USAGE, ("Missing argument 'name'", "see histo data fetch --help")),
    ("normalize data --microns-per-pixel 0.5", USAGE, ("leave out --microns-per-pixel",)),
    ("normalize twice.csv", INPUT, ("twice.csv: line 3", "a second time")),
    ("train split.csv", INPUT, ("split.csv: line 2", "'trian'", "train, valid, test")),
    ("data describe data --sample 0", USAGE, ("--sample", "greater than or equal to 1")),
    ("data index data --verify", INPUT, ("data-index.csv", "histo data index")),
    ("demo text.txt", USAGE, ("text.txt", "name a new or an empty folder")),
    ("train data --folds 99", INPUT, ("99 folds", "choose fewer")),
    ("train data --qc columns.csv", INPUT, ("columns.csv", "qc.csv")),
    ("report damaged", INPUT, ("damaged/run.json: damaged", "again")),
    ("predict damaged data", INPUT, ("best_model.safetensors: damaged", "train again")),
    ("predict run data --output text.txt", USAGE, ("text.txt exists", "--overwrite")),
    ("normalize data --reference gone.json", INPUT, ("gone.json", "no such reference")),
    ("normalize data --reference text.txt", INPUT, ("text.txt", "not an image")),
    ("qc gone", INPUT, ("gone", "no such file or folder")),
    ("train gone", INPUT, ("gone", "no such file or folder")),
    ("train absent.csv", INPUT, ("absent.csv", "two classes or more")),
    ("train data --weights text.txt", INPUT, ("text.txt", "safetensors")),
    ("train data --qc gone.csv", INPUT, ("gone.csv",)),
    ("predict gone data", INPUT, ("gone: no such run", "histo train")),
    ("predict run gone", INPUT, ("gone", "no such file or folder")),
    ("predict run empty", INPUT, ("empty", NO_TILES)),
    ("evaluate gone", INPUT, ("gone: no such run", "histo train")),
    ("evaluate gone --runs .", INPUT, ("gone: no such run", "there is ")),
    ("evaluate run --data gone", INPUT, ("gone", "--data")),
    ("evaluate run --at foo", USAGE, ("'foo'", KNOWN_RULES)),
    ("evaluate run --at sensitivity=2", USAGE, ("between 0 and 1", KNOWN_RULES)),
    ("normalize ", USAGE, ("an argument is empty", "variable of the shell")),
    ("normalize data --output ", USAGE, ("an argument is empty", "variable of the shell")),
    ("report run --output pipe", USAGE, ("pipe is no regular file", "name another path")),
    ("report run --format markdown --output a.md", USAGE, ("--output", "redirect it")),
    (
        "train data --config several.toml",
        USAGE,
        ("train.epochs: ", "; several.toml: train.batch_size"),
    ),
    ("explain empty", INPUT, ("empty", "run.json")),
    ("report gone", INPUT, ("gone: no such run, here or in runs", "histo train")),
    ("report empty", INPUT, ("empty", "run.json")),
    ("report --runs empty", INPUT, ("empty", "histo train")),
    ("ensemble run gone", INPUT, ("gone: no such run",)),
    ("export gone", INPUT, ("gone: no such run",)),
    ("export empty", INPUT, ("empty/best_model.json", "trained to its end?")),
    ("data describe gone", INPUT, ("gone", "no such file or folder")),
    ("data index gone", INPUT, ("gone", "no such file or folder")),
    ("bench gone", INPUT, ("gone", "no such file or folder")),
    ("doctor --folder gone", INPUT, ("gone", "--folder")),
]
FILES = {
    "text.txt": "no image",
    "broken.zip": "PK nothing",
    "columns.csv": "a,b\n1,2\n",
    "absent.csv": "tile,label\ngone.png,x\n",
    "twice.csv": "tile,label\ndata/a.png,x\ndata/a.png,y\n",
    "split.csv": "tile,label,split\ndata/a.png,x,trian\n",
    "damaged/run.json": "{",
    "broken.toml": "[train\n",
    "name.toml": "[train]\nepoch = 3\n",
    "value.toml": "[train]\nepochs = 'many'\n",
    "several.toml": "[train]\nepochs = 'many'\nbatch_size = 'many'\n",
    "section.toml": "[training]\nepochs = 3\n",
    "zero.csv": "",
    "head.csv": "tile,label\n",
    "empty-not/letter.txt": "not written by histo",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles, a run of a model that was never trained, and files that are wrong in one way each."""
    folder = tmp_path_factory.mktemp("made")
    write_phantom(folder / "data", tiles=60)
    constants = PreprocessingConstants(32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    card = ModelCard("test_efficientnet", ("normal", "tumor"), "tumor", constants)
    torch.manual_seed(0)
    save_model(folder / "run", TileClassifier(card), card)
    RunRecord("train", {"data": "data"}, {"data": {"path": "data"}}).finish(folder / "run")
    (folder / "empty").mkdir()
    shutil.copytree(folder / "run", folder / "damaged")
    (folder / "damaged" / "best_model.safetensors").write_bytes(b"half")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    (folder / "bytes.csv").write_bytes(b"\xff\xfe\x00bad")
    return folder


@pytest.fixture
def workplace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, so that what one command leaves does not change what the next says."""
    folder = tmp_path / "workplace"
    shutil.copytree(made, folder)
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(("typed", "exit_code", "said"), WRONG, ids=[each[0] for each in WRONG])
def test_errors_are_one_line_that_names_what_is_wrong(
    typed: str, exit_code: int, said: tuple[str, ...]
) -> None:
    # A space at the end: an argument that is empty, as an unset variable of the shell gives.
    result = CliRunner().invoke(app, [*typed.split(), *([""] if typed.endswith(" ") else [])])
    assert result.exit_code == exit_code, result.output
    lines = result.stderr.strip().splitlines()
    assert [line for line in lines if line.startswith("error: ")] == [lines[-1]]
    for words in said:
        assert words in lines[-1]
    assert "Traceback" not in result.stderr
    assert not result.stdout


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("typed", ["normalize gone", "normalize data --method foo", "nonsense"])
def test_errors_are_json_too_where_json_is_asked_for(typed: str) -> None:
    result = CliRunner().invoke(app, [*typed.split(), "--json"])
    facts = json.loads(result.stdout)
    assert facts["exit_code"] == result.exit_code
    assert facts["error"] in result.stderr


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HISTO_NORMALISE__METHOD", "macenko", "did you mean HISTO_NORMALIZE__METHOD?"),
        ("HISTO_NORMALIZE__METHOD", "foo", "HISTO_NORMALIZE__METHOD: Input should be 'macenko'"),
        ("HISTO_CONFIG", "gone.toml", "gone.toml: no such settings file"),
    ],
)
def test_wrong_variables_are_named(variable: str, value: str, said: str) -> None:
    result = CliRunner().invoke(app, ["normalize", "data"], env={variable: value})
    assert result.exit_code == USAGE
    assert said in result.stderr


def test_a_group_without_a_command_prints_its_help() -> None:
    result = CliRunner().invoke(app, ["data"])
    assert result.exit_code == USAGE
    assert "describe" in result.stdout
    assert not result.stderr
