"""Words for values and errors: one line each."""

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.wording import listed, one_line


@given(st.text())
def test_a_text_of_any_kind_is_one_line_of_the_same_words(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line.split() == text.split()
    assert one_line(line) == line


@given(st.text(), st.integers(0, 50))
def test_a_limit_is_kept(text: str, limit: int) -> None:
    assert one_line(text, limit) == one_line(text)[:limit]


def test_an_error_that_says_nothing_is_named_by_its_type() -> None:
    assert one_line(MemoryError()) == "MemoryError"
    assert one_line(ValueError("a\n  b")) == "a b"


def test_of_many_names_the_first_four_are_listed_and_the_rest_counted() -> None:
    assert listed([]) == ""
    assert listed([1, 2, 3, 4]) == "1, 2, 3, 4"
    assert listed("abcdefg") == "a, b, c, d and 3 more"
