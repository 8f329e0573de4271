"""How much a tenant uses, counted from its audit."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.usage import WAYS, Period, Use, total_of, usage_of
from portico.api.views import View
from portico.usage_file import csv_of
from tenants.errors import InvalidValue
from tenants.principals import Role


class UseSerializer(serializers.Serializer[Any]):
    """The calls of a day, tool, connection or principal."""

    key = serializers.CharField(help_text="The day, connection:tool, the connection, or the principal's id.")
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="The same in people's words."
    )
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    denied = serializers.IntegerField()
    cached = serializers.IntegerField(help_text="Calls that were answered with a kept result.")
    mean_ms = serializers.FloatField(help_text="Milliseconds of a call, on average.")


class UsageSerializer(serializers.Serializer[Any]):
    """A period's use; its days are those of the tenant's time zone."""

    first = serializers.DateField()
    last = serializers.DateField()
    by = serializers.ChoiceField(choices=list(WAYS))
    total = UseSerializer()
    rows = UseSerializer(many=True)


def shown(use: Use) -> dict[str, Any]:
    """A row as the API shows it."""
    return {
        "key": use.key, "label": use.label, "calls": use.calls, "errors": use.errors, "denied": use.denied,
        "cached": use.cached, "mean_ms": use.mean_ms,
    }  # fmt: skip


class Usage(View):
    """A tenant's use."""

    @extend_schema(
        operation_id="usage_get",
        parameters=[
            OpenApiParameter(
                "from", OpenApiTypes.DATE, description="First day; 29 days before the last one."
            ),
            OpenApiParameter("to", OpenApiTypes.DATE, description="Last day, included; today."),
            OpenApiParameter("by", str, enum=list(WAYS), description="What is summed up; day."),
            OpenApiParameter("format", str, enum=["json", "csv"]),
        ],
        responses=UsageSerializer,
    )
    def get(self, request: Request, slug: str) -> Response | HttpResponse:
        """Sum up calls; counts are a few minutes behind."""
        tenant = self.tenant(slug, Role.ADMIN)
        asked = request.query_params
        period = Period.read(tenant, asked.get("from"), asked.get("to"))
        by, form = asked.get("by", "day"), asked.get("format", "json")
        if form not in ("json", "csv"):
            raise InvalidValue("Write format=json or format=csv.", "format")
        uses = usage_of(tenant, period, by)
        if form == "csv":
            return csv_of(tenant, period, by, uses)
        return Response(
            {
                "first": period.first,
                "last": period.last,
                "by": by,
                "total": shown(total_of(uses)),
                "rows": [shown(use) for use in uses],
            }
        )
