"""News of resources: a connector says that one changed, and every worker tells its subscribers.

Say it after the change was committed. It is news, not a store: who is not listening misses it,
and whoever hears it reads the resource again with its own rights.
"""

from typing import Any, Final
from uuid import UUID

from django.db import transaction

from common.bus import bus
from connectors.base import ConnectionRef

KIND: Final = "resource"


def resource_updated(connection: ConnectionRef, uri: str) -> None:
    """Tell that a resource of a connection changed; for threads and Celery.

    ``uri`` is what the connector's own methods know it by, without the connection's slug.
    """
    bus.publish(connection.tenant_id, KIND, _body(connection, uri))


async def resource_updated_async(connection: ConnectionRef, uri: str) -> None:
    """As :func:`resource_updated`, from the event loop."""
    await bus.publish_async(connection.tenant_id, KIND, _body(connection, uri))


def resource_updated_on_commit(connection: ConnectionRef, *uris: str) -> None:
    """As :func:`resource_updated` for each URI, once the surrounding transaction is committed."""

    def tell() -> None:
        for uri in uris:
            resource_updated(connection, uri)

    transaction.on_commit(tell, robust=True)


def _body(connection: ConnectionRef, uri: str) -> dict[str, Any]:
    return {"connection": connection.id.hex, "uri": uri}


def read(body: dict[str, Any]) -> tuple[UUID, str] | None:
    """The connection and the URI of a message on the bus, None where it holds none."""
    try:
        return UUID(body["connection"]), str(body["uri"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
