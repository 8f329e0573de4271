"""Reading and exporting a tenant's audit."""

from datetime import datetime
from typing import Any

from django.http import HttpResponseBase
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.export import FORMATS, streamed
from audit.models import AuditEvent, from_us
from audit.selectors import events_of
from portico.api.views import AuditPages, View
from tenants.errors import InvalidValue
from tenants.principals import Role

TEXTS = (
    "kind",
    "outcome",
    "connection",
    "name",
    "principal",
    "key_id",
    "call_id",
    "error_type",
    "via",
    "search",
)
PARAMETERS = [
    *(OpenApiParameter(name, str) for name in TEXTS),
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="Inclusive."),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Exclusive."),
]


class AuditSerializer(serializers.ModelSerializer[AuditEvent]):
    """An audit event."""

    at = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = [
            "seq", "at", "kind", "phase", "call_id", "principal_id", "principal_kind", "principal_name",
            "actor_id", "actor_name", "key_id", "via", "client_name", "client_version", "connection", "name",
            "arguments", "outcome", "error_type", "message", "duration_us", "cache", "upstream_status",
            "request_id", "trace_id", "address", "count", "hash",
        ]  # fmt: skip

    def get_at(self, row: AuditEvent) -> str:
        """When, in UTC."""
        return from_us(row.at_us).isoformat()


def filters_of(request: Request) -> dict[str, Any]:
    """The query's filters. Raises InvalidValue for a time that is none."""
    found: dict[str, Any] = {
        name: request.query_params[name].replace("\x00", "") for name in TEXTS if name in request.query_params
    }
    for name in ("since", "until"):
        if text := request.query_params.get(name):
            found[name] = _moment(name, text)
    return found


def _moment(name: str, text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidValue("Write a time such as 2026-01-31T08:00:00Z.", name)
    return make_aware(moment) if is_naive(moment) else moment


class Audit(View):
    """A tenant's audit events."""

    @extend_schema(operation_id="audit_list", parameters=PARAMETERS, responses=AuditSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List events, newest first."""
        tenant = self.tenant(slug, Role.ADMIN)
        return self.page(events_of(tenant, **filters_of(request)), AuditSerializer, AuditPages())


class AuditExport(View):
    """The audit as a file."""

    @extend_schema(
        operation_id="audit_export",
        parameters=[*PARAMETERS, OpenApiParameter("format", str, enum=FORMATS)],
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        """Stream all matching events, oldest first, as JSONL or CSV."""
        tenant = self.tenant(slug, Role.OWNER)
        kind = request.query_params.get("format", "jsonl")
        if kind not in FORMATS:
            raise InvalidValue(f"Write format={' or format='.join(FORMATS)}.", "format")
        return streamed(request._request, tenant, tenant.slug, kind, **filters_of(request))
