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
