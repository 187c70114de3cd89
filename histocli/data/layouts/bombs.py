"""Decompression bombs: small files that unpack to what no disk or memory holds."""

from histocli.errors import InputError

# Deflate reaches 1030 at best, of nothing but zeros. Tissue comes to 2, masks of tumor to about 100.
MAXIMUM_RATIO = 500
# What is smaller does no harm, and a few blank tiles are no attack.
COUNTS_FROM_BYTES = 100_000_000
# A tile takes more than a byte, however well it is packed.
ROWS_COUNT_FROM = 1_000_000


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


def check_rows(name: object, rows: int, packed: int) -> None:
    """Refuse what claims to hold more tiles than it has bytes: a table of them would fill the memory.

    Args:
        name: Of the file, and of the part of it.
        rows: Tiles that it says it has.
        packed: Bytes as stored.

    Raises:
        InputError: Naming the file.
    """
    if rows > max(ROWS_COUNT_FROM, packed):
        raise InputError(
            f"{name}: it says that it has {rows:,} tiles, in {packed:,} bytes; get it again from where it "
            "was published"
        )
