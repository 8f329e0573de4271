import asyncio

import pytest

from connectors.base import Connector, Context, tool
from connectors.deadlines import Deadline, stop_running
from connectors.errors import ServerStopping
from tests.mcp_endpoint.speak import eventually

LITERAL = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "properties": {"phone": {"type": "string", "title": "Phone"}, "email": {"type": "string"}},
    "anyOf": [{"required": ["phone"]}, {"required": ["email"]}],
    "additionalProperties": False,
}


async def test_a_method_that_takes_too_long_times_out():
    with pytest.raises(TimeoutError):
        async with Deadline(0.01):
            await asyncio.sleep(10)


async def test_a_stopping_server_ends_what_runs_with_an_error_of_its_own():
    begun = []

    async def work() -> str:
        async with Deadline(30):
            begun.append(1)
            await asyncio.sleep(30)
        return "done"

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    await eventually(lambda: len(begun) == 3)
    assert stop_running() >= 3
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [ServerStopping] * 3
    assert not any(task.cancelled() for task in tasks)


async def test_a_client_that_gives_up_while_the_server_stops_is_still_one_that_gave_up():
    begun = asyncio.Event()

    async def work() -> None:
        async with Deadline(30):
            begun.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(work())
    await begun.wait()
    stop_running()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_tool_may_state_its_schema_word_for_word():
    class Literal(Connector):
        slug, title, description = "literal", "Literal", "For this test."

        @tool(title="Reach", hint="R", input_schema=LITERAL)
        async def reach(self, ctx: Context, phone: str = "", email: str = "") -> str:
            """Reach somebody."""
            return phone or email

    assert Literal.tools["reach"].input_schema == {"type": "object", **LITERAL}

    with pytest.raises(TypeError, match="object"):

        class Wrong(Connector):
            slug, title, description = "wrong", "Wrong", "For this test."

            @tool(title="Reach", hint="R", input_schema={"type": "array"})
            async def reach(self, ctx: Context) -> str:
                """Reach somebody."""
                return ""
