"""A trained model as one file that needs no histocli: uint8 tiles in, probabilities out.

Stain normalisation, resizing and calibration are inside. Views of test-time augmentation are not.
"""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from histocli.errors import InputError, SettingsError
from histocli.models.calibration_layer import calibration_layer
from histocli.models.classifier import ModelCard, TileClassifier

Tiles = NDArray[np.uint8]
Outputs = Mapping[str, NDArray[np.float64]]
# From uint8 tiles (N, 3, H, W) to the named outputs (N, K).
Predictor = Callable[[Tiles], Outputs]
INPUT, OUTPUTS = "tiles", ("probabilities", "calibrated")
FACTS = "histo.json"


class ExportedClassifier(nn.Module):
    """Probabilities of raw tiles and, where a calibration is stored, calibrated ones."""

    def __init__(self, model: TileClassifier, card: ModelCard) -> None:
        super().__init__()
        self.model = model
        self.calibration = calibration_layer(card.calibration)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Of what ``forward`` gives."""
        return OUTPUTS[:1] if self.calibration is None else OUTPUTS

    def forward(self, tiles: Tensor) -> tuple[Tensor, ...]:
        """From uint8 ``(N, 3, H, W)`` to float64 ``(N, K)``, rows sum to 1."""
        probabilities = self.model(tiles).double().softmax(dim=1)
        if self.calibration is None:
            return (probabilities,)
        return probabilities, self.calibration(probabilities)


def check_exporter() -> None:
    """Say what to install where it is missing, before anything is recorded.

    Raises:
        SettingsError: If a package of the extra is missing.
    """
    try:
        import onnx  # noqa: F401 - only whether they are there
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"ONNX needs more packages ({error}); pip install 'histocli[export]', or --to pt2"
        ) from error


def record_program(
    classifier: ExportedClassifier, tile_size_px: int
) -> torch.export.ExportedProgram:
    """Record what the model computes, for any number of tiles of one size.

    Raises:
        InputError: If a layer of the network cannot be recorded.
    """
    # Two tiles: of one, torch takes the number for a constant.
    example = torch.zeros((2, 3, tile_size_px, tile_size_px), dtype=torch.uint8)
    batch = {INPUT: {0: torch.export.Dim.DYNAMIC}}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Of torch about itself, such as what it will name otherwise.
            warnings.simplefilter("ignore")
            program = torch.export.export(classifier.eval(), (example,), dynamic_shapes=batch)
    except Exception as error:
        # Whatever a network of a stranger does, torch has an error of its own for it.
        raise InputError(f"the network cannot be recorded by torch.export: {error}") from error
    for node in program.graph.nodes:
        # Lines of code with the paths of this machine, which are nobody else's business.
        node.meta.pop("stack_trace", None)
    return program


def write_program(
    program: torch.export.ExportedProgram, path: Path, facts: Mapping[str, Any]
) -> None:
    """Write torch's own format, read by ``torch.export.load``; the facts go with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path, extra_files={FACTS: json.dumps(facts)})


def write_onnx(
    program: torch.export.ExportedProgram,
    path: Path,
    names: tuple[str, ...],
    facts: Mapping[str, Any],
) -> None:
    """Write ONNX; beside it ``NAME.data`` where the weights are larger than ONNX can hold.

    Raises:
        InputError: If a layer of the network has no counterpart.
    """
    from histocli.models.onnx_operators import translations

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            written = torch.onnx.export(
                program,
                input_names=[INPUT],
                output_names=list(names),
                dynamic_shapes={INPUT: {0: "batch"}},
                dynamo=True,
                verbose=False,
                custom_translation_table=translations(),
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise InputError(f"the network cannot be written as ONNX: {error}") from error
    if written is None:
        raise InputError("torch wrote no ONNX; --to pt2 does without")
    for name, fact in facts.items():
        text = fact if isinstance(fact, str) else json.dumps(fact)
        written.model.metadata_props[name] = text
    written.save(path)


def open_program(path: Path, names: tuple[str, ...]) -> Predictor:
    """Read a file of ``write_program``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.export.load(path).module()

    def predict(tiles: Tiles) -> Outputs:
        with torch.no_grad():
            found = module(torch.from_numpy(tiles))
        return {name: each.numpy() for name, each in zip(names, found, strict=True)}

    return predict


def open_onnx(path: Path) -> Predictor:
    """Read a file of ``write_onnx`` by onnxruntime, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def predict(tiles: Tiles) -> Outputs:
        return dict(zip(names, session.run(names, {INPUT: tiles}), strict=True))

    return predict
