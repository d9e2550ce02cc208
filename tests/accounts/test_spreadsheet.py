"""Tables as text: what is read, what is refused, and cells that no spreadsheet takes for a formula."""

import random
import re

import pytest

from accounts import spreadsheet
from accounts.spreadsheet import Unreadable


def cells(text: str) -> list[tuple[str, ...]]:
    return [line.cells for line in spreadsheet.read(text)]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_cells_are_separated_by_commas_semicolons_or_tabs(mark: str):
    assert cells(f"a{mark}b\nc{mark}d") == [("a", "b"), ("c", "d")]


def test_a_comma_in_a_table_of_semicolons_is_part_of_a_cell():
    assert cells("a;Doe, John") == [("a", "Doe, John")]


def test_a_title_above_does_not_choose_the_separator():
    assert cells("Class 4B, room 3\na;b\nc;d")[1:] == [("a", "b"), ("c", "d")]
    assert cells("Class 4B; room 3\na,b\nc,d\ne,f")[1:] == [("a", "b"), ("c", "d"), ("e", "f")]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_a_line_that_names_the_separator_is_obeyed_and_no_row(line: str):
    lines = spreadsheet.read(f"{line}\na,x;b")
    assert [(line.number, line.cells) for line in lines] == [(2, ("a,x", "b"))]


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x9b", "\ufffe", "\ud800"])
def test_a_control_character_is_refused_with_its_line(character: str):
    with pytest.raises(Unreadable, match=rf"Line 2 .*U\+{ord(character):04X}"):
        spreadsheet.read(f"a,b\nc{character},d")


def test_a_semicolon_in_quotation_marks_separates_nothing():
    assert cells('a,"b;c"') == [("a", "b;c")]


def test_quotes_and_white_space_around_a_cell_are_no_part_of_it():
    assert cells('"a, b", c\u00a0') == [("a, b", "c")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(end: str):
    assert cells(f"a,b{end}c,d{end}") == [("a", "b"), ("c", "d")]


def test_lines_keep_their_numbers_over_empty_ones_and_those_in_quotes():
    numbers = [line.number for line in spreadsheet.read('a,b\n\n,\n"c\nd",e\nf,g')]
    assert numbers == [1, 4, 6]


def test_a_byte_order_mark_is_no_part_of_the_first_cell():
    assert cells(spreadsheet.decode(b"\xef\xbb\xbfa,b")) == cells("\ufeffa,b") == [("a", "b")]


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", b"caf\xe9", b"\x80", "a,b".encode("utf-16"), b"PK\x03\x04\xff"])
def test_what_is_not_utf_8_is_refused(content: bytes):
    with pytest.raises(Unreadable, match="CSV UTF-8"):
        spreadsheet.decode(content)


@pytest.mark.parametrize("text", ["a\0b", '"a,b', 'a,"b"c', "x" * 600_000, "a,b\n" * 5001, f'"{"x" * 200_000}"'])
def test_what_cannot_be_a_list_is_refused(text: str):
    with pytest.raises(Unreadable):
        spreadsheet.read(text)


def test_a_missing_quotation_mark_is_told_with_its_line():
    with pytest.raises(Unreadable, match="Line 2"):
        spreadsheet.read('a,b\n"c,d\ne,f')


def test_five_thousand_lines_are_read():
    assert len(spreadsheet.read("a,b\n" * 5000)) == 5000


def test_any_bytes_are_read_or_refused():
    chance = random.Random(6)  # noqa: S311 - the same every time
    for _ in range(3000):
        content = bytes(chance.choices(b'a,;\t\r\n"\x00\xef\xbb\xbf\xc3\xa9\xff =', k=chance.randrange(40)))
        try:
            lines = spreadsheet.read(spreadsheet.decode(content))
        except Unreadable:
            continue
        assert all(any(line.cells) for line in lines)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\t=", "\uff1d", "\uff20", "\u00a0="])
def test_a_cell_that_begins_like_a_formula_becomes_text(begin: str):
    assert spreadsheet.safe(f"{begin}cmd|' /C calc'!A0").startswith("'")


@pytest.mark.parametrize("separator", [";", "\t", "\n", "\r\n", ";  ", ";\u00a0", ";;", "\t\n ", ';"', ';""'])
@pytest.mark.parametrize("begin", spreadsheet.FORMULA)
def test_a_formula_behind_a_separator_in_a_cell_becomes_text(separator: str, begin: str):
    written = spreadsheet.safe(f"lab{separator}{begin}1+1{separator}x")
    parts = re.split(r"[;\t\r\n]", written)
    assert not [part for part in parts if part.strip(' "\u00a0').startswith(spreadsheet.FORMULA)]
    assert written.replace("'", "") == f"lab{separator}{begin}1+1{separator}x"


@pytest.mark.parametrize("value", ["lab;net", "a; b=1", "room 5\nseat 3", "net-01", "a=b", "", "1+1", "ana@school"])
def test_any_other_cell_stays_as_it_is(value: str):
    assert spreadsheet.safe(value) == value


def test_a_download_is_kept_by_nobody_and_opens_in_utf_8():
    answer = spreadsheet.download("x.csv", ["name"], [["é"], ["=1"]])
    assert answer.content.decode() == "\ufeffname\r\né\r\n'=1\r\n"
    assert "no-store" in answer["Cache-Control"]
