import csv
import io

import pytest

from connectors.kit.cursors import page_of
from connectors.kit.tables import as_table, csv_file, csv_text, markdown_table

ROWS = [
    {"Id": 1, "Account": {"Name": 'Ann, "A"'}, "tags": ["x", "y"], "open": True},
    {"Id": 2, "Account": {"Name": "line\nbreak"}, "note": "later column"},
]


def test_rows_become_csv_with_inner_objects_as_dotted_columns():
    text = csv_text(ROWS)
    assert text.splitlines()[0] == "Id,Account.Name,tags,open,note"
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert read[0] == {"Id": "1", "Account.Name": 'Ann, "A"', "tags": "x; y", "open": "true", "note": ""}
    assert read[1]["Account.Name"] == "line\nbreak"


def test_named_columns_come_in_their_order_and_others_not_at_all():
    assert csv_text(ROWS, ["note", "Id"]) == "note,Id\n,1\nlater column,2\n"


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"],
    ids=["equals", "plus", "minus", "at", "tab", "return", "blanks", "wide"],
)
def test_a_file_for_people_runs_no_cell_and_no_heading_as_a_formula(formula):
    data = csv_file([{"name": formula, formula: 1}])
    read = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert read == [["name", f"'{formula}"], [f"'{formula}", "1"]]
    assert csv_text([{"name": "-1"}]) == "name\n-1\n"  # for a model the data stays the data


def test_numbers_in_a_file_for_people_stay_numbers():
    assert csv_file([{"n": -5}]).decode("utf-8-sig") == "n\r\n-5\r\n"


def test_no_cell_breaks_out_of_a_markdown_table():
    text = markdown_table([{"a|b": "x | y\nz \\", "n": 3}])
    assert text == "| a\\|b | n |\n| --- | --- |\n| x \\| y<br>z \\\\ | 3 |\n"
    assert markdown_table([]) == ""


def test_a_page_as_a_table_says_what_is_left():
    made = as_table(page_of([{"a": 1}], "next", 310), "csv")
    assert made.structured == {
        "format": "csv",
        "data": "a\n1\n",
        "count": 1,
        "next_cursor": "next",
        "total": 310,
    }
    assert [part.text for part in made.content] == [
        "a\n1\n",
        "1 of 310 rows; call again with cursor=next",
    ]


def test_a_page_as_json_is_itself_and_a_last_page_says_nothing_more():
    page = page_of([{"a": 1}])
    assert as_table(page, "json").structured == {"items": [{"a": 1}], "count": 1, "next_cursor": None}
    assert len(as_table(page, "markdown").content) == 1
