"""A store to call tools on, the way the pipeline does: arguments checked, results held to their schema."""

from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest

from common.db import in_db
from connectors.errors import ConnectorError
from connectors.providers.goals.connector import Goals
from tests.factories import make_connection, make_tenant
from tests.providers.context import FakeContext, ref_of


@dataclass
class Store:
    """A goals connection and a caller of it."""

    connector: Goals
    ctx: FakeContext

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; its arguments and its result must fit its schemas."""
        spec = self.connector.tools[tool]
        jsonschema_rs.validate(spec.input_schema, arguments)
        model = spec.arguments.model_validate(arguments)
        values = {name: getattr(model, name) for name in model.model_fields_set}
        result = await getattr(self.connector, spec.method)(self.ctx, **values)
        assert spec.output_schema is not None
        jsonschema_rs.validate(spec.output_schema, result)
        return result

    async def refused(self, tool: str, **arguments: Any) -> ConnectorError:
        """The error of a call that must fail."""
        with pytest.raises(ConnectorError) as caught:
            await self.call(tool, **arguments)
        return caught.value

    async def goal(self, **arguments: Any) -> str:
        """Make a goal and return its id."""
        made = await self.call("create_goal", **{"description": "Ship the release", **arguments})
        return str(made["id"])

    async def example(self) -> tuple[str, dict[str, str]]:
        """The plan of the catalogue: research; design; backend and frontend; tests."""
        goal = await self.goal()
        made = await self.call("break_down_goal", goal_id=goal, subtasks=EXAMPLE)
        return goal, made["ids"]

    def as_somebody_else(self) -> "Store":
        """The same connection, called by another principal."""
        return Store(self.connector, FakeContext(self.ctx.row, principal_name="another"))

    async def statuses(self, goal: str) -> dict[str, str]:
        """The state of each task of a goal by its title."""
        return {
            task["title"]: task["status"]
            for task in (await self.call("get_goal", goal_id=goal)).get("tasks", ())
        }


EXAMPLE = [
    {"id": "research", "title": "Research", "description": "Find out", "estimate": 4},
    {
        "id": "design",
        "title": "Design",
        "description": "Draw it",
        "dependencies": ["research"],
        "estimate": "1d",
    },
    {
        "id": "backend",
        "title": "Backend",
        "description": "Build it",
        "dependencies": ["design"],
        "estimate": "3d",
    },
    {
        "id": "frontend",
        "title": "Frontend",
        "description": "Show it",
        "dependencies": ["Design"],
        "estimate": 10,
    },
    {
        "id": "tests",
        "title": "Tests",
        "description": "Prove it",
        "dependencies": [2, "frontend"],
        "estimate": "90m",
    },
]


def new_store(tenant: Any = None, slug: str = "goals") -> Store:
    """A connection of its own, in a tenant of its own unless one is given."""
    row = make_connection(tenant or make_tenant(), "goals", slug=slug)
    return Store(Goals(ref_of(row), Goals.Settings()), FakeContext(row))


async def another_store(tenant: Any = None, slug: str = "goals") -> Store:
    """As new_store, from a test that runs on the event loop."""
    return await in_db(new_store, tenant, slug)


@pytest.fixture
def store() -> Store:
    return new_store()
