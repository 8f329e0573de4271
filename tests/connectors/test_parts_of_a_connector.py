from typing import Any

from connectors.base import Connector, Context, prompt, resource, tool


class Reading(Connector):
    @tool(title="Read", hint="R")
    async def parts_read(self, ctx: Context) -> dict[str, Any]:
        """Read."""
        return {}

    @resource("parts://all", title="All")
    async def everything(self, ctx: Context) -> dict[str, Any]:
        """All of it."""
        return {}


class Writing(Connector):
    @tool(title="Write", hint="W")
    async def parts_write(self, ctx: Context) -> dict[str, Any]:
        """Write."""
        return {}

    @prompt("parts-prompt", title="A prompt")
    async def ask(self, ctx: Context) -> str:
        """Ask."""
        return ""


class Parts(Reading, Writing):
    slug = "parts"
    title = "Parts"
    description = "Put together."

    @tool(title="Read better", hint="R", name="parts_read")
    async def better(self, ctx: Context) -> dict[str, Any]:
        """Read better."""
        return {}


def test_a_connector_has_the_tools_resources_and_prompts_of_all_its_classes_and_its_own_win():
    assert set(Parts.tools) == {"parts_read", "parts_write"}
    assert Parts.tools["parts_read"].title == "Read better"
    assert [spec.uri for spec in Parts.resources] == ["parts://all"]
    assert set(Parts.prompts) == {"parts-prompt"}
    assert set(Reading.tools) == {"parts_read"}
