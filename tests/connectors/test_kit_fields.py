import pytest

from connectors.errors import InvalidInput
from connectors.kit.fields import demand_known, pick, pick_each

RECORD = {
    "key": "AB-1",
    "summary": "S",
    "status": {"name": "Open", "id": "1"},
    "comments": [{"body": "b", "author": {"id": "x"}}],
    "Account.Name": "flat",
}


def test_only_the_named_fields_come_and_what_names_the_record():
    assert pick(RECORD, ["summary"]) == {"key": "AB-1", "summary": "S"}
    assert pick(RECORD, None) == RECORD
    assert pick(RECORD, []) == RECORD


def test_a_dotted_field_takes_a_part_also_of_each_element_of_a_list():
    assert pick(RECORD, ["status.name", "comments.author.id", "Account.Name"], always=()) == {
        "status": {"name": "Open"},
        "comments": [{"author": {"id": "x"}}],
        "Account.Name": "flat",
    }


def test_a_whole_field_wins_over_a_part_of_it():
    assert pick(RECORD, ["status.name", "status"], always=())["status"] == RECORD["status"]


def test_a_list_of_records_is_picked_one_by_one():
    assert pick_each([RECORD, {"key": "AB-2"}], ["summary"]) == [
        {"key": "AB-1", "summary": "S"},
        {"key": "AB-2"},
    ]


def test_a_field_that_no_record_has_is_refused_with_what_is_near_or_known():
    with pytest.raises(InvalidInput) as caught:
        demand_known(["summry"], {"summary", "status"})
    assert caught.value.hint == "Did you mean summary?"
    with pytest.raises(InvalidInput) as caught:
        demand_known(["zzz"], {"summary", "status"})
    assert caught.value.hint == "Fields are: status, summary."
    demand_known(["status.name", "summary"], {"summary", "status"})
    demand_known(None, {"summary"})
