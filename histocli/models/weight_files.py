"""Read a weight file of anybody's and find the network in it."""

import zipfile
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor

from histocli.errors import InputError, SettingsError

# What torch takes for a zip file.
ZIP_START = b"PK\x03\x04"


def read_weight_file(path: Path) -> dict[str, Tensor]:
    """Read safetensors, or a checkpoint of torch: plain, of timm, torchvision or Lightning.

    Raises:
        SettingsError: If there is no such file.
        InputError: If it holds no tensors, or anything that would have to be executed, or is a bomb.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: no such weight file; --weights takes auto, none or a file")
    _check_archive(path)
    from timm.models import load_state_dict  # heavy: only when weights are loaded

    try:
        # weights_only: a checkpoint from a stranger must not run code.
        found: dict[str, Tensor] = load_state_dict(str(path), weights_only=True)
        tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    except Exception as error:
        # Unpicklers and parsers raise anything on what is no weight file.
        raise InputError(
            f"{path}: not a weight file that can be read safely ({type(error).__name__}); if you trust "
            "where it is from, save its state_dict alone, as safetensors"
        ) from error
    if not tensors:
        raise InputError(f"{path}: holds no tensors; --weights takes a state_dict")
    return tensors


def _check_archive(path: Path) -> None:
    """Refuse a zip file that unpacks to more than it is: torch stores tensors as they are.

    Raises:
        InputError: Naming the file.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(ZIP_START)) != ZIP_START:
                return
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: not a weight file that can be read safely ({error}); it may be cut short, get it "
            "again"
        ) from error
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > path.stat().st_size:
        raise InputError(
            f"{path}: not a weight file that can be read safely (it unpacks to more than it is, which no "
            "file of torch does); save its state_dict again, as safetensors"
        )


def network_inside(tensors: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """The tensors of one network, under its own names.

    Checkpoints of trainers hold it below a name of theirs, such as Lightning's ``model.`` or
    ``backbone.encoder.``, beside losses and metrics: the name under which most of ``wanted`` lie is it.

    Args:
        tensors: By name, as a file has them.
        wanted: Names of the network.
    """
    votes: Counter[str] = Counter()
    for name in tensors:
        places = [0, *(place + 1 for place, sign in enumerate(name) if sign == ".")]
        votes.update(name[:place] for place in places if name[place:] in wanted)
    if not votes:
        return dict(tensors)
    # The shortest of equals: a network of networks has the same names further down.
    prefix = max(votes, key=lambda each: (votes[each], -len(each)))
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
