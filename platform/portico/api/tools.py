"""Calling a tenant's tools over plain HTTP: the same pipeline as MCP, with the same audit."""

import uuid
from typing import Any

from asgiref.sync import async_to_sync
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.asking import CapabilityMissing
from connectors.call_info import CallInfo
from connectors.catalogue import catalogue_of
from connectors.once import BAD_KEY, REPLAYED, is_key
from connectors.pipeline import UnknownTool, call_tool
from connectors.results import Audio, EmbeddedResource, Image, ResourceLink, Text
from connectors.snapshot import load
from portico.api.errors import Problem
from portico.api.idempotency import HEADER
from portico.api.views import View, said
from tenants.errors import InvalidValue
from tenants.models import Tenant


class ToolSerializer(serializers.Serializer[Any]):
    """A tool of a connection with its switch."""

    name = serializers.CharField()
    exposed_name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    toolset = serializers.CharField()
    hint = serializers.CharField()
    enabled = serializers.BooleanField()
    input_schema = serializers.DictField()


class CallWrite(serializers.Serializer[Any]):
    """A tool call. ``tenant`` is needed only by callers of several tenants at ``/api/call-tool``."""

    name = serializers.CharField(max_length=200)
    arguments = serializers.DictField(required=False, default=dict)
    tenant = serializers.CharField(max_length=40, required=False)
    confirm = serializers.BooleanField(
        required=False,
        default=False,
        help_text="That the person agreed to this very call; tools that demand it refuse without.",
    )


class CallResult(serializers.Serializer[Any]):
    """A tool's answer as MCP words it."""

    content = serializers.ListField(child=serializers.DictField())
    structured_content = serializers.JSONField(allow_null=True)
    is_error = serializers.BooleanField()
    meta = serializers.DictField()  # what MCP has in _meta: whether a kept result answered, and its age
    request_id = serializers.CharField()


class Tools(View):
    """What the caller may call."""

    @extend_schema(operation_id="tools_list", responses=ToolSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List the tools that this caller may call, as MCP's tools/list does."""
        tenant = self.tenant(slug)
        caller = self.access().caller_in(tenant)
        return Response(
            [
                {
                    "name": entry.spec.name,
                    "exposed_name": entry.name,
                    "title": entry.spec.title,
                    "description": entry.spec.description,
                    "toolset": entry.spec.toolset,
                    "hint": entry.spec.hint,
                    "enabled": True,
                    "input_schema": entry.spec.input_schema,
                }
                for entry in catalogue_of(load(tenant.pk), caller).tools
            ]
        )


class CallTool(View):
    """Calling a tool."""

    @extend_schema(operation_id="call_tool", request=CallWrite, responses=CallResult)
    def post(self, request: Request, slug: str = "") -> Response:
        """Call a tool. A failure of the tool is an answer with ``is_error``, as in MCP."""
        values = said(CallWrite, request)
        if slug and values.get("tenant", slug) != slug:
            raise InvalidValue("The tenant in the body differs from the one in the path.", "tenant")
        tenant = self._tenant(slug or values.get("tenant", ""))
        caller = self.access().caller_in(tenant)
        # The id of the log and of the answer's header: the client's own where that is short and plain.
        request_id = str(request.META.get("portico.request_id") or uuid.uuid4().hex)
        key = request.headers.get(HEADER, "")
        if key and not is_key(key):
            raise Problem(400, "Not valid", BAD_KEY, code="invalid")
        try:
            result = async_to_sync(call_tool)(
                caller,
                values["name"],
                values["arguments"],
                info=CallInfo(request_id=request_id, confirmed=values["confirm"], idempotency_key=key),
            )
        except CapabilityMissing as error:
            raise Problem(
                409,
                "Not over this way",
                "This tool needs a client that speaks MCP: it asks its client, or runs as a task.",
                code="capability_missing",
            ) from error
        except UnknownTool as error:
            raise Problem(
                404,
                "Unknown tool",
                f"There is no tool {values['name']!r} for this caller.",
                code="unknown_tool",
            ) from error
        return Response(
            {
                "content": [block(part) for part in result.content],
                "structured_content": result.structured,
                "is_error": result.is_error,
                "meta": {name: value for name, value in result.meta.items() if value is not None},
                "request_id": request_id,
            },
            headers={"Idempotency-Replayed": "true"} if REPLAYED.items() <= result.meta.items() else None,
        )

    def _tenant(self, slug: str) -> Tenant:
        if slug:
            return self.tenant(slug)
        own = list(self.access().tenants()[:2])
        if not own:
            raise Http404
        if len(own) > 1:
            raise InvalidValue("Name the tenant: this caller may use several.", "tenant")
        return self.tenant(own[0].slug)


def block(part: Any) -> dict[str, Any]:
    """A content block in MCP's words."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, (Image, Audio)):
        return {"type": type(part).__name__.lower(), "data": part.data, "mimeType": part.mime_type}
    if isinstance(part, ResourceLink):
        return {
            "type": "resource_link", "uri": part.uri, "name": part.name, "title": part.title or part.name,
            "mimeType": part.mime_type,
        }  # fmt: skip
    assert isinstance(part, EmbeddedResource)
    inner = part.contents
    body = {"text": inner.text} if inner.text is not None else {"blob": inner.blob}
    return {"type": "resource", "resource": {"uri": inner.uri, "mimeType": inner.mime_type, **body}}
