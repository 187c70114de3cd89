"""Contents that nobody thought of: edits of a sound file, drawn and made small by hypothesis."""

from hypothesis import strategies as st

# What readers of tables, of JSON and TOML, of archives and images take for structure.
TOKENS = (
    *(
        b"\x00",
        b'"',
        b"'",
        b",",
        b"\n",
        b"\r",
        b"#",
        b"=",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\\u0000",
        b"\xff\xfe",
    ),
    *(
        b"NaN",
        b"-Infinity",
        b"null",
        b"true",
        b"1e999",
        b"-1",
        b"0",
        b"9" * 5000,
        b"../",
        b"/",
        b"\xc3(",
    ),
    *(
        b"[" * 20_000,
        b'{"a":' * 20_000,
        b"PK\x03\x04",
        b"\x89HDF\r\n\x1a\n",
        b"II*\x00",
        b"\xff\xd9",
    ),
    *(b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff" * 8),
)
REPLACE, INSERT, DELETE, CUT = "replace", "insert", "delete", "cut"
Edit = tuple[str, float, bytes]
edits = st.lists(
    st.tuples(
        st.sampled_from([REPLACE, INSERT, DELETE, CUT]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=5,
)


def edited(content: bytes, chosen: list[Edit]) -> bytes:
    """Apply edits, each at a share of what is there by then."""
    for kind, share, piece in chosen:
        place = int(share * len(content))
        if kind == CUT:
            content = content[:place]
        else:
            after = place if kind == INSERT else place + len(piece)
            content = content[:place] + (b"" if kind == DELETE else piece) + content[after:]
    return content


def is_cut(chosen: list[Edit]) -> bool:
    """Whether nothing was done but to shorten the file."""
    return all(kind == CUT for kind, _, _ in chosen)
