"""Flows: what the org's admins have automated, started from outside."""

import re
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.tidy import small, tidy, untrusted
from connectors.providers.salesforce.base import SalesforceBase, part
from connectors.providers.salesforce.faults import error_for, faults_of, said_of
from connectors.providers.salesforce.types import NAME
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

STATUS = "Flow__InterviewStatus"
# What a flow reads and changes is in the flow alone.
NEEDS_ALL = "flows touch whatever they were made for"
_FIND = "Setup > Flows lists the API names; the flow is autolaunched and active."


class FlowTools(SalesforceBase):
    """Autolaunched flows (Actions Developer Guide, "Flow Actions")."""

    # Without tags: nobody knows what a flow changes, so all that was read is read anew.
    @tool(title="Run a flow", hint="D", open_world=True, toolset="admin", default_on=False)
    async def salesforce_run_flow(
        self,
        ctx: Context,
        flow_name: Annotated[str, Field(pattern=NAME, description="API name of an autolaunched flow")],
        inputs: Annotated[
            dict[str, Any] | None, Field(max_length=100, description="The flow's input variables")
        ] = None,
    ) -> ToolResult:
        """Run a flow of the org, which may change anything."""
        self.allowed.demand_none(NEEDS_ALL)
        for name in inputs or ():
            if not re.fullmatch(NAME, name):
                raise InvalidInput(f"{name[:80]!r} is no variable's name.", code="INVALID_FIELD", hint=_FIND)
        request = Request(
            "POST", f"actions/custom/flow/{part(flow_name)}", Kind.ONCE, json={"inputs": [inputs or {}]},
            look_first="Look at the records that the flow changes before you run it again.",
        )  # fmt: skip
        answer, _ = await self._send(ctx, request, advise=_advice)
        if faults := faults_of(answer):
            raise error_for(str(faults[0].get("statusCode") or ""), "; ".join(map(said_of, faults[:10])))
        rows = answer.json()
        values = dict((rows[0] if isinstance(rows, list) and rows else {}).get("outputValues") or {})
        status = values.pop(STATUS, None)
        return untrusted(small(flow=flow_name, status=status, outputs=tidy(values)))


def _advice(said: str) -> str:
    return _FIND if "NOT_FOUND" in said else ""
