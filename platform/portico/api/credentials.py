"""The shared secrets of connections: written, never read."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import services
from connectors.models import Connection
from portico.api.connections import ConnectionView
from portico.api.views import said


class CredentialWrite(serializers.Serializer[Any]):
    """The fields of the connector's credential; empty ones keep what is stored."""

    values = serializers.DictField(write_only=True)


class CredentialState(serializers.Serializer[Any]):
    """Which fields are stored, never their values."""

    fields_set = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(
        child=serializers.CharField(),
        help_text="What the connector finds odd: a token of an unknown form, its near end. It is used all the same.",
    )


class Credential(ConnectionView):
    """A connection's shared secrets: written, never read."""

    @extend_schema(operation_id="credentials_get", responses=CredentialState)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Tell which fields are stored, and what is odd about them."""
        return self._told(self.connection(slug, name))

    @extend_schema(operation_id="credentials_put", request=CredentialWrite, responses=CredentialState)
    def put(self, request: Request, slug: str, name: str) -> Response:
        """Store secrets; fields that are empty or missing keep theirs. Says what is odd about them."""
        row = self.connection(slug, name)
        services.credential_set(row, said(CredentialWrite, request)["values"], actor=self.access().actor)
        return self._told(row)

    @extend_schema(operation_id="credentials_delete", responses={204: None})
    def delete(self, request: Request, slug: str, name: str) -> Response:
        """Forget the secrets."""
        services.credential_delete(self.connection(slug, name), actor=self.access().actor)
        return Response(status=204)

    def _told(self, row: Connection) -> Response:
        told = {"fields_set": services.credential_fields(row), "warnings": services.credential_warnings(row)}
        return Response(told)
