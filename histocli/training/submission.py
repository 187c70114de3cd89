"""The table that Kaggle's competitions take."""

from pathlib import Path, PurePosixPath

from histocli.atomic_files import write_csv
from histocli.errors import InputError, SettingsError
from histocli.models.checkpoint import load_card
from histocli.predictions import Predictions


def check_submission(path: Path, *, overwrite: bool) -> None:
    """Refuse a table that may not be replaced, before anything is predicted.

    Raises:
        SettingsError: Naming the table.
    """
    if path.exists() and not overwrite:
        raise SettingsError(f"{path} exists; pass --overwrite, or choose another --submission")


def write_submission(path: Path, table: Path, run: Path) -> None:
    """Write ``id,label``: of two classes the probability of the positive one, otherwise the class.

    Histopathologic Cancer Detection is scored by AUROC, which needs probabilities. A tile's id is the
    name of its file without folder and ending, as there.

    Args:
        path: The table to write.
        table: Predictions.
        run: Whose; it knows which class is the positive one.

    Raises:
        InputError: If two tiles have the same id.
    """
    predictions = Predictions.read(table)
    # Of a tile in an archive, what follows its name there: test.zip#id.tif.
    ids = [PurePosixPath(tile.rpartition("#")[2]).stem for tile in predictions.tiles]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise InputError(
            f"{path}: two tiles of {table} have the id {twice!r}; predict a folder whose file names differ"
        )
    labels: list[object] = list(predictions.predicted)
    if len(predictions.classes) == 2:
        column = list(predictions.classes).index(load_card(run).positive_class)
        labels = predictions.probabilities[:, column].tolist()
    write_csv(path, ["id", "label"], zip(ids, labels, strict=True))
