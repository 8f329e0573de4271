"""What models send that is nearly right: it works, or the error says what would."""

import pytest

from connectors.providers.salesforce.object_queries import _settled
from connectors.providers.salesforce.queries import once, ordered_totals
from tests.doubles.faults import Fault, Reset, Unavailable
from tests.doubles.messages import Answer


def id_of(org, kind, name):
    [id] = [id for id, row in org.double.rows[kind].items() if row["Name"] == name]
    return id


async def test_fields_are_one_whatever_their_case(org):
    acme = id_of(org, "Account", "Acme")
    odd = ["id", "NAME", "Name", "name"]
    [row] = (await org.get("query_accounts", fields=odd, name_contains="acme"))["items"]
    assert row == {"Id": acme, "NAME": "Acme"}
    assert set(await org.get("get_record", sobject_type="Account", record_id=acme, fields=odd)) == {
        "Id",
        "NAME",
        "url",
    }
    found = await org.get("search", text="acme", objects=[{"name": "account", "fields": odd}])
    assert found["items"] == [{"Id": acme, "NAME": "Acme"}]
    related = {"sobject_type": "Account", "record_id": acme, "relationship": "Contacts"}
    assert set((await org.get("get_related_records", **related, fields=odd))["items"][0]) == {"Id", "NAME"}
    assert (await org.get("query_activities", fields=["activitydate", "id"]))["count"] == 0
    assert once(["Id", "name", "id", "NAME"]) == ["Id", "name"]
    parent = await org.fail("get_record", sobject_type="Account", record_id=acme, fields=["Owner.Name"])
    assert "salesforce_query" in parent["hint"]


async def test_an_unknown_object_is_looked_for_and_a_foreign_id_is_named(org):
    acme, wile = id_of(org, "Account", "Acme"), id_of(org, "Contact", "Wile Coyote")
    for tool, arguments in (
        ("get_record_fields", {}), ("create_record", {"data": {"Name": "x"}}), ("list_recent", {}),
        ("get_record", {"record_id": acme[:3] + "0" * 12}), ("delete_record", {"record_id": "a01" + "0" * 12}),
    ):  # fmt: skip
        error = await org.fail(tool, sobject_type="Invoice", **arguments)
        assert error["type"] == "not_found", tool
        known = "001" in str(arguments.get("record_id"))
        assert ("record of Account" if known else "salesforce_list_objects(search='Invoice')") in error[
            "hint"
        ], tool
    foreign = await org.fail("update_record", sobject_type="Account", record_id=wile, data={"Name": "x"})
    assert foreign["hint"] == f"{wile} is the id of a record of Contact."
    gone = await org.fail("get_record", sobject_type="Account", record_id="001000000000999AAA")
    assert "salesforce_search finds records" in gone["hint"]
    key = await org.fail("get_record_by_external_id", sobject_type="Account", field="Sap__c", value="1")
    assert "marks the fields that are external ids" in key["hint"]
    name = await org.fail("list_recent", sobject_type="a b")
    assert "no object's name" in name["error"] and "salesforce_list_objects" in name["hint"]


async def test_a_name_in_place_of_an_id_is_refused_instead_of_finding_nothing(org):
    for tool, arguments in (
        ("query_contacts", {"account_id": "Acme"}), ("query_activities", {"related_to": "Acme"}),
        ("create_activity", {"subject": "x", "related_to": "Acme"}), ("create_activity", {"subject": "x", "who_id": "Wile"}),
    ):  # fmt: skip
        error = await org.fail(tool, **arguments)
        assert error["code"] == "MALFORMED_ID" and "salesforce_search" in error["hint"], tool
    assert not org.asked


async def test_an_activity_has_one_person_and_an_event_no_status(org):
    wile = id_of(org, "Contact", "Wile Coyote")
    other = org.double.make("Contact", {"LastName": "Other"})
    two = await org.fail("create_activity", subject="x", related_to=wile, who_id=other)
    assert two["code"] == "two_people" and not org.double.rows["Task"]
    made = await org.get("create_activity", subject="x", related_to=wile, who_id=wile[:15])
    assert org.double.rows["Task"][made["id"]]["WhoId"] == wile[:15]
    event = {"subject": "x", "kind": "event", "due_date": "2030-01-31"}
    assert (await org.fail("create_activity", **event, status="Completed"))["code"] == "INVALID_FIELD"


async def test_activities_of_both_kinds_are_those_that_the_connection_is_for(org_with):
    narrow = await org_with(objects=["Task"])
    narrow.double.make("Task", {"Subject": "Call"})
    narrow.double.make("Event", {"Subject": "Meet", "StartDateTime": "2030-01-02T09:00:00Z"})
    assert [row["Subject"] for row in (await narrow.get("query_activities"))["items"]] == ["Call"]
    assert (await narrow.fail("query_activities", kind="event"))["code"] == "object_not_allowed"


async def test_totals_are_ordered_by_the_names_that_they_were_given(org):
    for number in range(3):
        org.double.make("Account", {"Name": f"N{number}", "Industry": "Retail"})
    asked = {"object": "Account", "aggregates": ["COUNT(Id) n"], "group_by": ["Industry"]}
    await org.get("aggregate_query", **asked, order_by="N desc, Industry")
    assert org.double.requests[-1].one("q").endswith("ORDER BY COUNT(Id) desc, Industry LIMIT 201")
    assert ordered_totals("total, COUNT(Id) DESC", ["SUM(Amount) total"]) == "SUM(Amount), COUNT(Id) DESC"
    alone = await org.fail("aggregate_query", object="Account", aggregates=["COUNT()", "MAX(Name)"])
    assert alone["code"] == "bad_aggregate"


@pytest.mark.parametrize(
    ("order", "settled"),
    [
        ("Account.Id", "Account.Id, Id"),
        ("Id", "Id"),
        ("Name,id desc", "Name,id desc"),
        ("Name", "Name, Id"),
        ("Id.x", "Id.x, Id"),
    ],
)
def test_a_list_is_ordered_by_the_ids_of_its_own_records(order, settled):
    assert _settled(order) == settled


async def test_an_upsert_whose_external_id_several_records_have_is_a_conflict_that_names_them(org):
    place = {"sobject_type": "Account", "external_id_field": "AccountNumber", "external_id": "A-1"}
    org.double.make("Account", {"Name": "Twin", "AccountNumber": "A-1"})
    error = await org.fail("upsert_record", **place, data={"Phone": "1"})
    assert (error["type"], error["code"], len(error["ids"])) == ("conflict", "several_records", 2)
    assert not any(row.get("Phone") for row in org.double.rows["Account"].values())


async def test_a_change_on_a_condition_is_not_sent_again_to_meet_itself(org):
    acme = {"sobject_type": "Account", "record_id": id_of(org, "Account", "Acme")}
    org.double.rows["Account"][acme["record_id"]]["LastModifiedDate"] = "2020-01-01T09:00:00.000+0000"
    org.double.faults.add(Reset(after=True), path="updateRecord")
    error = await org.fail(
        "update_record", **acme, data={"Phone": "1"}, if_unmodified_since="2020-01-01T09:00:00Z"
    )
    assert error["type"] != "conflict" and not error["retryable"] and "salesforce_get_record" in error["hint"]
    assert org.asked.count("updateRecord") == 1


@pytest.mark.parametrize("whole", [True, False])
async def test_records_deleted_by_a_request_whose_answer_was_lost_are_told_as_deleted(org, whole):
    ids = [org.double.make("Account", {"Name": name}) for name in "AB"]
    org.double.faults.add(Reset(after=True), path="deleteRecords")
    told = await org.get("delete_records", sobject_type="Account", record_ids=ids, all_or_none=whole)
    assert org.asked.count("deleteRecords") == 2 and (told["done"], told["failed"]) == (2, 0)
    assert told["results"] == [{"success": True, "id": id} for id in ids]
    again = {"sobject_type": "Account", "record_ids": ids}
    assert (await org.fail("delete_records", **again))["code"] == "ENTITY_IS_DELETED"


async def test_a_record_of_many_that_cannot_be_sent_is_named_by_its_place(org):
    wrong = await org.fail("create_records", sobject_type="Account", records=[{"Name": "A"}, {"Na me": "B"}])
    assert wrong["error"].startswith("Record 1 (from 0): ") and not org.asked
    lacking = await org.fail("update_records", sobject_type="Account", records=[{"Name": "A"}])
    assert lacking["error"].startswith("Record 0 (from 0) ")


async def test_a_user_who_may_not_see_the_orgs_limits_is_told_the_rest(org):
    for tool in ("connection_info", "check"):
        org.double.faults.add(Unavailable(status=403), path="limits")
        if tool == "check":
            check = await org.check()
            assert check.ok and "of 15,000 requests are left" in check.message
        else:
            about = await org.get(tool)
            assert about["name"] == "Ada Lovelace" and about["requests"]["limit"] == 15_000


async def test_words_to_search_for_are_taken_as_they_are_where_salesforce_reads_more_into_them(org):
    org.double.make("Contact", {"LastName": "Day-Lewis (Kincade)", "Email": "day+lewis@example.com"})
    org.double.strict_search = True
    for text in (
        "day-lewis",
        "(kincade)",
        "day+lewis@example.com",
        "Day-Lew*",
        "O'Hara & Sons",
        'kincade" {day',
    ):
        assert isinstance(await org.get("search", text=text), dict)
    for text in ("Day-Lewis", "(kincade)", "day+lewis@example.com", "day-lew*"):
        assert [row["Name"] for row in (await org.get("search", text=text))["items"]] == [
            "Day-Lewis (Kincade)"
        ], text
    raw = await org.fail("search", sosl="FIND {day-lewis} RETURNING Contact(Id)")
    assert raw["code"] == "MALFORMED_SEARCH" and "behind a backslash" in raw["hint"]
    assert (await org.get("search", sosl="FIND {day\\-lewis} RETURNING Contact(Id)"))["count"] == 1
    for sosl in ("FIND {x} RETURNING Contact(Id) UPDATE VIEWSTAT", "FIND {x} RETURNING Contact(Id FOR VIEW)"):
        assert (await org.fail("search", sosl=sosl))["code"] == "not_reading", sosl
    assert (await org.get("search", sosl="FIND {for view} RETURNING Contact(Id)"))["count"] == 0


async def test_a_search_without_objects_is_in_those_of_the_connection_that_can_be_searched(org_with):
    narrow = await org_with(objects=["Report", "Nowhere__c", "Invoice__c", "ContentVersion", "Case"])
    narrow.double.make("Invoice__c", {"Name": "Wolf 1"})
    narrow.double.make("Case", {"Subject": "Wolf 2"})
    found = await narrow.get("search", text="wolf")
    assert set(found["id_prefixes"].values()) == {"Invoice__c", "Case"} and found["count"] == 2
    reports = await org_with(objects=["Report"])
    assert (await reports.fail("search", text="wolf"))["code"] == "not_searchable"


async def test_a_query_that_no_address_holds_is_refused_with_what_helps(org):
    ids = ", ".join(f"'{number:018}'" for number in range(700))
    error = await org.fail("query", query=f"SELECT Id FROM Account WHERE Id IN ({ids})")
    assert (error["code"], org.asked) == ("query_too_long", []) and "subquery" in error["hint"]


class Odd(Fault):
    """JSON that is not what was asked for, as gateways and orgs in maintenance send it."""

    def __init__(self, body) -> None:
        object.__setattr__(self, "body", body)

    async def happen(self, blow) -> None:
        await blow.line.answer(Answer(200, self.body))


async def test_an_answer_of_another_shape_is_called_so_and_a_creation_is_looked_for_first(org):
    acme = id_of(org, "Account", "Acme")
    data = {"sobject_type": "Account", "data": {"Name": "Z"}}
    reads = (
        ("query_accounts", {}), ("query_activities", {}), ("get_record_fields", {"sobject_type": "Account"}),
        ("list_objects", {}), ("list_recent", {}), ("list_reports", {}),
        ("aggregate_query", {"object": "Account", "aggregates": ["COUNT()"]}),
    )  # fmt: skip
    for body in ({}, [], "down", {"status": "maintenance"}):
        for tool, arguments in reads:
            org.double.faults.add(Odd(body), times=None)
            result = await org.call(tool, **arguments)
            org.double.faults.clear()
            assert "failed inside" not in str(result.content), (tool, body)
            if body == {}:
                assert "unexpected_answer" in str(result.content), (tool, body)
        for tool, arguments in (
            ("create_record", data), ("create_records", {"sobject_type": "Account", "records": [{"Name": "Z"}]}),
            ("upload_file", {"record_id": acme, "filename": "a.txt", "text": "a"}),
        ):  # fmt: skip
            org.double.faults.add(Odd(body), times=None)
            error = await org.fail(tool, **arguments)
            org.double.faults.clear()
            assert (error["code"], error["retryable"]) == ("unexpected_answer", False), (tool, body)
            assert "may have succeeded" in error["hint"], (tool, body)
