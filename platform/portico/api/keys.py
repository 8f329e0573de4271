"""The access keys of a tenant."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portico.api.idempotency import idempotent
from portico.api.members import ROLES, PrincipalSerializer
from portico.api.views import View, one, one_by_id, said
from tenants import services
from tenants.errors import InvalidValue
from tenants.models import AccessKey, Principal, ServiceAccount, Tenant
from tenants.principals import Role


class AccessKeySerializer(serializers.ModelSerializer[AccessKey]):
    """An access key; its secret is shown only when it is made."""

    principal = PrincipalSerializer(read_only=True)

    class Meta:
        model = AccessKey
        fields = [
            "id", "name", "principal", "allow", "deny", "read_only", "networks", "expires_at", "revoked_at",
            "last_used_at", "created_at",
        ]  # fmt: skip


class AccessKeyWrite(serializers.Serializer[Any]):
    """A key for a principal by id, or for a service account that is made if it does not exist."""

    name = serializers.CharField(max_length=80)
    principal = serializers.UUIDField(required=False)
    service_account = serializers.CharField(max_length=80, required=False)
    role = serializers.ChoiceField(choices=ROLES, required=False)
    allow = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    deny = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]
    networks = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class AccessKeyChange(serializers.Serializer[Any]):
    """What may change of a key."""

    name = serializers.CharField(max_length=80, required=False)
    allow = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    deny = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]
    networks = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class NewAccessKey(AccessKeySerializer):
    """A key just made, with the secret that is never shown again."""

    secret = serializers.CharField()

    class Meta(AccessKeySerializer.Meta):
        fields = [*AccessKeySerializer.Meta.fields, "secret"]


class AccessKeys(View):
    """The keys of a tenant."""

    @extend_schema(operation_id="access_keys_list", responses=AccessKeySerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List keys; never their secrets."""
        rows = AccessKey.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(
            rows.select_related("principal", "principal__user").order_by("-created_at", "pk"),
            AccessKeySerializer,
        )

    @extend_schema(operation_id="access_keys_create", request=AccessKeyWrite, responses={201: NewAccessKey})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make a key; its secret is in this answer and nowhere else."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(AccessKeyWrite, request)
        with transaction.atomic():
            principal = self._principal(tenant, values)
            key, secret = services.access_key_create(
                tenant=tenant, principal=principal, actor=self.access().actor, **values
            )
        return Response({**AccessKeySerializer(key).data, "secret": secret}, status=201)

    def _principal(self, tenant: Tenant, values: dict[str, Any]) -> Principal:
        chosen, name = values.pop("principal", None), values.pop("service_account", None)
        role = values.pop("role", None)
        if bool(chosen) == bool(name):
            raise InvalidValue(
                "Name either a principal (its id) or a service_account (its name).", "principal"
            )
        if chosen:
            if role:
                raise InvalidValue(
                    "A principal has its role already; a role goes with a service_account.", "role"
                )
            found: Principal = one_by_id(Principal, tenant, chosen)
            return found
        existing = ServiceAccount.objects.for_tenant(tenant).filter(name=name).first()
        if existing is not None:
            if role and role != existing.role:
                raise InvalidValue(f"{name} has the role {existing.role}; change it there first.", "role")
            account: Principal = existing
            return account
        return services.service_account_create(
            tenant=tenant, name=name, role=role or Role.OPERATOR.value, actor=self.access().actor
        )


class AccessKeyDetail(View):
    """One key."""

    def _key(self, slug: str, pk: str) -> AccessKey:
        rows = AccessKey.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        found: AccessKey = one(rows.select_related("principal", "principal__user"), pk=pk)
        return found

    @extend_schema(operation_id="access_keys_get", responses=AccessKeySerializer)
    def get(self, request: Request, slug: str, pk: str) -> Response:
        """Show a key; never its secret."""
        return Response(AccessKeySerializer(self._key(slug, pk)).data)

    @extend_schema(operation_id="access_keys_patch", request=AccessKeyChange, responses=AccessKeySerializer)
    def patch(self, request: Request, slug: str, pk: str) -> Response:
        """Change what a key may do or how long."""
        key = self._key(slug, pk)
        values = said(AccessKeyChange, request)
        row = services.access_key_update(key=key, actor=self.access().actor, **values)
        return Response(AccessKeySerializer(row).data)

    @extend_schema(operation_id="access_keys_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """Revoke a key: it stops in every worker within a second."""
        services.access_key_revoke(key=self._key(slug, pk), actor=self.access().actor)
        return Response(status=204)
