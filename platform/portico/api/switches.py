"""The tools of a connection, and their switches."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import services
from connectors.permissions import Subject, switch_step
from connectors.snapshot import load
from portico.api.connections import ConnectionView
from portico.api.errors import Problem
from portico.api.tools import ToolSerializer
from portico.api.views import said


class SwitchWrite(serializers.Serializer[Any]):
    """On, off, or null for the default."""

    enabled = serializers.BooleanField(allow_null=True)


class ConnectionTools(ConnectionView):
    """The tools of a connection with their switches."""

    @extend_schema(operation_id="connection_tools_list", responses=ToolSerializer(many=True))
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the connection's tools."""
        row = self.connection(slug, name)
        view = load(row.tenant_id).connection(row.slug)
        if view is None:
            raise Problem(409, "Not installed", f"The connector {row.connector} is not installed here.")
        return Response(
            [
                {
                    "name": spec.name,
                    "exposed_name": view.exposed(spec.name),
                    "title": spec.title,
                    "description": spec.description,
                    "toolset": spec.toolset,
                    "hint": spec.hint,
                    "enabled": switch_step(
                        view.rules, Subject(spec.name, spec.writes, spec.toolset, spec.default_on)
                    ).allowed,
                    "input_schema": spec.input_schema,
                }
                for spec in view.connector.tools.values()
            ]
        )


class ToolSwitchDetail(ConnectionView):
    """One switch, of a tool or of a toolset."""

    @extend_schema(operation_id="switches_put", request=SwitchWrite, responses={204: None})
    def put(self, request: Request, slug: str, name: str, kind: str, target: str) -> Response:
        """Switch on or off, or back to the default with null."""
        row = self.connection(slug, name)
        values = said(SwitchWrite, request)
        chosen = {"tool": target} if kind == "tools" else {"toolset": target}
        services.switch_set(row, actor=self.access().actor, enabled=values["enabled"], **chosen)
        return Response(status=204)
