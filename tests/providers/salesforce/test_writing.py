"""The writing tools of Salesforce against its double: what is written is there once, and nowhere else."""

import asyncio
import json

import pytest

from tests.doubles.faults import Reset, Status, TooMany, Unavailable
from tests.doubles.salesforce import LockedRow, TooManyAtOnce


def id_of(org, kind, name):
    [id] = [id for id, row in org.double.rows[kind].items() if row["Name"] == name]
    return id


def named(org, kind, name):
    return [row for row in org.double.rows[kind].values() if row.get("Name") == name and not row["IsDeleted"]]


async def test_a_record_is_made_changed_and_deleted(org):
    made = await org.get("create_record", sobject_type="Account", data={"Name": "New"}, assignment_rule=True)
    assert made == {"id": made["id"], "object": "Account", "url": f"{org.double.url}/{made['id']}"}
    assert org.double.requests[-1].headers["sforce-auto-assign"] == "TRUE"
    place = {"sobject_type": "Account", "record_id": made["id"]}
    await org.get("update_record", **place, data={"Industry": "Energy", "Phone": None})
    assert (await org.get("get_record", **place))["Industry"] == "Energy"
    assert (await org.get("delete_record", **place))["deleted"]
    gone = await org.fail("get_record", **place)
    assert (gone["type"], gone["code"]) == ("not_found", "ENTITY_IS_DELETED") and "include_deleted" in gone[
        "hint"
    ]


async def test_a_change_on_what_somebody_else_changed_meanwhile_is_a_conflict(org):
    acme = {"sobject_type": "Account", "record_id": id_of(org, "Account", "Acme")}
    read = (await org.get("get_record", **acme))["LastModifiedDate"]
    org.double.rows["Account"][acme["record_id"]]["LastModifiedDate"] = "2099-01-01T00:00:00.000+0000"
    lost = await org.fail("update_record", **acme, data={"Phone": "1"}, if_unmodified_since=read)
    assert lost["type"] == "conflict" and org.double.rows["Account"][acme["record_id"]].get("Phone") is None
    await org.get(
        "update_record", **acme, data={"Phone": "1"}, if_unmodified_since="2099-01-01T00:00:00.000+0000"
    )
    assert (await org.fail("update_record", **acme, data={"Phone": "1"}, if_unmodified_since="now"))["code"] == "bad_moment"  # fmt: skip


async def test_of_two_changes_at_once_on_the_same_state_one_is_made_and_the_other_is_a_conflict(org):
    acme = {"sobject_type": "Account", "record_id": id_of(org, "Account", "Acme")}
    row = org.double.rows["Account"][acme["record_id"]]
    row["LastModifiedDate"] = "2020-01-01T09:00:00.000+0000"
    read = (await org.get("get_record", **acme))["LastModifiedDate"]
    results = await asyncio.gather(*(
        org.call("update_record", **acme, data={"Phone": phone}, if_unmodified_since=read) for phone in ("1", "2")
    ))  # fmt: skip
    [lost] = [json.loads(one.content[0].text) for one in results if one.is_error]
    assert (lost["type"], lost["code"], lost["retryable"]) == ("conflict", "PRECONDITION_FAILED", False)
    assert "changed" in lost["error"] and "salesforce_get_record" in lost["hint"]
    assert row["Phone"] == str(1 + [one.is_error for one in results].index(False))
    again = (await org.get("get_record", **acme))["LastModifiedDate"]
    await org.get("update_record", **acme, data={"Phone": "3"}, if_unmodified_since=again)
    org.double.faults.add(Unavailable(status=412), path="updateRecord")  # in nobody's words
    bare = await org.fail("update_record", **acme, data={"Phone": "4"}, if_unmodified_since=again)
    assert bare["type"] == "conflict" and "LastModifiedDate" in bare["hint"]


async def test_an_upsert_makes_once_and_changes_then(org):
    place = {"sobject_type": "Account", "external_id_field": "AccountNumber", "external_id": "A/9 %"}
    none = await org.fail("upsert_record", **place, data={"Name": "Ninth"}, update_only=True)
    assert none["type"] == "not_found"
    first = await org.get("upsert_record", **place, data={"Name": "Ninth"})
    second = await org.get("upsert_record", **place, data={"Name": "Ninth", "Industry": "Energy"})
    assert (first["created"], second["created"], first["id"] == second["id"]) == (True, False, True)
    assert named(org, "Account", "Ninth")[0]["AccountNumber"] == "A/9 %"


@pytest.mark.parametrize(
    ("kind", "data", "code", "said"),
    [
        ("Opportunity", {"Name": "x"}, "REQUIRED_FIELD_MISSING", "StageName"),
        ("Account", {"Name": "x", "Colour": "red"}, "INVALID_FIELD", "Colour"),
        (
            "Account",
            {"Name": "x", "CreatedDate": "2020-01-01"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "CreatedDate",
        ),
        ("Wish", {"Name": "x"}, "NOT_FOUND", "does not exist"),
        ("Account", {"Id": "001000000000001AAA", "Name": "x"}, "INVALID_FIELD", "Id is not set"),
        ("Account", {"Name": ["x"]}, "INVALID_FIELD", "no list"),
        ("Account", {"Na me": "x"}, "INVALID_FIELD", "no field name"),
    ],
)
async def test_what_cannot_be_written_is_said_in_salesforces_words(org, kind, data, code, said):
    error = await org.fail("create_record", sobject_type=kind, data=data)
    assert error["code"] == code and said in error["error"] and error["hint"]


async def test_activities_are_logged_found_and_deleted(org):
    acme, wile = id_of(org, "Account", "Acme"), id_of(org, "Contact", "Wile Coyote")
    task = await org.get(
        "create_activity", subject="Call", related_to=acme, who_id=wile, due_date="2030-02-01", priority="High",
        status="Completed", description="They want anvils.",
    )  # fmt: skip
    row = org.double.rows["Task"][task["id"]]
    assert (row["WhatId"], row["WhoId"], row["ActivityDate"], row["Priority"]) == (
        acme,
        wile,
        "2030-02-01",
        "High",
    )
    event = await org.get(
        "create_activity", subject="Meet", related_to=wile, due_date="2030-02-02", kind="event"
    )
    row = org.double.rows["Event"][event["id"]]
    assert (row["WhoId"], row["StartDateTime"], row["DurationInMinutes"]) == (
        wile,
        "2030-02-02T09:00:00Z",
        60,
    )
    assert {row["Id"] for row in (await org.get("query_activities", limit=5))["items"]} == {
        task["id"],
        event["id"],
    }
    for made in (task, event):
        assert (await org.get("delete_activity", activity_id=made["id"]))["deleted"]
    assert (await org.get("query_activities"))["count"] == 0
    assert (await org.fail("delete_activity", activity_id=acme))["code"] == "MALFORMED_ID"
    assert (await org.fail("create_activity", subject="x", kind="event"))["code"] == "REQUIRED_FIELD_MISSING"
    assert (await org.fail("create_activity", subject="x", due_date="2030-02-31"))["code"] == "bad_date"


async def test_collections_are_all_written_or_none(org):
    made = await org.get("create_records", sobject_type="Account", records=[{"Name": "A"}, {"Name": "B"}])
    ids = [one["id"] for one in made["results"]]
    assert (made["done"], made["failed"]) == (2, 0)
    failed = await org.fail("create_records", sobject_type="Account", records=[{"Name": "C"}, {"Phone": "1"}])
    assert failed["code"] == "REQUIRED_FIELD_MISSING" and failed["problems"][0]["record"] == 1
    assert not named(org, "Account", "C")
    some = await org.get(
        "create_records", sobject_type="Account", records=[{"Name": "C"}, {"Phone": "1"}], all_or_none=False
    )
    assert (some["done"], some["failed"]) == (1, 1) and "REQUIRED_FIELD_MISSING" in some["results"][1][
        "error"
    ]
    changes = [{"Id": id, "Industry": "Energy"} for id in ids]
    assert (await org.get("update_records", sobject_type="Account", records=changes))["done"] == 2
    assert named(org, "Account", "A")[0]["Industry"] == "Energy"
    assert (await org.get("delete_records", sobject_type="Account", record_ids=ids))["done"] == 2
    assert not named(org, "Account", "A")


async def test_a_locked_row_is_waited_for_and_stays_a_conflict_when_it_does_not_end(org):
    org.double.faults.add(LockedRow(), path="createRecord")
    await org.get("create_record", sobject_type="Account", data={"Name": "Once"})
    assert len(named(org, "Account", "Once")) == 1
    org.double.faults.add(LockedRow(), path="updateRecord", times=9)
    error = await org.fail(
        "update_record", sobject_type="Account", record_id=id_of(org, "Account", "Acme"), data={"Phone": "1"}
    )
    assert (error["type"], error["code"], error["retryable"]) == ("conflict", "UNABLE_TO_LOCK_ROW", True)


async def test_a_creation_whose_answer_is_lost_is_not_made_again(org):
    org.double.faults.add(Reset(after=True), path="createRecord")
    error = await org.fail("create_record", sobject_type="Account", data={"Name": "Lost"})
    assert not error["retryable"] and "salesforce_query" in error["hint"]
    assert len(named(org, "Account", "Lost")) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_creation_that_may_have_been_made_is_never_called_worth_another_try(org, status):
    for tool, arguments in (
        ("create_record", {"sobject_type": "Account", "data": {"Name": "Perhaps"}}),
        ("create_activity", {"subject": "Perhaps"}),
        ("create_records", {"sobject_type": "Account", "records": [{"Name": "Perhaps"}]}),
    ):
        org.double.faults.add(Status(status))
        error = await org.fail(tool, **arguments)
        assert error["retryable"] is False and "may have succeeded" in error["hint"], (tool, error)
    org.double.faults.add(Status(status), times=9)
    assert (await org.fail("query", query="SELECT Name FROM Account"))["retryable"]


async def test_a_read_is_tried_again_after_a_fault(org):
    org.double.faults.add(Status(503), path="query")
    org.double.faults.add(TooMany(0), path="query")
    assert (await org.get("query", query="SELECT Name FROM Account"))["count"] == 2


async def test_the_end_of_the_days_requests_is_not_worth_another_try(org):
    org.double.quota.limit = 0
    error = await org.fail("query", query="SELECT Name FROM Account")
    assert (error["type"], error["code"], error["retryable"]) == ("rate_limit", "daily_limit", False)
    assert org.asked == ["query"] and "salesforce_get_limits" in error["hint"]


async def test_too_many_requests_at_once_end_in_a_moment_and_are_worth_another_try(org):
    org.double.faults.add(TooManyAtOnce(), path="query")
    org.double.faults.add(TooManyAtOnce(), path="createRecord", times=2)
    assert (await org.get("query", query="SELECT Name FROM Account"))["count"] == 2
    await org.get("create_record", sobject_type="Account", data={"Name": "Once"})
    assert len(named(org, "Account", "Once")) == 1
    org.double.faults.add(TooManyAtOnce(), times=9)
    error = await org.fail("query", query="SELECT Name FROM Account")
    assert (error["type"], error["code"], error["retryable"]) == ("rate_limit", "concurrent_limit", True)
    assert error["retry_after"] == 5 and "in a moment" in error["hint"]
    tries = [hit.fault for hit in org.double.operations].count("too_many_at_once")
    org.double.faults.clear()
    assert tries <= 6  # three a call at most
    assert (await org.get("query", query="SELECT Name FROM Account"))["count"] == 3
