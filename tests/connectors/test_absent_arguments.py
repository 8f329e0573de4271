"""Null for an optional argument is as if it was left out; for a required one it is a mistake."""

from typing import Any, Literal

import pytest
from django.conf import settings
from pydantic import BaseModel

from common.db import in_db
from connectors.arguments import without_nulls
from connectors.base import Connector, Context, tool
from connectors.pipeline import call_tool
from tests.factories import make_caller, make_connection, make_tenant

ENTRY = "absent=tests.connectors.test_absent_arguments:Absent"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


class Place(BaseModel):
    name: str = "here"


class Absent(Connector):
    slug = "absent"
    title = "Absent"
    description = "For tests: arguments of all kinds."

    @tool(title="Take", hint="R")
    async def absent_take(
        self,
        ctx: Context,
        name: str,
        count: int = 3,
        order: Literal["up", "down"] = "up",
        words: list[str] = [],  # noqa: B006  a schema's default
        note: str | None = "a note",
        either: int | str = "either",
        place: Place = Place(),  # noqa: B008  a schema's default
        anything: Any = "anything",
    ) -> dict[str, Any]:
        """Say what came."""
        return {
            "name": name, "count": count, "order": order, "words": words, "note": note, "either": either,
            "place": place.name, "anything": anything,
        }  # fmt: skip


OPTIONAL = ("count", "order", "words", "note", "either", "place", "anything")
DEFAULTS = {"name": "x", "count": 3, "order": "up", "words": [], "either": "either"}


@pytest.fixture
async def caller(database):
    tenant = await in_db(make_tenant)
    await in_db(make_connection, tenant, "absent")
    return await in_db(make_caller, tenant)


async def test_null_is_as_absent_unless_it_means_something(caller):
    left_out = (await call_tool(caller, "absent_take", {"name": "x"})).structured
    assert left_out == {**DEFAULTS, "note": "a note", "place": "here", "anything": "anything"}
    nulls = dict.fromkeys(("count", "order", "words", "either"))
    assert (await call_tool(caller, "absent_take", {"name": "x", **nulls})).structured == left_out
    meant = await call_tool(caller, "absent_take", {"name": "x", "note": None, "anything": None})
    assert (meant.structured["note"], meant.structured["anything"]) == (None, None)


async def test_what_is_required_or_unknown_stays_a_mistake(caller):
    for arguments in ({"name": None}, {"name": "x", "unheard": None}, {"name": "x", "words": [None]}):
        assert (await call_tool(caller, "absent_take", arguments)).is_error, arguments


def test_only_nulls_that_the_schema_refuses_are_left_out():
    spec = Absent.tools["absent_take"]
    given = {"name": None, **dict.fromkeys(OPTIONAL)}
    assert set(without_nulls(spec, given)) == {"name", "note", "place", "anything"}
    assert without_nulls(spec, {"name": "x", "count": 0, "words": []}) == {
        "name": "x",
        "count": 0,
        "words": [],
    }
