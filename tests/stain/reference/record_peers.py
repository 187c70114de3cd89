"""Record what cuCIM and tiatoolbox themselves make of known tiles, as oracles of the tests.

Run it from the project's root, in an environment of its own: neither package is needed otherwise, and
tiatoolbox binds older releases of many libraries. Only what its stain modules import is needed::

    python3 -m venv /tmp/peers
    /tmp/peers/bin/pip install --no-deps tiatoolbox cucim-cu12
    /tmp/peers/bin/pip install "numpy<2.4.4" "opencv-python-headless<5" "scikit-image<0.26.1" \
        "scikit-learn<1.9" "pandas<3.0.3" "matplotlib<3.11.1" "shapely<2.1.3" "zarr<3.2" \
        dask defusedxml filelock joblib pillow psutil pyyaml requests tifffile tqdm
    PYTHONPATH=. /tmp/peers/bin/python tests/stain/reference/record_peers.py ../shared/data

The argument is the folder that holds ``pcam`` (real tiles, which are no part of the project: numbers
alone are recorded). It writes ``tiatoolbox.json`` and ``cucim.json`` beside itself.

tiatoolbox runs as installed; only ``tiatoolbox.tools`` and ``tiatoolbox.utils`` skip their
``__init__``, which would load every tool of the package. cuCIM's own ``stain_normalizer.py`` runs with
NumPy standing in for CuPy, so that it needs no GPU.
"""

import argparse
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from histocli.data.phantom import PHANTOM_SCANNERS, PhantomKind, phantom_tile

Pixels = NDArray[np.uint8]
Record = dict[str, Any]

HERE = Path(__file__).resolve().parent
REFERENCE_MATRIX = ((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581))
REFERENCE_MAXIMA = (1.9705, 1.0308)
STRIDE = 7
# Of each split, label and staining look: a pale tile, then one full of tissue.
REAL_TILES = (
    "pcam/train/0/patch0000685.jpg",
    "pcam/train/0/patch0017699.jpg",
    "pcam/train/0/patch0014827.jpg",
    "pcam/train/0/patch0009619.jpg",
    "pcam/train/1/patch0000929.jpg",
    "pcam/train/1/patch0007980.jpg",
    "pcam/train/1/patch0007930.jpg",
    "pcam/train/1/patch0009319.jpg",
    "pcam/valid/0/patch0029888.jpg",
    "pcam/valid/0/patch0032625.jpg",
    "pcam/valid/0/patch0029875.jpg",
    "pcam/valid/0/patch0031173.jpg",
    "pcam/valid/1/patch0030863.jpg",
    "pcam/valid/1/patch0030091.jpg",
    "pcam/valid/1/patch0032314.jpg",
    "pcam/valid/1/patch0030220.jpg",
    "pcam/test/0/patch0001434.jpg",
    "pcam/test/0/patch0001922.jpg",
    "pcam/test/0/patch0002003.jpg",
    "pcam/test/0/patch0000994.jpg",
    "pcam/test/1/patch0000110.jpg",
    "pcam/test/1/patch0001704.jpg",
    "pcam/test/1/patch0000382.jpg",
    "pcam/test/1/patch0000963.jpg",
)
# Kind, scanner, seed.
PHANTOMS: tuple[tuple[PhantomKind, str, int], ...] = (
    ("normal", "alpha", 0),
    ("tumor", "alpha", 1),
    ("normal", "beta", 2),
    ("tumor", "beta", 3),
    ("stroma", "gamma", 4),
    ("lymphocytes", "gamma", 5),
)


def load_tiatoolbox() -> Any:
    """``tiatoolbox.tools.stainnorm``, without the other tools."""
    root = Path(str(importlib.import_module("tiatoolbox").__file__)).parent
    for name in ("tools", "utils"):
        package = types.ModuleType(f"tiatoolbox.{name}")
        package.__path__ = [str(root / name)]
        sys.modules[package.__name__] = package
    return importlib.import_module("tiatoolbox.tools.stainnorm")


def load_cucim() -> Any:
    """cuCIM's stain normalizer, with NumPy standing in for CuPy."""
    stand_in = types.ModuleType("cupy")
    stand_in.__dict__.update({name: getattr(np, name) for name in np.__all__})

    def fuse() -> Callable[[Any], Any]:
        return lambda function: function

    stand_in.__dict__.update(fuse=fuse, asnumpy=np.asarray, linalg=np.linalg)
    sys.modules["cupy"] = stand_in
    package = importlib.util.find_spec("cucim")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("cucim is not installed; see the top of this file")
    folder = Path(package.submodule_search_locations[0])
    path = folder / "core" / "operations" / "color" / "stain_normalizer.py"
    spec = importlib.util.spec_from_file_location("cucim_stain_normalizer", path)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorder_of_tiatoolbox() -> Callable[[Pixels], Record]:
    """What tiatoolbox makes of one tile (H, W, 3)."""
    stainnorm = load_tiatoolbox()
    misc = sys.modules["tiatoolbox.utils.misc"]
    normalizer = stainnorm.MacenkoNormalizer()
    normalizer.stain_matrix_target = np.array(REFERENCE_MATRIX).T
    normalizer.maxC_target = np.array([REFERENCE_MAXIMA])

    def record(pixels: Pixels) -> Record:
        # Copies: tiatoolbox writes into the array that it is given.
        tissue = misc.get_luminosity_tissue_mask(pixels.copy(), threshold=0.8)
        matrix = normalizer.extractor.get_stain_matrix(pixels.copy())
        concentrations = normalizer.get_concentrations(pixels.copy(), matrix)
        return described(
            int(tissue.sum()),
            matrix,
            np.percentile(concentrations, 99, axis=0),
            normalizer.transform(pixels.copy()),
        )

    return record


def recorder_of_cucim() -> Callable[[Pixels], Record]:
    """What cuCIM makes of one tile (H, W, 3)."""
    module = load_cucim()

    def record(pixels: Pixels) -> Record:
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        density = module.image_to_absorbance(planes, source_intensity=240.0).reshape(3, -1)
        matrix = module.stain_extraction_pca(planes)
        concentrations = module._get_raw_concentrations(matrix, density)  # noqa: SLF001 - its output
        return described(
            int((density > 0.345).any(axis=0).sum()),
            matrix,
            np.percentile(concentrations, 99, axis=1),
            module.normalize_colors_pca(planes).transpose(1, 2, 0),
        )

    return record


def described(
    tissue: int, matrix: NDArray[np.float64], maxima: NDArray[np.float64], output: Pixels
) -> Record:
    """The numbers that are kept of one tile."""
    return {
        "tissue_pixels": tissue,
        "stain_matrix": np.round(np.asarray(matrix, np.float64), 7).tolist(),
        "maximum_concentrations": np.round(np.asarray(maxima, np.float64), 7).tolist(),
        "grey_levels": output[::STRIDE, ::STRIDE].tolist(),
    }


def tiles(data: Path) -> Iterator[tuple[Record, Pixels]]:
    """Where each tile comes from, and its pixels (H, W, 3)."""
    for kind, scanner, seed in PHANTOMS:
        generator = np.random.default_rng(seed)
        pixels = phantom_tile(kind, PHANTOM_SCANNERS[scanner], generator).pixels
        yield {"phantom": {"kind": kind, "scanner": scanner, "seed": seed}}, pixels
    for name in REAL_TILES:
        with Image.open(data / name) as image:
            yield {"path": name}, np.asarray(image.convert("RGB"))


def compact(document: Record) -> str:
    """JSON, a line for each field and for each row of grey levels."""
    head = {name: value for name, value in document.items() if name != "tiles"}
    lines = json.dumps(head, indent=1).removesuffix("\n}") + ',\n "tiles": ['
    bodies = []
    for tile in document["tiles"]:
        fields = [
            f'   "{name}": {json.dumps(value, separators=(",", ":"))}'
            for name, value in tile.items()
            if name != "grey_levels"
        ]
        rows = ",\n    ".join(json.dumps(row, separators=(",", ":")) for row in tile["grey_levels"])
        fields.append(f'   "grey_levels": [\n    {rows}\n   ]')
        bodies.append("  {\n" + ",\n".join(fields) + "\n  }")
    return lines + "\n" + ",\n".join(bodies) + "\n ]\n}\n"


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed releases of distributions."""
    return {name: importlib.metadata.version(name) for name in names}


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(
        description="Record what cuCIM and tiatoolbox themselves give."
    )
    parser.add_argument("data", type=Path, help="folder that holds pcam")
    data = parser.parse_args().data
    shared = {
        "target_stain_matrix": REFERENCE_MATRIX,
        "target_maximum_concentrations": REFERENCE_MAXIMA,
        "grey_levels": f"row i, column j is [r, g, b] of the output's pixel ({STRIDE} i, {STRIDE} j)",
        "stride": STRIDE,
        "sha256": "of the tile's RGB bytes, shape (96, 96, 3) in C order, as decoded by Pillow",
    }
    cucim: Record = {
        "package": "cucim",
        "how": "its own stain_normalizer.py (float32), with NumPy standing in for CuPy",
        "versions": versions(("cucim-cu12", "numpy", "pillow")),
        "call": "normalize_colors_pca with its defaults, on planes (3, 96, 96)",
        "stain_matrix": "rows red, green, blue; columns hematoxylin, eosin",
    }
    tiatoolbox: Record = {
        "package": "tiatoolbox",
        "how": "MacenkoNormalizer.transform, target matrix and maxima set to the ones below",
        "versions": versions(
            ("tiatoolbox", "numpy", "opencv-python-headless", "scikit-image", "pillow")
        ),
        "call": "MacenkoNormalizer().transform on pixels (96, 96, 3); maxC_target is the maxima below",
        "stain_matrix": "rows hematoxylin, eosin; columns red, green, blue",
    }
    peers = ((cucim, recorder_of_cucim()), (tiatoolbox, recorder_of_tiatoolbox()))
    for head, record in peers:
        recorded = [
            {**source, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(), **record(pixels)}
            for source, pixels in tiles(data)
        ]
        text = compact({**head, **shared, "tiles": recorded})
        json.loads(text)
        (HERE / f"{head['package']}.json").write_text(text)


if __name__ == "__main__":
    main()
