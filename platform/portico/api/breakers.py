"""The breakers of a connection over the API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.services.breakers import breakers_reset
from portico.api.connections import ConnectionView


class BreakersClosed(serializers.Serializer[Any]):
    """How many breakers were open."""

    closed = serializers.IntegerField()


class BreakerReset(ConnectionView):
    """Closing a connection's breakers."""

    @extend_schema(operation_id="breaker_reset", request=None, responses=BreakersClosed)
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Let the next call through, whosever credential it has; doing it again changes nothing."""
        row = self.connection(slug, name)
        return Response({"closed": breakers_reset(row, actor=self.access().actor)})
