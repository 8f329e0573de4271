"""Kept results over the API: an admin has them forgotten."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import services
from connectors.models import Connection
from portico.api.views import View, one, said
from tenants.principals import Role


class CacheClearWrite(serializers.Serializer[Any]):
    """Whose kept results are forgotten; without a connection all of the tenant's."""

    tenant = serializers.CharField(max_length=40)
    connection = serializers.CharField(max_length=14, required=False)


class CacheCleared(serializers.Serializer[Any]):
    """How many results were deleted."""

    forgotten = serializers.IntegerField()


class CacheClear(View):
    """Forgetting kept results."""

    @extend_schema(operation_id="cache_clear", request=CacheClearWrite, responses=CacheCleared)
    def post(self, request: Request) -> Response:
        """Forget the kept results of a tenant or of one connection, in every process at once."""
        values = said(CacheClearWrite, request)
        tenant = self.tenant(values["tenant"], Role.ADMIN)
        connection = None
        if "connection" in values:
            connection = one(Connection.objects.for_tenant(tenant), slug=values["connection"])
        forgotten = services.cache_clear(tenant, connection, actor=self.access().actor)
        return Response({"forgotten": forgotten})
