"""The double of Salesforce: what was written is read back, in Salesforce's words."""

import pytest

from tests.doubles.documents import own_document
from tests.doubles.salesforce import double

DATA = "/services/data/v66.0"
CLIENT = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}


async def names(seller, soql):
    answer = await seller.get(f"{DATA}/query", params={"q": soql})
    assert answer.status_code == 200, answer.text
    return [row["Name"] for row in answer.json()["records"]]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", **CLIENT}, ""),
        ({"grant_type": "password", **CLIENT, "username": "ada@example.com", "password": "sandbox-passwordsandbox-security-token"}, ""),
        ({"grant_type": "password", **CLIENT, "username": "ada@example.com", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "client_credentials", **CLIENT, "client_secret": "x"}, "invalid_client"),
        ({"grant_type": "magic", **CLIENT}, "unsupported_grant_type"),
    ],
)  # fmt: skip
async def test_signing_in_gives_a_session_until_it_ends(salesforce, seller, form, error):
    answer = await seller.post("/services/oauth2/token", data=form, headers={"authorization": ""})
    if error:
        assert (answer.status_code, answer.json()["error"]) == (400, error)
        return
    bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert answer.json()["instance_url"] == salesforce.url
    assert (await seller.get("/services/oauth2/userinfo", headers=bearer)).json()[
        "email"
    ] == "ada@example.com"
    salesforce.end_sessions()
    over = await seller.get("/services/oauth2/userinfo", headers=bearer)
    assert (over.status_code, over.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


async def test_a_record_is_made_read_changed_and_deleted(seller):
    made = await seller.post(f"{DATA}/sobjects/Account", json={"Name": "New"})
    id = made.json()["id"]
    assert (made.status_code, len(id), id[:3]) == (201, 18, "001")
    place = f"{DATA}/sobjects/Account/{id}"
    assert (await seller.patch(place, json={"Industry": "Energy"})).status_code == 204
    read = (await seller.get(f"{place}?fields=Name,Industry")).json()
    assert (read["Name"], read["Industry"], read["attributes"]["type"]) == ("New", "Energy", "Account")
    assert (await seller.get(place.replace(id, id[:15]))).json()["Id"] == id
    assert (await seller.delete(place)).status_code == 204
    gone = await seller.get(place)
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    assert "New" not in await names(seller, "SELECT Name FROM Account")
    everything = await seller.get(
        f"{DATA}/queryAll", params={"q": "SELECT Name FROM Account WHERE IsDeleted = true"}
    )
    assert everything.json()["totalSize"] == 1


async def test_an_upsert_makes_once_and_changes_then(seller):
    place = f"{DATA}/sobjects/Account/AccountNumber/A-9"
    for status in (201, 200):
        assert (await seller.patch(place, json={"Name": "Ninth"})).status_code == status
    assert await names(seller, "SELECT Name FROM Account WHERE AccountNumber = 'A-9'") == ["Ninth"]
    assert (await seller.patch(f"{DATA}/sobjects/Account/Name/x", json={})).status_code == 404


@pytest.mark.parametrize(
    ("kind", "values", "code"),
    [
        ("Account", {}, "REQUIRED_FIELD_MISSING"),
        ("Opportunity", {"Name": "x"}, "REQUIRED_FIELD_MISSING"),
        ("Account", {"Name": "x", "Colour": "red"}, "INVALID_FIELD"),
        ("Account", {"Name": "x", "CreatedDate": "2020-01-01"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Wish", {"Name": "x"}, "NOT_FOUND"),
    ],
)
async def test_what_is_wrong_has_salesforces_code(seller, kind, values, code):
    answer = await seller.post(f"{DATA}/sobjects/{kind}", json=values)
    assert answer.json()[0]["errorCode"] == code


@pytest.mark.parametrize(
    ("soql", "found"),
    [
        ("SELECT Name FROM Account ORDER BY Name DESC", ["O'Hara & Sons", "Acme"]),
        ("select Name from Account where Name like 'ac%'", ["Acme"]),
        (r"SELECT Name FROM Account WHERE Name = 'O\'Hara & Sons' AND Industry != null", ["O'Hara & Sons"]),
        (
            "SELECT Name FROM Account WHERE Industry IN ('Retail', 'Energy') OR (NOT Name LIKE '%')",
            ["O'Hara & Sons"],
        ),
        ("SELECT Name FROM Account WHERE Industry NOT IN ('Retail') LIMIT 5 OFFSET 0", ["Acme"]),
        (
            "SELECT Name FROM Opportunity WHERE Amount > 1000 AND CloseDate >= TODAY AND Account.Name = 'Acme'",
            ["Anvils"],
        ),
        (
            "SELECT Name FROM Account WHERE CreatedDate = LAST_N_DAYS:1 OR Phone = null ORDER BY Name LIMIT 1",
            ["Acme"],
        ),
    ],
)
async def test_queries_are_understood(seller, soql, found):
    assert await names(seller, soql) == found


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT * FROM Account", "MALFORMED_QUERY"),
        ("UPDATE Account SET Name = 'x'", "MALFORMED_QUERY"),
        ("SELECT Name FROM Account WHERE Name = Acme", "MALFORMED_QUERY"),
        ("SELECT Name FROM Account WHERE Name = 'open", "MALFORMED_QUERY"),
        ("SELECT Colour FROM Account", "INVALID_FIELD"),
        ("SELECT Name FROM Wish", "INVALID_TYPE"),
    ],
)
async def test_a_query_that_is_none_is_refused_with_its_code(seller, soql, code):
    answer = await seller.get(f"{DATA}/query", params={"q": soql})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


async def test_a_long_result_goes_on_with_its_locator(seller, salesforce, monkeypatch):
    monkeypatch.setattr(double, "BATCH", 2)
    for number in range(3):
        salesforce.make("Account", {"Name": f"Number {number}"})
    page = (await seller.get(f"{DATA}/query", params={"q": "SELECT Id, Name FROM Account"})).json()
    seen = [page["totalSize"]]
    records = list(page["records"])
    while not page["done"]:
        page = (await seller.get(page["nextRecordsUrl"])).json()
        records += page["records"]
        seen.append(page["totalSize"])
    assert (len(records), set(seen)) == (5, {5})
    count = (await seller.get(f"{DATA}/query", params={"q": "SELECT COUNT() FROM Account"})).json()
    assert (count["totalSize"], count["records"]) == (5, [])


async def test_objects_describe_themselves_and_limits_are_told(seller, salesforce):
    assert "Case" in {one["name"] for one in (await seller.get(f"{DATA}/sobjects")).json()["sobjects"]}
    fields = (await seller.get(f"{DATA}/sobjects/Account/describe")).json()["fields"]
    assert [one["name"] for one in fields if not one["nillable"]] == ["Name"]
    answer = await seller.get(f"{DATA}/limits")
    assert answer.headers["sforce-limit-info"] == "api-usage=3/15000"
    salesforce.quota.limit = 3
    over = await seller.get(f"{DATA}/limits")
    assert (over.status_code, over.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")


def test_the_partial_document_has_each_operation_that_is_played_and_no_other(salesforce):
    document = own_document("salesforce")
    written = {
        node["operationId"]
        for item in document.content["paths"].values()
        for method, node in item.items()
        if method in ("get", "post", "patch", "delete")
    }
    assert set(salesforce.plays()) == written


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/sobjects/Account", {"Id": "001000000000001AAA", "Name": "x"}),
        ("POST", "/sobjects/ContentVersion", {"PathOnClient": "a.txt"}),
        ("POST", "/sobjects/ContentVersion", {"PathOnClient": "a.txt", "VersionData": "no base64!"}),
        ("POST", "/actions/custom/flow/Close_Old_Deals", {"before": "2030-01-01"}),
        ("POST", "/analytics/reports/00O000000000001AAA", {"reportMetadata": {"reportFilters": [{"column": "A"}]}}),
        ("POST", "/parameterizedSearch", {"text": "acme"}),
        ("PATCH", "/composite/sobjects", {"records": [{"id": "001000000000001AAA"}]}),
        ("GET", "/sobjects/Account/1", None),
        ("GET", "/query?query=SELECT", None),
    ],
)  # fmt: skip
async def test_a_request_that_breaks_the_document_is_refused(salesforce, seller, method, path, body):
    answer = await seller.request(method, f"{DATA}{path}", json=body)
    assert answer.status_code == 400 and salesforce.violations
    salesforce.violations.clear()
