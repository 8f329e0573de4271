"""The fixture connectors of the conformance suite; installed by test settings alone."""

import asyncio
from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.db import in_db
from connectors import services
from connectors.asking import Answer, CapabilityMissing, Elicit
from connectors.base import Connector, Context, prompt, tool
from connectors.errors import Conflict
from connectors.models import Connection, ToolSwitch
from tenants.principals import Actor
from tests.conformance.questions import Questions, form, name_form

Seconds = Annotated[float, Field(ge=0, le=300)]


class Fixtures(Questions):
    """What the suite calls by name."""

    slug = "fixtures"
    title = "Fixtures"
    description = "What the conformance suite calls."
    built_in = True

    @tool(title="Change the tools", hint="W")
    async def test_trigger_tool_change(self, ctx: Context) -> str:
        """Switches another tool on or off, as an admin would."""
        await in_db(_flip_tool, ctx.connection.tenant_id, ctx.connection.id)
        return "tool list changed"

    @tool(title="Change the prompts", hint="W")
    async def test_trigger_prompt_change(self, ctx: Context) -> str:
        """Enables or disables a connection whose only content is a prompt, as an admin would."""
        await in_db(_flip_connection, ctx.connection.tenant_id)
        return "prompt list changed"

    @tool(title="Dynamic", hint="R", toolset="dynamic")
    async def test_dynamic_tool(self, ctx: Context) -> str:
        """Comes and goes."""
        return "dynamic"

    @tool(title="Greet", hint="R")
    async def greet(self, ctx: Context, name: str) -> str:
        """Greets at once."""
        return f"Hello, {name}!"

    @tool(title="Compute slowly", hint="R", long_running=True, timeout=300)
    async def slow_compute(self, ctx: Context, seconds: Seconds, label: str = "") -> str:
        """Takes its time."""
        await asyncio.sleep(seconds)
        return f"Computed {label} in {seconds:g} seconds."

    @tool(title="Fail", hint="R", task="must")
    async def failing_job(self, ctx: Context) -> str:
        """Always fails."""
        raise Conflict("This job always fails.")

    @tool(title="Fail in the protocol", hint="R", long_running=True)
    async def protocol_error_job(self, ctx: Context) -> str:
        """Ends in an error of the protocol, not in a result."""
        raise CapabilityMissing({"sampling": {}})

    @tool(title="Delete after a question", hint="D", long_running=True)
    async def confirm_delete(self, ctx: Context, filename: str) -> str:
        """Asks before it deletes (nothing)."""
        answer = await ctx.elicit(f"Delete {filename}?", form(confirm="boolean"), key="confirm")
        return f"Deleted {filename}." if answer.content.get("confirm") else f"Kept {filename}."

    @tool(title="Ask two things", hint="R", long_running=True)
    async def multi_input(self, ctx: Context) -> str:
        """Asks two things at once."""
        answers = await ctx.ask({"name": name_form(), "confirm": Elicit("Go on?", form(confirm="boolean"))})
        return f"Received {', '.join(sorted(answers))}."

    @tool(title="Ask, then work", hint="R", task="must", ask_first=True)
    async def test_tool_with_task(self, ctx: Context) -> str:
        """Asks for a name before there is a task."""
        answers = await ctx.ask({"user_name": name_form()})
        return f"Hello, {Answer.of(answers['user_name']).content.get('name', 'stranger')}!"


class Dynamic(Connector):
    """A connection that comes and goes with its prompt."""

    slug = "dynamic"
    title = "Dynamic"
    description = "A prompt that comes and goes."
    built_in = True

    @prompt("test_dynamic_prompt", title="Dynamic")
    async def dynamic(self, ctx: Context) -> str:
        """Comes and goes."""
        return "dynamic"


def _flip_tool(tenant_id: UUID, connection_id: UUID) -> None:
    connection = Connection.objects.for_tenant(tenant_id).get(pk=connection_id)
    switch = (
        ToolSwitch.objects.for_tenant(tenant_id)
        .filter(connection=connection, tool="test_dynamic_tool")
        .first()
    )
    services.switch_set(
        connection,
        tool="test_dynamic_tool",
        enabled=bool(switch and not switch.enabled),
        actor=Actor.system("conformance"),
    )


def _flip_connection(tenant_id: UUID) -> None:
    connection = Connection.objects.for_tenant(tenant_id).get(connector="dynamic")
    services.connection_update(connection, enabled=not connection.enabled, actor=Actor.system("conformance"))
