"""What the connector costs a model: its list of tools, and its answers beside Salesforce's own."""

import json
import re

import httpx2
import pytest
from jsonschema_rs import Draft202012Validator

from connectors.arguments import without_nulls
from connectors.providers.salesforce.connector import Salesforce
from mcp_endpoint.token_cost import tool_tokens

REQUIRED = {
    "salesforce_query", "salesforce_search", "salesforce_query_accounts", "salesforce_query_contacts",
    "salesforce_query_opportunities", "salesforce_query_cases", "salesforce_query_activities",
    "salesforce_get_record_fields", "salesforce_create_record", "salesforce_update_record", "salesforce_create_activity",
    "salesforce_delete_activity", "salesforce_connection_info",
}  # fmt: skip
OFF = {"delete", "admin", "bulk"}


def test_a_new_connection_lists_at_most_16_tools_of_4000_tokens():
    listed = {name: spec for name, spec in Salesforce.tools.items() if spec.default_on}
    assert len(listed) <= 16 and not OFF & {spec.toolset for spec in listed.values()}
    assert sum(tool_tokens(name, spec) for name, spec in listed.items()) <= 4_000
    assert {name for name, spec in Salesforce.tools.items() if spec.required} == REQUIRED
    assert REQUIRED - set(listed) == {"salesforce_delete_activity"}
    assert len(Salesforce.tools) == 31


def test_each_tools_hints_say_what_it_does():
    for name, spec in Salesforce.tools.items():
        assert spec.hints.open_world, name
        assert spec.writes == (spec.toolset != "core"), name
        assert spec.hints.destructive == ("delete" in name or "flow" in name), name


@pytest.fixture
def full(salesforce):
    """An org whose records are filled as people fill them."""
    where = {"street": "Hauptstrasse 1", "city": "Wien", "state": None, "postalCode": "1010", "country": "Austria",
             "latitude": None, "longitude": None, "geocodeAccuracy": None}  # fmt: skip
    for n in range(25):
        account = salesforce.make("Account", {
            "Name": f"Orders of Customer {n:02}", "Type": "Customer - Direct", "Industry": "Manufacturing",
            "Phone": "+43 1 234567", "BillingStreet": "Hauptstrasse 1", "BillingCity": "Wien", "BillingAddress": where,
            "BillingPostalCode": "1010", "BillingCountry": "Austria", "CleanStatus": "Pending",
            "PhotoUrl": "/services/images/photo/0015g00000ABCDEAAA",
        })  # fmt: skip
        salesforce.make("Contact", {
            "FirstName": "Wile", "LastName": f"Orders {n:02}", "Email": f"wile{n:02}@example.com", "AccountId": account,
            "MobilePhone": "+43 1 234567",
        })  # fmt: skip
        salesforce.make(
            "Case",
            {"Subject": f"Order {n:02} is late", "Status": "New", "Priority": "High", "AccountId": account},
        )
        salesforce.make(
            "Lead", {"FirstName": "Ada", "LastName": f"Orders {n:02}", "Company": "Acme", "Status": "New"}
        )
        salesforce.make("Task", {
            "Subject": f"Call about order {n:02}", "Status": "Open", "Priority": "High", "ActivityDate": "2030-01-31",
            "WhatId": account,
        })  # fmt: skip
        salesforce.make("Opportunity", {
            "Name": f"Orders {n:02}", "StageName": "Prospecting", "CloseDate": "2030-01-31", "Amount": 1200.0,
            "AccountId": account,
        })  # fmt: skip
    return salesforce


def size(value):
    return len(json.dumps(value, separators=(",", ":")))


async def test_answers_are_at_most_half_of_what_salesforce_sends_to_the_very_same_request(full, org):
    """The same fields of the same records; only the row more that says whether there are others is left out."""
    record = {"sobject_type": "Account", "record_id": next(iter(full.rows["Account"]))}
    for n in range(10):
        full.make(
            "Contact", {"FirstName": "Ada", "LastName": f"Byron {n:02}", "AccountId": record["record_id"]}
        )
    shares, headers = {}, {"authorization": "Bearer sandbox-salesforce-session"}
    async with httpx2.AsyncClient(base_url=full.url, headers=headers) as client:
        for tool, arguments in (
            ("query_contacts", {"name_contains": "wile", "limit": 10}),
            ("query_cases", {"limit": 10}),
            ("query_leads", {"limit": 10}),
            ("query_activities", {"limit": 10, "kind": "task"}),
            ("list_recent", {"limit": 25}),
            ("get_related_records", {**record, "relationship": "Contacts", "fields": ["Name", "Email"]}),
            ("query_accounts", {"limit": 25}),
            ("query_opportunities", {"limit": 25}),
            ("search", {"text": "orders", "limit": 10}),
            ("query", {"query": "SELECT Id, Name, Account.Name, Owner.Name FROM Contact LIMIT 25"}),
            ("get_record", record),
        ):
            own, sent = await org.get(tool, **arguments), full.requests[-1]
            params = {name: values[0] for name, values in sent.query.items()}
            if "q" in params:
                params["q"] = re.sub(r"LIMIT \d+", f"LIMIT {arguments.get('limit', 25)}", params["q"])
            body = sent.json | {"overallLimit": arguments["limit"]} if sent.body else None
            answer = await client.request(sent.method, sent.path, params=params, json=body)
            assert answer.status_code == 200 and own.get("count", 10) >= 10, tool
            shares[tool] = size(own) / size(answer.json())
    assert max(shares.values()) <= 0.5, shares


async def test_a_whole_record_has_no_part_twice(full, org):
    [id] = [id for id, row in full.rows["Account"].items() if row["Name"].endswith("07")]
    whole = await org.get("get_record", sobject_type="Account", record_id=id)
    assert whole["BillingCity"] == "Wien" and whole["CreatedDate"].endswith("Z")
    assert not {"BillingAddress", "PhotoUrl", "SystemModstamp", "IsDeleted", "attributes"} & set(whole)
    asked = await org.get(
        "get_record", sobject_type="Account", record_id=id, fields=["BillingAddress", "IsDeleted"]
    )
    assert asked["BillingAddress"]["city"] == "Wien" and asked["IsDeleted"] is False


async def test_null_for_what_may_be_left_out_is_as_if_it_was_left_out(org):
    accounts = Salesforce.tools["salesforce_query_accounts"]
    nothing = dict.fromkeys(accounts.input_schema["properties"])
    assert (await org.get("query_accounts", **nothing))["count"] == 2
    empty = await org.fail("update_record", sobject_type="Account", record_id="001000000000001AAA", data=None)
    assert empty["code"] == "invalid_arguments"
    for name, spec in Salesforce.tools.items():
        optional = set(spec.input_schema["properties"]) - set(spec.input_schema.get("required", ()))
        left = without_nulls(spec, dict.fromkeys(optional))
        errors = list(Draft202012Validator(spec.input_schema).iter_errors(left))
        assert {error.kind.name for error in errors} <= {"required"}, name
