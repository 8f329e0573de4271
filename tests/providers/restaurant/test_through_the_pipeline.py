"""The restaurant as a caller meets it: permission, schema, limit, file and audit included."""

import base64
import io
import json
from datetime import timedelta

import pypdf
import pytest
from django.utils import timezone

from common.db import in_db
from connectors import pipeline, reading
from connectors.results import ResourceLink
from tests.factories import make_caller, make_connection, make_tenant

READING = {
    "analyze_customer_feedback", "expensive_operation", "generate_report", "get_analytics", "get_order",
    "get_sales_data", "health_check", "list_feedback", "list_inventory", "list_menu_items", "list_orders",
}  # fmt: skip
WRITING = {"process_order", "update_inventory", "update_menu_item", "update_order_status"}


@pytest.fixture(scope="module")
def team(database):
    """An operator, a viewer and a stranger; the first two share a restaurant."""
    tenant = make_tenant()
    make_connection(tenant, "restaurant", slug="bistro")
    return make_caller(tenant), make_caller(tenant, "viewer"), make_caller(make_tenant())


def a_range(days):
    last = timezone.now().date()
    return {"start_date": (last - timedelta(days=days)).isoformat(), "end_date": last.isoformat()}


async def test_a_viewer_reads_and_an_operator_writes_as_well(team):
    operator, viewer, stranger = team
    assert {tool.name for tool in (await pipeline.catalogue(operator)).tools} == READING | WRITING
    assert {tool.name for tool in (await pipeline.catalogue(viewer)).tools} == READING
    assert not (await pipeline.catalogue(stranger)).tools
    with pytest.raises(pipeline.UnknownTool):
        await pipeline.call_tool(viewer, "process_order", {"order_data": {}})


async def test_a_refused_order_reaches_the_caller_as_it_is(team):
    operator, _viewer, _stranger = team
    result = await pipeline.call_tool(operator, "process_order", {"order_data": {"items": []}})
    assert result.is_error
    assert result.structured["error_code"] == "INVALID_ORDER"
    assert json.loads(result.content[0].text) == result.structured


async def test_the_sixth_expensive_operation_is_refused_and_told_when_to_come_back(team):
    operator, viewer, _stranger = team
    for _ in range(5):
        assert not (await pipeline.call_tool(operator, "expensive_operation", {"data": "x"})).is_error
    result = await pipeline.call_tool(operator, "expensive_operation", {"data": "x"})
    error = json.loads(result.content[0].text)
    assert result.is_error
    assert (error["error"], error["type"]) == ("Rate limit exceeded: 5/300s", "rate_limit")
    assert 0 < error["retry_after"] <= 300
    assert not (await pipeline.call_tool(viewer, "expensive_operation", {"data": "x"})).is_error


async def test_a_report_is_read_as_a_resource_by_its_own_tenant_alone(team):
    operator, viewer, stranger = team
    steps = []

    class Listener(pipeline.Channel):
        async def progress(self, done, total, message):
            steps.append((done, total))

    result = await pipeline.call_tool(
        operator, "generate_report", {"report_type": "sales", **a_range(364)}, channel=Listener()
    )
    assert steps[-1][0] == steps[-1][1] == len(steps) > 12
    link = next(part for part in result.content if isinstance(part, ResourceLink))
    [contents] = await reading.read_resource(viewer, link.uri)
    document = pypdf.PdfReader(io.BytesIO(base64.b64decode(contents.blob)))
    assert f"{result.structured['summary']['total_sales']:,.2f}" in document.pages[0].extract_text()
    with pytest.raises(reading.ResourceNotFound):
        await reading.read_resource(stranger, link.uri)


async def test_every_listed_resource_can_be_read(team):
    _operator, viewer, stranger = team
    entries = await reading.list_resources(viewer)
    assert len(entries) == 3 + 25
    for entry in entries[:6] + entries[-3:]:
        assert await reading.read_resource(viewer, entry.uri)
        with pytest.raises(reading.ResourceNotFound):
            await reading.read_resource(stranger, entry.uri)
    [newest, *_rest] = await reading.complete(
        viewer, "resource", "restaurant://orders/{date}", "date", "", {}
    )
    assert len(await reading.read_resource(viewer, f"restaurant://orders/{newest}")) > 1


async def test_a_second_restaurant_renames_nothing_of_the_first(database):
    def make():
        tenant = make_tenant()
        make_connection(tenant, "restaurant", slug="first")
        make_connection(tenant, "restaurant", slug="second")
        return make_caller(tenant)

    caller = await in_db(make)
    names = {tool.name for tool in (await pipeline.catalogue(caller)).tools}
    assert names >= READING | WRITING
    assert {name for name in names if "__" in name} == {f"second__{name}" for name in READING | WRITING}
    uris = {entry.uri for entry in await reading.list_resources(caller)}
    assert {"restaurant://live_orders", "restaurant://second/live_orders"} <= uris
    [contents] = await reading.read_resource(caller, "restaurant://second/menu_items/MARGHE01")
    assert contents.uri == "restaurant://second/menu_items/MARGHE01"
