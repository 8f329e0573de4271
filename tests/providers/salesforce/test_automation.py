"""Reports, flows and files of Salesforce against its double."""

import base64

from common.db import in_db
from connectors.artifacts import artifact_save
from connectors.providers.salesforce.report_rows import Facts
from tests.doubles.faults import Reset


def id_of(org, kind, name):
    [id] = [id for id, row in org.double.rows[kind].items() if row["Name"] == name]
    return id


def deals(org):
    for name, stage, amount in (("B", "Prospecting", 800.0), ("C", "Closed Won", 50.0)):
        values = {"Name": name, "StageName": stage, "CloseDate": "2030-02-28", "Amount": amount}
        org.double.make("Opportunity", values)
    return id_of(org, "Report", "Pipeline by stage")


async def test_reports_are_listed_as_last_seen_and_found_by_name(org):
    page = await org.get("list_reports", limit=1)
    first = page["items"][0]
    assert (page["count"], page["total"]) == (1, 2)
    assert first == {"Id": first["Id"], "Name": "All accounts"}
    assert page["record_url"] == org.double.url + "/{Id}"
    rest = await org.get("list_reports", limit=1, cursor=page["next_cursor"])
    assert (rest["items"][0]["Name"], rest["next_cursor"]) == ("Pipeline by stage", None)
    [found] = (await org.get("list_reports", search="PIPELINE"))["items"]
    assert (found["Name"], found["FolderName"], found["Format"]) == ("Pipeline by stage", "Sales", "Matrix")
    assert (await org.get("list_reports", search="%"))["count"] == 0
    assert org.asked == ["recentReports", "recentReports", "query", "query"]


async def test_a_report_gives_its_rows_in_the_form_that_is_asked_for(org):
    report = id_of(org, "Report", "All accounts")
    told = await org.get("run_report", report_id=report)
    assert told["items"][1] == {"Account Name": "O'Hara & Sons", "Industry": "Retail"}
    assert (told["name"], told["report_format"], told["totals"]) == (
        "All accounts",
        "tabular",
        {"Record Count": 2},
    )
    assert told["url"] == f"{org.double.url}/{report}" and "truncated" not in told
    table = await org.get("run_report", report_id=report, format="csv", limit=1)
    assert table["data"] == "Account Name,Industry\nAcme,Manufacturing\n" and table["truncated"]


async def test_a_report_with_groups_tells_their_totals(org):
    told = await org.get("run_report", report_id=deals(org))
    row = {
        "StageName": "Prospecting",
        "CloseDate": "2030-01-31",
        "Opportunity Name": "Anvils",
        "Amount": 1200.0,
    }
    assert row in told["items"] and told["count"] == 3
    assert {"StageName": "Prospecting", "Sum of Amount": 2000.0, "Record Count": 2} in told["groups"]
    cell = {"StageName": "Prospecting", "CloseDate": "2030-02-28", "Sum of Amount": 800.0, "Record Count": 1}
    assert cell in told["groups"] and {"CloseDate": "2030-01-31", "Sum of Amount": 1200.0, "Record Count": 1} in told["groups"]  # fmt: skip
    assert told["totals"] == {"Sum of Amount": 2050.0, "Record Count": 3}
    alone = await org.get("run_report", report_id=deals(org), include_rows=False)
    assert not alone["items"] and alone["totals"]["Record Count"] == 5


async def test_filters_narrow_a_report_down_beside_its_own(org):
    report = deals(org)
    org.double.filters[report] = [
        {"column": "AMOUNT", "operator": "greaterThan", "value": "100", "isRunPageEditable": True},
        {"column": "OPPORTUNITY_NAME", "operator": "notEqual", "value": "Z"},
    ]
    org.double.logic[report] = "1 OR 2"
    added = {"column": "OPPORTUNITY_NAME", "operator": "notEqual", "value": "B"}
    told = await org.get("run_report", report_id=report, filters=[added])
    assert [row["Opportunity Name"] for row in told["items"]] == ["Anvils"]
    sent = org.double.requests[-1].json["reportMetadata"]
    assert sent["reportBooleanFilter"] == "(1 OR 2) AND 3"
    assert sent["reportFilters"] == [*org.double.filters[report], added]
    wrong = await org.fail("run_report", report_id=report, filters=[{"column": "STAGE", "value": "x"}])
    assert (wrong["type"], wrong["code"]) == ("validation", "BAD_REQUEST") and "OPPORTUNITY_NAME" in wrong[
        "hint"
    ]
    gone = await org.fail("run_report", report_id="00O000000000999AAA")
    assert gone["type"] == "not_found" and "salesforce_list_reports" in gone["hint"]


def test_what_a_fact_map_says_is_read_where_groups_stand_in_groups_and_names_occur_twice():
    facts = Facts({
        "reportMetadata": {"detailColumns": ["A.NAME", "B.NAME"], "aggregates": ["RowCount"],
                           "groupingsDown": [{"name": "REGION"}, {"name": "STAGE"}]},
        "reportExtendedMetadata": {"detailColumnInfo": {"A.NAME": {"label": "Name"}, "B.NAME": {"label": "Name"}},
                                   "aggregateColumnInfo": {"RowCount": {"label": "Rows"}},
                                   "groupingColumnInfo": {"REGION": {"label": "Region"}}},
        "groupingsDown": {"groupings": [{"key": "0", "label": "North", "groupings": [{"key": "0_0", "label": "Won"}]}]},
        "factMap": {
            "0_0!T": {"aggregates": [{"value": 1}], "rows": [{"dataCells": [{"label": "-", "value": None}, {
                "label": "31/01/2030 09:30", "value": "2030-01-31T09:30:00.000+0000"}]}]},
            "0!T": {"aggregates": [{"value": 1}]}, "T!T": {"aggregates": [{"value": 1}]},
        },
    })  # fmt: skip
    assert list(facts.rows()) == [{"Region": "North", "STAGE": "Won", "B.NAME": "2030-01-31T09:30:00Z"}]
    assert facts.groups() == [{"Region": "North", "Rows": 1}, {"Region": "North", "STAGE": "Won", "Rows": 1}]
    assert Facts({}).totals() == {} and not list(Facts({}).rows())


def test_a_column_that_is_called_like_a_group_has_its_own_name():
    about = {
        "reportMetadata": {"detailColumns": ["CLOSE_DATE", "NAME"], "groupingsDown": [{"name": "CLOSE_MONTH"}],
                           "groupingsAcross": [{"name": "CLOSE_YEAR"}]},
        "reportExtendedMetadata": {
            "detailColumnInfo": {"CLOSE_DATE": {"label": "Close Date"}, "NAME": {"label": "Name"}},
            "groupingColumnInfo": {"CLOSE_MONTH": {"label": "Close Date"}, "CLOSE_YEAR": {"label": "Close Date"}},
        },
        "groupingsDown": {"groupings": [{"key": "0", "label": "January"}]},
        "groupingsAcross": {"groupings": [{"key": "0", "label": "2030"}]},
        "factMap": {"0!0": {"rows": [{"dataCells": [{"label": "2030-01-31", "value": "2030-01-31"}, {"value": "A", "label": "A"}]}]}},
    }  # fmt: skip
    assert list(Facts(about).rows()) == [
        {"Close Date": "January", "CLOSE_YEAR": "2030", "CLOSE_DATE": "2030-01-31", "Name": "A"}
    ]
    assert Facts(about).columns() == ["Close Date", "CLOSE_YEAR", "CLOSE_DATE", "Name"]


async def test_a_report_as_a_table_has_all_its_columns_in_its_order(org):
    for id in list(org.double.rows["Account"]):
        org.double.rows["Account"][id]["Industry"] = None
    table = await org.get("run_report", report_id=id_of(org, "Report", "All accounts"), format="csv")
    assert table["data"] == "Account Name,Industry\nAcme,\nO'Hara & Sons,\n"


async def test_a_joined_report_is_refused_with_its_address(org, monkeypatch):
    report = id_of(org, "Report", "All accounts")
    org.double.rows["Report"][report]["Format"] = "Multi_Block"
    assert (await org.fail("run_report", report_id=report))["code"] == "joined_report"


async def test_a_flow_runs_once_and_tells_what_it_gave(org):
    told = await org.get("run_flow", flow_name="Close_Old_Deals", inputs={"before": "2031-01-01"})
    assert told == {"flow": "Close_Old_Deals", "status": "Finished", "outputs": {"closed": 1}}
    failed = await org.fail("run_flow", flow_name="Close_Old_Deals")
    assert (failed["type"], failed["code"]) == (
        "validation",
        "INVALID_API_INPUT",
    ) and "takes before" in failed["error"]
    gone = await org.fail("run_flow", flow_name="Close_All")
    assert gone["type"] == "not_found" and "Setup > Flows" in gone["hint"]
    org.double.faults.add(Reset(after=True), path="runFlow")
    lost = await org.fail("run_flow", flow_name="Close_Old_Deals", inputs={"before": "2031-01-01"})
    assert not lost["retryable"] and "before you run it again" in lost["hint"]
    assert org.asked.count("runFlow") == 4
    assert (await org.fail("run_flow", flow_name="../sobjects", inputs={}))["type"] == "validation"
    assert (await org.fail("run_flow", flow_name="A", inputs={"a b": 1}))["code"] == "INVALID_FIELD"


async def test_a_file_is_put_at_a_record_by_its_content(org):
    acme = id_of(org, "Account", "Acme")
    made = await org.get("upload_file", record_id=acme, filename="../offer.txt", text="Anvils: 5 €")
    row = org.double.rows["ContentVersion"][made["id"]]
    assert base64.b64decode(row["VersionData"]).decode() == "Anvils: 5 €"
    assert (row["Title"], row["PathOnClient"], row["FirstPublishLocationId"]) == ("offer", "offer.txt", acme)
    assert made == {
        "id": made["id"], "document_id": row["ContentDocumentId"], "name": "offer.txt", "size": 13, "record_id": acme,
        "url": f"{org.double.url}/{row['ContentDocumentId']}",
    }  # fmt: skip
    data = bytes(range(256))
    encoded = base64.urlsafe_b64encode(data).decode().rstrip("=")
    other = await org.get("upload_file", record_id=acme, filename="x.bin", content_base64=encoded)
    assert base64.b64decode(org.double.rows["ContentVersion"][other["id"]]["VersionData"]) == data
    assert (await org.fail("upload_file", record_id=acme, filename="x"))["code"] == "one_content"
    both = await org.fail("upload_file", record_id=acme, filename="x", text="a", content_base64="YQ==")
    assert both["code"] == "one_content"
    path = await org.fail("upload_file", record_id=acme, filename="x", content_base64="/etc/passwd.")
    assert path["code"] == "bad_base64" and "not its path" in path["hint"]
    nowhere = await org.fail("upload_file", record_id="001000000000999AAA", filename="x", text="a")
    assert nowhere["type"] == "not_found"


async def test_a_file_that_a_tool_made_is_put_at_a_record_of_the_same_tenant_alone(org, org_with):
    acme, other = id_of(org, "Account", "Acme"), await org_with()
    saved = await in_db(
        lambda: artifact_save(
            tenant_id=org.connection.tenant_id, connection_id=org.connection.pk, principal_id=None, name="a.csv",
            mime_type="text/csv", data=b"a,b",
        )
    )  # fmt: skip
    asked = {"record_id": acme, "filename": "a.csv", "file_uri": f"portico://files/{saved.pk}"}
    assert (await org.get("upload_file", **asked))["size"] == 3
    assert (await other.fail("upload_file", **asked))["type"] == "not_found"
    assert len(org.double.rows["ContentVersion"]) == 1


async def test_a_file_whose_answer_is_lost_is_not_sent_again(org):
    org.double.faults.add(Reset(after=True), path="uploadFile")
    acme = id_of(org, "Account", "Acme")
    error = await org.fail("upload_file", record_id=acme, filename="a.txt", text="a")
    assert not error["retryable"] and "ContentDocumentLink" in error["hint"]
    assert len(org.double.rows["ContentVersion"]) == 1


async def test_with_a_list_of_objects_reports_and_flows_are_off_and_files_go_to_listed_records_alone(
    org_with,
):
    narrow = await org_with(objects=["Account", "ContentVersion"])
    acme, deal = id_of(narrow, "Account", "Acme"), id_of(narrow, "Opportunity", "Anvils")
    for tool, arguments in (
        ("list_reports", {}), ("list_reports", {"search": "a"}), ("run_report", {"report_id": "00O000000000006AAA"}),
        ("run_flow", {"flow_name": "Close_Old_Deals", "inputs": {"before": "2031-01-01"}}),
    ):  # fmt: skip
        assert (await narrow.fail(tool, **arguments))["code"] == "all_objects_needed", tool
    assert not narrow.asked
    await narrow.get("upload_file", record_id=acme, filename="a.txt", text="a")
    assert (await narrow.fail("upload_file", record_id=deal, filename="a.txt", text="a"))[
        "code"
    ] == "object_not_allowed"
    assert (await narrow.fail("upload_file", record_id="zzz" + deal[3:], filename="a.txt", text="a"))["type"] == "not_found"  # fmt: skip
    hidden = (await narrow.check()).details["hidden_tools"]
    assert {"salesforce_list_reports", "salesforce_run_report", "salesforce_run_flow"} <= set(hidden)
    assert "salesforce_upload_file" not in hidden
    accounts = await org_with(objects=["Account"])
    assert (await accounts.fail("upload_file", record_id=acme, filename="a.txt", text="a"))[
        "code"
    ] == "object_not_allowed"
