"""The connectors that tenants can be connected to."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.base import Connector
from connectors.registry import UnknownConnectorError, connector_class, connector_slugs
from portico.api.views import View


class ConnectorTypeSerializer(serializers.Serializer[Any]):
    """A connector that tenants can be connected to, with the JSON Schemas of its forms."""

    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    built_in = serializers.BooleanField()
    settings_schema = serializers.DictField()
    credential_schema = serializers.DictField(allow_null=True)
    tools = serializers.ListField(child=serializers.DictField())


class ConnectorTypes(View):
    """The connectors there are."""

    @extend_schema(operation_id="connector_types_list", responses=ConnectorTypeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List connectors with the JSON Schemas of their settings and credentials."""
        return Response([type_of(slug) for slug in connector_slugs()])


class ConnectorType(View):
    """One connector."""

    @extend_schema(operation_id="connector_types_get", responses=ConnectorTypeSerializer)
    def get(self, request: Request, connector: str) -> Response:
        """Show a connector."""
        try:
            return Response(type_of(connector))
        except UnknownConnectorError as error:
            raise Http404 from error


def type_of(slug: str) -> dict[str, Any]:
    """A connector class as the API shows it."""
    cls: type[Connector] = connector_class(slug)
    return {
        "slug": slug,
        "title": cls.title,
        "description": cls.description,
        "version": cls.version,
        "built_in": cls.built_in,
        "settings_schema": cls.Settings.model_json_schema(),
        "credential_schema": cls.Credentials.model_json_schema() if cls.Credentials else None,
        "tools": [
            {"name": spec.name, "title": spec.title, "toolset": spec.toolset, "hint": spec.hint}
            for spec in cls.tools.values()
        ],
    }
