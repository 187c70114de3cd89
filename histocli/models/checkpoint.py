"""Model files: weights as safetensors, everything else as JSON beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from histocli.atomic_files import parse_json, write_bytes, write_json
from histocli.errors import InputError, SettingsError
from histocli.models.classifier import ModelCard, TileClassifier
from histocli.models.ensemble import EnsembleClassifier

BEST = "best_model"


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write tensors atomically; safetensors refuses shared memory, so each is copied.

    Its ``save_file`` would write under a name of its own, which nobody removes after a kill, and with
    rights for the owner alone: colleagues on a cluster could not read the model.
    """
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_bytes(path, save(own, metadata))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors to the CPU.

    Raises:
        InputError: If the file is absent or damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such weights; was the run trained to its end?")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: damaged weights ({error}); restore or train again") from error
    return tensors


def save_model(run: Path, model: TileClassifier, card: ModelCard, name: str = BEST) -> None:
    """Write ``NAME.safetensors`` and ``NAME.json``."""
    save_tensors(run / f"{name}.safetensors", model.state_dict())
    write_json(run / f"{name}.json", card.to_json())


def load_card(run: Path, name: str = BEST) -> ModelCard:
    """Read ``NAME.json``.

    Raises:
        InputError: If it is absent or damaged.
    """
    content = read_json(run / f"{name}.json")
    try:
        return ModelCard.from_json(content)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{run / name}.json: damaged model description ({error!r}); train again"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: If it is absent or none.
    """
    try:
        content = parse_json(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; was the run trained to its end?") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); restore it or train again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: damaged (no JSON object); restore it or train again")
    return content


def _load_member(
    run: Path, name: object, device: torch.device | str
) -> tuple[TileClassifier, ModelCard]:
    """Read one model of an ensemble.

    Raises:
        InputError: If it is no single model in a folder inside.
    """
    # ``..`` is the name of a path too.
    if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:
        raise InputError(f"{run}: its members must be folders inside it; train again")
    if load_card(run / name).members:
        raise InputError(f"{run / name}: an ensemble in an ensemble; train again")
    return load_model(run / name, device)


def load_model(run: Path, device: torch.device | str = "cpu") -> tuple[TileClassifier, ModelCard]:
    """Read the best model of a run, ready to predict.

    Raises:
        InputError: If the run has no whole model.
    """
    card = load_card(run)
    if card.members:
        members = [_load_member(run, name, device) for name in card.members]
        ensemble = EnsembleClassifier([model for model, _ in members], [own for _, own in members])
        return ensemble.eval(), card
    try:
        model = TileClassifier(card)
    except SettingsError as error:
        raise InputError(f"{run / BEST}.json: {error}") from error
    try:
        model.load_state_dict(load_tensors(run / f"{BEST}.safetensors"))
    except RuntimeError as error:
        raise InputError(f"{run}: the weights do not fit the description ({error})") from error
    return model.to(device).eval(), card
