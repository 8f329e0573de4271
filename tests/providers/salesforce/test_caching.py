"""What is kept of Salesforce's answers, and what a write ends."""

from connectors.providers.salesforce.connector import Salesforce

CLASSES = {
    "-": {"salesforce_list_recent", "salesforce_validate_query", "salesforce_connection_info", "salesforce_get_limits"},
    "L": {"salesforce_list_objects", "salesforce_get_record_fields", "salesforce_list_reports"},
}  # fmt: skip


def test_each_reading_tool_is_kept_for_as_long_as_its_answers_are_good():
    for name, spec in Salesforce.tools.items():
        known = next((one for one, names in CLASSES.items() if name in names), "S")
        assert spec.cache == ("-" if spec.writes else known), name


async def test_a_write_ends_what_it_may_have_changed_and_leaves_the_orgs_description(org_with):
    org = await org_with(cached=True)
    query = {"query": "SELECT Name FROM Account"}
    [acme] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    place = {"sobject_type": "Account", "record_id": acme}

    async def asked(tool, **arguments):
        before = len(org.asked)
        result = await org.call(tool, **arguments)
        assert not result.is_error, result.content
        return len(org.asked) > before

    reads = (("query", query), ("get_record", place), ("list_objects", {}), ("get_record_fields", place))
    assert [await asked(tool, **arguments) for tool, arguments in reads] == [True] * 4
    assert [await asked(tool, **arguments) for tool, arguments in reads] == [False] * 4
    await org.get("update_record", **place, data={"Phone": "1"})
    assert [await asked(tool, **arguments) for tool, arguments in reads] == [True, True, False, True]
    fields = (await org.get("get_record_fields", **place))["fields"]
    assert next(field["value"] for field in fields if field["name"] == "Phone") == "1"
    await org.get("create_record", sobject_type="Contact", data={"LastName": "New"})
    assert [await asked(tool, **arguments) for tool, arguments in reads] == [True, True, False, False]
    await org.get("run_flow", flow_name="Close_Old_Deals", inputs={"before": "2031-01-01"})
    assert [await asked(tool, **arguments) for tool, arguments in reads] == [True] * 4


async def test_a_change_that_met_another_one_reads_the_record_anew(org_with):
    org = await org_with(cached=True)
    [acme] = [id for id, row in org.double.rows["Account"].items() if row["Name"] == "Acme"]
    place, row = {"sobject_type": "Account", "record_id": acme}, org.double.rows["Account"][acme]
    row["LastModifiedDate"] = "2020-01-01T09:00:00.000+0000"
    read = (await org.get("get_record", **place))["LastModifiedDate"]
    row["LastModifiedDate"] = "2020-01-02T09:00:00.000+0000"  # by somebody else
    lost = await org.fail("update_record", **place, data={"Phone": "1"}, if_unmodified_since=read)
    assert lost["type"] == "conflict"
    again = (await org.get("get_record", **place))["LastModifiedDate"]
    assert again == "2020-01-02T09:00:00Z"
    await org.get("update_record", **place, data={"Phone": "1"}, if_unmodified_since=again)
