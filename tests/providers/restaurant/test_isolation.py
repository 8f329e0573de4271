import json

import pytest

from common.db import in_db
from connectors.errors import NotFound
from connectors.providers.restaurant import selectors
from connectors.providers.restaurant.models import TABLES, Order
from tests.providers.restaurant.calls import call, raw, restaurant_of


@pytest.fixture(params=["another tenant", "another connection of the tenant"])
def neighbours(request, fresh):
    """Two restaurants that must not see each other."""
    own = fresh(days=6)
    if request.param == "another tenant":
        return own, fresh(days=6)
    return own, fresh(days=6, tenant=own.row.tenant)


async def test_the_order_of_a_neighbour_can_be_neither_read_nor_moved(neighbours):
    own, other = neighbours
    code = await in_db(lambda: selectors.owned(Order, other.connection).first().code)
    assert (await call(other, "get_order", order_id=code))["order_id"] == code
    with pytest.raises(NotFound):
        await call(own, "get_order", order_id=code)
    with pytest.raises(NotFound):
        await call(own, "update_order_status", order_id=code, status="cancelled")


async def test_the_feedback_of_a_neighbour_cannot_be_read(neighbours):
    own, other = neighbours
    feedback_id = (await call(other, "list_feedback", limit=1))["items"][0]["feedback_id"]
    with pytest.raises(NotFound):
        await call(own, "analyze_customer_feedback", feedback_id=feedback_id)


async def test_changes_stay_in_the_own_house(neighbours):
    own, other = neighbours
    before = await call(other, "list_inventory", limit=100)
    menu = await call(other, "list_menu_items", limit=100)
    await call(own, "update_inventory", item_id="MARGHE01", quantity=99)
    await call(own, "update_menu_item", item_id="MARGHE01", updates={"price": 1, "name": "Cheap"})
    await call(own, "process_order", order_data={"items": [{"item_id": "MARGHE01", "quantity": 9}]})
    assert await call(other, "list_inventory", limit=100) == before
    assert await call(other, "list_menu_items", limit=100) == menu


async def test_figures_count_the_own_rows_alone(neighbours):
    own, other = neighbours
    await call(own, "update_inventory", item_id="MARGHE01", quantity=99)
    day = (await call(own, "get_order", order_id=await place(own)))["date"]
    before = await call(other, "get_sales_data", date=day)
    await place(own)
    assert await call(other, "get_sales_data", date=day) == before
    period = {"start_date": day, "end_date": day}
    figures = await call(own, "get_analytics", date_range=period)
    theirs = await call(other, "get_analytics", date_range=period)
    assert figures["total_sales"] != theirs["total_sales"]
    result = await raw(own, "generate_report", report_type="sales", format="json", **period)
    assert result.structured["summary"]["total_sales"] == figures["total_sales"]


async def place(ctx):
    answer = await call(ctx, "process_order", order_data={"items": [{"item_id": "MARGHE01", "quantity": 1}]})
    return answer["order_id"]


async def test_resources_show_the_own_orders_alone(neighbours):
    own, other = neighbours
    await call(own, "update_inventory", item_id="MARGHE01", quantity=99)
    mine = await place(own)
    _head, *orders = await restaurant_of(other).read_live_orders(other)
    assert mine not in [json.loads(contents.text)["id"] for contents in orders]
    date = (await call(own, "get_order", order_id=mine))["date"]
    with pytest.raises(NotFound):
        await restaurant_of(other).read_order(other, date, mine)


async def test_a_further_connection_names_itself_in_its_uris(fresh):
    own = fresh(days=1)
    second = fresh(days=1, tenant=own.row.tenant)
    contents = await restaurant_of(second).read_menu_item(second, "MARGHE01")
    assert contents.uri == f"restaurant://{second.connection.slug}/menu_items/MARGHE01"


def test_every_table_is_walled_in_and_goes_with_its_connection(fresh):
    ctx = fresh(days=6)
    for model in TABLES:
        for name in ("tenant", "connection"):
            field = model._meta.get_field(name)
            assert not field.null
            assert field.remote_field.on_delete.__name__ == "CASCADE"
        assert selectors.owned(model, ctx.connection).exists()
    ctx.row.delete()
    for model in TABLES:
        assert not selectors.owned(model, ctx.connection).exists()
