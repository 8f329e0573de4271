import pytest

from common.db import in_db
from connectors.errors import InvalidInput, NotFound
from connectors.providers.restaurant import selectors
from connectors.providers.restaurant.connector import Restaurant
from tests.providers.restaurant.calls import call, raw, refuses


async def test_the_stock_is_set_not_added(fresh):
    ctx = fresh(days=1)
    for _ in range(2):
        answer = await call(ctx, "update_inventory", item_id="BURGER01", quantity=12)
        assert answer == {"item_id": "BURGER01", "new_quantity": 12, "status": "updated"}
    rows = await call(ctx, "list_inventory", category="mains")
    assert {row["item_id"]: row["quantity"] for row in rows["items"]}["BURGER01"] == 12


@pytest.mark.parametrize("quantity", [-1, 1.5, "3", None, True, 10**7])
def test_an_impossible_quantity_breaks_the_schema(quantity):
    assert refuses("update_inventory", item_id="BURGER01", quantity=quantity)


@pytest.mark.parametrize("item_id", ["burger01", "BURGER1", "BURGER011", "BURGER-1", "", "ＢＵＲＧＥＲ０１"])
def test_an_impossible_id_breaks_the_schema(item_id):
    assert refuses("update_inventory", item_id=item_id, quantity=1)
    assert refuses("update_menu_item", item_id=item_id, updates={"price": 1})


async def test_an_unknown_item_is_not_found(bistro):
    for name, arguments in (
        ("update_inventory", {"quantity": 1}),
        ("update_menu_item", {"updates": {"price": 1}}),
    ):
        with pytest.raises(NotFound) as caught:
            await call(bistro, name, item_id="NOSUCH99", **arguments)
        assert "list_menu_items" in caught.value.hint


async def test_a_menu_item_changes_only_in_the_named_fields(fresh):
    ctx = fresh(days=1)
    before = await in_db(selectors.menu_item_find, ctx.connection, "TIRAMI01")
    answer = await call(
        ctx, "update_menu_item", item_id="TIRAMI01", updates={"price": 8.25, "name": "Tiramisù"}
    )
    assert answer == {
        "status": "success",
        "item_id": "TIRAMI01",
        "updated": {"name": "Tiramisù", "price": 8.25},
    }
    after = await in_db(selectors.menu_item_find, ctx.connection, "TIRAMI01")
    assert (after.name, str(after.price)) == ("Tiramisù", "8.25")
    assert (after.description, after.category) == (before.description, before.category)


async def test_a_price_of_zero_is_a_price(fresh):
    ctx = fresh(days=1)
    await call(ctx, "update_menu_item", item_id="TIRAMI01", updates={"price": 0})
    assert (await in_db(selectors.menu_item_find, ctx.connection, "TIRAMI01")).price == 0


@pytest.mark.parametrize(
    "updates",
    [{}, {"price": -0.01}, {"price": "cheap"}, {"name": ""}, {"color": "red"}, {"price": None}, "name"],
)
def test_impossible_updates_break_the_schema(updates):
    assert refuses("update_menu_item", item_id="TIRAMI01", updates=updates)


@pytest.mark.parametrize("updates", [{"price": 1.005}, {"name": "   "}, {"description": "a\x00b"}])
async def test_updates_beyond_the_schema_are_refused(bistro, updates):
    with pytest.raises(InvalidInput, match="updates/"):
        await call(bistro, "update_menu_item", item_id="TIRAMI01", updates=updates)


def test_the_schema_of_updates_offers_no_defaults():
    updates = Restaurant.tools["update_menu_item"].input_schema["$defs"]["MenuItemUpdates"]
    assert all("default" not in field for field in updates["properties"].values())


async def test_the_menu_comes_in_pages_without_gap_or_repetition(bistro):
    seen, cursor = [], None
    while True:
        arguments = {"limit": 10, **({"cursor": cursor} if cursor else {})}
        answer = await call(bistro, "list_menu_items", **arguments)
        seen += [item["item_id"] for item in answer["items"]]
        assert answer["total"] == 25
        cursor = answer.get("next_cursor")
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 25


async def test_a_cursor_of_another_list_is_refused(bistro, fresh):
    cursor = (await call(bistro, "list_menu_items", limit=5))["next_cursor"]
    for ctx, name, arguments in (
        (bistro, "list_menu_items", {"category": "mains"}),
        (bistro, "list_inventory", {}),
        (fresh(days=1), "list_menu_items", {}),
    ):
        with pytest.raises(InvalidInput, match="cursor"):
            await call(ctx, name, cursor=cursor, **arguments)
    with pytest.raises(InvalidInput, match="cursor"):
        await call(bistro, "list_menu_items", cursor="nonsense")


async def test_fields_and_formats_of_a_list(bistro):
    answer = await call(bistro, "list_menu_items", category="Mains", fields=["price", "name"])
    assert all(set(item) == {"name", "price"} for item in answer["items"])
    with pytest.raises(InvalidInput, match="Unknown fields: secret"):
        await call(bistro, "list_menu_items", fields=["secret"])
    result = await raw(bistro, "list_menu_items", search="pizza", fields=["item_id", "price"], format="csv")
    assert result.content[0].text.splitlines() == ["item_id,price", "DIAVOL01,14.5", "MARGHE01,11.9"]
    result = await raw(bistro, "list_menu_items", search="margherita", fields=["name"], format="markdown")
    assert result.content[0].text.splitlines() == ["| name |", "| --- |", "| Pizza Margherita |"]


async def test_a_formula_in_a_name_stays_text_in_csv(fresh):
    ctx = fresh(days=1)
    await call(ctx, "update_menu_item", item_id="TIRAMI01", updates={"name": "=HYPERLINK(1)"})
    result = await raw(ctx, "list_menu_items", search="TIRAMI01", fields=["name"], format="csv")
    assert result.content[0].text.splitlines() == ["name", "'=HYPERLINK(1)"]


async def test_control_characters_in_a_search_are_refused(bistro):
    for arguments in ({"search": "a\x00"}, {"category": "a\x00"}):
        with pytest.raises(InvalidInput, match="control character"):
            await call(bistro, "list_menu_items", **arguments)


async def test_items_to_reorder_are_those_below_their_level(fresh):
    ctx = await in_db(fresh)
    await call(ctx, "update_inventory", item_id="BURGER01", quantity=0)  # chance may leave none low
    answer = await call(ctx, "list_inventory", needs_reorder=True)
    assert "BURGER01" in {row["item_id"] for row in answer["items"]}
    assert all(row["quantity"] < row["reorder_level"] and row["reorder"] for row in answer["items"])
