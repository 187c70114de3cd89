"""Decompression bombs: small files that unpack to what no disk or memory holds."""

from histocli.errors import InputError

# Deflate reaches 1030 at best, of nothing but zeros. Tissue comes to 2, masks of tumor to about 100.
MAXIMUM_RATIO = 500
# What is smaller does no harm, and a few blank tiles are no attack.
COUNTS_FROM_BYTES = 100_000_000


def check_ratio(name: object, size: int, packed: int) -> None:
    """Refuse what unpacks to far more than images do.

    Args:
        name: Of the file, and of the part of it.
        size: Bytes unpacked, declared or counted so far.
        packed: Bytes as stored.

    Raises:
        InputError: Naming the file.
    """
    if size > COUNTS_FROM_BYTES and size > MAXIMUM_RATIO * max(1, packed):
        raise InputError(
            f"{name}: it unpacks to more than {MAXIMUM_RATIO} times its size, as a decompression bomb "
            "does; get it again from where it was published"
        )
