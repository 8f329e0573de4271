import asyncio
import threading

import pytest
from django.db import connections

from common.db import in_db
from connectors.errors import Conflict, NotFound
from connectors.providers.restaurant import models, selectors, services
from connectors.providers.restaurant.dates import today
from connectors.providers.restaurant.models import Order, OrderLine, StockItem
from connectors.providers.restaurant.orders import OrderRefused, draft_of
from connectors.providers.restaurant.types import OrderInput
from tests.providers.restaurant.calls import call, raw, refuses

PIZZA = {"item_id": "MARGHE01", "quantity": 2}


def stock_of(ctx, code):
    return selectors.owned(StockItem, ctx.connection).get(item__code=code).quantity


async def test_an_order_is_stored_and_taken_from_the_stock(fresh):
    ctx = fresh(days=2)
    await call(ctx, "update_inventory", item_id="MARGHE01", quantity=10)
    await call(ctx, "update_inventory", item_id="ESPRES01", quantity=10)
    result = await raw(
        ctx,
        "process_order",
        order_data={
            "customer": "Ada",
            "location": "riverside",
            "items": [PIZZA, {"item_id": "ESPRES01"}, {"item_id": "MARGHE01", "quantity": 1}],
            "order_type": "takeaway",
            "notes": "no basil",
        },
    )
    answer = result.structured
    assert not result.is_error
    assert answer["status"] == "received"
    assert answer["estimated_time"].endswith(" minutes")
    assert answer["total"] == pytest.approx(3 * 11.90 + 2.80)
    assert result.meta == {"customer": "Ada", "total": answer["total"], "status": "received"}
    order = await call(ctx, "get_order", order_id=answer["order_id"])
    assert order["date"] == today(ctx.connection).isoformat()
    assert (order["location"], order["order_type"], order["notes"]) == ("riverside", "takeaway", "no basil")
    assert {line["item_id"]: line["quantity"] for line in order["items"]} == {"MARGHE01": 3, "ESPRES01": 1}
    assert await in_db(stock_of, ctx, "MARGHE01") == 7


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": [PIZZA] * 51}, "items"),
        ({"items": [{"quantity": 1}]}, "items/0/item_id"),
        ({"items": [PIZZA, {"item_id": "marghe01"}]}, "items/1/item_id"),
        ({"items": [{"item_id": "MARGHE01\n"}]}, "items/0/item_id"),
        ({"items": [{"item_id": "NOSUCH99"}]}, "items/0/item_id"),
        ({"items": [{**PIZZA, "quantity": 0}]}, "items/0/quantity"),
        ({"items": [{**PIZZA, "quantity": -3}]}, "items/0/quantity"),
        ({"items": [{**PIZZA, "quantity": 10**9}]}, "items/0/quantity"),
        ({"items": [{**PIZZA, "price": 0}]}, "items/0/price"),
        ({"items": [PIZZA], "location": "the moon"}, "location"),
        ({"items": [PIZZA], "order_type": "by owl"}, "order_type"),
        ({"items": [PIZZA], "customer": "A\x00"}, "customer"),
        ({"items": [PIZZA], "customer": "A" * 121}, "customer"),
        ({"items": [PIZZA], "discount": 100}, "discount"),
    ],
)
async def test_an_order_that_breaks_a_rule_names_the_field(bistro, order, field):
    result = await raw(bistro, "process_order", order_data=order)
    assert result.is_error
    assert result.error_type == "validation"
    assert (result.structured["status"], result.structured["error_code"]) == ("error", "INVALID_ORDER")
    assert field in [problem["field"] for problem in result.structured["fields"]]


def test_an_order_of_the_wrong_types_breaks_the_schema():
    assert refuses("process_order", order_data={"items": "pizza"})
    assert refuses("process_order", order_data={"items": [{"item_id": "MARGHE01", "quantity": "two"}]})
    assert refuses("process_order", order_data=[])
    assert refuses("process_order")


async def test_too_little_stock_changes_nothing_and_tells_what_is_left(fresh):
    ctx = fresh(days=2)
    await call(ctx, "update_inventory", item_id="MARGHE01", quantity=1)
    await call(ctx, "update_inventory", item_id="ESPRES01", quantity=5)
    items = [PIZZA, {"item_id": "ESPRES01", "quantity": 1}]
    before = await in_db(lambda: selectors.owned(Order, ctx.connection).count())
    result = await raw(ctx, "process_order", order_data={"items": items})
    assert result.is_error
    assert result.structured["error_code"] == "INSUFFICIENT_INVENTORY"
    assert result.structured["available_items"] == [
        {"item_id": "MARGHE01", "name": "Pizza Margherita", "requested": 2, "available": 1}
    ]
    assert await in_db(stock_of, ctx, "ESPRES01") == 5
    assert await in_db(lambda: selectors.owned(Order, ctx.connection).count()) == before


def test_concurrent_orders_never_sell_a_portion_twice(fresh):
    ctx = fresh(days=1)
    services.inventory_set(ctx.connection, "MARGHE01", 7)
    services.inventory_set(ctx.connection, "ESPRES01", 50)
    outcomes: list[str] = []
    ready = threading.Barrier(12)

    def order(number):
        # Opposite orders of the items: the locks must be taken in one order.
        items = [{"item_id": "MARGHE01"}, {"item_id": "ESPRES01"}][:: 1 if number % 2 else -1]
        draft = draft_of(OrderInput.model_validate({"customer": f"guest {number}", "items": items}))
        ready.wait()
        try:
            services.order_process(ctx.connection, draft)
            outcomes.append("sold")
        except OrderRefused as refusal:
            outcomes.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=order, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["INSUFFICIENT_INVENTORY"] * 5 + ["sold"] * 7
    assert stock_of(ctx, "MARGHE01") == 0
    assert stock_of(ctx, "ESPRES01") == 43
    lines = selectors.owned(OrderLine, ctx.connection).filter(
        item__code="MARGHE01", order__customer__startswith="guest "
    )
    assert sum(line.quantity for line in lines) == 7


async def test_concurrent_calls_never_oversell_through_the_tool(fresh):
    ctx = fresh(days=1)
    await call(ctx, "update_inventory", item_id="MARGHE01", quantity=5)
    results = await asyncio.gather(
        *(raw(ctx, "process_order", order_data={"items": [PIZZA]}) for _ in range(6))
    )
    assert sorted(result.structured["status"] for result in results) == ["error"] * 4 + ["received"] * 2
    assert await in_db(stock_of, ctx, "MARGHE01") == 1


async def test_a_database_that_refuses_is_an_internal_error_and_nothing_is_sold(fresh, monkeypatch):
    ctx = fresh(days=1)
    await call(ctx, "update_inventory", item_id="MARGHE01", quantity=10)
    monkeypatch.setattr(models, "CODE_LETTERS", "A")  # every order gets the same id: the second is refused
    assert (await call(ctx, "process_order", order_data={"items": [PIZZA]}))["order_id"] == "ORD-AAAAAAAA"
    result = await raw(ctx, "process_order", order_data={"items": [PIZZA]})
    assert result.is_error
    assert result.error_type == "internal"
    assert (result.structured["status"], result.structured["error_code"]) == ("error", "INTERNAL_ERROR")
    assert "unique" not in result.structured["message"].lower()
    assert await in_db(stock_of, ctx, "MARGHE01") == 8


async def test_the_largest_order_at_the_highest_price_is_stored(fresh):
    ctx = fresh(days=1)
    await call(ctx, "update_menu_item", item_id="SEABAS01", updates={"price": 99_999.99})
    await call(ctx, "update_inventory", item_id="SEABAS01", quantity=1_000_000)
    items = [{"item_id": "SEABAS01", "quantity": 100}] * 50
    answer = await call(ctx, "process_order", order_data={"items": items})
    assert answer["total"] == 499_999_950.0


async def test_an_order_moves_on_and_setting_a_status_twice_changes_nothing(fresh):
    ctx = fresh(days=1)
    await call(ctx, "update_inventory", item_id="MARGHE01", quantity=10)
    order_id = (await call(ctx, "process_order", order_data={"items": [PIZZA]}))["order_id"]
    for status in ("preparing", "preparing", "ready", "completed", "completed"):
        answer = await call(ctx, "update_order_status", order_id=order_id, status=status)
        assert answer["status"] == status
    assert answer == {
        "order_id": order_id,
        "status": "completed",
        "previous_status": "completed",
        "changed": False,
    }
    with pytest.raises(Conflict, match="cannot become cancelled"):
        await call(ctx, "update_order_status", order_id=order_id, status="cancelled")


async def test_a_cancelled_order_gives_its_portions_back_once(fresh):
    ctx = fresh(days=1)
    await call(ctx, "update_inventory", item_id="MARGHE01", quantity=10)
    order_id = (await call(ctx, "process_order", order_data={"items": [PIZZA]}))["order_id"]
    for _ in range(2):
        await call(ctx, "update_order_status", order_id=order_id, status="cancelled")
    assert await in_db(stock_of, ctx, "MARGHE01") == 10


async def test_an_unknown_order_is_not_found(bistro):
    with pytest.raises(NotFound):
        await call(bistro, "get_order", order_id="ORD-AAAAAAAA")
    assert refuses("get_order", order_id="1; drop table orders")
