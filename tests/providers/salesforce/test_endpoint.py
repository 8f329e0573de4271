"""Salesforce's resources and prompts as a client reads them."""

import json

import pytest

from common.db import in_db
from connectors.services import credential_set
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import by_door, make_place, modern
from tests.providers.salesforce.conftest import SESSION


@pytest.fixture
async def speak(salesforce):
    def making():
        place = make_place("operator", ())
        connection = make_connection(
            place.tenant, "salesforce", settings={"url": salesforce.url, "objects": ["Account", "Contact"]},
            credential_mode="shared",
        )  # fmt: skip
        credential_set(connection=connection, values=SESSION, actor=SYSTEM)
        return place

    place = await in_db(making)

    async def asking(method, **params):
        return await by_door(modern(place, method, params))

    asking.root = "salesforce://salesforce"  # of the connection
    return asking


async def test_schemas_and_records_are_resources_of_the_listed_objects(speak, salesforce):
    [acme] = [id for id, row in salesforce.rows["Account"].items() if row["Name"] == "Acme"]
    read = (await speak("resources/read", uri=f"{speak.root}/records/Account/{acme}")).result
    assert json.loads(read["contents"][0]["text"])["Name"] == "Acme"
    schema = (await speak("resources/read", uri=f"{speak.root}/sobjects/Contact/schema")).result
    assert "LastName" in schema["contents"][0]["text"]
    for uri in (
        f"{speak.root}/sobjects/Lead/schema",
        f"{speak.root}/records/Lead/{acme}",
        f"{speak.root}/records/Account/x",
        f"{speak.root}/sobjects/..%2FAccount/schema",
        f"salesforce://other/records/Account/{acme}",
    ):
        assert "error" in (await speak("resources/read", uri=uri)).json


async def test_names_of_objects_are_completed_with_those_of_the_connection(speak):
    async def completed(uri, typed):
        asked = {"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "type", "value": typed}}
        return (await speak("completion/complete", **asked)).result["completion"]["values"]

    schema = "salesforce://{connection}/sobjects/{type}/schema"
    assert await completed(schema, "con") == ["Contact"]
    assert await completed("salesforce://{connection}/records/{type}/{id}", "") == ["Account", "Contact"]
    assert await completed(schema, "lead") == []


async def test_prompts_name_the_tools_to_use(speak):
    brief = (
        await speak("prompts/get", name="salesforce-account-brief", arguments={"account": "Acme"})
    ).result
    assert "Acme" in brief["messages"][0]["content"]["text"]
    review = (await speak("prompts/get", name="salesforce-pipeline-review", arguments={})).result
    assert "all open deals" in review["messages"][0]["content"]["text"]


async def test_a_new_connection_lists_the_sixteen_usual_tools(speak):
    tools = (await speak("tools/list")).result["tools"]
    assert len(tools) == 16 and not [tool["name"] for tool in tools if "delete" in tool["name"]]
    assert all(tool["annotations"]["openWorldHint"] for tool in tools)
