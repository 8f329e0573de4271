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


def resource_updated(connection: ConnectionRef, *uris: str) -> None:
    """Tell that resources of a connection changed; for threads and Celery.

    ``uris`` are what the connector's own methods know them by, without the connection's slug.
    """
    bus.publish(connection.tenant_id, KIND, _body(connection.id, uris))


async def resource_updated_async(connection: ConnectionRef, *uris: str) -> None:
    """As :func:`resource_updated`, from the event loop."""
    await bus.publish_async(connection.tenant_id, KIND, _body(connection.id, uris))


def updated_on_commit(tenant_id: UUID, connection_id: UUID, *uris: str) -> None:
    """As :func:`resource_updated`, once the surrounding transaction is committed."""

    def tell() -> None:
        bus.publish(tenant_id, KIND, _body(connection_id, uris))

    transaction.on_commit(tell, robust=True)  # the change stands, whether it could be told or not


def _body(connection_id: UUID, uris: tuple[str, ...]) -> dict[str, Any]:
    return {"connection": connection_id.hex, "uris": list(uris)}


def read(body: dict[str, Any]) -> list[tuple[UUID, str]]:
    """The connection and the URIs of a message on the bus, as pairs."""
    connection_id = UUID(body["connection"])
    return [(connection_id, str(uri)) for uri in body["uris"]]
