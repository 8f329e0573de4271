"""Which MCP clients speak to a tenant."""

from datetime import UTC, datetime
from typing import Any

import redis
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mcp_endpoint.client_counts import KEPT_DAYS, ClientCount, clients_of
from portico.api.errors import Problem
from portico.api.views import View
from tenants.errors import InvalidValue
from tenants.principals import Role

DEFAULT_DAYS = 30
DAYS = OpenApiParameter(
    "days",
    int,
    description=f"How many days, today (UTC) included: 1 to {KEPT_DAYS}, {DEFAULT_DAYS} by default.",
)


class ClientSerializer(serializers.Serializer[ClientCount]):
    """A client by what it says of itself; the empty text where it says nothing."""

    name = serializers.CharField(help_text="'other' without a revision: all beyond 200 clients in a day.")
    version = serializers.CharField()
    revision = serializers.CharField(help_text="The protocol's revision that it speaks.")
    transport = serializers.CharField(help_text="http, sse or stdio.")
    requests = serializers.IntegerField()
    calls = serializers.IntegerField(help_text="Requests that called a tool.")
    errors = serializers.IntegerField(  # type: ignore[assignment]
        help_text="Requests that ended in an error, failed tools among them."
    )
    last_seen = serializers.SerializerMethodField()

    def get_last_seen(self, row: ClientCount) -> datetime:
        """To the second."""
        return datetime.fromtimestamp(row.last_seen, UTC)


class Clients(View):
    """The clients of a tenant."""

    @extend_schema(operation_id="clients_list", parameters=[DAYS], responses=ClientSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List clients by name, version, revision and transport, the latest seen first; seconds late."""
        tenant = self.tenant(slug, Role.ADMIN)
        try:
            rows: Any = clients_of(tenant.pk, days=_days(request.query_params.get("days", "")))
        except redis.RedisError as error:
            raise Problem(
                503, "Not available", "Redis, which counts the clients, does not answer."
            ) from error
        return self.page(rows, ClientSerializer)


def _days(text: str) -> int:
    if not text:
        return DEFAULT_DAYS
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not 1 <= int(text) <= KEPT_DAYS:
        raise InvalidValue(f"Write a whole number from 1 to {KEPT_DAYS}.", "days")
    return int(text)
