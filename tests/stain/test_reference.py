import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histocli.errors import InputError
from histocli.stain import StainReference


def test_a_reference_that_is_none_is_refused(tmp_path: Path) -> None:
    good: dict[str, Any] = {
        "stain_matrix": [[0.56, 0.2], [0.72, 0.8], [0.4, 0.55]],
        "maximum_concentrations": [2, 1],
    }
    for key, value in {
        "stain_matrix": [[math.nan, 0.2], [0.72, 0.8], [0.4, 0.55]],
        "maximum_concentrations": [-1, 0],
    }.items():
        path = tmp_path / "reference.json"
        path.write_text(json.dumps(good | {key: value}))
        with pytest.raises(InputError, match=r"reference\.json"):
            StainReference.load(path)
    same = {"stain_matrix": [[0.5, 0.5], [0.7, 0.7], [0.4, 0.4]]}
    for matrix in (same, {"stain_matrix": [[0, 0]] * 3}):
        path.write_text(json.dumps(good | matrix))
        with pytest.raises(InputError, match="not a stain reference"):
            StainReference.load(path)
    scaled = [[3 * h, 3 * e] for h, e in good["stain_matrix"]]
    thirds = [value / 3 for value in good["maximum_concentrations"]]
    one, other = StainReference.of(good["stain_matrix"], [2, 1]), StainReference.of(scaled, thirds)
    np.testing.assert_allclose(one.stain_matrix, other.stain_matrix)
    np.testing.assert_allclose(one.maximum_concentrations, other.maximum_concentrations)
