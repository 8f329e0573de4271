"""Tools that a connection's credential may not use, as its last good test found them.

They are stored with the connection, so that its tenant's snapshot leaves them out of lists and
refuses their calls without asking anybody. It is a help, not a wall: the system itself refuses.
"""

from collections.abc import Mapping
from typing import Any, Final

from audit.services import record_change
from common.redaction import redact_text
from common.text import clean_text
from connectors.base import Connector
from connectors.models import Connection
from connectors.registry import UnknownConnectorError, connector_class
from tenants.changes import tenant_changed
from tenants.principals import Actor

MOST: Final = 300  # tools of one connection
LONGEST: Final = 120  # characters of a right's name
HIDDEN: Final = "hidden_tools"  # where a test's details tell it


def lacking(cls: type[Connector], details: Mapping[str, Any]) -> dict[str, str]:
    """The connector's own tools among those that a test's details name, each with the right it lacks.

    ``details["hidden_tools"]`` is a mapping of a tool's name to a right or a list of rights, or
    a list of names where the right is not known (an empty text here). Anything else says nothing.
    """
    told = details.get(HIDDEN)
    if isinstance(told, list | tuple | set | frozenset):
        told = dict.fromkeys((name for name in told if isinstance(name, str)), "")
    if not isinstance(told, Mapping):
        return {}
    names = sorted(name for name in told if name in cls.tools)[:MOST]
    return {name: _right(told[name]) for name in names}


def keep_lacking(connection: Connection, details: Mapping[str, Any], version: int | None) -> None:
    """Store what a good test found, in the transaction of the caller, who holds the connection's row.

    ``version`` is the connection's version that was tested: of an older one, with a credential
    or settings that are gone, nothing is kept. Where callers bring or have credentials of their
    own, one test says nothing of the others.
    """
    own = connection.credential_mode == Connection.CredentialMode.PRINCIPAL or connection.caller_token
    if own or version != connection.version:
        return
    try:
        cls = connector_class(connection.connector)
    except UnknownConnectorError:
        return
    found, former = lacking(cls, details), dict(connection.hidden_tools)
    if found == former:
        return
    connection.hidden_tools = found
    connection.save(update_fields=["hidden_tools"])
    tenant_changed(connection.tenant_id)
    record_change(
        tenant=connection.tenant,
        actor=Actor.system("connection test"),
        name=f"connection.hidden_tools {connection.slug}",
        before={HIDDEN: former},
        after={HIDDEN: found},
        connection=connection.slug,
    )


def _right(told: Any) -> str:
    rights = told if isinstance(told, list | tuple) else [told]
    return clean_text(redact_text(", ".join(str(right) for right in rights if right)), LONGEST)
