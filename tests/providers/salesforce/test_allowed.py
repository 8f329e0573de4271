"""The allow-list of a Salesforce connection, and everything that tries to get out of it."""

import pytest

from connectors.errors import InvalidInput
from connectors.providers.salesforce.queries import containing, quoted
from connectors.providers.salesforce.soql import condition, scopes_of


@pytest.fixture
async def narrow(org_with):
    """A connection for accounts and contacts alone."""
    return await org_with(objects=["Account", "Contact"])


ALLOWED = [
    "SELECT Id, Name FROM Account",
    "select id from account where name = 'FROM Opportunity' limit 1",
    "SELECT Id, Account.Name, Owner.Name FROM Contact",
    "SELECT Id FROM Account ORDER BY Name LIMIT 5 OFFSET 0",
    "SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry",
    "SELECT Id FROM Account WHERE (Name = 'x')",
    "SELECT Name, (SELECT LastName FROM Contacts) FROM Account",
    "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
    r"SELECT Id FROM Account WHERE Name = 'it\'s (SELECT Id FROM Opportunity)'",
]


async def test_queries_of_the_listed_objects_pass(narrow):
    for query in ALLOWED:
        await narrow.get("query", query=query)


OUTSIDE = [
    "SELECT Id FROM Opportunity",
    "SELECT\nId\tFROM\rOpPoRtUnItY",
    "SELECT Id FROM/**/Opportunity",
    "SELECT Id FROM Account -- FROM Contact\n, Opportunity",
    "SELECT Id FROM Account, Opportunity",
    "SELECT Id FROM Account a, a.Opportunities o",
    "SELECT Id FROM Account.Opportunities",
    "SELECT Id FROM Contact Account",
    "SELECT Owner.Name FROM Contact all, Contact.Opportunity Owner",
    "SELECT Owner.Name FROM Contact for, Contact.Opportunity Owner",
    "SELECT Owner.Name FROM Contact update, Contact.Opportunity Owner WHERE Owner.Name LIKE 'A%'",
    "SELECT Owner.Name FROM Contact offset, Contact.Opportunity Owner",
    "SELECT Owner.Name FROM Contact order, Contact.Opportunity Owner",
    "SELECT order.Amount FROM Opportunity order",
    "SELECT Id, (SELECT Name, Amount FROM Opportunities) FROM Account",
    "SELECT Id, (SELECT Id, (SELECT Id FROM Tasks) FROM Contacts) FROM Account",
    "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity)",
    "SELECT Id FROM Account WHERE Id NOT IN ( SELECT AccountId FROM Opportunity WHERE Amount > 5)",
    "SELECT Id, Owner.Email FROM Account",
    "SELECT Id, Account.Owner.Email FROM Contact",
    "SELECT Id FROM Account WHERE Owner.Email LIKE 'a%'",
    "SELECT Id FROM Account ORDER BY Owner.Email",
    "SELECT COUNT(Id) FROM Account GROUP BY Owner.Email",
    "SELECT toLabel(Owner.Email) FROM Account",
    "SELECT TYPEOF Owner WHEN User THEN Email END FROM Account",
    "SELECT Id FROM Account; SELECT Id FROM Opportunity",
    "SELECT Id FROM Account UNION SELECT Id FROM Opportunity",
    "SELECT Id FROM Account) FROM Opportunity",
    "SELECT Id (FROM Account) FROM Opportunity",
    "SELECT Id FROM Account FROM Opportunity",
    "SELECT Id FROM Account WHERE (Id IN (SELECT AccountId FROM Opportunity)",
    "SELECT Id FROM \uff2fpportunity",
    "SELECT Id FROM Op\u200bportunity",
    "SELECT Id\u00a0FROM\u00a0Opportunity",
    'SELECT Id FROM Account WHERE Name = "x" FROM Opportunity',
    r"SELECT Id FROM Account WHERE Name = 'x\' OR Id IN (SELECT AccountId FROM Opportunity)",
    r"SELECT Id FROM Account WHERE Name = 'x\\' OR Id IN (SELECT AccountId FROM Opportunity) OR Name = 'y'",
    "FIND {x} RETURNING Opportunity",
    "SELECT Id",
]


async def test_queries_of_other_objects_are_refused_before_they_are_sent(narrow):
    for query in OUTSIDE:
        error = await narrow.fail("query", query=query)
        assert error["type"] in ("permission", "validation"), query
        assert not [one for one in narrow.asked if one in ("query", "queryAll")], query


CALLS = [
    ("query_opportunities", {}),
    ("query_activities", {}),
    ("query_accounts", {"where_clause": "Name = 'x') OR Id IN (SELECT AccountId FROM Opportunity"}),
    ("query_accounts", {"where_clause": "Id IN (SELECT AccountId FROM Opportunity)"}),
    ("query_accounts", {"where_clause": "Name != null ORDER BY Name LIMIT 1"}),
    ("query_accounts", {"where_clause": "Owner.Email != null"}),
    ("query_accounts", {"fields": ["Owner.Email"]}),
    ("query_accounts", {"fields": ["Id FROM Opportunity"]}),
    ("query_accounts", {"fields": ["(SELECT Id FROM Opportunities)"]}),
    ("query_accounts", {"order_by": "Owner.Email"}),
    ("query_accounts", {"order_by": "Name LIMIT 1 OFFSET 2"}),
    ("aggregate_query", {"object": "Opportunity", "aggregates": ["COUNT()"]}),
    ("aggregate_query", {"object": "Account", "aggregates": ["COUNT(Id)"], "group_by": ["Owner.Email"]}),
    ("aggregate_query", {"object": "Account", "aggregates": ["COUNT(Id)"], "having": "COUNT(Id) > 0) LIMIT (1"}),
    ("validate_query", {"query": "SELECT Id FROM Opportunity"}),
    ("search", {"text": "anvils", "objects": [{"name": "Opportunity"}]}),
    ("search", {"text": "acme", "objects": [{"name": "Account", "fields": ["Owner.Email"]}]}),
    ("search", {"text": "acme", "objects": [{"name": "Account", "where": "Id IN (SELECT AccountId FROM Opportunity)"}]}),
    ("search", {"sosl": "FIND {anvils} RETURNING Opportunity(Id)"}),
    ("get_record", {"sobject_type": "Opportunity", "record_id": "006000000000001AAA"}),
    ("get_record_by_external_id", {"sobject_type": "Opportunity", "field": "Name", "value": "x"}),
    ("get_related_records", {"sobject_type": "Account", "record_id": "001000000000001AAA", "relationship": "Opportunities"}),
    ("get_related_records", {"sobject_type": "Account", "record_id": "001000000000001AAA", "relationship": "Owner"}),
    ("list_recent", {"sobject_type": "Opportunity"}),
    ("get_record_fields", {"sobject_type": "Opportunity"}),
    ("create_record", {"sobject_type": "Opportunity", "data": {"Name": "x"}}),
    ("create_record", {"sobject_type": "Account", "data": {"attributes": {"type": "Opportunity"}, "Name": "x"}}),
    ("create_record", {"sobject_type": "Account", "data": {"Name": "x", "Owner": {"Email": "ada@example.com"}}}),
    ("update_record", {"sobject_type": "Opportunity", "record_id": "006000000000001AAA", "data": {"Name": "x"}}),
    ("upsert_record", {"sobject_type": "Opportunity", "external_id_field": "X", "external_id": "1", "data": {"Name": "x"}}),
    ("get_record", {"sobject_type": "Account", "record_id": "006000000000001AAA"}),
    ("get_record_fields", {"sobject_type": "Account", "record_id": "006000000000001AAA"}),
    ("get_related_records", {"sobject_type": "Account", "record_id": "006000000000001AAA", "relationship": "Contacts"}),
    ("update_record", {"sobject_type": "Account", "record_id": "006000000000001AAA", "data": {"Name": "x"}}),
    ("delete_record", {"sobject_type": "Account", "record_id": "006000000000001AAA"}),
    ("delete_record", {"sobject_type": "Opportunity", "record_id": "006000000000001AAA"}),
    ("create_activity", {"subject": "x"}),
    ("delete_activity", {"activity_id": "00T000000000001AAA"}),
    ("create_records", {"sobject_type": "Opportunity", "records": [{"Name": "x"}]}),
    ("update_records", {"sobject_type": "Account", "records": [{"Id": "006000000000001AAA", "Name": "x"}]}),
    ("delete_records", {"sobject_type": "Account", "record_ids": ["006000000000001AAA"]}),
]  # fmt: skip


async def test_no_tool_reaches_another_object(narrow):
    for tool, arguments in CALLS:
        error = await narrow.fail(tool, **arguments)
        assert error["type"] in ("permission", "validation"), (tool, arguments, error)
        assert set(narrow.asked) <= {"describe"}, (tool, arguments)


async def test_the_field_of_an_external_id_cannot_be_a_record_with_a_way_to_another_object(org_with):
    """What reads as a field's name may be a custom object's id, and what follows it a relationship."""
    narrow = await org_with(objects=["Invoice__c"])
    [acme] = [id for id, row in narrow.double.rows["Account"].items() if row["Name"] == "Acme"]
    invoice = narrow.double.make("Invoice__c", {"Name": "I-1", "Number__c": "1", "Account__c": acme})
    path = {"sobject_type": "Invoice__c"}
    for field in (invoice, invoice[:15]):
        read = await narrow.fail("get_record_by_external_id", **path, field=field, value="Account__r")
        assert read["code"] == "INVALID_FIELD" and "number__c" in read["hint"]
        asked = {"external_id_field": field, "external_id": "Account__r", "data": {"Name": "Owned"}}
        assert (await narrow.fail("upsert_record", **path, **asked))["code"] == "INVALID_FIELD"
    assert narrow.double.rows["Account"][acme]["Name"] == "Acme" and set(narrow.asked) == {"describe"}
    own = await narrow.get("get_record_by_external_id", **path, field="Number__c", value="1", fields=["Name"])
    assert own["Name"] == "I-1"
    again = {"external_id_field": "Number__c", "external_id": "1", "data": {"Amount__c": 5}}
    assert not (await narrow.get("upsert_record", **path, **again))["created"]
    for query in (
        "SELECT Account__r.Industry FROM Invoice__c",
        "SELECT Id FROM Invoice__c ORDER BY Account__r.Name",
    ):
        assert (await narrow.fail("query", query=query))["code"] == "object_not_allowed"


async def test_lists_and_searches_show_the_listed_objects_alone(narrow):
    assert {row["name"] for row in (await narrow.get("list_objects"))["items"]} == {"Account", "Contact"}
    assert set((await narrow.get("list_recent"))["id_prefixes"].values()) == {"Account", "Contact"}
    assert set((await narrow.get("search", text="acme"))["id_prefixes"].values()) <= {"Account", "Contact"}
    fields = await narrow.get("get_record_fields", sobject_type="Account")
    assert fields["child_relationships"] == {"Contacts": "Contact"}


async def test_usual_fields_of_other_objects_are_left_out(org_with):
    alone = await org_with(objects=["contact"])
    [row] = (await alone.get("query_contacts"))["items"]
    assert row["Name"] == "Wile Coyote" and "Account" not in row


async def test_ids_lead_nowhere_else(org):
    for id in (
        "../../limits",
        "..%2f..%2flimits",
        "006000000000001AAA/x",
        "001000000000001AAA?fields=Id",
        "",
    ):
        error = await org.fail("get_record", sobject_type="Account", record_id=id)
        assert error["type"] == "validation" and not org.asked, id


async def test_external_ids_stay_one_part_of_the_path(org):
    place = {"sobject_type": "Account", "field": "AccountNumber"}
    for value in ("..", "a/../../limits", "a?x=1", "a#b", "%2e%2e", "O'Hara"):
        error = await org.fail("get_record_by_external_id", **place, value=value)
        assert error["type"] in ("not_found", "validation"), value
    assert set(org.asked) == {"getRelated"}


def test_texts_are_quoted_by_salesforces_rules():
    assert quoted('O\'Hara \\ "x"\n') == r"""'O\'Hara \\ \"x\"\n'"""
    assert containing("50%_'") == r"'%50\%\_\'%'"


@pytest.mark.parametrize(
    "text",
    [
        "Name = 'x') OR (Name = 'y", "Name = 'x' LIMIT 1", "Name = 'x", "", "Name = 'x'; Name = 'y'",
        "Name = 'x' -- y", "SELECT Id FROM Account", "(Name = 'x'", "Name = 'x' FOR UPDATE", "Name = 'x' ALL ROWS",
        "Id IN (SELECT Id FROM Account) LIMIT 1", "Name = 'x') GROUP BY (Name",
    ],
)  # fmt: skip
def test_a_condition_stays_in_its_parentheses(text):
    with pytest.raises(InvalidInput):
        condition(text)


def test_a_condition_may_be_as_rich_as_soql_has_it():
    text = "WHERE (Amount > 5 OR NOT Name LIKE 'a%') AND Id IN (SELECT AccountId FROM Contact WHERE X__c = null LIMIT 5)"
    assert condition(text) == f"({text.removeprefix('WHERE ')})"
    kinds = [
        (scope.kind, scope.object) for scope in scopes_of(f"SELECT Id FROM Account WHERE {condition(text)}")
    ]
    assert kinds == [("top", "Account"), ("semi", "Contact")]
