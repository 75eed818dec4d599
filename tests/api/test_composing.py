"""Bodies that are put together: any range of them is that range of the whole."""

import base64
from collections.abc import Generator
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from api.http import composing
from api.http.composing import Part, in_base64, joined, literal


def stored(content: bytes, piece: int) -> Part:
    """As a storage gives it, in pieces."""

    def open_range(start: int, stop: int) -> Generator[bytes, None, None]:
        for at in range(start, stop, piece):
            yield content[at : min(at + piece, stop)]

    return Part(len(content), open_range, f"stored {content.hex()}")


_contents = st.lists(st.tuples(st.binary(max_size=40), st.integers(1, 7), st.booleans()), min_size=1, max_size=6)
_ranges = st.tuples(st.integers(0, 400), st.integers(0, 400))


@given(contents=_contents, asked=_ranges)
@settings(max_examples=300)
def test_any_range_of_a_composed_body_is_that_range_of_the_whole(
    contents: list[tuple[bytes, int, bool]], asked: tuple[int, int]
) -> None:
    parts, whole = [literal(b"<")], b"<"
    for content, piece, encoded in contents:
        part = stored(content, piece)
        parts += [in_base64(part) if encoded else part, literal(b"|")]
        whole += (base64.b64encode(content) if encoded else content) + b"|"
    body = joined(parts)
    assert body.size == len(whole)
    start, stop = sorted(min(end, body.size) for end in asked)
    pieces = list(body.open_range(start, stop))
    assert b"".join(pieces) == whole[start:stop]
    assert all(pieces)  # an empty piece ends an answer
    assert b"".join(body.open_range(0, body.size)) == whole


def test_base64_is_made_in_pieces_of_bounded_size() -> None:
    content = bytes(range(256)) * (composing._ENCODED_AT_ONCE // 64)
    pieces = list(in_base64(stored(content, 100_000)).open_range(0, 4 * -(-len(content) // 3)))
    assert b"".join(pieces) == base64.b64encode(content)
    assert max(map(len, pieces)) <= composing._ENCODED_AT_ONCE * 4 // 3
    assert len(pieces) >= 4


def test_a_composed_body_has_another_tag_where_a_byte_or_a_border_differs() -> None:
    bodies = [
        joined([literal(b"ab"), literal(b"c")]),
        joined([literal(b"a"), literal(b"bc")]),
        joined([literal(b"ab"), in_base64(literal(b"c"))]),
        joined([literal(b"ab"), literal(b"d")]),
    ]
    assert len({body.tag for body in bodies}) == len(bodies)
    assert joined([literal(b"ab"), literal(b"c")]).tag == bodies[0].tag
    assert list(accumulate(body.size for body in bodies)) == [3, 6, 12, 15]
