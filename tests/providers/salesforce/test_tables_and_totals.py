"""What lists of Salesforce say of themselves: how many there are, whether more, and a table's columns."""

from tests.doubles.salesforce import double as doubles


def table(result):
    return result.content[0].text


async def test_a_number_alone_is_an_answer_in_every_form(org):
    for query, number in (
        ("SELECT COUNT() FROM Account", 2),
        ("select count( ) from Account where Name = 'Acme'", 1),
        ("SELECT COUNT() FROM Account WHERE Name LIKE 'acme'", 1),
    ):
        page = await org.get("query", query=query)
        assert page == {"items": [{"count": number}], "count": 1, "next_cursor": None}, query
        assert table(await org.call("query", query=query, format="csv")) == f"count\n{number}\n"
    none = await org.get("query", query="SELECT COUNT() FROM Account WHERE Name LIKE 'cme'")
    assert none["items"] == [{"count": 0}] and "LIKE '%word%'" in none["hint"]


async def test_a_table_has_the_columns_of_its_query_on_every_page(org, monkeypatch):
    monkeypatch.setattr(doubles, "BATCH", 2)
    [acme] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    for values in ({"LastName": "A"}, {"LastName": "B", "Phone": "1"}, {"LastName": "C", "AccountId": acme}):
        org.double.make("Contact", values)
    query = "select Phone, Account.Name, LASTNAME, Owner.Name, Title FROM Contact ORDER BY LastName"
    heads, cells, cursor = set(), [], ""
    while cursor is not None:
        result = await org.call("query", query=query, limit=1, format="csv", cursor=cursor)
        head, row = table(result).splitlines()
        heads.add(head.lower())
        cells.append(row)
        cursor = result.structured["next_cursor"]
    assert heads == {"phone,account.name,lastname,owner.name,title"}
    assert cells == [
        ",,A,Ada Lovelace,",
        "1,,B,Ada Lovelace,",
        ",Acme,C,Ada Lovelace,",
        ",Acme,Coyote,Ada Lovelace,",
    ]
    nothing = await org.call("query", query="SELECT Id, Name FROM Lead", format="csv")
    assert table(nothing) == "Id,Name\n"


async def test_a_table_of_totals_has_its_groups_first(org):
    for name, stage in (("A", None), ("B", "Won")):
        org.double.make("Opportunity", {"Name": name, "StageName": stage or "", "CloseDate": "2030-01-01"})
    [first] = [id for id, row in org.double.rows["Opportunity"].items() if row["Name"] == "Anvils"]
    org.double.rows["Opportunity"][first]["StageName"] = None
    query = "SELECT StageName, Account.Name, COUNT(Id) n, MAX(Amount) FROM Opportunity GROUP BY StageName, Account.Name"
    assert (
        table(await org.call("query", query=query, format="csv")).splitlines()[0] == "StageName,Name,n,expr1"
    )


async def test_a_search_says_all_that_there_is_or_that_there_is_more(org):
    for number in range(6):
        org.double.make("Account", {"Name": f"Wolf {number}"})
        org.double.make("Contact", {"LastName": f"Wolf {number}"})
    whole = await org.get("search", text="wolf", limit=12)
    assert (whole["count"], whole["total"], "truncated" in whole) == (12, 12, False)
    assert whole["id_prefixes"] == {"001": "Account", "003": "Contact"}
    part = await org.get("search", text="wolf", limit=11)
    assert (part["count"], part["truncated"], "total" in part) == (11, True, False)
    asked = [{"name": "Account", "limit": 2}, {"name": "Contact"}]
    own = await org.get("search", text="wolf", limit=20, objects=asked)
    assert ([row["Id"][:3] for row in own["items"]].count("001"), own["count"], own["truncated"]) == (
        2,
        8,
        True,
    )
    raw = await org.get("search", sosl="FIND {wolf} RETURNING Account(Id, Name)", limit=5)
    assert (raw["count"], raw["truncated"], "total" in raw) == (5, True, False)


async def listed(org, tool, key, **arguments):
    """All rows' values of a list, page by page; each page is whole."""
    seen, cursor = [], ""
    while cursor is not None:
        result = await org.call(tool, **arguments, cursor=cursor)
        assert not result.is_error and "truncated" not in result.meta, result.content
        page = result.structured
        rows = [row[key] for row in page["items"]] if "items" in page else page["data"].splitlines()[1:]
        assert page["count"] == len(rows) > 0
        seen.append(rows)
        cursor = page["next_cursor"]
    return seen


async def test_no_row_is_lost_where_a_page_is_larger_than_an_answer(org, monkeypatch):
    monkeypatch.setattr(doubles, "BATCH", 500)
    names = [f"N{number:03} {'x' * 700}" for number in range(199)]
    for name in names:
        org.double.make("Lead", {"LastName": name, "Company": "Acme"})
        org.double.make("Task", {"Subject": name, "ActivityDate": "2030-01-31"})
    for arguments in ({"format": "json"}, {"format": "csv"}):
        pages = await listed(
            org, "query", "Name", query="SELECT Name FROM Lead ORDER BY Name", limit=2000, **arguments
        )
        assert len(pages) > 1
        assert [row for rows in pages for row in rows] == names, arguments
    pages = await listed(org, "query_leads", "Name", limit=200, order_by="Name", fields=["Name"])
    assert len(pages) > 1 and [row for rows in pages for row in rows] == names
    pages = await listed(org, "query_activities", "Subject", limit=200, fields=["Subject"], kind="both")
    assert len(pages) > 1 and sorted(row for rows in pages for row in rows) == names
    found = await org.get("search", text="xx", limit=200, objects=[{"name": "Lead", "limit": 200}])
    assert found["truncated"] and found["count"] == len(found["items"]) < 199
    asked = {"object": "Lead", "aggregates": ["COUNT(Id) n"], "group_by": ["Name"]}
    assert (await org.fail("aggregate_query", **asked))["code"] == "too_many_groups"


async def test_all_fields_of_a_wide_object_are_named(org, monkeypatch):
    wide = {f"Field_{number:03}__c": ("string", True, False) for number in range(1500)}
    monkeypatch.setitem(doubles.OBJECTS, "Lead", {**doubles.OBJECTS["Lead"], **wide})
    result = await org.call("get_record_fields", sobject_type="Lead")
    told = result.structured
    assert "truncated" not in result.meta and told["count"] == len(told["fields"]) and "only=" in told["hint"]
    assert {*(field["name"] for field in told["fields"]), *told["more_fields"]} >= set(wide)
