"""Calling a tool as the pipeline does: schema and model first, then the method."""

from datetime import date, timedelta
from typing import Any

import jsonschema_rs

from connectors.providers.restaurant.connector import Restaurant
from connectors.providers.restaurant.dates import today
from connectors.results import ToolResult
from tests.providers.context import FakeContext


def restaurant_of(ctx: FakeContext, **settings: Any) -> Restaurant:
    """The connector that serves a context's connection."""
    return Restaurant(ctx.connection, Restaurant.Settings(**settings))


async def raw(ctx: FakeContext, name: str, **arguments: Any) -> Any:
    """What the method returns, unshaped; the schema and the result's schema are held."""
    spec = Restaurant.tools[name]
    jsonschema_rs.validator_for(spec.input_schema).validate(arguments)
    model = spec.arguments.model_validate(arguments)
    values = {field: getattr(model, field) for field in type(model).model_fields}
    result = await getattr(restaurant_of(ctx), spec.method)(ctx, **values)
    if spec.output_schema is not None:
        structured = result.structured if isinstance(result, ToolResult) else result
        jsonschema_rs.validator_for(spec.output_schema).validate(structured)
    return result


async def call(ctx: FakeContext, name: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of a call."""
    result = await raw(ctx, name, **arguments)
    return result.structured if isinstance(result, ToolResult) else result


def refuses(name: str, **arguments: Any) -> bool:
    """Whether the tool's schema refuses these arguments."""
    return not jsonschema_rs.validator_for(Restaurant.tools[name].input_schema).is_valid(arguments)


def open_day(ctx: FakeContext, back: int = 2) -> date:
    """A past day, at least ``back`` days ago, that is neither a Monday nor Christmas: all houses are open."""
    day = today(ctx.connection) - timedelta(days=back)
    while day.weekday() == 0 or (day.month, day.day) in {(12, 24), (12, 25)}:
        day -= timedelta(days=1)
    return day
