"""Ways in which a file is damaged, each drawn from a seed."""

import random
from collections.abc import Callable, Mapping

Mutation = Callable[[bytes, random.Random], bytes]
WORDS = (
    (b"<f4", b"<c8"),
    (b"|u1", b"<O8"),
    (b"|u1", b">U4"),
    (b"UINT8", b"INT64"),
    (b"F32", b"I64"),
)
TEXTS = (
    b'"',
    b",",
    b"\n",
    b"\x00",
    b"\xff\xfe",
    b"]]]",
    b"= = =",
    b"NaN",
    b"-1e999",
    b"../../x",
    b"\r",
)


def flip_bits(content: bytes, draw: random.Random) -> bytes:
    """One to eight bits."""
    damaged = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def truncate(content: bytes, draw: random.Random) -> bytes:
    """Cut off anywhere."""
    return content[: draw.randrange(len(content))]


def empty(content: bytes, draw: random.Random) -> bytes:
    """Nothing left, or a single byte."""
    return content[: draw.randint(0, 1)]


def zero_header(content: bytes, draw: random.Random) -> bytes:
    """The first bytes gone."""
    size = min(len(content), draw.choice([4, 16, 64, 256]))
    return bytes(size) + content[size:]


def zero_block(content: bytes, draw: random.Random) -> bytes:
    """A stretch of zeros, as a disk leaves it."""
    start = draw.randrange(len(content))
    size = min(len(content) - start, draw.choice([8, 64, 512]))
    return content[:start] + bytes(size) + content[start + size :]


def swap_lengths(content: bytes, draw: random.Random) -> bytes:
    """Two words of four bytes exchanged: lengths and offsets stand in such words."""
    if len(content) < 16:
        return flip_bits(content, draw)
    first, second = sorted(draw.sample(range(0, len(content) - 4, 4), 2))
    damaged = bytearray(content)
    damaged[first : first + 4], damaged[second : second + 4] = (
        content[second : second + 4],
        content[first : first + 4],
    )
    return bytes(damaged)


def huge_number(content: bytes, draw: random.Random) -> bytes:
    """A word that reads as a very large length."""
    start = draw.randrange(max(1, len(content) - 4))
    return content[:start] + draw.choice([b"\xff\xff\xff\x7f", b"\xff" * 4]) + content[start + 4 :]


def other_type(content: bytes, draw: random.Random) -> bytes:
    """The name of a type exchanged for another, or a text that breaks a table."""
    there = [pair for pair in WORDS if pair[0] in content]
    if there:
        old, new = draw.choice(there)
        return content.replace(old, new, 1)
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.choice(TEXTS) + content[place:]


def repeat_part(content: bytes, draw: random.Random) -> bytes:
    """A part written twice."""
    start = draw.randrange(len(content))
    stop = min(len(content), start + draw.choice([1, 32, 1024]))
    return content[:stop] + content[start:stop] + content[stop:]


MUTATIONS: Mapping[str, Mutation] = {
    "flip_bits": flip_bits,
    "truncate": truncate,
    "empty": empty,
    "zero_header": zero_header,
    "zero_block": zero_block,
    "swap_lengths": swap_lengths,
    "huge_number": huge_number,
    "other_type": other_type,
    "repeat_part": repeat_part,
}
