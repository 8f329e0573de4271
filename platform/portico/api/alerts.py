"""Alert targets: who is told when a connection fails or works again."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from common.limits import take
from connectors.alerts import services
from connectors.models import AlertDelivery, AlertTarget
from portico.api.idempotency import idempotent
from portico.api.views import View, one_by_id, said
from tenants.principals import Role

LATEST = 50
TESTS, TESTS_S = 10, 60  # of one tenant


class AlertTargetSerializer(serializers.ModelSerializer[AlertTarget]):
    """A target; a webhook's signing secret is never part of it."""

    class Meta:
        model = AlertTarget
        fields = ["id", "kind", "name", "address", "enabled", "created_at"]


class NewAlertTarget(AlertTargetSerializer):
    """A target just made, with the signing secret (of webhooks) that is never shown again."""

    secret = serializers.CharField()

    class Meta(AlertTargetSerializer.Meta):
        fields = [*AlertTargetSerializer.Meta.fields, "secret"]


class AlertTargetWrite(serializers.Serializer[Any]):
    """Whom to tell, and how."""

    kind = serializers.ChoiceField(choices=AlertTarget.Kind.choices)
    name = serializers.CharField(max_length=80)
    address = serializers.CharField(max_length=500, help_text="An https URL, or an e-mail address.")
    enabled = serializers.BooleanField(required=False)


class AlertTargetChange(serializers.Serializer[Any]):
    """What may change of a target; its kind never does."""

    name = serializers.CharField(max_length=80, required=False)
    address = serializers.CharField(max_length=500, required=False)
    enabled = serializers.BooleanField(required=False)


class SecretSerializer(serializers.Serializer[Any]):
    """A signing secret, shown this once."""

    secret = serializers.CharField()


class TestSerializer(serializers.Serializer[Any]):
    """How a test went; ``error`` is empty where it arrived."""

    ok = serializers.BooleanField()
    error = serializers.CharField()


class DeliverySerializer(serializers.ModelSerializer[AlertDelivery]):
    """One change told to one target; ``id`` is the webhook's ``webhook-id``."""

    connection = serializers.CharField(source="change.connection.slug")
    former = serializers.CharField(source="change.former")
    state = serializers.CharField(source="change.state")

    class Meta:
        model = AlertDelivery
        fields = [
            "id", "connection", "former", "state", "status", "attempts", "next_try_at", "last_error",
            "created_at", "done_at",
        ]  # fmt: skip


class AlertView(View):
    """Shared by the views of one target."""

    def target(self, slug: str, pk: Any) -> AlertTarget:
        """The target of the path, for admins."""
        found: AlertTarget = one_by_id(AlertTarget, self.tenant(slug, Role.ADMIN), pk)
        return found


class AlertTargets(View):
    """The alert targets of a tenant."""

    @extend_schema(operation_id="alert_targets_list", responses=AlertTargetSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List alert targets."""
        rows = AlertTarget.objects.for_tenant(self.tenant(slug, Role.ADMIN)).order_by("name", "pk")
        return self.page(rows, AlertTargetSerializer)

    @extend_schema(
        operation_id="alert_targets_create", request=AlertTargetWrite, responses={201: NewAlertTarget}
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Have somebody told; a webhook's signing secret is in this answer and never shown again."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(AlertTargetWrite, request)
        row, secret = services.alert_target_create(tenant=tenant, actor=self.access().actor, **values)
        return Response({**AlertTargetSerializer(row).data, "secret": secret}, status=201)


class AlertTargetDetail(AlertView):
    """One alert target."""

    @extend_schema(operation_id="alert_targets_get", responses=AlertTargetSerializer)
    def get(self, request: Request, slug: str, pk: Any) -> Response:
        """Show a target."""
        return Response(AlertTargetSerializer(self.target(slug, pk)).data)

    @extend_schema(
        operation_id="alert_targets_patch", request=AlertTargetChange, responses=AlertTargetSerializer
    )
    def patch(self, request: Request, slug: str, pk: Any) -> Response:
        """Change a target."""
        row = self.target(slug, pk)
        row = services.alert_target_update(row, actor=self.access().actor, **said(AlertTargetChange, request))
        return Response(AlertTargetSerializer(row).data)

    @extend_schema(operation_id="alert_targets_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: Any) -> Response:
        """Remove a target with the record of what it was told."""
        services.alert_target_delete(self.target(slug, pk), actor=self.access().actor)
        return Response(status=204)


class AlertTargetSecret(AlertView):
    """A webhook's signing secret."""

    @extend_schema(operation_id="alert_targets_secret", request=None, responses=SecretSerializer)
    def post(self, request: Request, slug: str, pk: Any) -> Response:
        """Make a new signing secret; the former one signs nothing more."""
        return Response(
            {"secret": services.alert_secret_renew(self.target(slug, pk), actor=self.access().actor)}
        )


class AlertTargetTest(AlertView):
    """A test of a target."""

    @extend_schema(operation_id="alert_targets_test", request=None, responses=TestSerializer)
    def post(self, request: Request, slug: str, pk: Any) -> Response:
        """Send a test alert now and tell how it went."""
        row = self.target(slug, pk)
        if wait := take(TESTS, TESTS_S, row.tenant_id.hex, "alert-test"):
            raise Throttled(wait)
        tried = services.alert_target_test(row, actor=self.access().actor)
        return Response({"ok": tried.ok, "error": tried.error})


class AlertTargetDeliveries(AlertView):
    """What a target was told."""

    @extend_schema(operation_id="alert_deliveries_list", responses=DeliverySerializer(many=True))
    def get(self, request: Request, slug: str, pk: Any) -> Response:
        """List the last 50 deliveries, newest first."""
        return Response(DeliverySerializer(deliveries_of(self.target(slug, pk)), many=True).data)


def deliveries_of(target: AlertTarget) -> Any:
    """The last deliveries to a target with their changes, newest first."""
    rows = AlertDelivery.objects.for_tenant(target.tenant_id).filter(target=target)
    return rows.select_related("change__connection").order_by("-created_at")[:LATEST]
