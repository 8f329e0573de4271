"""Warm-ups: calls made beforehand on a schedule, so that the cache has their answers."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from common.limits import take
from connectors import services
from connectors.models import Connection, WarmUp
from connectors.warming import RUNS_NOW, RUNS_NOW_S, run_now
from portico.api.idempotency import idempotent
from portico.api.views import View, one, said
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Role


class WarmUpSerializer(serializers.ModelSerializer[WarmUp]):
    """A warm-up and how its last run ended; times in UTC."""

    connection = serializers.CharField(source="connection.slug")

    class Meta:
        model = WarmUp
        fields = [
            "id", "connection", "tool", "arguments", "schedule", "enabled", "next_at", "last_at", "last_ok",
            "last_message", "last_duration_ms", "created_at",
        ]  # fmt: skip


class WarmUpChange(serializers.Serializer[Any]):
    """What may change of a warm-up; its connection does not."""

    tool = serializers.CharField(
        max_length=48, required=False, help_text="The tool's own name, without the connection before it."
    )
    arguments = serializers.DictField(required=False)
    schedule = serializers.CharField(
        max_length=100,
        required=False,
        help_text="Minute, hour, day of the month, month, day of the week, as cron writes them, "
        "in the tenant's time zone.",
    )
    enabled = serializers.BooleanField(required=False)


class WarmUpWrite(WarmUpChange):
    """A new warm-up of a connection, named by its slug."""

    connection = serializers.CharField(max_length=14)
    tool = serializers.CharField(max_length=48)


class WarmUpView(View):
    """Shared by the views of warm-ups."""

    def rows(self, tenant: Tenant) -> Any:
        """A tenant's warm-ups."""
        return WarmUp.objects.for_tenant(tenant).select_related("tenant", "connection")

    def warm_up(self, slug: str, pk: Any) -> WarmUp:
        """The warm-up of the path."""
        found: WarmUp = one(self.rows(self.tenant(slug, Role.ADMIN)), pk=pk)
        return found


class WarmUps(WarmUpView):
    """The warm-ups of a tenant."""

    @extend_schema(operation_id="warm_ups_list", responses=WarmUpSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List warm-ups."""
        return self.page(
            self.rows(self.tenant(slug, Role.ADMIN)).order_by("created_at", "pk"), WarmUpSerializer
        )

    @extend_schema(operation_id="warm_ups_create", request=WarmUpWrite, responses={201: WarmUpSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Have a reading tool called on a schedule."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(WarmUpWrite, request)
        connection = Connection.objects.for_tenant(tenant).filter(slug=values.pop("connection")).first()
        if connection is None:
            raise InvalidValue("There is no such connection.", "connection")
        row = services.warm_up_create(
            tenant=tenant, connection=connection, actor=self.access().actor, **values
        )
        return Response(WarmUpSerializer(row).data, status=201)


class WarmUpDetail(WarmUpView):
    """One warm-up."""

    @extend_schema(operation_id="warm_ups_get", responses=WarmUpSerializer)
    def get(self, request: Request, slug: str, pk: Any) -> Response:
        """Show a warm-up and how its last run ended."""
        return Response(WarmUpSerializer(self.warm_up(slug, pk)).data)

    @extend_schema(operation_id="warm_ups_patch", request=WarmUpChange, responses=WarmUpSerializer)
    def patch(self, request: Request, slug: str, pk: Any) -> Response:
        """Change a warm-up."""
        row = self.warm_up(slug, pk)
        row = services.warm_up_update(row, actor=self.access().actor, **said(WarmUpChange, request))
        return Response(WarmUpSerializer(row).data)

    @extend_schema(operation_id="warm_ups_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: Any) -> Response:
        """Take a warm-up away; what the cache has stays there for its time."""
        services.warm_up_delete(self.warm_up(slug, pk), actor=self.access().actor)
        return Response(status=204)


class WarmUpRun(WarmUpView):
    """Running a warm-up now."""

    @extend_schema(operation_id="warm_ups_run", request=None, responses=WarmUpSerializer)
    def post(self, request: Request, slug: str, pk: Any) -> Response:
        """Make a run at once, wait for it, and show how it ended; the schedule stays as it is.

        At most ten a minute for a tenant (429), and none while this warm-up runs already (409).
        """
        row = self.warm_up(slug, pk)
        if wait := take(RUNS_NOW, RUNS_NOW_S, row.tenant_id.hex, "warm-up-now"):
            raise Throttled(wait)
        run_now(row)
        row.refresh_from_db()
        return Response(WarmUpSerializer(row).data)
