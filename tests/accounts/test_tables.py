"""Which cell of a table is what: by a header row in any order, by the position, or a list of names in one line."""

import pytest

from accounts import tables
from accounts.spreadsheet import Unreadable


def people(text: str) -> list[tuple[str, ...]]:
    return [line.cells for line in tables.read(text, tables.PERSON).lines]


def notices(text: str) -> list[str]:
    return [str(notice) for notice in tables.read(text, tables.PERSON).notices]


def names(text: str) -> list[str]:
    return [line.cell(0) for line in tables.names(text).lines]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("username,lastname,firstname\nana,Pérez,Ana", ("ana", "Ana", "Pérez", "", "")),
        ("username,email\nana,ana@school.example", ("ana", "", "", "ana@school.example", "")),
        ("Email Address;Last Name;User_Name\na@b.example;Pérez;ana", ("ana", "", "Pérez", "a@b.example", "")),
        ("sep=;\nusername;first name\nana;Ana", ("ana", "Ana", "", "", "")),
        ("Class 4B\nusername;first name;email\nana;Ana;a@b.example", ("ana", "Ana", "", "a@b.example", "")),
        ("username,course1\nana,4B", ("ana", "", "", "", "")),
        ("Apellidos,Nombre,Usuario\nPérez,Ana,ana", ("ana", "Ana", "Pérez", "", "")),
    ],
)  # fmt: skip
def test_columns_go_by_their_header_in_any_order(text: str, first: tuple[str, ...]):
    assert people(text) == [first]


def test_without_a_header_columns_go_by_their_position():
    assert people("user,Max\nana,Ana") == [("user", "Max"), ("ana", "Ana")]


def test_a_header_row_keeps_the_numbers_of_the_lines():
    lines = tables.read("Class 4B\n\nusername,email\nana,\nben,", tables.PERSON).lines
    assert [line.number for line in lines] == [4, 5]


def test_columns_without_meaning_and_lines_above_the_header_are_named():
    assert notices("Class 4B\nusername,course1,email,password\nana,4B,,x") == [
        "What stands above the header row in line 2 is ignored.",
        "These columns have no meaning here and are ignored: course1, password.",
    ]


def test_a_second_column_of_one_meaning_is_named():
    assert notices("username,email,mail\nana,a@b.example,c@d.example") == [
        "These columns have no meaning here and are ignored: mail."
    ]


@pytest.mark.parametrize("header", ["Last Name,First Name,Email Address", "first name,surname,id number"])
def test_a_header_without_user_names_is_refused_with_its_line(header: str):
    with pytest.raises(Unreadable, match="Line 1 is a header row without a column of user names"):
        people(f"{header}\nPérez,Ana,ana@school.example")


@pytest.mark.parametrize(
    "text", ["ana, ben, chen", "ana;ben;chen", "ana\tben\tchen", "ana ben  chen", "ana\nben\nchen", "\nana, ben chen\n"]
)  # fmt: skip
def test_a_list_may_stand_in_one_line(text: str):
    assert names(text) == ["ana", "ben", "chen"]


def test_names_of_one_line_are_told_apart_by_their_numbers():
    assert [line.number for line in tables.names("ana, ben, ana").lines] == [1, 2, 3]


@pytest.mark.parametrize("text", ["student\nana\nben", "username,course\nana,4B\nben,4B", "email,login\nA,ana\nB,ben"])
def test_the_column_of_user_names_is_taken_from_a_table(text: str):
    table = tables.names(text)
    assert [line.cell(0) for line in table.lines] == ["ana", "ben"]


def test_cells_beside_user_names_are_counted_where_there_is_no_header():
    assert [str(notice) for notice in tables.names("ana,Ana\nben,Ben,Gil").notices] == [
        "Only the first cell of each line is a user name. Other cells that are ignored: 3."
    ]
