"""The reading tools of Salesforce against its double."""

from connectors.providers.salesforce import object_queries, paging
from tests.doubles.salesforce import double as doubles


def names(page):
    return [row["Name"] for row in page["items"]]


async def test_a_query_gives_small_records_and_says_once_where_they_are(org):
    page = await org.get("query", query="SELECT Id, Name, Phone, Owner.Name FROM Account ORDER BY Name")
    acme = page["items"][0]
    assert acme == {"Id": acme["Id"], "Name": "Acme", "Owner": {"name": "Ada Lovelace"}}
    assert page["record_url"] == org.double.url + "/{Id}"
    assert "record_url" not in await org.get("query", query="SELECT Name FROM Account")
    for tool, arguments in (
        ("query_accounts", {}), ("query_activities", {}), ("search", {"text": "acme"}), ("list_recent", {}),
        ("get_related_records", {"sobject_type": "Account", "record_id": acme["Id"], "relationship": "Contacts"}),
    ):  # fmt: skip
        listed = await org.get(tool, **arguments)
        assert ("record_url" in listed) is bool(listed["count"]), tool
        assert not any("url" in row for row in listed["items"]), tool
    table = await org.call("query", query="SELECT Id, Name FROM Account", format="csv")
    assert f"record_url: {org.double.url}/{{Id}}" in [part.text for part in table.content]
    assert (page["count"], page["total"], page["next_cursor"]) == (2, 2, None)
    result = await org.call("query", query="SELECT Name FROM Account")
    assert result.meta["trust"] == "untrusted"


async def test_a_query_goes_on_where_its_page_ended_in_the_middle_of_a_batch(org, monkeypatch):
    monkeypatch.setattr(doubles, "BATCH", 4)
    for number in range(9):
        org.double.make("Account", {"Name": f"N{number}"})
    seen, cursor, query = [], "", "SELECT Id, Name FROM Account ORDER BY Name"
    while cursor is not None:
        page = await org.get("query", query=query, limit=3, cursor=cursor)
        assert page["total"] == 11 and page["count"] <= 3
        seen += names(page)
        cursor = page["next_cursor"]
    assert seen == ["Acme", *(f"N{n}" for n in range(9)), "O'Hara & Sons"]
    first = await org.get("query", query=query, limit=3)
    other = await org.fail(
        "query", query=query.replace("Name FROM", "Phone FROM"), cursor=first["next_cursor"]
    )
    assert other["code"] == "bad_cursor"


async def test_a_query_comes_as_csv_with_parents_children_and_deleted_ones(org):
    table = await org.get("query", query="SELECT Name, Account.Name FROM Contact", format="csv")
    assert table["data"] == "Name,Account.Name\nWile Coyote,Acme\n"
    nested = await org.get(
        "query", query="SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Acme'"
    )
    assert nested["items"][0]["Contacts"] == [{"LastName": "Coyote"}]
    [account] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    org.double.rows["Account"][account]["IsDeleted"] = True
    gone = "SELECT Name FROM Account WHERE IsDeleted = true"
    assert (await org.get("query", query=gone))["count"] == 0
    assert names(await org.get("query", query=gone, include_deleted=True)) == ["Acme"]


USUAL = [
    ("query_accounts", {}, {"Acme", "O'Hara & Sons"}),
    ("query_accounts", {"name_contains": "o'hara"}, {"O'Hara & Sons"}),
    ("query_accounts", {"name_contains": "%"}, set()),
    ("query_accounts", {"where_clause": "Industry = 'Retail' OR Phone != null"}, {"O'Hara & Sons"}),
    ("query_contacts", {"email": "wile@example.com"}, {"Wile Coyote"}),
    ("query_contacts", {"name_contains": "' OR Name LIKE '"}, set()),
    (
        "query_opportunities",
        {"stage": "Prospecting", "min_amount": 1000, "close_after": "2029-12-31"},
        {"Anvils"},
    ),
    ("query_opportunities", {"close_before": "2029-12-31"}, set()),
    ("query_leads", {"name_contains": "grace", "status": "New", "is_converted": False}, set()),
]


async def test_the_usual_objects_are_found_without_soql(org):
    for tool, arguments, found in USUAL:
        assert set(names(await org.get(tool, **arguments))) == found, (tool, arguments)


async def test_lists_of_objects_go_on_with_their_cursor(org):
    for number in range(5):
        org.double.make("Account", {"Name": f"N{number}"})
    seen, cursor = [], ""
    while cursor is not None:
        page = await org.get("query_accounts", limit=3, order_by="Name desc", fields=["Name"], cursor=cursor)
        seen += names(page)
        cursor = page["next_cursor"]
    assert seen == ["O'Hara & Sons", "N4", "N3", "N2", "N1", "N0", "Acme"]


async def test_cases_and_activities_are_listed_with_what_they_are_about(org):
    [acme] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    org.double.make("Case", {"Subject": "It fell", "Status": "New", "Priority": "High", "AccountId": acme})
    org.double.make("Case", {"Subject": "Old", "Status": "Closed", "AccountId": acme})
    [case] = (await org.get("query_cases", is_closed=False, priority="High"))["items"]
    assert (case["Subject"], case["Account"], case["Owner"]) == (
        "It fell",
        {"Name": "Acme"},
        {"name": "Ada Lovelace"},
    )
    for day in ("2030-01-01", "2030-01-03"):
        org.double.make("Task", {"Subject": f"Call {day}", "ActivityDate": day, "WhatId": acme})
    org.double.make("Event", {"Subject": "Meet", "StartDateTime": "2030-01-02T09:00:00Z", "WhatId": acme})
    seen, cursor = [], ""
    while cursor is not None:
        page = await org.get("query_activities", related_to=acme, limit=2, cursor=cursor)
        seen += [(row["kind"], row["Subject"], row["What"]) for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [
        ("task", "Call 2030-01-03", {"Name": "Acme"}), ("event", "Meet", {"Name": "Acme"}),
        ("task", "Call 2030-01-01", {"Name": "Acme"}),
    ]  # fmt: skip
    assert (await org.get("query_activities", owner="Ada Lovelace", kind="event"))["count"] == 1
    [event] = (await org.get("query_activities", kind="event", fields=["Subject"]))["items"]
    assert set(event) == {"kind", "Id", "ActivityDate", "Subject"}
    assert (await org.get("query_activities", owner="Nobody"))["count"] == 0


async def test_where_offset_ends_a_list_says_that_there_is_more(org, monkeypatch):
    for module in (paging, object_queries):
        monkeypatch.setattr(module, "MAX_OFFSET", 2)
    for _ in range(5):
        org.double.make("Contact", {"LastName": "Same"})
        org.double.make("Task", {"Subject": "Same", "ActivityDate": "2030-01-01"})
    for tool, arguments in (
        ("query_contacts", {"order_by": "LastName"}),
        ("query_activities", {"kind": "task"}),
    ):
        first = await org.get(tool, limit=2, **arguments)
        rest = await org.get(tool, limit=2, cursor=first["next_cursor"], **arguments)
        assert rest["count"] == 2 and rest["next_cursor"] is None and rest["truncated"]
        assert "salesforce_query" in rest["hint"] and "truncated" not in first
        ids = {row["Id"] for row in [*first["items"], *rest["items"]]}
        assert len(ids) == 4  # also where all are alike in what they are ordered by


async def test_words_are_searched_for_in_several_objects(org):
    found = await org.get("search", text="acme")
    assert [(row["Id"][:3], row["Name"]) for row in found["items"]] == [("001", "Acme")]
    assert found["id_prefixes"] == {"001": "Account"}
    asked = [{"name": "Contact", "fields": ["LastName"], "where": "Email != null"}]
    assert (await org.get("search", text="wile", objects=asked))["items"][0]["LastName"] == "Coyote"
    raw = await org.get("search", sosl="FIND {anvils} RETURNING Opportunity(Id, Name)")
    assert raw["items"][0]["Name"] == "Anvils"
    assert (await org.fail("search", text="a"))["code"] == "MALFORMED_SEARCH"
    assert "FIND" in (await org.fail("search", sosl="SELECT"))["hint"]


async def test_totals_by_group(org):
    [acme] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    org.double.make("Opportunity", {"Name": "B", "StageName": "Prospecting", "CloseDate": "2030-01-01", "Amount": 800.0, "AccountId": acme})  # fmt: skip
    [row] = (await org.get(
        "aggregate_query", object="Opportunity", aggregates=["COUNT(Id) n", "SUM(Amount) total"],
        group_by=["StageName"], where="Amount > 0", having="COUNT(Id) > 1", order_by="SUM(Amount) DESC",
    ))["items"]  # fmt: skip
    assert row == {"StageName": "Prospecting", "n": 2, "total": 2000.0}
    table = await org.get(
        "aggregate_query",
        object="Opportunity",
        aggregates=["COUNT(Id) n"],
        group_by=["StageName"],
        format="csv",
    )
    assert table["data"] == "StageName,n\nProspecting,2\n"
    counted = await org.get("aggregate_query", object="Account", aggregates=["COUNT()"])
    assert counted["items"] == [{"count": 2}]
    assert (await org.fail("aggregate_query", object="Account", aggregates=["Name, Phone"]))[
        "code"
    ] == "bad_aggregate"


async def test_a_record_and_what_hangs_on_it(org):
    [acme] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    whole = await org.get("get_record", sobject_type="Account", record_id=acme)
    assert whole["Industry"] == "Manufacturing" and "Phone" not in whole and "attributes" not in whole
    part = await org.get("get_record", sobject_type="Account", record_id=acme[:15], fields=["Name"])
    assert part == {"Id": acme, "Name": "Acme", "url": f"{org.double.url}/{acme}"}
    outside = await org.get(
        "get_record_by_external_id", sobject_type="Account", field="AccountNumber", value="A-1"
    )
    assert outside["Name"] == "Acme"
    org.double.make("Account", {"Name": "Twin", "AccountNumber": "A-1"})
    twice = await org.fail(
        "get_record_by_external_id", sobject_type="Account", field="AccountNumber", value="A-1"
    )
    assert (twice["type"], twice["code"], len(twice["ids"])) == ("conflict", "several_records", 2)
    [contact] = (await org.get(
        "get_related_records", sobject_type="Account", record_id=acme, relationship="Contacts", fields=["Name"],
    ))["items"]  # fmt: skip
    assert contact["Name"] == "Wile Coyote"
    parent = await org.get(
        "get_related_records", sobject_type="Contact", record_id=contact["Id"], relationship="Account"
    )
    assert names(parent) == ["Acme"]
    assert set((await org.get("list_recent"))["id_prefixes"].values()) >= {"Account", "Contact"}
    assert (await org.get("list_recent", sobject_type="Contact", limit=1))["count"] == 1


async def test_objects_and_fields_are_described(org):
    page = await org.get("list_objects", search="contact", limit=1)
    assert page["items"] == [{"name": "Contact", "label": "Contact"}] and page["total"] == 1
    first = await org.get("list_objects", limit=3)
    assert (await org.get("list_objects", limit=3, cursor=first["next_cursor"]))["items"][0] not in first[
        "items"
    ]
    [custom] = (await org.get("list_objects", custom_only=True))["items"]
    assert (custom["name"], custom["custom"]) == ("Invoice__c", True)
    required = await org.get("get_record_fields", sobject_type="Opportunity", only="required")
    assert [field["name"] for field in required["fields"]] == ["Name", "StageName", "CloseDate"]
    assert required["fields"][1]["picklist"][0] == "Prospecting"
    [acme] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    valued = await org.get("get_record_fields", sobject_type="Account", record_id=acme)
    assert (
        next(field["value"] for field in valued["fields"] if field["name"] == "Industry") == "Manufacturing"
    )
    assert valued["child_relationships"]["Contacts"] == "Contact"
    bare = await org.get("get_record_fields", sobject_type="Case", only="updateable", include_picklists=False)
    assert not any("picklist" in field for field in bare["fields"])


async def test_a_query_is_validated_without_being_run(org):
    good = await org.get("validate_query", query="SELECT Id FROM Account")
    assert good["valid"] and good["plans"][0]["kind"] == "TableScan"
    bad = await org.get("validate_query", query="SELECT Colour FROM Account")
    assert not bad["valid"] and "Colour__c" in bad["hint"]


async def test_limits_and_who_we_are(org):
    limits = await org.get("get_limits", only=["DailyApiRequests"])
    assert limits["limits"]["DailyApiRequests"]["max"] == 15_000
    assert (await org.fail("get_limits", only=["Nothing"]))["type"] == "not_found"
    about = await org.get("connection_info")
    assert (about["name"], about["url"], about["method"]) == ("Ada Lovelace", org.double.url, "access_token")
    assert about["requests"]["limit"] == 15_000


MISTAKES = [
    ("SELECT * FROM Account", "FIELDS(STANDARD)"),
    ("UPDATE Account SET Name = 'x'", "salesforce_update_record"),
    ("SELECT Name FROM Account WHERE Phone IS NULL", "Phone = null"),
    ('SELECT Name FROM Account WHERE Name = "Acme"', "single quotes"),
    ("SELECT Name FROM Account WHERE Name = Acme", "single quotes"),
    ("SELECT Colour FROM Account", "Colour__c"),
    ("SELECT Name FROM Wish", "Wish__c"),
    ("SELECT DISTINCT Name FROM Account", "GROUP BY"),
    ("SELECT Name FROM Account FOR VIEW", "Leave it out"),
    ("SELECT Name FROM Account a JOIN Contact c", "no JOIN"),
    ("   ", "SELECT Id, Name"),
    (";", "SELECT Id, Name"),
    ("FIND {acme} IN ALL FIELDS", "salesforce_search"),
    ("SHOW TABLES", "salesforce_list_objects"),
    ("SELECT Id FROM Account -- all of them", "no comments"),
    ("SELECT Id /* the id */ FROM Account", "no comments"),
    ("SELECT Id FROM Account; SELECT Id FROM Contact", "One query at a time"),
    ("SELECT `Id` FROM Account", "without quotes"),
    ("SELECT TOP 10 Id FROM Account", "LIMIT 10"),
    ("SELECT Id FROM Account LIMIT 5, 10", "OFFSET 5"),
    ("SELECT Id FROM Account WHERE Name ILIKE 'a%'", "no notice of case"),
    ("SELECT Name AS title FROM Account", "no AS"),
    ("SELECT Id FROM Account WHERE Name = 'O'Hara & Sons'", "O\\'Hara"),
    ("SELECT Name, (SELECT Id FROM Contact) FROM Account", "plural"),
    ("SELECT Id, ID FROM Account", "once"),
]


async def test_mistakes_in_queries_are_explained(org):
    for query, hint in MISTAKES:
        error = await org.fail("query", query=query)
        assert error["type"] == "validation" and hint in error["hint"], (query, error)


EMPTY = [
    ("SELECT Name FROM Account WHERE Name LIKE 'cme'", "LIKE '%word%'"),
    ("SELECT Name FROM Account WHERE Phone = 'null'", "= null"),
    ("SELECT Name FROM Account WHERE Name = 'Ac%'", "LIKE"),
]


async def test_a_query_that_finds_nothing_says_why_it_may(org):
    for query, hint in EMPTY:
        page = await org.get("query", query=query)
        assert page["count"] == 0 and hint in page["hint"], query
