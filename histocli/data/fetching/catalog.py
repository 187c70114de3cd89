"""Data sets that can be fetched: addresses, sizes, licences and checksums.

To add one, add a line to ``DATA_SETS``.

Source:
    https://github.com/basveeling/pcam and https://zenodo.org/records/2546921 for PatchCamelyon,
    https://medmnist.com and https://zenodo.org/records/10519652 for PathMNIST.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a data set.

    Attributes:
        name: As it is stored there; ``.gz`` is unpacked after the download.
        about_bytes: Size to announce; the server says the true one.
        md5: Sums that are accepted of the file as stored.
        unpacked_md5: Sum of what is in it; where it is known, it alone decides.
    """

    name: str
    about_bytes: int
    md5: Sequence[str] = ()
    unpacked_md5: str | None = None


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set: a folder of files below one address."""

    title: str
    licence: str
    address: str
    files: Sequence[RemoteFile]


# The project's page and torchvision give the sums of valid and test the other way round: the packed
# files of either are accepted, and what is in them must be right.
_IMAGES_MD5 = ("d8c2d60d490dbd479f8199bdfa0cf6ec", "d5b63470df7cfa627aeec8b9dc0c066e")
_LABELS_MD5 = ("60a7035772fbdb7f34eb86d4420cf66a", "2b85f58b927af9964a4c15b8f7e8f179")
_TABLE_MD5 = ("3455fd69135b66734e1008f3af684566", "67589e00a4a37ec317f2d1932c7502ca")
_PCAM = "camelyonpatch_level_2_split_"

DATA_SETS: Mapping[str, DataSet] = {
    "pcam": DataSet(
        title="PatchCamelyon: 327,680 tiles of lymph nodes, 96x96 px, two classes",
        licence="CC0 1.0",
        address="https://zenodo.org/records/2546921/files",
        files=(
            RemoteFile(f"{_PCAM}test_meta.csv", 2_000_000, _TABLE_MD5),
            RemoteFile(f"{_PCAM}valid_meta.csv", 2_000_000, _TABLE_MD5),
            RemoteFile(f"{_PCAM}train_meta.csv", 14_000_000, ("5a3dd671e465cfd74b5b822125e65b0a",)),
            RemoteFile(
                f"{_PCAM}test_y.h5.gz", 3_000, _LABELS_MD5, "11ed647efe9fe457a4eb45df1dba19ba"
            ),
            RemoteFile(
                f"{_PCAM}valid_y.h5.gz", 3_000, _LABELS_MD5, "94d8aacc249253159ce2a2e78a86e658"
            ),
            RemoteFile(
                f"{_PCAM}train_y.h5.gz",
                21_000,
                ("35c2d7259d906cfc8143347bb8e05be7",),
                "0781386bf6c2fb62d58ff18891466aca",
            ),
            RemoteFile(
                f"{_PCAM}test_x.h5.gz", 801_000_000, _IMAGES_MD5, "2614b2e6717d6356be141d9d6dbfcb7e"
            ),
            RemoteFile(
                f"{_PCAM}valid_x.h5.gz",
                806_000_000,
                _IMAGES_MD5,
                "81cf9680f1724c40673f10dc88e909b1",
            ),
            RemoteFile(
                f"{_PCAM}train_x.h5.gz",
                6_400_000_000,
                ("1571f514728f59376b705fc836ff4b63",),
                "01844da899645b4d6f84946d417ba453",
            ),
        ),
    ),
    "pathmnist": DataSet(
        title="PathMNIST: 107,180 tiles of the colon, 28x28 px, nine classes",
        licence="CC BY 4.0",
        address="https://zenodo.org/records/10519652/files",
        files=(RemoteFile("pathmnist.npz", 206_000_000, ("a8b06965200029087d5bd730944a56c1",)),),
    ),
    "pathmnist-224": DataSet(
        title="PathMNIST: 107,180 tiles of the colon, 224x224 px, nine classes",
        licence="CC BY 4.0",
        address="https://zenodo.org/records/10519652/files",
        files=(
            RemoteFile("pathmnist_224.npz", 12_600_000_000, ("2c51a510bcdc9cf8ddb2af93af1eadec",)),
        ),
    ),
}
