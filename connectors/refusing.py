"""Why a tool is refused: for the audit always, for the caller where that helps."""

from typing import Any

from connectors.call_info import CallInfo
from connectors.catalogue import explain, tool_subject
from connectors.errors import NotPermitted
from connectors.recording import record_refused
from connectors.snapshot import TenantSnapshot, ToolEntry
from tenants.principals import Caller


async def refuse(
    snapshot: TenantSnapshot, caller: Caller, name: str, arguments: dict[str, Any], info: CallInfo
) -> NotPermitted | None:
    """Write why a caller's catalogue does not have a tool.

    An error where the caller may use it and only the connection's credential may not; None
    where an unknown and a forbidden tool have to look the same.
    """
    entry = snapshot.tools.get(name) or snapshot.aliases.get(name)
    if entry is None:
        await record_refused(caller, info, name, "", "There is no such tool.", arguments)
        return None
    decision = explain(snapshot, caller, entry.connection, tool_subject(entry))
    await record_refused(caller, info, entry.spec.name, entry.connection.ref.slug, decision.reason, arguments)
    return _credential_lacks(entry) if decision.credential_lacks else None


def _credential_lacks(entry: ToolEntry) -> NotPermitted:
    view = entry.connection
    right = view.rules.lacking.get(entry.spec.name, "")
    return NotPermitted(
        f"The credential of the connection {view.ref.slug} lacks a right that {entry.name} needs"
        f"{f': {right}' if right else ''}. Nothing was sent.",
        code="missing_right",
        hint=f"Ask an admin to give it this right in {view.connector.title} and to test the connection "
        "again: the tool is back once the test finds the right.",
        details={"missing_right": right} if right else {},
    )
